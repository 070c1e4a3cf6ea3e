"""Nested arguments and outputs: dicts, lists and tuples with tensors, or stand-ins for them, somewhere inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
PLAIN = frozenset({int, float, bool, str, type(None), torch.dtype, torch.device})


def leaves(tree: Any, kind: type[T]) -> Iterator[T]:
    """Everything of that kind inside, in order.

    Example:
        >>> list(leaves({"a": 1, "b": [2, "x", (3,)]}, int))
        [1, 2, 3]
    """
    found: list[T] = []
    _gather(tree, kind, found)
    return iter(found)


def _gather(tree: Any, kind: type[T], found: list[T]) -> None:
    if isinstance(tree, kind):
        found.append(tree)
    elif type(tree) in PLAIN:  # asked first since nearly all are
        return
    elif isinstance(tree, dict):
        for item in tree.values():
            _gather(item, kind, found)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            _gather(item, kind, found)


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor inside."""
    return leaves(tree, Tensor)


def mapped(tree: Any, kind: type[T], change: Callable[[T], Any]) -> Any:
    """The same tree with everything of that kind changed; sequences become tuples."""
    if isinstance(tree, kind):
        return change(tree)
    if type(tree) in PLAIN:
        return tree
    if isinstance(tree, dict):
        return {key: mapped(item, kind, change) for key, item in tree.items()}
    if isinstance(tree, (tuple, list)):
        return tuple([mapped(item, kind, change) for item in tree])
    return tree
