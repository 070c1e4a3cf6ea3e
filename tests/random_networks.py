"""Random networks over the table of operations, and what is true of every explanation of them, found without the library.

    python -m tests.random_networks --count 20000 --seed 0        tries any number of them, and prints what disagreed

A network is drawn from a seed alone: blocks of modules, functions, in-place writes and single operations of the table
(`operations.py`), in every shape. The truths: PyTorch's derivatives in double precision, finite differences, input times gradient
where the network is linear, the score where it is homogeneous, brute force where features are few, completeness, samples alone
as in their batch, closed books, and nothing left behind. A disagreement is a number that is wrong and comes without an error or
a warning.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from tests.operations import EXAMPLES

Block = Callable[["Draw", Tensor], "nn.Module | Callable[[Tensor], Tensor]"]
Explained = Callable[[Tensor, Any], Any]
LINEAR, HOMOGENEOUS, ANY = range(3)  # what a network is drawn to be: nothing else is in it
HEAVY = ("feature_ablation", "shapley", "integrated_gradients", "deeplift")
RELEVANCE = ("lrp", "lrp.zero", "lrp.epsilon", "lrp.gamma", "lrp.epsilon_plus", "lrp.attention", "lrp.cp", "deep_taylor")


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, f: Callable[[Tensor], Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.f, self.parts = f, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


class Draw:
    """Everything that is drawn for one network."""

    def __init__(self, seed: int, kind: int) -> None:
        self.random, self.kind = random.Random(seed), kind
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def one(self, *items: Any) -> Any:
        return self.random.choice(items)

    @property
    def bias(self) -> bool:
        return self.kind == ANY and self.random.random() < 0.7

    def settled(self, module: nn.Module) -> nn.Module:
        """A module in double precision whose weights come from this draw, statistics of norms included."""
        module = module.double().eval()
        with torch.no_grad():
            for name, tensor in (*module.named_parameters(), *module.named_buffers()):
                if tensor.is_floating_point():
                    fresh = self.normal(*tensor.shape) if tensor.dim() else tensor
                    scale = 1 / max(1, tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.5
                    fresh = fresh * scale
                    tensor.copy_(1 + fresh.abs() if "var" in name else 1 + 0.5 * fresh if "norm" in name else fresh)
        return module


# -- blocks: of a draw and an example of what they read, a function -------------------------------------------------------


def dense(d: Draw, x: Tensor) -> nn.Module:
    return d.settled(nn.Linear(x.shape[-1], d.random.randint(2, 6), bias=d.bias))


def table(d: Draw, x: Tensor) -> nn.Module:
    """One example of the table of operations."""
    name = d.one(*EXAMPLES)
    f = d.one(*EXAMPLES[name])
    first = d.settled(nn.Linear(x[0].numel(), 12, bias=False))
    module = Apply(lambda x: f(first(x.flatten(1))).reshape(len(x), -1), first)
    module.label = name
    return module


def residual(d: Draw, x: Tensor) -> nn.Module:
    inner = d.settled(nn.Linear(x.shape[-1], x.shape[-1], bias=d.bias))
    return Apply(d.one(lambda x: x + inner(x), lambda x: inner(x).add_(x), lambda x: torch.add(x, inner(x), alpha=-0.5)), inner)


def branches(d: Draw, x: Tensor) -> nn.Module:
    a, b = (d.settled(nn.Linear(x.shape[-1], 3, bias=d.bias)) for _ in range(2))
    linear = [lambda x: torch.cat([a(x), b(x)], -1), lambda x: a(x) - b(x), lambda x: torch.stack([a(x), b(x)], -1).flatten(-2)]
    joined = [
        lambda x: torch.maximum(a(x), b(x)),
        lambda x: torch.where(a(x) > b(x), a(x), -b(x)),
        lambda x: a(x).clamp(min=b(x)),
        lambda x: a(x).relu() - b(x).abs(),
    ]
    any_ = [
        lambda x: a(x) * b(x),
        lambda x: a(x) * b(x).sigmoid(),
        lambda x: a(x) / (1 + b(x).square()),
        lambda x: torch.einsum("...i,...j->...ij", a(x), b(x)).flatten(-2),
        lambda x: a(x) * b(x).softmax(-1),
        lambda x: torch.atan2(a(x), b(x).abs() + 1),
        lambda x: torch.lerp(a(x), b(x), 0.3),
        lambda x: a(x) * torch.exp(-b(x).square()),
    ]
    return Apply(d.one(*linear, *(joined if d.kind else []), *(any_ if d.kind == ANY else [])), a, b)


def activation(d: Draw, x: Tensor) -> nn.Module:
    smooth = "GELU SiLU Tanh Sigmoid Softplus ELU SELU Mish Hardswish Softsign ReLU6 Hardtanh Tanhshrink CELU LogSigmoid".split()
    sharp = [nn.ReLU, nn.LeakyReLU, lambda: nn.ReLU(True), nn.PReLU, lambda: nn.LeakyReLU(0.2, True), lambda: Apply(torch.abs)]
    return d.settled(d.one(*sharp, *(getattr(nn, name) for name in smooth if d.kind == ANY))())


def moved(d: Draw, x: Tensor) -> nn.Module:
    n = x.shape[-1]
    order = torch.tensor(d.random.sample(range(n), n))
    picks = torch.tensor([d.random.randrange(n) for _ in range(4)])
    places = torch.tensor([d.random.randrange(n) for _ in range(n)])
    return Apply(
        d.one(
            lambda x: x[..., order],
            lambda x: x[..., picks],
            lambda x: x.flip(-1),
            lambda x: x.roll(1, -1),
            lambda x: x.cumsum(-1),
            lambda x: F.pad(x, (1, 2)),
            lambda x: x.unfold(-1, 2, 1).flatten(-2),
            lambda x: torch.cat([x, x[..., :1]], -1),
            lambda x: x.new_zeros(x.shape).index_add(-1, places, x),
            lambda x: x.new_zeros(x.shape).scatter_add_(x.dim() - 1, places.expand(x.shape), x),
            lambda x: x - x.mean(-1, keepdim=True),
            lambda x: x.expand(2, *x.shape).mean(0),
            lambda x: torch.cat(x.chunk(2, -1)[::-1], -1),
            lambda x: torch.stack(x.unbind(-1)[::-1], -1),
            lambda x: x.repeat_interleave(2, -1),
            lambda x: x.diff(dim=-1, prepend=x[..., :1]),
        )
    )


def written(d: Draw, x: Tensor) -> nn.Module:
    def part(x: Tensor) -> Tensor:
        y = x.clone()
        y[..., :1] = 2 * x[..., -1:]
        return y

    def added(x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[..., 1:] += x[..., :-1]
        y += x
        return y

    def scaled(x: Tensor) -> Tensor:
        y = 2 * x
        y.mul_(0.5)
        y[..., 0].neg_()
        return y

    def through(x: Tensor) -> Tensor:
        y = 1 * x
        v = y.view(len(x), -1)
        v[:, 0] = v[:, -1]
        return y + v.view(y.shape)

    def accumulated(x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for k in range(x.shape[-1]):
            y[..., k] = y[..., k - 1] + x[..., k]
        return y

    return Apply(d.one(part, added, scaled, through, accumulated))


def normed(d: Draw, x: Tensor) -> nn.Module:
    n = x.shape[-1]
    return d.one(
        d.settled(nn.LayerNorm(n)),
        Apply(lambda x: F.normalize(x, dim=-1)),
        Apply(lambda x: x / (1 + x.norm(dim=-1, keepdim=True))),
        Apply(lambda x: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 0.1)) if n > 1 else nn.Identity(),
        Apply(lambda x: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 0.1)),
        Apply(lambda x: x.softmax(-1)),
        Apply(lambda x: x.log_softmax(-1)),
    )


def chosen(d: Draw, x: Tensor) -> nn.Module:
    return Apply(
        d.one(
            lambda x: x.sort(-1)[0],
            lambda x: x.topk(min(2, x.shape[-1]), -1)[0],
            lambda x: x.amax(-1, keepdim=True) - x,
            lambda x: x.cummax(-1)[0],
            lambda x: torch.minimum(x, x.flip(-1)),
            lambda x: x.max(-1, keepdim=True)[0] + x,
            lambda x: torch.clamp(x, max=x.roll(1, -1)),
            lambda x: x.masked_fill(x > x.mean(-1, keepdim=True), 0.0),
        )
    )


def reduced(d: Draw, x: Tensor) -> nn.Module:
    """Over all axes but the first and the last."""
    linear = [lambda x: x.sum(1), lambda x: x.mean(1)]
    sharp = [lambda x: x.amax(1), lambda x: x.amin(1)]
    smooth = [lambda x: x.logsumexp(1), lambda x: x.square().sum(1), lambda x: (x * x.softmax(1)).sum(1)]
    return Apply(d.one(*linear, *(sharp if d.kind else []), *(smooth if d.kind == ANY else [])))


def attention(d: Draw, x: Tensor) -> nn.Module:
    n, width = x.shape[1], x.shape[2]
    q, k, v = (d.settled(nn.Linear(width, 4)) for _ in range(3))
    causal = torch.ones(n, n).tril().bool()
    low = torch.finfo(torch.float64).min
    style = d.random.randrange(7)

    def attend(x: Tensor) -> Tensor:
        if style == 0:
            return F.scaled_dot_product_attention(q(x), k(x), v(x), is_causal=True)
        s = q(x) @ k(x).transpose(1, 2) / 2
        if style == 1:
            s = s.masked_fill(~causal, -torch.inf)
        if style == 2:
            s = (
                torch.where(causal, s, torch.tensor(low, dtype=s.dtype)) + torch.where(causal, 0.0, low).to(s.dtype)
                if False
                else s
            )
            mask = torch.zeros(n, n, dtype=s.dtype).masked_fill(~causal, low)
            s = s + mask + mask
        if style == 3:
            s = s + torch.arange(n)[None].to(s.dtype) * -0.3
        if style == 4:
            holes = causal.clone()
            holes[0] = False
            return torch.nan_to_num(s.masked_fill(~holes, -torch.inf).softmax(-1)) @ v(x)
        if style == 5:
            e = (s - s.amax(-1, keepdim=True)).exp()
            return (e / e.sum(-1, keepdim=True)) @ v(x)
        return torch.einsum("nqk,nkd->nqd", s.softmax(-1), v(x))

    return Apply(attend, q, k, v)


def heads(d: Draw, x: Tensor) -> nn.Module:
    width = x.shape[2]
    if d.random.random() < 0.5 or width % 2:
        first = d.settled(nn.Linear(width, 4))
        mha = d.settled(nn.MultiheadAttention(4, 2, batch_first=True))
        return Apply(lambda x: (lambda y: mha(y, y, y, need_weights=False)[0])(first(x)), first, mha)
    layer = nn.TransformerEncoderLayer(width, 2, 6, 0.0, d.one("relu", "gelu"), batch_first=True, norm_first=d.one(True, False))
    return d.settled(layer)


def recurrent(d: Draw, x: Tensor) -> nn.Module:
    cell = d.one(nn.LSTM, nn.GRU, nn.RNN)(x.shape[2], 3, batch_first=True, bidirectional=d.one(True, False))
    cell = d.settled(cell)
    if d.random.random() < 0.5:
        return Apply(lambda x: cell(x)[0], cell)
    one = d.settled(d.one(nn.GRUCell, nn.RNNCell)(x.shape[2], 3))

    def loop(x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 3)
        made = []
        for t in range(x.shape[1]):
            h = one(x[:, t], h)
            made.append(h)
        return torch.stack(made, 1)

    return Apply(loop, one)


def along(d: Draw, x: Tensor) -> nn.Module:
    """Over the positions of a sequence."""
    n, width = x.shape[1], x.shape[2]
    conv = d.settled(nn.Conv1d(width, 4, 2, padding=d.one(0, 1), stride=d.one(1, 2), bias=d.bias)) if n > 1 else nn.Identity()
    positions, token, mix = d.normal(n, width), d.normal(1, 1, width), d.normal(n, 3)
    linear = [
        Apply(lambda x: conv(x.transpose(1, 2)).transpose(1, 2), conv),
        Apply(lambda x: (x.transpose(1, 2) @ mix).transpose(1, 2)),
        Apply(lambda x: torch.einsum("ntd,ts->nsd", x, mix)),
        Apply(lambda x: x.flip(1)),
        Apply(lambda x: x.transpose(1, 2).contiguous()),
        Apply(lambda x: F.avg_pool1d(x.transpose(1, 2), 2, 1).transpose(1, 2)) if n > 1 else nn.Identity(),
        Apply(lambda x: x.cumsum(1) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]),
        Apply(lambda x: torch.fft.fft(x, dim=1).real),
        Apply(lambda x: torch.fft.irfft(torch.fft.rfft(x, dim=1), n=x.shape[1], dim=1)),
    ]
    any_ = [
        Apply(lambda x: x + positions),
        Apply(lambda x: torch.cat([token.expand(len(x), 1, x.shape[2]), x], 1)),
        Apply(lambda x: F.glu(torch.cat([x, x.flip(1)], 2), 2)),
        Apply(lambda x: x * x.mean(1, keepdim=True).sigmoid()),
        Apply(lambda x: torch.fft.fft(x, dim=1).abs()),
    ]
    return d.one(*linear, *(any_ if d.kind == ANY else []))


def convolution(d: Draw, x: Tensor) -> nn.Module:
    c, h, w = x.shape[1:]
    k = d.one(1, 2, 3)
    groups = d.one(1, c)
    settings = {"groups": groups, "bias": d.bias, "padding": k // 2}
    if d.random.random() < 0.2:
        return d.settled(nn.ConvTranspose2d(c, 2 * groups, k, d.one(1, 2), **settings))
    mode = d.one("zeros", "zeros", "replicate", "circular", "reflect") if min(h, w) > k // 2 else "zeros"
    if min(h, w) + 2 * (k // 2) < k:
        return nn.Identity()
    return d.settled(nn.Conv2d(c, 2 * groups, k, d.one(1, 2), padding_mode=mode, **settings))


def picture(d: Draw, x: Tensor) -> nn.Module:
    c, h, w = x.shape[1:]
    fits = min(h, w) > 1
    linear: list[nn.Module] = [
        nn.AvgPool2d(2, 1) if fits else nn.Identity(),
        nn.AdaptiveAvgPool2d((2, 1)),
        nn.Upsample(scale_factor=2),
        nn.Upsample(size=(3, 5), mode="bilinear"),
        nn.Upsample(size=(3, 4), mode="bicubic"),
        nn.ZeroPad2d((1, 0, 1, 2)),
        nn.ReplicationPad2d(1),
        Apply(lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)),
        Apply(lambda x: F.fold(F.unfold(x, 2), x.shape[2:], 2)) if fits else nn.Identity(),
        Apply(lambda x: F.fold(F.unfold(x, 3, padding=1), x.shape[2:], 3, padding=1)),
        Apply(lambda x: x.flip(3).transpose(2, 3)),
        Apply(lambda x: torch.fft.fft2(x).real),
        nn.Dropout(0.5).eval(),
        nn.ChannelShuffle(c) if c > 1 else nn.Identity(),
        Apply(lambda x: x - x.mean((2, 3), keepdim=True)),
        nn.AvgPool2d(2, 2, 1, count_include_pad=False) if fits else nn.Identity(),
    ]
    sharp: list[nn.Module] = [
        nn.MaxPool2d(2, 1) if fits else nn.Identity(),
        nn.MaxPool2d(3, 2, 1) if fits else nn.Identity(),
        nn.AdaptiveMaxPool2d((2, 2)) if fits else nn.Identity(),
    ]
    gate = d.settled(nn.Linear(c, c))
    any_: list[nn.Module] = [
        d.settled(nn.BatchNorm2d(c)),
        d.settled(nn.GroupNorm(1, c)),
        d.settled(nn.InstanceNorm2d(c, affine=True)) if h * w > 1 else nn.Identity(),
        Apply(lambda x: x * gate(x.mean((2, 3))).sigmoid()[:, :, None, None], gate),
        nn.LPPool2d(2, 2, 1) if fits else nn.Identity(),
        nn.LocalResponseNorm(2),
        Apply(lambda x: x * x.mean(1, keepdim=True).sigmoid()),
        Apply(lambda x: x / (x.square().mean((1, 2, 3), keepdim=True) + 1).sqrt()),
    ]
    return d.one(*linear, *(sharp if d.kind else []), *(any_ if d.kind == ANY else []))


def looped(d: Draw, x: Tensor) -> nn.Module:
    """One sample after the other."""
    inner = d.settled(nn.Linear(x.shape[-1], 3, bias=d.bias))

    def stacked(x: Tensor) -> Tensor:
        return torch.stack([inner(row) for row in x])

    def filled(x: Tensor) -> Tensor:
        y = x.new_zeros(*x.shape[:-1], 3)
        for k in range(len(x)):
            y[k] = inner(x[k : k + 1])[0]
        return y

    def joined(x: Tensor) -> Tensor:
        return torch.cat([inner(row) * 2 for row in x.split(1)])

    return Apply(d.one(stacked, filled, joined), inner)


def scripted(d: Draw, x: Tensor) -> nn.Module:
    """Compiled by TorchScript."""
    layers = nn.Sequential(nn.Linear(x.shape[-1], 4, bias=d.bias), nn.ReLU(), nn.Linear(4, 3, bias=d.bias))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(d.settled(layers))


def flat(d: Draw, x: Tensor) -> nn.Module:
    return nn.Flatten()


def shaped(d: Draw, x: Tensor) -> nn.Module:
    """As a sequence or a picture."""
    first = d.settled(nn.Linear(x[0].numel(), 12, bias=d.bias))
    shape = d.one((3, 4), (4, 3), (2, 6), (1, 3, 4), (2, 2, 3), (3, 2, 2))
    return Apply(lambda x: first(x.flatten(1)).view(len(x), *shape), first)


def rows_of(d: Draw, x: Tensor) -> nn.Module:
    c = x.shape[1]
    return Apply(
        d.one(
            lambda x: x.flatten(2).transpose(1, 2), lambda x: x.permute(0, 2, 3, 1).reshape(len(x), -1, c), lambda x: x.flatten(2)
        )
    )


def blocks(d: Draw, x: Tensor) -> list[Block]:
    """What may come next, given what it would read."""
    any_rank: list[Block] = [dense, residual, branches, moved, written, shaped, looped]
    any_rank += [activation, chosen, scripted] if d.kind else []
    any_rank += [activation, normed, table, table] if d.kind == ANY else []
    sequence: list[Block] = [along, along, reduced, flat] + ([attention, heads, recurrent] if d.kind == ANY else [])
    pictures: list[Block] = [convolution, convolution, convolution, picture, picture, picture, flat, rows_of]
    return any_rank + {3: sequence, 4: pictures}.get(x.dim(), [])


class Network(nn.Module):
    """Blocks in a row, some of them skipped over, and a head."""

    def __init__(self, blocks: list[nn.Module], head: nn.Module, skips: list[int | None]) -> None:
        super().__init__()
        self.blocks, self.head, self.skips = nn.ModuleList(blocks), head, skips

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for block, skip in zip(self.blocks, self.skips, strict=True):
            x = block(x)
            if skip is not None:
                x = x + made[skip]
            made.append(x)
        return self.head(x.flatten(1))


@dataclass
class Case:
    """A network with its input, as a seed draws them."""

    seed: int
    net: Callable[[Tensor], Tensor]
    x: Tensor
    target: int
    names: list[str]
    draw: Draw


def case(seed: int) -> Case:
    """The network of a seed."""
    picks = random.Random(f"kind {seed}")
    d = Draw(seed, picks.choices((LINEAR, HOMOGENEOUS, ANY), (2, 2, 5))[0])
    shape = d.one((5,), (8,), (3, 4), (4, 2), (1, 4, 4), (2, 3, 4), (3, 4, 4))
    x = d.normal(d.one(1, 2, 2, 3), *shape)
    layers: list[nn.Module] = []
    skips: list[int | None] = []
    made, names = [x], []
    with torch.no_grad():
        for _ in range(d.random.randint(1, 5)):
            block = d.one(*blocks(d, made[-1]))
            layer = block(d, made[-1])
            y = layer(made[-1].clone())
            if y[0].numel() == 0 or y[0].numel() > 400 or not bool(y.isfinite().all()):
                continue
            fits = [k for k, other in enumerate(made) if other.shape == y.shape]
            skip = d.one(*fits) if fits and d.random.random() < 0.25 else None
            layers.append(layer)
            skips.append(skip)
            names.append(getattr(layer, "label", None) or block.__name__)
            made.append(y if skip is None else y + made[skip])
        head = d.settled(nn.Linear(made[-1][0].numel(), 3, bias=d.bias))
    net: Any = Network(layers, head, skips).double().eval()
    if d.random.random() < 0.1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = torch.jit.trace(net, x, check_trace=False)
        names.append("traced")
    return Case(seed, net, x, d.random.randrange(3), names, d)


# -- what is true ---------------------------------------------------------------------------------------------------------


@dataclass
class Verdict:
    """What came of one network.

    Arguments:
        wrong: Disagreements, a line each.
        refused: Methods that refused, by their error.
        told: Doubts that explanations told.
    """

    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)


def near(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors agree, to a share of the largest entry."""
    scale = max(float(a.abs().max()), float(b.abs().max()), 1e-6)
    return bool(((a.double() - b.double()).abs() <= tolerance * scale).all())


