"""Formulas: networks that compute a known formula, so that the Shapley values of every sample are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor, nn

from .problem import Problem, choose, generator, uniform

SIZE = 8  # entries: 256 sets, all of which are gone through


class Formula(nn.Module):
    """A function of rows as a network with one output.

    Arguments:
        weights: What the formula is made with, with shape (entry,); 0 where it does not look.
    """

    weights: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)


class WeightedSum(Formula):
    """f(x) = sum of w_i x_i."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights[:, None]


class Products(Formula):
    """f(x) = sum over secret pairs of w_ij x_i x_j: the two of a pair share what they are worth."""

    def __init__(self, weights: Tensor, pairs: Tensor) -> None:
        super().__init__(weights)
        self.first, self.second = pairs[:, 0].tolist(), pairs[:, 1].tolist()

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, self.first] * x[:, self.second] * self.weights[self.first]).sum(1, keepdim=True)


class Extreme(Formula):
    """f(x) = the greatest of the secret entries (OR of what is 0 or 1), or the least (AND)."""

    def __init__(self, weights: Tensor, *, greatest: bool) -> None:
        super().__init__(weights)
        self.greatest, self.places = greatest, weights.nonzero()[:, 0].tolist()

    def forward(self, x: Tensor) -> Tensor:
        secret = x[:, self.places]
        return secret.amax(1, keepdim=True) if self.greatest else secret.amin(1, keepdim=True)


