"""The tokens of prompts and of what a model made of them: a row for every new token, explained by all tokens before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from .tokens import PADDING, Tokens


class Matrix(NamedTuple):
    """What every new token of one prompt got from every token.

    Arguments:
        values: With shape (new tokens, tokens); zero from the new token itself on.
        rows: The new tokens, without the blanks about them.
        columns: All tokens likewise: of an encoder first, where there is one.
        source: How many of the columns an encoder reads.
    """

    values: Tensor
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    source: int


@dataclass(frozen=True, eq=False)
class Generated(Tokens):
    """The tokens behind every row of a generated text: its prompt and its continuation, the whole of it in every row.

    Arguments:
        places: Of every row, where the token stands that is explained.
        prompts: Of every row, which of the prompts it goes on from.
        sources: Of every row, how many of its tokens are read by an encoder, and not by the decoder that goes on.

    Example:
        >>> text = ("a cat",), (("a", "cat"),), (((0, 1), (2, 5)),), (("text", "text"),)
        >>> Generated(*text, places=(1,), prompts=(0,), sources=(0,)).new(0)
        'cat'
    """

    kind: ClassVar[str] = "generated"
    per_sample: ClassVar[tuple[str, ...]] = (*Tokens.per_sample, "places", "prompts", "sources")

    places: tuple[int, ...]
    prompts: tuple[int, ...]
    sources: tuple[int, ...]

    def whole(self) -> bool:
        rows = zip(self.pieces, self.places, self.sources, strict=True)
        return Tokens.whole(self) and all(0 <= source < place < len(pieces) for pieces, place, source in rows)

    def new(self, row: int) -> str:
        """The token that a row explains, as it stands in the text, or by its name."""
        return self.name(row, self.places[row])

    def name(self, row: int, place: int) -> str:
        """A token as it stands in the text, or by its name where it does not."""
        start, end = self.spans[row][place]
        return self.texts[row][start:end] if start < end else self.pieces[row][place]

    def of_prompt(self, number: int) -> list[int]:
        """The rows that belong to one prompt, in order."""
        return [row for row, prompt in enumerate(self.prompts) if prompt == number]

    @property
    def prompt_numbers(self) -> tuple[int, ...]:
        """The prompts there are rows of, in order."""
        return tuple(dict.fromkeys(self.prompts))

    def real(self, row: int) -> list[int]:
        """The places of a row that hold a token."""
        return [place for place, kind in enumerate(self.kinds[row]) if kind != PADDING]

    def matrix(self, heat: Tensor, number: int) -> Matrix:
        """What the rows of one prompt got.

        Arguments:
            heat: One number per row and place.
        """
        rows = self.of_prompt(number)
        places = self.real(rows[0])
        names = tuple(_bare(self.name(rows[0], place)) for place in places)
        new = tuple(_bare(self.new(row)) for row in rows)
        return Matrix(heat[rows][:, places], new, names, self.sources[rows[0]])

    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """As of any text, with the token that is explained and where it stands."""
        about = {"new_token": self.new(sample), "position": self.places[sample], "prompt": self.prompts[sample]}
        source = {"source_tokens": self.sources[sample]} if self.sources[sample] else {}
        return {**about, **source, **Tokens.to_dict(self, heat, sample)}


def _bare(name: str) -> str:
    """A name without the blanks about it, unless there is nothing else."""
    return name.strip() or name


def earlier(values: Tensor, place: int) -> Tensor:
    """Values without those at a place and behind it, which a token there cannot have read: exactly zero.

    Example:
        >>> earlier(torch.tensor([[1.0, 2.0, 3.0]]), 2)
        tensor([[1., 2., 0.]])
    """
    kept = torch.arange(values.shape[1], device=values.device) < place
    return values * kept.reshape(1, -1, *[1] * (values.dim() - 2))
