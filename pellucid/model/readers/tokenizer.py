"""Tokenizers of transformers, tokenizers and users behind one protocol, and a small vocabulary of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from pellucid.core.one_line import one_line
from pellucid.errors import InputError, ModelError
from ..modality.tokens import Span, words
from .alignment import spans_by_name

ENDLESS = 10**6  # what tokenizers that know no limit call one is far beyond that


class Encoded(NamedTuple):
    """A text as tokens.

    Arguments:
        ids: Their numbers.
        spans: Where each stands in the text, (start, end) in characters; (0, 0) for those that are not in it.
        special: Which of them are no words of it: [CLS], </s>, and those that stand in it and have a span, as in chats.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    special: tuple[bool, ...]

    @property
    def around(self) -> tuple[bool, ...]:
        """Which of them the tokenizer put around the text; special ones that stand in it are its parts."""
        return tuple(hidden and start == end for hidden, (start, end) in zip(self.special, self.spans, strict=True))

    def at(self, places: Iterable[int]) -> Encoded:
        """Some of them only."""
        kept = list(places)
        ids, spans, special = (tuple(part[place] for place in kept) for part in (self.ids, self.spans, self.special))
        return Encoded(ids, spans, special)  # type: ignore[arg-type]

    def cut(self, limit: int | None, *, side: str = "right") -> Encoded:
        """The first ones only, with the special tokens that end it; the last ones where the left side is cut.

        Example:
            >>> Encoded((7, 8, 9, 1), ((0, 1), (1, 2), (2, 3), (0, 0)), (False, False, False, True)).cut(3).ids
            (7, 8, 1)
        """
        excess = 0 if limit is None else len(self.ids) - limit
        if excess <= 0:
            return self
        inner = [place for place, outside in enumerate(self.around) if not outside]
        left = max(len(inner) - excess, 1)
        gone = set(inner[:-left] if side == "left" else inner[left:])
        return self.at(place for place in range(len(self.ids)) if place not in gone)

    def windows(self, size: int, overlap: int = 0) -> tuple[Encoded, ...]:
        """Parts of at most `size` tokens, each with the special tokens around it.

        Example:
            >>> whole = Encoded((7, 8, 9, 1), ((0, 1), (1, 2), (2, 3), (0, 0)), (False, False, False, True))
            >>> [part.ids for part in whole.windows(3)], [part.ids for part in whole.windows(3, overlap=1)]
            ([(7, 8, 1), (9, 1)], [(7, 8, 1), (8, 9, 1)])
        """
        inner = [place for place, outside in enumerate(self.around) if not outside]
        room = size - (len(self.ids) - len(inner))
        if not 0 <= overlap < room:
            raise InputError(
                f"windows of {size} tokens, {overlap} of them shared", f"{size - room} special tokens around each",
                "no room is left for the next tokens of the text", "Give wider windows, or a smaller overlap.",
            )  # fmt: skip
        starts = range(0, max(len(inner) - overlap, 1), room - overlap)
        kept = [set(inner[start : start + room]) for start in starts]
        return tuple(self.at(place for place, outside in enumerate(self.around) if outside or place in part) for part in kept)


class Tokenizer(Protocol):
    """What is asked of a tokenizer. It may also have a `limit`, with what says so, a `length` to which it pads every text, a
    `cut_side`, "left" or "right", and `padding_is_token`, whether padding has the id of a token that stands in texts.
    """

    def encode(self, text: str) -> Encoded: ...
    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        """The text that ids stand for, and where each stands in it."""

    def piece(self, id: int) -> str: ...
    def as_text(self, id: int) -> str:
        """What it stands for in a text."""

    def id(self, piece: str) -> int | None: ...
    def special_id(self, kind: str) -> int | None:
        """The id of the token for "pad", "mask", "unk" or "eos"."""


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

    __repr__ = one_line

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
        named = {"mask": self.mask, "eos": self.last}
        return {"pad": 0, "unk": 1}.get(kind) if kind not in named else self.codes.get(named[kind] or "")


