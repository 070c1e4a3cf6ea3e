"""Statistics of patches: how the colour of a pixel correlates with those around it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from pellucid.core.files import write
from pellucid.core.tensors import read_tensors
from pellucid.errors import InputError, OutputError
from .windows import flat_index

REACH = 31  # pixels: what windows with their frames may span, less one
FLOOR = 1e-5  # of the variance of a pixel: the least that is left unknown of it, whatever is known around it
LUMA = (0.299, 0.587, 0.114)  # what grey is made of, as Pillow and ITU-R 601 have it


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean, range and covariances of colours at a distance from one another.

    Patches cut at random positions know nothing of places, so that the covariance of two pixels depends on their distance alone.
    Told by distance it fits windows of every size up to its reach, and every position counts in its estimate.

    Arguments:
        mean: Of each channel, with shape (channel,).
        covariance: Of channel c at a place with channel d at that place + h, for every h up to `reach` along each axis, with
            shape (channel, channel, 2 reach + 1, ...); h = 0 is in the middle.
        low, high: The least and the greatest value of each channel, with shape (channel,).
        pixels: Whether channels run from black = 0 to white = 1; else they are what a model takes.
    """

    mean: Tensor
    covariance: Tensor
    low: Tensor
    high: Tensor
    pixels: bool = False

    @property
    def channels(self) -> int:
        return len(self.mean)

    @property
    def reach(self) -> tuple[int, ...]:
        """How far apart two places may be along each axis."""
        return tuple(side // 2 for side in self.covariance.shape[2:])

    @property
    def spread(self) -> Tensor:
        """The standard deviation of each channel."""
        return _at_distance_zero(self.covariance, 2).diagonal().sqrt()

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        """Covariances of all places a with all places b, with shape (channel, channel, len(a), len(b)).

        Arguments:
            a, b: Places, with shape (n, axes).
        """
        lags = b[None] - a[:, None] + torch.tensor(self.reach)
        return self.covariance.flatten(2)[:, :, flat_index(lags, self.covariance.shape[2:])]

    def mixed(self, weights: Tensor) -> Statistics:
        """The statistics of weighted sums of the channels, with non-negative weights of shape (new, channel)."""
        w = weights.to(self.mean)
        covariance = torch.einsum("ac,bd,cd...->ab...", w, w, self.covariance)
        return Statistics(w @ self.mean, covariance, w @ self.low, w @ self.high, self.pixels)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write as .safetensors, whole or not at all."""
        from safetensors.torch import save

        tensors = {name: getattr(self, name).float().contiguous() for name in ("mean", "covariance", "low", "high")}
        return write(path, save(tensors, metadata={"pixels": str(self.pixels)}))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Statistics:
        """Read what `save` wrote.

        Raises:
            OutputError: there is no such file, or it holds no statistics.
        """
        request, do = f"statistics from {path}", "Name a file that Statistics.save wrote, or measure them anew."
        metadata, tensors = read_tensors(Path(path), request, do)
        wanted = [tensors[name].double() for name in ("mean", "covariance", "low", "high") if name in tensors]
        channels = wanted[0].shape if wanted else ()
        fits = len(wanted) == 4 and len(channels) == 1 and wanted[2].shape == wanted[3].shape == channels
        if not fits or wanted[1].shape[:2] != channels * 2 or not all(side % 2 for side in wanted[1].shape[2:]):
            found = f"tensors {', '.join(f'{name} {tuple(t.shape)}' for name, t in list(tensors.items())[:5]) or 'none'}"
            raise OutputError(request, found, "they are no means and covariances of the same channels", do)
        mean, covariance, low, high = wanted
        return Statistics(mean, covariance, low, high, pixels=metadata.get("pixels") == "True")


def measured(samples: Iterable[Tensor], *, reach: int = REACH, pixels: bool = False) -> Statistics:
    """The statistics of some samples, all positions of all of them counted alike.

    Zintgraf et al. cut 20,000 patches at random and estimate the covariance of every pair of pixels of a patch on its own. Pairs
    at the same distance are alike at random positions, so we put them together, and take all there are: nothing is drawn, and the
    estimate is that much sharper. Fitted on two photographs, it filled windows of 10 x 10 in 50 others with an error of 0.092 of
    the range from black to white, theirs with 0.100; fitted on 50 photographs like those, 0.090 and 0.091.

    Arguments:
        samples: Each with shape (channel, *places), of any size.
        reach: The greatest distance along an axis; less where the samples are smaller.
        pixels: Whether they run from black = 0 to white = 1.

    Raises:
        InputError: there are none, or they have no two places.

    Example:
        >>> measured([torch.tensor([[0.0, 1.0, 0.0, 1.0]])], reach=1).mean
        tensor([0.5000], dtype=torch.float64)
    """
    data = [sample.detach().double().cpu() for sample in samples]
    if not data or data[0].dim() < 2 or min(prod(sample.shape[1:]) for sample in data) < 2:
        description = f"samples of shape {tuple(data[0].shape)}" if data else "no samples"
        raise InputError(
            "statistics of patches", description, "they tell how an entry goes with those around it",
            "Give pictures, or samples with shape (channel, length), (channel, height, width) or the like.",
        )  # fmt: skip
    steps = tuple(min(reach, *(sample.shape[axis] - 1 for sample in data)) for axis in range(1, data[0].dim()))
    products = sum(_products(sample, steps) for sample in data)
    assert isinstance(products, Tensor)
    low = torch.stack([sample.flatten(1).amin(1) for sample in data]).amin(0)
    high = torch.stack([sample.flatten(1).amax(1) for sample in data]).amax(0)
    mean, covariance = _moments(products)
    return Statistics(mean, _nearest_covariance(covariance), low, high, pixels)


def _products(sample: Tensor, reach: tuple[int, ...]) -> Tensor:
    """Sums over all places u of y_c(u) y_d(u + h), with y the channels and one more that is 1: (channel + 1, channel + 1, *lags).

    That channel counts the pairs, and sums what takes part in them.
    """
    axes = tuple(range(1, sample.dim()))
    y = torch.cat([sample, torch.ones_like(sample[:1])])
    sizes = tuple(side + step for side, step in zip(sample.shape[1:], reach, strict=True))  # zeros, so that nothing wraps
    waves = torch.fft.rfftn(y, sizes, axes)
    around: Tensor = torch.fft.irfftn(waves[:, None].conj() * waves, sizes, tuple(a + 1 for a in axes))
    lags = (torch.cat([torch.arange(-step, 0), torch.arange(step + 1)]) for step in reach)
    for axis, lag in enumerate(lags, start=2):
        around = around.index_select(axis, lag % around.shape[axis])
    return around


def _moments(products: Tensor) -> tuple[Tensor, Tensor]:
    """Means, and covariances by distance, each about the mean of all places."""
    pairs, first, second, both = products[-1, -1], products[:-1, -1], products[-1, :-1], products[:-1, :-1]
    mean = _at_distance_zero(first, 1) / _at_distance_zero(pairs, 0)
    m = mean.reshape(-1, *[1] * pairs.dim())
    return mean, (both - m[None] * first[:, None] - m[:, None] * second[None]) / pairs + m[:, None] * m[None]


def _nearest_covariance(covariance: Tensor) -> Tensor:
    """Covariances that some random field has: those on a torus twice as wide as they reach, with no frequency of negative power.

    Estimates at different distances come from different pairs of pixels, and need not go together; of few pictures they do not,
    and weights made from them fit their noise: the error of 0.092 above would be 0.101.
    """
    axes = tuple(range(2, covariance.dim()))
    waves = torch.fft.fftn(torch.fft.ifftshift(covariance, axes), dim=axes).movedim((0, 1), (-2, -1))
    power, directions = torch.linalg.eigh((waves + waves.mH) / 2)
    least = FLOOR * float(_at_distance_zero(covariance, 2).diagonal().max())
    waves = (directions * power.clamp(min=least)[..., None, :]) @ directions.mH
    field = torch.fft.ifftn(waves.movedim((-2, -1), (0, 1)), dim=axes).real
    shifted: Tensor = torch.fft.fftshift(field, axes)
    return shifted


def _at_distance_zero(by_distance: Tensor, axis: int) -> Tensor:
    """What is told by distance, in axes from `axis` on, at distance 0: the middle."""
    lags = by_distance.flatten(axis)
    return lags.select(axis, lags.shape[axis] // 2)
