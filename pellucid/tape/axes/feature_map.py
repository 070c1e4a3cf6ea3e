"""Feature maps: values inside a model with channels and places, such as what a convolution makes, or a row of tokens.

Which of them a method reads is chosen in `pellucid/methods/layer_choice.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

from .layout import Grid

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """A value on a tape, seen as (batch, channel, *places): feature maps, channels last, or a row of tokens.

    Arguments:
        id: The value.
        name: Where a user would look for it: "layer4".
        shape: The shape of the value itself.
        grid: Its samples, channels and places.
        input_grid: Those of the model's input.
        reaches_target: Whether its places reach the target; of a Transformer's last tokens only the class token does.
    """

    id: int
    name: str
    shape: tuple[int, ...]
    grid: Grid
    input_grid: Grid
    reaches_target: bool = True

    @property
    def size(self) -> tuple[int, ...]:
        """How many places there are, along each axis."""
        return self.grid.size

    @property
    def channels(self) -> int:
        return self.shape[self.grid.channel]

    def read(self, t: Tensor) -> Tensor:
        """A tensor that lies as the value does, with shape (batch, channel, *places); tokens that are no places are left out."""
        rows = t.movedim((self.grid.batch, self.grid.channel), (0, 1)).flatten(2)
        return rows.narrow(2, self.grid.start, prod(self.size)).reshape(*rows.shape[:2], *self.size)

    def write(self, heat: Tensor) -> Tensor:
        """One number per place, with shape (batch, *places), over all channels of a tensor that lies as the value does.

        Tokens that are no places get 0.
        """
        return over_channels(heat, self.shape, self.grid)

    def without(self, t: Tensor, channel: int) -> Tensor:
        """The value with one channel set to 0, at all places and tokens."""
        return t.index_fill(self.grid.channel, torch.tensor([channel], device=t.device), 0)

    def __str__(self) -> str:
        return f"{self.name} ({' x '.join(map(str, self.size))})"


def over_channels(heat: Tensor, shape: Sequence[int], grid: Grid) -> Tensor:
    """One number per place, over all channels of a tensor of that shape.

    Example:
        >>> over_channels(torch.tensor([[1.0, 2.0]]), (1, 3, 2), Grid(batch=0, channel=2, size=(2,), start=1))
        tensor([[[0., 0.],
                 [1., 1.],
                 [2., 2.]]])
    """
    samples, channels = shape[grid.batch], shape[grid.channel]
    rest = [n for d, n in enumerate(shape) if d not in (grid.batch, grid.channel)]
    row = heat.flatten(1)
    row = F.pad(row, (grid.start, prod(rest) - row.shape[1] - grid.start))
    wide = row.reshape(samples, 1, *rest).expand(samples, channels, *rest)
    return wide.movedim((0, 1), (grid.batch, grid.channel))


def resized(maps: Tensor, size: Sequence[int], *, corners: bool = False) -> Tensor:
    """Maps (batch, channel, *places) with other numbers of places, linearly interpolated along every axis.

    Arguments:
        corners: Whether the centres of the outermost places stay at the outermost centres (`align_corners`); else their edges do.
    """
    return F.interpolate(maps, tuple(size), mode=MODES[len(size)], align_corners=corners)
