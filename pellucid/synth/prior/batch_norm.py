"""BatchNorm: a penalty on activations whose statistics differ from those that batch norms hold of the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pellucid.errors import MethodError
from ..frame import Frame
from .per_picture import Values, channels_by_place


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """The distance of each channel's mean and variance from those that the batch norms hold of the training data.

        sum over layers of w_l (|mean(z_l) - running mean|_2 + |var(z_l) - running variance|_2)

    References: Yin et al., 2020, Dreaming to distill: data-free knowledge transfer via DeepInversion, Eq. 4,
        https://doi.org/10.1109/CVPR42600.2020.00874. Departure: the paper takes mean and variance over a large batch of pictures,
        which ties them to one another; we take them over the places and views of each picture, which then is the same alone and
        in a batch. `together` is the paper's.

    Arguments:
        layers: The statistics of the batch norms, see `BatchNorm.of`.
        weight: Of the penalty.
        first: How much more the first layer counts (10 in the paper's code).
        together: Whether the statistics are of all pictures at once. Each then gets an equal share of the penalty, and depends
            on the others.

    Raises:
        MethodError: the network has no batch norm with running statistics.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
        >>> prior = BatchNorm.of(net)
        >>> prior.addresses
        ('1',)
        >>> standard = torch.tensor([-1.0, 1.0]).repeat(1, 2, 8, 1)  # mean 0 and variance 1, as a fresh batch norm holds
        >>> prior(standard, Frame((1, 8, 2)), {"1": standard}).round(decimals=3)
        tensor([0.])
    """

    layers: Sequence[RunningStatistics]
    weight: float = 1.0
    first: float = 10.0
    together: bool = False

    @classmethod
    def of(cls, module: nn.Module, weight: float = 1.0, first: float = 10.0, *, together: bool = False) -> BatchNorm:
        """All batch norms of a network, in the order of its modules."""
        norms = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, _BatchNorm)]
        layers = tuple(RunningStatistics.of(name, layer) for name, layer in norms if layer.running_mean is not None)
        if not layers:
            raise MethodError(
                "A prior from batch norm statistics", f"none in {type(module).__name__}",
                "a network without batch norm holds no statistics of its training data",
                "Take another prior: TotalVariation and L2 fit any network.",
            )  # fmt: skip
        return cls(layers, weight, first, together)

    def __repr__(self) -> str:
        text = f"{len(self.layers)} layers, weight={self.weight}, first={self.first}, together={self.together}"
        return f"BatchNorm({text})"

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(layer.at for layer in self.layers)

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        groups, total = 1 if self.together else len(pictures), torch.zeros(len(pictures), device=pictures.device)
        for k, layer in enumerate(self.layers):
            total = total + (self.first if k == 0 else 1.0) * layer.distance(values[layer.at], groups)
        return total * groups / len(pictures)


@dataclass(frozen=True, eq=False)
class RunningStatistics:
    """The running mean and variance of a batch norm, and the gain and offset that lead to its output: (channels,)."""

    at: str
    mean: Tensor
    variance: Tensor
    gain: Tensor
    offset: Tensor

    @classmethod
    def of(cls, at: str, layer: Any) -> RunningStatistics:
        mean, variance = layer.running_mean.detach().clone(), layer.running_var.detach().clone()
        scale = torch.ones_like(mean) if layer.weight is None else layer.weight.detach()
        gain = scale / (variance + layer.eps).sqrt()
        return cls(at, mean, variance, gain, torch.zeros_like(mean) if layer.bias is None else layer.bias.detach().clone())

    def distance(self, output: Tensor, groups: int) -> Tensor:
        """The distance of each group of samples: (groups,). Channels that the layer scales by 0 do not count."""
        spread = (1, -1, *[1] * (output.dim() - 2))
        used = self.gain != 0
        gain = torch.where(used, self.gain, 1.0)
        z = ((output - self.offset.reshape(spread)) / gain.reshape(spread) + self.mean.reshape(spread)).to(self.mean.dtype)
        z = channels_by_place(z, groups)
        mean, variance = z.mean(2) - self.mean, z.var(2, unbiased=False) - self.variance
        return ((mean * used).square().sum(1) + 1e-12).sqrt() + ((variance * used).square().sum(1) + 1e-12).sqrt()
