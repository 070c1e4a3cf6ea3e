"""DeepLIFT: what changed adds up, for every network and operation; it is the paper's, and captum's where that adds up."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.methods.gradient.deeplift import DeepLift
from pellucid.methods.gradient.deepshap import DeepShap
from pellucid.methods.gradient.rescale import quotient, secant
from pellucid.target import as_target
from tests.cases import CASE, CONTAINERS, Case, contained, difference, each_case
from tests.golden import deeplift_nets as nets
from tests.reference import deeplift_twins as twins

RULES = ("rescale", "reveal_cancel")
each_rule = pytest.mark.parametrize("rule", RULES)
GOLDEN = json.loads((Path(__file__).parent / "golden" / "captum_deeplift.json").read_text(encoding="utf-8"))


def score(net: Callable[[Tensor], Any], x: Tensor, target: object) -> Tensor:
    with torch.no_grad():
        out = net(x)
    out = out["out"] if isinstance(out, dict) else out
    return as_target(target).read(lambda at: out)


def noise(like: Tensor, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(like)


# -- it adds up -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-14)], ids=["float32", "float64"])
@pytest.mark.parametrize("against", ["zeros", "noise"])
@each_rule
@each_case
def test_the_map_sums_to_the_change_of_the_score(case: Case, rule: str, against: str, dtype: torch.dtype, bound: float):
    net, x = case.net(dtype), case.inputs(dtype)
    baseline = None if against == "zeros" else noise(x, 5)
    e = pl.explain(net, x, target=case.target, method=DeepLift(baseline, rule))
    change = e.output - score(net, torch.zeros_like(x) if baseline is None else baseline, case.target)
    gap = (e.values.double().flatten(1).sum(1) - change.double()).abs()
    assert (gap <= bound * (change.abs() + e.values.flatten(1).abs().sum(1))).all()


VECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "hand-written silu": lambda x: x * torch.sigmoid(x),
    "hand-written gelu": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "hand-written relu": lambda x: x * (x > 0),
    "chosen by comparison": lambda x: torch.where(x > 0, x.square(), x.flip(1)),
    "masked": lambda x: x.masked_fill(x < 0, 0.3),
    "detached": lambda x: x / (1 + x.detach().abs()),
    "scaled by a number of its own": lambda x: x * float(x[0, 0]),
    "product": lambda x: x * x.flip(1).tanh(),
    "outer product": lambda x: (x[:, :, None] * x[:, None]).flatten(1),
    "division": lambda x: x / (1 + x.flip(1).square()),
    "division by what changes its sign": lambda x: x / x.flip(1),
    "power of both": lambda x: x.abs() ** x.flip(1),
    "greater": lambda x: torch.maximum(x, x.flip(1)),
    "lesser of three": lambda x: torch.stack([x, x.flip(1), x.roll(1, 1)]).amin(0),
    "atan2": lambda x: torch.atan2(x, x.flip(1)),
    "gated": lambda x: F.glu(x, 1),
    "softmax": lambda x: (9 * x).softmax(1),
    "masked softmax": lambda x: x.masked_fill(torch.tensor([[False, True, False, False, False, True]]), -torch.inf).softmax(1),
    "log softmax": lambda x: (9 * x).log_softmax(1),
    "logsumexp": lambda x: (9 * x).logsumexp(1),
    "layer norm": lambda x: F.layer_norm(x, (6,)),
    "rms norm": lambda x: F.rms_norm(x, (6,)),
    "group norm": lambda x: F.group_norm(x.reshape(-1, 6, 1).expand(-1, 6, 4) * torch.arange(4), 2),
    "normalised": lambda x: F.normalize(x, dim=1),
    "standard deviation": lambda x: x.std(1),
    "standard deviation, uncorrected": lambda x: x.reshape(-1, 2, 3).std((1, 2), correction=0, keepdim=True),
    "variance and mean": lambda x: torch.stack(torch.var_mean(x, 1), 1),
    "a product of all": lambda x: x.prod(1),
    "greatest": lambda x: x.max(1).values,
    "least, kept": lambda x: x.reshape(-1, 2, 3).min(2, keepdim=True).values,
    "sorted": lambda x: x.sort(1, descending=True).values,
    "top three": lambda x: x.topk(3, 1).values,
    "determinant": lambda x: torch.det(torch.eye(6, dtype=x.dtype) + x[:, :, None] * torch.linspace(-1, 1, 6)),
    "bessel function": torch.special.i0,
    "written in place": lambda x: x.clone().mul_(2).relu_().add_(x),
}
PICTURES: dict[str, Callable[[Tensor], Tensor]] = {
    "max pool": lambda x: F.max_pool2d(x.relu(), 2),
    "max pool, overlapping": lambda x: F.max_pool2d(x, 3, 1, 1),
    "max pool, adaptive": lambda x: F.adaptive_max_pool2d(x, (4, 5)),
    "upsampled": lambda x: F.interpolate(x, scale_factor=1.7, mode="bicubic"),
    "instance norm": lambda x: F.instance_norm(x),
    "attention": lambda x: F.scaled_dot_product_attention(x, x.flip(2), x.roll(1, 3)),
    "greatest of all places": lambda x: x.amax((2, 3)),
    "weights from the input": lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
}
FUNCTIONS = {**{name: ((2, 6), f) for name, f in VECTORS.items()}, **{name: ((2, 3, 6, 6), f) for name, f in PICTURES.items()}}


def readout(out: Tensor) -> Tensor:
    flat = out.reshape(len(out), -1)
    return flat @ torch.randn(flat.shape[1], generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(out)


@each_rule
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_kind_of_operation_adds_up(name: str, rule: str):
    shape, f = FUNCTIONS[name]
    x = noise(torch.zeros(shape, dtype=torch.float64), 3)
    baseline = noise(x, 4)
    followed = name != "scaled by a number of its own"  # whose slopes are refused: it leaves PyTorch
    if not followed:  # rows that share it are explained with the others held
        x, baseline = x[:1], baseline[:1]
    e = pl.explain(f, x, target=readout, method=DeepLift(baseline, rule), verify=followed)
    change = readout(f(x)) - readout(f(baseline))
    scale = change.abs() + e.values.flatten(1).abs().sum(1)
    assert e.values.isfinite().all()
    assert ((e.values.flatten(1).sum(1) - change).abs() <= 1e-12 * scale).all()


@pytest.mark.parametrize("f", [F.relu, F.max_pool1d, torch.tanh], ids=["relu", "max pool", "tanh"])
def test_nothing_changed_leaves_the_gradient_as_multiplier(f: Callable[..., Tensor]):
    def net(x: Tensor) -> Tensor:
        return f(x, *([2] if f is F.max_pool1d else [])).square()

    x = noise(torch.zeros(2, 3, 8, dtype=torch.float64), 1)
    found = pl.explain(net, x, target=readout, method=DeepLift(x, multipliers=True)).values
    assert torch.allclose(found, pl.explain(net, x, target=readout, method="gradient").values, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("scaled by a number of its own", "detached")])
def test_the_multipliers_become_the_gradient_as_the_baseline_comes_near(name: str):
    shape, f = FUNCTIONS[name]
    x = noise(torch.zeros(shape, dtype=torch.float64), 3)
    found = pl.explain(f, x, target=readout, method=DeepLift(x + 1e-6 * noise(x, 4), multipliers=True)).values
    assert difference(found, pl.explain(f, x, target=readout, method="gradient").values) <= 1e-4


def test_a_gap_that_no_rule_can_close_is_told():
    def net(x: Tensor) -> Tensor:  # which entry is taken is decided by a comparison that descends from the input unseen
        return x[:, int(x[0, 0] > 0)].unsqueeze(1)

    e = pl.explain(net, torch.tensor([[1.0, 5.0]]), target=0, method=DeepLift(torch.tensor([[-1.0, 3.0]])))
    assert e.values.tolist() == [[1.0, 1.0]] and e.output.tolist() == [5.0]
    assert e.notes[-1] == "The sum of the map is 4.00 off f(x) - f(baseline) = 6.00."


# -- the rules of the paper -----------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, tuple[nn.Module, Callable[[float], float]]] = {
    "relu": (nn.ReLU(), lambda v: float(v > 0)),
    "tanh": (nn.Tanh(), lambda v: 1 - math.tanh(v) ** 2),
    "softplus": (nn.Softplus(), lambda v: 1 / (1 + math.exp(-v))),
    "leaky": (nn.LeakyReLU(0.1), lambda v: 1.0 if v > 0 else 0.1),
}


def layers(activation: str, *, sizes: tuple[int, ...] = (5, 6, 4, 3), seed: int = 0) -> tuple[list[twins.Layer], nn.Module]:
    """The same dense network as a list of numbers, and as modules."""
    rng = torch.Generator().manual_seed(seed)
    f, slope = ACTIVATIONS[activation]
    modules: list[nn.Module] = []
    told: list[twins.Layer] = []
    for n, m in itertools.pairwise(sizes):
        linear = nn.Linear(n, m).double()
        for parameter in linear.parameters():
            parameter.data = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
        modules += [linear, f]
        told.append(
            (linear.weight.tolist(), linear.bias.tolist(), lambda v: float(f(torch.tensor(v, dtype=torch.float64))), slope)
        )
    told[-1] = (*told[-1][:2], lambda v: v, lambda v: 1.0)
    return told, nn.Sequential(*modules[:-1]).eval()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("activation", ACTIVATIONS)
@each_rule
def test_a_rule_is_the_papers_on_dense_networks(rule: str, activation: str, seed: int):
    told, net = layers(activation, seed=seed)
    x, r = noise(torch.zeros(1, 5, dtype=torch.float64), seed), noise(torch.zeros(1, 5, dtype=torch.float64), 9 + seed)
    r[0, 0] = x[0, 0]  # an entry that does not change
    expected = torch.tensor([getattr(twins, rule)(told, x[0].tolist(), r[0].tolist(), 1)], dtype=torch.float64)
    found = pl.explain(net, x, target=1, method=DeepLift(r, rule)).values
    assert difference(found, expected) <= 1e-12


def test_reveal_cancel_sees_both_inputs_of_a_minimum():
    def lesser(x: Tensor) -> Tensor:  # min(a, b) = a - relu(a - b): the paper's example, Section 3.5.3
        return x @ torch.tensor([[1.0], [0.0]]) - (x @ torch.tensor([[1.0], [-1.0]])).relu()

    x = torch.tensor([[5.0, 3.0]])
    assert pl.explain(lesser, x, target=0, method=DeepLift()).values.tolist() == [[0.0, 3.0]]
    assert pl.explain(lesser, x, target=0, method=DeepLift(rule="reveal_cancel")).values.tolist() == [[1.5, 1.5]]


def test_reveal_cancel_takes_a_batch_norm_as_part_of_the_layer_before_it():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)
    norm.weight.data, norm.running_mean, norm.running_var = (
        torch.tensor([1.0, -2.0, 0.5, -0.7]),
        torch.randn(4),
        torch.rand(4) + 0.5,
    )
    net = nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double().eval()
    folded = nn.Sequential(torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm), *net[2:]).eval()
    x = noise(torch.zeros(2, 2, 6, 6, dtype=torch.float64), 0)
    method = DeepLift(noise(x, 1), "reveal_cancel")
    assert difference(*(pl.explain(n, x, target=1, method=method).values for n in (net, folded))) <= 1e-10


def test_a_layer_norm_written_by_hand_is_the_module():
    x = noise(torch.zeros(3, 8, dtype=torch.float64), 0)
    for by_hand in (
        lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt(),
        lambda x: (x - x.mean(1, keepdim=True)) * (x.var(1, correction=0, keepdim=True) + 1e-5).rsqrt(),
    ):
        method = DeepLift(noise(x, 1))
        maps = [pl.explain(f, x, target=readout, method=method).values for f in (by_hand, lambda x: F.layer_norm(x, (8,)))]
        assert difference(*maps) <= 1e-12


def test_an_rms_norm_written_by_hand_is_the_function():
    x = noise(torch.zeros(3, 8, dtype=torch.float64), 0)
    maps = [
        pl.explain(f, x, target=readout, method=DeepLift(noise(x, 1))).values
        for f in (lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6), lambda x: F.rms_norm(x, (8,), eps=1e-6))
    ]
    assert difference(*maps) <= 1e-12


def test_a_norm_with_nothing_to_normalise_at_the_baseline_stays_bounded():
    x = noise(torch.zeros(2, 8, dtype=torch.float64), 0)
    e = pl.explain(lambda x: F.layer_norm(x, (8,)), x, target=readout, method=DeepLift())
    assert (
        e.values.abs().sum() <= 3 * 2 * pl.explain(lambda x: x, x, target=readout, method="gradient_x_input").values.abs().sum()
    )


def test_a_softmax_does_not_care_for_what_is_added_to_all():
    x = noise(torch.zeros(2, 5, dtype=torch.float64), 0)
    there = noise(x, 1)
    maps = [
        pl.explain(lambda x: x.softmax(1), x, lambda p: p[:, 1], DeepLift(there + shift, multipliers=True)).values
        for shift in (0.0, 3.0)
    ]
    assert torch.allclose(*maps, rtol=1e-12)
    assert torch.allclose(maps[0].sum(1), torch.zeros(2, dtype=torch.float64), atol=1e-12)


def test_max_pooling_gives_the_change_to_the_winner_where_it_is_greater():
    x, r = torch.tensor([[[3.0, 1.0, 2.0, 0.0]]]), torch.tensor([[[1.0, 2.0, 4.0, 5.0]]])
    found = pl.explain(lambda x: F.max_pool1d(x, 2), x, target=readout, method=DeepLift(r)).values
    weights = torch.randn(2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()
    assert torch.allclose(found, torch.tensor([[[weights[0] * (3 - 2), 0.0, 0.0, weights[1] * (2 - 5)]]]))


def test_a_quotient_that_rounding_would_spoil_is_the_derivative():
    x, r = torch.tensor([0.5, 0.5]), torch.tensor([0.5 + 6e-8, -0.5])
    halfway = 1 - ((x + r) / 2).tanh().square()
    (found,) = secant(x.tanh(), r.tanh(), [(x, r)], [halfway])
    assert found[0] == halfway[0] and found[1] == pytest.approx(float(x[1].tanh() * 2))


def test_a_quotient_of_two_is_exact_whatever_their_signs():
    a, b, a_r, b_r = (noise(torch.zeros(50, dtype=torch.float64), seed) for seed in range(4))
    by_a, by_b = quotient(a, b, a_r, b_r)
    assert torch.allclose(by_a * (a - a_r) + by_b * (b - b_r), a / b - a_r / b_r, rtol=1e-9)


# -- captum ---------------------------------------------------------------------------------------------------------------

METHODS: dict[str, Callable[[Tensor], object]] = {
    "deeplift": DeepLift,
    "multipliers": lambda baseline: DeepLift(baseline, multipliers=True),
    "deepshap": lambda baseline: DeepShap(torch.cat([baseline, -baseline])),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in nets.NETS if name not in nets.APART])
def test_maps_are_captums(name: str, method: str):
    x, baseline = nets.inputs(name)
    found = pl.explain(nets.build(name), x, target=nets.TARGET, method=METHODS[method](baseline)).values
    expected = torch.tensor(GOLDEN["maps"][name][method], dtype=torch.float64).reshape(x.shape)
    assert difference(found, expected) <= 1e-11  # 3e-15 when frozen, to 13 digits


@pytest.mark.parametrize("name", nets.APART)
def test_where_we_depart_from_captum_its_sum_is_off_and_ours_is_not(name: str):
    x, baseline = nets.inputs(name)
    net = nets.build(name)
    change = score(net, x, nets.TARGET) - score(net, baseline, nets.TARGET)
    captums = torch.tensor(GOLDEN["maps"][name]["deeplift"], dtype=torch.float64).reshape(2, -1).sum(1)
    ours = pl.explain(net, x, target=pl.output(nets.TARGET), method=DeepLift(baseline)).values.flatten(1).sum(1)
    assert (captums - change).abs().max() > 0.05 * change.abs().max()
    assert torch.allclose(ours, change, rtol=1e-12)


def two_relus(x: Tensor) -> Tensor:
    return 2 * x[:, :1].relu() + 2 * (x[:, 1:] - 1.5).relu()


def relu_linear(x: Tensor) -> Tensor:
    first, second = x[:, :3] @ torch.tensor([[3.0], [1.0], [0.0]]), x[:, 3:] @ torch.tensor([[2.0], [3.0], [0.0]])
    return torch.cat([first, second], 1).relu().sum(1, keepdim=True)


@pytest.mark.parametrize("case", [case for case in GOLDEN["cases"] if case["method"] == "deeplift"], ids=lambda case: case["id"])
def test_cases_that_captum_works_out_by_hand_come_out_the_same(case: dict[str, Any]):
    net = {"two_relus": two_relus, "relu_linear": relu_linear}[case["model"]]
    method = DeepLift(multipliers=case.get("multipliers", False))
    at = pl.Where(op=case["at"]) if "at" in case else None
    e = pl.explain(net, torch.tensor(case["input"]), target=0, method=method, at=at)
    assert torch.allclose(e.values, torch.tensor(case["expected"]))


# -- the same answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
@each_case
def test_reveal_cancel_gives_the_same_map_for_every_wiring(case: Case, container: str):
    x = case.inputs(torch.float64)
    method = DeepLift(noise(x, 5), "reveal_cancel")
    plain = pl.explain(case.net(torch.float64), x, target=case.target, method=method)
    other = pl.explain(contained(container, case, torch.float64, True), x, target=case.target, method=method)
    assert difference(other.values, plain.values) <= 1e-10


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["float32", "float64"])
@each_rule
@each_case
def test_a_sample_alone_is_explained_as_in_a_batch(case: Case, rule: str, dtype: torch.dtype, bound: float):
    net, x = case.net(dtype), case.inputs(dtype)
    baseline = noise(x, 5)
    together = pl.explain(net, x, target=case.target, method=DeepLift(baseline, rule)).values
    alone = [
        pl.explain(net, x[i, None], target=case.target, method=DeepLift(baseline[i, None], rule)).values for i in range(len(x))
    ]
    assert difference(torch.cat(alone), together) <= bound


@each_rule
def test_functions_are_explained_as_modules_are_and_modules_may_be_used_again(rule: str):
    torch.manual_seed(0)
    conv, again, head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(16, 3)
    relu, pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)
    modules = nn.Sequential(conv, relu, again, relu, again, relu, pool, nn.Flatten(), head).double().eval()

    def functions(x: Tensor) -> Tensor:
        x = again(again(conv(x).clamp(min=0)).clone().relu_())
        return F.linear(F.max_pool2d(F.relu(x), 2).view(len(x), -1), head.weight, head.bias)

    x = noise(torch.zeros(2, 2, 6, 6, dtype=torch.float64), 0)
    method = DeepLift(noise(x, 1), rule)
    assert difference(*(pl.explain(f, x, target=1, method=method).values for f in (modules, functions))) <= 1e-12


# -- targets, places, baselines -------------------------------------------------------------------------------------------


@each_rule
def test_contributions_are_linear_in_the_target(rule: str):
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    a, b, both = (
        pl.explain(net, x, target=t, method=DeepLift(rule=rule)).values
        for t in (pl.logit(1), pl.logit(3), 2 * pl.logit(1) - 0.5 * pl.logit(3))
    )
    assert torch.allclose(2 * a - 0.5 * b, both, rtol=1e-9, atol=1e-12)


def test_a_probability_is_read_along_the_line_between_both_outputs():
    case = CASE["dense"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    e = pl.explain(net, x, target=pl.probability(1), method=DeepLift())
    change = net(x).softmax(1)[:, 1] - net(torch.zeros_like(x)).softmax(1)[:, 1]
    assert torch.allclose(e.values.sum(1), change.detach(), rtol=1e-9)
    alike = pl.explain(
        lambda x: x, torch.tensor([[2.0, 0.0]]), target=pl.probability(0), method=DeepLift(torch.tensor([[0.0, 2.0]]))
    )
    assert torch.allclose(alike.values.sum(), torch.tensor(0.7616), atol=1e-4)  # though the derivative is the same at both ends


def test_a_target_inside_is_explained_too():
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    target = pl.channel("features.5", 2)
    e = pl.explain(net, x, target=target, method=DeepLift())
    before = pl.explain(net, torch.zeros_like(x), target=target, method="gradient").output
    assert torch.allclose(e.values.flatten(1).sum(1), e.output - before)


@each_rule
@pytest.mark.parametrize("at", ["features", "features.3", "features.4", "head.1", "head"])
def test_at_every_depth_the_map_sums_to_the_change(at: str, rule: str):
    case = CASE["plain"]
    net, x = case.net(torch.float64, inplace=True), case.inputs(torch.float64)
    e = pl.explain(net, x, target=1, method=DeepLift(noise(x, 2), rule), at=at)
    change = score(net, x, 1) - score(net, noise(x, 2), 1)
    assert torch.allclose(e.values.flatten(1).sum(1), change, rtol=1e-10)


def test_what_goes_past_a_place_is_told():
    net = CASE["residual"].net(torch.float64)
    e = pl.explain(net, CASE["residual"].inputs(torch.float64), target=1, method=DeepLift(), at="blocks.0.second")
    change = e.output - score(net, torch.zeros(3, 3, 16, 16, dtype=torch.float64), 1)
    told = re.fullmatch(
        r"The sum of the map, with (\S+) that goes past blocks.0.second, is (\S+) off .* \(sample (\d), .*", e.notes[-1]
    )
    assert told is not None
    past, gap, sample = float(told[1]), float(told[2]), int(told[3])
    assert past == pytest.approx(float(change[sample] - e.values[sample].sum()), rel=0.01) and abs(past) > 1e-3
    assert gap <= 1e-12


def test_baselines_are_numbers_tensors_or_zeros():
    net, x = CASE["dense"].net(), CASE["dense"].inputs()
    same = [
        pl.explain(net, x, target=1, method=DeepLift(b)).values for b in (0.5, torch.full((12,), 0.5), torch.full((3, 12), 0.5))
    ]
    assert torch.equal(same[0], same[1]) and torch.equal(same[0], same[2])
    zeros = pl.explain(net, x, target=1, method=DeepLift())
    assert torch.equal(zeros.values, pl.explain(net, x, target=1, method=DeepLift(0.0)).values)
    assert "The baseline is 0 everywhere" in zeros.notes[0] and "f(x) - f(baseline)" in zeros.notes[1]


class Forked(nn.Module):
    """Decides by its input what to compute."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.tanh() if float(x.sum()) > 0 else x.relu()) * 2


