"""Target: one number per sample. The same noun is explained and maximized."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from .errors import TargetError

Class = int | str | tuple[int | str, ...]


class Names(Protocol):
    """Who knows what classes are called: a model."""

    def find(self, label: str) -> int: ...
    def label(self, index: int) -> str: ...


@dataclass(frozen=True)
class Term(ABC):
    """One reading of one value: the model's output (`at` None), or the value a module returned."""

    at: str | None = None

    @abstractmethod
    def read(self, value: Tensor) -> Tensor:
        """One number per sample."""

    def settle(self, value: Tensor, names: Names | None) -> Term:
        """With class names and "the predicted class" replaced by indices."""
        return self


@dataclass(frozen=True)
class Target:
    """A weighted sum of readings, one number per sample. Targets add, subtract and scale; weights stay exactly what was written.

    Example:
        >>> print(logit(281) - 0.5 * logit(282))
        logit 281 - 0.5 logit 282
        >>> (logit(0) - logit(2)).read(lambda at: torch.tensor([[3.0, 1.0, 2.0]]))
        tensor([1.])
    """

    terms: tuple[tuple[float, Term], ...]

    def read(self, value: Callable[[str | None], Tensor]) -> Tensor:
        """The target per sample, given the values by address (None: the output)."""
        total = sum(weight * term.read(value(term.at)) for weight, term in self.terms)
        assert isinstance(total, Tensor)
        return total

    def settle(self, value: Callable[[str | None], Tensor], names: Names | None) -> Target:
        """With every class named and every prediction made, given the values of one forward pass."""
        return Target(tuple((weight, term.settle(value(term.at), names)) for weight, term in self.terms))

    @property
    def addresses(self) -> tuple[str | None, ...]:
        """The values it reads."""
        return tuple(dict.fromkeys(term.at for _, term in self.terms))

    def __add__(self, other: Target) -> Target:
        return Target(self.terms + other.terms) if isinstance(other, Target) else NotImplemented

    def __mul__(self, weight: float) -> Target:
        if not isinstance(weight, (int, float)):
            return NotImplemented
        return Target(tuple((weight * w, term) for w, term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Target:
        return self * -1.0

    def __sub__(self, other: Target) -> Target:
        return self + -other if isinstance(other, Target) else NotImplemented

    def __truediv__(self, number: float) -> Target:
        return self * (1 / number)

    def text(self, sample: int = 0) -> str:
        """How captions call it for one sample."""
        words = ""
        for weight, term in self.terms:
            sign = (" - " if words else "-") if weight < 0 else (" + " if words else "")
            size = "" if math.isclose(abs(weight), 1) else f"{abs(weight):g} "
            words += f"{sign}{size}{_text(term, sample)}"
        return words

    def __str__(self) -> str:
        return self.text()


def _text(term: Term, sample: int) -> str:
    return term.text(sample) if isinstance(term, OfClass) else str(term)


@dataclass(frozen=True)
class OfClass(Term):
    """A reading that is about a class.

    Arguments:
        index: The class: its index or its name; a tuple has one per sample; None is the predicted class.
        labels: The names that belong to the indices, for captions.
    """

    index: Class | None = None
    labels: tuple[str, ...] = ()

    @property
    @abstractmethod
    def word(self) -> str: ...

    def settle(self, value: Tensor, names: Names | None) -> Term:
        indices = self._indices(value, names)
        known = tuple(names.label(i) for i in indices) if names is not None else ()
        known = () if all(label == f"class {i}" for label, i in zip(known, indices, strict=False)) else known
        return replace(self, index=indices if isinstance(self.index, tuple) or self.index is None else indices[0], labels=known)

    def _indices(self, value: Tensor, names: Names | None) -> tuple[int, ...]:
        if self.index is None:
            scores = _classes(value, self.word)
            return tuple(scores.reshape(*scores.shape[:2], -1).mean(-1).argmax(1).tolist())
        wanted = self.index if isinstance(self.index, tuple) else (self.index,)
        return tuple(self._find(name, names) if isinstance(name, str) else int(name) for name in wanted)

    def _find(self, name: str, names: Names | None) -> int:
        if names is None:
            raise TargetError(
                f"{self.word} {name!r}",
                "no labels",
                "a class can only be named where the model's labels are known",
                "Give its index.",
            )
        return names.find(name)

    def text(self, sample: int = 0) -> str:
        if self.index is None:
            return f"{self.word} of the predicted class"
        index = self.index[sample] if isinstance(self.index, tuple) else self.index
        label = self.labels[sample if isinstance(self.index, tuple) else 0] if self.labels else ""
        return f"{self.word} {index}" + (f' "{label}"' if label else "")

    def __str__(self) -> str:
        return self.text()

    def pick(self, scores: Tensor) -> Tensor:
        """The entries of the class along axis 1, one per sample."""
        batch, count = scores.shape[:2]
        index = self.index if isinstance(self.index, tuple) else (self.index,) * batch
        if len(index) != batch:
            raise TargetError(
                f"{len(index)} targets",
                f"a batch of {batch}",
                "each sample needs one",
                "Give one class for all, or one per sample.",
            )
        for i in index:
            if not isinstance(i, int) or not -count <= i < count:
                raise TargetError(
                    self.text(), f"outputs of shape {tuple(scores.shape)}", f"classes run 0-{count - 1}", "Ask for one of those."
                )  # fmt: skip
        return scores[torch.arange(batch, device=scores.device), torch.tensor(index, device=scores.device)]


def _classes(value: Tensor, word: str) -> Tensor:
    """An output as (batch, class, ...)."""
    if value.dim() == 0:
        raise TargetError(
            word, "an output without a batch axis", "one number per sample is needed", "Let the model return (batch, classes)."
        )
    return value[:, None] if value.dim() == 1 else value


@dataclass(frozen=True)
class Logit(OfClass):
    """The model's score of a class, as it comes out, before any softmax of ours."""

    @property
    def word(self) -> str:
        return "logit"

    def read(self, value: Tensor) -> Tensor:
        scores = _classes(value, self.text())
        if scores.dim() > 2:
            raise TargetError(
                self.text(), f"outputs of shape {tuple(scores.shape)}", "a class has a whole map of scores there",
                "Say which part: pl.mask(class, mask), pl.box(class, top, left, bottom, right), or pl.token(id, position).",
            )  # fmt: skip
        return self.pick(scores)


@dataclass(frozen=True)
class Probability(OfClass):
    """The softmax probability of a class."""

    @property
    def word(self) -> str:
        return "probability"

    def read(self, value: Tensor) -> Tensor:
        return self.pick(_classes(value, self.text()).softmax(1))


@dataclass(frozen=True)
class Region(OfClass):
    """The mean score of a class over part of its map, for outputs (batch, class, ...).

    Arguments:
        mask: True where the score counts, shaped like the map, for all samples or one per sample; None: everywhere.
    """

    mask: Tensor | None = None
    name: str = "a mask"

    @property
    def word(self) -> str:
        return "mean score of class"

    def text(self, sample: int = 0) -> str:
        return f"{super().text(sample)} over {self.name}"

    def read(self, value: Tensor) -> Tensor:
        scores = _classes(value, self.text())
        maps = self.pick(scores).flatten(1)
        if self.mask is None:
            return maps.mean(1)
        weights, shape = torch.as_tensor(self.mask).to(maps), scores.shape[2:]
        fits = weights.shape in (shape, (1, *shape), (len(maps), *shape))
        if not fits or not weights.reshape(-1, maps.shape[1]).any(1).all():
            found = f"a mask of shape {tuple(weights.shape)}, {int(weights.sum())} entries set, and maps of shape {tuple(shape)}"
            raise TargetError(
                self.text(), found,
                "the mask says which entries of the map count", "Give a boolean mask of the map's shape with something in it.",
            )  # fmt: skip
        weights = weights.reshape(-1, maps.shape[1])
        return (maps * weights).sum(1) / weights.sum(1)


@dataclass(frozen=True)
class Box(Region):
    """The mean score of a class over a rectangle of its map."""

    corners: tuple[int, int, int, int] = (0, 0, 0, 0)

    def read(self, value: Tensor) -> Tensor:
        top, left, bottom, right = self.corners
        if value.dim() != 4:
            found = f"outputs of shape {tuple(value.shape)}"
            raise TargetError(
                self.text(), found, "a rectangle is part of a map", "Explain an output of shape (batch, class, height, width)."
            )
        mask = torch.zeros(value.shape[2:], dtype=torch.bool, device=value.device)
        mask[top:bottom, left:right] = True
        return replace(self, mask=mask).over(value)

    def over(self, value: Tensor) -> Tensor:
        return Region(self.at, self.index, self.labels, self.mask, self.name).read(value)


@dataclass(frozen=True)
class Token(Term):
    """The score of a token at a position, for outputs (batch, position, vocabulary)."""

    id: int = 0
    position: int = -1

    def read(self, value: Tensor) -> Tensor:
        if value.dim() != 3 or not -value.shape[1] <= self.position < value.shape[1] or not 0 <= self.id < value.shape[2]:
            raise TargetError(
                str(self),
                f"outputs of shape {tuple(value.shape)}",
                "tokens are read from (batch, position, vocabulary)",
                "Check both numbers.",
            )
        return value[:, self.position, self.id]

    def __str__(self) -> str:
        return f"token {self.id} at position {self.position}"


@dataclass(frozen=True)
class Channel(Term):
    """The mean activation of a channel of a layer (axis 1), or its activation at one position."""

    unit: int = 0
    position: tuple[int, ...] | None = None

    def read(self, value: Tensor) -> Tensor:
        if value.dim() < 2 or not -value.shape[1] <= self.unit < value.shape[1]:
            raise TargetError(
                str(self),
                f"a value of shape {tuple(value.shape)}",
                f"channels run 0-{value.shape[1] - 1 if value.dim() > 1 else 0}",
                "Ask for one of those.",
            )
        maps = value[:, self.unit]
        if self.position is not None:
            return self._at(maps, self.position)
        return maps.flatten(1).mean(1) if maps.dim() > 1 else maps

    def _at(self, maps: Tensor, position: tuple[int, ...]) -> Tensor:
        sizes = tuple(maps.shape[1:])
        if len(position) != len(sizes) or not all(-n <= p < n for p, n in zip(position, sizes, strict=True)):
            raise TargetError(
                str(self), f"maps of shape {sizes}", "a position is one index per axis of the map", "Ask for one of those."
            )
        place: tuple[Any, ...] = (slice(None), *position)
        return maps[place]

    def __str__(self) -> str:
        return f"channel {self.unit} of {self.at}" + (f" at {self.position}" if self.position is not None else "")


@dataclass(frozen=True)
class Direction(Term):
    """How far a layer's activation, averaged over positions, reaches along a vector over its channels."""

    vector: Tensor | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.vector is not None
        if value.dim() < 2 or value.shape[1] != self.vector.numel():
            raise TargetError(
                str(self),
                f"a value of shape {tuple(value.shape)}",
                f"the vector has {self.vector.numel()} entries, one per channel",
                "Let them agree.",
            )
        means = value.flatten(2).mean(2) if value.dim() > 2 else value
        return means @ self.vector.to(means)

    def __str__(self) -> str:
        return f"a direction in {self.at or 'the output'}"


@dataclass(frozen=True)
class Function(Term):
    """Any function of the output that gives one number per sample."""

    fn: Callable[[Any], Tensor] | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.fn is not None
        score = self.fn(value)
        if not isinstance(score, Tensor) or score.dim() != 1 or len(score) != len(value):
            shape = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
            raise TargetError(
                str(self),
                f"a result of shape {shape}",
                f"one number for each of {len(value)} samples is needed",
                "Return a tensor of shape (batch,).",
            )
        return score

    def __str__(self) -> str:
        return getattr(self.fn, "__name__", "a function of the output")


def logit(index: int | str | Sequence[int | str] | None = None) -> Target:
    """The model's score of a class, by index or name, one for all samples or one per sample; None: the predicted class."""
    return _of(Logit(index=_class(index)))


def probability(index: int | str | Sequence[int | str] | None = None) -> Target:
    """The softmax probability of a class."""
    return _of(Probability(index=_class(index)))


def mask(index: int | str | Sequence[int | str] | None, mask: Tensor | None = None) -> Target:
    """The mean score of a class over a mask of its map, as segmentation gives it; without a mask, over the whole map."""
    return _of(Region(index=_class(index), mask=mask, name="a mask" if mask is not None else "the whole map"))


def box(index: int | str | Sequence[int | str] | None, top: int, left: int, bottom: int, right: int) -> Target:
    """The mean score of a class over a rectangle of its map, in the map's own pixels; bottom and right are left out."""
    return _of(Box(index=_class(index), corners=(top, left, bottom, right), name=f"rows {top}-{bottom}, columns {left}-{right}"))


def token(id: int, position: int = -1) -> Target:
    """The score of a token at a position of the output."""
    return _of(Token(id=id, position=position))


def channel(at: str, unit: int, position: Sequence[int] | None = None) -> Target:
    """The mean activation of a channel of the module `at`, or its activation at one position."""
    return _of(Channel(at=at, unit=unit, position=None if position is None else tuple(position)))


def direction(at: str | None, vector: Tensor) -> Target:
    """How far the mean activation of the module `at` reaches along `vector`."""
    return _of(Direction(at=at, vector=vector))


def _of(term: Term) -> Target:
    return Target(((1.0, term),))


def _class(index: int | str | Sequence[int | str] | None) -> Class | None:
    return index if index is None or isinstance(index, (int, str)) else tuple(index)


def as_target(target: Any) -> Target:
    """What users write as a target: None, an index, a name, one per sample, a function of the output, or a Target.

    Example:
        >>> print(as_target(None), "|", as_target("tabby"), "|", as_target(torch.tensor([3, 4])))
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
