"""Target: a weighted sum of terms, one number per sample. The functions that make targets stand in `pellucid.target` itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from torch import Tensor

from pellucid.core.one_line import cut
from pellucid.errors import TargetError


class Names(Protocol):
    """The names of classes, as a model knows them."""

    def find(self, label: str) -> int: ...
    def label(self, index: int) -> str: ...


class Part(str):
    """The address of a part of the model's output, by its path there: `Part("aux")`, `Part("1.boxes")`.

    A string, as module paths are, that none of them can be: it begins with an arrow.

    Example:
        >>> Part("aux").path, Part("aux") == "aux"
        ('aux', False)
    """

    __slots__ = ()

    def __new__(cls, path: str) -> Part:
        return super().__new__(cls, f"->{path}")

    @property
    def path(self) -> str:
        return self[2:]


@dataclass(frozen=True)
class Term(ABC):
    """One number per sample, read from one value of the forward pass. A frozen dataclass per kind of reading.

    Arguments:
        at: The address of the value: None for the model's main output, a `Part` of the output, or the path of the module that
            returned it.
    """

    of_scores: ClassVar[bool] = False  # whether it reads the scores before a softmax or sigmoid, where that ends the model

    at: str | None = None

    @abstractmethod
    def read(self, value: Tensor) -> Tensor:
        """The number per sample, with shape (batch,), differentiable by `value`.

        Arguments:
            value: Batch first, as the model or the module returned it.

        Raises:
            TargetError: the value has no such number, or not one per sample.
        """

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        """With class names, and "the predicted class", replaced by indices.

        Arguments:
            value: Of the very samples that are explained.
            names: Of the classes; None where they are not known.
        """
        return self

    def with_fixed_scale(self) -> Term:
        """The same for the seed of relevance: what only scales the score, as the length of an embedding, is kept constant."""
        return self

    @property
    def position_read(self) -> int | None:
        """The one position, along the second axis of the value, that it reads once resolved; None where it reads more."""
        return None

    def at_its_position(self) -> Term:
        """The same, read from a value that has this position alone."""
        return self

    def take(self, rows: Sequence[int]) -> Term:
        """The reading for a batch made of those samples, once resolved; a sample may be repeated."""
        return self

    @abstractmethod
    def text(self, sample: int = 0) -> str:
        """What captions call it for one sample."""

    def where(self, sample: int = 0) -> str:
        """The end of `text` that says where it is read, which terms may have in common."""
        return ""

    def short(self, sample: int = 0) -> str:
        """What it is about, in short: beside a colour that speaks for it."""
        return self.text(sample)

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class Target:
    """A weighted sum of readings, one number per sample. Targets add, subtract and scale; weights stay exactly what was written.

    Example:
        >>> from pellucid import logit
        >>> print(logit(281) - 0.5 * logit(282))
        logit 281 - 0.5 logit 282
        >>> import torch
        >>> (logit(0) - logit(2)).read(lambda at: torch.tensor([[3.0, 1.0, 2.0]]))
        tensor([1.])
    """

    terms: tuple[tuple[float, Term], ...]

    def __repr__(self) -> str:
        return cut(f"Target({self.text()})")

    def read(self, value: Callable[[str | None], Tensor]) -> Tensor:
        """The target per sample, given the values by address (None: the output)."""
        total = sum(weight * term.read(value(term.at)) for weight, term in self.terms)
        assert isinstance(total, Tensor)
        return total

    def resolve(self, value: Callable[[str | None], Tensor], names: Names | None) -> Target:
        """With class names and predictions replaced by indices, given the values of one forward pass, by address."""
        return Target(tuple((weight, term.resolve(value(term.at), names)) for weight, term in self.terms))

    def with_fixed_scale(self) -> Target:
        """The same for the seed of relevance, see `Term.with_fixed_scale`; itself where no term changes."""
        terms = tuple((weight, term.with_fixed_scale()) for weight, term in self.terms)
        same = all(now is before for (_, now), (_, before) in zip(terms, self.terms, strict=True))
        return self if same else Target(terms)

    def at_its_position(self) -> Target:
        """The same, read from values that have its one position alone, see `Term.position_read`."""
        return Target(tuple((weight, term.at_its_position()) for weight, term in self.terms))

    def take(self, rows: Sequence[int]) -> Target:
        """The target for a batch made of those samples, once resolved; a sample may be repeated.

        Example:
            >>> from pellucid import logit
            >>> print(logit([3, 5]).take([1, 1, 0]).terms[0][1].index)
            (5, 5, 3)
        """
        return Target(tuple((weight, term.take(rows)) for weight, term in self.terms))

    def of(self, part: str | int) -> Target:
        """The same, read from another part of the output: `pl.logit(3).of("aux")`, `pl.output(0).of(1)`.

        Arguments:
            part: Its name or number in what the model returns; inside of others, a path with dots: "decoder.logits".

        Example:
            >>> from pellucid import logit
            >>> print(logit(3).of("aux"))
            logit 3 of the output "aux"
        """
        if not isinstance(part, (str, int)) or part == "":
            raise TargetError(
                f"a target .of({part!r})", f"a {type(part).__name__}", "a part has a name or a number",
                'Write .of("aux"), or .of(1).',
            )  # fmt: skip
        at = Part(str(part))
        return Target(tuple((w, replace(term, at=at) if term.at is None else term) for w, term in self.terms))

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
        """What captions call it for one sample."""
        words, ends = "", {term.where(sample) for _, term in self.terms}
        end = ends.pop() if len(self.terms) > 1 and len(ends) == 1 else ""
        end = end if all(term.text(sample).endswith(end) for _, term in self.terms) else ""  # said once, for all
        for weight, term in self.terms:
            sign = (" - " if words else "-") if weight < 0 else (" + " if words else "")
            size = "" if math.isclose(abs(weight), 1) else f"{abs(weight):g} "
            place = f' of the output "{term.at.path}"' if isinstance(term.at, Part) else ""
            words += f"{sign}{size}{term.text(sample).removesuffix(end)}{place}"
        return words + end

    def __str__(self) -> str:
        return self.text()
