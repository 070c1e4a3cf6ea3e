"""Every method that keeps books closes them: seed = input + absorbed, per sample, for every network."""

from __future__ import annotations

import pytest
import torch

from tests.cases import Case, difference, each_case, each_relevance, expected, explain, made, precision

BOUND = {torch.float32: 1e-4, torch.float64: 1e-10}
each_dtype = pytest.mark.parametrize("dtype", BOUND, ids=["float32", "float64"])


@each_dtype
@each_relevance
@each_case
def test_the_ledger_closes(case: Case, method: str, dtype: torch.dtype):
    ledger = expected(case, method, dtype).ledger
    assert (ledger.error.abs() <= BOUND[dtype] * ledger.volume).all(), ledger.error / ledger.volume


@each_relevance
@each_case
def test_no_booking_as_rounding_hides_more_than_rounding(case: Case, method: str):
    ledger = expected(case, method, torch.float64).ledger
    rounding = sum(row.amount.abs() for row in ledger.rows if row.cause == "rounding")
    assert (rounding <= 1e-10 * ledger.volume).all() if isinstance(rounding, torch.Tensor) else rounding == 0


@each_relevance
@each_case
def test_the_ledger_tells_of_the_map_and_of_the_target(case: Case, method: str):
    e = expected(case, method, torch.float64)
    assert torch.allclose(e.ledger.input, e.values.flatten(1).sum(1), rtol=1e-10, atol=1e-12)
    assert torch.allclose(e.ledger.seed, e.output.double(), rtol=1e-10, atol=1e-12)  # these targets are linear in the output


@each_relevance
@each_case
def test_no_operation_goes_without_a_rule(case: Case, method: str):
    ledger = explain(case, method, strict=True).ledger
    assert "native fallback" not in ledger.by_cause()


@each_relevance
@each_case
def test_bookings_belong_to_the_sample_they_are_told_of(case: Case, method: str):
    dtype = precision(case, method)
    whole = expected(case, method, dtype).ledger
    alone = explain_one(case, method, dtype, sample=1).ledger
    volume = float(whole.volume[1])
    for cause in whole.by_cause() | alone.by_cause():
        if cause == "rounding":
            continue
        nothing = torch.zeros_like(whole.seed)
        a, b = float(alone.by_cause().get(cause, nothing)[0]), float(whole.by_cause().get(cause, nothing)[1])
        assert abs(a - b) <= 1e-5 * volume, cause
    assert difference(whole.seed[1:2, None], alone.seed[:, None]) <= 1e-5


def explain_one(case: Case, method: str, dtype: torch.dtype, sample: int):
    import pellucid as pl

    return pl.explain(case.net(dtype), case.inputs(dtype)[sample : sample + 1], target=case.target, method=made(method))
