"""Who is compared: how each library is asked for relevance.

Every entry prepares what can be prepared once, and returns the call that is measured: from the network and the input to the map.
Libraries that change the network they are given get a copy of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from nets import Case
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import pellucid as pl

Call = Callable[[], Tensor]
Prepare = Callable[[Case], Call]


def gradient(case: Case) -> Call:
    """The derivative of the classes' values with respect to the input: what all times are in units of."""
    rows = torch.arange(len(case.x), device=case.x.device)

    def call() -> Tensor:
        x = case.x.detach().clone().requires_grad_(True)
        return torch.autograd.grad(case.net(x)[rows, case.classes].sum(), x)[0]

    return call


def pellucid(name: str) -> Prepare:
    """A method of the catalogue."""

    def prepare(case: Case) -> Call:
        model, classes = pl.load(case.net, preprocess=case.preprocess), case.classes.tolist()
        return lambda: pl.explain(model, case.x, classes, name).values

    return prepare


def compiled(name: str) -> Prepare:
    """The same of a network that is traced once."""

    def prepare(case: Case) -> Call:
        classes = case.classes.tolist()
        model = pl.compile(pl.load(case.net, preprocess=case.preprocess), case.x)
        return lambda: pl.explain(model, case.x, classes, name).values

    return prepare


def captum(case: Case) -> Call:
    """captum's LRP: epsilon for all it knows."""
    attribution = import_module("captum.attr").LRP(copy.deepcopy(case.net))
    return lambda: attribution.attribute(case.x.detach().clone(), target=case.classes).detach()


def zennit(name: str) -> Prepare:
    """A composite of zennit's, with the canonizer it brings for the network, seeded with the classes' values."""

    def prepare(case: Case) -> Call:
        net, rows = copy.deepcopy(case.net), torch.arange(len(case.x), device=case.x.device)
        composite = _composite(name, case, _canonizers(net))

        def call() -> Tensor:
            x = case.x.detach().clone().requires_grad_(True)
            with composite.context(net) as hooked:
                y = hooked(x)
                seed = torch.zeros_like(y).index_put((rows, case.classes), y.detach()[rows, case.classes])
                return torch.autograd.grad(y, x, seed)[0]

        return call

    return prepare


def _composite(name: str, case: Case, canonizers: list[Any]) -> Any:
    composites, rules, types = (import_module(f"zennit.{part}") for part in ("composites", "rules", "types"))
    if name == "Epsilon":
        linear = [(types.Convolution, rules.Epsilon()), (nn.Linear, rules.Epsilon())]
        return composites.LayerMapComposite(composites.layer_map_base() + linear, canonizers=canonizers)
    box = {}
    if name.endswith("Box"):
        assert case.preprocess is not None
        low, high = (bound.to(case.x)[None] for bound in case.preprocess.bounds())
        box = {"low": low, "high": high}
    return getattr(composites, name)(canonizers=canonizers, **box)


def _canonizers(net: nn.Module) -> list[Any]:
    """torchvision's residual nets and VGG have their own in zennit; else it merges the batch norms that follow in sequence."""
    resnet, vgg = import_module("torchvision.models.resnet"), import_module("torchvision.models.vgg")
    theirs = import_module("zennit.torchvision")
    if any(isinstance(module, resnet.Bottleneck | resnet.BasicBlock) for module in net.modules()):
        return [theirs.ResNetCanonizer()]
    if isinstance(net, vgg.VGG):
        return [theirs.VGGCanonizer()]
    merges = any(isinstance(module, _BatchNorm) for module in net.modules())
    return [import_module("zennit.canonizers").SequentialMergeBatchNorm()] if merges else []


def autolrp(preset: str | None = None) -> Prepare:
    """autolrp with its defaults, or a preset. It seeds with one: for a single sample the map is scaled to the class's value."""

    def prepare(case: Case) -> Call:
        library, net, rows = import_module("autolrp"), copy.deepcopy(case.net), torch.arange(len(case.x), device=case.x.device)
        config = {"config": getattr(library.LRPConfig, preset)()} if preset else {}

        def call() -> Tensor:
            x = library.tensor(case.x.detach().clone())
            y = net(x)[rows, case.classes].sum()
            y.lrp(**config)
            R: Tensor = x.relevance.detach().as_subclass(Tensor)
            return R * y.detach().as_subclass(Tensor) if len(rows) == 1 else R

        return call

    return prepare


HILRP_SHIMS = "hilrp"  # brings what lxt 2.1 lacks to import beside transformers 5


def lxt(name: str, build: Callable[[], Case]) -> Call:
    """LXT's AttnLRP as gradient times input. It patches classes of the whole process, before the network is built."""
    efficient = _lxt()
    if name.startswith("torchvision:vit"):
        efficient.monkey_patch(import_module("torchvision.models.vision_transformer"))
    else:
        family = name.partition(":")[2]
        efficient.monkey_patch(import_module(f"transformers.models.{family}.modeling_{family}"))
    case = build()

    def call() -> Tensor:
        x = case.x.detach().clone().requires_grad_(True)
        (grad,) = torch.autograd.grad(case.net(x)[0, int(case.classes[0])], x)
        return (grad * x).detach()

    return call


def _lxt() -> Any:
    try:
        return import_module("lxt.efficient")
    except ImportError:
        import_module(HILRP_SHIMS)
        return import_module("lxt.efficient")


def hilrp(case: Case) -> Call:
    """hilrp's attribution, which knows some of timm's networks and chooses the class it predicts."""
    attribute = import_module("hilrp").attribute
    return lambda: attribute(copy.deepcopy(case.net), case.x)["pixel_map"].detach()
