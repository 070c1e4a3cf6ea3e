"""Target: one number per sample. The same noun is explained and maximized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..errors import TargetError
from .classes import Box, Class, Logit, LogOdds, Probability, Region, probabilities
from .inside import Channel, Direction, Energy, Function, Token
from .noun import Names, Target, Term

__all__ = [
    "Names",
    "Target",
    "Term",
    "as_target",
    "box",
    "channel",
    "direction",
    "energy",
    "log_odds",
    "logit",
    "mask",
    "probabilities",
    "probability",
    "token",
]


def logit(index: int | str | Sequence[int | str] | None = None) -> Target:
    """The model's score of a class, by index or name, one for all samples or one per sample; None: the predicted class."""
    return _of(Logit(index=_class(index)))


def probability(index: int | str | Sequence[int | str] | None = None) -> Target:
    """The softmax probability of a class."""
    return _of(Probability(index=_class(index)))


def log_odds(index: int | str | Sequence[int | str] | None = None) -> Target:
    """The log-odds of a class, log p / (1 - p), in nats."""
    return _of(LogOdds(index=_class(index)))


def mask(index: int | str | Sequence[int | str] | None, mask: Tensor | None = None) -> Target:
    """The mean score of a class over a mask of its map, as segmentation gives it; without a mask, over the whole map."""
    return _of(Region(index=_class(index), mask=mask, name="a mask" if mask is not None else "the whole map"))


def box(index: int | str | Sequence[int | str] | None, top: int, left: int, bottom: int, right: int) -> Target:
    """The mean score of a class over a rectangle of its map, in the map's own pixels; bottom and right are left out."""
    return _of(Box(index=_class(index), corners=(top, left, bottom, right), name=f"rows {top}-{bottom}, columns {left}-{right}"))


def token(id: int, position: int = -1) -> Target:
    """The score of a token at a position of the output."""
    return _of(Token(id=id, position=position))


def channel(at: str, unit: int, position: Sequence[int] | None = None, *, tokens: str | int | None = None) -> Target:
    """The mean activation of a channel of the module `at`, or its activation at one position.

    For transformers, whose values are (batch, token, channel), `tokens` says which are averaged over: "patch" (all but the
    first), "cls" (the first), "all", or the number of one.
    """
    return _of(Channel(at=at, unit=unit, position=None if position is None else tuple(position), tokens=tokens))


def direction(at: str | None, vector: Tensor) -> Target:
    """How far the mean activation of the module `at` reaches along `vector`."""
    return _of(Direction(at=at, vector=vector))


def energy(at: str) -> Target:
    """Half the mean squared activation of the module `at`: how much it finds at all."""
    return _of(Energy(at=at))


def _of(term: Term) -> Target:
    return Target(((1.0, term),))


def _class(index: int | str | Sequence[int | str] | None) -> Class | None:
    return index if index is None or isinstance(index, (int, str)) else tuple(index)


def as_target(target: Any) -> Target:
    """What users write as a target: None, an index, a name, one per sample, a function of the output, or a Target.

    Example:
        >>> print(as_target(None), "|", as_target("tabby"), "|", as_target([3, 4]))
        logit of the predicted class | logit tabby | logit 3
    """
    if isinstance(target, Target):
        return target
    if hasattr(target, "tolist"):  # of PyTorch and NumPy
        target = target.tolist()
    if target is None or _names_class(target):
        return logit(target)
    if isinstance(target, Sequence) and all(_names_class(t) for t in target):
        return logit(list(target))
    if callable(target):
        return _of(Function(fn=target))
    raise TargetError(
        f"target {target!r}", f"a {type(target).__name__}",
        "a target is an index, a name, one of these per sample, a function, or a Target",
        "Try target=281, target=\"tabby\" or pl.logit(281) - pl.logit(282).",
    )  # fmt: skip


def _names_class(target: Any) -> bool:
    return isinstance(target, (int, str)) and not isinstance(target, bool)
