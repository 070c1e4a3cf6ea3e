"""Gradients by the tape are those of torch.autograd, on every network and for every kind of operation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.target import as_target
from tests.cases import CASE, Case, contained, difference, each_case

BOUND = {torch.float32: 1e-6, torch.float64: 1e-10}
each_dtype = pytest.mark.parametrize("dtype", BOUND, ids=["float32", "float64"])


def autograd(net: Callable[[Tensor], Tensor], x: Tensor, target: object = 1) -> Tensor:
    x = x.clone().requires_grad_()
    out = net(x)
    out = out["out"] if isinstance(out, dict) else out
    (grad,) = torch.autograd.grad(as_target(target).read(lambda at: out).sum(), x)
    return grad


@each_dtype
@pytest.mark.parametrize("inplace", [False, True], ids=["out of place", "in place"])
@each_case
def test_the_gradient_is_autograds(case: Case, inplace: bool, dtype: torch.dtype):
    expected = autograd(case.net(dtype), case.inputs(dtype), case.target)
    found = pl.explain(case.net(dtype, inplace=inplace), case.inputs(dtype), target=case.target, method="gradient").values
    assert difference(found, expected) <= BOUND[dtype]


@each_dtype
@pytest.mark.parametrize("container", ["scripted", "traced", "exported"])
@each_case
def test_the_gradient_of_a_packed_program_is_autograds(case: Case, container: str, dtype: torch.dtype):
    expected = autograd(case.net(dtype), case.inputs(dtype), case.target)
    found = pl.explain(contained(container, case, dtype), case.inputs(dtype), target=case.target, method="gradient").values
    assert difference(found, expected) <= BOUND[dtype]


@each_case
def test_the_other_gradient_methods_are_made_of_it(case: Case):
    x = case.inputs(torch.float64)
    gradient, saliency, sensitivity, product = (
        pl.explain(case.net(torch.float64), x, target=case.target, method=method).values
        for method in ("gradient", "saliency", "sensitivity", "gradient_x_input")
    )
    assert torch.equal(saliency, gradient.abs())
    assert torch.equal(sensitivity, gradient.square())
    assert torch.equal(product, gradient * x)


def test_gradient_times_input_of_a_network_of_relus_without_biases_is_lrp_zero_and_sums_to_the_score():
    torch.manual_seed(0)
    net = (
        nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=False),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 6, 3, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(54, 5, bias=False),
        )
        .double()
        .eval()
    )
    x = torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    product, zero = (pl.explain(net, x, target=1, method=method) for method in ("gradient_x_input", "lrp.zero"))
    assert torch.allclose(product.values, zero.values, rtol=1e-6, atol=1e-12)
    assert torch.allclose(product.values.flatten(1).sum(1), product.output)


W = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
POSITIVE = W.abs() + 0.5
K = torch.randn(4, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
GRID = torch.rand(2, 5, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 2 - 1

# What stands here is meant to be any operation a model may use, known to relevance or not. x is (2, 6), pictures are (2, 3, 6,
# 6).
VECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "exp": torch.exp,
    "log": lambda x: x.abs().log(),
    "sqrt": lambda x: x.abs().sqrt(),
    "square": torch.square,
    "pow": lambda x: x.abs() ** 1.5,
    "pow of a constant": lambda x: 2.0**x,
    "pow of both": lambda x: x.abs() ** x.sigmoid(),
    "sin": torch.sin,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "atan2": lambda x: torch.atan2(x, x.flip(1)),
    "hypot": lambda x: torch.hypot(x, x.flip(1)),
    "gelu": F.gelu,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "hardtanh": F.hardtanh,
    "relu6": F.relu6,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "leaky relu": F.leaky_relu,
    "prelu": lambda x: F.prelu(x, W[0, :1]),
    "logsigmoid": F.logsigmoid,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "tanhshrink": F.tanhshrink,
    "threshold": lambda x: F.threshold(x, 0.1, 0.2),
    "glu": lambda x: F.glu(x, 1).repeat(1, 2),
    "softmax": lambda x: x.softmax(1),
    "log softmax": lambda x: x.log_softmax(1),
    "softmin": lambda x: F.softmin(x, 1),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "clamp by tensors": lambda x: torch.clamp(x, -POSITIVE[0], POSITIVE[0]),
    "maximum": lambda x: torch.maximum(x, x.flip(1)),
    "minimum with a constant": lambda x: torch.minimum(x, W[:1]),
    "where": lambda x: torch.where(x > 0, x, x.square()),
    "linear": lambda x: F.linear(x, W, W[0]),
    "matmul from the left": lambda x: (W @ x.t()).t(),
    "addmm": lambda x: torch.addmm(x, x, W, beta=0.5, alpha=2),
    "baddbmm": lambda x: torch.baddbmm(x[:, None], x[:, None], W.expand(2, 6, 6)),
    "addmv": lambda x: torch.addmv(x.sum(1), x, W[0])[:, None],
    "einsum": lambda x: torch.einsum("bi,ij,bj->bi", x, W, x),
    "bilinear": lambda x: F.bilinear(x, x.flip(1), W[None].expand(3, 6, 6)),
    "outer": lambda x: (x[:, :, None] * x[:, None]).flatten(1),
    "cross": lambda x: torch.cross(x[:, :3], x[:, 3:], dim=1),
    "product": lambda x: x * x.flip(1),
    "division": lambda x: x / (1 + x.flip(1).square()),
    "reciprocal": lambda x: 1 / (2 + x.square()),
    "remainder": lambda x: torch.remainder(x, 0.7),
    "same twice": lambda x: x + x,
    "same squared": lambda x: x * x,
    "neg": lambda x: -x,
    "rsub": lambda x: 1 - x,
    "add with alpha": lambda x: torch.add(x, x.flip(1), alpha=-0.5),
    "lerp": lambda x: torch.lerp(x, x.flip(1), 0.3),
    "addcmul": lambda x: torch.addcmul(x, x, x.flip(1), value=0.3),
    "addcdiv": lambda x: torch.addcdiv(x, x, POSITIVE[:2], value=0.3),
    "mean": lambda x: x.mean(1, keepdim=True),
    "sum": lambda x: x.sum(1),
    "prod": lambda x: x.prod(1),
    "cumsum": lambda x: x.cumsum(1),
    "cumprod": lambda x: x.cumprod(1),
    "logsumexp": lambda x: x.logsumexp(1),
    "var": lambda x: x.var(1),
    "std": lambda x: x.std(1),
    "norm": lambda x: x.norm(dim=1),
    "normalize": lambda x: F.normalize(x, dim=1),
    "cosine": lambda x: F.cosine_similarity(x, W[:2], dim=1),
    "max": lambda x: x.max(1).values,
    "amax": lambda x: x.amax(1),
    "median": lambda x: x.median(1).values,
    "topk": lambda x: x.topk(3, 1).values,
    "sort": lambda x: x.sort(1).values,
    "kthvalue": lambda x: x.kthvalue(2, 1).values,
    "cdist": lambda x: torch.cdist(x, W),
    "gather": lambda x: x.gather(1, torch.tensor([[0, 0], [5, 2]])),
    "index select": lambda x: x.index_select(1, torch.tensor([3, 3, 0])),
    "index": lambda x: x[:, [1, 1, 4]],
    "boolean index": lambda x: x.flatten()[torch.arange(12) % 2 == 0].view(2, 3),
    "take": lambda x: x.take(torch.tensor([[0], [7]])),
    "masked fill": lambda x: x.masked_fill(x > 0, 0.5),
    "scatter": lambda x: torch.zeros(2, 9, dtype=x.dtype).scatter(1, torch.tensor([[8, 1], [2, 3]]), x[:, :2]),
    "scatter add": lambda x: torch.ones(2, 3, dtype=x.dtype).scatter_add(1, torch.tensor([[0, 0, 1, 2, 2, 2]] * 2), x),
    "index add": lambda x: torch.zeros(2, 3, dtype=x.dtype).index_add(1, torch.tensor([0, 0, 1, 2, 2, 2]), x),
    "tril": lambda x: (x[:, :, None] * W).tril(),
    "diagonal": lambda x: (x[:, :, None] * W).diagonal(dim1=1, dim2=2),
    "diag embed": lambda x: torch.diag_embed(x),
    "roll": lambda x: x.roll(2, 1),
    "flip": lambda x: x.flip(1),
    "repeat": lambda x: x.repeat(1, 2),
    "repeat interleave": lambda x: x.repeat_interleave(2, 1),
    "cat": lambda x: torch.cat([x, W[:2], x.relu()], 1),
    "stack": lambda x: torch.stack([x, x.flip(1)], 2),
    "unfold": lambda x: x.unfold(1, 3, 2),
    "chunk": lambda x: x.chunk(4, 1)[1],
    "expand": lambda x: x[:, None].expand(-1, 4, -1),
    "movedim": lambda x: (x[:, :, None] * W).movedim(1, 2),
    "layer norm": lambda x: F.layer_norm(x, (6,), W[0], W[1]),
    "rms norm": lambda x: F.rms_norm(x, (6,), W[0]),
    "inverse": lambda x: torch.linalg.solve(torch.eye(6, dtype=x.dtype) * 9 + x[:, :, None] * W, x),
    "det": lambda x: torch.det(torch.eye(6, dtype=x.dtype) + x[:, :, None] * W),
    "searchsorted weights": lambda x: x * torch.searchsorted(W[0].sort().values, x.detach()),
    "bucketed embedding": lambda x: x * F.embedding((x > 0).long(), W)[..., 0],
    "half way in single": lambda x: x.float().double() * 1,
    "checkpoint": lambda x: torch.utils.checkpoint.checkpoint(torch.tanh, x, use_reentrant=False),
    "nan to num": lambda x: torch.nan_to_num(x.log()),
    "special": lambda x: torch.special.i0(x),
    "copysign": lambda x: torch.copysign(x, W[:2]),
    "logit": lambda x: torch.logit(x.sigmoid() * 0.9),
    "xlogy": lambda x: torch.xlogy(x, POSITIVE[:2]),
    "vmap": lambda x: torch.vmap(lambda row: row * row.sum())(x),
    "detached scale": lambda x: x / x.detach().abs().sum(),
}
PICTURES: dict[str, Callable[[Tensor], Tensor]] = {
    "conv": lambda x: F.conv2d(x, K),
    "conv, same": lambda x: F.conv2d(x, K, padding="same"),
    "conv, reflected": lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), K),
    "conv, stride, dilation": lambda x: F.conv2d(x, K, W[0, :4], stride=2, dilation=2, padding=2),
    "conv, circular": lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), K),
    "conv, groups": lambda x: F.conv2d(x, K[:3, :1], groups=3),
    "transposed": lambda x: F.conv_transpose2d(x, K.transpose(0, 1), stride=2, padding=1, output_padding=1),
    "conv with weights from the input": lambda x: F.conv2d(x[:1], x[:1].mean((2, 3))[0, :, None, None, None] * K[:3]).expand(
        2, -1, -1, -1
    ),
    "weight normalised": lambda x: F.conv2d(x, K / K.flatten(1).norm(dim=1)[:, None, None, None]),
    "unfold": lambda x: F.unfold(x, 3),
    "fold": lambda x: F.fold(F.unfold(x, 2), (6, 6), 2),
    "max pool": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max pool, ceil": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "max pool with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "unpool": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    "average pool": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "lp pool": lambda x: F.lp_pool2d(x.abs(), 2, 2),
    "average pool, uncounted": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "adaptive average": lambda x: F.adaptive_avg_pool2d(x, (4, 5)),
    "adaptive max": lambda x: F.adaptive_max_pool2d(x, (4, 5)),
    "bilinear": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, (9, 4), mode="bicubic"),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "nearest exact": lambda x: F.interpolate(x, (7, 7), mode="nearest-exact"),
    "area": lambda x: F.interpolate(x, (3, 2), mode="area"),
    "antialiased": lambda x: F.interpolate(x, (3, 3), mode="bilinear", antialias=True),
    "grid sample": lambda x: F.grid_sample(x, GRID, align_corners=False),
    "affine grid": lambda x: F.grid_sample(
        x, F.affine_grid(x.mean((1, 2, 3))[:, None, None] * W[:2, :3], (2, 3, 4, 4), align_corners=False), align_corners=False
    ),
    "pixel shuffle": lambda x: F.pixel_shuffle(F.conv2d(x, K), 2),
    "pixel unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "channel shuffle": lambda x: F.channel_shuffle(torch.cat([x, x], 1), 3),
    "replicated": lambda x: F.pad(x, (1, 2, 0, 1), mode="replicate"),
    "cropped": lambda x: F.pad(x, (-1, -1, 0, 2), value=0.5),
    "rotated": lambda x: torch.rot90(x, 1, (2, 3)),
    "batch norm": lambda x: F.batch_norm(x, W[0, :3], POSITIVE[0, :3], W[1, :3], W[2, :3]),
    "batch norm without affine": lambda x: F.batch_norm(x, W[0, :3], POSITIVE[0, :3]),
    "instance norm": lambda x: F.instance_norm(x, weight=W[0, :3], bias=W[1, :3]),
    "group norm": lambda x: F.group_norm(x, 3, W[0, :3], W[1, :3]),
    "response norm": lambda x: F.local_response_norm(x, 2),
    "channel layer norm": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (3,), W[0, :3]).permute(0, 3, 1, 2),
    "spatial softmax": lambda x: x.flatten(2).softmax(2),
    "attention": lambda x: F.scaled_dot_product_attention(x.flatten(2), x.flatten(2).flip(2), x.flatten(2)),
    "causal attention": lambda x: F.scaled_dot_product_attention(x[0], x[1], x[0], is_causal=True)[None].expand(2, -1, -1, -1),
    "multi-head attention": lambda x: F.multi_head_attention_forward(
        x[:, 0], x[:, 1], x[:, 2], 6, 2, torch.cat([W, W + 1, W - 1]), None, None, None, False, 0.0, W, None, training=False
    )[0],
    "gram matrix": lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
    "squeeze and excite": lambda x: x * F.conv2d(x.mean((2, 3), keepdim=True), K[:3, :, :1, :1]).sigmoid(),
    "huber of itself": lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none"),
}


def check(function: Callable[[Tensor], Tensor], x: Tensor) -> None:
    weights = torch.randn(10_000, dtype=torch.float64, generator=torch.Generator().manual_seed(9))

    def weighed(x: Tensor) -> Tensor:
        out = function(x * 1).flatten(1) if function(x).dim() > 1 else function(x * 1)[:, None]
        return (out * weights[: out.shape[1]]).sum(1)

    y = x.clone().requires_grad_()
    slopes = [torch.autograd.grad(score, y, retain_graph=True, allow_unused=True)[0] for score in weighed(y)]
    expected = None if slopes[0] is None else torch.stack([slope[n] for n, slope in enumerate(slopes)])  # by its own row alone
    found = pl.explain(
        lambda x: function(x * 1),
        x,
        target=lambda out: (out.reshape(len(out), -1) * weights[: out[0].numel()]).sum(1),
        method="gradient",
    ).values
    assert difference(found, torch.zeros_like(x) if expected is None else expected) <= 1e-10


@pytest.mark.parametrize("name", VECTORS)
def test_the_gradient_of_an_operation_on_vectors_is_autograds(name: str, rng: torch.Generator):
    check(VECTORS[name], torch.randn(2, 6, dtype=torch.float64, generator=rng))


@pytest.mark.parametrize("name", PICTURES)
def test_the_gradient_of_an_operation_on_pictures_is_autograds(name: str, rng: torch.Generator):
    check(PICTURES[name], torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=rng))


RECURRENT = {
    "lstm": lambda: nn.LSTM(6, 4, batch_first=True),
    "two layers, both ways": lambda: nn.LSTM(6, 4, 2, batch_first=True, bidirectional=True),
    "projected": lambda: nn.LSTM(6, 4, proj_size=2, batch_first=True),
    "gru": lambda: nn.GRU(6, 4, batch_first=True),
    "gru, time first": lambda: nn.GRU(6, 4),
    "rnn": lambda: nn.RNN(6, 4, batch_first=True),
    "rnn of relus": lambda: nn.RNN(6, 4, nonlinearity="relu", batch_first=True),
    "without biases": lambda: nn.LSTM(6, 4, bias=False, batch_first=True),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@each_dtype
@pytest.mark.parametrize("name", RECURRENT)
def test_the_gradient_of_recurrent_networks_is_autograds(name: str, dtype: torch.dtype):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = RECURRENT[name]()

        def forward(self, x: Tensor) -> Tensor:
            x = x if self.cell.batch_first else x.transpose(0, 1)
            y = self.cell(x)[0]
            return (y if self.cell.batch_first else y.transpose(0, 1)).flatten(1)

    torch.manual_seed(0)
    net = Net().to(dtype).eval()
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(1)).to(dtype)
    assert difference(pl.explain(net, x, target=1, method="gradient").values, autograd(net, x)) <= BOUND[dtype]


@each_dtype
@pytest.mark.parametrize("name", ["encoder", "multi-head attention, time first", "decoder"])
def test_the_gradient_of_transformers_is_autograds(name: str, dtype: torch.dtype):
    torch.manual_seed(0)
    layer = (
        {
            "encoder": lambda: nn.TransformerEncoder(
                nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
            ),
            "multi-head attention, time first": lambda: nn.TransformerEncoderLayer(8, 2, 16, norm_first=True),
            "decoder": lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, activation="gelu"),
        }[name]()
        .to(dtype)
        .eval()
    )

    def net(x: Tensor) -> Tensor:
        if name == "decoder":
            return layer(x, x.flip(1), tgt_mask=nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=dtype)).flatten(
                1
            )
        return layer(x).flatten(1) if name == "encoder" else layer(x.transpose(0, 1)).transpose(0, 1).flatten(1)

    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    assert difference(pl.explain(net, x, target=1, method="gradient").values, autograd(net, x)) <= BOUND[dtype]


@pytest.mark.parametrize("at", ["blocks.0", "stem", "blocks.1.second"])
def test_the_gradient_at_a_layer_is_autograds(at: str):
    case = CASE["residual"]
    net, x, kept = case.net(torch.float64), case.inputs(torch.float64), {}
    handle = net.get_submodule(at).register_forward_hook(lambda module, args, out: kept.update(out=out.requires_grad_()))
    out = net(x)
    handle.remove()
    (expected,) = torch.autograd.grad(out[:, 1].sum(), kept["out"])
    assert difference(pl.explain(net, x, target=1, method="gradient", at=at).values, expected) <= 1e-10


def test_a_gradient_that_vanishes_is_zero_and_says_nothing_else():
    e = pl.explain(lambda x: (x - 100).relu() @ W, torch.ones(2, 6, dtype=torch.float64), target=1, method="gradient")
    assert not e.values.any() and e.values.isfinite().all()
