"""Beside an accelerator: whatever is made on the way is made where the user's tensors are, and the answer is the same.

No accelerator is needed: `tests.elsewhere` has a device that refuses to be mixed with the CPU. It cannot hold networks that write
into views of their own values, so these are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.explanation.attribution import Attribution
from pellucid.metrics import question
from pellucid.target import as_target
from tests.cases import CASE, difference, each_method, expected, made, precision
from tests.elsewhere import There, elsewhere, moved, there
from tests.laws import test_metrics as judged

NETS = ["plain", "attending"]


@each_method
@pytest.mark.parametrize("name", NETS)
def test_a_method_answers_alike_beside_an_accelerator(name, method):
    case = CASE[name]
    dtype = precision(case, method)  # sums are taken in another order
    with elsewhere():
        e = pl.explain(moved(case.net(dtype)), there(case.inputs(dtype)), target=case.target, method=made(method))
    assert type(e.values) is type(e.output) is Tensor  # explanations are at hand
    assert difference(e.values, expected(case, method, dtype).values) <= 1e-5


@judged.each_metric
def test_a_metric_judges_alike_beside_an_accelerator(entry):
    here = judged.made(entry).score(judged.asked(floor=True), judged.answer())
    with elsewhere():
        model, x = pl.load(moved(judged.PLAIN.net())), there(judged.PLAIN.inputs())
        asked = question(model, x, as_target(judged.PLAIN.target), masks=judged.boxes(3), floor=True, ceiling=False)
        found = judged.made(entry).score(asked, judged.answer(there(judged.answer().values)))
    for one, other in ((found.values, here.values), (found.floor, here.floor), (found.reliability, here.reliability)):
        assert type(one) is type(other) and (other is None or judged.far(one, other) <= judged.BOUND)


def test_an_evaluation_ends_in_a_table_beside_an_accelerator():
    net, x = judged.PLAIN.net(), judged.PLAIN.inputs()
    expected_rows = pl.evaluate(net, x, ["lrp", "gradient"], ["pixel_flipping", "sparseness"]).rows
    with elsewhere():
        rows = pl.evaluate(moved(net), there(x), ["lrp", "gradient"], ["pixel_flipping", "sparseness"]).rows
    assert [row["score"] for row in rows] == pytest.approx([row["score"] for row in expected_rows], abs=1e-6)


@dataclass(frozen=True)
class Careless:
    """Makes a tensor without saying where."""

    name: ClassVar[str] = "careless"
    signed: ClassVar[bool] = True

    def attribute(self, model, x, target, at=None) -> Attribution:
        return Attribution(x * torch.ones(x.shape), model(x)[:, 0], target, model(x))


def test_the_device_finds_what_was_made_without_saying_where():
    with elsewhere(), pytest.raises(RuntimeError, match="on the same device"):
        pl.explain(moved(nn.Linear(3, 2).eval()), there(torch.ones(1, 3)), 0, Careless())


def test_the_device_computes_what_the_cpu_does(rng):
    x = torch.randn(2, 3, generator=rng)
    with elsewhere():
        y = there(x)
        assert isinstance(y * 2, There) and torch.equal((y * 2).cpu(), x * 2)
        assert y[[1, 0]].tolist() == x[[1, 0]].tolist() and float(y.sum()) == float(x.sum())
        assert torch.equal(torch.tensor([1.0, 2.0, 3.0], device=y.device).add(y).cpu(), torch.tensor([1.0, 2.0, 3.0]) + x)
        assert (y + torch.tensor(1.0)).device == y.device  # a number that is a tensor may lie on the CPU
        with pytest.raises(RuntimeError, match="on the same device"):
            torch.cat([y, x])
        with pytest.raises(RuntimeError, match="numpy"):
            y.numpy()
