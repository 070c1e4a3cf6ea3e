"""The loop behind all perturbations: what it asks, what it keeps, how it goes on, stops and says so."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.methods.perturb.hsic import hsic
from pellucid.methods.perturb.kernel_shap import kernel_shap
from pellucid.methods.perturb.lime import lime
from pellucid.methods.perturb.occlusion import feature_ablation, occlusion
from pellucid.methods.perturb.regions.division import Grid, Groups
from pellucid.methods.perturb.rise import MaskMean, rise
from pellucid.methods.perturb.sampling.design import Bernoulli, OneOut
from pellucid.methods.perturb.sampling.perturbation import Perturbation
from pellucid.methods.perturb.shapley import shapley
from pellucid.methods.perturb.sobol import sobol
from tests.cases import CASE, difference
from tests.games import game, linear

SAMPLED: dict[str, Any] = {
    "kernel_shap": lambda budget, **options: kernel_shap(budget=budget, imputer=0.0, **options),
    "shapley": lambda budget, **options: shapley(budget=budget, imputer=0.0, **options),
    "lime": lambda budget, **options: lime(budget=budget, imputer=0.0, **options),
    "rise": lambda budget, **options: rise(budget, imputer=0.0, **options),
    "sobol": lambda budget, **options: sobol(budget=budget, imputer=0.0, **options),
    "hsic": lambda budget, **options: hsic(budget=budget, imputer=0.0, **options),
}
each_sampled = pytest.mark.parametrize("make", SAMPLED.values(), ids=SAMPLED)
PAYOFF = game(12, 0)


class Counting:
    """A network that counts what it is asked."""

    def __init__(self, net: Any = PAYOFF) -> None:
        self.net, self.samples, self.largest = net, 0, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.samples += len(x)
        self.largest = max(self.largest, len(x))
        made: Tensor = self.net(x)
        return made


# -- what captum says ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "residual", "mobile"])
@pytest.mark.parametrize("window, stride", [(4, 4), (5, 3), ((3, 6), (2, 4)), (7, 5)])
def test_occlusion_is_captums_also_where_strides_do_not_divide(name: str, window: Any, stride: Any):
    attr = pytest.importorskip("captum.attr")
    net, x = CASE[name].net(torch.float64), CASE[name].inputs(torch.float64)
    sides = [(length,) * 2 if isinstance(length, int) else length for length in (window, stride)]
    expected = attr.Occlusion(net).attribute(
        x, sliding_window_shapes=(x.shape[1], *sides[0]), strides=(x.shape[1], *sides[1]), baselines=0.3, target=1
    )
    e = pl.explain(net, x, 1, occlusion(window, stride, imputer=0.3))
    assert difference(e.values, expected) <= 1e-6  # captum sums in single precision


@pytest.mark.parametrize("name", ["plain", "attending"])
def test_feature_ablation_is_captums(name: str, rng: torch.Generator):
    attr = pytest.importorskip("captum.attr")
    net, x = CASE[name].net(torch.float64), CASE[name].inputs(torch.float64)
    mask = torch.randint(7, x.shape[1:], generator=rng)
    expected = attr.FeatureAblation(net).attribute(x, baselines=0.3, target=1, feature_mask=mask[None])
    assert difference(pl.explain(net, x, 1, feature_ablation(mask, imputer=0.3)).values, expected) <= 1e-6


# -- linear payoffs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [partial(occlusion, 1, 1), partial(feature_ablation, None), partial(kernel_shap, None, None), partial(shapley, None, None)],
    ids=["occlusion", "feature_ablation", "kernel_shap", "shapley"],
)
def test_of_a_linear_score_every_column_gets_its_weight_times_its_distance(make: Any, rng: torch.Generator):
    w, x, b = (torch.randn(11, generator=rng).double() for _ in range(3))
    e = pl.explain(lambda z: (z @ w)[:, None], x[None], 0, make(b))
    assert torch.allclose(e.values[0], w * (x - b), rtol=1e-9, atol=1e-9)


# -- one sample, one answer ---------------------------------------------------------------------------------------------------


@each_sampled
def test_a_sample_alone_gets_what_it_gets_in_a_batch(make: Any):
    case = CASE["plain"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    method = replace(make(60), division=Grid(3))
    whole = pl.explain(net, x, [1, 2, 0], method)
    for row, target in enumerate([1, 2, 0]):
        alone = pl.explain(net, x[row : row + 1], target, method)
        assert difference(whole.values[row : row + 1], alone.values) <= 1e-9
        assert whole.error is not None and alone.error is not None
        assert difference(whole.error[row : row + 1], alone.error) <= 1e-6


@each_sampled
def test_the_answer_does_not_depend_on_how_many_rows_are_asked_at_once(make: Any):
    one, some, many = (pl.explain(PAYOFF, PAYOFF.everyone, 0, make(150, batch=batch)) for batch in (1, 7, 128))
    for other in (some, many):
        assert torch.allclose(one.values, other.values, rtol=1e-9, atol=1e-12)


@each_sampled
def test_a_seed_decides_and_another_decides_otherwise(make: Any):
    one, same, other = (pl.explain(PAYOFF, PAYOFF.everyone, 0, make(150, seed=seed, batch=64)).values for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


@each_sampled
def test_forward_passes_are_counted_and_no_more_are_made(make: Any):
    net = Counting()
    pl.explain(net, PAYOFF.everyone, 0, make(150))  # the first time it is also checked that variants do not influence one another
    net.samples = 0
    e = pl.explain(net, PAYOFF.everyone, 0, make(150))
    assert e.forwards <= 152 + 12
    assert net.samples <= e.forwards + 2, "beside the first look at the output"


def test_rows_that_come_again_are_not_asked_again():
    payoff = Counting(game(4, 0))
    pl.explain(payoff, torch.ones(1, 4).double(), 0, lime(budget=300, imputer=0.0, batch=16))
    payoff.samples = 0
    e = pl.explain(payoff, torch.ones(1, 4).double(), 0, lime(budget=300, imputer=0.0, batch=16))
    assert e.forwards <= 2**4 + 2 and payoff.samples <= e.forwards + 2
    rows = Bernoulli(300).rows(4, 0, 300)
    run = lime(budget=300, imputer=0.0).sample(game(4, 0), torch.ones(1, 4).double(), 0)
    assert len(run) == 300 and torch.allclose(run.responses.read()[:, 0], game(4, 0)(rows)[:, 0])


def test_memory_that_runs_out_halves_the_batch():
    def small(z: Tensor) -> Tensor:
        if len(z) > 8:
            raise torch.OutOfMemoryError("too many")
        return PAYOFF(z)

    e = pl.explain(small, PAYOFF.everyone, 0, kernel_shap(budget=100, imputer=0.0, batch=64))
    assert torch.allclose(e.values, pl.explain(PAYOFF, PAYOFF.everyone, 0, kernel_shap(budget=100, imputer=0.0)).values)


def test_values_inside_a_network_are_regions_too():
    case = CASE["plain"]
    e = pl.explain(case.net(), case.inputs(), 1, kernel_shap(Grid(2), imputer=0.0), at="features.2")
    assert e.at == "features.2" and e.values.shape[1] == 6 and e.error is not None and not e.error.any()


# -- the ledger ---------------------------------------------------------------------------------------------------------------


def two_classes(z: Tensor) -> Tensor:
    return torch.cat([PAYOFF(z), game(12, 1)(z)], 1)


@pytest.fixture
def net() -> Counting:
    return Counting(two_classes)


def test_a_run_is_read_by_many_without_one_more_forward_pass(net: Counting):
    run = kernel_shap(budget=400, imputer=0.0).sample(net, PAYOFF.everyone, 0)
    asked = net.samples
    for estimator in ("shapley", "lime", "banzhaf", "rise", MaskMean()):
        found = run.fit(estimator)
        assert found.values.shape == (12,) and found.error is not None and found.error.isfinite().all()
    other = run.fit("shapley", target=1)
    assert net.samples == asked
    assert torch.allclose(other.values, pl.explain(net, PAYOFF.everyone, 1, kernel_shap(budget=400, imputer=0.0)).values[0])
    contrast = run.fit(target=pl.logit(0) - pl.logit(1))
    assert torch.allclose(contrast.values, run.fit().values - other.values, atol=1e-9)


def test_a_run_is_told_as_an_explanation_without_one_more_forward_pass(net: Counting):
    run = kernel_shap(budget=400, imputer=0.0).sample(net, PAYOFF.everyone, 0)
    model = run.study.readout.model
    asked = net.samples
    same, other = (pl.explain(model, PAYOFF.everyone, target, run.method()) for target in (0, 1))
    by_lime = pl.explain(model, PAYOFF.everyone, 1, run.method("lime"))
    assert net.samples == asked
    assert torch.equal(same.values, pl.explain(net, PAYOFF.everyone, 0, kernel_shap(budget=400, imputer=0.0)).values)
    assert (same.method, by_lime.method) == ("kernel_shap", "lime") and by_lime.signed
    assert by_lime.notes[0] == "Estimated from the 400 model outputs of a run of kernel_shap."
    assert float(other.output) == pytest.approx(float(two_classes(PAYOFF.everyone)[0, 1])) and other.target == "logit 1"


def test_a_class_by_name_is_found_in_a_run():
    case = CASE["plain"]
    model = replace(pl.load(case.net()), labels=("ape", "bee", "cat", "dog", "emu"))
    run = kernel_shap(Grid(2), imputer=0.0).sample(model, case.inputs()[:1], "bee")
    e = pl.explain(model, case.inputs()[:1], "dog", run.method("banzhaf"))
    assert e.target == 'logit 3 "dog"' and e.shared
    assert run.fit(target=None).values.shape == (4,)


@pytest.mark.parametrize("what", ["sample", "model", "value inside the model"])
def test_a_run_is_about_one_sample_and_one_model(what: str):
    case = CASE["plain"]
    net, x = case.net(), case.inputs()[:1]
    run = kernel_shap(Grid(2), imputer=0.0).sample(net, x, 1)
    asked: dict[str, Any] = {"sample": (net, x + 1), "model": (copy.deepcopy(net), x)}
    given = asked.get(what, (net, x))
    with pytest.raises(pl.InputError, match=f"kernel_shap from a run of kernel_shap: found another {what}"):
        pl.explain(*given, 1, run.method(), at=None if what in asked else "features.2")
    with pytest.raises(pl.InputError, match="a run is about one sample"):
        kernel_shap().sample(net, case.inputs(), 1)


def test_a_target_inside_the_model_is_the_only_one_that_is_kept():
    case = CASE["plain"]
    run = feature_ablation(Grid(2)).sample(case.net(), case.inputs()[:1], pl.channel("features.2", 1))
    assert run.fit().values.shape == (4,)
    with pytest.raises(pl.MethodError, match=r"logit 1 from the responses to .*the target lies inside|it lies inside the model"):
        run.fit(target=1)


def test_names_of_estimators_are_known():
    run = kernel_shap(imputer=0.0).sample(PAYOFF, PAYOFF.everyone, 0)
    with pytest.raises(pl.MethodError, match=r"the estimator 'shaply'.*Nearest: shapley"):
        run.fit("shaply")


def test_rows_of_halves_are_too_few_for_shapley_values_of_many():
    payoff = game(49, 0)
    run = lime(budget=500, imputer=0.0).sample(payoff, payoff.everyone, 0)
    with pytest.raises(pl.MethodError, match=r"they have 1\d to 3\d regions, and \d\d% of the weight is on other numbers"):
        run.fit("shapley")


def test_rows_drawn_otherwise_are_said_to_be_worth_less():
    run = lime(budget=400, imputer=0.0).sample(PAYOFF, PAYOFF.everyone, 0)
    assert any(
        note.startswith("The 400 perturbed samples were drawn for another method: their effective number is")
        for note in run.fit("shapley").notes
    )


# -- going on -----------------------------------------------------------------------------------------------------------------


@each_sampled
def test_a_run_goes_on_and_is_then_what_one_run_would_have_been(make: Any):
    run = make(100).sample(PAYOFF, PAYOFF.everyone, 0)
    longer, whole = run.extend(400), make(400).sample(PAYOFF, PAYOFF.everyone, 0)
    assert len(longer) == len(whole) > len(run)
    assert torch.allclose(longer.fit().values, whole.fit().values, atol=1e-12)
    assert len(run.extend(50)) == len(run), "nothing is taken back"


def test_going_on_asks_only_what_is_new(net: Counting):
    run = kernel_shap(budget=100, imputer=0.0).sample(net, PAYOFF.everyone, 0)
    asked = net.samples
    assert run.extend(150).responses.forwards == 152 and net.samples == asked + 50


def test_a_run_goes_on_until_it_is_sure_enough():
    run = kernel_shap(budget=60, imputer=0.0).sample(PAYOFF, PAYOFF.everyone, 0)
    sure = run.extend(tol=0.02)
    found = sure.fit()
    assert found.error is not None and float(found.error.max()) < 0.02 * float(found.values.max() - found.values.min())
    assert 60 < len(sure) <= 16 * 60 and len(sure.extend(tol=0.02)) == len(sure)
    surer = run.extend(tol=0.02, estimator="banzhaf", target=0)
    assert len(surer) <= len(sure)


def test_what_has_been_asked_in_full_does_not_go_on():
    run = kernel_shap(imputer=0.0).sample(linear([1.0, 2.0, 3.0]), torch.ones(1, 3).double(), 0)
    assert len(run.extend(10_000)) == 6 and len(run.extend(tol=1e-9)) == 6
    every = feature_ablation(imputer=0.0).sample(PAYOFF, PAYOFF.everyone, 0)
    assert len(every.extend(100)) == 12


@pytest.mark.parametrize(
    "make", [SAMPLED["kernel_shap"], SAMPLED["rise"], SAMPLED["sobol"]], ids=["kernel_shap", "rise", "sobol"]
)
def test_a_run_is_saved_loaded_and_gone_on_with(make: Any, tmp_path: Path, net: Counting):
    method = make(200)
    file = method.begin(net, PAYOFF.everyone, 0).extend(budget=100).save(tmp_path / "run.safetensors")
    whole = method.sample(net, PAYOFF.everyone, 0)
    asked = net.samples
    loaded = method.begin(net, PAYOFF.everyone, 0).load(file)
    assert net.samples <= asked + 4, "the sample itself and its absence"
    rest = loaded.extend()
    assert len(rest) == len(whole) and net.samples <= asked + 4 + 200 - 90
    assert torch.allclose(rest.fit().values, whole.fit().values, atol=1e-12)


def test_a_run_that_went_beyond_its_plan_is_loaded_as_far_as_it_went(tmp_path: Path):
    method = shapley(budget=60, imputer=0.0)
    file = method.sample(PAYOFF, PAYOFF.everyone, 0).extend(5000).save(tmp_path / "run.safetensors")
    loaded = method.begin(PAYOFF, PAYOFF.everyone, 0).load(file)
    assert len(loaded) >= 4900 and loaded.fit().error is not None


def test_rows_are_written_eight_regions_to_a_byte(tmp_path: Path):
    from safetensors.torch import load_file

    file = kernel_shap(budget=100, imputer=0.0).sample(PAYOFF, PAYOFF.everyone, 0).save(tmp_path / "run.safetensors")
    assert load_file(file)["rows"].shape == (100, 2) and load_file(file)["rows"].dtype == torch.uint8


@pytest.mark.parametrize("other", ["sample", "target", "seed", "imputer", "regions", "design"])
def test_answers_to_other_questions_are_not_loaded(other: str, tmp_path: Path):
    case = CASE["plain"]
    net, x = case.net(), case.inputs()
    file = kernel_shap(Grid(4), 100, 0.0).sample(net, x[:1], 1).save(tmp_path / "run.safetensors")
    given: dict[str, Any] = {"regions": Grid(4), "imputer": 0.0, "budget": 100}
    changed = {
        "seed": {"seed": 1},
        "imputer": {"imputer": 1.0},
        "regions": {"regions": Grid((2, 8))},
        "design": {"sampling": "kernel"},
    }
    method = kernel_shap(**given | changed.get(other, {}))
    begun = method.begin(net, x[1:2] if other == "sample" else x[:1], 2 if other == "target" else 1)
    with pytest.raises(pl.OutputError, match="they belong to another sample, model, target or design"):
        begun.load(file)


def test_a_file_that_holds_no_run_is_refused(tmp_path: Path):
    begun = kernel_shap(imputer=0.0).begin(PAYOFF, PAYOFF.everyone, 0)
    (tmp_path / "text.safetensors").write_text("nothing")
    for name, message in (("text.safetensors", "not a whole safetensors file"), ("none.safetensors", "it cannot be read")):
        with pytest.raises(pl.OutputError, match=message):
            begun.load(tmp_path / name)
    e = pl.explain(PAYOFF, PAYOFF.everyone, 0, kernel_shap(imputer=0.0))
    with pytest.raises(pl.OutputError, match="found no responses"):
        begun.load(e.save(tmp_path / "e.safetensors"))
    with pytest.raises(pl.OutputError, match="the file cannot be written there"):
        begun.save(tmp_path / "nowhere" / "run.safetensors")


# -- progress -----------------------------------------------------------------------------------------------------------------


@each_sampled
def test_whoever_calls_it_off_gets_what_is_there_and_is_told(make: Any):
    seen: list[tuple[int, int]] = []

    def watch(done: int, total: int, what: str) -> bool:
        assert what == "forward passes"
        seen.append((done, total))
        return done >= 40

    with watched(watch):
        e = pl.explain(PAYOFF, PAYOFF.everyone, 0, make(150, batch=10))
    assert seen[0][0] == 10 and seen[-1][0] == 40 and all(100 < total <= 160 for _, total in seen)
    assert any(note.startswith("Called off after 40 of ") for note in e.notes)
    assert e.values.isfinite().all() and e.forwards == 42


@each_sampled
def test_even_called_off_at_once_there_is_an_answer_that_claims_nothing(make: Any):
    with watched(lambda done, total, what: True):
        e = pl.explain(PAYOFF, PAYOFF.everyone, 0, make(150, batch=1))
    assert e.values.isfinite().all() and e.error is not None
    assert not e.values.any() or "Under-sampled" in e.caption()


def test_a_run_that_was_called_off_goes_on():
    method = kernel_shap(budget=100, imputer=0.0, batch=10)
    with watched(lambda done, total, what: done >= 30):
        run = method.sample(PAYOFF, PAYOFF.everyone, 0)
    assert len(run) == 30 and "30 of 100 rows" in repr(run)
    e = pl.explain(run.study.readout.model, PAYOFF.everyone, 0, run.method())
    assert "Called off after 30 of 100 perturbed samples." in e.notes
    assert torch.allclose(run.extend().fit().values, method.sample(PAYOFF, PAYOFF.everyone, 0).fit().values)


def test_a_run_for_a_tolerance_can_be_called_off():
    with watched(lambda done, total, what: done >= 60):
        e = pl.explain(PAYOFF, PAYOFF.everyone, 0, kernel_shap(budget=400, imputer=0.0, batch=10, tol=1e-6))
    assert any(note.startswith("Called off after 60 of 400") for note in e.notes)


# -- bad input ----------------------------------------------------------------------------------------------------------------


def flat(z: Tensor) -> Tensor:
    return z.flatten(1).sum(1, keepdim=True)


X = torch.ones(1, 3, 8, 8)


@pytest.mark.parametrize(
    "method, error, message",
    [
        (lambda: occlusion(9), pl.InputError, "windows of 9 x 9: found an input of 8 x 8 places; a window has to fit into it"),
        (lambda: occlusion(4, 0), pl.InputError, "a length of at least 1 is needed along each"),
        (lambda: occlusion(imputer=torch.zeros(3, 4, 4)), pl.InputError, "a baseline: found a value of shape"),
        (lambda: kernel_shap(Grid(2), imputer=torch.zeros(5)), pl.InputError, "it has to say what stands at every entry"),
        (
            lambda: kernel_shap(torch.full((8, 8), -1)),
            pl.InputError,
            "regions: found zero of them; there is nothing to take away",
        ),
        (lambda: kernel_shap(torch.zeros(5, 5, dtype=torch.long)), pl.InputError, "the mask holds the number of a region"),
        (lambda: rise(20, imputer="nothing"), pl.InputError, "imputer='nothing': found a str"),
        (lambda: sobol(grid=9, regions=Grid(9)), pl.InputError, "every cell needs at least one place"),
        (lambda: kernel_shap(Grid(8), budget=100), pl.MethodError, "100 forward passes for 64 regions; at least 128 are needed"),
        (lambda: shapley(Grid(8), budget=100), pl.MethodError, "100 forward passes for 64 regions; at least 126 are needed"),
        (lambda: sobol(8, budget=100), pl.MethodError, "100 forward passes for 64 regions; at least 130 are needed"),
        (lambda: lime(budget=0), pl.MethodError, "at least 2 are needed"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_four_parts(method: Any, error: type[pl.PellucidError], message: str):
    with pytest.raises(error, match=message) as caught:
        pl.explain(flat, X, 0, method())
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))


@each_sampled
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_answers_that_are_no_numbers_are_refused(make: Any, bad: float):
    def breaking(z: Tensor) -> Tensor:
        return torch.where((z == 1).all(1, keepdim=True), 1.0, bad)

    with pytest.raises(pl.ModelError, match=r"logit 0 of changed inputs: found \d+ of \d+ scores that are NaN or infinite"):
        pl.explain(breaking, PAYOFF.everyone, 0, make(150))


def test_a_map_of_too_few_rows_says_so_in_place_of_drawing_noise(rng: torch.Generator):
    w = torch.randn(64, generator=rng) * 0.01
    method = Perturbation("rise", Groups(torch.arange(64)), Bernoulli(20), MaskMean(), 0.0)
    e = pl.explain(lambda z: (z @ w)[:, None] + torch.sin(1000 * z @ w)[:, None], torch.ones(1, 64), 0, method)
    assert "Under-sampled: 22 forward passes for 64 values" in e.caption()


def test_one_out_has_no_chance_in_it():
    e = pl.explain(PAYOFF, PAYOFF.everyone, 0, Perturbation("x", Groups(torch.arange(12)), OneOut(), occlusion().estimator, 0.0))
    assert e.error is None and e.forwards == 13


def test_modules_stay_as_they_were():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()
    before = [p.clone() for p in net.parameters()]
    pl.explain(net, X.clone().requires_grad_(), 0, kernel_shap(Grid(2)))
    assert all(torch.equal(a, b) and a.grad is None for a, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize("shape", [(13,), (2, 13), (2, 14, 13), (1, 5, 7, 6)])
@pytest.mark.parametrize(("window", "stride"), [(1, 3), (2, 3), (3, 4), (2, 5), (1, 20)])
def test_windows_with_gaps_between_them_begin_inside_and_are_removed_each_alone(shape: tuple[int, ...], window: int, stride: int):
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    places, expected = shape[-1:] if len(shape) < 3 else shape[1:], torch.zeros_like(x)
    for corner in itertools.product(*(range(0, side, stride) for side in places)):
        gone = (..., *(slice(start, start + window) for start in corner))
        expected[gone] = (x * w)[gone].sum()
    found = pl.explain(lambda x: (x * w).flatten(1).sum(1, keepdim=True), x, 0, pl.perturb.occlusion(window, stride, 0.0))
    assert torch.allclose(found.values, expected)
