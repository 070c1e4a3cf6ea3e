"""Maximized: the pictures of a maximization, with all that is needed to evaluate, show and repeat them; the protocol of recipes.

How they are painted is in `pellucid.render.maximized`.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from safetensors import torch as safetensors
from torch import Tensor

from pellucid.core.displayed import Displayed
from pellucid.core.files import finite
from pellucid.core.formats import plot, save
from pellucid.core.numbers import figure
from pellucid.core.one_line import cut
from pellucid.errors import InputError
from pellucid.errors.printable import make_printable
from pellucid.methods.lrp import Auto
from pellucid.model.outputs import main_output
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target.activation import Channel
from .examples.example import Example, Examples
from .examples.receptive_field import Box, ReceptiveField, receptive_field
from .examples.search import search
from .objective.objective import objective_of
from .optimize.coarse_to_fine import coarse_to_fine
from .optimize.result import OptimizationResult
from .optimize.task import Plan, Task
from .pictures import pictures
from .trust.report import trust_report
from .trust.trust import Trust


@dataclass(frozen=True, eq=False)
class Maximized(Displayed):
    """What a network looks for: pictures with high scores, one per target and seed.

    Arguments:
        images: With shape (n, *shape of the input), in [0, 1] where bounds are known, else in the network's units; on the CPU.
        scores: The target of each, (n,): of the picture itself, not of a view, and in full precision.
        targets: The target of each, as text.
        recipe: The name of the recipe.
        seeds: The seed of each.
        trace: The score by step and picture, (steps, n), of views where there are any; NaN where a picture was not moved.
        fired: Which pictures got a gradient at some step, (n,).
        classes: The network's top classes of each, as (index, label, probability).
        snapshots: The same pictures at other moments: "last", "best", "majority".
        notes: Remarks for the reader, whole sentences.
        provenance: What it takes to repeat this. Plain JSON.
        extras: Further tensors of a recipe, by name.
        task: The model, the frame, and one target per picture.
        real: Real pictures to be shown beside them, see `beside`.

    Example:
        >>> p = Maximized(torch.rand(1, 1, 2, 2), torch.tensor([1.5]), ("logit 0",), "lucid", (0,), torch.zeros(3, 1))
        >>> p
        Maximized(lucid -> logit 0 = 1.50, images (1, 1, 2, 2))
    """

    kind: ClassVar[str] = "maximized"

    images: Tensor
    scores: Tensor
    targets: tuple[str, ...]
    recipe: str
    seeds: tuple[int, ...]
    trace: Tensor
    fired: Tensor = field(default_factory=lambda: torch.ones(1, dtype=torch.bool))
    classes: tuple[tuple[tuple[int, str, float], ...], ...] = ()
    snapshots: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    task: Task | None = None
    real: Examples | None = None

    def __post_init__(self) -> None:
        make_printable(self, "targets", "recipe", "classes", "notes")

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.images)

    def __repr__(self) -> str:
        headline = self.headline() if len(self) == 1 else self.recipe
        return cut(f"Maximized({headline}, images {tuple(self.images.shape)})")

    @cached_property
    def _fields(self) -> dict[tuple[str, bool], ReceptiveField]:
        """Receptive fields of layers, as far as they have been measured."""
        return {}

    def unit_field(self, picture: int = 0) -> Box | None:
        """What one unit of its channel can see of a picture: the unit at the place asked for, else the one in the middle.

        None where the target is no single channel of a layer with a map, where a unit sees the whole picture, and where the task
        is not known. It is measured on the network, with a few passes per layer.
        """
        task = self.task
        if task is None or len(task.frame.spatial) != 2 or picture >= len(task.targets) or len(task.targets[picture].terms) != 1:
            return None
        term = task.targets[picture].terms[0][1]
        if not isinstance(term, Channel) or term.at is None or term.tokens is not None:
            return None
        key = term.at, False
        if key not in self._fields:
            x = task.frame.to_inputs(self.images[:1].to(task.frame.device, task.frame.dtype))
            self._fields[key] = receptive_field(task.model, x, term.at)
        box = self._fields[key].of_unit(term.position)
        whole = tuple((0, side) for side in self.images.shape[2:])
        return None if box is None or box == whole else box

    @property
    def called_off(self) -> bool:
        """Whether it was called off before its end."""
        return any(note.startswith("Called off") for note in self.notes)

    def headline(self, picture: int = 0) -> str:
        """Recipe, target and score: `lucid -> logit 7 = 1.50`."""
        return f"{self.recipe} -> {self.targets[picture]} = {figure(float(self.scores[picture]))}"

    def caption(self, picture: int = 0) -> str:
        """The text for one picture: headline, predicted class, notes."""
        predicted = [f"The network says {label} ({p:.1%})." for _, label, p in self.classes[picture][:1]] if self.classes else []
        return " ".join([f"{self.headline(picture)}.", *predicted, *self.notes])

    def beside(self, data: Any = None, *, top: int = 3, by: str = "activation", crop: bool = True) -> Maximized:
        """The same, with the real pictures that activate each target most, to be shown beside the synthesised ones.

        Arguments:
            data: Pictures of yours; None: those the maximization was given.
            top: How many per target.
            by: "activation", or "relevance" of a unit inside for the class of each picture.
            crop: Whether they are cropped to the unit's receptive field.

        Raises:
            InputError: there are no pictures, or this came without the task it was made for.
        """
        task = self._task("Real pictures beside those made")
        source = pictures(task.model, task.data if data is None else data)
        real = search(task.model, task.targets, source, task.frame, Auto(), top=top, by=by, crop=crop)
        return replace(self, real=real.computed())

    def examples(self, picture: int = 0) -> tuple[Example, ...]:
        """The real pictures beside one that was synthesised."""
        return () if self.real is None else self.real[picture]

    def trust(self, data: Any = None, other: Any = None, **options: Any) -> Trust:
        """How far to trust these pictures, measured against real pictures, fresh transformations, other networks and other seeds.

        Arguments:
            data: Real pictures; None: those the maximization was given, if any.
            other, options: As in `pellucid.synth.trust.report.trust_report`: views, most, classes, seed.

        Raises:
            InputError: this came without the task it was made for.
        """
        task = self._task("A report on trust")
        return trust_report(task, self.images, self.scores, task.data if data is None else data, other, **options)

    def _task(self, what: str) -> Task:
        if self.task is None:
            raise InputError(
                what, "pictures without the task they were made for", "the model and the targets are needed",
                "Ask the result of `pl.maximize` itself.",
            )  # fmt: skip
        return self.task

    def plot(self, ax: Any = None, *, picture: int = 0) -> Any:
        """Draw one picture into an axis of matplotlib, and return the axis.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        return plot(self, self.kind, ax, picture=picture)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a contact sheet (.png), parameters and scores (.json), or everything (.safetensors), whole or not at all.

        Sheet and .json take `trust=`, a report to be shown with the pictures.
        """
        return save(self, path, "maximized", **options)


@runtime_checkable
class Maximizer(Protocol):
    """A recipe: a frozen dataclass whose fields are the published settings."""

    @property
    def name(self) -> str: ...

    def maximize(self, task: Task) -> Maximized:
        """The pictures of a task, one per target.

        Raises:
            MethodError: the recipe cannot be applied to this task.
        """


class PlannedRecipe(ABC):
    """A recipe that optimises by one plan."""

    name: ClassVar[str]

    @abstractmethod
    def plan(self, task: Task) -> Plan:
        """How to optimise."""

    def maximize(self, task: Task) -> Maximized:
        """The pictures of the recipe's plan."""
        plan = self.plan(task)
        return maximized(task, self.name, plan, coarse_to_fine(task, plan))


