"""Linear models and support vector machines of scikit-learn's exporter."""

from __future__ import annotations

from itertools import combinations
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..operation import Node, operation
from .features import ML
from .text import chosen

LARGEST = 2**24  # numbers: differences between rows and support vectors that are held at once


@operation("LinearRegressor", domain=ML)
def linear_regressor(node: Node, x: Tensor) -> Tensor:
    return transformed(node, _linear(node, x, node.get("targets", 1)))


@operation("LinearClassifier", domain=ML)
def linear_classifier(node: Node, x: Tensor) -> tuple[Any, Tensor]:
    """The class with the highest score, and all scores; of two classes there may be the score of the second alone."""
    scores = _linear(node, x, len(node.get("intercepts", [0.0])))
    return labelled(node, scores, threshold=0.0, of_two="rest")


def _linear(node: Node, x: Tensor, count: int) -> Tensor:
    x = (x if x.dim() > 1 else x[None]).float()
    weight = x.new_tensor(node.get("coefficients")).view(count, -1)
    offsets = node.get("intercepts")
    return F.linear(x, weight, None if offsets is None else x.new_tensor(offsets))


def labelled(node: Node, scores: Tensor, *, threshold: float, of_two: str = "opposite") -> tuple[Any, Tensor]:
    """Names of the best classes, and the scores as the file wants them.

    Arguments:
        threshold: Where a single score speaks for the second class.
        of_two: What the first of two classes gets: the "opposite" of the score of the second, or the "rest" up to one.
    """
    names = next(node.get(name) for name in _LABELS if node.get(name) is not None)
    if scores.shape[-1] == 1 and len(names) == 2:
        best = (scores[:, 0] > threshold).long()
        if node.get("post_transform", "NONE") == "LOGISTIC":
            return _named(names, best), torch.cat([(-scores).sigmoid(), scores.sigmoid()], -1)
        both = torch.cat([1 - scores if of_two == "rest" else -scores, scores], -1)
        return _named(names, best), both
    return _named(names, scores.argmax(-1)), transformed(node, scores)


_LABELS = ("classlabels_strings", "classlabels_ints", "classlabels_int64s")


def _named(names: list[Any], best: Tensor) -> Any:
    return chosen(names, best) if isinstance(names[0], str) else torch.tensor(names, device=best.device)[best]


def transformed(node: Node, scores: Tensor) -> Tensor:
    """Scores as probabilities, where the file wants them so."""
    match node.get("post_transform", "NONE"):
        case "SOFTMAX" | 1:
            return scores.softmax(-1)
        case "LOGISTIC" | 2:
            return scores.sigmoid()
        case "SOFTMAX_ZERO" | 3:
            return scores.masked_fill(scores.abs() <= 1e-7, -torch.inf).softmax(-1)  # as in onnxruntime
        case "PROBIT" | 4:
            return sqrt(2) * (2 * scores - 1).erfinv()
    return scores


@operation("SVMRegressor", domain=ML)
def svm_regressor(node: Node, x: Tensor) -> Tensor:
    """A sum of what each support vector says; of one class, whether it is above zero, as 1 and -1."""
    x = x.float()
    similar = _kernel(node, x) if node.get("n_supports", 0) else x
    made = similar @ x.new_tensor(node.get("coefficients"))[:, None] + node.get("rho")[0]
    return torch.where(made > 0, 1.0, -1.0) if node.get("one_class", 0) else transformed(node, made)


