"""The cases that captum's tests work out by hand come out the same; golden/captum_cases.json holds them as facts.

Known departure: where two inputs are added (captum's test_lrp_multi_inputs), captum gives all of the relevance to each of them.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl

FACTS = json.loads((Path(__file__).parent / "golden" / "captum_cases.json").read_text(encoding="utf-8"))
GRADIENTS = {
    "Saliency": "gradient",
    "InputXGradient": "gradient_x_input",
    "LayerGradientXActivation": "gradient_x_input",
    "NeuronGradient": "gradient",
    "IntegratedGradients": "integrated_gradients",
    "NeuronIntegratedGradients": "integrated_gradients",
}


class Basic(nn.Module):
    """1 - relu(1 - x)"""

    def forward(self, x: Tensor) -> Tensor:
        return 1 - (1 - x).relu()


class Basic2(nn.Module):
    """relu(relu(x1) - 1 - relu(x2))"""

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = x.split(1, 1)
        return (x1.relu() - 1 - x2.relu()).relu()


class Basic3(nn.Module):
    """relu(relu(x1 - 1) - relu(x2))"""

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = x.split(1, 1)
        return ((x1 - 1).relu() - x2.relu()).relu()


EXPRESSIONS = {model.__doc__: model for model in (Basic, Basic2, Basic3)}


class Skip(nn.Module):
    """A layer with its input added to its output."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + x


def build(facts: dict[str, Any]) -> nn.Module:
    if facts["kind"] == "expr":
        return EXPRESSIONS[facts["expr"]]().eval()
    layers = OrderedDict((layer["name"], build_layer(layer)) for layer in facts["layers"] if layer["op"] != "add")
    if facts["kind"] == "composed":
        assert facts["forward"] == "add(linear(x), x)"
        return Skip(layers["linear"]).eval()
    return nn.Sequential(layers).append(nn.Flatten()).eval()


def build_layer(facts: dict[str, Any]) -> nn.Module:
    if facts["op"] == "linear":
        return filled(nn.Linear(len(facts["weight"][0]), len(facts["weight"])), torch.tensor(facts["weight"]), facts["bias"])
    if facts["op"] == "conv2d":
        conv = nn.Conv2d(facts["in"], facts["out"], facts["kernel"], facts["stride"], facts["padding"])
        return filled(conv, torch.full_like(conv.weight, facts["weight_fill"]), facts["bias"])
    plain = {"relu": nn.ReLU, "tanh": nn.Tanh, "flatten": nn.Flatten, "maxpool2d": nn.MaxPool2d, "maxpool3d": nn.MaxPool3d}
    return plain[facts["op"]](*[facts["kernel"]] if "kernel" in facts else [])


def filled(layer: Any, weight: Tensor, bias: list[float] | None) -> nn.Module:
    layer.weight.data = weight.float()
    layer.bias = None if bias is None else nn.Parameter(torch.tensor(bias).float())
    return layer


def rule(facts: dict[str, Any]) -> object:
    if facts["rule"] == "epsilon":
        return pl.lrp.Epsilon(eps=facts["epsilon"])
    if facts["rule"] == "gamma":
        return pl.lrp.Gamma(gamma=facts["gamma"])
    assert facts["rule"] == "alpha1beta0"
    return pl.lrp.AlphaBeta(alpha=1.0, beta=0.0)


def composite(rules: dict[str, Any]) -> object:
    """captum keeps its rules on modules; "*" is every module that computes: dense, convolution, sum."""
    everywhere = [(pl.Where(op=("dense", "convolution", "sum")), rule(rules["*"]))] if "*" in rules else []
    return pl.lrp.Composite((*((pl.Where(name), rule(facts)) for name, facts in rules.items() if name != "*"), *everywhere))


@pytest.mark.parametrize("case", FACTS["cases"], ids=lambda case: case["id"])
def test_a_case_worked_out_by_hand_comes_out_the_same(case):
    x, expected = torch.tensor(case["input"]), torch.tensor(case["expected"])
    samples = x.unsqueeze(1) if x.dim() == 1 else x  # a batch of single numbers
    method = GRADIENTS.get(case["method"]) or composite(case["rules"])
    if method == "integrated_gradients":
        method = pl.gradient.Integrated(case["steps"])
    target, at = case["target"] or 0, case.get("at")
    if "unit" in case:  # a neuron is explained, at the input
        target, at = pl.channel(at, case["unit"]), None
    e = pl.explain(build(FACTS["models"][case["model"]]), samples, target=target, method=method, at=at)
    found = e.values.abs() if case["method"] == "Saliency" else e.values
    torch.testing.assert_close(found.reshape(expected.shape), expected.to(found), rtol=0, atol=case["atol"])
