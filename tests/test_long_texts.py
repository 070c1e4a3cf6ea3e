"""The way back through language models: only the position asked for is read at the end, and maps are the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pl
from pellucid.methods.lrp import composite
from pellucid.tape import name_target, read_alone, record, rewrite

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
