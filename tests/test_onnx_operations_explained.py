"""ONNX files: an operation between two dense layers is explained as in the same network of PyTorch, and of a known kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional as F

import pellucid as pl
from tests import onnx_nets

BY = "com.microsoft"
WIDTH = 8
RNG = torch.Generator().manual_seed(0)
X, V, W = (torch.randn(*shape, generator=RNG) for shape in ((4, 6), (WIDTH,), (WIDTH, WIDTH)))
FIRST, SLOPES = torch.randn(WIDTH, 6, generator=RNG), torch.rand(WIDTH, generator=RNG)
LAST = torch.tensor([-1])


class Network(nn.Module):
    """Dense, a function, dense."""

    def __init__(self, function, after):
        super().__init__()
        self.function = function
        self.first, self.second, self.b = nn.Parameter(FIRST), nn.Parameter(after), nn.Parameter(torch.arange(3.0))

    def forward(self, x):
        return F.linear(self.function(F.linear(x, self.first)), self.second, self.b)


def node(kind, *inputs, out="z", by="", **attributes):
    return helper.make_node(kind, list(inputs), [out], f"{kind}-{out}", domain=by, **attributes)


def file(path: Path, nodes, constants, net, version):
    """The same network, with a function that reads "h" and makes "z"."""
    weights = {"w1": net.first, "w2": net.second, "b2": net.b, **constants}
    tensors = [numpy_helper.from_array(np.asarray(one.detach()), name) for name, one in weights.items()]
    whole = [node("Gemm", "input", "w1", out="h", transB=1), *nodes, node("Gemm", "z", "w2", "b2", out="y", transB=1)]
    return onnx_nets.write(whole, tensors, ["N", 6], "y", ["N", 3], path, opset=version, domains={BY: 1})


def one(kind, function, *constants, version=20, by="", **attributes):
    """A row of the table: an operation of one changing value and constants."""
    known = {f"c{at}": constant for at, constant in enumerate(constants)}
    return [node(kind, "h", *known, by=by, **attributes)], function, known, version


def several(nodes, function, version=20, **constants):
    return nodes, function, constants, version


def by_hand(x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


def spectrum(x):
    return torch.view_as_real(torch.fft.rfft(x)).square().sum(-1)


S = torch.tensor
ROWS = {
    **{kind: one(kind, function) for kind, function in {
        "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Softplus": F.softplus, "HardSwish": F.hardswish,
        "Mish": F.mish, "Gelu": F.gelu, "Elu": F.elu, "Selu": F.selu, "LeakyRelu": F.leaky_relu, "Exp": torch.exp,
    }.items()},
    "Gelu-tanh": one("Gelu", lambda x: F.gelu(x, approximate="tanh"), approximate="tanh"),
    "BiasGelu": one("BiasGelu", lambda x: F.gelu(x + V), V, by=BY), "Swish": one("Swish", F.silu, version=24),
    "SwiGLU": several([node("SwiGLU", "h", "h")], lambda x: F.silu(x) * x, version=28),
    "PRelu": one("PRelu", lambda x: F.prelu(x, SLOPES), SLOPES), "Softmax": one("Softmax", lambda x: x.softmax(-1)),
    "Clip": one("Clip", F.relu6, S(0.0), S(6.0)), "Clip-6": one("Clip", F.relu6, version=6, min=0.0, max=6.0),
    "Softmax-11": one("Softmax", lambda x: x.softmax(-1), version=11),
    "LogSoftmax": one("LogSoftmax", lambda x: x.log_softmax(-1)),
    "Add": one("Add", lambda x: x + V, V), "Mul": one("Mul", lambda x: x * V, V), "Div": one("Div", lambda x: x / V, V),
    "Max": one("Max", lambda x: torch.maximum(x, V), V), "Pow": one("Pow", lambda x: x**2, S(2.0)),
    "Mean": several([node("Sin", "h", out="s"), node("Mean", "h", "s")], lambda x: (x + x.sin()) / 2),
    "product": several([node("Sin", "h", out="s"), node("Mul", "h", "s")], lambda x: x * x.sin()),
    "MatMul": one("MatMul", lambda x: x @ W, W), "Gemm": one("Gemm", lambda x: F.linear(x, W, V), W, V, transB=1),
    "Gemm-scaled": one("Gemm", lambda x: 0.5 * (x @ W) + 2 * V, W, V, alpha=0.5, beta=2.0),
    "FusedGemm": one("FusedGemm", lambda x: F.linear(x, W, V).relu(), W, V, by=BY, transB=1, activation="Relu"),
    "FusedMatMul": one("FusedMatMul", lambda x: 0.5 * (x @ W.T), W, by=BY, transB=1, alpha=0.5),
    "Einsum": one("Einsum", lambda x: torch.einsum("ij,jk->ik", x, W), W, equation="ij,jk->ik"),
    **{kind: one(kind, function, LAST) for kind, function in {
        "ReduceSum": lambda x: x.sum(1, True), "ReduceMean": lambda x: x.mean(1, True), "ReduceMax": lambda x: x.amax(1, True),
        "ReduceL1": lambda x: x.abs().sum(1, True), "ReduceSumSquare": lambda x: x.square().sum(1, True),
        "ReduceLogSumExp": lambda x: x.logsumexp(1, True), "CumSum": lambda x: x.cumsum(1),
    }.items()},
    "Cast": several([node("Cast", "h", out="d", to=11), node("Cast", "d", to=1)], lambda x: x.double().float()),
    "Dropout": one("Dropout", lambda x: x),
    "a norm": several(
        [node("ReduceL2", "h", "last", out="n"), node("Div", "h", "n")], lambda x: x / x.norm(dim=1, keepdim=True), 18, last=LAST
    ),
    "a Gelu written out": several(
        [node("Div", "h", "two", out="a"), node("Erf", "a", out="b"), node("Add", "b", "one", out="c"),
         node("Mul", "h", "c", out="d"), node("Mul", "d", "half")], F.gelu, two=S(2**0.5), one=S(1.0), half=S(0.5)),
    "a layer norm written out": several(
        [node("ReduceMean", "h", out="m", axes=[-1]), node("Sub", "h", "m", out="a"), node("Pow", "a", "two", out="b"),
         node("ReduceMean", "b", out="v", axes=[-1]), node("Add", "v", "eps", out="e"), node("Sqrt", "e", out="s"),
         node("Div", "a", "s")], by_hand, 13, two=S(2.0), eps=S(1e-5)),
    "a spectrum": several(
        [node("Unsqueeze", "h", "last", out="u"), node("DFT", "u", out="f", axis=1, onesided=1), node("Mul", "f", "f", out="q"),
         node("ReduceSum", "q", "last", keepdims=0)], spectrum, 17, last=LAST),
}  # fmt: skip


@pytest.mark.parametrize("operation", ROWS)
def test_an_operation_is_explained_as_in_pytorch(operation, tmp_path):
    nodes, function, constants, version = ROWS[operation]
    size = function(torch.ones(1, WIDTH)).shape[1]
    net = Network(function, torch.randn(3, size, generator=torch.Generator().manual_seed(1))).eval()
    model = pl.load(file(tmp_path / "net.onnx", nodes, constants, net, version))
    torch.testing.assert_close(model(X), net(X).detach(), rtol=0, atol=1e-5)
    for method in ("gradient_x_input", "lrp.epsilon"):
        ours, theirs = (pl.explain(one, X, target=1, method=method).values for one in (model, net))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert operation == "a norm" or "unknown" not in {row.kind for row in pl.inspect(model).rules}


LAYERS = {"LSTM": (nn.LSTM, (0, 3, 1, 2)), "GRU": (nn.GRU, (1, 0, 2)), "RNN": (nn.RNN, (0,))}  # the standard's order of gates


class Recurrent(nn.Module):
    """A recurrent layer over all steps and a dense one of its last state."""

    def __init__(self, kind, *, both):
        super().__init__()
        self.layer, self.order, self.both = LAYERS[kind][0](2, 4, bidirectional=both), LAYERS[kind][1], both
        self.dense = nn.Linear(8 if both else 4, 3)

    def forward(self, x):
        state = self.layer(x.transpose(0, 1))[1]
        state = state[0] if isinstance(state, tuple) else state
        return self.dense(state.transpose(0, 1).flatten(1))

    def weights(self):
        """As a file has them."""
        ways = ("", "_reverse")[: 1 + self.both]

        def stacked(name):
            return [
                torch.cat([getattr(self.layer, f"{name}_l0{way}").chunk(len(self.order))[k] for k in self.order]) for way in ways
            ]

        biases = [torch.cat(pair) for pair in zip(stacked("bias_ih"), stacked("bias_hh"), strict=True)]
        return {"w": torch.stack(stacked("weight_ih")), "r": torch.stack(stacked("weight_hh")), "b": torch.stack(biases),
                "w2": self.dense.weight, "b2": self.dense.bias}  # fmt: skip


@pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
@pytest.mark.parametrize("how", ["in one call", "in cells"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_recurrent_layer_is_explained_as_in_pytorch(kind, how, both, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Recurrent(kind, both=both).eval()
    attributes = {"linear_before_reset": 1} if kind == "GRU" else {}
    attributes |= {"clip": 50.0} if how == "in cells" else {}  # which PyTorch's own layers do not have
    way = "bidirectional" if both else "forward"
    nodes = [
        node("Transpose", "input", out="t", perm=[1, 0, 2]),
        helper.make_node(kind, ["t", "w", "r", "b"], ["", "h"], "layer", hidden_size=4, direction=way, **attributes),
        node("Transpose", "h", out="n", perm=[1, 0, 2]),
        node("Flatten", "n", out="f"),
        node("Gemm", "f", "w2", "b2", out="y", transB=1),
    ]
    tensors = [numpy_helper.from_array(one.detach().numpy(), name) for name, one in net.weights().items()]
    path = onnx_nets.write(nodes, tensors, ["N", 5, 2], "y", ["N", 3], tmp_path / "net.onnx", opset=14)
    model, x = pl.load(path), torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(x), net(x).detach(), rtol=0, atol=1e-5)
    for method in ("gradient_x_input", "lrp.epsilon"):
        ours, theirs = (pl.explain(one, x, target=1, method=method).values for one in (model, net))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_chance_is_told(tmp_path):
    net = Network(lambda x: x, torch.ones(3, WIDTH))
    noise = [node("RandomNormalLike", "h", out="n"), node("Add", "h", "n")]
    model = pl.load(file(tmp_path / "noise.onnx", noise, {}, net, 20))
    assert model.notes == ("The file draws random numbers; they are the same at every run.",) and torch.equal(model(X), model(X))
    assert pl.load(file(tmp_path / "dropout.onnx", [node("Dropout", "h")], {}, net, 20)).notes == ()
