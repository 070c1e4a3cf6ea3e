"""Gradient ascent: pictures moved step by step to where their targets are higher, each by itself, many in one batch.

Step rules such as Adam are in `ascent.py`; one step's forward and backward pass is in `evaluate_step.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.core.progress import report_picture
from pellucid.errors import InputError
from pellucid.tape.forward import batch_size
from ..objective.activations import differentiable, layer_activations
from ..objective.objective import objective_of
from ..prior.per_picture import per_picture
from ..random import exact, generators
from .dead_units import last_rescue, rescue
from .evaluate_step import Batch, StepEvaluation, evaluate_step
from .history import History
from .result import OptimizationResult, batched
from .step_rules import Numbers
from .task import Plan, Task

CHECKED = 16  # steps between checks whether all pictures are done: each check waits for the device


def gradient_ascent(task: Task, plan: Plan, start: Numbers | None = None) -> OptimizationResult:
    """Pictures with high scores by the targets of `task`, as `plan` says, from the numbers `start` or those of the canvas.

    Pictures whose targets read the same layers share a batch, as many as suit the machine, with the same result as alone.
    Progress is reported in steps; when called off, or on Ctrl-C, the result so far is returned.

    Arguments:
        start: One tensor (n, ...) per number of the canvas, one row per target; None: from `task.start`, or the canvas's own.

    Raises:
        InputError: the plan has projections, and a canvas whose numbers are not the picture.
        TargetError: a target is not one number per picture.
        WhereError: a target names a module that did not run.
    """
    plan = task.changed(plan)
    _check(plan)
    begun = time.perf_counter()
    with torch.no_grad(), drawing_apart(task.model, task.frame.device):
        first = _start(task, plan, None if start is None else tuple(n[:1] for n in start), [0])
        x = task.frame.to_inputs(plan.canvas.draw(first, task.frame))
    addresses = [at for target in task.targets for at in target.addresses] + [at for p in plan.penalties for at in p.addresses]
    activations, _ = layer_activations(task.model, x, tuple(dict.fromkeys(addresses)))
    rows = sorted(range(len(task)), key=lambda row: activations.depth(task.targets[row].addresses))
    views = plan.robust.views if plan.robust is not None else 1
    size = len(task) if plan.coupled else max(1, batch_size(x) // views)
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    results: list[OptimizationResult] = []
    for number, piece in enumerate(pieces):
        stopped = bool(results) and results[-1].stopped
        batch = Batch(task.take(piece), plan, activations, number, len(pieces), begun, stopped)
        results.append(_ascend(batch, _start(task, plan, start, piece)))
    order = [row for piece in pieces for row in piece]
    return batched(results, order, time.perf_counter() - begun)


def _ascend(batch: Batch, numbers: Numbers) -> OptimizationResult:
    """One batch, from its first to its last step."""
    task, plan = batch.task, batch.plan
    objective, draws = objective_of(task.targets), generators(task.seeds)
    plan.canvas.start(task.frame, draws)  # so that draws go on where the start left them, whatever it was
    before, memory, note, step = numbers, plan.ascent.begin(numbers), "", 0
    history = History.of(_draw(batch, numbers))
    with differentiable(task.model, numbers[0]):
        try:
            for step in range(plan.steps + 1):
                note = batch.stop_reason(step)
                if note and 0 < step < plan.steps:
                    break
                evaluation = evaluate_step(batch, objective, numbers, draws, step)
                if plan.rescue and step <= last_rescue(batch) and bool((evaluation.dead & history.alive).any()):
                    numbers, evaluation = rescue(batch, numbers, draws, step, evaluation, history.alive)
                history.add(evaluation, step)
                numbers = _where(evaluation.finite, numbers, before)
                report_picture(partial(_draw, batch, numbers))
                if note or step == plan.steps or _all_done(batch, history, evaluation, step):
                    break
                before, (numbers, memory) = numbers, _step(batch, numbers, memory, evaluation, history.alive, step)
        except KeyboardInterrupt:
            if not history.trace:
                raise
            note = f"Called off after {step} of {plan.steps} steps."
    notes = (*([note] if note and step < plan.steps else []), *history.notes(batch))
    return OptimizationResult(
        numbers, _draw(batch, numbers), history.best, history.firsts(), history.led, torch.stack(history.trace), history.fired,
        notes, step, 0.0,
    )  # fmt: skip


def _step(
    batch: Batch, numbers: Numbers, memory: Numbers, evaluation: StepEvaluation, alive: Tensor, step: int
) -> tuple[Numbers, Numbers]:
    """One step of the ascent, the projections and the canvas's constraint; pictures that are done stay as they are."""
    plan, frame = batch.plan, batch.task.frame
    gradients = tuple(torch.where(per_picture(alive, g), g, 0) for g in evaluation.gradients)
    with torch.no_grad():
        moved, memory = plan.ascent.step(tuple(n.detach() for n in numbers), gradients, memory, step, plan.steps)
        for projection in plan.projections:
            moved = (projection.after(moved[0], numbers[0].detach(), gradients[0], step, frame),)
        moved = plan.canvas.within(moved, frame)
        return _where(alive, moved, numbers), memory


def _all_done(batch: Batch, history: History, evaluation: StepEvaluation, step: int) -> bool:
    """Whether no picture is moved any more: neither those without a gradient, after the rescue, nor those on a plateau."""
    history.freeze(step, batch.plan.plateau)
    if batch.plan.rescue and step == last_rescue(batch):
        history.alive = history.alive & ~evaluation.dead
    return step % CHECKED == 0 and not bool(history.alive.any())


@torch.no_grad()
def _draw(batch: Batch, numbers: Numbers) -> Tensor:
    return batch.plan.canvas.draw(numbers, batch.task.frame).detach()


def _where(rows: Tensor, numbers: Numbers, others: Numbers) -> Numbers:
    return tuple(torch.where(per_picture(rows, n), n, other.detach()) for n, other in zip(numbers, others, strict=True))


def _start(task: Task, plan: Plan, start: Numbers | None, rows: Sequence[int]) -> Numbers:
    if start is not None:
        return tuple(numbers[list(rows)].detach() for numbers in start)
    if task.start is None:
        return plan.canvas.start(task.frame, generators([task.seeds[row] for row in rows]))
    pictures = task.start[list(rows)]
    if plan.canvas.literal:
        return plan.canvas.within((pictures.to(task.frame.device, exact(task.frame.dtype)),), task.frame)
    inverse = getattr(plan.canvas, "inverse", None)
    if inverse is None:
        raise InputError(
            "A start from given pictures", f"a {plan.canvas.name} canvas", "it has no `inverse` that finds their numbers",
            "Use pl.synth.Pixel() or pl.synth.Fourier().",
        )  # fmt: skip
    numbers: Numbers = inverse(pictures, task.frame)
    return numbers


def _check(plan: Plan) -> None:
    if plan.projections and not plan.canvas.literal:
        names = ", ".join(type(projection).__name__ for projection in plan.projections)
        raise InputError(
            f"{names} after each step", f"a {plan.canvas.name} canvas, whose numbers are not the picture",
            "a projection changes the picture itself", "Use pl.synth.Pixel(), or penalties in place of projections.",
        )  # fmt: skip
