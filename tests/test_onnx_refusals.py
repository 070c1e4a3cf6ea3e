"""Files that are not what they should be: put in order where that is all they lack, else refused with the place."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

import pellucid as pl
from pellucid.errors import ModelError
from tests.onnx_nets import write

EYE = numpy_helper.from_array(np.eye(4, dtype=np.float32) * 3, "weight")
LAST = helper.make_node("MatMul", ["r", "weight"], ["y"], "last")
SUM = helper.make_node("ReduceSum", ["many"], ["s"], "sum", keepdims=0)


def saved(tmp_path: Any, *nodes: Any, weights: Any = (EYE,), out: str = "y") -> Any:
    return write(list(nodes), list(weights), ["N", 4], out, ["N", 4], tmp_path / "net.onnx")


def test_operations_in_no_order_are_put_into_one(tmp_path):
    path = saved(tmp_path, LAST, helper.make_node("Relu", ["input"], ["r"], "first"))
    x = torch.tensor([[-1.0, 0.0, 1.0, 2.0]])
    assert torch.equal(pl.load(path)(x), x.relu() * 3)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([helper.make_node("MatMul", ["input", "lost"], ["y"], "last")], "'lost', which nothing in the file makes, is read by"),
        ([helper.make_node("Relu", ["input"], ["other"], "only")], "'y', which nothing in the file makes, is read by its end"),
        ([LAST, helper.make_node("Relu", ["y"], ["r"], "back")], "operations that wait for each other"),
        ([helper.make_node("MatMul", ["input"], ["y"], "last")], "MatMul `last` without its input 1"),
        ([helper.make_node("MatMul", ["", "weight"], ["y"], "last")], "MatMul `last` without its input 0"),
    ],
)  # fmt: skip
def test_a_graph_with_a_hole_or_a_circle_is_refused_with_its_place(tmp_path, nodes, message):
    with pytest.raises(ModelError) as refusal:
        pl.load(saved(tmp_path, *nodes))
    assert message in refusal.value.found


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Expand", ["one", "shape"], ["many"], "grows"),
        helper.make_node("ConstantOfShape", ["shape"], ["many"], "grows"),
        helper.make_node("Tile", ["one", "shape"], ["many"], "grows"),
    ],
    ids=lambda node: node.op_type,
)
def test_a_constant_that_no_computer_holds_is_refused_before_it_is_made(tmp_path, node):
    one = numpy_helper.from_array(np.ones((1, 1), np.float32), "one")
    shape = numpy_helper.from_array(np.array([10**6, 10**6]), "shape")
    path = saved(tmp_path, node, SUM, helper.make_node("Add", ["input", "s"], ["y"], "last"), weights=(one, shape))
    with pytest.raises(ModelError) as refusal:
        pl.load(path)
    assert "a constant of 1000000000000 numbers" in refusal.value.found


def test_a_file_without_outputs_is_refused(tmp_path):
    path = saved(tmp_path, helper.make_node("Relu", ["input"], ["y"], "only"))
    proto = onnx.load(path)
    del proto.graph.output[:]
    onnx.save(proto, path)
    with pytest.raises(ModelError, match="no outputs"):
        pl.load(path)
