"""A language model as a function of a prompt and what follows it, in one row of ids: it returns the scores of what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import MethodError
from .model import Model
from .outputs import main_output


@dataclass(frozen=True, eq=False)
class Continued:
    """A language model that reads a prompt with one or several continuations, given in one row of ids, one after the other.

    Every continuation is read right after the prompt, by itself. The output has shape (batch, position, vocabulary); of several
    continuations those positions only that foretell a token of one, one after the other.

    Arguments:
        forward: The model's own, of (batch, tokens) ids; of one with an encoder, of these and `decoder_input_ids`.
        prompt: How many tokens stand before all continuations; of a model with an encoder, those of the source among them.
        lengths: How many tokens each continuation has. The last one of each is never read, since nothing follows it, and the
            very last one may be left out of the row.
        source: How many of the prompt's tokens the encoder reads; 0 where there is none.

    Example:
        >>> counted = Continued(lambda ids: ids[..., None] + torch.arange(3), prompt=2, lengths=(1, 2))
        >>> counted(torch.tensor([[10, 20, 31, 41, 42]]))[0, :, 0], counted.first
        (tensor([20, 20, 41]), 0)
    """

    forward: Callable[..., Any]
    prompt: int
    lengths: tuple[int, ...]
    source: int = 0

    @property
    def first(self) -> int:
        """The position of the output that foretells the first new token."""
        return self.prompt - self.source - 1 if len(self.lengths) == 1 else 0

    def __call__(self, ids: Tensor) -> Tensor:
        self._check(ids)
        start, scores = self.prompt, []
        if len(self.lengths) == 1:
            return main_output(self._run(ids[:, : start + self.lengths[0] - 1]))
        for length in self.lengths:
            read = torch.cat([ids[:, : self.prompt], ids[:, start : start + length - 1]], 1)
            scores.append(main_output(self._run(read))[:, self.prompt - self.source - 1 :])
            start += length
        return torch.cat(scores, 1)

    def _run(self, ids: Tensor) -> Any:
        if not self.source:
            return self.forward(ids)
        return self.forward(ids[:, : self.source], decoder_input_ids=ids[:, self.source :])

    def _check(self, ids: Tensor) -> None:
        """Refuse rows of which tokens were left out: which of them follow the prompt would not be known."""
        length = self.prompt + sum(self.lengths)
        if ids.shape[1] not in (length, length - 1):
            raise MethodError(
                "A continuation explained by leaving tokens out", f"{ids.shape[1]} of {length} tokens",
                "new tokens stand at places that are counted from the prompt on", 'Replace them: semantics="replace".',
            )  # fmt: skip

    def on(self, model: Model) -> Model:
        """The model that is read so."""
        return replace(model, forward=self)
