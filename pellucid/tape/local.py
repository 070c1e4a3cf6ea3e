"""One operation of a tape as a function of its tracked inputs, all else constant: what a rule sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import tensors
from . import kinds
from .batch import along, per_sample
from .linear import Linear, linear
from .op import Op, Ref, Tape, fill

aten = torch.ops.aten
FEW = 1e-6  # of what an input got: less than this counts as nothing


@dataclass(frozen=True, eq=False)
class LocalOp:
    """An operation of a tape as a function of its tracked inputs alone.

    Arguments:
        tape: The pass it belongs to.
        op: The operation.
        total: The sum of the relevance at its outputs, with shape (batch,), when it is known.
        measured: Whether every amount is summed over entries, also where it follows from others.
    """

    tape: Tape
    op: Op
    total: Tensor | None = None
    measured: bool = False

    @property
    def xs(self) -> list[Tensor]:
        """The tracked inputs, one entry per place among the arguments."""
        return [self.tape.value(i) for i in self.op.ins]

    @property
    def x(self) -> Tensor:
        """The only, or the first, tracked input."""
        return self.tape.value(self.op.ins[0])

    @property
    def z(self) -> Tensor:
        """What the operation made."""
        return self.tape.value(self.op.out)

    def z_where(self, rectified: bool) -> tuple[Tensor, int]:
        """What it made, and 0; or, if only its positive part matters (`rectified`), the ReLU of it if that is at hand, and 1, its
        sign.
        """
        value = self.tape.values[self.op.out]
        if rectified and value.tensor is None and value.upper is not None and self.tape.values[value.upper].tensor is not None:
            return self.tape.value(value.upper), 1
        return self.z, 0

    @property
    def nonnegative(self) -> bool:
        """Whether no input entry can be below zero."""
        return all(self.tape.values[i].nonnegative for i in self.op.ins)

    @cached_property
    def linear(self) -> Linear:
        """z = W x + b, for convolutions and matrix products."""
        return linear(self.tape, self.op)

    @cached_property
    def constant(self) -> Tensor | None:
        """What it makes of zeros, for operations that add what they read; None where they read nothing else."""
        tracked, values = set(self.op.ins), self.tape.values
        others = {ref.id for ref in self.op.refs()} - tracked
        if not any(not values[i].tracked and self.tape.value(i).is_floating_point() for i in others):
            return None
        made = self.apply(*[torch.zeros_like(x) for x in self.xs])
        return made if bool(made.any()) else None

    def sums(self, t: Tensor) -> Tensor:
        """The sum of t, shaped like what the operation made, per sample."""
        return per_sample(t, self.tape.values[self.op.out].sample_axis, self.samples)

    def redistribute(self, amount: Tensor, got: Tensor) -> tuple[Tensor, Tensor]:
        """Add an amount per sample to the shares `got` of the input: to those of the amount's own sign, in proportion to their
        size, so that negative relevance stays negative. Overwrites `got`.

        Where next to nothing has that sign, all shares count by their size.

        Returns:
            The shares; and the amount per sample that found no share to go to.
        """
        batch = self.tape.values[self.op.ins[0]].sample_axis
        if batch is None:  # samples mixed: what cannot be told apart is redistributed together
            amount = amount.sum().expand(self.samples)

        def over(each: Tensor) -> Tensor:
            return each[0] if batch is None or self.samples == 1 else along(each, batch, got)

        def sums(t: Tensor) -> Tensor:
            return t.sum().expand(self.samples) if batch is None else per_sample(t, batch, self.samples)

        side = torch.ones_like(amount).copysign(amount).to(got.dtype)
        taking = got.mul(over(side)).clamp_(min=0)
        mass, net = sums(taking), sums(got) * side
        few = mass <= FEW * (2 * mass - net)  # of the sum of all sizes
        if bool(few.any()):
            taking = torch.where(over(few), got.abs(), taking)
            mass = sums(taking)
        none = torch.zeros_like(amount)
        factor = torch.where(mass == 0, none, amount / mass).to(got.dtype)  # double precision takes twice as long below
        return got.addcmul_(taking, over(factor)), torch.where(mass == 0, amount, none)

    def rms(self, t: Tensor) -> Tensor:
        """The root mean square of t per sample, in a shape that broadcasts against it."""
        batch = self.tape.values[self.op.out].sample_axis
        if batch is None or self.samples == 1:
            return t.square().mean().sqrt()
        rows = t.shape[batch.axis] if t.dim() else 1
        count = torch.bincount(batch.owners(rows, self.samples, t.device), minlength=self.samples).clamp(min=1)
        count = count * (t.numel() // rows)
        return along((per_sample(t.square(), batch, self.samples) / count).sqrt(), batch, t)

    @property
    def samples(self) -> int:
        """How many samples the batch has."""
        return self.tape.samples

    def pull(self, *grads: Tensor | None) -> list[Tensor | None]:
        """The vector-Jacobian product: one gradient per tracked input, from one per tracked output."""
        known = _PULLS.get(self.op.name)
        if known is not None and len(self.op.ins) == 1 and grads[0] is not None:
            return [known(self, grads[0])]
        if self.op.kind == "route" and self.op.name in kinds.PLACING and grads[0] is not None:
            return self._pull_placed(grads[0])
        if self.op.kind in ("convolution", "dense") and len(self.op.ins) == 1 and grads[0] is not None:
            return [self.linear.pull(grads[0])]
        shares = self.pull_at(self.xs, grads)
        if (
            self.op.name in kinds.STEEP
            and grads[0] is not None
            and not all(s is None or bool(s.isfinite().all()) for s in shares)
        ):
            return self._pull_where(grads[0])
        return shares

    def _pull_placed(self, g: Tensor) -> list[Tensor | None]:
        """What each entry gets that was put into place, once: where several were put, the last one stays.

        PyTorch's own derivative gives to all of them.
        """
        base, *between, last = self.op.args[: 4 if self.op.name in ("scatter", "index_copy") else 3]
        source = self.tape.value(last.id) if isinstance(last, Ref) else g.new_tensor(1.0)
        numbers = torch.arange(1, source.numel() + 1, dtype=torch.float64, device=g.device).reshape(source.shape)
        empty = torch.zeros(g.shape, dtype=torch.float64, device=g.device)
        put = numbers if isinstance(last, Ref) else 1.0
        places = self.op.fn(empty, *[fill(arg, self.tape.value) for arg in between], put).long()
        shares: list[Tensor | None] = []
        for ref in (base, last):
            if isinstance(ref, Ref) and ref.id in self.op.ins:
                own = g.new_zeros(source.numel() + 1).index_add(0, places.reshape(-1), g.reshape(-1))[1:].reshape(source.shape)
                shares.append(g.masked_fill(places > 0, 0) if ref is base else own)
        return shares

    def _pull_where(self, g: Tensor) -> list[Tensor | None]:
        """The vector-Jacobian product of an operation entry by entry, with infinite slopes where nothing is carried left out."""
        still = g == 0
        points = [torch.where(still, torch.ones_like(x), x) for x in self.xs]
        shares = [None if s is None else torch.where(still, torch.zeros_like(s), s) for s in self.pull_at(points, [g])]
        return [None if s is None else s.sum_to_size(x.shape) for s, x in zip(shares, self.xs, strict=True)]

    def apply(self, *us: Tensor) -> Tensor:
        """The operation at other inputs."""
        return self.run(us)[0]

    def run(self, us: Sequence[Tensor]) -> list[Tensor]:
        """Everything that the operation makes of other inputs."""
        supply = iter(us)
        tracked = set(self.op.ins)
        return list(tensors(self.op.call(lambda id: next(supply) if id in tracked else usual(self.tape.value(id)))))

    def pull_at(self, points: Sequence[Tensor], grads: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The vector-Jacobian product at other inputs, of any precision, by autograd of this operation alone."""
        if self.op.kind == "norm":
            points, grads = [in_order(point) for point in points], [None if g is None else in_order(g) for g in grads]
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [usual(point).detach().requires_grad_() for point in points]
            made = self.run([leaf.to(x.dtype) for leaf, x in zip(leaves, self.xs, strict=True)])
            pairs = [(m, usual(g).to(m.dtype)) for m, g in zip(made, grads, strict=False) if g is not None and m.requires_grad]
            if not pairs:
                return [None] * len(leaves)
            # As one number: for gradients of tensors PyTorch imports its symbolic algebra, a second's worth of it.
            whole = torch.stack([(m * g).sum().to(pairs[0][0].dtype) for m, g in pairs]).sum()
        try:
            return list(torch.autograd.grad(whole, leaves, allow_unused=True))
        except (NotImplementedError, RuntimeError) as error:
            if self.op.kind != "unknown" or not lacks_derivative(error):
                raise
            return [None] * len(leaves)  # `check_branches` says so


