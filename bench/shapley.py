"""How many forward passes Shapley values take beside captum's KernelShap, at the same error.

Two kinds of payoff with known Shapley values. Games: polynomials of order four in who is there, whose values have a closed form.
A network: the built-in one on a photograph, divided into a grid of twelve cells; all 2^12 coalitions are asked once, so that the
values are known exactly, and every contestant is then answered from that table. What counts is the relative error, the Euclidean
length of the difference over that of the values, on average; and how many forward passes the peer needs for the same, read from
a line through its errors on logarithmic scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import mean

import torch
from torch import Tensor

import pellucid as pl
from pellucid.methods.perturb.imputers.blur import Blur
from pellucid.methods.perturb.kernel_shap import kernel_shap
from pellucid.methods.perturb.regions.division import Grid
from pellucid.methods.perturb.sampling.perturbation import Perturbation
from pellucid.methods.perturb.shapley import shapley
from pellucid.zoo import pictures

OURS, PEERS = (3, 5, 10, 20), (10, 20, 40, 80)  # budgets, in forward passes per region
Payoff = Callable[[Tensor], Tensor]
Contestant = Callable[[Payoff, int, int, int], Tensor]
"""From a payoff, the number of regions, a budget and a seed to values."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A payoff of rows of presence, and its Shapley values."""

    payoff: Payoff
    values: Tensor

    @property
    def n(self) -> int:
        return len(self.values)


# -- problems ---------------------------------------------------------------------------------------------------------------


def game(n: int, seed: int) -> Problem:
    """A polynomial with n terms of one player, and 6 n each of two, three and four; a term is shared evenly by its players."""
    rng = torch.Generator().manual_seed(seed)
    players = [torch.arange(n)[:, None]] + [torch.rand(6 * n, n, generator=rng).argsort(1)[:, :order] for order in (2, 3, 4)]
    weights = [torch.randn(len(who), generator=rng).double() * (1.0 if who.shape[1] == 1 else 0.3) for who in players]
    values = torch.zeros(n, dtype=torch.float64)
    for who, c in zip(players, weights, strict=True):
        for column in who.T:
            values.index_add_(0, column, c / who.shape[1])
    return Problem(
        lambda z: sum(z.double()[:, who].prod(2) @ c for who, c in zip(players, weights, strict=True))[:, None], values
    )


def network(cells: tuple[int, int]) -> Problem:
    """The built-in model's score of the class it predicts for its photograph, by which cells of a grid are not blurred."""
    model, n = pl.load("efficientnet_lite0"), math.prod(cells)
    x = model.read(pictures()["chelsea"])
    run = kernel_shap(Grid(cells), 2**n - 2, Blur()).sample(model, x)
    rows = torch.cat([run.responses.rows(), torch.zeros(1, n), torch.ones(1, n)]).bool()
    answers = torch.cat([run.responses.read()[:, 0], run.responses.read_empty(), run.responses.read_full()[None]]).double()
    table = torch.zeros(2**n, dtype=torch.float64).index_copy_(0, code(rows), answers)
    return Problem(lambda z: table[code(z.bool())][:, None], run.fit("shapley").values)


def code(rows: Tensor) -> Tensor:
    return (rows * 2 ** torch.arange(rows.shape[1])).sum(1)


# -- contestants --------------------------------------------------------------------------------------------------------------


def ours(method: Callable[..., Perturbation]) -> Contestant:
    def ask(payoff: Payoff, n: int, budget: int, seed: int) -> Tensor:
        e = pl.explain(payoff, torch.ones(1, n).double(), 0, method(budget=budget, imputer=0.0, seed=seed, batch=256))
        return e.values[0]

    return ask


def captum(payoff: Payoff, n: int, budget: int, seed: int) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        explainer = import_module("captum.attr").KernelShap(payoff)
        x = torch.ones(1, n).double()
        return explainer.attribute(x, baselines=0.0, target=0, n_samples=budget, perturbations_per_eval=256)[0].double()


CONTESTANTS: dict[str, tuple[Contestant, Sequence[int]]] = {
    "pellucid kernel_shap": (ours(kernel_shap), OURS),
    "pellucid shapley (orders)": (ours(shapley), OURS),
    "captum KernelShap": (captum, PEERS),
}


# -- measuring ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """Errors by forward passes per region."""

    errors: dict[int, float]

    def needed(self, error: float) -> float:
        """How many forward passes per region for that error, by the least squares line through the logarithms."""
        x, y = [math.log(e) for e in self.errors.values()], [math.log(b) for b in self.errors]
        slope = sum((a - mean(x)) * (b - mean(y)) for a, b in zip(x, y, strict=True)) / sum((a - mean(x)) ** 2 for a in x)
        return math.exp(mean(y) + slope * (math.log(error) - mean(x)))


def curve(problems: Sequence[Problem], contestant: Contestant, budgets: Sequence[int]) -> Curve:
    """Errors, on average over problems, each with a seed of its own."""
    errors = {}
    for budget in budgets:
        found = [off(contestant(p.payoff, p.n, budget * p.n, seed), p.values) for seed, p in enumerate(problems)]
        errors[budget] = mean(found)
    return Curve(errors)


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def report(title: str, curves: dict[str, Curve]) -> list[str]:
    budgets = sorted({budget for c in curves.values() for budget in c.errors})
    lines = [f"### {title}", "", "| relative error at | " + " | ".join(f"{b} per region" for b in budgets) + " |"]
    lines += ["|---" + "|--:" * len(budgets) + "|"]
    for name, c in curves.items():
        lines.append(f"| {name} | " + " | ".join(f"{c.errors[b]:.3f}" if b in c.errors else "" for b in budgets) + " |")
    base, peer = curves["pellucid kernel_shap"], curves.get("captum KernelShap")
    if peer:
        ratios = [f"{peer.needed(error) / budget:.1f} x at {budget} per region" for budget, error in base.errors.items()]
        lines += ["", f"Forward passes captum needs for the error of kernel_shap: {', '.join(ratios)}."]
    return [*lines, ""]


def section(quick: bool = False, peers: bool = True) -> list[str]:
    """The tables, as lines of a page.

    Arguments:
        quick: Small games and no network: to see that it works.
    """
    contestants = {name: c for name, c in CONTESTANTS.items() if peers or not name.startswith("captum")}
    games = [game(16 if quick else 49, seed) for seed in range(3 if quick else 8)]
    problems = {f"{len(games)} games of {games[0].n} players": lambda: games}
    if not quick:
        problems["EfficientNet-Lite0, 12 cells, blurred"] = lambda: [network((3, 4))] * 8
    lines: list[str] = []
    for title, make in problems.items():
        those = make()
        curves = {name: curve(those, contestant, budgets) for name, (contestant, budgets) in contestants.items()}
        lines += report(title, curves)
        print(*lines, sep="\n", flush=True)
    return lines
