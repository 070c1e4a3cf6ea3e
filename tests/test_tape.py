"""The tape: one list of operations for one forward pass, whatever code ran, and every value as it was when it was made."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape import Tape, find
from pellucid.tape.batch import per_sample
from tests.cases import CASE, CASES, CONTAINERS, Case, contained, difference, each_case


def tensor(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


W = tensor(6, 6, seed=1)
U = tensor(6, 3, seed=2)


def names(tape: Tape) -> list[str]:
    return [op.name for op in tape.ops]


def output(tape: Tape) -> Tensor:
    return tape.value(tape.output.id)


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """By torch.autograd."""
    x = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(function(x).sum(), x)
    return grad


def told(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The same by the tape."""
    return pl.explain(function, x, target=lambda out: out.flatten(1).sum(1), method="gradient").values


# -- what is written down -------------------------------------------------------------------------------------------------


def test_operations_are_in_the_order_in_which_they_ran():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()
    tape = pl.record(net, torch.ones(2, 3, 6, 6))
    computing = [op for op in tape.ops if op.kind != "route"]
    assert [op.kind for op in computing] == ["convolution", "norm", "activation", "max", "dense"]
    assert [op.module for op in computing] == ["0", "1", "2", "3", "5"]
    assert [op.index for op in tape.ops] == list(range(len(tape.ops)))


def test_the_tape_reads_as_a_list_of_kinds_names_shapes_and_modules():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).eval()
    assert pl.record(net, torch.ones(4, 2)).show().splitlines() == [
        "0  dense       addmm  4x3  0",
        "1  activation  relu   4x3  1",
    ]


def test_operations_on_constants_alone_are_not_written_down():
    tape = pl.record(lambda x: x @ (W.t() * 2).relu(), tensor(2, 6))
    assert names(tape) == ["mm"]


@each_case
def test_the_output_is_the_models_own(case: Case):
    tape = pl.record(case.net(torch.float64), case.inputs(torch.float64))
    with torch.no_grad():
        out = case.net(torch.float64)(case.inputs(torch.float64))
    found = tape.value(tape.output["out"].id) if isinstance(out, dict) else output(tape)
    assert difference(found, out["out"] if isinstance(out, dict) else out) <= 1e-12


@each_case
def test_every_value_is_what_its_operation_makes_of_the_values_it_read(case: Case):
    tape = pl.record(case.net(torch.float64, inplace=True), case.inputs(torch.float64))
    for op in tape.ops:
        for made in (o for o in op.outs if o is not None):
            assert torch.allclose(tape.replay(op, made), tape.value(made), rtol=1e-10, atol=1e-12), op.place


@pytest.mark.parametrize("container", ["scripted", "traced", "exported"])
@each_case
def test_scripted_traced_and_exported_programs_run_the_same_operations(case: Case, container: str):
    model = pl.load(contained(container, case, torch.float64))
    eager, packed = pl.record(case.net(torch.float64), case.inputs(torch.float64)), pl.record(model, case.inputs(torch.float64))
    quiet = {"alias", "detach", "clone", "slice"}  # scripts write y[:, 1] as y[:][:, 1]
    tell = [[name for name in names(tape) if name not in quiet] for tape in (eager, packed)]
    assert tell[0] == tell[1]


def test_a_module_that_runs_twice_stands_on_the_tape_twice():
    case = CASE["functional"]
    tape = pl.record(case.net(), case.inputs())
    assert [op.module for op in tape.ops if op.kind == "convolution"] == ["lift", "twice", "twice"]
    assert len(tape.returned["twice"]) == 2
    assert find(tape, "twice") == tape.returned["twice"][-1], "the last time it ran"


def test_module_names_are_those_of_the_user():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
            self.head = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.stem(x)) + 1)

    tape = pl.record(Net().eval(), torch.ones(1, 6))
    assert [op.module for op in tape.ops] == ["stem.0", "stem.1", "", "", "head"]
    assert [op.place for op in tape.ops][-2:] == ["add in the model itself", "addmm in head"]


def test_weights_tell_the_module_where_modules_cannot_be_seen():
    net = CASE["residual"].net()
    eager = pl.record(net, CASE["residual"].inputs())
    scripted = pl.record(pl.load(contained("scripted", CASE["residual"])), CASE["residual"].inputs())
    assert not scripted.transparent and eager.transparent
    of = [[op.module for op in tape.ops if op.kind in ("convolution", "dense", "norm")] for tape in (eager, scripted)]
    assert of[0] == of[1]


def test_several_inputs_are_all_followed():
    a, b = tensor(2, 6), tensor(2, 6, seed=3)
    tape = pl.record(lambda a, b: a @ W + b, a, b)
    assert len(tape.inputs) == 2 and tape.ops[-1].kind == "sum"


def test_outputs_may_be_dicts_and_tuples():
    def forward(x: Tensor) -> Any:
        return {"a": x @ W, "b": (x.relu(), [x + 1, 7])}

    tape = pl.record(forward, tensor(2, 6))
    assert set(tape.output) == {"a", "b"} and tape.output["b"][1][1] == 7
    assert torch.equal(tape.value(tape.output["b"][0].id), tensor(2, 6).relu())


