"""Score-CAM: feature maps weighted by the target for an input masked by each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pellucid.errors import ModelError
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.tape.axes.feature_map import resized
from pellucid.tape.forward import Readout, batch_size, run_batched
from pellucid.tape.local import single_precision
from pellucid.target import Target
from .base import CAM, Heat, LayerActivation, weighted_sum


@dataclass(frozen=True)
class ScoreCAM(CAM):
    """Score-CAM: ReLU(sum_k w_k A_k), w = softmax over k of f(x H_k) - f(0), where H_k is map k as a mask over the input.

    H_k is A_k interpolated to the input, less its least value, over its range: 1 where the map is greatest, 0 where it is least.
    f is the target. What the empty input scores is the same for every k, and drops out of the softmax. Masked places are 0 *as
    the model sees them*, which after the usual preprocessing is a middle grey.

    One forward pass per channel: 1,280 for EfficientNet-Lite0.

    Arguments:
        weights: "softmax", as in the paper's Algorithm 1; or "score", as in the authors' code: f(x H_k) as it is, and 0 for a map
            that is the same everywhere. There f is the class's probability: `target=pl.probability(281)`.
        corners: Whether masks are interpolated with the centres of the outermost places at the corners of the picture. The paper
            does not say; the package grad-cam does so, the authors' code does not.
        batch: Masked inputs in one batch; None: as many as suit their size.

    References: Score-CAM: score-weighted visual explanations for convolutional neural networks (Wang et al., 2020),
        https://doi.org/10.1109/CVPRW50498.2020.00020
    """

    weights: Literal["softmax", "score"] = "softmax"
    corners: bool = True
    batch: int | None = None

    name = "scorecam"

    def heat_of(self, layer: LayerActivation) -> Heat:
        A = layer.A
        samples, channels = A.shape[:2]

        def make(first: int, stop: int) -> tuple[Tensor, Sequence[int]]:
            rows = list(range(samples)) * (stop - first)
            masks = self.masks(A[:, first:stop].movedim(1, 0).flatten(0, 1)[:, None], layer)
            return layer.x[rows] * masks.unsqueeze(layer.map.input_grid.channel).to(layer.x.dtype), rows

        scores, done = A.new_zeros(channels, samples), 0
        fixed = isinstance(layer.model.module, torch.fx.GraphModule)  # exported programs may take batches of one size alone
        batch = samples if fixed else self.batch or batch_size(layer.x)
        readout = Readout(layer.model, layer.x, layer.resolved.target)
        for first, done, block in run_batched(readout, channels, make, batch=batch, copies=samples):
            scores[first:done] = _check_finite(block, layer).reshape(-1, samples)
        w = torch.cat([self.weigh(scores[:done].T, A[:, :done]), A.new_zeros(samples, channels - done)], 1)
        notes = (f"Called off after {done:,} of {channels:,} channels.",) if done < channels else ()
        return Heat(weighted_sum(w, A), samples * (1 + done), notes)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        return self._passes(model, x, target)

    def masks(self, maps: Tensor, layer: LayerActivation) -> Tensor:
        """Maps (n, 1, *places) over the places of the input, from 0 to 1; without a range they are 0."""
        wide = resized(maps, layer.map.input_grid.size, corners=self.corners)
        flat = wide.flatten(1)
        low, high = (end.reshape(-1, *[1] * (wide.dim() - 1)) for end in (flat.amin(1), flat.amax(1)))
        return ((wide - low) / (high - low + 1e-8))[:, 0]

    def weigh(self, scores: Tensor, A: Tensor) -> Tensor:
        """From scores (batch, channel) to weights."""
        if self.weights == "softmax":
            return scores.softmax(1)
        flat = A.flatten(2)
        return scores * (flat.amax(2) > flat.amin(2))


def _check_finite(scores_here: Tensor, layer: LayerActivation) -> Tensor:
    if bool(scores_here.isfinite().all()):
        return single_precision(scores_here)
    raise ModelError(
        f"{layer.resolved.target} of masked inputs", "scores that are NaN or infinite", "no weight can be made of them",
        "Choose a method that leaves the input as it is, such as gradcam.",
    )  # fmt: skip
