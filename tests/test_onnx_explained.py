"""Layers of ONNX files are explained as the same layers of PyTorch: convolution, the layer in question, dense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import pellucid as pl

METHODS = ("gradient_x_input", "lrp.epsilon", "lrp.epsilon_plus", "deeplift")
X = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8).sin()
DRAW = torch.Generator().manual_seed(0)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW)


class Layer(NamedTuple):
    """One layer, of an input with shape (batch, 4, 6, 6), in both."""

    kind: str
    function: Callable[..., Tensor]
    weights: Sequence[Tensor | None] = ()
    attributes: dict[str, Any] = {}  # noqa: RUF012  never changed
    opset: int = 17


W, SIDES = noise(4, 4, 3, 3), torch.tensor([0, 0, 1, 2, 0, 0, 0, 1])
SCALE, SHIFT, MEAN, VARIANCE = noise(4), noise(4), noise(4), noise(4) ** 2 + 0.5
GRID = (noise(1, 5, 4, 2) * 0.5).clamp(-1, 1)
SCALES = torch.tensor([1.0, 1.0, 2.0, 1.5])

LAYERS = {
    "convolution": Layer("Conv", lambda x, w, b: F.conv2d(x, w, b, 2, 1), (W, SHIFT), {"strides": [2, 2], "pads": [1] * 4}),
    "convolution with uneven margins": Layer(
        "Conv", lambda x, w: F.conv2d(F.pad(x, (1, 2, 0, 1)), w), (W,), {"pads": [0, 1, 1, 2]}
    ),
    "grouped convolution": Layer("Conv", lambda x, w: F.conv2d(x, w, groups=4), (W[:, :1],), {"group": 4}),
    "transposed convolution": Layer(
        "ConvTranspose", lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1), (W, SHIFT),
        {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]},
    ),
    "max pool": Layer("MaxPool", lambda x: F.max_pool2d(x, 3, 2, 1), (),
                      {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
    "average pool": Layer("AveragePool", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), (),
                          {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
    "mean of all": Layer("GlobalAveragePool", lambda x: F.adaptive_avg_pool2d(x, 1)),
    "largest of all": Layer("GlobalMaxPool", lambda x: F.adaptive_max_pool2d(x, 1)),
    "batch norm": Layer(
        "BatchNormalization", lambda x, s, b, m, v: F.batch_norm(x, m, v, s, b, eps=1e-3), (SCALE, SHIFT, MEAN, VARIANCE),
        {"epsilon": 1e-3},
    ),
    "instance norm": Layer("InstanceNormalization", lambda x, s, b: F.instance_norm(x, weight=s, bias=b), (SCALE, SHIFT)),
    "layer norm": Layer("LayerNormalization", lambda x, s: F.layer_norm(x, (6,), s), (noise(6),)),
    "group norm": Layer("GroupNormalization", lambda x, s, b: F.group_norm(x, 2, s, b), (SCALE, SHIFT), {"num_groups": 2}, 21),
    "rms norm": Layer("RMSNormalization", lambda x, s: F.rms_norm(x, (6,), s, 1e-5), (noise(6),), {}, 23),
    "lrn": Layer("LRN", lambda x: F.local_response_norm(x, 3, 0.1, 0.75, 2.0), (), {"size": 3, "alpha": 0.1, "bias": 2.0}),
    "lp norm": Layer("LpNormalization", lambda x: F.normalize(x, dim=1), (), {"axis": 1}),
    "bilinear": Layer("Resize", lambda x: F.interpolate(x, scale_factor=(2, 1.5), mode="bilinear"),
                      (None, SCALES), {"mode": "linear"}),
    "bicubic": Layer("Resize", lambda x: F.interpolate(x, scale_factor=(2, 1.5), mode="bicubic"),
                      (None, SCALES), {"mode": "cubic"}),
    "nearest": Layer("Resize", lambda x: F.interpolate(x, scale_factor=(2, 1.5)), (None, SCALES),
                     {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}),
    "nearest, exactly": Layer("Resize", lambda x: F.interpolate(x, scale_factor=(2, 1.5), mode="nearest-exact"), (None, SCALES),
                              {"nearest_mode": "round_prefer_ceil"}),
    "without aliases": Layer(
        "Resize", lambda x: F.interpolate(x, (3, 4), mode="bilinear", antialias=True), (None, None, torch.tensor([2, 4, 3, 4])),
        {"mode": "linear", "antialias": 1, "exclude_outside": 1}, 18,
    ),
    "zeros around": Layer("Pad", lambda x, sides: F.pad(x, (2, 1, 1, 0)), (SIDES,)),
    "mirrored around": Layer("Pad", lambda x, sides: F.pad(x, (2, 1, 1, 0), "reflect"), (SIDES,), {"mode": "reflect"}),
    "repeated around": Layer("Pad", lambda x, sides: F.pad(x, (2, 1, 1, 0), "replicate"), (SIDES,), {"mode": "edge"}),
    "wrapped around": Layer("Pad", lambda x, sides: F.pad(x, (2, 1, 1, 0), "circular"), (SIDES,), {"mode": "wrap"}, 19),
    "channels into space": Layer("DepthToSpace", lambda x: F.pixel_shuffle(x, 2), (), {"blocksize": 2, "mode": "CRD"}),
    "space into channels": Layer("SpaceToDepth", lambda x: F.pixel_unshuffle(x, 2).view(
        -1, 4, 4, 3, 3).transpose(1, 2).flatten(1, 2), (), {"blocksize": 2}),
    "sampled": Layer("GridSample", lambda x, grid: F.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=False),
                     (GRID,)),
}  # fmt: skip


class Twin(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.conv = nn.Conv2d(3, 4, 3)
        self.dense = nn.Linear(self.between(X).shape[1], 3)

    def between(self, x: Tensor) -> Tensor:
        weights = [weight for weight in self.layer.weights if weight is not None and self.layer.kind != "Resize"]
        return self.layer.function(self.conv(x).relu(), *weights).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.between(x))


def twin(layer: Layer) -> Twin:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Twin(layer).eval()


def saved(net: Twin, path: Any) -> Any:
    layer = net.layer
    named = {f"w{at}": weight for at, weight in enumerate(layer.weights) if weight is not None}
    inputs = ["" if weight is None else f"w{at}" for at, weight in enumerate(layer.weights)]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], "conv"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node(layer.kind, ["b", *inputs], ["c"], "it", **layer.attributes),
        helper.make_node("Flatten", ["c"], ["d"], "flat"),
        helper.make_node("Gemm", ["d", "dense.weight", "dense.bias"], ["y"], "dense", transB=1),
    ]
    weights = [numpy_helper.from_array(value.detach().numpy(), name) for name, value in {**net.state_dict(), **named}.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", ["N", 3, 8, 8]), ("y", ["N", 3]))]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", layer.opset)], ir_version=8), path)
    return path


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_explained_as_in_pytorch(name, tmp_path):
    net = twin(LAYERS[name])
    model = pl.load(saved(net, tmp_path / "net.onnx"))
    torch.testing.assert_close(model(X), net(X).detach(), rtol=1e-4, atol=1e-5)
    for method in METHODS:
        ours, theirs = (pl.explain(one, X, target=1, method=method).values for one in (model, net))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, msg=lambda text, method=method: f"{method}: {text}")
        assert ours.abs().max() > 1e-4
