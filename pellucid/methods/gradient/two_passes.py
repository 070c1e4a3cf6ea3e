"""The same operations in two forward passes, one at the input and one at a baseline, as DeepLIFT compares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.tape import LocalOp, Op, Ref, Tape
from pellucid.tape.local import single_precision

Carried = Sequence[Tensor | None]


@dataclass(frozen=True, eq=False)
class Pair:
    """One operation at the input, and the same one at the baseline.

    Arguments:
        here: The operation in the pass at the input.
        there: The operation in the pass at the baseline.
    """

    here: LocalOp
    there: LocalOp

    @property
    def op(self) -> Op:
        return self.here.op

    @property
    def xs(self) -> list[Tensor]:
        return [single_precision(x) for x in self.here.xs]

    @property
    def rs(self) -> list[Tensor]:
        return [single_precision(r) for r in self.there.xs]

    @property
    def dxs(self) -> list[Tensor]:
        """How far each tracked input is from its value at the baseline."""
        return [x - r for x, r in zip(self.xs, self.rs, strict=True)]

    def between(self, t: float) -> list[Tensor]:
        """The point on the line from the baseline (t = 0) to the input (t = 1)."""
        return [r.lerp(x, t) for x, r in zip(self.xs, self.rs, strict=True)]

    @property
    def z(self) -> tuple[Tensor, Tensor]:
        """What the operation made: at the input, and at the baseline."""
        return single_precision(self.here.z), single_precision(self.there.z)

    def made_there(self, points: Sequence[Tensor]) -> list[Tensor]:
        """Everything that the operation of the pass at the baseline makes of other inputs."""
        return self.there.run([p.to(x.dtype) for p, x in zip(points, self.there.xs, strict=True)])

    @cached_property
    def constant(self) -> bool:
        """Whether everything it reads besides its tracked inputs is the same in both passes, so that it is one function."""
        return self.steered and all(_same(a, b) for a, b in self._constants if a is not None and a.is_floating_point())

    @cached_property
    def steered(self) -> bool:
        """Whether all numbers, indices and conditions are the same, so that entries go the same way in both passes."""
        mine, other = self.here.op, self.there.op
        if _scalars((mine.args, mine.kwargs)) != _scalars((other.args, other.kwargs)):
            return False
        return all(_same(a, b) for a, b in self._constants if a is None or not a.is_floating_point())

    @property
    def _constants(self) -> Iterator[tuple[Tensor | None, Tensor | None]]:
        """What it reads besides its tracked inputs, in both passes."""
        for a, b in zip(self.here.op.refs(), self.there.op.refs(), strict=True):
            if a.id not in self.here.op.ins:
                yield self.here.tape.values[a.id].tensor, self.there.tape.values[b.id].tensor

    @property
    def functions(self) -> list[LocalOp]:
        """What the operation computes: one function, or one in each pass."""
        return [self.here] if self.constant else [self.here, self.there]


def pairs(here: Tape, there: Tape) -> dict[int, Pair]:
    """The operations of two passes side by side, by their index.

    Raises:
        MethodError: the passes did not run through the same operations.
    """
    for mine, other in zip(here.ops, there.ops, strict=False):
        if _form(here, mine) != _form(there, other):
            raise _parted(f"{mine.place} at the input where the baseline ran {other.place} (operation {mine.index})")
    if len(here.ops) != len(there.ops):
        raise _parted(f"{len(here.ops)} operations at the input, and {len(there.ops)} at the baseline")
    return {op.index: Pair(LocalOp(here, op), LocalOp(there, other)) for op, other in zip(here.ops, there.ops, strict=True)}


def _form(tape: Tape, op: Op) -> tuple[Any, ...]:
    """What must agree in two operations for one to be compared with the other."""
    shapes = [None if o is None else tape.values[o].shape for o in (*op.ins, *op.outs)]
    return op.name, op.ins, op.outs, shapes


def _parted(difference: str) -> MethodError:
    return MethodError(
        "The difference from the baseline, operation by operation", difference,
        "the network chooses by its input what to compute, and what ran once only has nothing to be compared with",
        "Choose a baseline that takes the same way, or a method without one: gradient_x_input, lrp.",
    )  # fmt: skip


def _scalars(tree: Any) -> list[Any]:
    """The numbers and words among arguments."""
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, (tuple, list)):
        return [leaf for item in tree for leaf in _scalars(item)]
    return [] if isinstance(tree, (Ref, torch.ScriptObject)) else [tree]  # packed weights know no equality


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    same_memory = a.data_ptr() == b.data_ptr() and a.stride() == b.stride()  # as that of the weights of a network
    return a is b or (a.shape == b.shape and (same_memory or torch.equal(a, b)))
