"""Spelling: which token a text stands for. Vocabularies have most words twice, with the blank before them and without it."""

from __future__ import annotations

from pellucid.errors import InputError
from .tokenizer import Tokenizer

BLANKS = ("▁", "Ġ")  # how vocabularies write the blank before a word


def find(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token, by its name or by the text it stands for; where that is none, with the blank before it, or without.

    Raises:
        InputError: no single token is called so.
    """
    found = called(tokenizer, token)
    if found is None:
        found = called(tokenizer, other := other_spelling(token))
        found = found if found is not None and tokenizer.as_text(found) == other else None
    if found is not None:
        return found
    ids = _inner(tokenizer, token)
    pieces = ", ".join(repr(tokenizer.piece(i)) for i in ids) or "nothing"
    first = f", {tokenizer.as_text(ids[0])!r} say" if ids else ""
    raise InputError(
        f"the token {token!r}", f"{len(ids)} tokens: {pieces}", "one is needed",
        f"Name one of them, as the tokenizer writes it{first}; pl.sequence({token!r}) is the score of all of them together.",
    )  # fmt: skip


def called(tokenizer: Tokenizer, token: str) -> int | None:
    """The id of a token, by its name or by the text it stands for."""
    named = tokenizer.id(token)
    if named is not None:
        return named
    for mark in BLANKS if token.startswith(" ") else ():
        marked = tokenizer.id(mark + token[1:])
        if marked is not None and tokenizer.as_text(marked) == token:
            return marked
    ids = _inner(tokenizer, token)
    return ids[0] if len(ids) == 1 and ids[0] != tokenizer.special_id("unk") else None


def with_other_blank(tokenizer: Tokenizer, token: str, id: int) -> int | None:
    """The id of the same word with the blank before it, or without, where that is another token."""
    known = tokenizer.as_text(id)
    if not known.strip():
        return None
    found = called(tokenizer, other_spelling(known))
    return found if found is not None and found != id and tokenizer.as_text(found) == other_spelling(known) else None


def other_spelling(token: str) -> str:
    """With the blank in front, or without it.

    Example:
        >>> other_spelling("Paris"), other_spelling(" Paris")
        (' Paris', 'Paris')
    """
    return token[1:] if token.startswith(" ") else f" {token}"


def _inner(tokenizer: Tokenizer, token: str) -> list[int]:
    """The ids of a text without those that are put around it."""
    found = tokenizer.encode(token) if token.strip() else None
    return [] if found is None else [i for i, special in zip(found.ids, found.special, strict=True) if not special]
