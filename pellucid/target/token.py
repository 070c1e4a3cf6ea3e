"""Targets of language models: the score of a token at a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import TargetError
from .target import Names, Term

LAST = -1


@dataclass(frozen=True)
class Token(Term):
    """The score of a token at a position, for outputs (batch, position, vocabulary).

    Arguments:
        id, position: As in `pellucid.token`; a tuple of ids has one per sample.
        names: What the tokens are called, for captions.

    Example:
        >>> scores = torch.tensor([[[0.0, 1.0], [3.0, 2.0]]])
        >>> Token(id=1).read(scores), Token().resolve(scores, None)
        (tensor([2.]), Token(at=None, id=(0,), position=-1, names=()))
    """

    of_scores: ClassVar[bool] = True

    id: int | str | tuple[int, ...] | None = None
    position: int | None = None
    names: tuple[str, ...] = ()

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        placed = self if self.position is not None else replace(self, position=LAST)
        if isinstance(placed.id, str):
            placed = replace(placed, id=self._find(placed.id, names))
        elif placed.id is None:
            placed = replace(placed, id=tuple(placed._row(value).argmax(1).tolist()))
        ids = placed.id if isinstance(placed.id, tuple) else (placed.id,)
        if self.names:
            return placed
        token_name = getattr(names, "token_name", None)
        labels = [token_name(i) for i in ids] if token_name is not None else []
        return replace(placed, names=tuple(labels) if all(label is not None for label in labels) else ())

    def _find(self, name: str, names: Names | None) -> int:
        token_id = getattr(names, "token_id", None)
        if token_id is None:
            do = "Give its id, or load the model with preprocess=pl.Text(tokenizer)."
            raise TargetError(f"token {name!r}", "no tokenizer", "a token can only be named where one is known", do)
        return int(token_id(name))

    @property
    def position_read(self) -> int | None:
        return self.position

    def at_its_position(self) -> Term:
        return replace(self, position=LAST)

    def take(self, rows: Sequence[int]) -> Token:
        if not isinstance(self.id, tuple):
            return self
        names = tuple(self.names[row] for row in rows) if self.names else ()
        return replace(self, id=tuple(self.id[row] for row in rows), names=names)

    def read(self, value: Tensor) -> Tensor:
        row = self._row(value)
        ids = self.id if isinstance(self.id, tuple) else (self.id,) * len(row)
        if len(ids) != len(row) or not all(isinstance(i, int) and 0 <= i < row.shape[1] for i in ids):
            raise self._unfit(value)
        return row[torch.arange(len(row), device=row.device), torch.tensor(ids, device=row.device)]

    def _row(self, value: Tensor) -> Tensor:
        """The scores of all tokens at the position, with shape (batch, vocabulary)."""
        place = LAST if self.position is None else self.position
        if value.dim() != 3 or not -value.shape[1] <= place < value.shape[1]:
            raise self._unfit(value)
        return value[:, place]

    def _unfit(self, value: Tensor) -> TargetError:
        return TargetError(
            str(self), f"outputs of shape {tuple(value.shape)}", "tokens are read from (batch, position, vocabulary)",
            "Check both numbers.",
        )  # fmt: skip

    def text(self, sample: int = 0) -> str:
        ids = self.id if isinstance(self.id, tuple) else (self.id,)
        place = sample if isinstance(self.id, tuple) else 0
        token = "the predicted token" if self.id is None else f"token {ids[place]!r}"
        name = f' "{spelled(self.names[place])}"' if self.names else ""
        return f"{token}{name}{self.where(sample)}"

    def where(self, sample: int = 0) -> str:
        return {None: "", LAST: " at the last position"}.get(self.position, f" at position {self.position}")

    def short(self, sample: int = 0) -> str:
        return f'"{spelled(self.names[sample if isinstance(self.id, tuple) else 0])}"' if self.names else self.text(sample)


def spelled(name: str) -> str:
    r"""A token's name on one line: line breaks and what commands a terminal are spelled.

    Example:
        >>> print(spelled("Paris\t"))
        Paris\t
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
