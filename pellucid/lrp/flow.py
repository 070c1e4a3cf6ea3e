"""The one flow behind all rules for linear operations: contributions over their sum, and what became of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..tape import LocalOp
from .rule import Bias, Shares, Silent, divide, exceeds


@dataclass(frozen=True, eq=False)
class Stream:
    """Relevance that is shared over one denominator.

    Arguments:
        R: The relevance to share.
        z: The denominator: the sum of the contributions, with the bias if `bias` is given.
        bias: The bias within z.
        back: From s = R / z to what the inputs get: the transposes of the weights, times the inputs.
        sign: 1 or -1 when z cannot be of the other sign, or R is zero wherever it is.
        weight: By how much R counts in this stream.
    """

    R: Tensor
    z: Tensor
    bias: Tensor | None
    back: Callable[[Tensor], Tensor]
    sign: int = 0
    weight: float = 1.0


def flow(
    op: LocalOp, streams: Iterable[Stream], *, eps: float | Tensor, bias: Bias = "absorb", silent: Silent = "drop"
) -> Shares:
    """Share every stream over its contributions, R_i = sum_j x_i w_ij R_j / stab(z_j), and book the rest.

    With `bias="spread"`, the bias's share of each unit is spread evenly over the unit's inputs; with "share", the shares of all
    biases go to the inputs of the whole layer in proportion to what they got. `silent` says the same of what the stabiliser
    keeps, which is all of it where no input speaks (z = 0). Streams are made one after the other, so that only one is in memory.
    """
    total, spread = None, None
    booked: dict[str, Tensor] = {}
    for stream in streams:
        s = divide(stream.R, stream.z, eps, stream.sign)
        s = s if stream.weight == 1 else s.mul_(stream.weight)
        sums = channel_sums(op, s)
        if stream.bias is not None and bias == "spread":
            spread = _add(spread, s * stream.bias)
        elif stream.bias is not None:
            booked["bias"] = _add(booked.get("bias"), bias_share(op, s, stream.bias, sums))
        part = stream.back(s)
        total = part if total is None else total.add_(part)
        if silent == "spread":
            spread = _add(spread, torch.add(s.mul_(stream.z).neg_(), stream.R, alpha=stream.weight))
        else:
            for cause, amount in kept_back(op, stream, s, eps, sums).items():
                booked[cause] = _add(booked.get(cause), amount)
        del stream, s, part
    assert total is not None
    handed = (("bias",) if bias == "share" else ()) + (("stabiliser", "dropped") if silent == "share" else ())
    returned = [booked.pop(cause) for cause in handed if cause in booked]
    if returned:
        total, stuck = op.hand_out(torch.stack(returned).sum(0), total)
        booked["dropped"] = _add(booked.get("dropped"), stuck)
    if spread is not None:
        even, left = op.linear.spread(spread)
        total = total.add_(even)
        booked["dropped"] = _add(booked.get("dropped"), op.sums(left))
    return Shares([total], booked)


def kept_back(op: LocalOp, stream: Stream, s: Tensor, eps: float | Tensor, sums: Tensor | None) -> dict[str, Tensor]:
    """What sharing R = s stab(z) over z leaves unclaimed: "dropped" where nothing speaks (z = 0), "stabiliser" elsewhere.

    Overwrites s.
    """
    if stream.sign and op.total is not None and isinstance(eps, float) and eps:
        whole, kept = op.total, stream.sign * eps * (op.sums(s) if sums is None else sums.sum(1))
    else:
        whole = stream.weight * op.sums(stream.R)
        kept = whole - op.sums(s.mul_(stream.z))
    if not exceeds(kept, whole, 1e-3):  # too little to be worth another look at every unit
        return {"stabiliser": kept}
    dropped = stream.weight * op.sums(stream.R * (stream.z == 0))
    return {"dropped": dropped, "stabiliser": kept - dropped}


def channel_sums(op: LocalOp, s: Tensor) -> Tensor | None:
    """The sums of s per sample and channel, for a convolution whose samples lie along the first axis."""
    if op.op.kind == "convolution" and op.tape.values[op.op.out].batch == (0, 1) and s.shape[0] == op.samples:
        return s.sum(tuple(range(2, s.dim()))) if s.dim() > 2 else s
    return None


def bias_share(op: LocalOp, s: Tensor, b: Tensor, sums: Tensor | None) -> Tensor:
    """The sum of s * b per sample."""
    return op.sums(s * b) if sums is None or b.numel() != sums.shape[1] else sums @ b.reshape(-1)


def _add(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b
