"""Variants of Quantus 0.6.0 that are quantities of their own: what `compat="quantus-0.6"` asks for.

Its parts are single values, one per channel of a pixel: `Values()`. What it gets wrong is not repeated: numbers here do not
depend on how samples are batched, but for its sensitivity-n, which is defined across samples.

References: Hedstroem et al., 2023, Quantus, https://doi.org/10.48550/arXiv.2202.06861
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.core.statistics import pearson
from pellucid.methods.perturb.regions.division import Division
from pellucid.methods.perturb.regions.regions import Partition
from pellucid.model import Model
from ..metric import Answer, Question, Scores
from ..removal.curve import ablations
from ..removal.experiment import Ablation, Reading, Scheme, experiment, losses
from ..removal.order import rank_regions, relevance


@dataclass(frozen=True)
class Values(Division):
    """Every value on its own: each channel of a pixel by itself.

    Example:
        >>> Values().of(torch.zeros(1, 2, 1, 3), None).labels.tolist()
        [[[0, 1, 2]], [[3, 4, 5]]]
    """

    def of(self, x: Tensor, model: Model) -> Partition:
        return Partition(tuple(x.shape[1:]), torch.arange(x[0].numel()).reshape(x.shape[1:]))


def across_samples(question: Question, answer: Answer, scheme: Scheme, reading: Reading) -> Scores:
    """Its sensitivity-n as one number, the same for all samples: the mean of `steps`; NaN for maps that are not finite."""
    study = experiment(question, scheme)
    before = study.forwards
    found = steps(question, answer, scheme, reading).nanmean()
    values = torch.where(torch.tensor(answer.finite), found, torch.nan)
    note = "The correlation is across samples, as in Quantus 0.6.0: all of them have the same score."
    return Scores(values, study.forwards - before, notes=(note,))


def steps(question: Question, answer: Answer, scheme: Scheme, reading: Reading) -> Tensor:
    """Its sensitivity-n step by step: what was lost up to a step with the relevance of that step alone, across samples."""
    study = experiment(question, scheme)
    orders = rank_regions(answer, study.parts, scheme.weigh, question.seed)
    known = [(sample, order) for sample, order in enumerate(orders) if order is not None]
    sets: list[list[Ablation]] = [[] for _ in orders]
    for sample, order in known:
        sets[sample] = ablations(sample, order, scheme.steps)[1:]
    lost = losses(study, sets, reading)
    rows = [(lost[i], _step_relevance(answer, i, study.parts[i], order, scheme)) for i, order in known]
    pairs = [(a, b) for a, b in rows if a is not None]
    if len(pairs) < 2:
        return torch.full((1,), torch.nan, dtype=torch.float64)
    number = min(len(a) for a, _ in pairs)
    one, other = (torch.stack([row[end][:number] for row in pairs], 1) for end in (0, 1))
    return torch.tensor([pearson(a, b) for a, b in zip(one, other, strict=True)], dtype=torch.float64)


def _step_relevance(answer: Answer, sample: int, part: Partition, order: Tensor, scheme: Scheme) -> Tensor:
    """The relevance of the parts that each step takes away."""
    values = relevance(answer.values[sample], part, shared=answer.shared, weigh=scheme.weigh).cpu()
    total = torch.cat([values.new_zeros(1), values[order.argsort()].cumsum(0)])
    return total[list(scheme.steps.counts(part.n))].diff()


def raster(question: Question, answer: Answer, scheme: Scheme, reading: Reading = "target") -> Scores:
    """Its infidelity: the parts go one after the other in the order they lie, and the mean over the steps is taken of

    (f(x) - f(x without the first k) - sum over the first k of R_i x_i)^2
    """
    study = experiment(question, scheme)
    before = study.forwards
    sets = [[Ablation(i, torch.arange(part.n), k) for k in range(1, part.n + 1)] for i, part in enumerate(study.parts)]
    found = []
    for sample, lost in enumerate(losses(study, sets, reading)):
        values = answer.values[sample] * question.x[sample]
        linear = relevance(values, study.parts[sample], shared=answer.shared).cpu().cumsum(0)
        found.append(torch.nan if lost is None or not answer.finite[sample] else float((lost - linear).square().mean()))
    return Scores(torch.tensor(found, dtype=torch.float64), study.forwards - before)
