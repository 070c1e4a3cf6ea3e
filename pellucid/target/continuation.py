"""Targets of texts that go on: the tokens that a language model generates, and the score of a whole continuation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pellucid.errors import TargetError
from .target import Names, Target, Term
from .token import Token, spelled

MOST = 4096  # tokens; more would be a slip of the keyboard

Text = str | tuple[int, ...]
"""A continuation as it is written, or as ids."""


@dataclass(frozen=True)
class Generated:
    """The continuation of a prompt, of which every token is explained by all tokens before it: see `pellucid.generated`."""

    count: int = 0
    text: Text | None = None
    temperature: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        return f"the continuation {self.text!r}" if self.text is not None else f"{self.count} generated tokens"


@dataclass(frozen=True)
class NewToken(Token):
    """The score of a new token, given all before it.

    Arguments:
        number: Which of the new tokens it is, from 1 on.
    """

    number: int = 1

    def text(self, sample: int = 0) -> str:
        ids = self.id if isinstance(self.id, tuple) else (self.id,)
        name = f'"{spelled(self.names[0])}"' if self.names else f"{ids[0]}"
        return f"token {name}, new token {self.number}"


@dataclass(frozen=True)
class Continuation(Term):
    """The score of a whole continuation: the sum over its tokens, each given all before it.

        sum over k of log p(y_k | prompt, y_1 ... y_k-1), or of their logits

    Arguments:
        words: The continuation.
        kind: "log_probability" or "logit".
        ids: Its tokens, once it has been read together with its prompt.
        first: Where, among the positions of the output, its first token is foretold.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[[0.0, 1.0], [3.0, 2.0]]])
        >>> Continuation(words=" b a", kind="logit", ids=(1, 0)).read(scores)
        tensor([4.])
    """

    of_scores: ClassVar[bool] = True

    words: Text = ""
    kind: Literal["log_probability", "logit"] = "log_probability"
    ids: tuple[int, ...] = ()
    first: int = 0

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        return self

    def take(self, rows: Sequence[int]) -> Term:
        return self

    def read(self, value: Tensor) -> Tensor:
        places = slice(self.first, self.first + len(self.ids))
        if not self.ids or value.dim() != 3 or value.shape[1] < places.stop or max(self.ids) >= value.shape[2]:
            raise TargetError(
                str(self), f"outputs of shape {tuple(value.shape)}",
                "a continuation is read after its prompt, from (batch, position, vocabulary)",
                "Explain it with pl.explain(model, prompt, pl.sequence(...)), with a language model.",
            )  # fmt: skip
        rows = value[:, places] if self.kind == "logit" else value[:, places].log_softmax(-1)
        return rows[:, torch.arange(len(self.ids), device=rows.device), torch.tensor(self.ids, device=rows.device)].sum(1)

    def text(self, sample: int = 0) -> str:
        what = "log-probability" if self.kind == "log_probability" else "sum of the logits"
        return f"{what} of {as_words(self.words)}"

    def short(self, sample: int = 0) -> str:
        return as_words(self.words)


def as_words(given: Text) -> str:
    """A continuation as captions write it."""
    return f'"{spelled(given)}"' if isinstance(given, str) else f"tokens {', '.join(map(str, given))}"


def continuation_text(asked: str, given: Any) -> Text:
    """A continuation as users write it.

    Raises:
        TargetError: it is neither a text nor ids, or empty.
    """
    plain = given.flatten().tolist() if hasattr(given, "tolist") else given
    if isinstance(plain, str) and plain:
        return plain
    if isinstance(plain, Sequence) and plain and all(isinstance(one, int) and not isinstance(one, bool) for one in plain):
        return tuple(plain)
    found = "nothing" if isinstance(plain, Sequence) and not plain else f"a {type(given).__name__}"
    raise TargetError(asked, found, "a continuation is a text, or token ids", 'Write it as it goes on: " is Paris".')


def is_sequence(target: Any) -> bool:
    """Whether a target is about whole continuations."""
    return isinstance(target, Target) and any(isinstance(term, Continuation) for _, term in target.terms)
