"""Metrics beside Quantus 0.6.0: region perturbation, infidelity, and eight metrics of one suite, in one process and one run.

    python -m venv VENV && echo .venv/lib/python3.11/site-packages > VENV/lib/python3.11/site-packages/ours.pth    # absolute path
    VENV/bin/pip install --no-deps quantus==0.6.0 pandas opencv-python-headless cachetools tqdm pytz
    VENV/bin/python bench/metrics.py [--patch 16] [--rounds 3] [--no-infidelity] [--out FILE]

Eight colour pictures of 224 x 224, a small network, values of no meaning without ties; the same for both. Numbers have to be
equal, and how far apart they are is printed beside the ratio of the times: seconds of the processor on one thread, so that what
else runs counts for little; medians over the rounds, both contestants in turn.

The suite is eight metrics that are reductions of a removal curve: AOPC, ABPC, selectivity, deletion, insertion, MRG, LRG and SRG,
with a random order for two of them. Quantus has no curve: it is asked once for every order that a metric needs, as its users do,
and the same reductions are taken of what it returns. Whoever knew which of these calls are the same could make three of twelve
do: the line below the table tells that ratio, too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import machine
import nets
import numpy as np
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.metrics import Answer, Every, Question, Scheme, Tiles, curves, question
from pellucid.metrics.faithfulness.quantus import raster
from pellucid.target import as_target

SETTINGS: dict[str, Any] = {"abs": False, "normalise": False, "disable_warnings": True, "perturb_baseline": 0.0}
STEPS = 100  # of region perturbation, as published
NEEDS = {  # the orders a metric needs, and what it makes of the probabilities
    "aopc": (("most",), lambda m: (m[:, :1] - m).mean(1)),
    "abpc": (("least", "most"), lambda le, m: (le - m).mean(1)),
    "selectivity": (("most",), lambda m: area(m)),
    "deletion": (("most",), lambda m: area(m)),
    "insertion": (("least",), lambda le: area(le.flip(1))),
    "mrg": (("random", "most"), lambda r, m: area(r) - area(m)),
    "lrg": (("least", "random"), lambda le, r: area(le) - area(r)),
    "srg": (("least", "most"), lambda le, m: area(le) - area(m)),
}


@dataclass(frozen=True, eq=False)
class Contest:
    """What both are asked about."""

    net: nn.Module
    x: Tensor
    classes: Tensor
    values: Tensor
    chance: Tensor
    patch: int
    quantus: Any

    @property
    def question(self) -> Question:
        """A fresh one, which remembers nothing."""
        return question(pl.load(self.net), self.x, as_target(self.classes.tolist()), floor=False, ceiling=False)

    def theirs(self, metric: Any, values: Tensor, *, softmax: bool) -> Tensor:
        found = metric(self.net, self.x.numpy(), self.classes.numpy(), values.numpy(), softmax=softmax)
        return torch.as_tensor(np.array(found))


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: float
    theirs: float
    apart: float

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours:.2f} | {self.theirs:.2f} | {self.theirs / self.ours:.1f} | {self.apart:.1e} |"


def area(y: Tensor) -> Tensor:
    """The mean height by trapezoids."""
    return torch.trapezoid(y, dim=1) / (y.shape[1] - 1)


def contest(patch: int) -> Contest:
    rng = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = (nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU())
        net = nn.Sequential(*first, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 10)).eval().requires_grad_(False)
    x, values, chance = (torch.randn(8, 3, 224, 224, generator=rng) for _ in range(3))
    return Contest(net, x, net(x).argmax(1), values, chance, patch, import_module("quantus"))


def timed(ours: Callable[[], Tensor], theirs: Callable[[], Tensor], rounds: int) -> tuple[float, float, float]:
    """Seconds of both, one after the other in every round, and how far apart they are as a share of the greatest number."""
    seconds: tuple[list[float], list[float]] = ([], [])
    found = [torch.empty(0), torch.empty(0)]
    for _ in range(rounds):
        for place, work in enumerate((ours, theirs)):
            began = time.process_time()
            found[place] = work()
            seconds[place].append(time.process_time() - began)
    mine, other = (one.double() for one in found)
    return median(seconds[0]), median(seconds[1]), float((mine - other).abs().max() / other.abs().max())


def region_perturbation(c: Contest, rounds: int) -> Row:
    """One hundred steps, the most relevant first."""
    scheme = Scheme(Tiles(c.patch), 0.0, Every(1, most=STEPS))
    peer = c.quantus.RegionPerturbation(patch_size=c.patch, order="morf", regions_evaluation=STEPS, **SETTINGS)

    def ours() -> Tensor:
        heights = _heights(c, scheme, "most", c.question)
        return heights[:, :1] - heights[:, 1:]

    return Row(f"region perturbation, {STEPS} steps", *timed(ours, lambda: c.theirs(peer, c.values, softmax=True), rounds))


def infidelity(c: Contest, rounds: int) -> Row:
    """Its own quantity: patches go one after the other in the order they lie, ten times the same."""
    scheme = Scheme(Tiles(c.patch), 0.0, Every(1))
    peer = c.quantus.Infidelity(perturb_patch_sizes=[c.patch], n_perturb_samples=10, **SETTINGS)
    asked = timed(
        lambda: raster(c.question, Answer(c.values), scheme).values, lambda: c.theirs(peer, c.values, softmax=False), rounds
    )
    return Row("infidelity, its defaults (10 draws)", *asked)


def suite(c: Contest, rounds: int) -> Row:
    """Eight metrics, to the last patch."""
    return Row("8 metrics of removal curves", *timed(lambda: _ours(c), lambda: _theirs(c), rounds))


def _ours(c: Contest) -> Tensor:
    """Every metric asks for its curves, from one question, which remembers what was asked."""
    scheme, asked = Scheme(Tiles(c.patch), 0.0, Every(1)), c.question
    return torch.stack([reduce(*(_heights(c, scheme, order, asked) for order in orders)) for orders, reduce in NEEDS.values()])


def _heights(c: Contest, scheme: Scheme, order: str, asked: Question) -> Tensor:
    answer = Answer(c.chance if order == "random" else c.values)
    return torch.stack(
        [one.read("probability") for one in curves(asked, answer, scheme, least=order == "least") if one is not None]
    )


def _theirs(c: Contest) -> Tensor:
    return torch.stack([reduce(*(_called(c, order) for order in orders)) for orders, reduce in NEEDS.values()])


def _called(c: Contest, order: str) -> Tensor:
    """The probabilities along one order, by one call; Quantus returns what was lost, and not what there was."""
    patches = (c.x.shape[-1] // c.patch) ** 2
    least = "lerf" if order == "least" else "morf"
    peer = c.quantus.RegionPerturbation(patch_size=c.patch, order=least, regions_evaluation=patches, **SETTINGS)
    lost = c.theirs(peer, c.chance if order == "random" else c.values, softmax=True)
    whole = c.net(c.x).softmax(1).gather(1, c.classes[:, None])
    return torch.cat([whole, whole - lost], 1).double()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch", type=int, default=16, help="side of a patch, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-infidelity", action="store_true", help="the slowest of them")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    nets.declare_torchvision()
    np.trapz, np.NaN = np.trapezoid, np.nan  # gone from NumPy 2.4, and used by Quantus
    torch.set_num_threads(1)
    before, c = machine.load(), contest(options.patch)
    orders = [order for needed, _ in NEEDS.values() for order in needed]
    rows = [region_perturbation(c, options.rounds)]
    rows += [] if options.no_infidelity else [infidelity(c, 1)]
    rows.append(suite(c, options.rounds))
    different = len(set(orders))
    spared = rows[-1].theirs * different / len(orders) / rows[-1].ours
    page = [
        "# Metrics beside Quantus 0.6.0", "",
        f"Made by `python bench/metrics.py`. {machine.versions()}. {machine.today()}. {machine.processor()}, one "
        f"thread. Load average {before} before, {machine.load()} after.", "",
        f"8 x 3 x 224 x 224, patches of {options.patch}.", "",
        "| what | processor seconds | Quantus | ratio | apart |", "|---|--:|--:|--:|--:|", *map(str, rows), "",
        f"The suite is {len(orders)} calls of Quantus for {different} different curves. Made once each, and reduced by hand, "
        f"they would still take {spared:.1f} times as long.",
    ]  # fmt: skip
    print(*page, sep="\n")
    if options.out:
        options.out.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
