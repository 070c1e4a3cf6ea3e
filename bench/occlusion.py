"""Occlusion beside captum's, in one process and one run: how many times as fast, and how far the maps are apart.

    python bench/occlusion.py [--models vgg16 resnet50 efficientnet_lite0] [--window 16] [--stride 8] [--rounds 3]

captum is asked at several `perturbations_per_eval`, and its best counts. Both cover the windows of one input of the size of a
photograph with zeros.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

import machine
import nets
import torch
from torch import Tensor

import pellucid as pl

MODELS = {"vgg16": "torchvision:vgg16", "resnet50": "torchvision:resnet50", "efficientnet_lite0": "zoo:efficientnet_lite0"}
BATCHES = (1, 4, 16)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks-occlusion.md"


def stopwatch(call: Callable[[], Tensor]) -> tuple[float, Tensor]:
    begin = time.perf_counter()
    made = call()
    return time.perf_counter() - begin, made


def ours(case: nets.Case, window: int, stride: int, accelerate: str) -> Tensor:
    method = replace(pl.perturb.occlusion(window, stride, imputer=0.0), accelerate=accelerate)
    return pl.explain(pl.load(case.net, preprocess=case.preprocess), case.x, case.classes.tolist(), method).values


def captum(case: nets.Case, window: int, stride: int, batch: int) -> Tensor:
    """captum's map: the mean over the windows that cover an entry."""
    occlusion = import_module("captum.attr").Occlusion(case.net)
    settings = {"sliding_window_shapes": (3, window, window), "strides": (3, stride, stride)}
    found: Tensor = occlusion.attribute(
        case.x, target=case.classes, baselines=0.0, perturbations_per_eval=batch, **settings
    ).detach()
    return found


def compared(name: str, window: int, stride: int, rounds: int) -> str:
    case = nets.case(MODELS[name], side=224, batch=1, device="cpu")
    contestants: dict[str, Callable[[], Tensor]] = {
        "plan": partial(ours, case, window, stride, "auto"),
        "whole": partial(ours, case, window, stride, "off"),
        **{f"captum {batch}": partial(captum, case, window, stride, batch) for batch in BATCHES},
    }
    seconds: dict[str, list[float]] = {key: [] for key in contestants}
    maps: dict[str, Tensor] = {}
    for _ in range(rounds):
        for key, call in contestants.items():
            taken, maps[key] = stopwatch(call)
            seconds[key].append(taken)
            print(f"{name} {key}: {taken:.1f} s", flush=True)
    best = min((f"captum {batch}" for batch in BATCHES), key=lambda key: median(seconds[key]))
    gains = [median(a / b for a, b in zip(seconds[best], seconds[key], strict=True)) for key in ("plan", "whole")]
    apart = [float((maps[key] - maps[best]).abs().max() / maps[best].abs().max()) for key in ("plan", "whole")]
    return (
        f"| {name} | {median(seconds['plan']):.1f} s | {median(seconds['whole']):.1f} s | {median(seconds[best]):.1f} s "
        f"({best.split()[1]} at once) | {gains[0]:.2f} | {gains[1]:.2f} | {apart[0]:.1e} | {apart[1]:.1e} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    nets.declare_torchvision()
    machine.keep_freed_memory()
    torch.set_num_threads(options.threads)
    before = machine.load()
    rows = [compared(name, options.window, options.stride, options.rounds) for name in options.models]
    made = (
        f"{machine.versions()}. {machine.today()}. {machine.processor()}, threads: {options.threads}. "
        f"Load average {before} before, {machine.load()} after."
    )
    page = [
        "# Occlusion beside captum's", "",
        f"Made by `python bench/occlusion.py`. Windows of {options.window}, stride {options.stride}, zeros; captum at its best "
        f"of {', '.join(map(str, BATCHES))} perturbations at once. Gains are in times as fast as captum.", "", made, "",
        "| network | plan | whole network | captum | gain, plan | gain, whole | map apart, plan | map apart, whole |",
        "|---|--:|--:|--:|--:|--:|--:|--:|", *rows, "",
    ]  # fmt: skip
    print("\n".join(page))
    if options.out:
        options.out.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
