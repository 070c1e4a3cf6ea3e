"""Reach: `lrp` as it comes explains the architectures people use, bounded and with closed books, and needs no fallback."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from tests.cases import RELEVANCE

Build = Callable[[], nn.Module]


def vision(name: str, **options: Any) -> Build:
    """From torchvision, random weights."""

    def build() -> nn.Module:
        import torchvision

        return getattr(torchvision.models, name)(weights=None, **options)

    return build


def segmentation(name: str) -> Build:
    def build() -> nn.Module:
        import torchvision

        return getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None, num_classes=5)

    return build


def image(name: str) -> Build:
    """From timm, random weights."""

    def build() -> nn.Module:
        import timm

        return timm.create_model(name, pretrained=False)

    return build


def signal() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(4, 32, 7, padding=3),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(32, 64, 5, padding=2),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(64, 6),
    )


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


def twice(before: int, after: int) -> nn.Sequential:
    layers = [
        layer
        for n in (before, after)
        for layer in (nn.Conv2d(n, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True))
    ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Two levels down and up, transposed convolutions, a map of scores (Ronneberger et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([twice(3, 8), twice(8, 16), twice(16, 32)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)])
        self.join = nn.ModuleList([twice(32, 16), twice(16, 8)])
        self.head = nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for block in self.down[:-1]:
            kept.append(block(x))
            x = F.max_pool2d(kept[-1], 2)
        x = self.down[-1](x)
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([kept.pop(), up(x)], 1))
        return self.head(x)


PICTURE, WIDE = (3, 64, 64), (3, 96, 96)
# The architectures of the promise, each at a size at which it still has something to see.
REACH: dict[str, tuple[Build, tuple[int, ...]]] = {
    "VGG": (vision("vgg11", init_weights=False, num_classes=50), PICTURE),
    "ResNet": (vision("resnet18"), PICTURE),
    "ResNeXt": (vision("resnext50_32x4d"), PICTURE),
    "Wide-ResNet": (vision("wide_resnet50_2"), PICTURE),
    "DenseNet": (vision("densenet121"), PICTURE),
    "GoogLeNet": (vision("googlenet", aux_logits=False, init_weights=False), PICTURE),
    "Inception v3": (vision("inception_v3", aux_logits=False, init_weights=False), WIDE),
    "MobileNet v2": (vision("mobilenet_v2"), PICTURE),
    "MobileNet v3": (vision("mobilenet_v3_large"), PICTURE),
    "EfficientNet b0": (image("efficientnet_b0"), PICTURE),
    "EfficientNet v2-s": (image("tf_efficientnetv2_s"), PICTURE),
    "MNASNet": (vision("mnasnet1_0"), PICTURE),
    "ShuffleNet v2": (vision("shufflenet_v2_x1_0"), PICTURE),
    "SqueezeNet": (vision("squeezenet1_1"), PICTURE),
    "RegNet": (image("regnety_008"), PICTURE),
    "ConvNeXt": (vision("convnext_tiny"), PICTURE),
    "SE-ResNet": (image("seresnet50"), PICTURE),
    "NFNet": (image("dm_nfnet_f0"), PICTURE),
    "HRNet": (image("hrnet_w18_small"), PICTURE),
    "DLA": (image("dla34"), PICTURE),
    "RepVGG": (image("repvgg_a0"), PICTURE),
    "GhostNet": (image("ghostnet_100"), PICTURE),
    "CSP-DarkNet": (image("cspdarknet53"), PICTURE),
    "FCN": (segmentation("fcn_resnet50"), PICTURE),
    "DeepLab": (segmentation("deeplabv3_resnet50"), PICTURE),
    "1-D CNN": (signal, (4, 128)),
    "MLP": (perceptron, (30,)),
    "U-Net": (UNet, (3, 32, 32)),
}
# More of the kind: other sizes, other ways to wire convolutions.
FURTHER: dict[str, tuple[Build, tuple[int, ...]]] = {
    "VGG16": (vision("vgg16"), PICTURE),
    "VGG16-BN": (vision("vgg16_bn"), PICTURE),
    "AlexNet": (vision("alexnet"), PICTURE),
    "ResNet50": (vision("resnet50"), WIDE),
    "ResNet50 of timm": (image("resnet50"), WIDE),
    "EfficientNet lite0": (image("tf_efficientnet_lite0"), WIDE),
    "Inception-ResNet v2": (image("inception_resnet_v2"), WIDE),
    "VoVNet": (image("vovnet39a"), PICTURE),
    "HardCoRe-NAS": (image("hardcorenas_a"), PICTURE),
    "ConvNeXt of timm": (image("convnext_tiny"), PICTURE),
    "ConvNeXt v2": (image("convnextv2_tiny"), PICTURE),
    "LR-ASPP": (segmentation("lraspp_mobilenet_v3_large"), PICTURE),
}
SEGMENTING = ("FCN", "DeepLab", "LR-ASPP", "U-Net")
QUICK = ("ResNet", "MobileNet v3", "SqueezeNet", "ConvNeXt", "RepVGG", "GoogLeNet", "RegNet", "1-D CNN", "MLP", "U-Net")


@torch.no_grad()
def sensible(net: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Random weights as training would leave them: nothing switched off at the start, norms with the statistics of data."""
    rng = torch.Generator().manual_seed(1)
    for module in net.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.numel() and weight.abs().max() < 1e-3:  # made to start as the identity
            norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
            weight.copy_(torch.full_like(weight, 0.5) if norm else torch.randn(weight.shape, generator=rng) * 0.02)
    for name, parameter in net.named_parameters():
        scales = name.endswith(("gamma", "layer_scale", "skip_gain")) or ".ls" in name
        if scales and parameter.abs().max() < 1e-2:
            parameter.fill_(0.2)
    norms = [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    for _ in range(2 if norms else 0):
        net(torch.randn(4, *shape, generator=rng))
    return net.eval()


def build(name: str) -> tuple[nn.Module, Tensor, Any]:
    """The network, an input, and what to ask."""
    make, shape = (REACH | FURTHER)[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = sensible(make(), shape)
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(shape[-2:], dtype=torch.bool) if len(shape) == 3 else None
    if mask is not None:
        mask[8:40, 4:30] = True
    return net, x, pl.mask(None, mask) if name in SEGMENTING else None


def check(e: pl.Explanation) -> None:
    assert e.values.isfinite().all() and e.values.any()
    assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all(), e.ledger.sentence()


@pytest.fixture(autouse=True)
def forget():
    """Large networks go before the next one comes."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", REACH)
def test_the_default_reaches_the_input_bounded_and_without_a_fallback(name: str):
    net, x, target = build(name)
    e = pl.explain(net, x, target=target, strict=True)
    check(e)
    assert e.values.sum().abs() <= 2 * e.ledger.seed.abs(), e.caption()
    assert "native fallback" not in e.ledger.by_cause()
    assert e.values.abs().sum() >= 0.1 * e.ledger.seed.abs(), "and something of it arrives"


@pytest.mark.slow
@pytest.mark.parametrize("name", FURTHER)
def test_further_architectures_too(name: str):
    test_the_default_reaches_the_input_bounded_and_without_a_fallback(name)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in REACH | FURTHER]
)
def test_every_preset_closes_its_books(name: str):
    net, x, target = build(name)
    for method in RELEVANCE:
        e = pl.explain(net, x, target=target, method=method, strict=True)
        assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all(), (method, e.ledger.sentence())
        assert method == "lrp.zero" or e.values.isfinite().all(), method  # without a stabiliser a sum near zero may overflow


@pytest.mark.parametrize("name", ["U-Net", "FCN"])
def test_a_segmentation_is_explained_where_the_mask_is(name: str):
    """What stands far from the mask cannot matter to a class score over it."""
    net, x, _ = build(name)
    mask = torch.zeros(x.shape[-2:], dtype=torch.bool)
    mask[:4, :4] = True
    e = pl.explain(net, x, target=pl.mask(2, mask), strict=True)
    check(e)
    with torch.no_grad():
        out = net(x)
    out = out["out"] if isinstance(out, dict) else out
    assert float(e.output) == pytest.approx(float(out[0, 2][mask].mean()), rel=1e-3)
    assert e.target == "mean score of class 2 over a mask"
    if name == "U-Net":  # its field of view is 22 positions around
        assert not e.values[:, :, 28:, 28:].any() and e.values[:, :, :4, :4].any()
