"""Feature maps weighted by gradients: Grad-CAM and its successors. One forward and one backward pass."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape import chain_rule, walk
from pellucid.tape.local import single_precision
from .base import CAM, Heat, LayerActivation, weighted_sum


@dataclass(frozen=True)
class OfGradients(CAM):
    """A map from activations and gradients at one layer."""

    by_gradients = True

    @abstractmethod
    def weigh(self, A: Tensor, G: Tensor) -> Tensor:
        """One number per place, (batch, *places), from activations A and gradients G, both (batch, channel, *places)."""

    def heat_of(self, layer: LayerActivation) -> Heat:
        A, end, samples = layer.A, layer.map.id, len(layer.x)
        arrived = walk(layer.tape, layer.resolved.gradients, chain_rule, ends=(end,))
        G = single_precision(layer.map.read(arrived[end])) if end in arrived else torch.zeros_like(A)
        return Heat(self.weigh(A, G), forwards=2 * samples)


@dataclass(frozen=True)
class GradCAM(OfGradients):
    """Grad-CAM: ReLU(sum_k w_k A_k), where w_k is the mean gradient of the target over map k.

    References: Grad-CAM: visual explanations from deep networks via gradient-based localization (Selvaraju et al., 2017),
        Eq. 1-2, https://doi.org/10.1109/ICCV.2017.74

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        ...     torch.nn.Linear(2, 2, bias=False)).eval()
        >>> net[0].weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        >>> net[3].weight.data = torch.tensor([[4.0, 0.0], [0.0, 4.0]])
        >>> import pellucid as pl
        >>> e = pl.explain(net, torch.tensor([[[[1.0, -2.0], [0.0, 3.0]]]]), target=0, method=GradCAM(layer="0"))
        >>> e.values
        tensor([[[[1., 0.],
                  [0., 3.]]]])
        >>> e.notes
        ('Map of layer 0 (2 x 2).',)
    """

    name = "gradcam"

    def weigh(self, A: Tensor, G: Tensor) -> Tensor:
        return weighted_sum(G.flatten(2).mean(2), A)


@dataclass(frozen=True)
class GradCAMPlusPlus(OfGradients):
    """Grad-CAM++: ReLU(sum_k w_k A_k) with w_k = sum_ij a_ij ReLU(G_ij), a_ij = G_ij^2 / (2 G_ij^2 + sum_ab A_ab G_ij^3).

    The paper takes the derivatives of exp(target), which makes the map larger by exp(target) and no different; that factor is
    left out here. The weights of a target twice as large are not twice as large: neither are the paper's.

    Arguments:
        eps: Added to the denominator, which the paper leaves as it is: where it is 0, so is a_ij. The package grad-cam adds 1e-6,
            which is what is done here; gradients below a thousandth then weigh less.

    References: Grad-CAM++: improved visual explanations for deep convolutional networks (Chattopadhay et al., 2018), Eq. 19,
        https://doi.org/10.1109/WACV.2018.00097
    """

    eps: float = 1e-6

    name = "gradcam++"

    def weigh(self, A: Tensor, G: Tensor) -> Tensor:
        G2 = G.square()
        total = A.flatten(2).sum(2).reshape(*A.shape[:2], *[1] * (A.dim() - 2))
        below = 2 * G2 + total * G2 * G + self.eps
        a = torch.where((G == 0) | (below == 0), torch.zeros_like(G), G2 / below)
        return weighted_sum((a * G.relu()).flatten(2).sum(2), A)


@dataclass(frozen=True)
class HiResCAM(OfGradients):
    """HiResCAM: sum_k G_k A_k, place by place. Where one dense layer follows the map, places sum to the score less its bias.

    The paper sets no value to 0: a place may speak against the target.

    References: Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks (Draelos and Carin,
        2020), https://doi.org/10.48550/arXiv.2011.08891
    """

    relu: bool = False

    name = "hirescam"

    def weigh(self, A: Tensor, G: Tensor) -> Tensor:
        return (G * A).sum(1)


@dataclass(frozen=True)
class LayerCAM(OfGradients):
    """LayerCAM: ReLU(sum_k ReLU(G_k) A_k), place by place; of use at early layers, too.

    References: LayerCAM: exploring hierarchical class activation maps for localization (Jiang et al., 2021),
        https://doi.org/10.1109/TIP.2021.3089943
    """

    name = "layercam"

    def weigh(self, A: Tensor, G: Tensor) -> Tensor:
        return (G.relu() * A).sum(1)


@dataclass(frozen=True)
class XGradCAM(OfGradients):
    """XGrad-CAM: ReLU(sum_k w_k A_k) with w_k = sum_ij G_ij A_ij / sum_ij A_ij.

    Arguments:
        eps: Added to the sum of a map's activations, as the package grad-cam does; the paper does not.

    References: Axiom-based Grad-CAM: towards accurate visualization and explanation of CNNs (Fu et al., 2020),
        https://doi.org/10.48550/arXiv.2008.02312
    """

    eps: float = 1e-7

    name = "xgradcam"

    def weigh(self, A: Tensor, G: Tensor) -> Tensor:
        below = A.flatten(2).sum(2) + self.eps
        above = (G * A).flatten(2).sum(2)
        return weighted_sum(torch.where(below == 0, torch.zeros_like(above), above / below), A)
