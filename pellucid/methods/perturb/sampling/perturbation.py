"""Perturbation: the method made of regions, a design, an imputer and an estimator."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pellucid.core.answers import keep_answer, kept_answer
from pellucid.errors import InputError, MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model, load
from pellucid.model.outputs import main_output
from pellucid.model.where import Where
from pellucid.tape.forward import Readout, batch_size, resolve_readout, varied_value
from pellucid.tape.independence import together_note
from pellucid.target import Target, as_target
from pellucid.target.number import Number
from ..imputers.multi_input import as_imputer, column_values, for_columns, prepared
from ..imputers.text import LeftOut, replacement, text_imputer
from ..regions.division import Division
from ..regions.multi_input import MultiInputRegions, divide
from ..regions.regions import Regions, TableColumns
from ..regions.text import text_division
from .design import Design, OneOut
from .estimator import Estimate, Estimator
from .query import distinct_rows, extend, start
from .responses import Responses
from .run import Run
from .study import Study, called_off, module_path, painted

SampleResult = tuple[Tensor, Tensor | None, int, tuple[str, ...]]
"""Values and standard errors shaped like the sample, the number of forward passes, and notes."""

STAGES = 8  # of a run that may stop early
FASTEST = 1 / 7  # of the time of whole passes: the least that was measured where only what a region reaches is computed
ADDITIVE = ("shapley", "kernel_shap")  # whose values over regions sum to what the sample scores above an empty one


@dataclass(frozen=True, eq=False)
class Perturbation:
    """Regions x design x imputer x estimator: one loop for all methods that change the input and watch the target.

    Arguments:
        name: The catalogue name.
        division: How the input is divided into regions.
        design: Which of them are removed together, and how often.
        estimator: From the answers to one number per region.
        imputer: What stands where something was taken away: an imputer, a number, a tensor, or a function (x, gone) -> x.
        draws: Random draws of the imputer per row; 1 for one that does not draw.
        tol: Stop before the design is through, once the greatest standard error is below that share of the range of the values.
        batch: Variants that go through the model at once; None: by the size of the sample, halved when memory runs out.
        accelerate: "auto" computes only what a region reaches, where that is exact and faster; "off" runs the whole network.
        semantics: "replace" puts the imputer's values where something is taken away. "remove" takes the tokens of those places
            out of a vision transformer, so that no filling has an influence; fewer tokens also cost less.

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

    def changes_ids(self, written: Any) -> bool:
        """Whether whole tokens of a text are replaced by another token, or left out: variants then are texts of real ids."""
        return self.semantics == "remove" or (not self.design.soft and replacement(self.imputer, written) is not None)

    def of_tokens(self, written: Any) -> tuple[Perturbation, tuple[str, ...]]:
        """A method that takes away parts of pictures as one that takes away parts of a text.

        Regions that were made for pictures become tokens; what stands in their place is the tokenizer's blank, unless a token id
        (`imputer=103`), a function of vectors, or `semantics="remove"` was asked for.
        """
        division = text_division(self.division, written)
        imputer, note = text_imputer(LeftOut() if self.semantics == "remove" else self.imputer, written)
        if self.design.soft and isinstance(imputer, LeftOut):
            raise MethodError(
                f"{self.name} with tokens left out", "masks with values between 0 and 1", "a token is either there or not",
                'Use semantics="replace", or another method: "shapley".',
            )  # fmt: skip
        batch = self.batch or batch_size(written.embedded.rows)  # vectors are larger than the ids they are of
        changed = {"division": division, "imputer": imputer, "batch": batch}
        return replace(self, draws=1, accelerate="off", semantics="replace", **changed), (note,)

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """One number per region, painted on the entries of the region."""
        return attribute(self, self._explain, model, x, target, at)

    def attribute_each(self, model: Model, x: Tensor, targets: Sequence[Target]) -> list[Attribution] | None:
        """One number per region for several targets of one sample, which all are read from the same answers."""
        if not self.estimator.null_players or self.tol is not None or self.semantics == "remove":
            return None
        _, _, output = resolve_readout(model, x, targets[0])
        several = Scores(model.forward, tuple(target.resolve(lambda at: output, model) for target in targets))
        columns = [Target(((1.0, Number(position=(n,))),)) for n in range(len(targets))]
        readout, _, scores = resolve_readout(replace(model, forward=several, labels=None, links={}), x, columns[0])
        study = self.study(readout, x, 0)
        responses = extend(study, start(study))
        estimates = [self.estimator.estimate(responses, column) for column in columns]
        off = called_off(len(responses), study.rows) if len(responses) < study.rows else ""
        notes = [tuple(filter(None, (*self.notes, study.regions.note, *one.notes, off))) for one in estimates]
        found = [painted(estimate, study) for estimate in estimates]
        return [
            Attribution(
                values[None], scores[:, n], target, output, notes=notes[n], options=self.options, shared=study.shared,
                error=None if error is None else error[None], forwards=responses.forwards if n == 0 else 0,
            )
            for n, ((values, error), target) in enumerate(zip(found, several.targets, strict=True))
        ]  # fmt: skip

    def study(self, readout: Readout, value: Tensor, row: int) -> Study:
        """What is to be computed for one sample."""
        sample = value[row : row + 1]
        regions = self._regions(sample, readout.model, inside=readout.at is not None)
        chosen, draws = as_imputer(self.imputer), self.draws
        if (self.design.soft or regions.soft) and not chosen.soft:
            raise MethodError(
                f"{self.name} with {chosen}", "masks with values between 0 and 1",
                "this imputer can only replace whole places", "Use pl.perturb.blur(), mean(), noise() or constant().",
            )  # fmt: skip
        imputer = for_columns(chosen, regions, readout.model, alone=isinstance(self.design, OneOut))
        values = column_values(imputer, regions, readout.model)
        if values is not None:
            regions, draws = replace(regions, note=" ".join(filter(None, (regions.note, values.note)))), values.draws
        fill = prepared(imputer, sample, regions, readout.model)
        filling = "removed" if self.semantics == "remove" else str(imputer)
        description = re.sub(r" at 0x\w+", "", f"{self.division}; {filling}; draws={draws}")
        once = not imputer.random and not regions.soft
        return Study(
            readout, sample, row, regions, self.design, fill, draws, self.batch, description, once, self.accelerate == "auto",
            self.semantics, exact=values is not None and values.exact,
        )  # fmt: skip

    def _regions(self, sample: Tensor, model: Model, *, inside: bool = False) -> Regions:
        """The regions of one sample, which are found once while something is explained."""
        found = kept_answer(self.division, sample)
        if not isinstance(found, Regions):
            found = divide(self.division, sample, model, inside=inside).to(sample.device)
            keep_answer(self.division, sample, found)
        return found

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes | None:
        """How often it is about to run the network; None where tokens are removed, so that passes differ in length."""
        if self.semantics == "remove":
            return None
        counts = [self._count(x[row : row + 1], model) for row in range(len(x))]
        shorter = FASTEST if self.accelerate == "auto" and isinstance(self.design, OneOut) else 1.0
        least = shorter if self.tol is None else shorter / STAGES
        return Passes(sum(counts), batch=self.batch or batch_size(x), least=least)

    def _count(self, sample: Tensor, model: Model) -> int:
        """The number of passes for one sample: of distinct rows, of the sample itself, and of what is left with no region."""
        regions = self._regions(sample, model)
        imputer = for_columns(as_imputer(self.imputer), regions, model, alone=isinstance(self.design, OneOut))
        values = column_values(imputer, regions, model)
        draws, rows = self.draws if values is None else values.draws, self.design.count(regions.n)
        once = not imputer.random and not regions.soft
        asked = distinct_rows(self.design, regions.n, rows, once=once)[0]
        return len(asked) * draws + 1 + (0 if self.design.common else draws)

    def begin(self, model: Any, x: Any, target: Any = None, at: str | Where | None = None) -> Run:
        """A run over one sample without rows yet: to load answers into, and to extend."""
        loaded = load(model)
        loaded.ready()
        x = x.detach().to(loaded.device) if isinstance(x, Tensor) else loaded.read(x)
        if x.dim() < 2 or len(x) != 1:
            raise InputError(
                f"a run of {self.name}", f"a tensor of shape {tuple(x.shape)}", "a run is about one sample",
                "Take one: x[:1].",
            )  # fmt: skip
        readout, _, output = resolve_readout(loaded, x, as_target(target), module_path(at))
        study = self.study(readout, varied_value(readout), 0)
        return Run(self.name, self.estimator, self.options, study, start(study), output)

    def sample(self, model: Any, x: Any, target: Any = None, at: str | Where | None = None) -> Run:
        """The model's answers about one sample, for estimators to read again and again.

        Arguments:
            model, x, target, at: As `explain` takes them; one sample only.
        """
        return self.begin(model, x, target, at).extend()

    def _explain(self, study: Study) -> SampleResult:
        responses, total = start(study), study.rows
        stages = [total * (k + 1) // STAGES for k in range(STAGES)] if self.tol is not None else []
        for upto in list(filter(None, stages)) or [total]:
            responses = extend(study, responses, upto)
            estimate = self.estimator.estimate(responses, responses.target)
            ends = self._ends(responses, estimate, upto, total)
            if ends is not None:
                break
        regions = study.regions
        how = responses.how if self.semantics == "remove" else ""
        several = isinstance(regions, MultiInputRegions) and self.name in ADDITIVE and len(study.readout.x) == 1
        shares = regions.shares(estimate.values) if several else ""  # type: ignore[attr-defined]
        notes = (shares, regions.note, how, *estimate.notes, ends or "")
        return *painted(estimate, study), responses.forwards, tuple(filter(None, notes))

    def _ends(self, responses: Responses, estimate: Estimate, upto: int, total: int) -> str | None:
        """Why the run ends, where the caption has to say it; None to go on."""
        if len(responses) < upto:
            return called_off(len(responses), total)
        missing = 0.0 if self.tol is None else estimate.relative_error
        if self.tol is None or missing < self.tol:
            return ""
        if upto < total:
            return None
        return f"The tolerance of {self.tol:g} was not reached: the largest standard error is {missing:.2g} of the values' range."

    @property
    def options(self) -> tuple[str, ...]:
        filled = 'semantics="remove"' if self.semantics == "remove" else as_imputer(self.imputer)
        parts = self.division, self.design, self.estimator, filled
        return tuple(str(part) for part in parts) + ((f"draws={self.draws}",) if self.draws > 1 else ())


@dataclass(frozen=True, eq=False)
class Scores:
    """A network's scores for several targets, with shape (batch, targets): what is kept of outputs too large to keep."""

    forward: Callable[..., Any]
    targets: tuple[Target, ...]

    def __call__(self, x: Tensor) -> Tensor:
        output = main_output(self.forward(x))
        return torch.stack([target.take([0] * len(x)).read(lambda at: output) for target in self.targets], 1)


def attribute(
    method: Perturbation,
    explained: Callable[[Study], SampleResult],
    model: Model,
    x: Tensor,
    target: Target,
    at: str | Where | None,
    options: tuple[str, ...] = (),
) -> Attribution:
    """The attribution of a batch, sample by sample.

    Arguments:
        explained: The result for one sample.
        options: Settings beside those of the method.
    """
    readout, score, output = resolve_readout(model, x, target, module_path(at))
    value = varied_value(readout)
    studies = [method.study(readout, value, row) for row in range(len(value))]
    values, errors, forwards, notes = zip(*map(explained, studies), strict=True)
    regions = studies[0].regions
    # what stands where columns of a table are taken away, where it is not what the method would put into a picture
    means = (regions.note,) if isinstance(regions, TableColumns) and regions.note else ()
    return Attribution(
        torch.stack(values), score, readout.target, output,
        notes=(*method.notes, *together_note(model, x), *dict.fromkeys(note for each in notes for note in each)),
        options=(*method.options, *options, *means), shared=studies[0].shared,
        error=None if any(error is None for error in errors) else torch.stack(errors), forwards=sum(forwards),
    )  # fmt: skip