@pytest.mark.parametrize("key", ["logits", "out", "output"])
def test_the_main_output_of_several_is_the_one_that_is_called_so(key: str):
    e = pl.explain(lambda x: {"features": x @ W, key: x @ U}, tensor(2, 6), target=2, method="gradient")
    assert torch.equal(e.values, U[:, 2].expand(2, 6))


def test_the_main_output_of_a_tuple_is_the_first_that_depends_on_the_input():
    e = pl.explain(lambda x: (torch.ones(2, 3), x @ U, x @ W), tensor(2, 6), target=1, method="gradient")
    assert torch.equal(e.values, U[:, 1].expand(2, 6))


def test_an_output_that_is_an_object_with_fields_is_read_by_its_fields():
    from dataclasses import dataclass

    class Output(dict):  # as transformers' ModelOutput
        pass

    e = pl.explain(lambda x: Output(loss=torch.zeros(()), logits=x @ U), tensor(2, 6), target=1, method="gradient")
    assert torch.equal(e.values, U[:, 1].expand(2, 6))

    @dataclass
    class Plain:
        logits: Tensor

    e = pl.explain(lambda x: Plain(x @ U), tensor(2, 6), target=1, method="gradient")
    assert torch.equal(e.values, U[:, 1].expand(2, 6))
    with pytest.raises(pl.PellucidError):
        pl.explain(lambda x: object(), tensor(2, 6), target=1, method="gradient")


def test_a_vector_of_outputs_is_one_score_per_sample():
    e = pl.explain(lambda x: (x @ U)[:, 0], tensor(2, 6), target=0, method="gradient")
    assert torch.equal(e.values, U[:, 0].expand(2, 6))


# -- in-place code --------------------------------------------------------------------------------------------------------


def relu_keeps_the_earlier_reader(x: Tensor) -> Tensor:
    y = x @ W
    early = y * 2
    y.relu_()
    return (early + y) @ U


def chain_of_writes(x: Tensor) -> Tensor:
    y = x @ W
    kept = y.clone()
    y.mul_(2).add_(kept, alpha=3).relu_().sub_(kept)
    y += x
    y *= x.sigmoid()
    y /= 2 + x.square()
    return y @ U


def through_a_view(x: Tensor) -> Tensor:
    y = x @ W
    view = y.view(-1, 2, 3)
    view.tanh_()
    return y @ U


def through_a_transposed_view(x: Tensor) -> Tensor:
    y = x @ W
    y.t()[1].mul_(3)
    return y.exp() @ U


def view_reads_the_write_to_its_base(x: Tensor) -> Tensor:
    y = x @ W
    half = y[:, 3:]
    before = half * 1
    y.relu_()
    return torch.cat([half, before], 1) @ W @ U


def slices(x: Tensor) -> Tensor:
    y = x @ W
    y[:, :2] = y[:, 2:4] * 2
    y[:, 4] += y[:, 0]
    y[:, 1:3].relu_()
    return y @ U


def strided_slices(x: Tensor) -> Tensor:
    y = (x @ W).clone()
    y[:, ::2] *= y[:, 1::2]
    return y @ U


def overlapping_slices(x: Tensor) -> Tensor:
    y = x @ W
    y[:, :4].mul_(2)
    y[:, 2:].sigmoid_()
    return y @ U


def a_sample_written(x: Tensor) -> Tensor:
    y = x @ W
    y[0].relu_()
    y[1] = y[1] * 2
    return y @ U


def into_a_fresh_buffer(x: Tensor) -> Tensor:
    y = torch.zeros(x.shape[0], 6, dtype=x.dtype)
    y[:, :3] = x[:, 3:]
    y[:, 3:] = (x @ W)[:, :3].relu()
    return y @ U


def into_an_empty_buffer_in_a_loop(x: Tensor) -> Tensor:
    y = torch.empty(x.shape[0], 6, dtype=x.dtype)
    for i in range(6):
        y[:, i] = x[:, i] * x[:, 5 - i]
    return y @ U


def a_constant_over_part(x: Tensor) -> Tensor:
    y = x @ W
    y[:, 1] = 0.5
    y[:, 2:4].fill_(-1.0)
    y[:, 5:].zero_()
    return y.sigmoid() @ U


def masked(x: Tensor) -> Tensor:
    y = x @ W
    y[y < 0] = 0.1
    y.masked_fill_(y > 1, 1.0)
    return y @ U


def indexed(x: Tensor) -> Tensor:
    y = x @ W
    y[:, torch.tensor([0, 5])] = x[:, :2]
    y.index_add_(1, torch.tensor([1, 1]), x[:, 2:4])
    y.scatter_(1, torch.tensor([[3], [3]]), x[:, 4:5])
    return y @ U


def clamped_in_place(x: Tensor) -> Tensor:
    y = x @ W
    F.hardtanh_(y, -0.5, 0.5)
    F.leaky_relu_(y, 0.3)
    return F.elu_(y) @ U


