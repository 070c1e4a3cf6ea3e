"""Operations that draw random numbers as they compute, decomposed into what is drawn and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def dropout(x: Tensor, p: float, train: bool | None = True) -> tuple[Tensor, Tensor]:
    """x times a mask of zeros and 1 / (1 - p), and the mask."""
    kept = torch.ones_like(x) if train is False else torch.empty_like(x).bernoulli_(1 - p)
    return (x * kept if train is False or p in (0, 1) else x * (kept / (1 - p))), kept.bool()


def random_leaky_relu(
    x: Tensor, noise: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None
) -> Tensor:
    """A leaky ReLU whose slope is drawn per entry in training, and is the mean of the bounds else."""
    if not training:
        return F.leaky_relu(x, (lower + upper) / 2)
    noise.uniform_(lower, upper, generator=generator).masked_fill_(x > 0, 1.0)
    return x * noise


def random_leaky_relu_(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The same in place."""
    return x.copy_(random_leaky_relu(x, *args, **kwargs))


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    "native_dropout": dropout,
    "rrelu_with_noise": random_leaky_relu,
    "rrelu_with_noise_": random_leaky_relu_,
    "rrelu_with_noise_functional": lambda x, noise, *rest, **options: (random_leaky_relu(x, noise, *rest, **options), noise),
}
