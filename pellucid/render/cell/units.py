"""What units look for, in a notebook: concepts, synthesised pictures, real pictures."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.displayed import Cell
from pellucid.core.formats import encoded
from pellucid.core.numbers import figure as number
from pellucid.synth.examples.example import Example, Examples
from pellucid.synth.maximized import Maximized
from pellucid.verbs.concepts import Concepts
from ..examples import legend, masked
from ..image import encoded as png, framed
from ..parts.pixels import SIDE
from . import parts

MOST_NAMED = 6


def concepts(c: Concepts) -> Cell:
    """The sheet, and every channel of the layer."""
    caption = " ".join([c.sentence(), *c.notes])
    rows = [(str(one.channel), f"{one.relevance:+.3g}", f"{100 * one.share:+.1f} %", f"{one.peak:.3g}") for one in c.every]
    heads = ("channel", "relevance", "share of the score", "largest activation")
    tables = parts.folded(f"All {len(rows)} channels of {c.at}", heads, rows, numbers=4)
    return parts.sheet(encoded(c, "concepts", ".png"), caption, tables)


def maximized(p: Maximized) -> Cell:
    """The contact sheet, and a line for every picture."""
    rows = [
        (p.targets[n], number(float(p.scores[n])), predicted(p, n), str(p.seeds[n]) if n < len(p.seeds) else "")
        for n in range(len(p))
    ]
    heads = ("target", "score", "what the network says", "seed")
    settings = [(name, str(value)) for name, value in p.provenance.items()]
    tables = parts.folded("Pictures", heads, rows) + parts.folded("How to repeat this", ("", ""), settings)
    return parts.sheet(encoded(p, "maximized", ".png"), of_pictures(p), tables)


def predicted(p: Maximized, picture: int) -> str:
    """The first class of the network for one picture."""
    return "; ".join(f"{label} ({share:.1%})" for _, label, share in p.classes[picture][:1]) if p.classes else ""


def of_pictures(p: Maximized) -> str:
    """What is shown, in words: the caption of one picture, the targets of several."""
    if len(p) == 1:
        return p.caption()
    named = [f"{p.targets[n]} = {number(float(p.scores[n]))}" for n in range(min(len(p), MOST_NAMED))]
    left = [f"and {len(p) - MOST_NAMED} more"] if len(p) > MOST_NAMED else []
    return " ".join([f"{len(p)} pictures by {p.recipe}: {'; '.join([*named, *left])}.", *p.notes])


def examples(e: Examples) -> Cell:
    """The sheet, and a line for every picture."""
    rows = [
        (unit, str(rank + 1), Path(str(one.name)).name, number(one.value))
        for unit, row in zip(e.units, e.rows, strict=True)
        for rank, one in enumerate(row)
    ]
    named = ", ".join(e.units[:MOST_NAMED]) + (f" and {len(e) - MOST_NAMED} more" if len(e) > MOST_NAMED else "")
    caption = " ".join([f"{named}.", legend(e), *e.notes])
    tables = parts.folded("Pictures", ("unit", "rank", "picture", e.by), rows, numbers=1)
    return parts.sheet(encoded(e, "examples", ".png"), caption, tables)


def example(e: Example) -> Cell:
    """The crop, faint where the unit's relevance is small."""
    image, where = framed(masked(e, SIDE)), "" if e.position is None else f", strongest at {e.position} of its map"
    caption = f"{Path(str(e.name)).name}: {e.target.text()} = {number(e.value)}{where}."
    return parts.sheet(png(image), caption)
