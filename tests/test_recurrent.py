"""Recurrent networks: relevance takes the signal and leaves the gates, whatever kernel, container or hand wrote the cell."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import pellucid as pl
from pellucid.tape import record, rewrite
from pellucid.tape.recording.decompose import recurrent
from pellucid.zoo.truth import grammar, learn, remembering
from tests.cases import difference
from tests.reference import recurrent_twins

STEPS, FEATURES, HIDDEN = 5, 4, 6


class Net(nn.Module):
    """A recurrent reader, and a dense layer on its last step."""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        self.reader = getattr(nn, kind)(FEATURES, HIDDEN, **options)
        width = options.get("proj_size") or HIDDEN
        self.head = nn.Linear(width * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.reader.batch_first:
            return self.head(self.reader(x)[0][:, -1])
        return self.head(self.reader(x.transpose(0, 1))[0][-1])


class Packed(nn.Module):
    """Sequences of different lengths, packed; the mean of what is said about each word."""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        self.reader = getattr(nn, kind)(FEATURES, HIDDEN, batch_first=True, **options)
        self.head = nn.Linear(HIDDEN * (2 if options.get("bidirectional") else 1), 3)
        self.lengths = [3, 5, 1]

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.tensor(self.lengths[: len(x)])
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.reader(packed)[0], batch_first=True, total_length=STEPS)
        return self.head(y.sum(1))


class ByHand(nn.Module):
    """A cell written out, or PyTorch's cell in a loop."""

    def __init__(self, cell: nn.Module, step: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.cell, self.step, self.head = cell, step, nn.Linear(HIDDEN, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), HIDDEN)
        for t in range(x.shape[1]):
            h = self.step(self.cell, x[:, t], h)
        return self.head(h)


def textbook(cell: nn.GRUCell, x: Tensor, h: Tensor) -> Tensor:
    """h = (1 - z) n + z h, as the paper writes it."""
    x_r, x_z, x_n = (x @ cell.weight_ih.T + cell.bias_ih).chunk(3, 1)
    h_r, h_z, h_n = (h @ cell.weight_hh.T + cell.bias_hh).chunk(3, 1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def stepping(cell: nn.GRUCell, x: Tensor, h: Tensor) -> Tensor:
    """The same, as a step from n towards h."""
    x_r, x_z, x_n = (x @ cell.weight_ih.T + cell.bias_ih).chunk(3, 1)
    h_r, h_z, h_n = (h @ cell.weight_hh.T + cell.bias_hh).chunk(3, 1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    return torch.lerp(torch.tanh(x_n + r * h_n), h, z)


READERS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: Net("LSTM", batch_first=True),
    "lstm, time first": lambda: Net("LSTM"),
    "lstm, two layers, both ways": lambda: Net("LSTM", num_layers=2, bidirectional=True, batch_first=True),
    "lstm without biases": lambda: Net("LSTM", bias=False, batch_first=True),
    "gru": lambda: Net("GRU", batch_first=True),
    "gru, time first": lambda: Net("GRU"),
    "gru, two layers, both ways": lambda: Net("GRU", num_layers=2, bidirectional=True, batch_first=True),
    "rnn": lambda: Net("RNN", batch_first=True),
    "rnn of relus, two layers": lambda: Net("RNN", num_layers=2, nonlinearity="relu", batch_first=True),
}
EVERY = {
    **READERS,
    "lstm, projected": lambda: Net("LSTM", proj_size=3, batch_first=True),
    "packed lstm": lambda: Packed("LSTM"),
    "packed lstm, two layers": lambda: Packed("LSTM", num_layers=2),
    "packed gru": lambda: Packed("GRU"),
    "packed rnn, both ways": lambda: Packed("RNN", bidirectional=True),
    "gru cell": lambda: ByHand(nn.GRUCell(FEATURES, HIDDEN), lambda cell, x, h: cell(x, h)),
    "gru by hand": lambda: ByHand(nn.GRUCell(FEATURES, HIDDEN), textbook),
}
each_reader = pytest.mark.parametrize("name", READERS)
each = pytest.mark.parametrize("name", EVERY)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
unprojected = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def built(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return EVERY[name]().eval().to(dtype)


def sequences(dtype: torch.dtype = torch.float64, batch: int = 3) -> Tensor:
    return torch.randn(batch, STEPS, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(7)).to(dtype)


# -- equal to the papers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [1e-3, 0.0], ids=["published epsilon", "no epsilon"])
@each_reader
def test_maps_are_those_of_the_slow_twin(name: str, eps: float):
    net, x = built(name), sequences()
    found = pl.explain(net, x, target=1, method=pl.lrp.SignalTakeAll(eps)).values
    wanted = torch.stack([recurrent_twins.relevance(net.reader, net.head, sample, 1, eps) for sample in x])
    assert difference(found, wanted) <= 1e-8


@each_reader
def test_what_biases_and_stabiliser_keep_can_be_spread_and_then_everything_arrives(name: str):
    e = pl.explain(built(name), sequences(), target=1, method=pl.lrp.SignalTakeAll(bias="spread", silent="spread"))
    assert torch.allclose(e.values.sum((1, 2)), e.output, rtol=1e-3)


@pytest.mark.parametrize("step", [textbook, stepping], ids=["textbook", "stepping"])
def test_a_cell_written_by_hand_is_explained_as_the_module_is(step: Callable[[nn.Module, Tensor, Tensor], Tensor]):
    net, x = built("gru"), sequences()
    cell = nn.GRUCell(FEATURES, HIDDEN).double()
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in net.reader.state_dict().items()})
    hand = ByHand(cell, step).double().eval()
    hand.head = net.head
    maps = [pl.explain(model, x, target=1, method=pl.lrp.SignalTakeAll()).values for model in (net, hand)]
    assert difference(*maps) <= 1e-8


