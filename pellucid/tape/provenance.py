"""Provenance of whole numbers: of which token id every entry of every tensor that is computed from ids is a function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import tensors
from . import kinds
from .recording.functional_twin import aten_name, written_tensors
from .recording.storage import storage_of

CONSTANT, SEVERAL = -1, -2
"""Of an entry: that it depends on no id; that it depends on more than one, or in a way that is not followed."""

COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and", "logical_or", "logical_xor", "sign"})
ARITHMETIC = frozenset(
    """add sub rsub mul div remainder fmod floor_divide bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift
    bitwise_right_shift __lshift__ __rshift__ __and__ __or__ __xor__ clamp clamp_min clamp_max minimum maximum abs neg
    square floor round trunc ceil pow nan_to_num""".split()
)
ELEMENTWISE = COMPARISONS | ARITHMETIC
FRESH = frozenset(
    """zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full new_empty
    new_empty_strided sym_size sym_stride sym_numel sym_storage_offset is_same_size""".split()
)  # whose content has nothing to do with that of their argument


class Provenance:
    """For every tensor that is computed from ids, the place of the id that each of its entries is a function of.

    Places are kept by storage, so that views of it, and what is written through them, need no care. Real numbers are followed
    only where the input itself is of real numbers, of which some are made into whole ones: codes of categories in a table.

    Arguments:
        ids: The numbers whose places are followed.
        followed: Which entries of a row are; None: all of them. The others are constants.

    Example:
        >>> ids = torch.tensor([[7, 8, 9]])
        >>> known = Provenance(ids)
        >>> known.follow(torch.ops.aten.add.Tensor, (ids, 1), {}, moved := ids + 1)
        >>> known.places(moved)
        tensor([[0, 1, 2]])
    """

    def __init__(self, ids: Tensor, followed: Tensor | None = None) -> None:
        self.real = ids.is_floating_point()
        self._flat: dict[int, Tensor] = {}
        self._comparisons: set[int] = set()  # storages whose entries say yes or no of an id
        self._alive: list[Tensor] = []  # so that storages stay unique
        every = torch.arange(ids.numel(), device=ids.device).reshape(ids.shape)
        self._keep(ids, every if followed is None else every.where(followed, CONSTANT))

    def known(self, tensor: Any) -> bool:
        """Whether a tensor is computed from ids."""
        return isinstance(tensor, Tensor) and storage_of(tensor) in self._flat

    def compares(self, tensor: Tensor) -> bool:
        """Whether a tensor holds answers to comparisons of ids, as a mask does."""
        return storage_of(tensor) in self._comparisons

    def places(self, tensor: Tensor) -> Tensor:
        """The places of a tensor's entries, shaped like it."""
        flat = self._flat.get(storage_of(tensor))
        if flat is None:
            return torch.full(tensor.shape, CONSTANT, device=tensor.device)
        return flat.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

    def reads(self, args: Iterable[Any]) -> list[Tensor]:
        """The tensors among some arguments that are computed from ids."""
        found = []
        for arg in args:
            if isinstance(arg, Tensor):
                if (self.real or not arg.is_floating_point()) and storage_of(arg) in self._flat:
                    found.append(arg)
            elif isinstance(arg, (list, tuple)) and arg:
                found += self.reads(arg)
        return found

    def follow(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Note the places of what an operation made of ids, or wrote into others."""
        name = aten_name(fn)
        if name in FRESH:
            return
        if fn._schema.is_mutable:
            changed = list(written_tensors(fn, args, kwargs))
            for tensor in changed:
                made = self._made(name.removesuffix("_"), fn, args, kwargs, tensor) if len(changed) == 1 else None
                self._write(tensor, made)
                self._mark(name.removesuffix("_"), args, tensor)
            return
        for number, made in enumerate(tensors(out)):
            if storage_of(made) in self._flat or (made.is_floating_point() and not self.real):
                continue  # a view; or real numbers, which are not followed
            places = self._made(name, fn, args, kwargs, made, number)
            if places is None and made.is_floating_point():
                continue  # computed with, and code of nothing any more
            self._keep(made, places)
            self._mark(name, args, made)

    def _keep(self, tensor: Tensor, places: Tensor | None) -> None:
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        self._flat[storage_of(tensor)] = torch.full((size,), SEVERAL, device=tensor.device)
        self._alive.append(tensor)
        if places is not None:
            self.places(tensor).copy_(places)

    def _write(self, tensor: Tensor, places: Tensor | None) -> None:
        """What stands in part of a storage now."""
        if storage_of(tensor) not in self._flat:
            self._keep(tensor, None)
            self._flat[storage_of(tensor)].fill_(CONSTANT)
        here = self.places(tensor)
        if places is None:
            here.fill_(SEVERAL)
        else:
            here.copy_(places)

    def _mark(self, name: str, args: tuple[Any, ...], made: Tensor) -> None:
        """Whether the result is a mask: a comparison, or made of nothing but comparisons."""
        data = self.reads(args[1:] if name == "where" else args[:1] if name == "masked_fill" else args)
        most = args[2] if name == "clamp" and len(args) > 2 and not isinstance(args[2], Tensor) else None
        one = name == "clamp_max" or most == 1  # 0 of padding, 1 of any other
        if made.dtype == torch.bool or name in COMPARISONS or one or all(self.compares(tensor) for tensor in data):
            self._comparisons.add(storage_of(made))

    def _made(
        self, name: str, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], made: Tensor, number: int = 0
    ) -> Tensor | None:
        """The places of a result, shaped like it; None where they are not known."""
        shape = made.shape
        if name in ELEMENTWISE:
            return combined([self.places(arg) for arg in args if isinstance(arg, Tensor)], shape)
        if name in ("fill", "zero"):
            return self.places(args[1]).expand(shape) if len(args) > 1 and isinstance(args[1], Tensor) else _constant(made)
        if name == "copy":
            return self.places(args[1]).expand(shape)
        if name == "where" and len(args) == 3:
            chosen = torch.where(args[0], self._of(args[1], made), self._of(args[2], made))
            return combined([chosen, self.places(args[0])], shape)
        if name == "masked_fill":
            filled = torch.where(args[1], self._of(args[2], made), self.places(args[0]))
            return combined([filled, self.places(args[1])], shape)
        if name == "constant_pad_nd":
            return fn(self.places(args[0]).contiguous(), args[1], CONSTANT)  # type: ignore[no-any-return]
        if name in ("cat", "stack"):
            return fn([self.places(one) for one in args[0]], *args[1:])  # type: ignore[no-any-return]
        if name == "scatter":
            return self.scattered(args, shape)
        if name in ("embedding", "index_select", "index", "gather", "take"):
            looked_up = lookup_places(self, name, args, made)
            return looked_up if looked_up is not None else self._moved(fn, args, kwargs, number)
        return self._moved(fn, args, kwargs, number) if name in kinds.ROUTES else None

    def _moved(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], number: int) -> Tensor | None:
        """Of an operation that only moves the entries of its first argument."""
        if fn._schema.is_mutable or len(self.reads((*args, *kwargs.values()))) != 1 or not self.known(args[0]):
            return None
        if aten_name(fn) in ("_to_copy", "to", "type"):
            return self.places(args[0])
        return list(tensors(fn(self.places(args[0]).clone(), *args[1:], **kwargs)))[number]

    def scattered(self, args: tuple[Any, ...], shape: torch.Size) -> Tensor | None:
        """The places of what is written where ids say, one number to a line: as `one_hot` does. None of other writes."""
        own, dim, index = args[:3]
        source = args[3] if len(args) > 3 else None
        if own.dim() == 0 or index.shape[dim] != 1 or self.known(source):
            return None
        lines = [n if axis != dim % own.dim() else 1 for axis, n in enumerate(own.shape)]
        return combined([self.places(own), self.places(index)], shape) if list(index.shape) == lines else None

    def _of(self, value: Any, like: Tensor) -> Tensor:
        return self.places(value) if isinstance(value, Tensor) else torch.full((), CONSTANT, device=like.device)


def combined(places: list[Tensor], shape: Iterable[int]) -> Tensor:
    """The places of entries that are functions of several: an id beside constants stays one id."""
    result = torch.full(tuple(shape), CONSTANT, device=places[0].device)
    for other in places:
        differ = (other != result) & (other != CONSTANT) & (result != CONSTANT)
        result = torch.where(result == CONSTANT, other, result).masked_fill(differ, SEVERAL)
    return result


def lookup_places(known: Provenance, name: str, args: tuple[Any, ...], made: Tensor) -> Tensor | None:
    """Which id each entry of what was looked up belongs to; None where that is no look-up of ids in a table."""
    table, index = args[0], args[1]
    if known.known(table):
        return None
    if name == "embedding":
        return known.places(index).reshape(*index.shape, *[1] * (table.dim() - 1)).expand(made.shape)
    if name == "index_select":
        at = args[2]
        along = args[1] % max(table.dim(), 1)
        return known.places(at).reshape(-1, *[1] * (made.dim() - along - 1)).expand(made.shape) if known.known(at) else None
    if name == "gather":
        return known.places(args[2]) if known.known(args[2]) else None
    if name == "take":
        return known.places(index) if known.known(index) else None
    return _indexed(known, args, made)


def _indexed(known: Provenance, args: tuple[Any, ...], made: Tensor) -> Tensor | None:
    """Of `table[i, j, ...]`: every entry belongs to the id that its indices are functions of."""
    used = [axis for axis, one in enumerate(args[1]) if one is not None]
    indices = [args[1][axis] for axis in used]
    if not known.reads(indices) or any(one.dtype == torch.bool for one in indices):
        return None
    each = torch.broadcast_tensors(*(known.places(one) for one in indices))  # type: ignore[no-untyped-call]
    places = combined(list(each), each[0].shape)
    together = used == list(range(used[0], used[-1] + 1))
    before = used[0] if together else 0  # PyTorch puts the axes of indices that stand apart in front
    return places.reshape(*[1] * before, *places.shape, *[1] * (made.dim() - before - places.dim())).expand(made.shape)


def _constant(like: Tensor) -> Tensor:
    return torch.full(like.shape, CONSTANT, device=like.device)
