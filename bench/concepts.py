"""Conditional relevance beside zennit-crp's, in one process and one run: what the maps of 16 channels of one layer take.

    python bench/concepts.py [--rounds 5] [--channels 16]

Both explain one input of the size of a photograph through the same channels, with the same rules, from one forward pass; batch
norms are merged on zennit's side. Rounds alternate between the two, and between the batches that zennit-crp may take (its best
counts). Prints a table: seconds, how many times as fast, and how far the maps are apart.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from statistics import median

import machine
import nets
import torch
from occlusion import stopwatch
from peers import _canonizers, _composite
from torch import Tensor

import pellucid as pl

# network -> the layer whose channels are asked for
LAYERS = {"torchvision:vgg16": "features.28", "torchvision:resnet18": "layer4.0.conv1"}
METHODS = {"EpsilonPlus": "lrp.epsilon_plus", "EpsilonGammaBox": "lrp.epsilon_gamma_box"}
BATCHES = (1, 4, 16)


def ours(case: nets.Case, at: str, method: str, channels: list[int]) -> Tensor:
    model = pl.load(case.net, preprocess=case.preprocess)
    only = [pl.channels(number) for number in channels]
    return pl.explain(model, case.x, case.classes.tolist(), method, at=at, only=only).values.sum(1)


def theirs(case: nets.Case, at: str, composite: str, channels: list[int], batch: int) -> Tensor:
    """zennit-crp's maps, by its method for many conditions on one input, which runs the network once."""
    net = copy.deepcopy(case.net)
    rules = _composite(composite, case, _canonizers(net))
    attribution = import_module("crp.attribution").CondAttribution(net)
    x = case.x.detach().clone().requires_grad_(True)
    conditions = [{"y": case.classes.tolist(), at: [number]} for number in channels]
    parts = attribution.generate(x, conditions, rules, batch_size=batch, verbose=False)
    return torch.cat([part.heatmap.detach().clone() for part in parts])


def compared(name: str, composite: str, count: int, rounds: int, batches: Sequence[int]) -> str:
    case, at = nets.case(name, side=224, batch=1, device="cpu"), LAYERS[name]
    channels = strongest(case, at, METHODS[composite], count)
    contestants: dict[str, Callable[[], Tensor]] = {
        "one map": partial(ours, case, at, METHODS[composite], channels[:1]),
        "ours": partial(ours, case, at, METHODS[composite], channels),
        **{f"zennit-crp {batch}": partial(theirs, case, at, composite, channels, batch) for batch in batches},
    }
    seconds: dict[str, list[float]] = {key: [] for key in contestants}
    maps: dict[str, Tensor] = {}
    for _ in range(rounds + 1):  # the first is to warm up
        for key, call in contestants.items():
            taken, maps[key] = stopwatch(call)
            seconds[key].append(taken)
            print(f"{name} {composite} {key}: {taken:.2f} s", flush=True)
    seconds = {key: taken[1:] for key, taken in seconds.items()}
    best = min((f"zennit-crp {batch}" for batch in batches), key=lambda key: median(seconds[key]))
    gain = median(a / b for a, b in zip(seconds[best], seconds["ours"], strict=True))
    each = median(a / b for a, b in zip(seconds["ours"], seconds["one map"], strict=True))
    apart = float((maps["ours"] - maps[best]).abs().amax((1, 2)).div(maps[best].abs().amax((1, 2))).max())
    told = [name.partition(":")[2], at, composite, f"{median(seconds[best]):.2f} s ({best.split()[1]} at once)"]
    told += [f"{median(seconds['ours']):.2f} s", f"{gain:.1f}", f"{each:.1f}", f"{apart:.1e}"]
    return f"| {' | '.join(told)} |"


def strongest(case: nets.Case, at: str, method: str, count: int) -> list[int]:
    """The channels through which most passes."""
    e = pl.explain(pl.load(case.net, preprocess=case.preprocess), case.x, case.classes.tolist(), method, at=at)
    return e.values[0].flatten(1).sum(1).abs().argsort(descending=True)[:count].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--networks", nargs="+", default=list(LAYERS))
    parser.add_argument("--composites", nargs="+", default=list(METHODS))
    asked = parser.parse_args()
    nets.declare_torchvision()
    machine.keep_freed_memory()
    how = asked.channels, asked.rounds, asked.batches
    rows = [compared(name, composite, *how) for name in asked.networks for composite in asked.composites]
    print(f"\n{asked.channels} channels, {machine.processor()}, {torch.get_num_threads()} threads, load {machine.load()}, "
          f"{machine.today()}, {machine.versions()}\n")  # fmt: skip
    print("| network | layer | rules | zennit-crp | pellucid | times as fast | in maps of one channel | maps apart |")
    print("|---|---|---|--:|--:|--:|--:|--:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
