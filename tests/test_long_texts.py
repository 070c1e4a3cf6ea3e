"""The way back through language models: only the position asked for is read at the end, and maps are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import pellucid as pl
from pellucid.methods.lrp import composite
from pellucid.tape import LocalOp, Tape, embedding, name_target, read_alone, record, rewrite, walk
from pellucid.verbs.verify import network, slopes

LENGTH, WIDTH, WORDS = 12, 16, 50
ENDS = {"bare": lambda y: y, "capped": lambda y: 3.0 * torch.tanh(y / 3.0)}
BY_POSITION = torch.linspace(-1, 1, LENGTH * WORDS).reshape(LENGTH, WORDS)
METHODS = ("lrp", "lrp.attention", "lrp.cp", "lrp.epsilon", "lrp.conserving")


class Block(nn.Module):
    """Causal attention over tokens, then two dense layers on each."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norms[0](x)).reshape(*x.shape[:2], 3, 2, -1).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norms[1](x))


class Body(nn.Module):
    """Blocks over the vectors of a text."""

    def __init__(self, blocks: int = 2) -> None:
        super().__init__()
        self.blocks, self.norm = nn.Sequential(*[Block() for _ in range(blocks)]), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.blocks(x))  # type: ignore[no-any-return]


class Speaker(nn.Module):
    """A score for every word at every position, or at one of them, which is cut out before the last layer."""

    def __init__(self, end: str = "bare", only: int | None = None, blocks: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.end, self.only = Body(blocks), nn.Linear(WIDTH, WORDS), end, only

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        scores: Tensor = ENDS[self.end](self.head(h if self.only is None else h[:, self.only]))
        return scores


def vectors(samples: int = 1) -> Tensor:
    return torch.randn(samples, LENGTH, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("position", [-1, 4])
@pytest.mark.parametrize("method", METHODS)
def test_a_token_is_explained_as_by_a_network_that_reads_its_position_alone(method: str, position: int, end: str) -> None:
    x = vectors(2)
    whole = pl.explain(Speaker(end).eval(), x, pl.token(7, position=position), method)
    alone = pl.explain(Speaker(end, only=position).eval(), x, 7, method)
    assert torch.allclose(whole.values, alone.values, rtol=1e-4, atol=1e-6)
    assert torch.allclose(whole.output, alone.output, atol=1e-6)
    assert torch.allclose(whole.ledger.input, alone.ledger.input, atol=1e-5)


def test_what_is_added_to_a_position_is_added_to_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, target = Speaker().eval(), vectors(), pl.token(7, position=4)
    short = pl.explain(lambda x: net(x) + BY_POSITION, x, target)
    monkeypatch.setattr(composite, "read_alone", lambda tape, target, end: (tape, target))
    assert torch.allclose(short.values, pl.explain(lambda x: net(x) + BY_POSITION, x, target).values, rtol=1e-5, atol=1e-7)


def test_the_last_layers_read_one_position() -> None:
    tape, target = rewrite(record(Speaker("capped").eval(), vectors())), pl.token(7, position=4)
    short, _ = read_alone(tape, name_target(tape, target)[0], tape.inputs[0])
    shapes = [short.values[op.out].shape for op in short.ops[-4:]]
    assert shapes == [(1, 1, WIDTH), *[(1, 1, WORDS)] * 3]
    assert torch.equal(short.value(short.ops[-1].out), tape.value(tape.ops[-1].out)[:, 4:5])


def test_a_layer_that_is_asked_for_has_all_its_positions() -> None:
    net, x, target = Speaker().eval(), vectors(), pl.token(7, position=4)
    at_head = pl.explain(net, x, target, "lrp", at="head")
    expected = torch.zeros(1, LENGTH, WORDS)
    expected[0, 4, 7] = net(x)[0, 4, 7]
    assert torch.allclose(at_head.values, expected.detach(), atol=1e-6)
    assert pl.explain(net, x, target, "lrp", at="body").values[0, :4].abs().sum() == 0


def test_two_positions_are_read_from_the_whole_output() -> None:
    net, x = Speaker().eval(), vectors()
    first, second = pl.token(7, position=4), pl.token(9, position=2)
    both = pl.explain(net, x, first - second, "lrp").values
    assert torch.allclose(both, pl.explain(net, x, first).values - pl.explain(net, x, second).values, atol=1e-6)


def test_the_target_keeps_the_position_that_was_asked_for() -> None:
    e = pl.explain(Speaker().eval(), vectors(), pl.token(7, position=4), "lrp")
    assert e.target == "token 7 at position 4"
    with pytest.raises(pl.errors.TargetError, match=r"at position 40.*\(1, 12, 50\)"):
        pl.explain(Speaker().eval(), vectors(), pl.token(7, position=40), "lrp")


@pytest.mark.parametrize("room", [0, 20_000, 60_000])
@pytest.mark.parametrize("method", METHODS)
def test_a_long_pass_that_is_made_again_part_by_part_gives_the_same_map_to_the_bit(
    method: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, x, target = Speaker("capped", blocks=4).eval(), vectors(2), pl.token(7, position=9)
    whole = pl.explain(net, x, target, method)
    monkeypatch.setattr(composite, "room", lambda device: room)
    parts = pl.explain(net, x, target, method)
    assert torch.equal(whole.values, parts.values) and torch.equal(whole.ledger.error, parts.ledger.error)


def held(tape: Tape) -> int:
    """The bytes of what operations of a tape made."""
    storages = {v.tensor.untyped_storage() for v in tape.values if v.tracked and v.tensor is not None}
    return sum({s.data_ptr(): s.nbytes() for s in storages}.values())


def test_of_a_long_pass_its_borders_are_held_and_what_was_made_last() -> None:
    net, x = Speaker(blocks=8).eval(), vectors()
    whole, few = record(net, x), record(net, x, room=10_000)
    assert held(few) < held(whole) / 3
    assert all(torch.equal(few.value(i), whole.value(i)) for i, value in enumerate(whole.values) if value.tracked)


def test_the_way_back_frees_what_it_has_passed() -> None:
    net, x = Speaker(blocks=8).eval(), vectors()
    whole, tape, most = held(record(net, x)), record(net, x, room=10_000), [0]

    def step(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
        found = op.pull(*carried)
        most.append(held(tape))
        return found

    output = tape.ops[-1].out
    arrived = walk(tape, {output: torch.ones(1, LENGTH, WORDS)}, step, ends=tape.inputs)
    leaf = x.clone().requires_grad_()
    assert torch.allclose(arrived[tape.inputs[0]], torch.autograd.grad(net(leaf).sum(), leaf)[0], atol=1e-4)
    assert max(most) < whole / 2 and held(tape) == x.numel() * 4


def test_what_is_written_in_place_is_told_apart_in_a_long_pass() -> None:
    def writes(x: Tensor) -> Tensor:
        for _ in range(6):
            y = x.clone()
            z = y * 2
            y.add_(z).relu_()
            z.mul_(y)
            x = y[:, ::2].repeat(1, 2) + z / 10
        return x.tanh()

    x = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    for room in (0, 100, 300):
        tape, whole = record(writes, x, room=room), record(writes, x)
        assert torch.equal(tape.value(tape.output.id), writes(x.clone()))
        assert [op.name for op in tape.ops] == [op.name for op in whole.ops]
        assert all(torch.equal(tape.value(op.out), whole.value(op.out)) for op in reversed(whole.ops))


def test_numbers_that_were_drawn_are_never_drawn_anew() -> None:
    def draws(x: Tensor) -> Tensor:
        for _ in range(5):
            x = x + F.dropout(x, 0.5, training=True) * torch.rand_like(x)
        return x

    tape = record(draws, torch.ones(1, 50), room=0)
    held = tape.value(tape.output.id).clone()
    for value in tape.values:
        value.tensor = None if value.empty is not None else value.tensor
    assert torch.equal(tape.value(tape.output.id), held)


def test_the_check_of_a_large_output_reads_its_last_place_and_finds_a_lost_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = Speaker("capped").eval(), vectors()
    monkeypatch.setattr(slopes, "LARGE", 10)
    _, place, weights = slopes.weighted_output(record(net, x), None)
    assert (place, weights.shape) == (LENGTH - 1, (1, 1, WORDS))
    assert slopes.measure(pl.load(net), [x]).holds

    def stops(x: Tensor) -> Tensor:
        return net(x) + net.head(torch.from_numpy(x.detach().numpy()).square())

    assert slopes.measure(pl.load(stops), [x]).holds is False


def test_outputs_are_compared_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PART", 7)
    a = torch.randn(3, 11, generator=torch.Generator().manual_seed(0))
    b = a.clone()
    b[2, 9] += 0.5
    assert network.apart(a, b) == pytest.approx(0.5 / float(a.abs().max()))
    assert network.apart(a, a) == 0 and network.apart(a[:0], a[:0]) == 0 and network.apart(a, a[:2]) == float("inf")
    b[0, 0] = float("nan")
    assert network.apart(a, b) == float("inf") and network.apart(b, b) == 0


class Reader(nn.Module):
    """The same, of token ids; `twice` where a second table is looked up for them."""

    def __init__(self, twice: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.speaker = nn.Embedding(WORDS, WIDTH), Speaker()
        self.others = nn.Embedding(WORDS, WIDTH) if twice else None
        self.calls = 0

    def forward(self, ids: Tensor) -> Tensor:
        self.calls += 1
        x = self.words(ids)
        return self.speaker(x if self.others is None else x + self.others(ids))  # type: ignore[no-any-return]


@pytest.mark.parametrize("twice", [False, True])
def test_one_pass_serves_to_embed_a_text_and_to_walk_back(twice: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    net, ids, target = Reader(twice).eval(), torch.randint(0, WORDS, (1, LENGTH), generator=torch.Generator().manual_seed(2)), 7
    pl.explain(net, ids, target)
    before = net.calls
    one = pl.explain(net, ids, target)
    assert net.calls - before == (3 if twice else 1)  # of two tables: the pass that is given up, to embed, to record
    monkeypatch.setattr(embedding, "_recorded", lambda model, ids: None)
    two = pl.explain(net, ids, target)
    assert torch.equal(one.values, two.values) and torch.equal(one.ledger.error, two.ledger.error)
    assert torch.equal(pl.explain(net, ids.repeat(2, 1), target).values[:1], two.values)


class Alive(TorchDispatchMode):
    """Counts the tensors of one size that are alive at the same time while something runs."""

    def __init__(self, nbytes: int) -> None:
        super().__init__()
        self.nbytes, self.most = nbytes, 0
        self._alive: dict[int, StorageWeakRef] = {}

    def __torch_dispatch__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        self._alive = {key: storage for key, storage in self._alive.items() if not storage.expired()}
        if isinstance(out, Tensor) and out.untyped_storage().nbytes() == self.nbytes:
            storage = StorageWeakRef(out.untyped_storage())
            self._alive[storage.cdata] = storage
        self.most = max(self.most, len(self._alive))
        return out


def most_scores_alive(call: Callable[[], object]) -> int:
    """How many tensors of the size of a text's scores, in single precision, a call holds at the same time at most."""
    with Alive(LENGTH * WORDS * 4) as alive:
        call()
    return alive.most


def test_the_scores_of_a_text_are_held_twice_while_a_network_is_checked_and_once_later() -> None:
    net, ids = Reader().eval(), torch.randint(0, WORDS, (1, LENGTH), generator=torch.Generator().manual_seed(2))
    model, target = pl.load(net), pl.token(7, position=4)
    assert most_scores_alive(lambda: net(ids)) == 1  # no other tensor has that size
    assert most_scores_alive(lambda: pl.explain(model, ids, target, "lrp")) == 2  # of which one is compared with the other
    assert most_scores_alive(lambda: pl.explain(model, ids, target, "lrp")) == 1
