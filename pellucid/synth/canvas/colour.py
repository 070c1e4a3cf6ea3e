"""Colour: a linear map between independent colour channels and those of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import InputError
from ..frame import Frame

# Rows are red, green, blue; columns the axes light, red-blue, green-purple: a root of the covariance of ImageNet's pixels.
IMAGENET = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


@dataclass(frozen=True, eq=False)
class Colour:
    """How channels correlate: independent ones of unit variance become x' = M x, as correlated as the pixels of pictures are.

        M = U S^(1/2) / (the largest norm of its columns),   with U S U^T the covariance of the channels over all pixels

    Ascent by numbers before M is ascent with the common variation of the channels taken out; without it, pictures drift into
    garish colours that the network hardly distinguishes from real ones.

    References: Olah et al., 2017, Feature visualization, https://doi.org/10.23915/distill.00007 (the matrix of ImageNet as in its
        code, Lucid; ours is fitted to any number of channels)

    Arguments:
        matrix: M, with shape (channel, channel).
        source: Where it comes from, for the caption.

    Example:
        >>> grey = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(50, 2, 8, 8)
        >>> Colour.fit(grey).matrix.abs().round(decimals=2)
        tensor([[0.7100, 0.0000],
                [0.7100, 0.0000]])
    """

    matrix: Tensor
    source: str = "given by the user"

    @classmethod
    def fit(cls, pictures: Tensor) -> Colour:
        """The matrix of pictures (n, channel, ...), in any units.

        Raises:
            InputError: there is but one pixel, or all are the same.
        """
        pixels = pictures.detach().double().movedim(1, -1).flatten(0, -2)
        if len(pixels) < 2 or not bool((pixels != pixels[0]).any()):
            raise InputError(
                "Colours fitted to pictures", f"pictures of shape {tuple(pictures.shape)} whose pixels are all the same",
                "they do not vary, and nothing varies together", "Pass pictures such as the model is used on.",
            )  # fmt: skip
        variance, axes = torch.linalg.eigh(torch.cov(pixels.T).reshape(pixels.shape[1], -1))
        root = (axes * variance.clamp(min=0).sqrt()).flip(1)  # the strongest axis first
        heaviest = root.gather(0, root.abs().argmax(0, keepdim=True))  # counts as positive: an axis has no sign
        root = root * torch.where(heaviest < 0, -1.0, 1.0)
        return cls((root / root.norm(dim=0).max()).float(), f"{len(pictures)} pictures")

    @classmethod
    def imagenet(cls) -> Colour:
        """The matrix of ImageNet's photographs, for red, green and blue."""
        root = torch.tensor(IMAGENET)
        return cls(root / root.norm(dim=0).max(), "ImageNet")

    @classmethod
    def independent(cls, channels: int) -> Colour:
        """The identity: no correlation."""
        return cls(torch.eye(channels), "none: each channel for itself")

    def __repr__(self) -> str:
        return f"Colour({self.source})"

    def mix(self, t: Tensor) -> Tensor:
        """Independent channels (n, channel, ...) as those of pictures."""
        return torch.einsum("ij,nj...->ni...", self.matrix.to(t), t)

    def unmix(self, pictures: Tensor) -> Tensor:
        """The inverse of `mix`; 0 along axes in which pictures do not vary."""
        return torch.einsum("ij,nj...->ni...", torch.linalg.pinv(self.matrix.double()).to(pictures), pictures)


def colours_of(frame: Frame, colour: Colour | None) -> Colour:
    """The colours of a canvas: those given; else ImageNet's for pictures in red, green and blue, and none for other channels."""
    channels = frame.shape[0]
    if colour is None:
        photographs = channels == 3 and len(frame.spatial) == 2 and frame.bounded
        return Colour.imagenet() if photographs else Colour.independent(channels)
    if tuple(colour.matrix.shape) != (channels, channels):
        raise InputError(
            "A canvas with colours", f"a matrix of shape {tuple(colour.matrix.shape)} for {channels} channels",
            "it mixes as many channels as the input has", "Fit it to such inputs: Colour.fit(pictures).",
        )  # fmt: skip
    return colour
