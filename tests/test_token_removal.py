"""A small transformer learns a language of which it is known which words tell; AttnLRP finds them better than what it replaces."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.truth.grammar import FILLERS, WORDS, grammar
from pellucid.truth.learn import accuracy, bare, fit, initialised
from pellucid.truth.problem import Problem

LENGTH, WIDTH, STEPS = 12, 32, 600
FILLER = torch.tensor([1 / len(FILLERS) if word in FILLERS else 0.0 for word in WORDS])  # what stands where a word is gone


class Block(nn.Module):
    """Two heads of attention and a feed-forward layer, norms first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.project = bare(nn.Linear, WIDTH, 3 * WIDTH), bare(nn.Linear, WIDTH, WIDTH)
        self.wide, self.narrow = bare(nn.Linear, WIDTH, 2 * WIDTH), bare(nn.Linear, 2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in self.qkv(self.first(x)).chunk(3, -1))
        x = x + self.project(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.second(x))))


class Reader(nn.Module):
    """Word vectors, positions, two blocks, the mean over all words."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embed, self.head = bare(nn.Linear, words, WIDTH, bias=False), bare(nn.Linear, WIDTH, 2)
        places = torch.randn(LENGTH, WIDTH, generator=torch.Generator().manual_seed(7))
        self.places, self.last = nn.Parameter(0.1 * places), nn.LayerNorm(WIDTH)
        self.blocks = nn.Sequential(Block(), Block())

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.blocks(self.embed(x) + self.places)).mean(1))


@cache
def learned(kind: Any, seed: int = 0) -> tuple[nn.Module, Problem]:
    """The network, and sentences it has not seen."""
    seen = grammar(2000, seed=1, kind=kind)

    def batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(seen.inputs), (64,), generator=rng)
        return seen.inputs[rows], seen.labels[rows]

    net = fit(initialised(Reader(seen.inputs.shape[2]), seed=seed), batch, seed=seed, steps=STEPS, rate=3e-3)
    return net, grammar(300, seed=2, kind=kind)


@torch.no_grad()
def gain(kind: Any, method: str, seed: int = 0) -> Tensor:
    """Per sentence: the area between the probabilities as words go, the least relevant first, and the most relevant first."""
    net, unseen = learned(kind, seed)
    x = unseen.inputs
    label = net(x).argmax(1)
    values = torch.zeros(len(x), LENGTH)
    for mine in (0, 1):  # what speaks for one answer and against the other
        rows = label == mine
        values[rows] = pl.explain(net, x[rows], pl.logit(mine) - pl.logit(1 - mine), method).values.sum(-1)
    order = values.argsort(1)

    def curve(order: Tensor) -> Tensor:
        left, found = x.clone(), []
        for gone in order.T:
            found.append(net(left).softmax(1).gather(1, label[:, None])[:, 0])
            left[torch.arange(len(x)), gone] = FILLER
        return torch.stack(found).mean(0)

    return curve(order) - curve(order.flip(1))


@pytest.mark.parametrize("kind", ["negation", "agreement"])
def test_attnlrp_beats_gradient_x_input_and_cp_lrp_where_words_are_removed(kind: Any) -> None:
    net, unseen = learned(kind)
    assert accuracy(net, unseen) >= 0.99
    ours = gain(kind, "lrp.attention")
    for other, least in (("gradient_x_input", 0.1), ("lrp.cp", 0.0)):
        ahead = ours - gain(kind, other)
        assert float(ahead.mean()) > least + 1.96 * float(ahead.std()) / len(ahead) ** 0.5 * (other != "lrp.cp"), other
    assert float(gain(kind, "lrp").mean()) > 0.3
