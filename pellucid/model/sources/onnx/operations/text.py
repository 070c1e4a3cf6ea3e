"""Text among tensors: nested lists of strings, shaped as the file says, moved about as tensors are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch

from ..operation import Function, Node


def is_text(value: Any) -> bool:
    """Whether a value is a string, or a list, nested to any depth, of strings.

    Example:
        >>> is_text([["a"], ["b"]]), is_text([torch.ones(2)])
        (True, False)
    """
    return isinstance(value, str) or (isinstance(value, list) and bool(value) and is_text(value[0]))


def texts(value: Any) -> Iterator[str]:
    """All the strings, row by row."""
    if isinstance(value, str):
        yield value
    else:
        for one in value:
            yield from texts(one)


def lengths(value: Any) -> tuple[int, ...]:
    """The shape of text.

    Example:
        >>> lengths("a"), lengths([["a", "b"]])
        ((), (1, 2))
    """
    if isinstance(value, str):
        return ()
    return (len(value), *(lengths(value[0]) if value else ()))


def as_positions(value: Any, start: int = 0) -> Tensor:
    """Text as a tensor of the same shape that counts its strings; a tensor as it is."""
    if isinstance(value, Tensor):
        return value
    shape = lengths(value)
    return torch.arange(start, start + torch.Size(shape).numel()).view(shape)


def shaped(strings: Sequence[str], shape: Sequence[int]) -> Any:
    """Strings as nested lists of a shape."""
    return chosen(strings, torch.arange(len(strings)).view(torch.Size(shape)))


def chosen(strings: Sequence[str], positions: Tensor) -> Any:
    """The strings at positions, nested as these are shaped."""

    def named(value: Any) -> Any:
        return [named(one) for one in value] if isinstance(value, list) else strings[value]

    with no_dispatch(), torch._C.DisableTorchFunction():  # entry by entry: nothing goes another way by what is read here
        return named(positions.tolist())


def on_text(function: Callable[[str], Any], value: Any) -> Any:
    """A function of every string, with the nesting kept."""
    return function(value) if isinstance(value, str) else [on_text(function, one) for one in value]


def moving(function: Function) -> Function:
    """Let what moves numbers about, and computes nothing, move text as well: it is given places in all the text that comes in."""

    @wraps(function)
    def moves(node: Node, *inputs: Any) -> Any:
        if not any(is_text(value) for value in inputs):
            return function(node, *inputs)
        strings: list[str] = []
        places: list[Any] = []
        for value in inputs:
            places.append(as_positions(value, len(strings)) if is_text(value) else value)
            strings.extend(texts(value) if is_text(value) else ())
        made = function(node, *places)
        return tuple(chosen(strings, one) for one in made) if isinstance(made, tuple) else chosen(strings, made)

    return moves
