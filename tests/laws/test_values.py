"""What every explanation holds: raw numbers shaped like the input, the target's own value, and all of it again from a file."""

from __future__ import annotations

import json

import pytest
import torch

import pellucid as pl
from pellucid.catalogue.methods import METHODS
from pellucid.target import as_target
from tests.cases import CASE, Case, each_case, each_method, expected, explain, home, made

ENTRY = {entry.name: entry for entry in METHODS}
# Parts of a whole, whatever the units of the score.
SHARES = {"ablationcam", "eigencam", "dve", "sobol", "hsic", "meaningful", "extremal", "attention_rollout"}
EMPTY = {("gradcam", "sequence"), ("xgradcam", "sequence")}  # the ReLU that was published leaves nothing there
EMPTY |= {("meaningful", "sequence")}  # blurring raises the probability: the best deletion is none, and notes say so


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@each_method
@each_case
def test_values_are_finite_and_shaped_and_typed_like_the_input(case: Case, method: str, dtype: torch.dtype):
    e = expected(case, method, dtype)
    assert e.values.shape == case.inputs(dtype).shape
    assert e.values.dtype == dtype
    assert e.values.isfinite().all() and (e.values.any() or (method, case.name) in EMPTY)
    assert not e.values.requires_grad and e.values.grad_fn is None


@each_method
@each_case
def test_the_output_is_what_the_model_says_of_the_target(case: Case, method: str):
    with torch.no_grad():
        out = case.net()(case.inputs())
    out = out["out"] if isinstance(out, dict) else out
    assert torch.allclose(expected(case, method).output, as_target(case.target).read(lambda at: out), rtol=1e-4, atol=1e-5)


@each_method
@each_case
def test_a_method_without_signs_has_no_negative_values(case: Case, method: str):
    e = expected(case, method)
    assert e.signed is ENTRY[method].signed
    assert e.signed or (e.values >= 0).all()


@each_method
def test_values_are_raw_so_a_target_twice_as_large_has_a_map_that_is_larger(method: str):
    case = home(method)
    once, twice = (pl.explain(case.net(), case.inputs(), target=n * pl.logit(1), method=made(method)).values for n in (1, 2))
    factor = float(twice.abs().sum() / once.abs().sum())
    squared = ("sensitivity", "smoothgrad_squared", "vargrad", "local_variance")
    known = 4 if method in squared else 1 if method in SHARES else 2
    if method in ("gradcam++", "scorecam"):  # a power series of gradients, a softmax of scores: as published, of no degree
        assert 1 < factor < 2
    else:
        assert factor == pytest.approx(known, rel=1e-4)


@each_method
def test_the_explanation_says_what_was_explained_and_how(method: str):
    e = expected(home(method), method)
    assert e.method == method
    assert e.target == "logit 1"
    assert e.provenance["torch"] == torch.__version__ and e.provenance["method"]["name"] == method
    assert "logit 1" in e.caption() and method in e.caption()
    assert (e.ledger is not None) == (ENTRY[method].family == "lrp")


@pytest.mark.parametrize("name", ["plain", "residual", "segmenting", "dense", "attending"])
@each_method
def test_a_file_gives_back_every_bit(name: str, method: str, tmp_path):
    e = expected(CASE[name], method)
    back = pl.Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert torch.equal(back.values, e.values) and torch.equal(back.output, e.output)
    assert back.values.dtype == e.values.dtype
    for told in ("target", "targets", "method", "signed", "notes", "at", "classes", "provenance"):
        assert getattr(back, told) == getattr(e, told), told
    assert [back.caption(i) for i in range(len(e))] == [e.caption(i) for i in range(len(e))]
    if e.ledger is not None:
        assert torch.equal(back.ledger.seed, e.ledger.seed) and torch.equal(back.ledger.input, e.ledger.input)
        assert [(r.where, r.op, r.cause, r.amount.tolist()) for r in back.ledger.rows] == [
            (r.where, r.op, r.cause, r.amount.tolist()) for r in e.ledger.rows
        ]


@each_method
def test_a_summary_is_plain_json_and_closes_its_books(method: str, tmp_path):
    e = expected(home(method), method)
    told = json.loads(e.save(tmp_path / "e.json").read_text())
    assert told["method"] == method and told["values"]["shape"] == list(e.values.shape)
    if e.ledger is not None:
        for seed, arrived, kept in zip(told["ledger"]["seed"], told["ledger"]["input"], told["ledger"]["absorbed"], strict=True):
            assert seed == pytest.approx(arrived + kept, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("at", ["features", "features.3", "head.1", "head"])
@each_method
def test_at_gives_values_shaped_like_what_the_module_returned(method: str, at: str):
    if (ENTRY[method].maps and at.startswith("head")) or ENTRY[method].attends:
        pytest.skip("no map, or no attention, is there")
    case = CASE["plain"]
    seen = {}
    handle = case.net().get_submodule(at).register_forward_hook(lambda module, args, out: seen.update(shape=out.shape))
    try:
        case.net()(case.inputs())
    finally:
        handle.remove()
    e = explain(case, method, at=at)
    assert e.values.shape == seen["shape"] and e.values.isfinite().all()
    assert e.at == at
    if e.ledger is not None:
        assert (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all()
        assert torch.allclose(e.ledger.input, e.values.double().flatten(1).sum(1), rtol=1e-4, atol=1e-4)


@each_method
def test_half_precision_is_explained_and_told_in_single(method: str):
    case = home(method)
    import copy

    half = copy.deepcopy(case.net()).bfloat16()
    e = pl.explain(half, case.inputs().bfloat16(), target=1, method=made(method))
    assert e.values.dtype == torch.float32 and e.values.isfinite().all()
