"""DeepLIFT: the change of the score from a baseline, propagated by multipliers of the changes of all values on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.errors import MethodError, ModelError
from pellucid.explanation.attribution import Attribution
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import LocalOp, ResolvedTarget, Tape, check_branches, find, path, record, resolve_target, walk
from pellucid.tape.batch import per_sample
from pellucid.tape.local import single_precision
from pellucid.tape.seed import places
from pellucid.tape.walk import Passing
from pellucid.target import Target
from .baseline import Baseline, brief, filled, sentence
from .integrated import gauss_legendre
from .rescale import Shares, rescale
from .reveal_cancel import RevealCancel
from .two_passes import Carried, Pair, pairs

RULES = ("rescale", "reveal_cancel")
POINTS = 64  # for targets that are not linear in what they read, such as probabilities


@dataclass(frozen=True, eq=False)
class DeepLift:
    """DeepLIFT: every value's difference from its value at a baseline, times the multiplier of that difference.

        R_i = m_i (x_i - b_i),   m = product of multipliers along all paths from x_i to the score, summed over them

    where the multiplier of an activation is the slope of the line through both passes, (f(x) - f(r)) / (x - r), and not the
    derivative at one of them: so units that are saturated, or off at x alone, are seen. The values sum to f(x) - f(b); how far
    their sum is off stands in the caption. The rules of all operations: `pellucid.methods.gradient.rescale`.

    It runs the network twice and compares operation by operation, so it holds for functions as for modules, in place or not.
    Both passes see the same random numbers, if the network draws any. Targets that are not linear in the output (probabilities)
    are taken along the line between both outputs. With `at`, values are contributions of what stands there in both passes; what
    goes past it stands in the caption.

    References: Shrikumar et al., 2017, Learning important features through propagating activation differences,
        https://doi.org/10.48550/arXiv.1704.02685. The paper knows dense layers, convolutions, activations, and a softmax at the
        end (see `rescale_normalisation`); where it leaves open what to do (products, norms, attention), we chose what adds up.

    Arguments:
        baseline: The input to compare with: None for zeros in the space of the model's own input, a number, or a tensor, one for
            all samples or one per sample.
        rule: "rescale", or "reveal_cancel": increases and decreases are carried apart, see `reveal_cancel`.
        multipliers: Whether to give the m_i alone, which do not sum to anything.

    Raises:
        InputError: the baseline does not fit.
        MethodError: there is no such rule, or the network does other things at the baseline than at the input.
        ModelError: the output at the baseline is not finite.

    Example:
        >>> import pellucid as pl
        >>> net = lambda x: 2 * x[:, :1].relu() + 2 * (x[:, 1:] - 1.5).relu()
        >>> pl.explain(net, torch.tensor([[1.0, 2.0]]), target=0, method=DeepLift()).values
        tensor([[2., 1.]])
    """

    name: ClassVar[str] = "deeplift"
    signed: ClassVar[bool] = True

    baseline: Baseline = None
    rule: str = "rescale"
    multipliers: bool = False

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`, from two forward passes and one backward pass."""
        check_rule(self.rule)
        origin, tape = filled(self.baseline, x), record(model, x)
        resolved = resolve_target(tape, target, model)
        end = tape.inputs[0] if at is None else find(tape, at)
        lost = check_branches(tape, resolved.gradients, end, slopes=False)
        comparison = compare(tape, record(model, origin), resolved, at, rule=self.rule)
        notes = (sentence(self.baseline, model, x), *(() if self.multipliers else (comparison.note(at),)))
        options = (f"baseline={brief(self.baseline)}", f"rule={self.rule}", f"multipliers={self.multipliers}")
        values = comparison.multipliers if self.multipliers else comparison.values
        return Attribution(
            values, resolved.score, resolved.target, resolved.output, notes=notes, options=options, forwards=3 * len(x), lost=lost
        )


