"""Pools over regions of an image whose places are computed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..operation import Node, operation


@operation("RoiAlign")
def roi_align(node: Node, x: Tensor, regions: Tensor, samples: Tensor) -> Tensor:
    """Each region cut into a grid of cells, and the mean or the largest of points in each, read between pixels.

    References: Mask R-CNN (He et al., 2017), Section 3, https://doi.org/10.1109/ICCV.2017.322
    """
    half = node.get("coordinate_transformation_mode", "half_pixel" if node.opset >= 16 else "output_half_pixel") == "half_pixel"
    ends = regions * node.get("spatial_scale", 1.0) - (0.5 if half else 0.0)
    images = x[samples.long()]
    points = node.get("sampling_ratio", 0)
    sides = []
    for axis, name in ((1, "output_height"), (0, "output_width")):
        span = ends[:, axis + 2] - ends[:, axis]
        span = span if half else span.clamp(min=1.0)
        sides.append(_reads(ends[:, axis], span, node.get(name, 1), points, x.shape[3 - axis]))
    (rows, row_counts), (columns, column_counts) = sides
    if node.get("mode", "avg").lower() == "avg":
        down, across = rows.sum((2, 3)) / row_counts, columns.sum((2, 3)) / column_counts
        return torch.einsum("rph,rchw,rqw->rcpq", down, images, across)
    return _largest(images, rows, columns)


def _reads(start: Tensor, span: Tensor, cells: int, points: int, length: int) -> tuple[Tensor, Tensor]:
    """How much each point reads of each pixel along one axis, with shape (region, cell, point, low or high, pixel).

    Arguments:
        points: In a cell; 0: as many as it is long. Where regions differ in that, points beyond their number read nothing.

    Returns: The shares, and how many points a cell has, with shape (region, 1, 1).
    """
    size = span / cells
    counts = torch.full_like(size, points) if points else size.ceil().clamp(min=0)
    most = max(int(counts.max()), 1) if len(counts) else 1
    point, cell = torch.arange(most, device=start.device), torch.arange(cells, device=start.device)
    within = (point + 0.5) / counts.clamp(min=1)[:, None]
    at = start[:, None, None] + (cell[:, None] + within[:, None]) * size[:, None, None]
    reads = (point < counts[:, None])[:, None] & (at >= -1) & (at <= length)
    at = at.clamp(0, length - 1)
    low = at.floor()
    share = torch.stack([1 - (at - low), at - low], -1) * reads[..., None]
    pixels = torch.stack([low, (low + 1).clamp(max=length - 1)], -1)
    return share[..., None] * (pixels[..., None] == torch.arange(length, device=at.device)), counts.clamp(min=1)[:, None, None]


def _largest(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The largest of the four weighted pixels around any point of a cell."""
    down = torch.einsum("rpkbh,rchw->rcpkbw", rows, images)
    return torch.einsum("rcpkbw,rqlew->rcpqkble", down, columns).flatten(4).amax(-1)


@operation("MaxRoiPool")
def max_roi_pool(node: Node, x: Tensor, regions: Tensor) -> Tensor:
    """Each region cut into a grid of cells, and the largest number of each.

    References: Fast R-CNN (Girshick, 2015), Section 2.1, https://doi.org/10.1109/ICCV.2015.169
    """
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
