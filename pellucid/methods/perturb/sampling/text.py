"""Texts taken apart: regions are tokens, words or sentences, and what is taken away is a blank, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from pellucid.errors import InputError, MethodError
from pellucid.model import Model
from ..imputers.imputer import Constant, Fill, Own
from ..regions.division import Division, Groups, Sliding
from ..regions.regions import Partition, Regions, Windows, partition

if TYPE_CHECKING:
    from pellucid.tape.token_inputs import Written
    from .perturbation import Perturbation


@dataclass(frozen=True)
class OfText(Division):
    """The parts of a text: every token, word or sentence is one region; special tokens are in none, and stay.

    Arguments:
        by: "token", "word" or "sentence".
    """

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
class Spoken(Partition):
    """Parts of a text. What one of them gets is divided among its tokens, so that the sum over a word is the word's.

    Arguments:
        note: What they are, for the caption.
    """

    note: str

    def paint(self, values: Tensor) -> Tensor:
        sizes = torch.bincount(self.labels[self.labels >= 0].flatten(), minlength=self.n).clamp(min=1)
        return torch.cat([values / sizes.to(values), values.new_zeros(1)])[self.labels]


@dataclass(frozen=True, eq=False)
class Ready(Division):
    """Regions that are known already."""

    regions: Regions
    told: str

    def of(self, x: Tensor, model: Model) -> Regions:
        return self.regions

    def __str__(self) -> str:
        return self.told


@dataclass(frozen=True)
class LeftOut:
    """Nothing stands there: the model reads a shorter text."""

    soft = False
    random = False

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


def of_tokens(method: Perturbation, written: Written) -> tuple[Perturbation, tuple[str, ...]]:
    """A method that takes away parts of pictures as one that takes away parts of a text.

    Regions that were made for pictures become tokens; what stands in their place is the tokenizer's blank, unless a token id
    (`imputer=103`), a function of vectors, or `semantics="remove"` was asked for.
    """
    regions, told = _regions(method.division, written)
    imputer, note = _imputer(method, written)
    if method.design.soft and isinstance(imputer, LeftOut):
        raise MethodError(
            f"{method.name} with what is left out", "masks with shares between 0 and 1", "a token is there or is not",
            'Use semantics="replace", or another method: "shapley".',
        )  # fmt: skip
    made = replace(method, division=Ready(regions, told), imputer=imputer, draws=1, accelerate="off", semantics="replace")
    return made, (note,)


def _regions(division: Any, written: Written) -> tuple[Regions, str]:
    """The regions of a text, and how they are called in provenance."""
    if isinstance(division, Sliding) and division.size is not None:
        line = division.windows(torch.zeros(1, written.count))
        across = torch.tensor([0, 1]).reshape(1, 2, 1).expand(len(line.boxes), 2, 1)
        return Windows((written.count, 1), torch.cat([line.boxes, across], 2)), str(division)
    if isinstance(division, Groups):
        labels = torch.as_tensor(division.mask).cpu().reshape(-1)
        if len(labels) != written.count or labels.is_floating_point():
            raise InputError(
                "regions from a mask", f"{labels.dtype} for {len(labels)} places, and {written.count} tokens",
                "the mask holds the number of a region for every token", "Give one whole number per token.",
            )  # fmt: skip
        return partition(labels.long()[:, None]), str(division)
    by = division.by if isinstance(division, OfText) else "token"
    return _by(by, written), f"OfText(by={by})"


def _by(by: str, written: Written) -> Spoken:
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
    return Spoken((written.count, 1), labels[:, None], f"Regions are {by}s{special}.")


def _imputer(method: Perturbation, written: Written) -> tuple[Any, str]:
    """What stands where tokens are taken away, and a sentence about it."""
    given = method.imputer
    if method.semantics == "remove" or isinstance(given, LeftOut):
        return LeftOut(), "What is taken away is left out: the model reads a shorter text."
    if isinstance(given, Own) or (callable(given) and not hasattr(given, "prepare")):
        return given, ""
    id = given if isinstance(given, int) and not isinstance(given, bool) else None
    vectors, name = written.blanked(id)
    return Blank(vectors, name), f"What is taken away is replaced by {name}."
