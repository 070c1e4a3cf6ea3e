"""Attention maps: which tokens the target hears, through all layers of attention, laid over the input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import Op, Tape, find, record, resolve_target
from pellucid.tape.attention import Tokens, tokens, tokens_read
from pellucid.tape.axes.feature_map import over_channels
from pellucid.tape.axes.layout import Grid, grid, places
from pellucid.tape.seed import ResolvedTarget
from pellucid.target import Target

SPREAD = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@dataclass(frozen=True)
class OfAttention(ABC):
    """A map from attention weights: they are followed from the tokens that the target hears back to those of the input.

    Attention is recognised by what ran, a softmax whose result multiplies values, and never by the name of a class. `values` are
    raw: one number per token, the same for all that the token was made of. The pixels of a patch share its number (the mean of
    all patches that hold them, where patches overlap), and so do the entries of a word's embedding. Tokens that are no part of
    the input, as a class token, are left out. With `at`, only the layers after that value count.
    """

    name: ClassVar[str]
    signed: ClassVar[bool] = False
    per_token: ClassVar[str] = "same"  # all entries of a token's vector hold its number

    @abstractmethod
    def follow(self, found: Tokens, resolved: ResolvedTarget, start: Tensor) -> Tensor:
        """One number per token, with shape (sample, token), from how the target reads them, `start`."""

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The map at the input, or at the value `at`.

        Raises:
            MethodError: the network has no attention between all its tokens, or its tokens cannot be told from its input.
        """
        tape = record(model, x)
        resolved = resolve_target(tape, target, model)
        end = tape.inputs[0] if at is None else find(tape, at)
        found = tokens(tape, resolved)
        if not isinstance(found, Tokens):
            raise _refused(self.name, *found)
        lay = _laid(self.name, found, end)
        heat = self.follow(_after(found, end), resolved, tokens_read(found, resolved))
        values, told = lay(heat)
        count = f"Weights of {len(found.layers)} layer{'s' * (len(found.layers) > 1)} of attention over {found.count} tokens."
        values = values.to(tape.value(end).dtype if tape.value(end).is_floating_point() else heat.dtype)
        return Attribution(
            values, resolved.score, resolved.target, resolved.output, notes=(count, *told, *self.notes), options=self.options,
            shared=True, forwards=2 * len(x),
        )  # fmt: skip

    @property
    def options(self) -> tuple[str, ...]:
        """Its settings, in readable lines."""
        return tuple(f"{name}={value}" for name, value in vars(self).items())


def _after(found: Tokens, end: int) -> Tokens:
    """The layers that ran after a value was made."""
    made = found.tape.values[end].producer
    later = [layer for layer in found.layers if made is None or layer.product.index > made]
    return replace(found, layers=tuple(later))


class _laid:
    """How one number per token becomes values that lie as a value of the tape does."""

    def __init__(self, name: str, found: Tokens, end: int) -> None:
        self.tape, self.count, self.end = found.tape, found.count, end
        self.shape = found.tape.values[end].shape
        layout = found.known.get(end)
        self.picture = None if layout is None else grid(layout, found.tape.values[end], found.tape.samples)
        self.row = _row(found)
        self.patches = _patches(found, self.row) if self.row is not None and end == found.tape.inputs[0] else None
        if not self._fits:
            raise _misplaced(name, found, self.shape)

    @property
    def _fits(self) -> bool:
        if self.row is not None and self.picture is not None:
            return len(self.row.size) == len(self.picture.size)
        return self.shape[1:2] == (self.count,)

    def __call__(self, heat: Tensor) -> tuple[Tensor, tuple[str, ...]]:
        if self.row is None or self.picture is None:
            return heat.reshape(*heat.shape, *[1] * (len(self.shape) - 2)).expand(self.shape).clone(), ()
        inside = heat[:, self.row.start : self.row.start + prod(self.row.size)]
        outside = heat.sum() - inside.sum()
        left = self.count - prod(self.row.size)
        share = float(outside / heat.sum().clamp(min=1e-30))
        told = (f"{max(share, 0.0):.1%} stays with {left} token{'s' * (left > 1)} of no place.",) if left else ()
        wide = inside.reshape(-1, *self.row.size)
        if self.row.size != self.picture.size:
            wide = painted(wide, self.patches, self.tape, self.picture.size)
        return over_channels(wide, self.shape, self.picture), told


def unlaid(found: Tokens) -> str:
    """Why the input's places cannot be told from these tokens; nothing where they can."""
    try:
        _laid("This method", found, found.tape.inputs[0])
    except MethodError as error:
        return error.found
    return ""


def _row(found: Tokens) -> Grid | None:
    """Where in the row of tokens the places are, and how many along each axis of the input."""
    layout = found.known.get(found.layers[0].weights)
    runs = () if layout is None else places(layout[-1])
    size = tuple(run.length for run in runs)
    if not runs or [run.what for run in runs] != list(range(len(runs))) or prod(size) > found.count:
        return None
    assert layout is not None
    return Grid(0, 0, size, layout[-1][0].start if layout[-1][0].inside else 0)


def _patches(found: Tokens, row: Grid | None) -> Op | None:
    """The convolution that made tokens of patches of the input."""
    (x,) = found.tape.inputs[:1]
    return next(
        (
            op
            for op in found.ops
            if op.kind == "convolution" and row is not None and op.ins == (x,) and found.tape.values[op.out].shape[2:] == row.size
        ),
        None,
    )


def painted(heat: Tensor, patches: Op | None, tape: Tape, size: Sequence[int]) -> Tensor:
    """One number per patch, as one per pixel: the mean over all patches that hold it, 0 where none does.

    Without a convolution that cut them, patches divide the picture evenly.
    """
    if patches is None:
        return F.interpolate(heat[:, None], tuple(size), mode="nearest-exact")[:, 0]
    kernel = tape.values[patches.args[1].id].shape[2:]
    stride, padding, dilation = patches.args[3:6]
    spread, ones = SPREAD[len(size)], heat.new_ones(1, 1, *kernel)
    both = torch.cat([heat, torch.ones_like(heat[:1])])[:, None]
    wide = spread(both, ones, None, list(stride), 0, 0, 1, list(dilation))[:, 0]
    for d, (length, pad) in enumerate(zip(size, padding, strict=True), 1):
        missing = max(length + pad - wide.shape[d], 0)
        wide = F.pad(wide, [0, 0] * (len(size) - d) + [0, missing]).narrow(d, pad, length)
    return wide[:-1] / wide[-1:].clamp(min=1)


def _refused(method: str, found: str, why: str) -> MethodError:
    return MethodError(
        f"{method} of this model", found, why,
        'Choose a method for any network, such as "lrp", or one for maps, such as "gradcam".',
    )  # fmt: skip


def _misplaced(method: str, found: Tokens, shape: Sequence[int]) -> MethodError:
    return MethodError(
        f"{method} of this model", f"attention over {found.count} tokens, and values of shape {tuple(shape)}",
        "which token belongs to which part of them cannot be told", 'Name a layer that returns the tokens: at="blocks.0".',
    )  # fmt: skip
