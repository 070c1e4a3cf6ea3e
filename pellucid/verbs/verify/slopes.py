"""Slopes: derivatives by the tape against finite differences of the network, along random directions of the input.

What is differentiated is one number, a random weighting of all entries of the output, so that every branch to any of them counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.core.random import normal, stream
from pellucid.model.outputs import main_output
from pellucid.tape import record
from pellucid.tape.local import LocalOp
from pellucid.tape.op import Tape
from pellucid.tape.seed import find_output
from pellucid.tape.walk import chain_rule, walk

STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4)  # as shares of the size of the input's entries
SINGLE_STEP = 3e-3
DIRECTIONS = 4
BOUND = 0.05  # of the greater of both slopes
SUSPICION = 0.2  # the same, for one step in one direction
ROUGH = 0.5  # the same, for slopes in the large
READABLE = 0.1  # of a slope: with more rounding than this its finite difference says nothing
JITTER = 1e-2  # the point is moved by this, off kinks that lie exactly there, as those of black pixels
CALM = 0.3  # of the gap between both slopes: finite differences closer to one another than this have settled

Forward = Callable[..., Any]
Number = Callable[[Sequence[Tensor]], float]


@dataclass(frozen=True)
class Slopes:
    """What the directions say.

    Arguments:
        agreeing, differing: The differences of both slopes, as shares of the greater one, along directions in which they agree
            and in which they do not; other directions are too rough or too flat to be read.
        detached: Whether they agree once what the network detaches (`x.detach()`) is followed, too.
    """

    agreeing: tuple[float, ...]
    differing: tuple[float, ...]
    detached: bool = False

    @classmethod
    def of(cls, verdicts: Sequence[tuple[bool | None, float]]) -> Slopes:
        """From the verdict on every direction."""
        agreeing, differing = (tuple(gap for found, gap in verdicts if found is side) for side in (True, False))
        return cls(agreeing, differing)

    @property
    def holds(self) -> bool | None:
        """Whether the slopes agree along most directions; None where none could be read."""
        if len(self.differing) > 1:
            return False
        return True if self.agreeing else None

    @property
    def gap(self) -> float:
        """How far they are apart: the median where they differ, else the greatest difference."""
        return median(self.differing) if self.holds is False else max(self.agreeing, default=0.0)


def measure(model: Any, inputs: Sequence[Tensor]) -> Slopes:
    """The slopes of the tape against finite differences with several steps, near these inputs.

    A kink of the network shows as differences that change with the step, a branch that the tape lacks as differences that settle
    on another slope than the tape's.
    """
    points = [moved(x, direction(x, "jitter"), JITTER) for x in inputs]
    tape = record(model, *points)
    weights = weighting(tape.value(find_output(tape)))
    slopes = recorded(tape, weights), recorded(tape, weights, detached=True)
    number = objective(model.forward, weights)
    noise = rounding(number, points)
    directions = [[direction(x, n) for x in points] for n in range(DIRECTIONS)]
    central = [[(step, _central(number, points, along, step)) for step in STEPS] for along in directions]
    found, with_detached = (
        Slopes.of([judge(slope(along), steps, noise) for along, steps in zip(directions, central, strict=True)])
        for slope in slopes
    )
    return replace(found, detached=found.holds is False and with_detached.holds is True)


def judge(slope: float, central: Sequence[tuple[float, float]], noise: float) -> tuple[bool | None, float]:
    """Whether a slope is that of finite differences with several steps, the largest first, and how far it is off; None: unclear.

    Example:
        >>> steps = 1e-1, 1e-2, 1e-3
        >>> judge(1.0, [(step, 1.001) for step in steps], 1e-7)[0], judge(1.0, [(step, 2.0) for step in steps], 1e-7)[0]
        (True, False)
        >>> judge(1.0, [(step, step) for step in steps], 1e-9)[0] is None
        True
    """
    readable = [d for step, d in central if noise / step <= READABLE * max(abs(d), abs(slope))]
    if not readable:
        step, difference = central[0]
        flat = max(abs(difference), abs(slope)) <= noise / step / READABLE
        return (True, 0.0) if flat else (None, 0.0)

    def gap(differences: Sequence[float]) -> float:
        return min(abs(d - slope) / max(abs(d), abs(slope)) for d in differences)

    fine, coarse = readable[-2:], readable[:2]
    if gap(fine) <= BOUND:
        return True, gap(fine)
    if stands(fine, slope):
        return (True if gap(coarse) <= SUSPICION else None), gap(coarse)
    for pair, least in ((fine, BOUND), (coarse, ROUGH)):
        settled = abs(pair[0] - pair[-1]) <= CALM * min(abs(d - slope) for d in pair)
        if len(pair) > 1 and settled and gap(pair) > least:
            return False, gap(pair)
    return None, gap(fine)


def stands(differences: Sequence[float], slope: float) -> bool:
    """Whether the network stands still where the tape has a slope, as on a staircase whose author gives it one."""
    return all(abs(d) <= BOUND * abs(slope) for d in differences)


def suspicious(model: Any, inputs: Sequence[Tensor], tape: Tape, along: Sequence[Tensor]) -> tuple[bool, Tensor]:
    """Whether one finite difference, by one forward pass, is far from the tape's slope; and the output beside the input."""
    output = tape.value(find_output(tape))
    weights = weighting(output)
    slope = recorded(tape, weights)(along)
    beside = plain(model.forward, [moved(x, v, SINGLE_STEP) for x, v in zip(inputs, along, strict=True)])
    difference = (_weighted(beside, weights) - _weighted(output, weights)) / SINGLE_STEP
    noise = 16 * precision(output) * float((weights * output.detach().double().cpu()).abs().sum()) / SINGLE_STEP
    far = abs(difference - slope) > SUSPICION * max(abs(difference), abs(slope)) + noise
    return bool(far), beside


