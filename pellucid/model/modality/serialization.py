"""A modality as plain data and tensors, as files hold it, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from torch import Tensor

from pellucid.core.conforms import conforms
from pellucid.errors import OutputError
from .base import Modality
from .generated import Generated
from .multi import MultiInput
from .series import Series
from .table import Table
from .time_frequency import TimeFrequency
from .tokens import Tokens

#: Every kind by its name in files: a new one is its file, a line here, and a painter in `pellucid.render.modality.painters`.
KINDS: dict[str, type[Modality]] = {one.kind: one for one in (Tokens, Generated, MultiInput, Table, Series, TimeFrequency)}
TENSOR, MODALITY = "->tensor", "->subject"  # what stands in plain data in their place


def to_plain(modality: Modality) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Plain data and tensors, which `from_plain` puts together again. Tensors and modalities may stand in tuples."""
    tensors: dict[str, Tensor] = {}
    plain = {one.name: _plain(getattr(modality, one.name), one.name, tensors) for one in fields(modality)}
    return {"kind": modality.kind} | {name: value for name, value in plain.items() if name not in tensors}, tensors


def from_plain(plain: dict[str, Any], tensors: dict[str, Tensor]) -> Modality:
    """The modality that `to_plain` took apart; JSON makes lists of its tuples, and they become tuples again.

    Raises:
        OutputError: this version knows no such kind.
        ValueError: the parts are of other types, or do not belong together.
    """
    plain = dict(plain)
    kind = plain.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        do = f"This version reads {', '.join(KINDS)}; a newer one may read it."
        raise OutputError("An explanation from a file", f'an input of kind "{kind}"', "no kind has that name", do)
    own = {name: tensor for name, tensor in tensors.items() if "." not in name}
    noun, hints = KINDS[kind], get_type_hints(KINDS[kind])
    parts = {name: _whole(tupled(value), tensors) for name, value in plain.items()} | own
    wrong = [one.name for one in fields(noun) if one.name not in parts or not conforms(parts[one.name], hints[one.name])]
    if wrong or len(parts) > len(fields(noun)):
        raise ValueError(f"{kind} with {wrong[0] if wrong else 'unknown fields'}")
    made = noun(**parts)
    lengths = {len(getattr(made, name)) for name in made.per_sample}
    if len(lengths) > 1 or not made.whole():
        raise ValueError(f"{kind} whose parts do not belong together")
    return made


def _plain(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A value without tensors: they go into `tensors`, by where they stood."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {TENSOR: path}
    if isinstance(value, Modality):
        plain, inside = to_plain(value)
        tensors.update({f"{path}.{name}": tensor for name, tensor in inside.items()})
        return {MODALITY: plain, "at": path}
    return tuple(_plain(one, f"{path}.{n}", tensors) for n, one in enumerate(value)) if isinstance(value, tuple) else value


def _whole(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A value with its tensors and modalities in their places again."""
    if isinstance(value, dict) and TENSOR in value:
        return tensors[value[TENSOR]]
    if isinstance(value, dict) and MODALITY in value:
        start = f"{value['at']}."
        return from_plain(value[MODALITY], {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)})
    return tuple(_whole(one, tensors) for one in value) if isinstance(value, tuple) else value


def tupled(value: Any) -> Any:
    """Lists, and lists in lists, as tuples.

    Example:
        >>> tupled([1, ["a", [None]]])
        (1, ('a', (None,)))
    """
    return tuple(map(tupled, value)) if isinstance(value, list) else value
