"""The Fourier canvas: pictures parameterised by scaled frequencies in independent colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..frame import Frame
from ..protocols import Canvas, Draws
from ..random import exact, normal
from .colour import Colour, colours_of
from .spectrum import check_spatial, frequencies, inverse_fft, resize_spectrum


@dataclass(frozen=True, eq=False)
class Fourier(Canvas):
    """The numbers are a scaled spectrum, in colours that vary independently; a sigmoid keeps the picture within bounds.

        x = sigmoid(M irfft(z / max(f, 1 / side)^decay) / 4),   z complex, with real and imaginary parts ~ N(0, deviation^2)

    Steps in z are steps in a space where the correlations of neighbouring pixels are taken out: of the directions that raise the
    score, smooth ones are reached first, and noise of high frequency last. The transform keeps sums of squares, M is the matrix
    of the colours, f the frequency in cycles per pixel, `side` the longest. Without bounds there is no sigmoid.

    References: Olah et al., 2017, Feature visualization, https://doi.org/10.23915/distill.00007, with the numbers of its code,
        Lucid; Mordvintsev et al., 2018, Differentiable image parameterizations, https://doi.org/10.23915/distill.00012

    Arguments:
        decay: The power of the frequency: 0 for all frequencies alike, 1 as in photographs.
        deviation: Of the numbers at the start.
        colour: How channels correlate; None: ImageNet's for red, green and blue, none for other channels. `Colour.fit(data)`
            makes it for any number of channels.

    Raises:
        InputError: the input has no spatial axes, or the colours are of another number of channels.

    Example:
        >>> from pellucid.synth.random import generators
        >>> frame, canvas = Frame((3, 8, 8), low=torch.tensor(0.0), high=torch.tensor(1.0)), Fourier()
        >>> pictures = canvas.draw(canvas.start(frame, generators([0, 1])), frame)
        >>> pictures.shape, round(pictures.mean().item(), 1)
        (torch.Size([2, 3, 8, 8]), 0.5)
    """

    decay: float = 1.0
    deviation: float = 0.01
    colour: Colour | None = None
    name: ClassVar[str] = "fourier"

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """Random frequencies: one tensor (n, channel, ..., 2), the last axis real and imaginary parts."""
        check_spatial(frame.spatial, "A canvas of frequencies")
        colours_of(frame, self.colour)
        plane = frequencies(frame.spatial).shape
        return (self.deviation * normal(draws, (frame.shape[0], *plane, 2), frame),)

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        plane = torch.view_as_complex(numbers[0]) * self._scale(frame.spatial).to(numbers[0])
        mixed = colours_of(frame, self.colour).mix(inverse_fft(plane, frame.spatial) / 4)
        return (mixed.sigmoid() if frame.bounded else mixed).to(frame.dtype)

    def enlarged(self, numbers: tuple[Tensor, ...], frame: Frame, larger: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The same pictures in a larger frame: zeros for the frequencies that are new."""
        plane = torch.view_as_complex(numbers[0]) * self._scale(frame.spatial).to(numbers[0])
        gain = math.sqrt(math.prod(larger.spatial) / math.prod(frame.spatial))
        plane = resize_spectrum(plane, frame.spatial, larger.spatial) * gain / self._scale(larger.spatial).to(numbers[0])
        return (torch.view_as_real(plane).contiguous(),)

    def inverse(self, pictures: Tensor, frame: Frame) -> tuple[Tensor, ...]:
        """The numbers that draw given pictures (n, *shape); black and white only nearly."""
        check_spatial(frame.spatial, "A canvas of frequencies")
        pictures = pictures.detach().to(frame.device, exact(frame.dtype))
        plain = colours_of(frame, self.colour).unmix(pictures.clamp(0.01, 0.99).logit() if frame.bounded else pictures)
        plane = torch.fft.rfftn(4 * plain, dim=tuple(range(2, plain.dim())), norm="ortho")
        return (torch.view_as_real(plane / self._scale(frame.spatial).to(plain)).contiguous(),)

    def _scale(self, spatial: tuple[int, ...]) -> Tensor:
        return frequencies(spatial).clamp(min=1 / max(spatial)).pow(-self.decay)
