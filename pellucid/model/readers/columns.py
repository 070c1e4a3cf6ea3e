"""Columns: how a row of a table becomes the model's input, with names, units, scales and categories."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor

from pellucid.core.conforms import conforms
from pellucid.core.files import parse_json
from pellucid.core.one_line import one_line
from pellucid.errors import InputError, ModelError
from ..modality.table import Table
from .arrays import is_numbers, named_rows
from .rows import as_rows

Cell = float | int | str | None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Arguments:
        name: What it is called.
        unit: Of its numbers: "mm", "years".
        mean, std: The model gets (number - mean) / std.
        values: Of a category, what it may be, in the order the model knows; a number has none.
        code: Whether a category is one entry that holds the place of its value, and not an entry per value, of which one is 1.

    Example:
        >>> Column("smoker", values=("no", "yes")).encode("yes"), Column("age", "years", 50.0, 10.0).encode(61)
        ([0.0, 1.0], [1.1])
    """

    name: str
    unit: str = ""
    mean: float = 0.0
    std: float = 1.0
    values: tuple[str, ...] = ()
    code: bool = False

    __repr__ = one_line

    def __post_init__(self) -> None:
        if not (math.isfinite(self.std) and self.std > 0 and math.isfinite(self.mean)):
            raise ModelError(
                f"the column {self.name!r}", f"mean {self.mean}, std {self.std}", "numbers are divided by the std",
                "Correct them.",
            )  # fmt: skip
        if len(set(self.values)) < len(self.values) or len(self.values) == 1:
            why = "a category is one of several different values"
            raise ModelError(f"the column {self.name!r}", f"the values {', '.join(self.values)}", why, "Name each once.")

    @property
    def width(self) -> int:
        """How many entries of the input it takes."""
        return len(self.values) if self.values and not self.code else 1

    def encode(self, cell: Cell) -> list[float]:
        """The entries for what stands in a cell.

        Raises:
            InputError: it is no number, or none of the values.
        """
        if not self.values:
            return [(self._number(cell) - self.mean) / self.std]
        place = self._place(cell)
        if self.code:
            return [(place - self.mean) / self.std]
        return [(float(n == place) - self.mean) / self.std for n in range(len(self.values))]

    def shown(self, entries: Sequence[float]) -> str:
        """What stood in the cell, in words.

        Example:
            >>> Column("age", "years", 50.0, 10.0).shown([1.1]), Column("smoker", values=("no", "yes")).shown([0.0, 1.0])
            ('61 years', 'yes')
        """
        if not self.values:
            number = entries[0] * self.std + self.mean
            least = 1e-6 * (abs(self.mean) + abs(entries[0]) * self.std)  # what single precision keeps of such numbers
            number = round(number, math.ceil(-math.log10(least))) if least > 0 else 0.0
            return f"{number:.6g}" + (f" {self.unit}" if self.unit else "")
        if self.code:
            place = round(entries[0] * self.std + self.mean)
            return self.values[place] if 0 <= place < len(self.values) else f"{place}, which is no value"
        numbers = [entry * self.std + self.mean for entry in entries]
        best = max(range(len(numbers)), key=numbers.__getitem__)
        if abs(numbers[best] - 1) < 1e-3 and all(abs(n) < 1e-3 for k, n in enumerate(numbers) if k != best):
            return self.values[best]
        return "mixed: " + ", ".join(f"{value} {n:.2g}" for value, n in zip(self.values, numbers, strict=True))

    def _number(self, cell: Cell) -> float:
        try:
            number = float(cell)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            found = "nothing" if cell is None or cell == "" else repr(cell)
            raise InputError(
                f"the column {self.name!r}", found, "a number is needed there", "Fill it in: missing values are never guessed."
            )
        return number

    def _place(self, cell: Cell) -> int:
        word = str(cell).strip() if cell is not None else ""
        words = [word, word.removesuffix(".0")]  # tables of numbers tell categories as 3.0
        for one in words:
            if one in self.values:
                return self.values.index(one)
        lowered = [value.casefold() for value in self.values]
        if lowered.count(word.casefold()) == 1:
            return lowered.index(word.casefold())
        raise InputError(f"the column {self.name!r}", repr(cell), f"it is one of {', '.join(self.values)}", "Write one of these.")


