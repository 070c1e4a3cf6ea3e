"""Freeze LXT's explicit AttnLRP and CP-LRP of seeded transformer blocks: run once, by hand, where lxt is installed.

    python tests/golden/make_lxt.py

Writes lxt.npz beside this file: `KIND/attention` and `KIND/cp`, relevance of the two sequences in float64; `KIND/output`, the
logits that seed it; `versions`. LXT adds its epsilon without a sign: here it is as good as nothing, 1e-20, everywhere.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import blocks
import numpy as np
import torch
from lxt.explicit import functional as lf, rules
from torch import Tensor

EPS = 1e-20


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return lf.linear_epsilon(x, weight, bias, EPS)


def conservative(weights: Tensor, values: Tensor) -> Tensor:
    """CP-LRP: the weights are constants."""
    fixed = weights.detach()
    return rules.epsilon_lrp(lambda v: fixed @ v, EPS, values)


def activation(f: object, x: Tensor) -> Tensor:
    return rules.identity(f, x)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return lf.layer_norm_grad_fn.apply(x, weight, bias, eps, EPS)


def mean(x: Tensor) -> Tensor:
    """Over positions; LXT's own squeezes wrongly without `keep_dim`."""
    return lf.mean(x, 1, True, EPS).squeeze(1)


def operations(cp: bool) -> blocks.Operations:
    return blocks.Operations(
        linear=linear,
        add=lambda a, b: lf.add2(a, b, False, EPS),
        multiply=lf.mul2,
        scale=lf.mul2,
        matmul=lambda a, b: lf.matmul(a, b, False, EPS),
        mix=conservative if cp else lambda a, b: lf.matmul(a, b, False, EPS),
        softmax=lambda scores: lf.softmax(scores, -1),
        activation=activation,
        layer_norm=layer_norm,
        rms_norm=rms_norm,
        mean=mean,
    )


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """LXT's own computes in float32; the rule is the identity."""
    return rules.identity(lambda t: weight * (t * torch.rsqrt(t.pow(2).mean(-1, keepdim=True) + eps)), x)


def relevance(kind: str, cp: bool) -> tuple[Tensor, Tensor]:
    net, x = blocks.build(kind, operations(cp)), blocks.sentences().requires_grad_(True)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    logits = net(x)
    picked = (torch.arange(len(x)), torch.tensor(blocks.TARGETS))
    seed = torch.zeros_like(logits).index_put(picked, logits.detach()[picked])
    (R,) = torch.autograd.grad(logits, x, seed)
    return logits.detach()[picked], R


def main() -> None:
    torch.set_num_threads(1)
    arrays = {"versions": np.array([f"{name} {version(name)}" for name in ("lxt", "torch")])}
    for kind in blocks.KINDS:
        for method in ("attention", "cp"):
            output, R = relevance(kind, method == "cp")
            arrays[f"{kind}/output"], arrays[f"{kind}/{method}"] = output.numpy(), R.numpy()
            print(kind, method, (R.flatten(1).sum(1) / output).tolist())
    np.savez_compressed(Path(__file__).with_name("lxt.npz"), **arrays)


if __name__ == "__main__":
    main()
