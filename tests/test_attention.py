"""Attention: its rules equal slow twins, it is found however it is written, and what the model brings along is booked by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods.lrp.auto import normed_sums
from pellucid.tape import attentions, record, rewrite
from tests.cases import CASE, expected, settle
from tests.reference import attention_rules_twins as twins

EPS = 1e-3  # great enough to show where it is left out
TARGET = 1


class Around(nn.Module):
    """Something in the middle of a network, and a head without bias that reads all of it."""

    def __init__(self, middle: Callable[[Tensor], Tensor], units: int) -> None:
        super().__init__()
        self.middle = middle
        self.head = nn.Linear(units, 2, bias=False, dtype=torch.float64)
        self.head.weight.data = torch.randn(2, units, dtype=torch.float64, generator=torch.Generator().manual_seed(units))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(x).flatten(1))


def found(middle: Callable[[Tensor], Tensor], x: Tensor, rule: Any, *, opened: bool = True) -> tuple[Tensor, Tensor]:
    """The relevance that `middle` gets from the head by LRP-0, and what the library makes of it."""
    with torch.no_grad():
        y = middle(x)
    net = Around(middle, y[0].numel()).eval()
    composite = pl.lrp.Composite(((pl.Where(op="dense"), pl.lrp.Epsilon(0.0)), *rule), opened=opened)
    e = pl.explain(net, x, target=TARGET, method=composite, strict=True)
    assert (e.ledger.error.abs() <= 1e-10 * e.ledger.volume).all()
    return y * net.head.weight.data[TARGET].view(y.shape[1:]), e.values


def noise(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_same(found: Tensor, wanted: Tensor) -> None:
    assert float((found - wanted).abs().max() / wanted.abs().max()) <= 1e-10


# -- rules and their twins ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("logarithm", [False, True], ids=["softmax", "log-softmax"])
def test_softmax_gives_the_map_of_its_twin(logarithm: bool):
    x = noise(3, 4, 5)
    rule = [(pl.Where(op="softmax"), pl.lrp.Softmax(EPS))]
    R, values = found(lambda t: t.log_softmax(-1) if logarithm else t.softmax(-1), x, rule)
    rows = zip(x.flatten(0, 1), R.flatten(0, 1), strict=True)
    assert_same(
        values.flatten(0, 1), torch.stack([twins.log_softmax(*row, EPS) if logarithm else twins.softmax(*row) for row in rows])
    )


def test_scores_that_are_masked_out_get_nothing():
    x, ahead = noise(2, 4, 4), torch.ones(4, 4, dtype=torch.bool).triu(1)
    R, values = found(lambda t: (t + torch.zeros(4, 4).masked_fill(ahead, -torch.inf)).softmax(-1), x, [])
    assert values.isfinite().all() and not values[:, ahead].any()
    R, values = found(lambda t: t.masked_fill(ahead, -torch.inf).softmax(-1), x, [(pl.Where(op="softmax"), pl.lrp.Softmax())])
    for sample in range(2):
        for n in range(1, 5):  # what is not masked is a softmax of its own
            wanted = twins.softmax(x[sample, n - 1, :n], R[sample, n - 1, :n])
            assert torch.allclose(values[sample, n - 1, :n], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("written", ["matmul", "einsum", "mm"])
def test_a_product_of_two_signals_gives_the_map_of_its_twin(written: str):
    x = noise(1 if written == "mm" else 3, 24)

    def middle(t: Tensor) -> Tensor:
        a, b = t[:, :12].view(-1, 3, 4), t[:, 12:].view(-1, 4, 3)
        return torch.einsum("nik,nkj->nij", a, b) if written == "einsum" else (a[0] @ b[0])[None] if written == "mm" else a @ b

    R, values = found(middle, x, [(pl.Where(op="product"), pl.lrp.Halve(EPS))])
    for sample, r, got in zip(x, R, values, strict=True):
        of_a, of_b = twins.product(sample[:12].view(3, 4), sample[12:].view(4, 3), r, EPS)
        assert_same(got, torch.cat([of_a.flatten(), of_b.flatten()]))


def test_a_product_of_entries_gives_each_factor_a_half():
    x = noise(3, 8)
    R, values = found(lambda t: F.silu(t[:, :4]) * t[:, 4:], x, [])
    assert_same(values, torch.cat([R / 2, R / 2], 1))


def test_weights_that_stand_still_leave_all_to_the_values():
    x, scores = noise(3, 4, 2), noise(4, 4, seed=9)
    weights = scores.softmax(-1)
    R, values = found(
        lambda t: (scores + 0 * t.mean()).softmax(-1) @ t, x, [(pl.Where(op="gate"), pl.lrp.Gate(EPS))], opened=False
    )
    assert_same(values, torch.stack([twins.weighed(weights, v, r, EPS) for v, r in zip(x, R, strict=True)]))


NORMS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Callable[[Tensor], Tensor], bool]] = {
    "layer": (lambda: nn.LayerNorm(4), (3, 4), lambda at: at // 4, True),
    "layer over two axes": (lambda: nn.LayerNorm((3, 4)), (3, 4), lambda at: 0 * at, True),
    "layer without weights": (lambda: nn.LayerNorm(4, elementwise_affine=False), (3, 4), lambda at: at // 4, True),
    "group": (lambda: nn.GroupNorm(2, 4), (4, 3), lambda at: at // 6, True),
    "instance": (lambda: nn.InstanceNorm1d(4, affine=True), (4, 3), lambda at: at // 3, True),
    "root mean square": (lambda: nn.RMSNorm(4, eps=1e-5), (3, 4), lambda at: at // 4, False),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_gives_the_map_of_its_twin(name: str):
    make, shape, sets, centred = NORMS[name]
    norm = make().double().eval()
    for seed, parameter in enumerate(norm.parameters()):
        parameter.data = noise(*parameter.shape, seed=seed) + 1
    x = noise(3, *shape)
    R, values = found(norm, x, [(pl.Where(op="norm"), pl.lrp.Standardise(EPS))])
    per_channel = name in ("group", "instance")

    def entries(of: Any, otherwise: float) -> Tensor:
        each = torch.full(shape, otherwise) if of is None else of.data
        return (each[:, None] if per_channel and of is not None else each).expand(shape).flatten().double()

    weight, bias = (entries(getattr(norm, key, None), value) for key, value in (("weight", 1.0), ("bias", 0.0)))
    told = {"sets": sets(torch.arange(x[0].numel())), "weight": weight, "bias": bias, "centred": centred, "eps": 1e-5}
    stabiliser = EPS if centred else 0.0  # a root mean square takes all at once: R_in = R
    wanted = [twins.norm(s.flatten(), r.flatten(), **told, epsilon=stabiliser) for s, r in zip(x, R, strict=True)]
    assert_same(values.flatten(1), torch.stack(wanted))


@pytest.mark.parametrize("method", ["lrp.attention", "lrp.cp"])
def test_norms_written_by_hand_are_the_same(method: str):
    x = noise(2, 3, 4)
    by_hand: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
        "layer": (
            lambda t: F.layer_norm(t, (4,)),
            lambda t: (t - t.mean(-1, keepdim=True)) / torch.sqrt(t.var(-1, keepdim=True, unbiased=False) + 1e-5),
        ),
        "root mean square": (
            lambda t: F.rms_norm(t, (4,), eps=1e-5),
            lambda t: t * torch.rsqrt(t.pow(2).mean(-1, keepdim=True) + 1e-5),
        ),
        "length": (lambda t: F.normalize(t, dim=-1), lambda t: t / t.square().sum(-1, keepdim=True).sqrt()),
    }
    for given, written in by_hand.values():
        maps = [pl.explain(Around(how, 12).eval(), x, TARGET, method, strict=True).values for how in (given, written)]
        assert float((maps[0] - maps[1]).abs().max() / maps[0].abs().max()) <= 1e-7  # the stabiliser enters at other places


# -- however it is written ------------------------------------------------------------------------------------------------


class Heads(nn.Module):
    """Self-attention of two heads in one of several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.attention, self.head = how, nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.how.startswith("module"):
            y = self.attention(x, x, x, need_weights="weights" in self.how)[0]
        else:
            qkv = F.linear(x, self.attention.in_proj_weight, self.attention.in_proj_bias)
            q, k, v = (t.view(len(x), -1, 2, 4).transpose(1, 2) for t in qkv.chunk(3, -1))
            y = self.attention.out_proj(self.mixed(q, k, v).transpose(1, 2).flatten(2))
        return self.head((x + y).mean(1))

    def mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.how == "function":
            return F.scaled_dot_product_attention(q, k, v)
        if self.how == "einsum":
            return torch.einsum("bhqk,bhkd->bhqd", (torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(4)).softmax(-1), v)
        if self.how == "exponentials":
            scores = q @ k.transpose(-1, -2) / math.sqrt(4)
            return (scores - scores.amax(-1, keepdim=True).detach()).softmax(-1) @ v
        return ((q @ k.transpose(-1, -2)) / math.sqrt(4)).softmax(-1) @ v


