"""Rows of a table: the names of the columns, the cells in their own units, and which entries each column takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar

from torch import Tensor

from pellucid.errors.printable import make_printable
from .base import Modality


@dataclass(frozen=True, eq=False)
class Table(Modality):
    """Rows of a table.

    Arguments:
        names: What each column is called.
        widths: How many entries of the input each takes: more than one where a category has an entry per value.
        cells: What stands in every cell, in words and in its own units, one tuple per row.

    Example:
        >>> import torch
        >>> table = Table(("age", "smoker"), (1, 2), (("61 years", "yes"),))
        >>> table.arrange(torch.tensor([0.5, -0.1, 0.3])).sum(0)
        tensor([[0.5000, 0.2000]])
    """

    kind: ClassVar[str] = "table"
    per_sample: ClassVar[tuple[str, ...]] = ("cells",)

    names: tuple[str, ...]
    widths: tuple[int, ...]
    cells: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        make_printable(self, "names", "cells")

    def whole(self) -> bool:
        columns = {len(self.names), len(self.widths), *map(len, self.cells)}
        return len(columns) == 1 and min(self.widths, default=0) > 0

    def fits(self, values: Tensor) -> bool:
        return values.dim() == 2 and tuple(values.shape) == (len(self.cells), sum(self.widths))

    def arrange(self, values: Tensor) -> Tensor:
        """A column per place; the entries of a category are its channels, so that they are summed."""
        laid = values.new_zeros(max(self.widths), 1, len(self.names))
        for column, (first, last) in enumerate(pairwise([0, *accumulate(self.widths)])):
            laid[: last - first, 0, column] = values[first:last]
        return laid

    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """Every column with what stands there and its value, the strongest first."""
        row = heat.flatten().tolist()
        lines = [
            {"column": name, "cell": cell, "value": value}
            for name, cell, value in zip(self.names, self.cells[sample], row, strict=True)
        ]
        return {"columns": sorted(lines, key=lambda line: -abs(line["value"]))}
