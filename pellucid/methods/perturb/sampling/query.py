"""Queries: the model's responses to the rows of a design about one sample, each row once and by the fastest exact way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from pellucid.tape.forward import batch_size, run_batched
from ..imputers.imputer import occluded
from .design import Design
from .responses import Responses
from .shortcut import shortcut
from .study import Study
from .token_removal import token_removal

CLASSES = 4096  # an output of up to so many numbers is kept whole, so that other targets can be read from it later
FEW = 16  # possible rows for each of the design, at most, where rows are searched for repetitions


class Backend(Protocol):
    """A way to compute answers to rows of a design: through the whole network, or a part of it.

    `batch_factor`: how many variants go through together, in multiples of what suits whole samples.
    `reason`: a sentence about it.
    """

    @property
    def batch_factor(self) -> int: ...
    @property
    def reason(self) -> str: ...

    def variants(self, index: Sequence[int]) -> Any:
        """The inputs for some rows."""

    def values(self, variants: Any, rows: Sequence[int]) -> Mapping[Any, Tensor]:
        """The main output (None), and what else the target reads, for every variant."""


@dataclass(frozen=True, eq=False)
class WholeNetwork:
    """Whole variants of the sample, through the whole network."""

    study: Study

    batch_factor: ClassVar[int] = 1
    reason: ClassVar[str] = ""

    def variants(self, index: Sequence[int]) -> Tensor:
        return self.study.variants(index)

    def values(self, variants: Tensor, rows: Sequence[int]) -> Mapping[Any, Tensor]:
        return self.study.readout.values(variants, rows)


def start(study: Study) -> Responses:
    """The answers for the sample itself, and with every region removed where the design needs that; no rows yet.

    Raises:
        ModelError: an answer is NaN or infinite.
    """
    values = study.readout.values(study.value, [study.row])
    output = values[None]
    whole = study.readout.target.addresses == (None,) and output.dim() <= 2 and output[0].numel() <= CLASSES
    full = _kept(study, values, [study.row], whole)[0]
    empty = None if study.design.common else study.readout.check(_empty(study, whole))
    target, none = study.readout.target.take([study.row]), full.new_zeros(0, study.draws, len(full))
    return Responses(
        study.regions.n, study.design, none, full, empty, target, whole, study.regions, study.told, exact=study.exact
    )


def extend(study: Study, responses: Responses, upto: int | None = None) -> Responses:
    """The answers to more rows, up to a number of them, or to all of the design. Fewer when somebody calls it off.

    Raises:
        ModelError: an answer is NaN or infinite.
        MethodError: tokens are to be removed from a network that needs them all.
    """
    upto = study.rows if upto is None else upto
    numbers, place = distinct_rows(study.design, study.regions.n, upto, once=study.once)
    done = int((numbers < len(responses)).sum())
    parts = [responses.answers[numbers[:done]]]
    backend = _backend(study, numbers[done:].tolist())

    def make(first: int, last: int) -> tuple[Any, Sequence[int]]:
        index = numbers[first:last].tolist()
        return backend.variants(index), [study.row] * (len(index) * study.draws)

    def answer(variants: Any, rows: Sequence[int]) -> Tensor:
        return _kept(study, backend.values(variants, rows), rows, responses.whole)

    batch = study.batch or study.readout.batch(batch_size(study.value) * backend.batch_factor)
    for _, _, answers in run_batched(answer, len(numbers), make, start=done, batch=batch, copies=study.draws):
        parts.append(study.readout.check(answers).reshape(-1, study.draws, answers.shape[1]))
    distinct = torch.cat(parts)
    reached = upto if len(distinct) == len(numbers) else int(numbers[len(distinct)])
    how = backend.reason or responses.how
    return replace(responses, design=study.design, answers=distinct[place[:reached]], spared=reached - len(distinct), how=how)


def _backend(study: Study, rows: Sequence[int]) -> Backend:
    if study.semantics == "remove":
        return token_removal(study)
    return shortcut(study, rows) or WholeNetwork(study)


def _empty(study: Study, whole: bool) -> Tensor:
    """The answers with every region removed, one per draw."""
    absent = torch.ones(1, study.regions.n, dtype=torch.bool, device=study.value.device)
    gone = study.regions.gone(absent, [0])
    gone = torch.ones_like(gone) if study.design.soft else gone
    if study.semantics == "remove":
        removal = token_removal(study)
        return _kept(study, removal.values(removal.left(gone), [study.row]), [study.row], whole)
    variants = torch.cat([occluded(study.value, gone, study.fill, [draw]) for draw in range(study.draws)])
    rows = [study.row] * len(variants)
    return _kept(study, study.readout.values(variants, rows), rows, whole)


def distinct_rows(design: Design, n: int, upto: int, *, once: bool) -> tuple[Tensor, Tensor]:
    """The rows over n regions that differ from all before them, and for each row the place of its answer among theirs.

    Arguments:
        once: Whether equal rows give equal answers; else all are asked.
    """
    every = torch.arange(upto)
    if not once or design.soft or 2**n > FEW * upto:
        return every, every
    rows = design.rows(n, 0, upto)
    _, kind = torch.unique((rows * 2 ** torch.arange(n)).sum(1), return_inverse=True)
    first = torch.full((upto,), upto).scatter_reduce(0, kind, every, "amin")[kind]
    numbers = every[first == every]
    return numbers, torch.searchsorted(numbers, first)


def _kept(study: Study, values: Mapping[Any, Tensor], rows: Sequence[int], whole: bool) -> Tensor:
    """What is kept of every variant's values, one row each: the output, or the target alone."""
    output = values[None]
    if whole:
        return output[:, None] if output.dim() == 1 else output
    return study.readout.read(dict(values), rows)[:, None]
