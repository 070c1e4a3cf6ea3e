"""Tuning of a chain: the weight of its prior step, chosen by short pilot chains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..objective.objective import term_key
from .chain import Chain, run_chain

LADDER = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)  # weights of the prior step that are tried
PILOTS = 3  # codes that each of them is tried on
HELD = 0.9  # of the best probability: what the target must keep
APART = 0.7  # of how far pictures of several codes lie apart without a prior step: what must be left of it


def tune_prior_weight(chain: Chain, steps: int, calm: int = 0) -> Tensor:
    """By picture, (n,): the largest weight with which the target keeps 0.9 of the best probability that any weight gives it, and
    pictures stay 0.7 as far apart as without a prior step: where codes keep little of a picture, E(G(h)) makes them alike.

    Each target is tuned by chains of its own, whatever other targets there are. Of targets that are no class, 0.9 of the rise of
    their score must be kept.
    """
    targets: dict[Any, list[int]] = {}
    for row, target in enumerate(chain.task.targets):
        targets.setdefault(tuple((weight, term_key(term)) for weight, term in target.terms), []).append(row)
    firsts = [rows[0] for rows in targets.values()]
    pilots = [row for row in firsts for _ in LADDER for _ in range(PILOTS)]
    seeds = tuple(pilot for _ in firsts for _ in LADDER for pilot in range(PILOTS))
    e1 = torch.tensor([weight for _ in firsts for weight in LADDER for _ in range(PILOTS)])
    pilot = replace(chain, task=replace(chain.task.take(pilots), seeds=seeds))
    e1 = e1.to(chain.spread.device)
    shape, rows = (-1, len(LADDER), PILOTS), range(len(pilots))
    result = run_chain(pilot, e1, steps, calm=calm)
    scores = result.trace[0], pilot.scores(result.codes[:, 0])
    first, last = (pilot.probabilities(one, rows).view(shape).mean(2).cpu() for one in scores)
    floor = torch.where(chain.is_class(firsts), 0.0, first.mean(1))[:, None]
    best = (last - floor).amax(1, keepdim=True)
    holds = (last - floor) >= HELD * best
    distances = mean_distances(pilot, result.codes[:, 0]).view(-1, len(LADDER))
    good = holds & (distances >= APART * distances[:, :1])
    good = torch.where(good.any(1, keepdim=True), good, holds)  # the class comes first
    chosen = torch.tensor(LADDER)[[max(i for i, one in enumerate(row) if one) for row in good.tolist()]]
    weights = torch.zeros(len(chain.task))
    for same, weight in zip(targets.values(), chosen.tolist(), strict=True):
        weights[same] = weight
    return weights.to(chain.spread.device)


def mean_distances(chain: Chain, codes: Tensor) -> Tensor:
    """The mean distance between the pictures of each group of pilots."""
    pictures = [chain.pictures(part).flatten(1) for part in torch.split(codes, PILOTS)]
    return torch.stack([torch.pdist(part.float()).mean() for part in pictures]).cpu()
