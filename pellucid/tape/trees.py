"""Nested arguments and outputs: dicts, lists and tuples with tensors, or stand-ins for them, somewhere inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from torch import Tensor

T = TypeVar("T")


def leaves(tree: Any, kind: type[T]) -> Iterator[T]:
    """Everything of that kind inside, in order.

    Example:
        >>> list(leaves({"a": 1, "b": [2, "x", (3,)]}, int))
        [1, 2, 3]
    """
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from leaves(item, kind)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from leaves(item, kind)


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor inside."""
    return leaves(tree, Tensor)


def mapped(tree: Any, kind: type[T], change: Callable[[T], Any]) -> Any:
    """The same tree with everything of that kind changed; sequences become tuples."""
    if isinstance(tree, kind):
        return change(tree)
    if isinstance(tree, dict):
        return {key: mapped(item, kind, change) for key, item in tree.items()}
    if isinstance(tree, (tuple, list)):
        return tuple(mapped(item, kind, change) for item in tree)
    return tree
