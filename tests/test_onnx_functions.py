"""Functions that a file defines, graphs in graphs, and what is refused of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, parser

import pellucid as pl
from pellucid.errors import ModelError
from pellucid.model.sources.onnx.build import build, read_file, unknown
from pellucid.model.sources.onnx.operation import find, operation
from tests.onnx_oracle import ours, runtime

X = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)


def both(text: str, *inputs: Any) -> None:
    """Ours, and what onnxruntime says."""
    proto = parser.parse_model(text)
    for made, true in zip(ours(proto, inputs), runtime(proto, inputs), strict=True):
        np.testing.assert_allclose(made.numpy(), true, rtol=1e-5, atol=1e-6)


def test_a_function_is_called_with_the_attributes_of_the_call_or_its_own():
    both(
        """<ir_version: 9, opset_import: ["" : 18, "own" : 1]>
        net (float[2, 3] x) => (float[2, 3] y) { a = own.leak (x) y = own.leak <slope = 0.5> (a) }
        <domain: "own", opset_import: ["" : 18]>
        leak <slope: float = 0.25> (x) => (y) { y = LeakyRelu <alpha: float = @slope> (x) }""",
        X,
    )


def test_functions_call_functions_and_read_what_they_make_alone():
    both(
        """<ir_version: 9, opset_import: ["" : 18, "own" : 1]>
        net (float[2, 3] x, bool c) => (float[2, 3] y) { a = own.outer (x, c) y = Neg(a) }
        <domain: "own", opset_import: ["" : 18, "own" : 1]>
        outer (x, c) => (y) { a = own.inner (x) y = If (c) <then_branch = one () => (float[2, 3] o) { o = own.inner(a) },
                                                            else_branch = two () => (float[2, 3] r) { r = Add(a, x) }> }
        <domain: "own", opset_import: ["" : 18]>
        inner (x) => (y) { a = Relu(x) y = Add(a, x) }""",
        X, np.array(False),
    )  # fmt: skip


def test_a_function_has_its_own_versions_of_the_operations():
    """Before version 13, a softmax is over all axes from one on."""
    text = """<ir_version: 9, opset_import: ["" : 18, "own" : 1]>
        net (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = own.old (x) }
        <domain: "own", opset_import: ["" : 11]>
        old (x) => (y) { y = Softmax <axis = 1> (x) }"""
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    (made,) = ours(parser.parse_model(text), [x])
    torch.testing.assert_close(made, torch.from_numpy(x).flatten(1).softmax(1).view(2, 3, 4))


def test_what_a_call_leaves_out_is_left_out_inside():
    text = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
        net (float[2, 3] x) => (float[2, 3] y) { y = own.bounded (x) }
        <domain: "own", opset_import: ["" : 18]>
        bounded (x, low, high) => (y) { y = Clip (x, low, high) }"""
    (made,) = ours(parser.parse_model(text), [X])
    torch.testing.assert_close(made, torch.from_numpy(X))


def test_overloads_of_a_function_are_told_apart():
    proto = parser.parse_model("""<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
        net (float[2, 3] x) => (float[2, 3] y) { a = own.f:second (x) y = own.f:first (a) }
        <domain: "own", overload: "first", opset_import: ["" : 18]> f (x) => (y) { y = Abs (x) }
        <domain: "own", overload: "second", opset_import: ["" : 18]> f (x) => (y) { y = Neg (x) }""")
    (made,) = ours(proto, [X])
    torch.testing.assert_close(made, torch.from_numpy(X).neg().abs())


def test_what_is_unknown_in_a_function_is_named():
    proto = parser.parse_model("""<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
        net (float[2, 3] x) => (float[2, 3] y) { a = own.f (x) y = own.f (a) }
        <domain: "own", opset_import: ["" : 18, "odd" : 1]> f (x) => (y) { y = odd.Thing (x) }""")
    assert [node.op_type for node in unknown(read_file(proto), proto.graph)] == ["Thing"]


def saved(text: str, path: Any) -> Any:
    onnx.save(parser.parse_model(text), path)
    return path


def refusal(path: Any) -> str:
    with pytest.raises(ModelError) as caught:
        pl.load(path)
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))
    return str(caught.value)


