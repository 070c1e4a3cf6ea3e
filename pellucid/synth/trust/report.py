"""The report on trust: synthesised pictures measured against real ones, fresh transformations, other networks and one another.

The measurements are in `columns.py`, what they are made on in `responses.py`, and their meanings in `trust.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.tape.forward import batch_size
from pellucid.target import Target
from ..optimize.task import Task
from ..pictures import pictures
from .activity import layers_of
from .measurements import diversity, fresh_views, neighbours, new_channels, path_likeness, percentile, spectrum
from .other_models import class_of, other_model_opinions
from .responses import Responses, labels_of, real_responses
from .trust import Trust
from .verdict import Verdict

NO_DATA = "No real pictures were given: data=..."


def trust_report(
    task: Task,
    images: Tensor,
    scores: Tensor,
    data: Any = None,
    other: Any = None,
    *,
    views: int = 16,
    most: int = 2000,
    classes: Sequence[int] | Tensor | None = None,
    seed: int = 0,
) -> Trust:
    """How far to trust each picture.

    References: Geirhos et al., 2024, Don't trust your eyes: on the (un)reliability of feature visualizations,
        https://doi.org/10.48550/arXiv.2306.04719 (the path of pictures through a network; channels silent on real data).
        Departure: they correlate whole layers; we correlate channels averaged over places, so that where something stands plays
        no part, in twelve layers at most.

    Arguments:
        task: What the pictures were made for, with one target per picture.
        images: With shape (n, *frame.shape), in [0, 1] where the frame is bounded.
        scores: The target of each picture, with shape (n,).
        data: Real pictures.
        other: Another network for the same classes, or a list of them.
        views: How many random transformations of each picture are scored.
        most: How many real pictures are used, the first ones.
        classes: The class of each real picture; None: the predicted one.
        seed: Of the transformations; whatever it is, no optimisation has used them.

    Raises:
        InputError: there are no real pictures in `data`, or not as many classes.
    """
    if views < 1 or most < 2:
        raise InputError(
            "A report on trust", f"views={views} and most={most}", "one view and two pictures are the least that say anything",
            "Correct it.",
        )  # fmt: skip
    targets = list({id(target): target for target in task.targets}.values())
    columns = [next(i for i, one in enumerate(targets) if one is target) for target in task.targets]
    images = images.to(task.frame.device, task.frame.dtype)
    inputs, size = task.frame.to_inputs(images), batch_size(images)
    layers = layers_of(task.model, inputs[:size])
    synthetic = Responses.of(task, targets, layers, torch.split(inputs, size))
    source = None if data is None else pictures(task.model, data)
    real, notes = (None, []) if source is None else real_responses(task, targets, layers, source, most)
    labels, labelled = labels_of(real, classes), classes is not None
    fresh = fresh_views(task, images, views, seed)
    opinions, why = other_model_opinions(task, images, other)
    nearest, spectra = neighbours(task, images, synthetic, real, source), spectrum(synthetic, real)
    verdicts = tuple(
        Verdict(
            target.text(), task.seeds[row], float(scores[row]), opinions=tuple(opinions[row]), neighbour=nearest[row],
            path=path_likeness(synthetic, real, row, target, columns[row], labels, labelled=labelled),
            **percentile(float(scores[row]), None if real is None else real.scores[:, columns[row]]),
            **fresh[row], **spectra[row], **new_channels(synthetic, real, row),
            **diversity(synthetic, real, [i for i, column in enumerate(columns) if column == columns[row]], scores),
        )
        for row, target in enumerate(task.targets)
    )  # fmt: skip
    missing = _missing(task, verdicts, layers, data=data is not None, several=len(targets) < len(task.targets), why=why)
    if labels is not None:
        notes += dict.fromkeys(_few(target, labels, labelled=labelled) for target in task.targets)
    return Trust(verdicts, 0 if real is None else len(real), missing, layers, tuple(filter(None, notes)))


def _few(target: Target, labels: Tensor, *, labelled: bool) -> str:
    """A note where real pictures of a class are few; else ""."""
    index = class_of(target)
    own = 2 if index is None else int((labels == index).sum())
    if own > 1:
        return ""
    how = "labelled" if labelled else "predicted as"
    return f"{'None' if not own else 'One'} of the {len(labels):,} real pictures is {how} {target.text()}."


def _missing(
    task: Task, verdicts: Sequence[Verdict], layers: Sequence[str], *, data: bool, several: bool, why: str
) -> dict[str, str]:
    """Which columns could not be measured, and why."""
    missing: dict[str, str] = {}
    if not data:
        missing |= dict.fromkeys(("above real", "nearest real", "spectrum", "new channels", "path"), NO_DATA)
    elif all(verdict.spectrum is None for verdict in verdicts):
        missing["spectrum"] = "It needs inputs with spatial axes, all of one size."
    if data and all(verdict.path is None for verdict in verdicts):
        missing["path"] = "It needs four real pictures, two of them of the target, and layers with three channels or more."
    if not task.frame.spatial:
        missing["fresh views"] = "Rows of a table cannot be shifted or rotated."
    if why:
        missing["other network"] = why
    if not several:
        missing |= dict.fromkeys(("diversity", "stability"), "There is one picture per target: seeds=...")
    if not layers:
        missing["new channels"] = "The modules of this network cannot be observed; its output takes the place of the features."
    return missing
