"""Diversity: a penalty on the likeness of several pictures of one target."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from pellucid.errors import MethodError
from ..frame import Frame
from .per_picture import Values, channels_by_place


@dataclass(frozen=True)
class Diversity:
    """How similar the textures of pictures are, in the features of a layer.

        G_i = F_i F_i^T / |F_i F_i^T|,   penalty_i = sum over the others j of <G_i, G_j> / n

    with F_i the layer's channels by places, of all views of picture i. The sum over n pictures is that of the paper, which takes
    the mean over i; it is (|sum G|^2 - n) / n, one product rather than a loop. It is the one prior that couples pictures:
    each depends on those it has to differ from.

    References: Olah et al., 2017, Feature visualization, section on diversity, https://doi.org/10.23915/distill.00007 (weight
        100, for the mean of a channel)

    Arguments:
        at: The module whose values are compared.
        weight: Of the penalty.
        group: How many neighbouring pictures are to differ among themselves; None: all.

    Raises:
        MethodError: the pictures do not come in groups of that size.

    Example:
        >>> import torch
        >>> stripes = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
        >>> prior, frame = Diversity("0", weight=1.0), Frame((2, 2))
        >>> prior(stripes, frame, {"0": stripes}), prior(stripes, frame, {"0": stripes[[0, 0]]})
        (tensor([0., 0.]), tensor([0.5000, 0.5000]))
    """

    at: str
    weight: float = 100.0
    group: int | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.at,)

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        n, group = len(pictures), self.group or len(pictures)
        if n % group:
            raise MethodError(
                f"Diversity(group={group})", f"{n} pictures", "they cannot be divided into groups of that size",
                "Ask for as many seeds as a group has.",
            )  # fmt: skip
        features = channels_by_place(values[self.at], n)
        grams = functional.normalize((features @ features.mT).flatten(1), dim=1).reshape(-1, group, features.shape[1] ** 2)
        alike = (grams * (grams.sum(1, keepdim=True) - grams)).sum(2)
        return alike.flatten() / group
