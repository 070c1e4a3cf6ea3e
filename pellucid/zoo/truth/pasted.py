"""Pasted objects: the same pictures labelled by object and by scene."""

from __future__ import annotations

import torch
from torch import Tensor

from .draw import SHAPES, at, painted, shape, stripes
from .problem import Problem, choose, generator, uniform

SIDE, SCENES = 32, ("rows", "columns", "diagonals", "blocks")


def pasted(n: int = 64, *, seed: int = 0, labels: str = "object") -> Problem:
    """An object pasted on a scene. A network that learned objects has to look at it; one that learned scenes need not.

    Train one network on each kind of label: what a method gives the object must be more for the first than for the second
    (`model_contrast`).

    References: after BAM (Yang and Kim, 2019), https://doi.org/10.48550/arXiv.1907.09701

    Arguments:
        labels: "object" or "scene": what `labels` hold, and where the truth lies; the others are in `also`.
    """
    rng = generator(seed)
    objects, scenes = choose(len(SHAPES), n, rng), choose(len(SCENES), n, rng)
    grounds = torch.stack([stripes(n, 3, SIDE, rng, kind=kind) for kind in range(len(SCENES))])
    ground = grounds[scenes, torch.arange(n)]
    centre = uniform(n, 2, rng=rng, low=9, high=23)
    thing = at(torch.stack([shape(kind, SIDE, centre, 6.0) for kind in SHAPES]), objects)
    x = painted(ground, thing, uniform(n, 3, rng=rng, low=0.7, high=1))
    elsewhere = grounds[(scenes + 1) % len(SCENES), torch.arange(n)]
    also, parts = {"object": objects, "scene": scenes}, {"object": thing, "scene": ~thing}
    changes = {
        "without the object": lambda x: torch.where(thing[:, None], ground, x),
        "another scene": lambda x: torch.where(thing[:, None], x, elsewhere),
    }
    kind, names = ("object", SHAPES) if labels == "object" else ("scene", SCENES)
    return Problem("pasted", x, also[kind], parts[kind], names, parts=parts, changes=changes, also=also)


def model_contrast(of_object: Tensor, of_scene: Tensor, masks: Tensor) -> Tensor:
    """How much more of its relevance the network of objects has in the object than the network of scenes, per sample, in [-1, 1].

        MCS = |R_object| in the mask / |R_object|  -  |R_scene| in the mask / |R_scene|

    The paper takes the difference of mean values, of maps that are scaled alike; shares need no such scale.

    References: Yang and Kim, 2019, Benchmarking attribution methods with relative feature importance,
        https://doi.org/10.48550/arXiv.1907.09701

    Arguments:
        of_object, of_scene: One number per place, with shape (sample, height, width).

    Example:
        >>> here, there = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[1.0, 1.0]]])
        >>> model_contrast(here, there, torch.tensor([[[True, False]]]))
        tensor([0.5000])
    """
    one, other = ((heat.abs() * masks).flatten(1).sum(1) / heat.abs().flatten(1).sum(1) for heat in (of_object, of_scene))
    return one - other