class Truth:
    """What is known of a network without the library."""

    def __init__(self, net: Callable[[Tensor], Tensor], x: Tensor, target: int, rng: random.Random) -> None:
        self.net, self.x, self.target, self.random = net, x, target, rng
        self.generator = torch.Generator().manual_seed(rng.randrange(1 << 30))

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        return self.net(x.clone())[:, self.target]  # networks may write to what they are given

    def normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator, dtype=like.dtype)

    def linear(self) -> bool:
        f, x, y = self.score, self.x, self.normal(self.x)
        return near(f(x + 2 * y), f(x) + 2 * f(y), 1e-9) and near(f(0 * x), 0 * f(x), 1e-9)

    def homogeneous(self) -> bool:
        f, x = self.score, self.x
        return near(f(2 * x), 2 * f(x), 1e-9) and near(f(0.5 * x), 0.5 * f(x), 1e-9)

    def slope(self, direction: Tensor) -> Tensor | None:
        """The derivative along a direction, per sample; None near a kink."""
        f, x = self.score, self.x
        wide, narrow = ((f(x + h * direction) - f(x - h * direction)) / (2 * h) for h in (1e-5, 1e-6))
        above, below = (f(x + 1e-6 * direction) - f(x)) / 1e-6, (f(x) - f(x - 1e-6 * direction)) / 1e-6
        return narrow if near(wide, narrow, 1e-4) and near(above, below, 1e-3) else None

    def differentiated(self) -> Tensor | None:
        """PyTorch's own derivative, where it has one that agrees with finite differences."""
        try:
            leaf = self.x.clone().requires_grad_()
            (g,) = torch.autograd.grad(self.net(1 * leaf)[:, self.target].sum(), leaf)
        except RuntimeError:
            return None
        return g if bool(g.isfinite().all()) else None

    def without(self, keep: Tensor) -> Tensor:
        """The score with zeros where `keep` is false."""
        return self.score(torch.where(keep, self.x, torch.zeros_like(self.x)))


