"""The still page of a case: what each layer says as a picture, marked text, chart or walk, made from the document alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pellucid.core.numbers import percent
from ..parts.map import Map
from ..parts.panel import photograph
from ..parts.view import VIEWS
from . import series
from .decode import Data, drawn, pixels, region
from .marks import kept_apart, runs, strongest, way
from .panel import Detail, Panel, encoded, fitted, key
from .rows import row_panel, table_panel
from .walk import walk


def panels(document: Data, views: Sequence[str], detail: Detail, number: int = 0) -> list[tuple[Data | None, list[Panel]]]:
    """What is shown of a case, layer by layer; the photograph stands first, without a layer.

    Arguments:
        views: Names of `pellucid.render.VIEWS`.
        number: Of the case in its page.
    """
    subject, layers = document["subject"], document["layers"]
    side = detail.side(len(layers))
    made: list[tuple[Data | None, list[Panel]]] = []
    if subject["kind"] == "picture" and subject.get("src"):
        made.append((None, [input_panel(subject, side, detail)]))
    for n, layer in enumerate(layers):
        made.append((layer, list(layer_panels(subject, layer, views, detail, side, number * 100 + n))))
    return made


def input_panel(subject: Data, side: int, detail: Detail) -> Panel:
    """The picture alone."""
    image = pixels(subject["src"])
    assert image is not None
    size = fitted((image.shape[0], image.shape[1]), side)
    return Panel("What the model saw", "What the model saw", src=encoded(photograph(image, size), detail), size=size)


def layer_panels(subject: Data, layer: Data, views: Sequence[str], detail: Detail, side: int, number: int) -> Iterator[Panel]:
    """The figures of one layer, of each of several inputs one."""
    if subject["kind"] != "inputs":
        made = drawn(layer, subject)
        if layer["rows"]:
            yield Panel("", caption(layer), walk=walk(subject, layer, made, number, detail.marks), key=key(made))
            return
        yield from single(subject, layer, layer, made, views, detail, side)
        return
    for part, values in zip(subject["parts"], layer["parts"], strict=True):
        share = "" if values["share"] is None else f", {100 * values['share']:.0f} % of all"
        for panel in single(part["subject"], layer, values, drawn(layer, part["subject"], values), views, detail, side):
            head = f"{part['name']}{share}"
            yield replace(panel, head=f"{head}: {panel.head}" if panel.head else head)


def single(
    subject: Data, layer: Data, values: Data, made: Map, views: Sequence[str], detail: Detail, side: int
) -> Iterator[Panel]:
    """The figures of one input."""
    alt, scale = caption(layer), values["scale"]["sentence"]
    if subject["kind"] in ("tokens", "generated"):
        found = runs(subject, made.heat[0].tolist(), made)
        rows = [("word", "", "value"), *strongest(values, made)]
        yield Panel(
            "", alt, runs=found, way=way(found), apart=kept_apart(found, made), key=key(made), scale=scale,
            about="The words that say most", rows=rows if len(rows) > 1 else (),
        )  # fmt: skip
    elif subject["kind"] == "table":
        yield table_panel(subject, values, made, alt)
    elif subject["kind"] in ("curves", "spectrogram"):
        draw = series.curves if subject["kind"] == "curves" else series.spectrogram
        yield Panel("", alt, svg=draw(subject, made).page(), key=key(made), scale=scale)
    elif made.flat and not made.empty:
        yield row_panel(values, made, alt)
    else:
        yield from picture_panels(values, made, views, detail, side, alt)


def picture_panels(values: Data, made: Map, views: Sequence[str], detail: Detail, side: int, alt: str) -> Iterator[Panel]:
    """A map over its picture, once per view."""
    places = tuple(values["shape"])
    found = tuple(region(one, places) for one in values["regions"])
    size = fitted((places if made.picture is None else made.picture.shape)[:2], side)
    rows = [("evidence", "where", "share"), *region_rows(values["regions"])] if values["regions"] else []
    for name in views[:1] if made.empty else views:
        view = VIEWS[name]
        image = view.paint(made, found, size)
        yield Panel(
            view.signed if made.signed else view.unsigned, alt, src=encoded(image, detail, exact=max(places) <= 64),
            size=(image.height, image.width), key=key(made, numbers=not view.regions),
            scale="" if view.regions else values["scale"]["sentence"], about="Where the evidence lies", rows=rows,
        )  # fmt: skip


def caption(layer: Data) -> str:
    """What a reader has to know about a figure, for those who do not see it."""
    return " ".join([layer["sentence"], *layer["warnings"], *layer["notes"]])


def region_rows(regions: Sequence[Data]) -> list[tuple[str, str, str]]:
    """A line (kind, place, share) per region."""
    return [(one["sign"], one["place"], percent(one["share"])) for one in regions]
