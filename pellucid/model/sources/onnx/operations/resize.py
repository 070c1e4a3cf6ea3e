"""Resizing: by torch where it computes the same, else by one matrix of interpolation weights per axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, integers, operation

LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}
OLD = "outwards"
HALF_PIXEL = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")


@dataclass(frozen=True)
class Axis:
    """One axis that is resized.

    Arguments:
        length: Before.
        size: After.
        scale: Size by length, before the size is rounded.
        part: The part of the axis that is read, from 0 to 1.
    """

    at: int
    length: int
    size: int
    scale: float
    part: tuple[float, float] = (0.0, 1.0)

    @property
    def changes(self) -> bool:
        return self.size != self.length or abs(self.scale - 1) > 1e-9 or self.part != (0.0, 1.0)

    @property
    def whole(self) -> bool:
        """Whether the size is the length by the scale, with nothing rounded."""
        return abs(self.scale * self.length - self.size) < 1e-5 * self.size


@dataclass(frozen=True)
class Way:
    """How values between entries are found.

    Arguments:
        mode: "nearest", "linear" or "cubic".
        transform: Which position of the input a position of the output stands for.
        rounding: Of positions, for the nearest entry.
        steepness: The free coefficient of the cubic kernel.
    """

    mode: str
    transform: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    steepness: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False
    outside: float = 0.0


@operation("Resize")
def resize(node: Node, x: Tensor, *inputs: Tensor | None) -> Tensor:
    """To sizes or by scales, in the order of the inputs since version 11: region, scales, sizes."""
    if node.opset < 11:
        return _resized(x, _by_scales(x, inputs[0]), _old(node))
    region, scales, sizes = (*(one if one is not None and one.numel() else None for one in inputs), None, None, None)[:3]
    axes = [axis % x.dim() for axis in node.get("axes") or range(x.dim())]
    if sizes is not None:
        found = _by_sizes(x, integers(sizes), axes, node.get("keep_aspect_ratio_policy", "stretch"))
    else:
        found = _by_scales(x, scales, axes)
    way = Way(
        node.get("mode", "nearest"),
        node.get("coordinate_transformation_mode", "half_pixel"),
        node.get("nearest_mode", "round_prefer_floor"),
        node.get("cubic_coeff_a", -0.75),
        bool(node.get("antialias", 0)),
        bool(node.get("exclude_outside", 0)),
        node.get("extrapolation_value", 0.0),
    )
    if region is not None and way.transform == "tf_crop_and_resize":
        ends = region.tolist()
        found = [replace(one, part=(ends[at], ends[at + len(found)])) for at, one in enumerate(found)]
    return _resized(x, found, way)


@operation("Upsample")
def upsample(node: Node, x: Tensor, scales: Tensor | None = None) -> Tensor:
    """By scales that stand in an input, before version 9 in attributes."""
    if scales is None:
        both = [1.0] * (x.dim() - 2) + [node.get("height_scale", 1.0), node.get("width_scale", 1.0)]
        scales = torch.tensor(node.get("scales", both))
    return _resized(x, _by_scales(x, scales), _old(node))


def _old(node: Node) -> Way:
    """Before version 11: positions are divided by the scale, and rounded down, or up along axes that shrink."""
    mode = node.get("mode", "nearest")
    return Way("linear" if mode == "bilinear" else mode, "asymmetric", OLD)


def _by_scales(x: Tensor, scales: Tensor | None, axes: Sequence[int] | None = None) -> list[Axis]:
    if scales is None:
        raise ValueError("neither scales nor sizes are given")
    listed = list(axes if axes is not None else range(x.dim()))
    sizes = (scales.cpu().float() * torch.tensor([x.shape[axis] for axis in listed])).floor().long().tolist()
    return [Axis(axis, x.shape[axis], size, scale) for axis, size, scale in zip(listed, sizes, scales.tolist(), strict=True)]


def _by_sizes(x: Tensor, sizes: Sequence[int], axes: Sequence[int], policy: str) -> list[Axis]:
    """The sizes given or, where the aspect ratio is kept, the largest within them or the smallest around them."""
    lengths = [x.shape[axis] for axis in axes]
    scales = [size / length for size, length in zip(sizes, lengths, strict=True)]
    if policy != "stretch":
        one = min(scales) if policy == "not_larger" else max(scales)
        scales, sizes = [one] * len(axes), [int(one * length + 0.5) for length in lengths]
    return [Axis(*each) for each in zip(axes, lengths, sizes, scales, strict=True)]


def _resized(x: Tensor, axes: Sequence[Axis], way: Way) -> Tensor:
    axes = [axis for axis in axes if axis.changes]
    if not x.is_floating_point() and way.mode != "nearest":
        return _resized(x.float(), axes, way).to(x.dtype)
    native = _native(x, axes, way)
    if native is not None:
        return native
    for axis in axes:
        x = _along(x, axis, way)
    return x


def _native(x: Tensor, axes: Sequence[Axis], way: Way) -> Tensor | None:
    """By torch, where it computes the same."""
    fits = x.dim() in LINEAR and x.is_floating_point() and all(axis.at >= 2 and axis.whole for axis in axes)
    if not axes or not fits or way.antialias:
        return None
    sizes = list(x.shape[2:])
    for axis in axes:
        sizes[axis.at - 2] = axis.size
    if way.mode == "nearest":
        same = way.transform != "tf_crop_and_resize" and all(_floors(axis, way) for axis in axes)
        return F.interpolate(x, sizes) if same else None
    corners = way.transform == "align_corners"
    shifted = way.transform in HALF_PIXEL and (way.transform != "pytorch_half_pixel" or all(axis.size > 1 for axis in axes))
    if not corners and not shifted:
        return None
    if way.mode == "linear":
        return F.interpolate(x, sizes, mode=LINEAR[x.dim()], align_corners=corners)
    usual = x.dim() == 4 and way.steepness == -0.75 and not way.exclude_outside
    return F.interpolate(x, sizes, mode="bicubic", align_corners=corners) if usual else None


def _floors(axis: Axis, way: Way) -> bool:
    """Whether the nearest entries are those that torch's own takes."""
    usual = torch.arange(axis.size) * axis.length // axis.size
    return torch.equal(_nearest(axis, way), usual)


