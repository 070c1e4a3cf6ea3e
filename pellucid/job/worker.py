"""The worker: from items to the bytes of a shard. Every executor calls this one function, so that their results are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pellucid.errors import InputError, PictureError
from . import shard as shards

Rows = dict[str, Tensor]
"""Columns of a shard: tensors whose first axis counts the items."""

OF_ITEMS = PictureError, InputError  # errors of single items; any other may concern all of them


class Compute(Protocol):
    """What computes rows, with everything loaded that it needs."""

    batch: int

    def read(self, number: int) -> Any:
        """The input of an item, as `rows` takes it."""

    def rows(self, numbers: Sequence[int], inputs: Sequence[Any]) -> Rows:
        """The rows of some items."""


Work = Callable[[], Compute]
"""Loads what is needed, once per process; it can be pickled."""


@dataclass(frozen=True)
class ShardResult:
    """A shard that was computed.

    Arguments:
        content: Its bytes.
        broken: By item number, why an item has no row.
    """

    content: bytes
    broken: Mapping[int, str]


def compute_shard(
    compute: Compute, run: str, shard: int, keys: Mapping[int, str], skip: Mapping[int, str] | None = None
) -> ShardResult:
    """A shard: rows of all items that can be computed, and for each other the reason.

    Arguments:
        run: The id of the job.
        keys: The items by number.
        skip: Items known to break the process that computes them, with the reason.

    Raises:
        Exception: all items fail, and not because of what they are: the error of the first.
    """
    broken: dict[int, str] = dict(skip or {})
    numbers = [number for number in keys if number not in broken]
    errors: list[Exception] = []
    parts = []
    for first in range(0, len(numbers), compute.batch):
        read = dict(readable(compute, numbers[first : first + compute.batch], broken))
        parts += bisected(compute, list(read), read, broken, errors) if read else []
    if errors and not parts and not isinstance(errors[0], OF_ITEMS):
        raise errors[0]
    rows = {name: torch.cat([part[name] for _, part in parts]) for name in parts[0][1]} if parts else {}
    items = torch.tensor([number for numbers, _ in parts for number in numbers], dtype=torch.int64)
    content = shards.to_bytes(run, shard, {"item": items, **rows}, {keys[number]: why for number, why in sorted(broken.items())})
    return ShardResult(content, broken)


def readable(compute: Compute, numbers: Sequence[int], broken: dict[int, str]) -> Iterator[tuple[int, Any]]:
    """Items that can be read, with what was read; the others are added to `broken`."""
    for number in numbers:
        try:
            yield number, compute.read(number)
        except (*OF_ITEMS, OSError) as error:
            broken[number] = reason(error)


def bisected(
    compute: Compute, numbers: Sequence[int], read: Mapping[int, Any], broken: dict[int, str], errors: list[Exception]
) -> list[tuple[Sequence[int], Rows]]:
    """The rows of a batch; where it fails, those of its halves, down to the items that are guilty."""
    try:
        return [(numbers, compute.rows(numbers, [read[number] for number in numbers]))]
    except MemoryError:
        raise
    except Exception as error:
        if len(numbers) == 1:
            broken[numbers[0]] = reason(error)
            errors.append(error)
            return []
    half = (len(numbers) + 1) // 2
    halves = (numbers[:half], numbers[half:])
    return [part for some in halves for part in bisected(compute, some, read, broken, errors)]


def reason(error: BaseException) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """A block that computes with so many threads; sums of floating-point numbers depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
