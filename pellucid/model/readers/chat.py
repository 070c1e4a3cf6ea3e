"""Chats: a text as the user's turn, in the words that a tokenizer's own template puts around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.errors import InputError, ModelError
from ..modality.tokens import SPECIAL, TEMPLATE, TEXT, Span

MARKER = "PELLUCID7TURN"  # no template has it, and none changes it


def as_turn(tokenizer: Any, text: str) -> tuple[str, Span]:
    """The chat in which a text is the user's only turn and the model's begins, and where the text stands in it.

    Arguments:
        tokenizer: One with a `turn`: a function from a text to that chat, or None where it has no template.

    Raises:
        ModelError: the tokenizer has no template of chats, or one that takes no such turn.
    """
    turn = getattr(tokenizer, "turn", None)
    around = None if turn is None else _rendered(turn, MARKER)
    if around is None:
        raise ModelError(
            "a text as a turn of a chat", "a tokenizer without a template of chats", "nothing says what stands around a turn",
            "Leave chat=True out: a model that was not trained on chats goes on from the text as it is.",
        )  # fmt: skip
    before, found, after = around.partition(MARKER)
    whole = _rendered(turn, text) or ""
    inside = whole[len(before) : len(whole) - len(after)]
    if not found or not (whole.startswith(before) and whole.endswith(after)) or inside.strip() != text.strip():
        found_words = "a template that changes the words of a turn"
        raise ModelError("a text as a turn of a chat", found_words, "what the model reads would not be the text", OWN)
    start = len(before) + len(inside) - len(inside.lstrip())
    return whole, (start, start + len(inside.strip()))


OWN = "Apply the template yourself, and explain the text it makes, which is read as it is."


def _rendered(turn: Any, text: str) -> str | None:
    try:
        made: str | None = turn(text)
    except Exception as error:  # of a template in the tokenizer's own language
        found = f"a template that fails ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        raise ModelError("a text as a turn of a chat", found, "it cannot be written down", OWN) from None
    return made


def kind(span: Span, special: bool, turn: Span | None) -> str:
    """What a token is: of a chat, one of the template where it stands outside of the turn."""
    if special:
        return SPECIAL
    return TEXT if turn is None or _overlap(span, turn) else TEMPLATE


def note(spans: Sequence[Span], turn: Span) -> str:
    """How many tokens are not the user's."""
    around = sum(not _overlap(span, turn) for span in spans)
    return f"The text is the user's turn of a chat: {around} of {len(spans)} tokens are the template of the tokenizer."


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def check_fits(count: int, limit: tuple[int, str] | None, window: int | None) -> None:
    """Refuse to cut a chat, which would lose the end of its template, or give every window one.

    Raises:
        InputError: it has too many tokens.
    """
    if window is not None and count > window:
        found, do = f"{count} tokens, in windows of {window}", "Give wider windows, or leave chat=True out."
        raise InputError("a turn of a chat, window by window", found, "the template belongs to the whole", do)
    if limit is not None and count > limit[0]:
        found, do = f"{count} tokens where {limit[0]} are read ({limit[1]})", "Shorten the text."
        raise InputError("a turn of a chat", found, "cut short, it would lose the words that end the turn", do)
