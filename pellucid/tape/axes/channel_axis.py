"""On which axis of a module's value channels stand: told by what made it."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from pellucid.model import Model
from ..embedding import embed
from ..forward import forward_values
from ..op import Op, Tape
from ..recording.record import record
from ..seed import find
from .layout import axes_of, grid, layouts

FIRST, LAST = 1, -1
# Modules that say it by their class. Of others, as activations are, the operations before them do.
CHANNELS_FIRST = (
    nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm,
    nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd, nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle, nn.LocalResponseNorm,
)  # fmt: skip
CHANNELS_LAST = (nn.Linear, nn.Bilinear, nn.Embedding, nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer)
EXACT = (nn.LayerNorm, nn.RMSNorm)  # subclasses of these exist that turn channels to axis 1
KEEPING = frozenset("activation sum scale shift norm gate route product softmax".split())


class ChannelAxis(NamedTuple):
    """On which axis channels stand, 1 or -1; whether that is certain; and the shape of the value they are part of."""

    axis: int
    certain: bool
    shape: tuple[int, ...]


_KNOWN: WeakKeyDictionary[nn.Module, dict[Any, ChannelAxis | None]] = WeakKeyDictionary()


def channel_axis(model: Model, x: Tensor, at: str) -> ChannelAxis | None:
    """Where channels stand in what a module returns, remembered as long as the network lives; None where it returns nothing."""
    if model.module is None:
        return _find(model, x, at)
    known, key = _KNOWN.setdefault(model.module, {}), (at, x.dim(), x.dtype)
    if key not in known:
        known[key] = _find(model, x, at)
    return known[key]


def _find(model: Model, x: Tensor, at: str) -> ChannelAxis | None:
    try:
        tape = _recorded(model, x)
        id = find(tape, at)
    except Exception:
        return _by_shape(model, x, at)
    shape, said = tape.values[id].shape, _said(model, at)
    if len(shape) < 3 or said is not None:
        return ChannelAxis(said if said is not None and len(shape) > 2 else FIRST, True, shape)
    return ChannelAxis(*axis_of(tape, id), shape)


def _by_shape(model: Model, x: Tensor, at: str) -> ChannelAxis | None:
    """Of a model that cannot be recorded."""
    try:
        shape = tuple(forward_values(model, x, (at,))[at].shape)
    except Exception:  # whoever reads the value says why
        return None
    said = _said(model, at)
    axis = FIRST if len(shape) != 3 else LAST
    return ChannelAxis(axis if said is None or len(shape) < 3 else said, said is not None or len(shape) < 3, shape)


def _said(model: Model, at: str) -> int | None:
    """The axis that the class of a module says."""
    module: Any = dict(model.module.named_modules()).get(at) if model.module is not None else None
    if isinstance(module, CHANNELS_FIRST):
        return FIRST
    return LAST if isinstance(module, CHANNELS_LAST) or type(module) in EXACT else None


def axis_of(tape: Tape, id: int) -> tuple[int, bool]:
    """The axis of channels in a value of a tape, and whether that is certain."""
    value = tape.values[id]
    layout = layouts(tape).get(id)
    placed = None if layout is None else grid(layout, value, tape.samples)
    if placed is not None:
        return _as_first_or_last(placed.channel, len(value.shape)), True
    made = _maker(tape, id)
    if made is not None:
        return (FIRST if made.kind == "convolution" else LAST), True
    axes = axes_of(tape, id, "")
    return _as_first_or_last(axes.channel or 0, len(value.shape)), False


def _as_first_or_last(axis: int, count: int) -> int:
    return LAST if axis == count - 1 and count > 2 else FIRST


def _maker(tape: Tape, id: int) -> Op | None:
    """The convolution or dense layer that made a value, directly or before what keeps its channels; None where none did."""
    made = {o: op for op in tape.ops for o in (*op.outs, *op.inner) if o is not None}
    rank = len(tape.values[id].shape)
    while id in made:
        op = made[id]
        if op.kind in ("convolution", "dense"):
            return op if op.kind == "dense" or len(tape.values[op.out].shape) == rank else None
        if op.kind not in KEEPING or not op.ins or (op.kind == "route" and not _keeps_channels_last(tape, op)):
            return None
        id = op.ins[0]
    return None


def _keeps_channels_last(tape: Tape, op: Op) -> bool:
    """Whether a view leaves the last axis what it was, as that of a dense layer on every token does."""
    before, after = tape.values[op.ins[0]].shape, tape.values[op.out].shape
    return op.name in ("view", "_unsafe_view", "reshape") and bool(before) and before[-1] == after[-1]


@torch.no_grad()
def _recorded(model: Model, x: Tensor) -> Tape:
    if x.is_floating_point():
        whole = isinstance(model.module, torch.fx.GraphModule)  # exported programs may take batches of one size alone
        return record(model, x if whole else x[:1])
    text = embed(model, x[:1])
    return record(text.handle(), text.vectors)
