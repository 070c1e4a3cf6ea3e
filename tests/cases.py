"""Models x inputs x containers: what every law is tried on.

Weights are seeded and scaled like those of trained networks: activations neither vanish nor grow, biases of both signs, batch
    norms with
the statistics of their inputs. Every network is built in place and out of place; both have the same weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.catalogue.methods import METHODS

BATCH = 3
RELEVANCE = [entry.name for entry in METHODS if entry.family == "lrp"]
GRADIENTS = [entry.name for entry in METHODS if entry.family == "gradient"]
EVERY = [entry.name for entry in METHODS]
ENTRY = {entry.name: entry for entry in METHODS}
# Settings under which methods that ask a model many times are quick enough for laws; all others run as they come.
QUICK: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 32},  # of its own it takes as many as each target needs, to within 1 %
    "local_variance": {"n": 3, "cell": 4},
    "finite_differences": {"cell": 4},
    "deepshap": {"n": 2},
    "rise": {"budget": 64, "grid": 4},
    "lime": {"budget": 64},
    "kernel_shap": {"budget": 200},
    "shapley": {"budget": 200},
    "sobol": {"budget": 64, "grid": 3},
    "hsic": {"budget": 64, "grid": 4},
    "meaningful": {"steps": 6},
    "extremal": {"steps": 6, "areas": (0.4,)},
    "pda": {"window": 4, "stride": 4, "samples": 2},
}


# -- small networks, one for each way of wiring ---------------------------------------------------------------------------


class Plain(nn.Module):
    """Convolutions, poolings, dense layers, as VGG."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(inplace),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.ReLU(inplace),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(inplace),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(nn.Linear(8 * 16, 16), nn.ReLU(inplace), nn.Dropout(inplace=inplace), nn.Linear(16, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.features(x), 1))


class Residual(nn.Module):
    """Batch norms and residual sums, as ResNet."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(ResidualBlock(6, 6, 1, inplace), ResidualBlock(6, 10, 2, inplace))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.blocks(self.stem(x))).flatten(1))


class ResidualBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int, inplace: bool):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace))
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after))
        plain = stride == 1 and before == after
        self.skip = nn.Identity() if plain else nn.Sequential(nn.Conv2d(before, after, 1, stride), nn.BatchNorm2d(after))
        self.relu = nn.ReLU(inplace)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        if self.inplace:
            y += self.skip(x)
        else:
            y = y + self.skip(x)
        return self.relu(y)


class Mobile(nn.Module):
    """Depthwise convolutions, squeeze and excitation, hard activations, as MobileNet v3."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.Hardswish(inplace))
        self.wide = nn.Sequential(nn.Conv2d(6, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6(inplace))
        self.depthwise = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12))
        self.squeeze, self.excite = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)
        self.narrow = nn.Sequential(nn.Conv2d(12, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.head = nn.Linear(6, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = F.hardswish(self.depthwise(self.wide(x)), inplace=self.inplace)
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)), inplace=self.inplace)), self.inplace)
        y = y.mul_(gate) if self.inplace else y * gate
        return self.head((x + self.narrow(y)).mean((2, 3)))


