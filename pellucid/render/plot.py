"""Results in an axis of matplotlib, beside the reader's own drawings."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.numbers import figure
from pellucid.errors import MethodError, MissingExtra, SampleError
from pellucid.explanation.explanation import Explanation
from pellucid.metrics.report.table import Table
from pellucid.model.modality import Series, Table as Row, Tokens
from pellucid.synth.maximized import Maximized
from .maximized import bounded
from .parts.map import Map, prepare
from .parts.palette import web
from .parts.panel import panel_size
from .parts.pixels import painted
from .parts.view import draw_map

MOST_BARS, LONGEST_NAME = 20, 28


def explanation(e: Explanation, ax: Any = None, *, sample: int = 0) -> Any:
    """A map over its picture; bars for the words of a text or the columns of a row; a line for a series.

    Returns:
        The axis, with the target and its value as title.
    """
    one, ax = e[sample], axis(ax)
    drawn = prepare(one)
    if isinstance(one.subject, Tokens):
        pieces = [(piece.text.strip() or piece.text, piece.value) for piece in one.words()]
        bars(ax, pieces, drawn, strongest=False)
    elif isinstance(one.subject, Row):
        cells = zip(one.subject.names, one.subject.cells[0], one.heat().flatten().tolist(), strict=True)
        bars(ax, [(f"{name} = {cell}" if cell else name, value) for name, cell, value in cells], drawn)
    elif isinstance(one.subject, Series):
        series(ax, one, one.subject, drawn)
    elif drawn.flat:
        bars(ax, [(str(place), value) for place, value in enumerate(drawn.heat[0].tolist())], drawn)
    else:
        shape = drawn.heat.shape if drawn.picture is None else drawn.picture.shape
        ax.imshow(np.asarray(draw_map(drawn, (), panel_size(shape[0], shape[1]))))
        ax.set_axis_off()
    ax.set_title(f"{one.equation()}\n{one.method}{f': {drawn.card}' if drawn.card else ''}")
    return ax


def bars(ax: Any, named: list[tuple[str, float]], drawn: Map, *, strongest: bool = True) -> None:
    """A bar for each of the strongest values, the first on top.

    Arguments:
        strongest: Whether they come in the order of their strength; else in their own.
    """
    order = sorted(range(len(named)), key=lambda n: -abs(named[n][1]))[:MOST_BARS]
    shown = [named[n] for n in (order if strongest else sorted(order))]
    places, values = range(len(shown)), [0.0 if drawn.empty else value for _, value in shown]
    ax.barh(places, values, color=[web(drawn.colour(value)) for value in values])
    ax.set_yticks(places, [short(name) for name, _ in shown])
    ax.invert_yaxis()
    ax.axvline(0, color="0.6", linewidth=0.8)
    ax.set_xlabel("relevance" if len(shown) == len(named) else f"relevance of the strongest {len(shown)} of {len(named)}")


def series(ax: Any, e: Explanation, subject: Series, drawn: Map) -> None:
    """The curves as lines, and behind each stretch the colour of what it says."""
    steps = subject.curves.shape[-1]
    times = np.arange(steps) / subject.rate
    for name, curve in zip(subject.names, subject.curves[0].cpu().numpy(), strict=True):
        ax.plot(times, curve, color="0.15" if len(subject.names) == 1 else None, linewidth=1.2, label=name)
    levels = np.zeros(len(drawn.heat[0])) if drawn.empty else drawn.strength[0]
    width = steps / len(levels) / subject.rate
    for n, level in enumerate(levels.tolist()):
        if level:
            start = n * width - 0.5 / subject.rate
            ax.axvspan(start, start + width, color=web(drawn.colour(level)), alpha=0.6 * abs(level), linewidth=0)
    ax.set_xlabel("seconds")
    ax.set_ylabel(subject.unit or "value")
    if len(subject.names) > 1:
        ax.legend(loc="best")


def evaluation(t: Table, ax: Any = None, *, metric: str | None = None) -> Any:
    """The mean score of every method by one metric, with its 95 % interval, the best on top."""
    name = metric or next(iter(t.metrics), "")
    rows = [row for row in t.rows if row["metric"] == name and row["score"] is not None]
    if not rows:
        known = ", ".join(dict.fromkeys(row["metric"] for row in t.rows)) or "none"
        raise MethodError(f"a plot by {name}", f"scores by {known}", "there is nothing to draw", "Name one of these.")
    ax = axis(ax)
    rows.sort(key=lambda row: row["score"], reverse=rows[0]["better"] == "higher")
    places, scores = range(len(rows)), [row["score"] for row in rows]
    ends = [[max(0.0, abs(row[end] - row["score"])) if row[end] is not None else 0.0 for row in rows] for end in ("low", "high")]
    ax.barh(places, scores, xerr=ends, color="0.55", ecolor="0.15", capsize=3)
    ax.set_yticks(places, [row["method"] for row in rows])
    ax.invert_yaxis()
    ax.set_xlabel(f"{name} ({rows[0]['better']} is better), mean of {rows[0]['n']} with its 95 % interval")
    return ax


def maximized(p: Maximized, ax: Any = None, *, picture: int = 0) -> Any:
    """One picture, with its target and score as title."""
    if not -len(p) <= picture < len(p):
        raise SampleError(
            f"picture {picture}", f"{len(p)} picture(s)", "there is no such picture", f"Ask for one of 0-{len(p) - 1}."
        )
    ax = axis(ax)
    ax.imshow(painted(p.images[picture], bounded(p)))
    ax.set_axis_off()
    ax.set_title(f"{p.targets[picture]} = {figure(float(p.scores[picture]))}\n{p.recipe}")
    return ax


def axis(ax: Any) -> Any:
    """The axis that was given, or the current one."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        why, do = (
            "it draws into an axis of matplotlib",
            "Install it with: pip install 'pellucid[notebook]'. Or save a .png or .svg.",
        )
        raise MissingExtra("plot()", "no package matplotlib", why, do) from None
    return pyplot.gca()


def short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
