"""Freeze solutions of the equations of noisy linear filling by a direct sparse solver: run once, by hand, with SciPy installed.

    python tests/golden/make_noisy_linear.py

Rong et al., 2022 (https://doi.org/10.48550/arXiv.2202.00449): every missing pixel is the mean of its eight neighbours, weighted
1/6 and, on the diagonals, 1/12; neighbours outside of the picture are left out, and the weights of the others divided by their
sum. Written beside this file, noisy_linear.npz keeps a picture (channel, height, width) and per name the mask, True where
missing, and the result.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

Array = NDArray[np.float64]
AROUND = [(dy, dx, 1 / 6 if dy == 0 or dx == 0 else 1 / 12) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def solved(picture: Array, missing: NDArray[np.bool_]) -> Array:
    """Pixel by pixel, one equation each; everything missing has no solution of its own: the mean of each channel."""
    if missing.all():
        return np.broadcast_to(picture.mean((1, 2), keepdims=True), picture.shape).copy()
    places = [tuple(place) for place in np.argwhere(missing)]
    number = {place: i for i, place in enumerate(places)}
    left, right = lil_matrix((len(places), len(places))), np.zeros((len(places), len(picture)))
    for (y, x), i in number.items():
        for dy, dx, weight in AROUND:
            other = y + dy, x + dx
            if not (0 <= other[0] < missing.shape[0] and 0 <= other[1] < missing.shape[1]):
                continue
            left[i, i] += weight
            if other in number:
                left[i, number[other]] -= weight
            else:
                right[i] += weight * picture[:, other[0], other[1]]
    result = picture.copy()
    result[:, missing] = spsolve(left.tocsc(), right).reshape(len(places), -1).T
    return result


def masks(side: int, rng: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    smooth = gaussian_filter(rng.standard_normal((side, side)), 4)
    border, single = np.zeros((2, side, side), dtype=bool)
    border[[0, -1]], border[:, [0, -1]], single[7, 5] = True, True, True
    return {
        "half": rng.random((side, side)) < 0.5,
        "most": rng.random((side, side)) < 0.9,
        "blobs": smooth > np.quantile(smooth, 0.5),
        "large blobs": smooth > np.quantile(smooth, 0.1),
        "border": border,
        "all but the border": ~border,
        "corner": np.add.outer(np.arange(side), np.arange(side)) < 9,
        "single": single,
        "everything": np.ones((side, side), dtype=bool),
    }


def main(side: int = 48) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    waves = np.stack([np.sin(x / 7) + np.cos(y / 9), np.sin((x + y) / 11), np.cos(x * y / 400)])
    picture = (waves + 0.1 * rng.standard_normal(waves.shape)).astype(np.float32).astype(np.float64)
    kept = {"picture": picture.astype(np.float32)}
    for name, missing in masks(side, rng).items():
        kept |= {f"{name}/missing": missing, f"{name}/solved": solved(picture, missing).astype(np.float32)}
    np.savez_compressed(Path(__file__).with_name("noisy_linear.npz"), **kept)


if __name__ == "__main__":
    main()
