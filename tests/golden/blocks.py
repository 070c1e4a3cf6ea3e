"""Transformer blocks whose operations can be swapped: the net that pellucid explains, and the same written in another library's.

Two kinds, two layers each: an encoder (post-norm or pre-norm, layer norms, GELU, biases everywhere, read as the mean over
positions) and a decoder (root-mean-square norms, rotary positions, grouped queries, SwiGLU, a causal mask, read at the end).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, LENGTH, CLASSES = 12, 3, 6, 5
TARGETS = (1, 3)  # one per sample


@dataclass(frozen=True)
class Operations:
    """What a block is made of; these are PyTorch's own.

    Arguments:
        scale: A value times a constant.
        mix: Attention weights times values.
    """

    linear: Callable[..., Tensor] = F.linear
    add: Callable[[Tensor, Tensor], Tensor] = torch.add
    multiply: Callable[[Tensor, Tensor], Tensor] = torch.mul
    scale: Callable[[Tensor, Tensor | float], Tensor] = torch.mul
    matmul: Callable[[Tensor, Tensor], Tensor] = torch.matmul
    mix: Callable[[Tensor, Tensor], Tensor] = torch.matmul
    softmax: Callable[[Tensor], Tensor] = lambda scores: scores.softmax(-1)
    activation: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor] = lambda f, x: f(x)
    layer_norm: Callable[..., Tensor] = lambda x, weight, bias, eps: F.layer_norm(x, x.shape[-1:], weight, bias, eps)
    rms_norm: Callable[..., Tensor] = lambda x, weight, eps: weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))
    mean: Callable[[Tensor], Tensor] = lambda x: x.mean(1)


class Encoder(nn.Module):
    def __init__(self, ops: Operations = Operations(), *, first: bool = True) -> None:
        super().__init__()
        self.ops, self.first = ops, first
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "qkv": nn.Linear(WIDTH, 3 * WIDTH),
                    "out": nn.Linear(WIDTH, WIDTH),
                    "wide": nn.Linear(WIDTH, 2 * WIDTH),
                    "narrow": nn.Linear(2 * WIDTH, WIDTH),
                    "a": nn.LayerNorm(WIDTH),
                    "b": nn.LayerNorm(WIDTH),
                }
            )
            for _ in range(2)
        )
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self._around(x, layer["a"], lambda y, layer=layer: self._attend(y, layer))
            x = self._around(x, layer["b"], lambda y, layer=layer: self._feed(y, layer))
        return self._linear(self.ops.mean(x), self.head)

    def _around(self, x: Tensor, norm: nn.LayerNorm, inner: Callable[[Tensor], Tensor]) -> Tensor:
        return self.ops.add(x, inner(self._norm(x, norm))) if self.first else self._norm(self.ops.add(x, inner(x)), norm)

    def _attend(self, x: Tensor, layer: nn.ModuleDict) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self._linear(x, layer["qkv"]).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = self.ops.scale(self.ops.matmul(q, k.transpose(-1, -2)), 1 / math.sqrt(WIDTH // HEADS))
        y = self.ops.mix(self.ops.softmax(scores), v)
        return self._linear(y.transpose(1, 2).reshape(batch, length, WIDTH), layer["out"])

    def _feed(self, x: Tensor, layer: nn.ModuleDict) -> Tensor:
        return self._linear(self.ops.activation(F.gelu, self._linear(x, layer["wide"])), layer["narrow"])

    def _linear(self, x: Tensor, layer: nn.Linear) -> Tensor:
        return self.ops.linear(x, layer.weight, layer.bias)

    def _norm(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        return self.ops.layer_norm(x, norm.weight, norm.bias, norm.eps)


class Decoder(nn.Module):
    def __init__(self, ops: Operations = Operations()) -> None:
        super().__init__()
        self.ops = ops
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "q": nn.Linear(WIDTH, 2 * 6, bias=False),
                    "kv": nn.Linear(WIDTH, 2 * 6, bias=False),
                    "out": nn.Linear(2 * 6, WIDTH, bias=False),
                    "gate": nn.Linear(WIDTH, 2 * WIDTH, bias=False),
                    "up": nn.Linear(WIDTH, 2 * WIDTH, bias=False),
                    "down": nn.Linear(2 * WIDTH, WIDTH, bias=False),
                }
            )
            for _ in range(2)
        )
        self.norms = nn.ParameterList(nn.Parameter(torch.ones(WIDTH)) for _ in range(5))
        self.head = nn.Linear(WIDTH, CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        ops = self.ops
        for n, layer in enumerate(self.layers):
            x = ops.add(x, self._attend(ops.rms_norm(x, self.norms[2 * n], 1e-6), layer))
            y = ops.rms_norm(x, self.norms[2 * n + 1], 1e-6)
            gate = ops.activation(F.silu, ops.linear(y, layer["gate"].weight))
            x = ops.add(x, ops.linear(ops.multiply(gate, ops.linear(y, layer["up"].weight)), layer["down"].weight))
        return ops.linear(ops.rms_norm(x, self.norms[4], 1e-6)[:, -1], self.head.weight)

    def _attend(self, x: Tensor, layer: nn.ModuleDict) -> Tensor:
        ops, (batch, length, _) = self.ops, x.shape
        q = ops.linear(x, layer["q"].weight).view(batch, length, 2, 6).transpose(1, 2)
        k, v = ops.linear(x, layer["kv"].weight).view(batch, length, 2, 1, 6).permute(2, 0, 3, 1, 4)
        k, v = rotated(k, ops), v  # one head of keys and values serves both heads of queries
        k, v = (t.expand(batch, 2, length, 6) for t in (k, v))
        scores = ops.scale(ops.matmul(rotated(q, ops), k.transpose(-1, -2)), 1 / math.sqrt(6))
        ahead = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = ops.softmax(scores.masked_fill(ahead, -torch.inf))
        return ops.linear(ops.mix(weights, v).transpose(1, 2).reshape(batch, length, -1), layer["out"].weight)


def rotated(x: Tensor, ops: Operations) -> Tensor:
    """Rotary positions: pairs of channels turned by an angle that grows with the position."""
    angles = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] / 10 ** torch.arange(3, dtype=x.dtype)
    angles = torch.cat([angles, angles], -1)
    half = torch.cat([ops.scale(x[..., 3:], -1.0), x[..., :3]], -1)
    return ops.add(ops.scale(x, angles.cos()), ops.scale(half, angles.sin()))


KINDS: dict[str, Callable[[Operations], nn.Module]] = {
    "pre-norm encoder": lambda ops: Encoder(ops),
    "post-norm encoder": lambda ops: Encoder(ops, first=False),
    "decoder": lambda ops: Decoder(ops),
}


def build(kind: str, ops: Operations = Operations()) -> nn.Module:
    """A net of that kind in float64, its parameters drawn from a seed; no bias is zero."""
    rng = torch.Generator().manual_seed(len(kind))
    net = KINDS[kind](ops).double().eval()
    norms = {id(m.weight) for m in net.modules() if isinstance(m, nn.LayerNorm)} | {id(p) for p in getattr(net, "norms", ())}
    for parameter in net.parameters():
        fan = parameter.shape[-1] if parameter.dim() > 1 else 25
        drawn = torch.randn(parameter.shape, generator=rng, dtype=torch.float64) * (2.0 / fan) ** 0.5
        parameter.data = drawn + 1 if id(parameter) in norms else drawn
    return net


def sentences() -> Tensor:
    """Two sequences of noise."""
    return torch.randn(2, LENGTH, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(77))