def out_variants(x: Tensor) -> Tensor:
    y, z = torch.empty(x.shape[0], 6, dtype=x.dtype), torch.empty(0, dtype=x.dtype)
    torch.mm(x, W, out=y)
    torch.mul(y, 2, out=y)
    torch.cat([y[:, :3], x[:, :3]], 1, out=z)
    return z @ U


def written_while_a_list_holds_it(x: Tensor) -> Tensor:
    held = [x @ W]
    held.append(held[0][:, :3])
    held[0].add_(1).relu_()
    return torch.cat(held, 1) @ torch.cat([W, W[:3]], 0) @ U


def the_input_itself(x: Tensor) -> Tensor:
    x = x.mul(1)
    x.relu_()
    x[:, 0] = x[:, 1]
    return x @ U


def set_to_zero_and_used_again(x: Tensor) -> Tensor:
    y = x @ W
    z = y.relu()
    y.zero_()
    y += x
    return (y + z) @ U


def swapped_halves(x: Tensor) -> Tensor:
    y = x @ W
    kept = y[:, :3].clone()
    y[:, :3] = y[:, 3:]
    y[:, 3:] = kept
    return y.square() @ U


def chunks_written(x: Tensor) -> Tensor:
    y = x @ W
    a, b = y.chunk(2, 1)
    a.sigmoid_()
    b.mul_(a)
    return y @ U


def split_and_unbound(x: Tensor) -> Tensor:
    a, b, c = (x @ W).split([1, 2, 3], 1)
    rows = torch.stack([a[:, 0], *b.unbind(1), *c.relu().unbind(1)], 1)
    return rows @ U


def multi_headed_and_unsafe(x: Tensor) -> Tensor:
    a, b = torch.unsafe_chunk(x @ W, 2, 1)
    return torch.cat([a.sigmoid_(), b.tanh_()], 1) @ U


