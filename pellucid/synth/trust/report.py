"""The judge: pictures that were made, measured by real pictures, fresh transformations, other networks, and one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.core.progress import told
from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.tape.forward import at_once, heard
from pellucid.target import Target
from ..frame import Frame
from ..objective.objective import objective_of
from ..optimize.task import Task
from ..pictures import Pictures, pictures
from ..random import drawn
from ..robust import Robust
from .activity import Activity, active, layers_of
from .other_models import class_of, other_model_opinions
from .spectra import spectra
from .trust import Neighbour, PathLikeness, Trust, Verdict

UNSEEN = 104_729_000  # added to seeds, so that views are others than those of any climb
OWN, OTHERS = 50, 100  # real pictures that paths are compared with, at most
NEAR = 9  # top pictures that stand for a unit that is no class
NO_DATA = "No real pictures were given: data=..."


@dataclass(frozen=True, eq=False)
class Responses:
    """What the network says of some pictures.

    Arguments:
        scores: By distinct target: (n, targets).
        classes: The predicted classes; None where the output is no list of classes.
        activity: What layers make of them.
        spectra: The logarithms of their power by frequency.
    """

    scores: Tensor
    classes: Tensor | None
    activity: Activity
    spectra: Tensor

    def __len__(self) -> int:
        return len(self.scores)


def trust_report(
    task: Task,
    pictures_made: Tensor,
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
        pictures_made: With shape (n, *frame.shape), in [0, 1] where the frame is bounded.
        scores: The target of each, with shape (n,).
        data: Real pictures.
        other: Another network for the same classes, or a list of them.
        views: How many fresh transformations each picture is looked at in.
        most: How many real pictures are looked at, the first ones.
        classes: The class of each real picture; None: what the network takes it for.
        seed: Of the transformations; whatever it is, no climb has seen them.

    Raises:
        InputError: there are no real pictures in `data`, or not as many classes.
    """
    _check(views, most)
    alone = list({id(target): target for target in task.targets}.values())
    made_of = [next(i for i, one in enumerate(alone) if one is target) for target in task.targets]
    images = pictures_made.to(task.frame.device, task.frame.dtype)
    layers = layers_of(task.model, task.frame.to_inputs(images[: at_once(images)]))
    made = _responses(task.model, task.frame, alone, layers, list(torch.split(task.frame.to_inputs(images), at_once(images))))
    source = None if data is None else pictures(task.model, data)
    real, notes = _real_responses(task, alone, layers, source, most)
    labels = _labels(real, classes)
    moved, held = _fresh_views(task, images, views, seed)
    opinions, why = other_model_opinions(task, images, other)
    near = _neighbours(task, images, made, real, source)
    shapes = _spectrum(made, real)
    verdicts = []
    for row, target in enumerate(task.targets):
        same = [i for i, t in enumerate(made_of) if t == made_of[row]]
        score = float(scores[row])
        verdicts.append(
            Verdict(
                target.text(),
                task.seeds[row],
                score,
                **_beside(score, None if real is None else real.scores[:, made_of[row]]),
                moved=moved[row],
                held=held[row],
                opinions=tuple(opinions[row]),
                neighbour=near[row],
                spectrum=shapes[0][row],
                usual_spectrum=shapes[1],
                **_woken(made, real, row),
                path=_path(made, real, row, target, made_of[row], labels, given=classes is not None),
                **_among(made, real, same, scores),
            )
        )
    missing = _missing(task, verdicts, layers, data is not None, len(alone) < len(task.targets), why)
    notes += dict.fromkeys(_unknown(target, labels, given=classes is not None) for target in task.targets if labels is not None)
    return Trust(tuple(verdicts), 0 if real is None else len(real), missing, layers, tuple(filter(None, notes)))


def _check(views: int, most: int) -> None:
    if views < 1 or most < 2:
        raise InputError(
            "A report on trust", f"views={views} and most={most}", "one view and two pictures are the least that say anything",
            "Correct it.",
        )  # fmt: skip


def _unknown(target: Target, labels: Tensor, *, given: bool) -> str:
    """Says so where real pictures of a class are few; "" else."""
    index = class_of(target)
    own = 2 if index is None else int((labels == index).sum())
    if own > 1:
        return ""
    how = "labelled" if given else "taken for"
    return f"{'None' if not own else 'One'} of the {len(labels):,} real pictures is {how} {target.text()}."


# -- what the network says ------------------------------------------------------------------------------------------------


def _responses(
    model: Model, frame: Frame, targets: Sequence[Target], layers: Sequence[str], batches: Sequence[Tensor]
) -> Responses:
    parts = [_batch_responses(model, frame, targets, layers, x) for x in batches]
    return _concat(parts)


