"""Slope: the gradient of the target for variants of the same samples. `Readout` in `forward.py` computes its value only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.model import Model
from pellucid.model.hooks import listening
from pellucid.model.outputs import rebuild
from .branches import check_branches
from .forward import Readout, varied_value
from .op import Tape
from .recording.record import record
from .seed import resolve_target
from .walk import chain_rule, walk


def gradient_and_score(readout: Readout, variants: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The gradient of the target at every variant, shaped like them, and the target itself, with shape (n,).

    It is read from a tape, so it is the same for scripted, traced and exported models, and for those that switch autograd off;
    no `.grad`, hook or flag of the model takes part. The model runs anew on these variants: branches on data are taken as they
    decide.

    Arguments:
        readout: The model, and a target with names and predictions resolved.
        variants: What to put in place of the input, or of the value `readout.at`.
        rows: Which sample each of them is a variant of.

    Raises:
        ThreadLost: the output does not descend from the input.

    Example:
        >>> import pellucid as pl
        >>> model = pl.load(torch.nn.Linear(2, 1, bias=False).eval())
        >>> gradient_and_score(Readout(model, torch.ones(1, 2), pl.logit(0)), torch.ones(3, 2), [0, 0, 0])[0].shape
        torch.Size([3, 2])
    """
    pieces = readout.pieces(variants, rows)
    parts = [gradient_and_score_at_once(readout, *piece) for piece in pieces]
    if pieces[0][0] is variants:
        return parts[0]
    gradients, scores = (torch.cat(column)[: len(variants)] for column in zip(*parts, strict=True))
    return gradients, scores


def gradient_and_score_at_once(readout: Readout, variants: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The same in one batch, for models that take any number of variants, or this one."""
    tape = _record(readout, variants, rows)
    resolved = resolve_target(tape, readout.target.take(rows))
    end = tape.inputs[-1]
    check_branches(tape, resolved.gradients, end, slopes=True)
    gradient = walk(tape, resolved.gradients, chain_rule, ends=(end,)).get(end)
    return torch.zeros_like(variants) if gradient is None else gradient, resolved.score


def lost_slopes(readout: Readout) -> tuple[str, ...]:
    """What of the way from the target back to what is varied has no derivative, see `check_branches`; one forward pass.

    Raises:
        ThreadLost: there is no way at all.
    """
    tape = _record(readout, varied_value(readout), range(len(readout.x)))
    return check_branches(tape, resolve_target(tape, readout.target).gradients, tape.inputs[-1], slopes=True)


def _record(readout: Readout, variants: Tensor, rows: Sequence[int]) -> Tape:
    """The tape of the variants; they are its last input."""
    if readout.at is None:
        return record(readout.model, variants)
    patched = PatchedModel(readout.model, readout.at)
    with patched.replacing():
        return record(patched, readout.x[list(rows)], variants)


@dataclass(frozen=True, eq=False)
class PatchedModel:
    """A model that is given what one of its modules returns, beside its input.

    Arguments:
        model: The model as it is.
        path: The module.
    """

    model: Model
    path: str
    _value: list[Tensor] = field(default_factory=list)

    @property
    def module(self) -> nn.Module | None:
        return self.model.module

    def forward(self, x: Tensor, value: Tensor) -> Any:
        self._value[:] = [value]
        return self.model.forward(x)

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """The module returns what the model was given, in this block; a tape recorded in it sees that too."""
        assert self.module is not None

        def leave(path: str, output: Any) -> Any:
            return rebuild(output, Tensor, lambda _: self._value[0]) if self._value else None

        with listening({id(self.module.get_submodule(self.path)): self.path}, leave=leave):
            yield
