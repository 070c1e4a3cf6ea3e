"""Quantised layers of ONNX: the whole numbers of onnxruntime, and a way through them for derivatives and relevance."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import pellucid as pl
from pellucid.methods.gradient import Integrated
from tests import onnx_nets
from tests.onnx_oracle import agree

RANDOM = np.random.default_rng(0)


def noise(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(*shape, dtype=np.uint8):
    return RANDOM.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


def real(*values):
    return np.array(values if len(values) > 1 else values[0], dtype=np.float32)


def byte(value, dtype=np.uint8):
    return np.array(value, dtype=dtype)


X = noise(2, 3, 5, 6) * 3


@pytest.mark.parametrize("opset", [10, 13, 19, 21])
def test_one_scale(opset):
    for zero in (byte(120), byte(-7, np.int8)):
        agree("QuantizeLinear", opset, X, real(0.02), zero)
        agree("DequantizeLinear", opset, whole(4, 5, dtype=zero.dtype.type), real(0.02), zero)
    agree("DequantizeLinear", opset, whole(7, dtype=np.int32), real(1e-5))


@pytest.mark.parametrize("opset", [13, 19, 21])
def test_a_scale_for_each_channel(opset):
    scale, zero = real(0.02, 0.1, 0.005), byte([3, 120, 250])
    agree("QuantizeLinear", opset, X, scale, zero)
    agree("DequantizeLinear", opset, whole(2, 3, 4), scale, zero)
    agree("DequantizeLinear", opset, whole(2, 4, 3), scale, zero, axis=-1)


def test_a_scale_for_each_block():
    scale, zero = np.abs(noise(2, 3, 2, 6)) + 0.01, whole(2, 3, 2, 6)
    agree("QuantizeLinear", 21, X, scale, zero, axis=2, block_size=3)
    agree("DequantizeLinear", 21, whole(2, 3, 5, 6), scale, zero, axis=2, block_size=3)


def test_ties_are_rounded_to_even_numbers():
    halves = np.arange(-6, 7).astype(np.float32) / 2
    agree("QuantizeLinear", 13, halves, real(1), byte(0, np.int8), expected=[np.round(halves).astype(np.int8)])


def test_scales_that_are_worked_out():
    agree("DynamicQuantizeLinear", 11, X, outputs=3)
    agree("DynamicQuantizeLinear", 11, np.abs(X) + 1, outputs=3)


CONVOLUTIONS = {
    "one scale": (real(0.01), byte(0, np.int8)),
    "a scale for each channel": (real(0.01, 0.02, 0.005, 0.03), byte([0, 0, 0, 0], np.int8)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution(case):
    inputs = (
        whole(1, 3, 6, 7),
        real(0.02),
        byte(110),
        whole(4, 3, 3, 3, dtype=np.int8),
        *CONVOLUTIONS[case],
        real(0.6),
        byte(100),
    )
    agree("QLinearConv", 10, *inputs, whole(4, dtype=np.int16).astype(np.int32), pads=[1, 0, 2, 1], atol=1)


def test_whole_convolutions_and_products():
    agree("ConvInteger", 10, whole(1, 3, 6, 7), whole(4, 3, 3, 3), byte(7), byte(9), pads=[1, 1, 1, 1])
    agree("MatMulInteger", 10, whole(2, 4, 5), whole(5, 3), byte(7), byte(120))
    agree("MatMulInteger", 10, whole(4, 5), whole(5, 3, dtype=np.int8), byte(7), byte([1, 2, 3], np.int8))
    a, b = whole(4, 5), whole(5, 3, dtype=np.int8)
    agree("QLinearMatMul", 10, a, real(0.02), byte(120), b, real(0.01), byte(3, np.int8), real(0.05), byte(128), atol=1)
    scales = (real(0.02), byte(120), b, real(0.01, 0.02, 0.1), byte([0, 3, 5], np.int8), real(0.05), byte(128))
    agree("QLinearMatMul", 10, a, *scales, atol=1)


OF_TWO = (real(0.02), byte(120), whole(3, 4), real(0.05), byte(7), real(0.04), byte(90))
OF_ONE = (real(0.02), byte(120), real(0.01), byte(3))


@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
def test_layers_of_two_inputs(kind):
    agree(kind, 1, whole(2, 3, 4), *OF_TWO, domain="com.microsoft", atol=1)


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.3}),
        ("QLinearSoftmax", {"axis": 1, "opset": 13}),
        ("QLinearAveragePool", {"kernel_shape": [2, 3], "pads": [1, 1, 0, 0], "strides": [2, 2]}),
        ("QLinearGlobalAveragePool", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_of_one_input(kind, attributes):
    agree(kind, 1, whole(2, 3, 5, 6), *OF_ONE, domain="com.microsoft", atol=1, constant=range(1, 5), **attributes)


def test_layers_with_channels_last():
    for kind, attributes in (("QLinearAveragePool", {"kernel_shape": [2, 2]}), ("QLinearGlobalAveragePool", {})):
        agree(kind, 1, whole(2, 5, 6, 3), *OF_ONE, domain="com.microsoft", atol=1, channels_last=1, **attributes)


def test_joins_and_choices():
    inputs = (real(0.03), byte(100), whole(2, 3), real(0.02), byte(120), whole(2, 4), real(0.05), byte(7))
    agree("QLinearConcat", 1, *inputs, domain="com.microsoft", axis=1, atol=1, constant=[0, 1, 3, 4, 6, 7])
    inputs = (whole(3, 4) > 100, whole(3, 4), real(0.02), byte(120), whole(3, 4), real(0.05), byte(7), real(0.03), byte(100))
    agree("QLinearWhere", 1, *inputs, domain="com.microsoft", atol=1, constant=[2, 3, 5, 6, 7, 8])


@pytest.mark.parametrize("transposed", [0, 1])
def test_dense_layers(transposed):
    b, c = whole(5, 3, dtype=np.int8), whole(3, dtype=np.int16).astype(np.int32)
    b = b.T.copy() if transposed else b
    ends = (real(0.2), byte(100))
    for scale, zero in ((real(0.01), byte(0, np.int8)), (real(0.01, 0.02, 0.03), byte([0, 0, 0], np.int8))):
        inputs = (whole(4, 5), real(0.02), byte(120), b, scale, zero)
        agree("QGemm", 1, *inputs, c, *ends, domain="com.microsoft", transB=transposed, atol=1)
        agree("QGemm", 1, *inputs, c, domain="com.microsoft", transB=transposed, atol=1e-3)
    a = noise(4, 5)
    if not transposed:
        agree("DynamicQuantizeMatMul", 1, a, b, real(0.01), byte(0, np.int8), noise(3), domain="com.microsoft", atol=1e-3)
        agree("MatMulIntegerToFloat", 1, whole(4, 5), b, real(0.1), real(0.01), byte(9), byte(0, np.int8), noise(3),
              domain="com.microsoft", atol=1e-3)  # fmt: skip


# of eight bits, onnxruntime takes no zero points with decimals
@pytest.mark.parametrize(
    ("bits", "zeros"), [(bits, zeros) for bits in (2, 4, 8) for zeros in ("none", "packed", "decimals")[: 2 if bits == 8 else 3]]
)
def test_weights_of_few_bits(bits, zeros):
    rows, length, size = 3, 40, 16
    packed, scales = whole(rows, 3, size * bits // 8), np.abs(noise(rows, 3))
    points = {"none": None, "packed": whole(rows, -(-3 * bits // 8)), "decimals": np.abs(noise(rows, 3)) * 4}[zeros]
    how = {"K": length, "N": rows, "bits": bits, "block_size": size, "constant": [1, 2] + [3] * (points is not None)}
    inputs = (noise(2, length), packed, scales) + ((points,) if points is not None else ())
    agree("MatMulNBits", 1, *inputs, domain="com.microsoft", atol=1e-2, **how)


@pytest.mark.parametrize("activation", ["", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid"])
def test_a_convolution_with_an_activation(activation):
    given = {"LeakyRelu": [0.2], "Clip": [-0.5, 0.7], "HardSigmoid": [0.2, 0.5]}.get(activation)
    how = ({"activation": activation} if activation else {}) | ({"activation_params": given} if given else {})
    agree("FusedConv", 1, noise(1, 3, 6, 6), noise(4, 3, 3, 3), noise(4), domain="com.microsoft", pads=[1, 1, 1, 1], **how)


class Rounded(nn.Module):
    """A small network whose activations are rounded to 255 steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv2d(3, 4, 3), nn.Linear(4 * 9, 3)

    def forward(self, x):
        y = nn.functional.max_pool2d(self.step(self.conv(self.step(x))).relu(), 2)
        return self.dense(self.step(y).flatten(1))

    @staticmethod
    def step(x):
        return torch.fake_quantize_per_tensor_affine(x, 0.02, 100, 0, 255)


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Rounded().eval()


