"""A ReLU is one, however it is spelled: every method that treats ReLUs in a way of its own finds it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape.recording.record import record

METHODS = ("guided_backprop", "deconvnet", "deep_taylor", "lrp", "deeplift")
Function = Callable[[Tensor], Tensor]


def zeroed(t: Tensor) -> Tensor:
    t = t.clone()
    t[t < 0] = 0
    return t


RELUS: dict[str, Function] = {
    "clamp": lambda t: t.clamp(min=0), "cap": lambda t: t.clamp(0, 1e9), "threshold": lambda t: F.threshold(t, 0, 0),
    "maximum": lambda t: torch.maximum(torch.zeros_like(t), t), "fmax": lambda t: torch.fmax(t, torch.zeros(())),
    "where": lambda t: torch.where(t > 0, t, 0.0), "where not": lambda t: torch.where(t <= 0, torch.zeros_like(t), t),
    "mask": lambda t: t * (t > 0), "mask of a copy": lambda t: (t.detach() >= 0).type_as(t) * t,
    "masked_fill": lambda t: t.masked_fill(t < 0, 0.0), "filled": lambda t: t.masked_fill(~(t > 0), 0), "zeroed": zeroed,
    "half": lambda t: (t + t.abs()) / 2, "times half": lambda t: 0.5 * (t.abs() + t), "in place": lambda t: t.clone().mul_(t > 0),
}  # fmt: skip
LEAKY: dict[str, Function] = {
    "where": lambda t: torch.where(t > 0, t, 0.1 * t), "maximum": lambda t: torch.maximum(t, 0.1 * t),
    "divided": lambda t: torch.where(t < 0, t / 10, t),
}  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Callable[[Function], Function]:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        first, second, head = nn.Conv2d(2, 3, 2), nn.Conv2d(3, 3, 2), nn.Linear(3, 3)
    return lambda relu: lambda x: head(F.max_pool2d(relu(second(relu(first(x)))), 2).mean((2, 3)))


X = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", METHODS)
def test_a_relu_spelled_otherwise_is_explained_as_one(network: Callable[[Function], Function], method: str):
    for spellings, plain in ((RELUS, torch.relu), (LEAKY, lambda t: F.leaky_relu(t, 0.1))):
        right = pl.explain(network(plain), X, 1, method, verify=False).values
        for name, spelled in spellings.items():
            found = pl.explain(network(spelled), X, 1, method, verify=False).values
            torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


NO_RELUS: dict[str, Function] = {
    "a mask of padding": lambda t: t.relu().masked_fill(torch.zeros(t.shape, dtype=torch.bool), 0.0),
    "another's sign": lambda t: torch.where(t.flip(-1) > 0, t, 0.0),
    "what is small": lambda t: torch.where(t > 0.5, t, 0.0),
    "a kink upwards": lambda t: torch.where(t > 0, 0.0, t),
    "the absolute value": lambda t: torch.where(t > 0, t, -t) + t.abs(),
    "a third": lambda t: (t + t.abs()) / 3,
    "not below another": lambda t: torch.maximum(t, torch.ones_like(t)),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_RELUS)
def test_what_only_looks_like_a_relu_is_none(name: str):
    tape = record(lambda x: NO_RELUS[name](x * 1.0).sum((1, 2, 3), keepdim=True).flatten(1), X)
    assert sum(op.name in ("relu", "leaky_relu") for op in tape.ops) == (name == "a mask of padding")


def test_a_choice_that_may_be_a_relu_is_doubted(network: Callable[[Function], Function]):
    e = pl.explain(network(lambda t: torch.where(t > 1e-3, t, 0.0)), X, 1, "guided_backprop")
    assert any("if that is a ReLU" in sentence for sentence in e.warnings())
    assert not pl.explain(network(torch.relu), X, 1, "guided_backprop").warnings()


@pytest.mark.parametrize("written", [lambda v: v * torch.sigmoid(v), lambda v: v * torch.nn.functional.relu6(v + 3) / 6])
def test_an_activation_written_by_hand_after_a_norm_leaves_the_norm_its_rule(written):
    kinds = {True: torch.nn.functional.silu, False: torch.nn.functional.hardswish}
    native = kinds[torch.equal(written(torch.ones(1)), torch.nn.functional.silu(torch.ones(1)))]
    g = torch.Generator().manual_seed(4)
    conv, norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4).eval()
    for tensor in (*conv.parameters(), norm.running_mean):
        tensor.data.copy_(torch.randn(tensor.shape, generator=g))
    x = torch.randn(2, 3, 6, 6, generator=g)

    def network(activation):
        def forward(v):
            z = conv(v)
            return (activation(norm(z)) + z.tanh()).mean((2, 3))  # z is read twice, so that the norm is not folded into the layer

        return forward

    for method in ("lrp", "lrp.epsilon", "lrp.zero"):
        ours, theirs = (pl.explain(network(one), x, 1, method).values for one in (written, native))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