def accumulated(x: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    for i in range(3):
        total += (x @ W) * (i + 1)
    return total.relu_() @ U


def expanded(x: Tensor) -> Tensor:
    y = (x @ W)[:, :1].expand(-1, 6).clone()
    y.add_(x)
    return y @ U


def written_under_a_transpose(x: Tensor) -> Tensor:
    y = torch.empty(6, x.shape[0], dtype=x.dtype)
    y.t().copy_(x @ W)
    return y.t() @ U


def addmm_in_place(x: Tensor) -> Tensor:
    y = (x @ W).contiguous()
    y.addmm_(x, W, beta=0.5, alpha=2).addcmul_(x, x, value=0.1)
    y.lerp_(x, 0.25)
    return y @ U


INPLACE = [
    relu_keeps_the_earlier_reader,
    chain_of_writes,
    through_a_view,
    through_a_transposed_view,
    view_reads_the_write_to_its_base,
    slices,
    strided_slices,
    overlapping_slices,
    a_sample_written,
    into_a_fresh_buffer,
    into_an_empty_buffer_in_a_loop,
    a_constant_over_part,
    masked,
    indexed,
    clamped_in_place,
    written_while_a_list_holds_it,
    the_input_itself,
    set_to_zero_and_used_again,
    swapped_halves,
    chunks_written,
    split_and_unbound,
    multi_headed_and_unsafe,
    accumulated,
    expanded,
    written_under_a_transpose,
    addmm_in_place,
]
AUTOGRAD_REFUSES = [
    chain_of_writes,
    strided_slices,
    a_sample_written,
    clamped_in_place,
    the_input_itself,
    chunks_written,
    out_variants,
]
INPLACE = [function for function in INPLACE if function not in AUTOGRAD_REFUSES]


def by_differences(function: Callable[[Tensor], Tensor], x: Tensor, h: float = 1e-6) -> Tensor:
    """The gradient by central differences, for code that autograd refuses."""
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[i] = h
        step = step.view_as(x)
        grad.view(-1)[i] = (function(x + step).sum() - function(x - step).sum()) / (2 * h)
    return grad


@pytest.mark.parametrize("function", INPLACE + AUTOGRAD_REFUSES, ids=lambda f: f.__name__)
def test_a_tape_of_in_place_code_holds_what_each_operation_really_saw(function: Callable[[Tensor], Tensor]):
    x = tensor(2, 6)
    tape = pl.record(function, x)
    assert torch.allclose(output(tape), function(x.clone()), rtol=1e-12, atol=1e-14)
    for op in tape.ops:
        for made in (o for o in op.outs if o is not None):
            assert torch.allclose(tape.replay(op, made), tape.value(made), rtol=1e-12, atol=1e-14), op.place


@pytest.mark.parametrize("function", INPLACE, ids=lambda f: f.__name__)
def test_the_gradient_of_in_place_code_is_autograds(function: Callable[[Tensor], Tensor]):
    x = tensor(2, 6)
    assert difference(told(function, x), gradient(function, x)) <= 1e-10


@pytest.mark.parametrize("function", AUTOGRAD_REFUSES, ids=lambda f: f.__name__)
def test_the_gradient_of_code_that_autograd_refuses_is_that_of_differences(function: Callable[[Tensor], Tensor]):
    x = tensor(2, 6)
    assert difference(told(function, x), by_differences(function, x)) <= 1e-6


@pytest.mark.parametrize("function", INPLACE + AUTOGRAD_REFUSES, ids=lambda f: f.__name__)
def test_a_batch_of_in_place_code_keeps_its_samples_apart(function: Callable[[Tensor], Tensor]):
    if function is a_sample_written:
        pytest.skip("it treats its samples differently")
    x = tensor(2, 6)
    target = lambda out: out.sum(1)  # noqa: E731
    whole = pl.explain(function, x, target=target, method="lrp.epsilon")
    assert (whole.ledger.error.abs() <= 1e-10 * whole.ledger.volume).all()


def test_copies_are_made_at_the_moment_of_mutation_and_not_before():
    """An in-place ReLU costs no copy of what it overwrites: that can be made again."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
    ).eval()
    tape = pl.record(net, torch.ones(1, 3, 8, 8))
    kept = {v.tensor.untyped_storage().data_ptr() for v in tape.values if v.tracked and v.tensor is not None}
    assert len(kept - {0}) == 1 + 2 + 1  # the input, the two ReLUs, and the second convolution, which the batch norm read


def test_a_relu_that_overwrote_the_layer_before_it_stands_in_for_it():
    tape = pl.record(
        nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True)).eval(),
        torch.randn(2, 4, generator=torch.Generator().manual_seed(0)),
    )
    first = tape.values[tape.ops[0].out]
    assert first.tensor is None and first.upper == tape.ops[1].out
    assert (tape.value(tape.ops[0].out) < 0).any(), "made again on demand, with its negative entries"


# -- buffers and constants ------------------------------------------------------------------------------------------------


def test_a_buffer_that_is_written_with_the_input_carries_it_on():
    class Remembering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("memory", torch.zeros(2, 6, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            memory = self.memory.clone()
            memory[:, ::2] = x[:, ::2]
            memory += 1
            return memory @ U

    net = Remembering().eval()
    expected = torch.zeros(2, 6, dtype=torch.float64)
    expected[:, ::2] = (U.sum(1))[::2]
    assert torch.allclose(told(net, tensor(2, 6)), expected)
    assert not net.memory.any()


def test_a_constant_that_is_overwritten_after_it_was_read_is_remembered_as_it_was():
    def forward(x: Tensor) -> Tensor:
        scale = torch.full((6,), 2.0, dtype=x.dtype)
        y = x * scale
        scale.fill_(100.0)
        return (y + x * scale) @ U

    x = tensor(2, 6)
    assert difference(told(forward, x), by_differences(forward, x)) <= 1e-6


def test_a_constant_that_is_overwritten_through_a_view_is_remembered_as_it_was():
    def forward(x: Tensor) -> Tensor:
        scale = torch.full((6,), 2.0, dtype=x.dtype)
        y = x * scale
        scale[:3] = 100.0
        return (y * scale) @ U

    x = tensor(2, 6)
    assert difference(told(forward, x), by_differences(forward, x)) <= 1e-6


def test_memory_that_is_used_again_does_not_confuse_the_tape():
    def forward(x: Tensor) -> Tensor:
        for i in range(50):  # temporaries come and go at the same addresses
            noise = torch.full((2, 6), float(i), dtype=x.dtype)
            noise.add_(1).mul_(0)
            x = x + noise
            del noise
        return x @ U

    assert torch.allclose(told(forward, tensor(2, 6)), U.sum(1).expand(2, 6))


def test_empty_tensors_do_not_confuse_the_tape():
    def forward(x: Tensor) -> Tensor:
        nothing = torch.cat([x[:, :0], torch.empty(2, 0, dtype=x.dtype)], 1)
        nothing.relu_()
        return torch.cat([x, nothing], 1) @ U + nothing.sum()

    assert torch.allclose(told(forward, tensor(2, 6)), U.sum(1).expand(2, 6))


# -- where samples lie ----------------------------------------------------------------------------------------------------


def owners(tape: Tape, id: int) -> Tensor:
    """What `per_sample` makes of each value, against a value that tells the sample of each of its entries."""
    value = tape.values[id]
    return per_sample(tape.value(id), value.batch, tape.samples)


MOVES: dict[str, Callable[[Tensor], Tensor]] = {
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 1) * 1,
    "sequence first, flattened": lambda x: x.transpose(0, 1).reshape(-1, x.shape[-1]),
    "and back": lambda x: x.transpose(0, 1).reshape(-1, x.shape[-1]).view(x.shape[1], x.shape[0], -1).transpose(0, 1),
    "windows": lambda x: x.view(x.shape[0], 2, 2, 6).permute(0, 2, 1, 3).reshape(-1, 2, 6),
    "heads": lambda x: x.view(x.shape[0], 4, 2, 3).transpose(1, 2).reshape(-1, 4, 3),
    "sequence first and heads": lambda x: x.transpose(0, 1).reshape(4, x.shape[0] * 2, 3).transpose(0, 1),
    "instance norm's view": lambda x: x.reshape(1, -1, 6),
    "flattened altogether": lambda x: x.flatten(),
    "unbound steps, stacked": lambda x: torch.stack([step * 2 for step in x.unbind(1)]),
    "stacked last": lambda x: torch.stack([x, x], -1),
    "a step": lambda x: x[:, 1],
    "a mean over steps first": lambda x: x.transpose(0, 1).mean(0),
    "a mean over the rest": lambda x: x.mean((1, 2)),
    "a mean kept": lambda x: x.transpose(0, 1).mean(0, keepdim=True),
    "squeezed and unsqueezed": lambda x: x[:, None].squeeze(1)[:, :, None],
    "expanded": lambda x: x[None].expand(5, -1, -1, -1),
    "a matrix product after a permutation": lambda x: x.permute(1, 0, 2) @ W[:, :4],
    "a matrix product from the left": lambda x: W[:3, :4] @ x,
    "attention weights": lambda x: (x @ x.transpose(1, 2)).softmax(-1),
    "einsum": lambda x: torch.einsum("bij,kj->kbi", x, W),
    "concatenated steps": lambda x: torch.cat([x[:, :2], x], 1),
    "rolled": lambda x: torch.roll(x, 1, 1),
    "slices of steps in a list": lambda x: torch.cat(list(x.transpose(0, 1).split(2)), 0),
    "gathered": lambda x: x.index_select(2, torch.tensor([0, 0, 5])),
    "unfolded": lambda x: x.unfold(1, 2, 1),
    "pooled": lambda x: F.avg_pool1d(x.transpose(1, 2), 2),
    "broadcast over a new axis": lambda x: x[:, :, None] * x[:, None],
    "max over steps": lambda x: x.max(1).values,
    "written slices, sequence first": lambda x: written_steps(x),
}


def written_steps(x: Tensor) -> Tensor:
    y = torch.zeros(4, x.shape[0], 6, dtype=x.dtype)
    for i in range(4):
        y[i] = x[:, i] * (i + 1)
    y[1:3].relu_()
    return y * 1


@pytest.mark.parametrize("samples", [3, 4, 6])
@pytest.mark.parametrize("move", MOVES)
def test_samples_are_followed_through(move: str, samples: int):
    """Also where an axis is as long as the batch: 4 steps, 6 features."""
    x = tensor(samples, 4, 6).abs()
    whole = pl.record(MOVES[move], x)
    for i, row in enumerate(x):
        alone = pl.record(MOVES[move], row[None])
        assert torch.allclose(owners(whole, whole.output.id)[i], output(alone).sum()), whole.values[whole.output.id]
        for a, b in (
            zip(whole.ops, alone.ops, strict=False) if [op.name for op in whole.ops] == [op.name for op in alone.ops] else ()
        ):
            assert torch.allclose(owners(whole, a.out)[i], alone.value(b.out).sum()), a.place


def test_where_samples_cannot_be_told_apart_nothing_is_made_up():
    tape = pl.record(lambda x: (x.t() @ x) @ U, tensor(2, 6))
    assert tape.values[tape.ops[-1].out].batch is None


# -- modes, threads, and what breaks the thread ---------------------------------------------------------------------------


class Plain(nn.Module):
    """A network with an operation of every fate under inference mode: composite, native, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(inplace=True), nn.MaxPool2d(2))
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.body(x).flatten(2).mean(2))
        return self.head(F.scaled_dot_product_attention(y[:, None], y[:, None], y[:, None])[:, 0])


