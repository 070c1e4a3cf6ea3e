"""Metrics of removal curves once more, slowly and from the papers: one sample, one step, one forward pass at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Score = Callable[[Tensor], float]
"""From one sample, (1, ...), to the number that is read of the model's answer."""


def probability(net: Callable[[Tensor], Tensor], index: int) -> Score:
    return lambda x: float(net(x).detach().double().softmax(1)[0, index])


def logit(net: Callable[[Tensor], Tensor], index: int) -> Score:
    return lambda x: float(net(x).detach().double()[0, index])


def pixels_by_relevance(values: Tensor) -> list[tuple[int, int]]:
    """Places of a picture (channel, height, width), the most relevant first; no two may be equal."""
    heat = values.double().sum(0)
    places = [(i, j) for i in range(heat.shape[0]) for j in range(heat.shape[1])]
    assert len({float(heat[place]) for place in places}) == len(places), "a tie"
    return sorted(places, key=lambda place: -float(heat[place]))


def flipped(x: Tensor, places: Sequence[tuple[int, int]], content: Tensor) -> Tensor:
    """x (1, channel, height, width) with the content at these places, in all channels."""
    changed = x.clone()
    for i, j in places:
        changed[0, :, i, j] = content[0, :, i, j]
    return changed


def pixel_flipping(f: Score, x: Tensor, values: Tensor, content: Tensor) -> float:
    """Bach et al., 2015: one pixel at a time; the mean height of the curve, by trapezoids."""
    order = pixels_by_relevance(values)
    curve = [f(flipped(x, order[:k], content)) for k in range(len(order) + 1)]
    return trapezoids([k / len(order) for k in range(len(order) + 1)], curve)


def trapezoids(at: Sequence[float], heights: Sequence[float]) -> float:
    total = 0.0
    for k in range(len(at) - 1):
        total += (at[k + 1] - at[k]) * (heights[k] + heights[k + 1]) / 2
    return total / (at[-1] - at[0])


def squares(x: Tensor, size: int) -> list[list[tuple[int, int]]]:
    """The places of every square of a picture, row by row."""
    height, width = x.shape[-2:]
    return [
        [(i, j) for i in range(top, min(top + size, height)) for j in range(left, min(left + size, width))]
        for top in range(0, height, size)
        for left in range(0, width, size)
    ]


def perturbation_curve(
    f: Score, x: Tensor, values: Tensor, regions: list[list[tuple[int, int]]], steps: int, content: Tensor, *, most: bool = True
) -> list[float]:
    """Samek et al., 2017, Eq. 11: x^(k) is x^(k-1) with the next region replaced; f(x^(0)) ... f(x^(L))."""
    heat = values.double().sum(0)
    sums = [sum(float(heat[place]) for place in region) for region in regions]
    order = sorted(range(len(regions)), key=lambda r: -sums[r] if most else sums[r])
    changed, curve = x, [f(x)]
    for r in order[:steps]:
        changed = flipped(changed, regions[r], content)
        curve.append(f(changed))
    return curve


def aopc(curve: Sequence[float]) -> float:
    """Samek et al., 2017, Eq. 12."""
    total = 0.0
    for k in range(len(curve)):
        total += curve[0] - curve[k]
    return total / len(curve)


def abpc(most: Sequence[float], least: Sequence[float]) -> float:
    total = 0.0
    for k in range(len(most)):
        total += least[k] - most[k]
    return total / len(most)


