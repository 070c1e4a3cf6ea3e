"""Faithfulness correlation, faithfulness estimate and sensitivity-n: relevance of regions against what the model loses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.core.statistics import pearson, spearman
from pellucid.errors import MethodError
from pellucid.methods.perturb.imputers.noise import Noise
from pellucid.methods.perturb.regions.division import Division
from ..metric import Answer, Compat, Need, Question, Scores, check_compat
from ..removal.experiment import Ablation, Experiment, Reading, Scheme, Sets, experiment, losses, singles
from ..removal.order import by_chance, part_relevance
from ..removal.steps import Every, Shares
from ..removal.tiles import Tiles
from .quantus import across_samples

SQUARES = Scheme(Tiles(16), 0.0, Every(1))
SQUARES_BY_SIZE = Scheme(Tiles(16), 0.0, Shares((0.01, 0.02, 0.04, 0.08, 0.16, 0.3, 0.55, 0.8)))


class CorrelationMetric:
    """What metrics that correlate relevance with what the model loses have in common.

    Their regions are squares of 16 x 16 pixels (of at most a quarter of a side; columns of a table one by one), which become 0.
    They are NaN where all regions have the same relevance, or their removal changes nothing.

    Arguments:
        scheme: Which regions, and what replaces them; its steps are not used unless a metric says so.
        reading: What is read of the model's outputs.
    """

    higher: ClassVar[bool] = True
    needs: ClassVar[Need] = "model"


@dataclass(frozen=True)
class FaithfulnessCorrelation(CorrelationMetric):
    """The correlation of the relevance of random sets of regions with what the target loses without them, in [-1, 1].

        corr over S of (sum over i in S of R_i,  f(x) - f(x without S)),   |S| fixed, Pearson

    The paper leaves open what the regions are and how large S is; here a fifth of them is removed.

    References: Bhatt, Weller and Moura, 2020, Evaluating and aggregating feature-based model explanations,
        https://doi.org/10.24963/ijcai.2020/417

    Arguments:
        n: How many random sets.
        share: How large they are, as a share of the regions.
        scheme, reading: See `CorrelationMetric`.
    """

    name: ClassVar[str] = "faithfulness_correlation"

    n: int = 100
    share: float = 0.2
    scheme: Scheme = SQUARES
    reading: Reading = "target"

    def __post_init__(self) -> None:
        _enough(self.name, self.n)
        if not 0 < self.share < 1:
            raise MethodError(
                f"{self.name} with share={self.share}", "a number that is not a share",
                "some regions are removed, and some are kept", "Give one in (0, 1), such as 0.2.",
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        study = experiment(question, self.scheme)

        def sets(sample: int, n: int) -> list[Ablation]:
            size = min(n - 1, max(1, round(self.share * n)))
            return [Ablation(sample, by_chance(n, question.seed, self.name, k), size) for k in range(self.n)]

        return scores(study, answer, self.scheme, [_of(study, sets)], self.reading)


@dataclass(frozen=True)
class FaithfulnessEstimate(CorrelationMetric):
    """The correlation of the relevance of single regions with what the model loses without each, in [-1, 1].

        corr over i of (R_i,  f(x) - f(x without i)),   Pearson

    f is the probability of the class, as in the paper.

    References: Alvarez-Melis and Jaakkola, 2018, Towards robust interpretability with self-explaining neural networks,
        https://doi.org/10.48550/arXiv.1806.07538

    Arguments:
        scheme, reading: See `CorrelationMetric`.
    """

    name: ClassVar[str] = "faithfulness_estimate"

    scheme: Scheme = SQUARES
    reading: Reading = "probability"

    def score(self, question: Question, answer: Answer) -> Scores:
        study = experiment(question, self.scheme)
        return scores(study, answer, self.scheme, [_of(study, singles)], self.reading)


@dataclass(frozen=True)
class SensitivityN(CorrelationMetric):
    """The correlation of the relevance of random sets of n regions with what the target loses without them, mean over sizes n.

        mean over n of  corr over S, |S| = n, of (sum over i in S of R_i,  f(x) - f(x without S)),   Pearson, within one sample

    A method has the property sensitivity-n where this is 1 for that n; with n = all regions it is completeness. `curve` gives it
    n by n. Sizes are log-spaced from one region to 80 % of them. The paper takes pixels.

    References: Ancona et al., 2018, Towards better understanding of gradient-based attribution methods for deep neural networks,
        https://doi.org/10.48550/arXiv.1711.06104

    Arguments:
        n: How many random sets of every size.
        scheme: Which regions, what replaces them, and as `steps` the sizes (0 and all regions are left out).
        reading: What is read of the model's outputs.
        compat: "quantus-0.6": another quantity, after Quantus 0.6.0. The regions are removed one after the other by relevance, as
            the steps say; what is lost up to each step is correlated with the relevance of that step alone, across the samples.
            All samples then have one score, the mean over steps; with fewer than two samples it is NaN.
    """

    name: ClassVar[str] = "sensitivity_n"

    n: int = 100
    scheme: Scheme = SQUARES_BY_SIZE
    reading: Reading = "target"
    compat: Compat | None = None

    def __post_init__(self) -> None:
        _enough(self.name, self.n)
        check_compat(self.name, self.compat)

    def score(self, question: Question, answer: Answer) -> Scores:
        if self.compat is not None:
            return across_samples(question, answer, self.scheme, self.reading)
        study = experiment(question, self.scheme)
        return scores(study, answer, self.scheme, self._sets(study), self.reading)

    def curve(self, question: Question, answer: Answer) -> tuple[tuple[int, ...], Tensor]:
        """The sizes and the correlation for each of them, with shape (sample, sizes); for samples with as many parts."""
        study = experiment(question, self.scheme)
        sets = self._sets(study)
        found = torch.stack(correlations(study, answer, self.scheme, sets, self.reading), 1)
        return tuple(ablations[0][0].gone for ablations in sets), found

    def _sets(self, study: Experiment) -> list[list[list[Ablation]]]:
        """Per size and sample the random sets; of samples with fewer parts several sizes may be the same."""
        sizes = [[k for k in self.scheme.steps.counts(part.n) if 0 < k < part.n] for part in study.parts]
        known = range(min(map(len, sizes)))

        def of(place: int) -> Callable[[int, int], list[Ablation]]:
            def sets(sample: int, n: int) -> list[Ablation]:
                size, seed = sizes[sample][place], study.question.seed
                return [Ablation(sample, by_chance(n, seed, self.name, size, k), size) for k in range(self.n)]

            return sets

        twice = [place for place in known if place and all(own[place] == own[place - 1] for own in sizes)]
        return [_of(study, of(place)) for place in known if place not in twice]


@dataclass(frozen=True)
class MonotonicityCorrelation(CorrelationMetric):
    """The rank correlation of the size of relevance with how much the model varies with each region, in [-1, 1].

        corr over i of (|R_i|,  E_z (f(x) - f(x with z at i))^2 / f(x)^2),   Spearman

    1 / f(x)^2 is the same for all regions and left out: ranks do not change with it. z is uniform between the least and the
    greatest entry of the sample's own channel. It is NaN where all regions have relevance of the same size, or the model does
    not vary.

    References: Nguyen and Martinez, 2020, On quantitative aspects of model interpretability,
        https://doi.org/10.48550/arXiv.2007.07584

    Arguments:
        n: How many z.
        regions: Which regions.
        reading: What is read of the model's outputs.
    """

    name: ClassVar[str] = "monotonicity_correlation"

    n: int = 8
    regions: Division = SQUARES.regions
    reading: Reading = "target"

    def __post_init__(self) -> None:
        _enough(self.name, self.n, least=1)

    def score(self, question: Question, answer: Answer) -> Scores:
        squares: list[Tensor | None] = [None] * len(question)
        forwards = 0
        for z in range(self.n):
            seed = int(torch.randint(2**31, (), generator=stream("monotonicity", question.seed, z)))
            scheme = Scheme(self.regions, Noise("uniform", seed=seed), Every(1))
            study = experiment(question, scheme)
            before = study.forwards
            sets = _of(study, singles)
            for sample, lost in enumerate(losses(study, sets, self.reading)):
                known = squares[sample]
                more = None if lost is None else lost.square()
                squares[sample] = more if known is None or more is None else known + more
            forwards += study.forwards - before
        of_map = [part_relevance(answer, sample, part, "sum") for sample, part in enumerate(study.parts)]
        values = [
            spearman(size.abs(), effect) if size is not None and effect is not None else torch.nan
            for size, effect in zip(of_map, squares, strict=True)
        ]
        return Scores(torch.tensor(values, dtype=torch.float64), forwards)


def _of(study: Experiment, sets: Callable[[int, int], list[Ablation]]) -> list[list[Ablation]]:
    return [sets(sample, part.n) for sample, part in enumerate(study.parts)]


def scores(study: Experiment, answer: Answer, scheme: Scheme, sets: Sequence[Sets], reading: Reading) -> Scores:
    """The mean over some correlations, of those that are defined."""
    before = study.forwards
    found = [torch.full((len(study.parts),), torch.nan, dtype=torch.float64), *correlations(study, answer, scheme, sets, reading)]
    return Scores(torch.stack(found).nanmean(0), study.forwards - before)


def correlations(study: Experiment, answer: Answer, scheme: Scheme, sets: Sequence[Sets], reading: Reading) -> list[Tensor]:
    """Pearson's correlation of the relevance of sets with what is lost without them, with shape (sample,) for each size."""
    study.measure([ablation for group in sets for ablations in group for ablation in ablations])
    of_map = [part_relevance(answer, sample, part, scheme.weigh) for sample, part in enumerate(study.parts)]
    found = []
    for group in sets:
        rows = []
        for ablations, lost, values in zip(group, losses(study, group, reading), of_map, strict=True):
            if lost is None or values is None:
                rows.append(torch.nan)
                continue
            rows.append(pearson(torch.stack([values[ablation.absent].sum() for ablation in ablations]), lost))
        found.append(torch.tensor(rows, dtype=torch.float64))
    return found


def _enough(name: str, n: int, least: int = 2) -> None:
    if n < least:
        raise MethodError(f"{name} with n={n}", f"fewer than {least}", "there is nothing to compare", "Ask for 100, say.")
