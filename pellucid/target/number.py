"""A single number of the output as a target, of a regression or a map."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from pellucid.errors import TargetError
from .target import Names, Term


@dataclass(frozen=True)
class Number(Term):
    """One number of the output, at a place counted without the samples.

    Arguments:
        position: One index per axis; none where each sample has one number only.
        label: What it is called, for captions.

    Example:
        >>> import torch
        >>> Number(position=(1,)).read(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([2., 4.])
    """

    position: tuple[int, ...] = ()
    label: str = ""

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        if names is None or len(self.position) != 1 or value.dim() != 2:
            return self
        known = names.label(self.position[0])
        return replace(self, label="" if known == f"class {self.position[0]}" else known)

    def read(self, value: Tensor) -> Tensor:
        sizes = tuple(value.shape[1:])
        if not self.position and value.dim() and value[:1].numel() == 1:
            return value.reshape(len(value))
        fits = len(self.position) == len(sizes) and all(-n <= p < n for p, n in zip(self.position, sizes, strict=True))
        if not sizes or not fits:
            axes = ", ".join(f"0-{n - 1}" for n in sizes) or "none"
            raise TargetError(
                self.text(), f"an output of shape {tuple(value.shape)}", f"a number is named by one index per axis: {axes}",
                f"Ask for one, such as pl.output({', '.join('0' for _ in sizes)}), or explain a function of the output.",
            )  # fmt: skip
        place: tuple[slice | int, ...] = (slice(None), *self.position)
        return value[place]

    def text(self, sample: int = 0) -> str:
        place = self.position[0] if len(self.position) == 1 else self.position
        return ("the output" if not self.position else f"output {place}") + (f' "{self.label}"' if self.label else "")