class Efficient(nn.Module):
    """Uneven padding, SiLU, soft gates, as EfficientNet."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, bias=False), nn.BatchNorm2d(6), nn.SiLU(inplace))
        self.depthwise = nn.Sequential(nn.Conv2d(6, 6, 3, groups=6, bias=False), nn.BatchNorm2d(6))
        self.squeeze, self.excite = nn.Conv2d(6, 3, 1), nn.Conv2d(3, 6, 1)
        self.narrow = nn.Sequential(nn.Conv2d(6, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.head = nn.Sequential(nn.Dropout(), nn.Linear(6, 5))
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(F.pad(x, [0, 1, 0, 1]))
        y = F.silu(self.depthwise(F.pad(x, [1, 1, 1, 1])), inplace=self.inplace)
        y = y * torch.sigmoid(self.excite(F.silu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = self.narrow(y)
        y = y.add_(x) if self.inplace else y + x
        return self.head(F.avg_pool2d(y, 8).flatten(1))


class Concatenated(nn.Module):
    """Batch norm before convolution, and all features kept, as DenseNet."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(inplace), nn.Conv2d(n, 4, 3, padding=1)) for n in (6, 10)
        )
        self.transition = nn.Sequential(nn.BatchNorm2d(14), nn.ReLU(inplace), nn.Conv2d(14, 8, 1), nn.AvgPool2d(2))
        self.norm, self.head = nn.BatchNorm2d(8), nn.Linear(8, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        y = F.relu(self.norm(self.transition(torch.cat(features, 1))), inplace=self.inplace)
        return self.head(F.adaptive_avg_pool2d(y, (1, 1)).flatten(1))


class Branched(nn.Module):
    """Branches side by side, poolings with padding, thin convolutions, as Inception."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, bias=False), nn.BatchNorm2d(6, eps=1e-3), nn.ReLU(inplace))
        self.thin = nn.Sequential(
            nn.Conv2d(6, 4, (1, 5), padding=(0, 2)), nn.ReLU(inplace), nn.Conv2d(4, 4, (5, 1), padding=(2, 0))
        )
        self.pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(6, 4, 1))
        self.strided = nn.MaxPool2d(3, 1, 1)
        self.head = nn.Linear(14, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = F.relu(torch.cat([self.thin(x), self.pooled(x), self.strided(x)], 1), inplace=self.inplace)
        return self.head(F.avg_pool2d(y, 3, 2, 1, ceil_mode=True, count_include_pad=False).mean((2, 3)))


class Shuffled(nn.Module):
    """Channels split, shuffled and joined, as ShuffleNet."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace))
        self.branch = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 4, 1, groups=2, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace),
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(2):
            a, b = x.chunk(2, 1)
            x = torch.cat([a, self.branch(b)], 1)
            batch, channels, height, width = x.shape
            x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)
        return self.head(x.mean([2, 3]))


class Normed(nn.Module):
    """Layer norms over channels, GELU, layer scale, as ConvNeXt."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, 2)
        self.depthwise = nn.Conv2d(8, 8, 5, padding=2, groups=8)
        self.norm, self.last = nn.LayerNorm(8), nn.LayerNorm(8)
        self.wide, self.narrow = nn.Linear(8, 16), nn.Linear(16, 8)
        self.scale = nn.Parameter(torch.ones(8))
        self.head = nn.Linear(8, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.narrow(F.gelu(self.wide(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))))
        y = (y.mul_(self.scale) if self.inplace else y * self.scale).permute(0, 3, 1, 2)
        return self.head(self.last((x + y).mean([-2, -1])))


class Grouped(nn.Module):
    """Group and instance norms."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.GroupNorm(4, 8),
            nn.ReLU(inplace),
            nn.Conv2d(8, 6, 3, 2),
            nn.InstanceNorm2d(6, affine=True),
            nn.LeakyReLU(0.1, inplace),
            nn.AdaptiveMaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Segmenting(nn.Module):
    """Down and up again, with skips, as U-Net: a map of scores per class."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace))
        self.deep = nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(inplace))
        self.up = nn.ConvTranspose2d(8, 6, 2, 2)
        self.join = nn.Sequential(nn.Conv2d(12, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace))
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.down(x)
        y = self.join(torch.cat([wide, self.up(self.deep(wide))], 1))
        return F.interpolate(self.head(y), scale_factor=2.0, mode="bilinear", align_corners=False)


class Functional(nn.Module):
    """Functions in place of modules, one module used twice, shapes computed on the way."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.lift, self.twice, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.lift(x), inplace=self.inplace)
        x = F.relu(self.twice(x), inplace=self.inplace)
        x = torch.relu(self.twice(F.max_pool2d(x, 2)) + F.avg_pool2d(x, 2) * 0.5)
        return self.head(x.flatten(2).sum(2) / x[0, 0].numel())


class Written(nn.Module):
    """Slices written in place; out of place the same through `cat` and `where`."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if self.inplace:
            kept = y * 1.0
            y[:, :2] = F.relu(y[:, :2])
            y[:, 2:4, ::2] *= 0.5
            y[:, 4:].clamp_(min=0)
            z = self.second(y)
            z[:, :, 1:] += kept[:, :, :-1]
            z.relu_()
        else:
            half = torch.ones(y.shape[2], 1, dtype=y.dtype, device=y.device)
            half[::2] = 0.5
            written = torch.cat([F.relu(y[:, :2]), y[:, 2:4] * half, y[:, 4:].clamp(min=0)], 1)
            z = self.second(written)
            z = F.relu(torch.cat([z[:, :, :1], z[:, :, 1:] + y[:, :, :-1]], 2))
        return self.head(z.mean((2, 3)))


class Curved(nn.Module):
    """Activations of every form, some written by hand."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 10)
        self.d, self.e, self.f = nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 10)
        self.slope = nn.PReLU()
        self.head = nn.Linear(10, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.a(x), 0.2, inplace=self.inplace)
        x = self.slope(self.b(x))
        y = self.c(x)
        x = y * torch.sigmoid(y)
        x = torch.tanh_(self.d(x)) if self.inplace else torch.tanh(self.d(x))
        x = F.elu(self.e(x), inplace=self.inplace)
        y = self.f(x)
        return self.head(y * torch.tanh(F.softplus(y)))


