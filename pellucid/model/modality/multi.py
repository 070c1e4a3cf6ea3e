"""Several inputs packed side by side: which entries belong to which input, and the modality of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.numbers import decimals, figure
from pellucid.errors import InputError
from pellucid.errors.printable import make_printable, printable
from .base import Modality


@dataclass(frozen=True, eq=False)
class MultiInput(Modality):
    """The inputs of a model that takes several, packed one after another.

    Arguments:
        names: What each is called.
        shapes: Of one sample of each.
        subjects: What each is about; None where its values say it by themselves.
        pictures: The pixels of each, with shape (height, width, 3); None where there are none.

    Example:
        >>> import torch
        >>> two = MultiInput(("image", "table"), ((1, 2), (3,)), (None, None), (None, None))
        >>> two.cut(torch.arange(5.0)[None], "table")
        tensor([[2., 3., 4.]])
    """

    kind: ClassVar[str] = "sides"
    per_sample: ClassVar[tuple[str, ...]] = ()

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    subjects: tuple[Modality | None, ...]
    pictures: tuple[Tensor | None, ...]

    def __post_init__(self) -> None:
        make_printable(self, "names")

    def take(self, rows: Sequence[int]) -> MultiInput:
        return replace(self, subjects=tuple(None if one is None else one.take(rows) for one in self.subjects))

    def whole(self) -> bool:
        count = {len(self.names), len(self.shapes), len(self.subjects), len(self.pictures)}
        sizes = all(side > 0 for shape in self.shapes for side in shape)
        pictures = (picture for picture in self.pictures if picture is not None)
        return len(count) == 1 and sizes and all(p.dtype == torch.uint8 and p.dim() == 3 and p.shape[2] == 3 for p in pictures)

    def fits(self, values: Tensor) -> bool:
        return values.dim() == 2 and values.shape[1] == self._edges[-1]

    def arrange(self, values: Tensor) -> Tensor:
        return values.reshape(1, 1, -1)

    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """Every input with the sum of its values; of rows every column."""
        row = heat.reshape(1, -1)
        made = []
        for name, shape, subject in zip(self.names, self.shapes, self.subjects, strict=True):
            part = self.cut(row, name)
            inside = subject.to_dict(subject.arrange(part[0]).sum(0), sample) if subject is not None and len(shape) == 1 else {}
            made.append({"name": name, "shape": list(shape), "sum": float(part.double().sum())} | inside)
        return {"inputs": made}

    def cut(self, values: Tensor, name: str) -> Tensor:
        """The values of one input, in its own shape, batch first."""
        number = self.number(name)
        first, last = self._edges[number : number + 2]
        return values[:, first:last].reshape(len(values), *self.shapes[number])

    def number(self, name: str) -> int:
        """Which one is called so.

        Raises:
            InputError: none is.
        """
        name = printable(name)
        if name not in self.names:
            known = ", ".join(map(repr, self.names))
            raise InputError(f"the input {name!r}", f"the inputs {known}", "no input has that name", "Name one of these.")
        return self.names.index(name)

    def shares(self, row: Tensor) -> str:
        """How much each input gives, in words, of values that add up."""
        sums = [float(self.cut(row[None].double(), name).sum()) for name in self.names]
        whole, places = sum(sums), decimals(*sums)
        same = whole != 0 and all(one * whole >= 0 for one in sums)
        parts = [
            f"{name} {figure(one, places)}" + (f" ({100 * one / whole:.0f} %)" if same else "")
            for name, one in zip(self.names, sums, strict=True)
        ]
        return f"By input: {', '.join(parts)}."

    @property
    def _edges(self) -> list[int]:
        return [0, *accumulate(prod(shape) for shape in self.shapes)]

    def spans(self) -> list[tuple[int, int]]:
        """The first entry and the last + 1 of every input."""
        return list(pairwise(self._edges))
