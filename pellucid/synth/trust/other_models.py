"""What other networks say of pictures, each fed in its own size and units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.errors import TargetError
from pellucid.model import Model, load
from pellucid.tape.forward import at_once, heard
from pellucid.target import Target, probabilities
from pellucid.target.classes import OfClass
from ..frame import framed
from ..optimize.task import Task
from .trust import Opinion


def other_model_opinions(task: Task, images: Tensor, other: Any) -> tuple[list[list[Opinion]], str]:
    """What other networks say of each picture, and why not, where they cannot say."""
    found: list[list[Opinion]] = [[] for _ in images]
    others = [] if other is None else list(other) if isinstance(other, (list, tuple)) else [other]
    why = "" if others else "No second network was given: other=..."
    for one in map(load, others):
        one.ready()
        output = torch.cat(
            [heard(one, part, (None,))[None] for part in torch.split(inputs_of(task, one, images), at_once(images))]
        )
        if output.dim() != 2:
            why = f"{one.name} does not return one score per class."
            continue
        shares = probabilities(output.float())
        for row, target in enumerate(task.targets):
            index, reason = _class_by(task.model, one, target, output.shape[1])
            why = why or reason
            if index is not None:
                best, own = int(shares[row].argmax()), shares[row, index]
                rank = 1 + int((shares[row] > own).sum())
                found[row].append(Opinion(one.name, rank, float(own), one.label(best), float(shares[row, best])))
    return found, why


def inputs_of(task: Task, other: Model, images: Tensor) -> Tensor:
    """Pictures in the units and the size of another network."""
    images = images.to(other.device, other.dtype)
    if other.pictured is None or not task.frame.bounded or images.dim() != 4:
        return task.frame.to_inputs(images)
    frame = framed(other)
    if images.shape[2:] != frame.shape[1:]:
        images = functional.interpolate(images, frame.shape[1:], mode="bilinear", antialias=True, align_corners=False)
    if images.shape[1] != frame.shape[0]:
        images = images.mean(1, keepdim=True).expand(-1, frame.shape[0], -1, -1)
    return frame.to_inputs(images.clamp(0, 1))


def _class_by(model: Model, other: Model, target: Target, count: int) -> tuple[int | None, str]:
    """The class of a target as another network numbers it: by name where both have names, else by number."""
    index = class_of(target)
    if index is None:
        return None, "A unit inside, or a sum of targets, is this network's own: another one has no such unit."
    if model.labels and other.labels and model.labels != other.labels:
        try:
            return other.find(model.label(index)), ""
        except TargetError as error:
            return None, f"{other.name} knows no such class: {error}"
    return (index, "") if -count <= index < count else (None, f"{other.name} has {count} classes only.")


def class_of(target: Target) -> int | None:
    """The class a target is about, if it is about one and nothing else."""
    (weight, term), *more = target.terms
    if more or weight <= 0 or not isinstance(term, OfClass):
        return None
    index = term.index[0] if isinstance(term.index, tuple) and term.index else term.index
    return index if isinstance(index, int) else None
