"""Masks over the places of a sample: where places lie, the null image, the range of the score, and numbers in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import torch
from torch import Tensor

from pellucid.core.blur import blur_matrix
from pellucid.core.numbers import figure
from pellucid.errors import InputError, MethodError
from pellucid.tape.forward import Readout
from ..imputers.multi_input import as_imputer
from ..regions.regions import Partition, Shape

PUBLISHED = 224  # the side of the pictures that lengths were published for
LEAST = 1 / 8  # of the mean side: the width of blurs on small inputs, where one to scale would leave nearly all as it is


@dataclass(frozen=True)
class MaskPlaces:
    """Where the places of a sample lie: a mask has one number for each.

    Arguments:
        shape: The shape of one sample.
        axes: The axes of a batch along which places lie, in order.
        neighbours: Whether places beside one another belong together, as pixels do and columns of a table do not.
    """

    shape: Shape
    axes: Shape
    neighbours: bool

    @property
    def sides(self) -> Shape:
        """How many places there are along each axis."""
        return tuple(self.shape[axis - 1] for axis in self.axes)

    @property
    def scale(self) -> float:
        """From lengths in a picture of 224 x 224 to lengths here: by the geometric mean of the sides."""
        long = [side for side in self.sides if side > 1]
        return (prod(long) ** (1 / len(long)) if long else 1.0) / PUBLISHED

    def width(self, sigma: float) -> float:
        """The standard deviation of a blur, in places, from that for a picture of 224 x 224: to scale, but not less than it is
        there, nor than an eighth of the mean side, whichever is less.

        Example:
            >>> [round(MaskPlaces((3, n, n), (2, 3), True).width(10.0), 2) for n in (16, 224, 448)]
            [2.0, 10.0, 20.0]
        """
        return max(sigma * self.scale, min(sigma, LEAST * PUBLISHED * self.scale))

    @property
    def shared(self) -> bool:
        """Whether those that share a number are the channels of a place."""
        return len(self.shape) > 1 and self.axes == tuple(range(2, len(self.shape) + 1))

    def spread(self, masks: Tensor) -> Tensor:
        """Masks (n, *sides) in a shape that broadcasts against samples."""
        return masks.reshape(len(masks), *[side if axis in self.axes else 1 for axis, side in enumerate(self.shape, start=1)])

    def paint(self, masks: Tensor) -> Tensor:
        """Masks (n, *sides) as samples: every entry of a place gets its number."""
        return self.spread(masks).expand(len(masks), *self.shape).contiguous()


def places_of(x: Tensor, axes: Sequence[int] | None = None) -> MaskPlaces:
    """Where places lie in the samples of x: along the given axes, else along all behind the channels, or the columns of a table.

    Raises:
        InputError: x has no such axis.

    Example:
        >>> picture, words, row = torch.ones(2, 3, 8, 6), torch.ones(2, 5, 8), torch.ones(2, 4)
        >>> places_of(picture).sides, places_of(words, axes=(1,)).sides, places_of(row).sides
        ((8, 6), (5,), (4,))
    """
    shape = tuple(x.shape[1:])
    if axes is None:
        return MaskPlaces(shape, tuple(range(2, x.dim())) or (1,), x.dim() > 2)
    chosen = tuple(sorted({axis % x.dim() for axis in axes if -x.dim() <= axis < x.dim()}))
    if not chosen or len(chosen) != len(axes) or 0 in chosen:
        raise InputError(
            f"masks along axes {tuple(axes)}", f"a value of shape {tuple(x.shape)}",
            f"its places lie along axes 1-{x.dim() - 1}, each named once",
            "Name some of those: axes=(2, 3) for pictures, (1,) for embedded words.",
        )  # fmt: skip
    return MaskPlaces(shape, chosen, x.dim() > 2)


def apply_along(t: Tensor, matrices: Sequence[Tensor], axes: Sequence[int]) -> Tensor:
    """t with each of the axes sent through a matrix (new length, old length)."""
    for matrix, axis in zip(matrices, axes, strict=True):
        t = (t.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return t


def blurred(x: Tensor, places: MaskPlaces, sigma: float) -> Tensor:
    """x under a Gaussian along the axes of its places; sigma in places."""
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    bells = [blur_matrix(side, sigma, exact) for side in places.sides]
    return apply_along(exact, bells, places.axes).to(x.dtype).contiguous()


def null_samples(x: Tensor, places: MaskPlaces, null: Any, sigma: float, readout: Readout) -> Tensor:
    """What stands where nothing is kept, shaped like x: by an imputer, else x blurred; for a table, zero."""
    if null is None:
        return blurred(x, places, places.width(sigma)) if places.neighbours else torch.zeros_like(x)
    shape = tuple(places.spread(x.new_empty(1, *places.sides)).shape[1:])
    regions = Partition(shape, torch.arange(prod(shape), device=x.device).reshape(shape))
    gone, imputer = torch.ones(1, *shape, dtype=torch.bool, device=x.device), as_imputer(null)
    fills = [imputer.prepare(sample, regions, readout.model)(gone, [0]) for sample in (x[i : i + 1] for i in range(len(x)))]
    return torch.cat([fill.to(x).expand(1, *x.shape[1:]) for fill in fills])


@dataclass(frozen=True, eq=False)
class ScoreRange:
    """What there is to lose, per sample.

    Arguments:
        full: The score of the sample as it is.
        empty: The score with nothing kept.
    """

    full: Tensor
    empty: Tensor

    @staticmethod
    def of(readout: Readout, x: Tensor, null: Tensor) -> ScoreRange:
        """What a readout says of samples as they are, and of what stands where nothing is kept; one by one, as a batch of its own
        would be.
        """
        full, empty = (torch.cat([readout(t[i : i + 1].clone(), [i]) for i in range(len(t))]) for t in (x, null))
        return ScoreRange(readout.check(full), readout.check(empty))

    @property
    def size(self) -> Tensor:
        """How far apart they are; 1 where it makes no difference."""
        difference = (self.full - self.empty).abs()
        return torch.where(difference > 0, difference, torch.ones_like(difference))

    def share(self, scores: Tensor, rows: Sequence[int]) -> Tensor:
        """Scores as shares: 1 for the whole sample, 0 after a fall as large as the difference that keeping nothing makes.

        Example:
            >>> ScoreRange(torch.tensor([9.0]), torch.tensor([1.0])).share(torch.tensor([9.0, 3.0, 1.0]), [0, 0, 0])
            tensor([1.0000, 0.2500, 0.0000])
        """
        rows = list(rows)
        return 1 - (self.full[rows] - scores) / self.size[rows]


def reads_scores(readout: Readout, output: Tensor) -> bool:
    """Whether the target reads lists of scores, and no maps whose places would move with those of the input."""
    return readout.at is None and readout.target.addresses == (None,) and output.dim() <= 2


def percent(shares: Tensor) -> str:
    """Shares in words: one, or the range of several.

    Example:
        >>> percent(torch.tensor([0.1])), percent(torch.tensor([0.5, 0.034]))
        ('10 %', '3.4-50 %')
    """
    low, high = (f"{100 * float(share):.2g}" for share in (shares.min(), shares.max()))
    return f"{low} %" if low == high else f"{low}-{high} %"


def scores_in_words(scores: Tensor) -> str:
    """Scores in words: each of a few, or the range of many.

    Example:
        >>> scores_in_words(torch.tensor([9.25])), scores_in_words(torch.tensor([1.0, 2.0])), scores_in_words(torch.arange(9.0))
        ('9.25', '1.00 / 2.00', '0.00 ... 8.00')
    """
    words = [figure(float(score)) for score in scores]
    return " / ".join(words) if len(words) < 5 else f"{figure(float(scores.min()))} ... {figure(float(scores.max()))}"


def settings(method: Any) -> tuple[str, ...]:
    """All settings of a method but how many masks go through the model at once, for provenance."""
    return tuple(f"{field.name}={getattr(method, field.name)}" for field in fields(method) if field.name != "batch")


def check_settings(method: Any, above_zero: Sequence[str], not_below_zero: Sequence[str]) -> None:
    """Refuse settings out of range.

    Raises:
        MethodError: one is.
    """
    for name in (*above_zero, *not_below_zero):
        value = getattr(method, name)
        if not (value > 0 or (value == 0 and name in not_below_zero)):
            least = "above zero" if name in above_zero else "zero or more"
            raise MethodError(
                f"{method.name} with {name}={value}", f"{value}", f"{name} is {least}",
                f"Leave it out for the default, {type(method).__dataclass_fields__[name].default}.",
            )  # fmt: skip
