"""Linear operations with constant weights: z = W x + b, whether a convolution or a matrix product computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad as padded

from .op import Affine, Op, Ref, Tape

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Linear(ABC):
    """z = scale * (W x + b) + shift, with everything a rule may ask of it.

    Arguments:
        raw: W as the model holds it.
        offset: b as the model holds it, in a shape that broadcasts against z.
        affine: What was folded in: a batch norm, a per-channel scale or shift.
        shape: The shape of x.
    """

    raw: Tensor
    offset: Tensor | None
    affine: Affine
    shape: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """`weight` applied to x, without any bias."""

    @abstractmethod
    def backward(self, s: Tensor, weight: Tensor) -> Tensor:
        """The transpose of `weight` applied to s."""

    @abstractmethod
    def spread(self, amount: Tensor) -> Tensor:
        """`amount` at each output, shared evenly among the inputs that this output reads. Padding is not an input."""

    @abstractmethod
    def _per_output(self, scale: Tensor) -> Tensor:
        """A per-channel scale of z in a shape that broadcasts against W."""

    @cached_property
    def weight(self) -> Tensor:
        """W with the folded scale."""
        return self.raw if self.affine.scale is None else self.raw * self._per_output(self.affine.scale)

    @cached_property
    def bias(self) -> Tensor | None:
        """b with everything folded in, in a shape that broadcasts against z; None where there is none."""
        scale, shift = self.affine.scale, self.affine.shift
        b = self.offset if self.offset is None or scale is None else self.offset * scale
        return shift if b is None else b if shift is None else b + shift

    @cached_property
    def positive(self) -> Tensor:
        return self.weight.clamp(min=0)

    @cached_property
    def negative(self) -> Tensor:
        return self.weight.clamp(max=0)

    def pull(self, s: Tensor) -> Tensor:
        """The transpose of W, folded scale included, applied to s."""
        return self.backward(s if self.affine.scale is None else s * self.affine.scale, self.raw)


@dataclass(frozen=True, eq=False)
class Convolution(Linear):
    """A convolution, transposed or not, in any number of dimensions.

    Arguments:
        settings: stride, padding, dilation, transposed, output padding, groups.
        pad: Zero padding by a separate operation before it, as `torch.nn.functional.pad` takes it.
    """

    settings: tuple[Any, ...]
    pad: tuple[int, ...] | None = None

    groups: ClassVar[int]

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        z: Tensor = aten.convolution.default(self._pad(x), weight, None, *self.settings)
        return z

    def backward(self, s: Tensor, weight: Tensor) -> Tensor:
        grown = self._grown
        like = s.new_empty(1).expand(s.shape[0], *grown)
        grad: Tensor = aten.convolution_backward.default(s, like, weight, None, *self.settings, [True, False, False])[0]
        return grad if self.pad is None else padded(grad, [-p for p in self.pad])

    @property
    def _grown(self) -> tuple[int, ...]:
        """The shape of one padded sample."""
        sizes = list(self.shape[1:])
        for i, p in enumerate(self.pad or ()):
            sizes[-1 - i // 2] += p
        return tuple(sizes)

    def _pad(self, x: Tensor) -> Tensor:
        return x if self.pad is None else padded(x, list(self.pad))

    def spread(self, amount: Tensor) -> Tensor:
        # All channels of a group read the same positions: one channel per group tells it all.
        groups = self.settings[-1]
        batch, channels = amount.shape[0], self.shape[1]
        ones = self.raw.new_ones((groups, 1, *self.raw.shape[2:]))
        narrow = Convolution(ones, None, Affine(), (batch, groups, *self.shape[2:]), self.settings, self.pad)
        real = amount.new_ones((1, groups, *self.shape[2:]))
        count = narrow.forward(real, ones).clamp(min=1) * (channels // groups)
        summed = amount.reshape(batch, groups, -1, *amount.shape[2:]).sum(2)
        each = narrow.backward(summed / count, ones)
        return each.repeat_interleave(channels // groups, 1)

    def _per_output(self, scale: Tensor) -> Tensor:
        flat = scale.reshape(-1)
        trailing = [1] * (self.raw.dim() - 2)
        if not self.settings[3] or flat.numel() == 1:  # (out, in / groups, ...)
            return flat.reshape(-1, 1, *trailing)
        groups = self.settings[-1]  # transposed: (in, out / groups, ...), a scale per group and output
        per_group = self.raw.shape[0] // groups
        return flat.reshape(groups, 1, -1).expand(-1, per_group, -1).reshape(self.raw.shape[0], -1, *trailing)


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """A matrix product, x W or W x, single or batched.

    Arguments:
        right: Whether the weight stands on the right, as in `torch.nn.Linear`.
    """

    right: bool = True

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight if self.right else weight @ x

    def backward(self, s: Tensor, weight: Tensor) -> Tensor:
        grad = s @ _t(weight) if self.right else _t(weight) @ s
        return grad.sum_to_size(self.shape) if grad.shape != self.shape else grad

    def spread(self, amount: Tensor) -> Tensor:
        if not self.right:
            axis = -2 if len(self.shape) > 1 else -1
            return (amount.sum(axis, keepdim=True) / self.shape[axis]).expand(self.shape).clone()
        if len(self.shape) == 1:
            return (amount.sum() / self.shape[0]).expand(self.shape).clone()
        if self.raw.dim() == 1:  # a matrix times a vector: one output per row
            return (amount.unsqueeze(-1) / self.shape[-1]).expand(self.shape).clone()
        return (amount.sum(-1, keepdim=True) / self.shape[-1]).expand(self.shape).clone()

    def backward_vector(self, s: Tensor) -> Tensor:
        return s.unsqueeze(-1) * self.raw

    def _per_output(self, scale: Tensor) -> Tensor:
        return scale if self.right else scale.reshape(*scale.shape[-1:], 1) if scale.dim() == 1 else scale


def _t(weight: Tensor) -> Tensor:
    return weight.transpose(-1, -2) if weight.dim() > 1 else weight


def linear(tape: Tape, op: Op) -> Linear:
    """The linear map that an operation of kind "convolution" or "dense" computes."""
    affine = op.affine or Affine()
    shape = tape.values[op.ins[0]].shape
    if op.kind == "convolution":
        _, weight, bias, *settings = op.args
        raw = tape.value(weight.id)
        offset = None if bias is None else tape.value(bias.id).reshape(-1, *[1] * (raw.dim() - 2))
        return Convolution(raw, offset, affine, shape, tuple(settings[:6]), op.pad)
    return _dense(tape, op, affine, shape)


def _dense(tape: Tape, op: Op, affine: Affine, shape: tuple[int, ...]) -> Dense:
    added = op.name in ("addmm", "baddbmm", "addmv", "_addmm_activation")
    bias = op.args[0] if added else None
    left, right = op.args[1:3] if added else op.args[:2]
    x_first = isinstance(left, Ref) and left.id == op.ins[0]
    raw = tape.value((right if x_first else left).id)
    alpha, beta = op.kwargs.get("alpha", 1), op.kwargs.get("beta", 1)
    offset = None if bias is None or beta == 0 else tape.value(bias.id)
    if offset is not None and beta != 1:
        offset = offset * beta
    return Dense(raw if alpha == 1 else raw * alpha, offset, affine, shape, x_first)