def test_a_network_that_takes_another_way_at_the_baseline_is_refused():
    with pytest.raises(pl.MethodError) as caught:
        pl.explain(Forked().eval(), torch.ones(1, 3), target=0, method=DeepLift())
    assert str(caught.value) == (
        "The difference from the baseline, operation by operation: found tanh in the model itself at the input where the "
        "baseline ran relu in the model itself (operation 2); the network chooses by its input what to compute, and what ran "
        "once only has nothing to be compared with. Choose a baseline that takes the same way, or a method without one: "
        "gradient_x_input, lrp."
    )
    e = pl.explain(Forked().eval(), torch.ones(1, 3), target=0, method=DeepLift(0.1))
    assert torch.allclose(e.values[0, 0], 2 * (torch.tensor(1.0).tanh() - torch.tensor(0.1).tanh()))


def test_a_network_that_does_more_at_the_baseline_is_refused():
    with pytest.raises(pl.MethodError, match="found 3 operations at the input, and 5 at the baseline"):
        pl.explain(
            lambda x: x * 2 if float(x.sum()) > 0 else (x * 2).relu().relu(), torch.ones(1, 3), target=0, method=DeepLift()
        )


@each_rule
def test_both_passes_see_the_same_random_numbers(rule: str):
    def net(x: Tensor) -> Tensor:
        return (x + torch.randn_like(x)).relu().sum(1, keepdim=True)

    x = torch.ones(2, 50, dtype=torch.float64)
    e, before = (pl.explain(net, t, target=0, method=DeepLift(rule=rule)) for t in (x, torch.zeros_like(x)))
    assert torch.allclose(e.values.sum(1), e.output - before.output)
    assert ((e.values >= 0) & (e.values <= 1)).all() and e.values.unique().numel() > 3


