"""What all rules for linear operations share: contributions over their sum, and what becomes of bias and stabiliser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from pellucid.tape.batch import Batch, per_sample
from .rule import Bias, Shares, Silent, divide, exceeds


@dataclass(frozen=True, eq=False)
class Stream:
    """Relevance that is shared over one denominator.

    Arguments:
        R: The relevance to share.
        z: The denominator: the sum of the contributions, with the bias if `bias` is given.
        bias: The bias within z.
        back: From s = R / z to the shares of the inputs: the transposes of the weights, times the inputs.
        sign: 1 or -1 when z cannot be of the other sign, or R is zero wherever it is.
        weight: By how much R counts in this stream.
        part: Whether R is only part of the relevance at the operation's output.
    """

    R: Tensor
    z: Tensor
    bias: Tensor | None
    back: Callable[[Tensor], Tensor]
    sign: int = 0
    weight: float = 1.0
    part: bool = False


def flow(
    op: LocalOp, streams: Iterable[Stream], *, eps: float | Tensor, bias: Bias = "absorb", silent: Silent = "drop"
) -> Shares:
    """Share every stream over its contributions, R_i = sum_j x_i w_ij R_j / stab(z_j), and book the rest.

    With `bias="spread"`, the bias's share of each unit is spread evenly over the unit's inputs; with "share", the shares of all
    biases go to those inputs of the whole layer that got relevance of their sign, in proportion to it (`LocalOp.redistribute`).
    `silent` says the same of what the stabiliser keeps, which is all of it where nothing contributes (z = 0). Streams are made
    one after the other, so that only one is in memory.
    """
    total, spread = None, None
    booked: dict[str, Tensor] = {}
    for stream in streams:
        s = divide(stream.R, stream.z, eps, stream.sign)
        s = s if stream.weight == 1 else s.mul_(stream.weight)
        sums = channel_sums(op, s)
        own = None if stream.bias is None else bias_share(op, s, stream.bias, sums) if bias != "spread" else s * stream.bias
        part = stream.back(s)
        if own is not None and bias != "spread":
            booked["bias"] = _add(booked.get("bias"), own)
        elif own is not None:
            spread = _add(spread, own)
        if silent == "spread":
            spread = _add(spread, torch.add(s.mul_(stream.z).neg_(), stream.R, alpha=stream.weight))
        else:
            claimed = None if op.measured or bias == "spread" else (part, own)
            for cause, amount in kept_back(op, stream, s, eps, sums, claimed).items():
                booked[cause] = _add(booked.get(cause), amount)
        total = part if total is None else total.add_(part)
        del stream, s, part, own
    assert total is not None
    handed = (("bias",) if bias == "share" else ()) + (("stabiliser", "dropped") if silent == "share" else ())
    returned = [booked.pop(cause) for cause in handed if cause in booked]
    if returned:
        total, stuck = op.redistribute(torch.stack(returned).sum(0), total)
        booked["dropped"] = _add(booked.get("dropped"), stuck)
    if spread is not None:
        even, left = op.linear.spread(spread)
        total = total.add_(even)
        booked["dropped"] = _add(booked.get("dropped"), op.sums(left))
    return Shares([total], booked)


def kept_back(
    op: LocalOp, stream: Stream, s: Tensor, eps: float | Tensor, sums: Tensor | None, claimed: tuple[Tensor, Tensor | None] | None
) -> dict[str, Tensor]:
    """The relevance that no contribution takes: "dropped" where there is none (z = 0), "stabiliser" elsewhere.

    Overwrites s, unless `claimed` is given: what the inputs got, and what the bias did, which add up to the sum of s z.
    """
    if stream.sign and op.total is not None and isinstance(eps, float) and eps:
        whole, kept = op.total, stream.sign * eps * (op.sums(s) if sums is None else sums.sum(1))
    else:
        whole = stream.weight * op.sums(stream.R) if op.total is None or stream.part else stream.weight * op.total
        kept = whole - (op.sums(s.mul_(stream.z)) if claimed is None else _sum(op, *claimed))
    if not exceeds(kept, whole, 1e-3):  # too little to be worth another pass over every unit
        return {"stabiliser": kept}
    dropped = stream.weight * op.sums(stream.R * (stream.z == 0))
    return {"dropped": dropped, "stabiliser": kept - dropped}


def _sum(op: LocalOp, got: Tensor, own: Tensor | None) -> Tensor:
    amount = per_sample(got, op.tape.values[op.op.ins[0]].sample_axis, op.samples)
    return amount if own is None else amount + own


def channel_sums(op: LocalOp, s: Tensor) -> Tensor | None:
    """The sums of s per sample and channel, for a convolution whose samples lie along the first axis."""
    if op.op.kind == "convolution" and op.tape.values[op.op.out].batch == Batch(0) and s.shape[0] == op.samples:
        return s.sum(tuple(range(2, s.dim()))) if s.dim() > 2 else s
    return None


def bias_share(op: LocalOp, s: Tensor, b: Tensor, sums: Tensor | None) -> Tensor:
    """The sum of s * b per sample."""
    return op.sums(s * b) if sums is None or b.numel() != sums.shape[1] else sums @ b.reshape(-1)


def _add(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b
