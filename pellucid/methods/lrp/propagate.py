"""The backward walk of relevance, and its books."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pellucid.errors import NoRule
from pellucid.explanation.ledger import Ledger, Row
from pellucid.tape import LocalOp, Op, Tape, walk
from pellucid.tape.batch import per_sample
from .rule import Rule, Shares, exceeds
from .rules import Native, Pass

# Activations that give zero for zero, and those that give zero for all that is not positive.
KEEP_ZERO = frozenset(
    "relu relu6 hardtanh silu gelu tanh leaky_relu elu celu selu hardswish mish softshrink _prelu_kernel".split()
)


@dataclass
class Books:
    """What has been booked so far, and what is known of the relevance on its way."""

    seed: Tensor  # the sum per sample of all that starts
    rows: list[Row] = field(default_factory=list)
    totals: dict[int, Tensor] = field(default_factory=dict)  # the sum per sample of the relevance that waits at a value
    loose: set[int] = field(default_factory=set)  # values that are zero somewhere where their relevance is not
    free: set[int] = field(default_factory=set)  # values whose relevance may stand where they are not positive

    def settle(self, op: LocalOp, rule: Rule, carried: tuple[Tensor | None, ...], shares: Shares) -> list[tuple[str, Tensor]]:
        """Note what every input got; the bookings, with what rounding took or added, as long as it is no more than that.

        What a single input got follows from the bookings: to add up its entries is left to a second walk, taken when the books of
        the first do not close (`op.measured`). Relevance that is carried by large contributions of both signs loses digits; that
        walk books them. A difference beyond what rounding explains is no booking: it stays an error of the ledger.
        """
        got = [(i, share) for i, share in zip(op.op.ins, shares.inputs, strict=True) if share is not None]
        booked = list(shares.booked.items())
        assert op.total is not None
        left = op.total - sum(amount for _, amount in (*booked, *shares.constants))
        if len(got) == 1 and not shares.rest and (rule.local or not op.measured):
            self._add(got[0][0], left)
            return booked
        for i, share in got:
            amount = per_sample(share, op.tape.values[i].placed, op.samples).double()  # sums may be far larger than the seed
            left = left - amount
            self._add(i, amount)
        if shares.rest:
            booked.append((shares.rest, left))
        elif op.measured and exceeds(left, self.seed, 5e-7):
            booked.append(("rounding", torch.where(left.abs() <= _noise(op, carried, got), left, torch.zeros_like(left))))
        return booked

    def take(self, op: Op) -> Tensor:
        """The sum per sample of what stands at the outputs of an operation; it is on its way from here on."""
        totals = [self.totals.pop(o) for o in op.outs if o in self.totals]
        return totals[0] if len(totals) == 1 else torch.stack(totals).sum(0)

    def _add(self, value: int, amount: Tensor) -> None:
        self.totals[value] = self.totals[value] + amount if value in self.totals else amount


def propagate(
    tape: Tape,
    seeds: Mapping[int, Tensor],
    rules: Mapping[int, Rule],
    *,
    ends: Collection[int],
    strict: bool = False,
    keep: bool = False,
    measured: bool = False,
    loose: Collection[int] = (),
) -> tuple[dict[int, Tensor], Ledger]:
    """Carry relevance from `seeds` back to the values `ends`, by one rule per operation.

    Arguments:
        tape: A rewritten tape.
        seeds: The relevance that starts, by value.
        rules: By the index of an operation.
        ends: The values at which relevance is wanted.
        strict: Whether an operation without a rule is an error; else its derivative is used, and booked.
        keep: Whether the tape is needed again.
        measured: Whether what every input got is added up entry by entry, and what rounding took is booked.
        loose: Values that may be zero where what starts there is not.

    Returns:
        The relevance at each of `ends`, and the ledger: seed = input + absorbed.

    Raises:
        NoRule: an operation on the path has no rule, and `strict`.
    """
    axes = {i: v.placed for i, v in enumerate(tape.values)}
    starts = {i: per_sample(s, axes[i], tape.samples).double() for i, s in seeds.items()}
    books = Books(_sum(list(starts.values()), tape.samples), totals=starts, loose=set(loose), free=set(seeds))

    def step(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
        rule = rules.get(op.op.index) or _last_resort(op.op, strict)
        op = LocalOp(op.tape, op.op, books.take(op.op), measured)
        shares = _share(op, carried, rule, books)
        booked = books.settle(op, rule, carried, shares)
        books.rows.extend(Row(_kept_by(op, cause), op.op.name, cause, amount) for cause, amount in booked)
        books.rows.extend(Row(name, op.op.name, "constant operand", amount) for name, amount in shares.constants)
        _learn(op, rule, books)
        return shares.inputs

    arrived = walk(tape, dict(seeds), step, ends=ends, keep=keep)
    samples = tape.samples
    reached = _sum([per_sample(arrived[i], axes[i], samples) for i in ends if i in arrived], samples)
    elsewhere = [per_sample(a, axes[i], samples) for i, a in arrived.items() if i not in ends]
    if elsewhere:
        books.rows.append(Row("", "other paths", "elsewhere", torch.stack(elsewhere).sum(0)))
    return arrived, Ledger(books.seed, reached, _told(books.rows))


def _kept_by(op: LocalOp, cause: str) -> str:
    """Where a booking is told of: the module, or what keeps it, as a token or positions of the model's own."""
    read = (op.tape.values[ref.id] for ref in op.op.refs()) if cause == "constant operand" else ()
    names = list(dict.fromkeys(value.name for value in read if value.name and not value.tracked))
    return " + ".join(names[:2]) or op.op.module


