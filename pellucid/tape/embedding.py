"""Token ids as the input: a model as a function of the embedding it looks up for them, where whole numbers become real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.model.outputs import main_output
from . import kinds
from .recording.functional_twin import aten_name
from .recording.record import InterceptMode, plain_kernels

CASTS = frozenset({"_to_copy", "to", "type"})
LOOKUPS = frozenset({"embedding", "index_select", "_embedding_bag", "_embedding_bag_forward_only"})
BAGS = frozenset({"_embedding_bag", "_embedding_bag_forward_only"})


@dataclass(frozen=True, eq=False)
class Embedded:
    """A model that takes the embedding of its tokens in place of their ids.

    The ids themselves stay: masks, positions and whatever else is computed from them are those of the text, and constant.

    Arguments:
        model: The model as it is.
        ids: The ids, with shape (1, tokens) and whatever lies between; variants of their vectors share them.
        vectors: Their embedding, with shape (1, tokens, entries); of several tables, side by side.
        widths: How many entries each look-up has, in the order they happen.
        output: The model's output.
        largest_table: How many rows the largest of the tables has.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Flatten(), torch.nn.Linear(6, 2)).eval()
        >>> from pellucid.model import load
        >>> text = embed(load(net), torch.tensor([[4, 1]]))
        >>> text.vectors.shape, torch.equal(text.forward(text.vectors), net(torch.tensor([[4, 1]])))
        (torch.Size([1, 2, 3]), True)
    """

    model: Model
    ids: Tensor
    vectors: Tensor
    widths: tuple[int, ...]
    output: Any
    largest_table: int = 0

    def forward(self, vectors: Tensor) -> Any:
        """The model's output for other vectors, any number of variants. Tokens whose vectors are NaN are removed."""
        removed = vectors.detach().isnan().any(-1)
        if bool(removed.any()):
            return self._variable_length(vectors, ~removed)
        return self._run(self.ids.expand(len(vectors), *self.ids.shape[1:]).clone(), vectors)

    def _run(self, ids: Tensor, vectors: Tensor) -> Any:
        lookups = EmbeddingLookups(ids, vectors, self.widths)
        with InterceptMode(lookups):
            output = self.model.forward(ids)
        lookups.check()
        return output

    def _variable_length(self, vectors: Tensor, kept: Tensor) -> Tensor:
        """The main output for shorter texts, those of one length together.

        The output of a language model at a removed token is that at the last token before it. Of a text from which everything is
        removed the first token is left, with a vector of zeros.
        """
        empty = ~kept.any(1)
        vectors, kept = vectors.clone(), kept.clone()
        vectors[empty, 0], kept[empty, 0] = 0.0, True
        lengths, outputs = kept.sum(1), [vectors[0]] * len(vectors)
        ids = self.ids.expand(len(vectors), -1)
        for length in sorted(set(lengths.tolist())):
            rows = (lengths == length).nonzero().flatten()
            own = kept[rows]
            made = main_output(self._run(ids[rows][own].reshape(-1, length), vectors[rows][own].reshape(len(rows), length, -1)))
            for row, tokens_kept, output in zip(rows.tolist(), own, made, strict=True):
                reads = made.dim() == 3 and made.shape[1] == length
                outputs[row] = output[(tokens_kept.cumsum(0) - 1).clamp(min=0)] if reads else output
        return torch.stack(outputs)

    def handle(self) -> Model:
        """The same as a `Model` of real inputs, for methods."""
        return replace(self.model, forward=self.forward, preprocess=None)


@torch.no_grad()
def embed(model: Model, ids: Tensor) -> Embedded:
    """A model as a function of the embedding of these ids.

    Raises:
        InputError: the model looks them up in no table, or they are outside it.
    """
    copy = ids.clone()
    lookups = EmbeddingLookups(copy)
    try:
        with plain_kernels(model.module), drawing_apart(model, ids.device), InterceptMode(lookups):
            output = model.forward(copy)
    except IndexError as error:
        raise InputError(
            f"ids from {int(ids.min())} to {int(ids.max())}", str(error).strip(), "the model's table has no such row",
            "Use the tokenizer that belongs to the model.",
        )  from None  # fmt: skip
    if not lookups.rows:
        raise InputError(
            f"An explanation of {ids.dtype} numbers", "that the model looks them up in no table",
            "relevance is defined for real numbers: it ends where whole ones become real, at an embedding, or at x.float()",
            "Pass what the model computes with: x.float().",
        )  # fmt: skip
    return Embedded(
        model, ids, torch.cat(lookups.rows, -1), tuple(row.shape[-1] for row in lookups.rows), output, lookups.largest
    )


