"""Removal curves: the published numbers, analytic cases, what is asked once, and what numbers are compared with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods.perturb.regions.division import Entries, Grid, Groups, Sliding
from pellucid.metrics import Answer, Scheme, question
from pellucid.metrics.removal.curve import ablations, curve
from pellucid.metrics.removal.experiment import Ablation, Experiment, experiment
from pellucid.metrics.removal.oracle import best_orders, cost
from pellucid.metrics.removal.order import by_chance, ranks
from pellucid.metrics.removal.pixel_flipping import PixelFlipping
from pellucid.metrics.removal.steps import Every, Log, Shares
from pellucid.metrics.removal.tiles import Tiles
from pellucid.target import as_target
from tests.reference import metric_twins as twin

SIDE, CLASS = 12, 1
SQUARES = Tiles(3)  # of the pictures below: 16 of 3 x 3


@pytest.fixture(scope="module")
def net() -> nn.Module:
    rng = torch.Generator().manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6 * 25, 4)).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            scale = 4 / parameter[0].numel() ** 0.5 if parameter.dim() > 1 else 0.3
            parameter.copy_(scale * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return net.requires_grad_(False)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


@pytest.fixture(scope="module")
def values() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def asked(net: object, x: Tensor, target: object = CLASS, **how: object):
    return question(pl.load(net), x, as_target(target), **{"floor": False, "ceiling": False, **how})


def scored(metric, net: object, x: Tensor, values: Tensor, **how: object) -> list[float]:
    return metric.score(asked(net, x, **how), Answer(values)).values.tolist()


def close(found: list[float], expected: list[float]) -> None:
    assert found == pytest.approx(expected, abs=1e-9)


# the published definitions


def test_pixel_flipping_is_bachs(net, x, values):
    metric = pl.metrics.PixelFlipping(Scheme(Entries(), 0.5, Every(1)))
    half = torch.full_like(x[:1], 0.5)
    close(scored(metric, net, x, values),
          [twin.pixel_flipping(twin.logit(net, CLASS), x[i : i + 1], values[i], half) for i in range(2)])  # fmt: skip


@pytest.mark.parametrize("steps", [5, 100])
def test_aopc_and_abpc_are_sameks(net, x, values, steps):
    scheme = Scheme(SQUARES, 0.0, Every(1, most=steps))
    f, zeros, regions = twin.logit(net, CLASS), torch.zeros_like(x[:1]), twin.squares(x, 3)
    curves = [
        [twin.perturbation_curve(f, x[i : i + 1], values[i], regions, steps, zeros, most=most) for most in (True, False)]
        for i in range(2)
    ]
    close(scored(pl.metrics.RegionPerturbation(scheme), net, x, values), [twin.aopc(most) for most, _ in curves])
    close(scored(pl.metrics.ABPC(scheme), net, x, values), [twin.abpc(*both) for both in curves])


def test_region_perturbation_keeps_the_noise_of_regions_that_are_gone(net, x, values):
    metric = pl.metrics.RegionPerturbation(Scheme(SQUARES, pl.perturb.noise("uniform"), Every(1, most=4)))
    draws = [pl.perturb.noise("uniform").prepare(x[i : i + 1], None, None)(torch.ones(1), [0]) for i in range(2)]
    f, regions = twin.logit(net, CLASS), twin.squares(x, 3)
    curves = [twin.perturbation_curve(f, x[i : i + 1], values[i], regions, 4, draws[i]) for i in range(2)]
    close(scored(metric, net, x, values), [twin.aopc(one) for one in curves])


def test_several_draws_are_averaged(net, x, values):
    one = Scheme(SQUARES, pl.perturb.noise("uniform"), Every(1, most=4))
    drawn = experiment(asked(net, x), replace(one, draws=3))
    ablation = Ablation(0, torch.arange(16), 5)
    drawn.measure([ablation])
    gone = drawn.parts[0].gone(ablation.absent[None], [0])
    fill = pl.perturb.noise("uniform").prepare(x[:1], None, None)
    each = [float(net(torch.where(gone, fill(gone, [draw]), x[:1]))[0, CLASS]) for draw in range(3)]
    assert float(drawn.read([ablation])[0, 0]) == pytest.approx(sum(each) / 3, abs=1e-9) and len(set(each)) == 3
    assert drawn.forwards == 3


@pytest.mark.parametrize("step", [7, 1])
def test_deletion_and_insertion_are_rises(net, x, values, step):
    f, start = twin.probability(net, CLASS), twin.rise_blur(x)
    deletion = pl.metrics.Deletion(Scheme(Entries(), 0.0, Every(step)))
    insertion = pl.metrics.Insertion(Scheme(Entries(), pl.metrics.Blurred(), Every(step, back=True)))
    gone = [twin.causal_metric(f, x[i : i + 1], torch.zeros_like(x[:1]), values[i], step) for i in range(2)]
    come = [twin.causal_metric(f, start[i : i + 1], x[i : i + 1], values[i], step) for i in range(2)]
    close(scored(deletion, net, x, values), [twin.rise_auc(scores) for scores in gone])
    close(scored(insertion, net, x, values), [twin.rise_auc(scores) for scores in come])


def test_irof_is_riegers(net, x, values):
    metric = pl.metrics.IROF(Scheme(SQUARES, pl.perturb.mean(), Every(1), weigh="mean"))
    classes = net(x).argmax(1).tolist()
    expected = [twin.irof(twin.probability(net, classes[i]), x[i : i + 1], values[i], twin.squares(x, 3)) for i in range(2)]
    close(metric.score(asked(net, x, None), Answer(values)).values.tolist(), expected)


def test_srg_is_bluechers_and_the_sum_of_its_halves(net, x, values):
    uneven, counts = Tiles(5), (0, 1, 2, 4, 9)  # a quarter of the side is 3: the tiles are capped there
    regions = twin.squares(x, 3)
    scheme = Scheme(uneven, pl.perturb.mean(), Chosen(counts), weigh="mean")
    f = twin.probability(net, CLASS)
    found = {kind: scored(kind(scheme), net, x, values) for kind in (pl.metrics.SRG, pl.metrics.MRG, pl.metrics.LRG)}
    close(found[pl.metrics.SRG], [twin.srg(f, x[i : i + 1], values[i], regions, counts) for i in range(2)])
    halves = zip(found[pl.metrics.MRG], found[pl.metrics.LRG], strict=True)
    close(found[pl.metrics.SRG], [most + least for most, least in halves])


class Chosen:
    """Steps chosen by hand."""

    def __init__(self, counts: tuple[int, ...]) -> None:
        self.given = counts

    def counts(self, n: int) -> tuple[int, ...]:
        return self.given


def test_areas_are_taken_over_the_true_share_of_places(net, x, values):
    labels = torch.zeros(1, SIDE, SIDE, dtype=torch.long)
    labels[:, 1:3], labels[:, 3:] = 1, 2  # 1, 2 and 9 twelfths
    regions = [[(i, j) for i in rows for j in range(SIDE)] for rows in (range(1), range(1, 3), range(3, SIDE))]
    scheme = Scheme(Groups(labels), pl.perturb.mean(), Every(1), weigh="mean")
    f = twin.probability(net, CLASS)
    close(scored(pl.metrics.SRG(scheme), net, x, values),
          [twin.srg(f, x[i : i + 1], values[i], regions, range(4)) for i in range(2)])  # fmt: skip


def test_comprehensiveness_and_sufficiency_are_erasers(net, x, values):
    f = twin.probability(net, CLASS)
    for metric, keep in ((pl.metrics.Comprehensiveness(), False), (pl.metrics.Sufficiency(), True)):
        close(scored(metric, net, x, values), [twin.erasure(f, x[i : i + 1], values[i], keep=keep) for i in range(2)])


def test_road_without_noise_is_a_dense_linear_solve(net, x, values):
    metric = pl.metrics.ROAD()
    scheme = replace(metric.scheme, imputer=pl.perturb.noisy_linear(noise=0, tolerance=1e-12))
    f = twin.probability(net, CLASS)
    found = scored(replace(metric, scheme=scheme), net, x, values)
    close(found, [twin.road(f, x[i : i + 1], values[i]) for i in range(2)])
    kept = replace(metric, scheme=scheme, reading="kept")
    assert all(9 * share == round(9 * share) for share in scored(kept, net, x, values))  # an accuracy over nine shares
    both = scored(pl.metrics.ROADCombined(scheme), net, x, values)
    against = scored(replace(metric, scheme=scheme), net, x, -values)
    close(both, [(least - most) / 2 for most, least in zip(found, against, strict=True)])


def test_selectivity_takes_patches(net, x, values):
    metric = pl.metrics.Selectivity(Scheme(SQUARES, 0.0, Every(1)))
    f, zeros, regions = twin.logit(net, CLASS), torch.zeros_like(x[:1]), twin.squares(x, 3)
    curves = [twin.perturbation_curve(f, x[i : i + 1], values[i], regions, 16, zeros) for i in range(2)]
    close(scored(metric, net, x, values), [twin.trapezoids(range(17), one) for one in curves])


# analytic cases


class Total(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sum(1, keepdim=True)


def test_the_sum_of_the_input_is_explained_best_by_the_input():
    x = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for metric in (PixelFlipping(), pl.metrics.SRG(Scheme(Entries(), 0.0, Every(1)), reading="target")):
        best = metric.score(asked(Total(), x, 0, floor=True, ceiling=True), Answer(x))
        worst = metric.score(asked(Total(), x, 0), Answer(-x)).values
        assert torch.allclose(best.values, best.ceiling, atol=1e-12)
        assert torch.allclose(best.floor, (best.values + worst) / 2, atol=1e-12)  # the sum falls in a straight line by chance


class Touched(nn.Module):
    """Class 1 while no pixel of a picture of ones is 0."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where((x == 0).flatten(1).any(1, keepdim=True), torch.tensor([[40.0, -40.0]]), torch.tensor([[-40.0, 40.0]]))


