"""Addresses inside a model as users write them: modules themselves or their paths; and where channels stand in their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor, nn

from pellucid.errors import WhereError
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.axes.channel_axis import FIRST, LAST, ChannelAxis, channel_axis
from pellucid.target import Part, Target
from pellucid.target.activation import Channel, Direction

ADDRESSES = ("layer", "at")  # fields of methods and recipes


def address(model: Model, at: Any) -> Any:
    """The path of a module of the model; any other address as it is.

    Raises:
        WhereError: it is a module, and none of this model.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> address(Model(net, "net", "", net), net[1])
        '1'
    """
    if not isinstance(at, nn.Module):
        return at
    paths = () if model.module is None else model.module.named_modules()
    path = next((path for path, module in paths if module is at), None)
    if path:
        return path
    raise WhereError(
        f"The value of a {type(at).__name__} given as a module", _found(model, path), "an address is a layer inside the model",
        "Name it by its path, or give a module that the model holds.",
    )  # fmt: skip


def _found(model: Model, path: str | None) -> str:
    if path is None:
        return f"no such module in {model.name}" if model.module is not None else f"{model.name}, whose modules are not known"
    return "the whole model"


def with_paths(model: Model, target: Target) -> Target:
    """The target with the paths of modules in their place."""
    return Target(tuple((w, replace(t, at=address(model, t.at)) if isinstance(t.at, nn.Module) else t) for w, t in target.terms))


def with_layers(model: Model, given: Any) -> Any:
    """A method or recipe with paths in place of modules, also in what it wraps."""
    if not is_dataclass(given) or isinstance(given, type):
        return given
    values = {field.name: getattr(given, field.name, None) for field in fields(given) if field.init}
    changes = {
        name: address(model, value) for name, value in values.items() if isinstance(value, nn.Module) and name in ADDRESSES
    }
    inner = values.get("method")
    wrapped = with_layers(model, inner)
    changes |= {"method": wrapped} if wrapped is not inner else {}
    return replace(given, **changes) if changes else given


def only_with_paths(model: Model, only: Any) -> Any:
    """Conditions by address with paths in place of modules."""
    if isinstance(only, Mapping):
        return {address(model, at): one for at, one in only.items()}
    return [only_with_paths(model, one) for one in only] if isinstance(only, (list, tuple)) else only


def with_axes(model: Model, x: Tensor, targets: Sequence[Target]) -> tuple[Model, list[Target]]:
    """The targets, with the axis that the channels they read stand on; and the model with a note where that is not certain."""
    open_terms = [term for target in targets for _, term in target.terms if _is_open(term)]
    addresses = tuple(dict.fromkeys(term.at for term in open_terms))
    if not addresses:
        return model, list(targets)
    axes = {at: channel_axis(model, x, str(at)) for at in addresses}
    notes = [_note(str(at), found) for at, found in axes.items() if found is not None and not found.certain]
    placed = [Target(tuple((w, _with_axis(t, axes.get(t.at))) for w, t in one.terms)) for one in targets]
    return replace(model, notes=(*model.notes, *notes)) if notes else model, placed


def _is_open(term: Any) -> bool:
    """Whether nobody has said on which axis the channels stand."""
    if term.at is None or isinstance(term.at, (Part, Where)) or not isinstance(term, (Channel, Direction)):
        return False
    return term.axis is None and not (isinstance(term, Channel) and term.tokens is not None)


def _with_axis(term: Any, found: ChannelAxis | None) -> Any:
    if found is None or not _is_open(term):
        return term
    if isinstance(term, Channel) and found.axis == LAST:
        return replace(term, tokens="all")
    return replace(term, axis=found.axis)


def _note(at: str, found: ChannelAxis) -> str:
    where, other = ("last", FIRST) if found.axis == LAST else ("second", LAST)
    shape = (1, *found.shape[1:])
    return (
        f"Channels of {at}, with shape {shape}, are taken to stand on its {where} axis; "
        f"pl.channel({at!r}, unit, axis={other}) reads the other."
    )
