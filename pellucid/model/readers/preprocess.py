"""Preprocess: how a picture becomes the model's input: resize, crop, normalise."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pellucid.core.one_line import one_line
from pellucid.core.picture import LARGEST
from pellucid.errors import ModelError, PictureError

INTERPOLATIONS = {kind.name.lower(): kind for kind in Image.Resampling}


@dataclass(frozen=True)
class Preprocess:
    """What happens to a picture before the model sees it: resize, crop the centre, scale to 0..1, subtract mean, divide by std.

    The same pixels as torchvision's Resize, CenterCrop, ToTensor, Normalize on a PIL picture, which is also timm's evaluation
    pipeline. One departure: where they would pad a picture that is smaller than the crop with black, it is enlarged to fill it.

    Arguments:
        size: Height and width of the crop, in pixels.
        resize: Short side after resizing, in pixels; a pair (height, width) stretches the picture to just that, as many
            transformers are trained; None scales it so that it just covers the crop.
        interpolation: One of bicubic, bilinear, lanczos, box, hamming, nearest.
        mean: Per channel, on the scale where black is 0 and white is 1; one channel makes the picture grey.
        std: Per channel, on the same scale.
        source: Where these numbers come from, for the caption.

    Example:
        >>> half = Preprocess((2, 2), mean=(0.5,), std=(0.5,))
        >>> half(Image.new("RGB", (6, 4), "white")).tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] | None = None
    _: KW_ONLY
    interpolation: str = "bicubic"
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str = "given by the user"

    __repr__ = one_line

    def __post_init__(self) -> None:
        found = f"size {self.size}, resize {self.resize}"
        if not _sides(self.size) or not (self.resize is None or _sides(self.resize) or _sides((self.resize,) * 2)):
            raise _refusal(found, "size is (height, width) and both are whole pixels above 0")
        if isinstance(self.resize, tuple) and any(side < crop for side, crop in zip(self.resize, self.size, strict=True)):
            raise _refusal(found, "nothing fills the crop where the picture is stretched to less than it")
        if self.interpolation not in INTERPOLATIONS:
            raise _refusal(f"interpolation {self.interpolation!r}", f"Pillow knows {', '.join(INTERPOLATIONS)}")
        if not self.mean or len(self.mean) != len(self.std):
            raise _refusal(f"mean {self.mean}, std {self.std}", "each channel has a mean and a std")
        if not all(std > 0 for std in self.std):
            raise _refusal(f"std {self.std}", "the pixels are divided by it")

    def __str__(self) -> str:
        """What happens to a picture, and who says so."""
        if isinstance(self.resize, tuple):
            resize = f"stretched to {self.resize[0]} x {self.resize[1]}"
        else:
            resize = f"short side to {self.resize}" if self.resize else "resized to cover"
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        scale = f"minus {mean}, over {std}" if any(self.mean) or set(self.std) != {1.0} else "from 0 to 1"
        size = " x ".join(map(str, self.size))
        return f"{resize}, {self.interpolation}, centre {size}, {scale} (from: {self.source})"

    def crop(self, image: Image.Image) -> Image.Image:
        """The pixels the model sees, before any are scaled: RGB, or grey for a model of one channel."""
        height, width = self.size
        if len(self.mean) not in (1, 3):
            raise PictureError(
                "a picture for the model", f"a model of {len(self.mean)} channels", "pictures are read as grey or RGB",
                "Pass a tensor of its channels, scaled as the model expects them.",
            )  # fmt: skip
        image = self._resized(image.convert("L" if len(self.mean) == 1 else "RGB"))
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))

    def __call__(self, image: Image.Image) -> Tensor:
        """The picture as the model's input, with shape (channel, height, width), float32."""
        pixels = torch.from_numpy(np.array(self.crop(image), dtype=np.float32).reshape(*self.size, -1) / 255)
        return self._normalised(pixels.permute(2, 0, 1).contiguous())

    def bounds(self) -> tuple[Tensor, Tensor]:
        """What black and white become: the lowest and the highest input, each with shape (channel, 1, 1).

        Example:
            >>> low, high = Preprocess((2, 2), mean=(0.5,), std=(0.25,)).bounds()
            >>> low.item(), high.item()
            (-2.0, 2.0)
        """
        shape = (len(self.mean), 1, 1)
        return self._normalised(torch.zeros(shape)), self._normalised(torch.ones(shape))

    def _resized(self, image: Image.Image) -> Image.Image:
        if isinstance(self.resize, tuple):
            return image.resize(self.resize[::-1], INTERPOLATIONS[self.interpolation])
        width, height = _covering(image.size, self.resize, self.size)
        if width * height > LARGEST:
            raise PictureError(
                "a picture resized for the model",
                f"{image.width} x {image.height} pixels, which would become {width} x {height}",
                "it is so elongated that the crop would show almost nothing of it", "Cut out the part that is meant.",
            )  # fmt: skip
        return image.resize((width, height), INTERPOLATIONS[self.interpolation])

    def _normalised(self, x: Tensor) -> Tensor:
        mean, std = (torch.tensor(values, dtype=x.dtype).view(-1, 1, 1) for values in (self.mean, self.std))
        return (x - mean) / std


def _covering(picture: tuple[int, int], resize: int | None, crop: tuple[int, int]) -> tuple[int, int]:
    """Width and height after resizing: the short side as asked, or larger where the crop would not fit into the picture."""
    width, height = picture
    short = min(picture)
    fit = max(-(-crop[1] * short // width), -(-crop[0] * short // height))  # the short side at which the crop just fits
    side = max(fit, resize or 0)
    return max(side * width // short, crop[1]), max(side * height // short, crop[0])


def _sides(pair: object) -> bool:
    """Whether this is a height and a width."""
    return isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(side, int) and side > 0 for side in pair)


def _refusal(found: str, why: str) -> ModelError:
    return ModelError("Preprocess", found, why, "Correct that argument.")
