"""Games with known shares: polynomials in who is there, asked as networks are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations
from math import factorial

import torch
from torch import Tensor


@dataclass(frozen=True)
class Game:
    """A payoff f(z) = sum_T c_T prod_{i in T} z_i, for z in [0, 1]^n; every term has one to four players.

    Arguments:
        n: How many players.
        terms: The players of the terms of each order, (terms, order), and their weights, (terms,).
    """

    n: int
    terms: tuple[tuple[Tensor, Tensor], ...]

    def __call__(self, z: Tensor) -> Tensor:
        """Payoffs, with shape (batch, 1)."""
        return torch.stack([z.double()[:, players].prod(2) @ c for players, c in self.terms]).sum(0)[:, None]

    @property
    def everyone(self) -> Tensor:
        return torch.ones(1, self.n, dtype=torch.float64)

    def shapley(self) -> Tensor:
        """A term is shared evenly by its players."""
        return self._shared(lambda order: 1 / order)

    def banzhaf(self) -> Tensor:
        """A player is needed where all others of the term are there, one coalition in 2^(order - 1)."""
        return self._shared(lambda order: 0.5 ** (order - 1))

    def _shared(self, share: Callable[[int], float]) -> Tensor:
        values = torch.zeros(self.n, dtype=torch.float64)
        for players, c in self.terms:
            for column in players.T:
                values.index_add_(0, column, c * share(players.shape[1]))
        return values


def game(n: int, seed: int, strengths: tuple[float, ...] = (1.0, 0.3, 0.3, 0.3)) -> Game:
    """Weights from normal distributions: one term per player alone, and 6 n of each higher order."""
    rng = torch.Generator().manual_seed(seed)
    terms = []
    for order, strength in enumerate(strengths[:n], start=1):
        k = n if order == 1 else 6 * n
        players = torch.arange(n)[:, None] if order == 1 else torch.rand(k, n, generator=rng).argsort(1)[:, :order]
        terms.append((players, strength * torch.randn(k, generator=rng, dtype=torch.float64)))
    return Game(n, tuple(terms))


def linear(weights: list[float]) -> Game:
    c = torch.tensor(weights, dtype=torch.float64)
    return Game(len(c), ((torch.arange(len(c))[:, None], c),))


def coalitions(n: int) -> Tensor:
    """All 2^n rows."""
    return ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).double()


# -- slow twins, from the definitions -----------------------------------------------------------------------------------------


def shapley_by_orders(f: Callable[[Tensor], Tensor], n: int) -> Tensor:
    """The mean, over all n! orders, of what a player adds to those before."""
    values = torch.zeros(n, dtype=torch.float64)
    for order in permutations(range(n)):
        z = torch.zeros(1, n, dtype=torch.float64)
        for player in order:
            before = float(f(z))
            z[0, player] = 1
            values[player] += float(f(z)) - before
    return values / factorial(n)


def banzhaf_by_coalitions(f: Callable[[Tensor], Tensor], n: int) -> Tensor:
    """The mean, over all coalitions of the others, of what a player adds."""
    values = torch.zeros(n, dtype=torch.float64)
    for player in range(n):
        others = [other for other in range(n) if other != player]
        for size in range(n):
            for members in combinations(others, size):
                z = torch.zeros(1, n, dtype=torch.float64)
                z[0, list(members)] = 1
                without = float(f(z))
                z[0, player] = 1
                values[player] += (float(f(z)) - without) / 2 ** (n - 1)
    return values


def off(found: Tensor, wanted: Tensor) -> float:
    """The relative error, by Euclidean length."""
    return float((found - wanted).norm() / wanted.norm())


def covered(found: Tensor, error: Tensor, wanted: Tensor) -> float:
    """The share of values whose nominal 95 % interval holds the truth."""
    return float(((found - wanted).abs() <= 1.959964 * error + 1e-9 * wanted.abs().max()).double().mean())
