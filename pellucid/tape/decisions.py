"""Decisions of a program: whether it reads numbers of what it was given, `if x.mean() > 0.1`, and goes by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pellucid.core.draws import drawing_apart
from pellucid.core.intercept import InterceptMode
from pellucid.model import Model
from pellucid.model.outputs import tensors
from .recording.functional_twin import aten_name, written_tensors
from .recording.storage import storage_of

# Operations that hand numbers, or how many there are of a kind, to the program.
READS = frozenset(
    """_local_scalar_dense is_nonzero equal nonzero nonzero_numpy argwhere masked_select unique_dim unique_consecutive
    unique_dim_consecutive _unique _unique2""".split()
)
LEAVES = frozenset("tolist numpy __array__ __dlpack__".split())  # methods that leave PyTorch, and that no operation stands for


def decides_by_values(model: Model, x: Tensor) -> bool:
    """Whether the program reads numbers that descend from x while it runs on it, and so may go another way for another input.

    A batch of several inputs then goes one way together: for each to go its own they have to run one at a time. What shapes and
    constants decide does not count.

    Example:
        >>> from pellucid.model import load
        >>> careful = load(lambda x: 2 * x if x.mean() > 0.1 else x)
        >>> decides_by_values(careful, torch.ones(1, 2)), decides_by_values(load(torch.relu), torch.ones(1, 2))
        (True, False)
    """
    watch = Watch()
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        drawing_apart(model, x.device),
        suppress(Exception),
    ):  # it may not take one sample alone
        copy = x.detach().clone()
        with watch.watching(copy):
            model.forward(copy)
    return watch.decided


class Watch:
    """What descends from an input while a program runs, constants made from it included, and whether the program read any."""

    def __init__(self) -> None:
        self.decided = False
        self._storages: set[int] = set()
        self._kept: list[Tensor] = []  # as long as they live, no other tensor has their storage

    @contextmanager
    def watching(self, x: Tensor) -> Iterator[None]:
        """A block in which a program runs on x."""
        self.follow(x)
        with _Leaving(self), InterceptMode(self.dispatch):
            yield

    def follow(self, tensor: Tensor) -> Tensor:
        """Count a tensor among what descends from the input."""
        self._storages.add(storage_of(tensor))
        self._kept.append(tensor)
        return tensor

    def descends(self, tree: Any) -> bool:
        """Whether anything in it does."""
        return any(t.numel() > 0 and storage_of(t) in self._storages for t in tensors(tree))

    def dispatch(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one operation."""
        descends = self.descends((args, kwargs))
        out = fn(*args, **kwargs)
        if descends:
            name = aten_name(fn)
            self.decided |= name in READS or (name == "index" and any(self.descends(t) for t in masks(args[1])))
            for tensor in (*tensors(out), *(written_tensors(fn, args, kwargs) if fn._schema.is_mutable else ())):
                self.follow(tensor)
        return out


def masks(indices: Any) -> list[Tensor]:
    """Those among indices that say which entries are taken, and so how many."""
    return [t for t in tensors(indices) if t.dtype in (torch.bool, torch.uint8)]


class _Leaving(TorchFunctionMode):
    """Sees numbers leave for Python and NumPy."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if getattr(fn, "__name__", "") in LEAVES and self.watch.descends(args[:1]):
            self.watch.decided = True
        return fn(*args, **(kwargs or {}))
