"""Random numbers for pictures, each from a generator of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.core.random import generator
from .frame import Frame
from .protocols import Draws


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator per picture. Pictures of one seed get the same draws, wherever they stand in a batch.

    Example:
        >>> one, other = normal(generators([7, 7]), (2,))
        >>> bool((one == other).all())
        True
    """
    return [generator(seed) for seed in seeds]


def normal(draws: Draws, shape: Sequence[int], frame: Frame | None = None) -> Tensor:
    """Standard normal numbers, with shape (n, *shape), where the frame's pictures live."""
    return _placed(torch.stack([torch.randn(tuple(shape), generator=draw) for draw in draws]), frame)


def uniform(draws: Draws, shape: Sequence[int], frame: Frame | None = None) -> Tensor:
    """Numbers between 0 and 1, with shape (n, *shape), where the frame's pictures live."""
    return _placed(torch.stack([torch.rand(tuple(shape), generator=draw) for draw in draws]), frame)


def _placed(numbers: Tensor, frame: Frame | None) -> Tensor:
    return numbers if frame is None else numbers.to(frame.device, exact(frame.dtype))


def exact(dtype: torch.dtype) -> torch.dtype:
    """The type to reckon in: at least single precision, for half of it cannot hold small steps."""
    return torch.promote_types(dtype, torch.float32)
