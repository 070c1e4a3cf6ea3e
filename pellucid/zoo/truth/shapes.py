"""Shapes: scenes of coloured shapes, with a question about one of them as further input channels."""

from __future__ import annotations

import torch
from torch import Tensor

from .draw import COLOURS, SHAPES, at, colour, painted, shape, texture
from .problem import Problem, choose, generator, uniform

SIDE = 32
QUADRANTS = torch.tensor([[8.0, 8.0], [8.0, 24.0], [24.0, 8.0], [24.0, 24.0]])


def shapes(n: int = 64, *, seed: int = 0) -> Problem:
    """Which shape has this colour? Each scene has one shape of each of three colours; the question is three more channels.

    The picture is channels 0 to 2, the colour asked for a plane of ones among channels 3 to 5. The truth is the one shape that
    was asked about: the same scene has another truth under another question.

    References: a small relative of CLEVR-XAI (Arras et al., 2022), https://doi.org/10.1016/j.inffus.2021.11.008
    """
    rng = generator(seed)
    things = len(COLOURS) - 1
    kinds = choose(len(SHAPES), n * things, rng).reshape(n, things)
    places = torch.rand(n, 4, generator=rng).argsort(1)[:, :things]
    ground = texture(n, 3, SIDE, rng)
    each = torch.stack([_drawn(kinds[:, i], places[:, i], rng) for i in range(things)])
    request = choose(things, n, rng)
    rows = torch.arange(n)
    scene = ground
    for masks, name in zip(each, COLOURS, strict=False):
        scene = painted(scene, masks, colour(name))
    x = torch.cat([scene, _question(request, things)], 1)
    masks, union = at(each, request), each.any(0)
    other = union & ~masks
    swapped = (request + 1) % things
    parts = {"all shapes": union, "other shapes": other}
    changes = {
        "without the shape asked for": lambda x: _where(masks, ground, x),
        "without the other shapes": lambda x: _where(other, ground, x),
        "another ground": lambda x: _where(~union, 0.8 - ground, x),
        "another question": lambda x: torch.cat([x[:, :3], _question(swapped, things)], 1),
    }
    also = {"another question": kinds[rows, swapped]}
    return Problem("shapes", x, kinds[rows, request], masks, SHAPES, parts=parts, changes=changes, also=also)


def _drawn(kinds: Tensor, places: Tensor, rng: torch.Generator) -> Tensor:
    """One shape per sample, somewhere in its quadrant."""
    n = len(kinds)
    centre, radius = QUADRANTS[places] + uniform(n, 2, rng=rng, low=-2, high=2), uniform(n, rng=rng, low=4, high=5.5)
    return at(torch.stack([shape(kind, SIDE, centre, radius) for kind in SHAPES]), kinds)


def _question(request: Tensor, things: int) -> Tensor:
    return torch.eye(things)[request][:, :, None, None].expand(-1, -1, SIDE, SIDE)


def _where(masks: Tensor, pictures: Tensor, x: Tensor) -> Tensor:
    """The input with other pixels in its picture; the question stays."""
    return torch.cat([torch.where(masks[:, None], pictures, x[:, :3]), x[:, 3:]], 1)