def lacks_derivative(error: Exception) -> bool:
    """Whether PyTorch says that it knows no derivative of an operation."""
    return "is not implemented" in str(error) or "no autograd formula" in str(error)


def usual(t: Tensor) -> Tensor:
    """t, as a tensor that autograd takes: those made under `torch.inference_mode` are not."""
    return t.clone() if t.is_inference() and not torch.is_inference_mode_enabled() else t


def in_order(t: Tensor) -> Tensor:
    """t with its entries in order in memory.

    PyTorch's derivative of a batch norm is wrong for one sample in channels-last: where an axis has length 1, its stride may say
    anything, and one of two tensors is then taken to lie otherwise than it does. `contiguous` leaves such strides as they are.
    """
    return t if t.stride() == _strides(t.shape) else t.clone(memory_format=torch.contiguous_format)


def _strides(shape: Sequence[int]) -> tuple[int, ...]:
    strides = [1]
    for n in reversed(shape[1:]):
        strides.append(strides[-1] * max(n, 1))
    return tuple(reversed(strides[: len(shape)]))


def single_precision(t: Tensor) -> Tensor:
    """t in single precision at least: sums over many entries, and quotients of differences, need it."""
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t


def _relu(op: LocalOp, g: Tensor) -> Tensor:
    return g * (op.z > 0)


