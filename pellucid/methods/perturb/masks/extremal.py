"""Extremal perturbation: the region of a given area that keeps the score highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import Readout, resolve_readout, varied_value
from pellucid.tape.gradient import lost_slopes
from pellucid.target import Target
from ..sampling.study import module_path
from .masks import (
    MaskPlaces,
    ScoreRange,
    apply_along,
    blurred,
    check_settings,
    null_samples,
    percent,
    places_of,
    reads_scores,
    scores_in_words,
    settings,
)
from .optimise import Momentum, least_of, optimise, scores_under

STEPS, ENTRIES = 800, 32 * 32  # of a run, and of a mask, that the published rates belong to
FEWEST = 100  # steps: those of shorter runs are no longer than in one of 100, since longer ones throw masks from 0 to 1 and back
COLD = 20.0  # inverse temperature of the smooth maximum
EQUAL = 1e-3  # entries that differ by less are equal: no rounding decides what is kept
# what the score counts under M, or under 1 - M where below zero
GAMES = {"preserve": (1.0,), "delete": (-1.0,), "dual": (1.0, -1.0)}


@dataclass(frozen=True, eq=False)
class Extremal:
    """Extremal perturbation: of all smooth regions of a given area, the one that keeps the score highest. Values are the mask M,
    in [0, 1], 1 inside; for several areas their sum, which tells what is needed first.

        maximise over m in [0, 1]:  gain share(score of x under M) - weight growth^t mean((M - r)^2)
        M: the smooth maximum of bumps of size m;  t: the step
        r: 1 where M is highest, on as many entries as fill the area, else 0
        x under M: from a pyramid of blurs, of which M = 0 takes the strongest and M = 1 the sample itself

    The mask keeps: M = [1, 1, 0, 0] leaves the first half of a sample and blurs the second; the values then are [1, 1, 0, 0].
    With variant="delete" what is inside is blurred and shall lower the score, with "dual" both are asked for; values are 1 inside
    all the same.

    References: Fong, Patrick and Vedaldi, 2019, Understanding deep networks via extremal perturbations and smooth masks,
        https://doi.org/10.1109/ICCV.2019.00304, and its authors' code, TorchRay. Departures: (1) They maximise a logit as it is;
        we take the target as a share of what there is to lose, times `gain`, so that weights mean the same for every target. (2)
        An area is a share of the picture; theirs is one of the picture and a margin, 1.35 times as much. What reaches over the
        border counts in both. (3) The smooth maximum is taken once per entry of the mask and interpolated, theirs at every
        place; and it is scaled so that a mask of ones is one: without that, entries near the border stand out by 0.7 % and are
        kept for it. (4) Entries that are equal, as all are at first, share what is left of the area; there, their order
        decides. (5) Blurs weigh what lies inside the picture; theirs see black around it. (6) Rates are those of
        800 steps and 32 x 32 entries: fewer steps, down to 100, are longer ones, and fewer entries are moved as fast. (7) Lengths
        are those of a picture of 224 x 224 and scale with it; on small inputs blurs are wider than that. (8) Only pictures are
        mirrored, and not where the target is read from a map.

    Arguments:
        areas: Shares of all places, in (0, 1): one mask each.
        variant: Whether what is inside is kept, deleted, or both.
        steps, lr: Steps of gradient descent with momentum 0.9, and the length of 800 of them.
        weight, growth: What a wrong area costs at first, and by which factor it costs more with each of 800 steps.
        gain: What the whole score is worth.
        step, sigma: The distance and the size of bumps, in places of a picture of 224 x 224.
        levels, blur: How many blurs there are, and the standard deviation of the strongest, in places of such a picture.
        flip: Whether every other step looks at the picture mirrored.
        null: As in `Meaningful`, with two levels where it is given; in a table, bumps are single columns.
        axes, tol, batch: As in `Meaningful`.

    Raises:
        MethodError: an area does not lie between 0 and 1, or a setting is out of range.
        ThreadLost: the model cannot be followed, so that there is no gradient.

    Example:
        >>> import pellucid as pl
        >>> net = torch.nn.Linear(4, 1, bias=False).eval()
        >>> _ = net.weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, 2.0]]))
        >>> pl.explain(net, torch.ones(1, 4), method=Extremal(areas=(0.25, 0.5), steps=50)).values.round()
        tensor([[1., 0., 0., 2.]])
    """

    areas: tuple[float, ...] = (0.1,)
    variant: Literal["preserve", "delete", "dual"] = "preserve"
    steps: int = STEPS
    lr: float = 0.01
    weight: float = 300.0
    growth: float = 1.0035
    gain: float = 10.0
    step: float = 7.0
    sigma: float = 21.0
    levels: int = 8
    blur: float = 20.0
    flip: bool = True
    null: Any = None
    axes: tuple[int, ...] | None = None
    tol: float | None = None
    batch: int | None = None

    name: ClassVar[str] = "extremal"
    signed: ClassVar[bool] = False
    per_token: ClassVar[str] = "none"
    options = property(settings)

    def __post_init__(self) -> None:
        check_settings(self, ("steps", "lr", "growth", "gain", "step", "sigma", "blur"), ("weight",))
        if not self.areas or not all(0 < area < 1 for area in self.areas):
            raise MethodError(
                f"extremal with areas={self.areas}", "an area outside (0, 1)",
                "a region covers a share of the places, between 0 and 1",
                "Ask for areas=(0.1,), or for several: (0.05, 0.1, 0.2).",
            )  # fmt: skip
        if self.variant not in GAMES or self.levels < 2:
            raise MethodError(
                f"extremal with variant={self.variant!r}, levels={self.levels}", "an unknown variant, or too few levels",
                f"the variants are {', '.join(GAMES)}, and the sample itself and one blur are two levels", "Choose among those.",
            )  # fmt: skip

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """One mask per sample and area; all are optimised side by side, and none knows of another."""
        with torch.inference_mode(False), torch.no_grad():
            readout, score, output = resolve_readout(model, x.clone(), target, module_path(at))
            lost = lost_slopes(readout)
            game = self.game(readout, output)
            optimiser = Momentum(self.lr * prod(game.grid) / ENTRIES * STEPS / max(self.steps, FEWEST))
            result = optimise(game, game.start(), optimiser, self.steps, tol=self.tol, batch=self.batch)
            masks = game.full(result.masks).clamp(0, 1)
            notes = game.notes(masks)
        values = game.places.paint(masks.reshape(len(x), len(self.areas), *masks.shape[1:]).sum(1))
        passes = result.passes + len(masks) * len(GAMES[self.variant]) + 4 * len(x)
        return Attribution(
            values.to(torch.promote_types(x.dtype, torch.float32)), score, readout.target, output,
            notes=(*notes, *result.notes), options=self.options, shared=game.places.shared, forwards=passes, lost=lost,
        )  # fmt: skip

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        masks = len(x) * len(self.areas) * len(GAMES[self.variant])
        steps = self.steps * masks
        return Passes(steps + masks + 4 * len(x), steps, least=least_of(self.steps, self.tol))

    def game(self, readout: Readout, output: Tensor) -> AreaGame:
        """What is optimised for the samples of a readout."""
        x = varied_value(readout).clone()
        places = places_of(x, self.axes)
        if self.null is None and places.neighbours:
            sigmas = [places.width(self.blur) * (1 - level / (self.levels - 1)) for level in range(self.levels - 1)]
            pyramid = torch.stack([*(blurred(x, places, sigma) for sigma in sigmas), x], 1)
        else:
            pyramid = torch.stack([null_samples(x, places, self.null, self.blur, readout), x], 1)
        flips = self.flip and reads_scores(readout, output) and x.dim() == 4 and places.shared
        return AreaGame(self, readout, pyramid, places, ScoreRange.of(readout, x, pyramid[:, 0]), flips)


@dataclass(frozen=True, eq=False)
class AreaGame:
    """The game of areas: a good score from a region of the right size.

    Arguments:
        pyramid: The samples from most to least perturbed, with shape (sample, level, ...).
        flips: Whether every other step mirrors the samples.
    """

    method: Extremal
    readout: Readout
    pyramid: Tensor
    places: MaskPlaces
    score_range: ScoreRange
    flips: bool = False

    @property
    def of(self) -> tuple[int, ...]:
        """The masks of a sample follow one another, one per area."""
        return tuple(sample for sample in range(len(self.pyramid)) for _ in self.method.areas)

    @property
    def spacing(self) -> float:
        """The distance of bumps, in places."""
        return max(1.0, self.method.step * self.places.scale)

    @property
    def reach(self) -> float:
        """The size of bumps, in distances."""
        return self.method.sigma * self.places.scale / self.spacing

    @property
    def margin(self) -> int:
        """How far around the sample the area is measured, in entries: bumps at the border lie half outside."""
        return ceil(self.reach) if self.places.neighbours else 0

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape of a mask before it is smoothed."""
        sides = self.places.sides
        return tuple(ceil(side / self.spacing) for side in sides) if self.places.neighbours else sides

    def start(self) -> Tensor:
        """Everything is kept."""
        exact = torch.promote_types(self.pyramid.dtype, torch.float32)
        return torch.ones(len(self.of), *self.grid, dtype=exact, device=self.pyramid.device)

    def smooth(self, masks: Tensor) -> Tensor:
        """The smooth maximum, at every entry and in the margin, of bumps of the size of all entries around; 1 where all are 1."""
        if not self.places.neighbours:
            return masks
        near = 1 + ceil(self.reach)
        bumps = _bumps(near, len(self.grid), self.reach).to(masks)
        everywhere, ones = _maximum(bumps), torch.ones_like(masks[:1])
        return self._reached(masks, near, bumps) / self._reached(ones, near, bumps).clamp(min=float(everywhere))

    def full(self, masks: Tensor) -> Tensor:
        """Masks (n, *grid) over all places (n, *sides)."""
        if not self.places.neighbours:
            return masks
        lines = [_line(side, n, self.margin, masks) for side, n in zip(self.places.sides, self.grid, strict=True)]
        return apply_along(self.smooth(masks), lines, range(1, masks.dim()))

    def under(self, masks: Tensor, rows: Sequence[int]) -> Tensor:
        """The samples under masks over all places: between the two levels of the pyramid that a place's number lies between."""
        top = self.pyramid.shape[1] - 1
        height = self.places.spread(masks) * top
        level = height.detach().floor().clamp(0, top - 1)
        shape = self.pyramid.shape[2:]
        pick = level.long().expand(-1, *shape)[:, None]
        levels = self.pyramid[list(rows)]
        low, high = (levels.gather(1, pick + above)[:, 0].to(masks.dtype) for above in (0, 1))
        return torch.lerp(low, high, (height - level).expand(-1, *shape)).to(self.pyramid.dtype)

    def variants(self, masks: Tensor, index: Sequence[int], step: int) -> Tensor:
        full, rows = self.full(masks), [self.of[i] for i in index]
        samples = torch.cat([self.under(full if sign > 0 else 1 - full, rows) for sign in GAMES[self.method.variant]])
        return samples.flip(-1) if self.flips and step % 2 == 0 else samples

    def score_gradients(self, scores: Tensor, index: Sequence[int]) -> Tensor:
        sizes = self.score_range.size[[self.of[i] for i in index]]
        return torch.cat([-sign * self.method.gain / sizes for sign in GAMES[self.method.variant]])

    def penalty(self, masks: Tensor, index: Sequence[int], step: int) -> Tensor:
        weight: float = self.method.weight * self.method.growth ** (step * STEPS / self.method.steps)
        smooth = self.smooth(masks).flatten(1)
        return weight * (smooth - self.ideal(smooth.detach(), index)).square().mean(1)

    def ideal(self, smooth: Tensor, index: Sequence[int]) -> Tensor:
        """What the entries (n, all) should be: 1 for as many of the highest as fill the area, 0 for the others. Those at the
        boundary that are equal, as all are at first, share alike.
        """
        areas = self.method.areas
        room = [max(1, round(areas[i % len(areas)] * prod(self.grid))) for i in index]
        count = torch.tensor(room, dtype=torch.long, device=smooth.device)[:, None]
        last = smooth.sort(dim=1, descending=True).values.gather(1, count - 1)
        above, equal = smooth > last + EQUAL, (smooth - last).abs() <= EQUAL
        left = (count - above.sum(1, keepdim=True)) / equal.sum(1, keepdim=True)
        return above.to(smooth) + equal * left.to(smooth)

    def notes(self, masks: Tensor) -> tuple[str, ...]:
        """What the masks do, for the caption."""
        signs = GAMES[self.method.variant]
        views = [scores_under(self, masks if sign > 0 else 1 - masks) for sign in signs]
        each, sentences = len(self.method.areas), []
        for number in range(each):
            area = percent(masks[number::each].flatten(1).mean(1))
            for sign, scores in zip(signs, views, strict=True):
                how = "Keeping" if sign > 0 else "Removing"
                sentences.append(f"{how} {area} of the places gives a score of {scores_in_words(scores[number::each])}")
        whole = f"all places give {scores_in_words(self.score_range.full)}, none {scores_in_words(self.score_range.empty)}."
        return (f"{'; '.join(sentences)}; {whole}",)

    def _reached(self, masks: Tensor, near: int, bumps: Tensor) -> Tensor:
        around = F.pad(masks, [near + self.margin] * 2 * len(self.grid))
        for axis in range(1, masks.dim()):
            around = around.unfold(axis, 2 * near + 1, 1)
        return _maximum(around.flatten(masks.dim()) * bumps)


def _bumps(near: int, axes: int, reach: float) -> Tensor:
    """The height of bumps at all entries up to `near` away along each axis: 1 up to half of `reach`, and falling from there."""
    steps = torch.tensor(list(product(range(-near, near + 1), repeat=axes)), dtype=torch.float64, device="cpu")
    far = steps.square().sum(1).sqrt() / reach
    return torch.exp(-2 * (far - 0.5).clamp(min=0).square())


def _maximum(sizes: Tensor) -> Tensor:
    """The smooth maximum along the last axis: the mean by weights that grow with the sizes themselves."""
    return (sizes * (COLD * sizes).softmax(-1)).sum(-1)


def _line(side: int, n: int, margin: int, like: Tensor) -> Tensor:
    """From n entries and a margin on both sides to the places of an axis, by lines between entries, as a matrix."""
    at = (torch.arange(side, dtype=torch.float64, device=like.device) + 0.5) * n / side - 0.5 + margin
    entries = torch.arange(n + 2 * margin, dtype=torch.float64, device=like.device)
    return (1 - (at[:, None] - entries).abs()).clamp(min=0).to(like.dtype)