def _along(x: Tensor, axis: Axis, way: Way) -> Tensor:
    """One axis resized."""
    if way.mode == "nearest":
        y = x.index_select(axis.at, _nearest(axis, way).to(x.device))
    else:
        weights = _weights(axis, way).to(x)
        y = (x.movedim(axis.at, -1) @ weights.mT).movedim(-1, axis.at)
    if way.transform != "tf_crop_and_resize":
        return y
    at = _positions(axis, way)
    inside = ((at >= 0) & (at <= axis.length - 1)).to(x.device).view(-1, *(1,) * (x.dim() - 1 - axis.at))
    return torch.where(inside, y, way.outside)


def _positions(axis: Axis, way: Way) -> Tensor:
    """Where in the input each entry of the output lies."""
    return TRANSFORMS[way.transform](torch.arange(axis.size, dtype=torch.float64), axis)


def _divided(at: Tensor, axis: Axis) -> Tensor:
    """Positions by the scale: by the lengths where they say the same, else in the 32 bits that scales come in."""
    return at * axis.length / axis.size if axis.whole else (at.float() / axis.scale).double()


def _size(axis: Axis) -> float:
    return axis.size if axis.whole else axis.scale * axis.length


def _aligned(at: Tensor, axis: Axis) -> Tensor:
    size = _size(axis)
    return torch.zeros_like(at) if size == 1 else at * (axis.length - 1) / (size - 1)


def _cropped(at: Tensor, axis: Axis) -> Tensor:
    (begin, end), last, size = axis.part, axis.length - 1, _size(axis)
    inner = torch.full_like(at, 0.5) if size == 1 else at / (size - 1)
    return begin * last + inner * (end - begin) * last


def _half_pixel(at: Tensor, axis: Axis) -> Tensor:
    return _divided(at + 0.5, axis) - 0.5


def _symmetric(at: Tensor, axis: Axis) -> Tensor:
    """The centre of the input at the centre of the output, where the size was rounded as well."""
    return axis.length / 2 * (1 - axis.size / _size(axis)) + _half_pixel(at, axis)


TRANSFORMS: dict[str, Callable[[Tensor, Axis], Tensor]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda at, axis: _half_pixel(at, axis) if axis.size > 1 else torch.zeros_like(at),
    "align_corners": _aligned,
    "asymmetric": _divided,
    "tf_half_pixel_for_nn": lambda at, axis: _divided(at + 0.5, axis),
    "tf_crop_and_resize": _cropped,
}
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round_prefer_floor": lambda at: (at - 0.5).ceil(),
    "round_prefer_ceil": lambda at: (at + 0.5).floor(),
}


def _nearest(axis: Axis, way: Way) -> Tensor:
    """The entry that each entry of the output repeats."""
    rounding = ("floor" if axis.scale >= 1 else "ceil") if way.rounding == OLD else way.rounding
    return ROUNDINGS[rounding](_positions(axis, way)).long().clamp(0, axis.length - 1)


def _weights(axis: Axis, way: Way) -> Tensor:
    """The share of each entry of the input in each of the output, with shape (size, length).

    What would lie outside is that of the last entry, or is left out and the rest made to sum to 1.
    """
    shrink = min(axis.scale, 1.0) if way.antialias else 1.0
    reach = int((2 if way.mode == "cubic" else 1) / shrink) + 2
    entries = torch.arange(-reach, axis.length + reach, dtype=torch.float64)
    distance = (shrink * (entries - _positions(axis, way)[:, None])).abs()
    weights = _cubic(distance, way.steepness) if way.mode == "cubic" else (1 - distance).clamp(min=0)
    weights = weights / weights.sum(1, keepdim=True)
    inner = weights[:, reach:-reach]
    if way.exclude_outside:
        return inner / inner.sum(1, keepdim=True)
    before, after = weights[:, :reach].sum(1), weights[:, -reach:].sum(1)
    folded = inner.clone()
    folded[:, 0] += before
    folded[:, -1] += after
    return folded


def _cubic(d: Tensor, a: float) -> Tensor:
    """Keys' kernel of the distance d.

    References: Cubic convolution interpolation for digital image processing (Keys, 1981), Eq. 4, https://doi.org/10.1109/TASSP.1981.1163711
    """
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))
