"""Random draws of imputers by number: the same number gives the same random numbers, in whatever batch it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pellucid.core.random import stream
from .windows import cut

KEPT = 32  # contents remembered: more than the draws that are common to all rows of a design


def draw_generator(seed: int, draw: int) -> torch.Generator:
    """The random numbers of one draw, other ones than the rows of a design take."""
    return stream("imputer", seed, draw)


@dataclass(frozen=True, eq=False)
class SampleFill:
    """A fill with contents for a whole sample at once, whatever is gone: one for every draw.

    Arguments:
        shape: The shape of a sample.
        content: From the number of a draw to what stands there: (1, ...), of length 1 along any axis.

    Example:
        >>> fill = SampleFill((4,), lambda draw: torch.full((1, 4), float(draw)))
        >>> fill(torch.ones(2, 4, dtype=torch.bool), [3, 5])
        tensor([[3., 3., 3., 3.],
                [5., 5., 5., 5.]])
    """

    shape: tuple[int, ...]
    content: Callable[[int], Tensor]
    contents: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def __call__(self, gone: Tensor, draws: Sequence[int]) -> Tensor:
        if len(set(draws)) == 1:
            return self._content_of(draws[0])
        return torch.cat([self._content_of(draw) for draw in draws])

    def patches(self, corners: Tensor, size: Sequence[int], draws: Sequence[int]) -> Tensor:
        """What stands in windows, with shape (n, channel, *size): see `patched`."""
        contents = self(torch.empty(0), draws)
        return cut(contents.expand(len(contents), *self.shape), corners, size)

    def _content_of(self, draw: int) -> Tensor:
        if draw not in self.contents:
            if len(self.contents) >= KEPT:
                self.contents.clear()
            self.contents[draw] = self.content(draw)
        return self.contents[draw]
