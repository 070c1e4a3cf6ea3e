"""Pages of single results, as `save` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.regions import Region
from pellucid.model.modality import Tokens
from pellucid.model.modality.tokens import PADDING
from ..document import document
from ..document.layer import region
from ..parts.region_table import region_rows
from ..parts.view import Shown
from .page import flat, html
from .report import Report

USUAL = Shown()


def page(
    e: Explanation, *, view: str | Sequence[str] = "map", top: float = 0.1, by: str | Tensor = "connected", script: bool = True
) -> str:
    """An explanation as one HTML file that needs nothing else, a section per sample.

    Arguments:
        view: Which pictures of the map stand in the still page, one or more of `VIEWS`.
        top, by: Which regions, as in `Explanation.regions`.
        script: Whether the viewer is inside; without it the page is a still one, with larger pictures.
    """
    shown = Shown(view, top, by)
    names, made = shown.names(), document(e)
    for one, sample in zip(flat(made), e, strict=False):
        choose_regions(one, [sample], shown)
        count_padding(one["layers"], sample)
    return html(made, script=script, views=names)


def comparison_page(c: Comparison, *, top: float = 0.1, by: str | Tensor = "connected", script: bool = True) -> str:
    """A comparison as one HTML file, likewise: a figure per method."""
    made = document(c)
    for number, one in enumerate(flat(made)):
        choose_regions(one, list(c.take(number).explanations.values()), Shown("regions", top, by))
    return html(made, script=script, views=("map",) if script else ("map", "regions"))


def result_page(result: Any, *, script: bool = True) -> str:
    """Any other result as one HTML file."""
    return html(document(result), script=script)


def report_page(result: Report, *, script: bool = True) -> str:
    """A report as one HTML file."""
    return html(result.document, script=script)


def report_document(result: Report) -> dict[str, Any]:
    """A report as plain data."""
    return result.document


def count_padding(layers: Sequence[dict[str, Any]], e: Explanation) -> None:
    """Say how much padding of a text is not shown."""
    count = e.subject.kinds[0].count(PADDING) if isinstance(e.subject, Tokens) else 0
    for layer in layers if count else ():
        layer["notes"] = [*layer["notes"], f"{count} positions of padding behind the text are left out."]


def choose_regions(page: dict[str, Any], answers: Sequence[Explanation], shown: Shown) -> None:
    """Put other regions into a document that was just made, where others than the usual ones are asked for."""
    if shown.top == USUAL.top and isinstance(shown.by, str) and shown.by == USUAL.by:
        return
    for layer, e in zip(page["layers"], answers, strict=True):
        if e.subject is None:
            found = e.regions(shown.top, shown.by)
            names = [line[1] for line in region_rows(found)]
            layer["regions"] = [
                dict(region(placed(one, tuple(layer["shape"])), f"r{n}", name, 1))
                for n, (one, name) in enumerate(zip(found, names, strict=True), 1)
            ]


def placed(one: Region, shape: tuple[int, ...]) -> Region:
    """A region on the places of a map, where it was cut out of a finer picture."""
    if tuple(one.mask.shape) == shape:
        return one
    from dataclasses import replace

    rows, columns = (torch.from_numpy(np.arange(want) * have // want) for have, want in zip(one.mask.shape, shape, strict=True))
    return replace(one, mask=one.mask[rows][:, columns])
