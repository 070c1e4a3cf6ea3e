"""Propagating relevance: the walk back through a tape with a rule per operation, and the ledger it keeps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pellucid.errors import NoRule
from pellucid.explanation.ledger import Ledger, Row
from pellucid.tape import LocalOp, Op, Tape, walk
from pellucid.tape.batch import per_sample
from pellucid.tape.plan import from_program
from .rule import Rule, Shares, exceeds
from .rules import Native, Pass

# Activations that give zero for zero, and those that give zero for all that is not positive.
KEEP_ZERO = frozenset(
    "relu relu6 hardtanh silu gelu tanh leaky_relu elu celu selu hardswish mish softshrink _prelu_kernel".split()
)


@dataclass
class RunningLedger:
    """The ledger of a walk so far, and what is known of the relevance that is still on its way."""

    seed: Tensor  # the sum of all seeds, per sample
    rows: list[Row] = field(default_factory=list)
    totals: dict[int, Tensor] = field(default_factory=dict)  # the sum per sample of the relevance that waits at a value
    nonzero_at_zero: set[int] = field(default_factory=set)  # values that may be zero where their relevance is not
    unrectified: set[int] = field(default_factory=set)  # values that may have relevance where they are not positive

    def book(self, op: Op, made: Made) -> None:
        """Note what one operation handed on, and what it kept."""
        for value, amount in made.totals:
            self.totals[value] = self.totals[value] + amount if value in self.totals else amount
        self.rows += [Row(location, op.name, cause, amount) for location, cause, amount in made.rows]

    def take(self, op: Op) -> Tensor:
        """The sum per sample of what stands at the outputs of an operation; it is on its way from here on."""
        totals = [self.totals.pop(o) for o in op.outs if o in self.totals]
        return totals[0] if len(totals) == 1 else torch.stack(totals).sum(0)


class Made(NamedTuple):
    """What a step makes.

    Arguments:
        inputs: The relevance of each tracked input; None where it gets nothing.
        totals: The sum per sample of what an input got, by its value.
        rows: What was kept back: where, why and how much.
    """

    inputs: list[Tensor | None]
    totals: list[tuple[int, Tensor]]
    rows: list[tuple[str, str, Tensor]]


def propagate(
    tape: Tape, seeds: Mapping[int, Tensor], rules: Mapping[int, Rule], *, ends: Collection[int], strict: bool = False,
    keep: bool = False, measured: bool = False, nonzero_at_zero: Collection[int] = (),
) -> tuple[dict[int, Tensor], Ledger]:  # fmt: skip
    """Propagate relevance from `seeds` back to the values `ends`, by one rule per operation.

    Arguments:
        tape: A rewritten tape.
        seeds: The relevance to start from, by value and shaped like it.
        rules: By the index of an operation.
        ends: The values at which relevance is wanted.
        strict: Whether an operation without a rule is an error; else its gradient is used, and what that loses is booked.
        keep: Whether the tape is needed again.
        measured: Whether what every input got is summed entry by entry, and rounding is booked.
        nonzero_at_zero: Values that may be zero where their seed is not.

    Returns:
        The relevance at each of `ends`, and the ledger: seed = input + absorbed.

    Raises:
        NoRule: an operation on the path has no rule, and `strict`.
    """
    axes = {i: v.sample_axis for i, v in enumerate(tape.values)}
    starts = {i: per_sample(s, axes[i], tape.samples).double() for i, s in seeds.items()}
    ledger = RunningLedger(
        _sum(list(starts.values()), tape.samples), totals=starts, nonzero_at_zero=set(nonzero_at_zero), unrectified=set(seeds)
    )

    def step(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
        rule = rules.get(op.op.index) or _last_resort(op.op, strict)
        op = LocalOp(op.tape, op.op, ledger.take(op.op), measured)
        rectified = op.op.out not in ledger.unrectified
        made = Made(
            *from_program(
                tape, (op.op.index, rule, measured, rectified), (op.total, ledger.seed, *carried),
                lambda: _step(op, carried, rule, rectified, ledger.seed),
            )
        )  # fmt: skip
        ledger.book(op.op, made)
        _track_zeros(op, rule, ledger)
        return made.inputs

    arrived = walk(tape, dict(seeds), step, ends=ends, keep=keep)
    samples = tape.samples
    reached = _sum([per_sample(arrived[i], axes[i], samples) for i in ends if i in arrived], samples)
    elsewhere = [per_sample(a, axes[i], samples) for i, a in arrived.items() if i not in ends]
    if elsewhere:
        ledger.rows.append(Row("", "other paths", "elsewhere", torch.stack(elsewhere).sum(0)))
    return arrived, Ledger(ledger.seed, reached, _nonzero(ledger.rows))


def _step(op: LocalOp, carried: tuple[Tensor | None, ...], rule: Rule, rectified: bool, seed: Tensor) -> tuple[Any, ...]:
    """What a step makes, see `Made`.

    What a single input got follows from the bookings: its entries are summed only in a second walk, taken when the ledger of
    the first does not balance (`op.measured`). Relevance carried by large contributions of both signs loses digits; that walk
    books them as rounding. A difference beyond what rounding explains is not booked: it stays an error of the ledger.
    """
    shares = _share(op, carried, rule, rectified)
    got = [(i, share) for i, share in zip(op.op.ins, shares.inputs, strict=True) if share is not None]
    rows = [(_location(op, cause), cause, amount) for cause, amount in shares.booked.items()]
    constants = [(name, "constant operand", amount) for name, amount in shares.constants]
    assert op.total is not None
    left = op.total - sum(amount for _, _, amount in (*rows, *constants))
    if len(got) == 1 and not shares.rest and (rule.local or not op.measured):
        return shares.inputs, [(got[0][0], left)], rows + constants
    totals = []
    for i, share in got:
        amount = per_sample(share, op.tape.values[i].sample_axis, op.samples).double()  # sums may be far larger than the seed
        left = left - amount
        totals.append((i, amount))
    if shares.rest:
        rows.append((_location(op, shares.rest), shares.rest, left))
    elif op.measured and exceeds(left, seed, 5e-7):
        rounding = left.abs() <= _rounding_bound(op, carried, got)
        rows.append((_location(op, "rounding"), "rounding", torch.where(rounding, left, torch.zeros_like(left))))
    return shares.inputs, totals, rows + constants


def _location(op: LocalOp, cause: str) -> str:
    """Where an amount is booked: the module, or the parameter that keeps it, as a class token or positional embeddings."""
    read = (op.tape.values[ref.id] for ref in op.op.refs()) if cause == "constant operand" else ()
    names = list(dict.fromkeys(value.name for value in read if value.name and not value.tracked))
    return " + ".join(names[:2]) or op.op.module


def _nonzero(rows: list[Row]) -> tuple[Row, ...]:
    """The rows in which anything is booked, in double precision."""
    if not rows:
        return ()
    amounts = torch.stack([row.amount for row in rows])
    bookings = amounts.ne(0).any(1).tolist()
    pairs = zip(rows, amounts.double().unbind(0), bookings, strict=True)
    return tuple(replace(row, amount=amount) for row, amount, any_ in pairs if any_)


def _rounding_bound(op: LocalOp, carried: tuple[Tensor | None, ...], got: list[tuple[int, Tensor]]) -> Tensor:
    """How much relevance rounding can lose in one operation, per sample."""
    placed = [(o, c) for o, c in zip(op.op.outs, carried, strict=True) if o is not None and c is not None] + got
    mass = sum(per_sample(t.abs(), op.tape.values[i].sample_axis, op.samples) for i, t in placed)
    assert isinstance(mass, Tensor)
    return 1e3 * torch.finfo(mass.dtype).eps * mass


def _sum(amounts: list[Tensor], samples: int) -> Tensor:
    return torch.stack([a.double() for a in amounts]).sum(0) if amounts else torch.zeros(samples, dtype=torch.float64)


def _share(op: LocalOp, carried: tuple[Tensor | None, ...], rule: Rule, rectified: bool) -> Shares:
    """The shares of one operation. Several outputs (chunks, splits) are pieces of one input: each goes back to its place."""
    first = next(k for k, o in enumerate(op.op.outs) if o is not None)
    if any(c is not None for k, c in enumerate(carried) if k != first):
        return Shares(op.pull(*carried))
    R = carried[first]
    assert R is not None
    return rule.share(op, R, rectified=rectified)


def _track_zeros(op: LocalOp, rule: Rule, ledger: RunningLedger) -> None:
    """Where the relevance of the inputs may be nonzero, from the rule and from what is known of the output."""
    nonzero_at_zero = any(o in ledger.nonzero_at_zero for o in op.op.outs)
    activation = op.op.kind == "activation"
    keeps_zero = not nonzero_at_zero and (not activation or op.op.name in KEEP_ZERO)
    tight = keeps_zero if rule.local else rule.tight
    rectifies = op.op.name == "relu" or (op.op.name == "hardtanh" and op.op.args[1:2] == (0,))
    cut = rectifies and activation and isinstance(rule, Pass) and not nonzero_at_zero
    for i in op.op.ins:
        if not tight or op.op.kind in ("norm", "shift"):
            ledger.nonzero_at_zero.add(i)
        if not cut:
            ledger.unrectified.add(i)


def _last_resort(op: Op, strict: bool) -> Rule:
    if strict:
        raise NoRule(
            f"strict=True: a rule for {op.name}", f"{op.place}, of kind {op.kind!r}, which has none",
            "its gradient in place of a rule would not be relevance",
            f'Route it, composite.where(op="{op.name}", rule=pl.lrp.Route()), or give it a kind, see CONTRIBUTING.md.',
        )  # fmt: skip
    return Native()
