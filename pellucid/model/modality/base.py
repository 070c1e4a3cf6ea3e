"""A subject: what the values of an explanation are about, where pixels cannot say it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any, ClassVar, Self

from torch import Tensor

from pellucid.errors import OutputError

TENSOR, SUBJECT = "->tensor", "->subject"  # what stands in plain data in their place


@dataclass(frozen=True, eq=False)
class Subject(ABC):
    """What stands beneath the values of a whole batch. One frozen dataclass per kind.

    Fields are plain (numbers, words, None), tensors, subjects, or tuples of these, so that `stored` can write any kind without
    being told.
    """

    kind: ClassVar[str]
    each: ClassVar[tuple[str, ...]]  # the fields that have an entry for each sample

    def take(self, rows: Sequence[int]) -> Self:
        """The same for a batch made of those samples, any of them as often as wanted."""
        return replace(self, **{name: _taken(getattr(self, name), rows) for name in self.each})

    @abstractmethod
    def fits(self, values: Tensor) -> bool:
        """Whether these values, batch first, are about it: values of a layer inside may have other places than the input."""

    @abstractmethod
    def laid(self, values: Tensor) -> Tensor:
        """One sample's values with shape (channel, height, width), one place for each thing; (channel, 1, length) in a row."""

    @abstractmethod
    def told(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """One sample as plain data: every place with its name, what stands there, and its value."""


def _taken(value: Any, rows: Sequence[int]) -> Any:
    """The entries of some samples."""
    return value[list(rows)] if isinstance(value, Tensor) else tuple(value[row] for row in rows)


def stored(subject: Subject) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A subject as plain data and tensors, which `restored` puts together again. Tensors and subjects may stand in tuples."""
    tensors: dict[str, Tensor] = {}
    named = {one.name: _plain(getattr(subject, one.name), one.name, tensors) for one in fields(subject)}
    return {"kind": subject.kind} | {name: value for name, value in named.items() if name not in tensors}, tensors


def _plain(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A value without tensors: they go into `tensors`, by where they stood."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {TENSOR: path}
    if isinstance(value, Subject):
        plain, inside = stored(value)
        tensors.update({f"{path}.{name}": tensor for name, tensor in inside.items()})
        return {SUBJECT: plain, "at": path}
    return tuple(_plain(one, f"{path}.{n}", tensors) for n, one in enumerate(value)) if isinstance(value, tuple) else value


def restored(plain: dict[str, Any], tensors: dict[str, Tensor]) -> Subject:
    """The subject that `stored` took apart; JSON makes lists of its tuples, and they become tuples again.

    Raises:
        OutputError: this version knows no such kind.
    """
    kinds: dict[str, type[Subject]] = import_module("pellucid.model.modality").KINDS
    plain = dict(plain)
    kind = plain.pop("kind", None)
    if kind not in kinds:
        do = f"This version reads {', '.join(kinds)}; a newer one may read it."
        raise OutputError("An explanation from a file", f'a subject of kind "{kind}"', "no kind has that name", do)
    own = {name: tensor for name, tensor in tensors.items() if "." not in name}
    return kinds[kind](**{name: _whole(tupled(value), tensors) for name, value in plain.items()}, **own)


def _whole(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A value with its tensors and subjects in their places again."""
    if isinstance(value, dict) and TENSOR in value:
        return tensors[value[TENSOR]]
    if isinstance(value, dict) and SUBJECT in value:
        start = f"{value['at']}."
        return restored(value[SUBJECT], {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)})
    return tuple(_whole(one, tensors) for one in value) if isinstance(value, tuple) else value


def tupled(value: Any) -> Any:
    """Lists, and lists in lists, as tuples.

    Example:
        >>> tupled([1, ["a", [None]]])
        (1, ('a', (None,)))
    """
    return tuple(map(tupled, value)) if isinstance(value, list) else value
