"""Where a search for rows of a table begins: at the values of categories that score most, one column after another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.model import Columns, Model
from pellucid.synth.frame import Frame
from pellucid.tape.forward import Readout
from pellucid.target import Target

ROUNDS = 3  # through all categories, while any still changes


def has_categories(model: Model, frame: Frame) -> bool:
    """Whether inputs are rows of a table of which some columns are categories."""
    columns = model.preprocess
    return isinstance(columns, Columns) and frame.shape == (columns.width,) and any(column.values for column in columns.columns)


def best_rows(model: Model, frame: Frame, targets: Sequence[Target], seeds: int) -> Tensor:
    """Rows with numbers at their mean and the values of categories that score most, for every target and seed: (n, width).

    No slope leads from one place of a category to another where places are looked up in a table, so that they are tried first.
    """
    rows = [_best(model, model.preprocess, frame, target) for target in targets]
    return torch.cat([row for row in rows for _ in range(seeds)])


def _best(model: Model, columns: Columns, frame: Frame, target: Target) -> Tensor:
    """A row with numbers at their mean whose categories score most, each given the others; with shape (1, width)."""
    row = columns.typical()[None]
    for column, span in columns.spans():
        if column.values:
            row[0, span] = torch.tensor(column.encode(column.values[0]))
    row = row.to(frame.device, frame.dtype)
    for _ in range(ROUNDS):
        before = row.clone()
        for column, span in columns.spans():
            if not column.values:
                continue
            several = row.repeat(len(column.values), 1)
            several[:, span] = torch.tensor([column.encode(value) for value in column.values]).to(row)
            score = Readout(model, row, target)(several, [0] * len(several))
            best = int(score.argmax())
            row = several[best : best + 1].clone()
        if torch.equal(row, before):
            break
    return row
