"""Losses of a decoder: distances between real pictures and those made from their codes, in pixels, features and codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pellucid.errors import MethodError

softplus = nn.functional.softplus


@dataclass(frozen=True)
class Losses:
    """The training loss of a decoder: a weighted sum of four distances between a picture and the one made from its code.

        image  |G(h) - x|^2 / var x            features  |C(G(h)) - C(x)|^2 / |C(x)|^2
        code   |E(G(h)) - h|^2 / var h         adversarial  -log D(G(h))

    x a picture, h = E(x) its code, C the network's last maps before the code, D a critic that learns to tell G(h) from x. Each
    distance is divided by its value at worst, over all the data, so that the same weights serve any network and any data.

    References: Dosovitskiy and Brox, 2016, Generating images with perceptual similarity metrics based on deep networks,
        https://doi.org/10.48550/arXiv.1602.02644. Departures: their distances are not divided by anything, with weights that suit
        one network; the loss of the code is that of Nguyen et al., 2017, https://doi.org/10.1109/CVPR.2017.374, who add one in
        their code layer h as well.

    Arguments:
        image, features, code, adversarial: The weights; 0 leaves a loss out. The image counts most: the network's own distances
            can be met by noise that only the network reads.

    Raises:
        MethodError: a weight is below zero, or all are zero.
    """

    image: float = 5.0
    features: float = 1.0
    code: float = 1.0
    adversarial: float = 0.02

    def __post_init__(self) -> None:
        weights = self.image, self.features, self.code, self.adversarial
        if min(weights) < 0 or not any(weights[:3]):
            raise MethodError(
                "Losses of a prior",
                f"the weights {weights}",
                "a decoder learns from distances with a weight",
                "Let one be above 0.",
            )


@dataclass(frozen=True)
class Scales:
    """What distances are divided by: the mean square of pictures and of codes around their means, and that of maps."""

    image: float
    features: float
    code: float


@dataclass(frozen=True, eq=False)
class Representation:
    """A batch of pictures, with the features and codes that the network computes for them."""

    picture: Tensor
    features: Tensor | None
    code: Tensor


def distances(made: Representation, real: Representation, scales: Scales) -> dict[str, Tensor]:
    """The distances between made and real, each as a share of its scale."""
    found = {"image": (made.picture - real.picture).square().mean() / scales.image}
    if made.features is not None and real.features is not None:
        found["features"] = (made.features - real.features).square().mean() / scales.features
    return found | {"code": (made.code - real.code).square().mean() / scales.code}


def weighted_sum(losses: Losses, found: dict[str, Tensor]) -> Tensor:
    """Their weighted sum."""
    return torch.stack([getattr(losses, name) * loss for name, loss in found.items()]).sum()


def adversarial_loss(verdicts: Tensor) -> Tensor:
    """-log of the probability that made pictures are real, by the critic's scores."""
    return softplus(-verdicts).mean()


def critic_loss(real: Tensor, made: Tensor) -> Tensor:
    """The critic's own loss, by its scores of real and of made pictures: 2 log 2 for one that cannot tell."""
    return softplus(-real).mean() + softplus(made).mean()


def percentages(found: dict[str, float] | Sequence[tuple[str, float]]) -> str:
    """Distances as text.

    Example:
        >>> percentages({"image": 0.104, "code": 0.02})
        'image 10 %, code 2 %'
    """
    return ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in dict(found).items())
