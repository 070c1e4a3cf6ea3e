"""The climb: pictures moved, step by step, to where the target is higher. Every picture by itself, many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.tape.forward import at_once
from ..objective.activations import asking, differentiable
from ..objective.objective import objective_of
from ..random import drawn, exact
from .ascent import Numbers, per_picture
from .dead_units import last_help, rescued
from .evaluate_step import Look, Part, look_at
from .history import Track
from .result import Climbed, side_by_side
from .task import Plan, Task

LOOK = 16  # steps between looks at whether all are done: each look waits for the device


def climb(task: Task, plan: Plan, start: Numbers | None = None) -> Climbed:
    """Pictures that the targets of `task` score high, as `plan` says, from the numbers `start` or those of the canvas.

    Pictures that read the same layers share a batch, as many as suit the machine, and each gets what it would get alone. Progress
    is told in steps; when called off, or on Ctrl-C, it returns what there is.

    Raises:
        InputError: projections are wanted of a canvas whose numbers are not the picture.
        TargetError: a target is not one number per picture.
        WhereError: a target names a module that did not run.
    """
    plan = task.changed(plan)
    _check(plan)
    begun = time.perf_counter()
    with torch.no_grad(), torch.random.fork_rng([task.frame.device] if task.frame.device.type == "cuda" else []):
        first = _start(task, plan, None if start is None else tuple(n[:1] for n in start), [0])
        x = task.frame.fed(plan.canvas.draw(first, task.frame))
    wanted = [at for target in task.targets for at in target.addresses] + [at for p in plan.penalties for at in p.addresses]
    ask, _ = asking(task.model, x, tuple(dict.fromkeys(wanted)))
    rows = sorted(range(len(task)), key=lambda row: ask.depth(task.targets[row].addresses))
    views = plan.robust.views if plan.robust is not None else 1
    size = len(task) if plan.coupled else max(1, at_once(x) // views)
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    found: list[Climbed] = []
    for number, piece in enumerate(pieces):
        part = Part(task.take(piece), plan, ask, number, len(pieces), begun, halted=bool(found) and found[-1].stopped)
        numbers = _start(task, plan, start, piece)
        found.append(_climbed(part, numbers))
    order = [row for piece in pieces for row in piece]
    return side_by_side(found, order, time.perf_counter() - begun)


def _climbed(part: Part, numbers: Numbers) -> Climbed:
    """One batch, from its first to its last step."""
    task, plan = part.task, part.plan
    objective, draws = objective_of(task.targets), drawn(task.seeds)
    plan.canvas.start(task.frame, draws)  # so that draws go on where the start left them, whatever it was
    before, memory, note, step = numbers, plan.ascent.begin(numbers), "", 0
    track = Track.of(_drawn(part, numbers))
    with differentiable(numbers[0]):
        try:
            for step in range(plan.steps + 1):
                note = part.over(step)
                if note and 0 < step < plan.steps:
                    break
                look = look_at(part, objective, numbers, draws, step)
                if plan.rescue and step <= last_help(part) and bool((look.dead & track.alive).any()):
                    numbers, look = rescued(part, numbers, draws, step, look, track.alive)
                track.note(look, step)
                numbers = _where(look.sound, numbers, before)
                if note or step == plan.steps or _over(part, track, look, step):
                    break
                before, (numbers, memory) = numbers, _step(part, numbers, memory, look, track.alive, step)
        except KeyboardInterrupt:
            if not track.trace:
                raise
            note = f"Called off after {step} of {plan.steps} steps."
    notes = (*([note] if note and step < plan.steps else []), *track.notes(part))
    return Climbed(
        numbers,
        _drawn(part, numbers),
        track.best,
        track.firsts(),
        track.led,
        torch.stack(track.trace),
        track.fired,
        notes,
        step,
        0.0,
    )


def _step(part: Part, numbers: Numbers, memory: Numbers, look: Look, alive: Tensor, step: int) -> tuple[Numbers, Numbers]:
    """One step up, and what the projections and the canvas make of it; pictures that are done stay where they are."""
    plan, frame = part.plan, part.task.frame
    slopes = tuple(torch.where(per_picture(alive, slope), slope, 0) for slope in look.slopes)
    with torch.no_grad():
        moved, memory = plan.ascent.step(tuple(n.detach() for n in numbers), slopes, memory, step, plan.steps)
        for projection in plan.projections:
            moved = (projection.after(moved[0], numbers[0].detach(), slopes[0], step, frame),)
        moved = plan.canvas.within(moved, frame)
        return _where(alive, moved, numbers), memory


def _over(part: Part, track: Track, look: Look, step: int) -> bool:
    """Whether no picture is moved any more: those without a slope, after all help, and those on a plateau are not."""
    track.rest(step, part.plan.plateau)
    if part.plan.rescue and step == last_help(part):
        track.alive = track.alive & ~look.dead
    return step % LOOK == 0 and not bool(track.alive.any())


@torch.no_grad()
def _drawn(part: Part, numbers: Numbers) -> Tensor:
    return part.plan.canvas.draw(numbers, part.task.frame).detach()


def _where(rows: Tensor, numbers: Numbers, others: Numbers) -> Numbers:
    return tuple(torch.where(per_picture(rows, n), n, other.detach()) for n, other in zip(numbers, others, strict=True))


def _start(task: Task, plan: Plan, start: Numbers | None, rows: Sequence[int]) -> Numbers:
    if start is not None:
        return tuple(numbers[list(rows)].detach() for numbers in start)
    if task.start is None:
        return plan.canvas.start(task.frame, drawn([task.seeds[row] for row in rows]))
    given = task.start[list(rows)]
    if plan.canvas.literal:
        return plan.canvas.within((given.to(task.frame.device, exact(task.frame.dtype)),), task.frame)
    seen = getattr(plan.canvas, "seen", None)
    if seen is None:
        raise InputError(
            "A climb from given pictures", f"a {plan.canvas.name} canvas", "it cannot be told which numbers draw them",
            "Use pl.synth.Pixel() or pl.synth.Fourier().",
        )  # fmt: skip
    numbers: Numbers = seen(given, task.frame)
    return numbers


def _check(plan: Plan) -> None:
    if plan.projections and not plan.canvas.literal:
        names = ", ".join(type(projection).__name__ for projection in plan.projections)
        raise InputError(
            f"{names} after each step", f"a {plan.canvas.name} canvas, whose numbers are not the picture",
            "a projection changes the picture itself", "Use pl.synth.Pixel(), or penalties in place of projections.",
        )  # fmt: skip
