"""Perturbation: explaining by what happens to the target when parts of the input are taken away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..attribution import Attribution
from ..errors import MethodError
from ..model import Model
from ..model.where import Where
from ..readout import Readout, inside, settled
from ..target import Target
from .design import Design
from .imputer import as_imputer
from .regions import Division, moved
from .responses import Estimate, Estimator, Responses, Study, relative

STAGES = 8  # of a run that may stop early


@dataclass(frozen=True, eq=False)
class Perturbation:
    """Regions x design x imputer x estimator: one loop for all methods that change the input and watch the target.

    Arguments:
        name: The catalogue name.
        division: Into which regions the input is divided.
        design: Which of them are taken away together, and how often.
        estimator: From the answers to one number per region.
        imputer: What stands where something was taken away: an imputer, a number, a tensor, or a function (x, gone) -> x.
        draws: Random draws of the imputer per row; 1 for one that does not draw.
        tol: Stop before the design is through, once the greatest standard error is below that share of the range of the values.
        batch: Rows asked at once; None: found by trial, halved when memory runs out.

    Raises:
        InputError: the regions do not fit the input, or the imputer does not.
        ModelError: an answer is NaN or infinite.
        MethodError: the budget is too small for as many regions.
    """

    name: str
    division: Division
    design: Design
    estimator: Estimator
    imputer: Any = 0.0
    draws: int = 1
    tol: float | None = None
    batch: int | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def signed(self) -> bool:
        return self.estimator.signed

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """One number per region, painted on the entries of the region."""
        readout, score, output = settled(model, x, target, _path(at))
        value = inside(readout)
        studies = [self.study(readout, value, row) for row in range(len(value))]
        found = [self._explained(study) for study in studies]
        values, errors = zip(*((v, e) for v, e, _, _ in found), strict=True)
        notes = tuple(dict.fromkeys(note for *_, told in found for note in told))
        shared = value.dim() > 2 and studies[0].regions.shape[0] == 1
        return Attribution(
            torch.stack(values), score, readout.target, output,
            notes=self.notes + notes, options=self.options, shared=shared,
            error=None if any(e is None for e in errors) else torch.stack(errors),
            forwards=sum(count for _, _, count, _ in found),
        )  # fmt: skip

    def study(self, readout: Readout, value: Tensor, row: int) -> Study:
        """The questions about one sample."""
        sample = value[row : row + 1]
        regions = moved(self.division.of(sample, readout.model), value.device)
        imputer = as_imputer(self.imputer)
        self._fits(imputer)
        fill = imputer.prepare(sample, regions, readout.model)
        told = "; ".join(self.options)
        return Study(readout, sample, row, regions, self.design, fill, self.draws, self.batch, told)

    def sample(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> tuple[Study, Responses]:
        """The questions about the first sample of x, and the model's answers: for estimators to read, again and again."""
        readout, _, _ = settled(model, x, target, _path(at))
        study = self.study(readout, inside(readout), 0)
        return study, study.go_on(study.begin())

    def _explained(self, study: Study) -> tuple[Tensor, Tensor | None, int, tuple[str, ...]]:
        """Values and standard errors shaped like the sample, the number of forward passes, and notes."""
        responses, total = study.begin(), study.design.count(study.regions.n)
        estimate: Estimate | None = None
        for upto in self._stages(total):
            responses = study.go_on(responses, upto)
            if len(responses) < total and len(responses) < upto:
                break  # called off
            if self.tol is not None or upto == total:
                estimate = self.estimator.estimate(responses, responses.target)
                if self.tol is not None and relative(estimate.error, estimate.values) < self.tol:
                    break
        notes: tuple[str, ...] = ()
        if len(responses) < total and (estimate is None or self.tol is None):
            notes = (f"Called off after {len(responses):,} of {total:,} questions.",)
            estimate = self.estimator.estimate(responses, responses.target)
        assert estimate is not None
        painted = [None if part is None else _painted(study, part) for part in (estimate.values, estimate.error)]
        assert painted[0] is not None
        return painted[0], painted[1], responses.forwards, estimate.notes + notes

    def _stages(self, total: int) -> list[int]:
        if self.tol is None:
            return [total]
        return [total * (k + 1) // STAGES for k in range(STAGES) if total * (k + 1) // STAGES]

    def _fits(self, imputer: Any) -> None:
        if self.design.soft and not imputer.soft:
            raise MethodError(
                f"{self.name} with {imputer}", "masks with shares between 0 and 1",
                "this imputer replaces whole places only", "Use pl.perturb.blur(), mean(), noise() or constant().",
            )  # fmt: skip

    @property
    def options(self) -> tuple[str, ...]:
        parts = self.division, self.design, self.estimator, as_imputer(self.imputer)
        return tuple(str(part) for part in parts) + ((f"draws={self.draws}",) if self.draws > 1 else ())


def _painted(study: Study, values: Tensor) -> Tensor:
    """One value per region, for every entry of the sample."""
    return study.regions.paint(values).expand(study.value.shape[1:])


def _path(at: str | Where | None) -> str | None:
    """Perturbations reach inside a model by module paths."""
    if isinstance(at, Where):
        if at.op is not None or at.position is not None or at.module is None:
            raise MethodError(
                f"a perturbation at {at}", "an operation", "values can be replaced where a module returns them",
                'Name the module: at="layer4".',
            )  # fmt: skip
        return at.module
    return at
