"""Random weights: copies of a model that are randomised layer by layer. The model itself is never changed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.core.random import stream
from pellucid.errors import MethodError
from pellucid.model import Model

Order = Literal["top_down", "bottom_up", "independent"]
ORDERS: tuple[Order, ...] = ("top_down", "bottom_up", "independent")
Draw = Callable[[nn.Module, str], None]
"""Gives the weights that a module itself holds other values, in place; told its path."""


def weighted_layers(model: Model) -> tuple[str, ...]:
    """The paths of the modules that hold weights themselves, in the order they were defined. Weights that are shared count where
    they come first.

    Raises:
        MethodError: there are none.

    Example:
        >>> import pellucid as pl
        >>> weighted_layers(pl.load(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).eval()))
        ('0', '2')
    """
    seen: set[int] = set()
    found = []
    for name, module in model.module.named_modules() if model.module is not None else ():
        own = {id(weight) for weight in module.parameters(recurse=False)}
        if own - seen:
            found.append(name)
        seen |= own
    if not found:
        raise MethodError(
            f"a random copy of {model.name}", "no module with weights", "there are no weights to randomise",
            "Load a module with parameters, not a function.",
        )  # fmt: skip
    return tuple(found)


def copy_model(model: Model) -> Model:
    """The same model with weights of its own.

    Raises:
        MethodError: it is more than its module, or cannot be copied.
    """
    if model.module is None or model.forward is not model.module:
        raise MethodError(
            f"a random copy of {model.name}", "a function, or one around a module", "only a module can be copied whole",
            "Load the module itself: pl.load(net).",
        )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PyTorch's own, when it copies an exported program
            module = copy.deepcopy(model.module)
    except Exception as error:
        message = " ".join(str(error).split())[:200]
        raise MethodError(
            f"a random copy of {model.name}", f"a module that cannot be copied ({message})", "the model itself is never changed",
            "Load it anew, without tensors that carry a graph as attributes.",
        ) from None  # fmt: skip
    return replace(model, forward=module, module=module)


def randomise(model: Model, stages: tuple[tuple[str, ...], ...], order: Order, draw: Draw) -> Iterator[Model]:
    """The model with random weights, stage by stage: those of the stage and of all stages before it, or of the stage alone.

    Arguments:
        stages: Paths of modules, in the order of the cascade.
        draw: What gives a module other weights.
    """
    made = copy_model(model)
    for stage in stages:
        made = copy_model(model) if order == "independent" else made
        named = dict(made.module.named_modules()) if made.module is not None else {}
        with torch.no_grad():
            for name in stage:
                draw(named[name], name)
        yield made


def layer_stages(model: Model, order: Order, most: int | None = None) -> tuple[tuple[str, ...], ...]:
    """The layers in the order in which they become random, in at most so many stages of as equal numbers as can be.

    Example:
        >>> import pellucid as pl
        >>> net = pl.load(nn.Sequential(*(nn.Linear(1, 1) for _ in range(5))).eval())
        >>> layer_stages(net, "top_down", most=2)
        (('4', '3', '2'), ('1', '0'))
    """
    names = weighted_layers(model)
    names = names if order == "bottom_up" else names[::-1]
    number = len(names) if most is None else min(most, len(names))
    ends = [-(-len(names) * stage // number) for stage in range(number + 1)]
    return tuple(names[start:end] for start, end in pairwise(ends))


def normal_like(seed: int) -> Draw:
    """Normal numbers with the mean and the standard deviation of those they replace, other ones for every layer."""

    def draw(module: nn.Module, name: str) -> None:
        for own, weight in module.named_parameters(recurse=False):
            if weight.is_floating_point() and weight.numel():
                weight.copy_(_like(weight, stream("layer", seed, name, own)))

    return draw


def _like(weight: Tensor, rng: torch.Generator) -> Tensor:
    values = weight.double()
    noise = torch.randn(weight.shape, generator=rng, dtype=torch.float64).to(values)
    return (values.mean() + values.std(correction=0) * noise).to(weight.dtype)
