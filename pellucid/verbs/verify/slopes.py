"""Slopes: derivatives by the tape against finite differences of the network, along random directions of the input.

What is differentiated is one number, a random weighting of all entries of the output, so that every branch to any of them counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
from pellucid.tape.rewrite import widen
from pellucid.tape.rewrite.position import at_position
from pellucid.tape.seed import find_output
from pellucid.tape.walk import chain_rule, walk

STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)  # as shares of the size of the input's entries
SINGLE_STEP = 3e-3
NEARER = (3e-4, 1e-4)
DIRECTIONS = 4
POINTS = 3
BOUND = 0.05  # of the greater of both slopes, or of what slopes typically are
SUSPICION = 0.2  # the same, for one step in one direction
ROUGH = 0.5  # of finite differences with large steps: slopes below that are none of a staircase
READABLE = 0.1  # of a slope: with more rounding than this its finite difference says nothing
JITTER = 1e-2  # the point is moved by this, off kinks that lie exactly there, as those of black pixels
LARGE = 2**22  # entries that a sample's output may have to be read whole
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


def measure(model: Any, inputs: Sequence[Tensor], places: Tensor | None = None) -> Slopes:
    """The slopes of the tape against finite differences with several steps, near these inputs.

    A kink of the network shows as differences that change with the step, a branch that the tape lacks as differences that settle
    on another slope than the tape's. A kink may lie nearer than the smallest step, but not at several points.

    Arguments:
        places: Which places along the second axis of the output count, where it has one for each.
    """
    found = _measure_at(model, inputs, 0, places)
    for point in range(1, POINTS):
        if found.holds is not False:
            break
        found = _measure_at(model, inputs, point, places)
    return found


def _measure_at(model: Any, inputs: Sequence[Tensor], point: int, places: Tensor | None) -> Slopes:
    """The same at one point near the inputs."""
    points = [moved(x, direction(x, f"point {point}"), JITTER) for x in inputs]
    tape, place, weights = weighted_output(record(model, *points), places)
    number = objective(model.forward, weights, place)
    noise = rounding(number, points)
    directions = [[direction(x, n) for x in points] for n in range(DIRECTIONS)]
    central = [[(step, _central(number, points, along, step)) for step in STEPS] for along in directions]

    def compared(slope: Slope) -> Slopes:
        return Slopes.of([
            judge(slope(along), steps, noise, slope.typical(along)) for along, steps in zip(directions, central, strict=True)
        ])  # fmt: skip

    found = compared(recorded(tape, weights))
    if found.holds is not False:
        return found
    return replace(found, detached=compared(recorded(tape, weights, detached=True)).holds is True)


def judge(slope: float, central: Sequence[tuple[float, float]], noise: float, typical: float = 0.0) -> tuple[bool | None, float]:
    """Whether a slope is that of finite differences with several steps, the largest first, and how far it is off; None: unclear.

    Arguments:
        typical: The size of slopes along other directions: a small one among them is no more precise than they are.

    Example:
        >>> steps = 1e-1, 1e-2, 1e-3
        >>> judge(1.0, [(step, 1.001) for step in steps], 1e-7)[0], judge(1.0, [(step, 2.0) for step in steps], 1e-7)[0]
        (True, False)
        >>> judge(1.0, [(step, step) for step in steps], 1e-9)[0] is None
        True
    """

    def size(difference: float) -> float:
        return max(abs(difference), abs(slope), typical)

    def gap(differences: Sequence[float]) -> float:
        return min(abs(d - slope) / size(d) for d in differences)

    readable = [d for step, d in central if noise / step <= READABLE * size(d)]
    if not readable:
        step, difference = central[0]
        flat = size(difference) <= noise / step / READABLE
        return (True, 0.0) if flat else (None, 0.0)
    fine, coarse = readable[-2:], readable[:2]
    if gap(fine) <= BOUND:
        return True, gap(fine)
    if stands(fine, slope):
        return (True if gap(coarse) <= SUSPICION else None), gap(coarse)
    if settled(fine, slope):
        return False, gap(fine)
    stairs = max(abs(slope), typical) <= ROUGH * min(map(abs, coarse))  # the network moves in the large, and the tape does not
    return (False if stairs and settled(coarse, slope) else None), gap(coarse if stairs else fine)


def settled(pair: Sequence[float], slope: float) -> bool:
    """Whether two finite differences are closer to one another than to the slope."""
    return len(pair) > 1 and abs(pair[0] - pair[1]) <= CALM * min(abs(d - slope) for d in pair)


def stands(differences: Sequence[float], slope: float) -> bool:
    """Whether the network stands still where the tape has a slope, as on a staircase whose author gives it one."""
    return all(abs(d) <= BOUND * abs(slope) for d in differences)


def suspicious(
    model: Any, inputs: Sequence[Tensor], tape: Tape, along: Sequence[Tensor], *, rows: int, places: Tensor | None = None
) -> bool:
    """Whether the output beside the input is far from where the tape's slope leads, on both sides: a kink may lie on one. Of many
    kinks, as pictures have them between one value of a pixel and the next, nearer points tell.

    Arguments:
        rows: How many rows of a tape are looked at, where it has an output row for each of them; it may hold many variants.
        places: As in `measure`.
    """
    tape, place, weights = weighted_output(tape, places)
    output = at_place(tape.value(find_output(tape)), place)
    few = rows if len(output) == len(inputs[-1]) > rows else len(output)
    weights[few:] = 0
    slope, value = recorded(tape, weights), _weighted(output[:few], weights[:few])
    noise = 16 * precision(output) * float((weights * output.detach().double().cpu()).abs().sum()) / SINGLE_STEP

    def beside(step: float) -> float:
        points = [moved(x, v, step)[:few] for x, v in zip(inputs, along, strict=True)]
        return _weighted(at_place(plain(model.forward, points), place), weights[:few])

    def size(difference: float) -> float:
        return max(abs(difference), abs(slope(along)), slope.typical(along))

    def far(step: float) -> bool:
        difference = (beside(step) - value) / step
        return abs(difference - slope(along)) > SUSPICION * size(difference) + noise

    def near(step: float) -> bool:
        difference = (beside(step) - beside(-step)) / (2 * step)
        readable = noise * SINGLE_STEP / step <= READABLE * size(difference)
        return readable and abs(difference - slope(along)) <= SUSPICION * size(difference)

    return far(SINGLE_STEP) and far(-SINGLE_STEP) and not any(near(step) for step in NEARER)


@dataclass(frozen=True, eq=False)
class Slope:
    """The derivative of the number by the inputs, as the tape has it; None for an input that it does not depend on."""

    gradients: tuple[Tensor | None, ...]

    def __call__(self, along: Sequence[Tensor]) -> float:
        """The slope along a direction."""
        return float(sum(part.sum() for part in self._parts(along)))

    def typical(self, along: Sequence[Tensor]) -> float:
        """The size of slopes along random directions like this one."""
        return math.sqrt(sum(float(part.square().sum()) for part in self._parts(along)))

    def _parts(self, along: Sequence[Tensor]) -> Iterator[Tensor]:
        pairs = zip(self.gradients, along, strict=True)
        return (g.detach().double().cpu() * v.double().cpu() for g, v in pairs if g is not None)


def recorded(tape: Tape, weights: Tensor, *, detached: bool = False) -> Slope:
    """The slopes by the tape, which is walked once and left as it was.

    Arguments:
        detached: Whether what the network detaches is followed.
    """
    end = find_output(tape)
    overwritten = [value for value in tape.values if value.tensor is None]
    seed = weights.to(tape.value(end))
    gradients = walk(tape, {end: seed}, through_detached if detached else chain_rule, ends=tape.inputs, keep=True)
    for value in overwritten:
        value.tensor = None
    return Slope(tuple(gradients.get(i) for i in tape.inputs))


def through_detached(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """The chain rule, with `detach` as what it computes: nothing."""
    return list(carried) if op.op.name == "detach" else chain_rule(op, carried)


def weighted_output(tape: Tape, places: Tensor | None) -> tuple[Tape, int | None, Tensor]:
    """A pass, the place along the second axis of its output that is read alone, and a random weight for each entry read.

    Of an output as large as the scores of a vocabulary for every token of a text, the last place is read, and only it is on the
    tape: all tokens have their part in it.
    """
    end = find_output(tape)
    output = tape.value(end)
    if output.dim() < 3 or output[0].numel() <= LARGE:
        return tape, None, weighting(output, places)
    place = output.shape[1] - 1 if places is None or not bool(places.any()) else int(places.nonzero()[-1])
    short = at_position(widen(tape), end, place, tape.inputs[0])
    if short.value(find_output(short)).shape == output.shape:
        return tape, None, weighting(output, places)
    return short, place, weighting(at_place(output, place))


def at_place(output: Tensor, place: int | None) -> Tensor:
    """What an output has at one place along its second axis; all of it where there is none, or where it has no other."""
    return output if place is None or output.shape[1] == 1 else output[:, place : place + 1]


def objective(forward: Forward, weights: Tensor, place: int | None = None) -> Number:
    """The number that is differentiated, as a function of the inputs."""
    return lambda inputs: _weighted(at_place(plain(forward, inputs), place), weights)


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


def weighting(output: Tensor, places: Tensor | None = None) -> Tensor:
    """A random weight for every entry of the output; none where `places` says that it does not count."""
    drawn: Tensor = normal(output.shape, stream("verify", "weights", tuple(output.shape)))
    drawn = drawn / math.sqrt(max(1, output.numel()))
    if places is None or output.dim() < 3 or output.shape[1] != len(places):
        return drawn
    return drawn * places.cpu().double().reshape(1, -1, *[1] * (output.dim() - 2))


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
