"""What both experiments measure: the share of relevance on what is seen and on what lies over it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Measure:
    """One number per picture.

    Arguments:
        want: What a map that marks evidence alone has.
        chance: What a map by chance has; None where that depends on the share of the area.
        asks: What it asks, in words.
    """

    name: str
    want: float
    chance: float | None
    asks: str


WIN = Measure("win", 0, 0.5, "how often what hides has more relevance per pixel, in magnitude, than what is seen")
HIT = Measure("hit", 1, None, "how often the pixel of greatest magnitude lies in what is seen")
NETSHARE = Measure("netshare", 0, None, "the share of what hides in the relevance, signs cancelling within each of the two")
LOAD = Measure("load", 0, 1, "the magnitude per pixel on what hides, as a multiple of the mean over the picture")
SHARES = {measure.name for measure in (WIN, HIT, NETSHARE)}  # between 0 and 1


def marks(heat: Tensor, seen: Tensor, hides: Tensor) -> dict[str, Tensor]:
    """All measures per picture; NaN for maps that are zero everywhere, or not finite: they mark nothing.

        WIN       mean over H of |R| > mean over S of |R|
        HIT       the share of the pixels of greatest |R| that lie in S
        NETSHARE  |sum over H of R| / (|sum over H of R| + |sum over S of R|)
        LOAD      mean over H of |R| / mean of |R|

    Arguments:
        heat: One number per place, with shape (picture, height, width).
        seen, hides: S and H, masks of that shape. What is in neither is ground.

    Example:
        >>> heat = torch.tensor([[[1.0, 3.0]]])
        >>> values = marks(heat, torch.tensor([[[True, False]]]), torch.tensor([[[False, True]]]))
        >>> {name: round(float(value), 2) for name, value in values.items()}
        {'win': 1.0, 'hit': 0.0, 'netshare': 0.75, 'load': 1.5}
    """
    heat, seen, hides = (t.flatten(1).double() for t in (heat, seen, hides))
    size = heat.abs()
    there, here = (size * hides).sum(1) / hides.sum(1), (size * seen).sum(1) / seen.sum(1)
    top = (size == size.amax(1, keepdim=True)).double()
    net_there, net_here = (heat * hides).sum(1).abs(), (heat * seen).sum(1).abs()
    values = {
        "win": (there > here).double(),
        "hit": (top * seen).sum(1) / top.sum(1),
        "netshare": net_there / (net_there + net_here),
        "load": there / size.mean(1),
    }
    marked = heat.isfinite().all(1) & (size.sum(1) > 0)
    return {name: torch.where(marked, value, torch.nan) for name, value in values.items()}
