"""How large the maps of a case may be: in fine steps where there is room for them, in coarser ones where there are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .encoding import LEVELS
from .schema import Layer, LayerPart

ONE, EACH, SEVERAL = 40_000, 25_000, 200_000  # bytes: of the only layer, of each of many, of four to eight


def budget(count: int) -> int:
    """Bytes that so many layers may take.

    Example:
        >>> budget(1), budget(8), budget(20)
        (40000, 200000, 500000)
    """
    return max(min(ONE * count, SEVERAL), EACH * count)


def fitted(layers: Sequence[Layer], coarser: Callable[[int, Layer, int], Layer]) -> list[Layer]:
    """The layers, the largest maps of them in coarser steps until all are within the budget, or as coarse as they may be.

    Arguments:
        coarser: From the number of a layer, the layer, and how many steps make the limit: the layer in such steps.
    """
    made, level = list(layers), [sum(levels > one["levels"] for levels in LEVELS) for one in layers]
    while sum(map(size, made)) > budget(len(made)):
        open_ = [n for n in range(len(made)) if level[n] + 1 < len(LEVELS)]
        if not open_:
            break
        largest = max(open_, key=lambda n: size(made[n]))
        level[largest] += 1
        made[largest] = coarser(largest, made[largest], LEVELS[level[largest]])
    return made


def size(one: Layer) -> int:
    """Bytes that a layer takes for its maps, about."""
    return map_size(one) + sum(map(map_size, one["parts"]))


def map_size(one: Layer | LayerPart) -> int:
    """Bytes of one map, of what lies beyond its scale, and of its regions."""
    beyond = 12 * len(one["beyond"]["places"]) if one["beyond"] else 0
    return len(one["map"] or "") + beyond + sum(len(region["rle"]) + 200 for region in one["regions"])
