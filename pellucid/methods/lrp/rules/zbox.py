"""z-box: the rule for pixels and other bounded inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from pellucid.tape.batch import Batch, along, by_sample
from pellucid.tape.linear import Dense
from ..flow import Stream, flow
from ..rule import LINEAR, Rule, Shares, Silent

Bound = float | tuple[float, ...] | Tensor


@dataclass(frozen=True)
class ZBox(Rule):
    """LRP-z-box: R_i = sum_j (x_i w_ij - l_i w_ij+ - h_i w_ij-) R_j / sum_k (...), for inputs between l and h.

    The bias cancels. Padding pads x, l and h with zeros, as the layer itself does.

    References: Montavon et al., 2017, https://doi.org/10.1016/j.patcog.2016.11.008

    Arguments:
        low, high: The bounds: a number, one per channel, or a tensor that broadcasts against the input. None: from the model's
            preprocessing when it is known, else the extremes of the input at hand.
        eps: The stabiliser of the denominator.
        silent: As in `Epsilon`.
    """

    kinds = LINEAR
    gated = False
    low: Bound | None = None
    high: Bound | None = None
    eps: float = 1e-6
    silent: Silent = "drop"

    def __str__(self) -> str:
        low, high = (_brief(value) for value in (self.low, self.high))
        return f'ZBox(low={low}, high={high}, eps={self.eps}, silent="{self.silent}")'

    def within(self, low: Bound, high: Bound) -> ZBox:
        """The same rule with these bounds where it has none."""
        return replace(self, low=low if self.low is None else self.low, high=high if self.high is None else self.high)

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        linear, x = op.linear, op.x
        low = bound(self.low if self.low is not None else extreme(op, Tensor.amin), x)
        high = bound(self.high if self.high is not None else extreme(op, Tensor.amax), x)
        if isinstance(linear, Dense) and (x.dim() == 1 or not linear.right):  # samples are no rows here
            low, high = low.expand(x.shape).contiguous(), high.expand(x.shape).contiguous()
        raw, plus, minus = linear.weight, linear.positive, linear.negative
        z = linear.forward(x, raw) - linear.forward(low, plus) - linear.forward(high, minus)

        def back(s: Tensor) -> Tensor:
            return x * linear.backward(s, raw) - low * linear.backward(s, plus) - high * linear.backward(s, minus)

        return flow(op, [Stream(R, z, None, back)], eps=self.eps, bias="ignore", silent=self.silent)


def extreme(op: LocalOp, of: Callable[..., Tensor]) -> Tensor:
    """The least or greatest entry of what an operation reads, per sample, so that a sample alone is explained as in a batch."""
    x, batch = op.x, op.tape.values[op.op.ins[0]].sample_axis
    if batch is None or op.samples == 1 or not x.dim():
        return of(x)
    if isinstance(batch, Batch):
        each = of(of(by_sample(x, batch, op.samples), 2), 0)
    else:
        rows = x.movedim(batch.axis, 0)
        rows = of(rows.flatten(1), 1) if rows.dim() > 1 else rows
        owners = batch.owners(len(rows), op.samples, x.device)
        each = x.new_zeros(op.samples).scatter_reduce(0, owners, rows, of.__name__, include_self=False)
    return along(each, batch, x).expand(x.shape).contiguous()


def _brief(value: Bound | None) -> str:
    """A bound in a few figures."""
    if not isinstance(value, Tensor):
        return str(value)
    return f"{value.min():.4g}" if value.min() == value.max() else f"{value.min():.4g}..{value.max():.4g}"


def bound(value: Bound, x: Tensor) -> Tensor:
    """A bound in the shape of x, without its batch.

    Example:
        >>> bound((0.0, 1.0), torch.zeros(5, 2, 3, 3)).shape
        torch.Size([1, 2, 3, 3])
    """
    tensor = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if tensor.dim() == 1 and x.dim() > 2 and len(tensor) == x.shape[1]:
        tensor = tensor.reshape(-1, *[1] * (x.dim() - 2))
    if tensor.dim() > 1 and tensor.shape != x.shape and tensor.numel() in (x.numel(), x[0].numel()):
        tensor = tensor.reshape(-1, *x.shape[1:])  # shaped like the model's input, of which x is a view
    if tensor.dim() == x.dim() and tensor.shape[0] == x.shape[0]:
        return tensor
    return tensor.expand(1, *x.shape[1:]).contiguous() if x.dim() > 1 else tensor.expand(x.shape).contiguous()
