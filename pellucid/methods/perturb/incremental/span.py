"""Spans: the part of one axis of a map that changes, and what an operation reads along it.

All windows of a batch share their lengths and differ in where they lie, so an interval is one length and a start for every place
that the window can take. Where exact intervals differ in length the longest is taken for all: what lies in it without having
changed is computed again, to the same value.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Span:
    """The part of one axis that changes.

    Arguments:
        starts: For every place of the window: where the interval begins.
        length: How long it is, for all of them.
        size: The length of the axis.

    Example:
        >>> Span.hull(torch.tensor([-1, 3]), torch.tensor([2, 6]), size=5)
        Span(starts=tensor([0, 3]), length=2, size=5)
    """

    starts: Tensor
    length: int
    size: int

    @classmethod
    def hull(cls, first: Tensor, last: Tensor, size: int) -> Span:
        """The shortest span that covers [first, last) at every place and stays inside the axis."""
        first, last = first.clamp(0, size), last.clamp(0, size)
        length = max(1, int((last - first).max()))
        return cls(first.clamp(max=size - length), length, size)

    @property
    def ends(self) -> Tensor:
        return self.starts + self.length

    def union(self, other: Span) -> Span:
        """The shortest span that covers both."""
        return Span.hull(torch.minimum(self.starts, other.starts), torch.maximum(self.ends, other.ends), self.size)

    def same(self, other: Span) -> bool:
        return self.length == other.length and self.size == other.size and torch.equal(self.starts, other.starts)

    def cut(self) -> Cut:
        """Exactly this span, as something to read."""
        return Cut(self.starts, self.length)

    def all(self) -> Cut:
        """The whole axis, as something to read."""
        return Cut(torch.zeros_like(self.starts), self.size)


@dataclass(frozen=True, eq=False)
class Cut:
    """What is read along one axis: `length` positions, `step` apart; it may reach past both ends of the axis."""

    starts: Tensor
    length: int
    step: int = 1

    def positions(self) -> Tensor:
        """The positions themselves, with shape (places, length)."""
        return self.starts[:, None] + self.step * torch.arange(self.length, device=self.starts.device)

    def is_exactly(self, span: Span) -> bool:
        return self.step == 1 and self.length == span.length and torch.equal(self.starts, span.starts)


@dataclass(frozen=True)
class Taps:
    """Along one axis: output y reads the inputs y * stride - low + j * dilation, for j = 0 ... kernel - 1.

    Arguments:
        low: How much padding there is before the first input.
        size: How many outputs there are.

    Example:
        >>> taps = Taps(kernel=3, stride=2, dilation=1, low=1, size=8)
        >>> reached = taps.reached(Span(torch.tensor([6]), 1, 16)); reached
        Span(starts=tensor([3]), length=1, size=8)
        >>> taps.read(reached).positions()
        tensor([[5, 6, 7]])
    """

    kernel: int
    stride: int
    dilation: int
    low: int
    size: int

    @property
    def field(self) -> int:
        """How far the first and the last input of one output are apart."""
        return (self.kernel - 1) * self.dilation

    def reached(self, span: Span) -> Span:
        """The outputs that read anything in a span."""
        first = -((self.field - self.low - span.starts) // self.stride)  # rounded up
        return Span.hull(first, (span.ends - 1 + self.low) // self.stride + 1, self.size)

    def read(self, reached: Span) -> Cut:
        """What those outputs read. A kernel of one reads every `stride`-th position only, and then strides no further."""
        starts = reached.starts * self.stride - self.low
        if self.kernel == 1:
            return Cut(starts, reached.length, self.stride)
        return Cut(starts, (reached.length - 1) * self.stride + self.field + 1)

    @property
    def remaining_stride(self) -> int:
        """The stride that is left to do once `read` has been cut out."""
        return 1 if self.kernel == 1 else self.stride


@dataclass(frozen=True)
class Spread:
    """Along one axis of a transposed convolution: input i reaches the outputs i * stride - low + j * dilation."""

    taps: Taps

    def reached(self, span: Span) -> Span:
        """The outputs that a span reaches."""
        first = span.starts * self.taps.stride - self.taps.low
        return Span.hull(first, first + (span.length - 1) * self.taps.stride + self.taps.field + 1, self.taps.size)

    def read(self, reached: Span) -> tuple[Cut, Tensor]:
        """What those outputs read; and where they begin in what an unpadded transposed convolution makes of that."""
        stride, low = self.taps.stride, self.taps.low
        first = -((self.taps.field - low - reached.starts) // stride)  # rounded up
        last = (reached.ends - 1 + low) // stride
        length = int((last - first).max()) + 2  # one more, so that the outputs between two inputs are made too
        return Cut(first, length), reached.starts + low - first * stride
