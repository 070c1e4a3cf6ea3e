"""Activity: the activations of some layers for some pictures, channel by channel, and which layers are worth comparing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.core.draws import drawing_apart
from pellucid.core.statistics import ranks
from pellucid.model import Model
from pellucid.model.hooks import listening, visible
from pellucid.model.outputs import main_output, tensors

MOST = 12  # layers that are compared
QUIET = 1e-6  # of a layer's largest value: up to there a channel counts as silent


@dataclass(frozen=True, eq=False)
class Activity:
    """The activations of layers for n pictures.

    Arguments:
        means, peaks: By layer: the mean and the largest value of each channel over its places, with shape (n, channels).
    """

    means: Mapping[str, Tensor]
    peaks: Mapping[str, Tensor]

    @property
    def codes(self) -> Tensor:
        """The features of pictures: the means in the last layer, as vectors of unit length (n, channels)."""
        return functional.normalize(list(self.means.values())[-1])

    @classmethod
    def concat(cls, parts: Sequence[Activity]) -> Activity:
        """That of several batches of pictures as one."""
        names = list(parts[0].means)
        means = {name: torch.cat([part.means[name] for part in parts]) for name in names}
        return cls(means, {name: torch.cat([part.peaks[name] for part in parts]) for name in names})

    def silent(self) -> dict[str, Tensor]:
        """By layer, a mask (channels,): those that none of the pictures activates."""
        return {name: (peaks <= _quiet(peaks)).all(0) for name, peaks in self.peaks.items()}

    def newly_active(self, silent: Mapping[str, Tensor], row: int) -> int:
        """How many of these channels the picture in that row activates."""
        return sum(int((peaks[row] > _quiet(peaks))[silent[name]].sum()) for name, peaks in self.peaks.items())

    def ranked(self) -> dict[str, Tensor]:
        """By layer: the channels' ranks, centred and of unit length, so that scalar products are Spearman's correlations.

        Layers with fewer than three channels are left out.
        """
        return {name: centred_ranks(means) for name, means in self.means.items() if means.shape[1] > 2}


def centred_ranks(values: Tensor) -> Tensor:
    """The ranks of the entries of each row, ties shared, centred and of unit length.

    Example:
        >>> a = centred_ranks(torch.tensor([[1.0, 5.0, 9.0], [3.0, 2.0, 1.0], [0.0, 0.0, 7.0]]))
        >>> [round(float(one), 3) for one in a @ a[0]]
        [1.0, -1.0, 0.866]
    """
    rank = ranks(values)
    return functional.normalize(rank - rank.mean(1, keepdim=True))


def layers_of(model: Model, x: Tensor) -> tuple[str, ...]:
    """The layers that activations are compared in: twelve at most, evenly spaced, in the order in which they run.

    Rectified values are preferred, where modules return some, since they say whether a channel is active at all. The output
    itself is left out.
    """
    names = {module: path for module, path in visible(model.module).items() if path}
    if not names:
        return ()
    values: dict[str, Tensor] = {}

    def record(name: str, output: object) -> None:
        value = next(tensors(output), None)
        if value is not None and value.is_floating_point() and value.dim() > 1 and len(value) == len(x):
            values.pop(name, None)
            values[name] = value  # held until the pass is over, so that no address comes twice

    with torch.no_grad(), listening(names, leave=record), drawing_apart(model, x.device):
        output = main_output(model.forward(x.clone()))
    inside = {name: v for name, v in values.items() if not (v.shape == output.shape and torch.equal(v, output))}
    inside = inside or values
    distinct = {(v.data_ptr(), tuple(v.shape)): name for name, v in inside.items()}  # a container returns what its last part does
    every = list(distinct.values())
    rectified = [name for name in every if _rectified(inside[name])]
    chosen = rectified if 8 * len(rectified) >= len(every) else every  # functional rectifiers are not observed
    step = max(1, len(chosen) / MOST)
    return tuple(chosen[round(len(chosen) - 1 - i * step)] for i in reversed(range(min(MOST, len(chosen)))))


def activity(values: Mapping[str | None, Tensor], layers: Sequence[str], *, tokens: bool) -> Activity:
    """The activity of a batch, from the values of layers by address; with `tokens`, three axes are (batch, token, channel)."""
    means, peaks = {}, {}
    for name in layers:
        value = values[name].float()
        value = value.movedim(-1, 1) if tokens and value.dim() == 3 else value
        flat = value.flatten(2) if value.dim() > 2 else value[..., None]
        means[name], peaks[name] = flat.mean(2).cpu(), flat.amax(2).cpu()
    return Activity(means, peaks)


def _rectified(value: Tensor) -> bool:
    """Whether the least value is where a rectifier, sharp or smooth, cuts off."""
    low, high = float(value.min()), float(value.max())
    return -0.3 < low <= 0 < high and bool((value <= 0).any())


def _quiet(peaks: Tensor) -> float:
    return QUIET * max(float(peaks.max()), 0.0)
