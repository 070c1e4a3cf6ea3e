"""Guided backpropagation and the deconvnet: the gradient with another rule at every ReLU, whatever it is written as."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods.gradient.guided import Deconvnet, GuidedBackprop
from tests.cases import CASE, CONTAINERS, Case, contained, difference, each_case, explain
from tests.golden import deeplift_nets as nets

METHODS = {"guided_backprop": GuidedBackprop(), "deconvnet": Deconvnet()}
each_name = pytest.mark.parametrize("name", METHODS)
GOLDEN = json.loads((Path(__file__).parent / "golden" / "captum_deeplift.json").read_text(encoding="utf-8"))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# -- the papers' rules, by autograd ---------------------------------------------------------------------------------------


class Guided(torch.autograd.Function):
    """Springenberg et al., 2015: both masks."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.where((x > 0) & (g > 0), g, torch.zeros_like(g))


class Transposed(torch.autograd.Function):
    """Zeiler and Fergus, 2014: the mask of what comes back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return torch.where(g > 0, g, torch.zeros_like(g))


SLOW: dict[str, Callable[[Tensor], Tensor]] = {"guided_backprop": Guided.apply, "deconvnet": Transposed.apply}


def network(relu: Callable[[Tensor], Tensor], pool: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A residual network with whatever ReLU and max-pooling it is given; the second convolution is used twice."""
    first, second, head = noise(4, 2, 3, 3, seed=1), noise(4, 4, 3, 3, seed=2) / 4, noise(3, 36, seed=3)

    def forward(x: Tensor) -> Tensor:
        y = relu(F.conv2d(x, first, padding=1))
        y = relu(F.conv2d(y, second, padding=1) + y)
        y = pool(relu(F.conv2d(y, second, padding=1)))
        return F.linear(y.flatten(1), head)

    return forward


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "function": F.relu,
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "in place": torch.relu_,
    "clamp": lambda x: x.clamp(min=0),
    "clamp_min in place": lambda x: x.clamp_min_(0),
    "clamp by a tensor": lambda x: x.clamp(min=torch.zeros(())),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "maximum": lambda x: torch.maximum(x, torch.zeros(1, dtype=x.dtype)),
    "a cap too high to matter": lambda x: F.hardtanh(x, 0.0, 1e9),
}
POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "max pool": lambda x: F.max_pool2d(x, 2),
    "average pool": lambda x: F.avg_pool2d(x, 2),
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("relu", RELUS)
@each_name
def test_every_way_to_write_a_relu_follows_the_papers_rule(name: str, relu: str, pool: str):
    x = noise(2, 2, 6, 6).requires_grad_()
    (expected,) = torch.autograd.grad(network(SLOW[name], POOLS[pool])(x)[:, 1].sum(), x)
    found = pl.explain(network(RELUS[relu], POOLS[pool]), x.detach(), target=1, method=METHODS[name])
    assert difference(found.values, expected) <= 1e-12
    assert found.notes == ()


def test_a_cap_stops_guided_backpropagation_and_not_the_deconvnet():
    def net(x: Tensor) -> Tensor:
        return F.relu6(x) @ torch.tensor([[1.0], [1.0], [1.0], [-1.0]])

    x = torch.tensor([[-1.0, 2.0, 7.0, 2.0]])
    assert pl.explain(net, x, target=0, method=GuidedBackprop()).values.tolist() == [[0.0, 1.0, 0.0, 0.0]]
    assert pl.explain(net, x, target=0, method=Deconvnet()).values.tolist() == [[1.0, 1.0, 1.0, 0.0]]


def test_nothing_passes_where_the_input_was_zero():
    x = torch.tensor([[0.0, 1.0]])
    assert pl.explain(torch.relu, x, target=0, method=GuidedBackprop()).values.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    "f", [lambda x: x.clamp(min=0.1), lambda x: F.hardtanh(x), lambda x: torch.maximum(x, torch.full((1,), 0.2)), F.leaky_relu]
)
@each_name
def test_what_is_no_relu_keeps_its_derivative(name: str, f: Callable[[Tensor], Tensor]):
    x = torch.tensor([[-0.5, 0.05, 0.5]])
    e = pl.explain(lambda x: -f(x), x, target=pl.logit(0) + pl.logit(1) + pl.logit(2), method=METHODS[name])
    gradient = pl.explain(lambda x: -f(x), x, target=pl.logit(0) + pl.logit(1) + pl.logit(2), method="gradient")
    assert torch.equal(e.values, gradient.values) and (e.values < 0).any()
    assert "No ReLU is on the way: this is the plain gradient." in e.notes


