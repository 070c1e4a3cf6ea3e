"""Methods over noisy copies, and measures of variation: what captum gives on the same noise, what analysis gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.core.random import generator, normal
from pellucid.methods.gradient import (
    Expected,
    FiniteDifferences,
    Gradient,
    Integrated,
    LocalVariance,
    Noisy,
    OverBaselines,
    Saliency,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
)
from pellucid.methods.gradient.finite_differences import CELLS, divided
from pellucid.methods.gradient.sampling import Tally, spread
from tests.cases import CASE, contained, difference

W = torch.tensor([[2.0, -1.0, 0.5], [1.0, 3.0, -2.0]], dtype=torch.float64)
X = torch.tensor([[1.0, 2.0, -3.0], [0.5, -1.5, 4.0]], dtype=torch.float64)


def linear(x: Tensor) -> Tensor:
    return x @ W.t() + 1


def squares(x: Tensor) -> Tensor:
    return (torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) * x.square()).sum(1, keepdim=True)


# -- captum -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "residual", "curved"])
@pytest.mark.parametrize("wrapped", ["Saliency", "IntegratedGradients"])
@pytest.mark.parametrize("of, theirs", [("mean", "smoothgrad"), ("square", "smoothgrad_sq"), ("variance", "vargrad")])
def test_on_the_same_noise_it_is_captums_noise_tunnel(
    name: str, wrapped: str, of: str, theirs: str, monkeypatch: pytest.MonkeyPatch
):
    attr = pytest.importorskip("captum.attr")
    net, x, n = CASE[name].net(torch.float64), CASE[name].inputs(torch.float64), 5
    noise = torch.stack([0.2 * spread(one[None]) * normal(x.shape[1:], generator(3, j)) for one in x for j in range(n)])[:, 0]
    monkeypatch.setattr(torch, "normal", lambda mean, std: noise)
    options = {"abs": False} if wrapped == "Saliency" else {"n_steps": 4, "baselines": 0.3}
    tunnel = attr.NoiseTunnel(getattr(attr, wrapped)(net))
    expected = tunnel.attribute(x, nt_type=theirs, nt_samples=n, stdevs=1.0, target=1, **options)
    method: Any = Gradient() if wrapped == "Saliency" else Integrated(4, 0.3)
    e = pl.explain(net, x, 1, Noisy(method, n, 0.2, of, seed=3))
    factor = n / (n - 1) if of == "variance" else 1  # captum's variance is that of the n copies themselves
    assert difference(e.values, factor * expected.detach()) <= 1e-7  # captum's weights of steps are in single precision


# -- noisy copies -------------------------------------------------------------------------------------------------------------


def test_of_a_linear_score_the_gradient_does_not_change_with_noise():
    mean, square, variance = (pl.explain(linear, X, 0, make(n=4)) for make in (SmoothGrad, SmoothGradSquared, VarGrad))
    assert torch.allclose(mean.values, W[0].expand(2, 3)) and torch.allclose(square.values, W[0].square().expand(2, 3))
    assert not variance.values.any()
    assert all(e.error is not None and not e.error.any() for e in (mean, square, variance))


def test_of_squares_mean_square_and_variance_are_known():
    """The slope of a x^2 is 2 a (x + e): mean 2 a x, mean square 4 a^2 (x^2 + sigma^2), variance 4 a^2 sigma^2."""
    a = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    sigma = 0.1 * (X.amax(1) - X.amin(1))[:, None]
    expected = {"mean": 2 * a * X, "square": 4 * a**2 * (X**2 + sigma**2), "variance": 4 * a**2 * sigma**2}
    for of, wanted in expected.items():
        e = pl.explain(squares, X, 0, Noisy(Gradient(), 1000, 0.1, of))
        assert ((e.values - wanted).abs() <= 4 * e.error).all()
        assert (e.error <= 0.1 * wanted.abs().amax()).all()


@pytest.mark.parametrize("of", ["mean", "square", "variance"])
def test_the_standard_error_tells_how_far_seeds_lie_apart(of: str):
    runs = [pl.explain(squares, X[:1], 0, Noisy(Gradient(), 50, 0.1, of, seed)) for seed in range(60)]
    apart = torch.stack([run.values for run in runs]).std(0)
    told = torch.stack([run.error for run in runs]).mean(0)
    assert ((apart / told) > 0.7).all() and ((apart / told) < 1.4).all()


def test_a_tally_is_what_all_draws_together_say():
    draws = torch.randn(9, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).exp()
    tally = Tally(2)
    for draw in draws:
        for sample in range(2):
            tally.add(sample, draw[sample])
    assert torch.allclose(tally.mean, draws.mean(0)) and torch.allclose(tally.variance, draws.var(0))
    assert torch.allclose(tally.error, draws.std(0) / 3)
    fourth = (draws - draws.mean(0)).pow(4).mean(0)
    assert torch.allclose(tally.error_of_variance, ((fourth - 6 / 8 * draws.var(0) ** 2) / 9).sqrt())


WRAPPED: dict[str, Any] = {
    "gradient": Gradient(),
    "saliency": Saliency(),
    "lrp": pl.lrp.Auto(),
    "lrp.epsilon_plus": pl.lrp.EpsilonPlus(),
    "integrated": Integrated(3),
    "expected": Expected(n=2),
    "noisy": Noisy(Gradient(), 2),
    "over baselines": OverBaselines(Integrated(2), [0.0, 0.5]),
    "finite differences": FiniteDifferences(cell=8),
}


@pytest.mark.parametrize("method", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("at", [None, "features"])
def test_it_wraps_any_method(method: Any, at: str | None):
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    e = pl.explain(net, x, 1, Noisy(method, 3, 0.1), at=at)
    copies = [x + 0.1 * spread(x) * normal(x.shape[1:], generator(0, j)) for j in range(3)]
    each = torch.stack([pl.explain(net, copy, 1, method, at=at).values for copy in copies])
    assert difference(e.values, each.mean(0)) <= 1e-10
    assert e.error is not None and torch.allclose(e.error, each.std(0) / 3**0.5, rtol=1e-6, atol=1e-12)
    assert e.signed is method.signed and e.method == f"noisy({method.name})"
    assert e.output.tolist() == pytest.approx(pl.explain(net, x, 1, method).output.tolist())
    assert e.shared == pl.explain(net, x, 1, method, at=at).shared


def test_all_copies_are_explained_for_the_class_predicted_without_noise():
    net, x = CASE["dense"].net(torch.float64), CASE["dense"].inputs(torch.float64)
    predicted = net(x).argmax(1).tolist()
    free, told = (pl.explain(net, x, target, SmoothGrad(4, sigma=1.0)) for target in (None, predicted))
    assert torch.equal(free.values, told.values) and free.targets == told.targets
    copies = x + spread(x) * normal(x.shape[1:], generator(0, 0))
    assert net(copies).argmax(1).tolist() != predicted, "noise of this size changes predictions"


def test_a_baseline_per_sample_goes_with_its_sample():
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    baseline = 0.5 * x.flip(0)
    e = pl.explain(net, x, 1, Noisy(Integrated(3, baseline), 3))
    alone = [pl.explain(net, x[i : i + 1], 1, Noisy(Integrated(3, baseline[i]), 3)).values for i in range(3)]
    assert difference(e.values, torch.cat(alone)) <= 1e-10


@pytest.mark.parametrize(
    "method", [SmoothGrad(4), Noisy(Integrated(2), 3), FiniteDifferences(), LocalVariance(n=3), Expected(n=4)]
)
def test_another_type_or_batch_sees_the_same_draws(method: Any):
    case = CASE["curved"]
    single = pl.explain(case.net(), case.inputs(), 1, method)
    double = pl.explain(case.net(torch.float64), case.inputs(torch.float64), 1, method)
    assert single.values.dtype == torch.float32 and difference(single.values, double.values) <= 1e-3
    alone = pl.explain(case.net(torch.float64), case.inputs(torch.float64)[2:], 1, method)
    assert difference(alone.values, double.values[2:]) <= 1e-10


def test_another_seed_is_another_noise():
    net, x = CASE["curved"].net(), CASE["curved"].inputs()
    first, again, other = (pl.explain(net, x, 1, SmoothGrad(4, seed=seed)).values for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.allclose(first, other, rtol=1e-2)


def test_a_constant_sample_counts_as_of_range_one():
    e = pl.explain(squares, torch.full((1, 3), 2.0, dtype=torch.float64), 0, VarGrad(2000, 0.1))
    assert ((e.values - torch.tensor([0.04, 0.16, 0.36])).abs() <= 4 * e.error).all()


def test_what_the_wrapped_method_says_is_kept_if_it_holds_for_all_copies():
    net, x = CASE["plain"].net(), CASE["plain"].inputs()
    e = pl.explain(net, x, 1, Noisy(Integrated(3, 0.5), 3))
    assert any(note.startswith("The baseline is 0.5 everywhere") for note in e.notes)
    assert not any("f(x) - f(baseline)" in note for note in e.notes), "which differs from copy to copy"
    assert {"n=3", "of=mean", "method=integrated_gradients", "steps=3", "baseline=0.5"} <= set(e.provenance["method"]["options"])
    assert e.forwards == 3 + 3 * (3 + 3 + 2 * 3 * 3)
    lrp = pl.explain(net, x, 1, Noisy(pl.lrp.Auto(), 2))
    assert any(note.startswith("`lrp` chose lrp.") for note in lrp.notes) and lrp.ledger is None


@pytest.mark.parametrize(
    "method, message",
    [
        (Noisy(Gradient(), 1), r"n=1: found fewer than two copies; they have no spread\. Ask for 16, say\."),
        (Noisy(Gradient(), sigma=0.0), r"sigma=0\.0: found no noise; all copies are the same\. Ask for 0\.15, or use the method"),
        (Noisy(Gradient(), of="median"), r"of='median': found no such summary; .* Use mean, square, variance\."),
        (LocalVariance(n=1), r"n=1: found fewer than two draws; one number does not vary\. Ask for 8, say\."),
        (
            LocalVariance(sigma=0.0),
            r"sigma=0\.0: found a step that is not positive; where nothing moves, nothing varies\. Ask for 0\.1, say\.",
        ),
        (FiniteDifferences(step=-1.0), r"step=-1\.0: found a step that is not positive; where nothing moves"),
        (FiniteDifferences(cell=0), r"cell=0: found no places; a cell has one at least\. Ask for cell=1\."),
    ],
)
def test_settings_that_cannot_be_are_refused(method: Any, message: str):
    with pytest.raises(pl.MethodError, match=message):
        pl.explain(linear, X, 0, method)


def test_copies_are_told_and_may_be_called_off():
    net, x = CASE["plain"].net(), CASE["plain"].inputs()
    seen: list[tuple[int, int, str]] = []

    def watch(done: int, total: int, what: str) -> bool:
        seen.append((done, total, what))
        return True

    with watched(watch):
        e = pl.explain(net, x, 1, SmoothGrad(500))
    assert seen[0][1:] == (1500, "noisy copies") and len(seen) == 1
    done = seen[0][0] // 3
    assert f"Called off after {done} of 500 draws." in e.caption() and e.error is not None
    assert torch.allclose(e.values, pl.explain(net, x, 1, SmoothGrad(done)).values, rtol=0.1, atol=0.1)


def test_fewer_than_two_copies_have_no_variance():
    net, x = CASE["plain"].net(), CASE["plain"].inputs(batch=300)
    with watched(lambda done, total, what: True), pytest.raises(pl.MethodError) as caught:
        pl.explain(net, x, 1, SmoothGrad(4))
    assert "found 0 of the draws of some sample when it was called off; a variance needs two" in str(caught.value)


# -- finite differences and local variance -----------------------------------------------------------------------------------


def test_of_a_linear_score_finite_differences_are_the_gradient():
    for step in (0.01, 0.5):
        assert torch.allclose(pl.explain(linear, X, 0, FiniteDifferences(step)).values, W[0].expand(2, 3))


def test_finite_differences_are_slopes_over_their_way():
    e = pl.explain(lambda x: (x**3).sum(1, keepdim=True), X, 0, FiniteDifferences(0.2))
    h = 0.2 * (X.amax(1) - X.amin(1))[:, None]
    assert torch.allclose(e.values, 3 * X**2 + h**2)  # ((x + h)^3 - (x - h)^3) / 2h


def test_small_steps_of_finite_differences_are_the_gradient_of_a_network():
    case = CASE["dense"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    e = pl.explain(net, x, 1, FiniteDifferences(1e-7))
    assert difference(e.values, pl.explain(net, x, 1, "gradient").values) <= 1e-5


def test_of_a_linear_score_local_variance_is_squared_weights_times_the_noises():
    e = pl.explain(linear, X, 1, LocalVariance(0.1, n=2000))
    sigma = 0.1 * (X.amax(1) - X.amin(1))[:, None]
    assert ((e.values - sigma**2 * W[1] ** 2).abs() <= 4 * e.error).all() and (e.error <= 0.1 * e.values).all()


def test_cells_share_what_their_places_do_together():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 20 * 18, 2)).double().eval()
    x = torch.randn(2, 3, 20, 18, dtype=torch.float64)
    weights = net[1].weight[1].detach().reshape(3, 20, 18)
    differences, variance = (pl.explain(net, x, 1, method) for method in (FiniteDifferences(), LocalVariance(0.1, n=150)))
    sigma = 0.1 * spread(x)[:, 0, 0, 0]
    cells, together = divided((3, 20, 18), None)
    assert together and int(cells.max()) + 1 == 90 <= CELLS and torch.equal(cells[0], cells[2])
    for cell in (0, 8, 45, 89):
        inside = cells == cell
        places = int(inside[0].sum())
        assert places == 4
        expected = weights[inside].sum() / places  # raised together with all their channels
        assert torch.allclose(differences.values[:, inside], expected.expand(2, 3 * places), rtol=1e-6)
        spread_out = sigma**2 * weights[inside].square().sum() / places
        assert ((variance.values[:, inside] - spread_out[:, None]).abs() <= 4 * variance.error[:, inside]).all()
    assert torch.allclose(differences.heat()[:2, :2].sum(), weights[:, :2, :2].sum())
    assert "moved in 90 cells of up to 4 places, all channels together" in differences.caption() and differences.shared


def test_cells_are_entries_where_there_are_few_and_as_small_as_may_be_where_there_are_many():
    assert divided((196,), None)[0].tolist() == list(range(196)) and not divided((4, 24), None)[1]
    assert divided((197,), None)[0].tolist() == [n // 2 for n in range(197)]
    assert divided((3, 224, 224), None)[0].unique().numel() == 196
    assert divided((2, 8, 8, 8), None)[0].unique().numel() == 4**3
    one, together = divided((4, 6), 2)
    assert together and one.tolist() == [[0, 0, 1, 1, 2, 2]] * 4


@pytest.mark.parametrize("method", [FiniteDifferences(cell=4), LocalVariance(n=3, cell=4)])
@pytest.mark.parametrize("at", [None, "features.0"])
def test_measures_of_variation_do_not_care_how_a_network_is_written(method: Any, at: str | None):
    case = CASE["plain"]
    x = case.inputs(torch.float64)
    expected = pl.explain(case.net(torch.float64), x, 1, method, at=at)
    assert expected.values.shape == ((3, 3, 16, 16) if at is None else (3, 6, 16, 16))
    if at is None:
        for container in ("scripted", "traced", "exported"):
            other = pl.explain(contained(container, case, torch.float64), x, 1, method)
            assert difference(other.values, expected.values) <= 1e-10
    else:
        with pytest.raises(pl.WhereError, match="the inside of scripted and compiled code cannot be seen"):
            pl.explain(contained("scripted", case, torch.float64), x, 1, method, at=at)


@pytest.mark.parametrize("method", [FiniteDifferences(cell=2), LocalVariance(n=3, cell=2)])
def test_measures_of_variation_need_no_network_that_can_be_recorded(method: Any):
    def outside(x: Tensor) -> Tensor:
        return torch.from_numpy(linear(x).numpy())

    assert torch.equal(pl.explain(outside, X, 0, method).values, pl.explain(linear, X, 0, method).values)


@pytest.mark.parametrize("method", [FiniteDifferences(), LocalVariance(n=3)])
def test_a_network_that_first_writes_into_its_input_varies_the_same(method: Any):
    torch.manual_seed(0)
    rest = [nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)]
    plain, writing = (nn.Sequential(nn.LeakyReLU(0.3, inplace), *rest).double().eval() for inplace in (False, True))
    x = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    kept = x.clone()
    assert torch.equal(pl.explain(writing, x, 1, method).values, pl.explain(plain, x, 1, method).values)
    assert torch.equal(x, kept)


def test_an_input_or_an_answer_that_is_no_number_is_refused():
    with pytest.raises(pl.InputError, match=r"found 1 entries of 3 that are NaN or infinite; nothing can be computed from them"):
        pl.explain(linear, torch.tensor([[1.0, torch.nan, 0.0]], dtype=torch.float64), 0, FiniteDifferences())
    with pytest.raises(pl.ModelError, match=r"of moved inputs: found \d+ of \d+ scores that are NaN .* Take a smaller step\."):
        pl.explain(lambda x: x.log(), torch.tensor([[1.0, 9.0]]), 0, FiniteDifferences(0.5))


def test_cells_that_were_called_off_are_zero_and_told(monkeypatch):
    monkeypatch.setattr("pellucid.methods.gradient.finite_differences.batch_size", lambda x: 64)
    net, x = CASE["plain"].net(), CASE["plain"].inputs()[:1]
    with watched(lambda done, total, what: done >= 64):
        e = pl.explain(net, x, 1, FiniteDifferences(cell=2))
    assert "Called off before 32 of 64 cells: they are zero." in e.caption()
    assert e.values[0, :, :8].any() and not e.values[0, :, 8:].any()


def test_a_value_whose_samples_do_not_come_first_cannot_be_moved():
    case = CASE["sequence"]
    with pytest.raises(pl.MethodError, match=r"Variants of the value at embed: .* Name a module whose value comes batch first"):
        pl.explain(case.net(), case.inputs(), 1, FiniteDifferences(), at="embed")
    with pytest.raises(pl.MethodError, match=r"found the address of an operation; only what modules return can be replaced"):
        pl.explain(case.net(), case.inputs(), 1, FiniteDifferences(), at=pl.Where(op="relu", position=0))
