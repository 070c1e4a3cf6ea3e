"""Products of two values that both descend from the input: what each factor gets, without running them once more."""

from __future__ import annotations

from torch import Tensor

from .local import LocalOp


def pulls(op: LocalOp, s: Tensor, only: int | None = None) -> list[Tensor | None]:
    """The vector-Jacobian product of a product: one gradient per factor, in the order of `op.op.ins`.

    Arguments:
        only: The factor wanted; the others get None where that saves work. None: all of them.
    """
    if op.op.name in ("bmm", "mm") and len(op.op.ins) == 2:
        a, b = op.xs
        return [None if only == 1 else s @ b.transpose(-1, -2), None if only == 0 else a.transpose(-1, -2) @ s]
    return op.pull(s)
