"""Running moments of random draws, per sample, and the range of samples that scales noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.errors import MethodError
from .batched import column


def spread(x: Tensor) -> Tensor:
    """The range of each sample, greatest less least entry, in a shape that broadcasts against x; 1 where all are the same.

    Example:
        >>> spread(torch.tensor([[0.0, 4.0], [3.0, 3.0]]))
        tensor([[4.],
                [1.]])
    """
    flat = x.flatten(1)
    width = flat.amax(1) - flat.amin(1)
    return torch.where(width > 0, width, torch.ones_like(width)).reshape(-1, *[1] * (x.dim() - 1))


class Tally:
    """Mean, variance and fourth moment of draws that arrive one at a time, for every sample of a batch.

    References: Pébay, 2008, Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical
        moments, Eq. 2.1, https://doi.org/10.2172/1028931

    Example:
        >>> tally = Tally(1)
        >>> for draw in (1.0, 2.0, 6.0):
        ...     tally.add(0, torch.tensor([draw]))
        >>> tally.mean, tally.variance
        (tensor([[3.]], dtype=torch.float64), tensor([[7.]], dtype=torch.float64))
    """

    def __init__(self, samples: int) -> None:
        self.count = [0] * samples
        self.moments: list[list[Tensor]] = [[] for _ in range(samples)]  # mean, and sums of 2nd, 3rd, 4th powers about it

    def add(self, sample: int, value: Tensor) -> None:
        value = value.detach().double()
        self.count[sample] += 1
        n, old = self.count[sample], self.moments[sample]
        if n == 1:
            self.moments[sample] = [value, *(torch.zeros_like(value) for _ in range(3))]
            return
        mean, second, third, fourth = old
        step = (value - mean) / n
        term = (value - mean) * step * (n - 1)
        fourth = fourth + term * step.square() * (n * n - 3 * n + 3) + 6 * step.square() * second - 4 * step * third
        third = third + term * step * (n - 2) - 3 * step * second
        self.moments[sample] = [mean + step, second + term, third, fourth]

    def _moment(self, which: int) -> Tensor:
        return torch.stack([moments[which] for moments in self.moments])

    @property
    def mean(self) -> Tensor:
        return self._moment(0)

    @property
    def variance(self) -> Tensor:
        """Without bias: the squares are divided by one less than the number of draws."""
        second = self._moment(1)
        return second / (column(self.count, second) - 1)

    @property
    def error(self) -> Tensor:
        """The standard error of the mean."""
        variance = self.variance
        return (variance / column(self.count, variance)).sqrt()

    @property
    def error_of_variance(self) -> Tensor:
        """The standard error of the variance: sqrt((m4 - (n - 3) / (n - 1) s^4) / n), with m4 the fourth central moment."""
        variance, fourth = self.variance, self._moment(3)
        n = column(self.count, variance)
        return ((fourth / n - (n - 3) / (n - 1) * variance.square()).clamp(min=0) / n).sqrt()

    def check(self, request: str) -> None:
        """Refuse a variance of fewer than two draws.

        Raises:
            MethodError: the work was called off too early.
        """
        if min(self.count) < 2:
            raise MethodError(
                request, f"{min(self.count)} of the draws of some sample when it was called off",
                "a variance needs two at least", "Let it run longer.",
            )  # fmt: skip


def called_off(counts: Sequence[int], n: int) -> tuple[str, ...]:
    """A note where fewer draws were made than requested."""
    return (f"Called off after {min(counts)} of {n} draws.",) if min(counts) < n else ()
