"""Tables: Gaussian rows whose exact attributions are known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .formulas import WeightedSum, _coefficients
from .problem import Problem, choose, generator, uniform


def gaussian(n: int = 64, *, seed: int = 0, size: int = 6, correlation: float = 0.5) -> Problem:
    """A weighted sum of correlated Gaussian entries of mean 0; half of them have no weight.

    Two games have a closed form. What is absent may be drawn from its own distribution (interventional): then the Shapley values
    are w_i x_i, which is `exact`. Or from its distribution given what is there (conditional): then entries without weight get
    their share too, by what they tell of others; these are `also["conditional"]`.

    References: after xai-bench (Liu et al., 2021), https://doi.org/10.48550/arXiv.2106.12543

    Arguments:
        correlation: Of neighbours; of entries k apart its k-th power.

    Example:
        >>> p = gaussian(5)
        >>> value = p.model(p.inputs)[:, 0]
        >>> torch.allclose(p.exact.sum(1), value, atol=1e-5), torch.allclose(p.also["conditional"].sum(1), value, atol=1e-5)
        (True, True)
    """
    rng = generator(seed)
    weights = torch.zeros(size)
    weights[torch.randperm(size, generator=rng)[: size // 2]] = uniform(size // 2, rng=rng, low=0.5, high=2)
    apart = (torch.arange(size)[:, None] - torch.arange(size)).abs()
    covariance = (correlation ** apart.double()).float()
    x = torch.randn(n, size, generator=rng) @ torch.linalg.cholesky(covariance).T
    masks = (weights != 0).expand(n, size)
    also = {"conditional": conditional_shapley(weights, covariance, x), "covariance": covariance.expand(n, size, size)}
    model = WeightedSum(weights).eval()
    labels = torch.zeros(n, dtype=torch.long)
    changes = {"without what matters": lambda x: x * ~masks, "without the rest": lambda x: x * masks}
    return Problem("gaussian", x, labels, masks, ("value",), model, x * weights, changes=changes, also=also)


def conditional_shapley(weights: Tensor, covariance: Tensor, x: Tensor) -> Tensor:
    """Shapley values of w x for Gaussian x of mean 0, where v(S) = E[w x | x in S], by going through all sets."""
    d = x.shape[1]
    sets = [frozenset(i for i in range(d) if code >> i & 1) for code in range(2**d)]
    worth = torch.stack([_expected(weights.double(), covariance.double(), x.double(), sorted(s)) for s in sets], 1)
    return (worth @ _coefficients(sets, d)).to(x.dtype)


def _expected(weights: Tensor, covariance: Tensor, x: Tensor, known: list[int]) -> Tensor:
    """E[w x | these entries]: every other entry at its regression on them."""
    if not known:
        return x.new_zeros(len(x))
    slopes: Tensor = torch.linalg.solve(covariance[known][:, known], covariance[known])  # (known, entry)
    return x[:, known] @ slopes @ weights


class Clustered(nn.Module):
    """Every cluster has its own few entries that count: the nearest centre decides which."""

    centres: Tensor
    weights: Tensor

    def __init__(self, centres: Tensor, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("centres", centres)
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor) -> Tensor:
        score = (x * self.weights[self.nearest(x)]).sum(1)
        return torch.stack([-score, score], 1)

    def nearest(self, x: Tensor) -> Tensor:
        """The cluster of every row."""
        cluster: Tensor = torch.cdist(x.detach(), self.centres).argmin(1)
        return cluster


def clusters(n: int = 128, *, seed: int = 0, size: int = 20, count: int = 10) -> Problem:
    """Rows in clusters, each of which goes by a quarter of the entries of its own.

    References: after OpenXAI's SynthGauss (Agarwal et al., 2022), https://doi.org/10.48550/arXiv.2206.11104
    """
    rng = generator(seed)
    centres = uniform(count, size, rng=rng, low=-5, high=5)
    important = torch.rand(count, size, generator=rng).argsort(1) < size // 4
    weights = uniform(count, size, rng=rng, low=-1) * important
    belongs = choose(count, n, rng)
    x = centres[belongs] + torch.randn(n, size, generator=rng)
    model = Clustered(centres, weights).eval()
    belongs = model.nearest(x)
    masks, own = important[belongs], weights[belongs]
    labels = (x * own).sum(1).gt(0).long()
    exact = x * own * (2 * labels[:, None] - 1)
    changes = {
        "without what matters": lambda x: torch.where(masks, centres[belongs], x),
        "without the rest": lambda x: torch.where(masks, x, centres[belongs]),
    }
    also = {"cluster": belongs, "weights": own}
    return Problem("clusters", x, labels, masks, ("below", "above"), model, exact, changes=changes, also=also)
