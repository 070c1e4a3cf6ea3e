"""The picture beneath a map, where the input was given as a tensor: undone from the model's reader, or given beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.core.picture import read_picture
from pellucid.errors import InputError, PictureError
from pellucid.model import Model, Preprocess
from .inputs import Batch

UNDONE = "The picture shown is the tensor with the model's preprocessing undone."
GIVEN = "The picture shown is the one given beside the tensor (picture=)."
BEYOND = 0.02  # of the range from black to white that a value may lie outside of it: bicubic resizing of floats swings past


def with_picture(batch: Batch, picture: Any = None) -> Batch:
    """The batch with the pixels behind its tensor, where these are known, and a note of where they are from.

    Arguments:
        picture: A picture, or a list with one for every sample; None: what undoing the model's preprocessing gives.

    Raises:
        InputError: pictures and samples do not fit.
    """
    if picture is not None:
        return replace(batch, picture=_given(batch, picture), notes=(*batch.notes, GIVEN))
    if batch.picture is not None or batch.subject is not None or not isinstance(batch.model.preprocess, Preprocess):
        return batch
    pixels = undone(batch.model.preprocess, batch.x)
    return batch if pixels is None else replace(batch, picture=pixels, notes=(*batch.notes, UNDONE))


def undone(how: Preprocess, x: Tensor) -> NDArray[np.uint8] | None:
    """Pixels (batch, height, width, 3), or without the batch where it is one, of a tensor as the model reads pictures.

    None where its values are none that a picture could have: it was not read, or read in another way.

    Example:
        >>> how = Preprocess((1, 2), mean=(0.5,), std=(0.5,))
        >>> undone(how, torch.tensor([[[[-1.0, 1.0]]]]))[..., 0].tolist(), undone(how, torch.tensor([[[[-3.0, 1.0]]]]))
        ([[0, 255]], None)
    """
    if x.dim() != 4 or x.shape[1] != len(how.mean) or len(how.mean) not in (1, 3) or not x.is_floating_point():
        return None
    mean, std = (torch.tensor(values, dtype=torch.float64).view(-1, 1, 1) for values in (how.mean, how.std))
    levels = x.detach().cpu().double() * std + mean
    if not bool(((levels >= -BEYOND) & (levels <= 1 + BEYOND)).all()):
        return None
    pixels = (levels.clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(pixels if len(pixels) > 1 else pixels[0])


def _given(batch: Batch, picture: Any) -> NDArray[np.uint8]:
    """The pixels of a picture, or of one for every sample."""
    several = isinstance(picture, Sequence) and not isinstance(picture, (str, bytes))
    pictures = list(picture) if several else [picture]
    if batch.x.dim() != 4:
        raise InputError(
            "picture=", f"a batch of shape {tuple(batch.x.shape)}", "a picture lies beneath maps with a height and a width",
            "Leave it out.",
        )  # fmt: skip
    if several and len(pictures) != len(batch.x):
        raise InputError(
            "picture=", f"{len(pictures)} pictures for {len(batch.x)} samples", "each sample has one", "Give as many pictures."
        )
    pixels = [_fitted(batch.model, one, (batch.x.shape[2], batch.x.shape[3])) for one in pictures]
    return np.stack(pixels) if several and len(pixels) > 1 else pixels[0]


def _fitted(model: Model, picture: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture as the model saw it: as it is where it has the proportions of the input, else cut as the model cuts pictures."""
    image = read_picture(picture)
    height, width = size
    if abs(image.width * height - image.height * width) <= 0.01 * image.height * width:
        return np.asarray(image.convert("RGB"))
    if isinstance(model.preprocess, Preprocess) and model.preprocess.size == size:
        return np.asarray(model.preprocess.crop(image).convert("RGB"))
    found = f"{image.width} x {image.height} pixels for an input of {width} x {height}"
    raise PictureError(
        "picture=", found, "its proportions are others, and nothing says how it was cut", "Give the part that the model saw."
    )


def pixels_of(batch: Batch, count: int) -> NDArray[np.uint8] | None:
    """The pictures beneath so many rows: of several conditions a sample has several."""
    pixels = batch.picture
    return pixels if pixels is None or pixels.ndim == 3 else np.repeat(pixels, count // len(pixels), axis=0)
