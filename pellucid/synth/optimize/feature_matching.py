"""Pictures compared by what a layer makes of them."""

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
    """How far a layer's values reach along those of a reference, the more so the better they agree: <F, F0> max(0.1, cos)^power.

    Departure from Lucid, whose cosine divides by the length of F alone: a cosine does not depend on that of the reference either.

    References: Olah et al., 2018, The building blocks of interpretability, https://doi.org/10.23915/distill.00010, and the
        objective of Lucid's caricatures.

    Arguments:
        reference: F0, with shape (1, ...).
        power: 0 is the plain product, and 2 draws caricatures.
        beside: Whether samples come in pairs, each followed by the reference as it is seen in the same view; see `WithReference`.

    Example:
        >>> Likeness(None, torch.tensor([[3.0, 4.0]]), power=1.0).read(torch.tensor([[6.0, 8.0], [-4.0, 3.0]]))
        tensor([50.,  0.])
    """

    reference: Tensor | None = None
    power: float = 1.0
    beside: bool = False

    def read(self, value: Tensor) -> Tensor:
        mine, other = pairs(value, self.reference, beside=self.beside)
        product = (mine * other).sum(1)
        cosine = product / (mine.norm(dim=1) * other.norm(dim=1)).clamp(min=1e-12)
        return per_sample(product * cosine.clamp(min=0.1).pow(self.power), beside=self.beside)

    def text(self, sample: int = 0) -> str:
        return f"likeness to the picture in {self.at or 'the output'}"


@dataclass(frozen=True, eq=False)
class Distance(Term):
    """How far a layer's values lie from those of a reference: |F - F0|, or relative and squared, |F - F0|^2 / |F0|^2.

    References: Mahendran and Vedaldi, 2015, Understanding deep image representations by inverting them, Eq. 2,
        https://doi.org/10.1109/CVPR.2015.7299155 (the square)

    Arguments:
        reference, beside: As in `Likeness`.
        relative: Whether it is the relative square.

    Example:
        >>> reference, x = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 9.0]])
        >>> Distance(None, reference).read(x).item(), Distance(None, reference, relative=True).read(x).item()
        (5.0, 1.0)
    """

    reference: Tensor | None = None
    relative: bool = False
    beside: bool = False

    def read(self, value: Tensor) -> Tensor:
        mine, other = pairs(value, self.reference, beside=self.beside)
        square = (mine - other).square().sum(1)
        if self.relative:
            return per_sample(square / other.square().sum(1).clamp(min=1e-12), beside=self.beside)
        return per_sample((square + 1e-12).sqrt(), beside=self.beside)

    def text(self, sample: int = 0) -> str:
        return f"distance from the picture in {self.at or 'the output'}"


