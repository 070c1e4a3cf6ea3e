"""Tokenizers of transformers, tokenizers and users behind one protocol, and a small vocabulary of our own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from pellucid.errors import ModelError
from ..modality.tokens import Span, words

ENDLESS = 10**6  # what tokenizers that know no limit call one is far beyond that


class Encoded(NamedTuple):
    """A text as tokens.

    Arguments:
        ids: Their numbers.
        spans: Where each stands in the text, (start, end) in characters; (0, 0) for those that are not in it.
        special: Which of them are not in it: [CLS], </s>.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    special: tuple[bool, ...]

    def cut(self, limit: int | None) -> Encoded:
        """The first ones only, with the special tokens that end it.

        Example:
            >>> Encoded((7, 8, 9, 1), ((0, 1), (1, 2), (2, 3), (0, 0)), (False, False, False, True)).cut(3).ids
            (7, 8, 1)
        """
        excess = 0 if limit is None else len(self.ids) - limit
        if excess <= 0:
            return self
        inner = [place for place, special in enumerate(self.special) if not special]
        gone = set(inner[max(len(inner) - excess, 1) :])
        kept = [place for place in range(len(self.ids)) if place not in gone]
        ids, spans, special = (tuple(part[place] for place in kept) for part in (self.ids, self.spans, self.special))
        return Encoded(ids, spans, special)  # type: ignore[arg-type]


