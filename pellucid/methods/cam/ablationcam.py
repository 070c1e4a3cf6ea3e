"""Ablation-CAM: channels weighted by how far the target falls when each of them is set to zero."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.tape.local import single_precision
from pellucid.tape.replay import after, rescored
from pellucid.tape.seed import places
from pellucid.target import Target
from .base import CAM, Heat, LayerActivation, weighted_sum


@dataclass(frozen=True)
class AblationCAM(CAM):
    """Ablation-CAM: ReLU(sum_k w_k A_k) with w_k = (y - y_k) / y, where y_k is the target with map k set to 0.

    Only what follows the map runs again for each channel, on the recorded batch: exact, and quick at the last layers.
    A negative y turns the sign of all weights, in the paper as here; the caption then says so.

    References: Ablation-CAM: visual explanations for deep convolutional network via gradient-free localization (Desai and
        Ramaswamy, 2020), https://doi.org/10.1109/WACV45572.2020.9093360
    """

    name = "ablationcam"

    def heat_of(self, layer: LayerActivation) -> Heat:
        tape, resolved, chosen = layer.tape, layer.resolved, layer.map
        samples, channels = len(layer.x), chosen.channels
        rest = after(tape, (chosen.id,), tuple(places(tape, resolved.target).values()))
        y = single_precision(resolved.score)
        w = torch.zeros(samples, channels, dtype=y.dtype, device=y.device)
        for k in range(channels):
            without = rescored(tape, resolved.target, {chosen.id: chosen.without(layer.value, k)}, rest)
            w[:, k] = torch.where(y == 0, torch.zeros_like(y), (y - single_precision(without)) / y)
            if report_progress((k + 1) * samples, channels * samples, "forward passes"):
                break
        notes = (f"Called off after {k + 1:,} of {channels:,} channels.",) if k + 1 < channels else ()
        if bool((y <= 0).any()):
            notes = (*notes, "A score below 0 turns the sign of (y - y_k) / y: explain a probability instead.")
        return Heat(weighted_sum(w.to(layer.A.dtype), layer.A), samples * (k + 2), notes)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run what follows the map: of their time nothing is known before."""
        return self._passes(model, x, target, least=0.0)
