"""Steps of convolutions, transposed or not, in any number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import pad as padded

from pellucid.tape import Op
from pellucid.tape.linear import Convolution, aten, linear
from .box import Box, MapLayout
from .operand import Fetch, FullMap, Lookup
from .region import Settings, in_last_axes, region_and_box, sides
from .span import Cut, Spread
from .step import Draft, PlanStep


def convolution(draft: Draft, op: Op) -> PlanStep | None:
    """The step of a convolution on boxes; None where axes do not fit."""
    box = draft.boxes.get(op.ins[0])
    if op.kind != "convolution" or box is None or len(op.ins) > 1:
        return None
    lin = _linear(draft, op)
    d = len(lin.shape) - 2
    if len(box.layout.shape) != d + 2 or not in_last_axes(box.layout, d):
        return None
    stride, padding, dilation, transposed, _, groups = lin.settings
    settings = Settings.of(d, lin.raw.shape[2:], stride, padding, dilation)
    make = _transposed if transposed else _plain
    return make(draft, op, box, settings, groups)


def full_convolution(draft: Draft, op: Op) -> PlanStep:
    """The step of a convolution on whole maps."""
    pad = None if op.pad is None else list(op.pad)
    return PlanStep(op, convolve, (FullMap(op.ins[0]), *draft.weight(op), pad, *_linear(draft, op).settings))


def _linear(draft: Draft, op: Op) -> Convolution:
    lin = linear(draft.tape, op)
    assert isinstance(lin, Convolution), "its kind says so"
    return lin


def _plain(draft: Draft, op: Op, box: Box, settings: Settings, groups: int) -> PlanStep | None:
    d = len(settings.kernel)
    low, high = sides(op.pad or (), d)
    boxed = [axis + 2 in box.layout.axes for axis in range(d)]
    if any(not b and (low[axis] or high[axis]) for axis, b in enumerate(boxed)):
        return None
    sizes = draft.shape(op.out)[2:]
    taps = [settings.taps(axis, sizes[axis], low[axis]) if b else None for axis, b in enumerate(boxed)]
    source, output = region_and_box(draft, op, box, (None, None, *taps))
    remaining = settings.remaining(taps)
    rest = (None, remaining.stride, remaining.padding, remaining.dilation, False, [0] * d, groups)
    return PlanStep(op, convolve, (source, *draft.weight(op), *rest), boxes={op.out: output})


def _transposed(draft: Draft, op: Op, box: Box, settings: Settings, groups: int) -> PlanStep | None:
    """Its outputs overlap: more than the box is made, and then cut to it."""
    d = len(settings.kernel)
    if len(box.layout.axes) != d or op.pad is not None:
        return None
    cuts, spans, offsets = [], [], []
    for n, (axis, span) in enumerate(zip(box.layout.axes, box.spans, strict=True)):
        spread = Spread(settings.taps(axis - 2, draft.shape(op.out)[axis]))
        spans.append(spread.reached(span))
        cut, offset = spread.read(spans[-1])
        cuts.append(cut)
        offsets.append(Lookup(Cut(offset, spans[-1].length).positions(), n))
    output = draft.box(op.out, box, spans)
    source = Fetch.of(op.ins[0], box.layout, box, cuts)
    rest = (None, settings.stride, [0] * d, settings.dilation, True, [0] * d, groups)
    return PlanStep(op, _convolve_and_cut, (output.layout, offsets, source, *draft.weight(op), *rest), boxes={op.out: output})


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, pad: list[int] | None, *settings: Any) -> Tensor:
    """A convolution; `pad` is that of an operation before it."""
    z: Tensor = aten.convolution.default(x if pad is None else padded(x, pad), weight, bias, *settings)
    return z


def _convolve_and_cut(layout: MapLayout, positions: Sequence[Tensor], *convolved: Any) -> Tensor:
    """Along each axis of the picture, what lies at the positions given for each window."""
    z = convolve(*convolved)
    for axis, index in zip(layout.axes, positions, strict=True):
        shape = [1] * z.dim()
        shape[0], shape[axis] = index.shape
        z = z.gather(axis, index.view(shape).expand(*z.shape[:axis], index.shape[1], *z.shape[axis + 1 :]))
    return z
