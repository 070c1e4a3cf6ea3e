"""Responses: what a model answered to the rows of a design. Everything estimators read, and enough to ask on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import MethodError, OutputError
from ..explanation import whole as written_whole
from ..readout import Readout, ask
from ..target import Names, Target
from .design import Design, OneOut, packed, unpacked
from .imputer import Fill, occluded
from .regions import Regions

CLASSES = 4096  # an output of up to so many numbers is kept whole, so that other targets can be read from it later


@dataclass(frozen=True, eq=False)
class Estimate:
    """One number per region.

    Arguments:
        values: With shape (n,).
        error: Their standard errors, where they can be told.
        notes: Sentences for the caption.
    """

    values: Tensor
    error: Tensor | None = None
    notes: tuple[str, ...] = ()


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
        bits: The rows, eight regions to a byte, or as shares; None where the design tells them at no cost.
        told: What there is to say of imputer, regions and seed.
    """

    n: int
    design: Design
    answers: Tensor
    full: Tensor
    empty: Tensor | None
    target: Target
    whole: bool
    bits: Tensor | None = None
    told: str = ""

    def __len__(self) -> int:
        """How many rows were answered."""
        return len(self.answers)

    @property
    def draws(self) -> int:
        return self.answers.shape[1]

    @property
    def forwards(self) -> int:
        """How many samples went through the model."""
        return self.answers.shape[0] * self.answers.shape[1] + 1 + (0 if self.empty is None else len(self.empty))

    def rows(self, start: int = 0, stop: int | None = None) -> Tensor:
        """Which regions were there, with shape (rows, n): boolean, or shares in [0, 1]."""
        stop = len(self) if stop is None else stop
        if self.bits is None:
            return self.design.rows(self.n, start, stop)
        return self.bits[start:stop] if self.design.soft else unpacked(self.bits[start:stop], self.n)

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
        if self.whole:
            return target.take([0] * len(answers)).read(lambda at: answers)
        assert target is self.target, "other targets are settled first"
        return answers[:, 0]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write rows and answers as .safetensors, whole or not at all."""
        from safetensors.torch import save

        path = Path(path)
        rows = self.bits if self.bits is not None or isinstance(self.design, OneOut) else self._packed()
        kept = {"answers": self.answers, "full": self.full, "empty": self.empty, "rows": rows}
        tensors = {name: t.detach().cpu().contiguous() for name, t in kept.items() if t is not None}
        told = {"n": str(self.n), "design": str(self.design), "target": str(self.target), "about": self.told}
        with written_whole(path) as temporary:
            temporary.write_bytes(save(tensors, metadata={"pellucid.responses": json.dumps(told)}))
        return path

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
        same = told.get("n") == str(self.n) and told.get("target") == str(self.target) and told.get("about") == self.told
        if not same or not torch.allclose(tensors["full"].to(self.full), self.full, rtol=1e-4, atol=1e-5):
            raise OutputError(asked, f"answers about {told.get('target', 'nothing')}", "they belong to other questions", do)
        return replace(self, answers=tensors["answers"].to(self.answers), bits=tensors.get("rows"))

    def _packed(self) -> Tensor:
        rows = self.design.rows(self.n, 0, len(self))
        return rows if self.design.soft else packed(rows)


@dataclass(frozen=True, eq=False)
class Study:
    """One sample, its regions, and how to ask about them.

    Arguments:
        readout: The model and the target.
        value: What variants are made of: the input, or the value at `readout.at`; with shape (1, ...).
        row: Which sample of the readout's batch this is.
        draws: Random draws per row.
        batch: Rows asked at once; None: found by trial.
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

    def begin(self) -> Responses:
        """The answers for the sample as it is, and for nothing at all where the design wants that; no rows yet."""
        target = self.readout.target.take([self.row])
        whole = self._keeps_output()
        full = self._answers(self.value, whole)[0]
        empty = None
        if not self.design.common:
            absent = torch.ones(1, self.regions.n, dtype=torch.bool, device=self.value.device)
            gone = self._everything(absent)
            variants = torch.cat([occluded(self.value, gone, self.fill, [draw]) for draw in range(self.draws)])
            empty = self.readout.check(self._answers(variants, whole))
        none = full.new_zeros(0, self.draws, len(full))
        return Responses(self.regions.n, self.design, none, full, empty, target, whole, None, self.told)

    def go_on(self, responses: Responses, upto: int | None = None) -> Responses:
        """More rows, up to a number of them, or all of the design. Fewer when somebody calls it off."""
        upto = self.design.count(self.regions.n) if upto is None else upto
        parts = [responses.answers]
        start = len(responses)
        for _, _, answers in ask(
            lambda variants, rows: self._answers(variants, responses.whole), upto, self._variants,
            start=start, batch=self.batch, copies=self.draws,
        ):  # fmt: skip
            parts.append(self.readout.check(answers).reshape(-1, self.draws, answers.shape[1]))
        return replace(responses, design=self.design, answers=torch.cat(parts))

    def _variants(self, start: int, stop: int) -> tuple[Tensor, Sequence[int]]:
        rows = self.design.rows(self.regions.n, start, stop).to(self.value.device)
        absent = 1 - rows if self.design.soft else ~rows
        gone = self.regions.gone(absent, range(start, stop))
        if self.draws == 1:
            numbers = [0] * (stop - start) if self.design.common else list(range(start, stop))
            return occluded(self.value, gone, self.fill, numbers), [self.row] * (stop - start)
        variants = occluded(self.value, gone.repeat_interleave(self.draws, 0), self.fill, self._draw_numbers(start, stop))
        return variants, [self.row] * len(variants)

    def _draw_numbers(self, start: int, stop: int) -> list[int]:
        first = [0 if self.design.common else row * self.draws for row in range(start, stop)]
        return [number + draw for number in first for draw in range(self.draws)]

    def _everything(self, absent: Tensor) -> Tensor:
        gone = self.regions.gone(absent, [0])
        return torch.ones_like(gone) if self.design.soft else gone

    def _answers(self, variants: Tensor, whole: bool) -> Tensor:
        """One row per variant: the output, or the target."""
        rows = [self.row] * len(variants)
        values = self.readout.values(variants, rows)
        output = values[None]
        if whole:
            return output[:, None] if output.dim() == 1 else output
        return self.readout.read(values, rows)[:, None]

    def _keeps_output(self) -> bool:
        output = self.readout.values(self.value, [self.row])[None]
        return self.readout.target.addresses == (None,) and output.dim() <= 2 and output[0].numel() <= CLASSES


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
