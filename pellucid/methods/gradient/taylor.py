"""Simple Taylor decomposition: first-order terms around a root point, where the score is zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import batch_size, run_batched
from pellucid.target import Target
from .baseline import Baseline, brief, filled
from .batched import BatchedGradient, batched_gradient, column

ROOTS = ("gradient", "segment")
PARTS, ROUNDS = 16, 5  # the first crossing is boxed into a part, and that box is cut again: 16^-5 of the way is left


@dataclass(frozen=True, eq=False)
class SimpleTaylor:
    """Simple Taylor decomposition: first-order terms of the score around a root point x0, where f(x0) = 0.

        R_i = df/dx_i(x0) * (x_i - x0_i)

    They sum to f(x) up to what is not linear between x0 and x; the caption says how much that is. Where the root lies decides
    everything, and it is found so: f is read at 17 evenly spaced points of a line that starts at x; the first interval in which
    it changes sign is cut into 16 again, four times; in what is left f is taken as straight. So x0 is the nearest root *on that
    line*, not in space, and a pair of crossings within one of the first 16 intervals is passed over. Where f does not change sign
    on the line, the point among the 17 with the smallest |f| takes the root's place, and the caption says so. The derivative is
    taken within a millionth of the line before the root: networks of ReLUs may have a kink in it, as in 0.

    The line is "gradient": from x straight against the gradient of |f|, up to 4 times as far as a linear score would need (one
    Newton step). Of a linear score its root is the nearest of all, and R_i = w_i^2 / |w|^2 f(x). Or "segment": from x to a
    baseline. Of a network of ReLUs without biases and the baseline 0, x0 = 0 and R is gradient times input.

    References: Bach et al., 2015, On pixel-wise explanations, https://doi.org/10.1371/journal.pone.0130140;
        Montavon et al., 2017, Explaining nonlinear classification decisions with deep Taylor decomposition, Sect. 2,
        https://doi.org/10.1016/j.patcog.2016.11.008. The papers leave the search for the root open.

    Arguments:
        root: "gradient" or "segment".
        baseline: Where the segment ends; None for zeros in the space of the model's own input.
        reach: How far to go along the gradient, in Newton steps.

    Raises:
        MethodError: no such line, or nothing at `at` that can be changed.

    Example:
        >>> import pellucid as pl
        >>> pl.explain(lambda x: 2 * x[:, :1] + x[:, 1:] - 1, torch.tensor([[2.0, 2.0]]), target=0, method=SimpleTaylor()).values
        tensor([[4., 1.]])
    """

    name: ClassVar[str] = "simple_taylor"
    signed: ClassVar[bool] = True

    root: str = "gradient"
    baseline: Baseline = None
    reach: float = 4.0

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`."""
        if self.root not in ROOTS:
            raise MethodError(
                f"root={self.root!r}", "no such line", "a root is looked for on a line", f"Use {' or '.join(ROOTS)}."
            )
        s = batched_gradient(model, x, target, at)
        way = self._way(s, x)
        before, places, crosses = nearest_root(s, way)
        moved = column(places.tolist(), way) * way
        values = s.everywhere(s.value - column(before.tolist(), way) * way) * moved
        notes = self._notes(s, values, moved, crosses)
        options = (f"root={self.root}", f"baseline={brief(self.baseline)}", f"reach={self.reach}")
        spent = len(x) * (2 + 2 + ROUNDS * (PARTS + 1))
        return s.attribution(values, notes=notes, options=options, forwards=spent)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        return Passes(len(x) * (2 + ROUNDS * (PARTS + 1)), 2 * len(x), batch_size(x))

    def _way(self, s: BatchedGradient, x: Tensor) -> Tensor:
        """The line, from x to its end."""
        if self.root == "segment":
            return s.value - s.inside(filled(self.baseline, x))
        gradient = s.everywhere(s.value)
        length = gradient.double().flatten(1).square().sum(1)
        newton = torch.where(length > 0, s.score.double() / length, 0.0)
        return gradient * column((self.reach * newton).tolist(), gradient)

    def _notes(self, s: BatchedGradient, values: Tensor, moved: Tensor, crosses: Tensor) -> tuple[str, ...]:
        line = "against the gradient" if self.root == "gradient" else "on the way to the baseline"
        score = s.score.double()
        off = (values.double().flatten(1).sum(1) - score).abs()
        worst = int((off / score.abs().clamp(min=1e-12)).argmax())
        far, which = float(moved.double().flatten(1).norm(dim=1)[worst]), f" of sample {worst}" if len(crosses) > 1 else ""
        summary = (
            f"The root{which} lies {figure(far)} from the input {line}; the map's sum there is {figure(float(off[worst]))} off "
            f"f(x) = {figure(float(score[worst]))}."
        )
        lost = (~crosses).nonzero().flatten().tolist()
        where = f" for sample(s) {', '.join(map(str, lost))}" if len(crosses) > 1 else ""
        none = f"No root was found {line}{where}: the point with the score nearest zero takes its place." if lost else ""
        return tuple(note for note in (summary, none) if note)


def nearest_root(s: BatchedGradient, way: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the score of each sample first changes sign on its way, from 0 to 1: just before, there, and whether it does.

    Where it never does: where it comes nearest to zero among the first points that are read.
    """
    low, width = torch.zeros(len(way), dtype=torch.float64), 1.0
    nearest, crosses = low, low > 0
    steps = torch.arange(PARTS + 1, dtype=torch.float64) / PARTS
    for turn in range(ROUNDS):
        places = low[:, None] + width * steps
        scores = scored(s, way, places)
        crossed = scores[:, :-1].sign() != scores[:, 1:].sign()
        if turn == 0:
            crosses, nearest = crossed.any(1), steps[scores.abs().argmin(1)]
        least = scores.abs().argmin(1).clamp(max=PARTS - 1)  # where rounding hides the crossing that was seen before
        first = torch.where(crossed.any(1), crossed.int().argmax(1), least)[:, None]
        width = width / PARTS
        low = low + width * first[:, 0]
    before, after = scores.gather(1, first)[:, 0], scores.gather(1, first + 1)[:, 0]
    share = (before / (before - after)).nan_to_num(0.5, 0.5, 0.5).clamp(0, 1)
    return torch.where(crosses, low, nearest), torch.where(crosses, low + width * share, nearest), crosses


def scored(s: BatchedGradient, way: Tensor, places: Tensor) -> Tensor:
    """The score at some places on the way of each sample, with the shape of `places`."""
    samples, count = places.shape
    scores = torch.zeros(samples * count, dtype=torch.float64)

    def variants(first: int, last: int) -> tuple[Tensor, list[int]]:
        own = [q // count for q in range(first, last)]
        return s.value[own] - column(places.flatten()[first:last].tolist(), way) * way[own], own

    batch = s.batch if s.fixed else batch_size(s.readout.x)
    for first, last, score in run_batched(s.readout, len(scores), variants, batch=batch):
        scores[first:last] = score.double().cpu()
    return scores.reshape(samples, count)
