"""A contrast of two classes whose maps are alike is said to be a small remainder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.metrics import RandomLogit
from tests.cases import CASE

NOTE = "This method says nearly the same of both"


def alike(apart: float) -> nn.Module:
    """Two classes that go by the same features, but for a share."""
    net = nn.Sequential(nn.Linear(4, 2, bias=False)).eval()
    net[0].weight.data.copy_(torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0 - apart, 1.0, 1.0, 1.0]]))
    return net


@pytest.mark.parametrize("apart, said", [(0.1, True), (1.0, False)])
def test_a_contrast_of_classes_that_are_alike_says_so(apart, said):
    versus = pl.logit(0) - pl.logit(1)
    x = torch.tensor([[8.0 if apart == 1.0 else 1.0, 1.0, 1.0, 1.0]])
    e = pl.explain(alike(apart), x, versus, "lrp")
    assert any(note.startswith(NOTE) for note in e.notes) == said
    if said:
        assert "holds 1% of what" in " ".join(e.notes) and e.values.abs().sum() == pytest.approx(0.1, abs=1e-5)  # 0.1 of 7.9


@pytest.mark.parametrize("target", [0, None, pl.logit(0) - 0.01 * pl.channel("0", 1)])
def test_single_targets_and_those_inside_are_not_compared(target):
    e = pl.explain(alike(0.1), torch.ones(1, 4), target, "lrp")
    assert not any(note.startswith(NOTE) for note in e.notes)


def test_methods_that_keep_no_books_are_not_compared():
    e = pl.explain(alike(0.1), torch.ones(1, 4), pl.logit(0) - pl.logit(1), "gradient")
    assert not any(note.startswith(NOTE) for note in e.notes)


def test_an_evaluation_says_who_hardly_depends_on_the_class():
    t = pl.evaluate(alike(0.1), torch.rand(3, 4) + 0.5, ["lrp.zero", "gradient"], [RandomLogit("cosine")], 0)
    assert any(note.startswith("random_logit: The maps hardly depend on the class") for note in t.notes)
    case = CASE["plain"]
    apart = pl.evaluate(case.net(), case.inputs(), ["gradient"], [RandomLogit("cosine")], 1)
    assert not any("hardly depend on the class" in note for note in apart.notes)
