"""Methods with signs are linear in what they explain: a contrast is the difference of two maps."""

from __future__ import annotations

import pytest
import torch

import pellucid as pl
from pellucid.catalogue.methods import METHODS
from pellucid.target import as_target
from tests.cases import Case, each_case, made

SIGNED = [entry.name for entry in METHODS if entry.signed and entry.linear]
each_signed = pytest.mark.parametrize("method", SIGNED)


@each_signed
@each_case
def test_a_contrast_is_the_difference_of_the_maps(case: Case, method: str):
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    a, b = as_target(case.target), as_target(case.contrast)
    first, second = (pl.explain(net, x, target=target, method=made(method)).values for target in (a, b))
    contrast = pl.explain(net, x, target=a - 0.5 * b, method=made(method)).values
    assert (contrast - (first - 0.5 * second)).abs().max() <= 1e-10 * max(first.abs().max(), second.abs().max())