@pytest.fixture
def plain_net() -> nn.Module:
    torch.manual_seed(3)
    return Plain().double().eval()


METHODS = ["lrp", "lrp.epsilon_plus", "lrp.excitation_backprop", "gradient"]


@pytest.mark.parametrize("method", METHODS)
def test_inputs_made_under_inference_mode_are_explained(plain_net: nn.Module, method: str):
    x = tensor(2, 3, 8, 8)
    with torch.inference_mode():
        y = x.clone()
    expected = pl.explain(plain_net, x, target=1, method=method).values
    assert torch.equal(pl.explain(plain_net, y, target=1, method=method).values, expected)
    with torch.inference_mode():
        assert torch.equal(pl.explain(plain_net, y, target=1, method=method).values, expected)


@pytest.mark.parametrize("method", METHODS)
def test_models_made_under_inference_mode_are_explained(plain_net: nn.Module, method: str):
    with torch.inference_mode():
        net = Plain().double().eval()
        net.load_state_dict(plain_net.state_dict())
    assert next(net.parameters()).is_inference()
    x = tensor(2, 3, 8, 8)
    assert torch.equal(
        pl.explain(net, x, target=1, method=method).values, pl.explain(plain_net, x, target=1, method=method).values
    )


def test_a_model_under_inference_mode_runs_the_same_operations(plain_net: nn.Module):
    x = tensor(2, 3, 8, 8)
    quiet = {"clone", "alias", "_to_copy"}
    inside = names(pl.record(torch.inference_mode()(plain_net.forward), x))
    told = [
        [name.replace("_unsafe_view", "view") for name in ran if name not in quiet]
        for ran in (inside, names(pl.record(plain_net, x)))
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad], ids=lambda mode: mode.__name__)
@pytest.mark.parametrize("method", METHODS)
def test_models_that_choose_their_own_mode_are_explained(plain_net: nn.Module, method: str, mode: Any):
    x = tensor(2, 3, 8, 8)

    def forward(x: Tensor) -> Tensor:
        with mode():
            return plain_net(x)

    assert torch.equal(
        pl.explain(forward, x, target=1, method=method).values, pl.explain(plain_net, x, target=1, method=method).values
    )


