"""Frame: the shape of a network's input, and the conversion between its units and pictures in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Columns, Model, Signal

Bounds = tuple[float, float]  # the least and the greatest value of an input


@dataclass(frozen=True, eq=False)
class Frame:
    """What a canvas fills: pictures with values from 0 (the lowest input) to 1 (the highest); inputs are in the network's units.

    Arguments:
        shape: Of one input, without the batch: (channel, height, width), (channel, length), (features,).
        low, high: What 0 and 1 are in the network's units, broadcast over `shape`; both None: no bounds are known, and pictures
            are in the network's own units.
        device, dtype: Of the pictures.

    Example:
        >>> frame = Frame((1, 2, 2), low=torch.tensor(-2.0), high=torch.tensor(2.0))
        >>> frame.to_inputs(torch.full((1, 1, 2, 2), 0.75)).flatten().tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    shape: tuple[int, ...]
    low: Tensor | None = None
    high: Tensor | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32

    @property
    def bounded(self) -> bool:
        """Whether pictures lie in [0, 1]; else they are in the network's units."""
        return self.low is not None

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the axes after the channels: (height, width), (length,), none for features."""
        return self.shape[1:]

    @property
    def mean(self) -> Tensor:
        """The picture whose input is zero, (1, *shape): for most networks the mean of their training data."""
        return self.to_pictures(torch.zeros(1, *self.shape, device=self.device, dtype=self.dtype))

    def to_inputs(self, pictures: Tensor) -> Tensor:
        """Pictures (n, *shape) as inputs, in the network's units."""
        if self.low is None or self.high is None:
            return pictures
        low, high = self.low.to(pictures), self.high.to(pictures)
        return low + (high - low) * pictures

    def to_pictures(self, inputs: Tensor) -> Tensor:
        """Inputs of the network (n, *shape) as pictures."""
        if self.low is None or self.high is None:
            return inputs
        low, high = self.low.to(inputs), self.high.to(inputs)
        return (inputs - low) / (high - low)

    def resized(self, *spatial: int) -> Frame:
        """The frame of inputs of another size."""
        return Frame((self.shape[0], *spatial), self.low, self.high, self.device, self.dtype)


def framed(model: Model, shape: tuple[int, ...] | None = None, bounds: Bounds | None = None) -> Frame:
    """The frame of a model's input: by its preprocessing, unless a shape and bounds are given.

    Raises:
        InputError: the model does not know the shape of its input, and none is given.
    """
    preprocess = model.image_preprocess
    shape = input_shape(model) if shape is None else shape
    if preprocess is not None and shape is not None and shape[0] != len(preprocess.mean):
        preprocess = None  # of other channels: its scale says nothing here
    if shape is None and preprocess is None:
        raise InputError(
            f"A picture for {model.name}", "a model that does not know the shape of its input", "a canvas needs a size",
            "Pass it: shape=(1, 28, 28), and bounds=(0, 1) if its values have any.",
        )  # fmt: skip
    low, high = (None, None) if bounds is None else (torch.tensor(float(bound)) for bound in bounds)
    if preprocess is not None and bounds is None:
        low, high = preprocess.bounds()
    if shape is None:
        assert preprocess is not None
        shape = (len(preprocess.mean), *preprocess.size)
    return Frame(tuple(shape), low, high, model.device, model.dtype)


def input_shape(model: Model) -> tuple[int, ...] | None:
    """The shape of one input that is a row of a table or a series of fixed length, or that the model says; None for others."""
    how = model.preprocess
    if isinstance(how, Columns):
        return (how.width,)
    if isinstance(how, Signal) and how.channels and how.length:
        return (len(how.channels), how.length)
    return model.shape if how is None else None
