"""Single layers are explained as iNNvestigate 1.0.9 explains them, by arrays that golden/make_innvestigate.py froze.

iNNvestigate explains the greatest entry of the output, flattened as (height, width, channel). Relevance starts from that entry's
value. Its epsilon rule adds 1e-7 to the denominator; all its other rules divide by what they find, and take nothing from zero.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl

GOLDEN = np.load(Path(__file__).parent / "golden" / "innvestigate.npz")
LAYERS = ("Dense", "Dense_relu", "Conv2D", "Conv2D_relu", "AveragePooling2D", "MaxPooling2D")

ZERO = pl.lrp.Epsilon(eps=0.0)
EPSILON = pl.lrp.Epsilon(eps=1e-7)
A1B0, A2B1 = (pl.lrp.AlphaBeta(alpha=alpha, beta=alpha - 1, eps=0.0) for alpha in (1.0, 2.0))
ZPLUS, WSQUARE, FLAT = pl.lrp.ZPlus(eps=0.0), pl.lrp.WSquare(eps=0.0), pl.lrp.Flat(eps=0.0)
DENSE_A_B = pl.lrp.Epsilon(eps=0.1)  # both presets

# analyzer -> one rule for each of OPS. Biases are zero, so that a rule that ignores them is one that does not.
OPS = ("dense", "convolution", "pool")
RULES = {
    "LRPZ": (ZERO, ZERO, ZERO),
    "LRPZIgnoreBias": (ZERO, ZERO, ZERO),
    "LRPEpsilon": (EPSILON, EPSILON, ZERO),
    "LRPEpsilonIgnoreBias": (EPSILON, EPSILON, ZERO),
    "LRPAlpha1Beta0": (A1B0, A1B0, ZERO),
    "LRPAlpha1Beta0IgnoreBias": (A1B0, A1B0, ZERO),
    "LRPAlpha2Beta1": (A2B1, A2B1, ZERO),
    "LRPAlpha2Beta1IgnoreBias": (A2B1, A2B1, ZERO),
    "LRPZPlus": (ZPLUS, ZPLUS, ZERO),
    "LRPZPlusFast": (ZPLUS, ZPLUS, ZERO),
    "LRPWSquare": (WSQUARE, WSQUARE, ZERO),
    "LRPFlat": (FLAT, FLAT, ZERO),
    "LRPZ_Flat_input_layer_rule": (FLAT, FLAT, ZERO),
    "LRPZ_boxed_input_layer_rule": (pl.lrp.ZBox(low=-10.0, high=10.0, eps=0.0),) * 2 + (ZERO,),
    "LRPSequentialPresetA": (DENSE_A_B, A1B0, ZERO),
    "LRPSequentialPresetB": (DENSE_A_B, A2B1, ZERO),
    "LRPSequentialPresetAFlat": (FLAT, FLAT, ZERO),
    "LRPSequentialPresetBFlat": (FLAT, FLAT, ZERO),
    "DeepTaylor": (ZPLUS, ZPLUS, FLAT),
    "BoundedDeepTaylor": (pl.lrp.ZBox(low=-128.0, high=128.0, eps=0.0),) * 2 + (FLAT,),
}


class Axes(nn.Module):
    """Put the axes of a picture into another order."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.order)


def frozen(key: str) -> Tensor:
    return torch.from_numpy(GOLDEN[key]).double()


def build(analyzer: str, layer: str) -> nn.Module:
    """The layer on its own, its output flattened as (height, width, channel)."""
    if layer == "AveragePooling2D":
        steps = OrderedDict(layer=nn.AvgPool2d(2), last=Axes(0, 2, 3, 1))
    elif layer == "MaxPooling2D":
        steps = OrderedDict(layer=nn.MaxPool2d(2), last=Axes(0, 2, 3, 1))
    else:
        steps = parametric(frozen(f"{analyzer}/{layer}/weight"), dense=layer.startswith("Dense"))
    if layer.endswith("_relu"):
        steps["relu"] = nn.ReLU()
    return nn.Sequential(steps).append(nn.Flatten()).eval()


def parametric(weight: Tensor, *, dense: bool) -> OrderedDict[str, nn.Module]:
    """A dense layer reads the channels of every position: they come last. A convolution's come last afterwards."""
    units, inputs, *kernel = weight.shape
    if dense:
        layer: nn.Module = nn.Linear(inputs, units, bias=False, dtype=torch.float64)
        steps = OrderedDict(first=Axes(0, 2, 3, 1), layer=layer)
    else:
        layer = nn.Conv2d(inputs, units, tuple(kernel), bias=False, dtype=torch.float64)
        steps = OrderedDict(layer=layer, last=Axes(0, 2, 3, 1))
    layer.weight.data = weight.reshape(layer.weight.shape)
    return steps


def explained(net: nn.Module, method: object) -> Tensor:
    x = frozen("input")
    with torch.no_grad():
        greatest = net(x).argmax(dim=1).tolist()
    return pl.explain(net, x, target=greatest, method=method).values


def assert_equal(found: Tensor, wanted: Tensor) -> None:
    worst = float((found - wanted).abs().max() / wanted.abs().max())
    assert worst <= 1e-6  # the arrays are float32


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("analyzer", RULES)
def test_relevance_equals_the_analyzers(analyzer, layer):
    composite = pl.lrp.Composite(tuple((pl.Where(op=op), rule) for op, rule in zip(OPS, RULES[analyzer], strict=True)))
    assert_equal(explained(build(analyzer, layer), composite), frozen(f"{analyzer}/{layer}/attribution"))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("analyzer", "method"), [("Gradient", "gradient"), ("InputTimesGradient", "gradient_x_input")])
def test_gradients_equal_the_analyzers(analyzer, method, layer):
    assert_equal(explained(build(analyzer, layer), method), frozen(f"{analyzer}/{layer}/attribution"))