def silent(e: Any) -> bool:
    """Whether an explanation has no doubt to tell, other than that it is not bounded."""
    return not [w for w in e.warnings() if "not bounded" not in w]


def check(c: Case, methods: int = 4) -> Verdict:
    """Try explanations of a network against what is true of it.

    Arguments:
        methods: How many methods beside the gradient and `lrp.zero`.
    """
    verdict, rng = Verdict(), random.Random(f"checks {c.seed}")
    truth = Truth(c.net, c.x, c.target, rng)
    before = state(c.net)

    def explained(x: Tensor, method: Any) -> Any:
        verdict.tried.append(str(method))  # the check of the network by itself is run once, where it could tell a false alarm
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return pl.explain(c.net, x, target=c.target, method=method, verify=method == "gradient" and x is c.x)
        except pl.PellucidError as error:
            verdict.refused.append(f"{method}: {type(error).__name__}: {str(error).splitlines()[0][:160]}")
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            verdict.wrong.append(
                f"{method}: {type(error).__name__}: {str(error)[:200]!r} at {where.filename.split('/')[-1]}:{where.lineno}"
            )
        return None

    e = explained(c.x, "gradient")
    g = None
    if e is not None:
        g = e.values.double()
        for _ in range(2):
            along = truth.normal(c.x)
            slope = truth.slope(along)
            if slope is not None and not near((g * along).flatten(1).sum(1), slope, 1e-3):
                _note(
                    verdict, e, f"gradient: slope {(g * along).flatten(1).sum(1).tolist()}, finite differences {slope.tolist()}"
                )
        auto = truth.differentiated()
        slope = None if auto is None else truth.slope(along)
        if auto is not None and slope is not None and near((auto * along).flatten(1).sum(1), slope, 1e-4) and not near(g, auto):
            _note(verdict, e, "gradient: not what autograd gives in double precision")
        if not near(e.output.double().reshape(-1), truth.score(c.x), 1e-4):
            _note(verdict, e, f"gradient: the score is {e.output.tolist()}, the network says {truth.score(c.x).tolist()}")
    if g is not None and float(g.abs().max()) <= 1e-12 * max(1.0, float(e.output.abs().max())):
        return verdict  # what the input does to the score is rounding, and so would be all that is compared below
    linear, homogeneous = truth.linear(), truth.homogeneous()
    heavy = () if "traced" in c.names else HEAVY  # a traced network may take batches of one size only
    some = ["lrp.zero", *rng.sample(RELEVANCE + heavy, methods)]
    for method in dict.fromkeys(some):
        if method in RELEVANCE:
            relevance(c, verdict, truth, method, explained, g, linear, homogeneous)
        else:
            HEAVY_CHECKS[method](c, verdict, truth, explained)
    if e is not None and len(c.x) > 1:
        alone(c, verdict, "gradient", e, explained)
    for name, value in state(c.net).items():
        if value != before[name]:
            verdict.wrong.append(f"left behind: {name}")
    return verdict


