"""Deep visual explanation (DVE): what stands out in a layer's feature maps, at coarse and at fine scale at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.core.progress import report_progress
from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.model import Model
from pellucid.model.final_activation import probabilities
from pellucid.model.where import Where
from pellucid.tape import Tape, record, resolve_target
from pellucid.tape.axes.feature_map import FeatureMap
from pellucid.tape.local import single_precision
from pellucid.tape.replay import after, replay
from pellucid.tape.seed import find_output
from pellucid.target import Target
from ..layer_choice import choose_map, map_attribution

BLIND = "Blind to the target: it shows what stands out in this layer."


@dataclass(frozen=True)
class DVE:
    """Deep visual explanation: a place counts where maps are strong around it, and stronger right there than around it.

    S = sum_i low(x_i) high(x_i) over the maps x_i of the last layer that has places, with low(x) = F^-1(F(x) G_1) and
    high(x) = F^-1(F(x) (1 - G_2)), F the Fourier transform over the places, and G_1, G_2 Gaussians around frequency 0.
    Targeted: S' = low(S) high(S), the same product once more, which suppresses what is weak. Values below 0 are set to 0.

    One forward pass and no gradient. It shows what the layer shows, whatever the target; only `kind="kl"` asks the prediction.

    Departures: the widths of the Gaussians are ours, since the paper's are not known to us. S is set to 0 where it is negative
    before the second product, in which two negatives would otherwise count as evidence. Which maps `kl` keeps is our reading of
    the second paper, of which we know the idea: "DVE with KL-selected maps (our reading)".

    Arguments:
        kind: "targeted", "plain" (S itself), or "kl": targeted, from the `keep` maps i alone whose removal changes the prediction
            most, by the divergence KL(p(. | x), p(. | x without map i)). One more pass through what follows the layer per map.
        layer: A module path: the map it returned. None: the last map whose places all reach the target and that weights read.
        sigma_low, sigma_high: Standard deviations of G_1 and G_2, as shares of the highest frequency of the map along an axis.
        keep: How many maps "kl" keeps.

    References:
        An introduction to deep visual explanation (Babiker and Goebel, 2017), https://doi.org/10.48550/arXiv.1711.09482
        Using KL-divergence to focus deep visual explanation (Babiker and Goebel, 2017), https://doi.org/10.48550/arXiv.1711.06431
    """

    kind: Literal["targeted", "plain", "kl"] = "targeted"
    layer: str | None = None
    sigma_low: float = 0.15
    sigma_high: float = 0.35
    keep: int = 32

    name: ClassVar[str] = "dve"
    signed: ClassVar[bool] = False
    per_token: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        if self.kind not in ("targeted", "plain", "kl") or self.keep < 1 or min(self.sigma_low, self.sigma_high) <= 0:
            raise MethodError(
                str(self), "an unknown kind, or a width or number out of range", "widths and numbers are above 0",
                'Choose kind="targeted", "plain" or "kl", and widths such as 0.15 and 0.35.',
            )  # fmt: skip

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The map at the input, or at the value `at`.

        Raises:
            MethodError: no value between the input and the target is a map, or none that was named.
        """
        tape = record(model, x)
        resolved = resolve_target(tape, target, model)
        chosen = choose_map(tape, resolved, self.name, self.layer, at)
        maps = single_precision(chosen.read(tape.value(chosen.id)))
        passes, notes = 0, [BLIND]
        if self.kind == "kl":
            divergence, passes = divergences(tape, chosen, model.links.get(""))
            maps = maps * self.kept(divergence).reshape(*maps.shape[:2], *[1] * len(chosen.size))
            notes = self.selection_notes(passes, chosen)
        heat = self.product(maps).sum(1, keepdim=True).relu()
        heat = heat if self.kind == "plain" else self.product(heat).relu()
        settings = tuple(f"{name}={value}" for name, value in vars(self).items() if name != "layer")
        return map_attribution(
            tape, resolved, chosen, heat[:, 0], at, notes=notes, options=settings, forwards=len(x) * (1 + passes)
        )  # fmt: skip

    def product(self, maps: Tensor) -> Tensor:
        """Each map at coarse scale times the same map at fine scale."""
        axes = tuple(range(2, maps.dim()))
        spectrum = torch.fft.fftn(maps, dim=axes)
        G1, G2 = (gaussian(maps.shape[2:], sigma, like=maps) for sigma in (self.sigma_low, self.sigma_high))
        low, high = (torch.fft.ifftn(spectrum * band, dim=axes).real for band in (G1, 1 - G2))
        return low * high  # type: ignore[no-any-return]

    def kept(self, divergence: Tensor) -> Tensor:
        """1 for the maps that change the prediction most, 0 for the others, with shape (batch, channel)."""
        best = divergence.topk(min(self.keep, divergence.shape[1]), dim=1).indices
        return torch.zeros_like(divergence).scatter(1, best, 1.0)

    def selection_notes(self, evaluated: int, chosen: FeatureMap) -> list[str]:
        """What a reader has to know about the selection."""
        keep = min(self.keep, chosen.channels)
        note = f"DVE with KL-selected maps (our reading): {keep} of {chosen.channels:,}, those that change the prediction most."
        off = f"Called off after {evaluated:,} of {chosen.channels:,} maps."
        return [note, off] if evaluated < chosen.channels else [note]


def gaussian(size: tuple[int, ...], sigma: float, *, like: Tensor) -> Tensor:
    """A bell around frequency 0, over the frequencies of a Fourier transform as `torch.fft.fftn` orders them.

    Example:
        >>> gaussian((4,), 0.5, like=torch.zeros(1)).round(decimals=2)
        tensor([1.0000, 0.6100, 0.1400, 0.6100])
    """
    axes = [2 * torch.fft.fftfreq(n, dtype=like.dtype, device=like.device) for n in size]  # 1 is the highest
    squares = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0)
    return torch.exp(-squares / (2 * sigma**2))


def divergences(tape: Tape, chosen: FeatureMap, link: str | None = None) -> tuple[Tensor, int]:
    """KL(p(. | x), p(. | x without map i)) with shape (batch, channel), and how many of the maps were evaluated."""
    output = find_output(tape)
    value, p = tape.value(chosen.id), log_probabilities(tape.value(output), link)
    rest = after(tape, (chosen.id,), (output,))
    exact = torch.float64 if value.dtype == torch.float64 else torch.float32
    values = torch.zeros(len(p), chosen.channels, dtype=exact, device=p.device)
    for i in range(chosen.channels):
        q = log_probabilities(replay(tape, {chosen.id: chosen.without(value, i)}, (output,), rest)[output], link)
        values[:, i] = (p.exp() * (p - q)).flatten(1).sum(1)
        if report_progress((i + 1) * len(p), chosen.channels * len(p), "forward passes"):
            break
    return values, i + 1


def log_probabilities(scores: Tensor, link: str | None = None) -> Tensor:
    """The logarithms of the class probabilities along axis 1, in double precision; a single score is one class against none.

    Arguments:
        link: How scores become probabilities, see `Model.links`. Independent labels have two entries each, for it and against it.
    """
    scores = scores.double()
    scores = scores[:, None] if scores.dim() == 1 else scores
    if scores.shape[1] == 1:
        scores = torch.cat([scores, torch.zeros_like(scores)], 1)
    if link == "sigmoid":
        return torch.cat([functional.logsigmoid(scores), functional.logsigmoid(-scores)], 1)
    if link == "exp":
        return scores
    p = probabilities(scores, link)
    return scores.clamp_min(torch.finfo(torch.float64).tiny).log() if p is scores else scores.log_softmax(1)
