"""Views: the ways one explanation can be painted. A new one is its functions, and one line in `VIEWS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps
from torch import Tensor

from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.regions import Region
from . import outline
from .legend import legend
from .map import Map
from .palette import HAIR
from .panel import Size, overlay

Regions = tuple[Region, ...]


@dataclass(frozen=True)
class View:
    """One way to paint a map and its regions.

    Arguments:
        signed, unsigned: What stands above it, of methods that tell for from against and of others.
        paint: The panel, at a size (height, width).
        words: The legend below, so many pixels wide.
        regions: Whether it shows regions, which then have to be found.
    """

    signed: str
    unsigned: str
    paint: Callable[[Map, Regions, Size], Image.Image]
    words: Callable[[Map, Regions, int], Image.Image]
    regions: bool = True


def draw_map(drawn: Map, regions: Regions, size: Size) -> Image.Image:
    """The map over its ground, as bars where places lie in a row, or a card that says why there is none."""
    image = outline.placeholder(drawn, None, size)
    if image is not None:
        return image
    return overlay(drawn, size) if drawn.picture is not None else ImageOps.expand(overlay(drawn, size), border=1, fill=HAIR)


def draw_scale(drawn: Map, regions: Regions, wide: int) -> Image.Image:
    """The scale of the map."""
    return legend(drawn, wide)


SAY, MATTER = "The regions that say most", "The regions that matter most"
VIEWS = {
    "map": View("What speaks for it, and what against", "What matters for it", draw_map, draw_scale, regions=False),
    "outlines": View(f"{SAY}, outlined", f"{MATTER}, outlined", outline.outlines, outline.key),
    "regions": View(f"{SAY}, alone", f"{MATTER}, alone", outline.isolated, outline.key),
}


@dataclass(frozen=True, eq=False)
class Shown:
    """What a picture shows: which views, and of which regions.

    Arguments:
        view: One or more of `VIEWS`, as "map,regions" or a list of names.
        top, by: Which regions, as in `Explanation.regions`.

    Raises:
        InputError: no view has that name.
    """

    view: str | Sequence[str] = "map"
    top: float = 0.1
    by: str | Tensor = "connected"

    def views(self) -> list[View]:
        """The views, in the order they were asked for."""
        return [VIEWS[name] for name in self.names()]

    def names(self) -> list[str]:
        """The names of the views, each once."""
        names = [name.strip().lower() for name in (self.view.split(",") if isinstance(self.view, str) else self.view)]
        for name in names:
            if name not in VIEWS:
                do = f"Choose among {', '.join(VIEWS)}; commas join several."
                raise InputError(f'view "{name}"', f'"{name}"', "there is no such view", do)
        return list(dict.fromkeys(names))

    def find(self, e: Explanation) -> Regions:
        """The regions, where a view shows any."""
        return e.regions(self.top, self.by) if any(view.regions for view in self.views()) else ()


PLAIN = Shown()
