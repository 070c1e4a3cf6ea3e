"""Random parts of an input that are as large as a given one: the controls of a test that hides it."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

OVERLAP = 0.5  # a control shares at most that of its places with the part itself
TRIES = 50  # per control


def shifted_masks(part: Tensor, count: int, seed: int) -> list[Tensor]:
    """The same shape elsewhere in the picture: moved as a whole where there is room, else what leaves at one border enters at the
    opposite one. Fewer than `count` where there are not so many places to move it to.

    Arguments:
        part: True on the part, with shape (height, width).

    Example:
        >>> one = torch.tensor([[True, False], [False, False]])
        >>> sorted(mask.nonzero().tolist() for mask in shifted_masks(one, 3, seed=0))
        [[[0, 1]], [[1, 0]], [[1, 1]]]
    """
    top, left, bottom, right = bounding_box(part)
    height, width = part.shape
    inside = [(down, along) for down in range(-top, height - bottom + 1) for along in range(-left, width - right + 1)]
    around = [(down, along) for down in range(height) for along in range(width)]
    whole = _moved(part, inside, count, seed)
    return whole if len(whole) == count else _moved(part, around, count, seed)


def bounding_box(part: Tensor) -> tuple[int, int, int, int]:
    """First row and column, and last row and column + 1, that the part reaches."""
    rows, columns = (part.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def _moved(part: Tensor, moves: list[tuple[int, int]], count: int, seed: int) -> list[Tensor]:
    """The part after some of the moves, drawn at random, that do not leave it where it is."""
    order = torch.randperm(len(moves), generator=torch.Generator().manual_seed(seed)).tolist()
    masks = (part.roll(moves[n], (0, 1)) for n in order[: TRIES * count])
    apart = (mask for mask in masks if int((mask & part).sum()) <= OVERLAP * int(part.sum()))
    return list(islice(apart, count))


def random_places(part: Tensor, count: int, seed: int, among: Tensor | None = None) -> list[Tensor]:
    """As many places as the part has, drawn at random outside it; none where there are not enough.

    Arguments:
        part: True on the part, of any shape.
        among: True on places that may be drawn; None: all.
    """
    free = ~part.flatten() if among is None else ~part.flatten() & among.flatten()
    places, size = free.nonzero().flatten(), int(part.sum())
    generator = torch.Generator().manual_seed(seed)
    masks: dict[tuple[int, ...], Tensor] = {}
    for _ in range(count if len(places) >= size else 0):
        drawn = places[torch.randperm(len(places), generator=generator)[:size]].sort().values
        masks[tuple(drawn.tolist())] = torch.zeros(part.numel(), dtype=torch.bool).index_fill(0, drawn, True).reshape(part.shape)
    return list(masks.values())
