"""Layer norms that a network writes out, step by step, are explained as the built-in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape import record, rewrite

EPS = 1e-3
Norm = Callable[[Tensor], Tensor]


def divided(x: Tensor) -> Tensor:
    d = x - x.mean(-1, keepdim=True)
    return d / (d.pow(2).mean(-1, keepdim=True) + EPS).sqrt()


def multiplied(x: Tensor) -> Tensor:
    d = x - x.mean((-1,), keepdim=True)
    return torch.rsqrt(EPS + (d * d).mean(-1, keepdim=True)) * d


def by_reciprocal(x: Tensor) -> Tensor:
    d = x - x.mean(-1, keepdim=True)
    return d * (d.square().mean(-1, keepdim=True) + EPS).sqrt().reciprocal()


def by_powers(x: Tensor) -> Tensor:
    d = x - x.mean(-1, keepdim=True)
    return d * ((d**2).mean(-1, keepdim=True) + EPS) ** -0.5


def by_variance(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + EPS)


def sample_variance(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True) + EPS)


def over_tokens(x: Tensor) -> Tensor:
    d = x - x.mean(1, keepdim=True)
    return d / (d.pow(2).mean(1, keepdim=True) + EPS).sqrt()


class Reader(nn.Module):
    """A block with its norms last, one of whose sums is read by a norm alone."""

    def __init__(self, norm: Norm | None) -> None:
        super().__init__()
        self.norm, self.qkv, self.wide, self.narrow = norm, nn.Linear(8, 24), nn.Linear(8, 16), nn.Linear(16, 8)
        self.first, self.second, self.head = nn.LayerNorm(8, eps=EPS), nn.LayerNorm(8, eps=EPS), nn.Linear(8, 3)
        rng = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=rng) / parameter.shape[-1] ** 0.5

    def normed(self, x: Tensor, layer: nn.LayerNorm) -> Tensor:
        return layer(x) if self.norm is None else self.norm(x) * layer.weight + layer.bias

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        x = self.normed(x + (q @ k.transpose(-1, -2)).softmax(-1) @ v, self.first)
        x = self.normed(x + self.narrow(self.wide(x).relu()), self.second)
        return self.head(x.mean(1))


def norms(net: nn.Module, x: Tensor) -> int:
    return sum(op.kind == "norm" for op in rewrite(record(net, x)).ops)


@pytest.mark.parametrize("method", ["lrp", "lrp.conserving", "lrp.attention", "lrp.cp"])
@pytest.mark.parametrize("norm", [divided, multiplied, by_reciprocal, by_powers, by_variance])
def test_a_norm_that_is_written_out_is_a_norm(norm: Norm, method: str):
    x = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    nets = [Reader(one).double().eval() for one in (None, norm)]
    assert norms(nets[1], x) == 2
    one, other = (pl.explain(net, x, target=1, method=method, strict=True).values for net in nets)
    assert float((one - other).abs().max() / one.abs().max()) <= 1e-9
    alone = pl.explain(nets[1], x[1:], target=1, method=method, strict=True).values
    assert float((other[1:] - alone).abs().max() / alone.abs().max()) <= 1e-9


@pytest.mark.parametrize("norm", [sample_variance, over_tokens])
def test_what_no_layer_norm_computes_stays_as_it_is_written(norm: Norm):
    x = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    net = Reader(norm).double().eval()
    assert norms(net, x) == 0
    e = pl.explain(net, x, target=1, method="lrp")
    assert (e.ledger.error.abs() <= 1e-9 * e.ledger.volume).all()


def test_a_norm_whose_mean_something_else_reads_stays_as_it_is_written():
    class Leaky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean(-1, keepdim=True)
            d = x - mean
            return (d / (d.pow(2).mean(-1, keepdim=True) + EPS).sqrt() + mean).sum(1)

    x = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert norms(Leaky(), x) == 0


@pytest.mark.filterwarnings("ignore")
def test_a_file_of_an_older_standard_is_explained_as_its_network(tmp_path: Path):
    x, path = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1)), tmp_path / "reader.onnx"
    net = Reader(None).eval()
    torch.onnx.export(net, (x,), path, dynamo=False, opset_version=16)  # which has no operation for a norm
    assert norms(pl.load(path), x) == 2
    one, other = (pl.explain(source, x, target=1, method="lrp").values for source in (net, path))
    assert float((one - other).abs().max() / one.abs().max()) <= 1e-5