def test_a_function_that_calls_itself_is_refused(tmp_path):
    text = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]> net (float[2, 3] x) => (float[2, 3] y) { y = own.f (x) }
        <domain: "own", opset_import: ["" : 18, "own" : 1]> f (x) => (y) { y = own.f (x) }"""
    assert "calls itself" in refusal(saved(text, tmp_path / "round.onnx"))


def test_functions_that_unfold_without_measure_are_refused_before_they_do(tmp_path):
    calls = "".join(
        f'<domain: "own", opset_import: ["" : 18, "own" : 1]> f{at} (x) => (y) {{ a = own.f{at + 1} (x) y = own.f{at + 1} (a) }}'
        for at in range(40)
    )
    text = f"""<ir_version: 10, opset_import: ["" : 18, "own" : 1]> net (float[2, 3] x) => (float[2, 3] y) {{ y = own.f0 (x) }}
        {calls} <domain: "own", opset_import: ["" : 18]> f40 (x) => (y) {{ y = Neg (x) }}"""
    assert "at most 200000 are read" in refusal(saved(text, tmp_path / "more.onnx"))


LOOPS = {"as often as said": ("times, ", "c"), "until it says": (", yes", "d"), "both": ("times, yes", "d")}


@pytest.mark.parametrize("opset", [11, 13, 16])
@pytest.mark.parametrize("ends", LOOPS)
def test_a_loop_runs_as_long_as_it_is_asked_to_and_stacks_what_it_makes(opset, ends):
    asked, condition = LOOPS[ends]
    both(
        f"""<ir_version: 7, opset_import: ["" : {opset}]>
        net (float[2, 3] x, int64 times, bool yes, float few) => (float[2, 3] y, float[k, 2, 3] rows)
        {{ y, rows = Loop ({asked}, x) <body = turn (int64 i, bool c, float[2, 3] s) => (bool e, float[2, 3] t, float[2, 3] r)
        {{ n = Cast <to = 1> (i) d = Less (n, few) e = Identity ({condition}) t = Add (s, x) r = Mul (t, n) }}> }}""",
        X, np.array(4), np.array(True), np.array(1.5, np.float32),
    )  # fmt: skip


def test_a_loop_that_does_not_start_hands_on_what_it_was_given():
    text = """<ir_version: 8, opset_import: ["" : 16]>
        net (float[2, 3] x, int64 times) => (float[2, 3] y)
        { y = Loop (times, , x) <body = turn (int64 i, bool c, float[2, 3] s) => (bool e, float[2, 3] t)
        { e = Identity (c) t = Neg (s) }> }"""
    both(text, X, np.array(0))


@pytest.mark.parametrize("opset", [9, 11, 16])
def test_a_scan_carries_its_state_both_ways(opset):
    both(
        f"""<ir_version: 7, opset_import: ["" : {opset}]>
        net (float[3] s, float[2, 3] x) => (float[3] end, float[2, 3] there, float[3, 2] back)
        {{ end, there, back = Scan <num_scan_inputs = 2, scan_input_directions = [0, 1], scan_output_axes = [0, 1],
        scan_output_directions = [0, 1], body = step (float[3] h, float[3] a, float[3] b) => (float[3] n, float[3] o, float[3] p)
        {{ m = Mul (h, b) n = Add (m, a) o = Identity (n) p = Neg (n) }}> (s, x, x) }}""",
        X[0], X,
    )  # fmt: skip


def test_the_first_scan_takes_a_batch_of_sequences_of_different_lengths():
    body = parser.parse_graph("step (float[1] h, float[1] a) => (float[1] n, float[1] o) { n = Add (h, a) o = Identity (n) }")
    node = helper.make_node("Scan", ["lengths", "s", "x"], ["end", "rows"], body=body, num_scan_inputs=1)
    shapes = {
        "lengths": (TensorProto.INT64, [2]),
        "s": (1, [2, 1]),
        "x": (1, [2, 3, 1]),
        "end": (1, [2, 1]),
        "rows": (1, [2, 3, 1]),
    }
    infos = {name: helper.make_tensor_value_info(name, *shape) for name, shape in shapes.items()}
    graph = helper.make_graph([node], "net", [infos[one] for one in ("lengths", "s", "x")], [infos["end"], infos["rows"]])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=3)
    inputs = [np.array([3, 2]), np.zeros((2, 1), np.float32), X[..., None]]
    for made, true in zip(ours(proto, inputs), runtime(proto, inputs), strict=True):
        np.testing.assert_allclose(made.numpy(), true, rtol=1e-6)


@pytest.mark.parametrize("opset", [9, 11, 13, 16])
@pytest.mark.parametrize("first", [True, False])
def test_a_condition_chooses_a_graph_that_reads_what_is_around_it(opset, first):
    both(
        f"""<ir_version: 7, opset_import: ["" : {opset}]>
        net (float[2, 3] x, bool c) => (float[2, 3] y)
        {{ a = Neg (x) y = If (c) <then_branch = one () => (float[2, 3] o) {{ o = Relu (a) }},
                                   else_branch = two () => (float[2, 3] r) {{ b = Abs (a) r = Add (b, x) }}> }}""",
        X, np.array(first),
    )  # fmt: skip


def test_weights_of_a_graph_inside_are_parameters_of_its_operation():
    proto = parser.parse_model("""<ir_version: 8, opset_import: ["" : 16]>
        net (float[2, 3] x, bool c) => (float[2, 3] y)
        { y = If (c) <then_branch = one () => (float[2, 3] o) { o = Mul (x, w) },
                      else_branch = two () => (float[2, 3] r) { r = Add (x, w) }> }""")
    for entry in proto.graph.node[0].attribute:
        entry.g.initializer.append(numpy_helper.from_array(X[0], "w"))
    graph = build(read_file(proto), proto.graph)
    assert {tuple(parameter.shape) for parameter in graph.parameters()} == {(3,)}
    (made,) = graph.run([torch.from_numpy(X), torch.tensor(True)], {})
    torch.testing.assert_close(made, torch.from_numpy(X * X[0]))


def test_an_operation_is_registered_once():
    with pytest.raises(AssertionError, match="Relu of the domain '' is registered twice"):
        operation("Relu")(lambda node, x: x)
    assert find("Relu") is not None
