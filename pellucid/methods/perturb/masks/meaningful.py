"""Meaningful perturbation: the smallest region whose blurring takes the score away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.blur import blur_matrix
from pellucid.core.random import generator
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import Readout, resolve_readout, varied_value
from pellucid.tape.gradient import lost_slopes
from pellucid.target import Target
from pellucid.target.classes import Logit, Probability
from ..sampling.study import module_path
from .masks import (
    MaskPlaces,
    ScoreRange,
    apply_along,
    check_settings,
    null_samples,
    percent,
    places_of,
    reads_scores,
    scores_in_words,
    settings,
)
from .optimise import Adam, least_of, optimise, scores_under

SIZE = 28  # entries along a side of the mask the weights were published for
# The share of the score that counts as none of it. It lies off zero, which the null image itself has: no rounding decides then.
NONE = 0.001
LEAST = 0.001  # the share of the places below which a mask took nothing


@dataclass(frozen=True, eq=False)
class Meaningful:
    """Meaningful perturbation: how much each place is needed. The smallest and smoothest region is sought that takes the score
    away when it is blurred; values are 1 - M, in [0, 1]: 1 where all is blurred, 0 where nothing had to be taken.

        minimise over m in [0, 1]:  l1 sum |1 - m| + tv sum |grad m|^beta + E_shift max(0, share(score of x M + null (1 - M)))
        M: m spread to all places and smoothed;  share: 1 for the sample as it is, 0 for the null image

    The mask keeps: M = [1, 1, 0, 0] leaves the first half of a sample and takes the second; the values then are [0, 0, 1, 1].

    References: Fong and Vedaldi, 2017, Interpretable explanations of black boxes by meaningful perturbation, Eq. 4,
        https://doi.org/10.1109/ICCV.2017.371. Departures: (1) The score is the softmax probability, as in the paper, where the
        target is the logit of a class, and else the target itself; what is minimised is its share of what there is to lose, so
        that weights mean the same for all of them, and no less than none of it. (2) The paper has l1 = 1e-4 and 300 steps, and
        1e-3 for localisation, which is our default: with 1e-4, masks of EfficientNet-Lite0 take 0.4 to 0.9 of a picture. (3) The
        paper begins with the smallest circle that takes 99 % of the score; on that network it is nearly all of the picture, from
        where the way back is long. We begin with everything half there. (4) Lengths are those of a picture of
        224 x 224 and scale with it, though on small inputs the blur is wider than that; weights are those of 28 x 28 entries, and
        other masks are weighted alike in proportion. (5) Gradients pass the smoothing of the mask, where the authors' code leaves
        it out. (6) A sample is shifted over its own border, repeated, where they had a margin.

    Arguments:
        steps, lr: Steps of Adam, and their length.
        l1: What a taken entry costs.
        tv, beta: What roughness costs, and the power of the gradient's length.
        jitter: In how many positions along each axis the sample is looked at, in places of a picture of 224 x 224.
        size: Entries of the mask along an axis; at most those of the axis itself.
        smooth: Standard deviation of the Gaussian that smooths the mask, in places of a picture of 224 x 224.
        blur: The same of the null image.
        null: What stands where nothing is kept, if not the blurred sample: an imputer, a number, a tensor. The columns of a table
            are no neighbours; for them None is zero.
        softmax: Whether the logit of a class is minimised as its probability.
        axes: Along which axes places lie, the batch being 0; None: all behind the channels, or the columns of a table. For
            embedded words: (1,).
        tol: Leave a mask alone once ten steps move it by less than this in the mean.
        batch: How many samples go through the model at once; None: as many as suit the machine.
        seed: Of the shifts, which are the same for every sample.

    Raises:
        MethodError: a setting is out of range.
        ThreadLost: the model cannot be followed, so that there is no gradient.

    Example:
        >>> import pellucid as pl
        >>> net = torch.nn.Linear(4, 1, bias=False).eval()
        >>> _ = net.weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, 2.0]]))
        >>> pl.explain(net, torch.ones(1, 4), method=Meaningful(steps=50)).values.round()
        tensor([[1., 0., 0., 1.]])
    """

    steps: int = 150
    lr: float = 0.1
    l1: float = 1e-3
    tv: float = 1e-2
    beta: float = 3.0
    jitter: int = 4
    size: int = SIZE
    smooth: float = 5.0
    blur: float = 10.0
    null: Any = None
    softmax: bool = True
    axes: tuple[int, ...] | None = None
    tol: float | None = None
    batch: int | None = None
    seed: int = 0

    name: ClassVar[str] = "meaningful"
    signed: ClassVar[bool] = False
    per_token: ClassVar[str] = "none"
    options = property(settings)

    def __post_init__(self) -> None:
        check_settings(self, above_zero=("steps", "lr", "size", "jitter", "beta"), not_below_zero=("l1", "tv", "smooth", "blur"))

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """One mask per sample; all are optimised side by side, and none knows of another."""
        with torch.inference_mode(False), torch.no_grad():
            readout, score, output = resolve_readout(model, x.clone(), target, module_path(at))
            lost = lost_slopes(readout)
            game = self.game(readout, output)
            result = optimise(game, game.start(), Adam(self.lr), self.steps, tol=self.tol, batch=self.batch)
            masks = game.full(result.masks).clamp(0, 1)
            remaining = scores_under(game, masks)
        values = game.places.paint(1 - masks).to(torch.promote_types(x.dtype, torch.float32))
        return Attribution(
            values, score, readout.target, output, notes=(*game.notes(1 - masks, remaining), *result.notes),
            options=self.options, shared=game.places.shared, forwards=result.passes + 5 * len(x), lost=lost,
        )  # fmt: skip

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        steps = self.steps * len(x)
        return Passes(steps + 5 * len(x), steps, least=least_of(self.steps, self.tol))

    def game(self, readout: Readout, output: Tensor) -> DeletionGame:
        """What is optimised for the samples of a readout."""
        if self.softmax:
            readout = replace(readout, target=as_probability(readout.target, output))
        x = varied_value(readout).clone()
        places = places_of(x, self.axes)
        null = null_samples(x, places, self.null, self.blur, readout)
        shifts = round(self.jitter * places.scale) if reads_scores(readout, output) and places.neighbours else 1
        return DeletionGame(self, readout, x, null, places, ScoreRange.of(readout, x, null), max(1, shifts))


@dataclass(frozen=True, eq=False)
class DeletionGame:
    """The deletion game: lose the score, and take as little as that needs.

    Arguments:
        shifts: In how many positions along each axis the samples are looked at.
    """

    method: Meaningful
    readout: Readout
    x: Tensor
    null: Tensor
    places: MaskPlaces
    score_range: ScoreRange
    shifts: int = 1

    @property
    def of(self) -> range:
        """There is one mask per sample, so that masks and samples have the same numbers."""
        return range(len(self.x))

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape of a mask before it is spread over all places."""
        sides = self.places.sides
        return tuple(min(self.method.size, side) for side in sides) if self.places.neighbours else sides

    def full(self, masks: Tensor) -> Tensor:
        """Masks (n, *grid) over all places (n, *sides): every entry spread over its cell, then blurred."""
        if not self.places.neighbours:
            return masks
        sigma = self.method.smooth * self.places.scale
        spreads = [_spread(side, n, sigma, masks) for side, n in zip(self.places.sides, self.grid, strict=True)]
        return 1 - apply_along(1 - masks, spreads, range(1, masks.dim()))  # of what is taken: nothing stays exactly nothing

    def under(self, masks: Tensor, rows: Sequence[int], shift: Sequence[int] = ()) -> Tensor:
        """The samples under masks over all places, moved beneath them by so many places."""
        x, null = (_shifted(t[list(rows)], self.places, shift) for t in (self.x, self.null))
        keep = self.places.spread(masks)
        return (x * keep + null * (1 - keep)).to(self.x.dtype)

    def variants(self, masks: Tensor, index: Sequence[int], step: int) -> Tensor:
        return self.under(self.full(masks), index, self.shift(step))

    def shift(self, step: int) -> tuple[int, ...]:
        """How far the samples are moved in this step, along each axis."""
        rng = generator(self.method.seed, step)
        offsets = torch.randint(self.shifts, (len(self.places.axes),), generator=rng, device="cpu").tolist()
        return tuple(number - (self.shifts - 1) // 2 for number in offsets)

    def score_gradients(self, scores: Tensor, index: Sequence[int]) -> Tensor:
        return (self.score_range.share(scores, index) > NONE) / self.score_range.size[list(index)]

    def penalty(self, masks: Tensor, index: Sequence[int], step: int) -> Tensor:
        cost = self.method.l1 * (1 - masks).abs().flatten(1).sum(1)
        if self.places.neighbours:
            cost = cost + self.method.tv * roughness(masks, self.method.beta)
        return cost * (SIZE**2 / masks[0].numel())

    def start(self) -> Tensor:
        """Everything is half there."""
        exact = torch.promote_types(self.x.dtype, torch.float32)
        return torch.full((len(self.x), *self.grid), 0.5, dtype=exact, device=self.x.device)

    def notes(self, removed: Tensor, remaining: Tensor) -> tuple[str, ...]:
        """What the masks do, for the caption."""
        how = "Blurring" if self.method.null is None and self.places.neighbours else "Removing"
        kind = "probability" if isinstance(self.readout.target.terms[0][1], Probability) else "score"
        areas = removed.flatten(1).mean(1)
        full, fallen, empty = map(scores_in_words, (self.score_range.full, remaining, self.score_range.empty))
        note = f"{how} {percent(areas)} of the places lowers the {kind} from {full} to {fallen}; all of them, to {empty}."
        if not bool((areas < LEAST).any()):
            return (note,)
        hint = " Near a probability of 1, softmax=False may show more." if kind == "probability" else ""
        return (note, f"A mask removes nothing: no fall of the {kind} outweighed the cost of the places removed.{hint}")


def as_probability(target: Target, output: Tensor) -> Target:
    """The probability of a class, where the target is the logit of one; else the target."""
    weight, term = target.terms[0]
    if len(target.terms) > 1 or not isinstance(term, Logit) or weight <= 0 or output.dim() != 2 or output.shape[1] < 2:
        return target
    if term.link == "none":
        return target
    return Target(((1.0, Probability(term.at, term.index, term.labels, link=term.link)),))


def roughness(masks: Tensor, beta: float) -> Tensor:
    """The sum over entries of |grad m|^beta, from differences to the next entry along each axis.

    Example:
        >>> roughness(torch.tensor([[[0.0, 3.0], [4.0, 4.0]]]), beta=1.0).round()  # 5, and 1 beside it
        tensor([6.])
    """
    square = torch.zeros_like(masks)
    for axis in range(1, masks.dim()):
        last = masks.narrow(axis, masks.shape[axis] - 1, 1)
        square = square + masks.diff(dim=axis, append=last).square()
    return square.clamp(min=1e-10).pow(beta / 2).flatten(1).sum(1)


def _spread(side: int, n: int, sigma: float, like: Tensor) -> Tensor:
    """From n entries to the places of an axis, each to those of its cell, and then blurred: a matrix (side, n)."""
    cells = torch.arange(side, device=like.device) * n // side
    return blur_matrix(side, sigma, like) @ torch.nn.functional.one_hot(cells, n).to(like)


def _shifted(t: Tensor, places: MaskPlaces, shift: Sequence[int]) -> Tensor:
    """t moved along the axes of its places; what comes in at the border repeats it."""
    for axis, by in zip(places.axes, shift, strict=False):
        if by:
            side = t.shape[axis]
            t = t.index_select(axis, (torch.arange(side, device=t.device) - by).clamp(0, side - 1))
    return t