def _note(verdict: Verdict, e: Any, line: str) -> None:
    (verdict.wrong if silent(e) else verdict.told).append(line)


def relevance(
    c: Case, verdict: Verdict, truth: Truth, method: str, explained: Explained, g: Tensor | None, linear: bool, homogeneous: bool
) -> None:
    e = explained(c.x, method)
    if e is None:
        return
    if not bool(e.values.isfinite().all()):
        _note(verdict, e, f"{method}: values that are not finite")
    elif not bool((e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all()):
        verdict.wrong.append(f"{method}: books are off by {e.ledger.error.tolist()}: {e.ledger.sentence()}")
    if g is not None and linear and method == "lrp.zero" and not near(e.values, g * c.x, 1e-3):
        _note(verdict, e, f"{method}: the network is linear, and this is not input times gradient")
    sums = e.values.double().flatten(1).sum(1)
    if homogeneous and method == "lrp.zero" and not near(sums, truth.score(c.x), 1e-3):
        _note(
            verdict, e, f"{method}: sums to {sums.tolist()}, the score of this homogeneous network is {truth.score(c.x).tolist()}"
        )
    if len(c.x) > 1:
        alone(c, verdict, method, e, explained)


def alone(c: Case, verdict: Verdict, method: Any, e: Any, explained: Explained) -> None:
    """A sample alone is explained as in its batch."""
    if "traced" in c.names:
        return
    k = len(c.x) - 1
    one = explained(c.x[k : k + 1], method)
    if one is not None and not near(one.values, e.values[k : k + 1], 1e-3):
        _note(verdict, e, f"{method}: sample {k} alone differs by {float((one.values - e.values[k : k + 1]).abs().max()):.3g}")


def ablation(c: Case, verdict: Verdict, truth: Truth, explained: Explained) -> None:
    """Each feature taken away alone."""
    if c.x[0].numel() > 12 or c.x.dim() != 2:
        return
    e = explained(c.x, pl.perturb.feature_ablation(imputer=pl.perturb.constant(0.0)))
    if e is None:
        return
    full = truth.score(c.x)
    for k in range(c.x.shape[1]):
        keep = torch.ones_like(c.x, dtype=torch.bool)
        keep[:, k] = False
        if (
            not near(e.values[:, k].double(), full - truth.without(keep), 1e-3)
            and float((full - truth.without(keep)).abs().max()) > 1e-6
        ):
            _note(
                verdict,
                e,
                f"feature_ablation: {e.values[:, k].tolist()} for feature {k}, by hand {(full - truth.without(keep)).tolist()}",
            )
            return


def shapley(c: Case, verdict: Verdict, truth: Truth, explained: Explained) -> None:
    """All coalitions of four groups of features."""
    flat = c.x[0].numel()
    if c.x.dim() != 2 or flat < 4:
        return
    groups = torch.arange(flat) % 4
    e = explained(c.x, pl.perturb.shapley(regions=groups, imputer=pl.perturb.constant(0.0), budget=64))
    if e is None:
        return
    worth = {s: truth.without(torch.isin(groups, torch.tensor(s, dtype=torch.long)).expand(c.x.shape)) for s in _subsets(4)}
    weight = {0: 1 / 4, 1: 1 / 12, 2: 1 / 12, 3: 1 / 4}
    for k in range(4):
        value = sum(weight[len(s)] * (worth[tuple(sorted((*s, k)))] - worth[s]) for s in worth if k not in s)
        got = e.values[:, groups == k].double()
        if not any(near(found, value, 1e-3) for found in (got[:, 0], got.sum(1))):
            _note(verdict, e, f"shapley: {got[:, 0].tolist()} for group {k}, by hand {value.tolist()}")
            return


def _subsets(n: int) -> Iterator[tuple[int, ...]]:
    for bits in range(1 << n):
        yield tuple(k for k in range(n) if bits >> k & 1)


def complete(method: str) -> Callable[..., None]:
    """The map sums to the change from the baseline, or says by how much it does not."""

    def run(c: Case, verdict: Verdict, truth: Truth, explained: Explained) -> None:
        e = explained(c.x, method)
        if e is None:
            return
        change = truth.score(c.x) - truth.score(torch.zeros_like(c.x))
        gap = (change - e.values.double().flatten(1).sum(1)).abs()
        said = [float(n) for n in re.findall(r"is ([\d.e+-]+) off", e.caption() + " ".join(e.notes))]
        scale = max(float(change.abs().max()), float(e.values.abs().max()), 1e-6)
        if float(gap.max()) > 0.02 * scale and not any(
            abs(n - float(gap[k])) <= 0.05 * float(gap[k]) for n in said for k in range(len(gap))
        ):
            _note(verdict, e, f"{method}: sums to {float(gap.max()):.3g} off {change.tolist()}, and says {said}")
        if len(c.x) > 1:
            alone(c, verdict, method, e, explained)

    return run


HEAVY_CHECKS: dict[str, Callable[..., None]] = {
    "feature_ablation": ablation,
    "shapley": shapley,
    "integrated_gradients": complete("integrated_gradients"),
    "deeplift": complete("deeplift"),
}


def state(net: Any) -> dict[str, Any]:
    """Everything global, and of the network, that an explanation might have changed."""
    return {
        "random state": torch.get_rng_state().sum().item(),
        "python's random state": hash(random.getstate()),
        "autograd": torch.is_grad_enabled(),
        "type of new tensors": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "fused attention": torch.backends.mha.get_fastpath_enabled(),
        "mkldnn": torch.backends.mkldnn.flags.__name__,
        "training": [m.training for m in net.modules()],
        "hooks": sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()),
        "weights": sum(float(p.detach().double().sum()) for p in net.parameters()),
        "flags": [p.requires_grad for p in net.parameters()],
        "gradients": [p.grad is None for p in net.parameters()],
    }