@pytest.mark.parametrize("method", ["lrp", "lrp.attention", "lrp.cp"])
@pytest.mark.parametrize("how", ["module", "module with weights", "function", "einsum"])
def test_attention_is_the_same_however_it_is_written(how: str, method: str):
    x, maps = noise(2, 5, 8), []
    for written in ("by hand", how):
        net = Heads(written).double().eval()
        settle(net, (5, 8))
        assert len(attentions(rewrite(record(net, x)))) == 1
        maps.append(pl.explain(net, x, TARGET, method, strict=True).values)
    assert float((maps[0] - maps[1]).abs().max() / maps[0].abs().max()) <= 1e-7


class Talking(nn.Module):
    """Heads whose weights are mixed after the softmax, as in CaiT."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.talk, self.head = nn.Linear(8, 24), nn.Linear(2, 2), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.view(len(x), -1, 2, 4).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        weights = self.talk((q @ k.transpose(-1, -2)).softmax(-1).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.head((weights @ v).transpose(1, 2).flatten(2).mean(1))


def test_heads_that_talk_to_one_another_are_attention_too():
    net, x = Talking().double().eval(), noise(2, 5, 8)
    (attention,) = attentions(rewrite(record(net, x)))
    assert (attention.queries, attention.keys) == (5, 5)
    assert rewrite(record(net, x)).show().count("gate") == 1


def by_layer(a: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return F.linear(a.permute(0, 2, 3, 1), w, b).permute(0, 3, 1, 2)


def by_expanded_product(a: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """As a product with an axis per query, which is what an ONNX file of the layer computes."""
    rows, weights = a.permute(0, 2, 3, 1).flatten(0, 1), w.T.expand(a.shape[0] * a.shape[2], *w.T.shape)
    return (torch.bmm(rows, weights).unflatten(0, (a.shape[0], a.shape[2])) + b).permute(0, 3, 1, 2)


def by_sum(a: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] * w[None, :, :, None, None]).sum(2) + b[:, None, None]


MIXTURES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "product": lambda a, w, b: (a.permute(0, 2, 3, 1) @ w.T + b).permute(0, 3, 1, 2),
    "product with an axis per query": by_expanded_product,
    "product from the left": lambda a, w, b: (w @ a.flatten(2) + b[:, None]).reshape(a.shape),
    "layer over rows": lambda a, w, b: F.linear(a.permute(0, 2, 3, 1).reshape(-1, 4), w, b).view(-1, 5, 5, 4).permute(0, 3, 1, 2),
    "einsum": lambda a, w, b: torch.einsum("bhqk,gh->bgqk", a, w) + b[:, None, None],
    "tensordot": lambda a, w, b: torch.tensordot(a, w, ([1], [1])).add(b).permute(0, 3, 1, 2),
    "convolution": lambda a, w, b: F.conv2d(a, w[:, :, None, None], b),
    "convolution of rows": lambda a, w, b: F.conv1d(a.flatten(2), w[:, :, None], b).reshape(a.shape),
    "products and their sum": by_sum,
    "heads one by one": lambda a, w, b: torch.stack([sum(w[g, h] * a[:, h] for h in range(4)) + b[g] for g in range(4)], 1),
}


class TalkingTwice(nn.Module):
    """Four heads that talk before and after the softmax, by any linear map."""

    def __init__(self, talk: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.talk = talk
        self.qkv, self.before, self.after, self.head = nn.Linear(8, 24), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.view(len(x), -1, 4, 2).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        weights = self.talk(q @ k.transpose(-1, -2), self.before.weight, self.before.bias).softmax(-1)
        weights = self.talk(weights, self.after.weight, self.after.bias)
        return self.head((weights @ v).transpose(1, 2).flatten(2).mean(1))


@pytest.mark.parametrize("method", ["lrp", "lrp.attention", "lrp.cp"])
@pytest.mark.parametrize("how", MIXTURES)
def test_heads_that_talk_are_explained_alike_however_they_do_it(how: str, method: str):
    x, maps = noise(2, 5, 8), []
    for talk in (by_layer, MIXTURES[how]):
        net = TalkingTwice(talk).double().eval()
        settle(net, (5, 8))
        assert len(attentions(rewrite(record(net, x)))) == 1
        maps.append(pl.explain(net, x, TARGET, method, strict=True).values)
        alone = pl.explain(net, x[:1], TARGET, method, strict=True).values
        assert float((maps[-1][:1] - alone).abs().max() / alone.abs().max()) <= 1e-7
    assert float((maps[0] - maps[1]).abs().max() / maps[0].abs().max()) <= 1e-7


class Slots(nn.Module):
    """Probabilities weigh constants, which a layer does, and what comes out multiplies the input."""

    def __init__(self, over: int) -> None:
        super().__init__()
        self.over, self.slots = over, nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        probabilities = x.transpose(self.over, -1).softmax(-1).transpose(self.over, -1)
        return (self.slots(probabilities) @ x.transpose(-1, -2)).flatten(1)


@pytest.mark.parametrize(("over", "kind"), [(-2, "gate"), (-1, "product")])
def test_a_layer_over_the_keys_makes_a_signal_and_one_over_another_axis_does_not(over: int, kind: str):
    tape = rewrite(record(Slots(over).double().eval(), noise(1, 2, 5, 4)))
    assert [op.kind for op in tape.ops if op.name == "bmm"][-1] == kind


class Experts(nn.Module):
    """Two of four experts for each token, chosen by a router."""

    def __init__(self, grouped: bool) -> None:
        super().__init__()
        self.grouped, self.router, self.head = grouped, nn.Linear(6, 4, bias=False), nn.Linear(6, 3, bias=False)
        self.experts = nn.Parameter(torch.ones(4, 6, 6))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        share, chosen = self.router(rows).softmax(-1).topk(2, -1)
        share = share / share.sum(-1, keepdim=True)
        y = torch.zeros_like(rows)
        if self.grouped:
            order = chosen.flatten().argsort()
            ends = chosen.flatten().bincount(minlength=4).cumsum(0).to(torch.int32)
            made = torch._grouped_mm(rows[order // 2], self.experts, ends) * share.flatten()[order, None]
            return self.head((x + y.index_add(0, order // 2, made).view(x.shape)).mean(1))
        for number in range(4):
            token, place = torch.where(chosen == number)
            y.index_add_(0, token, (rows[token] @ self.experts[number]) * share[token, place, None])
        return self.head((x + y.view(x.shape)).mean(1))


@pytest.mark.parametrize("method", ["lrp", "lrp.attention", "lrp.cp"])
def test_experts_get_what_they_said_and_routers_nothing(method: str):
    nets = [Experts(grouped).eval() for grouped in (False, True)]
    for net in nets:
        settle(net, (5, 6))
    x = noise(2, 5, 6).float()
    one, other = (pl.explain(net, x, TARGET, method, strict=True) for net in nets)
    assert torch.allclose(one.values.flatten(1).sum(1), one.output, rtol=1e-4)  # nothing here has a bias
    assert float((one.values - other.values).abs().max() / one.values.abs().max()) <= 1e-4
    alone = pl.explain(nets[0], x[1:], TARGET, method, strict=True)
    assert float((alone.values[0] - one.values[1]).abs().max() / one.values.abs().max()) <= 1e-4


# -- what is said of it ---------------------------------------------------------------------------------------------------


def test_tokens_and_positions_of_the_models_own_are_booked_by_name():
    e = expected(CASE["seeing"], "lrp.cp", torch.float64)
    constants = {row.where for row in e.ledger.rows if row.cause == "constant operand"}
    assert constants == {"token", "places"}
    assert {row.where for row in e.ledger.rows if row.cause == "bias"} >= {"qkv", "project", "norm", "patches"}
    assert "token" in e.caption() and "places" in e.caption() and "constant operand" not in e.caption()


CHOSEN = {
    "plain": "lrp.conserving because it found convolutions and no attention.",
    "seeing": "lrp.cp because it found attention over 17 positions, once.",
    "speaking": "lrp.cp because it found attention over 5 positions, once.",
    "recurrent": "lrp.conserving because it found gates, as recurrent cells have them, and no attention.",
    "dense": "lrp.conserving because it found dense layers and no attention.",
}


@pytest.mark.parametrize("name", CHOSEN)
def test_lrp_alone_says_what_it_chose_and_why(name: str):
    e = expected(CASE[name], "lrp")
    assert e.notes[0] == f"`lrp` chose {CHOSEN[name]}"


@pytest.mark.parametrize("first", [False, True], ids=["norms last", "norms first"])
def test_lrp_alone_hands_the_whole_score_to_the_words(first: bool):
    """Positions are part of their words, biases hand on what they keep, and weights of an attention take nothing."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=first)
            self.layers, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 3)
            self.places = nn.Parameter(torch.randn(5, 8))

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layers(x + self.places).mean(1))

    torch.manual_seed(3)
    net = Net().double().eval()
    e = pl.explain(net, noise(2, 5, 8), target=TARGET)
    torch.testing.assert_close(e.values.sum((1, 2)), e.output.flatten())
    tape = rewrite(record(pl.load(net), noise(2, 5, 8)))
    assert len(normed_sums(tape, tape.ops)) == (0 if first else 4), "by value only where a norm follows at once"
    assert ("Gamma" in "".join(e.provenance["method"]["options"])) and "attention" in e.notes[0]


def test_gamma_in_attention_is_an_option():
    case = CASE["seeing"]
    plain, more = (pl.explain(case.net(), case.inputs(), 1, pl.lrp.Attention(gamma=gamma)) for gamma in (0.0, 0.25))
    assert "Gamma" in "".join(more.provenance["method"]["options"]) and not torch.allclose(plain.values, more.values)


def test_sums_over_tokens_are_pools_for_the_default():
    torch.manual_seed(0)
    q, k, v, out = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(6, 5), nn.Linear(5, 3)
    x = torch.randn(2, 4, 6)

    def network(pool):
        return lambda x: out(pool((q(x) @ k(x).mT / 2).softmax(-1) @ v(x)))

    total, mean = (pl.explain(network(one), x, 1, "lrp") for one in (lambda z: z.sum(1), lambda z: 4 * z.mean(1)))
    torch.testing.assert_close(total.values, mean.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(total.values.sum((1, 2)), total.output, rtol=1e-4, atol=1e-5)
