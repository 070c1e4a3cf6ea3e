"""Methods with signs are linear in what they explain: a contrast is the difference of two maps."""

from __future__ import annotations

import pytest
import torch

import pellucid as pl
from pellucid.catalogue import METHODS
from pellucid.target import as_target
from tests.cases import Case, each_case

SIGNED = [entry.name for entry in METHODS if entry.signed]
each_signed = pytest.mark.parametrize("method", SIGNED)


def values(case: Case, method: str, target: pl.Target) -> torch.Tensor:
    return pl.explain(case.net(torch.float64), case.inputs(torch.float64), target=target, method=method).values


@each_signed
@each_case
def test_a_contrast_is_the_difference_of_the_maps(case: Case, method: str):
    a, b = as_target(case.target), as_target(case.contrast)
    first, second = values(case, method, a), values(case, method, b)
    scale = max(first.abs().max(), second.abs().max())
    assert (values(case, method, a - b) - (first - second)).abs().max() <= 1e-10 * scale
    assert (values(case, method, 3 * b + a / 2) - (3 * second + first / 2)).abs().max() <= 1e-10 * scale


@each_signed
@each_case
def test_what_speaks_for_a_target_speaks_against_its_opposite(case: Case, method: str):
    target = as_target(case.target)
    first, second = values(case, method, target), values(case, method, -target)
    assert (first + second).abs().max() <= 1e-10 * first.abs().max()
