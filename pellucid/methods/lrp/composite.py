"""The composite: which rule for which operation. The first entry that matches decides. Named ones are in `presets.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.ledger import Ledger, Row, concat_rows
from pellucid.methods.conditional_relevance import conditional_target, propagate_conditional
from pellucid.methods.several_targets import Seeded, carry_each, seeded
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import (
    Op,
    ResolvedTarget,
    Tape,
    check_branches,
    find,
    kinds,
    name_target,
    open_attention,
    path,
    read_alone,
    record,
    resolve_target,
    rewrite,
)
from pellucid.tape.batch import per_sample
from pellucid.tape.lines import lines
from pellucid.tape.plan import fitted
from pellucid.tape.recording.retention import room
from pellucid.target import Target
from pellucid.target.conditioning import Conditioning
from .propagate import propagate
from .rule import Rule
from .rules import Epsilon, Gate, Halve, Norm, Pass, Route, ZBox

Entry = tuple[Where, Rule]


def base(eps: float = 1e-6) -> tuple[Entry, ...]:
    """The entries for everything without weights: activations and norms pass, sums and means share, Fourier transforms share in
    proportion to their signed contributions, views route, gates give all to the signal.
    """
    return (
        (Where(op=("activation", "softmax", "scale", "norm")), Pass()),
        (Where(op=("sum", "pool", "shift")), Norm(eps)),
        (Where(op="transform"), Epsilon(eps)),
        (Where(op=("route", "max")), Route()),
        (Where(op="gate"), Gate()),
        (Where(op="product"), Halve(eps)),
    )


@dataclass(frozen=True)
class Composite:
    """An ordered list of (where -> rule): a method of explanation by relevance.

    The first entry that matches an operation decides; an operation that no entry matches has no rule. Composites are values:
    `where` returns a new one.

    Arguments:
        entries: Pairs of `Where` and `Rule`.
        name: What captions call it.
        notes: Sentences for the caption.
        strict: Whether an operation without a rule is an error (`NoRule`), or falls back to its gradient, booked as such.
        opened: Whether relevance goes through the weights of an attention as well (AttnLRP), or through the values alone.
        only: Conditions that relevance has to pass on its way (concept relevance); each passage makes a map of its own.
        fitted: Rules for operations of this tape by their index, before all entries: where samples go different ways, positions
            do not say which layers are meant.

    Example:
        >>> from pellucid import lrp
        >>> print(lrp.EpsilonPlus().where("layer1.*", op="convolution", rule=lrp.Gamma(0.5)))
        convolution in layer1.*                      Gamma(gamma=0.5, eps=1e-06, bias="absorb", silent="drop")
        convolution                                  ZPlus(eps=1e-06, bias="absorb", silent="drop")
        dense                                        Epsilon(eps=1e-06, relative=False, bias="absorb", silent="drop", joint=False)
        activation or softmax or scale or norm       Pass()
        sum or pool or shift                         Norm(eps=1e-06, by="value", relative=False, bias="absorb", silent="drop")
        transform                                    Epsilon(eps=1e-06, relative=False, bias="absorb", silent="drop", joint=False)
        route or max                                 Route()
        gate                                         Gate()
        product                                      Halve(eps=1e-06)
    """

    entries: tuple[Entry, ...] = ()
    name: str = "lrp.composite"
    strict: bool = False
    signed: bool = True
    notes: tuple[str, ...] = ()
    opened: bool = False
    only: tuple[Conditioning, ...] = ()
    fitted: tuple[tuple[int, Rule], ...] = ()

    def where(
        self, module: str | None = None, *, op: str | tuple[str, ...] | None = None, position: str | int | None = None, rule: Rule
    ) -> Composite:
        """The same composite with one entry put before all others."""
        return replace(self, entries=((Where(module, op, position), rule), *self.entries))

    def __str__(self) -> str:
        return "\n".join(f"{where!s:<44} {rule}" for where, rule in self.entries)

    def plan(self, ops: Sequence[Op], tape: Tape | None = None) -> dict[int, Rule]:
        """The rule for each operation on the path from the input to the target, by its index.

        Positions count along the operations of a sample, also where a program loops over the samples of its batch. An entry takes
        the operations its rule can handle: `Where("layer1")` with a gamma rule leaves the views in layer1 alone.
        For what no entry names, structure (views, gates, activations, sums), `base` decides.

        Raises:
            MethodError: an entry names a kind of operation that its rule cannot handle.
        """
        rules = dict(self.fitted)
        each = [ops] if tape is None or all(where.position is None for where, _ in self.entries) else lines(tape, ops)
        for where, rule in (*self.entries, *base()):
            own = each if where.position is not None else [ops]
            matches = [op for line in own for op in where.pick([op for op in line if op.kind in rule.kinds])]
            for op in matches:
                rules.setdefault(op.index, rule)
            if where.op is not None and not matches and any(where.covers(op) and not _misnamed(op) for op in ops):
                raise MethodError(
                    f"{rule} for {where}", "operations of other kinds there", f"this rule is for {', '.join(sorted(rule.kinds))}",
                    "Choose another rule, or another kind of operation.",
                )  # fmt: skip
        return rules

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """Relevance at the input, or at the value `at`, with its ledger."""
        attribution = self._attribute(model, x, target, at, measured=False)
        return attribution if balances(attribution.ledger) else self._attribute(model, x, target, at, measured=True)

    def _attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None, *, measured: bool) -> Attribution:
        tape = rewrite(record(model, x, room=room(x.device)))
        end = tape.inputs[0] if at is None else find(tape, at)
        target, output = name_target(tape, target, model)
        tape, read = (tape, target) if self.only else read_alone(tape, target, end)
        resolved = resolve_target(tape, read, model)
        starts = tuple(resolved.gradients)
        composite, rules, lost = fitted(
            tape, lambda: (self, starts, end, model.preprocess), lambda: self._fitted(tape, starts, end, model)
        )
        tape = composite.prepare(tape)
        rows = conditional_target(tape, resolved, self.only, end)
        values, ledger = composite.carry(tape, resolved, rules, end, measured=measured)
        target = rows.target if self.only else target
        options = tuple(str(composite).splitlines())
        forwards = (1 + max(1, len(self.only))) * len(x)
        return Attribution(
            values, rows.score, target, output, ledger, composite.notes, composite.name, options, forwards=forwards,
            through=rows.through, lost=lost,
        )  # fmt: skip

    def _fitted(
        self, tape: Tape, starts: tuple[int, ...], end: int, model: Model
    ) -> tuple[Composite, dict[int, Rule], tuple[str, ...]]:
        """The composite for what ran, its rules by operation, and what of the way back cannot be followed."""
        ops = path(tape, starts)
        composite = replace(self.choose(tape, ops).bounded(model), strict=self.strict, only=self.only)
        tape = composite.prepare(tape)
        lost = check_branches(tape, starts, end, slopes=False)
        return composite, composite.plan(path(tape, starts), tape), lost

    def attribute_each(self, model: Model, x: Tensor, targets: Sequence[Target]) -> list[Attribution] | None:
        """Relevance at the input for several targets of one sample, with a ledger each, from one recording."""
        if self.only or any(len(target.terms) > 1 for target in targets):
            return None
        tape = rewrite(record(model, x, room=room(x.device)))
        first = seeded(tape, targets[0], model)
        starts = tuple(first.resolved.gradients)
        composite, rules, lost = self._fitted(first.tape, starts, tape.inputs[0], model)  # the others differ in position alone
        tape = composite.prepare(tape)
        found = composite._carry_each(tape, model, targets, rules, measured=False)
        off = [n for n, (_, _, ledger) in enumerate(found) if not balances(ledger)]
        again = composite._carry_each(tape, model, [targets[n] for n in off], rules, measured=True) if off else []
        found = list((dict(enumerate(found)) | dict(zip(off, again, strict=True))).values())
        options = tuple(str(composite).splitlines())
        return [
            Attribution(
                values, one.resolved.score, one.target, one.output, ledger, composite.notes, composite.name, options,
                forwards=1 + (n == 0), lost=lost,
            )
            for n, (one, values, ledger) in enumerate(found)
        ]  # fmt: skip

    def _carry_each(
        self, tape: Tape, model: Model, targets: Sequence[Target], rules: Mapping[int, Rule], *, measured: bool
    ) -> list[tuple[Seeded, Tensor, Ledger]]:
        """Relevance at the input from each of several targets, and its ledger. The tape stays."""
        begun, sums, end = list[Seeded](), list[Tensor](), tape.inputs[0]

        def seeds() -> Iterator[tuple[Tape, dict[int, Tensor]]]:
            for target in targets:  # one after the other: a row of scores may be as wide as a vocabulary
                one = seeded(tape, target, model)
                seed = one.resolved.relevance_seeds(one.tape)
                sums.append(_sum(one.tape, seed))
                begun.append(replace(one, tape=tape, resolved=replace(one.resolved, gradients={}, relevance_gradients=None)))
                yield one.tape, seed

        def segment(tape: Tape, starts: dict[int, Tensor], goal: int, at_target: bool) -> tuple[Tensor | None, tuple[Row, ...]]:
            relevance, ledger = propagate(
                tape, starts, rules, ends=(goal,), strict=self.strict, keep=True, measured=measured,
                nonzero_at_zero=() if at_target else starts,
            )  # fmt: skip
            return relevance.get(goal), ledger.rows

        batch, each = tape.values[end].sample_axis, carry_each(tape, seeds(), end, segment)
        return [
            (one, found.values, Ledger(total, per_sample(found.values, batch, 1).double(), found.rows))
            for one, total, found in zip(begun, sums, each, strict=True)
        ]

    def carry(
        self, tape: Tape, whole: ResolvedTarget, rules: dict[int, Rule], end: int, *, measured: bool = False
    ) -> tuple[Tensor, Ledger]:
        """Relevance at the value `end`, shaped like it, and the ledger. Consumes the tape.

        Rules that share what they keep in proportion to what inputs got are not linear in the relevance they carry. There, each
        term of a contrast is carried on its own, so that the map of a - b is always the map of a minus the map of b.
        """
        shares = any("share" in (getattr(rule, "bias", ""), getattr(rule, "silent", "")) for _, rule in self.entries)
        target = whole.target
        parts = [Target((term,)) for term in target.terms] if shares and len(target.terms) > 1 else [target]
        values, ledgers = tape.value(end).new_zeros(()), []
        for n, part in enumerate(parts, 1):
            resolved = whole if part is target else resolve_target(tape, part)
            if self.only:
                relevance, ledger = self._conditional(tape, resolved.relevance_seeds(tape), rules, end, measured=measured)
                values = values + relevance
            else:
                keep = n < len(parts)
                arrived, ledger = propagate(
                    tape, resolved.relevance_seeds(tape), rules, ends=(end,), strict=self.strict, keep=keep, measured=measured
                )
                values = values + arrived[end] if end in arrived else values
            ledgers.append(ledger)
        return values if values.dim() else torch.zeros_like(tape.value(end)), summed(ledgers)

    def _conditional(
        self, tape: Tape, seeds: dict[int, Tensor], rules: dict[int, Rule], end: int, *, measured: bool
    ) -> tuple[Tensor, Ledger]:
        """Relevance at the value `end` that passes each of the conditions, a row for each; and the ledger of every row."""

        def segment(tape: Tape, starts: dict[int, Tensor], goal: int) -> tuple[Tensor | None, tuple[Row, ...]]:
            nonzero_at_zero = () if starts is seeds else starts
            relevance, ledger = propagate(
                tape, starts, rules, ends=(goal,), strict=self.strict, keep=True, measured=measured,
                nonzero_at_zero=nonzero_at_zero,
            )  # fmt: skip
            return relevance.get(goal), ledger.rows

        samples, many = tape.samples, len(self.only)
        values, rows = propagate_conditional(tape, seeds, self.only, end, segment)
        seed = sum(per_sample(s, tape.values[i].batch, samples).double() for i, s in seeds.items())
        batch = tape.values[end].batch
        assert isinstance(seed, Tensor)
        return values, Ledger(seed.repeat_interleave(many), per_sample(values, batch, samples * many).double(), rows)

    def choose(self, tape: Tape, ops: Sequence[Op]) -> Composite:
        """The composite for what ran: itself."""
        return self

    def prepare(self, tape: Tape) -> Tape:
        """The tape as these rules read it: with attention as a product of two signals where `opened`."""
        return open_attention(tape) if self.opened else tape

    def bounded(self, model: Model) -> Composite:
        """With the bounds of every z-box from the model's preprocessing; without one, each sample bounds its own."""
        if not any(isinstance(rule, ZBox) and (rule.low is None or rule.high is None) for _, rule in self.entries):
            return self
        if model.image_preprocess is None:
            return replace(self, notes=(*self.notes, "The preprocessing is not known: the range of each input bounds its box."))
        low, high = model.image_preprocess.bounds()
        entries = [(where, rule.within(low, high) if isinstance(rule, ZBox) else rule) for where, rule in self.entries]
        return replace(self, entries=tuple(entries))


def _sum(tape: Tape, seeds: Mapping[int, Tensor]) -> Tensor:
    """What all seeds hold together, per sample."""
    held = [per_sample(s, tape.values[i].sample_axis, tape.samples).double() for i, s in seeds.items()]
    return torch.stack(held).sum(0)


def _misnamed(op: Op) -> bool:
    """Whether an operation has the name of a kind that it is not of: a convolution whose weights depend on the input, a sum over
    an axis, which is a pool.
    """
    return op.name != op.kind and (op.name in kinds.KINDS or op.name == "sum")


def reads_picture(tape: Tape) -> bool:
    """Whether the input is a picture."""
    return len(tape.values[tape.inputs[0]].shape) == 4


def balances(ledger: Ledger | None) -> bool:
    """Whether the error of every sample is a fifth of its bound at most."""
    return ledger is not None and bool((ledger.error.abs() <= 2e-5 * ledger.volume).all())


def summed(ledgers: Sequence[Ledger]) -> Ledger:
    """Several ledgers as one."""
    seed, reached = (torch.stack([getattr(b, side) for b in ledgers]).sum(0) for side in ("seed", "input"))
    return Ledger(seed, reached, concat_rows(b.rows for b in ledgers))
