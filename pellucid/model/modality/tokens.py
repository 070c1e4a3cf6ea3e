"""The tokens of a batch of texts: their places in the text, and the words and sentences that they form."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from pellucid.errors import InputError
from .base import Modality

TEXT, SPECIAL, TEMPLATE, PADDING = "text", "special", "template", "padding"
ALONE = (SPECIAL, TEMPLATE)  # no words of the text, and no part of any
Span = tuple[int, int]
Group = tuple[Span, tuple[int, ...]]  # where it stands in the text, and its tokens by their positions


class Piece(NamedTuple):
    """A token, word or sentence with its value.

    Arguments:
        text: As it stands in the text; of a special token its name.
        value: The sum of the relevance of its tokens.
        start, end: Where it stands in the text, in characters; both 0 for special tokens that the tokenizer put there.
        kind: "text", "special", or "template" of a chat.
        positions: Its tokens, by where they stand in the input.
    """

    text: str
    value: float
    start: int
    end: int
    kind: str
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tokens(Modality):
    """The tokens of every text of a batch. Shorter texts are padded to the longest, and padding has a position like all others.

    Arguments:
        texts: The texts themselves.
        pieces: Every token's name, as the vocabulary has it, one tuple per text.
        spans: Where every token stands in its text, (start, end) in characters; (0, 0) for special tokens and padding.
        kinds: "text", "special", "template" (what a chat puts around a turn) or "padding", for every token.

    Example:
        >>> two = Tokens(("a cat",), (("[CLS]", "a", "cat"),), (((0, 0), (0, 1), (2, 5)),), (("special", "text", "text"),))
        >>> [group for group, _ in two.words(0)]
        [(0, 0), (0, 1), (2, 5)]
    """

    kind: ClassVar[str] = "tokens"
    per_sample: ClassVar[tuple[str, ...]] = ("texts", "pieces", "spans", "kinds")

    texts: tuple[str, ...]
    pieces: tuple[tuple[str, ...], ...]
    spans: tuple[tuple[Span, ...], ...]
    kinds: tuple[tuple[str, ...], ...]

    def with_padding(self, mask: Sequence[Sequence[float]]) -> Tokens:
        """The same with padding where a mask has 0 at either end of a text, and nowhere else: what it hides inside is a token.

        Example:
            >>> one = Tokens(("a b c d",), (tuple("abcd"),), (((0, 1), (2, 3), (4, 5), (6, 7)),), (("text",) * 4,))
            >>> one.with_padding([[1, 0, 1, 0]]).kinds
            (('text', 'text', 'text', 'padding'),)
        """
        kinds = []
        for row, mine in zip(self.kinds, mask, strict=True):
            first, last = ends([bool(there) for there in mine])
            real = [SPECIAL if kind == PADDING else kind for kind in row]
            kinds.append(tuple(kind if first <= place < last else PADDING for place, kind in enumerate(real)))
        return replace(self, kinds=tuple(kinds))

    def with_read_padding(self, values: Tensor) -> Tokens:
        """The same with padding that has a value, since the network reads it, as special tokens."""
        has_value = (values.reshape(*values.shape[:2], -1) != 0).any(-1).tolist()
        kinds = tuple(
            tuple(SPECIAL if kind == PADDING and some else kind for kind, some in zip(row, mine, strict=True))
            for row, mine in zip(self.kinds, has_value, strict=True)
        )
        return replace(self, kinds=kinds)

    def single(self, sample: int, places: Sequence[int] | None = None) -> Tokens:
        """One text as a batch of its own, with the tokens at some places; None: without its padding."""
        real = [place for place, kind in enumerate(self.kinds[sample]) if kind != PADDING] if places is None else places
        pieces, kinds = (tuple(part[sample][i] for i in real) for part in (self.pieces, self.kinds))
        return Tokens((self.texts[sample],), (pieces,), (tuple(self.spans[sample][i] for i in real),), (kinds,))

    def whole(self) -> bool:
        rows = zip(self.texts, self.pieces, self.spans, self.kinds, strict=True)
        return all(
            len(pieces) == len(spans) == len(kinds)
            and {TEXT, *ALONE, PADDING}.issuperset(kinds)
            and all(0 <= start <= end <= len(text) for start, end in spans)
            for text, pieces, spans, kinds in rows
        )

    def fits(self, values: Tensor) -> bool:
        """One value per token, or one vector."""
        return values.dim() in (2, 3) and tuple(values.shape[:2]) == (len(self.texts), len(self.pieces[0]))

    def arrange(self, values: Tensor) -> Tensor:
        """Tokens in a row; what a token's vector holds are its channels."""
        return values.reshape(1, 1, -1) if values.dim() == 1 else values.T[:, None]

    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """The text, its tokens, words and sentences with their values; padding is counted."""
        row = heat.flatten()
        groups = {"tokens": self.tokens(sample), "words": self.words(sample), "sentences": self.sentences(sample)}
        sums = {name: [piece._asdict() for piece in self.sum_groups(group, row, sample)] for name, group in groups.items()}
        return {"text": self.texts[sample], **sums, "padding": self.kinds[sample].count(PADDING)}

    def tokens(self, sample: int) -> list[Group]:
        """Every token but padding."""
        kinds = self.kinds[sample]
        return [(span, (position,)) for position, span in enumerate(self.spans[sample]) if kinds[position] != PADDING]

    def words(self, sample: int) -> list[Group]:
        """Words and marks between them; a token that reaches over two words makes one of both."""
        return self._grouped(words(self.texts[sample]), sample)

    def sentences(self, sample: int) -> list[Group]:
        """Sentences: they end at a full stop and the like, or at an empty line."""
        return self._grouped(sentences(self.texts[sample]), sample)

    def groups(self, by: str, sample: int) -> list[Group]:
        """The groups called "token", "word" or "sentence"."""
        named = {"token": self.tokens, "word": self.words, "sentence": self.sentences}
        if by not in named:
            raise InputError(
                f'parts of a text by "{by}"', f'"{by}"', "no parts have that name", f"Use one of {', '.join(named)}."
            )
        return named[by](sample)

    def sum_groups(self, groups: Iterable[Group], row: Tensor, sample: int) -> tuple[Piece, ...]:
        """Groups with the sum of what their tokens have."""
        made = []
        for (start, end), positions in groups:
            kind = self.kinds[sample][positions[0]]
            named = kind == SPECIAL or start >= end
            words = " ".join(self.pieces[sample][place] for place in positions) if named else self.texts[sample][start:end]
            value = sum(float(row[position]) for position in positions)
            made.append(Piece(words, value, start, end, kind if kind in ALONE else TEXT, positions))
        return tuple(made)

    def _grouped(self, stretches: list[Span], sample: int) -> list[Group]:
        """Tokens by the stretches of text they touch, in their order; special ones alone, blanks with what follows."""
        groups: list[Group] = []
        blank: tuple[int, ...] = ()  # tokens that hold nothing but blanks, since the last word
        text = self.texts[sample]
        for span, (position,) in self.tokens(sample):
            if self.kinds[sample][position] in ALONE:
                groups, blank = _with_blank(groups, blank), ()
                groups.append((span, (position,)))
                continue
            if not text[slice(*span)].strip():
                blank = (*blank, position)
                continue
            touched = cover(stretches, trim(text, span))
            last, before = groups[-1] if groups else ((0, 0), ())
            if before and self.kinds[sample][before[-1]] not in ALONE and touched[0] < last[1]:
                groups[-1] = (last[0], max(last[1], touched[1])), (*before, *blank, position)
            else:
                groups.append((touched, (*blank, position)))
            blank = ()
        return _with_blank(groups, blank)


