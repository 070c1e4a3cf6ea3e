"""Activation maximization beside lucent's and horama's loops: pictures per second, in one process and one run.

    python bench/synthesis.py [--side 128] [--steps 24] [--rounds 5] [--batch 32] [--out FILE]

One channel of a middle layer of ResNet18 (layer2), alone and as one of a batch of channels. What is timed is whole steps: the
canvas, the random changes of the picture, forward, backward, and the optimizer; what a library does once is left out by taking
the difference between runs of different lengths. Contestants take turns, and the median of the ratios of a round counts.

lucent and horama draw one picture at a time; a batch is compared with that. Peers:

    pip install --no-deps torch-lucent horama kornia kornia-rs decorator einops tqdm

Both import what newer releases of other packages moved or what is missing here; that is put right below, in this process only.
lucent runs with its own transformations on pictures of the size the network sees, horama with two crops.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import machine
import nets
import torch
from torch import Tensor, nn

import pellucid as pl

LAYER, UNIT = "layer2", 17
Optimize = Callable[[int], Any]
"""Draws with so many steps."""


def network() -> nn.Module:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    return resnet18().eval()


def ours(net: nn.Module, side: int, units: int, precision: str = "float32") -> Optimize:
    model = pl.load(net, preprocess=pl.Preprocess((side, side), mean=nets.IMAGENET["mean"], std=nets.IMAGENET["std"]))
    targets = [pl.channel(LAYER, unit) for unit in range(UNIT, UNIT + units)]
    return lambda steps: pl.maximize(model, targets, "lucid", steps=steps, precision=precision)


def lucent(net: nn.Module, side: int) -> Optimize:
    """lucent's render_vis: Fourier canvas, its standard transformations."""
    import kornia
    import kornia.geometry.transform as moved

    for name in ("get_rotation_matrix2d", "warp_affine"):
        if not hasattr(kornia, name):
            setattr(kornia, name, getattr(moved, name))
    sys.modules.setdefault("IPython", types.ModuleType("IPython"))
    sys.modules.setdefault("IPython.display", types.ModuleType("IPython.display"))
    for name in ("display", "Image", "HTML"):
        setattr(sys.modules["IPython.display"], name, print)
    sys.modules["IPython"].display = sys.modules["IPython.display"]  # type: ignore[attr-defined]
    from lucent.optvis import param, render

    options = {"progress": False, "show_image": False, "verbose": False, "fixed_image_size": side}
    return lambda steps: render.render_vis(
        net, f"{LAYER}:{UNIT}", lambda: param.image(side, fft=True, decorrelate=True), thresholds=(steps,), **options
    )


def horama(net: nn.Module, side: int) -> Optimize:
    """horama's fourier, two crops of the size the network sees."""
    import horama
    import horama.common
    import horama.fourier_fv

    horama.fourier_fv.tqdm = lambda it: it
    horama.common.roi_align = _cropped  # torchvision's compiled one is missing beside a CPU build
    found: list[Tensor] = []
    net.get_submodule(LAYER).register_forward_hook(lambda module, args, out: found.append(out))

    def objective(pictures: Tensor) -> Tensor:
        found.clear()
        net(pictures)
        return found[0][:, UNIT].mean()

    return lambda steps: horama.fourier(
        objective, total_steps=steps, image_size=side, model_input_size=side, crops_per_iteration=2, device="cpu"
    )


def _cropped(x: Tensor, boxes: Tensor, output_size: tuple[int, int]) -> Tensor:
    """Boxes (number, left, top, right, bottom) of one picture, resampled."""
    height, width = x.shape[-2:]
    rows, columns = ((torch.arange(n) + 0.5) / n for n in output_size)
    left, top, right, bottom = boxes[:, 1:].unbind(1)
    across = (left[:, None] + columns * (right - left)[:, None]) / width * 2 - 1
    down = (top[:, None] + rows * (bottom - top)[:, None]) / height * 2 - 1
    shape = (len(boxes), len(rows), len(columns))
    grid = torch.stack([across[:, None, :].expand(shape), down[:, :, None].expand(shape)], -1)
    return nn.functional.grid_sample(x.expand(len(boxes), -1, -1, -1), grid, align_corners=False)


def step_seconds(optimize: Optimize, steps: int) -> float:
    """Seconds per step: what a long run takes more than a short one."""
    times = []
    for count in (4, 4 + steps):
        begin = time.perf_counter()
        optimize(count)
        times.append(time.perf_counter() - begin)
    return (times[1] - times[0]) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--bfloat16", action="store_true", help="for processors that compute in it; on others it is far slower")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    nets.declare_torchvision()
    machine.keep_freed_memory()
    torch.set_num_threads(options.threads)
    before, side, batch = machine.load(), options.side, options.batch
    contestants: dict[str, tuple[Optimize, int]] = {
        "pellucid, one": (ours(network(), side, 1), 1),
        f"pellucid, {batch} at once": (ours(network(), side, batch), batch),
        "lucent": (lucent(network(), side), 1),
        "horama": (horama(network(), side), 1),
    }
    if options.bfloat16:
        contestants[f"pellucid, {batch} at once, bfloat16"] = (ours(network(), side, batch, "bfloat16"), batch)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(options.rounds):
        for name, (optimize, pictures) in contestants.items():
            seconds[name].append(
                step_seconds(optimize, max(4, options.steps // pictures if pictures > 1 else options.steps)) / pictures
            )
            print(f"round {number + 1}, {name}: {1000 * seconds[name][-1]:.1f} ms per picture and step", flush=True)
    lines = [
        "# Activation maximization beside other libraries", "", "Made by `python bench/synthesis.py`.",
        f"One channel of ResNet18's {LAYER}, {side} px. {machine.versions()}. {machine.today()}. {machine.processor()}, threads: "
        f"{options.threads}. Load average {before} before, {machine.load()} after.", "",
        "| | ms per picture and step | times as fast as lucent | as horama |", "|---|--:|--:|--:|",
    ]  # fmt: skip
    for name, found in seconds.items():
        gains = [median(b / a for a, b in zip(found, seconds[peer], strict=True)) for peer in ("lucent", "horama")]
        lines.append(f"| {name} | {1000 * median(found):.1f} | {gains[0]:.2f} | {gains[1]:.2f} |")
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
