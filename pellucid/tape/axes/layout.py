"""Where samples, channels and places lie in a value, through everything that moves them: token grids, windows, patches, views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

from pellucid.target.condition import Axes
from .. import kinds
from ..batch import PERMUTED, REDUCTIONS, VIEWS, Shape, permutation
from ..op import Op, Tape, Value

# The same entries in another shape, order or memory: nothing is computed, and no place is left out.
RESHAPED = frozenset(
    (*VIEWS, *PERMUTED, *"expand clone contiguous alias detach copy _to_copy to as_strided native_dropout".split())
)
DROPPED = frozenset("select select_copy unbind unbind_copy".split())
# Entries change places, so that nobody can tell by the axes where they belong.
SCATTERED = frozenset("roll flip rot90 index index_select gather take masked_select sort topk col2im diagonal mv addmv".split())

SAMPLE, CHANNEL, OTHER = -1, -2, -3


class AxisFactor(NamedTuple):
    """A factor of an axis: `length` steps of one thing.

    Arguments:
        what: SAMPLE, CHANNEL, OTHER, or the axis of the picture (0, 1, ...) along which it goes.
        length: How many steps.
        step: How many places of the picture's grid one step is: after height 14 was cut into 2 windows of 7, the windows are
            AxisFactor(0, 2, step=7), and the places inside them AxisFactor(0, 7).
        inside: For a row of tokens, where its places are: `start` tokens of another kind come before them.
    """

    what: int
    length: int
    step: int = 1
    inside: tuple[AxisFactor, ...] = ()
    start: int = 0

    def then(self, finer: AxisFactor) -> AxisFactor | None:
        """This factor and a finer one behind it as one, if they are one."""
        if self.what != finer.what or self.inside or finer.inside:
            return None
        if self.what in (CHANNEL, OTHER):
            return self._replace(length=self.length * finer.length)
        whole = self.step == finer.length * finer.step
        return AxisFactor(self.what, self.length * finer.length, finer.step) if whole else None

    def cut(self, parts: int) -> tuple[AxisFactor, AxisFactor] | None:
        """`parts` coarse steps, and the fine steps within each of them."""
        if self.inside or self.length % parts:
            return None
        fine = self.length // parts
        return AxisFactor(self.what, parts, self.step * fine), AxisFactor(self.what, fine, self.step)


Axis = tuple[AxisFactor, ...]
Layout = tuple[Axis, ...]


class Grid(NamedTuple):
    """A layout in which a map can be read: which axis counts samples, which one channels, and how the axes left count places.

    Those left, in order and as one row, hold `start` other tokens, and then the places.
    """

    batch: int
    channel: int
    size: Shape
    start: int = 0


def grid(layout: Layout, value: Value, samples: int) -> Grid | None:
    """How to read a value as a map; None where that is not known.

    Example:
        >>> from ..batch import Batch
        >>> tokens = Value(None, (2, 197, 768), True, Batch(0))
        >>> row = AxisFactor(OTHER, 197, inside=(AxisFactor(0, 14), AxisFactor(1, 14)), start=1)
        >>> grid(((AxisFactor(SAMPLE, 2),), (row,), (AxisFactor(CHANNEL, 768),)), tokens, 2)
        Grid(batch=0, channel=2, size=(14, 14), start=1)
    """
    batch = _batch_axis(layout, value, samples) if len(layout) == len(value.shape) else None
    channels = [d for d, axis in enumerate(layout) if any(factor.what == CHANNEL for factor in axis)]
    if batch is None or len(channels) != 1 or channels[0] == batch:
        return None
    rest = [factor for d, axis in enumerate(layout) if d not in (batch, channels[0]) for factor in axis]
    row = rest[0] if len(rest) == 1 and rest[0].inside else None
    factors = rest if row is None else row.inside
    along = [factor.what for factor in factors]
    if not along or along != sorted({*along}) or along[0] < 0:
        return None
    return Grid(batch, channels[0], tuple(factor.length for factor in factors), 0 if row is None else row.start)


def _batch_axis(layout: Layout, value: Value, samples: int) -> int | None:
    """The axis that counts samples and nothing else."""
    if samples == 1:  # which may be any axis of one entry
        single = [d for d, n in enumerate(value.shape) if n == 1 and all(factor.what == SAMPLE for factor in layout[d])]
        return next(iter(single), None)
    axis = None if value.batch is None or value.batch.every != 1 else value.batch.axis
    return axis if axis is not None and layout[axis] == (AxisFactor(SAMPLE, samples),) else None


def layouts(tape: Tape) -> dict[int, Layout]:
    """How the values on a tape lie, as far as that is known.

    Whether the channels of the input are axis 1 or the last one follows from the first operation with weights that reads it.
    """
    axes = len(tape.values[tape.inputs[0]].shape)
    if axes < 3:
        return {}
    tries = [_follow(tape, channel) for channel in ((1, axes - 1) if axes > 3 else (axes - 1, 1))]
    return next((known for known in tries if _agrees(tape, known)), tries[0])


def _follow(tape: Tape, channel: int) -> dict[int, Layout]:
    x = tape.inputs[0]
    shape = tape.values[x].shape
    axes = iter(range(len(shape)))
    known: dict[int, Layout] = {
        x: tuple((AxisFactor(SAMPLE if d == 0 else CHANNEL if d == channel else next(axes), n),) for d, n in enumerate(shape))
    }
    for op in tape.ops:
        for out in op.outs:
            layout = None if out is None else output_layout(tape, op, tape.values[out], known)
            if layout is not None and out is not None:
                known[out] = layout
    return known


def _agrees(tape: Tape, known: Mapping[int, Layout]) -> bool:
    """Whether the first operation with weights finds the channels where it expects them."""
    first = next((op for op in tape.ops if op.kind in ("convolution", "dense")), None)
    layout = None if first is None else known.get(first.ins[0])
    if first is None or layout is None:
        return False
    return any(factor.what == CHANNEL for factor in layout[1 if first.kind == "convolution" else -1])


def output_layout(tape: Tape, op: Op, value: Value, known: Mapping[int, Layout]) -> Layout | None:
    """How one output of an operation lies, given how what it read lies."""
    sources = [known[i] for i in op.ins if i in known]
    if op.kind == "convolution":
        return _convolved(value, sources)
    if op.name == "im2col":
        return _patches(op, value, tape.values[op.ins[0]].shape)
    if not sources or op.name in SCATTERED or op.kind in ("constant", "unknown"):
        return None
    if op.name in kinds.MATRIX_PRODUCTS:
        return _multiplied(op, value, known)
    if op.name == "as_strided_scatter":  # a flat storage, seen as the value that was written there
        return sources[0]
    if op.name in PERMUTED:
        return tuple(sources[0][d] for d in permutation(op.name, op.args, len(sources[0])))
    if op.name in VIEWS:
        return viewed(sources[0], value.shape)
    if op.name in DROPPED or (op.name in REDUCTIONS and len(value.shape) < len(sources[0])):
        return _dropped(op, value, sources[0])
    return _kept(tape, op, value, known)


def _convolved(value: Value, sources: Sequence[Layout]) -> Layout:
    """(batch, channel, *places), whatever was there before."""
    batch, channels, *sizes = value.shape
    sample: Axis = (AxisFactor(SAMPLE if value.batch is not None and value.batch[:2] == (0, 1) else OTHER, batch),)
    spread: list[Axis] = [(AxisFactor(k, size),) for k, size in enumerate(sizes)]
    if sources and len(sources[0]) == len(value.shape):
        sample = sources[0][0]
        spread = [_resized(axis, size) for axis, size in zip(sources[0][2:], sizes, strict=True)]
    return (sample, (AxisFactor(CHANNEL, channels),), *spread)


def _resized(axis: Axis, length: int) -> Axis:
    """An axis after its length was changed: a coarser or finer grid, more or fewer channels."""
    if prod(factor.length for factor in axis) == length:
        return axis
    whats = {factor.what for factor in axis}
    if CHANNEL in whats:
        return (AxisFactor(CHANNEL, length),)
    (what,) = whats if len(whats) == 1 and not axis[0].inside else (OTHER,)
    return (AxisFactor(what, length),) if len(axis) == 1 else (AxisFactor(OTHER, length),)


def _patches(op: Op, value: Value, before: Shape) -> Layout | None:
    """Patches cut by `unfold`: (batch, entries of a patch, patches in a row)."""
    kernel, dilation, padding, stride = op.args[1:5]
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(before[-2:], kernel, dilation, padding, stride, strict=True)
    ]
    if len(value.shape) != 3 or prod(size) != value.shape[2]:
        return None
    return (
        (AxisFactor(SAMPLE, value.shape[0]),),
        (AxisFactor(CHANNEL, value.shape[1]),),
        tuple(AxisFactor(k, n) for k, n in enumerate(size)),
    )


def _multiplied(op: Op, value: Value, known: Mapping[int, Layout]) -> Layout | None:
    """z_ij = sum over k of a_ik b_kj: the rows of the left operand, the columns of the right one."""
    left, right = (known.get(ref.id) for ref in op.args[-2:])
    rows = left[:-1] if left is not None else None
    columns = right[-1] if right is not None else None
    if rows is None and right is not None:  # weights from the left
        rows = (*right[:-2], _mixed(right[:-2] + right[-1:], right[-2], value.shape[-2]))
    if columns is None and left is not None:
        columns = _mixed(left[:-1], left[-1], value.shape[-1])
    return (*rows, columns) if rows is not None and columns is not None and len(rows) == len(value.shape) - 1 else None


def _mixed(others: Sequence[Axis], axis: Axis, length: int) -> Axis:
    """What a matrix makes of the axis it sums over: of channels other channels, of places nothing that has places any more.

    Fine steps whose coarse ones are on other axes are entries of patches, which are channels too.
    """
    elsewhere = {factor.what for other in others for factor in other}
    inner = all(factor.what in elsewhere and not factor.inside for factor in axis)
    return (AxisFactor(CHANNEL if inner or any(factor.what == CHANNEL for factor in axis) else OTHER, length),)


def viewed(layout: Layout, shape: Shape) -> Layout | None:
    """The same entries in another shape: factors are cut and joined; None where they do not come apart so.

    Example:
        >>> rows, columns = (AxisFactor(0, 14),), (AxisFactor(1, 14),)
        >>> viewed((rows, columns), (2, 7, 14))
        ((AxisFactor(what=0, length=2, step=7, ...),), (AxisFactor(what=0, length=7, ...),), (AxisFactor(what=1, ...),))
    """
    waiting = [factor for axis in layout for factor in axis if factor.length > 1]  # nobody can tell where a single entry went
    waiting.reverse()
    axes: list[Axis] = []
    for length in shape:
        axis: list[AxisFactor] = []
        left = length
        while left > 1:
            if not waiting:
                return None
            factor = waiting.pop()
            if left % factor.length:
                pieces = factor.cut(left)
                if pieces is None:
                    return None
                factor, fine = pieces
                waiting.append(fine)
            left //= factor.length
            joined = axis[-1].then(factor) if axis else None
            axis[-1:] = [joined] if joined is not None else [*axis[-1:], factor]
        axes.append(tuple(axis))
    return tuple(axes)


def _dropped(op: Op, value: Value, layout: Layout) -> Layout | None:
    """Axes left out, by picking one entry or by taking means, sums, maxima."""
    n = len(layout)
    dims = op.args[1] if len(op.args) > 1 else 0 if op.name in DROPPED else ()
    gone = {d % n for d in ([dims] if isinstance(dims, int) else dims or range(n))}
    kept = tuple(axis for d, axis in enumerate(layout) if d not in gone)
    return kept if len(kept) == len(value.shape) else None


def _kept(tape: Tape, op: Op, value: Value, known: Mapping[int, Layout]) -> Layout | None:
    """What leaves the axes where they are: activations, norms, pools, sums, paddings, slices, and several values joined."""
    origins = [i for i in op.ins if i in known and len(known[i]) == len(value.shape)]
    if not origins:
        return None
    axes: list[Axis] = []
    for d, length in enumerate(value.shape):
        origin = next((i for i in origins if places(known[i][d])), origins[0])
        shift = _shift(tape, op, d, origin)
        if shift is None or _crops(op, d, known[origin], known):
            axes.append(_either([known[i][d] for i in origins], length))
        else:
            axes.append(_moved(known[origin][d], shift, length))
    return tuple(axes)


def _either(axes: Sequence[Axis], length: int) -> Axis:
    """An axis of several values that are combined entry by entry, as in the value of which most is known."""

    def vague(axis: Axis) -> bool:
        return any(factor.what == OTHER and not factor.inside for factor in axis)

    whole = [axis for axis in axes if prod(factor.length for factor in axis) == length]
    return min(whole, key=vague, default=_resized(axes[0], length))


def places(axis: Axis) -> Axis:
    """The factors along the picture, in a row of tokens or by themselves; none if anything else is mixed in."""
    factors = axis[0].inside if len(axis) == 1 and axis[0].inside else axis
    return () if any(factor.what < 0 for factor in factors) else factors


def _shift(tape: Tape, op: Op, d: int, origin: int) -> int | None:
    """By how much the entries of a value move along an axis on which values are joined, padded or sliced; None elsewhere."""
    n = len(tape.values[origin].shape)
    if op.name == "constant_pad_nd":
        before: int = [*op.args[1][::2], *[0] * n][n - 1 - d]
        return before if sum(op.args[1][2 * (n - 1 - d) : 2 * (n - d)]) else None
    if op.name not in ("cat", "slice", "slice_copy") or (op.args[1] if len(op.args) > 1 else 0) % n != d:
        return None
    if op.name == "cat":
        parts = [ref.id for ref in op.args[0]]
        before_it = (tape.values[i].shape for i in parts[: parts.index(origin)])
        return sum(int(shape[d]) for shape in before_it if len(shape) == n)  # an empty cache is joined as a tensor of shape (0,)
    first: int = op.args[2] if len(op.args) > 2 and op.args[2] is not None else 0
    return -(first if first >= 0 else first + tape.values[origin].shape[d])


def _crops(op: Op, d: int, layout: Layout, known: Mapping[int, Layout]) -> bool:
    """Whether a map of its own is cut or padded along one of its axes, and not a row of tokens."""
    if len(layout[d]) != 1 or layout[d][0].inside:
        return False
    spread = any(places(axis) for other, axis in enumerate(layout) if other != d)
    return op.name != "cat" or spread or all(ref.id in known for ref in op.args[0])


def _moved(axis: Axis, shift: int, length: int) -> Axis:
    """A row of places after other tokens were put before or behind it, or taken away."""
    inside = places(axis)
    start, count = shift + (axis[0].start if axis else 0), prod(factor.length for factor in inside)
    if not inside:
        return _resized(axis, length)
    if start < 0 or start + count > length:
        return (AxisFactor(OTHER, length),)
    return inside if count == length else (AxisFactor(OTHER, length, inside=inside, start=start),)


def axes_of(tape: Tape, id: int, where: str) -> Axes:
    """How a value lies, as far as it follows from the tape.

    Where channels stand is followed from the input on. Where it cannot be followed they stand on axis 1, as in rows and maps, and
    in values with three axes on the last, as in rows of tokens, unless a convolution made them.
    """
    value = tape.values[id]
    batch = value.batch.axis if value.batch is not None and value.batch.every == 1 else None
    ran = replace(
        tape, ops=tape.ops_by_index, traced=None
    )  # rewrites tell views and products as one, in which places cannot be followed
    layout = layouts(ran).get(id) if len(value.shape) > 2 else None
    channel_grid = None if layout is None else grid(layout, value, tape.samples)
    if channel_grid is not None:
        return Axes(where, value.shape, channel_grid.batch, channel_grid.channel)
    channel = 2 if len(value.shape) == 3 and not _from_convolution(tape, id) else 1
    if channel == batch:
        channel = 0
    return Axes(where, value.shape, batch, channel if channel < len(value.shape) else None)


def _from_convolution(tape: Tape, id: int) -> bool:
    """Whether a convolution made a value, directly or before what keeps its shape."""
    made, shape = {o: op for op in tape.ops for o in (*op.outs, *op.inner) if o is not None}, tape.values[id].shape
    while id in made and tape.values[id].shape == shape:
        op = made[id]
        if op.kind in ("convolution", "dense"):
            return op.kind == "convolution"
        if not op.ins:
            break
        id = op.ins[0]
    return False
