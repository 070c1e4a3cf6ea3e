"""Freeze zennit-crp's conditional relevance: run once, by hand, where torch, torchvision, zennit and zennit-crp are installed.

    python tests/golden/make_crp.py

Writes crp.npz beside this file: `COMPOSITE/CASE` maps (condition, channel, height, width) of one picture, `checksum` of the
parameters, and `versions`. The net is canonised on zennit's side, and built anew for each. zennit-crp sums its maps over colours;
here they are kept, through the method that it has for that.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import nets
import numpy as np
import torch
from torch import Tensor

nets.declare_torchvision()  # before zennit, which imports torchvision

from crp.attribution import CondAttribution  # noqa: E402
from zennit import composites  # noqa: E402
from zennit.torchvision import VGGCanonizer  # noqa: E402


class WithColours(CondAttribution):  # type: ignore[misc]
    """Maps as zennit made them."""

    def heatmap_modifier(self, data: Tensor, on_device: Any = None) -> Tensor:
        assert data.grad is not None
        return data.grad.detach().clone()


def main() -> None:
    torch.set_num_threads(1)
    arrays = {"versions": np.array([f"{name} {version(name)}" for name in ("zennit-crp", "zennit", "torch", "torchvision")])}
    for composite in nets.CONDITIONED:
        for case, conditions in nets.CONDITIONS.items():
            arrays[f"{composite}/{case}"] = maps(composite, conditions).float().numpy()
        print(composite, {case: float(np.abs(arrays[f"{composite}/{case}"]).max()) for case in nets.CONDITIONS})
    arrays["checksum"] = np.array(nets.checksum(nets.build("small_vgg_bn")))
    np.savez_compressed(Path(__file__).with_name("crp.npz"), **arrays)


def maps(composite: str, conditions: list[dict[str, list[int]]]) -> Tensor:
    """zennit-crp's map for each of the conditions, for the first picture and its class."""
    box = {"low": torch.tensor(nets.LOW), "high": torch.tensor(nets.HIGH)} if composite == "EpsilonGammaBox" else {}
    rules = getattr(composites, composite)(canonizers=[VGGCanonizer()], **box)
    x = nets.pictures()[:1].requires_grad_(True)
    asked = [{"y": [nets.TARGETS[0]], **condition} for condition in conditions]
    found = WithColours(nets.build("small_vgg_bn"))(x, asked, rules)
    return found.heatmap


if __name__ == "__main__":
    main()
