"""The rules of relevance for networks with attention that language.py and small_readers.py measure. A candidate is one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import pellucid as pl
from pellucid.methods import lrp
from pellucid.methods.lrp import CP, Attention, Composite, Epsilon, Gamma, Norm, Pass, Rule, Shares, ZBox
from pellucid.methods.lrp.rules.structural import factor_gradients
from pellucid.tape import LocalOp

EPS = 1e-9
SHARED: dict[str, Any] = {"bias": "share", "silent": "share"}


@dataclass(frozen=True)
class Split(Rule):
    """A product of two signals: each factor gets its own part of the relevance; one half each is AttnLRP's.

    Arguments:
        first, second: The parts.
        weighing: Whether products of matrices other than weights times values keep their halves.
    """

    kinds = frozenset({"product", "gate"})
    local = True
    first: float = 0.5
    second: float = 0.5
    weighing: bool = False

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        parts = self.first, self.second
        if op.op.name == "mul":
            shares: list[Tensor | None] = [(p * R).sum_to_size(x.shape) for p, x in zip(parts, op.xs, strict=True)]
            return Shares(shares)
        if self.weighing and op.xs[0].shape[-1] != op.xs[0].shape[-2]:
            parts = 0.5, 0.5
        gradients = factor_gradients(op, lrp.rule.divide(R, op.z, EPS))
        back = zip(parts, op.xs, gradients, strict=True)
        return Shares([None if g is None else p * g * x for p, x, g in back], rest="stabiliser")


@dataclass(frozen=True)
class Slope(Rule):
    """R_in = x f'(x) / f(x) R for an activation: its gradient times its input."""

    kinds = frozenset({"activation"})

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        (slope,) = op.pull(torch.where(op.z == 0, torch.zeros_like(R), R / op.z))
        assert slope is not None
        return Shares([slope * op.x], rest="slope")


@dataclass(frozen=True, eq=False)
class Rotary(Rule):
    """Half of what a query or key gets through its rotation is its position's, and so its token's, who keeps it: PA-LRP.

    References: Bakish et al., 2025, https://doi.org/10.48550/arXiv.2506.02138

    Arguments:
        kept: What the positions got, by layer, with shape (token,).
    """

    kinds = frozenset({"scale"})
    kept: list[Tensor] = field(default_factory=list)

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        (angles,) = [op.tape.value(ref.id) for ref in op.op.refs() if ref.id not in op.op.ins] or [R.new_zeros(())]
        if angles.dim() < 3 or angles.shape[-2] != R.shape[-2] or R.shape[-2] == 1:
            return Shares([R])
        self.kept.append((R / 2).transpose(-2, -1).reshape(-1, R.shape[-2]).sum(0))
        return Shares([R / 2], rest="position")


def sums(composite: Composite, *, by: Any = "value", gamma: float = 0.0) -> Composite:
    """With another rule for sums; those that turn rotary positions stay as they are, by value."""
    rule = Gamma(gamma, EPS, silent="spread") if gamma else Norm(EPS, by=by, silent="spread")
    return composite.where(op="sum", rule=rule).where("*self_attn", op="sum", rule=Norm(EPS))


def before() -> Composite:
    """What `lrp` was: AttnLRP with shared biases and sums by size."""
    size = Norm(EPS, by="magnitude", silent="spread")
    shared = Attention(eps=EPS, **SHARED).where(op=("sum", "pool"), rule=size)
    return pictured(shared).where(op="transform", rule=Epsilon(EPS, **SHARED))


def pictured(composite: Composite) -> Composite:
    """With the z-box where pixels enter, and offsets by size."""
    box = composite.where(op="convolution", position="first", rule=ZBox(eps=EPS, silent="share"))
    return box.where(op="shift", rule=Norm(EPS, by="magnitude"))


def passed(composite: Composite) -> Composite:
    """With offsets that get nothing: positions that are added to words are part of the words."""
    return pictured(composite).where(op="shift", rule=Pass())


def split(values: float) -> Composite:
    """AttnLRP with that part of the relevance through the values, the rest through the weights."""
    return Attention().where(op="bmm", rule=Split(1 - values, values, weighing=True))


RULES: dict[str, Callable[[], Any]] = {
    "gradient x input": lambda: "gradient_x_input",
    "integrated gradients": lambda: pl.gradient.Integrated(16),
    "lrp": lambda: "lrp",
    "lrp before": before,
    "lrp.attention": Attention,
    "lrp.cp": CP,
    "attention, shared biases": lambda: Attention(**SHARED),
    "cp, shared biases": lambda: CP(**SHARED),
    "attention, gamma 0.1": lambda: Attention(gamma=0.1),
    "cp, gamma 0.1": lambda: CP(gamma=0.1),
    "cp, gamma 0.25, shared biases": lambda: CP(gamma=0.25, **SHARED),
    "attention, sums gamma 0.25": lambda: sums(Attention(), gamma=0.25),
    "cp, sums gamma 0.25": lambda: sums(CP(), gamma=0.25),
    "cp, sums by size": lambda: sums(CP(), by="magnitude"),
    "attention, three quarters through values": lambda: split(0.75),
    "attention, gate held": lambda: Attention().where(op="mul", rule=Split(0, 1)),
    "cp, gate takes all": lambda: CP().where(op="mul", rule=Split(1, 0)),
    "attention, activations by slope": lambda: Attention().where(op=("gelu", "silu", "relu"), rule=Slope()),
    **{
        f"cp, shared biases, sums gamma {gamma:g}": lambda gamma=gamma: sums(CP(**SHARED), gamma=gamma)
        for gamma in (0.05, 0.1, 0.25, 0.5)
    },
    **{f"pictures too: cp, sums gamma {g:g}": lambda g=g: pictured(sums(CP(**SHARED), gamma=g)) for g in (0.0, 0.1, 0.25, 0.5)},
    "pictures too: cp, sums by size": lambda: pictured(sums(CP(**SHARED), by="magnitude")),
    **{f"offsets pass: cp, sums gamma {g:g}": lambda g=g: passed(sums(CP(**SHARED), gamma=g)) for g in (0.0, 0.1, 0.25, 0.5)},
    "conserving": lrp.Conserving,
    "positions of their own": lambda: Attention().where(op="shift", rule=Pass()).where("*self_attn", op="scale", rule=Rotary()),
}
