"""Ledger: where the relevance of a score went, to the input or lost at an operation on the way, and why it was lost there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.displayed import Displayed
from pellucid.core.numbers import decimals, figure, shows
from pellucid.core.one_line import cut, one_line
from pellucid.errors.printable import make_printable

CAUSES = ("bias", "stabiliser", "constant operand", "native fallback", "dropped", "rounding", "elsewhere")
CONDITIONS = ("other channels", "other heads", "other places", "other channels and places")  # causes: a condition kept it back


@dataclass(frozen=True, eq=False)
class Row:
    """One entry: relevance that an operation kept instead of handing it on to its inputs.

    Arguments:
        where: Path of the module the operation ran in, "" is the model itself; or of the parameter that kept it: "cls_token".
        op: Kind of operation: "convolution", "add", ...
        cause: Why it was kept, one of `CAUSES`; or which condition kept it back, one of `CONDITIONS`.
        amount: How much, with shape (batch,).
    """

    where: str
    op: str
    cause: str
    amount: Tensor

    __repr__ = one_line

    def __post_init__(self) -> None:
        if not f"{self.where}{self.op}{self.cause}".isprintable():  # there are hundreds of rows, and nearly all are
            make_printable(self, "where", "op", "cause")

    @property
    def place(self) -> str:
        """The operation and its module, in words: "convolution in stem"."""
        return f"{self.op} in {self.where}" if self.where else self.op


@dataclass(frozen=True, eq=False)
class Ledger(Displayed):
    """Where the relevance of the score went.

    Methods that propagate relevance put the target's value in at the output and share it among the inputs of one operation after
    another. Relevance is conserved where these shares add up to what is shared. Where they do not, because a part belongs to no
    input (that of a bias, of the stabiliser in a denominator, of a constant), the ledger has an entry for what was lost, where
    and why. So for every sample

        seed = input + absorbed + error

    where `absorbed` is the sum of all entries, and `error` is rounding, if the method does what it says.

    Arguments:
        seed: Relevance put in at the output, with shape (batch,).
        input: Relevance that arrived at the input, summed per sample, with shape (batch,).
        rows: What was lost on the way.

    Example:
        >>> one = lambda value: torch.tensor([value])
        >>> rows = Row("stem", "convolution", "bias", one(1.31)), Row("head", "linear", "stabiliser", one(0.24))
        >>> Ledger(seed=one(11.42), input=one(9.87), rows=rows).sentence()
        'explained 9.87 of 11.42; 1.55 was lost on the way (bias 1.31, stabiliser 0.24)'
    """

    kind: ClassVar[str] = "ledger"

    seed: Tensor
    input: Tensor
    rows: tuple[Row, ...] = ()

    def __repr__(self) -> str:
        return cut(
            f"Ledger({self.sentence()})" if len(self.seed) == 1 else f"Ledger({len(self.seed)} samples, {len(self.rows)} entries)"
        )

    def __getitem__(self, sample: int) -> Ledger:
        """The ledger of one sample, as a batch of one."""
        at = range(len(self.seed))[sample]
        rows = tuple(replace(row, amount=row.amount[at : at + 1]) for row in self.rows)
        return Ledger(self.seed[at : at + 1], self.input[at : at + 1], rows)

    @property
    def absorbed(self) -> Tensor:
        """What was lost on the way, with shape (batch,)."""
        return total(self.seed, self.rows)

    @property
    def error(self) -> Tensor:
        """What the entries do not account for, with shape (batch,); about zero, always."""
        return self.seed - self.input - self.absorbed

    @property
    def passed(self) -> Tensor:
        """What of the seed passed all conditions: all of it where there are none."""
        return self.seed - total(self.seed, before(self.rows))

    @property
    def volume(self) -> Tensor:
        """|seed| plus the size of every entry: what an error has to be small against."""
        return self.seed.abs() + sum((row.amount.abs() for row in self.rows), torch.zeros_like(self.seed))

    def by_cause(self) -> dict[str, Tensor]:
        """Entries summed per cause, in the order of `CAUSES`; causes without an entry are left out."""
        found = {row.cause for row in self.rows}
        causes = [cause for cause in CAUSES if cause in found] + sorted(found.difference(CAUSES))
        return {cause: total(self.seed, (row for row in self.rows if row.cause == cause)) for cause in causes}

    def sentence(self, sample: int = 0) -> str:
        """Where the relevance of one sample went, in words; figures share their decimals, so they add up as printed."""
        one = self[sample]
        seed, arrived, error = (float(part) for part in (one.seed, one.input, one.error))
        places = decimals(seed, arrived, float(one.absorbed), *map(float, one.by_cause().values()))
        elsewhere = one._part([row for row in one.rows if row.cause in CONDITIONS], "takes other paths", places)
        lost = one._part([row for row in one.rows if row.cause not in CONDITIONS], "was lost on the way", places)
        missing = "" if abs(error) <= 1e-4 * float(one.volume) else f"{figure(error)} is unaccounted for"
        parts = f"explained {figure(arrived, places)} of {figure(seed, places)}", elsewhere, lost, missing
        return "; ".join(filter(None, parts if elsewhere or lost else (parts[0], "nothing was lost on the way", missing)))

    def _part(self, rows: list[Row], what: str, places: int) -> str:
        """The sum of some entries of one sample, and what it consists of; "" where that reads as zero."""
        amount, items = float(total(self.seed, rows)), list(Ledger(self.seed, self.input, tuple(rows))._items())
        if amount < 0:  # as where biases speak against the target
            amount, items, what = -amount, [(name, -value) for name, value in items], what.replace("lost", "gained")
        listed = ", ".join(f"{name} {figure(value, places)}" for name, value in items if shows(value, places))
        if not listed and not shows(amount, places):
            return ""
        return f"{figure(amount, places)} {what}" + (f" ({listed})" if listed else "")

    def _items(self) -> Iterator[tuple[str, float]]:
        """Causes with their amounts, of one sample; constants of the model's own, as tokens and positions, by name."""
        for cause, amount in self.by_cause().items():
            rest, named = float(amount), dict[str, float]()
            for row in self.rows:
                if row.cause == cause == "constant operand":
                    named[row.where] = named.get(row.where, 0.0) + float(row.amount)
            for name in sorted((name for name in named if name), key=lambda name: -abs(named[name]))[:3]:
                yield name.removesuffix(".weight"), named[name]
                rest -= named[name]
            yield ("other constants" if len(named) else cause), rest

    def warnings(self, sample: int, size: float) -> list[str]:
        """What makes a map less than it seems although relevance is conserved, one plain sentence each; sound maps have none.

        Arguments:
            size: Sum of the absolute values of the sample's relevance at the input.
        """
        seed, arrived = float(self.passed[sample]), float(self.input[sample])
        of = "what passed" if before(self.rows) else "the score"
        words = small_share(seed, arrived, of), unbounded(seed, size, of), without_rule(self.rows)
        return [sentence for sentence in words if sentence]


