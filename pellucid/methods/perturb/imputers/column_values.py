"""What stands in a row of a table where columns are taken away: numbers at their mean, categories at every value in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.model import Columns
from ..regions.regions import Regions
from .imputer import Fill, Imputer

ROWS, VALUES = 64, 512  # possible rows that are tried, all of them; and values of categories that go one at a time
SOME = 16  # rows that are drawn where there are more


@dataclass(frozen=True)
class ColumnValues(Imputer):
    """Possible rows: no row has half a category, and what the model says is averaged over their values, each as often.

        f(x without a column) = mean over its values v of f(x with v there)

    A number that is taken away stands at its mean. Of categories that are taken away together every combination is tried, or,
    where there are more than 64, some that are drawn so that each value has its share.

    Arguments:
        columns: What the entries of a row mean.
        alone: Whether no two columns are ever taken away together.

    Example:
        >>> from pellucid.model import Column
        >>> values = ColumnValues(Columns((Column("age"), Column("smoker", values=("no", "yes")))))
        >>> values.prepare(torch.zeros(1, 3), None, None)(torch.ones(2, 3), [0, 1])
        tensor([[0., 1., 0.],
                [0., 0., 1.]])
    """

    soft: ClassVar[bool] = False

    columns: Columns
    alone: bool = False

    @property
    def exact(self) -> bool:
        """Whether all values are tried, and none are drawn."""
        return prod(self._counts) <= ROWS or (self.alone and lcm(*self._counts) <= VALUES)

    @property
    def random(self) -> bool:
        return not self.exact

    @property
    def draws(self) -> int:
        """How many rows stand in the place of one."""
        if prod(self._counts) <= ROWS:
            return prod(self._counts)
        return lcm(*self._counts) if self.exact else SOME

    @property
    def note(self) -> str:
        """What a caption says of it."""
        if not self._counts:
            return "A removed column is set to its mean."
        values = "every value" if self.exact else f"{self.draws} rows of its values"
        return f"A removed column is set to its mean; of a category, answers are averaged over {values}."

    def prepare(self, x: Tensor, regions: Regions | None, model: Any) -> Fill:
        mean, every = self.columns.typical().to(x), self.draws
        rows = torch.stack([self._row(mean, draw) for draw in range(every)])

        def fill(gone: Tensor, draws: Sequence[int]) -> Tensor:
            if self.exact:
                return rows[[draw % every for draw in draws]]
            return torch.stack([self._row(mean, draw) for draw in draws])

        return fill

    def _row(self, mean: Tensor, draw: int) -> Tensor:
        """The row of one draw."""
        row, step = mean.clone(), 1
        for number, (column, span) in enumerate(self.columns.spans()):
            count = len(column.values)
            if not count:
                continue
            row[span] = torch.tensor(column.encode(column.values[self._value(number, count, draw, step)])).to(row)
            step *= count
        return row

    def _value(self, column: int, count: int, draw: int, step: int) -> int:
        """Which value of a category a draw has: all combinations in turn, or every value in turn, or a drawn one."""
        if prod(self._counts) <= ROWS:
            return draw // step % count
        if self.exact:
            return draw % count
        block, place = divmod(draw, self.draws)
        rng = stream("column values", block, column)
        order, shift = torch.randperm(self.draws, generator=rng), float(torch.rand((), generator=rng))
        return int((int(order[place]) + shift) * count / self.draws) % count

    @property
    def _counts(self) -> list[int]:
        return [len(column.values) for column in self.columns.columns if column.values]

    def __str__(self) -> str:
        return f"ColumnValues({len(self.columns.columns)} columns)"