class Signal(nn.Module):
    """Convolutions along time."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(4, 8, 5, padding=2),
            nn.BatchNorm1d(8),
            nn.ReLU(inplace),
            nn.MaxPool1d(2),
            nn.Conv1d(8, 8, 3, dilation=2),
            nn.BatchNorm1d(8),
            nn.ReLU(inplace),
            nn.AdaptiveAvgPool1d(2),
            nn.Flatten(),
            nn.Linear(16, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(inplace),
            nn.Linear(8, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Volume(nn.Module):
    """Convolutions in space."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(2, 4, 3, padding=1),
            nn.BatchNorm3d(4),
            nn.ReLU(inplace),
            nn.MaxPool3d(2),
            nn.Conv3d(4, 6, 2),
            nn.ELU(inplace=inplace),
            nn.AvgPool3d((1, 2, 2)),
            nn.Flatten(),
            nn.Linear(18, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Dense(nn.Module):
    """Dense layers alone."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 16), nn.ReLU(inplace), nn.Linear(16, 16), nn.ReLU(inplace), nn.Linear(16, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Named(nn.Module):
    """Several outputs by name."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(inplace), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.aside, self.head = nn.Linear(24, 3), nn.Linear(24, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.body(x)
        return {"aside": self.aside(y), "out": self.head(y)}


class Sequence(nn.Module):
    """The batch on the second axis in between."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.embed, self.mix, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.embed(x.permute(1, 0, 2)), inplace=self.inplace)
        y = F.relu(self.mix(y) + y, inplace=self.inplace)
        return self.head(y.mean(0))


class Windowed(nn.Module):
    """Windows of a picture on the axis of the batch, as Swin."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.embed, self.mix, self.head = nn.Conv2d(3, 6, 2, 2), nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.embed(x).permute(0, 2, 3, 1)
        batch, height, width, channels = y.shape
        w = y.view(batch, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, channels)
        w = F.relu(self.mix(w)) + w.mean(1, keepdim=True)
        w = (
            w.view(batch, height // 4, width // 4, 4, 4, channels)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(batch, height, width, channels)
        )
        return self.head((y + w).mean((1, 2)))


class Attending(nn.Module):
    """Self-attention and a gated feed-forward layer."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.norm, self.second = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        self.wide, self.narrow, self.head = nn.Linear(8, 24), nn.Linear(12, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(batch, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.project(y)
        x = x + self.narrow(F.glu(self.wide(self.second(x)), -1))
        return self.head(x[:, 0])


class Seeing(nn.Module):
    """Patches, a class token, positions, attention by hand, as ViT."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.patches, self.token, self.places = (
            nn.Conv2d(3, 8, 4, 4),
            nn.Parameter(torch.ones(8)),
            nn.Parameter(torch.ones(17, 8)),
        )
        self.norm, self.second, self.last = nn.LayerNorm(8), nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        self.wide, self.narrow, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 5)
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(y.shape[0], 1, 8), y], 1)
        y = y.add_(self.places) if self.inplace else y + self.places
        q, k, v = self.qkv(self.norm(y)).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.transpose(-1, -2) / 2.0, -1)
        y = y + self.project((weights @ v).transpose(1, 2).flatten(2))
        y = y + self.narrow(F.gelu(self.wide(self.second(y))))
        return self.head(self.last(y)[:, 0])


