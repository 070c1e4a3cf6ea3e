"""The nets behind the frozen maps of DeepLIFT, guided backpropagation and the deconvnet: such as captum can explain.

Every activation is a module, and used once. Weights come from a seed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Layers = tuple[list[nn.Module], tuple[int, ...]]


class Once(nn.Module):
    """1 x: keeps captum's rule for a module from being lost to that of the module right after it."""

    def forward(self, x: Tensor) -> Tensor:
        return 1 * x


def conv() -> Layers:
    return [
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), Once(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 3),
    ], (2, 6, 6)  # fmt: skip


def normed() -> Layers:
    return [
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ], (2, 6, 6)  # fmt: skip


def curved() -> Layers:
    return [
        nn.Linear(12, 10), nn.Sigmoid(), nn.Linear(10, 10), nn.Tanh(), nn.Linear(10, 10), nn.Softplus(), nn.Linear(10, 10),
        nn.ELU(), nn.Linear(10, 10), nn.LeakyReLU(0.1), nn.Linear(10, 3),
    ], (12,)  # fmt: skip


def signal() -> Layers:
    return [
        nn.Conv1d(2, 4, 3), nn.MaxPool1d(2), Once(), nn.ReLU(), nn.Conv1d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3)
    ], (2, 16)  # fmt: skip


def volume() -> Layers:
    return [nn.Conv3d(1, 3, 2), nn.ReLU(), Once(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(24, 3)], (1, 5, 5, 5)


def adjacent() -> Layers:
    """A pooling right after an activation: captum's DeepLift then takes the gradient of one of them."""
    return [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)], (2, 6, 6)


def overlapping() -> Layers:
    """Windows of a pooling share winners: captum's DeepLift counts one of them."""
    return [nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(3, 1), nn.Flatten(), nn.Linear(64, 3)], (2, 6, 6)


def distributed() -> Layers:
    """A softmax inside: captum's DeepLift centres it over the whole batch."""
    return [nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 3), nn.Softmax(1)], (12,)


NETS = {f.__name__: f for f in (conv, normed, curved, signal, volume, adjacent, overlapping, distributed)}
APART = ("adjacent", "overlapping", "distributed")  # where captum's DeepLift is not what adds up
TARGET = 1


def build(name: str) -> nn.Sequential:
    """The net in float64 and eval mode, batch norms with statistics that are not trivial."""
    layers, _ = NETS[name]()
    net = nn.Sequential(*layers).double().eval()
    rng = torch.Generator().manual_seed(len(name))
    with torch.no_grad():
        for parameter in net.parameters():
            fan = parameter[0].numel() if parameter.dim() > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64) * (2 / fan) ** 0.5)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=rng) * 0.3)
                module.running_var.copy_(torch.rand(module.running_var.shape, generator=rng) + 0.5)
    return net


def inputs(name: str) -> tuple[Tensor, Tensor]:
    """Two samples, and a baseline for each."""
    shape = (2, *NETS[name]()[1])
    x, baseline = (torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in (1, 2))
    return x, baseline
