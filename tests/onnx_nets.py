"""Small networks as ONNX files, made by hand so that every detail of the format can be asked for, and the same in PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn


class Twin(nn.Module):
    """What the file computes, before any softmax: convolution, batch norm, ReLU, pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.one, self.two = nn.Linear(4 * 9, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.max_pool2d(self.norm(self.conv(x)).relu(), 2)
        z: Tensor = self.two(self.one(y.flatten(1)).relu())
        return z


def twin(seed: int = 0) -> Twin:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Twin()
        net(torch.rand(16, 3, 8, 8))
    return net.eval()


def save(net: Twin, path: Path, *, nhwc: bool = False, softmax: bool = True, batch: int | str = "N", external: str = "") -> Path:
    """The network as a file: dense layers as MatMul and Add, as converters from TensorFlow write them."""
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items() if tensor.is_floating_point()}
    state = {name: value.T.copy() if name in ("one.weight", "two.weight") else value for name, value in state.items()}
    weights = [numpy_helper.from_array(value, name) for name, value in state.items()]
    weights.append(numpy_helper.from_array(np.array([-1 if isinstance(batch, str) else batch, 36]), "flat"))
    nodes = [helper.make_node("Transpose", ["input"], ["x"], "turn", perm=[0, 3, 1, 2])] if nhwc else []
    nodes += [
        helper.make_node("Conv", ["x" if nhwc else "input", "conv.weight", "conv.bias"], ["a"], "net/conv"),
        helper.make_node(
            "BatchNormalization", ["a", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"], ["b"], "net/norm"
        ),
        helper.make_node("Relu", ["b"], ["c"], "net/relu"),
        helper.make_node("MaxPool", ["c"], ["d"], "net/pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["d", "flat"], ["e"], "net/flatten"),
        helper.make_node("MatMul", ["e", "one.weight"], ["f"], "net/one"),
        helper.make_node("Add", ["f", "one.bias"], ["g"], "net/one/bias"),
        helper.make_node("Relu", ["g"], ["h"], "net/relu2"),
        helper.make_node("MatMul", ["h", "two.weight"], ["i"], "net/two"),
        helper.make_node("Add", ["i", "two.bias"], ["y"], "net/two/bias"),
    ]
    nodes += [helper.make_node("Softmax", ["y"], ["p"], "net/softmax", axis=-1)] if softmax else []
    shape: list[Any] = [batch, 8, 8, 3] if nhwc else [batch, 3, 8, 8]
    return write(nodes, weights, shape, "p" if softmax else "y", [batch, 3], path, external=external)


def write(
    nodes: list[Any],
    weights: list[Any],
    shape: list[Any],
    out: str,
    made: list[Any],
    path: Path,
    *,
    external: str = "",
    opset: int = 13,
    domains: dict[str, int] | None = None,
) -> Path:
    """A graph from "input" to `out` as a file."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in (("input", shape), (out, made))]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    imports = [helper.make_opsetid(domain, version) for domain, version in {"": opset, **(domains or {})}.items()]
    model = helper.make_model(graph, producer_name="by-hand", opset_imports=imports, ir_version=8)
    how: dict[str, Any] = {"save_as_external_data": True, "location": external, "size_threshold": 0} if external else {}
    onnx.save(model, path, **how)
    return path
