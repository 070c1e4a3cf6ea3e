"""The search for examples: one pass over the user's pictures for all units, ranked by activation or by relevance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pellucid.errors import InputError, MethodError
from pellucid.explanation.method import Method
from pellucid.model import Model
from pellucid.target import Target, as_target
from ..frame import Frame
from ..pictures import Pictures
from .example import Examples, ExampleSource, examples_of
from .top_activating import Pool, Relevance, group_units, top_activating


def search(
    model: Model,
    targets: Sequence[Target],
    pictures: Pictures,
    frame: Frame,
    method: Method,
    *,
    top: int,
    by: str = "activation",
    crop: bool = True,
    pool: Pool = "max",
    target: Any = None,
) -> Examples:
    """The `top` best pictures of every unit.

    Arguments:
        targets: The units, resolved. A target that stands there several times is looked for once.
        method: Explains units: the masks of examples, and with by="relevance" what they are ranked by.
        by, crop, pool, target: As in `pellucid.examples`.

    Raises:
        MethodError: relevance is asked for of a target that is no channel of a layer.
    """
    if by == "relevance":
        _check_channels(targets)
    distinct = list({id(one): one for one in targets}.values())
    ranked_by = relevance(model, method, target) if by == "relevance" else None
    best = top_activating(model, pictures, distinct, top, pool=pool, relevance=ranked_by)
    examples = examples_of(best, distinct, ExampleSource(model, pictures, best.kept, frame, method), by, crop=crop, pool=pool)
    return examples.take([next(i for i, one in enumerate(distinct) if one is target) for target in targets])


def relevance(model: Model, method: Method, target: Any) -> Relevance:
    """The relevance of the value at an address for a class: one for all pictures, a list, or None: the predicted one."""
    classes = target.tolist() if isinstance(target, Tensor) else target
    several = isinstance(classes, (list, tuple))

    def attribute(x: Tensor, at: str | None, first: int) -> Tensor:
        batch = list(classes[first : first + len(x)]) if several else classes
        if several and len(batch) != len(x):
            raise InputError(
                "target", f"{len(classes)} classes and more pictures than that", "each picture has one",
                "Give one for each, or None.",
            )  # fmt: skip
        return method.attribute(model, x, as_target(batch), at).values

    return attribute


def _check_channels(targets: Sequence[Target]) -> None:
    for target in targets:
        if group_units([target])[0].channels is None:
            raise MethodError(
                f"Examples of {target} by relevance", "no channel of a layer", "relevance is what a unit inside gives to a class",
                'Name a unit, "layer4:17", or take by="activation".',
            )  # fmt: skip
