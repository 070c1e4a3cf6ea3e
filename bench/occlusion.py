"""Occlusion beside captum's, in one process and one run: how many times as fast, and how far the maps are apart.

captum is asked at several `perturbations_per_eval`, and its best counts. Both cover the windows of one input of the size of a
photograph with zeros.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from statistics import median

import nets
from torch import Tensor

import pellucid as pl

MODELS = {"vgg16": "torchvision:vgg16", "resnet50": "torchvision:resnet50", "efficientnet_lite0": "zoo:efficientnet_lite0"}
BATCHES = (1, 4, 16)


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


def compared(name: str, window: int, stride: int, rounds: int, batches: Sequence[int] = BATCHES, whole: bool = True) -> str:
    case = nets.case(MODELS[name], side=224, batch=1, device="cpu")
    contestants: dict[str, Callable[[], Tensor]] = {
        "plan": partial(ours, case, window, stride, "auto"),
        **({"whole": partial(ours, case, window, stride, "off")} if whole else {}),
        **{f"captum {batch}": partial(captum, case, window, stride, batch) for batch in batches},
    }
    seconds: dict[str, list[float]] = {key: [] for key in contestants}
    maps: dict[str, Tensor] = {}
    for _ in range(rounds):
        for key, call in contestants.items():
            taken, maps[key] = stopwatch(call)
            seconds[key].append(taken)
            print(f"{name} {key}: {taken:.1f} s", flush=True)
    best = min((f"captum {batch}" for batch in batches), key=lambda key: median(seconds[key]))
    told = [f"| {name} | {median(seconds[best]):.1f} s ({best.split()[1]} at once)"]
    for key in ("plan", "whole"):
        if key not in seconds:
            told.append(" | " * 2)
            continue
        gain = median(a / b for a, b in zip(seconds[best], seconds[key], strict=True))
        apart = float((maps[key] - maps[best]).abs().max())
        told.append(f"{median(seconds[key]):.1f} s | {gain:.2f} | {apart / float(maps[best].abs().max()):.1e} ({apart:.0e})")
    return " | ".join(told) + " |"


def section(
    models: Sequence[str], window: int, stride: int, rounds: int, batches: Sequence[int] = BATCHES, whole: bool = True
) -> list[str]:
    """The table, as lines of a page."""
    return [
        f"Windows of {window}, stride {stride}, zeros; captum at its best of {', '.join(map(str, batches))} at once. "
        "Gains are in times as fast as captum: with the plan that recomputes only what a window reaches, and with whole passes.",
        "",
        "Maps apart: the largest difference over the largest value (and as it is).", "",
        "| network | captum | plan | gain | maps apart | whole passes | gain | maps apart |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *[compared(name, window, stride, rounds, batches, whole) for name in models], "",
    ]  # fmt: skip
