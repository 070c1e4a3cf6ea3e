"""Step rules of gradient ascent: Adam, steepest ascent, normalised steps, steps of equal progress.

Every picture moves by itself: nothing is averaged over a batch. The loop over steps is in `gradient_ascent.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..prior.per_picture import per_picture

Numbers = tuple[Tensor, ...]
Schedule = Literal["constant", "linear", "cosine"]


@runtime_checkable
class Ascent(Protocol):
    """A step rule. Its state from step to step is a tuple of tensors, which is handed to it and returned by it."""

    def begin(self, numbers: Numbers) -> Numbers:
        """The state before the first step.

        Arguments:
            numbers: Those of the canvas: tensors (n, ...), one row per picture, real or complex.
        """

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        """The numbers and the state after step number `step`, from 0, of `steps`.

        Arguments:
            slopes: The gradient of the score by `numbers`, of the same shapes; 0 for pictures that are done.
            memory: The state.
        """


def scheduled(rate: float, end: float, schedule: Schedule, step: int, steps: int) -> float:
    """The rate at a step, which changes from `rate` to `end` by the schedule.

    Example:
        >>> [scheduled(1.0, 0.0, "linear", step, 4) for step in range(4)], round(scheduled(1.0, 0.0, "cosine", 2, 4), 3)
        ([1.0, 0.75, 0.5, 0.25], 0.5)
    """
    if schedule == "constant":
        return rate
    share = step / max(1, steps)
    share = share if schedule == "linear" else (1 - math.cos(math.pi * share)) / 2
    return rate + (end - rate) * share


@dataclass(frozen=True)
class Adam:
    """Steps of about `rate` in every number: m / (sqrt(v) + eps), m and v running means of the gradient and of its square.

    References: Kingma and Ba, 2014, Adam, https://doi.org/10.48550/arXiv.1412.6980; `nesterov`: Dozat, 2016, with a constant
        momentum in place of his schedule of it.

    Arguments:
        rate: Of the canvas's own numbers; `end` and `schedule` as in `scheduled`.
        momentum, decay: Of the running means: beta1 and beta2.
    """

    rate: float = 0.05
    momentum: float = 0.9
    decay: float = 0.999
    eps: float = 1e-8
    nesterov: bool = False
    schedule: Schedule = "constant"
    end: float = 0.0

    def begin(self, numbers: Numbers) -> Numbers:
        return tuple(torch.zeros_like(part) for n in numbers for part in (_real(n), _real(n)))

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        rate = scheduled(self.rate, self.end, self.schedule, step, steps)
        b1, b2, moved, means = self.momentum, self.decay, [], []
        for number, slope, m, v in zip(numbers, slopes, memory[::2], memory[1::2], strict=True):
            g = _real(slope)
            m, v = m.lerp(g, 1 - b1), v.lerp(g * g, 1 - b2)
            ahead = m * b1 / (1 - b1 ** (step + 2)) + g * (1 - b1) / (1 - b1 ** (step + 1)) if self.nesterov else None
            mean = m / (1 - b1 ** (step + 1)) if ahead is None else ahead
            change = rate * mean / ((v / (1 - b2 ** (step + 1))).sqrt() + self.eps)
            moved.append(number + (torch.view_as_complex(change) if number.is_complex() else change))
            means += [m, v]
        return tuple(moved), tuple(means)


@dataclass(frozen=True)
class Steepest:
    """Plain gradient ascent: x + rate * g.

    Arguments:
        rate: Of the gradient itself; `relative`: of the gradient over the mean size of its entries in the first step, so that
            entries then change by `rate` on average, whatever the scale of the network.
        kept: With it, g is the running mean of the gradients, kept * g + (1 - kept) * gradient; until there are enough of them
            for that, it is the plain mean of all so far.

    Example:
        >>> uphill, x = Steepest(rate=1.0, kept=0.5), (torch.zeros(1, 1),)
        >>> x, memory = uphill.step(x, (torch.tensor([[2.0]]),), uphill.begin(x), 0, 3)
        >>> x, memory = uphill.step(x, (torch.tensor([[-1.0]]),), memory, 1, 3)
        >>> uphill.step(x, (torch.tensor([[1.5]]),), memory, 2, 3)[0]  # 2, then + (2 - 1) / 2, then + (0.5 + 1.5) / 2
        (tensor([[3.5000]]),)
    """

    rate: float
    relative: bool = False
    schedule: Schedule = "constant"
    end: float = 0.0
    kept: float = 0.0

    def begin(self, numbers: Numbers) -> Numbers:
        sizes = tuple(number.new_zeros(len(number), dtype=_real(number).dtype) for number in numbers) if self.relative else ()
        return sizes + (tuple(torch.zeros_like(number) for number in numbers) if self.kept else ())

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        rate = scheduled(self.rate, self.end, self.schedule, step, steps)
        sizes, means = (memory[: len(numbers)], memory[len(numbers) :]) if self.relative else ((), memory)
        sizes = tuple(first_size(slope, size) for slope, size in zip(slopes, sizes, strict=True)) if self.relative else ()
        scaled = tuple(s / per_picture(positive(size), s) for s, size in zip(slopes, sizes, strict=True)) if sizes else slopes
        if self.kept:
            new = 1 - min(self.kept, step / (step + 1))
            scaled = means = tuple(mean.lerp(slope, new) for mean, slope in zip(means, scaled, strict=True))
        return tuple(number + rate * slope for number, slope in zip(numbers, scaled, strict=True)), sizes + means


@dataclass(frozen=True)
class Normalised:
    """Steps whose size does not depend on that of the gradient: x + rate * g / size(g), with size taken per picture.

    Arguments:
        rate: The mean change of an entry (by "mean"), or the length of a step (by "length").
        momentum: The share of the last step that is added to this one.
    """

    rate: float
    by: Literal["mean", "length"] = "mean"
    momentum: float = 0.0
    schedule: Schedule = "constant"
    end: float = 0.0

    def begin(self, numbers: Numbers) -> Numbers:
        return tuple(torch.zeros_like(number) for number in numbers) if self.momentum else ()

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        rate = scheduled(self.rate, self.end, self.schedule, step, steps)
        changes = tuple(rate * slope / per_picture(self.size(slope), slope) for slope in slopes)
        if self.momentum:
            changes = tuple(change + self.momentum * last for change, last in zip(changes, memory, strict=True))
        moved = tuple(number + change for number, change in zip(numbers, changes, strict=True))
        return moved, changes if self.momentum else ()

    def size(self, slope: Tensor) -> Tensor:
        rows = slope.flatten(1).abs()
        size = rows.mean(1) if self.by == "mean" else rows.square().sum(1).sqrt()
        return positive(size)


@dataclass(frozen=True)
class Progress:
    """Steps that should raise the score by the same amount each: rate = min(largest, desired / |g|^2), per picture.

    References: Yosinski et al., 2015, https://doi.org/10.48550/arXiv.1506.06579: the rule `progress` of its code

    Arguments:
        desired: By how much the score should rise.
        largest: The largest rate; `relative`, as of `Steepest`, which then may not be passed.
    """

    desired: float
    largest: float = float("inf")
    relative: bool = False

    def begin(self, numbers: Numbers) -> Numbers:
        return Steepest(self.largest, self.relative).begin(numbers)

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        length = sum(slope.flatten(1).abs().square().sum(1) for slope in slopes)
        assert isinstance(length, Tensor)
        sizes = tuple(first_size(slope, size) for slope, size in zip(slopes, memory, strict=True)) if self.relative else ()
        caps = [self.largest / positive(size) for size in sizes] or [torch.full_like(length, self.largest)] * len(slopes)
        rate = self.desired / positive(length)
        rates = [torch.minimum(rate, cap) for cap in caps]
        moved = (n + per_picture(rate, s) * s for n, s, rate in zip(numbers, slopes, rates, strict=True))
        return tuple(moved), sizes


@dataclass(frozen=True, eq=False)
class Stride:
    """The steps of `ascent`, each unit's multiplied by how much it varies over data; then all codes by `decay`.

    Codes of one network may be a hundred times those of another, and so may those of two units. Steps in standard deviations suit
    all of them.

    Example:
        >>> stride = Stride(Normalised(0.1), torch.tensor([1.0, 10.0]))
        >>> stride.step((torch.zeros(1, 2),), (torch.ones(1, 2),), (), 0, 1)[0][0]
        tensor([[0.0182, 1.8182]])
    """

    ascent: Ascent
    spread: Tensor
    decay: float = 1.0

    def begin(self, numbers: Numbers) -> Numbers:
        return self.ascent.begin(numbers)

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        spread = self.spread.to(numbers[0])
        slopes = tuple(slope * spread for slope in slopes)  # of standardised codes
        moved, memory = self.ascent.step(numbers, slopes, memory, step, steps)
        return tuple(self.decay * (n + spread * (m - n)) for n, m in zip(numbers, moved, strict=True)), memory


def first_size(slope: Tensor, before: Tensor) -> Tensor:
    """The mean size of a gradient's entries, per picture, from the first step in which it is not zero."""
    return torch.where(before > 0, before, slope.flatten(1).abs().mean(1))


def positive(size: Tensor) -> Tensor:
    """Sizes to divide by: 1 in place of 0."""
    return torch.where(size > 0, size, 1)


def _real(numbers: Tensor) -> Tensor:
    return torch.view_as_real(numbers) if numbers.is_complex() else numbers
