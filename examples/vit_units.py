"""What a vision transformer looks for: a small one learns small photographs, and vit2022 draws its classes and inner units.

    python examples/vit_units.py cifar10_subset.zip --minutes 4 --out /tmp/vit

The archive is that of `cifar_prior.py`. Five sixths of the time go to the transformer, the rest to a convolutional network that
judges the pictures of classes: a picture that only the first one understands says more about its blind spots than about the
class. Then it draws, for some minutes more. What is printed is what came out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from cifar_prior import judging, read, right, taught
from torch import Tensor, nn

import pellucid as pl

SIDE, PATCH, WIDTH, HEADS, DEPTH = 32, 4, 96, 4, 4
UNITS = 8
REAL = 400  # pictures that those of units are compared with, of all classes alike
SHOWN = dict(shape=(3, SIDE, SIDE), bounds=(0.0, 1.0))


class Block(nn.Module):
    """Attention, then two dense layers on each token by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, tokens, WIDTH))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """64 patches of 4 x 4 pixels and a token for the class, through four blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.place = nn.Parameter(0.02 * torch.randn(1, (SIDE // PATCH) ** 2 + 1, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(2 * x - 1).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.place
        return self.head(self.norm(self.blocks(tokens))[:, 0])


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("archive", type=Path)
    asked.add_argument("--minutes", type=float, default=4.0)
    asked.add_argument("--steps", type=int, default=120, help="of drawing; the recipes themselves make 400 and 512")
    asked.add_argument("--out", type=Path, default=Path("vit_units"))
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    (x, y), (test, truth), labels = read(given.archive)
    torch.manual_seed(0)
    net = taught(Vit(), x, y, 60 * given.minutes * 5 / 6, seed=1)
    judge = taught(judging(), x, y, 60 * given.minutes / 6, seed=2)
    named = [right(one, test, truth) for one in (net, judge)]
    print(f"named right: {named[0]:.1%} by the transformer, {named[1]:.1%} by the judge", flush=True)
    model = pl.load(net, labels=labels)
    for recipe in ("vit2022", "lucid"):
        p = pl.maximize(model, list(range(10)), recipe, steps=given.steps, **SHOWN)
        sure = torch.tensor([dict((i, share) for i, _, share in found).get(n, 0.0) for n, found in enumerate(p.classes)])
        agreed = right(judge, p.images, torch.arange(10))
        print(f"{recipe}: probability of the class {sure.mean():.2f}, {agreed:.0%} as intended by the judge", flush=True)
        p.save(given.out / f"classes.{recipe}.png")
    for block in range(DEPTH):
        units = [pl.channel(f"blocks.{block}.mlp.1", unit, tokens="patch") for unit in range(UNITS)]
        p = pl.maximize(model, units, "vit2022", steps=given.steps, data=test[:: len(test) // REAL], **SHOWN)
        above = [verdict.percentile or 0.0 for verdict in p.trust().verdicts]
        print(f"block {block}: units score above {sum(above) / len(above):.0%} of real pictures", flush=True)
        p.save(given.out / f"block{block}.png")


if __name__ == "__main__":
    main()