def _with_blank(groups: list[Group], blank: tuple[int, ...]) -> list[Group]:
    """With tokens that no word follows, added to the word before them; a group of their own where there is none."""
    if not blank:
        return groups
    if not groups:
        return [((0, 0), blank)]
    return [*groups[:-1], (groups[-1][0], (*groups[-1][1], *blank))]


def ends(there: Sequence[bool]) -> Span:
    """Where the first that is there stands, and where the last ends; (0, 0) where none is.

    Example:
        >>> ends([False, True, False, True, False])
        (1, 4)
    """
    found = [place for place, one in enumerate(there) if one]
    return (found[0], found[-1] + 1) if found else (0, 0)


def from_ids(ids: Tensor) -> Tokens:
    """Tokens of which nothing is known but their numbers."""
    pieces = tuple(tuple(map(str, row)) for row in ids.tolist())
    spans = []
    for row in pieces:
        ends = list(accumulate(len(piece) + 1 for piece in row))
        spans.append(tuple((end - 1 - len(piece), end - 1) for piece, end in zip(row, ends, strict=True)))
    return Tokens(tuple(map(" ".join, pieces)), pieces, tuple(spans), tuple((TEXT,) * len(row) for row in pieces))


def trim(text: str, span: Span) -> Span:
    """Where a token stands without the blanks about it: many vocabularies give a word the blank before it.

    Example:
        >>> trim("a cat", (1, 5)), trim("a  b", (1, 2))
        ((2, 5), (1, 2))
    """
    start, end = span
    inside = text[start:end]
    if not inside.strip():
        return span
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def cover(stretches: list[Span], span: Span) -> Span:
    """From the first to the last stretch that a token touches; the token itself where it touches none."""
    start, end = span
    first = bisect_right(stretches, start, key=lambda one: one[1])  # they are in order, and do not overlap
    touched = stretches[first : bisect_left(stretches, end, lo=first, key=lambda one: one[0])]
    return (min(touched[0][0], start), max(touched[-1][1], end)) if touched else span