class PiecewiseLinear(Formula):
    """f(x) = sum of w_i max(x_i, 0) over the secret entries: entries below 0 count for nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu() @ self.weights[:, None]


class TwoPatches(nn.Module):
    """The softmax of the means of two patches: two classes, each of which speaks by its patch and against the other.

    Arguments:
        first, second: Masks, with shape (height, width).
    """

    masks: Tensor

    def __init__(self, first: Tensor, second: Tensor, *, scale: float = 4.0) -> None:
        super().__init__()
        self.register_buffer("masks", torch.stack([first, second]).float())
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        weights = self.masks.flatten(1) / self.masks.flatten(1).sum(1, keepdim=True)
        return (self.scale * x.flatten(1) @ weights.T).softmax(1)


def weighted_sum(n: int = 16, *, seed: int = 0) -> Problem:
    """A sum over a secret mask; the rest is noise. Exact: w_i x_i."""
    rng = generator(seed)
    weights = _weights(4, rng)
    x = torch.randn(n, SIZE, generator=rng)
    return _problem("weighted_sum", WeightedSum(weights), x, weights != 0, exact=x * weights)


def products(n: int = 16, *, seed: int = 0) -> Problem:
    """Two products of two entries. Exact, the Shapley values: half of each product for either of its entries."""
    rng = generator(seed)
    pairs = torch.randperm(SIZE, generator=rng)[:4].reshape(2, 2)
    weights = torch.zeros(SIZE)
    weights[pairs] = uniform(2, 1, rng=rng, low=1, high=2).expand(2, 2)
    return _problem("products", Products(weights, pairs), torch.randn(n, SIZE, generator=rng), weights != 0)


def any_of(n: int = 16, *, seed: int = 0) -> Problem:
    """OR: 1 if any secret entry is 1. Exact: Shapley values, which deal out the 1 equally among those that are."""
    return _logic("any_of", n, seed, greatest=True)


def all_of(n: int = 16, *, seed: int = 0) -> Problem:
    """AND: 1 if all secret entries are 1. Exact: Shapley values, the same for all of them."""
    return _logic("all_of", n, seed, greatest=False)


def piecewise_linear(n: int = 16, *, seed: int = 0) -> Problem:
    """Only positive entries count. Exact: w_i max(x_i, 0)."""
    rng = generator(seed)
    weights = _weights(4, rng)
    x = torch.randn(n, SIZE, generator=rng)
    return _problem("piecewise_linear", PiecewiseLinear(weights), x, weights != 0, exact=x.relu() * weights)


def two_patches(n: int = 16, *, seed: int = 0, side: int = 12) -> Problem:
    """Pictures of noise in which one of two patches is brighter. Nothing outside the two matters to either class."""
    rng = generator(seed)
    first, second = (torch.zeros(side, side, dtype=torch.bool) for _ in range(2))
    first[2:5, 2:5], second[-5:-2, -5:-2] = True, True
    labels = choose(2, n, rng)
    x = uniform(n, 1, side, side, rng=rng, high=0.5)
    own = torch.where(labels[:, None, None] == 0, first, second)
    x = x + 0.5 * own[:, None]
    masks = (first | second).expand(n, side, side)
    parts = {"own": own, "other": masks & ~own}
    changes = {"without both patches": lambda x: x * ~masks[:, None], "without the rest": lambda x: x * masks[:, None]}
    model = TwoPatches(first, second).eval()
    return Problem("two_patches", x, labels, masks, ("first", "second"), model, parts=parts, changes=changes)


def shapley_values(f: Callable[[Tensor], Tensor], x: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """The Shapley values of every entry, by going through all sets: 2^d forward passes per sample.

        phi_i = sum over S without i of |S|! (d - |S| - 1)! / d! (v(S + i) - v(S)),   v(S) = f(x in S, baseline elsewhere)

    References: Shapley, 1953, A value for n-person games, https://doi.org/10.1515/9781400881970-018

    Arguments:
        f: Rows to one number each, with shape (n,) or (n, 1).

    Example:
        >>> shapley_values(lambda x: x[:, 0] * x[:, 1], torch.tensor([[2.0, 3.0, 5.0]])).round(decimals=4)
        tensor([[3., 3., 0.]])
    """
    d = x.shape[1]
    base = torch.as_tensor(baseline, dtype=x.dtype).expand_as(x)
    sets = [frozenset(s) for size in range(d + 1) for s in combinations(range(d), size)]
    inside = torch.tensor([[i in s for i in range(d)] for s in sets])
    worth = torch.stack([f(torch.where(row, x, base)).reshape(len(x)) for row in inside], 1)  # (sample, set)
    return worth @ _coefficients(sets, d).to(x.dtype)


def _coefficients(sets: list[frozenset[int]], d: int) -> Tensor:
    """How much the worth of each set counts for each entry, with shape (set, entry)."""
    found = torch.zeros(len(sets), d, dtype=torch.float64)
    for row, s in enumerate(sets):
        for i in range(d):
            size = len(s) - (i in s)
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            found[row, i] = weight if i in s else -weight
    return found


def _weights(secret: int, rng: torch.Generator) -> Tensor:
    """As many weights as there are secret entries, of both signs, none near 0."""
    weights = torch.zeros(SIZE)
    places = torch.randperm(SIZE, generator=rng)[:secret]
    weights[places] = uniform(secret, rng=rng, low=0.5, high=2) * (2 * choose(2, secret, rng) - 1)
    return weights


def _logic(name: str, n: int, seed: int, *, greatest: bool) -> Problem:
    rng = generator(seed)
    weights = torch.zeros(SIZE)
    weights[torch.randperm(SIZE, generator=rng)[:3]] = 1.0
    x = choose(2, n * SIZE, rng).reshape(n, SIZE).float()
    return _problem(name, Extreme(weights, greatest=greatest), x, weights != 0)


def _problem(name: str, model: nn.Module, x: Tensor, secret: Tensor, exact: Tensor | None = None) -> Problem:
    """The problem of a formula: who knows it knows everything."""
    masks = secret.expand(len(x), SIZE)
    changes = {"without the secret": lambda x: x * ~masks, "without the rest": lambda x: x * masks}
    exact = shapley_values(model, x) if exact is None else exact
    labels = torch.zeros(len(x), dtype=torch.long)
    return Problem(name, x, labels, masks, ("value",), model.eval(), exact, changes=changes)
