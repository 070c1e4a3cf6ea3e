"""A generator prior in colour: a small network and a prior learned from small photographs, then pictures of ten classes.

    python examples/cifar_prior.py cifar10_subset.zip --minutes 5 --out /tmp/cifar

The archive holds pictures of 32 x 32 pixels as train/CLASS/*.jpg and test/CLASS/*.jpg. Four tenths of the time go to two
networks, one to look into and one, of another make, that judges; the rest to the prior. The searches come after that. What is
printed is what came out. Network and prior are left as files, for `pellucid maximize`.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import pellucid as pl
from pellucid.synth.recipes.dgn_am import DgnAm
from pellucid.synth.recipes.ppgn import Ppgn

PER_CLASS = 8


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("archive", type=Path)
    asked.add_argument("--minutes", type=float, default=5.0)
    asked.add_argument("--width", type=int, default=16)
    asked.add_argument("--out", type=Path, default=Path("cifar_prior"))
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    (x, y), (test, truth), labels = read(given.archive)
    print(f"{len(x)} pictures to learn from, {len(test)} to test with: {', '.join(labels)}")
    net = taught(looking(), x, y, 60 * given.minutes * 0.2, seed=1)
    judge = taught(judging(), x, y, 60 * given.minutes * 0.2, seed=2)
    save_file(net.state_dict(), given.out / "net.safetensors")
    print(f"named right: {right(net, test, truth):.1%} by the network, {right(judge, test, truth):.1%} by the judge")
    model = pl.load(net, labels=labels)
    prior = pl.synth.GeneratorPrior.fit(
        model, x, "maps", minutes=given.minutes * 0.6, width=given.width, bounds=(0, 1), out=given.out / "prior.safetensors"
    )
    print(f"{prior.provenance['steps']} steps. {prior.caption}")
    show(model, judge, prior, test, truth, given.out)


def show(model: pl.Model, judge: nn.Module, prior: pl.synth.GeneratorPrior, test: Tensor, truth: Tensor, out: Path) -> None:
    """Contact sheets, a row per class, and how the pictures are read by the judge."""
    wanted = torch.arange(10).repeat_interleave(PER_CLASS)
    real = torch.cat([test[truth == one][:PER_CLASS] for one in range(10)])
    report("real", judge, real, wanted)
    sheet(real, out / "real.png")
    with torch.no_grad():
        again = prior(prior.encoder(model, real[:1]).codes(real))
    report("through the prior", judge, again, wanted)
    sheet(again, out / "reconstructed.png")
    for recipe in (DgnAm(prior, rate=0.01, start="real", width=1.0), Ppgn(prior, e2=0.1)):  # gentler than suits digits
        p = pl.maximize(model, list(range(10)), recipe, seeds=PER_CLASS, shape=(3, 32, 32), bounds=(0, 1))
        report(recipe.name, judge, p.images, wanted)
        sheet(p.images, out / f"{recipe.name}.png")


def report(name: str, judge: nn.Module, images: Tensor, wanted: Tensor) -> None:
    spread = torch.stack([torch.pdist(images[wanted == one].flatten(1)).mean() for one in range(10)]).mean()
    print(f"{name}: {right(judge, images, wanted):.0%} as intended by the judge, diversity {spread:.2f}")


def sheet(images: Tensor, path: Path) -> None:
    """One row per class."""
    rows = (images * 255).byte().reshape(10, PER_CLASS, 3, 32, 32).permute(0, 3, 1, 4, 2).reshape(320, 32 * PER_CLASS, 3)
    Image.fromarray(rows.numpy()).resize((64 * PER_CLASS, 640), Image.Resampling.NEAREST).save(path)


def read(archive: Path) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], list[str]]:
    """Pictures and classes to learn from and to test with, and what the classes are called."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".jpg"))
        labels = sorted({name.split("/")[1] for name in names})
        pixels = [np.array(Image.open(io.BytesIO(file.read(name))).convert("RGB")) for name in names]
    x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    y = torch.tensor([labels.index(name.split("/")[1]) for name in names])
    train = torch.tensor([name.startswith("train/") for name in names])
    return (x[train], y[train]), (x[~train], y[~train]), labels


def looking() -> nn.Module:
    """Three stages of convolutions, to 96 maps of 4 x 4, which are the codes; two dense layers from there to the classes."""
    sizes = (3, 24, 48, 96)
    stages = [(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)) for a, b in pairwise(sizes)]
    maps = nn.Sequential(*(part for stage in stages for part in stage))
    classes = nn.Sequential(nn.Flatten(), nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(OrderedDict(maps=maps, classes=classes))


def judging() -> nn.Module:
    """Wider kernels, smooth units, means over places."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, 2, padding=2), nn.BatchNorm2d(32), nn.GELU(), nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64),
        nn.GELU(), nn.Conv2d(64, 96, 3, 2, padding=1), nn.BatchNorm2d(96), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(96, 10),
    )  # fmt: skip


def taught(net: nn.Module, x: Tensor, y: Tensor, seconds: float, seed: int) -> nn.Module:
    """The network after so many seconds of training, pictures mirrored at random."""
    torch.manual_seed(seed)
    adam, ends = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3), time.perf_counter() + seconds
    while (left := ends - time.perf_counter()) > 0:
        adam.param_groups[0]["lr"] = 2e-3 * max(0.02, left / seconds)
        part = torch.randint(len(x), (128,))
        batch = x[part].flip(3) if torch.rand(()) < 0.5 else x[part]
        adam.zero_grad()
        nn.functional.cross_entropy(net(batch), y[part]).backward()
        adam.step()
    net.zero_grad(set_to_none=True)
    return net.eval()


@torch.no_grad()
def right(net: nn.Module, x: Tensor, y: Tensor) -> float:
    return float(torch.cat([net(part).argmax(1) for part in x.split(250)]).eq(y).double().mean())


if __name__ == "__main__":
    main()
