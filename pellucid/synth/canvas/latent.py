"""The latent canvas: a generator's picture, parameterised by its code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.errors import InputError, ModelError
from ..frame import Frame
from ..protocols import Canvas, Draws
from ..random import exact, normal

RESIZE = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, eq=False)
class Latent(Canvas):
    """The picture is what a generator makes of a code, and the code is moved: only what the generator can make is looked for.

    A code begins as mean + spread * sd * N(0, 1), entry by entry, and is kept between the bounds after every step. With the
    statistics of codes that data have, the search begins among them; N(0, 1) suits generators whose codes are so distributed.

    References: Nguyen et al., 2016, Synthesizing the preferred inputs for neurons in neural networks via deep generator networks,
        https://doi.org/10.48550/arXiv.1605.09304

    Arguments:
        generator: Takes codes (n, *code) and returns pictures (n, *shape); a module in eval mode, or any function.
        mean, sd: Of codes of data, each shaped like one code, or such that it broadcasts to `shape`.
        spread: How far from the mean a search begins, in sd.
        low, high: Bounds of a code, numbers or shaped like one; None: none.
        shape: Of one code; None: that of the mean.
        bank: Codes of data, (k, *shape), if a search is to begin between the mean and one of these, drawn at random: at
            mean + spread * (code - mean).
        output: What the generator returns for the frame's 0 and 1, if that is not 0 and 1 themselves: (-1, 1) for many.

    Raises:
        InputError: the generator's pictures do not have the channels of the model's input.
        ModelError: the generator is in training mode.

    Example:
        >>> from pellucid.synth.random import generators
        >>> frame = Frame((1, 2, 2), low=torch.tensor(0.0), high=torch.tensor(1.0))
        >>> generator = lambda z: z.reshape(-1, 1, 2, 2)
        >>> canvas = Latent(generator, torch.zeros(4), torch.ones(4), low=-1.0, high=1.0, output=(-1.0, 1.0))
        >>> pictures = canvas.draw(canvas.within((torch.tensor([[-3.0, 0.0, 0.5, 9.0]]),), frame), frame)
        >>> pictures.flatten().tolist()
        [0.0, 0.5, 0.75, 1.0]
    """

    generator: Callable[[Tensor], Tensor]
    mean: Tensor
    sd: Tensor
    spread: float = 0.5
    low: Tensor | float | None = None
    high: Tensor | float | None = None
    shape: tuple[int, ...] | None = None
    output: tuple[float, float] = (0.0, 1.0)
    bank: Tensor | None = None
    name: ClassVar[str] = "latent"

    def __repr__(self) -> str:
        return f"Latent({type(self.generator).__name__}, spread={self.spread})"

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """Random codes: one tensor (n, *code)."""
        training = [part for part in getattr(self.generator, "modules", list)() if part.training]
        if isinstance(self.generator, nn.Module) and training:
            raise ModelError(
                "A canvas made by a generator", f"{type(training[0]).__name__} in training mode",
                "each picture would depend on those beside it, and change the generator", "Call generator.eval() first.",
            )  # fmt: skip
        mean, sd = (t.detach().to(frame.device, exact(frame.dtype)) for t in (self.mean, self.sd))
        if self.bank is None:
            codes = mean + self.spread * sd * normal(draws, self.shape or mean.shape, frame)
        else:
            chosen = [int(torch.randint(len(self.bank), (), generator=draw)) for draw in draws]
            codes = mean + self.spread * (self.bank[chosen].to(mean) - mean)
        return self.within((codes,), frame)

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        """The pictures, at the frame's size."""
        pictures = self.generator(numbers[0])
        if pictures.dim() != len(frame.shape) + 1 or pictures.shape[1] != frame.shape[0]:
            raise InputError(
                "A canvas made by a generator", f"pictures of shape {tuple(pictures.shape[1:])} from it",
                f"the model's input has shape {frame.shape}",
                "Wrap a generator with the model's channels, or fit a prior on pictures of this model.",
            )  # fmt: skip
        low, high = self.output
        pictures = (pictures - low) / (high - low)
        if tuple(pictures.shape[2:]) != frame.spatial:
            pictures = functional.interpolate(pictures, frame.spatial, mode=RESIZE[len(frame.spatial)])
        return (pictures.clamp(0, 1) if frame.bounded else pictures).to(frame.dtype)

    def within(self, numbers: tuple[Tensor, ...], frame: Frame) -> tuple[Tensor, ...]:
        """Codes after a step, brought back within their bounds."""
        (codes,) = numbers
        for bound, inner in ((self.low, torch.maximum), (self.high, torch.minimum)):
            codes = codes if bound is None else inner(codes, torch.as_tensor(bound).to(codes))
        return (codes,)

    def enlarged(self, numbers: tuple[Tensor, ...], frame: Frame, larger: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The same codes: the generator's pictures have a size of their own."""
        return numbers
