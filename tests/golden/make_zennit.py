"""Freeze zennit's maps of the six relevance composites: run once, by hand, where torch, torchvision and zennit are installed.

    python tests/golden/make_zennit.py

Writes zennit.npz beside this file: `NET/COMPOSITE` relevance of the two pictures in float64, `NET/output` the logits that
seed it, `NET/checksum` of the parameters, and `versions`. Each net is canonised on zennit's side (batch norms merged, residual
sums made modules) and built anew for each composite, since zennit leaves other parameters behind. All stabilisers are 1e-6.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import nets
import numpy as np
import torch
from torch import Tensor, nn

nets.declare_torchvision()  # before zennit, which imports torchvision

from zennit import composites  # noqa: E402
from zennit.torchvision import ResNetCanonizer, VGGCanonizer  # noqa: E402


def main() -> None:
    torch.set_num_threads(1)
    arrays = {"versions": np.array([f"{name} {version(name)}" for name in ("zennit", "torch", "torchvision")])}
    for name in nets.NETS:
        arrays[f"{name}/checksum"] = np.array(nets.checksum(nets.build(name)))
        for composite in nets.COMPOSITES:
            output, R = relevance(nets.build(name), composite, VGGCanonizer if name.startswith("vgg") else ResNetCanonizer)
            arrays[f"{name}/output"], arrays[f"{name}/{composite}"] = output.numpy(), R.numpy()
            print(name, composite, (R.flatten(1).sum(1) / output).tolist())
    np.savez_compressed(Path(__file__).with_name("zennit.npz"), **arrays)


def relevance(net: nn.Module, composite: str, canonizer: type) -> tuple[Tensor, Tensor]:
    """The target's value per picture, and zennit's relevance seeded with it."""
    box = {"low": torch.tensor(nets.LOW), "high": torch.tensor(nets.HIGH)} if composite == "EpsilonGammaBox" else {}
    x = nets.pictures().requires_grad_(True)
    picked = (torch.arange(len(x)), torch.tensor(nets.TARGETS))
    with getattr(composites, composite)(canonizers=[canonizer()], **box).context(net) as hooked:
        logits = hooked(x)
        seed = torch.zeros_like(logits).index_put(picked, logits.detach()[picked])
        (R,) = torch.autograd.grad(logits, x, seed)
    return logits.detach()[picked], R


if __name__ == "__main__":
    main()
