"""Axioms, measured: completeness, non-sensitivity, and invariance to input shifts and to the implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.methods.perturb.imputers.imputer import baseline
from pellucid.tape.forward import batch_size, run_batched
from ..faithfulness.correlation import SQUARES
from ..metric import Answer, Need, Question, Scores
from ..removal.experiment import Reading, Scheme, experiment, losses, singles
from ..removal.layout import check_real
from ..removal.order import part_relevance
from .equivalent_models import shift_input, split_layers
from .reexplain import Explainer, SensitivityMetric
from .robustness import row_norms, where_finite


@dataclass(frozen=True)
class Completeness:
    """How far the sum of a map is from the score it is to explain, relative to that. Lower is better: 0 is complete.

        |sum R - (f(x) - f(b))| / |f(x) - f(b)|

    What floating point numbers cannot tell from 0, 4 eps (sum |R| + |f(x)| + |f(b)|), counts as 0. It is NaN where f(x) = f(b)
    and the sum is not 0.

    References: Sundararajan, Taly and Yan, 2017, Axiomatic attribution for deep networks,
        https://doi.org/10.48550/arXiv.1703.01365

    Arguments:
        value: The baseline b: a number, one per channel, or a sample. None: the sum is compared with f(x) alone, as relevance
            propagation conserves it.
    """

    name: ClassVar[str] = "completeness"
    higher: ClassVar[bool] = False
    needs: ClassVar[Need] = "model"

    value: float | None = 0.0

    def score(self, question: Question, answer: Answer) -> Scores:
        whole, key = question.score.double().cpu(), ("f of a baseline", self.value)
        forwards = 0 if self.value is None or key in question.memory else len(question)
        nothing = torch.zeros_like(whole)
        empty = nothing if self.value is None else question.remembered(key, lambda: baseline_scores(question, self.value))
        total = answer.heat().flatten(1).sum(1).cpu()
        size = answer.heat().flatten(1).abs().sum(1).cpu()
        rounding = 4 * torch.finfo(answer.values.dtype).eps * (size + whole.abs() + empty.abs())
        gap, amount = (total - (whole - empty)).abs(), (whole - empty).abs()
        relative = torch.where(amount > rounding, gap / amount, torch.nan)
        return Scores(where_finite(answer, torch.where(gap <= rounding, 0.0, relative)).double(), forwards)


def baseline_scores(question: Question, value: float | Tensor | None) -> Tensor:
    """The target with the baseline in place of every sample, with shape (sample,), double, on the CPU."""
    x = check_real(question.x, "completeness with a baseline")
    filled = baseline(0.0 if value is None else value, x).expand(x.shape)

    def make(start: int, stop: int) -> tuple[Tensor, list[int]]:
        return filled[start:stop].contiguous(), list(range(start, stop))

    found = [values for _, _, values in run_batched(question.readout, len(x), make, batch=batch_size(x), what="baselines")]
    return question.readout.check(torch.cat(found)).double().cpu()


@dataclass(frozen=True)
class NonSensitivity:
    """How many parts have relevance though the model does not mind them, or none though it does. Lower is better.

        |{i: R_i = 0}  symmetric difference  {i: f(x) - f(x without i) = 0}|

    The paper asks for the mean over values in place of a part; here it becomes 0. Parts are squares of 16 x 16 pixels (columns of
    a table).

    References: Nguyen and Martinez, 2020, On quantitative aspects of model interpretability,
        https://doi.org/10.48550/arXiv.2007.07584

    Arguments:
        eps: What counts as 0: less than this share of the largest relevance, and of f(x) or the largest difference.
        absolute: Whether eps is no share but a number.
        scheme: Which parts, and what stands where they were; its steps are not used.
        reading: What is read of the model's answers.
    """

    name: ClassVar[str] = "non_sensitivity"
    higher: ClassVar[bool] = False
    needs: ClassVar[Need] = "model"

    eps: float = 1e-5
    absolute: bool = False
    scheme: Scheme = SQUARES
    reading: Reading = "target"

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise MethodError(
                f"non_sensitivity with eps={self.eps}", "no tolerance", "floating point numbers are seldom 0",
                "Give 1e-5, say.",
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        study = experiment(question, self.scheme)
        before = study.forwards
        lost = losses(study, [singles(i, part.n) for i, part in enumerate(study.parts)], self.reading)
        found = []
        for sample, (effect, part) in enumerate(zip(lost, study.parts, strict=True)):
            R, score = part_relevance(answer, sample, part, self.scheme.weigh), float(question.score[sample].abs())
            if effect is None or R is None:
                found.append(torch.nan)
                continue
            found.append(float((self._zero(R.abs(), 0.0) ^ self._zero(effect.abs(), score)).sum()))
        return Scores(torch.tensor(found, dtype=torch.float64), study.forwards - before)

    def _zero(self, size: Tensor, scale: float) -> Tensor:
        if self.absolute:
            return size < self.eps
        return size <= self.eps * max(scale, float(size.max()))


@dataclass(frozen=True)
class InputInvariance(SensitivityMetric):
    """How much a map changes when all inputs are shifted by a constant and the model takes the shift back. Lower is better.

        ||R'(x + m) - R(x)|| / ||R(x)||,   R' of the model g with g(x + m) = f(x)

    The shift is folded into the bias of the first layer where the samples go straight into one; else it is subtracted before the
    model, and said. R(x) = 0 counts as of length 1; what rounding explains counts as 0.

    References: Kindermans et al., 2019, The (un)reliability of saliency methods, https://doi.org/10.1007/978-3-030-28954-6_14

    Arguments:
        shift: m, in the units of the model's input.
    """

    name: ClassVar[str] = "input_invariance"

    shift: float = 1.0

    def score(self, question: Question, answer: Answer) -> Scores:
        model, folded = shift_input(question.model, check_real(question.x, self.name), self.shift)
        again = Explainer.of(question, answer, model)
        maps = again.maps(question.x + self.shift)
        note = "The shift is subtracted before the model: its first operation is no dense layer or convolution."
        return Scores(relative_distance(answer, maps), again.forwards, notes=() if folded else (note,))


@dataclass(frozen=True)
class ImplementationInvariance(SensitivityMetric):
    """How much a map changes when the same function is computed in another way. Lower is better.

        ||R'(x) - R(x)|| / ||R(x)||,   R' of a model whose every dense layer and convolution W x is (W / 2 + D) x + (W / 2 - D) x

    D is random, of the size of W. The paper states the axiom for any two networks that are the same function; this is one pair.
    R(x) = 0 counts as of length 1; what rounding explains counts as 0.

    References: Sundararajan, Taly and Yan, 2017, Axiomatic attribution for deep networks,
        https://doi.org/10.48550/arXiv.1703.01365
    """

    name: ClassVar[str] = "implementation_invariance"

    def score(self, question: Question, answer: Answer) -> Scores:
        model, number = split_layers(question.model, question.seed)
        if not number:
            raise MethodError(
                f"implementation_invariance of {question.model.name}", "no dense layer or convolution among its modules",
                "the metric reimplements these", "Load the module itself: pl.load(net).",
            )  # fmt: skip
        again = Explainer.of(question, answer, model)
        maps = again.maps(question.x)
        return Scores(relative_distance(answer, maps), again.forwards)


def relative_distance(answer: Answer, maps: Tensor) -> Tensor:
    """How far other maps are from those of the answer, relative to their length, with shape (sample,), double, on the CPU.

    64 eps and less counts as 0: a function that is computed in another way is rounded in another way.
    """
    values = answer.values.to(maps)
    norm = row_norms(values)
    far = row_norms(maps - values) / torch.where(norm == 0, 1, norm)
    far = torch.where(far <= 64 * torch.finfo(values.dtype).eps, 0.0, far)
    return where_finite(answer, far).cpu()
