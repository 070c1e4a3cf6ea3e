"""Gradients do not depend on how values lie in memory, also where PyTorch's own do."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape.recording.record import record
from pellucid.tape.walk import chain_rule, walk


class Headed(nn.Module):
    """A norm of pictures, and what reads its channels last."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm, self.layer, self.head = norm, nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8)), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.layer(self.norm(x).permute(0, 2, 3, 1)).relu().mean((1, 2)))
        return made


NORMS = {
    "instance": lambda: nn.InstanceNorm2d(8, affine=True), "group": lambda: nn.GroupNorm(8, 8),
    "layer": lambda: nn.GroupNorm(1, 8), "local": lambda: nn.LocalResponseNorm(3),
    "batch": lambda: nn.BatchNorm2d(8, track_running_stats=False),
}  # fmt: skip


@pytest.mark.parametrize("norm", NORMS)
def test_one_picture_behind_a_norm_gets_the_gradient_that_differences_give(norm: str):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net, x = Headed(NORMS[norm]()).eval(), torch.randn(1, 8, 16, 16)
    found, twin, step = pl.explain(net, x, 0, "gradient").values, copy.deepcopy(net).double(), 1e-6
    for seed in range(3):
        way = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        right = (twin(x + step * way) - twin(x - step * way))[0, 0] / (2 * step)
        torch.testing.assert_close((found * way).sum(), right.detach(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 8, 2048])
def test_a_stride_of_an_axis_of_length_one_says_nothing(stride: int):
    rng = torch.Generator().manual_seed(0)
    x, g = (torch.randn(1, 8, 16, 16, generator=rng) for _ in range(2))
    tape = record(lambda z: F.batch_norm(z, None, None, training=True), x)
    x64 = x.double().requires_grad_()
    F.batch_norm(x64, None, None, training=True).backward(g.double())
    odd = g.permute(0, 2, 3, 1).contiguous().as_strided(g.shape, (stride, 1, 128, 8))
    assert torch.equal(odd, g)
    arrived = walk(tape, {tape.output.id: odd}, chain_rule, ends=tape.inputs)
    torch.testing.assert_close(arrived[tape.inputs[0]], x64.grad.float(), rtol=1e-4, atol=1e-5)


def split(x: Tensor) -> Tensor:
    return x.view(len(x), -1, 2, 4).transpose(1, 2)


def attended(_: nn.Module, x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(split(x), split(x), split(x)).transpose(1, 2)


FUSED = {
    "attention": (nn.Identity(), attended),
    "heads": (nn.MultiheadAttention(8, 2, batch_first=True), lambda heads, x: heads(x, x, x)[0]),
    "encoder layer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), lambda layer, x: layer(x)),
    "encoder layer on a transposed map": (
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True),
        lambda layer, x: layer(x.transpose(1, 2).contiguous().transpose(1, 2)),
    ),
}


class Viewed(nn.Module):
    """Writes into a view of what a fused layer returned, which only works in the order in which the layer returns it."""

    def __init__(self, layer: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], head: nn.Module) -> None:
        super().__init__()
        self.layer, self.run, self.head = layer, run, head

    def forward(self, x: Tensor) -> Tensor:
        y = self.run(self.layer, x) * 1
        y.view(x.shape[0], -1)[:, 0] += y.view(x.shape[0], -1)[:, -1]
        made: Tensor = self.head(y.flatten(1))
        return made


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.parametrize("name", FUSED)
def test_what_fused_layers_return_can_be_viewed_as_in_a_plain_call(name: str, scripted: bool) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net, x = Viewed(*FUSED[name], nn.Linear(24, 3)).eval().requires_grad_(False), torch.randn(2, 3, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = torch.jit.trace(net, x) if scripted else net
    leaf = x.double().requires_grad_()
    slow = copy.deepcopy(net).double()
    slow.head(written(slow.run(slow.layer, leaf)))[:, 0].sum().backward()
    torch.testing.assert_close(pl.explain(run, x, 0, "gradient").values, leaf.grad.float(), rtol=1e-4, atol=1e-5)


def written(y: Tensor) -> Tensor:
    """The same as `Viewed` writes, without a view."""
    flat = y.reshape(len(y), -1)
    return torch.cat([flat[:, :1] + flat[:, -1:], flat[:, 1:]], 1)
