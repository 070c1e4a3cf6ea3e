"""How a text goes on: the ids of a continuation, and the text that new ids add to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..modality.tokens import SPECIAL, TEXT, Span
from .tokenizer import Tokenizer

PARTIAL = "\ufffd"  # what a decoder shows of a character of which more bytes are to come


class Added(NamedTuple):
    """What new tokens add to a text.

    Arguments:
        text: The letters they add.
        spans: Where each of them stands there; (0, 0) for special tokens.
        kinds: "text" or "special", for each.
        pieces: Their names.
    """

    text: str
    spans: tuple[Span, ...]
    kinds: tuple[str, ...]
    pieces: tuple[str, ...]


def end_of_text(tokenizer: Tokenizer) -> int | None:
    """The id of the token that ends a text, where there is one."""
    try:
        return tokenizer.special_id("eos")
    except KeyError:  # a tokenizer of the user's own need not know of it
        return None


def ids_of_continuation(tokenizer: Tokenizer, prompt: str, text: str) -> tuple[tuple[int, ...], str]:
    """The ids of a text as it goes on from a prompt, and a note where the tokenizer would have joined both.

    They are those by which the tokens of prompt and text together are more than those of the prompt.
    """
    before, both = _inner(tokenizer, prompt), _inner(tokenizer, prompt + text)
    if both[: len(before)] == before:
        return both[len(before) :], ""
    note = "The continuation was read by itself: after the prompt, its first letters would change the prompt's last token."
    return _inner(tokenizer, text), note


def _inner(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """The ids of a text without those that are put around it."""
    found = tokenizer.encode(text) if text else None
    return () if found is None else tuple(i for i, around in zip(found.ids, found.around, strict=True) if not around)


def added(tokenizer: Tokenizer, before: Sequence[int], new: Sequence[int]) -> Added:
    """The text that new ids add to that of others, decoded together with these, since blanks depend on what stands before."""
    special = tuple(tokenizer.decode([i])[1].special[0] for i in new)
    texts = [tokenizer.decode([*before, *new[:n]])[0] for n in range(len(new) + 1)]
    if not texts[-1].startswith(texts[0]):  # a decoder that rewrites what it wrote
        texts = [tokenizer.decode(new[:n])[0] if n else "" for n in range(len(new) + 1)]
    start, whole = len(texts[0]), texts[-1]
    lengths = [min(len(text.rstrip(PARTIAL)), len(whole)) for text in texts[:-1]] + [len(whole)]
    spans = []
    for n, hidden in enumerate(special):
        first = max(lengths[n], start)
        last = next((length for length in lengths[n + 1 :] if length > first), first)  # bytes of one character share its place
        spans.append((0, 0) if hidden else (first - start, last - start))
    kinds = tuple(SPECIAL if hidden else TEXT for hidden in special)
    return Added(whole[start:], tuple(spans), kinds, tuple(map(tokenizer.piece, new)))
