"""The imputer that blurs: a removed place takes the mean of those around it, weighted by a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pellucid.core.blur import blurred
from pellucid.errors import InputError
from pellucid.model import Model
from ..regions.regions import Regions, spatial_shape
from .draws import SampleFill
from .imputer import Fill, Imputer

SIGMA, SHARE = 10.0, 1 / 8  # in places; and of the shortest side, where that is less


@dataclass(frozen=True)
class Blur(Imputer):
    """The sample blurred: every place becomes the mean of those around it, weighted by a Gaussian.

    It keeps colour and rough shape and takes away detail. At the border the weights of what lies inside count alone. The columns
    of a table are no neighbours, so there is nothing to blur: a table gets the mean of its row.

    References: Fong and Vedaldi, 2017, Interpretable explanations of black boxes by meaningful perturbation,
        https://doi.org/10.1109/ICCV.2017.371

    Arguments:
        sigma: Width of the Gaussian, in places; None: 10, as in the paper, or an eighth of the shortest side where that is less.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[0.0, 0.0, 9.0, 0.0, 0.0]]])
        >>> Blur(0.5).prepare(x, None, None)(torch.ones(1, 1, 5), [0])[0, 0].round().tolist()
        [0.0, 1.0, 7.0, 1.0, 0.0]
    """

    soft: ClassVar[bool] = True
    around: ClassVar[bool] = True

    sigma: float | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None and not self.sigma > 0:
            raise InputError("a blur", f"sigma={self.sigma}", "a Gaussian is wider than 0", "Ask for blur(10), or leave it out.")

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        sigma = min(SIGMA, SHARE * min(spatial_shape(x))) if self.sigma is None else self.sigma
        content = blurred(x, sigma) if x.dim() > 2 else x.mean(1, keepdim=True)
        return SampleFill(tuple(x.shape[1:]), lambda draw: content)
