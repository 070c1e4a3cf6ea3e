"""Reading an image at places that are computed, moving channels into space and back, and picking boxes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, integers, operation
from .windows import spans

MODES = {"linear": "bilinear", "cubic": "bicubic"}  # as torch calls them


@operation("GridSample")
@operation("GridSample", domain="com.microsoft")
def grid_sample(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    """The input at positions in [-1, 1], its last axis first."""
    mode = node.get("mode", "bilinear")
    grid = grid if len(grid) != 1 else grid.expand(len(x), *grid.shape[1:])  # of a file that fixes its batch
    how = (MODES.get(mode, mode), node.get("padding_mode", "zeros"), bool(node.get("align_corners", 0)))
    if x.dim() == 3:  # one spatial axis: of an image with one row
        return F.grid_sample(x.unsqueeze(2), F.pad(grid, (0, 1)).unsqueeze(1), *how).squeeze(2)
    return F.grid_sample(x, grid, *how)


@operation("AffineGrid")
def affine_grid(node: Node, theta: Tensor, size: Tensor) -> Tensor:
    return F.affine_grid(theta, integers(size), bool(node.get("align_corners", 0)))


@operation("DepthToSpace")
def depth_to_space(node: Node, x: Tensor) -> Tensor:
    """Channels into blocks of pixels: those of a block apart (DCR), or one after the other (CRD)."""
    block = node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, block, block, channels // block**2, height, width)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * block, width * block)


@operation("SpaceToDepth")
def space_to_depth(node: Node, x: Tensor) -> Tensor:
    """Blocks of pixels into channels, the reverse of DepthToSpace."""
    block = node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_unshuffle(x, block)
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, channels, height // block, block, width // block, block)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(batch, -1, height // block, width // block)


@operation("Col2Im")
def col2im(node: Node, x: Tensor, image_shape: Tensor, block_shape: Tensor) -> Tensor:
    """Blocks with shape (batch, channels x places, blocks) added up where they lie in the image."""
    lengths, sizes = integers(image_shape), integers(block_shape)
    ones = [1] * len(sizes)
    strides, dilations = node.get("strides", ones), node.get("dilations", ones)
    pads = node.get("pads", [0] * 2 * len(sizes))
    padded = [n + pads[at] + pads[at + len(sizes)] for at, n in enumerate(lengths)]
    counts = [(n - r) // s + 1 for n, r, s in zip(padded, spans(sizes, dilations), strides, strict=True)]
    place = torch.zeros((), dtype=torch.int64, device=x.device)
    for axis, n in enumerate(padded):
        shape = [1] * 2 * len(sizes)
        shape[axis], shape[axis + len(sizes)] = sizes[axis], counts[axis]
        offset = torch.arange(sizes[axis], device=x.device)[:, None] * dilations[axis]
        place = place * n + (offset + torch.arange(counts[axis], device=x.device) * strides[axis]).view(shape)
    blocks = x.reshape(len(x), x.shape[1] // math.prod(sizes), -1)
    image = x.new_zeros(*blocks.shape[:2], math.prod(padded)).index_add(2, place.flatten(), blocks)
    cut = [-size for at in reversed(range(len(sizes))) for size in (pads[at], pads[at + len(sizes)])]
    return F.pad(image.view(*blocks.shape[:2], *padded), cut)


@operation("NonMaxSuppression")
def non_max_suppression(
    node: Node,
    boxes: Tensor,
    scores: Tensor,
    most: Tensor | None = None,
    overlap: Tensor | None = None,
    least: Tensor | None = None,
) -> Tensor:
    """Rows (sample, class, box) of the boxes that overlap none of a better score by more than the threshold, best first."""
    count = max(integers(most), default=0)
    limit = 0.0 if overlap is None else float(overlap)
    corners = _corners(boxes, centred=bool(node.get("center_point_box", 0)))
    rows = [
        (sample, group, box)
        for sample in range(scores.shape[0])
        for group in range(scores.shape[1])
        for box in _best(corners[sample], scores[sample, group], count, limit, least)
    ]
    return torch.tensor(rows, dtype=torch.int64, device=boxes.device).view(-1, 3)


def _corners(boxes: Tensor, *, centred: bool) -> Tensor:
    """Boxes as (low, low, high, high), from any two corners or from a centre and lengths."""
    one, two = boxes[..., :2], boxes[..., 2:]
    if centred:
        return torch.cat([one - two / 2, one + two / 2], -1)
    return torch.cat([torch.minimum(one, two), torch.maximum(one, two)], -1)


def _best(boxes: Tensor, scores: Tensor, count: int, limit: float, least: Tensor | None) -> list[int]:
    left = scores.argsort(descending=True, stable=True)
    left = left if least is None else left[scores[left] > least]
    kept: list[int] = []
    while len(left) and len(kept) < count:
        kept.append(int(left[0]))
        left = left[1:][_overlap(boxes[left[:1]], boxes[left[1:]]) <= limit]
    return kept


def _overlap(box: Tensor, others: Tensor) -> Tensor:
    """Intersection over union; 0 where a box has no area."""
    sides = (torch.minimum(box[:, 2:], others[:, 2:]) - torch.maximum(box[:, :2], others[:, :2])).clamp(min=0)
    both = sides.prod(-1)
    area, areas = (box[:, 2:] - box[:, :2]).prod(-1), (others[:, 2:] - others[:, :2]).prod(-1)
    return torch.where(both > 0, both / (area + areas - both), 0.0)
