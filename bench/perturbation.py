"""Perturbation methods beside captum's: occlusion by the clock, Shapley values by forward passes, in one process and one run.

    python bench/perturbation.py [--models vgg16 resnet50 ...] [--window 16] [--stride 8] [--rounds 1] [--quick] [--out FILE]

`make .venv/.bench` installs what it needs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import machine
import nets
import occlusion
import shapley
import torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", choices=occlusion.MODELS, default=list(occlusion.MODELS))
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1, help="how often each contestant is timed")
    parser.add_argument("--batches", type=int, nargs="+", default=occlusion.BATCHES, help="captum's perturbations_per_eval")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="small games, one small network: to see that it works")
    parser.add_argument("--no-whole", action="store_true", help="only the plan beside captum, not whole passes of our own")
    parser.add_argument("--no-shapley", action="store_true", help="occlusion only")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    nets.declare_torchvision()
    machine.keep_freed_memory()
    torch.set_num_threads(options.threads)
    before = machine.load()
    models, stride = (["efficientnet_lite0"], 32) if options.quick else (options.models, options.stride)
    page = [
        "## Occlusion",
        "",
        *occlusion.section(models, options.window, stride, options.rounds, options.batches, not options.no_whole),
    ]
    if not options.no_shapley:
        page += ["## Shapley values", "", *shapley.section(options.quick)]
    head = [
        "# Perturbation methods beside captum's", "", "Made by `python bench/perturbation.py`.",
        f"{machine.versions()}. {machine.today()}. {machine.processor()}, threads: {options.threads}. "
        f"Load average {before} before, {machine.load()} after.", "",
    ]  # fmt: skip
    print(*head, *page, sep="\n")
    if options.out:
        options.out.write_text("\n".join([*head, *page]), encoding="utf-8")


if __name__ == "__main__":
    main()