# -- `lrp` as it comes ----------------------------------------------------------------------------------------------------


@unprojected
@each_dtype
@each
def test_lrp_is_bounded_and_its_books_close_without_a_fallback(name: str, dtype: torch.dtype):
    e = pl.explain(built(name, dtype), sequences(dtype), target=1, strict=True)
    assert e.values.isfinite().all()
    assert (e.values.sum((1, 2)).abs() <= 2 * e.output.abs()).all()
    assert (e.ledger.error.abs() <= 1e-5 * e.ledger.volume).all()
    assert "native fallback" not in e.ledger.by_cause()


@unprojected
@each
@pytest.mark.parametrize("method", ["lrp", "lrp.zero"])
def test_without_offsets_everything_arrives(name: str, method: str):
    net = built(name)
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            if "bias" in key:
                parameter.zero_()
    e = pl.explain(net, sequences(), target=1, method=method)
    assert torch.allclose(e.values.sum((1, 2)), e.output, rtol=1e-6)


@unprojected
@each
def test_a_sample_alone_is_explained_as_in_a_batch(name: str):
    net, x = built(name), sequences()
    whole = pl.explain(net, x, target=1)
    if isinstance(net, Packed):
        net.lengths = net.lengths[1:2]
    alone = pl.explain(net, x[1:2], target=1)
    assert difference(whole.values[1:2], alone.values) <= 1e-8
    booked = whole.ledger.by_cause()
    assert all(abs(float(amount[0]) - float(booked[cause][1])) <= 1e-8 for cause, amount in alone.ledger.by_cause().items())


@pytest.mark.filterwarnings("ignore:The tensor attribute")
@each_reader
def test_scripted_and_exported_networks_give_the_same_map(name: str):
    net, x = built(name), sequences()
    wanted = pl.explain(net, x, target=1).values
    with torch.random.fork_rng():
        exported = torch.export.export(net, (x,))
    for model in (torch.jit.script(net), exported):
        assert difference(pl.explain(model, x, target=1).values, wanted) <= 1e-8


# -- the kernels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "projected"])
def test_the_gpu_kernel_told_step_by_step_is_what_the_cpu_computes(kind: str, both: bool, packed: bool):
    options = {"proj_size": 3} if kind == "projected" else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = getattr(nn, "LSTM" if options else kind)(
            FEATURES, HIDDEN, num_layers=2, bidirectional=both, batch_first=True, **options
        ).double()
    x = sequences()
    given = pack_padded_sequence(x, torch.tensor([5, 4, 2]), batch_first=True) if packed else x
    with torch.no_grad():
        wanted, state = net(given)
        ways = 2 if both else 1
        h = x.new_zeros(2 * ways, 3, options.get("proj_size", HIDDEN))
        c = x.new_zeros(2 * ways, 3, HIDDEN) if net.mode == "LSTM" else None
        mode = {"LSTM": recurrent.LSTM, "GRU": recurrent.GRU, "RNN_TANH": recurrent.TANH}[net.mode]
        data, sizes = (given.data, given.batch_sizes.tolist()) if packed else (x, [])
        weights = net._flat_weights
        each_way = 5 if options else 4
        settings = (mode, HIDDEN, options.get("proj_size", 0), 2, not packed, 0.0, False, both, sizes, None)
        said, end, cell, *_ = recurrent.cudnn_rnn(data, weights, each_way, None, h, c, *settings)
    last, *more = state if isinstance(state, tuple) else (state,)
    assert torch.allclose(said, wanted.data if packed else wanted, atol=1e-12)
    assert torch.allclose(end, last, atol=1e-12) and all(torch.allclose(cell, m, atol=1e-12) for m in more)