def _hardtanh(op: LocalOp, g: Tensor) -> Tensor:
    args: tuple[Any, ...] = op.op.args
    low, high = args[1] if len(args) > 1 else -1.0, args[2] if len(args) > 2 else 1.0
    return aten.hardtanh_backward(g, op.x, low, high)  # type: ignore[no-any-return]


def _max_pool(op: LocalOp, g: Tensor) -> Tensor:
    defaults: tuple[Any, ...] = (None, None, [], [0, 0], [1, 1], False)
    settings = (*op.op.args, *defaults[len(op.op.args) :])[1:6]
    kernel, stride, padding, dilation, ceil = (list(a) if isinstance(a, tuple) else a for a in settings)
    indices = op.op.aux[1]
    assert indices is not None
    return aten.max_pool2d_with_indices_backward(g, op.x, kernel, stride, padding, dilation, ceil, indices)  # type: ignore[no-any-return]


def _batch_norm(op: LocalOp, g: Tensor) -> Tensor:
    if trains(op.op):  # as instance norms do: the statistics depend on the input
        (grad,) = op.pull_at(op.xs, [g])
        assert grad is not None
        return grad
    scale, _ = batch_norm(op.tape, op.op)
    return (g * scale).to(g.dtype)  # under autocast the scale has another


def _softmax(op: LocalOp, g: Tensor) -> Tensor:
    got: Tensor = aten._softmax_backward_data(g, op.z, op.op.args[1], op.x.dtype)
    if bool(got.isnan().any()):  # rows that are masked out altogether
        got = aten._softmax_backward_data(g, op.z.nan_to_num(0.0), op.op.args[1], op.x.dtype)
    return got


def _view(op: LocalOp, g: Tensor) -> Tensor:
    return g.reshape(op.tape.values[op.op.ins[0]].shape)


_PULLS = {
    "relu": _relu,
    "hardtanh": _hardtanh,
    "max_pool2d_with_indices": _max_pool,
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "detach": lambda op, g: torch.zeros_like(g),
    "detach_copy": lambda op, g: torch.zeros_like(g),
    "view": _view,
    "_unsafe_view": _view,
    "unsqueeze": _view,
    "squeeze": _view,
    **{name: _batch_norm for name in kinds.BATCH_NORMS},
}


def batch_norm(tape: Tape, op: Op) -> tuple[Tensor, Tensor]:
    """The scale and the shift per channel of a batch norm that uses its running statistics."""
    _, weight, bias, mean, var, *_, eps = op.args
    m, v = tape.value(mean.id), tape.value(var.id)
    scale = torch.rsqrt(v + float(eps))
    if weight is not None:
        scale = scale * tape.value(weight.id)
    shift = -m * scale if bias is None else tape.value(bias.id) - m * scale
    shape = (-1, *[1] * (len(tape.values[op.ins[0]].shape) - 2))
    return scale.reshape(shape), shift.reshape(shape)


def trains(op: Op) -> bool:
    """Whether a batch norm uses the statistics of the batch itself."""
    names = ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm", "_native_batch_norm_legit")
    return (op.name in names and any(arg is True for arg in op.args[5:6])) or (
        op.name.startswith("_native_batch_norm_legit") and op.args[3] is True
    )
