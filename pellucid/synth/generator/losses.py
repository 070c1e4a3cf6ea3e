"""Losses of a decoder: distances between real pictures and those made from their codes, in pixels, features and codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from pellucid.errors import MethodError


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
            why = "a decoder learns from distances with a weight"
            raise MethodError("Losses of a prior", f"the weights {weights}", why, "Let one be above 0.")


def distances(drawn: Mapping[str, Tensor], real: Mapping[str, Tensor], scales: Mapping[str, float]) -> dict[str, Tensor]:
    """The distances by name, each as a share of its scale.

    Arguments:
        drawn, real: A batch of pictures ("image"), and the "features" and "code" that the network computes for them.
        scales: The mean square of pictures and of codes around their means, and that of features.
    """
    return {name: (drawn[name] - real[name]).square().mean() / scales[name] for name in real}


def percentages(distances: dict[str, float]) -> str:
    """Distances as text.

    Example:
        >>> percentages({"image": 0.104, "code": 0.02})
        'image 10 %, code 2 %'
    """
    return ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in distances.items())
