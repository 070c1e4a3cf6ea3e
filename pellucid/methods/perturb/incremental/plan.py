"""The plan of incremental inference: what a network has to compute again when one window of its input changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError, PellucidError
from pellucid.model import load
from pellucid.model.where import Where
from pellucid.tape import Tape, find, record
from pellucid.tape.independence import variants_are_apart
from pellucid.tape.rewrite import fold, widen
from pellucid.tape.seed import find_output
from .box import Box, MapLayout, WindowPositions, by, extents, layout_of
from .guard import reads_batch
from .operand import ForwardPass, Key, Repeated, first_sample, overwrite_box
from .schedule import Schedule, schedule
from .step import Draft

At = str | Where | None
MOST = 0.6  # of a map: what is left to save there costs as much to cut out (VGG, ResNet, DenseNet, GoogLeNet, MobileNet, CPU)


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """The outputs of a network for pictures that differ from one in a window each, at the cost of what the window reaches.

    Every value inside a convolutional network changes only near the window. So what the values were before is kept, and of each
    operation only the box is computed again that the change can reach: the box and what lies around it are cut out of the kept
    map, for all windows at once, and the operation runs on these. Where a box covers more than about half of its map, and where
    an operation looks at the whole picture (attention, squeeze and excitation, group norms) or is not known, the rest is
    computed on whole maps. The outputs are those of the network itself, but for rounding.

    A plan is about one picture; `rebased` and `moved` give the plan for another one. Of the model nothing is copied but weights
    that a batch norm is folded into.

    References: Nakandala, Kumar and Papakonstantinou, 2019, Incremental and approximate inference for faster occlusion-based
        deep CNN explanations, https://doi.org/10.1145/3299869.3319874. Of the two we take the exact part. Whole maps past half
        of a map, any wiring, and boxes no larger than the given corners need are ours.

    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)).eval()
        >>> x, changed = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
        >>> changed[:, :, 3:5, 0:2] = 0
        >>> plan = Plan.build(net, x, size=(2, 2))
        >>> bool(torch.allclose(plan(torch.zeros(1, 1, 2, 2), torch.tensor([[3, 0]])), net(changed), atol=1e-6))
        True
    """

    windows: WindowPositions
    layout: MapLayout
    start: int
    schedule: Schedule
    dense_schedule: Schedule
    outputs: Mapping[At, int | Repeated]
    clean: Mapping[Key, Tensor]

    @classmethod
    @torch.no_grad()
    def build(
        cls,
        model: Any,
        x: Tensor,
        size: Sequence[int],
        *,
        corners: Tensor | None = None,
        reads: Sequence[At] = (None,),
        at: At = None,
        most: float = MOST,
    ) -> Plan:
        """The plan for windows of one picture.

        Arguments:
            model: A `Model`, an `nn.Module` or any callable that computes with PyTorch.
            x: One sample, with shape (1, channel, height, width), or with one or three axes after the channels.
            size: The lengths of a window along those axes.
            corners: The corners that will be used, one row each; boxes are then as small as these allow. None: any.
            reads: What to compute: the main output (None), and what modules return, by their paths.
            at: The value the windows lie in: None for the input, or what a module returns.
            most: The part of a map beyond which all of it is computed.

        Raises:
            InputError: x is not one sample with at least one axis after its channels, or a window reaches out of it.
            ModelError: the network mixes samples, draws random numbers, or branches on the values.
        """
        tape = _tape(model, x)
        start = tape.inputs[0] if at is None else find(tape, at)
        targets = {read: find_output(tape) if read is None else find(tape, read) for read in reads}
        tape = _folded(tape, {start, *targets.values()})
        shape = tape.values[start].shape
        layout = layout_of(tape, start, tuple(range(2, len(shape))))
        if layout is None or len(shape) < 3:
            raise _no_picture(shape)
        windows = WindowPositions.of(tuple(size), layout.sizes, corners, x.device)
        boxed = Draft(tape, {start: Box(layout, windows.spans())})
        dense = Draft(tape, {}, {start}, weights=boxed.weights)
        steps = schedule(boxed, start, set(targets.values()), most=most, reuse=True)
        dense_schedule = schedule(dense, start, set(targets.values()), most=most, reuse=False)
        outputs = {read: i if i in boxed.boxes or i in boxed.full_maps else _fixed(tape, i) for read, i in targets.items()}
        if not variants_are_apart(load(model), x):
            raise reads_batch()
        clean = {key: _clean(tape, key, map_layout) for key, map_layout in (steps.maps() | {(start, None): None}).items()}
        return cls(windows, layout, start, steps, dense_schedule, outputs, clean)

    def __call__(self, patches: Tensor, corners: Tensor) -> Tensor:
        """The main output for every window.

        Arguments:
            patches: The new content of each window, with shape (n, channel, *size).
            corners: Where each begins, with shape (n, axes).
        """
        return self.values(patches, corners)[None]

    @torch.no_grad()
    def values(self, patches: Tensor, corners: Tensor) -> dict[At, Tensor]:
        """Everything that the plan reads, for every window."""
        run = self._run(patches, corners)
        self.schedule.follow(run)
        return {read: at(run) if isinstance(at, Repeated) else run.full_map(at) for read, at in self.outputs.items()}

    def answers(self, variants: Tensor) -> dict[At, Tensor] | None:
        """Everything that the plan reads, for whole variants of the picture; None if one differs from it in more than a window.

        Arguments:
            variants: With the shape of the picture, any number of them.
        """
        corners = self.located(variants)
        if corners is None:
            return None
        patches = [_window(variants[i : i + 1], corner, self.windows.size, self.layout.axes) for i, corner in enumerate(corners)]
        return self.values(torch.cat(patches), corners)

    def located(self, variants: Tensor) -> Tensor | None:
        """For each variant the corner of a window that holds all that differs, with shape (n, axes); None if one has none."""
        extent = extents(self.layout.rows(variants != self.picture).any(-1))
        corners = []
        for axis, (places, size) in enumerate(zip(self.windows.places, self.windows.size, strict=True)):
            first, last = extent[:, axis].unbind(1)
            corner = places[(torch.searchsorted(places, first.contiguous(), right=True) - 1).clamp(min=0)]
            fits = (last <= first) | ((corner <= first) & (last <= corner + size))
            if not bool(fits.all()):
                return None
            corners.append(corner)
        return torch.stack(corners, 1)

    @property
    def picture(self) -> Tensor:
        """The picture the plan is about, or what the module at `at` made of it."""
        return self.clean[self.start, None]

    @torch.no_grad()
    def moved(self, patch: Tensor, corner: Tensor) -> Plan:
        """The plan for the picture that differs from this one in one window: for chains of pictures that differ by a region each.

        Costs what one window costs, and a copy of what is kept.
        """
        run = self._run(patch, corner)
        self.schedule.follow(run, keep=True)
        clean = {key: self._updated(run, key, clean_map) for key, clean_map in self.clean.items()}
        clean[self.start, None] = self.picture.clone()
        _window(clean[self.start, None], corner[0], self.windows.size, self.layout.axes).copy_(patch)
        return replace(self, clean=clean)

    @torch.no_grad()
    def rebased(self, x: Tensor) -> Plan:
        """The plan for another picture of the same shape: one forward pass, and no new recording.

        Arguments:
            x: The picture; with `at`, what the module there makes of it.
        """
        if x.shape != self.picture.shape:
            raise InputError(
                f"A plan for a picture of shape {tuple(x.shape)}", f"one for {tuple(self.picture.shape)}",
                "boxes depend on the shape", "Build a plan of its own.",
            )  # fmt: skip
        run = ForwardPass(1, (), {}, {}, {}, {self.start: x})
        self.dense_schedule.follow(run, keep=True)
        layouts: Mapping[Key, MapLayout | None] = self.schedule.maps() | {(self.start, None): None}
        changed = {key: _laid_out(run.full_maps[key[0]], key, layouts[key]) for key in self.clean if key[0] in run.full_maps}
        return replace(self, clean={**self.clean, **changed, (self.start, None): x.detach().clone()})

    @property
    def saves(self) -> float:
        """The share of all multiply-adds that a window does not need."""
        done, full = self.schedule.multiplications
        return 1 - done / full if full else 0.0

    def show(self) -> str:
        """A readable table: one line per operation, and which part of what it makes is computed."""
        return self.schedule.table()

    def __repr__(self) -> str:
        boxed = sum(bool(step.boxes) for step in self.schedule.steps)
        size, picture = by(self.windows.size), by(self.windows.picture)
        return f"Plan({size} of {picture}, {boxed} of {len(self.schedule.steps)} operations on boxes, saves {self.saves:.0%})"

    def _run(self, patches: Tensor, corners: Tensor) -> ForwardPass:
        shape = Box(self.layout, self.windows.spans()).shape
        shape = tuple(len(corners) if axis == self.layout.samples else n for axis, n in enumerate(shape))
        if tuple(patches.shape) != shape or not len(corners):
            raise InputError(
                f"Windows with content of shape {tuple(patches.shape)}", f"{len(corners)} corners, and a plan for {shape}",
                "every window has content of its own, of the size the plan is made for", "Build a plan for windows of that size.",
            )  # fmt: skip
        boxes = {self.start: patches.to(self.picture)}
        return ForwardPass(len(corners), self.windows.at(corners), self.clean, self.schedule.pasting, boxes)

    def _updated(self, run: ForwardPass, key: Key, clean_map: Tensor) -> Tensor:
        """What is kept of a value, after a change of one window."""
        value, fill = key
        if value in run.boxes and fill is not None:
            return overwrite_box(clean_map, run, value, self.schedule.boxes[value])
        return run.full_maps[value] if value in run.full_maps and fill is None else clean_map


def _tape(model: Any, x: Tensor) -> Tape:
    """What ran on two copies of one sample: with two, the tape can tell where samples lie.

    Programs that were compiled for one sample only are recorded with one.
    """
    if x.dim() < 3 or x.shape[0] != 1:
        raise _no_picture(tuple(x.shape))
    try:
        return record(model, x.expand(2, *x.shape[1:]))
    except PellucidError:
        raise
    except Exception:  # whatever the model makes of a batch it was not compiled for; if there is more to it, the next line says
        return record(model, x)


def _folded(tape: Tape, needed: Collection[int]) -> Tape:
    """The tape with batch norms folded, unless something that is needed would be folded away."""
    short = fold(widen(tape))
    values = {*tape.inputs, *(out for op in short.ops for out in op.outs)}
    return short if values.issuperset(needed) else tape


def _clean(tape: Tape, key: Key, layout: MapLayout | None) -> Tensor:
    """What is kept of a value: a copy, so that the tape can go."""
    value, tensor = tape.values[key[0]], tape.value(key[0])
    if layout is None:
        assert value.batch is not None, "steps are only made for values whose samples can be told apart"
        return first_sample(tensor, value.batch, tape.samples).clone()
    tensor = tensor.reshape((1,) * (len(layout.shape) - tensor.dim()) + tuple(tensor.shape))
    return _laid_out(tensor.narrow(layout.samples, 0, 1).expand(layout.shape), key, layout)


def _laid_out(tensor: Tensor, key: Key, layout: MapLayout | None) -> Tensor:
    return tensor if layout is None or key[1] is None else layout.bordered(tensor, key[1])


def _fixed(tape: Tape, value: int) -> Repeated:
    """A value that no window changes."""
    batch = tape.values[value].batch
    assert batch is not None, "an output holds an answer for each sample"
    return Repeated(first_sample(tape.value(value), batch, tape.samples).clone(), batch)


def _window(value: Tensor, corner: Tensor, size: Sequence[int], axes: Sequence[int]) -> Tensor:
    """A view of one window."""
    for axis, start, length in zip(axes, corner.tolist(), size, strict=True):
        value = value.narrow(axis, start, length)
    return value


def _no_picture(shape: tuple[int, ...]) -> InputError:
    return InputError(
        "A plan for windows", f"a value of shape {shape}", "it takes one sample, its channels, and axes a window can lie along",
        "Pass one picture, with shape (1, channel, height, width).",
    )  # fmt: skip