def rise_auc(scores: Sequence[float]) -> float:
    """Petsiuk et al., 2018, as in evaluation.py of their code: (sum - first / 2 - last / 2) / (n - 1)."""
    return (sum(scores) - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


def causal_metric(f: Score, start: Tensor, finish: Tensor, values: Tensor, step: int) -> list[float]:
    """Their evaluation: pixels of `start` become those of `finish`, the most salient first, `step` at a time."""
    order = pixels_by_relevance(values)
    scores, changed = [f(start)], start
    for k in range(math.ceil(len(order) / step)):
        changed = flipped(changed, order[step * k : step * (k + 1)], finish)
        scores.append(f(changed))
    return scores


def rise_blur(x: Tensor, size: int = 11, sigma: float = 5.0) -> Tensor:
    """Their substrate of insertion: a delta in a square of `size`, smoothed by SciPy, as the kernel of a convolution."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    delta = np.zeros((size, size))
    delta[size // 2, size // 2] = 1
    kernel = torch.from_numpy(gaussian_filter(delta, sigma)).to(x)
    return torch.nn.functional.conv2d(x, kernel.expand(x.shape[1], 1, -1, -1), padding=size // 2, groups=x.shape[1])


def irof(f: Score, x: Tensor, values: Tensor, regions: list[list[tuple[int, int]]]) -> float:
    """Rieger and Hansen, 2020: area over F(x^l) / F(x), segments by mean relevance, replaced by the mean colour."""
    heat, mean = values.double().sum(0), x.mean((2, 3), keepdim=True).expand_as(x)
    means = [sum(float(heat[place]) for place in region) / len(region) for region in regions]
    order = sorted(range(len(regions)), key=lambda r: -means[r])
    changed, curve = x, [1.0]
    for r in order:
        changed = flipped(changed, regions[r], mean)
        curve.append(f(changed) / f(x))
    return 1 - trapezoids(range(len(curve)), curve)


def srg(f: Score, x: Tensor, values: Tensor, regions: list[list[tuple[int, int]]], counts: Sequence[int]) -> float:
    """Bluecher et al., 2024: area of the curve with the least, minus that with the most influential superpixel first, over the
    share of pixels that is occluded.
    """
    heat, mean = values.double().sum(0), x.mean((2, 3), keepdim=True).expand_as(x)
    means = [sum(float(heat[place]) for place in region) / len(region) for region in regions]
    order, areas = sorted(range(len(regions)), key=lambda r: -means[r]), []
    for way in (order[::-1], order):
        at, heights = [], []
        for count in counts:
            gone = [place for r in way[:count] for place in regions[r]]
            at.append(len(gone) / x[0, 0].numel())
            heights.append(f(flipped(x, gone, mean)))
        areas.append(trapezoids(at, heights))
    return areas[0] - areas[1]


def erasure(f: Score, x: Tensor, values: Tensor, *, keep: bool) -> float:
    """DeYoung et al., 2020: the score lost without (with nothing but) the most relevant share of places, mean over the shares."""
    order, zeros, lost = pixels_by_relevance(values), torch.zeros_like(x), []
    for share in (0.01, 0.05, 0.1, 0.2, 0.5):
        k = max(1, round(share * len(order)))
        lost.append(f(x) - f(flipped(x, order[k:] if keep else order[:k], zeros)))
    return sum(lost) / len(lost)


def road(f: Score, x: Tensor, values: Tensor) -> float:
    """Rong et al., 2022, without the noise: one dense linear system for all missing pixels of a channel, p = 10 ... 90 %."""
    order, scores = pixels_by_relevance(values), []
    for share in range(1, 10):
        missing = order[: round(share / 10 * len(order))]
        scores.append(f(imputed(x, missing)))
    return sum(scores) / len(scores)


def imputed(x: Tensor, missing: Sequence[tuple[int, int]]) -> Tensor:
    """Every missing pixel is the weighted mean of its neighbours: 1/6 beside and above, 1/12 across, none outside."""
    number = {place: i for i, place in enumerate(missing)}
    matrix = torch.zeros(len(missing), len(missing), dtype=torch.float64)
    right = torch.zeros(len(missing), x.shape[1], dtype=torch.float64)
    height, width = x.shape[-2:]
    for (i, j), row in number.items():
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                there = (i + down, j + across)
                if (down, across) == (0, 0) or not (0 <= there[0] < height and 0 <= there[1] < width):
                    continue
                weight = 1 / 6 if 0 in (down, across) else 1 / 12
                matrix[row, row] += weight
                if there in number:
                    matrix[row, number[there]] -= weight
                else:
                    right[row] += weight * x[0, :, there[0], there[1]].double()
    found, changed = torch.linalg.solve(matrix, right), x.clone()
    for place, row in number.items():
        changed[0, :, place[0], place[1]] = found[row].to(x)
    return changed


def best_area(f: Callable[[frozenset[int]], float], sizes: Sequence[float], *, least: bool) -> float:
    """The least (the greatest) area under any curve, by trying all orders."""
    from itertools import permutations

    areas = []
    for order in permutations(range(len(sizes))):
        gone, at, heights = frozenset[int](), [0.0], [f(frozenset())]
        for region in order:
            gone |= {region}
            at.append(at[-1] + sizes[region])
            heights.append(f(gone))
        areas.append(trapezoids(at, heights))
    return min(areas) if least else max(areas)
