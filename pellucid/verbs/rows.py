"""Rows of a batch that influence one another, as the nodes of a graph do: each is explained with the others held as they are."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.method import Method, configured, member
from pellucid.model.multi_input import input_layout
from pellucid.model.where import Where
from pellucid.tape.independence import OneRow
from pellucid.target import Part, Target
from .inputs import Batch

ROWS_MEET = "The rows of this batch influence one another: each was explained by itself, with the others held as they are."


def check_rows(method: Method, batch: Batch, target: Target, at: str | Where | None) -> None:
    """Refuse what cannot be said of one row while the others are held.

    Raises:
        MethodError: something inside the network is asked for, where all rows lie together, or there are several inputs.
    """
    inside = [str(address) for address in (at, *target.addresses) if address is not None and not isinstance(address, Part)]
    inside += [str(condition) for condition in member(method, "only")]
    found = f"a value inside it ({inside[0]})" if inside else "several inputs" if input_layout(batch.model) is not None else ""
    if found:
        raise MethodError(
            f"`{method.name}` for {len(batch.x)} rows of {batch.model.name}",
            f"rows that influence one another, and {found}",
            "what each row does to the score of another cannot be told from what it does to its own there",
            "Let one sample be the whole batch: pl.explain(lambda whole: model(whole[0])[row][None], x[None]).",
        )  # fmt: skip


def with_the_rest_held(batch: Batch, row: int) -> Batch:
    """One row of a batch, for a network to which the others are part of itself."""
    model = replace(batch.model, forward=OneRow(batch.model.forward, batch.x, row))
    return replace(batch, model=model, x=batch.x[row : row + 1], subject=None, picture=None)


def of_row(method: Method, row: int, samples: int) -> Method:
    """A method with the baseline of one row, where it has one for each."""
    baseline = member(method, "baseline")
    if isinstance(baseline, Tensor) and baseline.dim() > 0 and len(baseline) == samples:
        return configured(method, baseline=baseline[row : row + 1])
    return method
