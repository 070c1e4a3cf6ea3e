"""Networks that torch.ao quantised: explained where their operations can be followed, and refused in words where not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.ao import quantization

import pellucid as pl
from pellucid.errors import ModelError, ThreadLost

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.first, self.act, self.last = quantization.QuantStub(), nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Linear(8, 3)
        self.leave = quantization.DeQuantStub()

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(self.last(self.act(self.first(self.enter(x))).mean((2, 3))))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def trained(net: nn.Module, x: Tensor) -> nn.Module:
    """In the middle of training for whole numbers."""
    net = copy.deepcopy(net).train()
    net.qconfig = quantization.get_default_qat_qconfig("x86")
    quantization.prepare_qat(net, inplace=True)
    net(x)
    return net.eval()


def likeness(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon_plus", "occlusion"])
def test_a_network_in_training_for_whole_numbers_is_explained_once_its_observers_are_off(net, x, method):
    whole = trained(net, x).apply(quantization.disable_observer)
    before = copy.deepcopy(whole.state_dict())
    e = pl.explain(whole, x, target=1, method=method)
    assert torch.allclose(e.output, whole(x)[:, 1])
    assert likeness(e.values, pl.explain(net, x, target=1, method=method).values) > 0.95
    assert all(torch.equal(before[key], value) for key, value in whole.state_dict().items())


def test_observers_that_are_on_are_named_with_what_to_call(net, x):
    with pytest.raises(ModelError, match=r"observers that are switched on.*disable_observer"):
        pl.explain(trained(net, x), x, target=1, method="lrp")


def test_a_network_converted_to_whole_numbers_is_refused_where_the_thread_ends_and_occlusion_answers(net, x):
    engine, whole = torch.backends.quantized.engine, copy.deepcopy(net)
    torch.backends.quantized.engine = "fbgemm"
    try:
        whole.qconfig = quantization.get_default_qconfig("fbgemm")
        quantization.prepare(whole, inplace=True)
        whole(x)
        quantization.convert(whole, inplace=True)
        with pytest.raises(ThreadLost, match=r"quantize_per_tensor in enter.*occlusion"):
            pl.explain(whole, x, target=1, method="lrp")
        e = pl.explain(whole, x, target=1, method="occlusion")
        assert torch.allclose(e.output, whole(x)[:, 1])
    finally:
        torch.backends.quantized.engine = engine
