"""Gradients along a path: what captum gives where captum is right, what analysis gives where functions are simple."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.methods.gradient import Expected, Gradient, Integrated, Noisy, OverBaselines, SimpleTaylor
from pellucid.methods.gradient.expected import draws
from pellucid.methods.gradient.integrated import RULES, nodes
from tests.cases import CASE, contained, difference

NETS = ["plain", "residual", "curved"]
W = torch.tensor([[2.0, -1.0, 0.5], [1.0, 3.0, -2.0]], dtype=torch.float64)
B = torch.tensor([0.25, -1.0], dtype=torch.float64)
X = torch.tensor([[1.0, 2.0, -3.0], [0.5, -1.5, 4.0]], dtype=torch.float64)
each_net = pytest.mark.parametrize("name", NETS)


def linear(x: Tensor) -> Tensor:
    return x @ W.t() + B


def smooth(x: Tensor) -> Tensor:
    return torch.tanh(x @ W.t()) + x.prod(1, keepdim=True) / 10


# -- captum ---------------------------------------------------------------------------------------------------------------


def captum(method: str, net: nn.Module, *modules: nn.Module) -> Any:
    return getattr(pytest.importorskip("captum.attr"), method)(net, *modules)


@each_net
@pytest.mark.parametrize("ours, theirs", [("saliency", "Saliency"), ("gradient_x_input", "InputXGradient")])
def test_single_gradients_are_captums(name: str, ours: str, theirs: str):
    net, x = CASE[name].net(), CASE[name].inputs()
    expected = captum(theirs, net).attribute(x.clone().requires_grad_(), target=1)
    assert difference(pl.explain(net, x, 1, ours).values, expected.detach()) <= 1e-5


@each_net
@pytest.mark.parametrize("rule", RULES)
def test_integrated_gradients_are_captums(name: str, rule: str):
    net, x = CASE[name].net(), CASE[name].inputs()
    baseline = CASE[name].inputs().flip(0) * 0.3
    theirs = rule.replace("-", "")
    expected = captum("IntegratedGradients", net).attribute(x, baseline, target=1, n_steps=7, method=theirs)
    if rule == "riemann_trapezoid":  # captum's weights sum to 6/7 there
        expected = expected * 7 / 6
    e = pl.explain(net, x, 1, Integrated(7, baseline, rule))
    assert difference(e.values, expected) <= 1e-5


@pytest.mark.parametrize("inplace", [False, True], ids=["", "in place"])
@pytest.mark.parametrize(
    "name, at", [("plain", "features.0"), ("plain", "features"), ("residual", "blocks.0"), ("mobile", "wide.0")]
)
def test_integrated_gradients_at_a_layer_are_captums(name: str, at: str, inplace: bool):
    net, x = CASE[name].net(), CASE[name].inputs()
    baseline = CASE[name].inputs().flip(0) * 0.3
    expected = captum("LayerIntegratedGradients", net, net.get_submodule(at)).attribute(x, baseline, target=1, n_steps=7)
    e = pl.explain(CASE[name].net(inplace=inplace), x, 1, Integrated(7, baseline), at=at)
    assert difference(e.values, expected.detach()) <= 1e-5
    assert e.at == at


@each_net
def test_expected_gradients_are_captums_gradient_shap_on_the_same_draws(name: str, monkeypatch: pytest.MonkeyPatch):
    net, x = CASE[name].net(), CASE[name].inputs()
    baselines = CASE[name].inputs(batch=5)[3:] * 0.5
    picks, places = draws(6, 2, seed=4)
    monkeypatch.setattr(np.random, "choice", lambda n, size, **_: np.array(picks * len(x)))
    monkeypatch.setattr(np.random, "uniform", lambda low, high, size: np.array(places * len(x)))
    expected = captum("GradientShap", net).attribute(x, baselines, n_samples=6, stdevs=0.0, target=1)
    e = pl.explain(net, x, 1, Expected(baselines, n=6, seed=4))
    assert difference(e.values, expected) <= 1e-5


# -- integrated gradients ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_weights_sum_to_one_and_points_lie_on_the_line(rule: str):
    points, weights = zip(*nodes(rule, 9), strict=True)
    assert sum(weights) == pytest.approx(1) and min(weights) > 0
    assert all(0 <= p <= 1 for p in points) and list(points) == sorted(points)


@pytest.mark.parametrize("rule", RULES)
def test_of_a_linear_score_it_is_weight_times_way_from_the_baseline(rule: str):
    e = pl.explain(linear, X, 1, Integrated(2, torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64), rule))
    assert torch.allclose(e.values, W[1] * (X - torch.tensor([1.0, 0.0, -1.0])), rtol=1e-12)


def test_gauss_legendre_integrates_polynomials_exactly():
    cube = pl.explain(lambda x: (x**3).sum(1, keepdim=True), X, 0, Integrated(2))
    assert torch.allclose(cube.values, X**3, rtol=1e-12)


@pytest.mark.parametrize("name", ["curved", "normed", "attending", "recurrent"])
def test_on_smooth_networks_it_sums_to_the_change_of_the_score(name: str):
    case = CASE[name]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    baseline = 0.5 * x.flip(0)
    e = pl.explain(net, x, 1, Integrated(64, baseline))
    with torch.no_grad():
        change = (net(x) - net(baseline))[:, 1]
    kinks = 0.02 if name == "curved" else 1e-3  # a leaky ReLU and a PReLU are among its activations
    assert ((e.values.flatten(1).sum(1) - change).abs() <= kinks * change.abs()).all()


def test_the_caption_says_how_far_the_sum_is_off():
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)[:1]
    e = pl.explain(net, x, 1, Integrated(3, rule="riemann_left"))
    with torch.no_grad():
        change = float(net(x)[0, 1] - net(torch.zeros_like(x))[0, 1])
    gap = abs(float(e.values.sum()) - change)
    assert gap > 1e-3, "the sum was not mended"
    found = [note for note in e.notes if "the map's sum is" in note]
    assert len(found) == 1 and found[0].startswith("With 3 steps")
    told = found[0].removesuffix(".").split()
    assert float(told[told.index("off") - 1]) == pytest.approx(gap, abs=6e-4)
    assert float(told[-1]) == pytest.approx(change, abs=6e-3)
    assert "of sample" not in found[0] and found[0] in e.caption()


def test_a_batch_is_told_of_by_the_sample_that_is_furthest_off():
    e = pl.explain(CASE["plain"].net(), CASE["plain"].inputs(), 1, Integrated(2))
    singles = [pl.explain(CASE["plain"].net(), x[None], 1, Integrated(2)) for x in CASE["plain"].inputs()]
    with torch.no_grad():
        zero = CASE["plain"].net()(torch.zeros(1, 3, 16, 16))[0, 1]
    share = [float(((s.values.sum() - (s.output[0] - zero)) / (s.output[0] - zero)).abs()) for s in singles]
    assert f"(sample {np.argmax(share)}, which is the furthest off)" in e.caption()


def test_with_a_tolerance_steps_are_doubled_until_the_sum_is_right():
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    rough, fine = (pl.explain(net, x, 1, Integrated(2, tol=tol)) for tol in (None, 0.01))
    with torch.no_grad():
        change = (net(x) - net(torch.zeros_like(x)))[:, 1]

    def gap(e: pl.Explanation) -> Tensor:
        return ((e.values.flatten(1).sum(1) - change) / change).abs()

    assert (gap(rough) > 0.01).any() and (gap(fine) <= 0.01).all()
    assert fine.forwards > rough.forwards
    assert not any("tolerance" in note for note in fine.notes)
    alone = torch.cat([pl.explain(net, one[None], 1, Integrated(2, tol=0.01)).values for one in x])
    assert difference(alone, fine.values) <= 1e-10


def test_a_tolerance_that_is_not_reached_is_told():
    step = pl.explain(lambda x: (x > 0.3).double() + 0 * x, X[:1, :1], 0, Integrated(8, tol=0.1))
    assert not step.values.any()
    assert "With 1024 steps the map's sum is 1.00 off" in step.caption()
    assert "more than the tolerance, 10 %" in step.caption()


def test_by_default_an_easy_line_takes_as_many_steps_as_before():
    auto, fixed = (pl.explain(lambda x: (x**3).sum(1, keepdim=True), X, 0, method) for method in (Integrated(), Integrated(32)))
    assert torch.equal(auto.values, fixed.values) and auto.forwards == fixed.forwards
    assert "With 32 steps, as many as 1 % takes, the map's sum is" in auto.caption()


def folded(x: Tensor) -> Tensor:
    """A sum of many kinks at different places of the line."""
    return (torch.linspace(0.5, 30, 40, dtype=x.dtype) * x[:, :1] - torch.arange(40, dtype=x.dtype)).relu().sum(1, keepdim=True)


@pytest.mark.parametrize("value", [2.2, 3.0, 4.1, 10.0])
def test_by_default_there_are_as_many_steps_as_completeness_takes(value: float):
    x = torch.tensor([[value]], dtype=torch.float64)
    auto = pl.explain(folded, x, 0, Integrated(rule="riemann_left"))
    (steps,) = map(int, re.findall(r"With (\d+) steps, as many as 1 % takes", auto.caption()))
    change = folded(x) - folded(0 * x)
    fixed, fewer = (pl.explain(folded, x, 0, Integrated(n, rule="riemann_left")) for n in (steps, steps // 2))
    assert torch.equal(auto.values, fixed.values)
    assert float((auto.values.sum() - change).abs() / change) <= 0.01 < float((fewer.values.sum() - change).abs() / change)
    assert auto.forwards > fixed.forwards


def test_what_cannot_be_complete_ends_after_256_steps_and_says_so():
    step = pl.explain(lambda x: (x > 0.3).double() + 0 * x, X[:1, :1], 0, Integrated())
    assert "With 256 steps the map's sum is 1.00 off" in step.caption()
    assert "more than the tolerance, 1 %. Ask for more steps, such as steps=512." in step.caption()


def test_where_the_score_hardly_changes_steps_are_not_wasted_on_rounding():
    e = pl.explain(lambda x: 5 + 1e-9 * x.sum(1, keepdim=True), X, 0, Integrated())
    assert "With 32 steps" in e.caption()


def test_two_networks_of_one_function_get_one_map():
    """The pair of Sundararajan et al., 2017, Sect. 2.1."""
    x = torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    first = pl.explain(lambda x: (x[:, :1].relu() - 1 - x[:, 1:].relu()).relu(), x, 0, Integrated(500))
    second = pl.explain(lambda x: ((x[:, :1] - 1).relu() - x[:, 1:].relu()).relu(), x, 0, Integrated(500))
    assert torch.allclose(first.values, torch.tensor([[1.5, -0.5]], dtype=torch.float64), atol=5e-3)
    assert torch.allclose(first.values, second.values, atol=5e-3)


# -- baselines --------------------------------------------------------------------------------------------------------------


def test_a_baseline_is_nothing_a_number_or_a_tensor_that_fits():
    one = torch.tensor([1.0, -1.0, 2.0], dtype=torch.float64)
    for baseline, filled in ((None, 0.0), (2, 2.0), (0.5, 0.5), (one, one), (one[None], one), (X.flip(0), X.flip(0))):
        assert torch.allclose(pl.explain(linear, X, 0, Integrated(1, baseline)).values, W[0] * (X - filled))


@pytest.mark.parametrize("shape", [(2,), (4, 3), (1, 2, 3)])
@pytest.mark.parametrize("make", [lambda b: Integrated(2, b), lambda b: SimpleTaylor("segment", b)])
def test_a_baseline_of_another_shape_is_refused(make: Callable[[Tensor], Any], shape: tuple[int, ...]):
    with pytest.raises(pl.InputError) as caught:
        pl.explain(linear, X, 0, make(torch.zeros(shape)))
    assert f"a baseline of shape {shape}: found inputs of shape (2, 3)" in str(caught.value)
    assert "needs a number for every entry" in str(caught.value) and "with shape (3,), or one per sample" in str(caught.value)


@pytest.mark.parametrize("baseline", [float("nan"), torch.tensor([0.0, torch.inf, 0.0])])
def test_a_baseline_that_is_no_number_is_refused(baseline: Any):
    with pytest.raises(pl.InputError, match=r"a baseline: found 1 of \d entries that are NaN or infinite; no path starts there"):
        pl.explain(linear, X, 0, Integrated(2, baseline))


def test_a_baseline_of_another_kind_is_refused():
    with pytest.raises(pl.InputError, match=r"baseline='black': found a str; .* Pass 0\.0, model\.read\(picture\), or None"):
        pl.explain(linear, X, 0, Integrated(2, "black"))  # type: ignore[arg-type]


def test_a_baseline_without_a_score_is_refused():
    with pytest.raises(
        pl.ModelError, match=r"The change from the baseline: found a score of \[-inf\] there; .* Choose a realistic baseline"
    ):
        pl.explain(lambda x: x.log(), torch.tensor([[2.0]]), 0, Integrated(2))


def test_the_caption_says_what_colour_the_baseline_is():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    half = pl.Preprocess((2, 2), mean=(0.5, 0.25, 1.0), std=(0.25, 0.25, 0.25))
    model, x = pl.load(net, preprocess=half), torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    captions = {b: pl.explain(model, x, 0, Integrated(2, b)).caption() for b in (None, -1.0, 3.0)}
    assert (
        "zero" not in captions[-1.0] and "The baseline is 0 everywhere, in the space of the model's own input" in captions[None]
    )
    assert "a picture of the colour #8040ff." in captions[None] and "a picture of the colour #4000bf." in captions[-1.0]
    assert "which is no colour a picture can have." in captions[3.0]
    assert "colour" not in pl.explain(net, x, 0, Integrated(2)).caption()
    given = pl.explain(model, x, 0, Integrated(2, x[0])).caption()
    assert "a tensor of the caller's own, with shape (3, 2, 2)" in given and "colour" not in given


def test_over_baselines_is_the_mean_and_its_error():
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    baselines = [None, 0.5, x.flip(0)]
    e = pl.explain(net, x, 1, OverBaselines(Integrated(4), baselines))
    singles = torch.stack([pl.explain(net, x, 1, Integrated(4, b)).values for b in baselines])
    assert torch.allclose(e.values, singles.mean(0)) and e.method == "integrated_gradients over 3 baselines"
    assert e.error is not None and torch.allclose(e.error, singles.std(0) / 3**0.5)
    made = pl.explain(net, x, 1, OverBaselines(lambda b: Integrated(4, b), baselines))
    assert torch.equal(made.values, e.values)


def test_over_baselines_takes_a_tensor_of_them_and_does_not_tell_an_error_of_one():
    several = pl.explain(linear, X, 0, OverBaselines(Integrated(2), X))
    assert torch.allclose(several.values, W[0] * (X - X.mean(0)))
    assert pl.explain(linear, X, 0, OverBaselines(Integrated(2), [0.0])).error is None


def test_over_baselines_refuses_what_cannot_be():
    with pytest.raises(pl.MethodError, match=r"A mean over baselines: found no baseline; .* Pass \[0\.0, 1\.0\]"):
        pl.explain(linear, X, 0, OverBaselines(Integrated(2), []))
    with pytest.raises(pl.MethodError, match=r"found a method without a baseline; it compares with nothing\. Wrap Integrated"):
        pl.explain(linear, X, 0, OverBaselines(Gradient(), [0.0]))


# -- expected gradients -------------------------------------------------------------------------------------------------------


def test_of_a_linear_score_expected_gradients_are_weight_times_way_from_the_mean_baseline():
    baselines = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    e = pl.explain(linear, X, 1, Expected(baselines, n=8))
    assert torch.allclose(e.values, W[1] * (X - baselines.mean(0)), rtol=1e-12)
    assert e.error is not None and (e.error > 0).all()


def test_the_standard_error_tells_how_far_seeds_lie_apart():
    x, one = X[:1], torch.zeros(1, 3, dtype=torch.float64)
    runs = [pl.explain(smooth, x, 0, Expected(one, n=32, seed=seed)) for seed in range(40)]
    apart = torch.stack([run.values for run in runs]).std(0)
    told = torch.stack([run.error for run in runs]).mean(0)
    assert ((apart / told) > 0.7).all() and ((apart / told) < 1.4).all()


def test_expected_gradients_approach_integrated_gradients():
    exact = pl.explain(smooth, X, 0, Integrated(64, 0.5)).values
    e = pl.explain(smooth, X, 0, Expected(torch.full((1, 3), 0.5, dtype=torch.float64), n=2000))
    assert ((e.values - exact).abs() <= 4 * e.error).all() and (e.error < 0.05 * exact.abs().max()).all()


def test_without_baselines_they_are_drawn_between_what_is_there():
    e = pl.explain(linear, X, 0, Expected(n=4000))
    middle = (X.amin(1, keepdim=True) + X.amax(1, keepdim=True)) / 2
    assert ((e.values - W[0] * (X - middle)).abs() <= 4 * e.error).all()
    assert "No baselines were given: every entry of theirs is drawn uniformly between the least" in e.caption()
    half = pl.Preprocess((2, 2), mean=(0.5,), std=(0.5,))
    model = pl.load(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval(), preprocess=half)
    assert "between black and white" in pl.explain(model, torch.zeros(1, 1, 2, 2), 0, Expected(n=2)).caption()


@pytest.mark.parametrize("shape", [(3,), (4, 2), (0, 3)])
def test_baselines_of_another_shape_are_refused(shape: tuple[int, ...]):
    with pytest.raises(pl.InputError, match="baseline"):
        pl.explain(linear, X, 0, Expected(torch.zeros(shape)))


def test_expected_gradients_need_two_draws():
    with pytest.raises(pl.MethodError, match=r"n=1: found fewer than two draws; .* Ask for 32, say\."):
        pl.explain(linear, X, 0, Expected(n=1))


def test_expected_gradients_at_a_layer_compare_with_what_the_baselines_make_there():
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    e = pl.explain(net, x, 1, Expected(0.5 * x.flip(0)[:1], n=400), at="features")
    exact = pl.explain(net, x, 1, Integrated(200, 0.5 * x.flip(0)[0]), at="features").values
    assert ((e.values - exact).abs() <= 5 * e.error + 1e-3 * exact.abs().max()).all()


# -- simple Taylor ------------------------------------------------------------------------------------------------------------


def test_of_a_linear_score_the_nearest_root_shares_by_squared_weights():
    e = pl.explain(linear, X, 1, SimpleTaylor())
    assert torch.allclose(e.values, W[1] ** 2 / W[1].square().sum() * e.output[:, None], rtol=1e-9)
    assert "is 0.00 off f(x)" in e.caption() or "e-" in e.caption()


def test_on_a_segment_of_a_linear_score_the_root_is_where_the_line_crosses_zero():
    x, far = X[:1], -X[:1]
    e = pl.explain(linear, x, 0, SimpleTaylor("segment", far))
    a, b = linear(x)[0, 0], linear(far)[0, 0]
    assert a * b < 0
    assert torch.allclose(e.values, W[0] * (x - far) * a / (a - b), rtol=1e-9)


def test_towards_zero_of_a_network_of_relus_without_biases_it_is_gradient_times_input():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)).double().eval()
    x = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    product = pl.explain(net, x, 1, "gradient_x_input").values
    assert difference(pl.explain(net, x, 1, SimpleTaylor("segment")).values, product) <= 1e-5


@pytest.mark.parametrize("root", ["gradient", "segment"])
def test_the_root_point_is_a_root(root: str):
    """Where the score is linear from the root on, the map sums to it; a curved one is told as off."""
    x = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    e = pl.explain(lambda x: x.square().sum(1, keepdim=True) - 1, x, 0, SimpleTaylor(root))
    direction = x / x.norm()  # both lines lead to the origin, and the root is on the unit circle
    assert torch.allclose(e.values, 2 * direction * (x - direction), rtol=3e-6)  # of the line, a millionth
    off = abs(float(e.values.sum()) - 4.0)
    assert f"lies {5**0.5 - 1:.2f} from the input" in e.caption() and f"{off:.2f} off f(x) = 4.00" in e.caption()


def test_where_there_is_no_root_the_point_nearest_zero_is_taken_and_said():
    e = pl.explain(lambda x: x.square().sum(1, keepdim=True) + 1, X, 0, SimpleTaylor())
    assert "No root was found against the gradient for sample(s) 0, 1: the point with the score nearest zero" in e.caption()
    assert e.values.isfinite().all()


def test_a_score_that_is_flat_or_zero_has_no_terms():
    assert not pl.explain(lambda x: 0 * x + 1, X, 0, SimpleTaylor()).values.any()
    assert not pl.explain(lambda x: x - x.detach(), X, 0, SimpleTaylor()).values.any()


def test_another_line_is_refused():
    with pytest.raises(pl.MethodError, match=r"root='nearest': found no such line; .* Use gradient or segment\."):
        pl.explain(linear, X, 0, SimpleTaylor("nearest"))


# -- what holds for all -------------------------------------------------------------------------------------------------------

PATHS: dict[str, Any] = {
    "integrated": Integrated(4, rule="riemann_middle"),
    "with a tolerance": Integrated(2, tol=0.05),
    "expected": Expected(n=4),
    "taylor": SimpleTaylor(),
    "towards zero": SimpleTaylor("segment"),
    "over baselines": OverBaselines(Integrated(2), [0.0, 0.5]),
    "noisy": Noisy(Integrated(3), n=3),
}
each_path = pytest.mark.parametrize("method", PATHS.values(), ids=PATHS)


@each_path
def test_a_program_exported_for_a_fixed_batch_is_explained_the_same(method: Any):
    case = CASE["plain"]
    fixed = pl.explain(contained("exported", case, torch.float64), case.inputs(torch.float64), 1, method)
    eager = pl.explain(case.net(torch.float64), case.inputs(torch.float64), 1, method)
    assert difference(fixed.values, eager.values) <= 1e-10


class WithoutGradients(nn.Module):
    """A network that hides what it computes from autograd."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.body(x)


