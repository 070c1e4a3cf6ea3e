"""Text: how a text becomes the model's input, by a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pellucid.errors import InputError, ModelError
from ..modality.tokens import PADDING, Span, Tokens, ends
from . import chat, spelling
from .tokenizer import Encoded, Tokenizer, Vocabulary, as_tokenizer

__all__ = ["Encoded", "Text", "Vocabulary"]


class Part(NamedTuple):
    """A text, or a window of one, as the model reads it.

    Arguments:
        text: The text itself.
        encoded: Its tokens.
        notes, warnings: What is to be said of how it was read; what of that may make its explanation wrong.
        turn: Where the user's words stand in it, if it is a chat.
    """

    text: str
    encoded: Encoded
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    turn: Span | None = None


@dataclass(frozen=True, repr=False)
class Text:
    """What happens to a text before the model sees it: a tokenizer makes token ids of it.

    Several texts make a batch: the shorter ones are padded, and padding is never evidence; an explanation looks at every text
    alone, without it. Of a text that is longer than the limit the beginning is read, and a warning says so; with `window=` all of
    it is read, part by part, each part a sample of the batch.

    Arguments:
        tokenizer: A tokenizer of Hugging Face's `transformers` or `tokenizers`, a `Vocabulary`, or a function from a text to
            token ids, or to `Encoded` ids that say where each stands in the text.
        limit: How many tokens the model reads at most; None: as many as the tokenizer says, or any number.
        window: How many tokens of a longer text are read at once, special tokens among them.
        overlap: How many tokens a window shares with the one before it.
        length: To how many tokens every text is padded, for networks that take no other number of them.
        special: Whether the tokenizer puts its special tokens around a text; None: yes, but none before a text that begins with
            them, as one that a chat template made.
        chat: Whether a text is the user's turn of a chat: the tokenizer's own template is put around it.
        blank: The token that stands where one is taken away, by name or id; None: the tokenizer's mask, else its padding, else
            its unknown token.
        source: Where this comes from, for the caption.

    Example:
        >>> text = Text(Vocabulary(["a", "good", "film"]))
        >>> ids, tokens = text.batch(["A good film", "good!"])
        >>> ids.tolist(), tokens.pieces[1]
        ([[2, 3, 4], [3, 1, 0]], ('good', '[UNK]', '[PAD]'))
        >>> Text(Vocabulary(["a", "good", "film"]), window=2).read("a good film")[1].texts
        ('a good', 'film')
    """

    tokenizer: Any
    _: KW_ONLY
    limit: int | None = None
    blank: int | str | None = None
    source: str = "given by the user"
    window: int | None = None
    overlap: int = 0
    length: int | None = None
    special: bool | None = None
    chat: bool = False

    def __str__(self) -> str:
        parts = [f", at most {self.limit} tokens" if self.limit else "", f", in windows of {self.window}" if self.window else ""]
        parts += [f", padded to {self.length}" if self.length else ""]
        parts += [", as a turn of a chat" if self.chat else ""]
        parts += ["" if self.special is None else ", with special tokens" if self.special else ", without special tokens"]
        return f"by {type(self.tokenizer).__name__}{''.join(parts)} ({self.source})"

    def __repr__(self) -> str:
        return f"Text({type(self.tokenizer).__name__}, {self.source})"

    @cached_property
    def backend(self) -> Tokenizer:
        """The tokenizer behind one interface."""
        return as_tokenizer(self.tokenizer)

    def encode(self, text: str) -> Encoded:
        """One text as ids, with where each stands in it.

        Raises:
            InputError: it is no text, or there is nothing in it.
        """
        found = self._whole(text)[0]
        limit = self.longest
        return found if limit is None else found.cut(limit[0], side=self._backend("cut_side", "right"))

    def _whole(self, text: str) -> tuple[Encoded, tuple[str, ...]]:
        """One text as ids, however many, and what is to be said of its special tokens."""
        if not isinstance(text, str):
            kind = f"a {type(text).__name__}"
            raise InputError("A text", kind, "a text is a string, and a batch a list of them", "Pass strings.")
        around = (found := self.backend.encode(text)).around
        if not text.strip() or all(around):
            what = f"{text!r}, which is blank" if not text.strip() else f"{text[:40]!r}, of which the tokenizer keeps nothing"
            raise InputError("A text to explain", what, "there is no token to attribute relevance to", "Pass some words.")
        if self.special is False or self.chat:  # a template has its own
            return found.at(place for place, outside in enumerate(around) if not outside), ()
        first = around.index(False)
        twice = first > 0 and found.ids[:first] == found.ids[first : 2 * first]
        if not twice or self.special:
            return found, ()
        name = " ".join(map(self.piece, found.ids[:first]))
        return found.at(range(first, len(found.ids))), (
            f"The text begins with {name}, so that the tokenizer's own was left out; pl.Text(tokenizer, special=True) has both.",
        )

    @property
    def longest(self) -> tuple[int, str] | None:
        """How many tokens are read of a text at most, and what says so; None: any number."""
        length = self.fixed_length
        named = [None if self.limit is None else (self.limit, "limit="), None if length is None else (length, "length=")]
        known = [one for one in (*named, self._backend("limit", None) if self.limit is None else None) if one is not None]
        return min(known, default=None)

    @property
    def fixed_length(self) -> int | None:
        """To how many tokens every text is padded; None: to that of the longest in the batch."""
        return self.length if self.length is not None else self._backend("length", None)

    def _backend(self, name: str, default: Any) -> Any:
        """What a tokenizer says of itself, if it does."""
        return getattr(self.backend, name, default)

    def read(self, given: Any) -> tuple[Tensor, Tokens]:
        """A text, or a list of texts, as ids with shape (batch, tokens), and what stands where."""
        return self.lay_out(self.parts(given))

    def modality(self, x: Tensor) -> Tokens | None:
        """What stands where in ids that were given as such."""
        whole = not x.is_floating_point() and x.dtype != torch.bool and x.dim() == 2
        return self.tokens(x) if whole else None

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tokens]:
        """Texts as ids with shape (batch, tokens), and what stands where."""
        return self.read(texts)

    def parts(self, given: Any) -> list[Part]:
        """A text, or a list of texts, as the model reads them: each whole, or window by window, or no further than the limit.

        Raises:
            InputError: it is no text, or there is nothing in it.
        """
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, (list, tuple)) or not texts:
            found = "an empty list" if isinstance(texts, (list, tuple)) else f"a {type(texts).__name__}"
            raise InputError(
                "Texts to explain", found, "a text is a string, and a batch a list of them", "Pass at least one text."
            )
        return [part for text in texts for part in self._parts(text)]

    def _parts(self, text: str) -> list[Part]:
        whole, notes = self._whole(text)
        if self.chat:
            return [self._turn(text)]
        n, limit = len(whole.ids), self.longest
        if self.window is not None and n > self.window:
            size = self.window if limit is None else min(self.window, limit[0])
            windows = whole.windows(size, self.overlap)
            said = f"A text of {n} tokens is read in {len(windows)} windows of at most {size}, each a sample of its own."
            return [Part(*_section(text, window), (*notes, said)) for window in windows]
        if limit is None or n <= limit[0]:
            return [Part(text, whole, notes)]
        side = self._backend("cut_side", "right")
        end = "last" if side == "left" else "first"
        said = (
            f"Of {n} tokens the {end} {limit[0]} are read ({limit[1]}), and the rest has no say; "
            f"pl.Text(tokenizer, window={limit[0]}) explains all of it, window by window."
        )
        return [Part(text, whole.cut(limit[0], side=side), notes, (said,))]

    def _turn(self, text: str) -> Part:
        """A text in the words of a chat."""
        written, place = chat.as_turn(self.backend, text)
        whole = self._whole(written)[0]
        chat.check_fits(len(whole.ids), self.longest, self.window)
        return Part(written, whole, (chat.note(whole.spans, place),), turn=place)

    def lay_out(self, parts: Sequence[Part]) -> tuple[Tensor, Tokens]:
        """Texts as the rows of a batch, padded to one length."""
        read = [part.encoded for part in parts]
        longest = max(self.fixed_length or 0, *(len(one.ids) for one in read))
        filler = self.padding or 0  # without an id of padding it is read by nobody: every text is explained alone
        rows = torch.tensor([[*one.ids, *[filler] * (longest - len(one.ids))] for one in read])
        return rows, self._tokens(tuple(part.text for part in parts), read, longest, turns=[part.turn for part in parts])

    def tokens(self, ids: Tensor) -> Tokens:
        """What stands where in ids that were given as such: their text is put together again from their names."""
        found, texts = [], []
        for row in ids.tolist():
            first, last = self.extent(row)
            text, one = self.backend.decode(row[first:last])
            texts.append(text)
            found.append(one)
        return self._tokens(tuple(texts), found, ids.shape[1], ids)

    def piece(self, id: int) -> str:
        """What a token is called in the vocabulary."""
        return self.backend.piece(id)

    def as_text(self, id: int) -> str:
        """What a token stands for in a text: " Paris" where the vocabulary has "ĠParis"."""
        return self.backend.as_text(id)

    def id(self, token: str) -> int:
        """The id of a token, by its name or by the text it stands for: `" Paris"`.

        Raises:
            InputError: no single token is called so.
        """
        return spelling.find(self.backend, token)

    @property
    def padding(self) -> int | None:
        """The id of padding, where there is one."""
        return self.backend.special_id("pad")

    @property
    def mask(self) -> int | None:
        """The id that stands for a word to be guessed, where there is one."""
        return self.backend.special_id("mask")

    @property
    def blank_id(self) -> int | None:
        """The id that stands where a token is taken away; None where the tokenizer has none for it."""
        if self.blank is not None:
            return self.blank if isinstance(self.blank, int) else self.id(self.blank)
        known = (self.backend.special_id(kind) for kind in ("mask", "pad", "unk"))
        return next((one for one in known if one is not None), None)

    def notes_on_padding(self, ids: Tensor) -> tuple[str, ...]:
        """Where padding has the id of a token that texts hold, and may stand in these: it is taken for that token."""
        if self.padding is None or not self._backend("padding_is_token", False):
            return ()
        there = [ends([i != self.padding for i in row]) for row in ids.tolist()]
        longest = ids.shape[1]
        more = any(first > 1 or longest - last > 1 or (len(ids) > 1 and last < longest) for first, last in there)
        name = self.piece(self.padding)
        said = f"Padding has the id of {name}: without an attention_mask every {name} counts as a token of the text."
        return (said,) if more else ()

    def extent(self, row: Sequence[int]) -> Span:
        """From where to where ids are a text: what is certainly padding stands before or behind it."""
        token = self._backend("padding_is_token", False)
        return ends([token or i != self.padding for i in row])

    def _tokens(
        self, texts: tuple[str, ...], found: Sequence[Encoded], longest: int, ids: Tensor | None = None,
        turns: Sequence[Span | None] = (),
    ) -> Tokens:  # fmt: skip
        """What stands where; padding wherever the ids have it, or behind the text."""
        pieces, spans, kinds = [], [], []
        for row, one in enumerate(found):
            inside = iter(zip(one.ids, one.spans, one.special, strict=True))
            start, end = (0, len(one.ids)) if ids is None else self.extent(ids[row].tolist())
            there = [start <= place < end for place in range(longest)]
            filled = [next(inside) if real else None for real in there]
            name = "" if self.padding is None else self.piece(self.padding)
            pieces.append(tuple(name if token is None else self.piece(token[0]) for token in filled))
            spans.append(tuple((0, 0) if token is None else token[1] for token in filled))
            turn = turns[row] if turns else None
            kinds.append(tuple(PADDING if token is None else chat.kind(token[1], token[2], turn) for token in filled))
        return Tokens(texts, tuple(pieces), tuple(spans), tuple(kinds))


def _section(text: str, window: Encoded) -> tuple[str, Encoded]:
    """The part of a text in which the tokens of a window stand, and these tokens with their places in that part."""
    spans = [span for span, outside in zip(window.spans, window.around, strict=True) if not outside]
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    moved = tuple(
        (0, 0) if outside else (start - first, end - first)
        for (start, end), outside in zip(window.spans, window.around, strict=True)
    )
    return text[first:last], Encoded(window.ids, moved, window.special)


def check_reads_texts(model_name: str, preprocess: Any) -> Text:
    """Refuse a text for a model that nobody has told how it reads one."""
    if isinstance(preprocess, Text):
        return preprocess
    raise ModelError(
        f"a text for {model_name}", "a model that does not say how a text becomes its input",
        "another tokenizer gives other numbers, and a plausible and wrong explanation",
        "Load it with preprocess=pl.Text(tokenizer), or pass a tensor of token ids.",
    )  # fmt: skip
