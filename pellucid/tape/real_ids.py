"""Real ids: a model as a function of the token ids themselves, for methods that take tokens away or put others in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.model import Model
from .embedding import Embedded, any_removed, model_at, run_other, shorter


@dataclass(frozen=True, eq=False)
class RealIds:
    """The same text as ids that are replaced one by one, written as real numbers: what methods that take parts away change.

    Everything that the model computes from ids follows them, as masks, positions, and other look-ups do. NaN: left out.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Flatten(), torch.nn.Linear(6, 2)).eval()
        >>> from pellucid.model import load
        >>> from pellucid.tape.embedding import embed
        >>> text = RealIds(embed(load(net), torch.tensor([[4, 1]])))
        >>> torch.equal(text.forward(torch.tensor([[[4.0], [3.0]]])), net(torch.tensor([[4, 3]])))
        True
    """

    embedded: Embedded

    @property
    def vectors(self) -> Tensor:
        """The ids as real numbers, with shape (1, tokens, 1)."""
        return as_numbers(self.embedded.ids)

    def forward(self, numbers: Tensor) -> Any:
        """The model's output for other ids, any number of variants."""
        if not any_removed(numbers):
            return self._run(self.embedded.ids, numbers)
        removed = numbers.isnan().any(-1)
        if bool(removed.all(1).any()):  # of a text from which everything is removed one token is left, with a vector of zeros
            own = self.embedded.vectors.expand(len(numbers), -1, -1)
            return self.embedded.forward(own.masked_fill(removed[..., None], torch.nan))
        return shorter(self._run, self.embedded.ids, numbers, ~removed)

    def _run(self, ids: Tensor, numbers: Tensor, places: Tensor | None = None) -> Any:
        model = self.embedded.model if places is None else model_at(self.embedded.model, places)
        return run_other(model, numbers[..., 0].to(ids.dtype))

    def handle(self) -> Model:
        """The same as a `Model` of real inputs, for methods."""
        return replace(self.embedded.model, forward=self.forward, preprocess=None)


def as_numbers(ids: Tensor) -> Tensor:
    """Ids as real numbers, a vector of one entry each; double, so that every one is exact."""
    return ids.double()[..., None]
