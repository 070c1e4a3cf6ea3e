"""Prediction difference analysis once more, slowly: Algorithm 1 of the paper, one window, one channel and one draw at a time.

Nothing here knows the library but for three things it is handed: the covariance of two pixels, the random numbers of a draw, and
the model. All is double precision and NumPy.

References: Zintgraf et al., 2017, Visualizing deep neural network decisions, Algorithm 1 and section 3,
    https://doi.org/10.48550/arXiv.1702.04595, and the code published with it, lmzintgraf/DeepVis-PredDiff.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Patches:
    """What is known of patches.

    Arguments:
        covariance: Of channel c, at a distance (dy, dx).
        mean, low, high: Of channel c.
        normal: The standard normal numbers of a draw for a window, with shape (channel, window * window).
    """

    covariance: Callable[[int, int, int], float]
    mean: Callable[[int], float]
    low: Callable[[int], float]
    high: Callable[[int], float]
    normal: Callable[[int], Array]


def starts(side: int, window: int, stride: int) -> list[int]:
    """Where windows begin: every stride, and once more at the end where that does not come out even."""
    found = list(range(0, side - window + 1, stride))
    return found if found[-1] == side - window else [*found, side - window]


def conditional(x: Array, patches: Patches, top: int, left: int, window: int, context: int, draw: int, first: bool) -> Array:
    """One draw for one window, (channel, window, window), given the rest of the patch around it.

    Arguments:
        first: Whether the first channel's weights and covariance serve all channels, as in the published code.
    """
    channels, height, width = x.shape
    pad = (context - window) // 2
    patch_top = min(max(top - pad, 0), height - context)
    patch_left = min(max(left - pad, 0), width - context)
    patch = [(patch_top + i, patch_left + j) for i in range(context) for j in range(context)]
    inside = [(top + i, left + j) for i in range(window) for j in range(window)]
    around = [place for place in patch if place not in inside]
    result = np.zeros((channels, window, window))
    for c in range(channels):
        whose = 0 if first else c

        def covariance(a: list[tuple[int, int]], b: list[tuple[int, int]], whose: int = whose) -> Array:
            return np.array([[patches.covariance(whose, q[0] - p[0], q[1] - p[1]) for q in b] for p in a])

        s11, s12, s22 = covariance(inside, inside), covariance(inside, around), covariance(around, around)
        known = np.array([x[c, i, j] for i, j in around]) - patches.mean(c)
        mean = patches.mean(c) + s12 @ np.linalg.solve(s22, known)
        rest = s11 - s12 @ np.linalg.solve(s22, s12.T)
        drawn = mean + np.linalg.cholesky(rest) @ patches.normal(draw)[c]
        result[c] = np.clip(drawn, patches.low(c), patches.high(c)).reshape(window, window)
    return result


def log_odds(p: float, seen: int, classes: int) -> float:
    """log2 of the odds, after the Laplace correction."""
    corrected = (p * seen + 1) / (seen + classes)
    return float(np.log2(corrected / (1 - corrected)))


def analysed(
    predict: Callable[[Array], Array], x: Array, target: int, sample: Callable[[int, int, int], Array], window: int, stride: int,
    samples: int, seen: int = 100_000,
) -> Array:  # fmt: skip
    """The map of weights of evidence, (height, width).

    Arguments:
        predict: Probabilities of all classes for one input.
        sample: What stands in the window at (top, left), for draw s.
    """
    _, height, width = x.shape
    evidence, counts = np.zeros((height, width)), np.zeros((height, width))
    whole = predict(x)
    for top in starts(height, window, stride):
        for left in starts(width, window, stride):
            total = 0.0
            for s in range(samples):
                changed = x.copy()
                changed[:, top : top + window, left : left + window] = sample(top, left, s)
                total += predict(changed)[target]
            without = total / samples
            weight = log_odds(whole[target], seen, len(whole)) - log_odds(without, seen, len(whole))
            evidence[top : top + window, left : left + window] += weight
            counts[top : top + window, left : left + window] += 1
    return evidence / counts