def check_rule(rule: str) -> None:
    """Refuse what is no rule."""
    if rule not in RULES:
        raise MethodError(f"rule={rule!r}", "none of that name", "DeepLIFT has two rules", f"Use {' or '.join(RULES)}.")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came of comparing two passes.

    Arguments:
        values: The contributions at the input, or at the value asked for.
        multipliers: What each is per unit of change; where those of increases and decreases are told apart, their mean.
        change: The target at the input less that at the baseline, per sample.
        arrived: The sum of the contributions, per sample.
        past: The contributions of what goes past the value asked for, per sample.
    """

    values: Tensor
    multipliers: Tensor
    change: Tensor
    arrived: Tensor
    past: Tensor

    @property
    def gap(self) -> Tensor:
        """How much of the change nothing accounts for."""
        return self.change - self.arrived - self.past

    def note(self, at: str | Where | None) -> str:
        """How complete it is, for captions."""
        past = self.past[furthest_off(self.change, self.gap)]
        return completeness(self.change, self.gap, "" if at is None else f", with {figure(float(past))} that goes past {at},")


def furthest_off(change: Tensor, gap: Tensor) -> int:
    """The sample of which the largest share of its change is missing."""
    return int((gap.abs() / change.abs().clamp(min=1e-12)).argmax())


def completeness(change: Tensor, gap: Tensor, past: str = "", reference: str = "f(baseline)") -> str:
    """How complete a map is, for captions: how far its sum is off the change of the score, per sample."""
    worst = furthest_off(change, gap)
    which = f" (sample {worst}, the one furthest off)" if len(change) > 1 else ""
    off, total = figure(float(gap[worst].abs())), figure(float(change[worst]))
    return f"The sum of the map{past} is {off} off f(x) - {reference} = {total}{which}."


class Rescale:
    """How multipliers are carried with one of them per value, see `rescale`; with two, see `RevealCancel`."""

    def seed(self, slope: Tensor) -> Tensor:
        return slope

    def step(self, pair: Pair, carried: Carried) -> Shares:
        return rescale(pair, carried)

    def weigh(self, change: Tensor, value: int, m: Tensor) -> Tensor:
        return torch.where(m == 0, torch.zeros_like(m), m * change)  # what is masked out may be infinite in both passes


def compare(
    here: Tape, there: Tape, resolved: ResolvedTarget, at: str | Where | None, *, rule: str = "rescale", keep: bool = False
) -> Comparison:
    """The change of a target between two passes of the same network, shared among the entries that changed.

    Arguments:
        here, there: The pass at the input, and that at the baseline. The latter is used up.
        resolved: The target, read from `here`.
        at: What to share it among; None: the input.
        rule: One of `RULES`.
        keep: Whether `here` is compared again.

    Raises:
        MethodError: the passes did not run through the same operations.
        ModelError: the output at the baseline is not finite.
    """
    end = here.inputs[0] if at is None else find(here, at)
    sides = pairs(here, there)
    base = _at_baseline(there, resolved)
    carry = Rescale() if rule == "rescale" else RevealCancel(sides[op.index] for op in path(here, resolved.gradients))
    change = single_precision(here.value(end)) - single_precision(there.value(end))
    seeds = {i: carry.seed(slope) for i, slope in _slopes(here, there, resolved, base).items()}
    passing = Passing(there, keep=False)

    def step(op: LocalOp, carried: Carried) -> Shares:
        pair = sides[op.op.index]
        shares = carry.step(pair, carried)
        passing.free(pair.there.op)
        return shares

    arrived = walk(here, seeds, step, ends=(end,), keep=keep)
    m = arrived.pop(end, carry.seed(torch.zeros_like(change)))
    values = carry.weigh(change, end, m)
    past = {i: carry.weigh(here.value(i) - there.value(i), i, n) for i, n in arrived.items()}
    return Comparison(
        values, m if m.dim() == values.dim() else m.mean(0), (resolved.score - base.score).double(), _summed(here, {end: values}),
        _summed(here, past),
    )  # fmt: skip


def _summed(tape: Tape, values: dict[int, Tensor]) -> Tensor:
    """The sum per sample over several values."""
    total = torch.zeros(tape.samples, dtype=torch.float64, device=tape.value(tape.inputs[0]).device)
    for i, t in values.items():
        total = total + per_sample(t.double(), tape.values[i].sample_axis, tape.samples)
    return total


def _at_baseline(there: Tape, resolved: ResolvedTarget) -> ResolvedTarget:
    """The same target at the baseline."""
    try:
        return resolve_target(there, resolved.target)
    except ModelError as error:
        raise ModelError(
            "The change from the baseline", error.found.replace("an output", "an output at the baseline"),
            "nothing can be taken from what is not finite", "Choose a baseline that the model knows, such as a blurred picture.",
        ) from None  # fmt: skip


def _slopes(here: Tape, there: Tape, resolved: ResolvedTarget, base: ResolvedTarget) -> dict[int, Tensor]:
    """How the target changes with what it reads: its mean derivative between both passes, or the one it has everywhere."""
    middle = _derivative(here, there, resolved.target, 0.5)
    if all(torch.equal(s, middle[i]) and torch.equal(s, base.gradients.get(i, s)) for i, s in resolved.gradients.items()):
        return resolved.gradients
    total = {i: torch.zeros_like(s) for i, s in resolved.gradients.items()}
    for t, weight in gauss_legendre(POINTS):
        for i, slope in _derivative(here, there, resolved.target, t).items():
            total[i] += weight * slope
    return total


def _derivative(here: Tape, there: Tape, target: Target, t: float) -> dict[int, Tensor]:
    """The derivative of a settled target by all it reads, on the line from the baseline (t = 0) to the input (t = 1)."""
    ids = places(here, target)
    with torch.inference_mode(False), torch.enable_grad():
        points = {i: there.value(i).lerp(here.value(i), t).detach().requires_grad_() for i in set(ids.values())}
        score = target.read(lambda at: points[ids[at]]).sum()
        slopes = torch.autograd.grad(score, list(points.values()), allow_unused=True)
    return {i: torch.zeros_like(points[i]) if s is None else s for i, s in zip(points, slopes, strict=True)}
