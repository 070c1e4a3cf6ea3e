"""Designs: which regions are present and which are removed, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.errors import MethodError


class Design(Protocol):
    """Rows of presence over n regions. A row depends on the seed and its number alone, and a larger budget keeps the rows of a
    smaller one, so that a run can go on where it stopped.

    Adding one: a frozen dataclass with `rows`; the rest has defaults, those of independent rows up to a `budget`.
    """

    @property
    def soft(self) -> bool:
        """Whether rows hold shares in [0, 1] in place of True and False."""
        return False

    @property
    def common(self) -> bool:
        """Whether all rows meet the same draws of an imputer, so that their differences are sharper; else each its own."""
        return False

    def count(self, n: int) -> int:
        """How many rows it has for n regions.

        Raises:
            MethodError: the budget does not reach for as many.
        """
        return self.budget  # type: ignore[attr-defined, no-any-return]

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        """Rows from one number up to another, with shape (stop - start, n): True where a region is there."""

    def repeats(self, n: int) -> bool:
        """Whether a row may come again; else the rows are a sample without replacement from all there are."""
        return True

    def unit(self, n: int) -> int:
        """How many successive rows are drawn together; one such unit is independent of the next."""
        return 1

    def law(self, n: int) -> Tensor | None:
        """The log-probability of a row with 0, 1, ... n regions, with shape (n + 1,), where all rows with as many are equally
        likely: then responses can be weighted as if another such law had drawn the rows. None where they are not."""
        return None

    def longer(self, n: int, budget: int) -> Design:
        """The same rows and more, with another budget; the same design where there are no more rows."""
        return replace(self, budget=max(budget, self.count(n)))  # type: ignore[type-var]


@dataclass(frozen=True)
class OneOut(Design):
    """Every region removed once, alone.

    Example:
        >>> OneOut().rows(3, 0, 3)
        tensor([[False,  True,  True],
                [ True, False,  True],
                [ True,  True, False]])
    """

    common: ClassVar[bool] = True

    def count(self, n: int) -> int:
        return n

    def repeats(self, n: int) -> bool:
        return False

    def longer(self, n: int, budget: int) -> OneOut:
        return self

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        present = torch.ones(stop - start, n, dtype=torch.bool)
        present[torch.arange(stop - start), torch.arange(start, stop)] = False
        return present


@dataclass(frozen=True)
class Bernoulli(Design):
    """Every region is there with probability p, independently of all others.

    Arguments:
        budget: How many rows.
        p: The probability of a region to be there.
        paired: Whether every other row is the complement of the one before it.
    """

    budget: int = 1000
    p: float = 0.5
    paired: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget("random rows", self.budget)
        if not 0 < self.p < 1:
            raise MethodError(
                f"regions that are there with probability p={self.p}", f"{self.p}", "then all rows are the same",
                "Give a p between 0 and 1, such as 0.5.",
            )  # fmt: skip

    def unit(self, n: int) -> int:
        return 2 if self.paired else 1

    def law(self, n: int) -> Tensor | None:
        if not self.paired:
            return binomial(n, self.p)
        return torch.logaddexp(binomial(n, self.p), binomial(n, 1 - self.p)) - math.log(2)

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        def row(i: int) -> Tensor:
            return torch.rand(n, generator=stream("rows", self.seed, i), dtype=torch.float32) < self.p

        return stack_rows(row, start, stop, paired=self.paired)


def stack_rows(row: Callable[[int], Tensor], start: int, stop: int, *, paired: bool) -> Tensor:
    """Rows by their numbers; `paired`: every other one is the complement of the one before it."""
    return torch.stack([~row(i - 1) if paired and i % 2 else row(i) for i in range(start, stop)])


def check_budget(what: str, budget: int | None, least: int = 2, regions: int | None = None) -> None:
    """Refuse a budget that is too small.

    Raises:
        MethodError: it is smaller than `least`.
    """
    if budget is None or budget >= least:
        return
    passes = f"a budget of {budget:,} forward passes" + (f" for {regions:,} regions" if regions else "")
    advice = f"Give budget={least} or more, or divide the input into fewer regions."
    raise MethodError(what, passes, f"at least {least:,} are needed", advice)


def binomial(n: int, p: float) -> Tensor:
    """The log-probability of 0, 1, ... n regions when each is there with probability p.

    Example:
        >>> binomial(2, 0.5).exp()
        tensor([0.2500, 0.5000, 0.2500], dtype=torch.float64)
    """
    k = torch.arange(n + 1, dtype=torch.float64)
    return log_binomials(n) + k * math.log(p) + (n - k) * math.log1p(-p)


def log_binomials(n: int) -> Tensor:
    """The logarithm of how many sets of 0, 1, ... n out of n regions there are: the numbers themselves overflow."""
    k = torch.arange(n + 1, dtype=torch.float64)
    return math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)


def pack_bits(rows: Tensor) -> Tensor:
    """Rows of bits, eight to a byte: (k, n) becomes (k, ceil(n / 8)).

    Example:
        >>> pack_bits(torch.tensor([[True, False, True]])), unpack_bits(torch.tensor([[5]], dtype=torch.uint8), 3)
        (tensor([[5]], dtype=torch.uint8), tensor([[ True, False,  True]]))
    """
    k, n = rows.shape
    bits = torch.zeros(k, -(-n // 8) * 8, dtype=torch.uint8)
    bits[:, :n] = rows.to(torch.uint8)
    return (bits.reshape(k, -(-n // 8), 8) << torch.arange(8, dtype=torch.uint8)).sum(2, dtype=torch.uint8)


def unpack_bits(bits: Tensor, n: int) -> Tensor:
    """The rows again, boolean, with shape (k, n)."""
    return ((bits[:, :, None] >> torch.arange(8, dtype=torch.uint8)) & 1).bool().flatten(1)[:, :n]
