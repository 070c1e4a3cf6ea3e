"""Linear operations with constant weights: z = W x + b, whether a convolution or a matrix product computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad as padded

from .op import Affine, Op, Ref, Tape

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Weights:
    """A tensor of weights, and a scale per output channel that is applied to what they make: cheaper than to scale the weights if
    these are more.

    The scale is never negative where it stands beside weights of one sign.
    """

    tensor: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Linear(ABC):
    """z = scale * (W x + b) + shift, with everything a rule needs of it.

    Arguments:
        raw: W as the model holds it.
        offset: b as the model holds it, in a shape that broadcasts against z.
        affine: What was folded in: a batch norm, a per-channel scale or shift.
        shape: The shape of x.
        made: The shape of z.
    """

    raw: Tensor
    offset: Tensor | None
    affine: Affine
    shape: tuple[int, ...]
    made: tuple[int, ...]

    @abstractmethod
    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """`weight` applied to x, without any bias."""

    @abstractmethod
    def transpose(self, s: Tensor, weight: Tensor) -> Tensor:
        """The transpose of `weight` applied to s."""

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        """The weights applied to x, without any bias; a tensor of the caller's own."""
        if is_repeated(x):
            one = self.forward(x[:1], weights)
            return one.expand(len(x), *one.shape[1:]).contiguous()
        z = self.apply(x, weights.tensor)
        return z if weights.scale is None else z.mul_(weights.scale)

    def backward(self, s: Tensor, weights: Weights) -> Tensor:
        """The transpose of the weights applied to s; a tensor of the caller's own."""
        return self.transpose(s if weights.scale is None else s * weights.scale, weights.tensor)

    @abstractmethod
    def spread(self, amount: Tensor) -> tuple[Tensor, Tensor]:
        """`amount` at each output, shared evenly among the inputs that this output reads; and what stays with outputs that read
        none.

        Padding is not an input.
        """

    @abstractmethod
    def _per_output(self, scale: Tensor) -> Tensor:
        """A per-channel scale of z in a shape that broadcasts against W."""

    @cached_property
    def weight(self) -> Weights:
        """W with the folded scale."""
        scale = self.affine.scale
        if scale is None or self.raw.numel() > prod(self.made):
            return Weights(self.raw, scale)
        return Weights(self.full)

    @property
    def full(self) -> Tensor:
        """W with the folded scale, as one tensor."""
        return self.raw if self.affine.scale is None else self.raw * self._per_output(self.affine.scale)

    def shaped(self, change: Callable[[Tensor], Tensor]) -> Weights:
        """`change(W)`, folded scale included, for a change of each weight alone that commutes with scaling by a number that is
        not negative.
        """
        base = self.weight
        if base.scale is not None and bool((base.scale < 0).any()):
            base = Weights(self.full)
        return Weights(change(base.tensor), base.scale)

    @cached_property
    def bias(self) -> Tensor | None:
        """b with everything folded in, in a shape that broadcasts against z; None where there is none."""
        scale, shift = self.affine.scale, self.affine.shift
        b = self.offset if self.offset is None or scale is None else self.offset * scale
        return shift if b is None else b if shift is None else b + shift

    @cached_property
    def positive(self) -> Weights:
        return self.shaped(lambda w: w.clamp(min=0))

    @cached_property
    def negative(self) -> Weights:
        return self.shaped(lambda w: w.clamp(max=0))

    @cached_property
    def absolute(self) -> Weights:
        return self.shaped(torch.abs)

    def pull(self, s: Tensor) -> Tensor:
        """The transpose of W, folded scale included, applied to s."""
        return self.backward(s, self.weight)


