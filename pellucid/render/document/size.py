"""How large the maps of a case may be: in fine steps where there is room for them, in coarser ones where there are many."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.explanation.explanation import Explanation
from ..parts.scale import Scale
from .encoding import LEVELS
from .layer import encoded
from .schema import Layer, LayerPart

ONE, EACH, SEVERAL = 40_000, 25_000, 200_000  # bytes: of the only layer, of each of many, of four to eight


def budget(count: int) -> int:
    """Bytes that so many layers may take.

    Example:
        >>> budget(1), budget(8), budget(20)
        (40000, 200000, 500000)
    """
    return max(min(ONE * count, SEVERAL), EACH * count)


def fitted(layers: Sequence[Layer], sources: Sequence[tuple[Explanation, Scale | None]]) -> list[Layer]:
    """The layers, the largest maps of them in coarser steps until all are within the budget, or as coarse as they may be.

    Arguments:
        sources: The explanation and the scale that each is of.
    """
    made, level = list(layers), [0] * len(layers)
    while sum(map(size, made)) > budget(len(made)):
        open_ = [n for n in range(len(made)) if level[n] + 1 < len(LEVELS)]
        if not open_:
            break
        largest = max(open_, key=lambda n: size(made[n]))
        level[largest] += 1
        made[largest] = encoded(made[largest], *sources[largest], LEVELS[level[largest]])
    return made


def size(one: Layer) -> int:
    """Bytes that a layer takes for its maps, about."""
    return map_size(one) + sum(map(map_size, one["parts"]))


def map_size(one: Layer | LayerPart) -> int:
    """Bytes of one map, of what lies beyond its scale, and of its regions."""
    beyond = 12 * len(one["beyond"]["places"]) if one["beyond"] else 0
    return len(one["map"] or "") + beyond + sum(len(region["rle"]) + 200 for region in one["regions"])
