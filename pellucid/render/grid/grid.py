"""The grid: what every panel says, one legend, and below it what a reader has to know."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from pellucid.core.numbers import figure
from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Series, Tokens
from ..modality.series.chart import strips
from ..parts.drawing import Drawing, Mark, Raster, Words, fitted, moved
from ..parts.map import Map, heat_of, prepare
from ..parts.palette import AMBER, FAINT, INK, Colour, Pixels
from ..parts.scale import Heat, Scale
from ..parts.text import width, wrap
from ..parts.view import PLAIN, Shown
from .panels import panel, share_scale, wide_panels

PAGE = 24  # samples on a page
WIDE, MARGIN, GAP = 924, 32, 18  # pixels
MOST_SAID = 6  # sentences in amber, and notes
LARGEST, ACROSS, WIDE_ACROSS = 300, 6, 2  # pixels of a panel; panels in a row, of maps and of what is wide
NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
HEAD = 40  # pixels of the words above a panel


def pages(e: Explanation) -> int:
    """How many pages the samples take."""
    return math.ceil(len(e) / PAGE)


def grid(e: Explanation, shown: Shown = PLAIN, page: int = 1) -> Drawing:
    """One page of a batch.

    Arguments:
        shown: Which views of maps are painted.
        page: From 1 on.

    Raises:
        InputError: there is no such page.
    """
    if not 1 <= page <= pages(e):
        do = f"Ask for one of 1-{pages(e)}."
        raise InputError(f"page {page}", f"{len(e)} samples on {pages(e)} page(s)", "there is no such page", do)
    samples = range(PAGE * (page - 1), min(PAGE * page, len(e)))
    scale = share_scale(e)
    marks, below = heading(e, samples, page)
    every = [(n, prepare(e, n, scale=scale)) for n in samples]
    body, high = laid(e, every, shown)
    marks += [moved(mark, 0, below + 14) for mark in body]
    below += 14 + high
    for more, tall in (legend(e, every, scale), words(e, samples, scale)):
        marks += [moved(mark, 0, below) for mark in more]
        below += tall
    return Drawing(WIDE + 2 * MARGIN, below + 2 * MARGIN, tuple(moved(mark, MARGIN, MARGIN) for mark in marks))


def heading(e: Explanation, samples: range, page: int) -> tuple[list[Mark], float]:
    """What was asked of how many samples, and by what."""
    model = e.provenance.get("model", "")
    name = str(model.get("name", "")) if isinstance(model, dict) else str(model)
    target = e.target if not e.targets else "each its own target"
    some = f"page {page} of {pages(e)}: samples {samples[0] + 1} to {samples[-1] + 1}" if pages(e) > 1 else ""
    about = "  ·  ".join(filter(None, (e.method, name, f"at {e.at}" if e.at else "", some)))
    lines = wrap(f"{len(e)} samples: {target}", 24, WIDE)
    title: list[Mark] = [Words(0, 24 + 32 * row, line, 24, INK) for row, line in enumerate(lines)]
    below = 32.0 * len(lines)
    return [*title, Words(0, below + 14, about, 15, FAINT)], below + 20


def laid(e: Explanation, every: Sequence[tuple[int, Map]], shown: Shown) -> tuple[list[Mark], float]:
    """The panels in rows, each under its words."""
    across = WIDE_ACROSS if wide_panels(e) else across_maps(min(len(e), PAGE))
    room = (WIDE - (across - 1) * GAP) // across
    side = room if wide_panels(e) else min(room, LARGEST)
    marks, top = list[Mark](), 0.0
    for first in range(0, len(every), across):
        tall = 0.0
        for place, (n, drawn) in enumerate(every[first : first + across]):
            made, high = panel(e[n], drawn, shown, side)
            left = place * (side + GAP)
            marks += [moved(mark, left, top) for mark in above(e, n, side)]
            marks += [moved(mark, left, top + HEAD) for mark in made]
            tall = max(tall, high)
        top += tall + HEAD + GAP
    return marks, top


def across_maps(count: int) -> int:
    """How many maps stand in a row.

    Example:
        >>> across_maps(2), across_maps(9), across_maps(24)
        (3, 4, 6)
    """
    return max(3, min(ACROSS, math.ceil(math.sqrt(1.5 * count))))


def above(e: Explanation, n: int, side: int) -> list[Mark]:
    """Which sample a panel is of, and its target = score."""
    one = e[n]
    name = one.names[0] if one.names else f"sample {n + 1}"
    name += f", truly {one.labels[0]}" if one.labels else ""
    warned = f"{name}: see below" if one.warnings() else name
    return [
        Words(0, 12, fitted(warned, 12, side), 12, AMBER if one.warnings() else FAINT),
        Words(0, 30, short_equation(one, side), 14, INK),
    ]


def short_equation(e: Explanation, side: int) -> str:
    """Target = score; where that is too long, the number of a class that has a name is left out, then letters of the name."""
    score = f" = {figure(float(e.output))}"
    name = e.target[e.target.index('"') :] if '"' in e.target else e.target
    for words in (e.target, name):
        if width(words + score, 14) <= side:
            return words + score

    return fitted(name, 14, side - width(score, 14)) + score


def legend(e: Explanation, every: Sequence[tuple[int, Map]], scale: Scale) -> tuple[list[Mark], float]:
    """What the colours mean, once for all panels; nothing where all are empty."""
    drawn = next((one for _, one in every if not one.empty), None)
    if drawn is None:
        return [], 0.0
    wide = 300
    strength = np.tile(np.linspace(-1.0 if e.signed else 0.0, 1.0, wide), (14, 1))
    pixels: Pixels = drawn.palette.paint(strength, np.full((14, wide, 3), 235.0), signed=e.signed)
    meant = [text for _, text in drawn.ends()]
    ends = (f"-{figure(scale.limit)}", f"+{figure(scale.limit)}") if e.signed else ("0", figure(scale.limit))
    marks: list[Mark] = [Raster(0, 18, wide, 32, pixels.round().astype(np.uint8))]
    marks += [Words(0, 48, ends[0], 13, FAINT), Words(wide, 48, ends[1], 13, FAINT, "r")]
    if e.signed:
        return [*marks, Words(0, 12, meant[1], 13, INK), Words(wide, 12, meant[0], 13, INK, "r")], 58.0
    return [*marks, Words(0, 12, meant[0], 13, INK)], 58.0


def words(e: Explanation, samples: range, scale: Scale) -> tuple[list[Mark], float]:
    """The scale in words, warnings with the samples they are about, notes, and where the other pages are."""
    marks, below = list[Mark](), 0.0
    for text, colour in sentences(e, samples, scale):
        for line in wrap(text, 14, WIDE):
            marks.append(Words(0, below + 16, line, 14, colour))
            below += 20
        below += 2
    return marks, below


def sentences(e: Explanation, samples: range, scale: Scale) -> Iterator[tuple[str, Colour]]:
    """What a reader has to know, in the order of its weight."""
    finite = [heat for heat in (painted(one).ravel() for one in e) if np.isfinite(heat).all()]
    if finite:
        of_bars = e.values.dim() == 2 and not isinstance(e.subject, Tokens)
        end = "Bars end" if of_bars else "Full colour"
        yield scale.sentence(np.concatenate(finite)[None], signed=e.signed, end=end), FAINT
    said: dict[str, list[tuple[int, str]]] = {}
    for n in samples:
        for warning in e[n].warnings():
            said.setdefault(NUMBER.sub("", warning), []).append((n + 1, warning))
    for which in list(said.values())[:MOST_SAID]:
        first, warning = which[0]
        own = f" (The numbers are those of sample {first}.)" if len({words for _, words in which}) > 1 else ""
        yield f"{numbered([n for n, _ in which], len(samples))}: {warning}{own}", AMBER
    if len(said) > MOST_SAID:
        yield f"{len(said) - MOST_SAID} more warnings stand in the captions of single samples.", AMBER
    for note in e.notes[:MOST_SAID]:
        yield note, FAINT
    if pages(e) > 1:
        number = samples[0] // PAGE + 1
        other = f"page={number + 1} shows the next" if number < pages(e) else "page=1 shows the first"
        yield f"These are samples {samples[0] + 1} to {samples[-1] + 1} of {len(e)}; {other}.", AMBER


def painted(e: Explanation) -> Heat:
    """The values that are painted: of series the means of their strips."""
    return strips(e).values if isinstance(e.subject, Series) else heat_of(e)


def numbered(which: Sequence[int], every: int) -> str:
    """Samples by their numbers.

    Example:
        >>> numbered([3], 9), numbered([1, 2, 5], 9), numbered([1, 2], 2)
        ('Sample 3', 'Samples 1, 2 and 5', 'All samples')
    """
    if len(which) == every > 1:
        return "All samples"
    if len(which) == 1:
        return f"Sample {which[0]}"
    return f"Samples {', '.join(map(str, which[:-1]))} and {which[-1]}"
