"""Other models: what they predict for pictures that were made for one network, resized and scaled to their inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.errors import TargetError
from pellucid.model import Model, load
from pellucid.model.final_activation import final_activations, probabilities
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import Target
from pellucid.target.classes import OfClass
from ..frame import framed
from ..optimize.task import Task
from .verdict import Opinion


def other_model_opinions(task: Task, images: Tensor, other: Any) -> tuple[list[list[Opinion]], str]:
    """By picture, the predictions of other networks; and the reason where there are none, else "".

    Arguments:
        images: With shape (n, *task.frame.shape), as the frame has them.
        other: A model or a list of models: whatever `pellucid.load` takes; None: none.
    """
    opinions: list[list[Opinion]] = [[] for _ in images]
    others = [] if other is None else list(other) if isinstance(other, (list, tuple)) else [other]
    why = "" if others else "No second network was given: other=..."
    for one in map(load, others):
        one.ready()
        batches = torch.split(as_inputs(task, one, images), batch_size(images))
        one = one.with_endings(final_activations(one.forward, batches[0]), scores=False, told=False)
        output = torch.cat([forward_values(one, batch, (None,))[None] for batch in batches])
        if output.dim() != 2:
            why = f"{one.name} does not return one score per class."
            continue
        probability = probabilities(output.float(), one.links.get(""))
        for row, target in enumerate(task.targets):
            index, reason = _same_class(task.model, one, target, output.shape[1])
            why = why or reason
            if index is not None:
                best, own = int(probability[row].argmax()), probability[row, index]
                rank = 1 + int((probability[row] > own).sum())
                opinions[row].append(Opinion(one.name, rank, float(own), one.label(best), float(probability[row, best])))
    return opinions, why


def as_inputs(task: Task, other: Model, images: Tensor) -> Tensor:
    """Pictures in the units and at the size of another network's inputs, grey where its channels differ."""
    images = images.to(other.device, other.dtype)
    if other.image_preprocess is None or not task.frame.bounded or images.dim() != 4:
        return task.frame.to_inputs(images)
    frame = framed(other)
    if images.shape[2:] != frame.shape[1:]:
        images = functional.interpolate(images, frame.shape[1:], mode="bilinear", antialias=True, align_corners=False)
    if images.shape[1] != frame.shape[0]:
        images = images.mean(1, keepdim=True).expand(-1, frame.shape[0], -1, -1)
    return frame.to_inputs(images.clamp(0, 1))


def _same_class(model: Model, other: Model, target: Target, count: int) -> tuple[int | None, str]:
    """The index of a target's class in another network, matched by name where both have names; or None, and why."""
    index = class_of(target)
    if index is None:
        return None, "A unit inside, or a sum of targets, belongs to this network alone: another one has no such unit."
    if model.labels and other.labels and model.labels != other.labels:
        try:
            return other.find(model.label(index)), ""
        except TargetError as error:
            return None, f"{other.name} knows no such class: {error}"
    return (index, "") if -count <= index < count else (None, f"{other.name} has only {count} classes.")


def class_of(target: Target) -> int | None:
    """The class a target is about, if it is about one and nothing else."""
    (weight, term), *more = target.terms
    if more or weight <= 0 or not isinstance(term, OfClass):
        return None
    index = term.index[0] if isinstance(term.index, tuple) and term.index else term.index
    return index if isinstance(index, int) else None