def test_the_tape_records_no_gradient(plain_net: nn.Module):
    tape = pl.record(plain_net, tensor(2, 3, 8, 8).requires_grad_())
    assert not any(v.tensor.requires_grad for v in tape.values if v.tracked and v.tensor is not None)


@pytest.mark.parametrize(
    "detour",
    [
        lambda x: torch.from_numpy((x @ W).numpy() * 2) @ U,
        lambda x: torch.ones(x.shape[0], 3),
        lambda x: torch.tensor((x @ W).tolist()) @ U.float(),
        lambda x: (x @ W).argmax(1, keepdim=True) * torch.ones(3),
        lambda x: ((x @ W) > 0).double() @ U,
    ],
    ids=["numpy", "a constant", "a list", "argmax", "a comparison"],
)
@pytest.mark.parametrize("method", ["lrp", "gradient"])
def test_an_output_that_does_not_descend_from_the_input_is_an_error_that_says_where(
    detour: Callable[[Tensor], Tensor], method: str
):
    with pytest.raises(pl.ThreadLost) as caught:
        pl.explain(detour, tensor(2, 6), target=1, method=method)
    message = str(caught.value)
    assert "does not descend from the input" in message and "pl.record(model, x).show()" in message
    assert ("no operation read the input" in message) or ("the thread ends after" in message)


def test_another_thread_is_an_error_that_names_the_last_operation_seen():
    class Threaded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            y, box = self.body(x), []
            thread = threading.Thread(target=lambda: box.append(self.head(y).detach()))
            thread.start()
            thread.join()
            return box[0]

    with pytest.raises(pl.ThreadLost, match="the thread ends after addmm in body"):
        pl.explain(Threaded().eval(), torch.ones(2, 6), target=1)


