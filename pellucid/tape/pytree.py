"""Nested arguments and outputs: dicts, lists, tuples and dataclasses with tensors, or stand-ins for them, somewhere inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from pellucid.model.outputs import named

T = TypeVar("T")
PLAIN = frozenset({int, float, bool, str, type(None), torch.dtype, torch.device})


def leaves(tree: Any, kind: type[T]) -> Iterator[T]:
    """Everything of that kind inside, in order.

    Example:
        >>> list(leaves({"a": 1, "b": [2, "x", (3,)]}, int))
        [1, 2, 3]
    """
    found: list[T] = []
    _gather(tree, kind, found, PLAIN - {kind})
    return iter(found)


def _gather(tree: Any, kind: type[T], found: list[T], plain: frozenset[Any]) -> None:
    if isinstance(tree, kind):
        found.append(tree)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            if type(item) not in plain:  # nearly all are: a call for each of them would be most of the work
                _gather(item, kind, found, plain)
    elif isinstance(tree, dict):
        for item in tree.values():
            _gather(item, kind, found, plain)
    elif is_dataclass(tree):
        for _, item in named(tree) or ():
            _gather(item, kind, found, plain)


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor inside."""
    found: list[Tensor] = []
    _gather(tree, Tensor, found, PLAIN)
    return iter(found)


def mapped(tree: Any, kind: type[T], change: Callable[[T], Any]) -> Any:
    """The same tree with everything of that kind changed; sequences become tuples, what has names becomes a dict."""
    return _mapped(tree, kind, change, PLAIN - {kind})


def _mapped(tree: Any, kind: type[T], change: Callable[[T], Any], plain: frozenset[Any]) -> Any:
    if isinstance(tree, kind):
        return change(tree)
    if hasattr(tree, "_fields") or (is_dataclass(tree) and not isinstance(tree, dict)):
        return {key: _mapped(item, kind, change, plain) for key, item in named(tree) or ()} or tree
    if isinstance(tree, (tuple, list)):
        return tuple([item if type(item) in plain else _mapped(item, kind, change, plain) for item in tree])
    if isinstance(tree, dict):
        return {key: _mapped(item, kind, change, plain) for key, item in tree.items()}
    return tree
