"""A subject: what the values of an explanation are about, where pixels cannot say it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, ClassVar

from torch import Tensor

from pellucid.errors import OutputError


@dataclass(frozen=True, eq=False)
class Subject(ABC):
    """What stands beneath the values of a whole batch. One frozen dataclass per kind.

    Fields are plain (numbers, words, None, tuples of these) or tensors, so that `stored` can write any kind without being told.
    """

    kind: ClassVar[str]

    @abstractmethod
    def fits(self, values: Tensor) -> bool:
        """Whether these values, batch first, are about it: values of a layer inside may have other places than the input."""

    @abstractmethod
    def laid(self, values: Tensor) -> Tensor:
        """One sample's values with shape (channel, height, width), one place for each thing; (channel, 1, length) in a row."""

    @abstractmethod
    def told(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """One sample as plain data: every place with its name, what stands there, and its value."""


def stored(subject: Subject) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A subject as plain data and tensors, which `restored` puts together again."""
    named = {one.name: getattr(subject, one.name) for one in fields(subject)}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    return {"kind": subject.kind} | {name: value for name, value in named.items() if name not in tensors}, tensors


def restored(plain: dict[str, Any], tensors: dict[str, Tensor]) -> Subject:
    """The subject that `stored` took apart; JSON makes lists of its tuples, and they become tuples again.

    Raises:
        OutputError: this version knows no such kind.
    """
    kinds: dict[str, type[Subject]] = import_module("pellucid.subject").KINDS
    plain = dict(plain)
    kind = plain.pop("kind", None)
    if kind not in kinds:
        do = f"This version reads {', '.join(kinds)}; a newer one may read it."
        raise OutputError("An explanation from a file", f'a subject of kind "{kind}"', "no kind has that name", do)
    return kinds[kind](**{name: tupled(value) for name, value in plain.items()}, **tensors)


def tupled(value: Any) -> Any:
    """Lists, and lists in lists, as tuples.

    Example:
        >>> tupled([1, ["a", [None]]])
        (1, ('a', (None,)))
    """
    return tuple(map(tupled, value)) if isinstance(value, list) else value
