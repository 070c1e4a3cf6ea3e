"""What depends on the input and cannot be followed is told, or refused where nothing is left; masks and places are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import NoRule, TargetError, ThreadLost

Net = Callable[[Tensor], Tensor]
G = torch.Generator().manual_seed(0)
W, V, CODES, TABLE = (torch.randn(n, m, generator=G) for n, m in ((8, 3), (8, 3), (16, 8), (50, 3)))
X = torch.randn(2, 8, generator=G)


def head(x: Tensor) -> Tensor:
    return x @ W


def beside(branch: Net) -> Net:
    """A network of a branch and of one that is followed."""
    return lambda x: head(x) + branch(x)


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return (x * 8).round() / 8

    @staticmethod
    def backward(ctx: object, g: Tensor) -> Tensor:  # type: ignore[override]
        return g


def into_zeros(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 8)
    out.copy_((x * 3).long())
    return out @ V


LOST: dict[str, Net] = {
    "whole numbers": beside(lambda x: (x * 3).long().float() @ V),
    "a table": beside(lambda x: F.embedding((x * 3).abs().long().clamp(max=49), TABLE).mean(1)),
    "bins": beside(lambda x: F.embedding(torch.bucketize(x, torch.linspace(-2, 2, 20)), TABLE).sum(1)),
    "a code book": beside(lambda x: F.embedding(torch.cdist(x, CODES).argmin(1), CODES) @ V),
    "a condition as numbers": beside(lambda x: (x > 0).float() @ V),
    "int8": beside(lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8).dequantize() @ V),
    "a list": beside(lambda x: torch.tensor(x.tolist()) @ V),
    "an array": beside(lambda x: torch.from_numpy(x.numpy() * 2) @ V),
    "a number": lambda x: head(x * float(x.mean())),
    "written to zeros": beside(into_zeros),
    "no derivative": beside(lambda x: torch.special.bessel_j0(x) @ V),
}
STEPS: dict[str, Net] = {
    "floor": beside(lambda x: x.floor() @ V),
    "sign": beside(lambda x: x.sign() @ V),
    "detach": beside(lambda x: x.detach() @ V),
    "data": beside(lambda x: x.data @ V),
    "a Function of its own": beside(lambda x: Round.apply(x) @ V),  # type: ignore[no-untyped-call]
    "a quotient of whole numbers": beside(lambda x: torch.div(x, 0.5, rounding_mode="floor") @ V),
}
FINE: dict[str, Net] = {
    "a mask": lambda x: head(x * (x > 0)) / (x > 0).float().sum(1, keepdim=True).clamp(min=1),
    "an attention mask": lambda x: head((x + (1 - (x.abs() > 0.1).float()) * -1e4).softmax(-1) * x),
    "where": lambda x: head(torch.where(x > 0, x, 0.1 * x)),
    "the largest": lambda x: head(torch.zeros_like(x).scatter(1, x.topk(3)[1], x.topk(3)[0])),
    "an order": lambda x: head(x.gather(1, x.argsort(1))),
    "max pooling": lambda x: head(F.max_pool1d(x[:, None], 3, 1, 1)[:, 0]),
    "a route": lambda x: torch.einsum("bi,bio->bo", x, torch.stack([W, V])[x[:, :2].argmax(1)]),
    "a choice as one of eight": lambda x: head(x * F.one_hot(x.argmax(1), 8)),
    "a signed root": lambda x: head(x.sign() * x.abs().sqrt()),
    "a fraction": lambda x: head(x - x.floor()),
    "a straight-through estimator": lambda x: head(x + ((x * 8).round() / 8 - x).detach()),
    "a test": lambda x: head(x) if bool((x > -9).all()) else head(2 * x),
}
CARRIED = ("gradient", "integrated_gradients", "guided_backprop", "lrp", "deeplift")


def lost(net: Net, method: str) -> list[str]:
    e = pl.explain(net, X, 1, method, verify=False)  # which would measure that it is missing
    return [warning for warning in e.warnings() if "missing from the map" in warning]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("name", LOST)
def test_a_lost_branch_is_told_by_every_method_that_carries_something_back(name: str) -> None:
    for method in CARRIED:
        assert lost(LOST[name], method), method
        with pytest.raises(NoRule, match="strict=True"):
            pl.explain(LOST[name], X, 1, method, strict=True, verify=False)
    assert not pl.explain(LOST[name], X, 1, "occlusion").doubts


@pytest.mark.parametrize("name", STEPS)
def test_where_slopes_end_and_relevance_goes_on_only_gradients_are_doubted(name: str) -> None:
    assert [bool(lost(STEPS[name], method)) for method in CARRIED] == [True, True, True, False, False]


@pytest.mark.parametrize("name", FINE)
def test_masks_places_and_factors_raise_no_alarm(name: str) -> None:
    methods = ("gradient", "lrp", "deeplift")
    assert not any(lost(FINE[name], method) for method in methods)


@pytest.mark.parametrize(
    "net",
    [lambda x: head(x.detach()), lambda x: head(Round.apply(x)), lambda x: head(torch.heaviside(x, torch.ones(1)))],
    ids=["detach", "a step", "no derivative"],
)
def test_where_no_way_is_left_there_is_an_error_and_no_map_of_zeros(net: Net) -> None:
    for method in ("gradient", "gradient_x_input", "sensitivity", "integrated_gradients", "smoothgrad", "guided_backprop"):
        with pytest.raises(ThreadLost, match="no way with a derivative"):
            pl.explain(net, X, 1, method)
    assert pl.explain(net, X, 1, "occlusion").values.abs().sum() > 0


def test_a_score_of_steps_is_refused() -> None:
    with pytest.raises(TargetError, match="zero"):
        pl.explain(head, X, lambda y: y[:, 1].round(), "gradient")


def test_warnings_reach_the_caption() -> None:
    caption = pl.explain(LOST["whole numbers"], X, 1, "gradient").caption()
    assert "A branch was lost at _to_copy" in caption


# -- int8 -----------------------------------------------------------------------------------------------------------------------


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net, self.skip = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3)), nn.Parameter(torch.randn(8, 3) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) + x @ self.skip  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16])
def test_dynamically_quantised_layers_are_explained_as_the_float_layers_they_stand_for(dtype: torch.dtype) -> None:
    net = Two().eval()
    whole = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=dtype)  # its layers are in training mode
    for method in ("gradient", "integrated_gradients", "lrp", "lrp.zero", "lrp.epsilon_plus", "deeplift"):
        e, truth = pl.explain(whole, X, 1, method), pl.explain(net, X, 1, method)
        assert torch.corrcoef(torch.stack([e.values.flatten(), truth.values.flatten()]))[0, 1] > 0.95, method
        assert any("int8" in note for note in e.notes)
        if e.ledger is not None:
            assert bool((e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all())


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_lstm_is_refused() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0][:, -1]  # type: ignore[no-any-return]

    net = torch.ao.quantization.quantize_dynamic(Net().eval(), {nn.LSTM})
    for method in ("gradient", "lrp", "deeplift"):
        with pytest.raises(ThreadLost, match="quantized_lstm in lstm"):
            pl.explain(net, torch.randn(2, 5, 8, generator=G), 1, method)
