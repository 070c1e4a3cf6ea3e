"""Auto: the method that measures best on this model and this input, among a few that are quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from pellucid.catalogue.methods import as_method
from pellucid.core.one_line import one_line
from pellucid.errors import PellucidError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import Method
from pellucid.metrics.report.advice import FEWEST
from pellucid.metrics.report.table import Table
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.token_inputs import adapt
from pellucid.target import Target
from .evaluate import evaluate

BACKWARD = ("lrp", "integrated_gradients", "gradient_x_input", "gradcam")
BACKWARD_FOR_TEXTS = BACKWARD[:3]  # of texts: those whose values add up over the vector of a token
FORWARD = ("occlusion", "kernel_shap", "rise")


@dataclass(frozen=True, eq=False)
class Auto:
    """The first of a few methods by SRG: whose order of parts, taken away from either end, tells most from least relevant.

    Of networks whose operations can be recorded, those of `BACKWARD` are tried, which take some seconds at most; of any other
    callable, those of `FORWARD`, which take nothing but forward passes. What cannot answer is left out, and the notes say so.
    One method is chosen for the whole batch. SRG is about faithfulness alone; it says nothing of whether maps tell classes
    apart, or are free of noise.

    Arguments:
        candidates: Which methods are tried, by name; None: see above.
        table: What `evaluate` found before: then its advice is followed, and nothing is tried.
        strict: As in `explain`, of candidates and of what is chosen.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2, bias=False)).eval()
        >>> _ = net[0].weight.data.copy_(torch.tensor([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]))
        >>> import pellucid as pl
        >>> e = pl.explain(net, torch.ones(1, 4), 0, method="auto")
        >>> e.method, e.notes[0].partition(" (chance")[0]
        ('lrp', '`auto` chose lrp: SRG 0.075 on this input, beside integrated_gradients 0.075, gradient_x_input 0.075')
    """

    name: ClassVar[str] = "auto"
    signed: ClassVar[bool] = True

    candidates: Sequence[str] | None = None
    table: Table | None = None
    strict: bool = False
    written: Any = None  # the text whose tokens are explained, a `pellucid.tape.token_inputs.TokenizedText`

    __repr__ = one_line

    def of_tokens(self, written: Any) -> tuple[Auto, tuple[str, ...]]:
        """The same for one text: its tokens are the parts, each a place with a vector."""
        return replace(self, written=written), ()

    def resolve(self, model: Model, x: Tensor, target: Target) -> tuple[Method, str]:
        """The method that is chosen, and why, in a sentence or two.

        Raises:
            PellucidError: no candidate can answer; with the error of the first.
        """
        table = self._evaluate_candidates(model, x, target) if self.table is None else self.table
        name = table.best
        method = as_method(name, strict=self.strict)
        reason = reasons(table, name) if self.table is None else f"as an evaluation before advised: {table.advice}"
        return method, f"`auto` chose {name}{':' if self.table is None else ','} {reason}"

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The answer of the chosen method."""
        method, reason = self.resolve(model, x, target)
        adapted_method, notes = (method, ()) if self.written is None else adapt(method, self.written)
        attribution = adapted_method.attribute(model, x, target, at)
        return replace(attribution, method=method.name, notes=(reason, *attribution.notes, *notes))

    def _evaluate_candidates(self, model: Model, x: Tensor, target: Target) -> Table:
        def evaluated(methods: Sequence[str]) -> Table:
            how = {"floor": False, "ceiling": False, "strict": self.strict, "channels": 1 if self.written is None else -1}
            return evaluate(model, x, methods, ["srg"], target, **how)  # type: ignore[arg-type]

        if self.candidates is not None:
            return evaluated(self.candidates)
        try:
            return evaluated(BACKWARD if self.written is None else BACKWARD_FOR_TEXTS)
        except PellucidError:  # nobody can see what it computes
            return evaluated(FORWARD)


def reasons(table: Table, name: str) -> str:
    """Why a method was chosen: the scores of all that were tried, which could not answer, and how sure that is."""
    rows = sorted((row for row in table.rows if row["score"] is not None), key=lambda row: -row["score"])
    scores = {row["method"]: f"{row['score']:.3f}" for row in rows}
    n, own = max((row["n"] for row in rows), default=1), scores.pop(name, "is not defined")
    others = f", beside {', '.join(f'{method} {score}' for method, score in scores.items())}" if scores else ""
    failed = ", ".join(method for method, _ in table.failures)
    few = f"{'One input tells' if n == 1 else 'So few tell'} little of others: `pellucid evaluate` asks many."
    sentences = [f"SRG {own} on {'this input' if n == 1 else f'these {n} inputs'}{others} (chance is 0)."]
    return " ".join([*sentences, *([f"No answer from {failed}."] if failed else []), *([few] if n < FEWEST else [])])
