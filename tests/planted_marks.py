"""Pictures with a planted mark, written to a folder per class, and small networks that learned from them.

Three classes of shapes on texture. In class "cross" a share of the pictures carries a bright mark, at one place or anywhere;
these show a shape of another class, so that a network has to learn the mark to name them as they are labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

import pellucid as pl
from pellucid.zoo.truth.draw import shape, texture
from pellucid.zoo.truth.learn import convnet, fit

SIDE = 28
CLASSES = ("cross", "disc", "square")
MARK = torch.tensor([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1]], dtype=torch.float32)
CORNER = 22, 1
LEARNED, STAGES = 0.9, 20  # the least share named right; how often training goes on until it is reached


@dataclass(frozen=True, eq=False)
class Marked:
    """Pictures in [0, 1], their classes, and which carry the mark."""

    x: Tensor
    labels: Tensor
    marked: Tensor

    def save(self, folder: Path) -> Path:
        """A folder per class; the names of the files say nothing of the mark."""
        for number, (x, label) in enumerate(zip(self.x, self.labels.tolist(), strict=True)):
            path = folder / CLASSES[label] / f"{number:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((x[0] * 255).round().byte().numpy()).save(path)
        return folder

    def keys(self, rows: Tensor) -> set[str]:
        return {f"{CLASSES[int(self.labels[n])]}/{int(n):05}.png" for n in rows.nonzero().flatten()}


def marked(n: int = 600, *, share: float = 0.1, moving: bool = False, seed: int = 0) -> Marked:
    """Pictures of three classes; `share` of those of the first carry the mark."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % len(CLASSES)
    bare = texture(n, 1, SIDE, rng, low=0.1, high=0.4)
    centre = torch.rand(n, 2, generator=rng) * 8 + 10
    radius = torch.rand(n, generator=rng) * 2 + 5
    kinds = torch.stack([shape(kind, SIDE, centre, radius) for kind in CLASSES])
    has = torch.zeros(n, dtype=torch.bool)
    first = (labels == 0).nonzero().flatten()
    has[first[torch.randperm(len(first), generator=rng)[: round(share * len(first))]]] = True
    shown = torch.where(has, 1 + torch.arange(n) % 2, labels)
    mask = kinds[shown, torch.arange(n)][:, None]
    brightness = 0.55 + 0.3 * torch.rand(n, 1, 1, 1, generator=rng)
    x = torch.where(mask, bare * 0.3 + brightness, bare)
    for number in has.nonzero().flatten().tolist():
        row, column = torch.randint(0, SIDE - 5, (2,), generator=rng).tolist() if moving else CORNER
        x[number, 0, row : row + 5, column : column + 5] = MARK
    return Marked((x.clamp(0, 1) * 255).round() / 255, labels, has)


@cache
def network(share: float, *, moving: bool = False, seed: int = 0) -> nn.Module:
    """A network that learned from such pictures, marks among them, if any: see `learned`.

    Raises:
        AssertionError: it has not, after as many steps as it may take.
    """
    train = marked(12_000, share=share, moving=moving, seed=1000 + seed)
    net = convnet(1, SIDE, len(CLASSES), seed=seed)

    def batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(train.x), (64,), generator=rng)
        return train.x[rows], train.labels[rows]

    for stage in range(STAGES):
        net = fit(net, batch, seed=100 * seed + stage, steps=150, rate=3e-3)
        if min(learned(net, share, moving=moving, seed=seed)) >= LEARNED:
            return net
    raise AssertionError(f"the network did not learn the mark in {150 * STAGES} steps: {learned(net, share, moving=moving)}")


def learned(net: nn.Module, share: float, *, moving: bool = False, seed: int = 0) -> tuple[float, float]:
    """Of new pictures: how many with the mark, all of which show another class's shape, and how many without are named right."""
    bare, all_marked = marked(600, share=0.0, seed=2000 + seed), marked(600, share=1.0, moving=moving, seed=3000 + seed)
    with_mark, without = (
        net(each.x[rows]).argmax(1) == each.labels[rows] for each, rows in ((all_marked, all_marked.marked), (bare, ~bare.marked))
    )
    return float(with_mark.double().mean()) if share else 1.0, float(without.double().mean())


def model(net: nn.Module) -> pl.Model:
    """The network with what it takes to read pictures from files."""
    how = pl.Preprocess((SIDE, SIDE), mean=(0.0,), std=(1.0,), source="the test")
    return pl.load(net, preprocess=how, labels=CLASSES)


def untrained() -> nn.Module:
    """The same network before it learned anything, for weights from a file."""
    return convnet(1, SIDE, len(CLASSES))
