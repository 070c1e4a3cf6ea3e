"""The receptive field: which part of an input a unit at one place can see at all, measured on the network itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.model import Model
from ..objective.activations import layer_activations

Box = tuple[tuple[int, int], ...]
"""The first line and the one after the last, for each axis of the input after its channels."""


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What units of one layer see. NaN is put into lines at one end of the input, and where it arrives, these lines are seen.

    That is exact wherever a network is local: NaN passes through every weight, also where the picture at hand gives no gradient
    (a dark rectifier, a place that lost in a max-pool). Where anything reads the whole input (attention, a mean over places) and
    where NaN is refused, a unit sees the whole. Lines are counted in from each end by halving, and answers are shared by all
    places of the layer: at most four times log2 of the side of passes for the first place, and few for those after it.

    References: Araujo, Norris and Sim, 2019, Computing receptive fields of convolutional neural networks,
        https://doi.org/10.23915/distill.00021 (whose formulas for chains of convolutions this agrees with)

    Arguments:
        arrived: From an input with NaN in it, to where in the layer's map there is NaN in any channel: a mask (*sizes).
        x: Any input, with shape (1, *shape).

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv1d(1, 1, 3, padding=1))
        >>> field = receptive_field(Model(net.eval(), "two", "", net), torch.zeros(1, 1, 12), "2")
        >>> field.box((0,)), field.box((6,))
        (((0, 3),), ((4, 9),))
    """

    arrived: Callable[[Tensor], Tensor | None]
    x: Tensor
    known: dict[tuple[int, bool, int], Tensor | None] = field(default_factory=dict)

    @property
    def whole(self) -> Box:
        return tuple((0, side) for side in self.x.shape[2:])

    def box(self, position: tuple[int, ...]) -> Box:
        """The smallest box that holds all a unit at `position` can see."""
        found = []
        for axis, side in enumerate(self.x.shape[2:]):
            if not self._seen(axis, False, side, position):  # not even all of it arrives: nothing is known
                return self.whole
            ends = [self._blind(axis, last, side, position) for last in (False, True)]
            found.append((ends[0], side - ends[1]))
        return tuple(found)

    def _blind(self, axis: int, last: bool, side: int, position: tuple[int, ...]) -> int:
        """How many lines from one end the unit does not see."""
        if self._seen(axis, last, 1, position):
            return 0
        dark, lit = 1, side
        while lit - dark > 1:
            middle = (dark + lit) // 2
            if self._seen(axis, last, middle, position):
                lit = middle
            else:
                dark = middle
        return dark

    def _seen(self, axis: int, last: bool, lines: int, position: tuple[int, ...]) -> bool:
        key = axis, last, lines
        if key not in self.known:
            x = self.x.clone()
            start = x.shape[2 + axis] - lines if last else 0
            x.narrow(2 + axis, start, lines).fill_(torch.nan)
            self.known[key] = self.arrived(x)
        mask = self.known[key]
        return mask is None or mask.shape[: len(position)] != mask.shape or bool(mask[position])


def receptive_field(model: Model, x: Tensor, at: str, *, tokens: bool = False) -> ReceptiveField:
    """What the units of the layer `at` see.

    Arguments:
        x: Any input, with shape (1, *shape).
        tokens: Whether channels stand on the last axis of its value.
    """
    ask, _ = layer_activations(model, x, [at])

    @torch.no_grad()
    def arrived(spoilt: Tensor) -> Tensor | None:
        try:
            with torch.random.fork_rng([x.device] if x.device.type == "cuda" else []):
                value = ask(spoilt)[at][0]
        except (PellucidError, RuntimeError, ValueError, AssertionError, IndexError):
            return None  # a network that refuses NaN: then nothing is known, and the whole input is its field
        return value.isnan().any(-1 if tokens else 0)

    return ReceptiveField(arrived, x)
