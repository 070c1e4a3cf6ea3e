"""Which layer a class activation map is made of, and how the heat of its places becomes values of the input.

The feature candidates themselves, and where their axes lie, are in `pellucid/tape/axes/feature_map.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.model.where import Where
from pellucid.tape import Op, Tape, kinds
from pellucid.tape.axes.feature_map import MODES, FeatureMap, over_channels, resized
from pellucid.tape.axes.layout import RESHAPED, Grid, Layout, grid, layouts, places
from pellucid.tape.seed import ResolvedTarget, find
from pellucid.tape.walk import path

WEIGHTED = ("convolution", "dense")
# What stands between a map and the weights that read it: nothing that lets one part of the input decide over another.
PASSING = ("route", "pool", "max", "norm", "activation", "sum", "scale", "shift")


def choose_map(
    tape: Tape, resolved: ResolvedTarget, method: str, layer: str | None = None, at: str | Where | None = None
) -> FeatureMap:
    """The map that a method is about.

    Without a name it is the last one, on the way from the input to the target, whose places all reach the target and that weights
    read: in a convolutional network what the last pooling pools, before the classifier; in a Transformer that reads its class
    token, what goes into the last attention, since after it the patches no longer reach the target.

    Arguments:
        method: Its name, for messages.
        layer: A module path: the map it returned.
        at: The same, given as the address of values.

    Raises:
        MethodError: there is no map, or none there; or both `layer` and `at` are given and differ.
        WhereError: the address names no value.
    """
    if layer is not None and at is not None and str(at) != layer:
        raise MethodError(
            f"{method} with layer={layer!r} at {at}", "two addresses", "the values at an address come from the map there",
            "Leave one of them out.",
        )  # fmt: skip
    address = layer if at is None else at
    candidates = Candidates.of(tape, resolved)
    chosen = candidates.last(method) if address is None else candidates.named(find(tape, address), str(address), method)
    if at is None and len(chosen.size) != len(chosen.input_grid.size):
        raise _other_axes(chosen, method)
    return chosen


@dataclass(frozen=True, eq=False)
class Candidates:
    """The feature maps of a tape that a method may be made of.

    Arguments:
        ops: The operations between the input and the target.
        grids: By value: how it is read as a map.
        reaching: Values whose places reach the target, and not a single token of them.
        ends: What the target reads.
    """

    tape: Tape
    ops: Sequence[Op]
    grids: dict[int, Grid]
    reaching: frozenset[int]
    ends: frozenset[int]

    @staticmethod
    def of(tape: Tape, resolved: ResolvedTarget) -> Candidates:
        ops, known = path(tape, resolved.gradients), layouts(tape)
        found = {i: grid(layout, tape.values[i], tape.samples) for i, layout in known.items()}
        grids = {i: g for i, g in found.items() if g is not None}
        ends = frozenset(resolved.gradients)
        return Candidates(tape, ops, grids, _reaching(tape, ops, known, ends), ends)

    def last(self, method: str) -> FeatureMap:
        """The last map that weights read."""
        found = self._candidates()
        made = {i for op in self.ops if op.name not in RESHAPED for i in op.outs if i in found}  # a view is nothing new
        best = max(made & _read(self.ops) or made or found, default=None)
        if best is None:
            raise _no_map(self.tape, method)
        best = self._source(best)
        return self._map(best, _name(self.tape, best))

    def named(self, id: int, name: str, method: str) -> FeatureMap:
        """The map at an address."""
        if id not in self.grids or prod(self.grids[id].size) < 2 or self.tape.inputs[0] not in self.grids:
            raise _not_a_map(self.tape, id, name, method)
        return self._map(id, name)

    def _candidates(self) -> frozenset[int]:
        """Values with places, along as many axes as the input has, made by layers that learn."""
        x = self.grids.get(self.tape.inputs[0])
        made = _learned(self.ops)
        return frozenset(
            out
            for op in self.ops
            for out in op.outs
            if x is not None and out in self.reaching and out not in self.ends and out in made
            and out in self.grids and len(self.grids[out].size) == len(x.size) and prod(self.grids[out].size) > 1
        )  # fmt: skip

    def _source(self, id: int) -> int:
        """Where a map was made, of which a part, another order or local means are read in the end."""
        while True:
            made = self.tape.values[id].producer
            op = None if made is None else self.tape.ops_by_index[made]
            if op is None or len(op.ins) != 1 or op.ins[0] not in self.grids or op.ins[0] in self.tape.inputs:
                return id
            same = op.kind == "route" and self.grids[op.ins[0]].size == self.grids[id].size
            if not same and "avg_pool" not in op.name and "adaptive_max_pool" not in op.name:
                return id
            id = op.ins[0]

    def _map(self, id: int, name: str) -> FeatureMap:
        value, x = self.tape.values[id], self.tape.inputs[0]
        return FeatureMap(id, name, value.shape, self.grids[id], self.grids[x], id in self.reaching)


def _learned(ops: Sequence[Op]) -> set[int]:
    """What descends from weights: a input_grid that is only moved or scaled is no map yet."""
    made: set[int] = set()
    for op in ops:
        learns = op.kind in WEIGHTED or (op.kind == "norm" and op.name not in kinds.BATCH_NORMS)
        if learns or not made.isdisjoint(op.ins):
            made.update(o for o in op.outs if o is not None)
    return made


def _read(ops: Sequence[Op]) -> set[int]:
    """What is read by weights, directly or through poolings, norms and sums."""
    found: set[int] = set()
    for op in reversed(ops):
        if op.kind in WEIGHTED or (op.kind in PASSING and any(o in found for o in op.outs)):
            found.update(op.ins)
    return found


def _reaching(tape: Tape, ops: Sequence[Op], known: Mapping[int, Layout], ends: frozenset[int]) -> frozenset[int]:
    """Values whose places reach `ends`. Where a single token is picked out of a row, those of the row do not."""
    found = set(ends)
    placed = {i for i, layout in known.items() if any(factor.what >= 0 or factor.inside for axis in layout for factor in axis)}
    for op in reversed(ops):
        outs = [o for o in op.outs if o in placed]
        for i in op.ins:
            summed = op.name in kinds.MATRIX_PRODUCTS and i == op.args[-1].id  # whose places are summed over, as keys and values
            reaches = any(o in found for o in outs) if outs else not _picked(tape, op, i, known)
            if reaches or summed or i not in placed:
                found.add(i)
    return frozenset(found)


def _picked(tape: Tape, op: Op, origin: int, known: Mapping[int, Layout]) -> bool:
    """Whether an operation takes single tokens out of a row: the class token, or one place to stand for all."""
    if op.name not in ("select", "slice", "select_copy", "slice_copy") or origin not in known:
        return False
    layout = known[origin]
    dim = (op.args[1] if len(op.args) > 1 else 0) % len(layout)
    row = places(layout[dim])
    if not row or any(places(axis) for d, axis in enumerate(layout) if d != dim):
        return False
    entries = range(tape.values[origin].shape[dim])
    taken: Sequence[int] = [entries[op.args[2]]] if op.name.startswith("select") else entries[slice(*op.args[2:5])]
    return sum(layout[dim][0].start <= n < layout[dim][0].start + prod(factor.length for factor in row) for n in taken) < 2


def _name(tape: Tape, id: int) -> str:
    """The outermost module that returned a value, in whatever shape; else the operation that made it."""
    same = {id}
    for op in tape.ops:
        if op.name in RESHAPED and op.ins and op.ins[0] in same:
            same.update(o for o in op.outs if o is not None)
    names = [name for name, ids in tape.returned.items() if name and same.intersection(ids)]
    made = tape.values[id].producer
    assert made is not None
    return min(names, key=lambda name: (name.count("."), len(name)), default="") or tape.ops_by_index[made].place


# -- from a map to an attribution ---------------------------------------------------------------------------------------------


def map_attribution(
    tape: Tape,
    resolved: ResolvedTarget,
    chosen: FeatureMap,
    heat: Tensor,
    at: str | Where | None,
    *,
    notes: Sequence[str] = (),
    options: Sequence[str] = (),
    forwards: int = 0,
) -> Attribution:
    """One number per place of a map, as values of the input: interpolated there, and the same for all channels of a place.

    Arguments:
        heat: Raw, with shape (batch, *places).
        at: If given, values are those of the map itself, and nothing is interpolated.
    """
    if at is None:
        input_grid, shape = chosen.input_grid, tape.values[tape.inputs[0]].shape
        wide = resized(heat[:, None], input_grid.size)[:, 0]
        values, how = over_channels(wide, shape, input_grid), f"interpolated: {MODES[len(input_grid.size)]}"
    else:
        values, how = chosen.write(heat), "interpolated: no"
    summary = [f"Map of layer {chosen}."] + ([] if chosen.reaches_target else [_single_token_note(chosen)])
    settings = (f"layer={chosen.name}", f"map={' x '.join(map(str, chosen.size))}", how, *options)
    return Attribution(
        values, resolved.score, resolved.target, resolved.output, notes=(*summary, *notes), options=settings, shared=True,
        forwards=forwards,
    )  # fmt: skip


def _single_token_note(chosen: FeatureMap) -> str:
    return f"A single token is all the target reads of {chosen.name}: gradients at its places are 0. Name an earlier layer."


def _no_map(tape: Tape, method: str) -> MethodError:
    shape = tape.values[tape.inputs[0]].shape
    return MethodError(
        f"{method} of this model",
        f"no map between an input of shape {tuple(shape)} and the target: no value keeps the places of the input apart",
        f"{method} weighs the channels of a map, place by place",
        'Choose a method for any network, such as "lrp" or "integrated_gradients".',
    )


def _not_a_map(tape: Tape, id: int, name: str, method: str) -> MethodError:
    return MethodError(
        f"{method} at {name}", f"a value of shape {tuple(tape.values[id].shape)}",
        "it is no map: batch, channels and more than one place cannot be told apart there",
        "Name a layer that returns feature maps or a row of tokens; or name none, and the last map is used.",
    )  # fmt: skip


def _other_axes(chosen: FeatureMap, method: str) -> MethodError:
    return MethodError(
        f"{method} of the map of {chosen}", f"an input with {len(chosen.input_grid.size)} axes of places",
        "the map cannot be laid over it", f'Ask for the values at the map itself: at="{chosen.name}".',
    )  # fmt: skip
