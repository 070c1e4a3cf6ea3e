"""Activity: what layers make of pictures, channel by channel, and how alike two pictures are to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.core.statistics import ranks
from pellucid.model import Model
from pellucid.model.hooks import listening
from pellucid.model.outputs import main_output, tensors
from pellucid.tape.forward import heard

MOST = 12  # layers that are looked at
QUIET = 1e-6  # of a layer's largest value: what is no activation


@dataclass(frozen=True, eq=False)
class Activity:
    """What layers say of pictures.

    Arguments:
        means, peaks: By layer: the mean and the largest value of each channel over its places, with shape (n, channels).
    """

    means: Mapping[str, Tensor]
    peaks: Mapping[str, Tensor]

    @property
    def codes(self) -> Tensor:
        """The means in the last layer, as vectors of unit length: where a network keeps what is in a picture."""
        last = list(self.means.values())[-1]
        lengths: Tensor = torch.linalg.vector_norm(last, dim=1, keepdim=True)
        return last / lengths.clamp(min=1e-12)

    @classmethod
    def concat(cls, parts: Sequence[Activity]) -> Activity:
        names = list(parts[0].means)
        means = {name: torch.cat([part.means[name] for part in parts]) for name in names}
        return cls(means, {name: torch.cat([part.peaks[name] for part in parts]) for name in names})

    def silent(self) -> dict[str, Tensor]:
        """By layer: the channels that none of the pictures excites, a mask."""
        return {name: (peaks <= _quiet(peaks)).all(0) for name, peaks in self.peaks.items()}

    def newly_active(self, silent: Mapping[str, Tensor], row: int) -> int:
        """How many of these channels a picture excites."""
        return sum(int((peaks[row] > _quiet(peaks))[silent[name]].sum()) for name, peaks in self.peaks.items())

    def ranked(self, most: int | None = None) -> dict[str, Tensor]:
        """By layer: the channels' ranks, centred and of unit length, so that products are Spearman's correlations.

        Layers with fewer than three channels have no order to speak of, and are left out.
        """
        return {name: centred_ranks(means[:most]) for name, means in self.means.items() if means.shape[1] > 2}


def centred_ranks(values: Tensor) -> Tensor:
    """The ranks of the entries of each row, ties shared, centred and of unit length.

    Example:
        >>> a = centred_ranks(torch.tensor([[1.0, 5.0, 9.0], [3.0, 2.0, 1.0], [0.0, 0.0, 7.0]]))
        >>> [round(float(one), 3) for one in a @ a[0]]
        [1.0, -1.0, 0.866]
    """
    rank = ranks(values)
    rank = rank - rank.mean(1, keepdim=True)
    lengths: Tensor = torch.linalg.vector_norm(rank, dim=1, keepdim=True)
    return rank / lengths.clamp(min=1e-12)


def layers_of(model: Model, x: Tensor) -> tuple[str, ...]:
    """Layers that tell how a network comes to its output, in the order in which they run, twelve at most.

    Rectified values, where modules return some, for they say whether a channel is active at all; else what modules return. What
    is the output already is none of them.
    """
    if model.module is None or isinstance(model.module, (torch.jit.ScriptModule, torch.fx.GraphModule)):
        return ()
    found: dict[str, Tensor] = {}
    names = {id(child): name for name, child in model.module.named_modules() if name}

    def hear(name: str, output: object) -> None:
        value = next(tensors(output), None)
        if value is not None and value.is_floating_point() and value.dim() > 1 and len(value) == len(x):
            found.pop(name, None)
            found[name] = value  # held until the pass is over, so that no address comes twice

    with torch.no_grad(), listening(names, leave=hear), torch.random.fork_rng([x.device] if x.device.type == "cuda" else []):
        output = main_output(model.forward(x.clone()))
    inside = {name: v for name, v in found.items() if not (v.shape == output.shape and torch.equal(v, output))}
    inside = inside or found
    alone = {(v.data_ptr(), tuple(v.shape)): name for name, v in inside.items()}  # a container returns what its last part does
    every = list(alone.values())
    rectified = [name for name in every if _rectified(inside[name])]
    chosen = rectified if 8 * len(rectified) >= len(every) else every  # of functional rectifiers nothing is seen
    step = max(1, len(chosen) / MOST)
    return tuple(chosen[round(len(chosen) - 1 - i * step)] for i in reversed(range(min(MOST, len(chosen)))))


def active(values: Mapping[str | None, Tensor], layers: Sequence[str], *, tokens: bool) -> Activity:
    """The activity of a batch.

    Arguments:
        tokens: Whether values with three axes are (batch, token, channel).
    """
    means, peaks = {}, {}
    for name in layers:
        value = values[name].float()
        value = value.movedim(-1, 1) if tokens and value.dim() == 3 else value
        flat = value.flatten(2) if value.dim() > 2 else value[..., None]
        means[name], peaks[name] = flat.mean(2).cpu(), flat.amax(2).cpu()
    return Activity(means, peaks)


def activity(model: Model, x: Tensor, layers: Sequence[str], *, tokens: bool) -> Activity:
    """The activity of a batch, in a pass of its own."""
    return active(heard(model, x, layers), layers, tokens=tokens)


def _rectified(value: Tensor) -> bool:
    """Whether values end where a rectifier, or a smooth one, ends them, and do reach there."""
    low, high = float(value.min()), float(value.max())
    return -0.3 < low <= 0 < high and bool((value <= 0).any())


def _quiet(peaks: Tensor) -> float:
    return QUIET * max(float(peaks.max()), 0.0)
