"""Run: the responses about one sample, to be read by any estimator, extended, saved, and shown as an explanation."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.explanation.attribution import Attribution
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.target import Target, as_target
from .estimator import Estimate, Estimator, estimator_named
from .query import extend
from .responses import Responses
from .study import Study, called_off, painted

GROWTH, REACH = 1.5, 16  # of a run that goes on for a tolerance: rows from stage to stage, and at most, of what was planned


@dataclass(frozen=True, eq=False)
class Run:
    """One run over one sample: the rows that went through the model, and what it answered.

    Reading it costs no forward pass, whatever estimator or class it is read for.

    Arguments:
        name: The method that made the run.
        estimator: What that method makes of the answers.
        options: Its settings, in readable lines, for provenance.
        output: The model's main output for the sample.

    Example:
        >>> from pellucid.methods.perturb.kernel_shap import kernel_shap
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False)).eval()
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]))
        >>> run = kernel_shap(imputer=0.0).sample(net, torch.ones(1, 3), target=0)
        >>> run
        Run(kernel_shap -> logit 0, 3 regions, 6 of 6 rows, 8 forward passes)
        >>> run.fit("banzhaf").values.round().tolist(), run.fit("shapley", target=1).values.abs().round().tolist()
        ([1.0, 2.0, 3.0], [0.0, 0.0, 1.0])
    """

    name: str
    estimator: Estimator
    options: tuple[str, ...]
    study: Study
    responses: Responses
    output: Tensor

    def __len__(self) -> int:
        """How many rows were answered."""
        return len(self.responses)

    def __repr__(self) -> str:
        n, r = self.study.regions.n, self.responses
        rows = f"{len(r):,} of {self.study.rows:,} rows"
        return f"Run({self.name} -> {r.target}, {n:,} regions, {rows}, {r.forwards:,} forward passes)"

    def fit(self, estimator: str | Estimator | None = None, target: Any = None) -> Estimate:
        """One number per region, with standard errors.

        Arguments:
            estimator: A name ("lime", "shapley", "banzhaf", "rise", "sobol", "hsic") or an estimator; None: that of
                the method itself. Rows drawn for another method are weighted as if they had been drawn for it.
            target: Another class or target; None: that of the run.

        Raises:
            MethodError: these rows cannot serve that estimator, or only the first target was kept.
        """
        return self._estimator(estimator).estimate(self.responses, self._target(target))

    def extend(
        self, budget: int | None = None, *, tol: float | None = None, estimator: str | Estimator | None = None, target: Any = None
    ) -> Run:
        """The run with more rows; answers that are there are kept.

        Whoever watches the progress may call it off: what is there by then is returned.

        Arguments:
            budget: Rows to reach; None: those the design planned, or with a tolerance, 16 times as many at most.
            tol: Stop once the greatest standard error is below that share of the range of the values.
            estimator, target: Whose values; see `fit`.
        """
        planned = self.study.rows
        most = budget or (REACH * planned if tol is not None else planned)
        run = self._longer(most)
        most = min(most, run.study.rows)
        while len(run) < most:
            upto = most if tol is None else min(most, max(int(GROWTH * len(run)), planned))
            if tol is not None and len(run) and run.fit(estimator, target).relative_error < tol:
                break
            run = replace(run, responses=extend(run.study, run.responses, upto))
            if len(run) < upto:
                break  # called off
        return run

    def method(self, estimator: str | Estimator | None = None) -> RunMethod:
        """These answers as a method: `explain(model, x, target, method=run.method("lime"))` needs no forward pass."""
        name = estimator if isinstance(estimator, str) else self.name if estimator is None else type(estimator).__name__
        return RunMethod(name, self._estimator(estimator), self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write rows and answers as .safetensors, whole or not at all."""
        return self.responses.save(path)

    def load(self, path: str | os.PathLike[str]) -> Run:
        """This run with the answers of a file, as `save` wrote it, in place of its own: see `Responses.load_into`."""
        responses = self.responses.load_into(path)
        return replace(self, study=replace(self.study, design=responses.design), responses=responses)

    def _longer(self, rows: int) -> Run:
        n, design = self.study.regions.n, self.study.design
        if rows <= design.count(n):
            return self
        design = design.longer(n, rows)
        return replace(self, study=replace(self.study, design=design), responses=replace(self.responses, design=design))

    def _estimator(self, estimator: str | Estimator | None) -> Estimator:
        if estimator is None or estimator == self.name:
            return self.estimator
        return estimator_named(estimator) if isinstance(estimator, str) else estimator

    def _target(self, target: Any) -> Target:
        """Another target, settled by the answer for the sample itself."""
        if target is None:
            return self.responses.target
        target = as_target(target)
        if str(target) == str(self.responses.target):
            return self.responses.target
        return self.responses.settle(target, self.study.readout.model)


@dataclass(frozen=True, eq=False)
class RunMethod:
    """A run read by an estimator, as a method: no forward pass is made."""

    per_token: ClassVar[str] = "same"
    runs: ClassVar[bool] = False

    name: str
    estimator: Estimator
    run: Run

    @property
    def signed(self) -> bool:
        return self.estimator.signed

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """One number per region, painted on the entries of the region.

        Raises:
            InputError: the run is about another sample, or another model.
        """
        study, responses = self.run.study, self.run.responses
        self._check_same(model, x, at)
        resolved = self.run._target(target)
        estimate = self.estimator.estimate(responses, resolved)
        values, error = painted(estimate, study)
        notes = (called_off(len(responses), study.rows),) if len(responses) < study.rows else ()
        return Attribution(
            values[None], responses.read_full(resolved)[None], resolved, self.run.output,
            notes=(f"Estimated from the {len(responses):,} model outputs of a run of {self.run.name}.", *estimate.notes, *notes),
            options=(*self.run.options, str(self.estimator)), error=None if error is None else error[None],
            shared=study.shared, forwards=responses.forwards,
        )  # fmt: skip

    def _check_same(self, model: Model, x: Tensor, at: str | Where | None) -> None:
        readout, ours = self.run.study.readout, self.run.study.readout.model
        if not (ours.forward is model.forward if ours.module is None else ours.module is model.module):
            other = "model"
        elif x.shape != readout.x.shape or not torch.equal(x, readout.x):
            other = "sample"
        elif (None if at is None else str(at)) != readout.at:
            other = "value inside the model"
        else:
            return
        raise InputError(
            f"{self.name} from a run of {self.run.name}", f"another {other}", "a run is about one sample of one model",
            "Start again: pl.explain(model, x, method=...).",
        )  # fmt: skip