def _told(rows: list[Row]) -> tuple[Row, ...]:
    """The rows in which anything is booked, in double precision."""
    if not rows:
        return ()
    amounts = torch.stack([row.amount for row in rows])
    booked = amounts.ne(0).any(1).tolist()
    told = zip(rows, amounts.double().unbind(0), booked, strict=True)
    return tuple(replace(row, amount=amount) for row, amount, any_ in told if any_)


def _noise(op: LocalOp, carried: tuple[Tensor | None, ...], got: list[tuple[int, Tensor]]) -> Tensor:
    """How much relevance rounding can lose in one operation, per sample."""
    placed = [(o, c) for o, c in zip(op.op.outs, carried, strict=True) if o is not None and c is not None] + got
    mass = sum(per_sample(t.abs(), op.tape.values[i].placed, op.samples) for i, t in placed)
    assert isinstance(mass, Tensor)
    return 1e3 * torch.finfo(mass.dtype).eps * mass


def _sum(amounts: list[Tensor], samples: int) -> Tensor:
    return torch.stack([a.double() for a in amounts]).sum(0) if amounts else torch.zeros(samples, dtype=torch.float64)


def _share(op: LocalOp, carried: tuple[Tensor | None, ...], rule: Rule, books: Books) -> Shares:
    """The shares of one operation. Several outputs (chunks, splits) are pieces of one input: each piece goes home."""
    first = next(k for k, o in enumerate(op.op.outs) if o is not None)
    if any(c is not None for k, c in enumerate(carried) if k != first):
        return Shares(op.pull(*carried))
    R = carried[first]
    assert R is not None
    return rule.share(op, R, rectified=op.op.out not in books.free)


def _learn(op: LocalOp, rule: Rule, books: Books) -> None:
    """What follows for the relevance of the inputs from the rule and from what is known of the output."""
    loose = any(o in books.loose for o in op.op.outs)
    activation = op.op.kind == "activation"
    tight = (rule.tight and not rule.local) or (rule.local and not loose and (not activation or op.op.name in KEEP_ZERO))
    cut = (
        activation
        and isinstance(rule, Pass)
        and not loose
        and (op.op.name == "relu" or (op.op.name == "hardtanh" and op.op.args[1] == 0))
    )
    for i in op.op.ins:
        if not tight or op.op.kind in ("norm", "shift"):
            books.loose.add(i)
        if not cut:
            books.free.add(i)


def _last_resort(op: Op, strict: bool) -> Rule:
    if strict:
        raise NoRule(
            f"strict=True: a rule for {op.name}", f"{op.place}, of kind {op.kind!r}, which has none",
            "the derivative in its place would be no relevance",
            f'Route it, composite.where(op="{op.name}", rule=pl.lrp.Route()), or give it a kind, see CONTRIBUTING.md.',
        )  # fmt: skip
    return Native()
