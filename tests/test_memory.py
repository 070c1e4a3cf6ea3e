"""Networks that keep something from call to call: every call of an explanation starts from what they held before it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl


class Listener(nn.Module):
    """A recurrent network that hears a stream, a piece each call."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 8), nn.Linear(8, 2)
        self.h = torch.zeros(1, 8)

    def forward(self, x: Tensor) -> Tensor:
        self.h = self.cell(x, self.h)
        return self.head(self.h)


class InMethod(Listener):
    """The same, which writes what it keeps in a method of its own, and under a name that is new."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.heard(x))

    def heard(self, x: Tensor) -> Tensor:
        self.last = self.h = self.cell(x, self.h)
        return self.last


class Buffered(Listener):
    """The same with a buffer."""

    def __init__(self) -> None:
        super().__init__()
        del self.h
        self.register_buffer("h", torch.zeros(1, 8))


def listener(kind: str) -> nn.Module:
    torch.manual_seed(0)
    made = {"method": InMethod, "buffer": Buffered}.get(kind, Listener)().eval()
    with torch.no_grad():
        made(torch.ones(1, 4))  # it has heard something
    return torch.jit.script(made) if kind == "scripted" else made


@pytest.mark.parametrize("kind", ["attribute", "method", "buffer", "scripted"])
@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon", "gradient_x_input", "integrated_gradients", "occlusion"])
def test_what_a_network_remembers_is_the_same_for_every_call_and_after_all(kind, method):
    net, x = listener(kind), torch.randn(1, 4, generator=torch.Generator().manual_seed(1))
    held = net.h
    before, last = held.clone(), getattr(net, "last", None)
    e = pl.explain(net, x, 1, method=method)
    assert torch.equal(net.h, before) and (kind == "scripted" or net.h is held) and getattr(net, "last", None) is last
    torch.testing.assert_close(e.output, net.head(net.cell(x, before))[:, 1].detach())
    assert "from one call to the next" in e.caption()
    alone = pl.explain(lambda y: net.head(net.cell(y, before.expand(len(y), -1))), x, 1, method=method)
    torch.testing.assert_close(e.values, alone.values, atol=1e-6, rtol=1e-5)


def test_what_is_counted_and_used_is_put_back():
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(4, 2), 1

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.layer(x) * self.calls

    net, x = Counts().eval(), torch.ones(1, 4)
    e = pl.explain(net, x, method="occlusion")
    assert net.calls == 1
    assert torch.equal(e.output, (net.layer(x) * 2).amax(1).detach())


def test_calls_that_are_only_counted_are_no_memory():
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(4, 2), 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.layer(x)

    net = Counted().eval()
    e = pl.explain(net, torch.ones(1, 4), method="occlusion")
    assert net.calls > 1
    assert "from one call to the next" not in e.caption()


@pytest.mark.parametrize("kind", ["attribute", "scripted"])
def test_remembering_is_no_false_alarm(kind):
    assert pl.verify(listener(kind), torch.randn(1, 4, generator=torch.Generator().manual_seed(1))).holds


def test_what_is_only_put_aside_is_no_memory():
    class Shows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.shown = nn.Linear(4, 2), None

        def forward(self, x: Tensor) -> Tensor:
            y = self.layer(x)
            self.shown = y.relu()
            return y

    net = Shows().eval()
    e = pl.explain(net, torch.ones(1, 4), method="occlusion")
    assert net.shown is None and "from one call" not in e.caption() and "one at a time" not in e.caption()


def test_networks_that_keep_nothing_are_left_as_they_are():
    e = pl.explain(nn.Sequential(nn.Linear(4, 2)).eval(), torch.ones(1, 4))
    assert "from one call to the next" not in e.caption()
