"""What `lrp` alone promises on the built-in model: relevance that arrives, bounded, on the right things."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

import pellucid as pl


@pytest.fixture(scope="module")
def model() -> pl.Model:
    return pl.load("efficientnet_lite0")


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_nine_tenths_of_the_score_reach_the_pixels_and_nothing_is_blown_up(model: pl.Model, name: str) -> None:
    e = pl.explain(model, pl.zoo.pictures()[name], strict=True)
    assert e.ledger is not None
    assert (e.values.sum() / e.output).item() >= 0.9
    assert (e.values.abs().sum() / e.output.abs()).item() <= 3
    assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all()
    assert not e.warnings()


def test_it_says_what_it_chose(model: pl.Model) -> None:
    e = pl.explain(model, pl.zoo.pictures()["chelsea"])
    assert "lrp.conserving" in e.caption()
    assert any("Gamma" in line for line in e.provenance["method"]["options"])


def test_what_it_chose_can_be_named() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    x = torch.rand(2, 3, 6, 6)
    chosen, named = pl.explain(net, x, target=0), pl.explain(net, x, target=0, method="lrp.conserving")
    assert torch.equal(chosen.values, named.values) and named.method == "lrp.conserving"


def test_dense_layers_that_end_a_network_take_epsilon_and_those_at_every_position_gamma() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    e = pl.explain(net, torch.randn(2, 4, 6), target=0)
    lines = e.provenance["method"]["options"]
    assert lines[0].startswith("number -2 of dense") and "Epsilon" in lines[0]
    assert any(line.startswith("convolution or dense") and "Gamma" in line for line in lines)
    assert not any("ZBox" in line for line in lines)


def test_a_norm_between_the_last_dense_layers_ends_epsilon_and_nothing_is_blown_up() -> None:
    torch.manual_seed(0)
    sizes = (64, 32, 64, 128)
    blocks = [nn.Sequential(nn.Linear(n, m), nn.ReLU(), nn.BatchNorm1d(m)) for n, m in pairwise(sizes)]
    net = nn.Sequential(*blocks, nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 3))
    for _ in range(50):
        net(torch.rand(64, 64))  # the norms learn their statistics: what they make has both signs
    x = torch.rand(8, 64)
    e, absorbing = pl.explain(net.eval(), x, target=0), pl.explain(net, x, target=0, method="lrp.epsilon")
    lines = e.provenance["method"]["options"]
    assert sum("dense" in line and "Epsilon" in line for line in lines) == 2 and any("Gamma" in line for line in lines)
    assert (e.values.abs().sum(1) < absorbing.values.abs().sum(1) / 2).all()  # with epsilon to the first layer: 100 times as much


def test_the_eyes_of_the_cat_speak_more_than_a_patch_of_fur(model: pl.Model) -> None:
    heat = pl.explain(model, pl.zoo.pictures()["chelsea"], target="Egyptian cat").heat()
    eye, fur = heat[50:110, 35:100], heat[110:170, 35:100]  # same size: the left eye, and the cheek below it
    assert eye.sum() > 3 * fur.sum()


def test_without_preprocessing_the_box_is_the_range_of_the_input_and_the_caption_says_so() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    e = pl.explain(net, torch.rand(1, 1, 8, 8), target=1)
    assert "range of each input" in e.caption()
    torch.testing.assert_close(e.values.sum(), e.output.sum(), rtol=1e-4, atol=1e-5)
