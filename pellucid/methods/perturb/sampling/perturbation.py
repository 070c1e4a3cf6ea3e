"""Perturbation: explaining by what happens to the target when parts of the input are taken away."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pellucid.errors import InputError, MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.model import Model, load
from pellucid.model.where import Where
from pellucid.tape.forward import Readout, inside, settled
from pellucid.target import Target, as_target
from ..imputers.imputer import as_imputer
from ..regions.division import Division
from ..regions.regions import Cells, OfColumns, Regions, moved
from .design import Design
from .multi_input import Apart, divide, filled, fitting
from .responses import Estimate, Estimator, Responses, Study, called_off, painted, relative
from .run import Run
from .text import of_tokens

STAGES = 8  # of a run that may stop early
ADD_UP = ("shapley", "kernel_shap")  # whose values over regions sum to what the sample scores above an empty one


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
        batch: Variants asked at once; None: by the size of the sample, halved when memory runs out.
        accelerate: "auto" computes only what a region reaches, where that is exact and sooner; "off" asks the whole network.
        semantics: "replace" puts the imputer's values where something is taken away. "remove" takes the tokens of those places
            out of a vision transformer, so that nothing stands there and no fill can speak; fewer tokens also cost less.

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
    accelerate: Literal["auto", "off"] = "auto"
    semantics: Literal["replace", "remove"] = "replace"
    notes: tuple[str, ...] = field(default=())

    per_token: ClassVar[str] = "same"  # every entry of a token's vector has the value of its region

    @property
    def signed(self) -> bool:
        return self.estimator.signed

    def of_tokens(self, written: Any) -> tuple[Perturbation, tuple[str, ...]]:
        """The same for one text, see `pellucid.methods.perturb.sampling.text`."""
        return of_tokens(self, written)

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """One number per region, painted on the entries of the region."""
        readout, score, output = settled(model, x, target, _path(at))
        value = inside(readout)
        studies = [self.study(readout, value, row) for row in range(len(value))]
        found = [self._explained(study) for study in studies]
        values, errors = zip(*((v, e) for v, e, _, _ in found), strict=True)
        notes = tuple(dict.fromkeys(note for *_, told in found for note in told))
        regions = studies[0].regions
        shared = regions.shared if isinstance(regions, Apart) else value.dim() > 2 and regions.shape[0] == 1
        return Attribution(
            torch.stack(values), score, readout.target, output,
            notes=self.notes + notes, options=self.options + _means(regions), shared=shared,
            error=None if any(e is None for e in errors) else torch.stack(errors),
            forwards=sum(count for _, _, count, _ in found),
        )  # fmt: skip

    def study(self, readout: Readout, value: Tensor, row: int) -> Study:
        """The questions about one sample."""
        sample = value[row : row + 1]
        regions = divide(self.division, sample, readout.model, inside=readout.at is not None)
        regions = regions.on(value.device) if isinstance(regions, Apart) else moved(regions, value.device)
        imputer = as_imputer(self.imputer)
        self._fits(imputer, regions)
        instead, draws = fitting(imputer, regions, readout.model), self.draws
        if instead is not imputer and isinstance(regions, OfColumns):
            imputer, regions = instead, replace(regions, note="A column that is taken away stands at its mean.")
            draws = 1  # they do not draw
        fill = filled(imputer, sample, regions, readout.model)
        told_of = "removed" if self.semantics == "remove" else str(imputer)
        told = re.sub(r" at 0x\w+", "", f"{self.division}; {told_of}; draws={draws}")
        parts = regions.parts if isinstance(regions, Apart) else (regions,)
        once = not imputer.random and not any(isinstance(part, Cells) for part in parts)
        return Study(
            readout, sample, row, regions, self.design, fill, draws, self.batch, told, once, self.accelerate == "auto",
            self.semantics,
        )  # fmt: skip

    def begin(self, model: Any, x: Any, target: Any = None, at: str | Where | None = None) -> Run:
        """A run over one sample, with nothing asked yet: to load answers into, and to go on with."""
        loaded = load(model)
        loaded.ready()
        x = x.detach().to(loaded.device) if isinstance(x, Tensor) else loaded.read(x)
        if x.dim() < 2 or len(x) != 1:
            raise InputError(
                f"a run of {self.name}", f"a tensor of shape {tuple(x.shape)}", "a run is about one sample, batch first",
                "Take one: x[:1].",
            )  # fmt: skip
        readout, _, output = settled(loaded, x, as_target(target), _path(at))
        study = self.study(readout, inside(readout), 0)
        return Run(self, study, study.begin(), output)

    def sample(self, model: Any, x: Any, target: Any = None, at: str | Where | None = None) -> Run:
        """The model's answers about one sample, for estimators to read again and again.

        Arguments:
            model, x, target, at: As `explain` takes them; one sample only.
        """
        return self.begin(model, x, target, at).extend()

    def _explained(self, study: Study) -> tuple[Tensor, Tensor | None, int, tuple[str, ...]]:
        """Values and standard errors shaped like the sample, the number of forward passes, and notes."""
        responses, total = study.begin(), study.design.count(study.regions.n)
        for upto in self._stages(total):
            responses = study.go_on(responses, upto)
            estimate = self.estimator.estimate(responses, responses.target)
            ends = self._ends(responses, estimate, upto, total)
            if ends is not None:
                break
        chosen = getattr(study.regions, "note", "")  # divisions that choose for themselves say what
        how = responses.how if self.semantics == "remove" else ""
        several = isinstance(study.regions, Apart) and self.name in ADD_UP and len(study.readout.x) == 1
        shares = study.regions.shares(estimate.values) if several else ""  # type: ignore[attr-defined]
        notes = (shares, chosen, how, *estimate.notes, ends or "")
        return *painted(estimate, study), responses.forwards, tuple(filter(None, notes))

    def _ends(self, responses: Responses, estimate: Estimate, upto: int, total: int) -> str | None:
        """Why nothing more is asked, where the caption has to say it; None to go on."""
        if len(responses) < upto:
            return called_off(len(responses), total)
        missing = 0.0 if self.tol is None else relative(estimate.error, estimate.values)
        if self.tol is None or missing < self.tol:
            return ""
        if upto < total:
            return None
        return f"The tolerance of {self.tol:g} was not reached: the largest standard error is {missing:.2g} of the values' range."

    def _stages(self, total: int) -> list[int]:
        if self.tol is None:
            return [total]
        return [total * (k + 1) // STAGES for k in range(STAGES) if total * (k + 1) // STAGES] or [total]

    def _fits(self, imputer: Any, regions: Regions) -> None:
        parts = regions.parts if isinstance(regions, Apart) else (regions,)
        if (self.design.soft or any(isinstance(part, Cells) for part in parts)) and not imputer.soft:
            raise MethodError(
                f"{self.name} with {imputer}", "masks with shares between 0 and 1",
                "this imputer replaces whole places only", "Use pl.perturb.blur(), mean(), noise() or constant().",
            )  # fmt: skip

    @property
    def options(self) -> tuple[str, ...]:
        filled = 'semantics="remove"' if self.semantics == "remove" else as_imputer(self.imputer)
        parts = self.division, self.design, self.estimator, filled
        return tuple(str(part) for part in parts) + ((f"draws={self.draws}",) if self.draws > 1 else ())


def _means(regions: Regions) -> tuple[str, ...]:
    """What stands where columns of a table are taken away, where it is not what the method would put into a picture."""
    return (regions.note,) if isinstance(regions, OfColumns) and regions.note else ()


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
