"""The networks that are measured: torchvision's, timm's, transformers' and some of our own, seeded and in eval mode.

Their weights are random, which leaves two things to mend before relevance means anything: branches that start out switched off,
and batch norms that have seen no data.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
import toys
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import pellucid as pl
from pellucid.verbs.verify.checks import zero_offsets

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "source": "ImageNet's usual statistics"}
CONVOLUTIONAL = """
    zoo:efficientnet_lite0 torchvision:alexnet torchvision:vgg16 torchvision:vgg16_bn torchvision:resnet18
    torchvision:resnet50 torchvision:resnext50_32x4d torchvision:wide_resnet50_2 torchvision:densenet121
    torchvision:googlenet torchvision:inception_v3 torchvision:mobilenet_v2 torchvision:mobilenet_v3_large
    torchvision:mnasnet1_0 torchvision:shufflenet_v2_x1_0 torchvision:squeezenet1_1 torchvision:regnet_y_400mf
    torchvision:convnext_tiny torchvision:fcn_resnet50 torchvision:deeplabv3_resnet50 timm:resnet50 timm:seresnet50
    timm:regnety_008 timm:efficientnet_b0 timm:tf_efficientnet_lite0 timm:tf_efficientnetv2_s timm:ghostnet_100
    timm:repvgg_a0 timm:hrnet_w18_small timm:dla34 timm:inception_resnet_v2 timm:dm_nfnet_f0 timm:cspdarknet53
    timm:vovnet39a timm:hardcorenas_a timm:convnext_tiny timm:convnextv2_tiny toy:cnn1d toy:mlp toy:unet
""".split()
OTHERS = """
    torchvision:vit_b_16 torchvision:swin_t timm:vit_small_patch16_224 timm:vit_base_patch16_224
    timm:deit_small_patch16_224 timm:swin_tiny_patch4_window7_224 timm:swinv2_cr_tiny_ns_224
    timm:swinv2_tiny_window8_256 timm:maxvit_nano_rw_256 timm:beit_base_patch16_224 timm:eva02_tiny_patch14_224
    timm:mixer_b16_224 timm:resmlp_12_224 timm:gmlp_s16_224 timm:poolformer_s12 timm:edgenext_x_small timm:mobilevit_xs
    timm:levit_128s timm:coatnet_0_rw_224 timm:xcit_nano_12_p16_224 timm:pvt_v2_b0 timm:cait_xxs24_224
    timm:crossvit_9_240 hf:bert hf:distilbert hf:roberta hf:albert hf:electra hf:gpt2 hf:opt hf:llama hf:mistral hf:gemma
    hf:qwen2 hf:mixtral hf:t5 hf:mamba toy:lstm toy:gru toy:rnn toy:lstm_deep_both_ways toy:gru_deep_both_ways
""".split()
SIDES = {
    "timm:swinv2_tiny_window8_256": 256,
    "timm:maxvit_nano_rw_256": 256,
    "timm:mobilevit_xs": 256,
    "timm:crossvit_9_240": 240,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "torchvision:googlenet": {"aux_logits": False, "init_weights": True},
    "torchvision:inception_v3": {"aux_logits": False, "init_weights": False},
}
_declared: list[torch.library.Library] = []  # a declaration lives as long as its library


@dataclass(frozen=True, eq=False)
class Case:
    """What is asked: a network, a batch, and the class to explain of each sample.

    Arguments:
        preprocess: How a picture becomes this network's input; None where it reads no pictures.
    """

    net: nn.Module
    x: Tensor
    classes: Tensor
    preprocess: pl.Preprocess | None

    def seeds(self) -> Tensor:
        """The value of each sample's class."""
        with torch.no_grad():
            return self.net(self.x).gather(1, self.classes[:, None])[:, 0]


def case(name: str, *, side: int = 224, batch: int = 1, device: str = "cpu") -> Case:
    """A network by name, with the cat (and, in a batch, variations of it), asked about the class it predicts."""
    family, _, architecture = name.partition(":")
    declare_torchvision()
    torch.manual_seed(0)
    net = FAMILIES[family](architecture, OPTIONS.get(name, {})).eval()
    preprocess = _preprocess(name, side)
    x = (
        _photographs(preprocess, batch)
        if preprocess
        else torch.randn(batch, *_shape(name), generator=torch.Generator().manual_seed(5))
    )
    if family != "zoo":
        sensible(net, x)
    net, x = net.to(device), x.to(device)
    with torch.no_grad():
        return Case(net, x, net(x).argmax(1), preprocess)


