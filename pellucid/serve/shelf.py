"""Shelf: things under opaque ids, bounded by bytes and by age; what was used longest ago goes first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from secrets import choice
from typing import Generic, TypeVar

T = TypeVar("T")
ALPHABET, LENGTH = "abcdefghijklmnopqrstuvwxyz0123456789", 26
ID = rf"^[a-z0-9]{{{LENGTH}}}$"


def new_id() -> str:
    """An id that nobody can guess; it says nothing of what it stands for.

    Example:
        >>> len(new_id()), new_id() == new_id()
        (26, False)
    """
    return "".join(choice(ALPHABET) for _ in range(LENGTH))


@dataclass
class Kept(Generic[T]):
    """One thing on the shelf: its size in bytes, and when it was last used."""

    thing: T
    size: int
    used: float


class Shelf(Generic[T]):
    """Things by id, from several threads at once.

    Arguments:
        most: Bytes of all things together, where they are more than a `few`.
        few: So many are kept beyond that, up to `ceiling` bytes together.
        age: Seconds after which a thing that nobody used is dropped.
        clock: The time in seconds.

    Example:
        >>> shelf = Shelf[str](most=10, age=60)
        >>> first, second = shelf.add("abcdef", 6), shelf.add("ghijkl", 6)
        >>> shelf.get(first), shelf.get(second)
        (None, 'ghijkl')
        >>> shelf = Shelf[str](most=10, age=60, few=2, ceiling=100)
        >>> first, second, third = (shelf.add(name, 6) for name in ("one", "two", "three"))
        >>> shelf.get(first), shelf.get(second), shelf.get(third)
        (None, 'two', 'three')
    """

    def __init__(
        self, most: int, age: float, clock: Callable[[], float] = time.monotonic, *, few: int = 0, ceiling: int | None = None
    ) -> None:
        self.most, self.age, self.clock = most, age, clock
        self.few, self.ceiling = few, most if ceiling is None else ceiling
        self.things: OrderedDict[str, Kept[T]] = OrderedDict()
        self.lock = threading.RLock()

    def add(self, thing: T, size: int) -> str:
        """Its id, after room was made for it."""
        name = new_id()
        with self.lock:
            self.expire()
            while self.things and self.size + size > (self.ceiling if len(self.things) < self.few else self.most):
                self.things.popitem(last=False)
            self.things[name] = Kept(thing, size, self.clock())
        return name

    def get(self, name: str) -> T | None:
        """The thing, used once more; None where it is gone or never was."""
        with self.lock:
            self.expire()
            kept = self.things.get(name)
            if kept is None:
                return None
            kept.used = self.clock()
            self.things.move_to_end(name)
            return kept.thing

    def drop(self, name: str) -> bool:
        """Forget a thing; whether it was there."""
        with self.lock:
            return self.things.pop(name, None) is not None

    def expire(self) -> None:
        """Drop what nobody used for too long."""
        now = self.clock()
        with self.lock:
            while self.things and now - next(iter(self.things.values())).used > self.age:
                self.things.popitem(last=False)

    @property
    def size(self) -> int:
        """Bytes of all things together."""
        with self.lock:
            return sum(kept.size for kept in self.things.values())

    def __len__(self) -> int:
        return len(self.things)
