"""The nets behind the frozen maps: torchvision's, built bit for bit the same from a seed wherever they are built.

Batch norms carry statistics, weights and offsets that are not trivial, and no bias is zero: what is wrong with a fold shows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

CONDITIONS = {  # what relevance has to pass in the small VGG, from the output on: channels by layer
    "two of the last map": [{"features.14": [17]}, {"features.14": [3, 20]}],
    "one of a convolution": [{"features.7": [4]}],
    "one layer after another": [{"features.12": [5, 6, 7, 30], "features.2": list(range(0, 8, 2))}],
    "neurons of the head": [{"classifier.1": [*range(20)]}],
}
NETS = {"vgg16": 1601, "vgg16_bn": 1602, "resnet18": 1801, "resnet50": 5001}  # name -> seed
SEEDS = {**NETS, "small_vgg_bn": 1102}
COMPOSITES = {  # zennit's class -> the name of the same preset in pellucid's catalogue
    "EpsilonPlus": "lrp.epsilon_plus",
    "EpsilonPlusFlat": "lrp.epsilon_plus_flat",
    "EpsilonAlpha2Beta1": "lrp.epsilon_alpha2_beta1",
    "EpsilonAlpha2Beta1Flat": "lrp.epsilon_alpha2_beta1_flat",
    "EpsilonGammaBox": "lrp.epsilon_gamma_box",
    "ExcitationBackprop": "lrp.excitation_backprop",
}
CONDITIONED = ("EpsilonPlus", "EpsilonAlpha2Beta1Flat", "EpsilonGammaBox", "ExcitationBackprop")  # composites with conditions
LOW, HIGH = -3.0, 3.0  # the box of EpsilonGammaBox
TARGETS = (281, 7)  # one per picture
_declared: list[torch.library.Library] = []  # a declaration lives as long as its library


def declare_torchvision() -> None:
    """Declare the two compiled operators that torchvision's registrations name: without a CUDA build it does not import."""
    if _declared or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def build(name: str) -> nn.Module:
    """The net `name` of torchvision in float64 and eval mode, with every parameter and statistic drawn from its seed."""
    declare_torchvision()
    import torchvision

    with _seeded(SEEDS[name]):
        made = small_vgg_bn if name == "small_vgg_bn" else partial(getattr(torchvision.models, name), weights=None)
        net: nn.Module = made().double().eval()
        for module in net.modules():
            _fill(module)
    return net


def small_vgg_bn() -> nn.Module:
    """torchvision's VGG with batch norms, four convolutions deep and at most 32 channels wide."""
    from torchvision.models.vgg import VGG, make_layers

    net = VGG(make_layers([8, "M", 16, "M", 16, 32, "M"], batch_norm=True), num_classes=1, init_weights=False)
    net.classifier = nn.Sequential(nn.Linear(32 * 49, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, 1000))
    return net


def pictures() -> Tensor:
    """Two pictures of noise within the box, with shape (2, 3, 40, 40)."""
    with _seeded(40):
        return torch.randn(2, 3, 40, 40, dtype=torch.float64).clamp(LOW, HIGH)


def checksum(net: nn.Module) -> float:
    """One number that changes with any parameter or statistic: the sum of all magnitudes."""
    return sum(float(value.detach().abs().sum()) for value in net.state_dict().values() if value.is_floating_point())


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@torch.no_grad()
def _fill(module: nn.Module) -> None:
    if isinstance(module, nn.BatchNorm2d):
        module.weight.uniform_(0.5, 1.5)
        module.bias.normal_(0.0, 0.1)
        assert module.running_mean is not None and module.running_var is not None
        module.running_mean.normal_(0.0, 0.1)
        module.running_var.uniform_(0.5, 1.5)
    elif isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        module.bias.normal_(0.0, 0.05)
