"""Rules for operations without weights (activations, views, gates, products), and fallback rules."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from ..rule import Rule, Shares, divide

# Views and permutations: every entry goes somewhere, nothing else comes in.
LOSSLESS = frozenset(
    """view _unsafe_view reshape t transpose permute unsqueeze squeeze expand clone alias detach _to_copy flatten roll flip
    pixel_shuffle select slice split split_with_sizes unbind chunk max_pool2d_with_indices max_pool3d_with_indices
    adaptive_max_pool2d upsample_nearest2d upsample_nearest1d upsample_nearest3d""".split()
)


@dataclass(frozen=True)
class Pass(Rule):
    """R_in = R: an operation on each entry alone hands on what it gets."""

    local = True

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        return Shares([R if R.shape == x else R.sum_to_size(x) for x in (op.tape.values[i].shape for i in op.op.ins)])


@dataclass(frozen=True)
class Route(Rule):
    """Relevance goes where the entry came from: views, concatenation, padding, the winner of a max-pooling. What came from a
    constant is booked.
    """

    local = True

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.name == "detach":  # it stops a gradient, and no relevance
            return Shares([R])
        if op.op.name in ("cat", "stack"):
            return _pieces(op, R)
        return Shares(op.pull(R), rest="" if op.op.name in LOSSLESS else "constant operand")


def _pieces(op: LocalOp, R: Tensor) -> Shares:
    """What was joined gets its piece back: a token of the model's own, beside those of the input, keeps what stands there."""
    refs, axis = op.op.args[0], op.op.args[1] if len(op.op.args) > 1 else op.op.kwargs.get("dim", 0)
    joined, got, kept = op.op.name == "cat", [], []
    start = 0
    for value in (op.tape.values[ref.id] for ref in refs):
        length = 1 if not joined else 0 if value.shape == (0,) else value.shape[axis]
        piece = R.narrow(axis, start, length)
        if value.tracked:
            got.append(piece if joined else piece.squeeze(axis))
        elif length:
            alone = torch.zeros_like(R)
            alone.narrow(axis, start, length).copy_(piece)
            kept.append((value.name or op.op.module, op.sums(alone)))
        start += length
    return Shares(list(got), constants=tuple(kept))


@dataclass(frozen=True)
class Gate(Rule):
    """The signal takes all: of a product with a gate, only the signal gets relevance.

    References: Arras et al., 2017, https://doi.org/10.18653/v1/W17-5221

    Arguments:
        eps: The stabiliser, for products of matrices.
    """

    kinds = frozenset({"gate"})
    local = True
    eps: float = 1e-9

    def __str__(self) -> str:
        return "Gate()" if self.eps == 1e-9 else super().__str__()

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.name == "glu":
            return Shares([torch.cat([R, torch.zeros_like(R)], op.op.args[1] if len(op.op.args) > 1 else -1)])
        place = op.op.signal or 0
        shares: list[Tensor | None] = [None] * len(op.op.ins)
        if op.op.name in ("mul", "div"):
            shares[place] = R.sum_to_size(op.tape.values[op.op.ins[place]].shape)
            return Shares(shares)
        grad = factor_gradients(op, divide(R, op.z, self.eps), only=place)[place]  # as attention times values
        shares[place] = None if grad is None else op.xs[place] * grad
        return Shares(shares, rest="stabiliser")


@dataclass(frozen=True)
class Halve(Rule):
    """A product of two signals: each factor gets the same share, R_a = R_b = R / 2; of a product of matrices, by epsilon first.

    References: Achtibat et al., 2024, AttnLRP, Propositions 3.2 and 3.3, https://proceedings.mlr.press/v235/achtibat24a.html

    Arguments:
        eps: The stabiliser, for products of matrices.
    """

    kinds = frozenset({"product", "gate"})
    local = True
    eps: float = 1e-6

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        n = len(op.op.ins)
        if op.op.name == "mul":
            return Shares([(R / n).sum_to_size(op.tape.values[i].shape) for i in op.op.ins])
        s = divide(R / n, op.z, self.eps)
        shares = [None if g is None else g.mul_(x) for x, g in zip(op.xs, factor_gradients(op, s), strict=True)]
        return Shares(shares, rest="stabiliser")


def factor_gradients(op: LocalOp, s: Tensor, only: int | None = None) -> list[Tensor | None]:
    """The vector-Jacobian product of a product of two tracked factors, without running it once more where it is one of matrices.

    Arguments:
        only: The factor wanted; the others get None where that saves work. None: all of them.
    """
    if op.op.name in ("bmm", "mm") and len(op.op.ins) == 2:
        a, b = op.xs
        return [None if only == 1 else s @ b.transpose(-1, -2), None if only == 0 else a.transpose(-1, -2) @ s]
    return op.pull(s)


@dataclass(frozen=True)
class Native(Rule):
    """The derivative of the operation applied to relevance, as hook-based tools do where they have no rule. What it loses or
    invents is booked.

    Arguments:
        cause: Under which name.
    """

    cause: str = "native fallback"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        return Shares(op.pull(R), rest=self.cause)
