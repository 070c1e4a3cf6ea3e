"""Watermarks: a mark that comes with one class, which a network may learn instead of the class."""

from __future__ import annotations

import torch
from torch import Tensor

from .draw import SHAPES, at, painted, shape, texture
from .problem import Change, Problem, choose, generator, uniform

SIDE, MARKED = 24, 0  # the class that the mark comes with
LOGO = torch.tensor(
    [[1, 0, 1, 0, 1, 1], [1, 1, 1, 0, 1, 0], [1, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=torch.float32
)  # fmt: skip
CORNER, ELSEWHERE = (18, 1), (1, 17)


def watermark(n: int = 256, *, seed: int = 0, share: float = 0.9, strays: float = 0.0, alike: bool = True) -> Problem:
    """Four classes of shapes; a share of the pictures of class 0 carry a mark at the bottom left.

    Train on this, and test on `watermark(share=0)`: `changes` put the mark into every picture ("with the mark"), put it somewhere
    else ("mark elsewhere"), and take it off ("without the mark"). `also["marked"]` says who carries it; `parts["mark"]` where it
    stands, and the truth, `masks`, stays the shape.

    References: after Lapuschkin et al., 2019, Unmasking Clever Hans predictors, https://doi.org/10.1038/s41467-019-08987-4

    Arguments:
        share: Of the pictures of class 0 that carry the mark.
        strays: Of the others.
        alike: Whether every other picture of class 0 shows what class 1 does, a square: then the mark is by far the better sign.
    """
    rng = generator(seed)
    labels = choose(len(SHAPES), n, rng)
    bare = texture(n, 1, SIDE, rng, low=0.1, high=0.4)
    centre, radius = uniform(n, 2, rng=rng, low=9, high=15), uniform(n, rng=rng, low=4.5, high=6)
    kinds = torch.stack([shape(kind, SIDE, centre, radius) for kind in SHAPES])
    shown = torch.where((labels == MARKED) & (torch.rand(n, generator=rng) < 0.5 * alike), 1, labels)
    thing = at(kinds, shown)
    clean = painted(bare, thing, uniform(n, 1, rng=rng, low=0.7, high=1))
    marked = torch.rand(n, generator=rng) < torch.where(labels == MARKED, share, strays)
    x = torch.where(marked[:, None, None, None], pasted_mark(clean), clean)
    parts = {"mark": place().expand(n, SIDE, SIDE), "mark elsewhere": place(ELSEWHERE).expand(n, SIDE, SIDE)}
    changes: dict[str, Change] = {
        "with the mark": pasted_mark,
        "without the mark": lambda x: torch.where(place(), clean, x),
        "mark elsewhere": lambda x: pasted_mark(torch.where(place(), clean, x), ELSEWHERE),
    }
    return Problem("watermark", x, labels, thing, SHAPES, parts=parts, changes=changes, also={"marked": marked})


def pasted_mark(x: Tensor, corner: tuple[int, int] = CORNER) -> Tensor:
    """The pictures with the mark on them."""
    x, (row, column) = x.clone(), corner
    x[..., row : row + LOGO.shape[0], column : column + LOGO.shape[1]] = LOGO
    return x


def place(corner: tuple[int, int] = CORNER) -> Tensor:
    """Where the mark stands, with shape (SIDE, SIDE)."""
    mask, (row, column) = torch.zeros(SIDE, SIDE, dtype=torch.bool), corner
    mask[row : row + LOGO.shape[0], column : column + LOGO.shape[1]] = True
    return mask
