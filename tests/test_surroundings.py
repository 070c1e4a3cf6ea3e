"""What surrounds a call: mixed precision, a default device, wrappers that were never set to eval."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import ModelError

METHODS = ("gradient", "deeplift", "lrp", "lrp.zero", "lrp.epsilon_plus", "lrp.epsilon_gamma_box", "deep_taylor", "occlusion")
X = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        made = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 8),
            nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3),
        )  # fmt: skip
    made[1].running_mean += 0.1
    made[6].running_var *= 2
    return made.eval()


def mixed(net: nn.Module) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            made: Tensor = net(x)
        return made

    return forward


@pytest.mark.parametrize("method", METHODS)
def test_mixed_precision_inside_and_around_gives_the_map_of_full_precision_to_its_own(net: nn.Module, method: str):
    right = pl.explain(net, X, 1, method).values
    inside = pl.explain(mixed(net), X, 1, method).values
    with torch.autocast("cpu", torch.bfloat16):
        around = pl.explain(net, X, 1, method).values
    for found in (inside, around):
        assert float((found - right).abs().max()) < 0.1 * float(right.abs().max())
    assert not torch.equal(around, right)  # the network itself ran in mixed precision


@pytest.mark.parametrize("device", ["meta"])
def test_a_default_device_is_for_the_network_alone(net: nn.Module, device: str):
    for method in ("occlusion", "lrp", pl.perturb.rise(budget=20), pl.perturb.kernel_shap(budget=80)):
        right = pl.explain(net, X, 1, method).values
        with torch.device(device):
            assert torch.equal(pl.explain(net, X, 1, method).values, right)
            assert torch.get_default_device().type == device


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.inner(x) * 2
        return made


class Dropping(Wrapper):
    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = nn.functional.dropout(self.inner(x), 0.5, self.training)
        return made


def test_a_wrapper_that_does_not_ask_need_not_be_set_to_eval(net: nn.Module):
    torch.testing.assert_close(pl.explain(Wrapper(net), X, 1, "lrp.zero").values, 2 * pl.explain(net, X, 1, "lrp.zero").values)
    for inner in (
        Dropping(net),
        Wrapper(Dropping(net)),
        Wrapper(nn.Sequential(net, nn.Dropout())),
        nn.Sequential(nn.BatchNorm2d(3), net),
    ):
        with pytest.raises(ModelError, match="training mode"):
            pl.explain(inner, X, 1, "gradient")


def test_a_leaky_relu_of_random_slope_has_its_mean_slope_in_eval_mode():
    for inplace in (False, True):
        random, plain = (
            nn.Sequential(nn.Flatten(), act) for act in (nn.RReLU(inplace=inplace), nn.LeakyReLU((1 / 8 + 1 / 3) / 2))
        )
        for method in ("gradient", "lrp", "deeplift", "occlusion"):
            found = pl.explain(random.eval(), X, 1, method).values
            torch.testing.assert_close(found, pl.explain(plain.eval(), X, 1, method).values)
