"""Responses weighted so that they stand for rows that another distribution would have drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.target import Target
from .design import Design, log_binomials
from .responses import Responses

MISSED = 0.01  # of a law's weight may lie on sizes that a design does not reach


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Rows, answers, and their weights; in double precision, on the CPU.

    Arguments:
        present: Which regions were there, with shape (k, n).
        y: The target, the mean over random draws, with shape (k,).
        w: Weights with mean 1.
        open_share: The finite population correction of each row: 0 where all rows with as many regions were evaluated.
        unit: How many successive rows were drawn together.
        notes: Sentences for the caption.
    """

    present: Tensor
    y: Tensor
    w: Tensor
    open_share: Tensor
    unit: int
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> Tensor:
        """How many regions were there, per row."""
        return self.present.sum(1)

    def with_row(self, present: Tensor, y: Tensor) -> WeightedRows:
        """With one more row that was not drawn at random."""
        one = torch.ones(1, dtype=torch.float64)
        rows, y = torch.cat([self.present, present[None]]), torch.cat([self.y, y[None]])
        return replace(self, present=rows, y=y, w=torch.cat([self.w, one]), open_share=torch.cat([self.open_share, 0 * one]))


def weight_rows(responses: Responses, target: Target, law: Tensor, what: str) -> WeightedRows:
    """The answers, as if rows had come with `law`, the log-probability of having 0, 1, ... n regions.

    Where the design drew them so, every row counts the same. Else rows with as many regions share the probability of their
    number evenly (post-stratification), and the sample itself and its absence count as the rows with all and none.

    Raises:
        MethodError: rows with as many regions are not equally likely in this design, or it leaves out numbers that the law needs.
    """
    design, n = responses.design, responses.n
    own = None if design.soft else design.law(n)
    if own is None:
        raise design_error(what, design, "rows with as many regions have to be equally likely in it")
    present, y = responses.rows().double().cpu(), responses.means(target)
    if not own[[0, n]].isfinite().any():
        present = torch.cat([present, torch.zeros(1, n), torch.ones(1, n)])
        ends = responses.read_empty(target).mean(), responses.read_full(target)
        y = torch.cat([y, torch.stack(ends).double().cpu()])
    size = present.sum(1).long()
    count = torch.bincount(size, minlength=n + 1).double()
    _check_support(what, design, law, own, count, design.count(n))
    same = torch.equal(own, law)
    log_w = torch.where(law.isfinite(), 0.0, law)[size] if same else (law - count.log())[size]
    w = (log_w - log_w.max()).exp() if log_w.isfinite().any() else torch.zeros_like(y)
    fraction = torch.zeros(n + 1, dtype=torch.float64) if design.repeats(n) else (count.log() - log_binomials(n)).exp()
    open_share = torch.where(fraction < 1 - 1e-9, 1 - fraction, 0.0)[size]
    notes = () if same else _effective_size(w, law, own)
    return WeightedRows(present, y, w / w.mean().clamp(min=1e-300), open_share, design.unit(n), notes)


def design_error(what: str, design: Design, why: str) -> MethodError:
    return MethodError(
        f"{what} from these responses", f"rows of {design}", why,
        "Use the method of that name, or pl.perturb.kernel_shap(), whose rows serve most estimators.",
    )  # fmt: skip


def _check_support(what: str, design: Design, law: Tensor, own: Tensor, count: Tensor, rows: int) -> None:
    rare = (count == 0) & (own + math.log(max(rows, 1)) < 0)
    missed = float((law.exp() - own.exp()).clamp(min=0)[rare].sum())
    if missed > MISSED:
        few, many = (int(size) for size in count.nonzero()[[0, -1], 0])
        why = f"they have {few} to {many} regions, and {missed:.0%} of the weight is on other numbers of them"
        raise design_error(what, design, why)


def _effective_size(w: Tensor, law: Tensor, own: Tensor) -> tuple[str, ...]:
    worth = float(w.sum() ** 2 / w.square().sum().clamp(min=1e-300))
    if worth > len(w) / 2 or torch.allclose(own[1:-1], own[1:2]):
        return ()
    return (f"The {len(w):,} perturbed samples were drawn for another method: their effective number is {worth:,.0f}.",)
