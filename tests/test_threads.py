"""Threads: explanations beside other work change neither its kernels nor its random numbers, and are what they are alone."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.backends import cuda, mha

import pellucid as pl
from pellucid.core.draws import DeviceGenerators, drawing_apart, drawing_from
from pellucid.tape.recording.record import record

METHODS = ("gradient", "lrp", "occlusion", "deeplift")
X = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))


class Noisy(nn.Module):
    """A network that draws random numbers at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.rand(()) + torch.randn_like(x[:, 0, :1]) + nn.functional.dropout(x[:, 0, :1] * 0 + 1, 0.5, training=True)
        made: Tensor = self.layer(x.mean(1) + noise * torch.empty(1).uniform_(0, 1))
        return made


class Encoder(nn.Module):
    """A transformer whose layers PyTorch fuses in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.layers(x).mean(1))
        return made


def net(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return make().eval()


def kernels() -> tuple[bool, ...]:
    return mha.get_fastpath_enabled(), cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled()


@contextmanager
def elsewhere(work: Callable[[], object], threads: int = 2) -> Iterator[list[BaseException]]:
    """Other threads do some work over and over during this block."""
    failed: list[BaseException] = []
    stop, started, cores = threading.Event(), threading.Barrier(threads + 1), torch.get_num_threads()

    def loop() -> None:
        try:
            torch.set_num_threads(cores)  # a setting of each thread, with which the last digit goes
            work()
            started.wait(30)
            while not stop.is_set():
                work()
        except BaseException as error:
            failed.append(error)
            started.abort()

    running = [threading.Thread(target=loop) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        started.wait(30)
        yield failed
    finally:
        stop.set()
        for thread in running:
            thread.join()


@pytest.mark.parametrize("make", [Encoder, Noisy], ids=["fused", "noisy"])
def test_explanations_in_threads_change_no_kernel_and_no_draw(make: Callable[[], nn.Module]):
    model, before = net(make), kernels()
    with torch.random.fork_rng([]), elsewhere(lambda: [pl.explain(model, X, 0, m) for m in METHODS[:3]]) as failed:
        torch.manual_seed(7)
        drawn = [(torch.rand(1).item(), time.sleep(0.001))[0] for _ in range(150)]
        assert kernels() == before
    torch.testing.assert_close(torch.tensor(drawn), torch.rand(150, generator=torch.Generator().manual_seed(7)), rtol=0, atol=0)
    assert not failed
    assert kernels() == before


def test_threads_beside_training_get_the_maps_that_they_get_alone():
    model = net(Encoder)
    alone = {m: pl.explain(model, X, 0, m).values for m in METHODS}
    found: list[Tensor] = []

    def work() -> None:
        found.extend(pl.explain(model, X, 0, m).values - alone[m] for m in METHODS)

    def trained() -> Tensor:
        pupil = nn.Sequential(nn.Flatten(), copy.deepcopy(model.head), nn.Dropout(0.5))
        step = torch.optim.SGD(pupil.parameters(), 0.1)
        for _ in range(20):
            step.zero_grad()
            pupil(X[:, 0]).square().sum().backward()
            step.step()
        return pupil[1].weight.detach()

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        right = trained()
        with elsewhere(work) as failed:
            torch.manual_seed(0)
            assert torch.equal(trained(), right)
    assert not failed
    assert max(float(difference.abs().max()) for difference in found) == 0


def test_a_network_that_draws_meets_the_same_numbers_in_every_pass_and_leaves_the_users():
    model = net(Noisy)
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        right = model(X)
        torch.manual_seed(3)
        for _ in range(2):
            tape = record(model, X)
            torch.testing.assert_close(tape.value(tape.output.id), right)
            pl.explain(model, X, 0, "occlusion")
        assert torch.equal(torch.rand(2), torch.rand(2, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("threads", [0, 1])
def test_what_is_drawn_apart_leaves_the_global_numbers(threads: int):
    draws = (
        lambda: torch.rand(3), lambda: torch.empty(2).normal_(), lambda: torch.randperm(4), lambda: torch.randint_like(X, 9),
        lambda: torch.dropout(X, 0.5, True), lambda: torch.native_dropout(X, 0.5, True)[0],
        lambda: torch.multinomial(X[0, 0].exp(), 2), lambda: nn.init.trunc_normal_(torch.empty(3)),
        lambda: torch.bernoulli(X.sigmoid()), lambda: nn.functional.rrelu(X, training=True),
    )  # fmt: skip
    with torch.random.fork_rng([]), elsewhere(lambda: None, threads):
        for draw in draws:
            torch.manual_seed(1)
            right = draw()
            torch.manual_seed(1)
            with drawing_apart(draw, X.device):
                assert torch.equal(draw(), right)
            with drawing_from(DeviceGenerators(1)):
                assert torch.equal(draw(), right)
            assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("masked", [False, True])
def test_fused_attention_is_recorded_in_its_parts(masked: bool):
    q, k, v = (torch.randn(2, heads, 5, 4, generator=torch.Generator().manual_seed(heads)) for heads in (4, 2, 2))
    mask = torch.rand(5, 5, generator=torch.Generator().manual_seed(0)) < 0.6 if masked else None

    def attend(x: Tensor) -> Tensor:
        made = nn.functional.scaled_dot_product_attention(x, k, v, mask, is_causal=not masked, enable_gqa=True)
        return made.sum((1, 2))

    tape = record(attend, q)
    assert "bmm" in {op.name for op in tape.ops}
    assert not any("scaled_dot" in op.name for op in tape.ops)
    torch.testing.assert_close(tape.value(tape.output.id), attend(q))


def test_layers_of_transformers_are_seen_from_inside_with_nothing_switched():
    tape = record(net(Encoder), X)
    assert "layers.layers.0.linear1" in tape.returned


def test_a_traced_network_is_run_beside_another_thread() -> None:
    """Its numbers arrive bare where operations are watched, which they are in programs of several threads."""

    class Offset(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x.flatten(1).abs().mean(1, keepdim=True) - 0.1)

    done = threading.Event()
    beside = threading.Thread(target=done.wait)
    beside.start()
    try:
        traced = torch.jit.trace(Offset().eval(), torch.zeros(1, 1, 8, 8), check_trace=False)
        p = pl.maximize(traced, 0, "simonyan2013", shape=(1, 8, 8), steps=2)
        assert p.scores.isfinite().all()
    finally:
        done.set()
        beside.join()