def tried(seed: int, methods: int = 4) -> tuple[Case | None, Verdict]:
    """One network by its seed: drawn, explained and judged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            c = case(seed)
    except Exception as error:  # a network that cannot be built is none
        return None, Verdict(refused=[f"not drawn: {error}"])
    return c, check(c, methods)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first network; the others follow")
    parser.add_argument("--methods", type=int, default=4, help="methods per network, beside the gradient and lrp.zero")
    parser.add_argument("--quiet", action="store_true", help="no line per disagreement")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    start, wrong, told, drawn = time.perf_counter(), 0, 0, 0
    refused, runs = Counter[str](), Counter[str]()
    for seed in range(options.seed, options.seed + options.count):
        c, verdict = tried(seed, options.methods)
        drawn += c is not None
        runs.update(verdict.tried)
        refused.update(line[:110] for line in verdict.refused)
        told += len(verdict.told)
        wrong += bool(verdict.wrong)
        if verdict.wrong and not options.quiet and c is not None:
            print(f"seed {seed}: {' > '.join(c.names)} on {tuple(c.x.shape)}")
            for line in verdict.wrong:
                print(f"    {line}")
            print(f"    python -m tests.random_networks --count 1 --seed {seed} --methods {options.methods}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{drawn} networks from seed {options.seed} on, {sum(runs.values())} explanations, {seconds:.0f} seconds")
    for line, n in refused.most_common(12):
        print(f"  refused {n} times: {line}")
    print(f"  doubts told: {told}")
    print(f"{wrong} networks on which something disagreed")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