def maximized(task: Task, recipe: str, plan: Plan, result: OptimizationResult) -> Maximized:
    """The result of a recipe, its pictures scored as they are, without transformations."""
    plan = task.changed(plan)
    chosen = result.snapshots[plan.keep]
    scores, classes = scored(task, chosen)
    notes = list(result.notes)
    if plan.keep == "majority" and not bool(result.led.all()):
        notes.append("Where the class or channel never led its layer, the picture with the best score is shown.")
    provenance = {"recipe": recipe, "settings": plan.lines(), "steps": result.steps, "precision": task.precision}
    provenance |= {"steps per second": round(result.steps / result.seconds, 2) if result.seconds else None}
    return Maximized(
        chosen.float().cpu(), scores, tuple(target.text() for target in task.targets), recipe, task.seeds,
        result.trace.float().cpu(), result.fired.cpu(), classes,
        {name: pictures.float().cpu() for name, pictures in result.snapshots.items()}, tuple(notes), provenance, task=task,
    )  # fmt: skip


def with_given(p: Maximized, task: Task) -> Maximized:
    """The same with the pictures they started from or are about, and the scores of these, to be shown beside them."""
    given = p.extras.get("given", task.start)
    if given is None or len(given) != len(p) or given.shape[1:] != p.images.shape[1:]:
        return p
    scores, _ = scored(task, given)
    return replace(p, extras={**p.extras, "given": given.float().cpu(), "given scores": scores})


@torch.no_grad()
def scored(task: Task, pictures: Tensor) -> tuple[Tensor, tuple[tuple[tuple[int, str, float], ...], ...]]:
    """The score of each picture by its target, (n,), and the network's top classes of each."""
    scores, classes = [], []
    size = batch_size(pictures)
    for start in range(0, len(pictures), size):
        batch = task.take(range(start, min(start + size, len(pictures))))
        addresses = [at for target in batch.targets for at in target.addresses]
        x = task.frame.to_inputs(pictures[start : start + size])
        values = forward_values(task.model, x, (*dict.fromkeys(addresses), None))
        scores.append(objective_of(batch.targets)(values))
        classes += [tuple(task.model.top(row)) for row in main_output(values[None])]
    return torch.cat(scores).float().cpu(), tuple(classes)


def document(p: Maximized, trust: Trust | None = None) -> dict[str, Any]:
    """Everything but the pictures, as plain data."""
    each = [
        {"target": target, "score": float(p.scores[i]), "seed": p.seeds[i], "fired": bool(p.fired[i]),
         "classes": [list(one) for one in p.classes[i]] if p.classes else []}
        for i, target in enumerate(p.targets)
    ]  # fmt: skip
    for one, score in zip(each, p.extras.get("given scores", ()), strict=False):
        one["given"] = float(score)
    more = {} if p.real is None else {"real": p.real.document()}
    more |= {} if trust is None else {"trust": trust.document()}
    return more | {
        "recipe": p.recipe, "shape": list(p.images.shape), "pictures": each, "notes": list(p.notes),
        "provenance": dict(p.provenance), "trace": p.trace.T.tolist(),
    }  # fmt: skip


def to_safetensors(p: Maximized) -> bytes:
    """All tensors, with the document as metadata."""
    tensors = {"images": p.images, "scores": p.scores, "trace": p.trace, "fired": p.fired}
    tensors |= {f"snapshots.{name}": pictures for name, pictures in p.snapshots.items()}
    tensors |= {f"extras.{name}": tensor for name, tensor in p.extras.items()}
    text = json.dumps(finite({name: part for name, part in document(p).items() if name != "trace"}))
    return safetensors.save({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, {"maximized": text})