class Seen(nn.Module):
    """Class 1 as soon as one pixel is 1 again."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where((x == 1).flatten(1).any(1, keepdim=True), torch.tensor([[-40.0, 40.0]]), torch.tensor([[40.0, -40.0]]))


def test_a_model_that_dies_at_the_first_pixel_has_no_deletion_and_one_that_lives_by_it_all_insertion():
    x, values = torch.ones(1, 1, 8, 8), torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    steps = Every(1)
    assert scored(pl.metrics.Deletion(Scheme(Entries(), 0.0, steps)), Touched(), x, values) == [0.5 / 64]
    assert scored(pl.metrics.Insertion(Scheme(Entries(), 0.0, steps)), Seen(), x, values) == [1 - 0.5 / 64]


def test_the_opposite_map_has_the_opposite_srg(net, x, values):
    metric = pl.metrics.SRG(Scheme(SQUARES, 0.0, Log(8)))
    close(scored(metric, net, x, -values), [-one for one in scored(metric, net, x, values)])


# ties, and maps that say nothing


def test_equal_regions_go_in_an_order_that_depends_on_nothing_but_seed_and_number():
    flat = ranks(torch.zeros(9))
    assert sorted(flat.tolist()) == list(range(9)) and flat.tolist() != list(range(9))
    assert torch.equal(flat, ranks(torch.full((9,), -3.0))) and not torch.equal(flat, ranks(torch.zeros(9), seed=1))
    half = ranks(torch.tensor([1.0, 0, 0, 0, 1.0, 0, 0, 0, 0]))
    assert sorted(half[[0, 4]].tolist()) == [0, 1]


def test_a_map_with_nan_has_no_score_and_does_not_touch_the_others(net, x, values):
    broken = values.clone()
    broken[0, 0, 0, 0] = torch.nan
    found = scored(PixelFlipping(), net, x, broken)
    assert found[0] != found[0] and found[1] == scored(PixelFlipping(), net, x, values)[1]


# what is asked once


def test_the_same_parts_of_a_sample_are_asked_about_once(net, x, values):
    made = asked(net, x)
    scheme = Scheme(SQUARES, 0.0, Log(8))
    points = len(scheme.steps.counts(16))
    first = pl.metrics.SRG(scheme).score(made, Answer(values))
    assert first.forwards == 2 * (2 * (points - 2) + 1)  # both ends share the whole sample, which is known, and its absence
    for metric in (pl.metrics.SRG, pl.metrics.Selectivity, PixelFlipping):
        assert metric(scheme).score(made, Answer(values)).forwards == 0
    other = pl.metrics.SRG(scheme).score(made, Answer(-values))
    assert other.forwards == 0  # the same curves with their names exchanged
    denser = pl.metrics.SRG(replace(scheme, steps=Every(1))).score(made, Answer(values))
    assert denser.forwards == 2 * 2 * (15 - (points - 2))


def test_a_number_and_the_constant_of_it_are_the_same_imputer(net, x):
    made = asked(net, x)
    same = [experiment(made, Scheme(SQUARES, imputer, Log(8))) for imputer in (0, 0.0, pl.perturb.constant(0.0))]
    assert same[0] is same[1] is same[2]
    assert experiment(made, Scheme(SQUARES, 1.0, Log(8))) is not same[0]


def test_a_curve_called_off_is_no_curve(net, x, values, monkeypatch):
    from pellucid.core.progress import watched

    monkeypatch.setattr("pellucid.metrics.removal.experiment.batch_size", lambda x: 100)
    made, metric = asked(net, x), PixelFlipping(Scheme(Entries(), 0.0, Every(1)))
    with watched(lambda done, total, what: done >= 200):
        found = metric.score(made, Answer(values))
    assert found.values.isnan().tolist() == [False, True] and found.forwards == 200
    assert metric.score(made, Answer(values)).forwards == 2 * 144 - 200  # what was learned is kept


# what numbers are compared with


def test_random_orders_leave_srg_and_its_halves_at_zero(net, x, values):
    for metric in (pl.metrics.SRG(), pl.metrics.MRG(), pl.metrics.LRG(), pl.metrics.ABPC()):
        found = metric.score(asked(net, x, floor=True), Answer(values))
        assert found.floor.abs().max() <= 1e-12


def test_the_floor_is_the_mean_score_of_maps_by_chance(net, x):
    metric = PixelFlipping(Scheme(SQUARES, 0.0, Every(1)))
    found = metric.score(asked(net, x, floor=True), Answer(torch.zeros_like(x)))
    maps = []
    for number, way in product((0, 1), (1.0, -1.0)):
        order = -way * by_chance(16, 0, number).double()
        maps.append(torch.tensor(scored(metric, net, x, painted(order).expand(2, 3, SIDE, SIDE)), dtype=torch.float64))
    assert torch.allclose(found.floor, torch.stack(maps).mean(0))


def painted(values: Tensor) -> Tensor:
    return SQUARES.of(torch.zeros(1, 3, SIDE, SIDE), None).paint(values)[None]


@pytest.mark.parametrize("least", [True, False])
def test_the_best_order_of_few_regions_is_that_of_all_orders(net, x, least):
    labels = torch.arange(SIDE).div(2, rounding_mode="floor").clamp(max=4)[:, None].expand(SIDE, SIDE)[None]
    study = experiment(asked(net, x), Scheme(Groups(labels.clone()), 0.0, Every(1)))
    order = best_orders(study, 0, "probability")[0 if least else 1]
    area = curve(study, 0, order, Every(1)).area("probability")
    f, zeros = twin.probability(net, CLASS), torch.zeros_like(x[:1])

    @cache
    def score(gone: frozenset[int]) -> float:
        return f(twin.flipped(x[:1], [(i, j) for i in range(SIDE) for j in range(SIDE) if int(labels[0, i, j]) in gone], zeros))

    assert area == pytest.approx(twin.best_area(score, [2 / 12] * 4 + [4 / 12], least=least), abs=1e-12)


def test_a_greedy_order_is_the_best_where_parts_add_up():
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    study = experiment(asked(Total(), x, 0), Scheme(Entries(), 0.0, Every(1)))
    falls, holds = best_orders(study, 1, "target")
    assert torch.equal(falls, ranks(x[1].flatten())) and torch.equal(holds, ranks(-x[1].flatten()))
    assert study.forwards <= cost(16)


def test_no_map_beats_the_ceiling_of_few_regions(net, x, values):
    metric = pl.metrics.SRG(Scheme(Grid(3), pl.perturb.mean(), Every(1), weigh="mean"))
    made = asked(net, x, ceiling=True)
    for seed in range(20):
        chance = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        found = metric.score(made, Answer(chance))
        assert (found.values <= found.ceiling + 1e-12).all()


def test_a_ceiling_that_is_dear_is_left_out_and_said_so(net, x, values):
    metric = pl.metrics.SRG(Scheme(Grid(4), 0.0, Log(8)))
    many = x[:1].expand(9, -1, -1, -1)
    left = metric.score(asked(net, many, ceiling=None), Answer(values[:1].expand_as(many)))
    assert left.ceiling is None and "2,430 forward passes; ceiling=True" in left.notes[0]
    pixels = PixelFlipping().score(asked(net, x, ceiling=True), Answer(values))
    assert pixels.ceiling is None and "too many regions" in pixels.notes[0]
    assert metric.score(asked(net, x, ceiling=None), Answer(values)).ceiling is not None


def test_reliability_is_the_confidence_left_where_parts_go_by_chance(net, x):
    metric = PixelFlipping(Scheme(SQUARES, 0.0, Every(1)))
    study = experiment(asked(net, x, floor=True), metric.scheme)
    found = metric.calibrate(study).reliability
    p = lambda x: float(net(x).softmax(1).max())  # noqa: E731
    areas = []
    for number, way in product((0, 1), (1.0, -1.0)):
        heat = painted(-way * by_chance(16, 0, number).double())[0].expand(3, -1, -1)
        curves = twin.perturbation_curve(p, x[:1], heat, twin.squares(x, 3), 16, torch.zeros_like(x[:1]))
        areas.append(twin.trapezoids(range(17), curves))
    assert float(found[0]) == pytest.approx(sum(areas) / 4, abs=1e-9)


# what cannot be done


def test_parts_that_overlap_are_refused(net, x, values):
    with pytest.raises(pl.InputError, match="found overlapping regions; each place can be removed only once"):
        scored(PixelFlipping(Scheme(Sliding(4), 0.0, Log(8))), net, x, values)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Every(0), "found a number below 1; each step removes something. Ask for at least 1."),
        (lambda: Every(1, most=0), "found a number below 1"),
        (lambda: Log(1), "found fewer than 2 points; a curve has two ends. Ask for 15, say."),
        (lambda: Shares(()), "they are shares of the regions. Ask for"),
        (lambda: Shares((1.5,)), "they are shares of the regions. Ask for"),
        (lambda: Tiles(0), "found a side below 1; a tile holds at least one place. Ask for 9, say."),
        (lambda: Scheme(Entries(), 0.0, Log(8), draws=0), "found no draw; a reading is a mean over draws. Ask for 1."),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, said):
    with pytest.raises(pl.InputError) as error:
        make()
    assert said in str(error.value)


def test_an_explanation_of_a_value_inside_is_refused(net, x):
    e = pl.explain(net, x, CLASS, "gradient", at="0")
    with pytest.raises(pl.InputError, match="found an explanation in terms of 0; metrics need a value per entry of the input"):
        Answer.of(e)


def test_a_sample_of_one_region_has_a_curve_of_two_points(net, x, values):
    study: Experiment = experiment(asked(net, x), Scheme(Grid(1), 0.0, Log(8)))
    study.measure(ablations(0, torch.zeros(1, dtype=torch.long), Log(8)))
    found = curve(study, 0, torch.zeros(1, dtype=torch.long), Log(8))
    assert found.counts == (0, 1) and found.removed.tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(6,), (4, 10), (2, 4, 4, 4), (5, 8)])
@pytest.mark.parametrize("name", ["srg", "deletion", "insertion", "region_perturbation", "road", "selectivity", "irof"])
def test_signals_volumes_and_tables_have_curves_too(shape, name):
    from pellucid.catalogue.metrics import metric

    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(x[0].numel(), 3, generator=torch.Generator().manual_seed(1))
    found = metric(name).score(asked(lambda x: x.flatten(1) @ weights, x, floor=True), Answer(x))
    assert found.values.isfinite().all() and found.floor.isfinite().all()


def test_a_model_without_classes_is_read_as_it_is_and_that_is_said():
    x = torch.rand(2, 5, generator=torch.Generator().manual_seed(0))
    found = pl.metrics.SRG().score(asked(lambda x: x.sum(1), x, lambda out: out), Answer(x))
    assert found.values.isfinite().all() and "no classes" in found.notes[0]
