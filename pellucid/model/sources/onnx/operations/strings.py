"""Text joined, split, cleaned, and counted in runs of words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..operation import Node, operation
from .text import as_positions, is_text, lengths, on_text, shaped, texts


@operation("StringConcat")
def string_concat(node: Node, left: Any, right: Any) -> Any:
    """Strings after each other, entry by entry, with axes of length one repeated."""
    first, second = torch.broadcast_tensors(as_positions(left), as_positions(right))  # type: ignore[no-untyped-call]
    ours, theirs = list(texts(left)), list(texts(right))
    pairs = zip(first.flatten().tolist(), second.flatten().tolist(), strict=True)
    return shaped([ours[one] + theirs[other] for one, other in pairs], first.shape)


@operation("StringSplit")
def string_split(node: Node, x: Any) -> tuple[Any, Tensor]:
    """The parts of every string, filled up with empty ones along a new last axis, and how many they were."""
    parts = [text.split(node.get("delimiter") or None, node.get("maxsplit", -1)) for text in texts(x)]
    longest, shape = max(map(len, parts), default=0), lengths(x)
    filled = [one for row in parts for one in (*row, *[""] * (longest - len(row)))]
    return shaped(filled, (*shape, longest)), torch.tensor([len(row) for row in parts], dtype=torch.int64).view(shape)


@operation("StringNormalizer")
def string_normalizer(node: Node, x: Any) -> Any:
    """Words without those that are to be stopped, in one case."""
    change = {"LOWER": str.lower, "UPPER": str.upper}.get(node.get("case_change_action", "NONE"), str)
    same = str if node.get("is_case_sensitive", 0) else str.lower
    stopped = {same(word) for word in node.get("stopwords", ())}
    kept = [change(word) for word in texts(x) if same(word) not in stopped] or [""]
    return [kept] if len(lengths(x)) == 2 else kept


@operation("TfIdfVectorizer")
def tf_idf(node: Node, x: Any) -> Tensor:
    """How often each known run of words, or of numbers, stands in a row, weighted where asked."""
    pool = node.get("pool_strings") or node.get("pool_int64s")
    numbers = {word: at for at, word in enumerate(dict.fromkeys(pool))}
    ids = _ids(numbers, x)
    columns = torch.tensor(node.get("ngram_indexes"))
    counts = ids.new_zeros(*ids.shape[:-1], int(columns.max()) + 1, dtype=torch.float32)
    first = 0
    for length, (start, end) in enumerate(_bounds(node, len(pool)), 1):
        grams = torch.tensor([numbers[word] for word in pool[start:end]], device=ids.device).view(-1, length)
        if node.get("min_gram_length") <= length <= node.get("max_gram_length"):
            here = columns[first : first + len(grams)].to(ids.device)
            counts = counts.index_add(-1, here, _found(ids, grams, node.get("max_skip_count")))
        first += len(grams)
    return _weighted(node, counts)


def _ids(numbers: dict[Any, int], x: Any) -> Tensor:
    """The place of each word among the known ones, and -1 for any other."""
    table = on_text(lambda word: numbers.get(word, -1), x) if is_text(x) else None
    if table is not None:
        return torch.tensor(table)
    known = torch.tensor(list(numbers), device=x.device)
    same = x.long()[..., None] == known
    return torch.where(same.any(-1), same.long().argmax(-1), -1)


def _bounds(node: Node, end: int) -> list[tuple[int, int]]:
    """Where the runs of one word, of two, ... begin and end among all known ones."""
    starts = node.get("ngram_counts")
    return list(zip(starts, [*starts[1:], end], strict=True))


def _found(ids: Tensor, grams: Tensor, skipped: int) -> Tensor:
    """How often each run stands in a row, with up to so many words between its own."""
    length, words = grams.shape[1], ids.shape[-1]
    total = ids.new_zeros(*ids.shape[:-1], len(grams), dtype=torch.float32)
    for step in range(1, 2 + (skipped if length > 1 else 0)):
        windows = words - step * (length - 1)
        if windows > 0:
            at = torch.arange(windows, device=ids.device)[:, None] + step * torch.arange(length, device=ids.device)
            total = total + (ids[..., at][..., None, :] == grams).all(-1).sum(-2)
    return total


def _weighted(node: Node, counts: Tensor) -> Tensor:
    mode, weights = node.get("mode"), node.get("weights")
    counts = counts.clamp(max=1) if mode == "IDF" else counts
    return counts if mode == "TF" or weights is None else counts * torch.tensor(weights, device=counts.device)
