"""Pools over regions of an image whose places are computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..operation import Node, operation

LARGEST_PART = 2**25  # numbers that are held at once; more regions are pooled one part after the other


@dataclass(frozen=True)
class Reads:
    """What points along one axis of regions read.

    Arguments:
        pixels, shares: The pixel before and after each point, and how much it reads of each, with shape (region, point, 2).
        inside: Which points a region has, where others have more.
        cells: How many of equal size a region is cut into, each with as many points.
    """

    pixels: Tensor
    shares: Tensor
    inside: Tensor
    cells: int

    def apart(self, values: Tensor, axis: int) -> Tensor:
        """Points as (cell, point within it)."""
        return values.reshape(*values.shape[:axis], self.cells, -1, *values.shape[axis + 1 :])


@operation("RoiAlign")
def roi_align(node: Node, x: Tensor, regions: Tensor, samples: Tensor) -> Tensor:
    """Each region cut into a grid of cells, and the mean or the largest of points in each, read between pixels.

    References: Mask R-CNN (He et al., 2017), Section 3, https://doi.org/10.1109/ICCV.2017.322
    """
    half = node.get("coordinate_transformation_mode", "half_pixel" if node.opset >= 16 else "output_half_pixel") == "half_pixel"
    ends = regions * node.get("spatial_scale", 1.0) - (0.5 if half else 0.0)
    spans = ends[:, 2:] - ends[:, :2] if half else (ends[:, 2:] - ends[:, :2]).clamp(min=1.0)
    cells = torch.tensor([node.get("output_width", 1), node.get("output_height", 1)], device=x.device)
    points = node.get("sampling_ratio", 0)
    counts = torch.full_like(spans, points) if points else (spans / cells).ceil().clamp(min=0)
    order = counts.prod(1).argsort(descending=True)
    parts = [_pooled(node, x, ends[part], spans[part], counts[part], samples[part]) for part in _parts(x, cells, counts, order)]
    pooled = torch.cat(parts) if parts else x.new_zeros(0, x.shape[1], *cells.flip(0).tolist())
    return pooled.index_select(0, order.argsort())


def _parts(x: Tensor, cells: Tensor, counts: Tensor, order: Tensor) -> Iterator[Tensor]:
    """Regions that are pooled at once, those with the most points first."""
    sizes = (counts.clamp(min=1).prod(1) * cells.prod() * x.shape[1]).long().tolist()
    at = 0
    while at < len(order):
        length = max(LARGEST_PART // sizes[order[at]], 1)
        yield order[at : at + length]
        at += length


def _pooled(node: Node, x: Tensor, ends: Tensor, spans: Tensor, counts: Tensor, samples: Tensor) -> Tensor:
    rows = _reads(ends[:, 1], spans[:, 1], counts[:, 1], node.get("output_height", 1), x.shape[2])
    columns = _reads(ends[:, 0], spans[:, 0], counts[:, 0], node.get("output_width", 1), x.shape[3])
    flat = x.transpose(0, 1).flatten(1)
    first = samples.long()[:, None, None] * x.shape[2] * x.shape[3]
    corners = [
        flat[:, first + rows.pixels[:, :, None, a] * x.shape[3] + columns.pixels[:, None, :, b]]
        * (rows.shares[:, :, None, a] * columns.shares[:, None, :, b])
        for a in (0, 1)
        for b in (0, 1)
    ]
    inside = rows.inside[:, :, None] & columns.inside[:, None]
    if node.get("mode", "avg").lower() == "avg":
        read = corners[0] + corners[1] + corners[2] + corners[3]
        points = counts.prod(1).clamp(min=1)[:, None, None]
        return (rows.apart(columns.apart(read, 3), 2).sum((3, 5)) / points).transpose(0, 1)
    largest = torch.where(inside, torch.stack(corners).amax(0), -math.inf)
    found = rows.apart(columns.apart(largest, 3), 2).amax((3, 5)).transpose(0, 1)
    return torch.where((counts.prod(1) > 0)[:, None, None, None], found, 0.0)


def _reads(start: Tensor, span: Tensor, counts: Tensor, cells: int, length: int) -> Reads:
    """Points in the middle of equal parts of each cell; what lies more than a pixel outside reads nothing."""
    point, cell = torch.arange(max(int(counts.max()), 1), device=start.device), torch.arange(cells, device=start.device)
    within = (point + 0.5) / counts.clamp(min=1)[:, None]
    at = (start[:, None, None] + (cell[:, None] + within[:, None]) * (span / cells)[:, None, None]).flatten(1)
    inside = (point < counts[:, None]).repeat(1, cells)
    reads = inside & (at >= -1) & (at <= length)
    at = at.clamp(0, length - 1)
    low = at.floor()
    shares = torch.stack([1 - (at - low), at - low], -1) * reads[..., None]
    return Reads(torch.stack([low, (low + 1).clamp(max=length - 1)], -1).long(), shares, inside, cells)


@operation("MaxRoiPool")
def max_roi_pool(node: Node, x: Tensor, regions: Tensor) -> Tensor:
    """Each region cut into a grid of cells, and the largest number of each.

    References: Fast R-CNN (Girshick, 2015), Section 2.1, https://doi.org/10.1109/ICCV.2015.169
    """
    length = max(LARGEST_PART // math.prod(x.shape[1:]), 1)
    return torch.cat([_largest(node, x, regions[at : at + length]) for at in range(0, max(len(regions), 1), length)])


def _largest(node: Node, x: Tensor, regions: Tensor) -> Tensor:
    ends = (regions[:, 1:] * node.get("spatial_scale", 1.0)).round()
    height, width = node.get("pooled_shape")
    images = x[regions[:, 0].long()]
    rows = _covers(ends[:, 1], ends[:, 3], height, x.shape[2])
    columns = _covers(ends[:, 0], ends[:, 2], width, x.shape[3])
    down = [torch.where(rows[:, cell, None, :, None], images, -math.inf).amax(2) for cell in range(height)]
    across = [torch.where(columns[:, cell, None, None], torch.stack(down, 2), -math.inf).amax(3) for cell in range(width)]
    filled = rows.any(-1)[:, None, :, None] & columns.any(-1)[:, None, None]
    return torch.where(filled, torch.stack(across, 3), 0.0)


def _covers(first: Tensor, last: Tensor, cells: int, length: int) -> Tensor:
    """Which entries each cell holds, with shape (region, cell, entry)."""
    size = (last - first + 1).clamp(min=1)[:, None] / cells
    cell, entry = torch.arange(cells, device=first.device), torch.arange(length, device=first.device)
    begin, end = (cell * size).floor() + first[:, None], ((cell + 1) * size).ceil() + first[:, None]
    return (entry >= begin[..., None]) & (entry < end[..., None])
