"""Receptive field: the part of the input that a unit at one place depends on, measured on the network itself."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.errors import PellucidError
from pellucid.model import Model
from ..objective.activations import layer_activations

Box = tuple[tuple[int, int], ...]
"""The first line and the one after the last, for each axis of the input after its channels."""


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The receptive fields of the units of one layer: NaN is put into lines at one end of the input, and units where it arrives
    depend on these lines.

    That is exact wherever a network is local: NaN passes through every weight, also where the picture at hand gives no gradient
    (a rectifier that is off, a place that lost in a max-pool). Where anything reads the whole input (attention, a mean over
    places) and where NaN is refused, the field is the whole input. The lines are found by bisection from each end, and
    results are shared by all places of the layer: at most 4 log2(side) passes for the first place, and few for those after it.

    References: Araujo, Norris and Sim, 2019, Computing receptive fields of convolutional neural networks,
        https://doi.org/10.23915/distill.00021 (whose formulas for chains of convolutions this agrees with)

    Arguments:
        arrived: From an input with NaN in it to a mask (*sizes): where in the layer's map there is NaN in any channel.
        x: Any input, with shape (1, *shape).

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv1d(1, 1, 3, padding=1))
        >>> field = receptive_field(Model(net.eval(), "two", "", net), torch.zeros(1, 1, 12), "2")
        >>> field.box((0,)), field.box((6,))
        (((0, 3),), ((4, 9),))
    """

    arrived: Callable[[Tensor], Tensor | None]
    x: Tensor
    masks: dict[tuple[int, bool, int], Tensor | None] = field(default_factory=dict)

    def box(self, position: tuple[int, ...]) -> Box:
        """The smallest box that holds all that a unit at `position` depends on."""
        box = []
        for axis, side in enumerate(self.x.shape[2:]):
            if not self._reaches(axis, False, side, position):  # not even all of it arrives: nothing is known
                return tuple((0, side) for side in self.x.shape[2:])
            ends = [self._margin(axis, last, side, position) for last in (False, True)]
            box.append((ends[0], side - ends[1]))
        return tuple(box)

    def of_unit(self, position: tuple[int, ...] | None) -> Box | None:
        """The box of the unit at a place, or of the one in the middle of the map; None where the layer has no map."""
        value = self.arrived(self.x)
        if value is None or value.dim() != self.x.dim() - 2:
            return None
        return self.box(position or tuple(side // 2 for side in value.shape))

    def _margin(self, axis: int, last: bool, side: int, position: tuple[int, ...]) -> int:
        """How many lines from one end the unit does not depend on."""
        if self._reaches(axis, last, 1, position):
            return 0
        return 1 + bisect_left(range(2, side), True, key=lambda lines: self._reaches(axis, last, lines, position))

    def _reaches(self, axis: int, last: bool, lines: int, position: tuple[int, ...]) -> bool:
        key = axis, last, lines
        if key not in self.masks:
            x = self.x.clone()
            start = x.shape[2 + axis] - lines if last else 0
            x.narrow(2 + axis, start, lines).fill_(torch.nan)
            self.masks[key] = self.arrived(x)
        mask = self.masks[key]
        return mask is None or mask.shape[: len(position)] != mask.shape or bool(mask[position])


def receptive_field(model: Model, x: Tensor, at: str, *, tokens: bool = False) -> ReceptiveField:
    """The receptive fields of the layer `at`, from any input (1, *shape); with `tokens`, its channels are on the last axis."""
    activations, _ = layer_activations(model, x, [at])

    @torch.no_grad()
    def arrived(changed: Tensor) -> Tensor | None:
        try:
            with drawing_apart(model, x.device):
                value = activations(changed)[at][0]
        except (PellucidError, RuntimeError, ValueError, AssertionError, IndexError):
            return None  # a network that refuses NaN: then nothing is known, and the whole input is its field
        return value.isnan().any(-1 if tokens else 0)

    return ReceptiveField(arrived, x)
