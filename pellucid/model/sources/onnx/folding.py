"""What is worked out once, when a file is read, and how much of it: a few numbers may ask for more than a computer holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from pellucid.core.intercept import InterceptMode

LARGEST_KEPT = 2**28  # numbers: what is worked out once is kept
LARGEST = 2**32  # numbers: more are not made of the few in a file without a mistake
MOST_TURNS = 10_000  # of a loop
GROWS = frozenset(
    {"Expand", "ConstantOfShape", "Tile", "Range", "EyeLike", "Pad", "CenterCropPad", "OneHot", "Resize", "Upsample", "Loop"}
    | {
        "Scan",
        "SequenceMap",
        "If",
        "ConvTranspose",
        "Col2Im",
        "BlackmanWindow",
        "HammingWindow",
        "HannWindow",
        "MelWeightMatrix",
        "DFT",
    }
)  # by the values of its inputs, not by their sizes alone


def work_out(kind: str, layer: Any, inputs: Sequence[Any], around: Mapping[str, Any]) -> Any:
    """What a layer makes of constants; None where that is left to the run.

    Raises:
        TooLarge: it has more numbers than a network needs.
    """
    sizes = math.prod(max(one.numel(), 1) for one in inputs if isinstance(one, torch.Tensor))
    if kind == "Loop" and not _ends_soon(inputs):
        return None
    guarded = kind in GROWS or sizes > LARGEST_KEPT or not hasattr(layer, "node")
    try:
        with torch.no_grad(), InterceptMode(bounded) if guarded else nullcontext():
            return layer(*inputs, **around)
    except TooLarge as error:
        if error.count > LARGEST:
            raise
    except Exception:
        pass  # it says so where it runs
    return None


def _ends_soon(inputs: Sequence[Any]) -> bool:
    return isinstance(inputs[0], torch.Tensor) and int(inputs[0].flatten()[0]) <= MOST_TURNS


class TooLarge(ValueError):
    """A constant has more numbers than are worked out.

    Arguments:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        super().__init__(f"a constant of {count} numbers")
        self.count = count


def bounded(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation makes, once it is known how much that is."""
    check_size(_sizes(func, args, kwargs))
    made = func(*args, **kwargs)
    check_size(one.numel() for one in tree_leaves(made) if isinstance(one, torch.Tensor))
    return made


def check_size(counts: Iterable[int]) -> None:
    """Refuse what is larger than what is kept.

    Raises:
        TooLarge: it is.
    """
    most = max(counts, default=0)
    if most > LARGEST_KEPT:
        raise TooLarge(most)


def _sizes(func: Any, args: Any, kwargs: dict[str, Any]) -> list[int]:
    """How many numbers an operation makes, as far as that is known without making them."""
    on_meta = {"device": "meta"} if any(one.name == "device" for one in func._schema.arguments) else {}
    try:
        made = func(*tree_map(_shape_of, args), **{**tree_map(_shape_of, kwargs), **on_meta})
    except Exception:
        return []
    return [math.prod(one.shape) for one in tree_leaves(made) if isinstance(one, torch.Tensor)]


def _shape_of(value: Any) -> Any:
    return value.to("meta") if isinstance(value, torch.Tensor) else value