@dataclass(frozen=True, eq=False)
class Convolution(Linear):
    """A convolution, transposed or not, in any number of dimensions.

    Arguments:
        settings: stride, padding, dilation, transposed, output padding, groups.
        pad: Zero padding by a separate operation before it, as `torch.nn.functional.pad` takes it.
    """

    settings: tuple[Any, ...]
    pad: tuple[int, ...] | None = None

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        x = x if self.pad is None else padded(x, list(self.pad))
        z: Tensor = aten.convolution.default(x, weight, None, *self.settings)
        return z

    def transpose(self, s: Tensor, weight: Tensor) -> Tensor:
        if self._tiles(weight):
            return self._untiled(s, weight)
        shape = [s.shape[0], *self.shape[1:]]
        for i, p in enumerate(self.pad or ()):
            shape[-1 - i // 2] += p
        like = torch.empty(shape, dtype=s.dtype, device=s.device, memory_format=layout(s))  # only its shape is read
        grad: Tensor = aten.convolution_backward.default(s, like, weight, None, *self.settings, [True, False, False])[0]
        return grad if self.pad is None else padded(grad, [-p for p in self.pad])

    def _tiles(self, weight: Tensor) -> bool:
        """Whether every input is read by exactly one position, as in patch embeddings: a matrix product tile by tile."""
        stride, padding, dilation, transposed, _, groups = self.settings
        kernel = tuple(weight.shape[2:])
        plain = self.pad is None and not transposed and groups == 1 and not any(padding) and all(d == 1 for d in dilation)
        fits = all(n == k * m for n, k, m in zip(self.shape[2:], kernel, self.made[2:], strict=True))
        return plain and fits and len(kernel) == 2 and kernel == tuple(stride) and kernel != (1, 1)

    def _untiled(self, s: Tensor, weight: Tensor) -> Tensor:
        """PyTorch's own transpose of such a convolution takes ten times as long on a CPU."""
        channels, height, width = weight.shape[1:]
        tiles = s.permute(0, 2, 3, 1) @ weight.flatten(1)
        whole: Tensor = tiles.reshape(*tiles.shape[:-1], channels, height, width).permute(0, 3, 1, 4, 2, 5)
        return whole.reshape(s.shape[0], channels, s.shape[2] * height, s.shape[3] * width)

    def spread(self, amount: Tensor) -> tuple[Tensor, Tensor]:
        # All channels of a group read the same positions: one channel per group tells it all.
        groups = self.settings[-1]
        batch, channels = amount.shape[0], self.shape[1]
        ones = self.raw.new_ones((groups, 1, *self.raw.shape[2:]))
        narrow = Convolution(
            ones, None, Affine(), (batch, groups, *self.shape[2:]), (batch, groups, *self.made[2:]), self.settings, self.pad
        )
        real = amount.new_ones((1, groups, *self.shape[2:]))
        count = narrow.apply(real, ones) * (channels // groups)
        summed = amount.reshape(batch, groups, -1, *amount.shape[2:]).sum(2)
        each = narrow.transpose(summed / count.clamp(min=1), ones)
        return each.repeat_interleave(channels // groups, 1), summed * (count == 0)

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

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight if self.right else weight @ x

    def transpose(self, s: Tensor, weight: Tensor) -> Tensor:
        if self.right and weight.dim() == 1:
            return s.unsqueeze(-1) * weight
        grad = s @ _t(weight) if self.right else _t(weight) @ s
        return grad.sum_to_size(self.shape) if grad.shape != self.shape else grad

    def spread(self, amount: Tensor) -> tuple[Tensor, Tensor]:
        axis = -1 if self.right or len(self.shape) == 1 else -2
        none = amount.new_zeros(()).expand(amount.shape)
        if self.right and self.raw.dim() == 1:  # a matrix times a vector: one output per row
            amount = amount.unsqueeze(-1)
        even = amount.sum(axis, keepdim=True) / self.shape[axis]
        return even.expand(self.shape).clone(), none

    def _per_output(self, scale: Tensor) -> Tensor:
        return scale if self.right else scale.reshape(*scale.shape[-1:], 1) if scale.dim() == 1 else scale


def is_repeated(x: Tensor) -> bool:
    """Whether x is one row expanded many times, as in a stacked tape: then what is computed of it is computed once.

    Example:
        >>> is_repeated(torch.ones(1, 2).expand(3, 2)), is_repeated(torch.ones(3, 2))
        (True, False)
    """
    return x.dim() > 1 and x.shape[0] > 1 and x.stride(0) == 0


def apply_once(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """`change(x)` for a change of each row alone, computed once where x is one row expanded many times."""
    return change(x[:1]).expand(x.shape) if is_repeated(x) else change(x)


def _t(weight: Tensor) -> Tensor:
    return weight.transpose(-1, -2) if weight.dim() > 1 else weight


def layout(t: Tensor) -> torch.memory_format:
    """Channels-last for a tensor that lies so in memory, else contiguous."""
    last = t.dim() == 4 and not t.is_contiguous() and t.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def linear(tape: Tape, op: Op) -> Linear:
    """The linear map that an operation of kind "convolution" or "dense" computes."""
    affine = op.affine or Affine()
    shape, made = tape.values[op.ins[0]].shape, tape.values[op.out].shape
    if op.kind == "convolution":
        _, weight, bias, *settings = op.args
        raw = tape.value(weight.id)
        offset = None if bias is None else tape.value(bias.id).reshape(-1, *[1] * (raw.dim() - 2))
        return Convolution(raw, offset, affine, shape, made, tuple(settings[:6]), op.pad)
    return _dense(tape, op, affine, shape, made)


def _dense(tape: Tape, op: Op, affine: Affine, shape: tuple[int, ...], made: tuple[int, ...]) -> Dense:
    added = op.name in ("addmm", "baddbmm", "addmv")
    bias = op.args[0] if added else None
    left, right = op.args[1:3] if added else op.args[:2]
    x_first = isinstance(left, Ref) and left.id == op.ins[0]
    raw = tape.value((right if x_first else left).id)
    x_first = x_first or op.name in ("dot", "vdot")  # a weight on the left of a product of vectors is one on the right
    alpha, beta = op.kwargs.get("alpha", 1), op.kwargs.get("beta", 1)
    offset = None if bias is None or beta == 0 else tape.value(bias.id)
    if offset is not None and beta != 1:
        offset = offset * beta
    return Dense(raw if alpha == 1 else raw * alpha, offset, affine, shape, made, x_first)