class Tokenizer(Protocol):
    """What is asked of a tokenizer."""

    def encode(self, text: str) -> Encoded: ...
    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        """The text that ids stand for, and where each stands in it."""

    def piece(self, id: int) -> str: ...
    def as_text(self, id: int) -> str:
        """What it stands for in a text."""

    def id(self, piece: str) -> int | None: ...
    def special_id(self, kind: str) -> int | None:
        """The id of the token for "pad", "mask" or "unk"."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer of our own: words and marks, each with its number in a list; what is not in it is unknown.

    Numbers 0 and 1 are padding and the unknown word; then come `first`, `last` and `mask` where given, then the words.

    Arguments:
        words: The words it knows.
        lower: Whether case is no matter.
        first, last, mask: Special tokens at the beginning and the end of every text, and for what is taken away: "[CLS]".

    Example:
        >>> Vocabulary(["good", "film"], first="[CLS]").encode("A good film.")
        Encoded(ids=(2, 1, 3, 4, 1), spans=((0, 0), (0, 1), (2, 6), (7, 11), (11, 12)),
            special=(True, False, False, False, False))
    """

    words: Sequence[str]
    lower: bool = True
    first: str | None = None
    last: str | None = None
    mask: str | None = None

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Every token by its number."""
        special = filter(None, (self.first, self.last, self.mask))
        return ("[PAD]", "[UNK]", *special, *(word.lower() if self.lower else word for word in self.words))

    @cached_property
    def codes(self) -> dict[str, int]:
        return {piece: number for number, piece in reversed(list(enumerate(self.pieces)))}

    def encode(self, text: str) -> Encoded:
        spans = words(text)
        found = [self.codes.get(text[slice(*span)].lower() if self.lower else text[slice(*span)], 1) for span in spans]
        head, tail = ([] if one is None else [self.codes[one]] for one in (self.first, self.last))
        special = (True,) * len(head) + (False,) * len(found) + (True,) * len(tail)
        nowhere = (0, 0)
        return Encoded((*head, *found, *tail), (*[nowhere] * len(head), *spans, *[nowhere] * len(tail)), special)

    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        special = {self.codes[one] for one in (self.first, self.last, self.mask) if one is not None} | {0}
        return join(ids, [self.piece(i) for i in ids], [i in special for i in ids], " ")

    def piece(self, id: int) -> str:
        return self.pieces[id] if 0 <= id < len(self.pieces) else f"token {id}"

    def as_text(self, id: int) -> str:
        return self.piece(id)

    def id(self, piece: str) -> int | None:
        return self.codes.get(piece.lower() if self.lower and piece not in self.codes else piece)

    def special_id(self, kind: str) -> int | None:
        return {"pad": 0, "unk": 1, "mask": None if self.mask is None else self.codes[self.mask]}[kind]


@dataclass(frozen=True, eq=False)
class HuggingFaceTokenizer:
    """A tokenizer of `transformers`; nothing of it is imported here."""

    tokenizer: Any

    def encode(self, text: str) -> Encoded:
        limit = self.tokenizer.model_max_length
        how = {"truncation": True, "max_length": limit} if limit and limit < ENDLESS else {}
        fast = bool(getattr(self.tokenizer, "is_fast", False))
        found = self.tokenizer(text, return_offsets_mapping=fast, return_special_tokens_mask=True, **how)
        ids, special = tuple(found["input_ids"]), tuple(map(bool, found["special_tokens_mask"]))
        if not fast:
            return align(text, ids, special, self.piece)
        spans = tuple(
            (0, 0) if hidden else (int(a), int(b)) for (a, b), hidden in zip(found["offset_mapping"], special, strict=True)
        )
        return Encoded(ids, spans, special)

    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        hidden = [i in self.tokenizer.all_special_ids for i in ids]
        text = self.tokenizer.decode([i for i, special in zip(ids, hidden, strict=True) if not special])
        again = self.encode(text)
        if again.ids == tuple(ids):
            return text, again
        bare = [(i, span) for i, span, special in zip(*again, strict=True) if not special]
        if [i for i, _ in bare] == [i for i, special in zip(ids, hidden, strict=True) if not special]:
            inner = iter(span for _, span in bare)
            return text, Encoded(tuple(ids), tuple((0, 0) if special else next(inner) for special in hidden), tuple(hidden))
        return join(ids, [self.tokenizer.decode([i]) for i in ids], hidden)

    def piece(self, id: int) -> str:
        found = self.tokenizer.convert_ids_to_tokens(id)
        return f"token {id}" if found is None else str(found)

    def as_text(self, id: int) -> str:
        piece = self.piece(id)
        if id in self.tokenizer.all_special_ids:
            return piece
        found = str(self.tokenizer.decode([id]))
        return f" {found}" if piece.startswith("▁") and not found.startswith(" ") else found or piece

    def id(self, piece: str) -> int | None:
        found = self.tokenizer.convert_tokens_to_ids(piece)
        unknown = self.tokenizer.unk_token_id
        return None if found is None or (found == unknown and piece != self.tokenizer.unk_token) else int(found)

    def special_id(self, kind: str) -> int | None:
        found = getattr(self.tokenizer, f"{kind}_token_id", None)
        return None if found is None else int(found)


@dataclass(frozen=True, eq=False)
class TokenizersTokenizer:
    """A tokenizer of the package `tokenizers`; nothing of it is imported here."""

    tokenizer: Any

    def encode(self, text: str) -> Encoded:
        found = self.tokenizer.encode(text)
        special = tuple(map(bool, found.special_tokens_mask))
        spans = tuple((0, 0) if hidden else (int(a), int(b)) for (a, b), hidden in zip(found.offsets, special, strict=True))
        return Encoded(tuple(found.ids), spans, special)

    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        special = [self.piece(i) in self._special for i in ids]
        return join(ids, [self.tokenizer.decode([i], skip_special_tokens=False) for i in ids], special, " ")

    @cached_property
    def _special(self) -> frozenset[str]:
        return frozenset(token.content for token in self.tokenizer.get_added_tokens_decoder().values() if token.special)

    def piece(self, id: int) -> str:
        found = self.tokenizer.id_to_token(id)
        return f"token {id}" if found is None else str(found)

    def as_text(self, id: int) -> str:
        return self.piece(id) if self.piece(id) in self._special else str(self.tokenizer.decode([id])) or self.piece(id)

    def id(self, piece: str) -> int | None:
        found = self.tokenizer.token_to_id(piece)
        return None if found is None else int(found)

    def special_id(self, kind: str) -> int | None:
        if kind == "pad" and self.tokenizer.padding:
            return int(self.tokenizer.padding["pad_id"])
        named = {"pad": ("[PAD]", "<pad>", "<|pad|>"), "mask": ("[MASK]", "<mask>"), "unk": ("[UNK]", "<unk>")}[kind]
        return next((i for i in map(self.id, named) if i is not None), None)


@dataclass(frozen=True, eq=False)
class FunctionTokenizer:
    """A function of the user's: from a text to ids, or to `Encoded` ids that say where each stands in the text."""

    function: Callable[[str], Any]

    def encode(self, text: str) -> Encoded:
        found = self.function(text)
        if isinstance(found, Encoded):
            return found
        pair = isinstance(found, tuple) and len(found) == 2 and hasattr(found[0], "__len__")
        ids, spans = found if pair else (found, None)
        ids = tuple(int(i) for i in (ids.flatten().tolist() if hasattr(ids, "tolist") else ids))
        if spans is not None:
            return Encoded(ids, tuple((int(a), int(b)) for a, b in spans), tuple(a == b for a, b in spans))
        stretches = words(text)
        if len(stretches) == len(ids):  # a token per word, as most small tokenizers have it
            return Encoded(ids, tuple(stretches), (False,) * len(ids))
        raise ModelError(
            "A text, by a tokenizer of your own", f"{len(ids)} ids for {len(stretches)} words, and not where each stands",
            "their places in the text are unknown", "Return (ids, spans), a (start, end) in characters for each id.",
        )  # fmt: skip

    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        return join(ids, [self.piece(i) for i in ids], [False] * len(ids), " ")

    def piece(self, id: int) -> str:
        return f"token {id}"

    def as_text(self, id: int) -> str:
        return self.piece(id)

    def id(self, piece: str) -> int | None:
        return None

    def special_id(self, kind: str) -> int | None:
        return None