def recorded(tape: Tape, weights: Tensor, *, detached: bool = False) -> Number:
    """The slope along a direction of the inputs, by the tape; it is walked once, and left as it was.

    Arguments:
        detached: Whether what the network detaches is followed.
    """
    end = find_output(tape)
    overwritten = [value for value in tape.values if value.tensor is None]
    seed = weights.to(tape.value(end))
    step = through_detached if detached else chain_rule
    gradients = walk(tape, {end: seed}, step, ends=tape.inputs, keep=True)
    for value in overwritten:
        value.tensor = None
    found = [gradients.get(i) for i in tape.inputs]

    def slope(along: Sequence[Tensor]) -> float:
        pairs = [(g, v) for g, v in zip(found, along, strict=True) if g is not None]
        return float(sum((g.detach().double().cpu() * v.double().cpu()).sum() for g, v in pairs))

    return slope


def through_detached(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """The chain rule, with `detach` as what it computes: nothing."""
    return list(carried) if op.op.name == "detach" else chain_rule(op, carried)


def objective(forward: Forward, weights: Tensor) -> Number:
    """The number that is differentiated, as a function of the inputs."""
    return lambda inputs: _weighted(plain(forward, inputs), weights)


def plain(forward: Forward, inputs: Sequence[Tensor]) -> Tensor:
    """The main output of a plain call, which changes neither its inputs nor the random state."""
    with torch.no_grad(), drawing_apart(forward, inputs[0].device):
        output: Tensor = main_output(forward(*(x.clone() for x in inputs)))
    return output


def rounding(number: Number, points: Sequence[Tensor]) -> float:
    """How far the number is off by rounding: by what it changes where the input changes by less than it can hold."""
    value = number(points)
    near = [number([x * (1 + sign * precision(x)) for x in points]) for sign in (1, -1)]
    return 4 * max(abs(other - value) for other in near) + 4 * precision(points[0]) * abs(value)


def precision(t: Tensor) -> float:
    return torch.finfo(t.dtype).eps if t.is_floating_point() else torch.finfo(torch.float32).eps


def weighting(output: Tensor) -> Tensor:
    """A random weight for every entry of the output."""
    drawn = normal(output.shape, stream("verify", "weights", tuple(output.shape)))
    return drawn / math.sqrt(max(1, output.numel()))


def direction(x: Tensor, name: int | str) -> Tensor:
    """A random direction, of the size of the entries themselves, so that columns of a table move by their own scale."""
    typical = x.detach().double().square().mean().sqrt().cpu()
    size = x.detach().double().abs().cpu() + (0.1 * typical if float(typical) > 0 else 1.0)
    along: Tensor = (normal(x.shape, stream("verify", name, tuple(x.shape))) * size).to(x)
    return along


def moved(x: Tensor, along: Tensor, step: float) -> Tensor:
    return x + along * step


def _weighted(output: Tensor, weights: Tensor) -> float:
    return float((output.detach().double().cpu() * weights).sum())


def _central(number: Number, points: Sequence[Tensor], along: Sequence[Tensor], step: float) -> float:
    ends = [number([moved(x, v, sign * step) for x, v in zip(points, along, strict=True)]) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)
