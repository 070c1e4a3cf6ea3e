"""The default relevance does not depend on how a program computes its batch: at once, in a loop, in pieces, under vmap."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape import path, record
from pellucid.tape.lines import lines
from tests.cases import settle


def settled(net: nn.Module, *shape: int) -> nn.Module:
    """With weights as if trained."""
    settle(net.eval(), shape)
    return net.requires_grad_(False)


DENSE = settled(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), 4)
ROWS = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
PICTURES = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(2))
SEEING = settled(
    nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3)
    ),
    3, 6, 6,
)  # fmt: skip


def written(x: Tensor) -> Tensor:
    """Every row into its place of an empty output."""
    made = torch.zeros(len(x), 3)
    for n in range(len(x)):
        made[n] = DENSE(x[n])
    return made


def routed(x: Tensor) -> Tensor:
    """Two experts, each for the rows that are sent to it."""
    first, made = x[:, 0] > 0, torch.zeros(len(x), 3)
    return made.index_put((first.nonzero()[:, 0],), DENSE(x[first])).index_put(((~first).nonzero()[:, 0],), DENSE(x[~first]))


LOOPS: dict[str, Callable[[Tensor], Tensor]] = {
    "rows as batches of one": lambda x: torch.cat([DENSE(row[None]) for row in x]),
    "rows without a batch axis": lambda x: torch.stack([DENSE(row) for row in x]),
    "pieces": lambda x: torch.cat([DENSE(piece) for piece in x.split(2)]),
    "written into place": written,
    "routed": routed,
    "vmap": lambda x: torch.vmap(DENSE)(x),
}


@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon_plus_flat", "lrp.epsilon_gamma_box"])
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_over_samples_is_explained_as_the_whole_batch_is(name: str, method: str):
    whole, loop = pl.explain(DENSE, ROWS, 1, method), pl.explain(LOOPS[name], ROWS, 1, method)
    assert torch.allclose(loop.values, whole.values, rtol=1e-4, atol=1e-6)
    assert torch.allclose(pl.explain(LOOPS[name], ROWS[2:3], 1, method).values, whole.values[2:3], rtol=1e-4, atol=1e-6)
    assert loop.ledger is not None and bool((loop.ledger.error.abs() <= 1e-4 * loop.ledger.volume).all())


@pytest.mark.parametrize("size", [1, 3])
def test_pictures_in_pieces_are_explained_as_the_whole_batch_is(size: int):
    whole = pl.explain(SEEING, PICTURES, 1, "lrp")
    loop = pl.explain(lambda x: torch.cat([SEEING(piece) for piece in x.split(size)]), PICTURES, 1, "lrp")
    assert torch.allclose(loop.values, whole.values, rtol=1e-4, atol=1e-6)


def test_rows_that_go_different_ways_are_explained_as_each_is_alone():
    other = settled(nn.Linear(4, 3), 4)

    def ways(x: Tensor) -> Tensor:
        return torch.cat([DENSE(row[None]) if row[0] > 0 else other(row[None]) for row in x])

    assert 0 < int((ROWS[:, 0] > 0).sum()) < 5
    alone = torch.cat([pl.explain(ways, ROWS[n : n + 1], 1, "lrp").values for n in range(5)])
    assert torch.allclose(pl.explain(ways, ROWS, 1, "lrp").values, alone, rtol=1e-4, atol=1e-6)


def test_a_ragged_batch_is_explained_as_each_sequence_is_alone():
    cell, head = settled(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 5, 8), settled(nn.Linear(8, 3), 8)
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(3))

    def ragged(x: Tensor, lengths: tuple[int, ...] = (3, 5, 4)) -> Tensor:
        return torch.cat([head(cell(row[None, :length]).mean(1)) for row, length in zip(x, lengths, strict=True)])

    alone = [pl.explain(lambda x, n=n: ragged(x, (n,) * len(x)), x[i : i + 1], 1, "lrp").values for i, n in enumerate((3, 5, 4))]
    assert torch.allclose(pl.explain(ragged, x, 1, "lrp").values, torch.cat(alone), rtol=1e-4, atol=1e-6)


def test_every_sample_has_its_line_of_operations():
    tape = record(lambda x: torch.cat([row[None].tanh().relu() if n else row[None] * 2 for n, row in enumerate(x)]), ROWS[:2])
    names = [[op.name for op in line] for line in lines(tape, path(tape, [tape.ops[-1].out]))]
    assert "mul" in names[0] and "tanh" not in names[0] and "tanh" in names[1] and names[0][-1] == names[1][-1] == "cat"


def test_a_layer_that_is_added_to_itself_is_no_gate_of_a_recurrent_cell() -> None:
    """Not alone either, where nothing is put together from several samples."""
    torch.manual_seed(0)
    first, last, x = nn.Linear(6, 4, bias=False), nn.Linear(4, 3, bias=False), torch.randn(2, 6)

    def looped(x: Tensor) -> Tensor:
        y = torch.cat([first(row[None]) for row in x])
        return last(y + y.flip(1))

    together, alone = pl.explain(looped, x, 1), pl.explain(looped, x[1:], 1)
    assert not any("Recurrent" in note for note in (*together.notes, *alone.notes))
    torch.testing.assert_close(together.values[1:], alone.values)


class Numbered(nn.Module):
    """One number per sample, by a matrix times a vector; then classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 6, bias=False), nn.Linear(1, 3)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.last((self.first(x).relu() @ self.first.weight[:, 0])[:, None])
        return made


class Mixed(nn.Module):
    """Positions, by one product over the last axis of a transposed sequence; then two dense layers on each sample as one row."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.first, self.last = nn.Linear(3, 3, bias=False), nn.Linear(12, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("ntd,ts->nsd", x, self.mix.weight)
        made: Tensor = self.last((y + self.first(y.flatten(1)).relu().view(y.shape)).flatten(1))
        return made


@pytest.mark.parametrize(("net", "shape"), [(Numbered(), (4,)), (Mixed(), (3, 4))], ids=["a number each", "positions mixed"])
def test_what_is_a_row_of_the_batch_is_the_row_of_a_sample_alone(net: nn.Module, shape: tuple[int, ...]) -> None:
    """So that the same layers are taken to end the network."""
    net, x = settled(net, *shape), torch.randn(3, *shape, generator=torch.Generator().manual_seed(4))
    whole, alone = pl.explain(net, x, 1, "lrp"), pl.explain(net, x[2:], 1, "lrp")
    torch.testing.assert_close(alone.values, whole.values[2:])
    options = [e.provenance["method"]["options"] for e in (whole, alone)]
    assert options[0] == options[1] and options[0][0].startswith("number -")


def test_a_unit_without_contributions_spreads_its_relevance_in_a_loop_of_vectors_too() -> None:
    W = torch.tensor([[1.0, -2.0, 3.0], [-1.0, 0.5, -2.0]])
    x = torch.tensor([[1.0, 0.0, 2.0], [0.5, 3.0, 0.0]])
    spread = pl.lrp.ZPlus(silent="spread")
    looped = pl.explain(lambda x: torch.stack([W @ row for row in x]), x, 1, pl.lrp.Composite().where(op="dense", rule=spread))
    whole = pl.explain(lambda x: x @ W.T, x, 1, pl.lrp.Composite().where(op="dense", rule=spread))
    torch.testing.assert_close(looped.values, whole.values)
    assert bool((whole.values[0] != 0).all())  # nothing speaks for the second unit there: an even share for each input
