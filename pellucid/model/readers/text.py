"""Text: how a text becomes the model's input, by a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError, ModelError
from ..modality.tokens import PADDING, SPECIAL, TEXT, Tokens
from .tokenizer import Encoded, Tokenizer, Vocabulary, as_tokenizer

__all__ = ["Encoded", "Text", "Vocabulary"]


@dataclass(frozen=True, repr=False)
class Text:
    """What happens to a text before the model sees it: a tokenizer makes token ids of it.

    Several texts make a batch: the shorter ones are padded, and padding is never evidence; an explanation looks at every text
    alone, without it.

    Arguments:
        tokenizer: A tokenizer of Hugging Face's `transformers` or `tokenizers`, a `Vocabulary`, or a function from a text to
            token ids, or to `Encoded` ids that say where each stands in the text.
        limit: How many tokens the model reads at most; None: as many as the tokenizer says, or any number.
        blank: The token that stands where one is taken away, by name or id; None: the tokenizer's mask, else its padding, else
            its unknown token.
        source: Where this comes from, for the caption.

    Example:
        >>> text = Text(Vocabulary(["a", "good", "film"]))
        >>> ids, tokens = text.batch(["A good film", "good!"])
        >>> ids.tolist(), tokens.pieces[1]
        ([[2, 3, 4], [3, 1, 0]], ('good', '[UNK]', '[PAD]'))
    """

    tokenizer: Any
    _: KW_ONLY
    limit: int | None = None
    blank: int | str | None = None
    source: str = "given by the user"

    def __str__(self) -> str:
        limit = f", at most {self.limit} tokens" if self.limit else ""
        return f"by {type(self.tokenizer).__name__}{limit} ({self.source})"

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
        if not isinstance(text, str):
            found = f"a {type(text).__name__}"
            raise InputError("A text", found, "a text is a string, and a batch a list of them", "Pass strings.")
        found = self.backend.encode(text)
        if not text.strip() or not any(not special for special in found.special):
            what = f"{text!r}, which is blank" if not text.strip() else f"{text[:40]!r}, of which the tokenizer keeps nothing"
            raise InputError("A text to explain", what, "there is no token to attribute relevance to", "Pass some words.")
        return found.cut(self.limit)

    def read(self, given: Any) -> tuple[Tensor, Tokens]:
        """A text, or a list of texts, as ids with shape (batch, tokens), and what stands where."""
        return self.batch([given] if isinstance(given, str) else given)

    def modality(self, x: Tensor) -> Tokens | None:
        """What stands where in ids that were given as such."""
        whole = not x.is_floating_point() and x.dtype != torch.bool and x.dim() == 2
        return self.tokens(x) if whole else None

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tokens]:
        """Texts as ids with shape (batch, tokens), and what stands where."""
        if not isinstance(texts, (list, tuple)) or not texts:
            found = "an empty list" if isinstance(texts, (list, tuple)) else f"a {type(texts).__name__}"
            raise InputError(
                "Texts to explain", found, "a text is a string, and a batch a list of them", "Pass at least one text."
            )
        read = [self.encode(text) for text in texts]
        longest = max(len(one.ids) for one in read)
        padding = self.padding
        if padding is None and len({len(one.ids) for one in read}) > 1:
            padding = 0  # read by nobody: every text is explained alone
        rows = torch.tensor([[*one.ids, *[padding or 0] * (longest - len(one.ids))] for one in read])
        return rows, self._tokens(tuple(texts), read, longest)

    def tokens(self, ids: Tensor) -> Tokens:
        """What stands where in ids that were given as such: their text is put together again from their names."""
        found, texts = [], []
        for row in ids.tolist():
            text, one = self.backend.decode([i for i in row if i != self.padding])
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
        found = self.backend.id(token)
        if found is not None:
            return found
        ids = [i for i, special in zip(*self.backend.encode(token)[::2], strict=True) if not special]
        if len(ids) == 1 and ids[0] != self.backend.special_id("unk"):
            return ids[0]
        pieces = ", ".join(repr(self.piece(i)) for i in ids) or "nothing"
        raise InputError(
            f"the token {token!r}", f"{len(ids)} tokens: {pieces}", "one is needed",
            "Name one of them, as the tokenizer writes it; the space before a word often belongs to its token.",
        )  # fmt: skip

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

    def _tokens(self, texts: tuple[str, ...], found: Sequence[Encoded], longest: int, ids: Tensor | None = None) -> Tokens:
        """What stands where; padding wherever the ids have it, or behind the text."""
        pieces, spans, kinds = [], [], []
        for row, one in enumerate(found):
            inside = iter(zip(one.ids, one.spans, one.special, strict=True))
            there = [place < len(one.ids) for place in range(longest)]
            there = there if ids is None else [i != self.padding for i in ids[row].tolist()]
            filled = [next(inside) if real else None for real in there]
            name = "" if self.padding is None else self.piece(self.padding)
            pieces.append(tuple(name if token is None else self.piece(token[0]) for token in filled))
            spans.append(tuple((0, 0) if token is None else token[1] for token in filled))
            kinds.append(tuple(PADDING if token is None else SPECIAL if token[2] else TEXT for token in filled))
        return Tokens(texts, tuple(pieces), tuple(spans), tuple(kinds))


def check_reads_texts(model_name: str, preprocess: Any) -> Text:
    """Refuse a text for a model that nobody has told how it reads one."""
    if isinstance(preprocess, Text):
        return preprocess
    raise ModelError(
        f"a text for {model_name}", "a model that does not say how a text becomes its input",
        "another tokenizer gives other numbers, and a plausible and wrong explanation",
        "Load it with preprocess=pl.Text(tokenizer), or pass a tensor of token ids.",
    )  # fmt: skip
