"""The score of a class in one of a detector's boxes as a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import TargetError
from .classes import OfClass
from .target import Names, Term


@dataclass(frozen=True)
class Detection(OfClass):
    """The score of a class in a box, for outputs (batch, boxes, classes) or (batch, channels, boxes).

    Arguments:
        box, boxes_last, skip: As in `pellucid.detection`.
        count: How many boxes there are, for captions.

    Example:
        >>> out = torch.tensor([[[0.1, 0.9], [0.8, 0.3], [0.0, 0.2]]])  # three boxes, two classes
        >>> found = Detection(index=0).resolve(out, None)
        >>> found.text(), found.read(out)
        ('score of class 0 in box 1 of 3', tensor([0.8000]))
    """

    box: int | tuple[int, ...] | None = None
    boxes_last: bool | None = None
    skip: int = 0
    count: int = 0

    word: ClassVar[str] = "score of class"

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        scores = self._scores(value)
        boxes = self.box if isinstance(self.box, tuple) else (self.box,) * len(scores) if self.box is not None else None
        boxes = self._best(scores, names) if boxes is None else boxes
        self._check(boxes, scores)
        named = OfClass.resolve(self, self._of_boxes(scores, boxes), names)
        assert isinstance(named, Detection)
        return replace(named, box=boxes, count=scores.shape[1], boxes_last=self._last(value))

    def read(self, value: Tensor) -> Tensor:
        scores = self._scores(value)
        boxes = self.box if isinstance(self.box, tuple) else (self.box or 0,) * len(scores)
        self._check(boxes, scores)
        return self.pick(self._of_boxes(scores, boxes))

    def take(self, rows: Sequence[int]) -> OfClass:
        taken = OfClass.take(self, rows)
        assert isinstance(taken, Detection)
        return replace(taken, box=tuple(self.box[row] for row in rows)) if isinstance(self.box, tuple) else taken

    def text(self, sample: int = 0) -> str:
        if self.box is None:
            return f"{OfClass.text(self, sample)} in its best box"
        box = self.box[sample] if isinstance(self.box, tuple) else self.box
        return f"{OfClass.text(self, sample)} in box {box}" + (f" of {self.count:,}" if self.count else "")

    def _best(self, scores: Tensor, names: Names | None) -> tuple[int, ...]:
        """The box in which the class, or any class, scores highest."""
        if self.index is None:
            return tuple(scores.amax(2).argmax(1).tolist())
        classes = self._indices(scores, names)
        return tuple(replace(self, index=classes * (len(scores) // len(classes))).pick(scores.transpose(1, 2)).argmax(1).tolist())

    def _of_boxes(self, scores: Tensor, boxes: Sequence[int]) -> Tensor:
        """The scores of one box per sample, with shape (batch, class)."""
        rows = torch.arange(len(scores), device=scores.device)
        return scores[rows, torch.tensor(boxes, device=scores.device)]

    def _last(self, value: Tensor) -> bool:
        return value.shape[2] > value.shape[1] if self.boxes_last is None else self.boxes_last

    def _scores(self, value: Tensor) -> Tensor:
        """Scores with shape (batch, boxes, classes)."""
        if value.dim() != 3:
            raise TargetError(
                self.text(), f"outputs of shape {tuple(value.shape)}", "boxes are read from (batch, boxes, classes)",
                "Read the part that has them, with .of(name), or let the model return it.",
            )  # fmt: skip
        rows = value.transpose(1, 2) if self._last(value) else value
        if not 0 <= self.skip < rows.shape[2]:
            raise TargetError(
                f"pl.detection(skip={self.skip})", f"{rows.shape[2]} channels", "no scores of classes are left",
                "Leave out fewer, or say boxes_last.",
            )  # fmt: skip
        return rows[:, :, self.skip :]

    def _check(self, boxes: Sequence[int], scores: Tensor) -> None:
        batch, count = scores.shape[:2]
        if len(boxes) != batch or not all(-count <= box < count for box in boxes):
            raise TargetError(
                self.text(), f"{count} boxes for each of {batch} sample(s)", f"boxes run 0-{count - 1}, one for every sample",
                "Ask for one of those; boxes_last= says which axis the boxes are on.",
            )  # fmt: skip
