"""The measurements of which a verdict consists, a function each, from what the network computes for made and real pictures.

They return fields of `Verdict` by name, without those that cannot be measured. Those of other networks are in `other_models.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import Target
from ..objective.objective import objective_of
from ..optimize.task import Task
from ..pictures import Pictures
from ..random import generators
from ..robust import Robust
from .other_models import class_of
from .responses import Responses
from .verdict import Neighbour, PathLikeness

UNSEEN = 104_729_000  # added to seeds, so that views are others than those of any optimisation
OWN, OTHERS = 50, 100  # real pictures that paths are compared with, at most
NEAR = 9  # top pictures that stand for a unit that is no class


def percentile(score: float, scores: Tensor | None) -> dict[str, Any]:
    """Where a score lies among those of real pictures: percentile, and standard deviations beyond the mean."""
    if scores is None:
        return {}
    scores = scores[scores.isfinite()].double()
    if not len(scores) or score != score:
        return {}
    spread = float(scores.std(correction=0))
    share = (float((scores < score).double().mean()) + float((scores <= score).double().mean())) / 2
    return {"percentile": share, "beyond": (score - float(scores.mean())) / spread if spread > 0 else None}


def fresh_views(task: Task, images: Tensor, views: int, seed: int) -> list[dict[str, Any]]:
    """The mean score under random transformations, and in what share of them the class is the first choice."""
    if not task.frame.spatial:
        return [{} for _ in images]
    robust = Robust.standard(views) if task.frame.bounded else Robust(views, 12 / 128, (0.9, 1.1), 10.0, edge="border")
    measured = list[dict[str, Any]]()
    for row, target in enumerate(task.targets):
        changed = robust(images[row : row + 1], generators([task.seeds[row] + UNSEEN + seed]), 0)
        scores, leads = [], []
        for batch in torch.split(changed, batch_size(changed)):
            objective = objective_of([target] * len(batch))
            values = forward_values(task.model, task.frame.to_inputs(batch), (*target.addresses, None))
            scores.append(objective(values))
            leads.append(objective.leads(values))
        measured.append({"moved": float(torch.cat(scores).mean())})
        ranked = [lead for lead in leads if lead is not None]
        if class_of(target) is not None and len(ranked) == len(leads):
            measured[row]["held"] = float(torch.cat(ranked).float().mean())
    return measured


def neighbours(
    task: Task, images: Tensor, synthetic: Responses, real: Responses | None, source: Pictures | None
) -> list[Neighbour | None]:
    """The real picture nearest to each, with the usual distance between real pictures."""
    if real is None or source is None or len(real) < 2:
        return [None] * len(images)
    codes = real.activity.codes
    usual = float((1 - (codes @ codes.T).fill_diagonal_(-2.0).amax(1)).median())
    near = (synthetic.activity.codes @ codes.T).max(1)
    nearest: list[Neighbour | None] = []
    for row, (cosine, index) in enumerate(zip(near.values.tolist(), near.indices.tolist(), strict=True)):
        alike = None
        if source.loader is None:
            alike = _correlation(images[row], task.frame.to_pictures(source.take(torch.tensor([index])))[0])
        nearest.append(Neighbour(index, source.name(index), 1 - cosine, usual, alike))
    return nearest


def _correlation(one: Tensor, other: Tensor) -> float | None:
    if one.shape != other.shape:
        return None
    pair = torch.stack([one.flatten(), other.flatten().to(one)]).double().cpu()
    pair = pair - pair.mean(1, keepdim=True)
    return float(functional.cosine_similarity(pair[:1], pair[1:])[0])


def spectrum(synthetic: Responses, real: Responses | None) -> list[dict[str, Any]]:
    """The distance of each spectrum from the mean of real ones, and the median distance of a real one."""
    if real is None or not real.spectra.shape[1] or synthetic.spectra.shape[1] != real.spectra.shape[1]:
        return [{} for _ in range(len(synthetic))]
    mean = real.spectra.mean(0)
    usual = float((real.spectra - mean).square().mean(1).sqrt().median())
    return [{"spectrum": float((one - mean).square().mean().sqrt()), "usual_spectrum": usual} for one in synthetic.spectra]


def new_channels(synthetic: Responses, real: Responses | None, row: int) -> dict[str, Any]:
    """How many channels that no real picture activates this one does, and how many there are."""
    if real is None:
        return {}
    silent = real.activity.silent()
    return {"woken": synthetic.activity.newly_active(silent, row), "silent": sum(int(one.sum()) for one in silent.values())}


def path_likeness(
    synthetic: Responses, real: Responses | None, row: int, target: Target, column: int, labels: Tensor | None, *, labelled: bool
) -> PathLikeness | None:
    """How the activations along the layers compare with those of the target's own real pictures and of others."""
    if real is None or len(real) < 4:
        return None
    own, basis = _own(real, target, column, labels, labelled=labelled)
    rest = torch.tensor([i for i in range(len(real)) if i not in set(own.tolist())])
    if len(own) < 2 or not len(rest):
        return None
    own, rest = own[:OWN], rest[:OTHERS]
    layers, ours = [], synthetic.activity.ranked()
    for name, theirs in real.activity.ranked().items():
        mine, same, others = ours[name][row], theirs[own], theirs[rest]
        pairs = same @ same.T
        pairwise = (pairs.sum() - pairs.diagonal().sum()) / (len(own) * (len(own) - 1))
        layers.append((name, float((same @ mine).mean()), float(pairwise), float((others @ same.T).mean())))
    if not layers:
        return None
    mean, among, others = torch.tensor([numbers for _, *numbers in layers], dtype=torch.float64).mean(0).tolist()
    return PathLikeness(mean, among, others, basis, tuple(layers))


def _own(real: Responses, target: Target, column: int, labels: Tensor | None, *, labelled: bool) -> tuple[Tensor, str]:
    """The real pictures of a target: those of its class; of a unit that is no class, those that score highest."""
    index = class_of(target)
    if index is not None and labels is not None:
        return torch.where(labels == index)[0], "labelled" if labelled else "predicted"
    order = real.scores[:, column].argsort(descending=True, stable=True)
    return order[: max(2, min(NEAR, len(real) // 4))], "top"


def diversity(synthetic: Responses, real: Responses | None, rows: list[int], scores: Tensor) -> dict[str, Any]:
    """How the pictures of one target differ, in features and in active channels."""
    if len(rows) < 2:
        return {}
    alike = [_pairs(ranked[rows]) for ranked in synthetic.activity.ranked().values()]
    usual = None if real is None or len(real) < 2 else 1 - _pairs(real.activity.codes)
    return {
        "diversity": 1 - _pairs(synthetic.activity.codes[rows]),
        "usual_diversity": usual,
        "stability": sum(alike) / len(alike) if alike else None,
        "spread": float(scores[rows].double().std(correction=0)),
    }


def _pairs(codes: Tensor) -> float:
    """The mean scalar product of two different rows."""
    n, products = len(codes), codes.double() @ codes.double().T
    return float((products.sum() - products.diagonal().sum()) / (n * (n - 1)))
