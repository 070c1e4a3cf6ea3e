"""Slope: how the target would change, on variants of the same samples. The gradient beside `Readout`, which only reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .forward import Readout, forward_values
from .recording.record import record
from .seed import resolve_target
from .walk import chain_rule, walk


def gradient_and_score(readout: Readout, variants: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The gradient of the target at every variant, shaped like them, and the target itself, with shape (n,).

    It is read from a tape, so it is the same for scripted, traced and exported models, and for those that switch autograd off;
    no `.grad`, hook or flag of the model takes part. The model runs anew on these variants: branches on data are taken as they
    decide.

    Arguments:
        readout: The model, and a settled target.
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
    if isinstance(readout.model.module, torch.fx.GraphModule) and len(variants) != len(readout.x):
        return _in_pieces(readout, variants, rows)  # exported programs may take batches of one size alone
    tape = record(_Patched(readout, rows), variants)
    returned = {at: (ref.id,) for at, ref in zip(_inside(readout), tape.output["inside"], strict=True)}
    resolved = resolve_target(replace(tape, returned={**tape.returned, **returned}), readout.target.take(rows))
    (end,) = tape.inputs
    gradient = walk(tape, resolved.gradients, chain_rule, ends=(end,)).get(end)
    return variants.new_zeros(variants.shape) if gradient is None else gradient, resolved.score


def _in_pieces(readout: Readout, variants: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The same, in batches as large as that of the samples, the last one filled up."""
    size = len(readout.x)
    places = list(range(len(variants))) + [0] * (-len(variants) % size)
    pieces = [places[i : i + size] for i in range(0, len(places), size)]
    found = [gradient_and_score(readout, variants[piece], [rows[i] for i in piece]) for piece in pieces]
    gradients, scores = (torch.cat(parts)[: len(variants)] for parts in zip(*found, strict=True))
    return gradients, scores


class _Patched:
    """The model as a function of what stands at `readout.at`, answering with the values that the target reads."""

    def __init__(self, readout: Readout, rows: Sequence[int]) -> None:
        self.readout, self.rows, self.module = readout, list(rows), readout.model.module

    def forward(self, variants: Tensor) -> dict[str, Any]:
        at, x = self.readout.at, variants
        if at is not None:
            x = self.readout.x[self.rows]
        values = forward_values(self.readout.model, x, self.readout.target.addresses, None if at is None else {at: variants})
        return {"logits": values[None], "inside": [values[at] for at in _inside(self.readout)]}


def _inside(readout: Readout) -> list[str]:
    """The modules that the target reads."""
    return [at for at in readout.target.addresses if at is not None]
