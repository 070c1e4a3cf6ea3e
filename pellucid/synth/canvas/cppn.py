"""The CPPN canvas: a small network per picture computes the colour of every place from its coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..frame import Frame
from ..protocols import Canvas, Draws
from ..random import normal
from .spectrum import check_spatial


@dataclass(frozen=True)
class CPPN(Canvas):
    """A small network per picture computes the colour of every place from its coordinates; what is moved is its weights.

        h <- phi(W h + b),   phi(t) = (arctan(t) / 0.67, arctan(t)^2 / 0.6),   x = sigmoid(W_last h + b_last)

    Coordinates run from -sqrt(3) to sqrt(3) along each axis, so that they have variance 1. The last layer begins at zero, and
    the picture grey. The same numbers draw the picture at every size.

    References: Mordvintsev et al., 2018, Differentiable image parameterizations, https://doi.org/10.23915/distill.00012; Stanley,
        2007, Compositional pattern producing networks, https://doi.org/10.1007/s10710-007-9028-8

    Arguments:
        layers, width: How many hidden layers there are, and of how many units.

    Raises:
        InputError: the input has no spatial axes.

    Example:
        >>> from pellucid.synth.random import generators
        >>> frame = Frame((3, 4, 6), low=torch.tensor(0.0), high=torch.tensor(1.0))
        >>> CPPN().draw(CPPN().start(frame, generators([0])), frame).unique()
        tensor([0.5000])
    """

    layers: int = 8
    width: int = 24
    name: ClassVar[str] = "cppn"

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """Weights ~ N(0, 1 / inputs) and biases of zero, layer by layer; a last layer of zeros."""
        check_spatial(frame.spatial, "A canvas painted by coordinates")
        sizes = [len(frame.spatial), *[2 * self.width] * self.layers]
        numbers: list[Tensor] = []
        for inputs in sizes[:-1]:
            weight = normal(draws, (self.width, inputs), frame) / math.sqrt(inputs)
            numbers += [weight, weight.new_zeros(len(draws), self.width)]
        channels = frame.shape[0]
        return (*numbers, weight.new_zeros(len(draws), channels, sizes[-1]), weight.new_zeros(len(draws), channels))

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        root = math.sqrt(3)
        axes = [torch.linspace(-root, root, side).to(numbers[0]) for side in frame.spatial]
        h = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1).expand(len(numbers[0]), -1, -1)
        for weight, bias in zip(numbers[:-2:2], numbers[1:-2:2], strict=True):
            bend = torch.arctan(weight @ h + bias[:, :, None])
            h = torch.cat([bend / 0.67, bend.square() / 0.6], 1)
        painted = (numbers[-2] @ h + numbers[-1][:, :, None]).reshape(-1, *frame.shape)
        return (painted.sigmoid() if frame.bounded else painted).to(frame.dtype)

    def enlarged(self, numbers: tuple[Tensor, ...], frame: Frame, larger: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The same weights, which do not depend on the size."""
        return numbers
