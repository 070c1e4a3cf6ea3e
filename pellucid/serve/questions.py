"""Questions: the bodies of requests. Every field is known, bounded and of one type; an unknown one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from .shelf import ID

Id = Annotated[str, StringConstraints(pattern=ID)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
INTEGER = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value % 1 == 0 else value)  # 2.0 is one, too
Class = Annotated[str, StringConstraints(min_length=1, max_length=500)] | Annotated[int, Field(ge=0, le=10**9), INTEGER]
Text = Annotated[str, StringConstraints(max_length=200)]
Whole = Annotated[int, Field(ge=0, le=10**6), INTEGER]


class Question(BaseModel):
    """One request for something to be computed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def inputs(self) -> Iterator[str]:
        """The ids of the inputs that it is about."""
        yield from (value for name, value in self if name in ("input", "start") and isinstance(value, str))


class About(Question):
    """A question about one input.

    Arguments:
        input: Its id.
        row: Which row of a table.
        target, versus: Classes by name or number, as `pl.explain` takes them; None: the predicted one.
    """

    input: Id
    row: Whole = 0
    target: Class | None = None
    versus: Class | None = None


class Explain(About):
    """One method. `settings` are typed as after `--with`."""

    method: Name = "lrp"
    at: Name | None = None
    settings: dict[Name, Text] = Field(default_factory=dict, max_length=20)


class Compare(About):
    """Several methods side by side."""

    methods: Annotated[list[Name], Field(min_length=1, max_length=12)] = ["lrp", "sensitivity", "gradient_x_input"]


class Conceive(About):
    """The channels of a layer that a decision was made with."""

    at: Name | None = None
    top: Annotated[int, Field(ge=1, le=24), INTEGER] = 6
    against: Annotated[int, Field(ge=0, le=24), INTEGER] = 2


class Part(BaseModel):
    """A part of an input.

    Arguments:
        kind: "rectangle" of a picture, in places of the map: top, left, bottom, right, the last two just outside. "mask" of a
            picture: lengths of runs, row by row, beginning with places that do not belong to it. "places": tokens or columns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["rectangle", "mask", "places"]
    numbers: Annotated[list[Whole], Field(min_length=1, max_length=100_000)]


class Probe(About):
    """A measurement on the network itself.

    Arguments:
        what: "hide": what hiding a part changes, beside random parts. "units": which channels of a layer answer at a place, of a
            picture. "layers": how much of the relevance each layer carries.
        part: What is hidden, or the place.
        imputer: What stands where something is hidden.
        at: The layer whose units are meant.
    """

    what: Literal["hide", "units", "layers"]
    part: Part | None = None
    imputer: Literal["blur", "mean", "noise", "zero"] = "blur"
    controls: Annotated[int, Field(ge=0, le=200), INTEGER] = 20
    at: Name | None = None


class Portray(Question):
    """What a class or unit looks for: `target` is a class, or "layer:unit"."""

    target: Class
    recipe: Name = "auto"
    seed: Annotated[int, Field(ge=0, le=2**31), INTEGER] = 0
    steps: Annotated[int, Field(ge=1, le=4_096), INTEGER] | None = None


class Exemplify(Question):
    """Real pictures that excite a class or unit most.

    Arguments:
        root: The name of a folder that the operator opened.
        top: How many pictures.
    """

    target: Class
    root: Name
    top: Annotated[int, Field(ge=1, le=24), INTEGER] = 9


class Measure(About):
    """Several methods on one input, judged by metrics."""

    methods: Annotated[list[Name], Field(min_length=1, max_length=12)] = ["lrp", "sensitivity"]
    metrics: Annotated[list[Name], Field(min_length=1, max_length=12)] = ["srg"]


QUESTIONS: dict[str, type[Question]] = {
    "explanations": Explain,
    "compare": Compare,
    "concepts": Conceive,
    "probes": Probe,
    "portraits": Portray,
    "examples": Exemplify,
    "metrics": Measure,
}
