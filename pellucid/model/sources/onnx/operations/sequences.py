"""Sequences of tensors as lists, and optional values, where nothing is None."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..operation import Node, integers, operation


@operation("SequenceEmpty")
def sequence_empty(node: Node) -> list[Any]:
    return []


@operation("SequenceConstruct")
def sequence_construct(node: Node, *members: Any) -> list[Any]:
    return list(members)


@operation("SequenceAt")
def sequence_at(node: Node, sequence: list[Any], at: Tensor) -> Any:
    return sequence[integers(at)[0]]


@operation("SequenceInsert")
def sequence_insert(node: Node, sequence: list[Any], member: Any, at: Tensor | None = None) -> list[Any]:
    """With a member before a place, or at the end."""
    place = len(sequence) if at is None else integers(at)[0]
    return [*sequence[:place], member, *sequence[place:]]


@operation("SequenceErase")
def sequence_erase(node: Node, sequence: list[Any], at: Tensor | None = None) -> list[Any]:
    """Without the member at a place, or the last one."""
    place = range(len(sequence))[-1 if at is None else integers(at)[0]]
    return [*sequence[:place], *sequence[place + 1 :]]


@operation("SequenceLength")
def sequence_length(node: Node, sequence: list[Any]) -> Tensor:
    return torch.tensor(len(sequence))


@operation("SplitToSequence")
def split_to_sequence(node: Node, x: Tensor, sizes: Tensor | None = None) -> list[Tensor]:
    """Parts of one size, of the sizes given, or of one each, which lose that axis where they need not keep it."""
    axis = node.get("axis", 0)
    if sizes is not None:
        given = integers(sizes)
        return list(x.split_with_sizes(given, axis) if sizes.dim() else x.tensor_split(_starts(given[0], x.shape[axis]), axis))
    return list(x.split_with_sizes([1] * x.shape[axis], axis) if node.get("keepdims", 1) else x.unbind(axis))


def _starts(size: int, length: int) -> list[int]:
    """Where all parts of a size but the first begin."""
    return list(range(size, length, size))


@operation("ConcatFromSequence")
def concat_from_sequence(node: Node, sequence: list[Tensor]) -> Tensor:
    return (torch.stack if node.get("new_axis", 0) else torch.cat)(sequence, node.get("axis"))


@operation("Optional")
def optional(node: Node, value: Any = None) -> Any:
    return value


@operation("OptionalHasElement")
def has_element(node: Node, value: Any = None) -> Tensor:
    return torch.tensor(value is not None)


@operation("OptionalGetElement")
def get_element(node: Node, value: Any) -> Any:
    """What an optional value holds.

    Raises:
        ValueError: It holds nothing.
    """
    if value is None:
        raise ValueError("an optional value that holds nothing is read")
    return value
