"""The pixel canvas: the numbers are the picture itself, or its logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import InputError
from ..frame import Frame
from ..protocols import Canvas, Draws
from ..random import exact, normal
from .spectrum import resample


@dataclass(frozen=True, eq=False)
class Pixel(Canvas):
    """The numbers are the picture, entry by entry; or, with `sigmoid`, its logits.

    It starts from a uniform picture with noise, or from a given one. It suits inputs of any shape, and is the only canvas that
    projections (blur, decay, clipping) work on, without the sigmoid.

    References: Erhan et al., 2009, Visualizing higher-layer features of a deep network; Simonyan et al., 2013, Deep inside
        convolutional networks, https://doi.org/10.48550/arXiv.1312.6034

    Arguments:
        level: The uniform picture, in [0, 1] or in the units of an unbounded frame; None: the picture that the network calls
            zero, for most networks the mean of their training data.
        noise: The standard deviation of the normal noise on it, in the same units.
        picture: What to start from instead of `level`, shaped like the frame.
        clip: Whether pictures are kept within [0, 1] after each step, where the frame is bounded.
        sigmoid: Whether the numbers are logits of the picture, which then never leaves [0, 1].

    Raises:
        InputError: the picture does not fit the frame, or a sigmoid is asked for where no bounds are known.

    Example:
        >>> from pellucid.synth.random import generators
        >>> frame = Frame((1, 2, 2), low=torch.tensor(-1.0), high=torch.tensor(1.0))
        >>> canvas = Pixel()
        >>> canvas.draw(canvas.start(frame, generators([0])), frame).flatten().tolist()
        [0.5, 0.5, 0.5, 0.5]
    """

    level: float | None = None
    noise: float = 0.0
    picture: Tensor | None = None
    clip: bool = True
    sigmoid: bool = False
    name: ClassVar[str] = "pixel"

    def __repr__(self) -> str:
        begin = f"level={self.level}" if self.picture is None else "a picture"
        return f"Pixel({begin}, noise={self.noise}, clip={self.clip}, sigmoid={self.sigmoid})"

    @property
    def literal(self) -> bool:
        """Whether the numbers are the picture, as projections need it."""
        return not self.sigmoid

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The uniform or given pictures, with noise: one tensor (n, *shape)."""
        if self.sigmoid and not frame.bounded:
            raise InputError(
                "A pixel canvas with a sigmoid", "a model whose inputs have no known bounds", "a sigmoid runs between two bounds",
                "Pass bounds=(0, 1), or use Pixel() without the sigmoid.",
            )  # fmt: skip
        base = self._base(frame).to(frame.device, exact(frame.dtype)).expand(len(draws), *frame.shape)
        pictures = base + self.noise * normal(draws, frame.shape, frame) if self.noise else base.clone()
        if self.sigmoid:
            return (pictures.clamp(0.01, 0.99).logit(),)  # further out a sigmoid has next to no slope
        return self.within((pictures,), frame)

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        """The pictures: the numbers, or their sigmoid."""
        (pictures,) = numbers
        return (pictures.sigmoid() if self.sigmoid else pictures).to(frame.dtype)

    def within(self, numbers: tuple[Tensor, ...], frame: Frame) -> tuple[Tensor, ...]:
        """The numbers after a step, brought back within bounds."""
        return tuple(t.clamp(0, 1) for t in numbers) if self.clip and frame.bounded and not self.sigmoid else numbers

    def enlarged(self, numbers: tuple[Tensor, ...], frame: Frame, larger: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The same pictures in a larger frame: their spectrum, with zeros for the frequencies that are new."""
        (pictures,) = numbers
        return self.within((resample(pictures, larger.spatial),), larger)

    def _base(self, frame: Frame) -> Tensor:
        if self.picture is None:
            return frame.mean if self.level is None else torch.full((1, *frame.shape), float(self.level))
        picture = self.picture.detach()
        picture = picture[None] if picture.dim() == len(frame.shape) else picture
        if tuple(picture.shape) != (1, *frame.shape):
            raise InputError(
                "A canvas that starts from a given picture", f"one of shape {tuple(self.picture.shape)}",
                f"the model's input has shape {frame.shape}", "Resize it, or pass shape=.",
            )  # fmt: skip
        return picture
