"""Steps: one operation, as it runs on the windows alone; and the draft of a schedule, which the rules that make steps read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor
from torch.nn.functional import linear as dense

from pellucid.model.outputs import leaves
from pellucid.tape import Op, Tape
from pellucid.tape.linear import Dense, linear
from .box import Box
from .operand import ForwardPass, Operand
from .span import Span


@dataclass(frozen=True, eq=False)
class PlanStep:
    """One operation of the tape, on boxes or on whole maps.

    Arguments:
        op: The operation.
        fn: What computes it.
        args, kwargs: Its arguments, with `Operand` for everything that depends on the windows.
        boxes: By value that it computes: the part that changes; empty where whole maps are computed.
    """

    op: Op
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    boxes: Mapping[int, Box] = field(default_factory=dict)

    def __call__(self, run: ForwardPass) -> Any:
        """The result of the operation."""
        return self.fn(*_supplied(self.args, run), **{k: _supplied(v, run) for k, v in self.kwargs.items()})

    def operands(self) -> Iterator[Operand]:
        return leaves((self.args, dict(self.kwargs)), Operand)  # type: ignore[type-abstract]

    @property
    def reads(self) -> list[int]:
        """The changed values it is made from."""
        return [operand.reads for operand in self.operands() if operand.reads is not None]


def _supplied(arg: Any, run: ForwardPass) -> Any:
    if isinstance(arg, Operand):
        return arg(run)
    if isinstance(arg, (tuple, list)):
        return [_supplied(item, run) for item in arg]
    return arg


@dataclass(eq=False)
class Draft:
    """A schedule in the making: what is known when the step of an operation is made.

    Arguments:
        tape: One forward pass.
        boxes: Where the values so far change.
        full_maps: The values that change everywhere.
        needed: The values that anything reads.
        weights: By operation: weight and bias with everything folded in, for steps of the same operation to share.
    """

    tape: Tape
    boxes: dict[int, Box]
    full_maps: set[int] = field(default_factory=set)
    needed: set[int] = field(default_factory=set)
    weights: dict[int, tuple[Tensor, Tensor | None]] = field(default_factory=dict)

    def shape(self, value: int) -> tuple[int, ...]:
        return self.tape.values[value].shape

    def box(self, value: int, like: Box, spans: Sequence[Span]) -> Box:
        """A box of a value whose axes are those of another."""
        samples = like.layout.samples
        shape = tuple(1 if axis == samples else length for axis, length in enumerate(self.shape(value)))
        return Box(replace(like.layout, shape=shape), tuple(spans))

    def weight(self, op: Op) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of a linear operation, with what was folded into it."""
        if op.index not in self.weights:
            lin = linear(self.tape, op)
            bias = lin.bias
            if bias is not None and op.kind == "convolution":
                bias = bias.reshape(-1).expand(self.shape(op.out)[1]).contiguous()
            self.weights[op.index] = lin.full, bias
        return self.weights[op.index]


def on_the_right(tape: Tape, op: Op) -> bool:
    """Whether a dense operation is a plain matrix product along the last axis."""
    lin = linear(tape, op)
    return isinstance(lin, Dense) and lin.right and lin.raw.dim() == 2


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W + b along the last axis."""
    if bias is None or bias.dim() == 1:
        return dense(x, weight.t(), bias)
    return dense(x, weight.t()) + bias
