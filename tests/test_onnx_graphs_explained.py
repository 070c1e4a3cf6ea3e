"""Moves, attention, loops and tables between two dense layers of an ONNX file, explained as the same in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import numpy_helper, parser
from torch import Tensor, nn

import pellucid as pl

METHODS = ("gradient_x_input", "lrp.epsilon", "lrp.attention")
DOMAINS = '["" : 27, "com.microsoft" : 1, "ai.onnx.ml" : 3]'
DRAW = torch.Generator().manual_seed(0)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW)


X = noise(4, 6)
ORDER = [3, 1, 7, 0, 5, 2, 7, 6]
MASK = torch.tensor([True, False, True, True, False, True, True, True])
P, SCALE, SHIFT = noise(8, 8) * 0.4, noise(8), noise(8)
COS, SIN, SKIP, SHORT, THREE = noise(2, 2).cos(), noise(2, 2).sin(), noise(2, 4), noise(4), noise(2, 1, 3)
QKV, OFFSETS = noise(4, 12) * 0.4, noise(12)
CONSTANTS = {
    "order": torch.tensor(ORDER), "mask": MASK, "p": P, "scale": SCALE, "shift": SHIFT, "cos": COS[None], "sin": SIN[None],
    "skip": SKIP, "short": SHORT, "three": THREE, "qkv": QKV, "offsets": OFFSETS, "nil": torch.tensor(0.0),
    "cube": torch.tensor([0, 2, 4]), "flat": torch.tensor([0, 8]), "wide": torch.tensor([1, 2, 8]), "twice": torch.tensor([1, 2]),
    "far": torch.tensor([-100]), "halves": torch.tensor([4, 4]), "times": torch.tensor(3), "yes": torch.tensor(True),
    **{f"i{at}".replace("-", "m"): torch.tensor([at]) for at in (-1, 0, 1, 2, 4, 7, 8)}, "second": torch.tensor([[1]]),
}  # fmt: skip


class Part(NamedTuple):
    """What stands between the dense layers: nodes that make `y` of `h`, and the same function; `q` is h as (batch, 2, 4)."""

    text: str
    function: Callable[[Tensor], Tensor]
    cubic: bool = False


def cubic(text: str, function: Callable[[Tensor], Tensor]) -> Part:
    return Part(f"q = Reshape(h, cube) {text} y = Reshape(a, flat)", lambda h: function(h.view(-1, 2, 4)).reshape(-1, 8))


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (one.view(-1, 2, 2, 2).transpose(1, 2) for one in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def turned(q: Tensor) -> Tensor:
    a, b = q.chunk(2, -1)
    return torch.cat([COS * a - SIN * b, SIN * a + COS * b], -1)


def looped(h: Tensor) -> Tensor:
    for _ in range(3):
        h = (h @ P).relu()
    return h


def scanned(q: Tensor) -> Tensor:
    first = (q[:, 0] * 0 + q[:, 0]).tanh()
    return torch.cat([first, (first + q[:, 1]).tanh()], 1)


PARTS = {
    "gather": Part("y = Gather <axis = 1> (h, order)", lambda h: h[:, ORDER]),
    "gather the last": Part("a = Gather <axis = 1> (h, im1) y = Add(a, h)", lambda h: h[:, [-1]] + h),
    "gather from all": Part(
        "q = Reshape(h, cube) t = Transpose <perm = [1, 0, 2]> (q) g = GatherND(t, second) "
        "s = Squeeze(g, i0) y = Concat <axis = 1> (s, s)",
        lambda h: torch.cat([h[:, 4:], h[:, 4:]], 1),
    ),
    "slice": Part(
        "a = Slice(h, i0, i7, i1) b = Slice(h, i7, i8, i1) y = Concat <axis = 1> (b, a)",
        lambda h: torch.cat([h[:, 7:], h[:, :7]], 1),
    ),
    "backwards": Part("y = Slice(h, im1, far, im1, im1)", lambda h: h.flip(1)),
    "split": Part("a, b = Split <axis = 1> (h, halves) y = Concat <axis = 1> (b, a)",
                  lambda h: torch.cat(h.split(4, 1)[::-1], 1)),
    "expand": Part(
        "u = Unsqueeze(h, i1) e = Expand(u, wide) y = ReduceMean <keepdims = 0> (e, i1)",
        lambda h: h[:, None].expand(-1, 2, 8).mean(1),
    ),
    "tile": Part("t = Tile(h, twice) a, b = Split <axis = 1, num_outputs = 2> (t) y = Add(a, b)", lambda h: h + h),
    "where": Part("y = Where(mask, h, shift)", lambda h: torch.where(MASK, h, SHIFT)),
    "compress": Part(
        "a = Compress <axis = 1> (h, mask) b = Slice(h, i0, i2, i1) y = Concat <axis = 1> (a, b)",
        lambda h: torch.cat([h[:, MASK], h[:, :2]], 1),
    ),
    "loop": Part(
        "y = Loop <body = turn (int64 i, bool c, float[n, 8] s) => (bool d, float[n, 8] t) "
        "{ d = Identity(c) m = MatMul(s, p) t = Relu(m) }> (times, , h)", looped,
    ),
    "if": Part(
        "y = If <then_branch = one () => (float[n, 8] o) { o = Relu(h) }, "
        "else_branch = two () => (float[n, 8] r) { r = Neg(h) }> (yes)",
        torch.relu,
    ),
    "scan": Part(
        "q = Reshape(h, cube) g = Gather <axis = 1> (q, i0) f = Squeeze(g, i1) n = Mul(f, nil) "
        "e, o = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1], body = step "
        "(float[n, 4] s, float[n, 4] v) => (float[n, 4] t, float[n, 4] w) { u = Add(s, v) t = Tanh(u) w = Identity(t) }> (n, q) "
        "y = Reshape(o, flat)", lambda h: scanned(h.view(-1, 2, 4)),
    ),
    "sequence": Part(
        "s = SplitToSequence <axis = 1> (h, halves) "
        "m = SequenceMap <body = each (float[n, 4] v) => (float[n, 4] o) { o = Tanh(v) }> (s) "
        "y = ConcatFromSequence <axis = 1> (m)", torch.tanh,
    ),
    "attention": cubic("a = Attention <q_num_heads = 2, kv_num_heads = 2> (q, q, q)", lambda q: attended(q, q, q)),
    "capped attention": cubic(
        "a = Attention <q_num_heads = 1, kv_num_heads = 1, softcap = 5.0> (q, q, q)",
        lambda q: (5 * (q @ q.mT / 2 / 5).tanh()).softmax(-1) @ q,
    ),
    "fused attention": cubic(
        "a = com.microsoft.Attention <num_heads = 2> (q, qkv, offsets)",
        lambda q: attended(*F.linear(q, QKV.T, OFFSETS).split(4, -1))
    ),
    "many heads": cubic("a = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q)", lambda q: attended(q, q, q)),
    "rotary": cubic("u = Unsqueeze(q, i1) a = RotaryEmbedding(u, cos, sin)", turned),
    "sum and norm": cubic(
        "a = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (q, skip, short, short)",
        lambda q: F.layer_norm(q + SKIP, (4,), SHORT, SHORT, 0.001),
    ),
    "root mean square": Part("y = SimplifiedLayerNormalization <axis = -1> (h, scale)",
                             lambda h: F.rms_norm(h, (8,), SCALE, 1e-5)),
    "causal convolution": cubic(
        'a = CausalConvWithState <activation = "silu"> (q, three)', lambda q: F.silu(F.conv1d(F.pad(q, (2, 0)), THREE, groups=2))
    ),
    "scaler": Part("y = ai.onnx.ml.Scaler <offset = [0.5], scale = [2.0]> (h)", lambda h: (h - 0.5) * 2),
    "normalizer": Part('y = ai.onnx.ml.Normalizer <norm = "L2"> (h)', lambda h: h / h.square().sum(1, keepdim=True).sqrt()),
    "vectors": Part(
        'a = ai.onnx.ml.SVMRegressor <kernel_type = "RBF", kernel_params = [0.1, 0.0, 0.0], n_supports = 1, rho = [0.5], '
        f"support_vectors = {[float(value) for value in P[0]]}, coefficients = [2.0]> (h) y = Mul(a, scale)",
        lambda h: ((-0.1 * (h[:, None] - P[:1]).square().sum(-1)).exp() @ torch.tensor([[2.0]]) + 0.5) * SCALE,
    ),
}  # fmt: skip


class Twin(nn.Module):
    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part, self.one, self.two = part, nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.part.function(self.one(x)))


def twin(part: Part) -> Twin:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Twin(part).eval()


def saved(net: Twin, path: Path) -> Path:
    ends = "h = Gemm <transB = 1> (x, one.weight, one.bias)", "z = Gemm <transB = 1> (y, two.weight, two.bias)"
    body = f"{ends[0]} {net.part.text} {ends[1]}".replace("one.", "one_").replace("two.", "two_")
    text = f"<ir_version: 10, opset_import: {DOMAINS}> net (float[N, 6] x) => (float[N, 3] z) {{ {body} }}"
    proto = parser.parse_model(text)
    named = {**CONSTANTS, **{name.replace(".", "_"): value.detach() for name, value in net.state_dict().items()}}
    read = _read(proto.graph)
    proto.graph.initializer.extend(numpy_helper.from_array(value.numpy(), name) for name, value in named.items() if name in read)
    onnx.save(proto, path)
    return path


def _read(graph: Any) -> set[str]:
    inside = (entry.g for node in graph.node for entry in node.attribute)
    return {name for node in graph.node for name in node.input}.union(*map(_read, inside))


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_file_is_explained_as_the_same_in_pytorch(name, tmp_path):
    net = twin(PARTS[name])
    model = pl.load(saved(net, tmp_path / "net.onnx"))
    torch.testing.assert_close(model(X), net(X).detach(), rtol=1e-5, atol=1e-5)
    for method in METHODS:
        ours, theirs = (pl.explain(one, X, target=1, method=method).values for one in (model, net))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, msg=lambda text, method=method: f"{method}: {text}")


@pytest.mark.parametrize("name", [name for name in PARTS if "vectors" not in name])
def test_no_operation_of_such_a_file_is_without_a_rule(name, tmp_path):
    model = pl.load(saved(twin(PARTS[name]), tmp_path / "net.onnx"))
    pl.explain(model, X, target=1, method=replace(pl.lrp.Attention(), strict=True))
