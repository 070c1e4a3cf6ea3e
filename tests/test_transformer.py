"""A vision transformer that has learned digits, and what vit2022 draws of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pl
from pellucid.synth.recipes.vit2022 import Vit2022

SIDE, WIDTH = 8, 32
STILL = Vit2022(jitter=0.0, steps=120)  # patches are of two pixels: a shift by one makes others of them
SHOWN: dict[str, Any] = {"shape": (1, SIDE, SIDE), "bounds": (0.0, 1.0)}


class Block(nn.Module):
    """Attention over tokens, then two dense layers on each."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, tokens, 3, 2, -1).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, WIDTH))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """16 patches of 2 x 2 pixels and a token for the class, through two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, WIDTH, 2, 2), nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.place = nn.Parameter(0.1 * torch.randn(1, 17, WIDTH))
        self.blocks, self.norm, self.head = nn.Sequential(Block(), Block()), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(2 * x - 1).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.place
        return self.head(self.norm(self.blocks(tokens))[:, 0])


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    found = pytest.importorskip("sklearn.datasets").load_digits()
    return torch.tensor(found.images / 16, dtype=torch.float32)[:, None], torch.tensor(found.target)


@pytest.fixture(scope="module")
def vit(digits: tuple[Tensor, Tensor]) -> nn.Module:
    x, y = digits
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = Vit()
        adam = torch.optim.AdamW(net.parameters(), 3e-3)
        for _ in range(300):
            part = torch.randint(1200, (64,))
            adam.zero_grad()
            F.cross_entropy(net(x[part]), y[part]).backward()
            adam.step()
    net.zero_grad(set_to_none=True)
    net.eval()
    assert float((net(x[1200:]).argmax(1) == y[1200:]).float().mean()) > 0.85, "it has learned digits"
    return net


def test_classes_of_a_transformer_are_drawn_and_look_like_their_digits(vit: nn.Module, digits: tuple[Tensor, Tensor]):
    x, y = digits
    p = pl.maximize(vit, list(range(10)), STILL, **SHOWN)
    assert vit(p.images).argmax(1).tolist() == list(range(10))
    means = torch.stack([x[y == one].mean(0) for one in range(10)]).flatten(1)
    likeness = torch.corrcoef(torch.cat([p.images.flatten(1), means]))[:10, 10:]
    own, others = likeness.diagonal().mean(), (likeness.sum() - likeness.diagonal().sum()) / 90
    named = (likeness.argmax(1) == torch.arange(10)).sum()
    print(f"correlation with the mean of its digit {own:.2f}, of others {others:.2f}; {named} of 10")
    assert named >= 7  # one by chance
    assert own > others + 0.1


def test_units_behind_the_activation_rise_above_all_real_digits(vit: nn.Module, digits: tuple[Tensor, Tensor]):
    units = [pl.channel(f"blocks.{block}.mlp.1", unit, tokens="patch") for block in (0, 1) for unit in range(4)]
    p = pl.maximize(vit, units, STILL, data=digits[0][1200:], beside=0, **SHOWN)
    above = [verdict.percentile for verdict in p.trust().verdicts]
    print("share of real digits that score lower:", [round(float(share or 0), 3) for share in above])
    assert min(float(share or 0) for share in above) > 0.99
