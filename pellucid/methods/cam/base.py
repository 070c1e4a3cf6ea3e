"""What all class activation maps share: one layer's feature map, its channels weighted, interpolated to the input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from pellucid.core.answers import keep_answer, kept_answer
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import Tape, check_branches, record, resolve_target
from pellucid.tape.axes.feature_map import FeatureMap
from pellucid.tape.forward import batch_size
from pellucid.tape.local import single_precision
from pellucid.tape.seed import ResolvedTarget
from pellucid.target import Target
from ..layer_choice import choose_map, map_attribution


class LayerActivation(NamedTuple):
    """One forward pass, and the feature map in it that is weighted.

    Arguments:
        model, x: The model, and its input.
        tape: What ran.
        resolved: The target on it.
        map: The map.
        value: The value that holds it, as it lies in the model.
    """

    model: Model
    x: Tensor
    tape: Tape
    resolved: ResolvedTarget
    map: FeatureMap
    value: Tensor

    @property
    def A(self) -> Tensor:
        """The map, with shape (batch, channel, *places), in single precision at least."""
        return single_precision(self.map.read(self.value))


class Heat(NamedTuple):
    """The result of a method for a feature map.

    Arguments:
        heat: One number per place, with shape (batch, *places).
        forwards: How many samples went through the network for it, or through what follows the map.
        notes: Sentences for the caption.
    """

    heat: Tensor
    forwards: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CAM(ABC):
    """A class activation map: sum over channels k of (what k means to the target) times A_k, the activations of one layer.

    `values` are raw, never scaled to [0, 1]: made at the resolution of the map, interpolated to the places of the input (linearly
    along every axis, edges on edges), and the same for all channels of a place. With `at`, the map is taken there, and values are
    those of its places, not interpolated.

    Arguments:
        layer: A module path: the map it returned. None: the last map whose places all reach the target and that weights read.
        relu: Whether negative values are set to 0, as in papers on evidence *for* a class. Values then only
            have no sign: `signed` is False. Without it they are evidence against the target, too.
    """

    layer: str | None = None
    relu: bool = True

    name: ClassVar[str]
    per_token: ClassVar[str] = "none"
    by_gradients: ClassVar[bool] = False  # whether it reads the derivative of the target at its layer

    @property
    def signed(self) -> bool:
        return not self.relu

    @abstractmethod
    def heat_of(self, layer: LayerActivation) -> Heat:
        """One number per place of the map, with shape (batch, *places), before any ReLU."""

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The map at the input, or at the value `at`.

        Raises:
            MethodError: no value between the input and the target is a map, or none that was named.
        """
        layer = self._layer(model, x, target, at)
        tape, resolved, chosen = layer.tape, layer.resolved, layer.map
        lost = check_branches(tape, resolved.gradients, chosen.id, slopes=True) if self.by_gradients else ()
        heat, forwards, notes = self.heat_of(layer)
        heat = heat.relu() if self.relu else heat
        made = map_attribution(tape, resolved, chosen, heat, at, notes=notes, options=self.options, forwards=forwards)
        return replace(made, lost=lost) if lost else made

    def _layer(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> LayerActivation:
        """The map that is weighted; the one that `passes` has found, where it has."""
        known = kept_answer(self, x) if at is None else None
        if known is not None and known[0] is target:
            found: LayerActivation = known[1]
            return found
        tape = record(model, x)
        resolved = resolve_target(tape, target, model)
        chosen = choose_map(tape, resolved, self.name, self.layer, at)
        return LayerActivation(model, x, tape, resolved, chosen, tape.value(chosen.id))

    def _passes(self, model: Model, x: Tensor, target: Target, least: float = 1.0) -> Passes:
        """One forward pass, and one for each channel of the map."""
        layer = self._layer(model, x, target)
        keep_answer(self, x, (target, layer))
        return Passes(len(x) * (1 + layer.map.channels), batch=batch_size(x), least=least)

    @property
    def options(self) -> tuple[str, ...]:
        """Its settings, in readable lines."""
        return tuple(f"{name}={value}" for name, value in vars(self).items() if name != "layer")


def weighted_sum(weights: Tensor, A: Tensor) -> Tensor:
    """The sum over channels of weight times map.

    Arguments:
        weights: With shape (batch, channel).
        A: With shape (batch, channel, *places).
    """
    return torch.einsum("bc,bc...->b...", weights, A)
