"""What the self-check costs: the first explanation of a network, later ones, and those without, in units of one forward pass.

    python bench/self_check.py [--models vgg16 ...] [--methods gradient lrp occlusion] [--rounds 7] [--side 224]

A forward pass, an explanation without the check, a first one of a copy of the network and a second one of the same copy take
turns; each time is divided by that of the forward pass of the same round, and the median over the rounds counts.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import machine
import nets
import torch
from torch import Tensor, nn

import pellucid as pl

MODELS = {
    "vgg16": "torchvision:vgg16", "resnet50": "torchvision:resnet50", "efficientnet_lite0": "zoo:efficientnet_lite0",
    "vit_small": "timm:vit_small_patch16_224",
}  # fmt: skip
METHODS = ("gradient", "lrp")


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def rounds(net: nn.Module, x: Tensor, method: str, count: int) -> list[float]:
    """The median over some rounds, in forward passes: without the check, the first explanation, a later one."""
    shares: list[list[float]] = [[], [], []]
    pl.explain(net, x, method=method, verify=False)  # warm
    for _ in range(count):
        twin = copy.deepcopy(net)
        with torch.no_grad():
            unit = min(seconds(lambda: net(x)) for _ in range(2))
        for place, verify in enumerate((False, True, True)):
            shares[place].append(seconds(partial(pl.explain, twin, x, method=method, verify=verify)) / unit)
    return [median(column) for column in shares]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--side", type=int, default=224)
    options = parser.parse_args()
    print(f"{machine.versions()} {machine.processor()}; {options.rounds} rounds")
    print(f"{'network':20}{'method':12}{'without':>9}{'first':>9}{'later':>9}   the check, in forward passes")
    for name in options.models:
        case = nets.case(MODELS[name], side=options.side)
        for method in options.methods:
            without, first, later = rounds(case.net, case.x, method, options.rounds)
            extra = f"{first - without:+.2f} once, {later - without:+.2f} later"
            print(f"{name:20}{method:12}{without:9.2f}{first:9.2f}{later:9.2f}   {extra}", flush=True)


if __name__ == "__main__":
    main()