@each_name
def test_other_activations_are_told(name: str):
    e = explain(CASE["curved"], METHODS[name])
    assert e.notes == (
        "No ReLU is on the way: this is the plain gradient.",
        "7 activations other than ReLU (leaky_relu, prelu, sigmoid, tanh, elu, softplus) kept the derivative.",
    )
    one = pl.explain(lambda x: x.relu().tanh(), torch.ones(1, 2), target=0, method=METHODS[name])
    assert one.notes == ("1 activation other than ReLU (tanh) kept the derivative.",)


@each_name
@each_case
def test_a_network_without_relus_gives_its_gradient_and_one_with_relus_does_not(case: Case, name: str):
    e, gradient = explain(case, METHODS[name], torch.float64), explain(case, "gradient", torch.float64)
    without = "No ReLU is on the way: this is the plain gradient." in e.notes
    assert without == torch.equal(e.values, gradient.values)


# -- captum ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", nets.NETS)
@each_name
def test_maps_are_captums(name: str, net: str):
    x, _ = nets.inputs(net)
    found = pl.explain(nets.build(net), x, target=pl.output(nets.TARGET), method=METHODS[name]).values
    expected = torch.tensor(GOLDEN["maps"][net][name], dtype=torch.float64).reshape(x.shape)
    assert difference(found, expected) <= 1e-11  # 4e-16 when frozen, to 13 digits


def conv_two_relus(x: Tensor) -> Tensor:
    weight, bias = torch.ones(2, 1, 3, 3), torch.tensor([-50.0, -75.0])
    row = torch.tensor([1.0, 1, 1, 1, 1, -1, -1, -1])
    return F.linear(F.conv2d(x.sum(1, keepdim=True), weight, bias).relu().flatten(1), row.expand(4, 8)).relu()


@pytest.mark.parametrize("case", [case for case in GOLDEN["cases"] if case["method"] in METHODS], ids=lambda case: case["id"])
def test_cases_that_captum_works_out_by_hand_come_out_the_same(case: dict[str, Any]):
    e = pl.explain(conv_two_relus, torch.tensor(case["input"]), target=0, method=METHODS[case["method"]])
    assert torch.equal(e.values, torch.tensor(case["expected"]).float())


# -- the same answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
@each_name
@pytest.mark.parametrize(
    "case", [CASE[name] for name in ("residual", "mobile", "functional", "written")], ids=lambda case: case.name
)
def test_every_wiring_gives_the_same_map(case: Case, name: str, container: str):
    plain = explain(case, METHODS[name], torch.float64)
    net = contained(container, case, torch.float64, True)
    other = pl.explain(net, case.inputs(torch.float64), target=case.target, method=METHODS[name])
    assert difference(other.values, plain.values) <= 1e-10


@each_name
def test_at_a_place_inside_stands_what_came_back_to_it(name: str):
    case = CASE["plain"]
    e = explain(case, METHODS[name], torch.float64, at="features.4")
    seen = explain(case, METHODS[name], torch.float64, at="features.3")
    assert e.values.shape == (3, 6, 8, 8) and seen.values.shape == (3, 6, 16, 16)
    assert torch.allclose(e.values.flatten(1).sum(1), seen.values.flatten(1).sum(1))  # a max-pool returns to its winners
    last = explain(case, METHODS[name], torch.float64, at="head.3")
    assert torch.equal(last.values, F.one_hot(torch.tensor([1, 1, 1]), 5).double())
    assert last.notes == ("No ReLU is on the way: this is the plain gradient.",)


@each_name
def test_a_positive_multiple_of_the_target_is_the_same_multiple_of_the_map_and_a_negative_one_is_not(name: str):
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    once, thrice, against = (pl.explain(net, x, target=k * pl.logit(1), method=METHODS[name]).values for k in (1.0, 3.0, -1.0))
    assert torch.allclose(thrice, 3 * once)
    assert not torch.allclose(against, -once)
