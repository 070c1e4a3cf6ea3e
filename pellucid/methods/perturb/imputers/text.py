"""Imputers of texts: a blank token in the place of a removed one, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.tape.token_inputs import TokenizedText
from ..regions.regions import Regions
from .imputer import Constant, Fill, Imputer, Own


@dataclass(frozen=True)
class LeftOut(Imputer):
    """Nothing stands there: the model reads a shorter text."""

    def prepare(self, x: Tensor, regions: Regions, model: Any) -> Fill:
        nothing = torch.full_like(x, torch.nan)  # what `pellucid.tape.embedding` leaves out
        return lambda gone, draws: nothing


@dataclass(frozen=True, eq=False)
class Blank(Constant):
    """A token that says nothing stands in the place of every one that is taken away.

    Arguments:
        name: What that token is called.
    """

    name: str = ""

    def __str__(self) -> str:
        return f"Blank({self.name})"


def replacement(imputer: Any, written: TokenizedText) -> int | None:
    """The id that stands where a token is taken away; None where something else does."""
    if isinstance(imputer, (LeftOut, Own)) or (callable(imputer) and not hasattr(imputer, "prepare")):
        return None
    return written.blank(imputer if isinstance(imputer, int) and not isinstance(imputer, bool) else None)


def text_imputer(imputer: Any, written: TokenizedText) -> tuple[Any, str]:
    """What stands where tokens are taken away, and a sentence about it.

    Arguments:
        imputer: `LeftOut`, a token id, or a function of vectors; for anything else the tokenizer's blank stands in.
    """
    if isinstance(imputer, LeftOut):
        return imputer, "Removed tokens are left out: the model reads a shorter text."
    if isinstance(imputer, Own) or (callable(imputer) and not hasattr(imputer, "prepare")):
        return imputer, ""
    vectors, name = written.blank_vectors(replacement(imputer, written))
    return Blank(vectors, name), f"Removed tokens are replaced by {name}."
