"""Problem: samples with known ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn

from pellucid.core.random import generator as generator
from pellucid.errors import InputError

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples of which it is known what an answer has to be made of.

    Arguments:
        name: What it is called.
        inputs: What a network gets, batch first.
        labels: What it should answer, with shape (sample,).
        masks: True where the truth lies, with shape (sample, *places): what the answer depends on lies nowhere else.
        classes: The names of the labels.
        model: A network that answers by construction, where none has to be trained.
        exact: The one right attribution for that model, shaped like the inputs, where there is one.
        parts: More masks, by name.
        changes: Interventions by name: inputs of this problem, all of them and in this order, to changed ones.
        also: More tensors by name, first axis the samples: other labels, flags, other exact attributions.

    Example:
        >>> from pellucid.zoo.truth import weighted_sum
        >>> p = weighted_sum(4, seed=0)
        >>> p
        Problem(weighted_sum, 4 samples of shape (8,), exact)
        >>> bool((p.exact[~p.masks] == 0).all())
        True
    """

    name: str
    inputs: Tensor
    labels: Tensor
    masks: Tensor
    classes: tuple[str, ...] = ()
    model: nn.Module | None = None
    exact: Tensor | None = None
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    also: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        known = ", exact" if self.exact is not None else ""
        return f"Problem({self.name}, {len(self)} samples of shape {tuple(self.inputs.shape[1:])}{known})"

    def after(self, change: str) -> Tensor:
        """The inputs after one of the `changes`.

        Raises:
            InputError: there is no such change.
        """
        if change not in self.changes:
            known = f"changes {', '.join(self.changes) or 'none'}"
            raise InputError(f"{self.name} after {change!r}", known, "only these can be made", "Name one of them.")
        return self.changes[change](self.inputs)


def choose(count: int, n: int, rng: Generator) -> Tensor:
    """Whole numbers below `count`, with shape (n,)."""
    return torch.randint(count, (n,), generator=rng)


def uniform(*shape: int, rng: Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Numbers between `low` and `high`."""
    return low + (high - low) * torch.rand(*shape, generator=rng)
