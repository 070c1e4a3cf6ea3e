"""What holds of every metric of the list, whatever it asks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.catalogue import METRICS, Entry
from pellucid.metrics import Answer, Scores, question
from pellucid.target import as_target
from tests.cases import CASE
from tests.laws.test_no_harm import untouched

PLAIN = CASE["plain"]
# Settings under which metrics that ask a model many times are quick enough for laws; all others run as they come.
QUICK: dict[str, dict[str, Any]] = {}
BOUND = 1e-5  # of the greatest score
CURVES = [entry for entry in METRICS if entry.curve]
each_metric = pytest.mark.parametrize("entry", METRICS, ids=[entry.name for entry in METRICS])


def made(entry: Entry) -> Any:
    return entry.make(**QUICK.get(entry.name, {}))


def asked(x: Tensor | None = None, masks: Tensor | None = None, **how: Any):
    x = PLAIN.inputs() if x is None else x
    masks = boxes(len(x)) if masks is None else masks
    return question(pl.load(PLAIN.net()), x, as_target(PLAIN.target), masks=masks, **{"floor": False, "ceiling": False, **how})


def boxes(n: int) -> Tensor:
    """Where the truth might lie: a rectangle of another size for every sample."""
    masks = torch.zeros(n, 16, 16, dtype=torch.bool)
    for i in range(n):
        masks[i, 2 : 8 + i, 3:9] = True
    return masks


def answer(values: Tensor | None = None) -> Answer:
    method = pl.gradient.GradientXInput()
    found = pl.explain(PLAIN.net(), PLAIN.inputs(), PLAIN.target, method).values if values is None else values
    return Answer(found, True, False, method)


def far(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape and torch.equal(a.isnan(), b.isnan())
    greatest = torch.maximum(a.nan_to_num().abs().max(), b.nan_to_num().abs().max()).clamp(min=1e-12)
    return float((a - b).nan_to_num().abs().max() / greatest)


@each_metric
def test_the_list_tells_what_the_metric_is(entry):
    metric = made(entry)
    assert (metric.name, metric.higher, metric.needs) == (entry.name, entry.higher, entry.needs)
    assert entry.better == ("higher" if entry.higher else "lower")
    assert metric.__dataclass_params__.frozen and entry.doi.startswith("10.") and 1904 <= entry.year <= 2026
    assert type(metric).__doc__ and "References" in type(metric).__doc__
    assert type(metric)(**{f.name: getattr(metric, f.name) for f in fields(metric)}) == metric


@each_metric
def test_every_sample_gets_one_number(entry):
    found = made(entry).score(asked(floor=True), answer())
    assert isinstance(found, Scores)
    told = [found.values] if found.floor is None else [found.values, found.floor]
    told += [] if found.reliability is None else [found.reliability]
    for one in told:
        assert one.shape == (3,) and one.dtype == torch.float64 and one.device.type == "cpu" and one.isfinite().all()
    assert (found.floor is not None) == (found.reliability is not None) == entry.curve
    assert found.reliability is None or ((found.reliability > 0) & (found.reliability <= 1)).all()


@each_metric
def test_a_sample_alone_is_judged_as_in_a_batch(entry):
    x, values, masks = PLAIN.inputs(), answer().values, boxes(3)
    whole = made(entry).score(asked(floor=True), answer())
    alone = [made(entry).score(asked(x[i : i + 1], masks[i : i + 1], floor=True), answer(values[i : i + 1])) for i in range(3)]
    assert far(torch.cat([one.values for one in alone]), whole.values) <= BOUND
    if whole.floor is not None:
        assert (torch.cat([one.floor for one in alone]) - whole.floor).abs().max() <= 1e-5


@each_metric
def test_the_order_of_samples_is_no_matter(entry):
    order = torch.tensor([2, 0, 1])
    shuffled = made(entry).score(asked(PLAIN.inputs()[order], boxes(3)[order]), answer(answer().values[order]))
    assert far(shuffled.values, made(entry).score(asked(), answer()).values[order]) <= BOUND


@each_metric
def test_how_many_go_through_the_model_at_once_is_no_matter(entry, monkeypatch):
    expected = made(entry).score(asked(), answer())
    monkeypatch.setattr("pellucid.metrics.removal.experiment.batch_size", lambda x: 3)
    found = made(entry).score(asked(), answer())
    assert far(found.values, expected.values) <= BOUND and found.forwards == expected.forwards


@each_metric
def test_judging_twice_gives_the_same_bits(entry):
    first, second = (made(entry).score(asked(floor=True), answer()) for _ in range(2))
    assert torch.equal(first.values, second.values)
    assert first.floor is None or torch.equal(first.floor, second.floor)


@each_metric
def test_how_maps_lie_in_memory_is_no_matter(entry):
    lying = answer().values.movedim(1, 3).contiguous().movedim(3, 1)
    assert not lying.is_contiguous()
    assert torch.equal(made(entry).score(asked(), answer(lying)).values, made(entry).score(asked(), answer()).values)


@pytest.mark.parametrize("factor", [4.0, 0.125])
@each_metric
def test_a_map_and_a_multiple_of_it_are_judged_alike_where_claimed(entry, factor):
    once, scaled = made(entry).score(asked(), answer()), made(entry).score(asked(), answer(factor * answer().values))
    if entry.scales:
        assert far(scaled.values, once.values) <= 1e-9
    else:
        assert far(scaled.values, once.values) > 1e-3


MAPS = {
    "zero": lambda values: torch.zeros_like(values),
    "constant": lambda values: torch.full_like(values, 0.3),
    "negative": lambda values: -values.abs() - 0.1,
    "one place": lambda values: torch.zeros_like(values).index_fill_(3, torch.tensor([5]), 1.0),
}


@pytest.mark.parametrize("kind", MAPS)
@each_metric
def test_maps_that_say_little_are_answers_like_any_other(entry, kind):
    found = made(entry).score(asked(), answer(MAPS[kind](answer().values)))
    again = made(entry).score(asked(), answer(MAPS[kind](answer().values)))
    assert found.values.shape == (3,) and not found.values.isinf().any()
    assert far(found.values, again.values) == 0
    if entry.curve:
        assert found.values.isfinite().all()


@pytest.mark.parametrize("entry", CURVES, ids=[entry.name for entry in CURVES])
def test_a_curve_cannot_tell_a_constant_from_nothing(entry):
    zero, constant = (made(entry).score(asked(), answer(MAPS[kind](answer().values))) for kind in ("zero", "constant"))
    assert torch.equal(zero.values, constant.values)


@each_metric
def test_a_map_that_is_not_finite_has_no_score_and_leaves_the_others_theirs(entry):
    values = answer().values.clone()
    values[1, 0, 0, 0] = torch.nan
    found, expected = made(entry).score(asked(), answer(values)).values, made(entry).score(asked(), answer()).values
    assert found.isnan().tolist() == [False, True, False]
    assert far(found[[0, 2]], expected[[0, 2]]) <= BOUND


@each_metric
def test_judging_leaves_no_trace(entry):
    net, x, values = PLAIN.net(), PLAIN.inputs(), answer().values
    with untouched(net, x, values):
        made(entry).score(asked(x, floor=True), answer(values))
