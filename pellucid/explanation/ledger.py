"""The books of an explanation by relevance: what came in, what reached the input, and what was kept on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.core.numbers import decimals, figure, shows

CAUSES = ("bias", "stabiliser", "constant operand", "native fallback", "dropped", "rounding", "elsewhere")
KEPT_BACK = ("other channels", "other heads", "other places", "other channels and places")  # by conditions, as was asked


@dataclass(frozen=True, eq=False)
class Row:
    """One booking: relevance that an operation kept instead of handing it on.

    Arguments:
        where: Path of the module the operation ran in, "" is the model itself; or of the parameter that kept it: "cls_token".
        op: Kind of operation: "convolution", "add", ...
        cause: Why it was kept, one of `CAUSES`.
        amount: How much, with shape (batch,).
    """

    where: str
    op: str
    cause: str
    amount: Tensor


@dataclass(frozen=True, eq=False)
class Ledger:
    """Where the seed went: to the input, or into bookings; what neither explains is the error.

        seed = input + absorbed + error

    Arguments:
        seed: Relevance put in at the output, with shape (batch,).
        input: Relevance that arrived at the input, summed per sample, with shape (batch,).
        rows: What was kept on the way.

    Example:
        >>> one = lambda value: torch.tensor([value])
        >>> rows = Row("stem", "convolution", "bias", one(1.31)), Row("head", "linear", "stabiliser", one(0.24))
        >>> Ledger(seed=one(11.42), input=one(9.87), rows=rows).sentence()
        'input 9.87, absorbed 1.55 (bias 1.31, stabiliser 0.24)'
    """

    seed: Tensor
    input: Tensor
    rows: tuple[Row, ...] = ()

    def __getitem__(self, sample: int) -> Ledger:
        """The ledger of one sample, as a batch of one."""
        here = slice(sample, sample + 1)
        return Ledger(self.seed[here], self.input[here], tuple(replace(row, amount=row.amount[here]) for row in self.rows))

    @property
    def absorbed(self) -> Tensor:
        """What was kept on the way, with shape (batch,)."""
        return total(self.seed, self.rows)

    @property
    def error(self) -> Tensor:
        """What the books do not explain; about zero, always."""
        return self.seed - self.input - self.absorbed

    @property
    def passed(self) -> Tensor:
        """What of the seed passed all conditions: all of it where there are none."""
        return self.seed - total(self.seed, before(self.rows))

    @property
    def volume(self) -> Tensor:
        """|seed| plus the size of every booking: what an error has to be small against."""
        return self.seed.abs() + sum((row.amount.abs() for row in self.rows), torch.zeros_like(self.seed))

    def by_cause(self) -> dict[str, Tensor]:
        """Bookings summed per cause, in the order of `CAUSES`; causes nobody booked are left out."""
        booked = {row.cause for row in self.rows}
        causes = [cause for cause in CAUSES if cause in booked] + sorted(booked.difference(CAUSES))
        return {cause: total(self.seed, (row for row in self.rows if row.cause == cause)) for cause in causes}

    def sentence(self, sample: int = 0) -> str:
        """The books of one sample in words; figures share their decimals, so they add up as printed."""
        seed, arrived, kept = (float(part[sample]) for part in (self.seed, self.input, self.absorbed))
        places = decimals(seed, arrived, kept, *(float(amount[sample]) for amount in self.by_cause().values()))
        told = [f"{what} {figure(amount, places)}" for what, amount in self._items(sample) if shows(amount, places)]
        missing = float(self.error[sample])
        return (
            f"input {figure(arrived, places)}, absorbed {figure(kept, places)}"
            + (f" ({', '.join(told)})" if told else "")
            + ("" if abs(missing) <= 1e-4 * float(self.volume[sample]) else f", unaccounted {figure(missing)}")
        )

    def _items(self, sample: int) -> Iterator[tuple[str, float]]:
        """Causes with their amounts; constants of the model's own, as tokens and positions, by name."""
        for cause, amount in self.by_cause().items():
            rest, named = float(amount[sample]), dict[str, float]()
            for row in self.rows:
                if row.cause != cause or cause != "constant operand":
                    continue
                named[row.where] = named.get(row.where, 0.0) + float(row.amount[sample])
            for name in sorted((name for name in named if name), key=lambda name: -abs(named[name]))[:3]:
                yield name.removesuffix(".weight"), named[name]
                rest -= named[name]
            yield ("other constants" if len(named) else cause), rest

    def warnings(self, sample: int, size: float) -> list[str]:
        """What makes closed books less than they seem, one plain sentence each; sound books have none.

        Arguments:
            size: Sum of the absolute values of the sample's relevance at the input.
        """
        seed, arrived = float(self.passed[sample]), float(self.input[sample])
        of = "what passed" if before(self.rows) else "the score"
        return [sentence for sentence in (void(seed, arrived, of), explosion(seed, size, of), fallback(self.rows)) if sentence]


def before(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """What was booked until all conditions were passed, them included: nothing where there are none."""
    last = max((n for n, row in enumerate(rows, 1) if row.cause in KEPT_BACK), default=0)
    return rows[:last]


def joined(books: Iterable[tuple[Row, ...]]) -> tuple[Row, ...]:
    """The rows of several books, those before their conditions first."""
    books = list(books)
    return tuple(row for rows in books for row in before(rows)) + tuple(
        row for rows in books for row in rows[len(before(rows)) :]
    )


def void(seed: float, arrived: float, of: str = "the score") -> str:
    """Says so where the input holds less than a tenth of the seed, or speaks against it."""
    if abs(arrived) < 0.1 * abs(seed):
        share = f"Only {abs(100 * arrived / seed):.2g} %" if abs(arrived) >= 0.001 * abs(seed) else "Less than 0.1 %"
        return f"{share} of {of} reaches the input: the map shows a small part of the evidence."
    if arrived * seed < 0:
        return f"The relevance at the input sums to {figure(arrived)}, against the sign of {of}."
    return ""


def explosion(seed: float, size: float, of: str = "the score") -> str:
    """Says so where the map's absolute values sum to more than ten times the seed."""
    if not size > 10 * abs(seed) > 0:
        return ""
    return f"The map is not bounded: its absolute values sum to {size / abs(seed):.3g} times {of} and mostly cancel."


def fallback(rows: Iterable[Row]) -> str:
    """Says so where operations without a rule took PyTorch's own derivative."""
    places = [f"{row.op} in {row.where}" if row.where else row.op for row in rows if row.cause == "native fallback"]
    places = list(dict.fromkeys(places))
    if not places:
        return ""
    named = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    return f"Where no rule was known the plain derivative was taken: {named}."


def total(like: Tensor, rows: Iterable[Row]) -> Tensor:
    """The amounts of `rows` summed per sample, shaped `like` the seed also when there are none."""
    return sum((row.amount for row in rows), torch.zeros_like(like))
