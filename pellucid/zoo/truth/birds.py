"""Birds: pictures of objects made of five parts, each of which can be removed."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from .draw import COLOURS, SHAPES, at, colour, painted, shape, texture
from .problem import Change, Problem, choose, generator, uniform

SIDE, CLASSES = 32, 6
PARTS = {
    "eye": (9.0, 20.0, 2.2),
    "beak": (11.0, 26.0, 2.6),
    "wing": (17.0, 14.0, 4.0),
    "tail": (17.0, 4.5, 3.0),
    "foot": (27.0, 16.0, 2.6),
}
VARIANTS = tuple((kind, tint) for kind, tint in zip(SHAPES, COLOURS, strict=True))  # of a part: a shape and its colour


def birds(n: int = 64, *, seed: int = 0, clutter: int = 3) -> Problem:
    """Which bird is it? A class is a combination of variants of five parts, and no single part tells it.

    `changes` take off each part, the clutter, or put another ground behind; `also["variants"]` holds what was drawn, and `table`
    which class has which.

    References: after FunnyBirds (Hesse et al., 2023), https://doi.org/10.1109/ICCV51070.2023.00368

    Arguments:
        clutter: How many shapes lie about that belong to no bird.
    """
    rng = generator(seed)
    labels, kinds = choose(CLASSES, n, rng), table()
    variants = kinds[labels]
    shift = uniform(n, 2, rng=rng, low=-2, high=2)
    litter = _litter(n, clutter, rng)
    bare = texture(n, 3, SIDE, rng)
    trunk, head = (torch.tensor(centre) + shift for centre in ([17.0, 15.0], [10.0, 20.0]))
    body = shape("disc", SIDE, trunk, 7.5) | shape("disc", SIDE, head, 5.0)
    ground = _overlaid(bare, litter)
    parts = {name: _part(name, variants[:, i], shift) for i, name in enumerate(PARTS)}
    bodies = painted(ground, body, torch.tensor([0.55, 0.45, 0.35]))
    tints = torch.stack([colour(tint) for _, tint in VARIANTS])
    x = _overlaid(bodies, [(mask, tints[variants[:, i]]) for i, mask in enumerate(parts.values())])
    masks = torch.stack(list(parts.values())).any(0)
    bird = masks | body
    changes: dict[str, Change] = {f"without the {name}": _off(mask, bodies) for name, mask in parts.items()}
    changes["without clutter"] = _off(~bird, bare)
    changes["another ground"] = _off(~bird, 0.8 - bare)
    changes["without the bird"] = _off(bird, ground)
    names, also = tuple(f"bird {i}" for i in range(CLASSES)), {"variants": variants}
    return Problem("birds", x, labels, masks, names, parts=parts | {"bird": bird}, changes=changes, also=also)


def table() -> Tensor:
    """Which variant of each part a class has, with shape (class, part): the same for every seed.

    Every variant belongs to two classes, and two classes differ in four parts or five.
    """
    return torch.tensor([[0, 2, 2, 0, 0], [0, 0, 1, 2, 1], [2, 2, 0, 1, 1], [1, 0, 2, 1, 2], [1, 1, 0, 2, 0], [2, 1, 1, 0, 2]])


def sufficient(label: int) -> list[frozenset[str]]:
    """The smallest sets of parts that only this bird has in these variants.

    Example:
        >>> sorted(map(sorted, sufficient(0)))[:2]
        [['beak', 'eye'], ['beak', 'foot']]
    """
    kinds, names, found = table(), list(PARTS), list[frozenset[str]]()
    for size in range(1, len(names) + 1):
        for some in combinations(range(len(names)), size):
            same = (kinds[:, list(some)] == kinds[label, list(some)]).all(1)
            parameters = frozenset(names[i] for i in some)
            if int(same.sum()) == 1 and not any(smaller <= parameters for smaller in found):
                found.append(parameters)
    return found


def _part(name: str, variants: Tensor, shift: Tensor) -> Tensor:
    row, column, radius = PARTS[name]
    centre = torch.tensor([row, column]) + shift
    return at(torch.stack([shape(kind, SIDE, centre, radius) for kind, _ in VARIANTS]), variants)


def _litter(n: int, clutter: int, rng: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Shapes and their colours."""
    tints = torch.stack([colour(name) for name in COLOURS])
    things = []
    for _ in range(clutter):
        kinds, centre = choose(len(SHAPES), n, rng), uniform(n, 2, rng=rng, high=SIDE)
        masks = at(torch.stack([shape(kind, SIDE, centre, 2.5) for kind in SHAPES]), kinds)
        things.append((masks, tints[choose(len(tints), n, rng)]))
    return things


def _overlaid(ground: Tensor, things: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The pictures with things, masks and their colours, painted over them in order."""
    for masks, tints in things:
        ground = painted(ground, masks, tints)
    return ground


def _off(mask: Tensor, behind: Tensor) -> Change:
    """What shows what lies behind, in place of what the mask covers."""
    return lambda x: torch.where(mask[:, None], behind, x)
