"""Infidelity: the squared error between what a map predicts of a perturbation and what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.errors import MethodError
from pellucid.methods.perturb.imputers.imputer import baseline
from pellucid.methods.perturb.regions.regions import mask_shape, spatial_shape
from pellucid.tape.forward import batch_size, run_batched
from ..metric import Answer, Compat, Need, Question, Scores, check_compat
from ..removal.experiment import Scheme
from ..removal.layout import check_real
from ..removal.steps import Every
from ..removal.tiles import Tiles
from .quantus import raster

Units = Literal["contribution", "slope"]


class Change(Protocol):
    """A random change of samples. Adding one: a frozen dataclass with `drawn` and `value`.

    `value`: what contributions are measured against, b: a number, one per channel, or a sample.
    """

    @property
    def value(self) -> Any: ...
    def drawn(self, x: Tensor, draws: Sequence[int], seed: int) -> Tensor:
        """What is subtracted from one sample x, (1, ...), in some draws: I, with shape (draws, ...).

        The same draw number means the same random numbers, whatever the sample.
        """


@dataclass(frozen=True)
class Squares:
    """A square of random size and place is taken away, with all its channels; a stretch of a signal, neighbours of a table.

    Arguments:
        largest: The longest side, as a share of each axis; sides are equally probable from 1 place on.
        value: What stands there then: a number, one per channel, or a sample.

    Example:
        >>> Squares(largest=0.5).drawn(torch.full((1, 1, 1, 4), 3.0), [0, 1, 2], seed=0).flatten(1).tolist()
        [[0.0, 0.0, 3.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 3.0, 3.0]]
    """

    largest: float = 0.25
    value: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.largest <= 1:
            raise MethodError(
                f"Squares(largest={self.largest})", "a number that is not a share", "a square lies within the sample",
                "Give one in (0, 1], such as 0.25.",
            )  # fmt: skip

    def drawn(self, x: Tensor, draws: Sequence[int], seed: int) -> Tensor:
        gone = torch.stack([self._square(spatial_shape(x), stream("square", seed, draw)) for draw in draws])
        return (x - baseline(self.value, x)) * gone.reshape(len(draws), *mask_shape(x)).to(x)

    def _square(self, sides: tuple[int, ...], rng: torch.Generator) -> Tensor:
        size, inside = float(torch.rand((), generator=rng)), torch.ones(sides, dtype=torch.bool)
        for axis, side in enumerate(sides):
            length = ceil(size * max(1, int(self.largest * side))) or 1
            start = int(torch.randint(side - length + 1, (), generator=rng))
            along = (torch.arange(side) >= start) & (torch.arange(side) < start + length)
            inside = inside & along.reshape(-1, *[1] * (len(sides) - axis - 1))
        return inside


@dataclass(frozen=True)
class Jitter:
    """Independent normal noise on every entry.

    Arguments:
        sigma: Its standard deviation, in the units of the model's input.
        value: What contributions are measured against: a number, one per channel, or a sample.
    """

    sigma: float = 0.1
    value: float = 0.0

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise MethodError(f"Jitter(sigma={self.sigma})", "no noise", "nothing would change", "Ask for 0.1, say.")

    def drawn(self, x: Tensor, draws: Sequence[int], seed: int) -> Tensor:
        made = [torch.randn(x.shape[1:], generator=stream("jitter", seed, draw), dtype=torch.float64) for draw in draws]
        return self.sigma * torch.stack(made).to(x)


@dataclass(frozen=True)
class Infidelity:
    """How far what a map says of random changes of the input is from what they do: the expected squared error. Lower is better.

        INFD = E over I of (I' R - (f(x) - f(x - I)))^2,   I random

    In the formula R is a slope, such as a gradient. Most maps say contributions, of the size of gradient x input: `units` says
    which, and for contributions I / (x - b) stands in place of I (divided by 1 where x = b), so that a part that is taken away
    counts with its whole relevance. A map of other units has a large infidelity, whatever it is worth: `normalize` allows it
    one factor.

    References: Yeh et al., 2019, On the (in)fidelity and sensitivity of explanations, https://doi.org/10.48550/arXiv.1901.09392
        (the authors' code always takes the best factor)

    Arguments:
        change: What changes: `Squares()` are taken away, or `Jitter()`.
        n: How many changes.
        units: "contribution" or "slope".
        normalize: Whether the map is multiplied by the factor that suits it best, E (I'R) df / E (I'R)^2 per sample; then its
            scale does not matter.
        compat: "quantus-0.6": another quantity, after Quantus 0.6.0. Squares of 4 x 4 become 0 one after the other in the order
            they lie, and R is always a slope.
    """

    name: ClassVar[str] = "infidelity"
    higher: ClassVar[bool] = False
    needs: ClassVar[Need] = "model"

    change: Change = Squares()
    n: int = 100
    units: Units = "contribution"
    normalize: bool = False
    compat: Compat | None = None

    def __post_init__(self) -> None:
        check_compat(self.name, self.compat)
        if self.n < 1 or self.units not in ("contribution", "slope"):
            raise MethodError(
                f"infidelity with n={self.n}, units={self.units!r}", "no perturbation, or unknown units",
                "it is the mean squared error over perturbations", 'Ask for n=100, units="contribution" or "slope".',
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        if self.compat is not None:
            return raster(question, answer, Scheme(Tiles(4), 0.0, Every(1)))
        key = ("infidelity", self.change, self.n)
        known = key in question.memory
        lost = question.remembered(key, lambda: effects(question, self.change, self.n))
        values = infidelity(self.predicted(question, answer), lost, normalize=self.normalize)
        values = torch.where(torch.tensor(answer.finite), values, torch.nan)
        forwards = 0 if known else int(lost.isfinite().sum())
        return Scores(values, forwards, notes=(f"The map is interpreted as {self.units}s.",))

    def predicted(self, question: Question, answer: Answer) -> Tensor:
        """What the map says of every change, I' R, with shape (sample, n)."""
        return torch.stack([self._of_sample(question, answer, sample) for sample in range(len(question))])

    def _of_sample(self, question: Question, answer: Answer, sample: int) -> Tensor:
        x, found = question.x[sample : sample + 1], []
        values = answer.values[sample].to(x.device).double()
        values = values / x.shape[1] if answer.shared and x.dim() > 2 else values
        away = x - baseline(self.change.value, x)
        for first in range(0, self.n, 64):
            change = self.change.drawn(x, range(first, min(first + 64, self.n)), question.seed)
            found.append((in_units(change, away, self.units) * values).flatten(1).sum(1))
        return torch.cat(found).cpu()


def in_units(change: Tensor, away: Tensor, units: Units) -> Tensor:
    """What R is multiplied with: I, or the share I / (x - b) of each entry that goes.

    Example:
        >>> in_units(torch.tensor([2.0, 1.0, 0.5]), torch.tensor([2.0, 2.0, 0.0]), "contribution").tolist()
        [1.0, 0.5, 0.5]
    """
    return change.double() if units == "slope" else change.double() / torch.where(away == 0, 1, away).double()


def effects(question: Question, change: Change, n: int) -> Tensor:
    """f(x) - f(x - I) of every change, with shape (sample, n), double, on the CPU; the same for all maps. NaN: called off."""
    x, samples = check_real(question.x, "infidelity"), len(question)
    found = torch.full((samples * n,), torch.nan, dtype=torch.float64)

    def make(start: int, stop: int) -> tuple[Tensor, list[int]]:
        rows = [number // n for number in range(start, stop)]
        made = []
        for row in sorted(set(rows)):
            own = x[row : row + 1]
            made.append(own - change.drawn(own, [k % n for k in range(start, stop) if k // n == row], question.seed))
        return torch.cat(made), rows

    for first, last, values in run_batched(question.readout, samples * n, make, batch=batch_size(x), what="changed inputs"):
        found[first:last] = question.readout.check(values).double().cpu()
    return question.score.double().cpu()[:, None] - found.reshape(samples, n)


def infidelity(predicted: Tensor, lost: Tensor, *, normalize: bool) -> Tensor:
    """The mean squared error per sample; normalised, of the best multiple of what was said.

    Example:
        >>> predicted, lost = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 4.0]])
        >>> infidelity(predicted, lost, normalize=False).item(), infidelity(predicted, lost, normalize=True).item()
        (2.5, 0.0)
    """
    if normalize:
        energy = predicted.square().sum(1, keepdim=True)
        predicted = predicted * torch.where(energy > 0, (predicted * lost).sum(1, keepdim=True) / energy, 0)
    return (predicted - lost).square().mean(1)