@each_path
def test_a_network_that_runs_without_gradients_is_explained_the_same(method: Any):
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    hidden = pl.explain(WithoutGradients(net).eval(), x, 1, method)
    assert torch.equal(hidden.values, pl.explain(net, x, 1, method).values)


@each_path
def test_a_network_that_first_writes_into_its_input_is_explained_the_same(method: Any):
    torch.manual_seed(0)
    rest = [nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)]
    plain, writing = (nn.Sequential(nn.LeakyReLU(0.3, inplace), *rest).double().eval() for inplace in (False, True))
    x = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    kept = x.clone()
    assert torch.equal(pl.explain(writing, x, 1, method).values, pl.explain(plain, x, 1, method).values)
    assert torch.equal(x, kept)


@each_path
def test_the_target_may_be_one_per_sample_or_the_predicted_one(method: Any):
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    predicted = net(x).argmax(1).tolist()
    each = [pl.explain(net, x[i : i + 1], predicted[i], method).values for i in range(3)]
    assert difference(pl.explain(net, x, None, method).values, torch.cat(each)) <= 1e-10


@each_path
@pytest.mark.parametrize("at", ["features.0", "features.*0", pl.Where("features.0")], ids=str)
def test_a_layer_may_be_named_in_any_way(method: Any, at: Any):
    net, x = CASE["plain"].net(inplace=True), CASE["plain"].inputs()
    if isinstance(at, str) and "*" in at:
        at = "feat*.0"
    e = pl.explain(net, x, 1, method, at=at)
    assert e.values.shape == (3, 6, 16, 16)
    assert torch.equal(e.values, pl.explain(net, x, 1, method, at="features.0").values)


