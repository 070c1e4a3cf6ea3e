"""The verb `overview`: what many explanations say together, from the model and the data in one call."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from pellucid.catalogue.methods import as_method
from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.explanations import Explanations
from pellucid.explanation.method import Method, has
from pellucid.explanation.overview import Overview, overview_of
from pellucid.model import Columns, Model, load
from pellucid.model.readers.arrays import is_numbers, named_rows
from pellucid.model.readers.rows import as_rows
from .explain import explain
from .inputs import as_tensor
from .many import TOGETHER, explain_many
from .samples import ROWS, Group, Samples, samples_of


def overview(model: Any, x: Any = None, target: Any = None, method: str | Method = "lrp", **options: Any) -> Overview:
    """What the columns of a table, the times of a series, the words of texts or the places of pictures say over many samples.

    Explanations are computed a few at a time and not kept: what is kept does not grow with their number, but for the words that
    are met, and for a table up to 2,000 rows of values that are drawn as dots.

    Arguments:
        model, x, target, method, options: As `explain` takes them; a table may have any number of rows. Or, in place of all of
            these, explanations: one with many samples, `Explanations`, or a list of single ones.

    Returns:
        An overview: `beeswarm()`, `bars()`, `dependence("age")` of tables, `over_time()` of series, `words()` of texts,
        `mean_maps()` of pictures; each a chart with a table, to be saved or shown.

    Raises:
        PellucidError: as `explain` does; samples are of different kinds.

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(2, 2, bias=False).eval()
        >>> _ = net.weight.data.copy_(torch.tensor([[1.0, -1.0], [0.0, 1.0]]))
        >>> overview(net, torch.tensor([[1.0, 3.0], [2.0, 1.0]]), 0, "gradient_x_input").bars().rows[0][:2]
        ('feature 1', 2.0)
    """
    if x is None:
        return overview_of(_explanations(model))
    model = load(model)
    model, x = with_columns(model, x)
    samples = rows_of(model, x) or samples_of(model, x)
    if samples is None:
        return overview_of(explain(model, x, target, method, **options))
    chosen = as_method(method)
    ask = partial(_asked, model, method, options)
    together = 1 if has(chosen, "resolve") else TOGETHER
    return overview_of(explain_many(model, samples, ask, target, options.pop("versus", None), chosen.name, together))


def _asked(model: Model, method: str | Method, options: dict[str, Any], x: Any, target: Any, versus: Any) -> Explanation:
    e: Explanation = explain(model, x, target, method, versus=versus, **options)
    return e


def _explanations(given: Any) -> Explanation | Explanations | list[Explanation]:
    """Explanations that were made already."""
    listed = isinstance(given, (list, tuple)) and bool(given) and all(isinstance(one, Explanation) for one in given)
    if listed or isinstance(given, (Explanation, Explanations)):
        return list(given) if listed else given
    raise InputError(
        "an overview", f"an object of type {type(given).__name__} alone", "it is of explanations, or of a model and data",
        "Write pl.overview(e), or pl.overview(model, data).",
    )  # fmt: skip


def with_columns(model: Model, x: Any) -> tuple[Model, Any]:
    """The model with columns named by number, where rows of numbers come without names: so that what stands in them is known."""
    if model.preprocess is None:
        model, x = as_tensor(model, x)
    if model.preprocess is None and isinstance(x, Tensor) and x.dim() == 2 and x.is_floating_point():
        names = [f"feature {n}" for n in range(x.shape[1])]
        return replace(model, preprocess=Columns.named(names, source="the numbers of the entries")), x
    return model, x


def rows_of(model: Model, x: Any, most: int = ROWS) -> Samples | None:
    """The rows of a table a few at a time; None of what is no table."""
    if not isinstance(model.preprocess, Columns) or hasattr(x, "__next__"):
        return None
    if isinstance(x, Tensor):
        return Samples(lambda: (Group(x[first : first + most]) for first in range(0, len(x), most)), "a table", len(x))
    known = isinstance(x, (list, np.ndarray, str)) or hasattr(x, "columns")
    if not known or samples_of(model, x) is not None:
        return None
    rows = named_rows(x, model.preprocess.names) if is_numbers(x) else as_rows(x)
    parts = range(0, len(rows), most)
    return Samples(lambda: (Group(rows[first : first + most]) for first in parts), "a table", len(rows))
