"""The canvas of rows of a table: numbers as they are, and of every category one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pellucid.errors import InputError
from pellucid.model import Columns
from ..frame import Frame
from ..protocols import Canvas, Draws
from ..random import exact, normal

TIE = 0.001  # how far apart the values of a category begin, so that seeds differ


@dataclass(frozen=True, eq=False)
class Row(Canvas):
    """Possible rows: entries move freely, and of a category the value with the greatest entry is drawn, whole.

    The slope of a category is that of the softmax of its entries, though what is drawn is one value (a straight-through
    estimator). A category by its place moves as a number and is rounded.

    References: Bengio, Léonard and Courville, 2013, Estimating or propagating gradients through stochastic neurons for
        conditional computation, https://doi.org/10.48550/arXiv.1308.3432

    Arguments:
        columns: What the entries of a row mean.
        rows: Inputs to start from, one for all or one for each, in the network's units; None: numbers at their mean.

    Example:
        >>> from pellucid.model import Column
        >>> canvas, frame = Row(Columns((Column("age"), Column("smoker", values=("no", "yes"))))), Frame((3,))
        >>> canvas.draw((torch.tensor([[0.5, -1.0, 2.0]]),), frame)
        tensor([[0.5000, 0.0000, 1.0000]])
    """

    columns: Columns
    rows: Tensor | None = None
    name: ClassVar[str] = "row"

    def __repr__(self) -> str:
        return f"Row({self.columns})"

    @property
    def literal(self) -> bool:
        """Projections may work on the entries, of which rows are drawn."""
        return True

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """Numbers at their mean, or as given; values of a category with a little noise."""
        if frame.shape != (self.columns.width,):
            raise InputError(
                f"a canvas of rows of {self.columns.width} entries", f"inputs of shape {frame.shape}", "every column has its own",
                "Leave the canvas out, or give the columns that the model reads.",
            )  # fmt: skip
        own = self.columns.typical()[None] if self.rows is None else self.rows
        pictures = frame.to_pictures(own.to(frame.device, frame.dtype)).to(exact(frame.dtype)).expand(len(draws), *frame.shape)
        return self.within((pictures + TIE * normal(draws, frame.shape, frame),), frame)

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        """The rows, as pictures."""
        (pictures,) = numbers
        inputs, parts = frame.to_inputs(pictures), []
        for column, span in self.columns.spans():
            entries = inputs[:, span] * column.std + column.mean
            if not column.values:
                parts.append(inputs[:, span])
                continue
            if column.code:
                soft = entries.clamp(0, len(column.values) - 1)
                whole = soft.round()
            else:
                soft, whole = entries.softmax(1), one_hot(entries.argmax(1), len(column.values)).to(entries)
            parts.append((whole + (soft - soft.detach()) - column.mean) / column.std)
        return frame.to_pictures(torch.cat(parts, 1)).to(frame.dtype)

    def within(self, numbers: tuple[Tensor, ...], frame: Frame) -> tuple[Tensor, ...]:
        """The entries after a step, brought back within bounds."""
        return tuple(t.clamp(0, 1) for t in numbers) if frame.bounded else numbers
