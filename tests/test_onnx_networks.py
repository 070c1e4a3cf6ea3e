"""Whole networks that the onnx wheel brings, with random weights: the scores of onnxruntime, and books that close."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import pellucid as pl
from tests.onnx_oracle import runtime

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def scores(name):
    """The network without its softmax, its weights drawn: the wheel leaves all of them at one value."""
    proto, rng = onnx.load(FOLDER / f"light_{name}.onnx"), np.random.default_rng(0)
    shapes = {one.name: numpy_helper.to_array(one) for one in proto.graph.initializer}
    shapes |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in proto.graph.node if node.op_type == "Constant"
    }
    places = {name: (node.op_type, at) for node in proto.graph.node for at, name in enumerate(node.input)}
    nodes = []
    for node in proto.graph.node:
        if node.op_type == "ConstantOfShape":
            weight = drawn(rng, [int(size) for size in shapes[node.input[0]]], places[node.output[0]])
            proto.graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
        elif node.op_type == "Softmax":
            proto.graph.output[0].name = node.input[0]
            proto.graph.output[0].type.tensor_type.ClearField("shape")
        else:
            nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.ir_version = max(proto.ir_version, 7)
    return proto


def drawn(rng, shape, place):
    """Weights that keep numbers at their size from layer to layer."""
    weight = rng.standard_normal(shape).astype(np.float32)
    if place == ("BatchNormalization", 4):
        return np.abs(weight) + 0.5
    if place == ("BatchNormalization", 1):
        return 0.5 + 0.05 * weight
    return weight * np.float32(np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1)


@pytest.mark.parametrize("name", ["shufflenet", "inception_v1"])
def test_a_network_has_the_scores_of_onnxruntime_and_closes_its_books(name, tmp_path):
    proto, path = scores(name), tmp_path / "net.onnx"
    onnx.save(proto, path)
    model = pl.load(path)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(runtime(proto, [x.numpy()])[0])
    torch.testing.assert_close(model(x).detach().flatten(), theirs.flatten(), rtol=0, atol=1e-4 * float(theirs.abs().max()))
    e = pl.explain(model, x, target=1 if theirs.dim() == 2 else None, method="lrp.epsilon_plus")
    assert e.values.isfinite().all() and e.values.abs().max() > 0
    assert float(e.ledger.error.abs().max()) <= 1e-4 * float(e.ledger.seed.abs().max() + e.ledger.absorbed.abs().max())
