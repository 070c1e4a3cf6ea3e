"""Imputers: what stands where something was taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """What stands where something was taken away. Adding one: a frozen dataclass with `prepare`, `soft` and `random`.

    `soft`: whether it can be mixed in by shares; else only whole places are replaced. `random`: whether it draws.
    """

    @property
    def soft(self) -> bool: ...
    @property
    def random(self) -> bool: ...
    def prepare(self, x: Tensor, regions: Regions, model: Model) -> Fill:
        """What depends on the sample alone, worked out once; x has shape (1, ...)."""


@dataclass(frozen=True, eq=False)
class Constant:
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
    random = False

    def prepare(self, x: Tensor, regions: Regions, model: Any) -> Fill:
        content = baseline(self.value, x)
        return lambda gone, draws: content


def baseline(value: float | Tensor, x: Tensor) -> Tensor:
    """A baseline that broadcasts against x: from a number, one value per channel, a sample, or a batch of one.

    Raises:
        InputError: it has another shape.
    """
    made = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if made.dim() == 1 and x.dim() > 2 and len(made) == x.shape[1]:
        made = made.reshape(-1, *[1] * (x.dim() - 2))
    made = made[None] if made.dim() < x.dim() else made
    if made.dim() > x.dim() or any(
        m not in (1, s) for m, s in zip(reversed(made.shape), reversed((1, *x.shape[1:])), strict=False)
    ):
        raise InputError(
            "a baseline", f"a value of shape {tuple(torch.as_tensor(value).shape)}, and samples of shape {tuple(x.shape[1:])}",
            "it has to say what stands at every entry", "Give a number, one per channel, or a tensor shaped like a sample.",
        )  # fmt: skip
    return made.reshape(*[1] * (x.dim() - made.dim()), *made.shape)


@dataclass(frozen=True)
class Mean:
    """The mean of each channel of the sample itself (of the whole row, for a table or a vector)."""

    soft = True
    random = False
    around = True  # what stands around a place decides what stands there

    def prepare(self, x: Tensor, regions: Regions, model: Any) -> Fill:
        content = x.mean(tuple(range(2, x.dim())), keepdim=True) if x.dim() > 2 else x.mean(1, keepdim=True)
        return lambda gone, draws: content


@dataclass(frozen=True, eq=False)
class Own:
    """A function of the user's: from one sample (1, ...) and masks (k, ...), True where something is gone, to contents."""

    fn: Callable[[Tensor, Tensor], Tensor]
    soft = False
    random = False

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


def as_imputer(given: Any) -> Imputer:
    """What users write as an imputer: a number, a tensor, a function of (x, gone), or an imputer."""
    if hasattr(given, "prepare"):
        return given  # type: ignore[no-any-return]
    if isinstance(given, (int, float, Tensor)):
        return Constant(given if isinstance(given, Tensor) else float(given))
    if isinstance(given, Mapping):
        from ..sampling.multi_input import Each

        return Each(given)
    if callable(given):
        return Own(given)
    raise InputError(
        f"imputer={given!r}", f"a {type(given).__name__}", "an imputer says what stands where something was taken away",
        "Pass a number, a tensor, a function (x, gone) -> x, or pl.perturb.blur().",
    )  # fmt: skip
