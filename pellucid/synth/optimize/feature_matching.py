"""Feature matching: targets and penalties that compare the features of pictures with those of a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.tape.forward import forward_values
from pellucid.target import Target, Term
from ..frame import Frame
from ..objective.activations import differentiable, layer_activations
from ..objective.objective import objective_of
from ..pictures import pictures
from ..protocols import Draws, Robustness
from ..random import generators
from ..robust import Robust
from .task import Plan, Task


@dataclass(frozen=True, eq=False)
class Likeness(Term):
    """The scalar product of a layer's values with those of a reference, weighted by their cosine: <F, F0> max(0.1, cos)^power.

    Departure from Lucid, whose cosine divides by the length of F alone: a cosine does not depend on that of the reference either.

    References: Olah et al., 2018, The building blocks of interpretability, https://doi.org/10.23915/distill.00010, and the
        objective of Lucid's caricatures.

    Arguments:
        reference: F0, with shape (1, ...).
        power: 0 is the plain product, and 2 draws caricatures.
        paired: Whether samples come in pairs, each followed by the reference in the same view; see `WithReference`.

    Example:
        >>> Likeness(None, torch.tensor([[3.0, 4.0]]), power=1.0).read(torch.tensor([[6.0, 8.0], [-4.0, 3.0]]))
        tensor([50.,  0.])
    """

    reference: Tensor | None = None
    power: float = 1.0
    paired: bool = False

    def read(self, value: Tensor) -> Tensor:
        mine, other = pairs(value, self.reference, paired=self.paired)
        product = (mine * other).sum(1)
        cosine = product / (mine.norm(dim=1) * other.norm(dim=1)).clamp(min=1e-12)
        return per_sample(product * cosine.clamp(min=0.1).pow(self.power), paired=self.paired)

    def text(self, sample: int = 0) -> str:
        return f"likeness to the picture in {self.at or 'the output'}"


@dataclass(frozen=True, eq=False)
class Distance(Term):
    """The distance of a layer's values from those of a reference: |F - F0|, or relative and squared, |F - F0|^2 / |F0|^2.

    References: Mahendran and Vedaldi, 2015, Eq. 2, https://doi.org/10.1109/CVPR.2015.7299155 (the square)

    Arguments:
        reference, paired: As in `Likeness`.
        relative: Whether it is the relative square.

    Example:
        >>> reference, x = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 9.0]])
        >>> Distance(None, reference).read(x).item(), Distance(None, reference, relative=True).read(x).item()
        (5.0, 1.0)
    """

    reference: Tensor | None = None
    relative: bool = False
    paired: bool = False

    def read(self, value: Tensor) -> Tensor:
        mine, other = pairs(value, self.reference, paired=self.paired)
        square = (mine - other).square().sum(1)
        if self.relative:
            return per_sample(square / other.square().sum(1).clamp(min=1e-12), paired=self.paired)
        return per_sample((square + 1e-12).sqrt(), paired=self.paired)

    def text(self, sample: int = 0) -> str:
        return f"distance from the picture in {self.at or 'the output'}"


@dataclass(frozen=True, eq=False)
class PictureOnly(Term):
    """A term for pictures that are each followed by their reference, which it leaves out."""

    term: Term | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.term is not None
        return per_sample(self.term.read(value[0::2]), paired=True)

    def take(self, rows: Sequence[int]) -> PictureOnly:
        assert self.term is not None
        return replace(self, term=self.term.take(rows[0::2]))

    def text(self, sample: int = 0) -> str:
        assert self.term is not None
        return self.term.text(sample // 2)


def pictures_only(target: Target) -> Target:
    """A target for pictures that are each followed by their reference, which it leaves out."""
    return Target(tuple((weight, PictureOnly(term.at, term)) for weight, term in target.terms))


@dataclass(frozen=True, eq=False)
class FeatureDistance:
    """A penalty: the distance |F - F0| of a layer's values from those of the reference that follows each picture, over its views.

    Arguments:
        at: The layer; None: the output.
        weight: Of the penalty.
    """

    at: str | None
    weight: float = 1.0

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.at,)  # type: ignore[return-value]  # None, the output, is an address as well

    def __call__(self, pictures: Tensor, frame: Frame, values: Mapping[str | None, Tensor]) -> Tensor:
        gap = Distance(self.at, paired=True).read(values[self.at])
        return gap.reshape(len(pictures), -1).mean(1)


def pairs(value: Tensor, reference: Tensor | None, *, paired: bool) -> tuple[Tensor, Tensor]:
    """The values of pictures and those of the reference, as rows."""
    flat = value.flatten(1) if value.dim() > 1 else value[:, None]
    if paired:
        return flat[0::2], flat[1::2].detach()
    assert reference is not None
    return flat, reference.to(flat).reshape(1, -1)


def per_sample(scores: Tensor, *, paired: bool) -> Tensor:
    """One number per sample: of pairs each number twice, with the same mean."""
    return scores.repeat_interleave(2) if paired else scores


@dataclass(frozen=True, eq=False)
class WithReference:
    """Every view of a picture is followed by the same view of its reference: both are transformed alike, except for noise.

    Arguments:
        robust: The transformations.
        references: One per picture, (n, *shape), or one for all, (1, *shape), with which batches may be split.

    Example:
        >>> from pellucid.synth.random import generators
        >>> both = WithReference(Robust(jitter=0.25, edge="wrap"), torch.eye(4)[None, None])
        >>> picture, reference = both(2 * torch.eye(4)[None, None], generators([1]), step=0)
        >>> bool((picture == 2 * reference).all())
        True
    """

    robust: Robustness
    references: Tensor

    def __repr__(self) -> str:
        return f"Beside({self.robust})"

    @property
    def views(self) -> int:
        return 2 * self.robust.views

    def __call__(self, pictures: Tensor, draws: Draws, step: int) -> Tensor:
        references = self.references.to(pictures).expand(len(pictures), *pictures.shape[1:])
        channels = pictures.shape[1]
        views = self.robust(torch.cat([pictures, references], 1), draws, step)
        return torch.stack([views[:, :channels], views[:, channels:]], 1).flatten(0, 1)


def layers(task: Task, at: str | None) -> list[str | None]:
    """The layer in which each picture is compared: `at`, or the one its target reads."""
    return [at if at is not None else target.addresses[0] for target in task.targets]


def references(recipe: str, task: Task) -> Tensor:
    """The given pictures of a recipe, (n, *frame.shape): those to start from, else of the data those whose numbers are the seeds.

    Raises:
        InputError: there are neither.
    """
    if task.start is not None:
        return task.start.to(task.frame.device, task.frame.dtype)
    if task.data is None:
        raise InputError(
            f"recipe {recipe!r}", "neither a picture to start from nor data", "the recipe is about a given picture",
            "Pass start=picture, or data=folder: seed 0 then takes its first picture, seed 1 its second.",
        )  # fmt: skip
    source = pictures(task.model, task.data)
    count = source.count
    numbers = torch.tensor([seed % count if count else seed for seed in task.seeds])
    inputs = source.take(numbers) if count else source.first(int(numbers.max()) + 1)[numbers]
    return task.frame.to_pictures(inputs.to(task.frame.device)).to(task.frame.dtype)


def reference_activations(task: Task, pictures: Tensor, at: Sequence[str | None]) -> list[Tensor]:
    """The values of a layer for each picture, with shape (1, ...)."""
    with torch.no_grad():
        inputs = [task.frame.to_inputs(pictures[row : row + 1]) for row in range(len(pictures))]
        return [forward_values(task.model, x, (layer, None))[layer].detach() for x, layer in zip(inputs, at, strict=True)]


def input_gradients(task: Task, pictures: Tensor, robust: Robustness | None = None, steps: int = 1) -> Tensor:
    """The gradients of the targets by their pictures, (n, *frame.shape); with robustness, the mean over views of some steps."""
    with differentiable(task.model, pictures):
        pictures = pictures.detach().requires_grad_()
        addresses = [at for target in task.targets for at in target.addresses]
        activations, _ = layer_activations(task.model, task.frame.to_inputs(pictures[:1].detach()), addresses)
        score, draws, objective = torch.zeros((), device=pictures.device), generators(task.seeds), objective_of(task.targets)
        for step in range(steps):
            views = pictures if robust is None else robust(pictures, draws, step)
            score = score + objective(activations(task.frame.to_inputs(views)), len(views) // len(pictures)).sum() / steps
        return torch.autograd.grad(score, pictures)[0]


def with_reference(task: Task, plan: Plan, reference: Tensor) -> tuple[Task, Plan]:
    """The task, and its plan with the user's changes, in which the reference (1, *frame.shape) follows every view."""
    plan = task.changed(plan)
    plan = replace(plan, robust=WithReference(plan.robust or Robust.none(), reference))
    return replace(task, changes={}, steps=None), plan
