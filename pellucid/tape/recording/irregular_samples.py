"""The sample of every row where they follow no pattern: packed sequences of different lengths, a batch sorted or cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import tensors
from ..batch import Batch, SampleAxis
from ..op import fill

LARGEST = 1 << 22  # entries of a value that are followed one by one


@dataclass(frozen=True, eq=False)
class IrregularSamples:
    """Entry j along `axis` belongs to sample samples[j]; where that is -1, no relevance can be there.

    Example:
        >>> IrregularSamples(0, torch.tensor([0, 1, 0])).owners(3, samples=2)
        tensor([0, 1, 0])
    """

    axis: int
    samples: Tensor

    def owners(self, length: int, samples: int, device: torch.device | None = None) -> Tensor:
        """The sample of each entry along the axis."""
        return self.samples.clamp(min=0).to(device)

    @cached_property
    def only(self) -> int | None:
        """The sample, where all entries belong to one: as in what a loop computes of one sample after the other."""
        first = int(self.samples[0]) if len(self.samples) else -1
        return first if first >= 0 and bool((self.samples == first).all()) else None

    @cached_property
    def present(self) -> frozenset[int]:
        """The samples that have a row here, and -1 if some rows belong to none."""
        return frozenset(self.samples.tolist())

    def fits(self, other: IrregularSamples) -> bool:
        """Whether another value lies along the same axis, with as many rows."""
        return self.axis == other.axis and len(self.samples) == len(other.samples)


def of_one_sample(sample: int, shape: Sequence[int]) -> IrregularSamples:
    """All of a value belongs to one sample; a single number counts as a row of one."""
    return IrregularSamples(0, torch.full((shape[0] if shape else 1,), sample))


def moved_samples(
    fn: Callable[..., Any], args: Sequence[Any], known: Mapping[int, Tensor], place: int, samples: int
) -> Batch | IrregularSamples | None:
    """Where the samples lie in output number `place` of an operation that only moves entries, found by moving their numbers.

    Arguments:
        known: By value: for every entry the number of its sample, from 1; 0 for entries of no sample; indices as they are.

    Example:
        >>> from pellucid.tape import Ref
        >>> four = marks(Batch(0), (4, 2), 4)
        >>> moved_samples(torch.index_select, (Ref(0), 0, Ref(1)), {0: four, 1: torch.tensor([2, 0])}, 0, 4).samples
        tensor([2, 0])
    """
    try:
        output = list(tensors(fn(*fill(args, known.__getitem__))))[place]
    except (RuntimeError, KeyError, IndexError):  # an operation that takes no whole numbers
        return None
    return regular(output.long(), samples)


def joint_samples(lies: Sequence[IrregularSamples], shape: Sequence[int]) -> IrregularSamples | None:
    """Where the samples lie in what is computed entry by entry, or row by row, from values of which some lie so.

    Example:
        >>> joint_samples([IrregularSamples(0, torch.tensor([2, -1])), IrregularSamples(0, torch.tensor([2, 0]))], (2, 5)).samples
        tensor([2, 0])
    """
    if not lies or len(shape) <= lies[0].axis or shape[lies[0].axis] != len(lies[0].samples):
        return None
    return IrregularSamples(lies[0].axis, torch.stack([rows.samples for rows in lies if rows.fits(lies[0])]).amax(0))


def marks(batch: SampleAxis, shape: Sequence[int], samples: int) -> Tensor:
    """The number of the sample, from 1, at every entry of a value."""
    owners = batch.samples if isinstance(batch, IrregularSamples) else batch.owners(shape[batch.axis], samples)
    return (owners + 1).reshape([-1 if d == batch.axis else 1 for d in range(len(shape))]).expand(tuple(shape)).contiguous()


def regular(marked: Tensor, samples: int) -> Batch | IrregularSamples | None:
    """The axis along which the samples change, and how; None if they change along several.

    Example:
        >>> regular(torch.tensor([[1, 2], [1, 0]]), 2)
        Batch(axis=1, every=1)
    """
    if not marked.dim():
        return IrregularSamples(0, marked.reshape(1) - 1)
    if not marked.numel():  # no rows, as those of an expert that no token was routed to
        empty = marked.shape.index(0)
        return IrregularSamples(empty, marked.new_zeros(0))
    for axis in range(marked.dim()):
        rows = marked.movedim(axis, 0).flatten(1) if marked.dim() > 1 else marked[:, None]
        highest = rows.amax(1)
        if bool(((rows == 0) | (rows == highest[:, None])).all()):
            return _pattern(highest - 1, axis, samples) or IrregularSamples(axis, highest - 1)
    return None


def _pattern(owners: Tensor, axis: int, samples: int) -> Batch | None:
    """The same as a regular batch, where it is one for sure."""
    if bool((owners < 0).any()):
        return None
    changes = torch.nonzero(owners != owners[0])
    batch = Batch(axis, int(changes[0]) if len(changes) else len(owners))
    if len(owners) % (batch.every * samples):
        return None
    return batch if torch.equal(batch.owners(len(owners), samples, owners.device), owners) else None
