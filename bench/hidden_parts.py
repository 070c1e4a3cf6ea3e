"""Does a map mark what is seen, or what hides it? An experiment in which the truth is known.

    python bench/hidden_parts.py [--seeds 0 1 2] [--methods NAME ...]

Pictures of 24 x 24 pixels show four parts of a class, each a binary template of 8 x 8 pixels, or an occluder in its place: black
("zero"), grey or noise. Occluders say nothing of the class, yet taking them away would raise its score: a map that follows what
would change the score marks them. A small network learns the four classes with parts hidden at random; it is then asked about
pictures with one visible part, those that it names right. Per kind of occluder:

    WIN       how often a hidden part has more relevance per pixel, in magnitude, than the visible one (want 0)
    HIT       how often the pixel of greatest magnitude lies in the visible part (want 1)
    NETSHARE  the share of the hidden parts in the relevance, signs cancelling within each: |hidden| / (|hidden| + |visible|)
              (want 0; 0.75 is their share of the area)

References: Samek et al., 2017, Evaluating the visualization of what a deep neural network has learned (the argument),
    https://doi.org/10.1109/TNNLS.2016.2599820
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from candidates import CANDIDATES, method
from torch import Generator, Tensor, nn

import pellucid as pl

CLASSES, SLOTS, SIDE, SIZE = 4, 4, 8, 24
CORNERS = ((2, 2), (2, 14), (14, 2), (14, 14))
KINDS = ("zero", "grey", "noise")
BASELINES = ("gradient", "sensitivity", "gradient_x_input")
Numbers = tuple[float, float, float]


@dataclass(frozen=True)
class Scenes:
    """Pictures with hidden parts.

    Arguments:
        x: The pictures, with shape (picture, 1, SIZE, SIZE), values in [0, 1].
        classes: What they show.
        visible, hidden: Masks of the parts that are seen and of those that are not, with shape (picture, SIZE, SIZE).
    """

    x: Tensor
    classes: Tensor
    visible: Tensor
    hidden: Tensor

    def where(self, chosen: Tensor) -> Scenes:
        return Scenes(self.x[chosen], self.classes[chosen], self.visible[chosen], self.hidden[chosen])


def draw(templates: Tensor, n: int, rng: Generator, *, kind: str | None = None, parts: int | None = None) -> Scenes:
    """`n` scenes with `parts` visible parts and occluders of one kind; None: drawn anew for each picture and each occluder."""
    classes = torch.randint(CLASSES, (n,), generator=rng)
    shown = torch.randint(1, SLOTS + 1, (n, 1), generator=rng) if parts is None else torch.full((n, 1), parts)
    seen = torch.rand(n, SLOTS, generator=rng).argsort(1) < shown
    fills = occluders(n, rng, kind)
    slots = torch.where(seen[:, :, None, None], templates[classes], fills)
    x = place(0.1 * torch.rand(n, SIZE, SIZE, generator=rng), slots)
    blank, block = torch.zeros(n, SIZE, SIZE), torch.ones(n, SLOTS, SIDE, SIDE)
    visible = place(blank, block * seen[:, :, None, None])
    hidden = place(blank, block * ~seen[:, :, None, None])
    return Scenes(x[:, None], classes, visible, hidden)


def occluders(n: int, rng: Generator, kind: str | None) -> Tensor:
    """What stands in front of each part, with shape (picture, SLOTS, SIDE, SIDE)."""
    shape = (n, SLOTS, SIDE, SIDE)
    fills = torch.stack([torch.zeros(shape), torch.full(shape, 0.5), torch.rand(shape, generator=rng)])
    drawn = torch.randint(len(KINDS), (n, SLOTS), generator=rng) if kind is None else torch.full((n, SLOTS), KINDS.index(kind))
    return fills.gather(0, drawn[None, :, :, None, None].expand(1, *shape))[0]


def place(canvas: Tensor, slots: Tensor) -> Tensor:
    """The canvas with the blocks at their corners."""
    canvas = canvas.clone()
    for slot, (row, column) in enumerate(CORNERS):
        canvas[:, row : row + SIDE, column : column + SIDE] = slots[:, slot]
    return canvas


def trained(templates: Tensor, rng: Generator, *, steps: int = 700) -> nn.Module:
    """A network that names the class whichever parts are hidden."""
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 36, 64), nn.ReLU(), nn.Linear(64, CLASSES)),
    )
    adam = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=1e-4)
    for _ in range(steps):
        scenes = draw(templates, 64, rng)
        adam.zero_grad()
        F.cross_entropy(net(scenes.x), scenes.classes).backward()
        adam.step()
    return net.eval().requires_grad_(False)


def numbers(heat: Tensor, scenes: Scenes) -> Numbers:
    """WIN, HIT and NETSHARE of heat (picture, SIZE, SIZE)."""
    size = heat.abs()
    seen, unseen = density(size, scenes.visible), density(size, scenes.hidden)
    top = size.flatten(1).argmax(1, keepdim=True)
    hit = scenes.visible.flatten(1).gather(1, top)
    net_seen, net_unseen = (heat * scenes.visible).sum((1, 2)).abs(), (heat * scenes.hidden).sum((1, 2)).abs()
    share = net_unseen / (net_unseen + net_seen + 1e-12)
    return float((unseen > seen).float().mean()), float(hit.mean()), float(share.mean())


def density(size: Tensor, mask: Tensor) -> Tensor:
    """The mean over the pixels of a mask."""
    return (size * mask).sum((1, 2)) / mask.sum((1, 2))


def experiment(seed: int, names: list[str]) -> dict[tuple[str, str], Numbers]:
    """One network and one set of templates: (method, kind of occluder) -> numbers."""
    torch.manual_seed(seed)  # the network's first weights
    rng = Generator().manual_seed(seed)
    templates = (torch.rand(CLASSES, SLOTS, SIDE, SIDE, generator=rng) > 0.5).float()
    model = pl.load(trained(templates, rng))
    found = {}
    for kind in KINDS:
        scenes = draw(templates, 256, rng, kind=kind, parts=1)
        right = model(scenes.x).argmax(1) == scenes.classes
        print(f"seed {seed}, {kind}: {float(right.float().mean()):.2f} named right", flush=True)
        scenes = scenes.where(right)
        for name in names:
            e = pl.explain(model, scenes.x, scenes.classes.tolist(), method(name))
            found[name, kind] = numbers(e.values[:, 0], scenes)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--methods", nargs="*", help="candidates, or names of the catalogue; default: all candidates and baselines"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = options.methods or [*BASELINES, *CANDIDATES]
    runs = [experiment(seed, names) for seed in options.seeds]
    print(f"\n{'WIN HIT NETSHARE, mean over the seeds':<66}" + "".join(f"{kind:>18}" for kind in KINDS))
    for name in names:
        print(f"{name:<66}" + "".join(f"{cell(runs, name, kind):>18}" for kind in KINDS))


def cell(runs: list[dict[tuple[str, str], Numbers]], name: str, kind: str) -> str:
    means = torch.tensor([run[name, kind] for run in runs]).mean(0).tolist()
    return " ".join(f"{mean:.2f}" for mean in means)


if __name__ == "__main__":
    main()
