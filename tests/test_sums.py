"""Operations that add up, or let the input decide how they share: what each entry gets is what it adds, once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from tests.cases import RELEVANCE

W = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
PLACES = torch.tensor([0, 0, 1, 1, 2, 3, 3, 3])


def line(t: Tensor) -> Tensor:
    return t.flatten(1) @ W[: t[0].numel()]


def lines(x: Tensor) -> Tensor:
    return torch.arange(len(x))[:, None].expand(x.shape)


def segments(row: Tensor) -> Tensor:
    return line(torch.segment_reduce(row, "sum", lengths=torch.tensor([3, 5]))[None])[0]


def bags(row: Tensor) -> Tensor:
    return line(F.embedding_bag(torch.tensor([[0, 1, 1]]), row.view(4, 2), mode="sum"))[0]


SUMS = {
    "windows folded over one another": lambda x: line(F.fold(F.unfold(x.view(-1, 1, 2, 4), (1, 2)), (2, 4), (1, 2))),
    "accumulated by index": lambda x: line(torch.index_put(x / 2, (lines(x), PLACES.expand(x.shape)), x, accumulate=True)),
    "accumulated in place": lambda x: line((x / 2).index_put_((lines(x), PLACES.expand(x.shape)), x, accumulate=True)),
    "put": lambda x: torch.stack([line(torch.put(r / 2, PLACES, r, accumulate=True)[None])[0] for r in x]),
    "scattered sums": lambda x: line(torch.scatter_reduce(x.new_zeros(x.shape), 1, PLACES.expand(x.shape), x, "sum")),
    "scattered means": lambda x: line(torch.scatter_reduce(x, 1, PLACES.expand(x.shape), 2 * x, "mean")),
    "scattered, added in place": lambda x: line((x / 2).scatter_(1, PLACES.expand(x.shape), x, reduce="add")),
    "written twice to one place": lambda x: line(x.index_copy(1, PLACES[:4], x[:, 4:])),
    "sums of segments": lambda x: torch.stack([segments(row) for row in x]),
    "sums of bags": lambda x: torch.stack([bags(row) for row in x]),
    "dot products": lambda x: torch.stack([torch.stack([torch.dot(r, W[:, 0]), torch.dot(W[:, 1], r)]) for r in x]),
    "a column for every sample": lambda x: (W.t() @ x.t()).t(),
}  # fmt: skip
BOUNDS = {
    "a bound that depends on the input": lambda x: line(torch.clamp(x, min=x.roll(1, 1) / 2)),
    "two of them": lambda x: line(torch.clamp(x, x.roll(1, 1), x.roll(2, 1))),
    "the greater of two": lambda x: line(torch.fmax(x, x.flip(1))),
    "running maxima": lambda x: line(x.cummax(1)[0]),
}


@pytest.fixture
def x(rng: torch.Generator) -> Tensor:
    return torch.randn(2, 8, generator=rng)


@pytest.mark.filterwarnings("ignore:.*torch.scatter with Tensor src:UserWarning")
@pytest.mark.parametrize("name", SUMS)
def test_where_all_is_linear_relevance_is_input_times_gradient(x: Tensor, name: str):
    expected = pl.explain(SUMS[name], x, target=0, method="gradient_x_input")
    assert torch.allclose(expected.values.sum(1), expected.output.flatten(), atol=1e-5)  # as it must be of a linear network
    for method in ("lrp.zero", "deeplift"):
        e = pl.explain(SUMS[name], x, target=0, method=method)
        assert torch.allclose(e.values, expected.values, atol=1e-4), method


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("method", ["lrp", "lrp.zero"])
def test_the_entry_that_wins_gets_all_and_gets_it_once(x: Tensor, name: str, method: str):
    e = pl.explain(BOUNDS[name], x, target=0, method=method, strict=True)
    assert torch.allclose(e.values.sum(1), e.output.flatten(), atol=1e-4)
    assert (e.ledger.error.abs() <= 1e-5 * e.ledger.volume).all()
    if method == "lrp.zero":
        assert torch.allclose(e.values, pl.explain(BOUNDS[name], x, target=0, method="gradient_x_input").values, atol=1e-4)


def test_what_constants_add_is_booked_as_theirs(x: Tensor):
    base = torch.full((4,), 0.5)
    net = lambda x: torch.index_add(base.expand(len(x), 4), 1, PLACES, x) @ W[:4]  # noqa: E731
    e = pl.explain(net, x, target=0, method="lrp.zero")
    assert torch.allclose(e.values, pl.explain(net, x, target=0, method="gradient_x_input").values, atol=1e-4)
    assert torch.allclose(e.ledger.by_cause()["constant operand"].float(), (base @ W[:4])[0].expand(2), atol=1e-4)


@pytest.mark.parametrize("method", ["lrp", "lrp.zero"])
def test_a_norm_has_no_rule_and_says_so(x: Tensor, method: str):
    net = lambda x: x.norm(p=1, dim=1, keepdim=True) * W[:1]  # noqa: E731
    with pytest.raises(pl.NoRule):
        pl.explain(net, x, target=0, method=method, strict=True)
    assert any("No rule is known" in warning for warning in pl.explain(net, x, target=0, method=method).warnings())


class Modulated(nn.Module):
    """Weights, scales and offsets of layers that are computed from the input: dynamic convolutions, adaptive norms."""

    def __init__(self) -> None:
        super().__init__()
        self.style, self.head = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        made = []
        for row in x.split(1):
            style = self.style(row)[0]
            normed = F.layer_norm(row, (8,), style, style.flip(0))
            filtered = F.conv1d(normed.view(1, 2, 4), style.view(2, 2, 2), style[:2], padding=1)
            made.append(self.head(F.group_norm(filtered[..., :4], 2, style[:2], style[2:4]).flatten(1)))
        return torch.cat(made)


@pytest.mark.parametrize("method", RELEVANCE)
def test_layers_whose_weights_depend_on_the_input_keep_closed_books(x: Tensor, method: str):
    torch.manual_seed(0)
    net = Modulated().eval()
    e = pl.explain(net, x, target=0, method=method)
    assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all() and "native fallback" not in e.ledger.by_cause()
    alone = pl.explain(net, x[1:], target=0, method=method)
    assert torch.allclose(alone.values, e.values[1:], rtol=1e-3, atol=1e-5)


# -- masks ----------------------------------------------------------------------------------------------------------------

LOW = torch.finfo(torch.float32).min


def twice(s: Tensor, seen: Tensor) -> Tensor:
    return torch.where(seen, s, torch.tensor(LOW)) + torch.where(seen, 0.0, LOW)


def thrice(s: Tensor, seen: Tensor) -> Tensor:
    for _ in range(3):
        s = s + torch.where(seen, 0.0, LOW)
    return s


def sloped(s: Tensor, seen: Tensor) -> Tensor:
    return s + torch.arange(len(seen)) * -1e38 + torch.where(seen, 0.0, LOW)


def nothing_seen(s: Tensor, seen: Tensor) -> Tensor:
    seen = seen.clone()
    seen[0] = False
    return s.masked_fill(~seen, -torch.inf)


class Masked(nn.Module):
    """Attention whose scores are masked in one of these ways."""

    def __init__(self, mask: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.v, self.head, self.mask = *(nn.Linear(4, 4) for _ in range(3)), nn.Linear(4, 2), mask

    def forward(self, x: Tensor) -> Tensor:
        s = self.mask(self.q(x) @ self.k(x).transpose(1, 2), torch.ones(x.shape[1], x.shape[1]).tril().bool())
        return self.head(s.softmax(-1).nan_to_num() @ self.v(x)).mean(1)


@pytest.mark.parametrize("mask", [twice, thrice, sloped, nothing_seen])
def test_books_and_maps_are_finite_where_the_network_is(rng: torch.Generator, mask: object):
    net, x = Masked(mask).eval(), torch.randn(2, 4, 4, generator=rng)
    for method in ("gradient", *RELEVANCE):
        e = pl.explain(net, x, target=1, method=method)
        assert e.values.isfinite().all(), method
        if e.ledger is not None:
            assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all(), method
    once = pl.explain(Masked(lambda s, seen: s.masked_fill(~seen, -torch.inf)).eval(), x, target=1, method="lrp")
    if mask in (twice, thrice):
        assert torch.allclose(pl.explain(net, x, target=1, method="lrp").values, once.values, atol=1e-5)


def test_a_traced_network_that_asks_for_the_length_of_an_axis_is_recorded(x: Tensor):
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(x.size(0), -1) * 2

    traced = torch.jit.trace(Flat().eval(), x[:, None], check_trace=False)
    assert torch.equal(pl.explain(traced, x[:, None], target=3, method="gradient").values[:, 0, 3], torch.full((2,), 2.0))


CANCELLING = {"a mean": lambda y: y.mean(1, keepdim=True), "a sum": lambda y: (y[:, 0] + y[:, 1] + y[:, 2] + y[:, 3])[:, None]}


@pytest.mark.parametrize("name", CANCELLING)
def test_what_rounding_leaves_of_summands_that_cancel_counts_as_zero(name: str):
    """1e-17 with either sign, by which relevance would be divided: units that nothing contributes to pass nothing on."""
    x = torch.tensor([[0.1, 0.2, 0.3, 0.7], [0.3, 0.1, 0.7, 0.9]], dtype=torch.float64)

    def net(x: Tensor) -> Tensor:
        return F.normalize(CANCELLING[name](x - x.mean(1, keepdim=True)))

    assert bool((net(x) != 0).all()) and float(net(x).abs().max()) < 1e-3
    e = pl.explain(net, x, 0, "lrp.zero", verify=False)
    assert not e.values.any() and e.ledger is not None
    torch.testing.assert_close(e.ledger.absorbed, e.output)


def two_branches() -> nn.Module:
    """The sum of two dense layers with activations, and a head."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.head = nn.Linear(8, 5), nn.Linear(8, 5), nn.Linear(5, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.a(x).tanh() + self.b(x).tanh())

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return Net().double().eval().requires_grad_(False)


