"""Spectrum: the mean magnitude of each frequency in pictures, with any number of spatial axes; Fourier transforms of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import InputError
from ..frame import Frame
from .colour import Colour

RINGS = 64  # into which a measured spectrum is averaged
PHOTOGRAPHS = (1.25, 1.7, 1.6)  # decay by axis of ImageNet's colours: lines fitted to 100 photographs at 224 x 224, on log scales


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How strong each frequency is in pictures of a kind: measured, or 1 / f^decay, as in photographs of anything.

    It is stored as a profile over the distance from the centre of the frequency plane, in cycles per pixel, and so fits frames
    of every size and number of axes. Departure from MACO, which keeps the whole plane of ImageNet's mean spectrum at one size:
    the preferred directions of pictures are averaged out.

    References: Fel et al., 2023, Unlocking feature visualization for deeper networks with magnitude constrained optimization,
        https://doi.org/10.48550/arXiv.2306.06805; Field, 1987, Relations between the statistics of natural images and the
        response properties of cortical cells, https://doi.org/10.1364/JOSAA.4.002379 (photographs have spectra of about 1 / f)

    Arguments:
        decay: The power of 1 / f, where nothing was measured: one for all channels, or one for each independent colour.
        profile: Measured: mean magnitude by channel and ring, with shape (channel, ring), of independent colours.
        radii: The frequency of each ring, rising.
        colour: The colours it was measured in.

    Example:
        >>> Spectrum().magnitudes(Frame((1, 4, 4)))[0, 0].tolist()  # nothing at frequency 0
        [0.0, 1.467..., 0.733...]
    """

    decay: float | tuple[float, ...] = 1.0
    profile: Tensor | None = None
    radii: Tensor | None = None
    colour: Colour | None = None

    @classmethod
    def fit(cls, pictures: Tensor, colour: Colour | None = None) -> Spectrum:
        """That of pictures (n, channel, ...), in colours that are fitted to them as well unless given.

        Raises:
            InputError: the pictures have no spatial axes.
        """
        spatial = pictures.shape[2:]
        check_spatial(tuple(spatial), "A spectrum fitted to data")
        colour = Colour.fit(pictures) if colour is None else colour
        plain = colour.unmix(pictures.detach().double())
        axes = tuple(range(2, plain.dim()))
        magnitude = torch.fft.rfftn(plain - plain.mean(axes, keepdim=True), dim=axes).abs().mean(0).flatten(1)
        f = frequencies(spatial).double().flatten()
        ring = (f / f.max() * (RINGS - 1)).round().long()
        count = torch.bincount(ring[1:], minlength=RINGS)  # without frequency 0
        filled = count > 0
        sums = torch.zeros(len(magnitude), RINGS, dtype=f.dtype).index_add(1, ring[1:], magnitude[:, 1:].cpu())
        radii = torch.zeros(RINGS, dtype=f.dtype).index_add(0, ring[1:], f[1:]) / count.clamp(min=1)
        return cls(profile=(sums / count.clamp(min=1))[:, filled].float(), radii=radii[filled].float(), colour=colour)

    @classmethod
    def usual(cls, frame: Frame) -> Spectrum:
        """Where nothing is known: that of photographs for red, green and blue, whose colours vary less finely than their light;
        1 / f for all else."""
        photographs = frame.shape[0] == 3 and len(frame.spatial) == 2 and frame.bounded
        return cls(PHOTOGRAPHS if photographs else 1.0)

    @property
    def source(self) -> str:
        """Where it comes from, for the caption."""
        measured = f"the data ({self.colour.source if self.colour else 'as given'})"
        return f"1 / f^{self.decay}" if self.profile is None else measured

    def __repr__(self) -> str:
        return f"Spectrum({self.source})"

    def magnitudes(self, frame: Frame) -> Tensor:
        """For each channel and frequency of the half plane, such that a picture with them has mean 0 and standard deviation 1.

        Raises:
            InputError: it was measured on another number of channels.
        """
        f = frequencies(frame.spatial)
        if self.profile is None or self.radii is None:
            decay = self.decay if isinstance(self.decay, tuple) else (self.decay,) * frame.shape[0]
            plane = torch.stack([f.clamp(min=1e-12).pow(-power) for power in decay])
        else:
            plane = _between(f, self.radii, self.profile)
        if len(plane) != frame.shape[0]:
            raise InputError(
                "A canvas with a spectrum", f"one of {len(plane)} channels for {frame.shape[0]}",
                "each channel has a spectrum of its own", "Fit it to such inputs: Spectrum.fit(pictures).",
            )  # fmt: skip
        plane = torch.where(f > 0, plane, 0.0)
        axes = tuple(range(1, plane.dim()))
        power = (plane.square() * weights(frame.spatial)).sum(axes, keepdim=True) / math.prod(frame.spatial)
        return (plane / power.clamp(min=1e-30).sqrt()).to(frame.device)


