"""Whole conditional maps equal those that zennit-crp 0.6.0 gave for a canonised VGG, frozen by golden/make_crp.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pl
from tests.golden import nets

GOLDEN = np.load(Path(__file__).parent / "golden" / "crp.npz")
METHODS = {**nets.COMPOSITES, "EpsilonGammaBox": pl.lrp.EpsilonGammaBox(low=nets.LOW, high=nets.HIGH)}


@pytest.fixture(scope="module")
def net() -> Iterator[nn.Module]:
    pytest.importorskip("torchvision")
    yield nets.build("small_vgg_bn")


def test_the_net_built_from_its_seed_is_the_one_zennit_crp_explained(net):
    assert nets.checksum(net) == pytest.approx(float(GOLDEN["checksum"]), rel=1e-12)


@pytest.mark.parametrize("case", nets.CONDITIONS)
@pytest.mark.parametrize("composite", nets.CONDITIONED)
def test_conditional_maps_are_those_of_zennit_crp(net, composite, case):
    only = [{layer: pl.channels(index) for layer, index in asked.items()} for asked in nets.CONDITIONS[case]]
    e = pl.explain(net, nets.pictures()[:1], target=nets.TARGETS[0], method=METHODS[composite], only=only)
    expected = torch.from_numpy(GOLDEN[f"{composite}/{case}"]).double()
    assert e.values.shape == expected.shape
    for found, wanted in zip(e.values, expected, strict=True):  # one channel may speak a hundred times louder than the other
        worst = float((found - wanted).abs().max() / wanted.abs().max())
        assert worst <= 1e-6, worst  # 4e-8 when frozen, which is what single precision keeps