class Speaking(nn.Module):
    """Root-mean-square norms by hand, rotary positions, grouped queries, a causal mask, SwiGLU, as Llama."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.first, self.second, self.last = (nn.Parameter(torch.ones(8)) for _ in range(3))
        self.q, self.k, self.v = nn.Linear(8, 8, bias=False), nn.Linear(8, 4, bias=False), nn.Linear(8, 4, bias=False)
        self.project, self.head = nn.Linear(8, 8, bias=False), nn.Linear(8, 5, bias=False)
        self.opens, self.up, self.down = (
            nn.Linear(8, 12, bias=False),
            nn.Linear(8, 12, bias=False),
            nn.Linear(12, 8, bias=False),
        )
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        y = self.normed(x, self.first)
        q = self.turned(self.q(y).unflatten(-1, (2, 4)).transpose(1, 2))
        k = self.turned(self.k(y).unflatten(-1, (1, 4)).transpose(1, 2)).repeat_interleave(2, 1)
        v = self.v(y).unflatten(-1, (1, 4)).transpose(1, 2).expand(-1, 2, -1, -1)
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        scores = (q @ k.transpose(-1, -2) * 0.5).masked_fill(ahead, float("-inf"))
        y = self.project((torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2))
        x = y.add_(x) if self.inplace else x + y
        y = self.normed(x, self.second)
        x = x + self.down(F.silu(self.opens(y), inplace=self.inplace) * self.up(y))
        return self.head(self.normed(x, self.last)[:, -1])

    def normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def turned(self, x: Tensor) -> Tensor:
        angles = torch.arange(x.shape[2], dtype=x.dtype, device=x.device).unsqueeze(1) / torch.tensor([1.0, 10.0, 1.0, 10.0]).to(
            x
        )
        return x * angles.cos() + torch.cat([-x[..., 2:], x[..., :2]], -1) * angles.sin()


class Recurrent(nn.Module):
    """An LSTM over a sequence."""

    def __init__(self, inplace: bool):
        super().__init__()
        self.cell, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0][:, -1])


# -- cases ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """A network, an input for it, and something to ask.

    Arguments:
        make: The network, built in place or not.
        shape: The shape of one sample.
        target: What is explained.
        contrast: Another target, to subtract.
        maps: Whether it computes maps over places that lead to the target.
        attends: Whether its tokens attend to one another.
    """

    make: Callable[[bool], nn.Module]
    shape: tuple[int, ...]
    target: Any = 1
    contrast: Any = 3
    maps: bool = True
    attends: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__.lower()

    def net(self, dtype: torch.dtype = torch.float32, *, inplace: bool = False) -> nn.Module:
        """The network, in eval mode; the same object for the same question."""
        return _net(self, dtype, inplace)

    def inputs(self, dtype: torch.dtype = torch.float32, batch: int = BATCH) -> Tensor:
        return torch.randn(batch, *self.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(11)).to(dtype)


@cache
def _net(case: Case, dtype: torch.dtype, inplace: bool) -> nn.Module:
    net = case.make(inplace).double().eval()
    settle(net, case.shape)
    return net.to(dtype)


@torch.no_grad()
def settle(net: nn.Module, shape: tuple[int, ...], *, seed: int = 0, batch: int = 16) -> None:
    """Weights as if trained: variance kept between layers, biases of both signs, norms with the statistics of what they see."""
    rng = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        gain = (2 / fan) ** 0.5 if parameter.dim() > 1 else 0.2
        parameter.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64) * gain)
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm | nn.LayerNorm | nn.GroupNorm)]
    for norm in norms:
        if norm.weight is not None:
            norm.weight.copy_(torch.rand(norm.weight.shape, generator=rng, dtype=torch.float64) + 0.5)
    batch_norms = [norm for norm in norms if isinstance(norm, nn.modules.batchnorm._BatchNorm)]
    for norm in batch_norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if batch_norms:
        dtype = next(net.parameters()).dtype
        net(torch.randn(batch, *shape, generator=rng, dtype=torch.float64).to(dtype))
    for norm in batch_norms:
        norm.eval()


PICTURE = (3, 16, 16)
MASK = torch.zeros(32, 32, dtype=torch.bool)
MASK[4:20, 10:30] = True
CASES = [
    Case(Dense, (12,), maps=False),
    Case(Plain, PICTURE),
    Case(Residual, PICTURE),
    Case(Mobile, PICTURE),
    Case(Efficient, PICTURE),
    Case(Concatenated, PICTURE),
    Case(Branched, PICTURE),
    Case(Shuffled, PICTURE),
    Case(Normed, PICTURE),
    Case(Grouped, PICTURE),
    Case(Segmenting, PICTURE, pl.mask(1, MASK), pl.mask(3, MASK)),
    Case(Functional, PICTURE),
    Case(Written, PICTURE),
    Case(Curved, (10,), maps=False),
    Case(Signal, (4, 24)),
    Case(Volume, (2, 8, 8, 8)),
    Case(Named, PICTURE),
    Case(Sequence, (5, 6)),
    Case(Windowed, PICTURE),
    Case(Attending, (5, 8), attends=True),
    Case(Seeing, PICTURE, maps=False, attends=True),
    Case(Speaking, (5, 8), maps=False, attends=True),
    Case(Recurrent, (6, 6)),
]
CASE = {case.name: case for case in CASES}


# -- containers -----------------------------------------------------------------------------------------------------------


def eager(case: Case, dtype: torch.dtype, inplace: bool) -> Any:
    return case.net(dtype, inplace=inplace)


def scripted(case: Case, dtype: torch.dtype, inplace: bool) -> Any:
    return torch.jit.script(case.net(dtype, inplace=inplace))


def traced(case: Case, dtype: torch.dtype, inplace: bool) -> Any:
    return torch.jit.trace(case.net(dtype, inplace=inplace), case.inputs(dtype), strict=False)


def exported(case: Case, dtype: torch.dtype, inplace: bool) -> Any:
    return torch.export.export(case.net(dtype, inplace=inplace), (case.inputs(dtype),))


CONTAINERS: dict[str, Callable[[Case, torch.dtype, bool], Any]] = {
    "eager": eager,
    "scripted": scripted,
    "traced": traced,
    "exported": exported,
}


@cache
def contained(container: str, case: Case, dtype: torch.dtype = torch.float32, inplace: bool = False) -> Any:
    """The network of a case in a container. What PyTorch has to say about its own tracing is no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CONTAINERS[container](case, dtype, inplace)


