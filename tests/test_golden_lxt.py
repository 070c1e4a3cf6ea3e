"""Whole maps equal those that LXT 2.1's explicit rules gave for transformer blocks, frozen by golden/make_lxt.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pellucid as pl
from tests.golden import blocks

GOLDEN = np.load(Path(__file__).parent / "golden" / "lxt.npz")
METHODS = {"attention": pl.lrp.Attention(eps=1e-20), "cp": pl.lrp.CP(eps=1e-20)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", blocks.KINDS)
def test_a_preset_gives_the_map_of_lxts_explicit_rules(kind: str, method: str) -> None:
    net = blocks.build(kind)
    e = pl.explain(net, blocks.sentences(), target=list(blocks.TARGETS), method=METHODS[method], strict=True)
    torch.testing.assert_close(e.output, torch.from_numpy(GOLDEN[f"{kind}/output"]), rtol=1e-10, atol=1e-12)
    for found, wanted in zip(e.values, torch.from_numpy(GOLDEN[f"{kind}/{method}"]), strict=True):
        worst = float((found - wanted).abs().max() / wanted.abs().max())
        assert worst <= 1e-9
    assert (e.ledger.error.abs() <= 1e-10 * e.ledger.volume).all()
