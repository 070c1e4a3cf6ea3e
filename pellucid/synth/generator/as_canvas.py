"""The choice of a generator prior for a recipe: its own, the one given as canvas, or one fitted to the data given."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ..optimize.task import Task, refuse
from .prior import GeneratorPrior

TRAINING = 20  # steps of training for each step of the search


def resolve_prior(recipe: str, task: Task, prior: Any, minutes: float, steps: int) -> tuple[GeneratorPrior, Task]:
    """The prior, and the task without it. One that is fitted here gets 20 training steps for each step of the search.

    Arguments:
        prior: A `GeneratorPrior`, or the file of one.
        minutes: How long fitting may take.
        steps: Of the search.

    Raises:
        MethodError: there is neither a prior nor data to fit one to.
    """
    canvas = task.changes.get("canvas")
    prior = canvas if prior is None else prior
    if prior is not None:
        prior = GeneratorPrior.load(prior) if isinstance(prior, (str, os.PathLike)) else prior
        if not isinstance(prior, GeneratorPrior):
            found = f"a prior of type {type(prior).__name__}"
            raise refuse(recipe, found, "it optimises codes of a generator prior", "Pass canvas=GeneratorPrior.fit(...).")
    if prior is not None and prior.place is not None and fitted_to_another(prior, task):
        note = f"The generator was fitted to another model, {prior.origin}: its pictures are not what this one learned from."
        prior = replace(prior, notes=(*prior.notes, note))
    if prior is None and task.data is None:
        raise refuse(
            recipe, "neither a prior nor data", "it searches among the pictures that a generator makes",
            "Pass data=, a folder of pictures such as the model was trained on, or canvas=GeneratorPrior.fit(model, data=...).",
        )  # fmt: skip
    if prior is None:
        minutes = minutes if task.seconds is None else min(minutes, task.seconds / 120)
        prior = GeneratorPrior.fit(task.model, task.data, minutes=minutes, steps=TRAINING * (task.steps or steps))
    return prior, replace(task, changes={name: part for name, part in task.changes.items() if name != "canvas"})


def fitted_to_another(prior: GeneratorPrior, task: Task) -> bool:
    """Whether a prior was fitted to another model than the task's, by the digests of their files."""
    known = prior.provenance.get("model", {}).get("fingerprint")
    return known is not None and task.model.fingerprint is not None and known != task.model.fingerprint
