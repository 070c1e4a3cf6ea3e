"""The phase canvas of MACO: the spectrum of pictures is fixed, and their phases are free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..frame import Frame
from ..protocols import Canvas, Draws
from ..random import exact, normal
from .colour import colours_of
from .spectrum import Spectrum, check_spatial, frequencies, hermitian, inverse_fft, resize_spectrum


@dataclass(frozen=True, eq=False)
class Phase(Canvas):
    """The magnitude of each frequency is that of photographs and stays so; the phases are what is moved.

        x = sigmoid(contrast * M irfft(r u / |u|)),   u complex, one number per frequency and independent colour

    The picture before the colours has mean 0 and variance 1 in each channel, at every step, because its spectrum r has. A
    spectrum cannot be cheated: there is no way to raise a score by noise of high frequency.

    References: Fel et al., 2023, Unlocking feature visualization for deeper networks with magnitude constrained optimization,
        https://doi.org/10.48550/arXiv.2306.06805. Departures: the paper moves angles phi ~ N(0, 1) and standardises them and the
        picture; such phases agree too much (E exp(i phi) = exp(-1/2)), and a third of the energy of all pictures then sits in one
        corner, now and ever. Ours are uniform on the circle to begin with, and are moved as complex numbers. A half plane of
        frequencies is made that of a real picture before its magnitudes are set, so that they are kept exactly.

    Arguments:
        spectrum: r, and the colours it was measured in: `Spectrum.fit(data)`; None: `Spectrum.usual`, in ImageNet's colours for
            red, green and blue.
        contrast: The standard deviation of the picture in each independent colour, before they are mixed.

    Raises:
        InputError: the input has no spatial axes, or the spectrum is of another number of channels.

    Example:
        >>> from pellucid.synth.random import generators
        >>> frame, canvas = Frame((1, 16, 16)), Phase()
        >>> picture = canvas.draw(canvas.start(frame, generators([0])), frame)
        >>> round(picture.std(correction=0).item(), 4), abs(round(picture.mean().item(), 4))
        (1.0, 0.0)
    """

    spectrum: Spectrum | None = None
    contrast: float = 1.0
    name: ClassVar[str] = "phase"

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """Random phases: one tensor (n, channel, ..., 2), the last axis real and imaginary parts."""
        check_spatial(frame.spatial, "A canvas of phases")
        spectrum = self._spectrum(frame)
        spectrum.magnitudes(frame)
        colours_of(frame, spectrum.colour)
        return (normal(draws, (frame.shape[0], *frequencies(frame.spatial).shape, 2), frame),)

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        u = hermitian(torch.view_as_complex(numbers[0]), frame.spatial)
        spectrum = self._spectrum(frame)
        plane = spectrum.magnitudes(frame).to(numbers[0]) * u / u.abs().clamp(min=1e-12)
        mixed = self.contrast * colours_of(frame, spectrum.colour).mix(inverse_fft(plane, frame.spatial))
        return (mixed.sigmoid() if frame.bounded else mixed).to(frame.dtype)

    def enlarged(self, numbers: tuple[Tensor, ...], frame: Frame, larger: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The same phases in a larger frame, and random ones for the frequencies that are new: those have a magnitude, too."""
        u = resize_spectrum(hermitian(torch.view_as_complex(numbers[0]), frame.spatial), frame.spatial, larger.spatial)
        fresh = torch.view_as_complex(self.start(larger, draws)[0])
        return (torch.view_as_real(torch.where(u == 0, fresh, u)).contiguous(),)

    def inverse(self, pictures: Tensor, frame: Frame) -> tuple[Tensor, ...]:
        """The phases of given pictures (n, *shape): with the canvas's own spectrum they look much like them."""
        check_spatial(frame.spatial, "A canvas of phases")
        pictures = pictures.detach().to(frame.device, exact(frame.dtype))
        colour = colours_of(frame, self._spectrum(frame).colour)
        plain = colour.unmix(pictures.clamp(0.01, 0.99).logit() if frame.bounded else pictures)
        plane = torch.fft.rfftn(plain, dim=tuple(range(2, plain.dim())))
        return (torch.view_as_real(plane / plane.abs().clamp(min=1e-12)).contiguous(),)

    def _spectrum(self, frame: Frame) -> Spectrum:
        return Spectrum.usual(frame) if self.spectrum is None else self.spectrum