def test_the_fused_cells_of_a_gpu_are_those_of_the_cpu():
    x, h, c = sequences()[:, 0], sequences()[:, 1].repeat(1, 2)[:, :HIDDEN], sequences()[:, 2].repeat(1, 2)[:, :HIDDEN]
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        lstm, gru = nn.LSTMCell(FEATURES, HIDDEN).double(), nn.GRUCell(FEATURES, HIDDEN).double()
        a, u = x @ lstm.weight_ih.T, h @ lstm.weight_hh.T
        told = recurrent.fused_lstm_cell(a, u, c, lstm.bias_ih, lstm.bias_hh)[:2]
        assert all(torch.allclose(p, q, atol=1e-12) for p, q in zip(told, lstm(x, (h, c)), strict=True))
        a, u = x @ gru.weight_ih.T, h @ gru.weight_hh.T
        assert torch.allclose(recurrent.fused_gru_cell(a, u, h, gru.bias_ih, gru.bias_hh)[0], gru(x, h), atol=1e-12)


def test_every_fused_kernel_has_the_arguments_that_its_telling_expects():
    names = {
        "_cudnn_rnn": "input weight weight_stride0 weight_buf hx cx mode hidden_size proj_size num_layers batch_first dropout "
        "train bidirectional batch_sizes dropout_state",
        "miopen_rnn": "input weight weight_stride0 hx cx mode hidden_size num_layers batch_first dropout train bidirectional "
        "batch_sizes dropout_state",
        "mkldnn_rnn_layer": "input weight0 weight1 weight2 weight3 hx_ cx_ reverse batch_sizes mode hidden_size num_layers "
        "has_biases bidirectional batch_first train",
        "_thnn_fused_lstm_cell": "input_gates hidden_gates cx input_bias hidden_bias",
        "_thnn_fused_gru_cell": "input_gates hidden_gates hx input_bias hidden_bias",
    }
    for name, wanted in names.items():
        schema = getattr(torch.ops.aten, name).default._schema
        assert [argument.name for argument in schema.arguments] == wanted.split(), name


# -- the tape -------------------------------------------------------------------------------------------------------------


@each_reader
def test_gates_are_told_as_gates_in_every_cell(name: str):
    net = built(name)
    ops = rewrite(record(net, sequences())).ops
    products = [op for op in ops if op.kind == "product"]
    gates = [op for op in ops if op.kind == "gate"]
    assert not products
    assert bool(gates) == (net.reader.mode in ("LSTM", "GRU"))


def test_chunks_written_in_place_leave_their_neighbours_alone():
    def net(x: Tensor) -> Tensor:
        a, b = (x * 2).chunk(2, 1)
        a.add_(1)
        return torch.cat([a, b], 1)

    assert "as_strided" not in [op.name for op in record(net, torch.ones(2, 4)).ops]


def test_the_network_is_left_as_it_was():
    net = built("packed lstm")
    before = copy.deepcopy(net.state_dict())
    pl.explain(net, sequences(), target=1)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


# -- end to end -----------------------------------------------------------------------------------------------------------


def auc(scores: Tensor, mask: Tensor) -> float:
    """How often a word of the mask outranks another word of its sentence, on average over sentences."""
    won = [(s[m][:, None] > s[~m]).double() + 0.5 * (s[m][:, None] == s[~m]) for s, m in zip(scores, mask, strict=True)]
    return float(torch.stack([share.mean() for share in won]).mean())


@pytest.mark.parametrize("language", ["trigger", "agreement", "negation"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_relevance_finds_the_words_that_tell_in_a_language_that_was_learned(kind: str, language: str):
    known, fresh = (grammar(n, seed=seed, kind=language) for n, seed in ((1024, 0), (128, 10)))
    net = learn(known, remembering(known.inputs.shape[2], 2, kind=kind), steps=300)
    right = net(fresh.inputs).argmax(1) == fresh.labels
    assert right.float().mean() >= 0.9
    x, labels, masks = fresh.inputs[right], fresh.labels[right], fresh.masks[right]
    for method in ("lrp", pl.lrp.SignalTakeAll()):
        yes = pl.explain(net, x, target=pl.logit(1) - pl.logit(0), method=method).values.sum(2)
        words = torch.where(labels[:, None] == 1, yes, -yes)
        assert auc(words if language != "negation" else words.abs(), masks) >= 0.95
