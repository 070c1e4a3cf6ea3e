"""Ticks of an axis: which of their numbers are written."""

from __future__ import annotations

from collections.abc import Callable

from .text import width


def spread(found: list[float], at: Callable[[float], float]) -> list[float]:
    """The ticks whose numbers have room beside one another."""
    kept: list[float] = []
    for tick in found:
        room = (width(f"{tick:.6g}", 13) + (width(f"{kept[-1]:.6g}", 13) if kept else 0)) / 2 + 10
        if not kept or at(tick) - at(kept[-1]) >= room:
            kept.append(tick)
    return kept
