"""Relative stability: how much a map changes for a change of the input, of the output or of a representation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model import Model
from pellucid.tape.forward import batch_size, forward_values
from ..metric import Answer, Question, Scores, class_scores
from .reexplain import Explainer, SensitivityMetric
from .robustness import Neighbours, explain_moved, row_norms, where_finite

Values = dict[str | None, Tensor]
"""The output (None), and values inside the model by module path."""
NEAR = Neighbours(n=10, radius=0.05)


@dataclass(frozen=True)
class RelativeStability(SensitivityMetric, ABC):
    """How far the map moves, entry by entry relative to itself, for how far something else moves; at most. Lower is better.

        max over y of  ||(R(x) - R(y)) / R(x)|| / max(distance, eps)

    Only those y count for which the model predicts the class it predicts for x; without one it is NaN. Entries that are 0 in the
    map are divided by eps, as in the reference implementations: a map with zeros that do not stay is called unstable.

    References: Agarwal et al., 2022, Rethinking stability for attribution-based explanations,
        https://doi.org/10.48550/arXiv.2203.06877

    Arguments:
        neighbours: Which y.
        eps: What takes the place of divisors that are 0, and of distances that are smaller.
    """

    name: ClassVar[str]

    neighbours: Neighbours = NEAR
    eps: float = 1e-6

    @abstractmethod
    def distance(self, question: Question, sample: int, y: Tensor, values: Values) -> Tensor:
        """How far something moves from a sample to each of its neighbours y, with shape (n,)."""

    def layer(self, model: Model) -> str | None:
        """The module whose output `distance` needs."""
        return None

    def score(self, question: Question, answer: Answer) -> Scores:
        again = Explainer.of(question, answer)
        shift = self.neighbours.noise(question.x, question.seed)
        after = explain_moved(again, shift)
        maps, at = answer.values.to(question.x), self.layer(question.model)
        found = []
        for sample, own in enumerate(maps):  # each with its own neighbours: the same in whatever batch it comes
            y = question.x[sample] + shift[: len(after), 0]
            values = output_values(question, sample, y, at)
            change = row_norms(relative_change(own - after[:, sample], own, self.eps))
            ratio = change / self.distance(question, sample, y, values).double().clamp(min=self.eps)
            kept = same_class(question.output[sample : sample + 1], values[None])
            found.append(ratio[kept].max() if kept.any() else ratio.new_tensor(torch.nan))
        return Scores(where_finite(answer, torch.stack(found)).cpu(), again.forwards + after.shape[0] * after.shape[1])


@dataclass(frozen=True)
class RelativeInputStability(RelativeStability):
    """How far the map moves for how far the input moves, both entry by entry relative to themselves. Lower is better.

        RIS = max over y of  ||(R(x) - R(y)) / R(x)|| / max(||(x - y) / x||, eps)

    References: Agarwal et al., 2022, https://doi.org/10.48550/arXiv.2203.06877
    """

    name: ClassVar[str] = "relative_input_stability"

    def distance(self, question: Question, sample: int, y: Tensor, values: Values) -> Tensor:
        x = question.x[sample]
        return row_norms(relative_change(x - y, x, self.eps))


@dataclass(frozen=True)
class RelativeOutputStability(RelativeStability):
    """How far the map moves, relative to itself, for how far the output moves. Lower is better.

        ROS = max over y of  ||(R(x) - R(y)) / R(x)|| / max(||f(x) - f(y)||, eps),   f the whole output, logits for a classifier

    References: Agarwal et al., 2022, https://doi.org/10.48550/arXiv.2203.06877
    """

    name: ClassVar[str] = "relative_output_stability"

    def distance(self, question: Question, sample: int, y: Tensor, values: Values) -> Tensor:
        return row_norms(question.output[sample] - values[None])


@dataclass(frozen=True)
class RelativeRepresentationStability(RelativeStability):
    """How far the map moves for how far an inner representation moves, both relative to themselves. Lower is better.

        RRS = max over y of  ||(R(x) - R(y)) / R(x)|| / max(||(L(x) - L(y)) / L(x)||, eps)

    References: Agarwal et al., 2022, https://doi.org/10.48550/arXiv.2203.06877

    Arguments:
        at: The module whose output is the representation; None: the last but one with weights.
    """

    name: ClassVar[str] = "relative_representation_stability"

    at: str | None = None

    def layer(self, model: Model) -> str:
        return self.at or last_but_one(model)

    def distance(self, question: Question, sample: int, y: Tensor, values: Values) -> Tensor:
        at = self.layer(question.model)
        before = output_values(question, sample, question.x[sample : sample + 1], at)[at]
        return row_norms(relative_change(before - values[at], before, self.eps))


def same_class(output: Tensor, other: Tensor) -> Tensor:
    """Whether the same class is predicted, for each of the others; always, without classes."""
    one, two = class_scores(output), class_scores(other)
    if one is None or two is None:
        return torch.ones(len(other), dtype=torch.bool, device=other.device)
    return one.argmax(1) == two.argmax(1)


def last_but_one(model: Model) -> str:
    """The last but one of the modules that have weights of their own, in the order they were defined.

    Raises:
        MethodError: the model has no such modules to be seen.
    """
    module = model.module
    seen = module is not None and not isinstance(module, (torch.jit.ScriptModule, torch.fx.GraphModule))
    named = list(module.named_modules()) if module is not None and seen else []
    own: list[str] = [name for name, child in named if name and any(True for _ in child.parameters(recurse=False))]
    if len(own) < 2:
        raise MethodError(
            f"relative_representation_stability of {model.name}", f"{len(own)} modules with weights",
            "a representation inside the model is compared", "Name a module: RelativeRepresentationStability(at=...).",
        )  # fmt: skip
    return own[-2]


def output_values(question: Question, sample: int, y: Tensor, at: str | None) -> Values:
    """The output for variants of a sample, and a value inside the model, a few at a time."""

    def run(piece: Tensor) -> Values:
        if at is None:
            return question.readout.values(piece, [sample] * len(piece))
        return forward_values(question.model, piece, (at, None))

    pieces = [run(piece) for piece in torch.split(y, batch_size(y))]
    return {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}


def relative_change(change: Tensor, whole: Tensor, eps: float) -> Tensor:
    """A change relative to what changes, entry by entry; what is 0 counts as eps.

    Example:
        >>> relative_change(torch.tensor([1.0, 1.0]), torch.tensor([-4.0, 0.0]), 0.5)
        tensor([-0.2500,  2.0000], dtype=torch.float64)
    """
    return change.double() / torch.where(whole == 0, eps, whole.double())
