"""Optimised masks: the published objectives, what they find where the truth is known, and how they are asked."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.perturb.descent import Adam, Momentum, descend, gradient
from pellucid.perturb.extremal import Area, Extremal
from pellucid.perturb.masks import Stakes, blurred, frame, gaussian
from pellucid.perturb.meaningful import Deletion, Meaningful, as_probability, roughness
from pellucid.progress import watched
from pellucid.readout import settled
from pellucid.target import as_target
from tests.cases import CASE, CASES, contained, difference

SQUARE = (slice(8, 20), slice(20, 32))  # of 48 x 48


class Square(nn.Module):
    """A network that answers to the contrast of neighbouring pixels inside a square, and to nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        inside = x[..., SQUARE[0], SQUARE[1]]
        detail = inside.diff(dim=-1).square().mean((1, 2, 3)) + inside.diff(dim=-2).square().mean((1, 2, 3))
        return torch.stack([2 * detail, torch.zeros_like(detail)], 1)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def inside(sides: tuple[int, int] = (48, 48)) -> Tensor:
    mask = torch.zeros(sides, dtype=torch.bool)
    mask[SQUARE] = True
    return mask


def iou(mask: Tensor, truth: Tensor) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def game(method: Any, net: nn.Module, x: Tensor, target: Any = 0, at: str | None = None) -> Any:
    with torch.no_grad():
        readout, _, output = settled(pl.load(net), x, as_target(target), at)
        return method.game(readout, output)


# -- where the truth is known ---------------------------------------------------------------------------------------------


def test_meaningful_takes_the_square_that_the_network_looks_at():
    e = pl.explain(Square().eval(), noise(1, 3, 48, 48), target=0, method=Meaningful(steps=100))
    heat = e.heat()
    assert iou(heat > 0.5, inside()) > 0.6
    assert heat[~inside()].mean() < 0.1 < 0.7 < heat[inside()].mean()


@pytest.mark.parametrize("variant", ["preserve", "delete", "dual"])
def test_extremal_finds_the_square_when_it_is_asked_for_an_area_as_large(variant: Any):
    area = float(inside().float().mean())
    e = pl.explain(Square().eval(), noise(1, 3, 48, 48), target=0, method=Extremal((area,), variant, steps=200))
    assert iou(e.heat() > 0.5, inside()) > 0.6