@dataclass(frozen=True, eq=False)
class HuggingFaceTokenizer:
    """A tokenizer of `transformers`; nothing of it is imported here."""

    tokenizer: Any

    def encode(self, text: str) -> Encoded:
        fast = bool(getattr(self.tokenizer, "is_fast", False))
        found = self.tokenizer(
            text, return_offsets_mapping=fast, return_special_tokens_mask=True, truncation=False, verbose=False
        )
        ids, around = tuple(found["input_ids"]), tuple(map(bool, found["special_tokens_mask"]))
        if fast:
            spans = tuple(
                (0, 0) if hidden else (int(a), int(b)) for (a, b), hidden in zip(found["offset_mapping"], around, strict=True)
            )
        else:
            spans = align(text, ids, around, self.piece).spans
        return Encoded(ids, spans, tuple(hidden or i in self._special for hidden, i in zip(around, ids, strict=True)))

    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        hidden = [i in self._special for i in ids]
        text = self.tokenizer.decode([i for i, special in zip(ids, hidden, strict=True) if not special])
        again = self.encode(text) if text else Encoded((), (), ())
        if again.ids == tuple(ids):
            return text, again
        bare = [(i, span) for i, span, special in zip(*again, strict=True) if not special]
        if [i for i, _ in bare] == [i for i, special in zip(ids, hidden, strict=True) if not special]:
            inner = iter(span for _, span in bare)
            return text, Encoded(tuple(ids), tuple((0, 0) if special else next(inner) for special in hidden), tuple(hidden))
        return join(ids, [self.tokenizer.decode([i]) or self.piece(i) for i in ids], hidden)

    def turn(self, text: str) -> str | None:
        """The chat in which the text is the user's turn and the model's begins; None without a template of chats."""
        if not getattr(self.tokenizer, "chat_template", None):
            return None
        messages = [{"role": "user", "content": text}]
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    @cached_property
    def _special(self) -> frozenset[int]:
        """The ids of special tokens; an unknown word is a part of a text, and none of them."""
        return frozenset(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}

    @property
    def limit(self) -> tuple[int, str] | None:
        """How many tokens it lets a text have, and what says so."""
        longest = self.tokenizer.model_max_length
        return (int(longest), "model_max_length of the tokenizer") if longest and longest < ENDLESS else None

    @property
    def cut_side(self) -> str:
        """The end at which longer texts are cut."""
        return str(getattr(self.tokenizer, "truncation_side", "right"))

    @property
    def padding_is_token(self) -> bool:
        """Whether the id of padding is that of another token, which may stand in a text."""
        others = (getattr(self.tokenizer, f"{kind}_token_id", None) for kind in ("bos", "eos", "cls", "sep", "unk", "mask"))
        return self.special_id("pad") is not None and self.special_id("pad") in others

    def piece(self, id: int) -> str:
        found = self.tokenizer.convert_ids_to_tokens(id)
        return f"token {id}" if found is None else str(found)

    def as_text(self, id: int) -> str:
        piece = self.piece(id)
        if id in self._special:
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
        found = self._whole.encode(text)
        kept = [place for place, real in enumerate(found.attention_mask) if real]
        around = [bool(hidden) for hidden in found.special_tokens_mask]
        spans = [(0, 0) if hidden else (int(a), int(b)) for (a, b), hidden in zip(found.offsets, around, strict=True)]
        special = [hidden or piece in self._special for hidden, piece in zip(around, found.tokens, strict=True)]
        return Encoded(tuple(found.ids), tuple(spans), tuple(special)).at(kept)

    def decode(self, ids: Sequence[int]) -> tuple[str, Encoded]:
        special = [self.piece(i) in self._special for i in ids]
        return join(ids, [self.tokenizer.decode([i], skip_special_tokens=False) or self.piece(i) for i in ids], special, " ")

    @cached_property
    def _whole(self) -> Any:
        """The same tokenizer without a limit of its own, so that it is known what is cut."""
        if self.tokenizer.truncation is None:
            return self.tokenizer
        other = deepcopy(self.tokenizer)
        other.no_truncation()
        return other

    @property
    def limit(self) -> tuple[int, str] | None:
        """How many tokens it lets a text have, and what says so."""
        own = self.tokenizer.truncation
        return None if own is None else (int(own["max_length"]), "truncation of the tokenizer")

    @property
    def length(self) -> int | None:
        """How long it makes every text, by padding."""
        return None if not self.tokenizer.padding else self.tokenizer.padding.get("length")

    @property
    def cut_side(self) -> str:
        """The end at which longer texts are cut."""
        own = self.tokenizer.truncation
        return "right" if own is None else str(own.get("direction", "right"))

    @property
    def padding_is_token(self) -> bool:
        """Whether the id of padding is that of another token, which may stand in a text."""
        return (
            bool(self.tokenizer.padding) and self.piece(self.tokenizer.padding["pad_id"]) != self.tokenizer.padding["pad_token"]
        )

    @cached_property
    def _special(self) -> frozenset[str]:
        """The names of special tokens; an unknown word is a part of a text, and none of them."""
        added = self.tokenizer.get_added_tokens_decoder().values()
        unknown = getattr(self.tokenizer.model, "unk_token", None)
        return frozenset(token.content for token in added if token.special and token.content != unknown)

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
        named = {"pad": ("[PAD]", "<pad>", "<|pad|>"), "mask": ("[MASK]", "<mask>"), "unk": ("[UNK]", "<unk>")}
        named["eos"] = ("</s>", "<eos>", "[EOS]", "<|endoftext|>")
        return next((i for i in map(self.id, named[kind]) if i is not None), None)


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
    """Where tokens stand, found by their names."""
    inner = iter(spans_by_name(text, [piece(i) for i, hidden in zip(ids, special, strict=True) if not hidden]))
    return Encoded(ids, tuple((0, 0) if hidden else next(inner) for hidden in special), special)


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
