"""A plan as a readable table, with the number of multiply-adds."""

from __future__ import annotations

from .box import by
from .schedule import Schedule
from .step import PlanStep


def table(schedule: Schedule) -> str:
    """One line per operation: kind, name, what it makes, which part of it is computed, module."""
    rows = [_row(step) for step in schedule.steps]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(5)]
    done, full = schedule.multiplications
    total = [f"{done:,} of {full:,} multiply-adds per window"] if full else []
    return "\n".join(
        ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows] + total
    )


def _row(step: PlanStep) -> tuple[str, str, str, str, str]:
    box = step.boxes.get(step.op.out)
    if box is None:
        return str(step.op.index), step.op.kind, step.op.name, "whole", step.op.module
    part = f"{by(box.lengths)} of {by(box.layout.sizes)}"
    return str(step.op.index), step.op.kind, step.op.name, part, step.op.module
