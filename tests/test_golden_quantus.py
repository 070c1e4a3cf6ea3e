"""The numbers of Quantus 0.6.0 where it is right, from curves of ours: its pixels are single values, ours have all channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.metrics import Answer, Curve, Every, Scheme, Tiles, curves, question
from pellucid.metrics.experiment import Reading
from pellucid.perturb.regions import Entries, Groups
from pellucid.target import as_target
from tests.cases import CASE
from tests.golden.make_quantus import Grey, maps

GOLDEN = np.load(Path(__file__).parent / "golden" / "quantus.npz")
X, NET = CASE["plain"].inputs(), CASE["plain"].net()
SINGLE = Groups(torch.arange(X[0].numel()).reshape(X[0].shape))  # every value on its own
SEEN = 3e-6  # the greatest difference, of single precision


def black(x: Tensor, gone: Tensor) -> Tensor:
    """Quantus' "black": the least value of the sample."""
    return x.amin().expand_as(x)


def ours(scheme: Scheme, *, least: bool = False) -> list[Curve]:
    asked = question(pl.load(NET), X, as_target(None))
    return [found for found in curves(asked, Answer(maps(tuple(X.shape))), scheme, least=least) if found is not None]


def heights(scheme: Scheme, reading: Reading, *, least: bool = False) -> Tensor:
    return torch.stack([found.read(reading) for found in ours(scheme, least=least)])


def close(found: Tensor, name: str) -> None:
    expected = torch.from_numpy(GOLDEN[name])
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= SEEN * max(1.0, float(expected.abs().max()))


def test_the_network_is_the_one_they_were_asked_about():
    close(NET(X).detach().double(), "output")


def test_pixel_flipping():
    flipped = heights(Scheme(SINGLE, 0.0, Every(8)), "target")
    close(flipped[:, 1:], "pixel_flipping")  # their curve begins after the first step
    close(torch.trapezoid(flipped[:, 1:]), "pixel_flipping_auc")  # and its area is not divided by its length
    close(heights(Scheme(SINGLE, black, Every(4)), "probability")[:, 1:], "pixel_flipping_black")


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_region_perturbation(order):
    found = heights(Scheme(Tiles(4), 0.0, Every(1)), "probability", least=order == "lerf")
    close(found[:, :1] - found[:, 1:], f"region_perturbation_{order}")


def test_selectivity():
    close(heights(Scheme(Tiles(4), black, Every(1)), "probability")[:, 1:], "selectivity")


def test_road():
    net, x = Grey(NET), X[:, :1]
    asked = question(pl.load(net), x, as_target(None))
    shares = Exactly(tuple(256 * p // 100 for p in range(5, 96, 10)))
    scheme = Scheme(Entries(), pl.perturb.noisy_linear(noise=0), shares)
    found = curves(asked, Answer(maps(tuple(X.shape))[:, :1]), scheme)
    close(torch.stack([one.read("kept")[1:] for one in found]).mean(0), "road")


class Exactly:
    """These numbers of pixels; Quantus rounds shares down."""

    def __init__(self, counts: tuple[int, ...]) -> None:
        self.given = counts

    def counts(self, n: int) -> tuple[int, ...]:
        return (0, *self.given)