def gamma_at_the_sum(gamma: float) -> pl.lrp.Composite:
    return pl.lrp.Composite().where(op="dense", rule=pl.lrp.Epsilon(0.0)).where(op="sum", rule=pl.lrp.Gamma(gamma, 0.0))


@pytest.mark.parametrize("gamma", [0.0, 0.25, 3.0])
@pytest.mark.parametrize("branch", ["a", "b"])
def test_gamma_on_a_sum_gives_what_agrees_with_it_one_and_gamma_times_its_weight(x: Tensor, gamma: float, branch: str):
    net, x = two_branches(), x.double()
    parts = {name: net.get_submodule(name)(x).tanh().detach() for name in "ab"}
    got = pl.explain(net, x, target=1, method=gamma_at_the_sum(gamma), at=branch).values
    expected = torch.zeros_like(got)
    for n in range(len(x)):
        for j in range(5):
            z = float(parts["a"][n, j] + parts["b"][n, j])
            weighed = {name: float(p[n, j]) * (1 + gamma if float(p[n, j]) * z > 0 else 1) for name, p in parts.items()}
            expected[n, j] = weighed[branch] / sum(weighed.values()) * z * float(net.get_submodule("head").weight[1, j])
    assert torch.allclose(got, expected, atol=1e-12)


def test_gamma_on_a_sum_bounds_what_summands_that_nearly_cancel_get():
    x = torch.tensor([[1.0, 1.0 - 1e-6]], dtype=torch.float64)
    R = pl.explain(lambda x: x[:, :1] - x[:, 1:], x, target=0, method=gamma_at_the_sum(0.25)).values
    z = float(x[0, 0] - x[0, 1])
    assert torch.allclose(R, torch.tensor([[5.0, -4.0]], dtype=torch.float64) * z, rtol=1e-4)
    assert R.abs().sum() <= (2 + 0.25) / 0.25 * z
