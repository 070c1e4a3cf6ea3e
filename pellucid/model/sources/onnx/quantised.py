"""Quantised values, carried as decimals so that derivatives and relevance find their way through whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .operation import Node

NOTE = (
    "The file rounds what it computes to a few whole numbers: derivatives and relevance go through a rounding "
    "as through the straight line beneath it."
)
# What only moves numbers about or chooses among them, so that it does the same to whole ones and to those they stand for.
MOVES = frozenset(
    """Reshape Transpose Flatten Squeeze Unsqueeze Identity Slice Split Gather GatherElements GatherND Expand Tile MaxPool
    GlobalMaxPool DepthToSpace SpaceToDepth Concat ReduceMax ReduceMin Pad Resize Upsample""".split()
)
# What rounds to whole numbers.
ROUNDS = frozenset(
    """QuantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul QLinearAdd QLinearMul QLinearGlobalAveragePool
    QLinearAveragePool QLinearConcat QLinearSigmoid QLinearLeakyRelu QLinearSoftmax QLinearReduceMean QLinearWhere QGemm
    DynamicQuantizeMatMul DynamicQuantizeLSTM""".split()
)
DECIMALS = frozenset({"Cast", "CastLike"})
SUMS = frozenset({"Add", "Sub"})  # of whole numbers that stand for themselves and constants: the offsets of integer layers
ACCEPTED: set[tuple[str, str]] = set()  # operations that take quantised values themselves, by domain and name


@dataclass(frozen=True, eq=False)
class Quantised:
    """Whole numbers q that stand for (q - zero) scale.

    Arguments:
        steps: q - zero, as decimals, which carry derivatives.
        scale, zero: As they broadcast against `steps`; no zero is 0.
        dtype: Of q.
    """

    steps: Tensor
    scale: Tensor
    zero: Tensor | None
    dtype: torch.dtype

    @property
    def real(self) -> Tensor:
        """What the numbers stand for."""
        return self.steps * self.scale

    @property
    def decimals(self) -> Tensor:
        """The whole numbers, as decimals."""
        return self.steps if self.zero is None else self.steps + self.zero

    @property
    def whole(self) -> Tensor:
        """The whole numbers, which carry no derivatives."""
        return self.decimals.detach().to(self.dtype)

    @property
    def device(self) -> torch.device:
        return self.steps.device

    @property
    def shape(self) -> torch.Size:
        return self.steps.shape

    def to(self, device: torch.device) -> Quantised:
        return replace(
            self,
            steps=self.steps.to(device),
            scale=self.scale.to(device),
            zero=None if self.zero is None else self.zero.to(device),
        )

    def stands_like(self, scale: Tensor, zero: Tensor | None) -> bool:
        """Whether the same whole numbers stand for the same, by this scale and zero point."""
        return same(self.scale, scale) and same(self.zero, zero)


def same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is other:
        return True
    if one is None or other is None:
        given = one if other is None else other
        return given is not None and not given.any()
    return torch.equal(one.flatten(), other.flatten())


def decimal(value: Any) -> Any:
    """A value whose whole numbers are decimals where they are quantised."""
    return value.decimals if isinstance(value, Quantised) else value


def plain(value: Any) -> Any:
    """A value as the file means it: whole numbers where they are quantised."""
    return value.whole if isinstance(value, Quantised) else value


def apply(node: Node, function: Callable[..., Any], inputs: Sequence[Any], **extra: Any) -> Any:
    """An operation, whose inputs may be quantised: it takes them as they are, moves them, or computes with whole numbers."""
    if not any(isinstance(one, Quantised) for one in inputs) or (node.domain, node.kind) in ACCEPTED:
        return function(node, *inputs, **extra)
    if node.kind in DECIMALS:
        inputs = [*map(decimal, inputs)]
    elif node.kind in SUMS and not node.domain and _counts(inputs[0]) and isinstance(inputs[1], Tensor):
        return replace(inputs[0], steps=function(node, inputs[0].steps, inputs[1].to(inputs[0].steps.dtype)))
    elif node.kind in MOVES and not node.domain and node.get("mode") not in ("linear", "cubic"):
        data = inputs if node.kind == "Concat" else inputs[:1]
        if _move_together(data):
            return _moved(function(node, *(one.steps for one in data), *_beside(node, inputs[len(data) :], data[0])), data[0])
    return function(node, *map(plain, inputs), **extra)


def _counts(value: Any) -> bool:
    """Whether these are whole numbers that stand for themselves."""
    return isinstance(value, Quantised) and value.zero is None and bool((value.scale == 1).all())


def _beside(node: Node, inputs: Sequence[Any], like: Quantised) -> Sequence[Any]:
    """The other inputs of what moves numbers: whole ones that are laid around them count from the zero point too."""
    if node.kind != "Pad" or node.get("mode", "constant") != "constant":
        return inputs
    value = inputs[1] if len(inputs) > 1 and inputs[1] is not None else torch.zeros((), device=like.device)
    return [inputs[0], value if like.zero is None else value - like.zero, *inputs[2:]]


def _move_together(values: Sequence[Any]) -> bool:
    """Whether all are quantised by the same scale."""
    first = values[0]
    return (
        isinstance(first, Quantised)
        and first.scale.numel() == 1
        and all(isinstance(one, Quantised) and one.stands_like(first.scale, first.zero) for one in values)
    )


def _moved(made: Any, like: Quantised) -> Any:
    if isinstance(made, tuple):
        return tuple(_moved(one, like) for one in made)
    return replace(like, steps=made) if made.is_floating_point() else made