@dataclass(frozen=True)
class Columns:
    """What the entries of a row mean, and how a row of a table becomes them.

    Arguments:
        columns: In the order of the model's entries.
        source: Where the means and scales are from, for the caption.

    Example:
        >>> columns = Columns((Column("age", "years", 50.0, 10.0), Column("smoker", values=("no", "yes"))))
        >>> columns.read({"age": 61, "smoker": "yes"})[0]
        tensor([[1.1000, 0.0000, 1.0000]])
    """

    columns: tuple[Column, ...]
    source: str = "given by the user"

    __repr__ = one_line

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            found = f"{', '.join(twice)} twice" if twice else "none"
            raise ModelError("the columns of a table", found, "every column is known by its name", "Name each once.")

    @staticmethod
    def named(
        names: Sequence[str],
        units: Sequence[str] | Mapping[str, str] | str = "",
        mean: Sequence[float] | Tensor | None = None,
        std: Sequence[float] | Tensor | None = None,
        *,
        source: str = "given by the user",
    ) -> Columns:
        """Columns of numbers.

        Arguments:
            names: One per entry.
            units: One for all, one per column, or those of some by their names.
            mean, std: One per column, as `StandardScaler` has them: `mean_` and `scale_`.
        """
        each = dict(units) if isinstance(units, Mapping) else {}
        listed = [units] * len(names) if isinstance(units, str) else [each.get(n, "") for n in names] if each else list(units)
        means = [0.0] * len(names) if mean is None else [float(m) for m in mean]
        stds = [1.0] * len(names) if std is None else [float(s) for s in std]
        if not len(names) == len(listed) == len(means) == len(stds):
            found = f"{len(names)} names, {len(listed)} units, {len(means)} means, {len(stds)} scales"
            raise ModelError("the columns of a table", found, "every column needs one of each", "Make them match.")
        made = (Column(str(n), str(u), m, s) for n, u, m, s in zip(names, listed, means, stds, strict=True))
        return Columns(tuple(made), source)

    @staticmethod
    def fitted(data: Any, units: Mapping[str, str] | None = None) -> Columns:
        """Columns learned from rows: mean and standard deviation of numbers, and the values of what is no number.

        Arguments:
            data: A CSV file, a list of dicts, or a data frame.
            units: Those of some columns, by their names.
        """
        rows = as_rows(data)
        return Columns(
            tuple(_fitted(name, [row.get(name) for row in rows], (units or {}).get(name, "")) for name in rows[0]), "data"
        )

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Columns:
        """Read a JSON file: {"columns": [{"name": "age", "unit": "years", "mean": 48.2, "std": 14.1}, {"name": "smoker",
        "values": ["no", "yes"]}]}.

        Raises:
            ModelError: it cannot be read, or describes something else.
        """
        path = Path(path).expanduser()
        request = f"the columns in {path}"
        do = 'Write {"columns": [{"name": "age", "unit": "years", "mean": 48, "std": 9}, {"name": "sex", "values": ["f", "m"]}]}.'
        try:
            data = parse_json(path.read_text(encoding="utf-8-sig"))
            described = data["columns"] if isinstance(data, dict) else data
            made = [Column(**one | {"values": tuple(map(str, one.get("values", ())))}) for one in described]
            hints = get_type_hints(Column)
            wrong = [name for one in made for name, hint in hints.items() if not conforms(getattr(one, name), hint)]
            if wrong:
                raise TypeError(f"the {wrong[0]} of a column")
        except OSError as error:
            raise ModelError(request, error.strerror or str(error), "it cannot be read", do) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(request, f"{type(error).__name__}: {error}", "that describes no columns", do) from None
        return Columns(tuple(made), path.name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def width(self) -> int:
        """How many entries a row has as an input."""
        return sum(column.width for column in self.columns)

    @property
    def groups(self) -> Tensor:
        """The number of the column that every entry belongs to, with shape (width,).

        Example:
            >>> Columns((Column("age"), Column("smoker", values=("no", "yes")))).groups
            tensor([0, 1, 1])
        """
        return torch.tensor([n for n, column in enumerate(self.columns) for _ in range(column.width)])

    def encode(self, data: Any) -> Tensor:
        """Rows as the model takes them, with shape (row, width): a dict, a list of dicts, a data frame, a CSV file, or an array
        in the columns' own units and their order. (A tensor needs no reading: it is what the model takes.)

        Raises:
            InputError: a column is missing, one is not known, or a cell cannot be read.
        """
        rows = named_rows(data, self.names) if is_numbers(data) else as_rows(data)
        return torch.tensor([self._row(row, number) for number, row in enumerate(rows)], dtype=torch.float32)

    def read(self, data: Any) -> tuple[Tensor, Table]:
        """The rows as a batch, and what its entries are about."""
        x = self.encode(data)
        return x, self.table(x)

    def modality(self, x: Tensor) -> Table | None:
        """What the entries of a batch are about, where it has as many as rows have."""
        return self.table(x) if x.dim() == 2 and x.shape[1] == self.width else None

    def table(self, x: Tensor) -> Table:
        """What stands in every cell of a batch, in words and in its own units."""
        cells = tuple(tuple(column.shown(row[span]) for column, span in self.spans()) for row in x.tolist())
        return Table(self.names, tuple(column.width for column in self.columns), cells)

    def typical(self, data: Any = None) -> Tensor:
        """A row in which nothing stands out, with shape (width,): a baseline, or what stands where a column is taken away.

        Arguments:
            data: Rows whose mean it is, categories by their shares; None: the means that the columns know.
        """
        if data is not None:
            return (data if isinstance(data, Tensor) else self.encode(data)).double().mean(0).float()
        flat = [[0.0] if not c.values or c.code else [(1 / c.width - c.mean) / c.std] * c.width for c in self.columns]
        return torch.tensor([entry for entries in flat for entry in entries])

    def bare(self) -> list[dict[str, Any]]:
        """The columns as plain data, as `load` reads them."""
        return [{name: value for name, value in vars(column).items() if value not in ("", (), False)} for column in self.columns]

    def _row(self, row: Mapping[str, Cell], number: int) -> list[float]:
        missing = [name for name in self.names if name not in row]
        if missing:
            near = get_close_matches(missing[0], list(map(str, row)), n=1)
            raise InputError(
                f"row {number} of a table", f"no column {missing[0]!r}" + (f" (but {near[0]!r})" if near else ""),
                f"the model reads {len(self.columns)} columns", "Add it under that name: missing values are never guessed.",
            )  # fmt: skip
        return [entry for column in self.columns for entry in column.encode(row[column.name])]

    def spans(self) -> Iterator[tuple[Column, slice]]:
        """Every column with its entries."""
        start = 0
        for column in self.columns:
            yield column, slice(start, start + column.width)
            start += column.width

    def __str__(self) -> str:
        return f"{len(self.columns)} columns ({', '.join(self.names[:4])}{', ...' if len(self.names) > 4 else ''})"


def _fitted(name: str, cells: Sequence[Cell], unit: str) -> Column:
    """A column learned from its cells."""
    try:
        numbers = torch.tensor([float(cell) for cell in cells], dtype=torch.float64)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return Column(name, unit, values=tuple(sorted({str(cell) for cell in cells})))
    std = float(numbers.std(correction=0))
    return Column(name, unit, float(numbers.mean()), std if std > 0 else 1.0)