def test_two_threads_may_explain_at_once():
    case = CASE["residual"]
    expected = pl.explain(case.net(), case.inputs(), target=1).values
    found: list[Tensor] = []
    work = [
        threading.Thread(target=lambda: found.append(pl.explain(case.net(), case.inputs(), target=1).values)) for _ in range(4)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(found) == 4 and all(torch.equal(values, expected) for values in found)


# -- bad input ------------------------------------------------------------------------------------------------------------


def refusal(error: type[pl.PellucidError], call: Callable[[], Any]) -> pl.PellucidError:
    with pytest.raises(error) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "four parts"
    return caught.value


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("method", ["lrp", "gradient"])
def test_an_input_that_is_not_finite_is_refused(bad: float, method: str):
    x = tensor(2, 6)
    x[1, 2:4] = bad
    error = refusal(pl.InputError, lambda: pl.explain(lambda x: x @ U, x, target=1, method=method))
    assert "2 entries of 12 that are NaN or infinite" in str(error)


@pytest.mark.parametrize("method", ["lrp", "gradient"])
def test_nan_in_a_weight_is_refused_by_the_name_of_its_module(method: str):
    net = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    net[2].weight.data[0, 0] = float("nan")
    assert "NaN in a weight of addmm in 2" in str(
        refusal(pl.ModelError, lambda: pl.explain(net, torch.ones(1, 6), target=1, method=method))
    )


def test_an_output_that_is_not_finite_is_refused_by_where_that_begins():
    error = refusal(
        pl.ModelError, lambda: pl.explain(lambda x: (x @ W * 1e308 * 10) @ U, tensor(2, 6), target=1, method="gradient")
    )
    assert "not finite" in str(error) and "mul" in str(error)


@pytest.mark.parametrize("method", ["lrp", "gradient"])
def test_a_model_in_training_mode_is_refused_by_the_name_of_the_module(method: str):
    net = nn.Sequential(nn.Linear(6, 6), nn.Dropout(), nn.Linear(6, 3)).eval()
    net[1].train()
    assert "`1` in training mode" in str(
        refusal(pl.ModelError, lambda: pl.explain(net, torch.ones(1, 6), target=1, method=method))
    )


@pytest.mark.parametrize("method", ["lrp", "gradient"])
def test_a_target_that_does_not_depend_on_the_input_is_refused(method: str):
    """Only one of the outputs depends on the input, and it is not the one that is asked for."""

    class Aside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.const = nn.Linear(6, 6), nn.Parameter(torch.ones(2, 6))
            self.other = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            self.other(self.const)
            return self.body(x)

    refusal(pl.PellucidError, lambda: pl.explain(Aside().eval(), torch.ones(2, 6), target=pl.channel("other", 1), method=method))
    refusal(
        pl.PellucidError, lambda: pl.explain(Aside().eval(), torch.ones(2, 6), target=lambda out: torch.ones(2), method=method)
    )


@pytest.mark.parametrize("x", [torch.ones(()), torch.ones(4), torch.ones(0, 6)], ids=["a number", "a vector", "an empty batch"])
def test_a_tensor_that_is_no_batch_is_refused(x: Tensor):
    assert "the first axis counts the samples" in str(refusal(pl.InputError, lambda: pl.explain(lambda x: x, x, target=0)))


def test_a_tensor_of_truths_is_refused():
    x = torch.ones(2, 6, dtype=torch.bool)
    assert "relevance is shared over real numbers" in str(
        refusal(pl.InputError, lambda: pl.explain(lambda x: x.float(), x, target=0))
    )


def test_whole_numbers_are_explained_from_where_they_become_real_ones():
    x = torch.arange(12).reshape(2, 6)
    assert torch.equal(pl.explain(lambda x: x.to(U) @ U, x, target=1, method="gradient_x_input").values, x * U[:, 1])
    assert "in no table" in str(refusal(pl.InputError, lambda: pl.explain(lambda x: (x > 2).to(U) @ U, x, target=1)))


# -- at= ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradient", "lrp.epsilon"])
def test_at_is_the_value_that_the_module_returned(method: str):
    net, x = CASE["residual"].net(torch.float64), CASE["residual"].inputs(torch.float64)
    kept: dict[str, Tensor] = {}
    handle = net.blocks[0].register_forward_hook(lambda module, args, out: kept.update(out=out.detach()))
    net(x)
    handle.remove()
    values = pl.explain(net, x, target=1, method=method, at="blocks.0").values

    def rest(y: Tensor) -> Tensor:
        return net.head(net.pool(net.blocks[1](y)).flatten(1))

    assert torch.allclose(values, pl.explain(rest, kept["out"], target=1, method=method).values, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("method", ["gradient", "lrp.epsilon"])
def test_at_inside_something_that_a_rewrite_folded_is_what_flows_there(method: str):
    """A batch norm folds into the convolution before it: what stands between them gets what the two got together."""
    net, x = CASE["residual"].net(torch.float64), CASE["residual"].inputs(torch.float64)
    before, after = (pl.explain(net, x, target=1, method=method, at=at) for at in ("stem.0", "stem.1"))
    assert before.values.shape == after.values.shape
    if method == "lrp.epsilon":
        assert torch.allclose(before.values, after.values)
    else:
        scale = net.stem[1].weight / (net.stem[1].running_var + net.stem[1].eps).sqrt()
        assert torch.allclose(before.values, after.values * scale[:, None, None])


def test_at_the_network_itself_is_its_output():
    case = CASE["dense"]
    e = pl.explain(case.net(), case.inputs(), target=2, method="gradient", at="")
    assert torch.equal(e.values, F.one_hot(torch.tensor([2, 2, 2]), 5).float())


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("method", ["gradient", "lrp.epsilon_plus"])
def test_at_works_in_every_container_by_the_modules_that_have_weights(container: str, method: str):
    case = CASE["dense"]
    values = pl.explain(contained(container, case), case.inputs(), target=2, method=method, at="body.2").values
    assert difference(values, pl.explain(case.net(), case.inputs(), target=2, method=method, at="body.2").values) <= 1e-5


def test_at_may_be_a_where():
    case = CASE["residual"]
    by_name = pl.explain(case.net(), case.inputs(), target=1, at="stem.3").values
    by_kind = pl.explain(case.net(), case.inputs(), target=1, at=pl.Where(op="max", position="first")).values
    assert torch.equal(by_name, by_kind)


def test_at_a_place_the_target_does_not_read_is_all_zero_or_refused():
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"out": self.a(x), "aside": self.b(x)}

    e = pl.explain(Forked().eval(), torch.ones(2, 6), target=1, method="gradient", at="b")
    assert e.values.shape == (2, 3) and not e.values.any()


@pytest.mark.parametrize(
    ("at", "said"), [("block", "blocks"), ("blocks.*", "2 of them|of them: blocks"), ("blocks.7", "blocks.0|blocks.1")]
)
def test_at_a_place_that_does_not_exist_names_the_nearest(at: str, said: str):
    import re

    case = CASE["residual"]
    error = refusal(pl.WhereError, lambda: pl.explain(case.net(), case.inputs(), target=1, at=at))
    assert re.search(said, str(error))


# -- models of the wild ---------------------------------------------------------------------------------------------------


def test_data_dependent_branches_are_recorded_as_they_were_taken():
    def forward(x: Tensor) -> Tensor:
        y = x @ W
        return (y.relu() if float(y.sum()) > 0 else y.tanh()) @ U

    x = tensor(2, 6)
    assert ("relu" in names(pl.record(forward, x))) != ("relu" in names(pl.record(forward, -x)))


def test_a_model_may_use_autograd_inside():
    def forward(x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x * 1
            if not leaf.requires_grad:
                leaf.requires_grad_()
            (slope,) = torch.autograd.grad((leaf @ W).square().sum(), leaf)
        return slope @ U

    expected = (2 * W @ W.t() @ U).sum(1).expand(2, 6)
    assert difference(told(forward, tensor(2, 6)), expected) <= 1e-10


def test_detach_stops_a_gradient_and_no_relevance():
    def forward(x: Tensor) -> Tensor:
        return x.detach() @ U

    x = tensor(2, 6)
    with pytest.raises(pl.ThreadLost, match="no way with a derivative"):
        pl.explain(forward, x, target=1, method="gradient")
    e = pl.explain(forward, x, target=1, method="lrp.epsilon")
    assert torch.allclose(e.values, x * U[:, 1], rtol=1e-4) and (e.ledger.error.abs() <= 1e-10 * e.ledger.volume).all()


def test_a_matrix_product_added_to_something_of_the_input_is_a_sum():
    def forward(x: Tensor) -> Tensor:
        return torch.addmm(x, x.relu(), W, beta=0.5, alpha=2) @ U

    def written(x: Tensor) -> Tensor:
        return (0.5 * x + 2 * (x.relu() @ W)) @ U

    x = tensor(2, 6)
    for method in ("gradient", "lrp.epsilon"):
        a, b = (pl.explain(f, x, target=1, method=method) for f in (forward, written))
        assert torch.allclose(a.values, b.values, rtol=1e-4, atol=1e-8)
        assert a.ledger is None or (a.ledger.error.abs() <= 1e-10 * a.ledger.volume).all()


def test_channels_last_inputs_and_models_give_the_same_map():
    import copy

    case = CASE["residual"]
    expected = pl.explain(case.net(torch.float64), case.inputs(torch.float64), target=1).values
    net = copy.deepcopy(case.net(torch.float64)).to(memory_format=torch.channels_last)
    found = pl.explain(net, case.inputs(torch.float64).to(memory_format=torch.channels_last), target=1).values
    assert difference(found, expected) <= 1e-10


def test_a_model_that_depends_on_how_its_input_lies_in_memory_runs_as_it_would_alone():
    """`view` and `as_strided` read the memory itself; the tape must not hand them another layout than the user's."""

    class Raw(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(48, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x.as_strided((x.shape[0], 48), (48, 1)))

    torch.manual_seed(0)
    net, x = Raw().eval(), tensor(2, 3, 4, 4, dtype=torch.float32)
    assert torch.allclose(output(pl.record(net, x)), net(x), atol=1e-6)


def test_a_shared_weight_is_told_of_the_module_that_owns_it_first():
    net = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)).eval()
    net[2].weight = net[0].weight
    tape = pl.record(net, torch.ones(2, 6))
    assert [op.kind for op in tape.ops] == ["dense", "activation", "dense"]
    assert tape.ops[0].module == "0"


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in ("residual", "plain", "mobile")], ids=lambda case: case.name
)
def test_frozen_and_optimised_scripts_are_the_same_network(case: Case):
    frozen = torch.jit.freeze(torch.jit.script(case.net()))
    found = pl.explain(frozen, case.inputs(), target=1, method="lrp.epsilon_plus").values
    assert difference(found, pl.explain(case.net(), case.inputs(), target=1, method="lrp.epsilon_plus").values) <= 1e-5


