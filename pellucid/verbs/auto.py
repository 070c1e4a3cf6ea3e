"""Auto: the method that measures best on this model and this input, among a few that are quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.method import Method
from pellucid.metrics.report.advice import FEWEST
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.token_inputs import adapted
from pellucid.target import Target

if TYPE_CHECKING:
    from pellucid.metrics.report.table import Table

WALKED = ("lrp", "integrated_gradients", "gradient_x_input", "gradcam")
SUMMED = WALKED[:3]  # of texts: those whose values add up over the vector of a token
ASKED = ("occlusion", "kernel_shap", "rise")


@dataclass(frozen=True, eq=False)
class Auto:
    """The first of a few methods by SRG: whose order of parts, taken away from either end, tells most from least relevant.

    Of networks whose operations can be seen, those of `WALKED` are tried, which take some seconds at most; of anything else that
    can be called, those of `ASKED`, which only ask. What cannot answer is left out, and said. One method is chosen for the whole
    batch. SRG is about what the model minds; it does not ask whether maps tell classes apart, or are calm.

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

    def of_tokens(self, written: Any) -> tuple[Auto, tuple[str, ...]]:
        """The same for one text: its tokens are the parts, each a place with a vector."""
        return replace(self, written=written), ()

    def resolve(self, model: Model, x: Tensor, target: Target) -> tuple[Method, str]:
        """The method that is chosen, and why, in a sentence or two.

        Raises:
            PellucidError: no candidate can answer; what the first of them said.
        """
        from pellucid.catalogue.methods import as_method

        found = self._tried(model, x, target) if self.table is None else self.table
        name = found.best
        chosen = as_method(name, strict=self.strict)
        reason = why(found, name) if self.table is None else f"as an evaluation before advised: {found.advice}"
        return chosen, f"`auto` chose {name}{':' if self.table is None else ','} {reason}"

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """What the chosen method answers."""
        chosen, reason = self.resolve(model, x, target)
        fitted, notes = (chosen, ()) if self.written is None else adapted(chosen, self.written)
        found = fitted.attribute(model, x, target, at)
        return replace(found, method=chosen.name, notes=(reason, *found.notes, *notes))

    def _tried(self, model: Model, x: Tensor, target: Target) -> Table:
        from .evaluate import evaluate

        def judged(methods: Sequence[str]) -> Table:
            how = {"floor": False, "ceiling": False, "strict": self.strict, "channels": 1 if self.written is None else -1}
            return evaluate(model, x, methods, ["srg"], target, **how)  # type: ignore[arg-type]

        if self.candidates is not None:
            return judged(self.candidates)
        try:
            return judged(WALKED if self.written is None else SUMMED)
        except PellucidError:  # nobody can see what it computes
            return judged(ASKED)


def why(found: Table, name: str) -> str:
    """The evidence: the scores of all that were tried, who could not answer, and what it does not tell."""
    rows = sorted((row for row in found.rows if row["score"] is not None), key=lambda row: -row["score"])
    told = {row["method"]: f"{row['score']:.3f}" for row in rows}
    n, own = max((row["n"] for row in rows), default=1), told.pop(name, "is not defined")
    beside = f", beside {', '.join(f'{method} {score}' for method, score in told.items())}" if told else ""
    failed = ", ".join(method for method, _ in found.failures)
    few = f"{'One input tells' if n == 1 else 'So few tell'} little of others: `pellucid evaluate` asks many."
    said = [f"SRG {own} on {'this input' if n == 1 else f'these {n} inputs'}{beside} (chance is 0)."]
    return " ".join([*said, *([f"No answer from {failed}."] if failed else []), *([few] if n < FEWEST else [])])
