"""Designs: which regions are there and which are taken away, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Design(Protocol):
    """Rows of presence over n regions, the same whenever and in whatever pieces they are asked for.

    `soft`: whether rows hold shares in [0, 1] in place of True and False. `common`: whether all rows meet the same random
    numbers of an imputer, so that their differences are sharper; else each row meets its own.
    """

    @property
    def soft(self) -> bool: ...
    @property
    def common(self) -> bool: ...
    def count(self, n: int) -> int:
        """How many rows it has for n regions."""

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        """Rows from one number up to another, with shape (stop - start, n): True where a region is there."""


@dataclass(frozen=True)
class OneOut:
    """Every region taken away once, alone.

    Example:
        >>> OneOut().rows(3, 0, 3)
        tensor([[False,  True,  True],
                [ True, False,  True],
                [ True,  True, False]])
    """

    soft: ClassVar[bool] = False
    common: ClassVar[bool] = True

    def count(self, n: int) -> int:
        return n

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        present = torch.ones(stop - start, n, dtype=torch.bool)
        present[torch.arange(stop - start), torch.arange(start, stop)] = False
        return present


@dataclass(frozen=True)
class Bernoulli:
    """Every region is there with probability p, independently of all others.

    Arguments:
        budget: How many rows.
        p: The chance of a region to be there.
        paired: Whether every other row is the complement of the one before it.
    """

    soft: ClassVar[bool] = False
    common: ClassVar[bool] = False

    budget: int = 1000
    p: float = 0.5
    paired: bool = False
    seed: int = 0

    def count(self, n: int) -> int:
        return self.budget

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        return torch.stack([self._row(n, i) for i in range(start, stop)])

    def _row(self, n: int, i: int) -> Tensor:
        if self.paired and i % 2:
            return ~self._row(n, i - 1)
        rng = torch.Generator().manual_seed((self.seed << 32) + i)
        return torch.rand(n, generator=rng) < self.p


def packed(rows: Tensor) -> Tensor:
    """Rows of bits, eight to a byte: (k, n) becomes (k, ceil(n / 8)).

    Example:
        >>> packed(torch.tensor([[True, False, True]])), unpacked(torch.tensor([[5]], dtype=torch.uint8), 3)
        (tensor([[5]], dtype=torch.uint8), tensor([[ True, False,  True]]))
    """
    k, n = rows.shape
    bits = torch.zeros(k, -(-n // 8) * 8, dtype=torch.uint8)
    bits[:, :n] = rows.to(torch.uint8)
    return (bits.reshape(k, -1, 8) << torch.arange(8, dtype=torch.uint8)).sum(2, dtype=torch.uint8)


def unpacked(bits: Tensor, n: int) -> Tensor:
    """The rows again, boolean, with shape (k, n)."""
    return ((bits[:, :, None] >> torch.arange(8, dtype=torch.uint8)) & 1).bool().flatten(1)[:, :n]
