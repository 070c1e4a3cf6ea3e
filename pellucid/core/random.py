"""Seeded random numbers. Generators live on the CPU, so that every device, type and batch meets the same draws."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

APART = 1_000_003  # more than anyone draws: draws of neighbouring seeds do not meet


def generator(seed: int, draw: int | None = None) -> torch.Generator:
    """Random numbers of a seed, or of one draw of many under a seed.

    Example:
        >>> one, other = (torch.rand(3, generator=generator(0, draw=7)) for _ in range(2))
        >>> torch.equal(one, other)
        True
    """
    return torch.Generator().manual_seed((seed if draw is None else seed * APART + draw) % 2**63)


def stream(*name: object) -> torch.Generator:
    """Random numbers of their own for everything that has a name. Mixed, since PyTorch's generator reads 32 bits of a seed only.

    Example:
        >>> torch.equal(torch.rand(3, generator=stream("rows", 0, 7)), torch.rand(3, generator=stream("rows", 0, 7)))
        True
    """
    digest = hashlib.sha256(repr(name).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def normal(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """Standard normal numbers, in double precision, so that inputs of every type meet the same ones."""
    return torch.randn(tuple(shape), generator=rng, dtype=torch.float64, device="cpu")
