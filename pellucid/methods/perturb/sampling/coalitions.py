"""Designs for Shapley values: coalitions of all sizes, few regions together as often as nearly all of them."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import torch
from torch import Tensor

from pellucid.core.random import stream
from .design import Design, check_budget, log_binomials, stack_rows

NUMBERED = 62  # bits: of more coalitions than that no two draws are the same, and none need be kept apart
USUAL, LEAST, MOST = 10, 256, 20_000  # rows per region where no budget is given; then at least, and at most


@dataclass(frozen=True)
class Coalitions(Design):
    """Coalitions and their complements, every size as often as any other, none of them twice.

    A coalition S of n regions has the leverage 1 / C(n, |S|) in the regression whose solution are the Shapley values: all sizes
    together tell as much as any other. Sizes take turns, in an order that is random in each round; a size whose coalitions are
    used up takes none. (Half of an even number comes twice as often, as its complement is of the same size.) From all 2^n - 2
    the estimate is exact.

    References: Leverage score sampling (Musco and Witter, 2025), https://doi.org/10.48550/arXiv.2410.01917; paired, as Covert
        and Lee, 2021, https://doi.org/10.48550/arXiv.2012.01536. There sizes are drawn, here they take turns.

    Arguments:
        budget: How many rows; None: ten per region, from 256 to 20,000.

    Example:
        >>> Coalitions().rows(3, 0, 6).sum(1).tolist()  # a region alone, and the two others
        [1, 2, 1, 2, 1, 2]
    """

    budget: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget("coalitions", self.budget)

    def count(self, n: int) -> int:
        budget = default_budget(n) if self.budget is None else self.budget
        every = coalition_count(n)
        check_budget("Shapley values by regression", min(budget, MOST if self.budget is None else budget), min(2 * n, every), n)
        return min(budget - budget % 2, every)

    def repeats(self, n: int) -> bool:
        return False

    def unit(self, n: int) -> int:
        return 2

    def law(self, n: int) -> Tensor | None:
        sizes = torch.full((n + 1,), -math.inf, dtype=torch.float64)
        sizes[1:n] = -math.log(max(1, n - 1))
        return sizes

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        first, last = start // 2, -(-stop // 2)
        sets = torch.zeros(last - first, n, dtype=torch.bool)
        for row, (size, index) in zip(sets, self._turns(n, first, last), strict=True):
            row[self._members(n, size, index)] = True
        return torch.stack([sets, ~sets], 1).flatten(0, 1)[start - 2 * first : stop - 2 * first]

    def _turns(self, n: int, first: int, last: int) -> list[tuple[int, int]]:
        """Of pairs from one number up to another: the size, and how many of that size came before."""
        room = pairs_by_size(n)
        # the last turn before which there were no more than `first` pairs
        turn = bisect_right(range(first + 1), first, key=lambda turn: sum(min(most, turn) for most in room)) - 1
        at, result = sum(min(most, turn) for most in room), []
        while at < last:
            sizes = [size for size, most in enumerate(room, start=1) if most > turn]
            assert sizes, "there are no more coalitions"
            Random(f"{self.seed} {turn}").shuffle(sizes)
            result += [(size, turn) for size in sizes[max(0, first - at) : last - at]]
            at, turn = at + len(sizes), turn + 1
        return result

    def _members(self, n: int, size: int, index: int) -> list[int]:
        """One of the coalitions of a size, in a random order without repetition."""
        most = pairs_by_size(n)[size - 1]
        if most >= 1 << NUMBERED:
            return Random(f"{self.seed} {size} {index}").sample(range(n), size)
        number = _shuffled(f"{self.seed} {size}", most, min(most, 1 << index.bit_length()))[index]
        if 2 * size == n:  # with its complement it is of one size: of the two, the one with region 0
            return [0, *(1 + member for member in combination(number, n - 1, size - 1))]
        return combination(number, n, size)


@dataclass(frozen=True)
class ShapleyKernel(Design):
    """Coalitions as Lundberg and Lee draw them: sizes with probability p(s) ~ 1 / (s (n - s)), one by one, again and again.

    Arguments:
        budget: As in `Coalitions`.
        paired: Whether every other row is the complement of the one before it.
    """

    budget: int | None = None
    paired: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget("coalitions", self.budget)

    def count(self, n: int) -> int:
        budget = default_budget(n) if self.budget is None else self.budget
        check_budget("Shapley values by regression", budget, n, n)
        return budget if n > 1 else 0

    def unit(self, n: int) -> int:
        return 2 if self.paired else 1

    def law(self, n: int) -> Tensor | None:
        return shapley_kernel(n)

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        sizes = shapley_kernel(n).exp().cumsum(0)

        def row(i: int) -> Tensor:
            rng = stream("coalition", self.seed, i)
            size = torch.searchsorted(sizes, torch.rand(1, generator=rng, dtype=sizes.dtype)).clamp(1, n - 1)
            return torch.randperm(n, generator=rng) < size

        return stack_rows(row, start, stop, paired=self.paired)


def shapley_kernel(n: int) -> Tensor:
    """The log-probability of coalitions of 0, 1, ... n regions by the Shapley kernel; none of nobody, and none of all."""
    sizes = torch.full((n + 1,), -math.inf, dtype=torch.float64)
    s = torch.arange(1, n, dtype=torch.float64)
    sizes[1:n] = torch.log_softmax(-torch.log(s * (n - s)), 0)
    return sizes


def default_budget(n: int) -> int:
    return min(max(USUAL * n, LEAST), MOST)


def coalition_count(n: int) -> int:
    """How many coalitions there are beside nobody and all, or a number beyond any budget."""
    return (1 << min(n, NUMBERED)) - 2


@lru_cache(maxsize=64)
def pairs_by_size(n: int) -> tuple[int, ...]:
    """How many pairs of a coalition and its complement there are with 1, 2, ... n // 2 regions in the smaller."""
    most = log_binomials(n).div(math.log(2)).tolist()  # in bits
    counts = [math.comb(n, size) if most[size] < NUMBERED else 1 << NUMBERED for size in range(1, n // 2 + 1)]
    return tuple(count // 2 if 2 * size == n else count for size, count in enumerate(counts, start=1))


@lru_cache(maxsize=1024)
def _shuffled(seed: str, most: int, length: int) -> list[int]:
    """The first of the numbers below `most` in a random order, which does not depend on how many are asked for."""
    rng, result = Random(seed), list[int]()
    moved: dict[int, int] = {}
    for place in range(length):
        other = rng.randrange(place, most)
        result.append(moved.get(other, other))
        moved[other] = moved.get(place, place)
    return result


def combination(number: int, n: int, size: int) -> list[int]:
    """The members of one of the C(n, size) coalitions, by its number in the order of a dictionary.

    Example:
        >>> [combination(i, 4, 2) for i in range(6)]
        [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    """
    members: list[int] = []
    for member in range(n):
        missing = size - len(members)
        if not missing:
            break
        with_it = math.comb(n - member - 1, missing - 1)
        if number < with_it:
            members.append(member)
        else:
            number -= with_it
    return members
