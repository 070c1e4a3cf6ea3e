"""Look-ups of ids in tables: recorded in one forward pass, and replaced by other vectors in the next ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch

from pellucid.errors import InputError
from pellucid.model.outputs import tensors
from .provenance import ELEMENTWISE, SEVERAL, Provenance, combined, lookup_places
from .recording.functional_twin import aten_name
from .recording.storage import storage_of

CASTS = frozenset({"_to_copy", "to", "type"})
LOOKUPS = frozenset({"embedding", "index_select", "index", "gather", "take"})
BAGS = frozenset({"_embedding_bag", "_embedding_bag_forward_only"})


class Lookup(NamedTuple):
    """One look-up of a forward pass.

    Arguments:
        width: How many entries a row has.
        rows: How many different rows it has for one id, at most: of several tables that lie in one, more than one.
    """

    width: int
    rows: int = 1

    @property
    def entries(self) -> int:
        """How many entries an id has."""
        return self.width * self.rows


class SeveralLookUps(Exception):
    """Ids are looked up more than once, or in another order: what is looked up first is not all that the model reads of them."""


class EmbeddingLookups:
    """Follows ids through a forward pass, and records the rows that are looked up for them, or puts other vectors in their place.

    A row is looked up for an id wherever its index is a function of that id and of constants: the id itself, moved, hashed, or
    with an offset, as where one table serves all columns. Numbers that ids are turned into, as by x.float(), and one-hot vectors
    are rows, too. Masks, and what depends on several ids, as hashed pairs and positions counted from a mask, are constant, and
    told in `held`.

    Arguments:
        ids: The ids; or real numbers of which the model makes whole ones.
        vectors: What stands in the place of rows; None: rows are recorded.
        plan: The look-ups that were recorded.
        tables: Of everything that may have been a look-up, whether it was one.
        names: What tables are called, by what they are stored in.
        followed: Which entries of a row are followed; None: all of them.
        opened: Makes of the rows of the only look-up the tensor that the model gets in their place; None: it gets the rows.

    Raises:
        SeveralLookUps: there are others, and `opened` is given.
    """

    def __init__(
        self, ids: Tensor, vectors: Tensor | None = None, plan: Sequence[Lookup] = (), tables: Sequence[bool] = (),
        names: dict[int, str] | None = None, followed: Tensor | None = None, opened: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.shape, self.vectors, self.plan = tuple(ids.shape), vectors, list(plan)
        self.rows: list[Tensor] = []  # what was looked up, with shape (*ids, entries)
        self.held: list[str] = []
        self.count = self.largest = 0
        self.opened = opened
        self.tables = list(tables)
        self._asked, self._looked_up = 0, False
        self._descending: set[int] = set()  # storages of what was computed from rows
        self._known, self._names = Provenance(ids, followed), names or {}
        self._every = torch.arange(ids.numel(), device=ids.device)

    def check(self) -> None:
        """Refuse a model that looked something else up this time."""
        if self.count != len(self.plan):
            raise InputError(
                "Other vectors for the same tokens", f"{self.count} look-ups, where there were {len(self.plan)} before",
                "which rows are looked up depends on the vectors, so that they cannot be matched", "Explain a layer: at=...",
            )  # fmt: skip

    def __call__(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an operation; of a look-up of ids, our vectors."""
        out = self._answer(fn, args, kwargs)
        if self.vectors is None:
            self._note_descent(args, out)
        return out

    def _answer(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        known = self._known
        read = known.reads(args)
        if not read:
            return fn(*args, **kwargs)
        name = aten_name(fn)
        if name in BAGS and known.known(args[1]):
            return self.look_up_bag(fn, args, kwargs)
        if known.real and self.vectors is not None and name in LOOKUPS:
            args = self._in_range(args)
        out = fn(*args, **kwargs)
        if name == "scatter_" and out.is_floating_point() and (places := known.scattered(args, out.shape)) is not None:
            rows = self.look_up(places, out, name, args)  # one-hot vectors, written at their places
            return out if rows is out else out.copy_(rows)
        if not isinstance(out, Tensor) or not out.is_floating_point() or fn._schema.is_mutable:
            self._hold(name, read, out, mutable=fn._schema.is_mutable)
            known.follow(fn, args, kwargs, out)
            return out
        places = self._row_places(name, args, read, out)
        if places is not None:
            return self.look_up(places, out, name, args)
        if known.real and all(tensor.is_floating_point() for tensor in read):
            known.follow(fn, args, kwargs, out)
        else:
            self._hold(name, read, out)
        return out

    def _in_range(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a look-up whose rows are replaced, with the first row in the place of codes that are none: variants
        of real numbers, as between two codes or with noise on them, may lie outside of the table."""

        def first(one: Any) -> Any:
            if isinstance(one, (list, tuple)):
                return [first(each) for each in one]
            if not isinstance(one, Tensor) or one.is_floating_point() or not self._known.known(one):
                return one
            inside = one.masked_fill(self._known.places(one) >= 0, 0)
            self._known.follow(torch.ops.aten.clone.default, (one,), {}, inside)
            return inside

        return (args[0], *map(first, args[1:]))

    def _row_places(self, name: str, args: tuple[Any, ...], read: list[Tensor], out: Tensor) -> Tensor | None:
        """Which id each entry of a result belongs to, where whole numbers become real ones there."""
        known = self._known
        whole = [tensor for tensor in read if not tensor.is_floating_point()]
        if not whole:
            return None
        if name in LOOKUPS:
            self.largest = max(self.largest, len(args[0]) if args[0].dim() else 0)
            return lookup_places(known, name, args, out)
        if name == "scatter":
            return known.scattered(args, out.shape)
        if name in CASTS:
            places = known.places(args[0])
            return None if known.compares(args[0]) and not _one_hot(places, out) else places
        mixes = any(isinstance(arg, Tensor) and arg.is_floating_point() and arg.dim() for arg in args)
        if name in ELEMENTWISE and not mixes and not any(map(known.compares, whole)):  # x / 10
            return combined([known.places(arg) for arg in args if isinstance(arg, Tensor)], out.shape)
        return None

    def look_up(self, places: Tensor, out: Tensor, name: str, args: tuple[Any, ...]) -> Tensor:
        """Rows that were looked up, or those of `vectors`; where they belong to no id, or to several, as they are.

        Arguments:
            places: Which id each entry belongs to, shaped like `out`.
        """
        lines = _lines(places)
        mine = lines >= 0
        if not bool(mine.any()) or not self._is_table(name, args):
            self._tell(lines, name, args)
            return out
        wide = out.numel() // lines.numel()
        if self.vectors is None:
            self._tell(lines, name, args)
            self._record(lines.reshape(-1), out.reshape(-1, wide))
            return self._open(lines.reshape(-1), out)
        if self.count >= len(self.plan) or self.plan[self.count].width != wide:
            self.count = len(self.plan) + 1
            self.check()
        step = self.plan[self.count]
        first = sum(one.entries for one in self.plan[: self.count])
        self.count += 1
        own = self.vectors if len(self.plan) == 1 else self.vectors[..., first : first + step.entries]
        arranged = self._arranged(own, lines.reshape(-1), step, lines.shape)
        arranged = arranged if arranged.shape == out.shape else arranged.reshape(out.shape)
        if bool(mine.all()):
            return arranged
        return torch.where(mine.reshape(*mine.shape, *[1] * (out.dim() - mine.dim())), arranged, out)

    def _open(self, lines: Tensor, out: Tensor) -> Tensor:
        """What the model gets: the rows, or what is made of them, as long as they are looked up once, in their order."""
        if self.opened is None:
            return out
        if len(self.rows) > 1 or self.rows[0].shape != out.shape or not torch.equal(lines, self._every):
            raise SeveralLookUps
        with no_dispatch():
            return self.opened(self.rows[0])

    def _is_table(self, name: str, args: tuple[Any, ...]) -> bool:
        """Whether rows are of a table that stands for itself; of scores that were computed from other rows, ids choose some."""
        if self.vectors is None:
            self.tables.append(storage_of(args[0]) not in self._descending)
            return self.tables[-1]
        self._asked += 1
        return self._asked <= len(self.tables) and self.tables[self._asked - 1]

    def _note_descent(self, args: tuple[Any, ...], out: Any) -> None:
        """Which values were computed from rows that were looked up."""
        descends = self._looked_up or any(storage_of(tensor) in self._descending for tensor in tensors(args))
        self._looked_up = False
        for made in tensors(out):
            if made.is_floating_point():
                (self._descending.add if descends else self._descending.discard)(storage_of(made))

    def _record(self, lines: Tensor, rows: Tensor) -> None:
        """Keep the rows of every id."""
        kept = lines >= 0
        lines, rows = lines[kept], rows[kept]
        number = _occurrence(lines)
        count = int(number.max()) + 1
        own = rows.new_zeros(len(self._every), count, rows.shape[1])
        own[lines, number] = rows
        if count > 1 and torch.equal(own[lines, 0], rows):  # the same row several times
            own, count = own[:, :1], 1
        self.plan.append(Lookup(rows.shape[1], count))
        self.rows.append(own.reshape(*self.shape, -1))
        self._looked_up = True

    def look_up_bag(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A sum or mean over bags of tokens, computed as a look-up and a sum."""
        table, indices, offsets = args[:3]
        defaults: tuple[Any, ...] = (False, 0, False, None, False, -1)
        _, mode, _, weights, last, padding = *args[3:], *defaults[len(args) - 3 :]
        if mode > 1:
            raise InputError(
                "An explanation of token ids", "an embedding bag with a maximum", "its tokens cannot be told apart there",
                "Use an Embedding and a maximum over tokens.",
            )  # fmt: skip
        bags = len(offsets) - bool(last)
        self.largest = max(self.largest, len(table))
        places = self._known.places(indices)[:, None].expand(-1, table.shape[1])
        rows = self.look_up(places, table[indices], "_embedding_bag", args)
        share = (indices != padding).to(rows) if weights is None else (indices != padding).to(rows) * weights
        total = _sum_bags(rows * share[:, None], offsets, bags)
        if mode == 1:
            total = total / _sum_bags((indices != padding).to(rows)[:, None], offsets, bags).clamp(min=1)
        nothing = indices.new_zeros(0)
        return total, nothing, nothing, nothing

    def _arranged(self, vectors: Tensor, lines: Tensor, step: Lookup, shape: torch.Size) -> Tensor:
        """The vectors in the order in which they are looked up."""
        if step.rows > 1:
            table = vectors.reshape(-1, step.rows, step.width)
            kept = lines >= 0
            number = torch.zeros_like(lines)
            number[kept] = _occurrence(lines[kept])
            return table[lines.clamp(min=0), number]
        if len(lines) == len(self._every) and torch.equal(lines, self._every):
            return vectors
        if len(shape) == len(self.shape) == 2 and shape[0] == self.shape[0] and shape[1] and bool((lines >= 0).all()):
            start = int(lines[0])  # a part of every row, cut out of it
            if torch.equal(lines.reshape(shape), self._every.reshape(self.shape)[:, start : start + shape[1]]):
                return vectors[:, start : start + shape[1]]
        across = self._every.reshape(self.shape).T.flatten() if len(self.shape) == 2 else None
        if across is not None and shape == self.shape[::-1] and torch.equal(lines, across):
            return vectors.transpose(0, 1)
        return vectors.reshape(-1, step.width)[lines.clamp(min=0)]

    def _tell(self, lines: Tensor, name: str, args: tuple[Any, ...]) -> None:
        """Say which rows depend on several ids, and are held."""
        if self.vectors is None and storage_of(args[0]) in self._descending:
            self.held.append("places that are read at the end, which ids choose")
        elif self.vectors is None and bool((lines == SEVERAL).any()):
            table = self._names.get(storage_of(args[0]), "") if isinstance(args[0], Tensor) else ""
            what = f"of `{table}` " if table and name not in CASTS else ""
            self.held.append(f"rows {what}that depend on several tokens at once" if name not in CASTS else "numbers made of ids")

    def _hold(self, name: str, read: list[Tensor], out: Any, *, mutable: bool = False) -> None:
        """Say what reads ids and is no look-up, where real numbers, or numbers of Python, are made of them."""
        if self.vectors is not None or (self._known.real and all(tensor.is_floating_point() for tensor in read)):
            return
        real = isinstance(out, Tensor) and out.is_floating_point()
        if real or name in ("_local_scalar_dense", "item", "nonzero") or any(t.is_floating_point() for t in tensors(out)):
            if self._known.real and all(map(self._known.compares, read)):
                return  # of real numbers, comparisons are what they are: a rectifier written otherwise
            self.held.append("masks made of them" if any(map(self._known.compares, read)) else f"what `{name}` makes of them")


def _lines(places: Tensor) -> Tensor:
    """The places without their last axes along which all entries belong to the same id, as the entries of a row do."""
    while places.dim() > 1 and (places.stride(-1) == 0 or places.shape[-1] == 1 or bool((places == places[..., :1]).all())):
        places = places[..., 0]
    return places


def _occurrence(lines: Tensor) -> Tensor:
    """For every entry how many equal ones stand before it.

    Example:
        >>> _occurrence(torch.tensor([4, 7, 4, 4]))
        tensor([0, 0, 1, 2])
    """
    order = lines.argsort(stable=True)
    ordered = lines[order]
    first = torch.searchsorted(ordered, ordered)
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device) - first)


def _one_hot(places: Tensor, out: Tensor) -> bool:
    """Whether comparisons tell ids from one another, entry by entry, as those with all ids do; a mask says one thing of each."""
    if not out.dim() or out.shape[-1] < 2:
        return False
    first = places[..., :1]
    return bool((places == first).all()) and bool((first >= 0).any()) and bool((out != out[..., :1]).any())


def _sum_bags(rows: Tensor, offsets: Tensor, bags: int) -> Tensor:
    """The sum over every bag, with shape (bags, entries)."""
    each = len(rows) // max(bags, 1)
    if each * bags == len(rows) and torch.equal(offsets[:bags], torch.arange(bags, device=offsets.device) * each):
        return rows.reshape(bags, each, -1).sum(1)
    number = torch.searchsorted(offsets[:bags].contiguous(), torch.arange(len(rows), device=offsets.device), right=True) - 1
    return rows.new_zeros(bags, rows.shape[1]).index_add(0, number, rows)
