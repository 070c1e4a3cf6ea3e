"""Replaying the rest of a pass gives, bit for bit, what the model gives when one value in it is replaced."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape import Tape, find, record, resolve_target
from pellucid.tape.replay import after, replay, rescored
from pellucid.tape.seed import find_output
from pellucid.target import as_target
from tests.cases import CASE, CASES, Case

PLACES = [
    (case, name)
    for case in CASES
    for name, module in case.net().named_modules()
    if name != "aside"  # which is no part of the main output
    and isinstance(module, nn.Conv2d | nn.Conv1d | nn.Conv3d | nn.Linear | nn.ReLU | nn.BatchNorm2d | nn.LayerNorm | nn.MaxPool2d)
]


def with_other(net: nn.Module, name: str, x: Tensor, seed: int = 5) -> tuple[Tape, Tensor]:
    """The tape of a pass in which a module returned something else, and what it returned."""
    other: list[Tensor] = []
    rng = torch.Generator().manual_seed(seed)

    def change(module: nn.Module, args: Any, out: Tensor) -> Tensor:
        other.append(torch.empty_like(out).copy_(torch.randn(out.shape, generator=rng, dtype=out.dtype)))  # lying as it did
        return out * 0 + other[-1]

    handle = net.get_submodule(name).register_forward_hook(change)
    try:
        return record(net, x), other[-1]
    finally:
        handle.remove()


@pytest.mark.parametrize("inplace", [False, True], ids=["out of place", "in place"])
@pytest.mark.parametrize(("case", "name"), PLACES, ids=[f"{case.name}-{name}" for case, name in PLACES])
def test_a_replay_is_the_models_own_pass_with_that_value_replaced(case: Case, name: str, inplace: bool):
    net, x = case.net(torch.float64, inplace=inplace), case.inputs(torch.float64)
    tape = record(net, x)
    if name not in tape.returned or len(tape.returned[name]) > 1:
        pytest.skip("it ran several times, or is not on the way")
    directly, other = with_other(net, name, x)
    expected = directly.value(find_output(directly))
    ((_, found),) = replay(tape, {find(tape, name): other}).items()
    assert not torch.equal(expected, tape.value(find_output(tape)))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("case", [CASE[name] for name in ("residual", "written", "attending", "segmenting", "recurrent")])
def test_replaying_what_was_there_changes_no_bit(case: Case):
    tape = record(case.net(), case.inputs())
    output = find_output(tape)
    before = tape.value(output).clone()
    for op in tape.ops:
        if op.outs[0] is not None and op.out != output:
            assert torch.equal(replay(tape, {op.out: tape.value(op.out)})[output], before), op.place
    assert torch.equal(tape.value(output), before)


def test_only_what_comes_after_runs_again_and_only_what_is_needed():
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.aside = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            y = self.first(x).relu()
            return {"out": self.second(y), "aside": self.aside(y).tanh()}

    net = Forked().eval()
    tape = record(net, torch.ones(2, 4))
    relu = next(op for op in tape.ops if op.name == "relu")
    assert [op.module for op in after(tape, (relu.out,), (find_output(tape),))] == ["second"]
    aside = find(tape, "aside")
    found = replay(tape, {relu.out: torch.zeros(2, 4)}, (aside, relu.out, tape.inputs[0]))
    assert found[relu.out].eq(0).all() and torch.equal(found[tape.inputs[0]], torch.ones(2, 4))
    assert torch.equal(found[aside], net.aside(torch.zeros(2, 4)))


def test_a_value_wanted_that_was_changed_is_what_it_was_changed_to():
    tape = record(CASE["plain"].net(), CASE["plain"].inputs())
    at = find(tape, "features.3")
    other = torch.zeros_like(tape.value(at))
    assert replay(tape, {at: other}, (at,))[at] is other


class Unpooling(nn.Module):
    """Puts values back where the greatest of them stood: indices read later on."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.head = nn.Conv2d(1, 3, 3, padding=1), nn.Linear(3 * 36, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, places = F.max_pool2d(self.lift(x), 2, return_indices=True)
        return self.head(F.max_unpool2d(y * y, places, 2).flatten(1))


def test_indices_follow_what_they_point_into():
    net = Unpooling().double().eval()
    x = torch.randn(2, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    tape = record(net, x)
    directly, other = with_other(net, "lift", x)
    found = replay(tape, {find(tape, "lift"): other})[find_output(tape)]
    assert torch.allclose(found, directly.value(find_output(directly)), rtol=1e-12)


class Comparing(nn.Module):
    """A leaky ReLU written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.second(torch.where(y > 0, y, 0.1 * y))


def test_what_the_model_compares_cannot_be_replayed_and_it_says_so():
    tape = record(Comparing().eval(), torch.ones(1, 4))
    with pytest.raises(pl.MethodError) as error:
        replay(tape, {find(tape, "first"): torch.zeros(1, 4)})
    assert "gt in the model itself, which compares or picks by it" in str(error.value)
    assert "kept as it was" in error.value.why and "later layer" in error.value.do
    assert replay(tape, {find(tape, "second"): torch.zeros(1, 2)})[find_output(tape)].eq(0).all()


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.second(y + torch.randn_like(y))


def test_what_was_drawn_at_random_stays_as_it_was_drawn():
    tape = record(Noisy().eval(), torch.ones(3, 4))
    at, before = find(tape, "first"), torch.get_rng_state()
    found = replay(tape, {at: tape.value(at)})[find_output(tape)]
    assert torch.equal(found, tape.value(find_output(tape)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_target_can_be_read_from_a_replay_inside_and_at_the_output():
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    tape = record(net, x)
    target = resolve_target(tape, as_target(pl.logit(1) - 2 * pl.channel("head.0", 3))).target
    directly, other = with_other(net, "features.3", x)
    expected = resolve_target(directly, target).score
    found = rescored(tape, target, {find(tape, "features.3"): other})
    assert torch.allclose(found, expected, rtol=1e-12)
    assert not found.requires_grad