@each_path
def test_at_the_layer_that_the_target_reads_it_is_the_targets_own(method: Any):
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    e = pl.explain(net, x, pl.channel("features.5", 2), method, at="features.5")
    others = e.values.clone()
    others[:, 2] = 0
    assert e.values[:, 2].any() and not others.any()


REFUSED: dict[str, tuple[Any, str, str]] = {
    "an operation": (
        "eager",
        pl.Where("features", op="relu", position=0),
        "found the address of an operation; only what modules",
    ),
    "scripted": ("scripted", "features", "found scripted or compiled code; its modules cannot be given another value"),
    "exported": ("exported", "features", "found scripted or compiled code; its modules cannot be given another value"),
}


@pytest.mark.parametrize("how", REFUSED)
@pytest.mark.parametrize("method", [Integrated(2), Expected(n=2), SimpleTaylor()])
def test_what_cannot_be_changed_inside_is_refused(method: Any, how: str):
    container, at, message = REFUSED[how]
    with pytest.raises(pl.MethodError) as caught:
        pl.explain(contained(container, CASE["plain"]), CASE["plain"].inputs(), 1, method, at=at)
    assert message in str(caught.value) and ("Name a module" in str(caught.value) or "or its input." in str(caught.value))


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_a_value_whose_samples_do_not_come_first_is_refused(batch: int):
    case = CASE["sequence"]
    with pytest.raises(pl.MethodError, match=r"Variants of the value at embed: .* Name a module whose value comes batch first"):
        pl.explain(case.net(), case.inputs(batch=batch), 1, Integrated(2), at="embed")