def _batch_responses(model: Model, frame: Frame, targets: Sequence[Target], layers: Sequence[str], x: Tensor) -> Responses:
    """What the network says of one batch, in one pass."""
    addresses = dict.fromkeys([*(at for target in targets for at in target.addresses), *layers, None])
    values = heard(model, x, tuple(addresses))
    scores = [target.take([0] * len(x)).read(lambda at: values[at]).float().cpu() for target in targets]
    output = values[None]
    classes = output.argmax(1).cpu() if output.dim() == 2 and output.shape[1] > 1 else None
    inside = active(values, layers, tokens=len(frame.spatial) > 1) if layers else active({"": output}, [""], tokens=False)
    return Responses(torch.stack(scores, 1), classes, inside, spectra(frame.to_pictures(x)))


def _concat(parts: Sequence[Responses]) -> Responses:
    classes = [part.classes for part in parts if part.classes is not None]
    return Responses(
        torch.cat([part.scores for part in parts]),
        torch.cat(classes) if len(classes) == len(parts) else None,
        Activity.concat([part.activity for part in parts]),
        torch.cat([part.spectra for part in parts]),
    )


def _real_responses(
    task: Task, targets: Sequence[Target], layers: Sequence[str], source: Pictures | None, most: int
) -> tuple[Responses | None, list[str]]:
    """What it says of real pictures."""
    if source is None:
        return None, []
    parts, done, notes = list[Responses](), 0, list[str]()
    total = min(most, len(source) + source.reserved) or most
    for x in islice(source.every(64), (most + 63) // 64 if source.loader is None else None):
        for some in torch.split(x[: max(0, most - done)], at_once(x)):
            parts.append(_batch_responses(task.model, task.frame, targets, layers, some))
            done += len(some)
        if done >= most:
            break
        if told(done, total, "pictures"):
            notes.append(f"Called off after {done} of {total} real pictures; those are what was compared with.")
            break
    return _concat(parts), notes


def _labels(real: Responses | None, classes: Sequence[int] | Tensor | None) -> Tensor | None:
    """The class of each real picture."""
    if real is None or classes is None:
        return None if real is None else real.classes
    labels = torch.as_tensor(classes).flatten()
    if len(labels) < len(real):
        raise InputError(
            "classes", f"{len(labels)} of them and {len(real)} real pictures", "each picture has one", "Give one for each."
        )
    return labels[: len(real)]


# -- one column after the other -------------------------------------------------------------------------------------------


def _beside(score: float, scores: Tensor | None) -> dict[str, Any]:
    """Where a score lies among those of real pictures."""
    if scores is None:
        return {}
    scores = scores[scores.isfinite()].double()
    if not len(scores) or score != score:
        return {}
    spread = float(scores.std(correction=0))
    share = (float((scores < score).double().mean()) + float((scores <= score).double().mean())) / 2
    return {"percentile": share, "beyond": (score - float(scores.mean())) / spread if spread > 0 else None}


def _fresh_views(task: Task, images: Tensor, views: int, seed: int) -> tuple[list[float | None], list[float | None]]:
    """Scores under fresh transformations, and in what share of them the class leads."""
    n = len(images)
    if not task.frame.spatial:
        return [None] * n, [None] * n
    robust = Robust.standard(views) if task.frame.bounded else Robust(views, 12 / 128, (0.9, 1.1), 10.0, edge="border")
    moved: list[float | None] = []
    held: list[float | None] = []
    for row in range(n):
        looked = robust(images[row : row + 1], drawn([task.seeds[row] + UNSEEN + seed]), 0)
        scores, leads = [], []
        for part in torch.split(looked, at_once(looked)):
            objective = objective_of([task.take([row]).targets[0]] * len(part))
            values = heard(task.model, task.frame.to_inputs(part), (*task.targets[row].addresses, None))
            scores.append(objective(values))
            leads.append(objective.leads(values))
        moved.append(float(torch.cat(scores).mean()))
        plain = class_of(task.targets[row]) is not None and not any(one is None for one in leads)
        held.append(None if not plain else float(torch.cat(leads).float().mean()))  # type: ignore[arg-type]
    return moved, held


def _neighbours(
    task: Task, images: Tensor, made: Responses, real: Responses | None, source: Pictures | None
) -> list[Neighbour | None]:
    """The nearest real picture of each, beside how near real pictures are to one another."""
    if real is None or source is None or len(real) < 2:
        return [None] * len(images)
    codes = real.activity.codes
    usual = float((1 - (codes @ codes.T).fill_diagonal_(-2.0).amax(1)).median())
    near = (made.activity.codes @ codes.T).max(1)
    found: list[Neighbour | None] = []
    for row, (cosine, index) in enumerate(zip(near.values.tolist(), near.indices.tolist(), strict=True)):
        alike = None
        if source.loader is None:
            alike = _correlation(images[row], task.frame.to_pictures(source.take(torch.tensor([index])))[0])
        found.append(Neighbour(index, source.name(index), 1 - cosine, usual, alike))
    return found


def _correlation(one: Tensor, other: Tensor) -> float | None:
    if one.shape != other.shape:
        return None
    pair = torch.stack([one.flatten(), other.flatten().to(one)]).double().cpu()
    pair = pair - pair.mean(1, keepdim=True)
    return float(functional.cosine_similarity(pair[:1], pair[1:])[0])


def _spectrum(made: Responses, real: Responses | None) -> tuple[list[float | None], float | None]:
    """How far spectra lie from the mean of the data, and the median of how far real ones do."""
    if real is None or not real.spectra.shape[1] or made.spectra.shape[1] != real.spectra.shape[1]:
        return [None] * len(made), None
    mean = real.spectra.mean(0)
    away = [float((one - mean).square().mean().sqrt()) for one in made.spectra]
    return list(away), float((real.spectra - mean).square().mean(1).sqrt().median())


def _woken(made: Responses, real: Responses | None, row: int) -> dict[str, Any]:
    if real is None:
        return {}
    silent = real.activity.silent()
    return {"woken": made.activity.newly_active(silent, row), "silent": sum(int(one.sum()) for one in silent.values())}


def _path(
    made: Responses, real: Responses | None, row: int, target: Target, column: int, labels: Tensor | None, *, given: bool
) -> PathLikeness | None:
    """How the network's way through its layers compares with that for the target's own real pictures and for others."""
    if real is None or len(real) < 4:
        return None
    own, basis = _own(real, target, column, labels, given=given)
    rest = torch.tensor([i for i in range(len(real)) if i not in set(own.tolist())])
    if len(own) < 2 or not len(rest):
        return None
    own, rest = own[:OWN], rest[:OTHERS]
    layers, ours = [], made.activity.ranked()
    for name, theirs in real.activity.ranked().items():
        mine, same, others = ours[name][row], theirs[own], theirs[rest]
        pairs = same @ same.T
        pairwise = (pairs.sum() - pairs.diagonal().sum()) / (len(own) * (len(own) - 1))
        layers.append((name, float((same @ mine).mean()), float(pairwise), float((others @ same.T).mean())))
    if not layers:
        return None
    mean, among, others = torch.tensor([numbers for _, *numbers in layers], dtype=torch.float64).mean(0).tolist()
    return PathLikeness(mean, among, others, basis, tuple(layers))


def _own(real: Responses, target: Target, column: int, labels: Tensor | None, *, given: bool) -> tuple[Tensor, str]:
    """The real pictures of a target: those of its class; of a unit that is no class, those that score highest."""
    index = class_of(target)
    if index is not None and labels is not None:
        return torch.where(labels == index)[0], "labelled" if given else "predicted"
    order = real.scores[:, column].argsort(descending=True, stable=True)
    return order[: max(2, min(NEAR, len(real) // 4))], "top"


def _among(made: Responses, real: Responses | None, same: Sequence[int], scores: Tensor) -> dict[str, Any]:
    """How the pictures of one target differ, in what they show and in what they excite."""
    if len(same) < 2:
        return {}
    rows = list(same)
    alike = [_pairs(ranked[rows]) for ranked in made.activity.ranked().values()]
    usual = None if real is None or len(real) < 2 else 1 - _pairs(real.activity.codes)
    return {
        "diversity": 1 - _pairs(made.activity.codes[rows]),
        "usual_diversity": usual,
        "stability": sum(alike) / len(alike) if alike else None,
        "spread": float(scores[rows].double().std(correction=0)),
    }


def _pairs(codes: Tensor) -> float:
    """The mean product of two different rows."""
    n, products = len(codes), codes.double() @ codes.double().T
    return float((products.sum() - products.diagonal().sum()) / (n * (n - 1)))


def _missing(
    task: Task, verdicts: Sequence[Verdict], layers: Sequence[str], data: bool, several: bool, why: str
) -> dict[str, str]:
    """What cannot be had, by column, and why."""
    missing: dict[str, str] = {}
    if not data:
        missing |= dict.fromkeys(("above real", "nearest real", "spectrum", "woken", "path"), NO_DATA)
    elif all(verdict.spectrum is None for verdict in verdicts):
        missing["spectrum"] = "Only values in a row, a plane or a space have one, and of one size."
    if data and all(verdict.path is None for verdict in verdicts):
        missing["path"] = "It takes four real pictures, two of them of the target, and layers with three channels or more."
    if not task.frame.spatial:
        missing["fresh views"] = "Rows of a table cannot be shifted or turned."
    if why:
        missing["other network"] = why
    if not several:
        missing |= dict.fromkeys(("diversity", "stability"), "There is one picture per target: seeds=...")
    if not layers:
        missing["woken"] = "The inside of this network cannot be seen; the features are its output."
    return missing