def _preprocess(name: str, side: int) -> pl.Preprocess | None:
    if name.startswith("zoo:"):
        known = pl.load(name.removeprefix("zoo:")).preprocess
        assert known is not None
        return pl.Preprocess((side, side), side * 8 // 7, mean=known.mean, std=known.std, source=known.source)
    if name.startswith(("hf:", "toy:")) and name != "toy:unet":
        return None
    side = SIDES.get(name, side if name in CONVOLUTIONAL else 224)
    return pl.Preprocess((side, side), side * 8 // 7, **IMAGENET)


def _shape(name: str) -> tuple[int, ...]:
    if name == "hf:gpt2-small":
        return (128, 768)
    return (16, 64) if name.startswith("hf:") else toys.SHAPES[name.removeprefix("toy:")]


def _photographs(preprocess: pl.Preprocess, batch: int) -> Tensor:
    """The pictures that come along, then the same mirrored and shifted: as many as asked for."""
    from PIL import Image

    x = torch.stack([preprocess(Image.open(path)) for path in pl.zoo.pictures().values()])
    more = [x if k == 0 else x.flip(3).roll(16 * k, 3) if k % 2 else x.roll(16 * k, 2) for k in range(-(-batch // len(x)))]
    return torch.cat(more)[:batch].contiguous()


@torch.no_grad()
def sensible(net: nn.Module, x: Tensor) -> None:
    """Random weights of the kind that training leaves: no branch switched off, and batch norms with the statistics of noise."""
    rng = torch.Generator().manual_seed(1)
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        if norm.weight is not None and norm.weight.abs().max() < 1e-3:
            norm.weight.fill_(0.5)
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) and module.weight.abs().max() < 1e-3:
            module.weight.copy_(0.02 * torch.randn(module.weight.shape, generator=rng))
    for name, parameter in net.named_parameters():
        if _scales_a_branch(name) and parameter.abs().max() < 1e-2:
            parameter.fill_(0.2)
    if norms:
        _gather_statistics(net, norms, x, rng)


@torch.no_grad()
def without_offsets(net: nn.Module) -> nn.Module:
    """A copy in which nothing speaks but the input: biases, means, position embeddings and tokens of its own are zero.

    The whole of an output then comes from the input, so that relevance that loses nothing sums to it.
    """
    bare = copy.deepcopy(net)
    zero_offsets(bare)
    return bare


@torch.no_grad()
def bias_free(case: Case) -> Case:
    """The same question to a network `without_offsets`."""
    net = without_offsets(case.net)
    return Case(net, case.x, net(case.x).argmax(1), case.preprocess)


def _scales_a_branch(name: str) -> bool:
    last = name.rpartition(".")[2]
    return "gamma" in last or last in ("ls1", "ls2", "layer_scale") or ".ls" in name or "skip_gain" in name


def _gather_statistics(net: nn.Module, norms: list[_BatchNorm], x: Tensor, rng: torch.Generator) -> None:
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    for _ in range(4):
        net(torch.randn(4, *x.shape[1:], generator=rng))
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()


def _torchvision(architecture: str, options: dict[str, Any]) -> nn.Module:
    models = import_module("torchvision.models")
    if hasattr(models.segmentation, architecture):
        return toys.Mask(getattr(models.segmentation, architecture)(weights=None, weights_backbone=None))
    net: nn.Module = getattr(models, architecture)(weights=None, **options)
    return net


def _timm(architecture: str, options: dict[str, Any]) -> nn.Module:
    net: nn.Module = import_module("timm").create_model(architecture, pretrained=False, **options)
    for module in net.modules():
        if hasattr(module, "attention_bias_cache"):  # LeViT's, filled in eval mode with what cannot be copied
            module.attention_bias_cache = {}
    return net


def _zoo(architecture: str, options: dict[str, Any]) -> nn.Module:
    net = pl.load(architecture).module
    assert net is not None
    return net


def declare_torchvision() -> None:
    """Declare two compiled operators that torchvision's import refers to, which its CUDA build lacks beside a CPU torch.

    Nothing here computes with them.
    """
    try:
        needed = not torch.version.cuda and "+" not in version("torchvision")
    except PackageNotFoundError:
        return
    if needed and not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)


FAMILIES = {"torchvision": _torchvision, "timm": _timm, "zoo": _zoo, "hf": toys.language, "toy": toys.toy}