class Twofold(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = Both()

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.both(x)
        return a * b


class Both(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, 2 * x


def test_a_module_of_several_values_is_refused():
    with pytest.raises(pl.WhereError, match="one value replaces one other"):
        pl.explain(Twofold().eval(), X, 1, Integrated(2), at="both")


@pytest.mark.parametrize(
    "method, message",
    [
        (Integrated(4, rule="simpson"), r"rule='simpson': found none of that name; .* Use gauss-legendre, riemann_left"),
        (Integrated("many"), r"steps='many': found a word; .* Ask for 32, say, or \"auto\"\."),  # type: ignore[arg-type]
        (Integrated(0), r"steps=0: found fewer than 1; gauss-legendre needs at least that many\. Ask for 32, say\."),
        (Integrated(1, rule="riemann_trapezoid"), r"steps=1: found fewer than 2; riemann_trapezoid needs"),
    ],
)
def test_rules_and_steps_that_cannot_be_are_refused(method: Any, message: str):
    with pytest.raises(pl.MethodError, match=message):
        pl.explain(linear, X, 0, method)


def test_work_is_told_and_may_be_called_off():
    seen: list[tuple[int, int, str]] = []

    def watch(done: int, total: int, what: str) -> bool:
        seen.append((done, total, what))
        return done >= 300

    net, x = CASE["plain"].net(), CASE["plain"].inputs()
    with watched(watch):
        e = pl.explain(net, x, 1, Integrated(200))
    assert seen[-1][1:] == (600, "gradients") and 300 <= seen[-1][0] < 600
    assert f"Called off {600 - seen[-1][0]:,} gradients before the end: the integral is not complete." in e.caption()
    with watched(lambda done, total, what: True):
        e = pl.explain(net, x, 1, Expected(n=200))
    assert "Called off after" in e.caption() and "of 200 draws" in e.caption() and e.error is not None


def test_steps_are_counted():
    net, x = CASE["dense"].net(), CASE["dense"].inputs()
    calls = 0

    def counted(x: Tensor) -> Tensor:
        nonlocal calls
        calls += len(x)
        return net(x)

    pl.explain(counted, x, 1, Integrated(16))  # the first time it is also checked that variants do not influence one another
    calls = 0
    e = pl.explain(counted, x, 1, Integrated(16))
    assert e.forwards == 3 + 3 + 2 * 3 * 16 and calls == 3 + 3 + 3 * 16 + 4  # the last: may batches be longer?