def frequencies(spatial: Sequence[int]) -> Tensor:
    """The distance from frequency 0 in cycles per pixel, for the half plane that real pictures need.

    Example:
        >>> frequencies((4,))
        tensor([0.0000, 0.2500, 0.5000])
    """
    square: Tensor = torch.fft.rfftfreq(spatial[-1]).square()
    for side in reversed(spatial[:-1]):
        square = torch.fft.fftfreq(side).square().reshape(-1, *[1] * square.dim()) + square
    return square.sqrt()


def weights(spatial: Sequence[int]) -> Tensor:
    """How often each frequency of the half plane stands in the whole one, along the last axis: once or twice."""
    side = spatial[-1]
    k = torch.arange(side // 2 + 1)
    return torch.where((k == 0) | (2 * k == side), 1.0, 2.0)


def hermitian(u: Tensor, spatial: Sequence[int]) -> Tensor:
    """The half plane of a real picture: where a frequency and its negative both stand in it, one is made the other's conjugate.

    Without it an inverse transform averages the two, and does not keep their magnitudes.
    """
    axes = tuple(range(u.dim() - len(spatial), u.dim() - 1))
    negative = u.roll([-1] * len(axes), axes).flip(axes).conj() if axes else u.conj()  # k -> -k, with 0 in its place
    return torch.where(weights(spatial).to(u.device) == 1, (u + negative) / 2, u)


def inverse_fft(plane: Tensor, spatial: Sequence[int]) -> Tensor:
    """Real pictures from half planes, by a transform that keeps sums of squares."""
    pictures: Tensor = torch.fft.irfftn(plane, s=tuple(spatial), dim=tuple(range(-len(spatial), 0)), norm="ortho")
    return pictures


def resize_spectrum(plane: Tensor, spatial: Sequence[int], larger: Sequence[int]) -> Tensor:
    """Half planes (..., frequencies) for another size: what both have, and zeros; the highest of even sides is left out."""
    for axis, (old, new) in enumerate(zip(spatial, larger, strict=True), start=plane.dim() - len(spatial)):
        top = (min(old, new) - 1) // 2
        last = axis == plane.dim() - 1
        k = torch.arange(0 if last else -top, top + 1, device=plane.device)
        shape = [*plane.shape[:axis], new // 2 + 1 if last else new, *plane.shape[axis + 1 :]]
        shared = plane.index_select(axis, k % old)
        plane = torch.zeros(shape, dtype=plane.dtype, device=plane.device).index_copy(axis, k % new, shared)
    return plane


def resample(pictures: Tensor, spatial: Sequence[int]) -> Tensor:
    """Pictures (n, channel, ...) at another size, with the frequencies that both sizes have."""
    old = tuple(pictures.shape[2:])
    if old == tuple(spatial):
        return pictures
    axes = tuple(range(2, pictures.dim()))
    plane = torch.fft.rfftn(pictures, dim=axes, norm="ortho")
    return inverse_fft(resize_spectrum(plane, old, spatial) * math.sqrt(math.prod(spatial) / math.prod(old)), spatial)


def check_spatial(spatial: tuple[int, ...], what: str) -> None:
    """Refuse inputs without spatial axes."""
    if not spatial:
        raise InputError(
            what, "inputs without spatial axes", "the columns of a table have no order, and so no frequencies",
            "Use pl.synth.Pixel(), which takes any shape.",
        )  # fmt: skip


def _between(f: Tensor, radii: Tensor, profile: Tensor) -> Tensor:
    """The profile at frequencies f, interpolated linearly between its rings, and extrapolated below the first, in logarithms."""
    x, knots = f.clamp(min=1e-12).log().flatten(), radii.log()
    y = profile.clamp(min=1e-12).log()
    right = torch.searchsorted(knots, x).clamp(1, max(1, len(knots) - 1)).clamp(max=len(knots) - 1)
    left = (right - 1).clamp(min=0)
    part = ((x - knots[left]) / (knots[right] - knots[left]).clamp(min=1e-12)).clamp(max=1)
    return (y[:, left] + part * (y[:, right] - y[:, left])).exp().reshape(-1, *f.shape)
