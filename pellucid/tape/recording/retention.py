"""Retention: which tensors of a pass are held while it is recorded; of a long one, those alone that nothing makes again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Iterable

import torch
from torch import Tensor

from pellucid.core import memory
from ..op import Value
from .storage import storage_of

# In bytes. Measured (bench/language_cost.py --long): 2,048 tokens through 18 blocks and a vocabulary of 262,144 take 10.4 GB at
# most in a first call, its checks included, where this much is held; 10.6 GB where 15 to 20 GB were free, and so less was held.
MOST = 4 * 2**30
SHARE = 8  # of the free memory, an eighth


def room(device: torch.device) -> int:
    """How many bytes of a pass are held at a time, before what came earlier is let go."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available()
    return MOST if free is None else min(MOST, free // SHARE)


class Retention:
    """The tensors that a recorder knows by their ids, which are their own only as long as they live.

    Once more than `room` bytes were made, all of them are let go. Those that the model still holds live on, and are held again
    when it reads them: they are the borders, from which the way back makes all others again, part by part.

    Arguments:
        room: In bytes; None: everything is held.
        died: Told the id of a tensor that is no more.
    """

    def __init__(self, room: int | None, died: Callable[[int], None]) -> None:
        self.room, self._died = room, died
        self._objects: dict[int, Tensor] = {}
        self._weak: dict[int, weakref.ref[Tensor]] = {}
        self._recent: list[tuple[Tensor, Value]] = []
        self._bytes = 0

    def keep(self, tensor: Tensor) -> None:
        """Hold a tensor to the end, or until it is let go."""
        self._objects[id(tensor)] = tensor

    def add(self, tensor: Tensor, value: Value, read: Iterable[Value]) -> None:
        """Count a tensor that an operation made, and can make again, of values that it read: a view of them takes no room."""
        if self.room is None:
            return
        self._recent.append((tensor, value))
        if storage_of(tensor) not in {storage_of(v.tensor) for v in read if v.tensor is not None}:
            self._bytes += tensor.untyped_storage().nbytes()

    def let_go(self, written: Container[int]) -> None:
        """If there is no more room, let go of all that was made since it was last done.

        Arguments:
            written: Storages that were written to in place, whose tensors have to be told apart: they stay.
        """
        if self.room is None or self._bytes <= self.room:
            return
        while self._recent:
            tensor, value = self._recent.pop()
            if storage_of(tensor) not in written:
                value.empty, value.tensor = tensor.new_empty(0), None
                self._objects.pop(id(tensor), None)
                self._weak[id(tensor)] = weakref.ref(tensor, self._forget(id(tensor)))
            del tensor
        self._bytes = 0

    def hold_again(self, tensor: Tensor, value: Value) -> None:
        """Hold what was let go, since it is read once more."""
        if value.tensor is None and id(tensor) in self._weak:
            value.tensor = tensor

    def close(self) -> None:
        """The pass is over: nobody asks for an id again."""
        self._weak.clear()
        self._objects.clear()
        self._recent.clear()

    def _forget(self, key: int) -> Callable[[weakref.ref[Tensor]], None]:
        def forget(_: weakref.ref[Tensor]) -> None:
            if self._weak.pop(key, None) is not None:
                self._died(key)

        return forget
