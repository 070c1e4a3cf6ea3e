"""Values inside that come from what is held or from codes, as the embedding of ids beside numbers, explained as if given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from pellucid.errors import ThreadLost
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import Method, configured, has, member
from pellucid.model import Model
from pellucid.model.multi_input import Held, Inputs, PackedForward
from pellucid.model.where import Where
from pellucid.tape import record
from pellucid.tape.codes import coded_rows
from pellucid.tape.forward import forward_values, values_at
from .inputs import Batch


@dataclass(frozen=True, eq=False)
class ForwardFrom:
    """A model's forward pass as a function of what one of its modules returned, for one sample; all its inputs are held.

    Arguments:
        x: What is explained otherwise, with shape (1, ...).
        path: The module.
    """

    model: Model
    x: Tensor
    path: str

    def __call__(self, value: Tensor) -> Any:
        with values_at(self.model, {self.path}, {self.path: value}, variable_length=True):
            return self.model.forward(self.x.expand(len(value), *self.x.shape[1:]).clone())


def held_place(batch: Batch, at: str | Where | None) -> str | None:
    """The path of a module whose value does not descend from what is explained: it comes from what is held, or from codes."""
    path = at.module if isinstance(at, Where) and at.op is None and at.position is None else at
    inputs = getattr(batch.model.forward, "inputs", None)
    if not isinstance(path, str) or not (_holds_tensors(inputs) or coded_rows(batch.model, batch.x) is not None):
        return None
    try:
        return None if path in record(batch.model, batch.x).returned else path
    except ThreadLost:  # nothing but codes
        return path


def from_place(batch: Batch, method: Method, path: str) -> tuple[Batch, Method]:
    """The model from that value on, as one input of real numbers, and the method with what it is compared with there.

    Raises:
        WhereError: there is no such module, or it did not run.
    """
    model, x = batch.model, batch.x
    assert len(x) == 1, "samples come one by one"
    value = forward_values(model, x, (path,))[path]
    name = next((name for name in ("baseline", "baselines") if has(method, name)), "")
    given = member(method, name) if name else None
    if isinstance(given, Tensor) and not given.is_floating_point():
        method = configured(method, **{name: forward_values(_with_ids(model, given), x, (path,))[path]})
    forward = ForwardFrom(model, x, path)
    return replace(batch, model=replace(model, forward=forward, preprocess=None), x=value, subject=None, picture=None), method


def at_place(attribution: Attribution, path: str) -> Attribution:
    """What captions say of the input is said of that value."""
    notes = (note.replace("in the space of the model's own input", f"in what `{path}` returned") for note in attribution.notes)
    return replace(attribution, notes=tuple(notes))


def _holds_tensors(inputs: Any) -> bool:
    return isinstance(inputs, Inputs) and any(
        isinstance(what, Held) and isinstance(what.value, Tensor) for _, what in inputs.places
    )


def _with_ids(model: Model, ids: Tensor) -> Model:
    """The model with other ids in the place of those that are held."""
    assert isinstance(model.forward, PackedForward)
    inputs = model.forward.inputs

    def other(what: Any) -> Any:
        whole = isinstance(what, Held) and isinstance(what.value, Tensor) and not what.value.is_floating_point()
        rows = ids if not whole or ids.dim() == what.value.dim() else ids[None]
        return replace(what, value=rows[:1].to(what.value)) if whole and rows.shape[1:] == what.value.shape[1:] else what

    places = tuple((place, other(what)) for place, what in inputs.places)
    return replace(model, forward=replace(model.forward, inputs=replace(inputs, places=places)))