def is_tokenizer(given: Any) -> bool:
    """Whether it is a tokenizer of `transformers` or `tokenizers`, or ours."""
    of_transformers = hasattr(given, "convert_ids_to_tokens") and callable(given)
    return isinstance(given, Vocabulary) or of_transformers or (hasattr(given, "id_to_token") and hasattr(given, "encode"))


def as_tokenizer(given: Any) -> Tokenizer:
    """What users have as a tokenizer, behind one interface.

    Raises:
        ModelError: it is none.
    """
    if isinstance(given, Vocabulary):
        return given
    if is_tokenizer(given):
        return HuggingFaceTokenizer(given) if hasattr(given, "convert_ids_to_tokens") else TokenizersTokenizer(given)
    if all(hasattr(given, name) for name in ("encode", "decode", "piece", "as_text", "id", "special_id")):
        return given  # type: ignore[no-any-return]
    if callable(given):
        return FunctionTokenizer(given)
    raise ModelError(
        "pl.Text", f"a {type(given).__name__}", "a tokenizer makes token ids of a text",
        "Pass a tokenizer of transformers or tokenizers, a pl.Vocabulary(words), or a function of a text.",
    )  # fmt: skip


def align(text: str, ids: tuple[int, ...], special: tuple[bool, ...], piece: Callable[[int], str]) -> Encoded:
    """Where tokens stand, found by their names; one that is not found takes no room."""
    spans, done, low = [], 0, text.lower()
    for i, hidden in zip(ids, special, strict=True):
        name = piece(i).replace("##", "").replace("</w>", "").strip("▁Ġ ").lower()
        start = -1 if hidden or not name else low.find(name, done)
        spans.append((0, 0) if hidden else (done, done) if start < 0 else (start, start + len(name)))
        done = spans[-1][1] if not hidden else done
    return Encoded(ids, tuple(spans), special)


def join(ids: Sequence[int], pieces: Sequence[str], special: Sequence[bool], between: str = "") -> tuple[str, Encoded]:
    """The text that pieces make, one after the other; special ones are not in it."""
    text, spans = "", []
    for piece, hidden in zip(pieces, special, strict=True):
        if hidden:
            spans.append((0, 0))
            continue
        text += between if text else ""
        spans.append((len(text), len(text) + len(piece)))
        text += piece
    return text, Encoded(tuple(ids), tuple(spans), tuple(special))
