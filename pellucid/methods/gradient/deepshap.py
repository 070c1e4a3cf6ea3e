"""DeepSHAP: DeepLIFT averaged over many baselines, with standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import check_branches, find, record, resolve_target
from pellucid.target import Target
from .baseline import brief
from .deeplift import check_rule, compare, completeness
from .expected import source_of
from .sampling import Tally, called_off


@dataclass(frozen=True, eq=False)
class DeepShap:
    """DeepSHAP: DeepLIFT averaged over baselines b.

        R_i = E over b of m_i(b) (x_i - b_i)

    The values sum to f(x) - E f(b): how the score differs from what it is on the average. For a network of one layer they are
    the Shapley values of independent entries; deeper down that is an approximation. Standard errors treat the baselines as drawn
    from all there could be, and say how much the choice matters.

    Without baselines of yours, they are pictures of noise, as for `expected_gradients`, which estimates the same: each entry
    drawn uniformly between black and white where the preprocessing is known, else between the least and the greatest entry of
    its channel in that sample. Nothing a network looks for is in them, all entries differ from x, and no colour is preferred;
    they are also like nothing the network has seen. Some 10 to 100 inputs of your data are better.

    References: Lundberg and Lee, 2017, A unified approach to interpreting model predictions, Section 4.2 (Deep SHAP),
        https://doi.org/10.48550/arXiv.1705.07874; Chen et al., 2022, Explaining a series of models by propagating Shapley values,
        for the mean over baselines taken one by one, https://doi.org/10.1038/s41467-022-31384-3

    Arguments:
        baselines: Inputs to compare with, as many as there are, along the first axis; all are used, once each. None: see above.
        n: How many are drawn where none are given.
        rule: As of `DeepLift`.
        seed: For the draws. Every sample of a batch sees the same ones.

    Raises:
        InputError: the baselines do not fit.
        MethodError: there is no such rule, fewer than two draws, or the network does other things at a baseline than at x.
        ModelError: the output at a baseline is not finite.

    Example:
        >>> import pellucid as pl
        >>> method = DeepShap(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
        >>> e = pl.explain(lambda x: x.relu().sum(1, keepdim=True), torch.tensor([[2.0, 5.0]]), target=0, method=method)
        >>> e.values, e.error
        (tensor([[0., 5.]]), tensor([[2., 0.]]))
    """

    name: ClassVar[str] = "deepshap"
    signed: ClassVar[bool] = True

    baselines: Tensor | None = None
    n: int = 10
    rule: str = "rescale"
    seed: int = 0

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`, with their standard errors where there are several baselines."""
        check_rule(self.rule)
        if self.baselines is None and self.n < 2:
            raise MethodError(f"n={self.n}", "fewer than two draws", "a standard error needs two", "Ask for 10, say.")
        source = source_of(self.baselines, model, x, self.seed)
        draws = self.n if self.baselines is None else len(source)
        samples, tally = len(x), Tally(len(x))
        tape = record(model, x)
        resolved = resolve_target(tape, target, model)
        lost = check_branches(tape, resolved.gradients, tape.inputs[0] if at is None else find(tape, at), slopes=False)
        change, gap = (torch.zeros(samples, dtype=torch.float64, device=x.device) for _ in range(2))
        for j in range(draws):
            origin = source.take([(j, j % len(source))] * samples, range(samples))
            comparison = compare(tape, record(model, origin), resolved, at, rule=self.rule, keep=True)
            change, gap = change + comparison.change, gap + comparison.gap
            for sample, value in enumerate(comparison.values):
                tally.add(sample, value)
            if report_progress(j + 1, draws, "baselines"):
                break
        done = tally.count[0]
        values, error = tally.mean.to(x.dtype), tally.error.to(x.dtype) if done > 1 else None
        notes = (
            str(source),
            completeness(change / done, gap / done, ", with what goes past it,", "mean of f(baseline)"),
            *called_off(tally.count, draws),
        )
        options = (f"baselines={brief(self.baselines)}", f"n={draws}", f"rule={self.rule}", f"seed={self.seed}")
        return Attribution(
            values, resolved.score, resolved.target, resolved.output, notes=notes, options=options, error=error,
            forwards=samples * (1 + 2 * done), lost=lost,
        )  # fmt: skip

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        draws = self.n if self.baselines is None else len(self.baselines)
        return Passes(len(x) * (1 + draws), len(x) * draws)
