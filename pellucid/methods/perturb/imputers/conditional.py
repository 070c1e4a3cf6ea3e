"""Draws for holes of any shape, given the frame of places around them: the working part of the conditional Gaussian."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

import torch
from torch import Tensor

from pellucid.core.random import normal
from pellucid.errors import InputError
from .draws import draw_generator
from .statistics import Statistics
from .windows import bounds, place_index

Colour = Literal["each", "full", "first"]
FLOOR = 1e-6  # of the variance of a pixel: the least that is left to chance, whatever is known around it


@dataclass(frozen=True, eq=False)
class ConditionalLaw:
    """How a hole depends on the places around it: mean weights, and a factor of what is left to chance.

    Arguments:
        hole, frame: The places of a patch that are gone, and those that are known, with shapes (m, axes) and (q, axes).
        weights: S_12 S_22^-1, with shape (channel, m, q); all channels as one where colours go together.
        factor: L with L L^T = S_11 - S_12 S_22^-1 S_21, with shape (channel, m, m).
    """

    hole: Tensor
    frame: Tensor
    weights: Tensor
    factor: Tensor

    def mean(self, known: Tensor) -> Tensor:
        """The mean in the hole, (n, channel, m), given the frame, (n, channel, q); both about the mean of the channel."""
        return self._product(self.weights, known)

    def noise(self, z: Tensor) -> Tensor:
        """What draws add to the mean, from standard normal numbers: both with shape (n, channel, m)."""
        return self._product(self.factor, z)

    def _product(self, matrices: Tensor, x: Tensor) -> Tensor:
        """Of each channel with its own matrix, or of all channels as one."""
        n, channels = x.shape[:2]
        grouped = x.reshape(n, 1 if self.factor.shape[1] != len(self.hole) else channels, -1)
        return torch.einsum("cij,ncj->nci", matrices.expand(grouped.shape[1], -1, -1), grouped).reshape(n, channels, -1)


def conditional_law(covariance: Tensor, gone: Tensor) -> ConditionalLaw:
    """The law of a patch with a hole.

    Arguments:
        covariance: Of the places of the patch, see `patch_covariance`.
        gone: True in the hole, shaped like the patch.
    """
    here = gone.flatten().repeat(covariance.shape[-1] // gone.numel())
    own, across, around = covariance[:, here][:, :, here], covariance[:, here][:, :, ~here], covariance[:, ~here][:, :, ~here]
    weights = torch.cholesky_solve(across.mT, torch.linalg.cholesky(around)).mT if len(around[0]) else across
    return ConditionalLaw(gone.nonzero(), (~gone).nonzero(), weights, torch.linalg.cholesky(own - weights @ across.mT))


def patch_covariance(statistics: Statistics, patch: tuple[int, ...], colour: Colour) -> Tensor:
    """The covariance of the places of a patch, one matrix for every channel on its own, with shape (channel, places, places); one
    for all where colours go together, with shape (1, channel * places, channel * places).
    """
    positions = torch.ones(patch).nonzero()
    covariance = statistics.between(positions, positions)
    if colour == "full":
        n = len(covariance) * len(positions)
        return _nearest_covariance(covariance.permute(0, 2, 1, 3).reshape(1, n, n))
    each = torch.stack([covariance[c, c] for c in range(len(covariance))])
    return _nearest_covariance(each[:1] if colour == "first" else each)


def _nearest_covariance(covariance: Tensor) -> Tensor:
    """The nearest matrices that are covariances of anything: the same but for rounding, as `measured` makes them."""
    least = FLOOR * covariance.diagonal(dim1=-2, dim2=-1).amax(-1)
    ridge = least[:, None, None] * torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    if not torch.linalg.cholesky_ex(covariance - ridge).info.any():
        return covariance
    values, vectors = torch.linalg.eigh(covariance)
    filled: Tensor = (vectors * values.maximum(least[:, None])[:, None]) @ vectors.mT
    return filled


@dataclass(frozen=True, eq=False)
class Conditional:
    """The fill of one sample. Worked out on the CPU and in double precision: it is little, and the same on every device.

    Arguments:
        x: The sample, with shape (1, channel, *places).
        start, width: The scale of the statistics in the sample, x = start + width * value, with shape (channel, 1).
        margin, colour, seed, random: See `ConditionalGaussian`.
        laws: Those found so far. Windows of one size differ by where they lie at the border only, so that there are few.
        covariances: Those of patches of some shape.
    """

    x: Tensor
    statistics: Statistics
    start: Tensor
    width: Tensor
    margin: int
    colour: Colour
    seed: int
    random: bool
    laws: dict[tuple[tuple[int, ...], bytes], ConditionalLaw] = field(default_factory=dict, repr=False)
    covariances: dict[tuple[int, ...], Tensor] = field(default_factory=dict, repr=False)

    def __call__(self, gone: Tensor, draws: Sequence[int]) -> Tensor:
        content = self.x.expand(len(gone), *self.x.shape[1:]).clone(memory_format=torch.contiguous_format)
        flat = content.flatten(2)
        for hole, rows, corners in holes(self._places(gone)):
            for some, where, values in self._parts(hole, corners, [draws[row] for row in rows]):
                row = torch.tensor(rows)[some].to(flat.device)
                flat[row[:, None], :, where.to(flat.device)] = values.mT
        return content

    def patches(self, corners: Tensor, size: Sequence[int], draws: Sequence[int]) -> Tensor:
        """What stands in windows, with shape (n, channel, *size): see `patched`."""
        filled = self.x.new_empty(len(corners), self.x.shape[1], prod(size))
        for some, _, values in self._parts(torch.ones(tuple(size), dtype=torch.bool), corners.cpu(), draws):
            filled[some.to(filled.device)] = values
        return filled.reshape(len(corners), -1, *size)

    def _parts(self, hole: Tensor, corners: Tensor, draws: Sequence[int]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Equal holes at several corners, put together where they lie alike in their patches: which of them, the places of each,
        with shape (n, m), and what stands there, with shape (n, channel, m)."""
        sides, size = torch.tensor(self.x.shape[2:]), torch.tensor(hole.shape)
        patch = torch.minimum(size + 2 * self.margin, sides)
        first = torch.minimum((corners - self.margin).clamp(min=0), sides - patch)
        offsets, kind = torch.unique(corners - first, dim=0, return_inverse=True)
        for number, offset in enumerate(offsets):
            some = (kind == number).nonzero()[:, 0]
            own = self._law_of(hole, tuple(patch.tolist()), offset)
            where = place_index(first[some], own.hole, self.x.shape[2:])
            yield some, where, self._values(own, first[some], [draws[i] for i in some.tolist()])

    def _values(self, own: ConditionalLaw, first: Tensor, draws: Sequence[int]) -> Tensor:
        known = self._about_mean[:, place_index(first, own.frame, self.x.shape[2:])].movedim(0, 1)
        values = own.mean(known)
        if self.random:
            some = sorted(set(draws))
            z = torch.stack([normal((len(self._mean), len(own.hole)), draw_generator(self.seed, draw)) for draw in some])
            values = values + own.noise(z)[torch.tensor([some.index(draw) for draw in draws])]
        values = torch.minimum(torch.maximum(values + self._mean, self.statistics.low[:, None]), self.statistics.high[:, None])
        return (self.start.cpu() + self.width.cpu() * values).to(self.x)

    def _law_of(self, hole: Tensor, patch: tuple[int, ...], offset: Tensor) -> ConditionalLaw:
        """The law of a hole that lies at `offset` in its patch."""
        gone = torch.zeros(patch, dtype=torch.bool)
        gone[tuple(slice(o, o + s) for o, s in zip(offset.tolist(), hole.shape, strict=True))] = hole
        key = patch, gone.numpy().tobytes()
        if patch not in self.covariances:
            self._fits(hole.shape, patch)
            self.covariances[patch] = patch_covariance(self.statistics, patch, self.colour)
        if key not in self.laws:
            self.laws[key] = conditional_law(self.covariances[patch], gone)
        return self.laws[key]

    def _fits(self, hole: Sequence[int], patch: Sequence[int]) -> None:
        largest = [reach + 1 for reach in self.statistics.reach]
        if any(side > most for side, most in zip(patch, largest, strict=True)):
            raise InputError(
                f"a conditional Gaussian over {' x '.join(map(str, hole))} places",
                f"statistics of patches of {' x '.join(map(str, largest))}, of which a frame of {self.margin} has to stay known",
                "nothing is known of pixels that are further apart",
                "Take away less at once, fit it with a larger reach=, or take pl.perturb.noisy_linear().",
            )  # fmt: skip

    def _places(self, gone: Tensor) -> Tensor:
        """Masks over places, on the CPU."""
        if gone.shape[1] == 1 or bool((gone == gone[:, :1]).all()):
            return gone[:, 0].expand(len(gone), *self.x.shape[2:]).cpu()
        raise InputError(
            "a conditional Gaussian for single channels", "masks that differ between the channels of a place",
            "it draws places with all their channels, given the places around", "Take pl.perturb.marginal() or noise().",
        )  # fmt: skip

    @cached_property
    def _mean(self) -> Tensor:
        return self.statistics.mean[:, None]

    @cached_property
    def _about_mean(self) -> Tensor:
        """The sample on the scale of the statistics, less their mean: (channel, places)."""
        flat = self.x[0].flatten(1).double().cpu()
        return (flat - self.start.cpu()) / self.width.cpu() - self._mean


def holes(gone: Tensor) -> Iterator[tuple[Tensor, list[int], Tensor]]:
    """Masks that are equal but for where they lie, put together: the mask within its own rectangle, the rows, and the first place
    of each along every axis, with shape (n, axes). Rows without a hole are in none.

    Example:
        >>> [(hole, rows, corners)] = holes(torch.tensor([[True, True, False], [False, True, True], [False, False, False]]))
        >>> hole.tolist(), rows, corners.tolist()
        ([True, True], [0, 1], [[0], [1]])
    """
    first, last = bounds(gone)
    known: dict[tuple[tuple[int, ...], bytes], tuple[Tensor, list[int]]] = {}
    for row in gone.flatten(1).any(1).nonzero()[:, 0].tolist():
        hole = gone[row][tuple(slice(a, b) for a, b in zip(first[row].tolist(), last[row].tolist(), strict=True))]
        key = tuple(hole.shape), hole.numpy().tobytes()
        known.setdefault(key, (hole, []))[1].append(row)
    for hole, rows in known.values():
        yield hole, rows, first[rows]