def before(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The entries up to the last condition, those of conditions included: none where there are no conditions."""
    last = max((n for n, row in enumerate(rows, 1) if row.cause in CONDITIONS), default=0)
    return rows[:last]


def concat_rows(ledgers: Iterable[tuple[Row, ...]]) -> tuple[Row, ...]:
    """The entries of several ledgers, those before their conditions first."""
    ledgers = list(ledgers)
    first = (row for rows in ledgers for row in before(rows))
    return (*first, *(row for rows in ledgers for row in rows[len(before(rows)) :]))


def small_share(seed: float, arrived: float, of: str = "the score") -> str:
    """Says so where the input holds less than a tenth of the seed, or speaks against it."""
    if abs(arrived) < 0.1 * abs(seed):
        share = f"Only {abs(100 * arrived / seed):.2g} %" if abs(arrived) >= 0.001 * abs(seed) else "Less than 0.1 %"
        return f"{share} of {of} reaches the input: the map shows a small part of the evidence."
    if arrived * seed < 0:
        return f"The relevance at the input sums to {figure(arrived)}, against the sign of {of}."
    return ""


def unbounded(seed: float, size: float, of: str = "the score") -> str:
    """Says so where the map's absolute values sum to more than ten times the seed."""
    if not size > 10 * abs(seed) > 0:
        return ""
    return f"The map is not bounded: its absolute values sum to {size / abs(seed):.3g} times {of} and mostly cancel."


def without_rule(rows: Iterable[Row]) -> str:
    """Says so where operations without a rule took PyTorch's own derivative."""
    places = list(dict.fromkeys(row.place for row in rows if row.cause == "native fallback"))
    if not places:
        return ""
    named = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    return f"No rule is known for {named}: the plain derivative was used there."


def total(like: Tensor, rows: Iterable[Row]) -> Tensor:
    """The amounts of `rows` summed per sample, shaped `like` the seed also when there are none."""
    return sum((row.amount for row in rows), torch.zeros_like(like))
