"""Random numbers for a batch of pictures, each from a generator of its own; see also `pellucid.core.random`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.core.random import generator
from .frame import Frame
from .protocols import Draws


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator per picture. Pictures of one seed get the same random numbers, wherever they stand in a batch.

    Example:
        >>> one, other = normal(generators([7, 7]), (2,))
        >>> bool((one == other).all())
        True
    """
    return [generator(seed) for seed in seeds]


def normal(draws: Draws, shape: Sequence[int], frame: Frame | None = None) -> Tensor:
    """Standard normal numbers (n, *shape), on the frame's device."""
    return _placed(torch.stack([torch.randn(tuple(shape), generator=draw) for draw in draws]), frame)


def uniform(draws: Draws, shape: Sequence[int], frame: Frame | None = None) -> Tensor:
    """Uniform numbers in [0, 1), (n, *shape), on the frame's device."""
    return _placed(torch.stack([torch.rand(tuple(shape), generator=draw) for draw in draws]), frame)


def _placed(numbers: Tensor, frame: Frame | None) -> Tensor:
    return numbers if frame is None else numbers.to(frame.device, exact(frame.dtype))


def exact(dtype: torch.dtype) -> torch.dtype:
    """The type to compute in: at least single precision, since half precision cannot hold small steps."""
    return torch.promote_types(dtype, torch.float32)
