"""A mark planted on photographs, and the same photographs without it: what an audit finds, and what it confirms.

    python bench/photographs.py cifar10_subset.zip [--epochs 5] [--each 700] [--tested 200] [--seed 0]

The archive has folders train/CLASS and test/CLASS with pictures of 32 x 32. A fifth of the horses carry a checked mark of 5 x 5
pixels in a corner, in training and in test. Figures in docs/audit.md are from here.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
import pellucid as pl
from pellucid.core import allocator
from pellucid.zoo.truth.learn import fit, initialised
from tests.planted_marks import MARK

CLASS, SHARE, TESTED = "horse", 0.2, 6
CORNER = 26, 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--each", type=int, default=700)
    parser.add_argument("--tested", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    allocator.configure()
    with zipfile.ZipFile(arguments.archive) as archive:
        x, y, names = read(archive, "train", arguments.each)
        new, truth, _ = read(archive, "test", arguments.tested)
    target = names.index(CLASS)
    for planted in (True, False):
        steps = round(arguments.epochs * len(x) / 64)
        marked, _ = with_mark(x, y == target, seed=1) if planted else (x, None)
        shown, has = with_mark(new, truth == target, seed=2) if planted else (new, torch.zeros(len(new), dtype=torch.bool))
        net = trained(marked, y, len(names), steps, arguments.seed)
        said = f"{'with' if planted else 'without'} the mark, {steps} steps"
        print(f"\n{said}; new pictures named right: {told(net, shown, truth, has)}")
        audited(net, shown, truth, has, names)


def read(archive: zipfile.ZipFile, part: str, each: int) -> tuple[Tensor, Tensor, list[str]]:
    """So many pictures of each class in [0, 1], their classes, and the names of these."""
    every = sorted(name for name in archive.namelist() if name.startswith(f"{part}/") and name.endswith(".jpg"))
    names = sorted({name.split("/")[1] for name in every})
    chosen = [name for label in names for name in [one for one in every if one.split("/")[1] == label][:each]]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in chosen])
    labels = torch.tensor([names.index(name.split("/")[1]) for name in chosen])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, labels, names


def with_mark(x: Tensor, own: Tensor, *, seed: int) -> tuple[Tensor, Tensor]:
    """The pictures with the mark on a share of some of them, and on which."""
    rows = own.nonzero().flatten()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    has = torch.zeros(len(x), dtype=torch.bool)
    has[rows[order[: round(SHARE * len(rows))]]] = True
    x, (top, left) = x.clone(), CORNER
    x[has, :, top : top + 5, left : left + 5] = MARK
    return x, has


def trained(x: Tensor, y: Tensor, classes: int, steps: int, seed: int) -> nn.Module:
    """Three convolutions that learned the pictures and their mirror images, marks where they are."""
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(96 * 16, classes),
    )  # fmt: skip

    def batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(x), (64,), generator=rng)
        return x[rows] * 2 - 1, y[rows]

    net = fit(initialised(net, seed=seed), batch, seed=seed, steps=steps, rate=1e-3)
    return nn.Sequential(Scaled(), *net).eval()


class Scaled(nn.Module):
    """From [0, 1] to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 - 1


def told(net: nn.Module, x: Tensor, y: Tensor, has: Tensor) -> str:
    with torch.no_grad():
        right = torch.cat([net(part).argmax(1) for part in torch.split(x, 256)]) == y
    marked = f", with the mark {right[has].double().mean():.0%}" if bool(has.any()) else ""
    return f"without the mark {right[~has].double().mean():.0%}{marked}"


def audited(net: nn.Module, x: Tensor, y: Tensor, has: Tensor, names: list[str]) -> None:
    """Audit, test the first clusters, and mend the first."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        a = pl.audit(pl.load(net, labels=names), x, Path(folder) / "s", labels=[names[label] for label in y], executor="serial")
        print(f"audit: {time.perf_counter() - began:.0f} s, {len(a.clusters)} clusters")
        for one in a.clusters[:TESTED]:
            inside = sum(bool(has[int(key)]) for key in one["members"])
            said = f"{one['class']}, {one['space']}, {one['size']} pictures, {inside} of {int(has.sum())} with the mark"
            print(f"{one['id']}: {said}; suspicion {one['suspicion']:.2f}: {a.confirm(one['id']).sentence()}", flush=True)
        print(f"0: {a.mend(0).sentence()}")


if __name__ == "__main__":
    main()
