"""Whole maps equal those that zennit 1.0.0 gave for canonised nets, frozen by golden/make_zennit.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from tests.golden import nets

GOLDEN = np.load(Path(__file__).parent / "golden" / "zennit.npz")
METHODS = {**nets.COMPOSITES, "EpsilonGammaBox": pl.lrp.EpsilonGammaBox(low=nets.LOW, high=nets.HIGH)}


def frozen(key: str) -> Tensor:
    return torch.from_numpy(GOLDEN[key])


@pytest.fixture(scope="module", params=nets.NETS)
def named_net(request: pytest.FixtureRequest) -> Iterator[tuple[str, nn.Module]]:
    pytest.importorskip("torchvision")
    yield request.param, nets.build(request.param)


def test_a_net_built_from_its_seed_is_the_one_zennit_explained(named_net):
    name, net = named_net
    with torch.no_grad():
        logits = net(nets.pictures())[range(2), nets.TARGETS]
    assert nets.checksum(net) == pytest.approx(float(GOLDEN[f"{name}/checksum"]), rel=1e-12)
    torch.testing.assert_close(logits, frozen(f"{name}/output"), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("composite", nets.COMPOSITES)
def test_a_preset_gives_the_map_of_zennits_composite(named_net, composite):
    name, net = named_net
    e = pl.explain(net, nets.pictures(), target=list(nets.TARGETS), method=METHODS[composite])
    expected = frozen(f"{name}/{composite}")
    assert e.values.dtype == torch.float64
    for found, wanted in zip(e.values, expected, strict=True):  # one picture may speak a hundred times louder than the other
        worst = float((found - wanted).abs().max() / wanted.abs().max())
        assert worst <= 1e-9  # 5e-13 when frozen; a stabiliser left out or added shows from 1e-7 on