def words(text: str) -> list[Span]:
    """Where words stand: runs of letters, digits and what combines with them, each other sign alone; of scripts that put no
    blank between words, as Chinese, every character.

    Example:
        >>> text = "Don't stop, 東京!"
        >>> [text[start:end] for start, end in words(text)]
        ["Don't", 'stop', ',', '東', '京', '!']
    """
    found: list[list[int]] = []
    joined = False  # whether the next character belongs to the last word
    for place, letter in enumerate(text):
        before = text[place - 1] if place else ""
        if letter.isspace():
            joined = False
        elif (
            found and found[-1][1] == place and (is_combining(letter) or before == "\u200d" or (joined and in_word(text, place)))
        ):
            found[-1][1] = place + 1
            joined = joined and not is_ideograph(letter)
        else:
            found.append([place, place + 1])
            joined = in_word(text, place) and not is_ideograph(letter)
    return [(start, end) for start, end in found]


def in_word(text: str, place: int) -> bool:
    """Letters and digits; a mark between two of them, as in "don't" and "3.5", too."""
    letter = text[place]
    if letter.isalnum() or letter == "_":
        return not is_ideograph(letter)
    inside = 0 < place < len(text) - 1 and text[place - 1].isalnum() and text[place + 1].isalnum()
    digits = inside and text[place - 1].isdigit() and text[place + 1].isdigit()
    return inside and (letter in "'’·" or (letter in ".," and digits))


def is_combining(letter: str) -> bool:
    """Accents, vowel signs, joiners, variation selectors, skin tones: they belong to the character before."""
    return unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf") or "\U0001f3fb" <= letter <= "\U0001f3ff"


def is_ideograph(letter: str) -> bool:
    """Whether a character is a word of its own: ideographs and kana."""
    return "\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" or "\U00020000" <= letter <= "\U0003ffff"


END = re.compile(r"(?:[.!?…؟।]+[\"'”’»)\]]*(?=\s|$))|[。！？]+[」』”’]*|\n\s*\n")


def sentences(text: str) -> list[Span]:
    """Where sentences stand, without the blanks between them.

    Example:
        >>> text = 'It rained. "Why?" Nobody knew'
        >>> [text[start:end] for start, end in sentences(text)]
        ['It rained.', '"Why?"', 'Nobody knew']
    """
    ends = [found.end() for found in END.finditer(text)]
    edges = list(zip([0, *ends], [*ends, len(text)], strict=True))
    return [trim(text, edge) for edge in edges if text[slice(*edge)].strip()]
