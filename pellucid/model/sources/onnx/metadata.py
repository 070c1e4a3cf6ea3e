"""What an ONNX file says of its classes and pictures: properties that programs write, and the scaling it does itself."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...readers.preprocess import Preprocess
from .graph import Graph, Operation
from .head import kind

CLASSES = ("names", "class_names", "classes", "labels", "id2label", "character")  # keys; the last is PaddlePaddle's
CLASS_LABELS = ("classlabels_strings", "classlabels_ints", "classlabels_int64s")
PASSES = frozenset({"Transpose", "Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze"})
RANGES = {"NominalRange_0_255": 255.0, "Normalized_0_1": 1.0}  # of Windows ML
BRIGHT = 2.0  # means and deviations above it are of pixels from 0 to 255


def properties(proto: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in proto.metadata_props}


def labels(given: Mapping[str, str], classes: int) -> tuple[str, ...] | None:
    """The names of the classes, where a key holds as many as there are.

    Example:
        >>> labels({"names": "{0: 'cat', 1: 'dog'}"}, 2), labels({"character": "0\\n90"}, 2), labels({"names": "{0: 'cat'}"}, 2)
        (('cat', 'dog'), ('0', '90'), None)
    """
    for key in CLASSES:
        names = _names(given.get(key, ""))
        if names and len(names) == classes:
            return names
    return None


def listed(graph: Graph) -> tuple[str, ...] | None:
    """The names of the classes that a classifier of scikit-learn's exporter holds, as its operation lists them."""
    lists = (layer.node.get(name) for layer in graph.children() if isinstance(layer, Operation) for name in CLASS_LABELS)
    return next((tuple(map(str, found)) for found in lists if found), None)


def _names(text: str) -> tuple[str, ...]:
    """Names as a JSON or Python literal, a list or by number; or one in a line."""
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            found = read(text)
            if isinstance(found, dict):
                found = [found[key] for key in sorted(found, key=int)]
            if isinstance(found, (list, tuple)):
                return tuple(map(str, found))
    return tuple(text.splitlines()) if "\n" in text else ()


class Scaling(NamedTuple):
    """(x - mean) / std, per channel, which the file itself does to its input."""

    mean: Tensor
    std: Tensor

    @property
    def white(self) -> float:
        """What white is before it: 255 or 1."""
        return 255.0 if max(float(self.mean.abs().max()), float(self.std.abs().max())) > BRIGHT else 1.0

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:.4g}" for value in values.flatten().tolist()) for values in self)
        return f"minus {mean}, over {std}"


def scaling(graph: Graph) -> Scaling | None:
    """What the first operations do to the input, as long as they only scale it by constants; None where they do not."""
    name, factor, offset = graph.inputs[0], torch.ones(1), torch.zeros(1)
    while True:
        readers = [step for step in graph.steps if name in step.inputs]
        if len(readers) != 1:
            break
        what, step = kind(graph, readers[0]), readers[0]
        constant = next((_constant(graph, one) for one in step.inputs if one != name and one), None)
        if what in ("Sub", "Add", "Mul", "Div") and constant is not None and constant.numel() in (1, 3):
            if step.inputs[0] != name and what in ("Sub", "Div"):
                return None
            constant = constant.flatten().float()
            factor, offset = _applied(what, factor, offset, constant)
        elif what not in PASSES:
            break
        name = step.outputs[0]
    untouched = bool((factor == 1).all() and (offset == 0).all())
    return None if untouched or bool((factor == 0).any()) else Scaling(-offset / factor, 1 / factor)


def _applied(what: str, factor: Tensor, offset: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    """factor x + offset with one more operation."""
    if what in ("Add", "Sub"):
        return factor, offset + (by if what == "Add" else -by)
    return (factor * by, offset * by) if what == "Mul" else (factor / by, offset / by)


def _constant(graph: Graph, name: str) -> Tensor | None:
    if name in graph.fixed:
        value = graph.fixed[name]
        return value if isinstance(value, Tensor) else None
    if name not in graph.homes:
        return None
    child, own = graph.homes[name]
    found: Tensor = getattr(graph.get_submodule(child) if child else graph, own)
    return found.detach()


def preprocess(graph: Graph, shape: tuple[int, ...] | None, given: Mapping[str, str]) -> tuple[Preprocess | None, str]:
    """How pictures become the input, as far as the file says, and what is assumed in doing so.

    Arguments:
        shape: (channel, height, width), where it is known.
        given: Its properties.
    """
    sides = [int(number) for number in re.findall(r"\d+", given.get("imgsz", ""))]
    if given.get("task") and sides:  # as Ultralytics writes it
        how = _stretched((sides[0], sides[-1]), 3, 1.0, "the properties of the file")
        return how, "Pictures go in from 0 to 1, stretched to the size that the file names."
    if shape is None or len(shape) != 3 or shape[0] not in (1, 3):
        return None, ""
    named = RANGES.get(given.get("Image.NominalPixelRange", ""))
    found = scaling(graph)
    white = named or (found.white if found else None)
    if white is None:
        return None, ""
    reason = "as its properties say" if named else f"the file itself scales them, {found}"
    source = "the properties of the file" if named else "the first operations of the file"
    note = f"Pictures go in from 0 to {white:g} ({reason}), stretched to the size of the input, which is assumed."
    return _stretched((shape[1], shape[2]), shape[0], white, source), note


def _stretched(size: tuple[int, int], channels: int, white: float, source: str) -> Preprocess:
    """The whole picture in another shape, from 0 to `white`."""
    scale = (1 / white,) * channels
    return Preprocess(size, size, interpolation="bilinear", mean=(0.0,) * channels, std=scale, source=source)
