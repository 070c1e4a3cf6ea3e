"""Responses: what a model answered to the rows of a design. Everything estimators read, and enough to ask on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pellucid.core.files import write
from pellucid.errors import MethodError, OutputError
from pellucid.tape.forward import Readout, ask, at_once
from pellucid.target import Names, Target
from ..imputers.imputer import Fill, occluded
from ..regions.regions import Regions
from .design import Design, packed
from .shortcut import Shortcut, shortcut
from .token_removal import Removal, removal

CLASSES = 4096  # an output of up to so many numbers is kept whole, so that other targets can be read from it later
FEW = 16  # different rows for each that is asked, at most, where rows are looked through for those that come again


@dataclass(frozen=True, eq=False)
class Estimate:
    """One number per region.

    Arguments:
        values: With shape (n,).
        error: Their standard errors, where they can be told.
        notes: Sentences for the caption.
        painted: Whether there is one number per place already, and not per region.
    """

    values: Tensor
    error: Tensor | None = None
    notes: tuple[str, ...] = ()
    painted: bool = False


class Estimator(Protocol):
    """From responses to one number per region: a pure function of the responses. `signed`: whether they speak for and against."""

    @property
    def signed(self) -> bool: ...
    def estimate(self, responses: Responses, target: Target) -> Estimate: ...


@dataclass(frozen=True, eq=False)
class Responses:
    """The ledger of one run over one sample.

    Arguments:
        n: How many regions there are.
        design: What was asked, by its rows.
        answers: The model's output for every row and random draw, with shape (rows, draws, classes); or, where the output is too
            large or the target lies inside the model, the target alone, with one class.
        full: The answer for the sample itself, with shape (classes,).
        empty: The answers with every region taken away, with shape (draws, classes); None if nobody asked.
        target: What was explained, settled.
        whole: Whether `answers` are outputs, from which other targets can be read.
        regions: The parts of the sample that rows are about.
        told: What there is to say of imputer and regions.
        spared: How many rows came again and were not asked again.
        how: In which way the model was asked, where it was not the plain one.
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
        return self._read(self.answers.flatten(0, 1), target).reshape(self.answers.shape[:2])

    def read_full(self, target: Target | None = None) -> Tensor:
        """The target for the sample itself, a number."""
        return self._read(self.full[None], target)[0]

    def read_empty(self, target: Target | None = None) -> Tensor:
        """The target with every region taken away, per draw, with shape (draws,)."""
        assert self.empty is not None, "the design asks for it"
        return self._read(self.empty, target)

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
        return target.settle(lambda at: self.full[None], names)

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
        told = {"n": self.n, "design": str(self.design), "target": str(self.target), "about": self.told, "spared": self.spared}
        return write(path, save(tensors, metadata={"pellucid.responses": json.dumps(told)}))

    def load_into(self, path: str | os.PathLike[str]) -> Responses:
        """These responses with those a file holds in their place, when they answer the same questions.

        Raises:
            OutputError: the file cannot be read, or belongs to another sample, design or model.
        """
        from safetensors import SafetensorError, safe_open

        asked, do = f"responses from {path}", "Start again without it."
        try:
            with safe_open(path, "pt") as file:
                told = json.loads((file.metadata() or {}).get("pellucid.responses", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (a file, not a dict)
        except (OSError, SafetensorError, ValueError) as error:
            raise OutputError(asked, str(error), "it cannot be read", do) from None
        if not self._asks(told, tensors):
            found = f"answers about {told['target']} of {told['n']} regions" if told else "no responses"
            raise OutputError(asked, found, "they belong to another sample, model, target or design", do)
        design = self.design.longer(self.n, len(tensors["answers"]))
        return replace(self, design=design, answers=tensors["answers"].to(self.answers), spared=told["spared"])

    def _asks(self, told: dict[str, Any], tensors: dict[str, Tensor]) -> bool:
        """Whether a file holds answers to questions of this run: of the same sample, and in the same order."""
        same = told.get("n") == self.n and told.get("target") == str(self.target) and told.get("about") == self.told
        if not same or tensors["full"].shape != self.full.shape or tensors["answers"].shape[1:] != self.answers.shape[1:]:
            return False
        design = self.design.longer(self.n, len(tensors["answers"]))
        here = replace(self, design=design, answers=tensors["answers"])._packed()
        close = torch.allclose(tensors["full"].to(self.full), self.full, rtol=1e-4, atol=1e-5)
        return close and torch.equal(here, tensors["rows"])

    def _packed(self) -> Tensor:
        return self.rows() if self.design.soft else packed(self.rows())


@dataclass(frozen=True, eq=False)
class Study:
    """One sample, its regions, and how to ask about them.

    Arguments:
        readout: The model and the target.
        value: What variants are made of: the input, or the value at `readout.at`; with shape (1, ...).
        row: Which sample of the readout's batch this is.
        draws: Random draws per row.
        batch: Variants asked at once; None: by the size of the sample.
        told: What there is to say of imputer and regions.
        once: Whether the same row always gets the same answer, and so has to be asked once only.
        accelerate: Whether a plan may answer that computes only what a region reaches, where it is exact and sooner.
        semantics: "replace" what is taken away by the imputer's values, or "remove" its tokens.
    """

    readout: Readout
    value: Tensor
    row: int
    regions: Regions
    design: Design
    fill: Fill
    draws: int = 1
    batch: int | None = None
    told: str = ""
    once: bool = False
    accelerate: bool = True
    semantics: str = "replace"

    def begin(self) -> Responses:
        """The answers for the sample as it is, and for nothing at all where the design wants that; no rows yet."""
        target = self.readout.target.take([self.row])
        whole = self._keeps_output()
        full = self._answers(self.value, whole)[0]
        empty = None
        if not self.design.common:
            absent = torch.ones(1, self.regions.n, dtype=torch.bool, device=self.value.device)
            empty = self.readout.check(self._empty(self._everything(absent), whole))
        none = full.new_zeros(0, self.draws, len(full))
        return Responses(self.regions.n, self.design, none, full, empty, target, whole, self.regions, self.told)

    def _empty(self, gone: Tensor, whole: bool) -> Tensor:
        """The answers where nothing is left, one per draw."""
        if self.semantics == "remove":
            away = removal(self)
            return self._told(away.values(away.left(gone), [self.row]), [self.row], whole)
        return self._answers(torch.cat([occluded(self.value, gone, self.fill, [draw]) for draw in range(self.draws)]), whole)

    def go_on(self, responses: Responses, upto: int | None = None) -> Responses:
        """More rows, up to a number of them, or all of the design. Fewer when somebody calls it off."""
        upto = self.design.count(self.regions.n) if upto is None else upto
        asked, place = self._distinct(upto)
        done = int((asked < len(responses)).sum())
        parts = [responses.answers[asked[:done]]]
        other = removal(self) if self.semantics == "remove" else shortcut(self, asked[done:].tolist())

        def make(start: int, stop: int) -> tuple[Any, Sequence[int]]:
            return self._variants(asked[start:stop].tolist(), other)

        def answer(variants: Any, rows: Sequence[int]) -> Tensor:
            values = self.readout.values(variants, rows) if other is None else other.values(variants, rows)
            return self._told(values, rows, responses.whole)

        batch = self.batch or at_once(self.value) * (1 if other is None else other.at_once)
        for _, _, answers in ask(answer, len(asked), make, start=done, batch=batch, copies=self.draws):
            parts.append(self.readout.check(answers).reshape(-1, self.draws, answers.shape[1]))
        known = torch.cat(parts)
        reached = upto if len(known) == len(asked) else int(asked[len(known)])
        how = responses.how if other is None else other.reason
        return replace(responses, design=self.design, answers=known[place[:reached]], spared=reached - len(known), how=how)

    def _distinct(self, upto: int) -> tuple[Tensor, Tensor]:
        """Which rows have to be asked, in order, and which of these tells the answer to each row."""
        n, every = self.regions.n, torch.arange(upto)
        if not self.once or self.design.soft or 2**n > FEW * upto:
            return every, every
        rows = self.design.rows(n, 0, upto)
        _, kind = torch.unique((rows * 2 ** torch.arange(n)).sum(1), return_inverse=True)
        first = torch.full((upto,), upto).scatter_reduce(0, kind, every, "amin")[kind]
        asked = every[first == every]
        return asked, torch.searchsorted(asked, first)

    def _variants(self, index: Sequence[int], other: Shortcut | Removal | None) -> tuple[Any, Sequence[int]]:
        numbers = self._draw_numbers(index)
        if other is not None:
            return other.variants(self, index, numbers), [self.row] * len(numbers)
        gone = self.gone(index)
        if self.draws > 1:
            gone = gone.repeat_interleave(self.draws, 0)
        return occluded(self.value, gone, self.fill, numbers), [self.row] * len(numbers)

    def gone(self, index: Sequence[int]) -> Tensor:
        """What is taken away in some rows of the design: masks over the sample."""
        first, last = index[0], index[-1] + 1
        rows = self.design.rows(self.regions.n, first, last)[[i - first for i in index]].to(self.value.device)
        return self.regions.gone(1 - rows if self.design.soft else ~rows, index)

    def _draw_numbers(self, index: Sequence[int]) -> list[int]:
        first = [0 if self.design.common else row * self.draws for row in index]
        return [number + draw for number in first for draw in range(self.draws)]

    def _everything(self, absent: Tensor) -> Tensor:
        gone = self.regions.gone(absent, [0])
        return torch.ones_like(gone) if self.design.soft else gone

    def _answers(self, variants: Tensor, whole: bool) -> Tensor:
        """One row per variant: the output, or the target."""
        rows = [self.row] * len(variants)
        return self._told(self.readout.values(variants, rows), rows, whole)

    def _told(self, values: Mapping[Any, Tensor], rows: Sequence[int], whole: bool) -> Tensor:
        output = values[None]
        if whole:
            return output[:, None] if output.dim() == 1 else output
        return self.readout.read(dict(values), rows)[:, None]

    def _keeps_output(self) -> bool:
        output = self.readout.values(self.value, [self.row])[None]
        return self.readout.target.addresses == (None,) and output.dim() <= 2 and output[0].numel() <= CLASSES


def painted(estimate: Estimate, study: Study) -> tuple[Tensor, Tensor | None]:
    """Values and standard errors for every entry of the sample."""
    error = estimate.error
    return _painted(estimate, study, estimate.values), None if error is None else _painted(estimate, study, error)


def _painted(estimate: Estimate, study: Study, values: Tensor) -> Tensor:
    regions, values = study.regions, values.to(study.value)
    places = values.reshape(regions.shape) if estimate.painted else regions.paint(values)
    return places.expand(study.value.shape[1:])


def called_off(done: int, total: int) -> str:
    """What a caption says of a run that somebody stopped."""
    return f"Called off after {done:,} of {total:,} questions."


def relative(error: Tensor | None, values: Tensor) -> float:
    """The greatest standard error over the range of the values."""
    span = float(values.max() - values.min())
    return float("inf") if error is None or not span else float(error.max()) / span


def settings(**told: Any) -> str:
    """Options as one readable line.

    Example:
        >>> settings(window=16, imputer="mean")
        'window=16, imputer=mean'
    """
    return ", ".join(f"{name}={value}" for name, value in told.items())
