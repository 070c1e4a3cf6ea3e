"""Robustness: how much a map changes under small perturbations of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.errors import MethodError
from ..metric import Answer, Question, Scores
from ..removal.layout import check_real
from .reexplain import Explainer, SensitivityMetric


@dataclass(frozen=True)
class Neighbours:
    """Samples near a sample: every entry moved independently; the same noise around every sample.

    Arguments:
        n: How many.
        radius: How far, in the units of the model's input: the half width of "uniform" noise, the standard deviation of "normal".
        kind: "uniform" or "normal".

    Example:
        >>> noise = Neighbours(n=2, radius=0.1).noise(torch.zeros(1, 3), seed=0)
        >>> noise.shape, bool((noise.abs() <= 0.1).all())
        (torch.Size([2, 1, 3]), True)
    """

    n: int = 10
    radius: float = 0.02
    kind: Literal["uniform", "normal"] = "uniform"

    def __post_init__(self) -> None:
        if self.n < 1 or not self.radius > 0 or self.kind not in ("uniform", "normal"):
            raise MethodError(
                f"Neighbours(n={self.n}, radius={self.radius}, kind={self.kind!r})", "no neighbouring samples",
                "maps are compared with those of neighbours", 'Ask for n=10, radius=0.02, kind="uniform", say.',
            )  # fmt: skip

    def noise(self, x: Tensor, seed: int, round_: int = 0) -> Tensor:
        """What is added to samples shaped like x, with shape (n, 1, ...)."""
        check_real(x, "A metric that asks about samples nearby")
        made = torch.stack([self._drawn(x, stream("neighbour", seed, round_, number)) for number in range(self.n)])
        return (self.radius * made)[:, None].to(x)

    def _drawn(self, x: Tensor, rng: torch.Generator) -> Tensor:
        if self.kind == "normal":
            return torch.randn(x.shape[1:], generator=rng, dtype=torch.float64)
        return 2 * torch.rand(x.shape[1:], generator=rng, dtype=torch.float64) - 1


@dataclass(frozen=True)
class MaxSensitivity(SensitivityMetric):
    """How far the map moves, at most, when the sample moves by no more than a radius; relative to its length. Lower is better.

        max over y, |y_i - x_i| <= r for all i, of  ||R(y) - R(x)|| / ||R(x)||

    The paper's formula has no denominator; its authors' code and captum have it, since maps of different methods are of
    different lengths: `relative=False` leaves it out (it is 1 where R(x) = 0). The maximum over samples drawn at random is a
    lower bound of the true one; `rounds` search on from the best found, without gradients, for any method alike.

    References: Yeh et al., 2019, On the (in)fidelity and sensitivity of explanations, https://doi.org/10.48550/arXiv.1901.09392

    Arguments:
        neighbours: Which y.
        rounds: How many times as many more are tried around the worst found so far, at half the radius and then less, kept
            within the radius.
        relative: Whether it is divided by the length of the map.
    """

    name: ClassVar[str] = "max_sensitivity"

    neighbours: Neighbours = Neighbours()
    rounds: int = 0
    relative: bool = True

    def __post_init__(self) -> None:
        if self.rounds < 0 or (self.rounds and self.neighbours.kind != "uniform"):
            raise MethodError(
                f"max_sensitivity with rounds={self.rounds}, noise {self.neighbours.kind}", "no ball to search in",
                "a search needs bounds, and a number of rounds", 'Use Neighbours(kind="uniform") and rounds=5, say.',
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        again, x = Explainer.of(question, answer), question.x
        shift = self.neighbours.noise(x, question.seed)
        worst, at = _worst(map_distances(again, answer, shift, relative=self.relative), shift.expand(-1, *x.shape))
        for number in range(1, self.rounds + 1):
            tried = at + self.neighbours.noise(x, question.seed, number) / 2**number
            tried = tried.clamp(-self.neighbours.radius, self.neighbours.radius)
            more, where = _worst(map_distances(again, answer, tried, relative=self.relative), tried)
            better = more > worst
            worst, at = torch.where(better, more, worst), torch.where(better.reshape(-1, *[1] * (x.dim() - 1)), where, at)
        return Scores(worst.cpu(), again.forwards)


@dataclass(frozen=True)
class AvgSensitivity(SensitivityMetric):
    """How far the map moves on average when the sample moves by no more than a radius, relative to its length. Lower is better.

        E over y of  ||R(y) - R(x)|| / ||R(x)||,   y_i - x_i uniform in [-r, r]

    References: Yeh et al., 2019, On the (in)fidelity and sensitivity of explanations, https://doi.org/10.48550/arXiv.1901.09392

    Arguments:
        neighbours: Which y.
        relative: Whether it is divided by the length of the map.
    """

    name: ClassVar[str] = "avg_sensitivity"

    neighbours: Neighbours = Neighbours()
    relative: bool = True

    def score(self, question: Question, answer: Answer) -> Scores:
        again = Explainer.of(question, answer)
        shift = self.neighbours.noise(question.x, question.seed)
        return Scores(map_distances(again, answer, shift, relative=self.relative).mean(0).cpu(), again.forwards)


@dataclass(frozen=True)
class LocalLipschitz(SensitivityMetric):
    """How far the map moves for every unit that the sample moves, at most among samples nearby. Lower is better.

        max over y near x of  ||R(y) - R(x)|| / ||y - x||

    The paper searches a ball; here y are drawn at random, so that this is a lower bound.

    References: Alvarez-Melis and Jaakkola, 2018, On the robustness of interpretability methods,
        https://doi.org/10.48550/arXiv.1806.08049

    Arguments:
        neighbours: Which y.
    """

    name: ClassVar[str] = "local_lipschitz"

    neighbours: Neighbours = Neighbours(n=10, radius=0.1, kind="normal")

    def score(self, question: Question, answer: Answer) -> Scores:
        again = Explainer.of(question, answer)
        return Scores(lipschitz(again, answer, self.neighbours.noise(question.x, question.seed)).cpu(), again.forwards)


def map_distances(again: Explainer, answer: Answer, shift: Tensor, *, relative: bool = True) -> Tensor:
    """How far the maps of moved samples are from those of the samples, with shape (n, sample), double.

    Arguments:
        shift: What is added to the samples, with shape (n, 1, ...) or (n, sample, ...).
        relative: Whether it is divided by the length of the map, where that is not 0.
    """
    values = answer.values.to(again.x).double()
    far = torch.stack([row_norms(after - values) for after in explain_moved(again, shift)])
    norm = row_norms(values)
    return where_finite(answer, far / torch.where(norm == 0, 1, norm) if relative else far)


def lipschitz(again: Explainer, answer: Answer, shift: Tensor) -> Tensor:
    """The greatest ratio of how far maps and samples move, with shape (sample,), double."""
    far = map_distances(again, answer, shift, relative=False)
    way = torch.stack([row_norms((again.x + own) - again.x) for own in shift[: len(far)]])
    return (far / way).amax(0)


def explain_moved(again: Explainer, shift: Tensor) -> Tensor:
    """The maps of moved samples, with shape (n, sample, ...)."""

    def change(number: int, row: int) -> Tensor:
        own = shift[number, row if shift.shape[1] > 1 else 0]
        return again.x[row : row + 1] + own

    return again.variants(len(shift), change)


def _worst(far: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """The greatest distance of every sample, and the shift that made it."""
    worst, number = far.max(0)
    return worst, shift[number, torch.arange(far.shape[1], device=shift.device)]


def row_norms(values: Tensor) -> Tensor:
    """The Euclidean length of every row, double."""
    found: Tensor = torch.linalg.vector_norm(values.double().flatten(1), dim=1)
    return found


def where_finite(answer: Answer, values: Tensor) -> Tensor:
    """The values, NaN for maps that are not finite."""
    return torch.where(torch.tensor(answer.finite, device=values.device), values, torch.nan)
