"""Gradients do not depend on how values lie in memory, also where PyTorch's own do."""

from __future__ import annotations

import copy

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
