"""The conditional Gaussian imputer: removed pixels are drawn given those around them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.zoo import patch_statistics
from ..regions.regions import Regions
from .conditional import Colour, Conditional
from .imputer import Fill, Imputer
from .marginal import samples
from .statistics import LUMA, REACH, Statistics, measured


@dataclass(frozen=True, eq=False)
class ConditionalGaussian(Imputer):
    """A draw from a Gaussian over patches, given all of the patch but the part that is gone.

        mean = mu_1 + S_12 S_22^-1 (x_2 - mu_2),   covariance = S_11 - S_12 S_22^-1 S_21

    with 1 the pixels that are gone and 2 a frame of `margin` pixels around them. At the border of the picture the frame moves
    inwards, so that the patch keeps its size; draws are clipped to the range of the data.

    References: Zintgraf et al., 2017, Visualizing deep neural network decisions: prediction difference analysis, section 3.1,
        https://doi.org/10.48550/arXiv.1702.04595. Departure: covariances are told by distance, see `measured`.

    Arguments:
        statistics: What pictures look like; those of pixels are brought to the model's scale by its preprocessing, or, where that
            is not known, to the mean and spread of each channel of the sample.
        margin: Width of the frame, in places.
        colour: "each": every channel given its own pixels, as in the paper; "full": all channels together, given all; "first":
            the weights and covariance of the first channel for all of them, a slip of the published code.
        seed: Of the draws.
        random: Whether it draws; else what is expected stands there, the mean.
    """

    statistics: Statistics
    margin: int = 2
    colour: Colour = "each"
    seed: int = 0
    random: bool = True

    def __post_init__(self) -> None:
        if self.margin < 1 or self.colour not in ("each", "full", "first"):
            raise InputError(
                f"a conditional Gaussian with margin={self.margin}, colour={self.colour!r}", "a value out of range",
                'the frame is at least one place wide, and colours are taken "each", "full" or "first"', "Choose again.",
            )  # fmt: skip

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        statistics = self._of_these(x)
        start, width = _scale(statistics, x, model)
        return Conditional(x, statistics, start, width, self.margin, self.colour, self.seed, self.random)

    def _of_these(self, x: Tensor) -> Statistics:
        """The statistics of as many channels as the sample has: of grey for one."""
        statistics, channels = self.statistics, x.shape[1]
        axes = x.dim() - 2 == len(statistics.reach)
        if statistics.pixels and statistics.channels == 3 and channels == 1 and axes:
            statistics = statistics.mixed(torch.tensor([LUMA]))
        if statistics.channels != channels or not axes:
            raise InputError(
                f"a conditional Gaussian over {statistics.channels} channels and {len(statistics.reach)} axes",
                f"a sample of shape {tuple(x.shape[1:])}", "its statistics are those of other data",
                "Fit it: pl.perturb.conditional_gaussian(data), or take pl.perturb.marginal() or noise().",
            )  # fmt: skip
        return statistics

    def __str__(self) -> str:
        suffix = "" if self.random else ", random=False"
        return f"ConditionalGaussian(margin={self.margin}, colour={self.colour}, seed={self.seed}{suffix})"


def conditional_gaussian(
    data: Any = None, model: Model | None = None, margin: int = 2, colour: Colour = "each", reach: int = REACH, seed: int = 0
) -> ConditionalGaussian:
    """A Gaussian over patches, fitted on your own data, or the one that comes along.

    Arguments:
        data: A tensor of samples as the model takes them, batch first; pictures, or a folder of them, seen as `model` sees them;
            None: the photographs that come along, at 224 x 224 pixels.
        model: Whose crop and size pictures are fitted at.
        margin, colour, seed: As in `ConditionalGaussian`.
        reach: The largest patch, frame included, is one wider than that.

    Raises:
        InputError: the data are no samples, or pictures come without a model.

    Example:
        >>> x = torch.linspace(0, 1, 6).reshape(1, 1, 6)
        >>> steady = conditional_gaussian(x.repeat(8, 1, 1), margin=1, reach=3)
        >>> steady.prepare(x, None, None)(torch.tensor([[[False, False, True, False, False, False]]]), [0]).shape
        torch.Size([1, 1, 6])
    """
    if data is None:
        return ConditionalGaussian(shipped(), margin, colour, seed)
    if isinstance(data, Tensor):
        return ConditionalGaussian(measured(data, reach=reach), margin, colour, seed)
    pictures = samples(data)
    if model is None:
        raise InputError(
            "a conditional Gaussian of pictures", f"{len(pictures)} pictures and no model",
            "how far pixels are apart depends on the size at which the model sees them",
            "Pass model=, or a tensor of samples.",
        )  # fmt: skip
    images = (_pixels(model, picture) for picture in pictures)
    return ConditionalGaussian(measured(images, reach=reach, pixels=True), margin, colour, seed)


def shipped() -> Statistics:
    """The statistics of the photographs that come along."""
    return Statistics.load(patch_statistics())


def _pixels(model: Model, picture: str | os.PathLike[str] | Any) -> Tensor:
    """The picture as the model sees it, black = 0 and white = 1."""
    x = model.read(picture)[0]
    assert model.image_preprocess is not None
    low, high = (bound.to(x) for bound in model.image_preprocess.bounds())
    return (x - low) / (high - low)


def _scale(statistics: Statistics, x: Tensor, model: Model | None) -> tuple[Tensor, Tensor]:
    """What 0 and 1 of the statistics are in the sample: x = start + width * value, each with shape (channel, 1), in double."""
    flat = x[0].flatten(1).double()
    if not statistics.pixels:
        return flat.new_zeros(len(flat), 1), flat.new_ones(len(flat), 1)
    preprocess = None if model is None else model.image_preprocess
    if preprocess is not None and len(preprocess.mean) == len(flat):
        low, high = (bound.to(flat).reshape(-1, 1) for bound in preprocess.bounds())
        return low, high - low
    mean, spread = statistics.mean.to(flat)[:, None], statistics.spread.to(flat)[:, None]
    width = flat.std(1, correction=0, keepdim=True).clamp(min=1e-12) / spread
    return flat.mean(1, keepdim=True) - width * mean, width
