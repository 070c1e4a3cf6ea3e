"""Layer norms written out: (x - mean(x)) / sqrt(variance(x) + eps) is one norm, as files of older ONNX versions have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from pellucid.model.outputs import leaves
from ..op import Op, Ref, Tape


@dataclass(frozen=True, eq=False)
class _Norm:
    """What makes up a norm.

    Arguments:
        x: The value that is normed.
        shape: Of what a mean is taken over: the last axes.
        steps: The operations, of which nothing else reads anything; the last one makes the output.
        weight, bias: What follows at once and is part of it, by value.
    """

    x: int
    shape: tuple[int, ...]
    eps: float
    steps: tuple[Op, ...]
    weight: int | None = None
    bias: int | None = None


def norms(tape: Tape) -> Tape:
    """The same tape with every layer norm that was computed step by step as one operation, its scale and offset included."""
    search = _Search(tape)
    found = [norm for op in tape.ops if op.name in ("div", "mul") and (norm := search.norm(op)) is not None]
    gone = {op.index for norm in found for op in norm.steps}
    made = {norm.steps[-1].index: _as_one(norm) for norm in found}
    return tape.rewritten(tuple(made.get(op.index, op) for op in tape.ops if op.index in made or op.index not in gone))


def _as_one(norm: _Norm) -> Op:
    last = norm.steps[-1]
    weight, bias = (None if i is None else Ref(i) for i in (norm.weight, norm.bias))
    return replace(
        last, fn=torch.ops.aten.native_layer_norm.default, args=(Ref(norm.x), norm.shape, weight, bias, norm.eps), kwargs={},
        ins=(norm.x,), outs=(last.out,), kind="norm", name="native_layer_norm", inner=tuple(op.out for op in norm.steps[:-1]),
    )  # fmt: skip


@dataclass(eq=False)
class _Search:
    """Who makes and who reads the values of a tape."""

    tape: Tape
    made: dict[int, Op] = field(default_factory=dict)
    readers: dict[int, list[Op]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for op in self.tape.ops:
            self.made.update({o: op for o in op.outs if o is not None})
            for i in dict.fromkeys(op.ins):
                self.readers[i].append(op)
        self.returned = {ref.id for ref in leaves(self.tape.output, Ref)}

    def norm(self, op: Op) -> _Norm | None:
        """The norm of which this is the quotient; None if it is none."""
        for centred, spread in self._quotients(op):
            root, middle = self._root(spread), self._mean_left_out(centred)
            if root is None or middle is None:
                continue
            x, axes, centring = middle
            variance = self._variance(root[-1].ins[0], centred, x, axes)
            if variance is not None:
                eps, squares = variance
                steps = (*centring, *squares, *reversed(root), op)
                shape = self.tape.values[x].shape[axes[0] :]
                return self._with_affine(_Norm(x, shape, eps, steps)) if self._alone(steps, op) else None
        return None

    def _quotients(self, op: Op) -> list[tuple[int, int]]:
        """(numerator, what is divided by or multiplied with), as they may be meant."""
        if len(op.ins) != 2 or op.kind != "product":
            return []
        return [op.ins] if op.name == "div" else [op.ins, op.ins[::-1]]

    def _root(self, spread: int) -> list[Op] | None:
        """The operations that make one over a root, or the root itself, the last one first."""
        op = self.made.get(spread)
        if op is not None and op.name == "reciprocal":
            inner = self._root(op.ins[0])
            return None if inner is None else [op, *inner]
        roots = op is not None and (
            op.name in ("sqrt", "rsqrt") or (op.name == "pow" and self._number(op.args[1]) in (0.5, -0.5))
        )
        return [op] if op is not None and roots else None

    def _mean_left_out(self, centred: int) -> tuple[int, list[int], list[Op]] | None:
        """The value whose mean over its last axes was subtracted, these axes, and the operations that did it."""
        sub = self.made.get(centred)
        if sub is None or sub.name != "sub" or len(sub.ins) != 2 or sub.kwargs.get("alpha", 1) != 1:
            return None
        x, mean = sub.ins[0], self.made.get(sub.ins[1])
        if mean is None or mean.name != "mean" or mean.ins != (x,):
            return None
        n = len(self.tape.values[x].shape)
        axes = _axes(mean, n)
        return (x, axes, [mean, sub]) if axes and axes[0] > 0 and axes == list(range(axes[0], n)) else None

    def _variance(self, value: int, centred: int, x: int, axes: list[int]) -> tuple[float, list[Op]] | None:
        """What is added to the variance over some axes, and the operations that make their sum."""
        add = self.made.get(value)
        eps = None if add is None or add.name != "add" or len(add.ins) != 1 else self._number(_other(add))
        mean = None if add is None or eps is None else self.made.get(add.ins[0])
        if add is None or eps is None or mean is None or _axes(mean, len(self.tape.values[x].shape)) != axes:
            return None
        if mean.name == "var":
            return (eps, [mean, add]) if mean.ins[0] in (x, centred) and mean.kwargs.get("correction") == 0 else None
        square = self.made.get(mean.ins[0]) if mean.name == "mean" else None
        if square is None or set(square.ins) != {centred}:
            return None
        squares = square.name in ("square", "mul") or (square.name == "pow" and self._number(square.args[1]) == 2)
        return (eps, [square, mean, add]) if squares else None

    def _alone(self, steps: Sequence[Op], last: Op) -> bool:
        """Whether nothing else reads what the steps make."""
        own = {op.index for op in steps}
        inner = [o for op in steps if op is not last for o in op.outs if o is not None]
        return not any(i in self.returned or any(r.index not in own for r in self.readers[i]) for i in inner)

    def _with_affine(self, norm: _Norm) -> _Norm:
        """With the scale and the offset that follow, where nothing else reads what is before them."""
        scale = self._next(norm, "mul", "scale")
        norm = norm if scale is None else replace(norm, weight=scale[1], steps=(*norm.steps, scale[0]))
        shift = self._next(norm, "add", "shift")
        return norm if shift is None else replace(norm, bias=shift[1], steps=(*norm.steps, shift[0]))

    def _next(self, norm: _Norm, name: str, kind: str) -> tuple[Op, int] | None:
        value = norm.steps[-1].out
        readers = self.readers[value]
        op = readers[0] if len(readers) == 1 and value not in self.returned else None
        if op is None or op.name != name or op.kind != kind or len(op.args) != 2 or op.kwargs:
            return None
        other = _other(op)
        fits = isinstance(other, Ref) and self.tape.values[other.id].shape == norm.shape
        return (op, other.id) if isinstance(other, Ref) and fits else None

    def _number(self, arg: Any) -> float | None:
        """An argument as a number, where it is one or a constant that holds one."""
        if isinstance(arg, (int, float)):
            return float(arg)
        if not isinstance(arg, Ref) or self.tape.values[arg.id].tracked or self.tape.values[arg.id].shape not in ((), (1,)):
            return None
        return float(self.tape.value(arg.id))


def _other(op: Op) -> Any:
    """The argument of an operation on two of which one does not descend from the input."""
    return op.args[1] if op.args[0] == Ref(op.ins[0]) else op.args[0]


def _axes(mean: Op, n: int) -> list[int]:
    """The axes that a mean is taken over and leaves with one entry; none where it leaves them out."""
    dims = mean.args[1] if len(mean.args) > 1 else mean.kwargs.get("dim")
    kept = mean.args[2] if len(mean.args) > 2 else mean.kwargs.get("keepdim", False)
    return sorted(d % n for d in ([dims] if isinstance(dims, int) else dims or ())) if kept else []
