"""Compiled networks: what was traced once gives the bits that the network's own code gives, or is not used."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.core.program import NO_LINE, Program, Untraceable, decision

METHODS = ("lrp", "lrp.epsilon", "lrp.epsilon_plus", "lrp.epsilon_gamma_box", "lrp.epsilon_alpha2_beta1", "deeplift", "gradient")


class Block(nn.Module):
    def __init__(self, channels, groups=1, in_place=False):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False)
        self.norm, self.act = nn.BatchNorm2d(channels), nn.ReLU(in_place)

    def forward(self, x):
        return self.act(x + self.norm(self.conv(x)))


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.attention = nn.Conv2d(3, 8, 4, 4), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x):
        t = self.patch(x).flatten(2).transpose(1, 2)
        t = t + self.attention(t, t, t, need_weights=False)[0]
        return self.head(torch.nn.functional.gelu(self.norm(t)).mean(1))


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.a(x) if x.sum() > 0 else self.b(x)


def seen(net, *shape):
    """The network after batch norms have seen data, in eval mode."""
    with torch.no_grad():
        for _ in range(3):
            net.train()(torch.randn(8, *shape))
    return net.eval()


def network(name):
    torch.manual_seed(0)
    stem, head = nn.Conv2d(3, 8, 3, 2, 1), (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    nets = {
        "residual": lambda: nn.Sequential(stem, nn.ReLU(), nn.MaxPool2d(2), Block(8), Block(8), *head),
        "in place": lambda: nn.Sequential(stem, nn.ReLU(True), Block(8, in_place=True), Block(8, 8, True), *head),
        "relu6": lambda: nn.Sequential(stem, nn.BatchNorm2d(8), nn.ReLU6(), Block(8, 8), *head),
        "attention": Attends,
        "gates": lambda: nn.Sequential(stem, nn.SiLU(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Hardswish(), *head),
    }
    return seen(nets[name](), 3, 16, 16)


KEPT = torch.zeros(2)
NETWORKS = ("residual", "in place", "relu6", "attention", "gates")


def same(one, other):
    """Whether two explanations are the same to the last bit, ledgers and words included."""
    rows = [] if one.ledger is None else zip(one.ledger.rows, other.ledger.rows, strict=True)
    ledgers = all((a.where, a.op, a.cause) == (b.where, b.op, b.cause) and torch.equal(a.amount, b.amount) for a, b in rows)
    return (
        torch.equal(one.values, other.values) and torch.equal(one.output, other.output) and ledgers and one.notes == other.notes
    )


@pytest.fixture(scope="module", params=NETWORKS)
def pair(request):
    net = network(request.param)
    return net, pl.compile(net, torch.randn(1, 3, 16, 16))


@pytest.mark.parametrize("method", METHODS)
def test_compiled_networks_give_the_same_bits(pair, method):
    net, fast = pair
    for batch in (1, 3):
        for seed in range(3):
            x = torch.randn(batch, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 10**seed
            assert same(pl.explain(fast, x, method=method), pl.explain(net, x, method=method))
    x = torch.zeros(2, 3, 16, 16)  # decisions that go another way
    assert same(pl.explain(fast, x, method=method), pl.explain(net, x, method=method))
    assert not fast.plans.refused


def test_a_compiled_network_runs_no_code_of_its_own():
    net = network("residual")
    fast, x = pl.compile(net, torch.randn(1, 3, 16, 16)), torch.randn(1, 3, 16, 16)
    pl.explain(fast, x, target=1)
    ran = []
    Block.forward, own = lambda self, x: ran.append(1) or own(self, x), Block.forward
    try:
        pl.explain(fast, x + 1, target=1, verify=False)
        through_plan = len(ran)
        pl.explain(net, x + 1, target=1, verify=False)
    finally:
        Block.forward = own
    assert len(ran) - through_plan > through_plan


@pytest.mark.parametrize("target", [1, pl.logit(0) - pl.logit(3), pl.probability(2), "area"])
def test_targets_differ_from_call_to_call(target):
    net = network("relu6")
    fast, x = pl.compile(net, torch.randn(1, 3, 16, 16)), torch.randn(1, 3, 16, 16)
    if target == "area":
        target = pl.channel("3", 2)
    assert same(pl.explain(fast, x, target=target), pl.explain(net, x, target=target))
    assert same(pl.explain(fast, x, target=4), pl.explain(net, x, target=4))
    assert same(pl.explain(fast, x, target=4, at="3"), pl.explain(net, x, target=4, at="3"))


def test_conditions_and_several_targets():
    net = network("residual")
    fast, x = pl.compile(net, torch.randn(1, 3, 16, 16)), torch.randn(1, 3, 16, 16)
    options = {"only": pl.channels([1, 5]), "at": "3"}
    assert same(pl.explain(fast, x, target=2, **options), pl.explain(net, x, target=2, **options))


def changed_in_place(net):
    with torch.no_grad():
        net[0].weight.mul_(1.5)


def replaced(net):
    net[0].weight = nn.Parameter(net[0].weight.detach() * 0.5)


def loaded(net):
    net.load_state_dict({name: t * 1.1 if t.is_floating_point() else t for name, t in net.state_dict().items()})


def hooked(net):
    net[0].register_forward_hook(lambda module, args, out: out * 2)


def exchanged(net):
    net[1] = nn.Tanh().eval()


@pytest.mark.parametrize("change", [changed_in_place, replaced, loaded, hooked, exchanged])
def test_changes_of_the_network_are_noticed(change):
    net, x = network("residual"), torch.randn(1, 3, 16, 16)
    fast = pl.compile(net, x)
    before = pl.explain(fast, x, target=1)
    change(net)
    after = pl.explain(fast, x, target=1)
    assert same(after, pl.explain(net, x, target=1))
    assert not torch.equal(after.values, before.values)


def test_graphs_of_other_kinds(tmp_path):
    net, x = network("residual"), torch.randn(2, 3, 16, 16)
    exported = torch.export.export(net, (x,))
    traced = torch.jit.trace(net, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the older exporter is being retired
        torch.onnx.export(net, (x,), tmp_path / "net.onnx", dynamo=False)
    for model in (exported, traced, tmp_path / "net.onnx"):
        plain, fast = pl.load(model), pl.compile(model, x)
        for other in (x, x * 3):
            assert same(pl.explain(fast, other, target=1), pl.explain(plain, other, target=1))


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.calls = nn.Linear(4, 2), 0

    def forward(self, x):
        self.calls += 1
        return self.dense(x) * self.calls


class Draws(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 2)

    def forward(self, x):
        return self.dense(x + torch.rand_like(x))


class Lists(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 2)

    def forward(self, x):
        return self.dense(x) * torch.tensor(x.detach().sum(1).tolist())[:, None]


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (Branches, "torch.export does not take it whole"),
        (Counts, "it writes Counts.calls"),
        (Draws, "random"),
        (Lists, "torch.export does not take it whole|lists or arrays"),
        (lambda: lambda x: x.sum(1, keepdim=True), "cannot be looked into"),
    ],
)
def test_what_cannot_be_compiled_is_refused(net, words):
    net = net()
    net = net.eval() if isinstance(net, nn.Module) else net
    with pytest.raises(pl.errors.ModelError, match=words):
        pl.compile(net, torch.ones(1, 4))


def test_errors_stay_errors():
    net, x = network("residual"), torch.randn(1, 3, 16, 16)
    fast = pl.compile(net, x)
    with pytest.raises(pl.errors.InputError):
        pl.explain(fast, x * float("nan"))
    assert same(pl.explain(fast, x), pl.explain(net, x))


def test_several_threads():
    net, xs = network("relu6"), [torch.randn(1, 3, 16, 16) for _ in range(8)]
    fast = pl.compile(net, xs[0])
    expected = [pl.explain(net, x, target=1) for x in xs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: pl.explain(fast, x, target=1), xs))
    assert all(map(same, found, expected))


# -- programs themselves ----------------------------------------------------------------------------------------------------


def run(program, function, *inputs):
    found = program.run(inputs)
    return (program.traced(lambda: function(*inputs), inputs), True) if found is NO_LINE else (found, False)


def test_lines_branch_where_the_code_does():
    def function(x):
        y = x * 2
        if y.sum() > 0:
            y = y + 1
        if y.max() > 5:
            return y.relu(), "large"
        return y.neg(), "small"

    program = Program()
    inputs = [torch.tensor(v) for v in ([1.0, 2.0], [-1.0, 0.0], [9.0, 1.0], [-20.0, 9.0])]
    for x in inputs:
        assert run(program, function, x)[1]
    for x in inputs:
        (value, word), traced = run(program, function, x + 0.1)
        assert not traced
        assert torch.equal(value, function(x + 0.1)[0])
        assert word == function(x + 0.1)[1]
    assert program.lines == 4
    assert program.source.count("mul(") == 1  # what they share stands once


def test_constants_are_computed_once_and_never_written_to():
    weight = torch.tensor([1.0, -2.0])

    def function(x):
        positive = weight.clamp(min=0)
        sums = torch.zeros(2)
        sums += positive
        sums.add_(x)
        return sums, x * positive

    program = Program()
    first, second = torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0])
    run(program, function, first)
    for x in (second, first, second):
        (a, b), traced = run(program, function, x)
        assert not traced
        assert torch.equal(a, function(x)[0])
        assert torch.equal(b, function(x)[1])
    assert "clamp" not in program.source


def test_shapes_that_go_by_numbers_are_asked_for():
    def function(x):
        found = x.nonzero()
        return found.float() * len(found)

    program = Program()
    for x in (torch.tensor([1.0, 0.0, 2.0]), torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 0.0, 2.0])):
        assert torch.equal(run(program, function, x)[0], function(x))
    assert program.lines == 2


def test_decisions_are_asked_again():
    @decision
    def large(x):
        return x.tolist()[0] > 1

    program = Program()
    for x in (torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([0.5]), torch.tensor([3.0])):
        assert torch.equal(run(program, lambda x: x + 1 if large(x) else x - 1, x)[0], x + 1 if x > 1 else x - 1)
    assert program.lines == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + torch.rand(2),
        lambda x: x.add_(1),
        lambda x: torch.tensor(x.tolist()),
        lambda x: torch.from_numpy(x.numpy() * 2),
        lambda x: KEPT.add_(x),
    ],
)
def test_what_is_no_straight_line_is_refused(function):
    program = Program()
    with pytest.raises(Untraceable):
        run(program, function, torch.ones(2))
    with pytest.raises(Untraceable):  # and so from then on
        run(program, function, torch.ones(2))


def test_derivatives_are_traced_below_autograd():
    weight = torch.randn(3, 2, requires_grad=True)

    def function(x):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return torch.autograd.grad((leaf @ weight).tanh().square().sum(), leaf)[0]

    program = Program()
    for seed in range(3):
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            found, traced = run(program, function, x)
        assert torch.equal(found, function(x))
        assert traced == (seed == 0)