def saved(nodes, weights, path):
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", ["N", 3, 8, 8]), ("y", ["N", 3]))]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], output, **attributes)


def pairs(net, path):
    """With a pair of layers, into whole numbers and back, wherever numbers are rounded; the pool is of whole numbers."""
    nodes = [
        node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xr"),
        node("Conv", "xr cw cb", "c"), node("QuantizeLinear", "c s z", "cq"), node("DequantizeLinear", "cq s z", "cr"),
        node("Relu", "cr", "r"), node("QuantizeLinear", "r s z", "rq"),
        node("MaxPool", "rq", "pq", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "pq", "fq"),
        node("DequantizeLinear", "fq s z", "fr"), node("Gemm", "fr dw db", "y", transB=1),
    ]  # fmt: skip
    state = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    names = {"cw": "conv.weight", "cb": "conv.bias", "dw": "dense.weight", "db": "dense.bias"}
    return saved(nodes, {"s": real(0.02), "z": byte(100), **{short: state[long] for short, long in names.items()}}, path)


PICTURES = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8).sin()


@pytest.mark.parametrize("method", ["gradient_x_input", "lrp.epsilon", "lrp.epsilon_plus", "deeplift", Integrated(32)])
def test_a_rounded_network_is_explained_as_in_pytorch(net, tmp_path, method):
    model = pl.load(pairs(net, tmp_path / "net.onnx"))
    torch.testing.assert_close(model(PICTURES), net(PICTURES).detach(), rtol=0, atol=1e-4)
    ours, theirs = (pl.explain(one, PICTURES, target=1, method=method) for one in (model, net))
    torch.testing.assert_close(ours.values, theirs.values, rtol=1e-4, atol=1e-5)
    assert ours.values.abs().max() > 1e-3
    assert any("rounds" in note for note in model.notes)


