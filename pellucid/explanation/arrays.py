"""The values of an explanation for other programs: the array as it is, or a line for each place."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.core.data_frame import data_frame
from pellucid.model.modality import Table, Tokens
from .explanation import Explanation


def to_npy(e: Explanation) -> bytes:
    """The raw values, batch first, as NumPy keeps an array: `np.load` reads it."""
    values = e.values.detach().cpu()
    values = values if str(values.dtype) in ("torch.float32", "torch.float64", "torch.float16") else values.float()
    file = io.BytesIO()
    np.save(file, values.numpy(), allow_pickle=False)
    return file.getvalue()


def to_csv(e: Explanation) -> str:
    """A line for each place of each sample: a token of a text, a column of a table, else row and column of the map.

    Values are summed over channels, as they are drawn.

    Example:
        >>> import torch
        >>> print(to_csv(Explanation(torch.tensor([[[[2.0, -1.0]]]]), torch.ones(1), "logit 0", "gradient_x_input", True)))
        sample,row,column,value
        0,0,0,2.0
        0,0,1,-1.0
        <BLANKLINE>
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("sample", *names(e), "value"))
    writer.writerows((sample, *line) for sample in range(len(e)) for line in lines(e, sample))
    return file.getvalue()


def to_frame(e: Explanation) -> Any:
    """The lines of `to_csv` as a data frame of pandas."""
    rows = ((sample, *line) for sample in range(len(e)) for line in lines(e, sample))
    return data_frame(rows, ("sample", *names(e), "value"))


def names(e: Explanation) -> tuple[str, str]:
    """What says which place a line is about."""
    if isinstance(e.subject, Tokens):
        return "start", "token"
    return ("name", "cell") if isinstance(e.subject, Table) else ("row", "column")


def lines(e: Explanation, sample: int) -> Iterator[tuple[object, ...]]:
    """The places of one sample with their values."""
    heat = e.heat(sample).cpu().double()
    if isinstance(e.subject, Tokens):
        yield from ((piece.start, piece.text, piece.value) for piece in e.tokens(sample))
    elif isinstance(e.subject, Table):
        yield from zip(e.subject.names, e.subject.cells[sample], heat.flatten().tolist(), strict=True)
    else:
        yield from ((row, column, value) for row, rest in enumerate(heat.tolist()) for column, value in enumerate(rest))