class EmbeddingLookups:
    """Follows ids through a forward pass, and records the rows that are looked up for them, or puts other vectors in their place.

    Where ids are only moved, their places move with them, so that it is known which token a row is for.
    """

    def __init__(self, ids: Tensor, vectors: Tensor | None = None, widths: tuple[int, ...] = ()) -> None:
        self.shape, self.vectors, self.widths = tuple(ids.shape), vectors, widths
        self.rows: list[Tensor] = []  # what was looked up, with shape (*ids, entries)
        self.count = self.largest = 0
        self._every = torch.arange(ids.numel(), device=ids.device).reshape(ids.shape)
        self._places: dict[int, Tensor] = {id(ids): self._every}
        self._kept_alive: list[Any] = [ids]  # so that ids of objects stay unique

    def check(self) -> None:
        """Refuse a model that looked something else up this time."""
        if self.count != len(self.widths):
            raise InputError(
                "Other vectors for the same tokens", f"{self.count} look-ups, where there were {len(self.widths)} before",
                "which rows are looked up depends on the vectors, so that they cannot be matched", "Explain a layer: at=...",
            )  # fmt: skip

    def __call__(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an operation; of a look-up of ids, our vectors."""
        known = [self._places.get(id(arg)) for arg in args]
        name = aten_name(fn)
        if name in LOOKUPS and any(place is not None for place in known[1:]):
            self.largest = max(self.largest, len(args[0]))
        if name == "embedding" and known[1] is not None:
            return self.look_up(known[1], args[0].shape[1:], lambda: fn(*args, **kwargs))
        if name == "index_select" and known[2] is not None and args[0].is_floating_point() and args[1] == 0:
            return self.look_up(known[2], args[0].shape[1:], lambda: fn(*args, **kwargs))
        if name == "index" and (places := self._indexed_places(args[1])) is not None and args[0].is_floating_point():
            return self.look_up(places, args[0].shape[1:], lambda: fn(*args, **kwargs))
        if name in BAGS and known[1] is not None:
            return self.look_up_bag(known[1], fn, args, kwargs)
        if not args or known[0] is None:
            return fn(*args, **kwargs)
        out = fn(*args, **kwargs)
        if name in CASTS and isinstance(out, Tensor) and out.is_floating_point():
            return self.look_up(known[0], torch.Size(), lambda: out)
        if name in kinds.ROUTES and not fn._schema.is_mutable:
            self._follow(out, fn(known[0], *args[1:], **(kwargs if name not in CASTS else {})))
        return out

    def look_up(self, places: Tensor, entry: torch.Size, read: Callable[[], Tensor]) -> Tensor:
        """The rows of a table at some places, or those of `vectors`."""
        wide = prod(entry)
        if self.vectors is None:
            out = read()
            rows = out.new_zeros(prod(self.shape), wide)
            rows[places.reshape(-1)] = out.reshape(-1, wide)
            self.rows.append(rows.reshape(*self.shape, wide))
            return out
        if self.count >= len(self.widths) or self.widths[self.count] != wide:
            self.count = len(self.widths) + 1
            self.check()
        first = sum(self.widths[: self.count])
        self.count += 1
        own = self.vectors if len(self.widths) == 1 else self.vectors[..., first : first + wide]
        arranged = self._arranged(own, places)
        return arranged if arranged.shape == (*places.shape, *entry) else arranged.reshape(*places.shape, *entry)

    def look_up_bag(self, places: Tensor, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A sum or mean over bags of tokens, computed as a look-up and a sum."""
        table, indices, offsets = args[:3]
        mode, weights, padding = (
            args[4] if len(args) > 4 else 0,
            args[6] if len(args) > 6 else None,
            args[8] if len(args) > 8 else -1,
        )
        bags = len(offsets) - bool(len(args) > 7 and args[7])
        each = len(indices) // max(bags, 1)
        even = torch.equal(offsets[:bags], torch.arange(bags, device=offsets.device) * each) and each * bags == len(indices)
        if mode > 1 or not even or weights is not None:
            raise InputError(
                "An explanation of token ids", "an embedding bag with a maximum, with weights, or of uneven bags",
                "its tokens cannot be told apart there", "Use an Embedding and a mean over tokens.",
            )  # fmt: skip
        rows = self.look_up(places, table.shape[1:], lambda: table[indices])
        tokens_kept = (indices != padding).to(rows)[:, None]
        total = (rows * tokens_kept).reshape(bags, each, -1).sum(1)
        if mode == 1:
            total = total / tokens_kept.reshape(bags, each, 1).sum(1).clamp(min=1)
        return total, *(indices.new_zeros(0) for _ in range(3))

    def _arranged(self, vectors: Tensor, places: Tensor) -> Tensor:
        """The vectors in the order in which they are looked up."""
        if places.shape == self._every.shape and torch.equal(places, self._every):
            return vectors
        if places.dim() == 2 and places.shape == self._every.T.shape and torch.equal(places, self._every.T):
            return vectors.transpose(0, 1)
        if places.numel() == self._every.numel() and torch.equal(places.reshape(-1), self._every.reshape(-1)):
            return vectors.reshape(*places.shape, vectors.shape[-1])
        return vectors.reshape(-1, vectors.shape[-1])[places]

    def _indexed_places(self, indices: Any) -> Tensor | None:
        """The places of the ids where they are all that indexes a tensor, along its first axis."""
        found = [i for i in indices if i is not None] if isinstance(indices, (list, tuple)) else []
        return self._places.get(id(found[0])) if len(found) == 1 and indices[0] is not None else None

    def _follow(self, out: Any, places: Any) -> None:
        """Note the places of ids that were moved."""
        pairs = zip(out, places, strict=True) if isinstance(out, (tuple, list)) else [(out, places)]
        for made, where in pairs:
            if isinstance(made, Tensor) and not made.is_floating_point() and made.dtype != torch.bool:
                self._places[id(made)] = where
                self._kept_alive.append(made)