def test_a_network_of_whole_numbers_is_explained_as_with_its_weights_rounded(net, tmp_path):
    """Layers of whole numbers one after the other: against PyTorch with the weights that the whole numbers stand for."""
    rounded = Rounded().eval()
    steps = {name: float(value.abs().max()) / 127 for name, value in net.state_dict().items() if "weight" in name}
    bytes_ = {name: (net.state_dict()[name] / step).round() for name, step in steps.items()}
    offsets = {f"{name}.bias": net.state_dict()[f"{name}.bias"] / (0.02 * steps[f"{name}.weight"]) for name in ("conv", "dense")}
    state = {name: bytes_[name] * step for name, step in steps.items()}
    state |= {name: value.round() * 0.02 * steps[name.replace("bias", "weight")] for name, value in offsets.items()}
    rounded.load_state_dict(state)
    nodes = [
        node("QuantizeLinear", "x s z", "xq"), node("QLinearConv", "xq s z cw cs cz s z cb", "cq"),
        node("QLinearLeakyRelu", "cq s z s z", "rq", domain="com.microsoft", alpha=0.0),
        node("MaxPool", "rq", "pq", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "pq", "fq"),
        node("QGemm", "fq s z dw ds cz db", "y", domain="com.microsoft", transB=1),
    ]  # fmt: skip
    weights = {
        "s": real(0.02), "z": byte(100), "cz": byte(0, np.int8),
        "cs": real(steps["conv.weight"]), "ds": real(steps["dense.weight"]),
        "cw": bytes_["conv.weight"].to(torch.int8).numpy(), "dw": bytes_["dense.weight"].to(torch.int8).numpy(),
        "cb": offsets["conv.bias"].round().int().numpy(), "db": offsets["dense.bias"].round().int().numpy(),
    }  # fmt: skip
    model = pl.load(saved(nodes, weights, tmp_path / "net.onnx"))
    torch.testing.assert_close(model(PICTURES), rounded(PICTURES).detach(), rtol=0, atol=1e-4)
    for method in ("gradient_x_input", "lrp.epsilon", "lrp.epsilon_plus"):
        ours, theirs = (pl.explain(one, PICTURES, target=1, method=method).values for one in (model, rounded))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_whole_numbers_that_are_moved_about_or_returned_carry_derivatives(tmp_path):
    """The file takes its numbers from bytes, moves them, and ends in whole ones."""
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("Pad", "q pads z", "p"), node("Transpose", "p", "t", perm=[0, 3, 2, 1]),
        node("Resize", "t none scales", "r", nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
        node("Concat", "r r", "c", axis=1), node("GlobalMaxPool", "c", "m"), node("Flatten", "m", "f"),
        node("QLinearMatMul", "f s z w ws wz ys z", "y"),
    ]  # fmt: skip
    weights = {
        "s": real(0.02), "z": byte(100), "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]), "none": np.zeros(0, dtype=np.float32),
        "scales": real(1, 1, 2, 1), "w": whole(20, 3, dtype=np.int8), "ws": real(0.01), "wz": byte(0, np.int8), "ys": real(0.3),
    }  # fmt: skip
    model = pl.load(saved(nodes, weights, tmp_path / "net.onnx"))
    matrix = torch.from_numpy(weights["w"]).float() * 0.01

    def same(x):
        x = nn.functional.pad(torch.fake_quantize_per_tensor_affine(x, 0.02, 100, 0, 255), (0, 2, 1, 0)).permute(0, 3, 2, 1)
        x = nn.functional.interpolate(x, scale_factor=(2.0, 1.0))
        y = nn.functional.adaptive_max_pool2d(torch.cat([x, x], 1), 1).flatten(1) @ matrix
        return torch.fake_quantize_per_tensor_affine(y, 0.3, 100, 0, 255) / 0.3 + 100

    torch.testing.assert_close(model(PICTURES), same(PICTURES), rtol=0, atol=1e-4)
    for method in ("gradient_x_input", "lrp.epsilon"):
        ours, theirs = (pl.explain(one, PICTURES, target=1, method=method).values for one in (model, same))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_offsets_of_whole_numbers_are_added_to_whole_sums(tmp_path):
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("Flatten", "q", "f"), node("MatMulInteger", "f w z", "i"),
        node("Add", "i b", "o"), node("Cast", "o", "d", to=TensorProto.FLOAT), node("Mul", "d scale", "y"),
    ]  # fmt: skip
    weights = {
        "s": real(0.02), "z": byte(128), "w": whole(192, 3, dtype=np.int8), "b": np.array([4, -900, 70], dtype=np.int32),
        "scale": real(0.001),
    }  # fmt: skip
    model = pl.load(saved(nodes, weights, tmp_path / "net.onnx"))

    def same(x):
        steps = torch.fake_quantize_per_tensor_affine(x, 0.02, 128, 0, 255) / 0.02
        return (steps.flatten(1) @ torch.from_numpy(weights["w"]).float() + torch.from_numpy(weights["b"])) * 0.001

    torch.testing.assert_close(model(PICTURES), same(PICTURES), rtol=1e-4, atol=1e-4)
    ours, theirs = (pl.explain(one, PICTURES, target=1, method="gradient_x_input").values for one in (model, same))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_scales_worked_out_for_each_input_have_no_part_in_an_explanation(net, tmp_path):
    """Against the same network with the scale that this one input has, given."""
    state = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    nodes = [
        node("Flatten", "x", "f"), helper.make_node("DynamicQuantizeLinear", ["f"], ["q", "s", "z"], "steps"),
        node("MatMulInteger", "q w z", "i"), node("Cast", "i", "d", to=TensorProto.FLOAT), node("Mul", "s ws", "both"),
        node("Mul", "d both", "m"), node("Relu", "m", "r"), node("Gemm", "r v b", "y"),
    ]  # fmt: skip
    steps = np.round(noise(192, 5) * 30).astype(np.int8)
    weights = {"w": steps, "ws": real(0.01), "v": noise(5, 3), "b": state["dense.bias"]}
    model = pl.load(saved(nodes, weights, tmp_path / "net.onnx"))
    x = PICTURES.flatten()[100:292].reshape(1, 3, 8, 8)
    scale = float(x.max() - x.min()) / 255
    zero = int(torch.round(-x.min() / scale))
    assert 50 < zero < 200

    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(192, 5, bias=False), nn.Linear(5, 3)
            one, two = torch.from_numpy(steps).float().T * 0.01, torch.from_numpy(weights["v"]).T
            self.load_state_dict({"one.weight": one, "two.weight": two, "two.bias": torch.from_numpy(weights["b"])})

        def forward(self, x):
            x = torch.fake_quantize_per_tensor_affine(x.flatten(1), scale, zero, 0, 255)
            return self.two(self.one(x).relu())

    given = Given().eval()
    torch.testing.assert_close(model(x), given(x).detach(), rtol=1e-5, atol=1e-4)
    for method in ("gradient_x_input", "lrp.epsilon"):
        ours, theirs = (pl.explain(one, x, target=1, method=method).values for one in (model, given))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_every_rounding_has_a_rule_and_passes_relevance_on(net, tmp_path):
    model = pl.load(pairs(net, tmp_path / "net.onnx"))
    pl.explain(model, PICTURES, target=1, method="lrp.epsilon", strict=True)
    before, after = (pl.explain(model, PICTURES, target=1, method="lrp.epsilon", at=at).values for at in ("c", "cr"))
    torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-7)
    e = pl.explain(model, PICTURES, target=1, method="deeplift")
    baseline = model(torch.zeros(1, 3, 8, 8)).detach()[:, 1]
    torch.testing.assert_close(e.values.flatten(1).sum(1), model(PICTURES).detach()[:, 1] - baseline, rtol=0, atol=1e-5)


def test_a_range_that_is_found_for_each_input_is_held_and_nothing_is_said_to_be_missing(tmp_path):
    """That the steps of a rounding depend on the input has no part in a map, and is no branch that it lacks."""
    weight = numpy_helper.from_array(np.arange(-6, 6, dtype=np.int8).reshape(4, 3), "weight")
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["input"], ["q", "scale", "zero"], "rounds"),
        helper.make_node("MatMulInteger", ["q", "weight", "zero"], ["whole"], "product"),
        helper.make_node("Cast", ["whole"], ["real"], "real", to=1),
        helper.make_node("Mul", ["real", "scale"], ["y"], "scales"),
    ]
    path = onnx_nets.write(nodes, [weight], ["N", 4], "y", ["N", 3], tmp_path / "net.onnx")
    x = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    for method in ("gradient_x_input", "lrp"):
        e = pl.explain(pl.load(path), x, target=pl.logit(1), method=method)
        assert not e.warnings()
        assert torch.allclose(e.values, x * torch.tensor([-5.0, -2.0, 1.0, 4.0]), atol=0.1)  # of the steps, not of their range
