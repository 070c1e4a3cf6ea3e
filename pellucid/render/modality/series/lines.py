"""A series in a terminal: a line per channel, dark where evidence is near zero, and the stretch of time with most of it."""

from __future__ import annotations

import numpy as np

from pellucid.core.numbers import figure
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality.series import Series
from ...parts.cells import cells, cut, padded
from ...parts.map import Map
from ...parts.palette import INK, RESET, ink, paper
from .chart import shade, strips, strongest

LEVELS = "▁▂▃▄▅▆▇█"


def lines(e: Explanation, drawn: Map, width: int, colour: bool) -> list[str]:
    """The curve of every channel in eight heights on the colour of its evidence; without colour the signs stand below it."""
    curves = e.subject
    assert isinstance(curves, Series)
    names = min(14, max(map(cells, curves.names)))
    pooled = strips(e, max(8, width - names - 1))
    made = []
    for channel in strongest(pooled.values):
        curve = curves.curves[0, channel].double().numpy()
        means = np.add.reduceat(curve, pooled.edges[:-1]) / np.diff(pooled.edges)
        low, high = means.min(), means.max()
        heights = [LEVELS[int(7 * (value - low) / (high - low or 1.0))] for value in means]
        levels = pooled.scale.strength(pooled.values[channel]) if not drawn.empty else np.zeros(len(heights))
        head = padded(cut(curves.names[channel], names), names) + " "
        if colour:
            made.append(head + "".join(ground(float(s), drawn) + h for s, h in zip(levels, heights, strict=True)) + RESET)
        else:
            steps = np.digitize(levels, (-0.6, -0.2, 0.2, 0.6))
            made += [head + "".join(heights), " " * len(head) + "".join("=- +#"[step] for step in steps)]
    end = curves.seconds(curves.curves.shape[2])
    made.append(f"{'':<{names}} 0 s{f'{end:.4g} s':>{max(1, len(pooled.edges) - 4)}}")
    return [*made, *([] if drawn.empty else [legend(drawn, pooled.scale.limit, colour=colour)])]


def ground(level: float, drawn: Map) -> str:
    """The escape sequence for dark letters on the colour of a strip."""
    return ink(INK) + paper(shade(level, drawn))


def legend(drawn: Map, limit: float, *, colour: bool) -> str:
    """What colours or signs mean."""
    full = f"full at {'±' if drawn.signed else ''}{figure(limit)}"
    if not colour:
        return ("# + for  - = against · " if drawn.signed else "# + unsigned: how much · ") + full
    marks = (f"{ground(level, drawn)}  {RESET} {text}" for level, text in drawn.ends(short=True))
    return f"{'  '.join(marks)} · {full}"