def test_an_unknown_rule_is_refused():
    with pytest.raises(
        pl.MethodError, match=r"rule='cancel': found none of that name; DeepLIFT has two rules. Use rescale or reveal"
    ):
        pl.explain(CASE["dense"].net(), CASE["dense"].inputs(), target=0, method=DeepLift(rule="cancel"))


def test_a_baseline_without_a_finite_output_is_refused():
    with pytest.raises(pl.ModelError, match="The change from the baseline: found an output at the baseline that is not finite"):
        pl.explain(lambda x: x.log(), torch.ones(1, 3), target=0, method=DeepLift())


# -- DeepSHAP -------------------------------------------------------------------------------------------------------------


@each_rule
def test_deepshap_is_the_mean_of_deeplift_over_baselines(rule: str):
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    baselines = torch.cat([noise(x, seed) for seed in (1, 2)])[:5]
    single = torch.stack([pl.explain(net, x, target=1, method=DeepLift(b, rule)).values for b in baselines])
    e = pl.explain(net, x, target=1, method=DeepShap(baselines, rule=rule))
    assert torch.allclose(e.values, single.mean(0), rtol=1e-12, atol=1e-15)
    assert torch.allclose(e.error, single.std(0) / 5**0.5, rtol=1e-9, atol=1e-15)
    assert e.forwards == 3 * (1 + 2 * 5)
    assert e.notes[0] == "The baselines are 5 inputs of the caller's own."
    assert "off f(x) - mean of f(baseline)" in e.notes[1]


