"""Keywords: what a network is given beside token ids, by keyword: masks, types, languages, positions, the tokens of a decoder."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

MASKS = ("attention_mask", "padding_mask", "attn_mask", "head_mask", "src_mask", "tgt_mask")  # how names of masks end
WHOLE = ("decoder_", "labels", "head_mask", "past_")  # how names begin of what has no number for each token


@dataclass(frozen=True, eq=False)
class Keywords:
    """What goes with token ids of shape (samples, tokens), and is never explained.

    Arguments:
        values: By keyword: tensors, or anything else that the network takes.
        samples, tokens: How many texts there are, and how long their rows.

    Example:
        >>> beside = Keywords({"types": torch.tensor([[0, 0, 1], [0, 1, 1]]), "use_cache": False}, 2, 3)
        >>> beside.row(1).at(torch.tensor([0, 2])).variants(2)["types"].tolist(), beside.row(1).variants(2)["use_cache"]
        ([[0, 1], [0, 1]], False)
    """

    values: Mapping[str, Any]
    samples: int
    tokens: int

    def row(self, number: int) -> Keywords:
        """What goes with one of the texts."""
        rows = {n: v[number : number + 1] if self._has_row_per_sample(n, v) else v for n, v in self.values.items()}
        return replace(self, values=rows, samples=1)

    @property
    def divisible(self) -> bool:
        """Whether it is known what is left of it where tokens are taken out: not of masks over pairs of tokens."""
        return all(
            self._is_per_token(name, value) or not isinstance(value, Tensor) or value.dim() < 3 or name.startswith(WHOLE)
            for name, value in self.values.items()
        )

    def at(self, places: Tensor) -> Keywords:
        """What goes with the tokens at some places; of as many variants as `places` has rows, where it has rows."""
        if places.dim() == 1:
            chosen = {n: v[:, places] if self._is_per_token(n, v) else v for n, v in self.values.items()}
            return replace(self, values=chosen, tokens=len(places))
        n, length = places.shape
        rows = torch.arange(n, device=places.device)[:, None]
        whole = self.variants(n)
        chosen = {
            name: value[rows, places] if self._is_per_token(name, self.values[name]) else value for name, value in whole.items()
        }
        return Keywords(chosen, n, length)

    def variants(self, n: int) -> dict[str, Any]:
        """What is given with n variants of one text."""
        many = {name for name, value in self.values.items() if n > 1 and self._has_row_per_sample(name, value)}
        return {name: v.expand(n, *v.shape[1:]) if name in many and len(v) == 1 else v for name, v in self.values.items()}

    def _is_per_token(self, name: str, value: Any) -> bool:
        if not isinstance(value, Tensor) or name.startswith(WHOLE) or value.dim() < 2:
            return False
        own = value.shape[1] == self.tokens and len(value) in (1, self.samples)
        return own and (value.dim() == 2 or not name.endswith("mask"))

    def _has_row_per_sample(self, name: str, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dim() > 0 and len(value) == self.samples and name != "head_mask"


@dataclass(frozen=True, eq=False)
class ForwardWithKeywords:
    """A forward pass of token ids, with what is given beside those of one text."""

    forward: Callable[..., Any]
    keywords: Keywords

    def __call__(self, ids: Tensor) -> Any:
        return self.forward(ids, **self.keywords.variants(len(ids)))

    def at(self, places: Tensor) -> ForwardWithKeywords:
        """The same for the tokens at some places, one row of them for each variant."""
        return replace(self, keywords=self.keywords.at(places))


def is_mask(name: str) -> bool:
    """Whether what is called so says where a network may look, and is no input of its own.

    Example:
        >>> is_mask("encoder_attention_mask"), is_mask("mask")
        (True, False)
    """
    return name.endswith(MASKS)


def takes(forward: Callable[..., Any], name: str) -> bool:
    """Whether a function, or the forward pass of a module, has a parameter of that name; True where it does not say.

    Example:
        >>> takes(lambda ids, mask: ids, "mask"), takes(lambda ids: ids, "mask"), takes(lambda ids, **more: ids, "mask")
        (True, False, True)
    """
    try:
        parameters = inspect.signature(getattr(forward, "forward", forward)).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(one.kind == one.VAR_KEYWORD for one in parameters.values())
