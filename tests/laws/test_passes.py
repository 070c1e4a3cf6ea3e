"""How many passes are said before a method begins: as many as it makes."""

from __future__ import annotations

import pytest
import torch

import pellucid as pl
from pellucid.catalogue.methods import METHODS
from pellucid.explanation.method import has, member
from pellucid.target import as_target
from tests.cases import home, made

REPEATING = [entry.name for entry in METHODS if entry.repeats]
DOUBLING = {"integrated_gradients"}  # as many as are needed: what is said is the most


@pytest.mark.parametrize("method", REPEATING)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_method_makes_as_many_passes_as_it_says(method: str, samples: int):
    case, chosen = home(method), made(method)
    x, model = case.inputs()[:samples], pl.load(case.net())
    said = member(chosen, "passes")(model, x, as_target(1))
    e = pl.explain(model, x, target=1, method=chosen)
    assert has(chosen, "passes") and said.total >= e.forwards and 0 <= said.least <= 1
    assert said.total == e.forwards or method in DOUBLING


def test_integrated_gradients_says_the_most_and_what_is_certain():
    net, x = torch.nn.Linear(4, 2).eval(), torch.ones(1, 4)
    chosen = pl.gradient.Integrated()
    said = chosen.passes(pl.load(net), x, as_target(1))
    e = pl.explain(net, x, target=1, method=chosen)
    gradients = 32  # a linear score needs no more
    assert e.forwards == 2 + 2 * gradients and said.backward == 32 + 64 + 128 + 256
    assert said.least == pytest.approx(gradients / said.backward)
    exact = pl.gradient.Integrated(steps=7)
    assert exact.passes(pl.load(net), x, as_target(1)).total == pl.explain(net, x, target=1, method=exact).forwards


@pytest.mark.parametrize("method", ["kernel_shap", "feature_ablation", "lime"])
def test_passes_of_few_regions_are_counted_once_each(method: str):
    net, x = torch.nn.Linear(4, 2).eval(), torch.rand(1, 4, generator=torch.Generator().manual_seed(0))
    chosen = pl.method(method) if hasattr(pl, "method") else getattr(pl.perturb, method)()
    said = chosen.passes(pl.load(net), x, as_target(0))
    assert said.total == pl.explain(net, x, target=0, method=chosen).forwards < 20


def test_a_method_around_another_makes_as_many_passes_as_it_says():
    net, x = torch.nn.Linear(4, 2).eval(), torch.rand(2, 4, generator=torch.Generator().manual_seed(0))
    chosen = pl.gradient.Noisy(pl.gradient.Integrated(steps=5), n=3)
    said = chosen.passes(pl.load(net), x, as_target(0))
    assert said.total == pl.explain(net, x, target=0, method=chosen).forwards
