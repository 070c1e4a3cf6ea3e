"""Which rule shows what small transformers read that were trained for it? SRG of the rules of language_rules.py.

    python bench/small_readers.py [--rules NAME ...] [--number 240] [--seeds 3]

Two blocks read the languages of `pellucid.zoo.truth.grammar`, answering from a mean over all words or at the last one; a vision
transformer of three blocks with a class token names handwritten digits. Words and patches give way to what is there on average,
the least and the most relevant first; SRG is the mean distance of the two curves of the probability of the predicted class.
Beside it: the difference to the first rule, sample by sample; and the median share of the score that arrives.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from faithfulness import interval
from language_rules import RULES
from torch import Tensor, nn

import pellucid as pl
from pellucid.zoo.truth.grammar import WORDS, grammar
from pellucid.zoo.truth.learn import fit

WIDTH = 32


class Block(nn.Module):
    """Attention over tokens, then two dense layers on each."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, tokens, 3, 2, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, tokens, WIDTH))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class Words(nn.Module):
    """One-hot words, two blocks, and a head on the mean of all words or on the last."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.words, self.place = nn.Linear(len(WORDS), WIDTH, bias=False), nn.Parameter(0.1 * torch.randn(1, 12, WIDTH))
        self.blocks, self.norm = nn.Sequential(Block(last), Block(last)), nn.LayerNorm(WIDTH)
        self.head, self.last = nn.Linear(WIDTH, 2), last

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.blocks(self.words(x) + self.place))
        y: Tensor = self.head(x[:, -1] if self.last else x.mean(1))
        return y


class Digits(nn.Module):
    """16 patches of 2 x 2 pixels and a token for the class, through three blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, WIDTH, 2, 2), nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.place = nn.Parameter(0.1 * torch.randn(1, 17, WIDTH))
        self.blocks, self.norm = nn.Sequential(*(Block(False) for _ in range(3))), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(2 * x - 1).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.place
        y: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return y


@dataclass(frozen=True, eq=False)
class Reading:
    """A trained network and inputs it has not seen; `parts` and `whole` go between inputs and parts that can be taken away."""

    name: str
    net: nn.Module
    x: Tensor
    parts: Callable[[Tensor], Tensor]  # (sample, part, entries)
    whole: Callable[[Tensor], Tensor]

    def srg(self, rule: Any) -> tuple[Tensor, Tensor]:
        """The gain per sample, and the sum at the input over the score."""
        labels = self.net(self.x).argmax(1)
        e = pl.explain(self.net, self.x, labels.tolist(), rule)
        order = self.parts(e.values).sum(2).argsort(1)
        least, most = (self.curve(o, labels) for o in (order, order.flip(1)))
        return (least - most).mean(1), e.values.flatten(1).sum(1) / e.output

    def curve(self, order: Tensor, labels: Tensor) -> Tensor:
        parts, shares = self.parts(self.x), []
        mean = parts.mean(0, keepdim=True).expand_as(parts)
        for gone in range(1, order.shape[1]):
            keep = torch.ones(parts.shape[:2]).scatter_(1, order[:, :gone], 0)[..., None]
            shares.append(self.net(self.whole(parts * keep + mean * (1 - keep))).softmax(1).gather(1, labels[:, None])[:, 0])
        return torch.stack(shares, 1)


def patches(x: Tensor) -> Tensor:
    return F.unfold(x, 2, stride=2).transpose(1, 2)


def pixels(parts: Tensor) -> Tensor:
    return F.fold(parts.transpose(1, 2), (8, 8), 2, stride=2)


def sentences(kind: Any, *, last: bool, number: int, seed: int = 0) -> Reading:
    problem, unseen = grammar(1024, seed=seed, kind=kind), grammar(number, seed=seed + 100, kind=kind)
    net = taught(lambda: Words(last), problem.inputs, problem.labels, seed)
    right = float((net(unseen.inputs).argmax(1) == unseen.labels).float().mean())
    return Reading(f"{kind}, {'last' if last else 'mean'} ({right:.2f})", net, unseen.inputs, lambda x: x, lambda x: x)


def digits(number: int, seed: int = 0) -> Reading:
    from sklearn.datasets import load_digits

    found = load_digits()
    x, y = torch.tensor(found.images / 16, dtype=torch.float32)[:, None], torch.tensor(found.target)
    net = taught(Digits, x[:1200], y[:1200], seed)
    right = float((net(x[1200:]).argmax(1) == y[1200:]).float().mean())
    return Reading(f"digits ({right:.2f})", net, x[1200 : 1200 + number], patches, pixels)


def taught(make: Callable[[], nn.Module], x: Tensor, y: Tensor, seed: int) -> nn.Module:
    def batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(x), (64,), generator=rng)
        return x[rows], y[rows]

    torch.manual_seed(seed)
    return fit(make(), batch, seed=seed, steps=400, rate=3e-3)


def readings(number: int, seed: int) -> list[Reading]:
    kinds, ends = ("negation", "agreement"), (False, True)
    return [digits(number, seed), *(sentences(kind, last=last, number=number, seed=seed) for kind in kinds for last in ends)]


def cell(gain: Tensor, first: Tensor, share: Tensor) -> str:
    (mean, margin), (ahead, apart) = interval(gain), interval(gain - first)
    return f"{mean:.2f} ± {margin:.2f}, {ahead:+.2f} ± {apart:.2f}, {float(share.median()):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", nargs="+", default=list(RULES))
    parser.add_argument("--number", type=int, default=240)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    asked = list(zip(*(readings(options.number, seed) for seed in range(options.seeds)), strict=True))
    print(f"| rule | {' | '.join(' '.join(reading.name for reading in same) for same in asked)} |", flush=True)
    firsts: list[Tensor] = []
    for name in options.rules:
        cells = []
        for n, same in enumerate(asked):
            gains, shares = (torch.cat(both) for both in zip(*(reading.srg(RULES[name]()) for reading in same), strict=True))
            firsts += [gains] if len(firsts) == n else []
            cells.append(cell(gains, firsts[n], shares))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
