"""Equivalent models: copies that compute the same function in another way."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from pellucid.core.random import stream
from pellucid.model import Model
from pellucid.model.hooks import listening
from .random_weights import copy_model

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
PADS: dict[int, type[nn.Module]] = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}
DENSE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class ShiftedInput(nn.Module):
    """A network behind a subtraction: g(x) = f(x - m)."""

    def __init__(self, net: nn.Module, m: float) -> None:
        super().__init__()
        self.net, self.m = net, m
        self.training = net.training

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x - self.m)
        return out


class Halves(nn.Module):
    """A dense layer or a convolution as the sum of two: (W / 2 + D) x + b + (W / 2 - D) x, D random.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> whole, halves = layer(torch.ones(1, 1)), Halves(layer, torch.Generator().manual_seed(0))(torch.ones(1, 1))
        >>> bool((whole - halves).abs() < 1e-5)
        True
    """

    def __init__(self, layer: nn.Module, rng: torch.Generator) -> None:
        super().__init__()
        self.first, self.second = copy.deepcopy(layer), copy.deepcopy(layer)
        self.training = layer.training
        weight = layer.get_parameter("weight").detach()
        noise = torch.randn(weight.shape, generator=rng, dtype=torch.float64).to(weight)
        for half, sign in ((self.first, 1), (self.second, -1)):
            half.weight = nn.Parameter(weight / 2 + sign * weight.std(correction=0) * noise, requires_grad=False)
        self.second.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.first(x) + self.second(x)
        return out

    @property
    def weight(self) -> Tensor:
        """For networks that look at it."""
        return self.first.get_parameter("weight") + self.second.get_parameter("weight")

    @property
    def bias(self) -> Tensor | None:
        return None if self.first.bias is None else self.first.get_parameter("bias")


def shift_input(model: Model, x: Tensor, m: float) -> tuple[Model, bool]:
    """A copy that says of x + m what the model says of x, and whether the shift went into the bias of its first layer.

    Where the samples do not go straight into a dense layer or a convolution, m is subtracted before the model.
    """
    made = copy_model(model)
    assert made.module is not None
    path = _first_layer(made.module, x)
    if path is None:
        net: nn.Module = ShiftedInput(made.module, m)
        return replace(made, forward=net, module=net), False
    return _replace_layer(made, path, _fold_shift(made.module.get_submodule(path), m)), True


def split_layers(model: Model, seed: int) -> tuple[Model, int]:
    """A copy whose dense layers and convolutions are sums of two, and how many of them there are."""
    made, number = copy_model(model), 0
    assert made.module is not None
    for path, layer in list(made.module.named_modules()):
        if type(layer) in DENSE:
            made = _replace_layer(made, path, Halves(layer, stream("halves", seed, path)))
            number += 1
    return made, number


def _first_layer(net: nn.Module, x: Tensor) -> str | None:
    """The path of the dense layer or convolution that the samples go straight into; None without one."""
    names = {id(child): name for name, child in net.named_modules() if type(child) in DENSE and not child._forward_pre_hooks}
    found: list[str] = []

    def look(path: str, args: tuple[Tensor, ...]) -> None:
        if not found and args and args[0].shape == x.shape and torch.equal(args[0], x):
            found.append(path)

    with listening(names, enter=look), torch.no_grad():
        net(x.clone())
    return found[0] if found else None


@torch.no_grad()
def _fold_shift(layer: nn.Module, m: float) -> nn.Module:
    """A layer that takes x + m for x: the bias has W m less, and where zeros are padded m is."""
    weight = layer.get_parameter("weight")
    before = torch.zeros_like(weight[:, 0]).flatten(1)[:, 0] if layer.bias is None else layer.get_parameter("bias")
    layer.bias = nn.Parameter(before - m * weight.flatten(1).sum(1), requires_grad=False)
    if isinstance(layer, nn.Linear) or layer.padding_mode != "zeros":
        return layer  # what is padded from the sample itself is shifted with it
    assert isinstance(layer, Convolution)
    pads = _pads(layer)
    layer.padding = (0,) * len(layer.kernel_size)
    made = nn.Sequential(PADS[len(layer.kernel_size)](pads, m), layer) if any(pads) else layer
    return made.train(layer.training)


def _pads(layer: Convolution) -> tuple[int, ...]:
    """The padding before and after every axis, the last axis first."""
    each: list[tuple[int, int]] = []
    for axis, size in enumerate(layer.kernel_size):
        total = layer.dilation[axis] * (size - 1) if layer.padding == "same" else 0
        given = 0 if isinstance(layer.padding, str) else layer.padding[axis]
        each.append((total // 2, total - total // 2) if layer.padding == "same" else (given, given))
    return tuple(pad for pair in reversed(each) for pad in pair)


def _replace_layer(model: Model, path: str, layer: nn.Module) -> Model:
    """The model with another module at a path; its own copy is changed."""
    if not path:
        return replace(model, forward=layer, module=layer)
    assert model.module is not None
    parent, _, name = path.rpartition(".")
    setattr(model.module.get_submodule(parent), name, layer)
    return model
