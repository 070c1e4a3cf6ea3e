"""What is shown of a generated text: its new tokens, the columns they are explained by, and those that are kept off the scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch

from pellucid.explanation.concat import concat
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.sinks import sinks
from pellucid.model.modality import Generated, Tokens
from ...parts.map import Map
from ...parts.palette import RED_BLUE
from ...parts.scale import Heat, Scale, each, fixed
from ..tokens.runs import visible

MOST_CELLS = 12_000  # of a matrix that is drawn
SHOWN = {"\n": "\\n", "\t": "\\t", " ": "␣", "": "·"}  # tokens of which nothing would be seen


@dataclass(frozen=True, eq=False)
class Layout:
    """One generated text.

    Arguments:
        heat: With shape (new tokens, tokens); of an unsigned method without signs.
        rows: The new tokens, as they are written at the edge.
        columns: All tokens.
        places: Of every new token, which of the columns it is.
        source: How many columns an encoder reads.
        sinks: Columns that are kept off the scale, in order.
        scale: Of all others.
        first: Where the new tokens begin.
    """

    heat: Heat
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    places: tuple[int, ...]
    source: int
    sinks: tuple[int, ...]
    scale: Scale
    signed: bool

    @property
    def first(self) -> int:
        return self.places[0]

    @cached_property
    def others(self) -> list[int]:
        """The columns on the scale."""
        return [column for column in range(len(self.columns)) if column not in self.sinks]

    @cached_property
    def rest(self) -> Heat:
        """What tokens got that are on the scale, in a row."""
        kept = [self.heat[n, c] for n, place in enumerate(self.places) for c in range(place) if c not in self.sinks]
        return np.array(kept or [0.0])

    @cached_property
    def drawn(self) -> Map:
        """All values on the scale as a map, for its colours and its sentence."""
        return Map(self.rest[None], self.scale, self.signed, "", None, 0.0, RED_BLUE)

    @cached_property
    def kept(self) -> list[int]:
        """The columns that are drawn: of very many those that got most, and all new tokens."""
        count = max(MOST_CELLS // len(self.rows), 1)
        if len(self.columns) <= count:
            return list(range(len(self.columns)))
        size = np.abs(self.heat).sum(0)
        best = sorted(range(len(self.columns)), key=lambda c: (c not in self.sinks, c < self.first, -size[c]))
        return sorted(best[:count])

    def strength(self, row: int, column: int) -> float:
        """A value over the scale, in [-1, 1]."""
        return float(np.clip(self.heat[row, column] / self.scale.limit, -1, 1))

    def strongest(self, row: int, count: int) -> list[int]:
        """The columns on the scale that say most of a new token, the strongest first."""
        own = [column for column in self.others if column < self.places[row]]
        return sorted((c for c in own if self.heat[row, c]), key=lambda c: -abs(self.heat[row, c]))[:count]


def layout(e: Explanation) -> Layout:
    """The rows of one prompt, laid out."""
    subject = e.subject
    assert isinstance(subject, Generated)
    matrix = e.matrix(subject.prompts[0])
    heat: Heat = matrix.values.detach().cpu().double().numpy()
    heat = np.nan_to_num(heat if e.signed else np.abs(heat))
    places = tuple(subject.real(0).index(place) for place in subject.places)
    apart = find_sinks(subject, heat)
    rows, columns = (tuple(map(label, names)) for names in (matrix.rows, matrix.columns))
    made = Layout(heat, rows, columns, places, matrix.source, apart, fixed(1.0), e.signed)
    scale = each(made.rest, percentile=100.0 if made.rest.size < 200 else 99.5)
    return replace(made, scale=scale)


def find_sinks(subject: Generated, heat: Heat) -> tuple[int, ...]:
    """The sinks of all rows together; what a decoder writes begins anew."""
    kinds = [subject.kinds[0][place] for place in subject.real(0)]
    size, parts = torch.from_numpy(np.abs(heat).sum(0)), [0, *([subject.sources[0]] if subject.sources[0] else []), len(kinds)]
    found = [start + n for start, end in pairwise(parts) for n in sinks(size[start:end], kinds[start:end])]
    return tuple(place for place in found if place < subject.real(0).index(subject.places[0]))


def label(name: str) -> str:
    """A token as it stands at an edge: blanks about it left away, and what cannot be seen spelled."""
    words = visible(name)
    return words.strip().replace("\n", "\\n") or SHOWN.get(words, "␣" * min(len(words), 3))


def prompts(e: Explanation) -> list[Explanation]:
    """The rows of every prompt as an explanation of their own; none where there is one row, or no generated text."""
    subject = e.subject
    if not isinstance(subject, Generated) or len(e) < 2:
        return []
    groups = [subject.of_prompt(number) for number in subject.prompt_numbers]
    return [of_rows(e, rows) for rows in groups]


def unseen(e: Explanation, most: int) -> str:
    """A sentence where there are more texts than are shown."""
    count = len(prompts(e))
    return f"The first {most} of {count} generated texts are shown." if count > most else ""


def of_rows(e: Explanation, rows: list[int]) -> Explanation:
    """Some rows of an explanation."""
    subject = None if e.subject is None else e.subject.take(rows)
    return replace(concat([e[row] for row in rows]), subject=subject)


def before(e: Explanation) -> Explanation:
    """One row as an explanation of the text before its token; what comes after is text that nobody has read."""
    subject = e.subject
    assert isinstance(subject, Generated)
    read: Tokens = subject.single(0, range(subject.places[0]))
    return replace(e, subject=read, values=e.values[:, : subject.places[0]])
