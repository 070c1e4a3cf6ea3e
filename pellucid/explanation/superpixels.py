"""Superpixels: a picture cut into small pieces of one colour each, along its edges."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.errors import InputError, MissingExtra


def superpixels(picture: NDArray[np.uint8] | Tensor, n: int = 100, *, compactness: float = 10.0) -> Tensor:
    """The piece every pixel belongs to, as integers 0, 1, ... with shape (height, width); the same picture gives the same pieces.

    Clusters of pixels that are close in place and in colour (CIELAB), grown from a regular grid; no randomness is involved.

    References: SLIC superpixels compared to state-of-the-art superpixel methods (Achanta et al., 2012),
        https://doi.org/10.1109/TPAMI.2012.120. Computed by scikit-image.

    Arguments:
        picture: Pixels with shape (height, width, 3), in 0..255; grey ones with shape (height, width, 1).
        n: How many pieces to aim for; the picture's own edges make it more or fewer.
        compactness: Nearness in place against nearness in colour: larger gives squarer pieces.

    Raises:
        InputError: the picture has another shape or another type, or n is less than 1.
        MissingExtra: scikit-image is not installed.
    """
    picture = picture.cpu().numpy() if isinstance(picture, Tensor) else picture
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or picture.dtype != np.uint8 or n < 1:
        found = f"{picture.dtype} of shape {picture.shape}"
        do = "Pass the pixels the model saw, such as e.photograph()."
        raise InputError(f"superpixels(n={n})", found, "uint8 of shape (height, width, 3) is cut, into one piece or more", do)
    try:
        from skimage.segmentation import slic
    except ImportError:
        why = "it finds the edges along which a picture is cut"
        do = "Install it with: pip install pellucid[segments]. Or pass a tensor of labels of your own."
        raise MissingExtra("superpixels", "no package scikit-image", why, do) from None
    colours = np.broadcast_to(picture, (*picture.shape[:2], 3))
    labels = slic(colours, n_segments=n, compactness=compactness, start_label=0, channel_axis=-1)
    _, pieces = np.unique(labels, return_inverse=True)  # numbers without gaps
    return torch.from_numpy(pieces.reshape(labels.shape).astype(np.int64))