def suits(method: str, case: Case) -> bool:
    """Whether a method can be asked about a network at all."""
    return (not ENTRY[method].maps or case.maps) and (not ENTRY[method].attends or case.attends)


def home(method: str) -> Case:
    """A network that a method can be asked about: the plain one, unless it needs attention."""
    return CASE["attending" if ENTRY[method].attends else "plain"]


@cache
def made(method: str) -> Any:
    """A method of the catalogue, with settings under which laws are quick."""
    return ENTRY[method].make(**QUICK.get(method, {}))


def explain(case: Case, method: Any, dtype: torch.dtype = torch.float32, **options: Any) -> pl.Explanation:
    """The explanation that most laws are about: the eager network, nothing in place, the whole batch."""
    chosen = made(method) if isinstance(method, str) else method
    return pl.explain(case.net(dtype), case.inputs(dtype), target=case.target, method=chosen, **options)


@cache
def expected(case: Case, method: str, dtype: torch.dtype = torch.float32) -> pl.Explanation:
    """The same, remembered."""
    return explain(case, method, dtype)


@cache
def precision(case: Case, method: str) -> torch.dtype:
    """float32 where its rounding leaves room for laws that hold to 1e-5; float64 elsewhere.

    Where contributions cancel, or where shares are taken of sums near zero (as LRP-0 does), another order of summation moves a
    float32 map by more than that. Such a case is judged in float64, to the same bound.
    """
    rounding = difference(expected(case, method).values, expected(case, method, torch.float64).values)
    return torch.float32 if rounding <= 1e-6 else torch.float64


def difference(a: Tensor, b: Tensor) -> float:
    """How far two maps are apart at their worst entry, relative to the greatest entry of each sample.

    Example:
        >>> difference(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]]))
        0.5
    """
    assert a.shape == b.shape
    a, b = a.double().flatten(1), b.double().flatten(1)
    greatest = torch.maximum(a.abs().amax(1), b.abs().amax(1)).clamp(min=torch.finfo(torch.float64).tiny)
    return float(((a - b).abs().amax(1) / greatest).max())


# -- over what laws run ---------------------------------------------------------------------------------------------------

each_case = pytest.mark.parametrize("case", CASES, ids=list(CASE))
each_method = pytest.mark.parametrize("method", EVERY)
each_method_for_vectors = pytest.mark.parametrize(
    "method", [name for name in EVERY if not (ENTRY[name].maps or ENTRY[name].attends)]
)
each_relevance = pytest.mark.parametrize("method", RELEVANCE)
