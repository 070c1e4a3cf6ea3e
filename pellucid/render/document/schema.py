"""The schema of documents: results as plain JSON. `docs/document.md` says what every field means; tests hold every kind to this.

A field whose type allows None is always there: it is null where there is nothing to say.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

SCHEMA = 1

Number = float | None  # null: not a finite number, or not known
Box = list[int]  # top, left, bottom, right; the last two just outside


class Cells(TypedDict):
    """A table in words."""

    head: list[str]
    rows: list[list[str]]


class Figure(TypedDict):
    """A picture or table that any viewer can show: an SVG, or the address of an image, or the table alone."""

    title: str
    caption: str
    svg: str | None
    src: str | None
    alt: str
    table: Cells


class Command(TypedDict):
    """What recomputes the result; `cli` is null where the shell cannot, and comments in `python` say what is to be filled in."""

    cli: str | None
    python: str


class Document(TypedDict):
    """What every document has."""

    schema: int
    kind: str
    title: str
    sentence: str
    notes: list[str]
    warnings: list[str]
    provenance: dict[str, Any]
    command: Command
    figures: list[Figure]


# -- what a case is about ---------------------------------------------------------------------------------------------------


class Picture(TypedDict):
    """The pixels that the model saw; src is null where they are not known."""

    kind: Literal["picture"]
    src: str | None
    width: int
    height: int


class Token(TypedDict):
    text: str
    kind: Literal["text", "special", "template"]
    start: int
    end: int
    word: int | None
    sentence: int | None


class Text(TypedDict):
    kind: Literal["tokens"]
    text: str
    tokens: list[Token]


class Generated(TypedDict):
    kind: Literal["generated"]
    text: str
    tokens: list[Token]
    prompt: int
    source: int
    new: list[int]


class Column(TypedDict):
    name: str
    value: str
    baseline: str | None


class Table(TypedDict):
    kind: Literal["table"]
    columns: list[Column]


class Channel(TypedDict):
    name: str
    values: list[Number]


class Curves(TypedDict):
    kind: Literal["curves"]
    channels: list[Channel]
    length: int
    unit: str
    step: float
    omitted: int


class Spectrogram(TypedDict):
    kind: Literal["spectrogram"]
    channels: list[str]
    height: int
    width: int
    frequencies: list[float]
    times: list[float]
    duration: float
    unit: str
    levels: str
    low: float
    high: float
    omitted: int


class Values(TypedDict):
    """Numbers in a row of which nothing is known but their places."""

    kind: Literal["values"]
    length: int


class Part(TypedDict):
    name: str
    subject: Picture | Text | Table | Curves | Spectrogram | Values
    share: Number


class Inputs(TypedDict):
    kind: Literal["inputs"]
    parts: list[Part]


Subject = Picture | Text | Generated | Table | Curves | Spectrogram | Values | Inputs

# -- what a method answers about it -----------------------------------------------------------------------------------------


class Scale(TypedDict):
    """The value painted at full strength, and what lies beyond it."""

    mode: Literal["each", "shared"]
    limit: float
    origin: str
    clipped: float
    peak: float
    sentence: str


class Beyond(TypedDict):
    """Places of the map whose value exceeds the scale, and their numbers of steps: value = q / levels * limit."""

    places: list[int]
    q: list[int]


class Values2D(TypedDict):
    """One number per place: exact, or as whole numbers of steps, `levels` of which reach the limit of the scale."""

    shape: list[int]
    pool: int
    map: str | None
    levels: int
    beyond: Beyond | None
    values: list[Number] | None
    scale: Scale


class Region(TypedDict):
    id: str
    sign: Literal["for", "against"]
    share: float
    area: float
    evidence: float
    parts: int
    box: Box
    rle: str
    place: str


class Entry(TypedDict):
    where: str
    op: str
    cause: str
    amount: Number


class Rest(TypedDict):
    count: int
    amount: Number


class Bar(TypedDict):
    """One bar of the ledger: where the relevance begins, what it loses, what is left."""

    label: str
    amount: Number
    kind: Literal["start", "change", "end"]


class Ledger(TypedDict):
    seed: Number
    input: Number
    absorbed: Number
    error: Number
    sentence: str
    rows: list[Entry]
    rest: Rest
    waterfall: list[Bar]


class Step(TypedDict):
    """One bar of a row of a table: from `start` to `stop`, in the units of the score."""

    name: str
    value: str
    start: Number
    stop: Number
    kind: Literal["column", "rest", "lost", "end"]


class Steps(TypedDict):
    rising: bool
    steps: list[Step]


class Piece(TypedDict):
    text: str
    value: Number
    share: Number
    tokens: list[int]


class Row(TypedDict):
    """A new token of a generated text: its place among the tokens, and what is explained."""

    token: int
    target: str
    output: Number
    equation: str


class LayerPart(Values2D):
    """A layer's map of one of several inputs."""

    name: str
    share: Number
    regions: list[Region]
    words: list[Piece]
    sentences: list[Piece]
    sinks: list[int]
    columns: Steps | None


class Layer(Values2D):
    id: str
    name: str
    method: str
    claim: str
    target: str
    output: Number
    equation: str
    at: str | None
    signed: bool
    adds: bool
    forwards: int
    seconds: Number
    sentence: str
    warnings: list[str]
    notes: list[str]
    nothing: str | None
    doubt: str | None
    regions: list[Region]
    ledger: Ledger | None
    words: list[Piece]
    sentences: list[Piece]
    sinks: list[int]
    columns: Steps | None
    rows: list[Row]
    parts: list[LayerPart]
    contrast: list[list[Any]] | None  # [[name, score], [name, score]]
    command: Command


class Class(TypedDict):
    index: int
    label: str
    probability: Number


class Agreement(TypedDict):
    first: str
    second: str
    correlation: Number
    overlap: Number


class Failure(TypedDict):
    method: str
    reason: str


class Case(Document):
    name: str | None
    truth: str | None
    subject: Subject
    layers: list[Layer]
    classes: list[Class]
    agreement: list[Agreement]
    failures: list[Failure]


# -- other results ----------------------------------------------------------------------------------------------------------


class Report(Document):
    pages: list[Any]  # documents of any kind
    omitted: int


class Item(TypedDict):
    """A channel: what passes through it, its map by the id of a layer, and what it stands for."""

    unit: str
    relevance: Number
    share: Number
    layer: str
    peak: Number
    box: list[float] | None
    portrait: str | None
    crops: list[str]


class Concepts(Document):
    at: str
    subject: Subject
    layers: list[Layer]
    classes: list[Class]
    items: list[Item]
    every: Cells


class Shown(TypedDict):
    """A picture with its number and its words."""

    src: str
    score: Number
    caption: str
    group: str


class Maximize(Document):
    images: list[Shown]
    real: list[Shown]


class Score(TypedDict):
    method: str
    metric: str
    condition: str | None
    score: Number
    low: Number
    high: Number
    n: int | None
    forwards: Number
    seconds: Number
    floor: Number
    ceiling: Number
    rank: Number
    better: Literal["higher", "lower"] | None
    reason: str | None


class Curve(TypedDict):
    method: str
    metric: str
    x: list[Number]
    y: list[Number]
    low: list[Number]
    high: list[Number]


class Evaluation(Document):
    rows: list[Score]
    curves: list[Curve]


class Section(TypedDict):
    title: str
    head: list[str]
    rows: list[list[str]]


class Sections(Document):
    """A card, a verification, a report on trust, a test by hiding; charts, which are figures and have no sections."""

    sections: list[Section]
