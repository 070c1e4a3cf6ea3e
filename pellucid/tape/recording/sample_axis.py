"""Where the recorder finds the sample axis of what an operation made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..batch import Batch, follow, rearranges
from ..op import Value
from .irregular_samples import LARGEST, IrregularSamples, joint_samples, marks, moved_samples, of_one_sample


def pattern(name: str, args: Any, source: Value, out: Tensor, samples: int) -> Batch | None:
    """Where the samples lie by a pattern, if they lay by one in `source`, what the operation read."""
    if source.batch is not None and rearranges(name, args, source.batch.axis, len(source.shape)):
        return None
    if name != "as_strided_scatter" or source.batch is None:
        return follow(name, args, source.shape, source.batch, tuple(out.shape), samples)
    step = source.batch.every * args[3][source.batch.axis]  # in a flat storage samples lie where those of the written part do
    return Batch(0, step) if out.numel() % (step * samples) == 0 else None


def irregular(
    fn: Any, name: str, kind: str, args: Any, read: Mapping[int, Value], made: Tensor, place: int, samples: int
) -> tuple[Batch | IrregularSamples | None, bool]:
    """Where the samples lie that follow no pattern, or came out of one or into one; and whether values that are read lie so, too.

    Arguments:
        read: The values among the arguments, by number.
        place: Which of the outputs `made` is.
    """
    owners = {
        value.irregular.only if isinstance(value.irregular, IrregularSamples) else None
        for value in read.values()
        if value.tracked
    }
    if len(owners) == 1 and (sample := owners.pop()) is not None:
        return of_one_sample(sample, made.shape), False
    if kind == "route" and made.numel() <= LARGEST:
        if any(value.tracked and value.sample_axis is None for value in read.values()):
            return None, False
        return moved_samples(fn, args, {i: marked(value, samples) for i, value in read.items()}, place, samples), False
    lies = [value.irregular for value in read.values() if isinstance(value.irregular, IrregularSamples)]
    if kind in ("pool", "max") and lies:
        source = next(value for value in read.values() if value.irregular is lies[0])
        moved = follow(name, args, source.shape, Batch(lies[0].axis), tuple(made.shape), samples)
        return None if moved is None else IrregularSamples(moved.axis, lies[0].samples), False
    rows = joint_samples(lies, made.shape) if kind != "unknown" else None
    return rows, rows is not None


def marked(value: Value, samples: int) -> Tensor:
    """The number of the sample at every entry; indices stay what they are, other constants belong to no sample."""
    if value.sample_axis is not None:
        return marks(value.sample_axis, value.shape, samples)
    if value.tensor is None or value.tensor.is_floating_point():
        return torch.zeros((), dtype=torch.int64).expand(value.shape)
    return value.tensor.cpu()
