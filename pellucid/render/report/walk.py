"""A generated text to walk through token by token: hidden radio buttons and a style rule per step, no script."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pellucid.core.numbers import figure, with_sign
from ..modality.generated.layout import Layout, label
from ..modality.generated.matrix import matrix, scale_words
from ..parts.map import Map
from ..parts.painter import PAGE
from ..parts.scale import fixed
from .decode import Data
from .marks import UNREAD, Run, runs

MOST_WORDS = 8
ITSELF = "itself"  # the kind of a run that is explained


@dataclass(frozen=True, eq=False)
class Step:
    """The text as one new token sees it."""

    name: str
    token: str
    score: str
    runs: list[Run]
    strongest: list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Walk:
    """All new tokens: a step for each, the matrix of all, and what its colours mean."""

    steps: list[Step]
    omitted: int
    matrix: str
    scale: str
    number: int

    @property
    def style(self) -> str:
        """The rules that show the step whose button is pressed."""
        chosen = (f"#{one.name}:checked~.steps>.step:nth-child({n + 1})" for n, one in enumerate(self.steps))
        return f".step{{display:none}}{','.join(chosen)}{{display:block}}" if self.steps else ""


def walk(subject: Data, layer: Data, drawn: Map, number: int, most: int) -> Walk:
    """The walk through one text.

    Arguments:
        number: Tells walks of one page apart.
        most: Marks in all steps together.
    """
    shown = layout(subject, layer, drawn)
    count = min(len(layer["rows"]), max(1, most // max(1, len(shown.columns))))
    steps = [step(subject, layer, shown, drawn, row, f"t{number}-{row}") for row in range(count)]
    return Walk(steps, len(layer["rows"]) - count, matrix(shown, PAGE).page(), scale_words(shown), number)


def layout(subject: Data, layer: Data, drawn: Map) -> Layout:
    """The rows of the text, laid out."""
    columns = tuple(label(token["text"]) for token in subject["tokens"])
    places = tuple(row["token"] for row in layer["rows"])
    rows = tuple(columns[place] for place in places)
    scale = drawn.scale if not drawn.empty else fixed(1.0)
    return Layout(drawn.heat, rows, columns, places, subject["source"], drawn.sinks, scale, drawn.signed)


def step(subject: Data, layer: Data, shown: Layout, drawn: Map, row: int, name: str) -> Step:
    """One new token: tokens before it in their shades, itself in bold, later ones in grey."""
    place, about = shown.places[row], layer["rows"][row]
    score = f"new token {row + 1} of {len(shown.rows)}, score {figure(float(about['output'] or 0.0))}"
    found = [placed(run, place) for run in runs(subject, drawn.heat[row].tolist(), drawn)]
    return Step(name, shown.rows[row], score, found, best(shown, row))


def placed(run: Run, place: int) -> Run:
    """A run as the token at `place` sees it: that token itself, and what comes later, have no colour."""
    if place in run.places:
        return replace(run, kind=ITSELF, shade="", title="")
    return replace(run, kind=UNREAD, shade="", title="") if run.places and min(run.places) > place else run


def best(shown: Layout, row: int) -> list[tuple[str, str]]:
    """The tokens that say most of a new one."""
    return [(shown.columns[c], with_sign(shown.heat[row, c], signed=shown.signed)) for c in shown.strongest(row, MOST_WORDS)]
