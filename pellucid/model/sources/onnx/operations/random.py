"""What is drawn at random: the same at every run, from the seed in the file, or from one made of the name of the operation."""

from __future__ import annotations

from zlib import crc32

import torch
from torch import Tensor

from .. import constants
from ..operation import Node, operation


def generator(node: Node) -> torch.Generator:
    """Random numbers of one operation, on the CPU, so that every device gets the same; the caller's generator stays as it is."""
    seed = node.get("seed")
    return torch.Generator().manual_seed(crc32(node.name.encode() if seed is None else repr(seed).encode()))


@operation("RandomNormal", "RandomNormalLike")
def normal(node: Node, like: Tensor | None = None) -> Tensor:
    x = torch.randn(_shape(node, like), generator=generator(node))
    return _like(node, x * node.get("scale", 1.0) + node.get("mean", 0.0), like)


@operation("RandomUniform", "RandomUniformLike")
def uniform(node: Node, like: Tensor | None = None) -> Tensor:
    low, high = node.get("low", 0.0), node.get("high", 1.0)
    return _like(node, torch.rand(_shape(node, like), generator=generator(node)) * (high - low) + low, like)


def _shape(node: Node, like: Tensor | None) -> tuple[int, ...]:
    return tuple(node.get("shape") if like is None else like.shape)


def _like(node: Node, x: Tensor, like: Tensor | None) -> Tensor:
    return x.to(_dtype(node, torch.float32)) if like is None else x.to(like.device, _dtype(node, like.dtype))


@operation("Bernoulli")
def bernoulli(node: Node, probability: Tensor) -> Tensor:
    """One with the probability given, else zero."""
    drawn = torch.rand(probability.shape, generator=generator(node)).to(probability.device)
    return (drawn < probability).to(_dtype(node, probability.dtype))


@operation("Multinomial")
def multinomial(node: Node, logs: Tensor) -> Tensor:
    """Classes drawn with the probabilities whose logarithms are given, up to a constant."""
    count = node.get("sample_size", 1)
    drawn = torch.multinomial(logs.softmax(-1).cpu(), count, replacement=True, generator=generator(node))
    return drawn.to(logs.device, _dtype(node, torch.int32))


def _dtype(node: Node, default: torch.dtype) -> torch.dtype:
    return default if node.get("dtype") is None else constants.dtype(node.get("dtype"))


@operation("Dropout")
def dropout(node: Node, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The numbers as they are; some dropped where the file says that it trains, which only version 12 and later do."""
    share = 0.5 if ratio is None else float(ratio)
    if training is None or not training or share == 0:
        return x, torch.ones_like(x, dtype=torch.bool if node.opset >= 10 else x.dtype)
    kept = torch.rand(x.shape, generator=generator(node)).to(x.device) >= share
    return x * kept / (1 - share), kept