@pytest.mark.parametrize("name", ["dense", "plain", "signal", "attending"])
def test_deepshap_without_baselines_draws_the_same_for_every_sample(name: str):
    case = CASE[name]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    e = pl.explain(net, x, target=1, method=DeepShap(n=3))
    alone = torch.cat([pl.explain(net, x[i, None], target=1, method=DeepShap(n=3)).values for i in range(3)])
    assert difference(alone, e.values) <= 1e-10
    assert e.error is not None and e.error.shape == e.values.shape and (e.error > 0).any()
    assert not torch.equal(e.values, pl.explain(net, x, target=1, method=DeepShap(n=3, seed=1)).values)
    assert "No baselines were given" in e.notes[0]


def test_deepshap_on_one_layer_is_the_shapley_value_of_independent_entries():
    x, background = torch.tensor([[2.0, 3.0]]), torch.tensor([[0.0, 1.0], [4.0, 1.0], [2.0, -2.0]])
    W = torch.tensor([[3.0], [-2.0]])
    e = pl.explain(lambda x: x @ W, x, target=0, method=DeepShap(background))
    assert torch.allclose(e.values, (x - background.mean(0)) * W.T)


def test_deepshap_called_off_tells_how_far_it_came():
    case = CASE["dense"]
    with watched(lambda done, total, what: done == 2 and what == "baselines"):
        e = pl.explain(case.net(), case.inputs(), target=1, method=DeepShap(n=6))
    assert "2 of" in e.notes[-1] and "6" in e.notes[-1]
    assert torch.equal(e.values, pl.explain(case.net(), case.inputs(), target=1, method=DeepShap(n=2)).values)


def test_deepshap_refuses_baselines_that_do_not_fit():
    case = CASE["dense"]
    with pytest.raises(
        pl.InputError, match=r"baselines of shape \(12,\): found inputs of shape \(3, 12\); the first axis counts"
    ):
        pl.explain(case.net(), case.inputs(), target=1, method=DeepShap(torch.zeros(12)))
    with pytest.raises(pl.InputError, match=r"a baseline of shape \(1, 5\)"):
        pl.explain(case.net(), case.inputs(), target=1, method=DeepShap(torch.zeros(4, 5)))
    with pytest.raises(pl.MethodError, match=r"n=1: found fewer than two draws"):
        pl.explain(case.net(), case.inputs(), target=1, method=DeepShap(n=1))
