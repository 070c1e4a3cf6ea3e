"""The imputer, what stands where something was removed: its protocol, constants, means, and functions of the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Model
from ..regions.regions import Regions

Fill = Callable[[Tensor, Sequence[int]], Tensor]
"""From masks (k, *mask shape), True or 1 where something is gone, and the number of the random draw of each row, to what stands
there: shaped (k, *sample), or with length 1 along any axis. Only what lies under the mask is used. The same draw number means
the same random numbers."""


class Imputer(Protocol):
    """What stands where something was taken away. Adding one: a frozen dataclass with `prepare`; the rest has defaults.

    References of each imputer stand in its own file; `imputers.multi_input.as_imputer` makes one of a number, tensor or function.
    """

    @property
    def soft(self) -> bool:
        """Whether it can be mixed in by shares in [0, 1]; else only whole places are replaced."""
        return False

    @property
    def random(self) -> bool:
        """Whether it draws: whether other numbers of a draw give other contents."""
        return False

    @property
    def around(self) -> bool:
        """Whether what stands around a place decides what stands there. Columns of a table, which have no neighbours, then get
        their mean over the data."""
        return False

    def prepare(self, x: Tensor, regions: Regions, model: Model) -> Fill:
        """What depends on the sample alone, worked out once.

        Arguments:
            x: One sample, with shape (1, ...), in the units the model takes.
            regions: The parts of it that may be taken away.

        Raises:
            InputError: the imputer does not fit the sample.
        """


@dataclass(frozen=True, eq=False)
class Constant(Imputer):
    """A fixed value, in the space of the model's input: zero is the mean colour for most preprocessings, and black for others.

    Arguments:
        value: A number, one per channel, or a whole sample.

    Example:
        >>> x, gone = torch.ones(1, 4), torch.tensor([[True, True, False, False]])
        >>> occluded(x, gone, Constant(0.0).prepare(x, None, None))
        tensor([[0., 0., 1., 1.]])
    """

    value: float | Tensor = 0.0
    soft = True

    def prepare(self, x: Tensor, regions: Regions, model: Any) -> Fill:
        content = baseline(self.value, x)
        return lambda gone, draws: content


def baseline(value: float | Tensor, x: Tensor) -> Tensor:
    """A baseline that broadcasts against x: from a number, one value per channel, a sample, or a batch of one.

    Raises:
        InputError: it has another shape.
    """
    result = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if result.dim() == 1 and x.dim() > 2 and len(result) == x.shape[1]:
        result = result.reshape(-1, *[1] * (x.dim() - 2))
    result = result[None] if result.dim() < x.dim() else result
    if result.dim() > x.dim() or any(
        m not in (1, s) for m, s in zip(reversed(result.shape), reversed((1, *x.shape[1:])), strict=False)
    ):
        raise InputError(
            "a baseline", f"a value of shape {tuple(torch.as_tensor(value).shape)}, and samples of shape {tuple(x.shape[1:])}",
            "it has to say what stands at every entry", "Give a number, one per channel, or a tensor shaped like a sample.",
        )  # fmt: skip
    return result.reshape(*[1] * (x.dim() - result.dim()), *result.shape)


@dataclass(frozen=True, eq=False)
class Zero(Constant):
    """Zero in the space of the model's input, where no other value was asked for; columns of a table get their mean."""

    around = True

    def __str__(self) -> str:
        return "Constant(value=0.0)"


@dataclass(frozen=True)
class Mean(Imputer):
    """The mean of each channel of the sample itself (of the whole row, for a table or a vector)."""

    soft = True
    around = True

    def prepare(self, x: Tensor, regions: Regions, model: Any) -> Fill:
        content = x.mean(tuple(range(2, x.dim())), keepdim=True) if x.dim() > 2 else x.mean(1, keepdim=True)
        return lambda gone, draws: content


@dataclass(frozen=True, eq=False)
class Own(Imputer):
    """A function of the user's: from one sample (1, ...) and masks (k, ...), True where something is gone, to contents."""

    fn: Callable[[Tensor, Tensor], Tensor]

    def prepare(self, x: Tensor, regions: Regions, model: Any) -> Fill:
        def fill(gone: Tensor, draws: Sequence[int]) -> Tensor:
            content = self.fn(x, gone)
            if content.shape[1:] != x.shape[1:] or len(content) not in (1, len(gone)):
                raise InputError(
                    f"the imputer {getattr(self.fn, '__name__', 'given')}", f"a result of shape {tuple(content.shape)}",
                    f"{len(gone)} samples of shape {tuple(x.shape[1:])} were to be filled", "Return one content per mask.",
                )  # fmt: skip
            return content

        return fill


def occluded(x: Tensor, gone: Tensor, fill: Fill, draws: Sequence[int] = ()) -> Tensor:
    """x with what is gone replaced: x (1 - gone) + fill gone.

    A mask is True, or 1, where something is taken away: x = [1, 1, 1, 1] and gone = [1, 1, 0, 0] give [0, 0, 1, 1] if filled 0.
    """
    content = fill(gone, draws or [0] * len(gone))
    if gone.dtype == torch.bool:
        return torch.where(gone, content, x)
    return torch.lerp(x.expand(len(gone), *x.shape[1:]), content.expand(len(gone), *x.shape[1:]), gone.to(x))
