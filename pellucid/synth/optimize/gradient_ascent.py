"""The climb: pictures moved, step by step, to where the target is higher. Every picture by itself, many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.tape.forward import at_once
from ..objective.activations import differentiable, layer_activations
from ..objective.objective import objective_of
from ..random import drawn, exact
from .ascent import Numbers, per_picture
from .dead_units import last_rescue, rescue
from .evaluate_step import Batch, StepEvaluation, evaluate_step
from .history import History
from .result import OptimizationResult, batched
from .task import Plan, Task

LOOK = 16  # steps between looks at whether all are done: each look waits for the device


def gradient_ascent(task: Task, plan: Plan, start: Numbers | None = None) -> OptimizationResult:
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
        x = task.frame.to_inputs(plan.canvas.draw(first, task.frame))
    wanted = [at for target in task.targets for at in target.addresses] + [at for p in plan.penalties for at in p.addresses]
    ask, _ = layer_activations(task.model, x, tuple(dict.fromkeys(wanted)))
    rows = sorted(range(len(task)), key=lambda row: ask.depth(task.targets[row].addresses))
    views = plan.robust.views if plan.robust is not None else 1
    size = len(task) if plan.coupled else max(1, at_once(x) // views)
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    found: list[OptimizationResult] = []
    for number, piece in enumerate(pieces):
        batch = Batch(task.take(piece), plan, ask, number, len(pieces), begun, halted=bool(found) and found[-1].stopped)
        numbers = _start(task, plan, start, piece)
        found.append(_climbed(batch, numbers))
    order = [row for piece in pieces for row in piece]
    return batched(found, order, time.perf_counter() - begun)


def _climbed(batch: Batch, numbers: Numbers) -> OptimizationResult:
    """One batch, from its first to its last step."""
    task, plan = batch.task, batch.plan
    objective, draws = objective_of(task.targets), drawn(task.seeds)
    plan.canvas.start(task.frame, draws)  # so that draws go on where the start left them, whatever it was
    before, memory, note, step = numbers, plan.ascent.begin(numbers), "", 0
    history = History.of(_drawn(batch, numbers))
    with differentiable(numbers[0]):
        try:
            for step in range(plan.steps + 1):
                note = batch.over(step)
                if note and 0 < step < plan.steps:
                    break
                evaluation = evaluate_step(batch, objective, numbers, draws, step)
                if plan.rescue and step <= last_rescue(batch) and bool((evaluation.dead & history.alive).any()):
                    numbers, evaluation = rescue(batch, numbers, draws, step, evaluation, history.alive)
                history.note(evaluation, step)
                numbers = _where(evaluation.sound, numbers, before)
                if note or step == plan.steps or _over(batch, history, evaluation, step):
                    break
                before, (numbers, memory) = numbers, _step(batch, numbers, memory, evaluation, history.alive, step)
        except KeyboardInterrupt:
            if not history.trace:
                raise
            note = f"Called off after {step} of {plan.steps} steps."
    notes = (*([note] if note and step < plan.steps else []), *history.notes(batch))
    return OptimizationResult(
        numbers,
        _drawn(batch, numbers),
        history.best,
        history.firsts(),
        history.led,
        torch.stack(history.trace),
        history.fired,
        notes,
        step,
        0.0,
    )


def _step(
    batch: Batch, numbers: Numbers, memory: Numbers, evaluation: StepEvaluation, alive: Tensor, step: int
) -> tuple[Numbers, Numbers]:
    """One step up, and what the projections and the canvas make of it; pictures that are done stay where they are."""
    plan, frame = batch.plan, batch.task.frame
    slopes = tuple(torch.where(per_picture(alive, slope), slope, 0) for slope in evaluation.slopes)
    with torch.no_grad():
        moved, memory = plan.ascent.step(tuple(n.detach() for n in numbers), slopes, memory, step, plan.steps)
        for projection in plan.projections:
            moved = (projection.after(moved[0], numbers[0].detach(), slopes[0], step, frame),)
        moved = plan.canvas.within(moved, frame)
        return _where(alive, moved, numbers), memory


def _over(batch: Batch, history: History, evaluation: StepEvaluation, step: int) -> bool:
    """Whether no picture is moved any more: those without a slope, after all help, and those on a plateau are not."""
    history.rest(step, batch.plan.plateau)
    if batch.plan.rescue and step == last_rescue(batch):
        history.alive = history.alive & ~evaluation.dead
    return step % LOOK == 0 and not bool(history.alive.any())


@torch.no_grad()
def _drawn(batch: Batch, numbers: Numbers) -> Tensor:
    return batch.plan.canvas.draw(numbers, batch.task.frame).detach()


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
    seen = getattr(plan.canvas, "inverse", None)
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
