"""Tetrominoes in noise: four problems of rising difficulty, with suppressor variables."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from pellucid.errors import MethodError
from .problem import Problem, choose, generator

Kind = Literal["linear", "multiplicative", "rotation", "xor"]
SIDE = 8
STRENGTH: dict[str, float] = {"linear": 0.18, "multiplicative": 0.7, "rotation": 0.65, "xor": 0.35}  # the paper's, for 8 x 8
T = torch.tensor([[1, 1, 1], [0, 1, 0]])
L = torch.tensor([[1, 0], [1, 0], [1, 1]])


def tetrominoes(
    n: int = 256, *, seed: int = 0, kind: Kind = "linear", smooth: bool = False, strength: float | None = None
) -> Problem:
    """A T or an L in 8 x 8 pixels of noise.

        linear           x = a P + (1 - a) N: T at the top left or L at the bottom right
        multiplicative   x = (1 - a P) (1 - a) N: the pattern damps the noise
        rotation         x = a P + (1 - a) N: anywhere, turned by any right angle
        xor              both, with signs: class 0 if they are equal, class 1 if not

    P is the pattern, N the noise, each divided by its norm over all samples (P is not where it multiplies). Smooth noise
    correlates: pixels without any pattern then help to tell the noise apart (suppressor variables), and many methods mark them.

    Where the class can also be told from what is absent (linear, multiplicative, xor) the truth is both places.

    References: Clark et al., 2024, XAI-TRIS, https://doi.org/10.1007/s10994-024-06574-3

    Arguments:
        smooth: Whether the noise is blurred with a Gaussian of 3 pixels.
        strength: a; None: the paper's for this kind.

    Example:
        >>> tetrominoes(3, kind="xor").inputs.shape
        torch.Size([3, 1, 8, 8])
    """
    if kind not in STRENGTH:
        known, do = f"there are {len(STRENGTH)}", f"Choose one of {', '.join(STRENGTH)}."
        raise MethodError(f"tetrominoes(kind={kind!r})", "no such problem", known, do)
    rng = generator(seed)
    labels = torch.arange(n) % 2  # as many of either
    a = STRENGTH[kind] if strength is None else strength
    pattern, masks = _turned(labels, rng) if kind == "rotation" else _fixed(labels, kind, rng)
    noise = torch.randn(n, SIDE, SIDE, generator=rng)
    noise = _blurred(noise) if smooth else noise
    signal, ground = pattern / pattern.norm(), noise / noise.norm()
    multiplies = kind == "multiplicative"  # with the pattern as it is: its own size is what counts
    x = (1 - a * pattern) * (1 - a) * ground if multiplies else a * signal + (1 - a) * ground
    x, alone = x / x.abs().amax(), ((1 - a) * ground / x.abs().amax())[:, None]
    changes = {"without the pattern": lambda x: torch.where(masks[:, None], alone, x), "the noise alone": lambda x: alone.clone()}
    classes = ("T", "L") if kind != "xor" else ("equal", "unequal")
    parts = {"present": pattern != 0}
    return Problem(f"tetrominoes.{kind}", x[:, None], labels, masks, classes, parts=parts, changes=changes)


def _fixed(labels: Tensor, kind: Kind, rng: Generator) -> tuple[Tensor, Tensor]:
    """Patterns at their two places; the truth is both of them."""
    n = len(labels)
    first, second = torch.zeros(SIDE, SIDE), torch.zeros(SIDE, SIDE)
    first[1:3, 1:4], second[4:7, 5:7] = T.float(), L.float()
    masks = (first + second > 0).expand(n, SIDE, SIDE)
    if kind == "xor":
        sign = (2 * choose(2, n, rng) - 1)[:, None, None]
        flipped = torch.where(labels == 0, 1, -1)[:, None, None]
        return sign * (first + flipped * second), masks
    return torch.where(labels[:, None, None] == 0, first, second), masks


def _turned(labels: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """One pattern anywhere, turned; the truth is where it stands."""
    n = len(labels)
    pattern = torch.zeros(n, SIDE, SIDE)
    turns, places = choose(4, n, rng), torch.rand(n, 2, generator=rng)
    for i in range(n):
        block = torch.rot90(T if labels[i] == 0 else L, int(turns[i])).float()
        row, column = (int(places[i, axis] * (SIDE - block.shape[axis] + 1)) for axis in range(2))
        pattern[i, row : row + block.shape[0], column : column + block.shape[1]] = block
    return pattern, pattern > 0


def _blurred(noise: Tensor, sigma: float = 3.0, radius: int = 7) -> Tensor:
    kernel = torch.exp(-torch.arange(-radius, radius + 1.0).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum())[None, None, None]
    rows = F.conv2d(F.pad(noise[:, None], [radius, radius, 0, 0], mode="reflect"), kernel)
    return F.conv2d(F.pad(rows, [0, 0, radius, radius], mode="reflect"), kernel.transpose(2, 3))[:, 0]
