"""ReLUs that are spelled otherwise: `torch.where(x > 0, x, 0)`, `x * (x > 0)`, `x.masked_fill(x < 0, 0)`, `(x + x.abs()) / 2`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .. import kinds
from ..op import Op, Ref, Tape

COMPARISONS = frozenset({"gt", "ge", "lt", "le"})
SAME = frozenset({"detach", "alias", "clone"})
GREATER = frozenset({"maximum", "fmax"})
MASKED = frozenset({"where", "mul", "masked_fill", "index_put"})


def rectifiers(tape: Tape) -> Tape:
    """The same tape with every such ReLU, leaky or not, as the one operation it is."""
    names = {op.name for op in tape.ops}
    if not (names & COMPARISONS or names & GREATER or "abs" in names):
        return tape
    spelled = _Spelled(tape)
    ops = tuple(spelled.rectifier(op) for op in tape.ops)
    if all(new is old for new, old in zip(ops, tape.ops, strict=True)):
        return tape
    _mark_nonnegative(tape, ops)
    return tape.rewritten(ops)


class _Spelled:
    """What a tape compares with zero, and what made each of its values."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.made: dict[int, Op] = {o: op for op in tape.ops for o in op.outs if o is not None}
        compared = (op for op in tape.ops if op.name in COMPARISONS and len(op.args) == 2 and self.is_constant(op.args[1], 0))
        self.compared = {self.origin(op.ins[0]) for op in compared}

    def origin(self, value: int) -> int:
        """The value of which this one is a copy."""
        while (op := self.made.get(value)) is not None and op.name in SAME:
            value = op.ins[0]
        return value

    def is_constant(self, arg: Any, number: float) -> bool:
        """Whether an argument is this number, everywhere."""
        if isinstance(arg, Ref):
            value = self.tape.values[arg.id]
            return not value.tracked and value.tensor is not None and bool((value.tensor == number).all())
        return isinstance(arg, (int, float)) and arg == number

    def rectifier(self, op: Op) -> Op:
        """The operation, as a ReLU of what it reads if it is one."""
        found = None
        if op.name in MASKED:
            found = self._by_mask(op)
        elif op.name in GREATER:
            found = self._maximum(op)
        if found is None and op.name in ("mul", "div") and op.kind == "scale":
            found = self._half_of_absolute(op)
        if found is None:
            return op
        x, slope = found
        fn, name, rest = (torch.ops.aten.relu.default, "relu", ()) if slope == 0 else _leaky(slope)
        if self.tape.values[x].shape != self.tape.values[op.out].shape:
            return op
        return replace(op, fn=fn, name=name, kind="activation", args=(Ref(x), *rest), kwargs={}, ins=(x,))

    def _maximum(self, op: Op) -> tuple[int, float] | None:
        a, b = op.args[:2]
        if len(op.ins) == 1:
            other = b if isinstance(a, Ref) and a.id == op.ins[0] else a
            return (op.ins[0], 0.0) if self.is_constant(other, 0) else None
        for x, scaled in (op.ins, op.ins[::-1]):
            slope = self._slope(x, scaled)
            if slope is not None and 0 < slope < 1:
                return x, slope
        return None

    def _half_of_absolute(self, op: Op) -> tuple[int, float] | None:
        """For 0.5 * (x + |x|): x."""
        factor = next((arg for arg in op.args[:2] if arg != Ref(op.ins[0])), None)
        half = self.is_constant(factor, 0.5) if op.name == "mul" else op.args[0] == Ref(op.ins[0]) and self.is_constant(factor, 2)
        total = self.made.get(op.ins[0])
        if not half or total is None or total.name != "add" or len(total.ins) != 2 or total.kwargs.get("alpha", 1) != 1:
            return None
        for x, absolute in (total.ins, total.ins[::-1]):
            size = self.made.get(absolute)
            if size is not None and size.name == "abs" and self.origin(size.ins[0]) == self.origin(x):
                return x, 0.0
        return None

    def _by_mask(self, op: Op) -> tuple[int, float] | None:
        """What is kept where it is above zero, and the slope elsewhere."""
        if op.name == "where" and len(op.args) == 3:
            mask, kept, other = op.args
            return self._chosen(mask, kept, other, above=True) or self._chosen(mask, other, kept, above=False)
        if op.name == "masked_fill":
            return self._chosen(op.args[1], Ref(op.ins[0]), op.args[2], above=False)
        if op.name == "index_put" and len(op.args) == 3 and len(op.args[1]) == 1 and len(op.ins) == 1:
            return self._chosen(op.args[1][0], op.args[0], op.args[2], above=False)
        if op.name == "mul" and len(op.ins) == 1:
            mask = next((arg for arg in op.args[:2] if arg != Ref(op.ins[0])), None)
            return self._chosen(mask, Ref(op.ins[0]), 0, above=True)
        return None

    def _chosen(self, mask: Any, kept: Any, other: Any, *, above: bool) -> tuple[int, float] | None:
        if not (isinstance(mask, Ref) and isinstance(kept, Ref)) or self.origin(kept.id) not in self.compared:
            return None
        slope = 0.0 if self.is_constant(other, 0) else self._slope(kept.id, other.id) if isinstance(other, Ref) else None
        chosen = self.tape.values[mask.id].tensor
        if slope is None or chosen is None or not self.tape.values[kept.id].tracked:
            return None
        return (kept.id, slope) if _tells_sign(chosen, self.tape.value(kept.id), above=above) else None

    def _slope(self, x: int, scaled: int) -> float | None:
        """The number by which x was multiplied to make another value."""
        op = self.made.get(scaled)
        if op is None or op.name not in ("mul", "div") or op.kind != "scale" or self.origin(op.ins[0]) != self.origin(x):
            return None
        factor = next((arg for arg in op.args[:2] if arg != Ref(op.ins[0])), None)
        if isinstance(factor, Ref):
            held = self.tape.values[factor.id].tensor
            factor = held.item() if held is not None and held.numel() == 1 else None
        if not isinstance(factor, (int, float)) or factor == 0 or (op.name == "div" and op.args[0] != Ref(op.ins[0])):
            return None
        return float(factor) if op.name == "mul" else 1 / factor


def _tells_sign(mask: Tensor, x: Tensor, *, above: bool) -> bool:
    """Whether a mask is one where x is above zero (or below), whatever it is at zero, and zero elsewhere."""
    if mask.shape != x.shape or not (mask.dtype == torch.bool or bool(((mask == 0) | (mask == 1)).all())):
        return False
    side = x > 0 if above else x < 0
    return bool(((mask.bool() == side) | (x == 0)).all())


def _leaky(slope: float) -> tuple[Any, str, tuple[float, ...]]:
    return torch.ops.aten.leaky_relu.default, "leaky_relu", (slope,)


def _mark_nonnegative(tape: Tape, ops: tuple[Op, ...]) -> None:
    """Tell the values after a ReLU that was found that they are not negative."""
    for op in ops:
        sources = [tape.values[ref.id].nonnegative for ref in op.refs()]
        if kinds.nonnegative(op.name, op.kind, op.args, op.kwargs, sources):
            for o in op.outs:
                if o is not None:
                    tape.values[o].nonnegative = True
