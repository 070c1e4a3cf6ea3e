"""The one flow behind all rules for linear operations: contributions over their sum, and what became of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..tape import LocalOp
from .rule import Bias, Shares, Silent, divide


@dataclass(frozen=True, eq=False)
class Stream:
    """Relevance that is shared over one denominator.

    Arguments:
        R: The relevance to share.
        z: The denominator: the sum of the contributions, with the bias if `bias` is given.
        bias: The bias within z.
        back: From s = R / z to what the inputs get: the transposes of the weights, times the inputs.
    """

    R: Tensor
    z: Tensor
    bias: Tensor | None
    back: Callable[[Tensor], Tensor]


def flow(op: LocalOp, streams: list[Stream], *, eps: float | Tensor, bias: Bias = "absorb", silent: Silent = "drop") -> Shares:
    """Share every stream over its contributions, R_i = sum_j x_i w_ij R_j / stab(z_j), and book the rest.

    With `bias="spread"`, the bias's share of each unit is spread evenly over the unit's inputs; with `silent="spread"`, so is what
    the stabiliser keeps, which is all of it where no input speaks (z = 0).
    """
    total, spread = None, None
    booked: dict[str, Tensor] = {}
    for stream in streams:
        s = divide(stream.R, stream.z, eps)
        part = stream.back(s)
        total = part if total is None else total.add_(part)
        if stream.bias is not None and bias == "spread":
            spread = _add(spread, s * stream.bias)
        elif stream.bias is not None:
            booked["bias"] = _add(booked.get("bias"), bias_share(op, s, stream.bias))
        if silent == "spread":
            spread = _add(spread, stream.R - s * stream.z)
        else:
            for cause, amount in kept_back(op, stream.R, s, stream.z).items():
                booked[cause] = _add(booked.get(cause), amount)
    assert total is not None
    if spread is not None:
        total = total + op.linear.spread(spread)
    return Shares([total], booked)


def kept_back(op: LocalOp, R: Tensor, s: Tensor, z: Tensor) -> dict[str, Tensor]:
    """What sharing R as s = R / stab(z) leaves behind: "dropped" where nothing speaks (z = 0), "stabiliser" elsewhere."""
    total = op.sums(R)
    kept = total - op.dots(s, z)
    if not bool((kept.abs() > 1e-3 * total.abs()).any()):  # too little to be worth another look at every unit
        return {"stabiliser": kept}
    dropped = op.sums(R * (z == 0))
    return {"dropped": dropped, "stabiliser": kept - dropped}


def bias_share(op: LocalOp, s: Tensor, b: Tensor) -> Tensor:
    """The sum of s * b per sample."""
    axis = op.tape.values[op.op.out].batch
    if axis == 0 and s.shape[0] == op.samples and b.numel() == s.shape[1] and b.shape[0] == b.numel() and s.dim() > 2:
        return s.flatten(2).sum(2) @ b.reshape(-1)
    return op.sums(s * b)


def _add(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b