@operation("SVMClassifier", domain=ML)
def svm_classifier(node: Node, x: Tensor) -> tuple[Any, Tensor]:
    """The class with most votes of pairs of classes, and the scores of pairs; or with probabilities, where the file has them."""
    x = x.float()
    sizes = node.get("vectors_per_class")
    if not sizes:
        weight = x.new_tensor(node.get("coefficients")).view(-1, x.shape[-1])
        return labelled(node, F.linear(x, weight) + node.get("rho", [0.0])[0], threshold=0.0)
    scores = _pairs(node, x, sizes)
    names = next(node.get(name) for name in _LABELS if node.get(name) is not None)
    best = _votes(scores, len(sizes)).argmax(-1)
    if node.get("prob_a"):
        return _named(names, best), transformed(node, _coupled(node, scores, len(sizes)))
    if len(sizes) > 2:
        return _named(names, best), transformed(node, scores)
    plain = node.get("post_transform", "NONE") in ("NONE", "LOGISTIC")
    both = torch.cat([-scores if plain else 1 - scores, scores], -1)  # as onnxruntime does
    return _named(names, best), transformed(node, both) if plain else both


def _votes(scores: Tensor, classes: int) -> Tensor:
    """How many pairs of classes each class wins."""
    pairs = torch.tensor(list(combinations(range(classes), 2)), device=scores.device)
    winners = torch.where(scores > 0, pairs[:, 0], pairs[:, 1])
    return F.one_hot(winners, classes).sum(1)


def _kernel(node: Node, x: Tensor) -> Tensor:
    """How like each support vector a row is, with shape (rows, vectors)."""
    vectors = x.new_tensor(node.get("support_vectors")).view(-1, x.shape[-1])
    gamma, offset, degree = node.get("kernel_params") or (0.0, 0.0, 0.0)
    match node.get("kernel_type", "LINEAR"):
        case "POLY":
            return (gamma * (x @ vectors.mT) + offset) ** degree
        case "SIGMOID":
            return (gamma * (x @ vectors.mT) + offset).tanh()
        case "RBF":
            size = max(1, LARGEST // max(1, x.numel()))
            parts = [(x[:, None] - part).square().sum(-1) for part in vectors.split(size)]  # type: ignore[no-untyped-call]
            return (-gamma * torch.cat(parts, -1)).exp()
    return x @ vectors.mT


def _pairs(node: Node, x: Tensor, sizes: list[int]) -> Tensor:
    """For each pair of classes what the support vectors of both say, with shape (rows, pairs)."""
    parts = _kernel(node, x).split_with_sizes(sizes, -1)
    weights = x.new_tensor(node.get("coefficients")).view(len(sizes) - 1, -1).split_with_sizes(sizes, -1)
    columns = [
        parts[one] @ weights[one][other - 1] + parts[other] @ weights[other][one] + offset
        for (one, other), offset in zip(combinations(range(len(sizes)), 2), node.get("rho"), strict=True)
    ]
    return torch.stack(columns, -1)


def _coupled(node: Node, scores: Tensor, classes: int) -> Tensor:
    """Probabilities p of classes that fit those r of pairs: the least sum of (r_ji p_i - r_ij p_j)^2.

    References:
        Probability estimates for multi-class classification by pairwise coupling (Wu, Lin and Weng, 2004), the second method.
    """
    slopes, offsets = (scores.new_tensor(node.get(name)) for name in ("prob_a", "prob_b"))
    chances = (-(scores * slopes + offsets)).sigmoid().clamp(1e-7, 1 - 1e-7)
    r = [[chances.new_zeros(len(scores))] * classes for _ in range(classes)]
    for at, (one, other) in enumerate(combinations(range(classes), 2)):
        r[one][other], r[other][one] = chances[:, at], 1 - chances[:, at]
    pairs = torch.stack([torch.stack(row, -1) for row in r], 1)
    q = torch.diag_embed(pairs.square().sum(1)) - pairs * pairs.mT
    ones = q.new_ones(len(q), classes, 1)
    system = torch.cat([torch.cat([q, ones], 2), torch.cat([ones.mT, q.new_zeros(len(q), 1, 1)], 2)], 1)
    right = torch.cat([q.new_zeros(classes), q.new_ones(1)])
    found: Tensor = torch.linalg.solve(system, right.expand(len(q), -1))
    return found[:, :classes]