@dataclass(frozen=True, eq=False)
class PictureOnly(Term):
    """A reading of pictures that are each followed by their reference: of the pictures alone."""

    term: Term | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.term is not None
        return per_sample(self.term.read(value[0::2]), beside=True)

    def take(self, rows: Sequence[int]) -> PictureOnly:
        assert self.term is not None
        return replace(self, term=self.term.take(rows[0::2]))

    def text(self, sample: int = 0) -> str:
        assert self.term is not None
        return self.term.text(sample // 2)


def pictures_only(target: Target) -> Target:
    """The target of pictures that are each followed by their reference."""
    return Target(tuple((weight, PictureOnly(term.at, term)) for weight, term in target.terms))


@dataclass(frozen=True, eq=False)
class FeatureDistance:
    """How far a layer's values lie from those of the reference that follows each picture, over its views: |F - F0|.

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
        gap = Distance(self.at, beside=True).read(values[self.at])
        return gap.reshape(len(pictures), -1).mean(1)


def pairs(value: Tensor, reference: Tensor | None, *, beside: bool) -> tuple[Tensor, Tensor]:
    """Values and those of the reference, as rows."""
    flat = value.flatten(1) if value.dim() > 1 else value[:, None]
    if beside:
        return flat[0::2], flat[1::2].detach()
    assert reference is not None
    return flat, reference.to(flat).reshape(1, -1)


def per_sample(scores: Tensor, *, beside: bool) -> Tensor:
    """One number per pair as one per sample of it: their mean is that of the pairs."""
    return scores.repeat_interleave(2) if beside else scores


@dataclass(frozen=True, eq=False)
class WithReference:
    """Every view of a picture is followed by the same view of its reference: the two are changed alike, except for noise.

    Arguments:
        robust: The changes.
        references: One per picture, with shape (n, *shape). With one for all, batches may be split.

    Example:
        >>> from pellucid.synth.random import generators
        >>> beside = WithReference(Robust(jitter=0.25, edge="wrap"), torch.eye(4)[None, None])
        >>> picture, reference = beside(2 * torch.eye(4)[None, None], generators([1]), step=0)
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
        seen = self.robust(torch.cat([pictures, references], 1), draws, step)
        return torch.stack([seen[:, :channels], seen[:, channels:]], 1).flatten(0, 1)


def layer(task: Task, row: int, at: str | None) -> str | None:
    """Which layer pictures are compared in: the one asked for, or the one the target of that picture reads."""
    return at if at is not None else task.targets[row].addresses[0]


def references(recipe: str, task: Task) -> Tensor:
    """The pictures that a recipe starts from: those given, else the data's, the one whose number is the seed.

    Raises:
        InputError: there are none.
    """
    if task.start is not None:
        return task.start.to(task.frame.device, task.frame.dtype)
    if task.data is None:
        raise InputError(
            f"recipe {recipe!r}", "neither a picture to start from nor data", "it shows what a network makes of a picture",
            "Pass start=picture, or data=folder: seed 0 then takes its first picture, seed 1 its second.",
        )  # fmt: skip
    source = pictures(task.model, task.data)
    count = source.count
    numbers = torch.tensor([seed % count if count else seed for seed in task.seeds])
    found = source.take(numbers) if count else source.first(int(numbers.max()) + 1)[numbers]
    return task.frame.to_pictures(found.to(task.frame.device)).to(task.frame.dtype)


def reference_activations(task: Task, shown: Tensor, at: Sequence[str | None]) -> list[Tensor]:
    """What the layers make of pictures, picture by picture: row i of layer i, with shape (1, ...)."""
    with torch.no_grad():
        found = []
        for row, where in enumerate(at):
            values = forward_values(task.model, task.frame.to_inputs(shown[row : row + 1]), (where, None))
            found.append(values[where].detach())
    return found


def input_gradients(task: Task, shown: Tensor, robust: Robustness | None = None, looks: int = 1) -> Tensor:
    """The derivatives of the targets by the entries of their pictures; with robustness, the mean over so many looks at them."""
    with differentiable(shown):
        shown = shown.detach().requires_grad_()
        ask, _ = layer_activations(
            task.model, task.frame.to_inputs(shown[:1].detach()), [at for t in task.targets for at in t.addresses]
        )
        score, draws, objective = torch.zeros((), device=shown.device), generators(task.seeds), objective_of(task.targets)
        for look in range(looks):
            views = shown if robust is None else robust(shown, draws, look)
            score = score + objective(ask(task.frame.to_inputs(views)), len(views) // len(shown)).sum() / looks
        return torch.autograd.grad(score, shown)[0]


def with_targets(task: Task, targets: Sequence[Target], start: Tensor | None = None) -> Task:
    """The same task with other targets, and pictures to start from."""
    return replace(task, targets=tuple(targets), start=start)


def beside(task: Task, plan: Plan, reference: Tensor) -> tuple[Task, Plan]:
    """A task and its plan with the reference in every view, whatever the user wants views to be."""
    plan = task.changed(plan)
    plan = replace(plan, robust=WithReference(plan.robust or Robust.none(), reference))
    return replace(task, changes={}, steps=None), plan
