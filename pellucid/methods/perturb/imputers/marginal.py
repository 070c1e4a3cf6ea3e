"""Marginal sampling: a removed place takes the value of other samples, or of elsewhere in this one, whatever lies around it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Model
from ..regions.regions import Regions, spatial_shape
from .draws import SampleFill, draw_generator
from .imputer import Fill, Imputer


@dataclass(frozen=True, eq=False)
class Marginal(Imputer):
    """The same place in other samples: a draw from p(x_w) in place of p(x_w | everything else).

    Draw number k takes sample k of a shuffled list, so that none comes twice before all have come. For the sample that is
    explained, where it is in the list, the next one stands in.

    References: Robnik-Šikonja and Kononenko, 2008, Explaining classifications for individual instances,
        https://doi.org/10.1109/TKDE.2007.190734; for windows of pictures Zintgraf et al., 2017,
        https://doi.org/10.48550/arXiv.1702.04595. The published code takes the first pictures of the list: `shuffle=False`.

    Arguments:
        data: A tensor of samples as the model takes them, batch first; or pictures (paths, or whatever the model reads).
        shuffle: Whether the order of the samples is drawn, by `seed`; else they come in their own order.
        seed: Of the order.

    Example:
        >>> x, others = torch.zeros(1, 3), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> Marginal(others, shuffle=False).prepare(x, None, None)(torch.ones(2, 3, dtype=torch.bool), [0, 1])
        tensor([[1., 2., 3.],
                [4., 5., 6.]])
    """

    soft: ClassVar[bool] = True
    random: ClassVar[bool] = True

    data: Any
    shuffle: bool = True
    seed: int = 0

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        rng = draw_generator(self.seed, 0)
        order = torch.randperm(len(self.data), generator=rng).tolist() if self.shuffle else list(range(len(self.data)))

        def content(draw: int) -> Tensor:
            chosen = self._sample(order[draw % len(order)], x, model)
            return self._sample(order[(draw + 1) % len(order)], x, model) if torch.equal(chosen, x) else chosen

        return SampleFill(tuple(x.shape[1:]), content)

    def _sample(self, index: int, x: Tensor, model: Model | None) -> Tensor:
        sample = self.data[index]
        if not isinstance(sample, Tensor):
            assert model is not None
            sample = model.read(sample)[0]
        if sample.shape != x.shape[1:]:
            raise InputError(
                "marginal sampling", f"samples of shape {tuple(sample.shape)}, and one of shape {tuple(x.shape[1:])} to fill",
                "a place gets the value at the same place of another sample", "Give samples of the same shape.",
            )  # fmt: skip
        return sample.to(x)[None]

    def __str__(self) -> str:
        return f"Marginal({len(self.data)} samples, shuffle={self.shuffle}, seed={self.seed})"


@dataclass(frozen=True)
class Shifted(Imputer):
    """The sample itself, moved by a random distance: what stands elsewhere in it, at places of its own kind.

    Every channel keeps its own values and what is near stays near; what leaves on one side comes in on the other. For a table the
    columns change places. It needs no data: it is what can be done where there is none.

    Arguments:
        seed: Of the distances.

    Example:
        >>> x = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
        >>> Shifted().prepare(x, None, None)(torch.ones(1, 1, 3), [0])
        tensor([[[2., 3., 1.],
                 [5., 6., 4.]]])
    """

    soft: ClassVar[bool] = True
    random: ClassVar[bool] = True
    around: ClassVar[bool] = True

    seed: int = 0

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        sides = spatial_shape(x)
        axes = tuple(range(x.dim() - len(sides), x.dim()))

        def content(draw: int) -> Tensor:
            return x.roll(self._distance(sides, draw), axes)

        return SampleFill(tuple(x.shape[1:]), content)

    def _distance(self, sides: Sequence[int], draw: int) -> tuple[int, ...]:
        rng = draw_generator(self.seed, draw)
        while True:
            distance = tuple(int(torch.randint(side, (), generator=rng)) for side in sides)
            if any(distance) or max(sides) == 1:  # by no distance at all nothing would be taken away
                return distance


def marginal(data: Any = None, shuffle: bool = True, seed: int = 0) -> Marginal | Shifted:
    """What stands there in other samples; without `data`, elsewhere in the sample itself.

    Arguments:
        data: A tensor of samples, batch first; a list of pictures; or a folder of pictures. None: see `Shifted`.
        shuffle, seed: As in `Marginal`.
    """
    return Shifted(seed) if data is None else Marginal(samples(data), shuffle, seed)


def samples(data: Any) -> Any:
    """A tensor of samples, or a list of pictures: those of a folder, by name.

    Raises:
        InputError: there are none.
    """
    if isinstance(data, (str, os.PathLike)) and Path(data).is_dir():
        data = sorted(path for path in Path(data).iterdir() if path.suffix.lower() in PICTURES)
    if isinstance(data, (str, bytes, os.PathLike)) or not hasattr(data, "__len__") or len(data) == 0:
        raise InputError(
            "samples to fill from", f"nothing to choose from in {data!r}", "at least one other sample is needed",
            "Give a tensor of samples, a list of pictures, or a folder of them.",
        )  # fmt: skip
    return data


PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