def test_an_fx_graph_of_modules_is_the_same_network():
    dense = CASE["dense"]
    graph = torch.fx.symbolic_trace(dense.net()).eval()
    assert torch.equal(
        pl.explain(graph, dense.inputs(), target=1).values, pl.explain(dense.net(), dense.inputs(), target=1).values
    )


def test_a_compiled_model_is_recorded_by_the_model_it_wraps():
    case = CASE["dense"]
    compiled = torch.compile(case.net(), backend="eager")
    assert torch.allclose(
        pl.explain(compiled, case.inputs(), target=1).values, pl.explain(case.net(), case.inputs(), target=1).values
    )


def test_a_network_with_a_compiled_part_is_recorded_as_one_without():
    """Its compiler stays out of the recording: it would compile how operations are recorded, again and again."""
    net = CASE["dense"].net()
    parts = torch.nn.Sequential(net, torch.nn.ReLU(), torch.nn.Linear(5, 2)).eval()
    expected = pl.explain(parts, CASE["dense"].inputs(), target=1).values
    parts[1].compile(backend="eager")
    torch._dynamo.utils.counters.clear()
    assert torch.equal(pl.explain(parts, CASE["dense"].inputs(), target=1).values, expected)
    assert sum(torch._dynamo.utils.counters["frames"].values()) <= 4


def test_an_explanation_does_not_wait_for_a_compiler():
    code = "import pellucid as pl, torch, sys; pl.explain(torch.nn.Linear(2, 2).eval(), torch.ones(1, 2), 0); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch._dynamo" not in done.stdout.split()


def test_a_bound_method_brings_its_network_along():
    case = CASE["dense"]
    tape = pl.record(pl.load(case.net().forward), case.inputs())
    assert [op.module for op in tape.ops if op.kind == "dense"] == ["body.0", "body.2", "body.4"]
