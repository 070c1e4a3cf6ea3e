"""Attention maps: weights followed from the tokens that the target reads through all layers of attention to the input."""

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
from pellucid.tape.attention import TokenAttention, attention_between, tokens_read
from pellucid.tape.axes.feature_map import over_channels
from pellucid.tape.axes.layout import Grid, grid, places
from pellucid.tape.seed import ResolvedTarget
from pellucid.target import Target

SPREAD = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@dataclass(frozen=True)
class OfAttention(ABC):
    """A map from attention weights: they are followed from the tokens that the target reads back to those of the input.

    Attention is recognised by what ran, a softmax whose result multiplies values, and never by the name of a class. `values` are
    raw: one number per token, the same for all that the token was made of. The pixels of a patch share its number (the mean of
    all patches that hold them, where patches overlap), and so do the entries of a word's embedding. Tokens that are no part of
    the input, as a class token, are left out. With `at`, only the layers after that value count.
    """

    name: ClassVar[str]
    signed: ClassVar[bool] = False
    per_token: ClassVar[str] = "same"  # all entries of a token's vector hold its number

    @abstractmethod
    def follow(self, attention: TokenAttention, resolved: ResolvedTarget, start: Tensor) -> Tensor:
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
        attention = attention_between(tape, resolved)
        if not isinstance(attention, TokenAttention):
            raise MethodError(
                f"{self.name} of this model", *attention,
                'Choose a method for any network, such as "lrp", or one for maps, such as "gradcam".',
            )  # fmt: skip
        to_values = _TokenLayout(self.name, attention, end)
        heat = self.follow(_after(attention, end), resolved, tokens_read(attention, resolved))
        values, notes = to_values(heat)
        several = "s" * (len(attention.layers) > 1)
        count = f"Weights of {len(attention.layers)} layer{several} of attention over {attention.count} tokens."
        values = values.to(tape.value(end).dtype if tape.value(end).is_floating_point() else heat.dtype)
        return Attribution(
            values, resolved.score, resolved.target, resolved.output, notes=(count, *notes, *self.notes), options=self.options,
            shared=True, forwards=2 * len(x),
        )  # fmt: skip

    @property
    def options(self) -> tuple[str, ...]:
        """Its settings, in readable lines."""
        return tuple(f"{name}={value}" for name, value in vars(self).items())


def _after(attention: TokenAttention, end: int) -> TokenAttention:
    """The layers that ran after a value was made."""
    producer = attention.tape.values[end].producer
    later = [layer for layer in attention.layers if producer is None or layer.mix.index > producer]
    return replace(attention, layers=tuple(later))


class _TokenLayout:
    """How one number per token becomes values that lie as a value of the tape does."""

    def __init__(self, name: str, attention: TokenAttention, end: int) -> None:
        self.tape, self.count, self.end = attention.tape, attention.count, end
        self.shape = attention.tape.values[end].shape
        layout = attention.known.get(end)
        self.input_grid = None if layout is None else grid(layout, attention.tape.values[end], attention.tape.samples)
        self.row = _row(attention)
        self.patches = _patches(attention, self.row) if self.row is not None and end == attention.tape.inputs[0] else None
        if not self._fits:
            raise MethodError(
                f"{name} of this model", f"attention over {self.count} tokens, and values of shape {self.shape}",
                "which token belongs to which part of them is not known", 'Name a layer that returns the tokens: at="blocks.0".',
            )  # fmt: skip

    @property
    def _fits(self) -> bool:
        if self.row is not None and self.input_grid is not None:
            return len(self.row.size) == len(self.input_grid.size)
        return self.shape[1:2] == (self.count,)

    def __call__(self, heat: Tensor) -> tuple[Tensor, tuple[str, ...]]:
        if self.row is None or self.input_grid is None:
            return heat.reshape(*heat.shape, *[1] * (len(self.shape) - 2)).expand(self.shape).clone(), ()
        inside = heat[:, self.row.start : self.row.start + prod(self.row.size)]
        outside = heat.sum() - inside.sum()
        without_place = self.count - prod(self.row.size)
        share = float(outside / heat.sum().clamp(min=1e-30))
        note = f"{max(share, 0.0):.1%} stays with {without_place} token{'s' * (without_place > 1)} of no place."
        wide = inside.reshape(-1, *self.row.size)
        if self.row.size != self.input_grid.size:
            wide = over_pixels(wide, self.patches, self.tape, self.input_grid.size)
        return over_channels(wide, self.shape, self.input_grid), (note,) if without_place else ()


def layout_refusal(attention: TokenAttention) -> str:
    """Why these tokens cannot be assigned to places of the input; nothing where they can."""
    try:
        _TokenLayout("This method", attention, attention.tape.inputs[0])
    except MethodError as error:
        return error.found
    return ""


def _row(attention: TokenAttention) -> Grid | None:
    """Where in the row of tokens the places are, and how many along each axis of the input."""
    layout = attention.known.get(attention.layers[0].weights)
    factors = () if layout is None else places(layout[-1])
    size = tuple(factor.length for factor in factors)
    if not factors or [factor.what for factor in factors] != list(range(len(factors))) or prod(size) > attention.count:
        return None
    assert layout is not None
    return Grid(0, 0, size, layout[-1][0].start if layout[-1][0].inside else 0)


def _patches(attention: TokenAttention, row: Grid) -> Op | None:
    """The convolution that made tokens of patches of the input."""
    (x,) = attention.tape.inputs[:1]
    read_input = [op for op in attention.ops if op.kind == "convolution" and op.ins == (x,)]
    return next((op for op in read_input if attention.tape.values[op.out].shape[2:] == row.size), None)


def over_pixels(heat: Tensor, patches: Op | None, tape: Tape, size: Sequence[int]) -> Tensor:
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
