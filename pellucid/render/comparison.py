"""A comparison as one sheet: the photograph, then every method with its map, its own scale, and the regions it points to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from PIL import Image
from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from .image import GAP, MOST_SAMPLES, classes, encoded, every_input, framed, labelled, model_words, notes, numbered
from .modality.painters import painter
from .parts.map import prepare
from .parts.matrix import agreement
from .parts.palette import AMBER, FAINT, INK, Colour
from .parts.panel import SMALLEST, Size, card, ground, photograph
from .parts.text import boxes_said, line, paragraph, side_by_side, stack
from .parts.view import VIEWS, Shown

T = TypeVar("T")
MOST_ACROSS = 5
IN_A_CELL = 8  # methods, of which a table still fits below the photograph
WIDE = SMALLEST
REGIONS = "regions"
INKS: dict[str, tuple[int, Colour]] = {"fact": (15, INK), "note": (14, FAINT), "warning": (15, AMBER)}  # size in pixels, colour


def blank() -> Image.Image:
    """A speck of paper, where a column has nothing to say."""
    return stack([], gap=0)


@dataclass(frozen=True, eq=False)
class Column:
    """What stands under one another about one method; of the first column, about the photograph.

    Arguments:
        head: The name.
        panel: The map.
        scale: Its scale.
        facts: What is to be known about it, sentence by sentence, each with one of `INKS`.
        regions: The regions it points to.
        key: What share of the evidence lies there.
    """

    head: str
    panel: Image.Image
    scale: Image.Image = field(default_factory=blank)
    facts: tuple[tuple[str, str], ...] = ()
    regions: Image.Image = field(default_factory=blank)
    key: Image.Image = field(default_factory=blank)

    def parts(self) -> list[Image.Image]:
        """What has to stand on a line with the other columns of its row, from above to below."""
        text = [paragraph(words, size, WIDE, ink) for words, kind in self.facts for size, ink in (INKS[kind],)]
        head = line(self.head, 20, WIDE, INK)
        return [head, self.panel, stack([self.scale, stack(text, gap=3)], gap=12), self.regions, self.key]


def comparison_sheet(c: Comparison, *, top: float = 0.1, by: str | Tensor = "connected") -> Image.Image:
    """All methods side by side, for every sample of a batch, the first `MOST_SAMPLES` of many."""
    shown = range(min(len(c.any), MOST_SAMPLES))
    return stack([one_sheet(c.take(n), numbered(c.any, n), Shown(REGIONS, top, by)) for n in shown], gap=0)


def one_sheet(c: Comparison, which: str, shown: Shown) -> Image.Image:
    """One sample: photograph first, then the methods in rows; how far they agree comes last where it has no room in a column."""
    answered = tuple(c.explanations)
    free = 2 <= len(answered) <= IN_A_CELL and len({len(row) for row in rows([None] * (len(c) + 1))}) > 1
    columns = [input_column(c, shown, alone=not free), *(column(c, name, shown) for name in c)]
    columns += [agreement_column(c, shown)] if free else []
    bands = [band(row) for row in rows(columns)]
    if len(answered) > IN_A_CELL:
        bands.append(agreement(answered, c.agreement(top=shown.top), bands[0].width))
    said = [c.any.caption(), *(e.caption() for e in c.explanations.values())]
    return framed(stack([title(c, which, bands[0].width), *bands, *boxes_said(said, bands[0].width)], gap=GAP))


def rows(columns: list[T]) -> list[list[T]]:
    """The columns in as few rows as hold them, all about equally full.

    Example:
        >>> [[len(row) for row in rows([None] * count)] for count in (4, 5, 8, 13)]
        [[4], [5], [4, 4], [5, 4, 4]]
    """
    count = math.ceil(len(columns) / MOST_ACROSS)
    ends = [math.ceil(len(columns) * row / count) for row in range(count + 1)]
    return [columns[start:end] for start, end in pairwise(ends)]


def band(row: list[Column]) -> Image.Image:
    """Columns side by side, their parts on common lines."""
    return stack([side_by_side(list(parts), WIDE, GAP) for parts in zip(*(one.parts() for one in row), strict=True)], gap=12)


def title(c: Comparison, which: str, wide: int) -> Image.Image:
    """Target and value in large letters; model and number of methods below."""
    e = c.any
    head = f"{e.target} = {figure(float(e.output))}"
    line = "  ·  ".join(filter(None, (f"{len(c)} methods", model_words(e.provenance), f"at {e.at}" if e.at else "", which)))
    return stack([paragraph(head, 28, wide, INK), paragraph(line, 17, wide, FAINT)], gap=2)


def agreement_column(c: Comparison, shown: Shown) -> Column:
    """How far the methods agree, where a row has room for one column more."""
    pairs = agreement(tuple(c.explanations), c.agreement(top=shown.top), WIDE, high=WIDE, headed=False)
    return Column("How far the methods agree", pairs)


def input_column(c: Comparison, shown: Shown, *, alone: bool = True) -> Column:
    """The photograph and the classes; and how far the methods agree, where that has no column of its own."""
    e = c.any
    picture, answered = e.photograph(), tuple(c.explanations)
    choices = stack(classes(e, prepare(e), WIDE), gap=0)
    told = alone and 2 <= len(answered) <= IN_A_CELL
    pairs = agreement(answered, c.agreement(top=shown.top), WIDE, high=WIDE) if told else blank()
    if picture is None:
        return Column("", stack([choices, pairs], GAP))
    saw = photograph(picture, column_size(*picture.shape[:2]))
    return Column("What the model saw", saw, choices, regions=pairs)


def column(c: Comparison, name: str, shown: Shown) -> Column:
    """One method: its map with its scale and what is to be known about it, and its regions."""
    head = f"{c.names.index(name) + 1}  {name}"
    if name in c.failures:
        return failed_column(c, name, head)
    e, said = c[name], tuple(facts(c[name], c.seconds[name]))
    drawn, paint = prepare(e), every_input if e.parts else painter(e).image
    if paint is not None:
        return Column(head, paint(e, drawn, WIDE), facts=said)
    regions = shown.find(e)
    size = column_size(*(drawn.picture.shape[:2] if drawn.picture is not None else drawn.heat.shape))
    size = (size[0], WIDE) if drawn.flat else size
    above, below = VIEWS["map"], VIEWS[REGIONS]
    panel, scale = above.paint(drawn, regions, size), above.words(drawn, regions, WIDE)
    key, name = below.words(drawn, regions, WIDE), below.signed if e.signed else below.unsigned
    outlined = blank() if drawn.empty else labelled(name, below.paint(drawn, regions, size), WIDE)
    return Column(head, panel, scale, said, outlined, key)


def failed_column(c: Comparison, name: str, head: str) -> Column:
    """A method that gave no answer, and why."""
    error, picture = c.failures[name], c.any.photograph()
    size = (WIDE // 2, WIDE) if picture is None else column_size(*picture.shape[:2])
    panel = card("called off" if name not in c.seconds else "no answer", ground(picture, size), hatched=True)
    return Column(head, panel, facts=((str(error), "warning"),))


def facts(e: Explanation, seconds: float) -> list[tuple[str, str]]:
    """What its values add up to, what it cost, and what makes it less than it seems."""
    forwards = f", {e.forwards:,} forward passes" if e.forwards else ""
    time = f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    lines = [(sum_text(e), "fact"), (e.exactness(), "fact"), (time + forwards, "note")]
    lines += [(warning, "warning") for warning in e.warnings()] + [(note, "note") for note in notes(e)]
    return [line for line in lines if line[0]]


def sum_text(e: Explanation) -> str:
    """Where the score went, of methods that keep a ledger; what the values sum to, of others where a sum means something."""
    if e.ledger is not None:
        words = e.ledger.sentence()
        return f"{words[0].upper()}{words[1:]}."
    if e.shared or not e.signed:  # the places of a region repeat its value; sizes do not add up to a score
        return ""
    total, score = float(e.heat().double().sum()), float(e.output)
    return f"The values sum to {figure(total)}, the score is {figure(score)}."


def column_size(height: int, width: int) -> Size:
    """Size (height, width) of a panel in a column: as wide as the column, tiny pictures by a whole multiple.

    Example:
        >>> column_size(224, 224), column_size(30, 20), column_size(1000, 500)
        ((448, 448), (420, 280), (448, 224))
    """
    longest = max(height, width)
    zoom: float = WIDE / longest if longest > WIDE // 4 else WIDE // longest
    return max(1, round(height * zoom)), max(1, round(width * zoom))


def comparison_png(c: Comparison, *, top: float = 0.1, by: str | Tensor = "connected") -> bytes:
    """The sheet as the bytes of a PNG file, with captions and provenance in text chunks."""
    text = "\n".join(one.caption() for e in c.explanations.values() for one in e)
    return encoded(comparison_sheet(c, top=top, by=by), text, {name: e.provenance for name, e in c.explanations.items()})
