"""Integrated gradients: the mean gradient on a line from a baseline, times the change of each entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.errors import MethodError, ModelError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import run_batched
from pellucid.target import Target
from .baseline import Baseline, brief, filled, sentence
from .batched import BatchedGradient, batched_gradient, column

RULES = ("gauss-legendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid")
MOST = 1024  # steps, when they are doubled
AUTO, FIRST, LAST, GOAL = "auto", 32, 256, 0.01  # by "auto": where doubling begins and ends, and the share that may be missing
LEAST = 0.01  # of the scores at both ends: what a smaller change is off by is measured against this

Node = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Integrated:
    """Integrated gradients: the change of the score from a baseline b to x, entry by entry.

        R_i = (x_i - b_i) * integral from 0 to 1 of df/dx_i(b + a (x - b)) da

    The exact integral sums to f(x) - f(b). Here it is a weighted sum of gradients at points on the straight line; how far its sum
    is off stands in the caption, and values are never rescaled to hide it. It explains the score *against that baseline*: where
    an entry equals the baseline's it gets nothing, so that a black baseline finds nothing in black objects. See `OverBaselines`.

    With `at`, the line runs between what the module returned for the baseline and what it returned for x, while everything that
    goes past it keeps the value it has at x, as captum's LayerIntegratedGradients.

    References: Sundararajan et al., 2017, Axiomatic attribution for deep networks, https://doi.org/10.48550/arXiv.1703.01365

    Arguments:
        steps: How many gradients are taken on the line. With kinks, as of ReLUs, the error falls about as 1 / steps. "auto":
            32, and while the sum is off by more than 1 % of f(x) - f(b), twice as many, up to 256; the caption says how many.
        baseline: Where the line starts: None for zeros in the space of the model's own input (for preprocessed pictures that is
            the mean colour, not black), a number, or a tensor, one for all samples or one per sample.
        rule: Where on the line: "gauss-legendre" (exact for polynomials up to degree 2 steps - 1), or Riemann sums:
            "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid". Weights always sum to 1; those of captum's
            trapezoid sum to (steps - 1) / steps.
        tol: Double the steps, sample by sample, until the sum is off by no more than this share of f(x) - f(b), up to 1024 steps.
            None: take `steps`, whatever is missing. A change of less than a hundredth of both scores counts as that much.

    Raises:
        InputError: the baseline does not fit.
        MethodError: there is no such rule, or nothing at `at` that can be changed.
        ModelError: the score of the baseline is not finite.

    Example:
        >>> import pellucid as pl
        >>> pl.explain(lambda x: x.prod(1, keepdim=True), torch.tensor([[2.0, 3.0]]), target=0, method=Integrated(2)).values
        tensor([[3., 3.]])
    """

    name: ClassVar[str] = "integrated_gradients"
    signed: ClassVar[bool] = True

    steps: int | Literal["auto"] = "auto"
    baseline: Baseline = None
    rule: str = "gauss-legendre"
    tol: float | None = None

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`."""
        nodes(self.rule, self.first)  # refuses what cannot be before any work
        line = Line.to(batched_gradient(model, x, target, at), filled(self.baseline, x))
        integral = integrate(line, self.rule, self.first, self.goal, self.most)
        notes = (sentence(self.baseline, model, x), *integral.notes(self.goal, auto=self.steps == AUTO))
        options = (f"steps={self.steps}", f"rule={self.rule}", f"tol={self.tol}", f"baseline={brief(self.baseline)}")
        return line.gradient.attribution(
            integral.values, notes=notes, options=options, forwards=2 * len(x) + 2 * integral.gradients
        )

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network, at most: twice as many steps are taken where they are needed."""
        rounds = [self.first]
        while self.goal is not None and 2 * rounds[-1] <= self.most:
            rounds.append(2 * rounds[-1])
        gradients = len(x) * sum(rounds)
        return Passes(2 * len(x) + gradients, gradients, least=self.first / sum(rounds))

    @property
    def first(self) -> int:
        """How many steps are taken first.

        Raises:
            MethodError: it is a word other than "auto".
        """
        if self.steps == AUTO:
            return FIRST
        if isinstance(self.steps, str):
            why, do = "it is a number of steps, or left to the method", f'Ask for {FIRST}, say, or "{AUTO}".'
            raise MethodError(f"steps={self.steps!r}", "a word", why, do)
        return self.steps

    @property
    def goal(self) -> float | None:
        """The share of the change that may be missing; None where nothing is asked for."""
        return GOAL if self.tol is None and self.steps == AUTO else self.tol

    @property
    def most(self) -> int:
        """How many steps are taken at most."""
        return LAST if self.tol is None and self.steps == AUTO else MOST


@dataclass(frozen=True, eq=False)
class Line:
    """The straight line from a baseline to x, in the space of the input or of the value `at`.

    Arguments:
        gradient: Of the target, anywhere on it.
        origin: Where it starts.
        change: f(x) less f(origin), per sample.
    """

    gradient: BatchedGradient
    origin: Tensor
    change: Tensor

    @staticmethod
    def to(gradient: BatchedGradient, baseline: Tensor) -> Line:
        """The line from a baseline of the input."""
        origin = gradient.inside(baseline)
        rows = range(len(origin))
        start = gradient.scores(origin, rows)
        if not start.isfinite().all():
            raise ModelError(
                "The change from the baseline", f"a score of {start.tolist()} there",
                "nothing can be taken from what is not finite", "Choose a realistic baseline, such as a blurred picture.",
            )  # fmt: skip
        return Line(gradient, origin, gradient.score - start)

    @property
    def delta(self) -> Tensor:
        return self.gradient.value - self.origin

    @property
    def size(self) -> Tensor:
        """What an error is a share of, per sample: the size of the change, or of a small one a hundredth of the scores."""
        score, change = self.gradient.score.double(), self.change.double()
        return torch.maximum(change.abs(), LEAST * (score.abs() + (score - change).abs()))

    def mean(self, rows: Sequence[int], rule: Sequence[Node]) -> tuple[Tensor, int]:
        """The weighted mean of the gradients on the line, for some samples; and how many gradients were taken before it was
        called off.
        """
        value, n = self.gradient.value, len(rows)
        total = torch.zeros(n, *value.shape[1:], dtype=torch.float64, device=value.device)
        done = 0

        def points(first: int, last: int) -> tuple[Tensor, list[int]]:
            own = [rows[q % n] for q in range(first, last)]
            where = column([rule[q // n][0] for q in range(first, last)], value)
            return self.origin[own] + where * self.delta[own], own

        for first, last, gradients in run_batched(
            self.gradient, n * len(rule), points, batch=self.gradient.batch, what="gradients"
        ):
            weight = column([rule[q // n][1] for q in range(first, last)], total)
            places = torch.tensor([q % n for q in range(first, last)], device=value.device)
            total.index_add_(0, places, gradients.double() * weight)
            done = last
        return total, done


@dataclass(frozen=True, eq=False)
class Integral:
    """What the integral came to.

    Arguments:
        values: The values per entry.
        change: f(x) less f(baseline), per sample, to which they should sum.
        size: What an error is a share of, per sample.
        steps: How many gradients the longest sum has.
        gradients: How many gradients were taken, of all samples together.
        short: How many were called off.
    """

    values: Tensor
    change: Tensor
    size: Tensor
    steps: int
    gradients: int
    short: int

    @property
    def gap(self) -> Tensor:
        """How far the sum of each sample is off."""
        return (self.values.flatten(1).sum(1) - self.change.double()).abs()

    def beyond(self, tol: float | None) -> list[int]:
        """The samples whose sum is off by more than the share `tol`."""
        if tol is None:
            return []
        far: list[int] = (self.gap > tol * self.size).nonzero().flatten().tolist()
        return far

    def notes(self, tol: float | None, *, auto: bool = False) -> tuple[str, ...]:
        """How complete it is, for captions.

        Arguments:
            auto: Whether the number of steps was left to the method.
        """
        worst = int((self.gap / self.change.double().abs().clamp(min=1e-12)).argmax())
        gap, change = float(self.gap[worst]), float(self.change[worst])
        which = f" (sample {worst}, which is the furthest off)" if len(self.values) > 1 else ""
        many = f", as many as {100 * tol:g} % takes," if auto and tol and not self.beyond(tol) else ""
        summary = (
            f"With {self.steps} steps{many} the map's sum is {figure(gap)} off f(x) - f(baseline) = {figure(change)}{which}."
        )
        off = f"Called off {self.short:,} gradients before the end: the integral is not complete." if self.short else ""
        do = f" Ask for more steps, such as steps={2 * self.steps}." if auto else ""
        far = f"That is more than the tolerance, {100 * (tol or 0):g} %.{do}" if self.beyond(tol) else ""
        return tuple(note for note in (summary, far, off) if note)


def integrate(line: Line, rule: str, steps: int, tol: float | None, most: int = MOST) -> Integral:
    """The integral with so many steps, then twice as many for the samples that are off by more than `tol`, and so on."""
    delta, rows = line.delta.double(), list(range(len(line.origin)))
    mean, done = line.mean(rows, nodes(rule, steps))
    integral = Integral(mean * delta, line.change, line.size, steps, done, len(rows) * steps - done)
    while (rows := integral.beyond(tol)) and not integral.short and 2 * integral.steps <= most:
        steps = 2 * integral.steps
        mean, done = line.mean(rows, nodes(rule, steps))
        values = integral.values.index_copy(0, torch.tensor(rows, device=delta.device), mean * delta[rows])
        integral = Integral(values, line.change, line.size, steps, integral.gradients + done, len(rows) * steps - done)
    return integral


def nodes(rule: str, steps: int) -> list[Node]:
    """Points in [0, 1] and their weights, which sum to 1.

    Raises:
        MethodError: there is no such rule, or too few steps for it.

    Example:
        >>> nodes("riemann_trapezoid", 3)
        [(0.0, 0.25), (0.5, 0.5), (1.0, 0.25)]
    """
    least = 2 if rule == "riemann_trapezoid" else 1
    if rule not in RULES:
        raise MethodError(
            f"rule={rule!r}", "none of that name", "an integral needs points and weights", f"Use {', '.join(RULES)}."
        )
    if steps < least:
        raise MethodError(f"steps={steps}", f"fewer than {least}", f"{rule} needs at least that many", "Ask for 32, say.")
    if rule == "gauss-legendre":
        return gauss_legendre(steps)
    if rule == "riemann_trapezoid":
        last = steps - 1
        return [(k / last, (0.5 if k in (0, last) else 1.0) / last) for k in range(steps)]
    shift = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}[rule]
    return [((k + shift) / steps, 1 / steps) for k in range(steps)]


def gauss_legendre(n: int) -> list[Node]:
    """Points in [0, 1] and weights: a mean over the line that is exact for polynomials up to degree 2 n - 1."""
    points, weights = np.polynomial.legendre.leggauss(n)
    return [(float(1 + p) / 2, float(w) / 2) for p, w in zip(points, weights, strict=True)]
