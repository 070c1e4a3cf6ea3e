"""Regions of a text: its tokens, words or sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.tape.token_inputs import TokenizedText
from .division import Division, Groups, Sliding
from .regions import Partition, Regions, Windows, partition


@dataclass(frozen=True)
class OfText(Division):
    """The parts of a text: every token, word or sentence is one region; special tokens are in none, and stay."""

    by: Literal["token", "word", "sentence"] = "token"

    def of(self, x: Tensor, model: Model) -> Regions:
        raise InputError(
            f"regions by {self.by}", f"an input of shape {tuple(x.shape)}", "only texts have these",
            "Explain a text or token ids: pl.explain(model, \"text\").",
        )  # fmt: skip


def words() -> OfText:
    """Regions of a text: its words."""
    return OfText("word")


def sentences() -> OfText:
    """Regions of a text: its sentences."""
    return OfText("sentence")


@dataclass(frozen=True, eq=False)
class TextRegions(Partition):
    """Parts of a text. What one of them gets is divided among its tokens, so that the sum over a word is the word's."""

    def paint(self, values: Tensor) -> Tensor:
        sizes = torch.bincount(self.labels[self.labels >= 0].flatten(), minlength=self.n).clamp(min=1)
        return torch.cat([values / sizes.to(values), values.new_zeros(1)])[self.labels]


@dataclass(frozen=True, eq=False)
class Precomputed(Division):
    """Regions that are known already.

    Arguments:
        name: What the division they come from is called in provenance.
    """

    regions: Regions
    name: str

    def of(self, x: Tensor, model: Model) -> Regions:
        return self.regions

    def __str__(self) -> str:
        return self.name


def text_division(division: Any, written: TokenizedText) -> Precomputed:
    """The regions that a division means in one text: those made for pictures become tokens.

    Raises:
        InputError: a mask does not fit the text, or words are asked for without a tokenizer.
    """
    if isinstance(division, Sliding) and division.size is not None:
        line = division.windows(torch.zeros(1, written.count))
        across = torch.tensor([0, 1]).reshape(1, 2, 1).expand(len(line.boxes), 2, 1)
        return Precomputed(Windows((written.count, 1), torch.cat([line.boxes, across], 2)), str(division))
    if isinstance(division, Groups):
        labels = torch.as_tensor(division.mask).cpu().reshape(-1)
        if len(labels) != written.count or labels.is_floating_point():
            raise InputError(
                "regions from a mask", f"{labels.dtype} for {len(labels)} places, and {written.count} tokens",
                "the mask holds the number of a region for every token", "Give one whole number per token.",
            )  # fmt: skip
        return Precomputed(partition(labels.long()[:, None]), str(division))
    by = division.by if isinstance(division, OfText) else "token"
    return Precomputed(_by(by, written), f"OfText(by={by})")


def _by(by: str, written: TokenizedText) -> TextRegions:
    """One region per token, word or sentence."""
    labels, evidence = torch.full((written.count,), -1), written.evidence.cpu()
    groups: Sequence[Sequence[int]]
    if written.tokens is None:
        if by != "token":
            raise InputError(
                f"regions by {by}", "token ids without a tokenizer", f"which of them make up a {by} is not known",
                "Load the model with preprocess=pl.Text(tokenizer).",
            )  # fmt: skip
        groups = [[place] for place in range(written.count)]
    else:
        groups = [positions for _, positions in written.tokens.groups(by, 0)]
    kept = [positions for positions in groups if evidence[positions[0]]]
    for number, positions in enumerate(kept):
        labels[list(positions)] = number
    special = "; special tokens stay" if bool((labels < 0).any()) else ""
    return TextRegions((written.count, 1), labels[:, None], note=f"Regions are {by}s{special}.")
