"""Responses: the model's outputs for the rows of a design: all that estimators read, and enough to resume sampling."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.core.files import parse_json, write
from pellucid.core.tensors import read_tensors
from pellucid.errors import MethodError, OutputError
from pellucid.target import Names, Target
from ..regions.regions import Regions
from .design import Design, pack_bits


@dataclass(frozen=True, eq=False)
class Responses:
    """The record of one run over one sample: which rows went through the model, and what it returned.

    Arguments:
        n: How many regions there are.
        design: Which regions were there, row by row.
        answers: The model's output for every row and random draw, with shape (rows, draws, classes); or, where the output is too
            large or the target lies inside the model, the target alone, with one class.
        full: The answer for the sample itself, with shape (classes,).
        empty: The answers with every region removed, with shape (draws, classes); None where the design needs none.
        target: What was explained, settled.
        whole: Whether `answers` are outputs, from which other targets can be read.
        regions: The parts of the sample that rows are about.
        told: Imputer and regions in words; a file of responses has to match it.
        spared: How many rows repeat others and did not go through the model again.
        how: A sentence about how answers were computed, where not by the whole network.
        exact: Whether draws are all that there are: readings then are their means, as of a single draw.
    """

    n: int
    design: Design
    answers: Tensor
    full: Tensor
    empty: Tensor | None
    target: Target
    whole: bool
    regions: Regions | None = None
    told: str = ""
    spared: int = 0
    how: str = ""
    exact: bool = False

    def __len__(self) -> int:
        """How many rows were answered."""
        return len(self.answers)

    @property
    def draws(self) -> int:
        return self.answers.shape[1]

    @property
    def forwards(self) -> int:
        """How many samples went through the model."""
        return (len(self) - self.spared) * self.draws + 1 + (0 if self.empty is None else len(self.empty))

    def rows(self, start: int = 0, stop: int | None = None) -> Tensor:
        """Which regions were there, with shape (rows, n): boolean, or shares in [0, 1]."""
        stop = len(self) if stop is None else stop
        if stop <= start:
            return torch.zeros(0, self.n, dtype=torch.get_default_dtype() if self.design.soft else torch.bool)
        return self.design.rows(self.n, start, stop)

    def read(self, target: Target | None = None) -> Tensor:
        """The target for every row and draw, with shape (rows, draws)."""
        return self._averaged(self._read(self.answers.flatten(0, 1), target).reshape(self.answers.shape[:2]))

    def means(self, target: Target) -> Tensor:
        """The target for every row, the mean over random draws, with shape (rows,); in double precision, on the CPU."""
        return self.read(target).mean(1).double().cpu()

    def read_full(self, target: Target | None = None) -> Tensor:
        """The target for the sample itself, a number."""
        return self._read(self.full[None], target)[0]

    def read_empty(self, target: Target | None = None) -> Tensor:
        """The target with every region taken away, per draw, with shape (draws,)."""
        assert self.empty is not None, "the design asks for it"
        return self._averaged(self._read(self.empty, target)[None])[0]

    def _averaged(self, readings: Tensor) -> Tensor:
        return readings.mean(1, keepdim=True) if self.exact else readings

    def settle(self, target: Target, names: Names | None) -> Target:
        """Another target, for this sample.

        Raises:
            MethodError: only the first target was kept.
        """
        if not self.whole:
            raise MethodError(
                f"{target} from the responses to {self.target}", "answers to that target alone",
                "it lies inside the model, or the output was too large to keep", "Ask the model again.",
            )  # fmt: skip
        return target.resolve(lambda at: self.full[None], names)

    def _read(self, answers: Tensor, target: Target | None) -> Tensor:
        target = target or self.target
        if not len(answers):
            return answers[:, 0]
        if self.whole:
            return target.take([0] * len(answers)).read(lambda at: answers)
        assert target is self.target, "other targets are settled first"
        return answers[:, 0]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write rows and answers as .safetensors, whole or not at all. Rows are packed eight regions to a byte."""
        from safetensors.torch import save

        kept = {"answers": self.answers, "full": self.full, "empty": self.empty, "rows": self._packed()}
        tensors = {name: t.detach().cpu().contiguous() for name, t in kept.items() if t is not None}
        header = {"n": self.n, "design": str(self.design), "target": str(self.target), "about": self.told, "spared": self.spared}
        return write(path, save(tensors, metadata={"pellucid.responses": json.dumps(header)}))

    def load_into(self, path: str | os.PathLike[str]) -> Responses:
        """These responses with those of a file in their place, where both are about the same rows of the same sample.

        Raises:
            OutputError: the file cannot be read, or belongs to another sample, design or model.
        """
        what, advice = f"responses from {path}", "Start again without it."
        told, tensors = read_tensors(Path(path), what, advice)
        try:
            metadata = parse_json(told.get("pellucid.responses", "{}"))
            matches = self._matches(metadata, tensors)
            spared = int(metadata["spared"]) if matches else 0
        except Exception as error:  # whatever a file made by someone else leads to
            found = f"parts that do not belong together ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
            raise OutputError(what, found, "it is damaged", advice) from None
        if not matches:
            content = f"answers about {metadata.get('target')} of {metadata.get('n')} regions" if metadata else "no responses"
            raise OutputError(what, content, "they belong to another sample, model, target or design", advice)
        design = self.design.longer(self.n, len(tensors["answers"]))
        return replace(self, design=design, answers=tensors["answers"].to(self.answers), spared=spared)

    def _matches(self, metadata: dict[str, Any], tensors: dict[str, Tensor]) -> bool:
        """Whether a file holds answers to rows of this run: of the same sample, and in the same order."""
        same = metadata.get("n") == self.n and metadata.get("target") == str(self.target) and metadata.get("about") == self.told
        if not same or tensors["full"].shape != self.full.shape or tensors["answers"].shape[1:] != self.answers.shape[1:]:
            return False
        design = self.design.longer(self.n, len(tensors["answers"]))
        here = replace(self, design=design, answers=tensors["answers"])._packed()
        close = torch.allclose(tensors["full"].to(self.full), self.full, rtol=1e-4, atol=1e-5)
        return close and torch.equal(here, tensors["rows"])

    def _packed(self) -> Tensor:
        return self.rows() if self.design.soft else pack_bits(self.rows())
