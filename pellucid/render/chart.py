"""A row of a table as a chart."""

from __future__ import annotations

from typing import Literal

from PIL import Image

from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Table
from .image import caption, framed, numbered, title
from .modality.table.chart import drawing
from .parts.map import prepare
from .parts.steps import MOST, bars, rises, waterfall
from .parts.text import stack

WIDE = 924  # pixels


def chart(e: Explanation, sample: int = 0, *, kind: Literal["waterfall", "bars"] = "bars", most: int = MOST) -> Image.Image:
    """The columns of one row as bars from zero, or as steps that lead to the score.

    Arguments:
        kind: "bars", or "waterfall" where values add up.
        most: How many columns have a bar of their own.

    Raises:
        InputError: it is about no row of a table, or its values do not add up.
    """
    if not isinstance(e.subject, Table):
        do = "Explain a row with a model that says what its entries mean: pl.load(net, preprocess=pl.Columns(...))."
        raise InputError(f"a chart of {e.method}", "no row of a table", "a bar stands for a column", do)
    if kind == "waterfall" and not rises(e):
        why = "they are no steps from one score to another"
        raise InputError("a waterfall", f"values of {e.method}, which do not add up", why, 'Ask for kind="bars".')
    one = e[sample]
    steps = waterfall(one, most) if kind == "waterfall" else bars(one, most)
    made = drawing(steps, prepare(one), WIDE).image()
    return framed(stack([title(one, WIDE, numbered(e, sample)), made, *caption(one, WIDE)], gap=18))
