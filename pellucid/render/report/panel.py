"""Panel: one figure of a still page, and how large its picture may be."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from pellucid.core.numbers import with_sign
from ..parts.map import Map
from ..parts.panel import Size
from .marks import Run
from .shades import shade
from .walk import Walk

Lines = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Detail:
    """How much a page may hold: a page with a viewer needs little, one without shows all it can.

    Arguments:
        sides: Pixels along the longer side of a picture, where one, up to three, or more layers are shown.
        quality: Of JPEG.
        marks: Tokens in all steps of a walk together.
    """

    sides: tuple[int, int, int]
    quality: int
    marks: int

    def side(self, layers: int) -> int:
        return self.sides[0 if layers == 1 else 1 if layers <= 3 else 2]


SMALL, LARGE = Detail((224, 176, 120), 60, 1500), Detail((448, 400, 288), 85, 40_000)


@dataclass(frozen=True, eq=False)
class Panel:
    """One figure: a picture, an SVG, a marked text or a walk; with its name, its key, and what is to be known about it.

    Arguments:
        head: The name above; "" for none.
        key: Class and meaning of each colour.
        rows: A table that says the same: head first.
    """

    head: str
    alt: str
    src: str = ""
    size: Size = (0, 0)
    svg: str = ""
    runs: list[Run] = field(default_factory=list)
    way: str = "ltr"
    apart: list[tuple[str, str]] = field(default_factory=list)
    walk: Walk | None = None
    key: list[tuple[str, str]] = field(default_factory=list)
    scale: str = ""
    about: str = ""
    rows: Lines = ()


def key(made: Map, *, numbers: bool = True) -> list[tuple[str, str]]:
    """Class and meaning of the ends of the scale, with their values where these are painted."""
    found = [] if made.empty else made.ends()
    values = [f" {with_sign(level * made.scale.limit, signed=made.signed)}" if numbers else "" for level, _ in found]
    return [(shade(level, signed=made.signed), words + value) for (level, words), value in zip(found, values, strict=True)]


def fitted(shape: tuple[int, ...], side: int) -> Size:
    """Size (height, width) of a picture whose longer side is about that long; tiny ones grow by a whole multiple."""
    height, width = shape
    longest = max(height, width)
    zoom: float = side / longest if longest > side else max(1, round(side / longest)) if longest <= 64 else side / longest
    return max(1, round(height * zoom)), max(1, round(width * zoom))


def encoded(image: Image.Image, detail: Detail, *, exact: bool = False) -> str:
    """A picture as an address that holds it: JPEG, or PNG where it has few, exact colours."""
    file = io.BytesIO()
    if exact:
        image.save(file, format="PNG", optimize=True)
    else:
        image.convert("RGB").save(file, format="JPEG", quality=detail.quality, optimize=True)
    kind = "png" if exact else "jpeg"
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"
