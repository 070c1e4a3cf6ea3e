"""Marks that come back: the same small patch where the evidence is, in several pictures of a class and in few of others.

Clusters of relevance tell strategies apart that use other places or channels. A mark is also the same pixels again: that shows
membership far more sharply, and wherever the mark stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, unfold

SIDE = 5  # cells of the pooled map along each side of a patch
LONG = 8  # along a line
ALIKE = 0.95  # correlation from which on two patches count as the same
UNSURE = 0.8  # from which on they might: a mark is there or not, while shapes are alike by degrees
SHARP = 0.6  # the least share of those surely alike among those that might be
STRONG = 0.15  # of a picture's strongest window: where else a mark may be
FLAT = 0.02  # standard deviation of a patch, in those of all pictures, below which there is nothing to compare
SEEDS = 128  # pictures whose patches are looked for, per class
EACH = 3  # patches of one picture: where its evidence has peaks
SAMPLE = 1500  # pictures of a class, and as many of others, in which marks are looked for; members are then found in all
LEAST = 5  # pictures with the same patch
LARGEST = 0.4  # of a class: what most of it has is what the class looks like
ELSEWHERE = 0.25  # of the rate in the class: more often the patch is no sign of it
BLOCK = 512  # pictures whose patches are kept at once
AT_ONCE = 64  # compared with templates at once
HALF = 0.5  # of the union of two sets: more in common makes them one
FIXED = 1.5  # cells that places of the same mark may differ by, as a standard deviation


@dataclass(frozen=True, eq=False)
class Recurring:
    """The same patch in several pictures.

    Arguments:
        members: Which pictures of the class have it, a mask.
        corners: Row and column of the patch in every picture of the class, where it fits best.
        likeness: How well it fits there.
        sharp: The share of those surely alike among those that might be.
        elsewhere: The share of other classes' pictures with it.
    """

    members: Tensor
    corners: Tensor
    likeness: Tensor
    sharp: float
    elsewhere: float

    @property
    def fixed(self) -> bool:
        """Whether it stands at one place."""
        return bool(self.corners[self.members].double().std(0).max() < FIXED)


def recurring(view: Tensor, mass: Tensor, own: Tensor, *, seed: int = 0, most: int = 6) -> list[Recurring]:
    """Patches that come back in one class, the most frequent first.

    Arguments:
        view: Pictures, with shape (n, height, width).
        mass: Their absolute relevance, of the same shape.
        own: Which of them are of the class, a mask.
    """
    if any(1 < side < 2 * SIDE for side in view.shape[1:]) or view.shape[2] == 1 or int(own.sum()) < 2 * LEAST:
        return []
    contrast = float(view.std())
    few, others = sample(own, SAMPLE, seed), sample(~own, SAMPLE, seed)
    chosen, rest = Patches.of(view[few], mass[few], contrast), Patches.of(view[others], mass[others], contrast)
    seeds = sample(torch.ones(len(chosen.peaks), dtype=torch.bool), SEEDS, seed)
    templates = chosen.values[seeds[:, None], chosen.peaks[seeds]].flatten(0, 1)
    alike, places = chosen.matches(templates)
    outside = (rest.matches(templates)[0] >= ALIKE).double().mean(0) if len(others) else torch.zeros(len(templates))
    same = alike >= ALIKE
    rate = same.double().mean(0)
    sharp = rate / (alike >= UNSURE).double().mean(0).clamp_min(1e-9)
    fits = (same.sum(0) >= LEAST) & (rate <= LARGEST) & (outside <= ELSEWHERE * rate) & (sharp >= SHARP)
    value = rate * sharp * (fits & (templates.norm(dim=1) > 0))
    found: list[Recurring] = []
    groups: list[Tensor] = []
    for best in value.argsort(descending=True, stable=True).tolist():
        if len(found) == most or not value[best]:
            break
        if all(overlap(same[:, best], other) <= HALF for other in groups):
            groups.append(same[:, best])
            values = chosen.values[same[:, best], places[same[:, best], best]].mean(0)
            found.append(everywhere(view[own], mass[own], values, contrast, float(sharp[best]), float(outside[best])))
    return found


def everywhere(view: Tensor, mass: Tensor, mean: Tensor, contrast: float, sharp: float, outside: float) -> Recurring:
    """A mark looked for in all pictures of a class, wherever it stands, by the mean of the patches it was found in."""
    template = (mean / mean.norm().clamp_min(1e-12))[None]
    found = []
    for some, weight in zip(torch.split(view, BLOCK), torch.split(mass, BLOCK), strict=True):
        patches = Patches.of(some, weight, contrast)
        found.append(replace(patches, strong=torch.ones_like(patches.strong)).matches(template))
    alike, at = (torch.cat(parts)[:, 0] for parts in zip(*found, strict=True))
    columns = view.shape[2] - patch_shape(view)[1] + 1
    return Recurring(alike >= ALIKE, torch.stack([at // columns, at % columns], 1), alike, sharp, outside)


def patch_shape(view: Tensor) -> tuple[int, int]:
    """Height and width of a patch, in cells; along a line its height is 1, and it is longer."""
    return (SIDE, SIDE) if view.shape[1] > 1 else (1, LONG)


def overlap(one: Tensor, other: Tensor) -> float:
    """The share of two masks' union that both have."""
    return float((one & other).sum() / (one | other).sum().clamp_min(1))


def sample(mask: Tensor, count: int, seed: int) -> Tensor:
    """The numbers of some entries of a mask, at most `count`, in order."""
    every = mask.nonzero().flatten()
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))[:count]
    return every[order].sort().values


@dataclass(frozen=True, eq=False)
class Patches:
    """All patches of some pictures, each with mean 0 and norm 1; 0 where it is flat.

    Arguments:
        values: (picture, place, entry).
        strong: At which places the evidence is strong, (picture, place).
    """

    values: Tensor
    strong: Tensor
    peaks: Tensor

    @staticmethod
    def of(view: Tensor, mass: Tensor, contrast: float) -> Patches:
        shape = patch_shape(view)
        values = unfold(view[:, None].float(), shape).transpose(1, 2)
        values = values - values.mean(2, keepdim=True)
        size = values.norm(dim=2, keepdim=True)
        values *= (size > FLAT * contrast * math.sqrt(math.prod(shape))) / size.clamp_min(1e-12)
        windows = avg_pool2d(mass[:, None].float(), shape, 1)
        top = (windows == max_pool2d(windows, 3, 1, 1)).flatten(1)
        windows = windows.flatten(1)
        peaks = torch.where(top, windows, torch.zeros_like(windows)).topk(EACH, 1).indices
        return Patches(values, windows >= STRONG * windows.amax(1, keepdim=True), peaks)

    def matches(self, templates: Tensor) -> tuple[Tensor, Tensor]:
        """How well each template fits each picture where the evidence is strong, (picture, template), and at which place."""
        best, place = [], []
        for values, strong in zip(torch.split(self.values, AT_ONCE), torch.split(self.strong, AT_ONCE), strict=True):
            top = (values @ templates.T).masked_fill_(~strong[..., None], -1.0).max(1)
            best.append(top.values)
            place.append(top.indices)
        return torch.cat(best), torch.cat(place)
