"""A tape as a readable list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .op import Tape


def show(tape: Tape) -> str:
    """One line per operation: number, kind, name, shape of what it made, module."""
    rows = [(str(op.index), op.kind, op.name, _shapes(tape, op.outs), op.module) for op in tape.ops]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _shapes(tape: Tape, ids: tuple[int | None, ...]) -> str:
    return ", ".join("x".join(map(str, tape.values[i].shape)) or "scalar" for i in ids if i is not None)
