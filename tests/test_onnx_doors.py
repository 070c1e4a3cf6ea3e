"""What surrounds the operations of an ONNX file: names, the end of the network, halves, what it says of pictures and classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.errors import InputError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

G = torch.Generator().manual_seed(3)
W, V = torch.randn(4, 3, generator=G), torch.randn(2, 3, generator=G)
SOFTMAX = "The file ends in a softmax; the scores before it are explained."


def constant(value: Tensor, name: str):
    return numpy_helper.from_array(value.numpy(), name)


def save(path: Path, nodes, weights, inputs, outputs, *, properties=None, kind=TensorProto.FLOAT, opset=17) -> Path:
    """A file whose inputs and outputs are (name, shape) or (name, shape, format)."""
    ends = [
        [helper.make_tensor_value_info(one[0], one[2] if len(one) > 2 else kind, one[1]) for one in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "net", *ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, properties or {})
    onnx.save(model, path)
    return path


@pytest.fixture
def two(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["left:0", "w"], ["a"], "one"),
        helper.make_node("MatMul", ["right:0", "v"], ["b"], "two"),
        helper.make_node("Add", ["a", "b"], ["sum:0"], "sum"),
        helper.make_node("Relu", ["sum:0"], ["rectified:0"], "rectified"),
    ]
    ends = [("left:0", ["N", 4]), ("right:0", ["N", 2])], [("sum:0", ["N", 3]), ("rectified:0", ["N", 3])]
    return pl.load(save(tmp_path / "two.onnx", nodes, [constant(W, "w"), constant(V, "v")], *ends))


A, B = torch.randn(2, 4, generator=G), torch.randn(2, 2, generator=G)


def test_inputs_and_outputs_go_by_the_names_in_the_file(two):
    made = two(A, B)
    assert list(made) == ["sum:0", "rectified:0"]
    torch.testing.assert_close(made["sum:0"], A @ W + B @ V)
    torch.testing.assert_close(two.module(**{"right:0": B, "left:0": A})["sum:0"], made["sum:0"])
    e = pl.explain(two, {"right:0": B, "left:0": A}, target=pl.logit(1).of("sum:0"), method="gradient_x_input")
    torch.testing.assert_close(e.part("left:0").values, A * W[:, 1], rtol=0, atol=1e-5)
    torch.testing.assert_close(e.part("right:0").values, B * V[:, 1], rtol=0, atol=1e-5)


def test_an_input_that_is_missing_is_named(two):
    with pytest.raises(InputError, match=r"the file takes left:0, right:0. Give each of them once"):
        two(A)
    with pytest.raises(InputError, match="left:0"):
        two.module(A, **{"left:0": A})


def spelled(last: str) -> list:
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["scores"], "dense"),
        helper.make_node("ReduceMax", ["scores"], ["most"], "most", axes=[1], keepdims=1),
        helper.make_node("Sub", ["scores", "most"], ["shifted"], "shifted"),
        helper.make_node("Exp", ["shifted"], ["powers"], "powers"),
        helper.make_node("ReduceSum", ["powers", "axis"], ["total"], "total", keepdims=1),
        helper.make_node("Div", ["powers", "total"], ["shares"], "shares"),
    ]
    return [*nodes, helper.make_node(last, ["shares"], ["y"], "end")]


def test_a_softmax_that_is_spelled_out_is_found(tmp_path):
    weights = [constant(W, "w"), constant(torch.tensor([1]), "axis")]
    model = pl.load(save(tmp_path / "net.onnx", spelled("Identity"), weights, [("input", ["N", 4])], [("y", ["N", 3])]))
    torch.testing.assert_close(model(A), A @ W)
    assert SOFTMAX in model.notes and "shares" not in dict(model.module.named_children())


def test_what_only_looks_like_a_softmax_stays(tmp_path):
    nodes = spelled("Identity")
    nodes[4].input[0] = "shifted"  # another sum
    weights = [constant(W, "w"), constant(torch.tensor([1]), "axis")]
    model = pl.load(save(tmp_path / "net.onnx", nodes, weights, [("input", ["N", 4])], [("y", ["N", 3])]))
    shifted = A @ W - (A @ W).amax(1, keepdim=True)
    torch.testing.assert_close(model(A), shifted.exp() / shifted.sum(1, keepdim=True))
    assert SOFTMAX not in model.notes


def test_a_softmax_whose_result_is_moved_about_is_left_out_and_the_scores_are_moved(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["scores"], "dense"),
        helper.make_node("Softmax", ["scores"], ["p"], "soft", axis=-1),
        helper.make_node("Unsqueeze", ["p", "axis"], ["wide"], "wide"),
        helper.make_node("Squeeze", ["wide", "axis"], ["y"], "narrow"),
    ]
    weights = [constant(W, "w"), constant(torch.tensor([2]), "axis")]
    model = pl.load(save(tmp_path / "net.onnx", nodes, weights, [("input", ["N", 4])], [("y", ["N", 3])]))
    torch.testing.assert_close(model(A), A @ W)


def test_a_softmax_that_something_else_reads_as_well_stays(tmp_path):
    nodes = [
        helper.make_node("Softmax", ["input"], ["p"], "soft", axis=-1),
        helper.make_node("MatMul", ["p", "w"], ["q"], "dense"),
        helper.make_node("Add", ["p", "q"], ["y"], "sum"),
    ]
    square = torch.randn(4, 4, generator=G)
    model = pl.load(save(tmp_path / "net.onnx", nodes, [constant(square, "w")], [("input", ["N", 4])], [("y", ["N", 4])]))
    p = A.softmax(1)
    torch.testing.assert_close(model(A), p + p @ square)


@pytest.mark.parametrize("half", ["FLOAT16", "BFLOAT16"])
def test_halves_are_raised_and_said(tmp_path, half):
    number = TensorProto.DataType.Value(half)
    weight = helper.make_tensor("w", number, [4, 3], W.flatten().tolist())
    nodes = [
        helper.make_node("Cast", ["input"], ["x"], "narrow", to=number),
        helper.make_node("MatMul", ["x", "w"], ["z"], "dense"),
        helper.make_node("Cast", ["z"], ["y"], "wide", to=TensorProto.FLOAT),
    ]
    model = pl.load(save(tmp_path / "net.onnx", nodes, [weight], [("input", ["N", 4])], [("y", ["N", 3])]))
    rounded = W.to(getattr(torch, half.lower().replace("bfloat", "bfloat").replace("float16", "float16"))).float()
    torch.testing.assert_close(model(A), A @ rounded)
    assert f"The file computes in {half.lower()}; here it is computed in float32." in model.notes


def picture_net(tmp_path, nodes, weights, **more):
    nodes = [
        *nodes,
        helper.make_node("GlobalAveragePool", ["x"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["y"], "flat"),
    ]
    return pl.load(save(tmp_path / "net.onnx", nodes, weights, [("input", ["N", 3, 8, 8])], [("y", ["N", 3])], **more))


@pytest.mark.parametrize(("mean", "std", "white"), [(123.7, 58.4, 255.0), (0.485, 0.229, 1.0)], ids=["bytes", "from 0 to 1"])
def test_the_scaling_that_a_file_does_itself_says_how_pictures_go_in(tmp_path, mean, std, white):
    means = torch.full((1, 3, 1, 1), mean)
    nodes = [helper.make_node("Sub", ["input", "m"], ["a"], "centre"), helper.make_node("Div", ["a", "s"], ["x"], "scale")]
    model = picture_net(tmp_path, nodes, [constant(means, "m"), constant(torch.tensor(std), "s")])
    assert any(
        f"Pictures go in from 0 to {white:g} (the file itself scales them, minus {mean:.4g}" in note for note in model.notes
    )
    import numpy as np
    from PIL import Image

    grey = Image.fromarray(np.full((16, 16, 3), 128, np.uint8))
    torch.testing.assert_close(model.read(grey), torch.full((1, 3, 8, 8), 128 / 255 * white))


def test_a_file_that_does_not_scale_its_input_leaves_the_scale_to_its_user(tmp_path):
    model = picture_net(tmp_path, [helper.make_node("Relu", ["input"], ["x"], "relu")], [])
    assert model.preprocess is None and model.notes == ()


def test_class_names_and_size_of_pictures_are_read_from_the_properties(tmp_path):
    properties = {"names": "{0: 'cat', 1: 'dog', 2: 'hen'}", "imgsz": "[8, 8]", "task": "classify"}
    model = picture_net(tmp_path, [helper.make_node("Relu", ["input"], ["x"], "relu")], [], properties=properties)
    assert model.labels == ("cat", "dog", "hen") and model.preprocess.size == (8, 8)


@pytest.mark.parametrize("text", ["{0: 'cat'}", "__import__('os').system('true')", "[" * 5000, "", "{'a': 1}", "cat\ndog"])
def test_names_that_do_not_fit_are_left_out(tmp_path, text):
    model = picture_net(tmp_path, [helper.make_node("Relu", ["input"], ["x"], "relu")], [], properties={"names": text})
    assert model.labels is None


def test_the_page_lists_the_operations_that_are_read_and_those_that_are_not():
    import importlib.util

    pages = Path(__file__).resolve().parents[1] / "docs"
    spec = importlib.util.spec_from_file_location("make_onnx", pages / "make_onnx.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert (pages / "onnx.md").read_text(encoding="utf-8") == made.page(), "run python docs/make_onnx.py"
    assert sum(map(len, made.families().values())) == len({key for key in made.TABLE if key[0] != "doctest"})


def test_zeros_around_pictures_are_the_convolutions_own_however_many_axes_they_name():
    conv = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU()).eval()
    conv[1].running_mean.copy_(torch.tensor([0.2, -0.1, 0.3, 0.1]))
    x = torch.rand(2, 3, 6, 6, generator=G)
    maps = [
        pl.explain(lambda v, pads=pads: conv(torch.nn.functional.pad(v, pads)).mean((2, 3)), x, 1, "lrp").values
        for pads in ((1, 1, 1, 1), (1, 1, 1, 1, 0, 0, 0, 0))
    ]
    torch.testing.assert_close(maps[0], maps[1], rtol=0, atol=1e-7)
