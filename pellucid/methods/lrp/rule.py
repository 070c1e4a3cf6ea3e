"""What a rule is: how the relevance at the output of an operation is shared among its inputs. The rules are in `rules/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pellucid.core.program import decision
from pellucid.tape import LocalOp

Bias = Literal["absorb", "ignore", "spread", "share"]
Silent = Literal["drop", "spread", "share"]

WEIGHTED = ("convolution", "dense")
LINEAR = frozenset(WEIGHTED)
SHARED = frozenset({"sum", "pool", "shift"})  # sums without weights: residual connections, means, added constants
EVERYTHING = (
    LINEAR | SHARED | {"transform", "activation", "norm", "scale", "softmax", "route", "max", "gate", "product", "unknown"}
)


@dataclass(frozen=True)
class Shares:
    """The relevance of the inputs of an operation, and what is booked as absorbed. Together they are the relevance at its output.

    Arguments:
        inputs: One share per tracked input of the operation, shaped like it; None where it gets nothing.
        booked: Relevance that no input got, by cause, with shape (batch,).
        rest: The cause of whatever else no input got: the difference is measured and booked under that name.
        constants: Relevance of constants, each with its name and with shape (batch,), where there are several.
    """

    inputs: list[Tensor | None]
    booked: dict[str, Tensor] = field(default_factory=dict)
    rest: str = ""
    constants: tuple[tuple[str, Tensor], ...] = ()


@dataclass(frozen=True)
class Rule(ABC):
    """How one operation shares relevance among its inputs. To add one: implement `share`, and name it in `lrp/__init__.py`."""

    kinds: ClassVar[frozenset[str]] = EVERYTHING  # the kinds of operation it can take
    gated: ClassVar[bool] = True  # an input entry that is zero gets nothing
    local: ClassVar[bool] = False  # hands on what stood at an output to the input it came from, zero for zero

    @abstractmethod
    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        """Share relevance among the inputs.

        Arguments:
            op: The operation: its inputs `xs`, its output `z`, its weights `linear`, and its vector-Jacobian product `pull`.
            R: The relevance at its output, shaped like it.
            rectified: Whether R is zero wherever the output is not positive.
        """

    @property
    def tight(self) -> bool:
        """Whether input entries that are zero surely get nothing."""
        return self.gated and "spread" not in (getattr(self, "bias", None), getattr(self, "silent", None))

    def __str__(self) -> str:
        return repr(self).replace("'", '"')


@decision
def exceeds(amount: Tensor, whole: Tensor, share: float) -> bool:
    """Whether an amount per sample is more than that share of the whole, for any sample.

    Example:
        >>> exceeds(torch.tensor([0.0, 0.2]), torch.tensor([1.0, -1.0]), 0.1)
        True
    """
    pairs = zip(amount.tolist(), whole.tolist(), strict=True)  # a few numbers: lists are quicker
    return any(abs(a) > share * abs(w) for a, w in pairs)


def stabilise(z: Tensor, eps: float | Tensor, sign: int = 0) -> Tensor:
    """z moved away from zero by eps; zero moves up (a negative zero, the sum of contributions that are all zero, down).

    Arguments:
        sign: 1 or -1 when z is known to have that sign or be zero: saves work.

    Example:
        >>> stabilise(torch.tensor([0.0, 1.0, -1.0]), 0.5)
        tensor([ 0.5000,  1.5000, -1.5000])
    """
    if sign:
        return z + sign * eps
    return torch.copysign(torch.as_tensor(eps, dtype=z.dtype, device=z.device), z).add_(z)


def divide(R: Tensor, z: Tensor, eps: float | Tensor, sign: int = 0) -> Tensor:
    """R / z, stabilised; where the denominator is zero (eps = 0 and z = 0) the result is zero."""
    den = stabilise(z, eps, sign) if isinstance(eps, Tensor) or eps else z
    if isinstance(eps, Tensor) or not eps:
        return torch.where(den == 0, torch.zeros_like(R), R / den)
    return torch.div(R, den, out=den) if den.shape == R.shape else R / den
