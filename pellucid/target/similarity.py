"""Similarity of an embedding to a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import drawing_apart
from pellucid.errors import TargetError
from pellucid.model.outputs import entries, main_output, part
from .target import Names, Part, Term


@dataclass(frozen=True, eq=False)
class Similarity(Term):
    """Cosine or dot product of the output with a reference.

    Arguments:
        reference: One embedding for all samples, with shape (dim,), or one per sample, with shape (batch, dim).
        input, kind, name: As in `pellucid.similarity`.
        fixed: Whether the length of the output is kept constant.

    Example:
        >>> Similarity(reference=torch.tensor([1.0, 0.0])).read(torch.tensor([[3.0, 4.0]]))
        tensor([0.6000])
    """

    reference: Tensor | None = None
    input: Any = None
    kind: str = "cosine"
    name: str = "a reference"
    fixed: bool = False

    @staticmethod
    def to(reference: Any, input: Any, kind: str, name: str) -> Similarity:
        """The term for what users write, checked."""
        if (reference is None) == (input is None):
            found = "neither" if input is None else "both"
            do = "Give pl.similarity(embedding), or pl.similarity(input=picture)."
            raise TargetError("pl.similarity", f"{found} of an embedding and an input", "one of them is the reference", do)
        if kind not in ("cosine", "dot"):
            raise TargetError(f"pl.similarity(kind={kind!r})", repr(kind), "no kind has that name", 'Use "cosine" or "dot".')
        made = None if reference is None else _embedding(reference)
        title = name or (f'"{" ".join(input.split())[:60]}"' if isinstance(input, str) else "a reference")
        return Similarity(reference=made, input=input, kind=kind, name=title)

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        if self.reference is not None:
            return self
        if not callable(getattr(names, "forward", None)):
            raise TargetError(
                self.text(), "no model", "the reference is computed by a model from an input", "Give the embedding itself."
            )
        if self.at is not None and not isinstance(self.at, Part):
            raise TargetError(
                self.text(), f"a value inside the model, at {self.at}", "references are computed from outputs only",
                "Give the embedding itself as the reference.",
            )  # fmt: skip
        return replace(self, reference=pooled(_embedded(names, self.input, self.at)), input=None)

    def read(self, value: Tensor) -> Tensor:
        assert self.reference is not None, "resolved before it is read"
        found, reference = pooled(value), self.reference.to(value)
        rows = pooled(reference) if reference.dim() > 1 else reference[None]
        if rows.shape[1] != found.shape[1] or len(rows) not in (1, len(found)):
            raise TargetError(
                self.text(), f"a reference of shape {tuple(reference.shape)}, and outputs of shape {tuple(value.shape)}",
                "both need the same length, and one reference for all samples or one per sample", "Make them match.",
            )  # fmt: skip
        dots = (found * rows).sum(1)
        if self.kind == "dot":
            return dots
        sizes = torch.linalg.vector_norm(found.detach() if self.fixed else found, dim=1) * torch.linalg.vector_norm(rows, dim=1)
        cosine: Tensor = dots / sizes.clamp(min=torch.finfo(found.dtype).tiny)
        return cosine

    def with_fixed_scale(self) -> Term:
        """A cosine does not depend on the length of the output: value times gradient sums to zero over it. With the length kept
        constant it is a dot product, and every entry has its share: z_i r_i / (|z| |r|).
        """
        return replace(self, fixed=True) if self.kind == "cosine" and not self.fixed else self

    def take(self, rows: Sequence[int]) -> Term:
        if self.reference is None or self.reference.dim() < 2 or len(self.reference) == 1:
            return self
        return replace(self, reference=self.reference[list(rows)])

    def text(self, sample: int = 0) -> str:
        return f"{'cosine similarity' if self.kind == 'cosine' else 'dot product'} with {self.name}"


def _embedding(reference: Any) -> Tensor:
    """The numbers of a reference.

    Raises:
        TargetError: it holds none.
    """
    try:
        made = torch.as_tensor(reference).detach()
    except (TypeError, ValueError, RuntimeError):
        found = f"a {type(reference).__name__}"
        do = "Give what the model is to make it of by its name: pl.similarity(input=...)."
        raise TargetError("pl.similarity(reference)", found, "an embedding is a vector of numbers", do) from None
    if made.dim() == 0:
        raise TargetError("pl.similarity(reference)", "one number", "an embedding is a vector", "Give all of it.")
    return made if made.is_floating_point() else made.float()


def pooled(value: Tensor) -> Tensor:
    """Embeddings with shape (batch, dim): of tokens, and of places of maps, their mean."""
    if value.dim() == 3:
        return value.mean(1)
    return value.flatten(2).mean(2) if value.dim() > 3 else value.reshape(len(value), -1)


@torch.no_grad()
def _embedded(model: Any, input: Any, at: str | None) -> Tensor:
    """What a model makes of an input, given as it reads it or as a tensor."""
    x = input if isinstance(input, Tensor) else model.read(input)
    with drawing_apart(model, x.device):
        output = model.forward(x.detach().clone().to(model.device))
    found: Tensor = part(list(entries(output, Tensor)), at.path) if isinstance(at, Part) else main_output(output)
    return found
