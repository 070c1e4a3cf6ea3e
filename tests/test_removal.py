"""Tokens taken out of a vision transformer, beside the same network called by hand on fewer tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.errors import MethodError


class Tokens(nn.Module):
    """A vision transformer of one block: patches of 4 pixels, a class token, learned positions."""

    def __init__(self, side: int = 16, width: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (side // 4) ** 2 + 1, width))
        self.drop = nn.Dropout(0.1)
        self.block = nn.TransformerEncoderLayer(width, 2, 16, batch_first=True)
        self.head = nn.Linear(width, 3)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return torch.cat([self.first.expand(len(x), -1, -1), tokens], 1) + self.places

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.drop(self.embed(x)))[:, 0])


@pytest.fixture
def net() -> Tokens:
    torch.manual_seed(0)
    return Tokens().eval()


def removed(method):
    return replace(method, semantics="remove")


def test_occlusion_asks_the_network_without_the_tokens(net):
    x = torch.randn(2, 3, 16, 16)
    e = pl.explain(net, x, 1, removed(pl.perturb.occlusion(4, 4)))
    with torch.no_grad():
        tokens, full = net.embed(x), net(x)
        for k in range(16):
            kept = torch.cat([tokens[:, : k + 1], tokens[:, k + 2 :]], 1)
            fall = (full - net.head(net.block(kept)[:, 0]))[:, 1]
            row, column = divmod(k, 4)
            assert torch.allclose(e.values[:, 0, 4 * row, 4 * column], fall, atol=1e-5)
    assert "left out at `drop`" in e.caption()


def test_rows_that_keep_different_numbers_of_tokens_are_answered_in_their_places(net):
    x = torch.randn(1, 3, 16, 16)
    labels = torch.arange(16).reshape(4, 4).repeat_interleave(4, 0).repeat_interleave(4, 1)
    method = removed(pl.perturb.shapley(labels, budget=200))
    whole, bit_by_bit = (pl.explain(net, x, 1, replace(method, batch=batch)).values for batch in (64, 3))
    with torch.no_grad():
        nothing = net.head(net.block(net.embed(x)[:, :1])[:, 0])
        change = (net(x) - nothing)[0, 1]
    assert torch.allclose(whole, bit_by_bit, atol=1e-5)
    assert whole[0, 0, ::4, ::4].sum().item() == pytest.approx(change.item(), abs=1e-4)


def test_a_network_without_tokens_is_refused():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 3)).eval()
    with pytest.raises(MethodError, match="any number of tokens") as error:
        pl.explain(net, torch.randn(1, 3, 16, 16), 1, removed(pl.perturb.occlusion(4, 4)))
    assert "replace" in str(error.value)


def test_regions_smaller_than_a_token_are_refused(net):
    with pytest.raises(MethodError, match="4 x 4 pixels"):
        pl.explain(net, torch.randn(1, 3, 16, 16), 1, removed(pl.perturb.occlusion(2, 2)))
