"""`method="auto"`: chosen by evidence, and said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.errors import MethodError, NoRule
from tests.cases import CASE
from tests.laws.test_no_harm import untouched

PLAIN = CASE["plain"]


@pytest.fixture(scope="module")
def chosen() -> pl.Explanation:
    return pl.explain(PLAIN.net(), PLAIN.inputs(), 1, method="auto")


def test_auto_takes_the_first_by_srg_of_what_it_names(chosen):
    from pellucid.verbs.auto import BACKWARD

    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), BACKWARD, ["srg"], 1, floor=False, ceiling=False)
    first = max(t.rows, key=lambda row: row["score"])
    assert chosen.method == first["method"] == t.best
    assert torch.equal(chosen.values, pl.explain(PLAIN.net(), PLAIN.inputs(), 1, method=first["method"]).values)


def test_auto_says_what_it_chose_and_why(chosen):
    note = chosen.notes[0]
    assert note.startswith(f"`auto` chose {chosen.method}: SRG ") and "on these 3 inputs" in note and "chance is 0" in note
    for name in {"lrp", "integrated_gradients", "gradient_x_input", "gradcam"} - {chosen.method}:
        assert f"{name} 0." in note or f"{name} -0." in note
    assert "`pellucid evaluate` asks many" in note and note in chosen.caption()


def test_auto_asks_what_nobody_can_see():
    def box(x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy()[:, :, ::2].sum((2, 3)).astype(np.float32))

    e = pl.explain(box, PLAIN.inputs(batch=1), 1, method=pl.Auto(("occlusion", "rise")))
    assert e.method in ("occlusion", "rise") and "on this input" in e.notes[0]


def test_auto_falls_back_to_forward_passes(monkeypatch):
    monkeypatch.setattr("pellucid.verbs.auto.FORWARD", ("occlusion",))
    e = pl.explain(lambda x: torch.from_numpy(x.numpy().sum((2, 3))), PLAIN.inputs(batch=1), 1, method="auto")
    assert e.method == "occlusion"


def test_auto_says_who_could_not_answer():
    e = pl.explain(CASE["dense"].net(), CASE["dense"].inputs(), 1, method="auto")
    assert "No answer from gradcam." in e.notes[0]


def test_auto_follows_an_evaluation_before():
    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(batch=8), ["sensitivity", "gradient_x_input"], ["srg"], 1)
    e = pl.explain(PLAIN.net(), PLAIN.inputs(), 1, method=pl.Auto(table=t))
    assert e.method == t.best and t.advice in e.notes[0]
    assert f"Use {t.best}" in t.advice or f"the fastest of them is {t.best}" in t.advice or "No method is" in t.advice


def test_auto_leaves_no_trace_and_explains_inside():
    with untouched(PLAIN.net(), PLAIN.inputs()):
        e = pl.explain(PLAIN.net(), PLAIN.inputs(), 1, method="auto", at="features.4")
    assert e.at == "features.4" and e.notes[0].startswith("`auto` chose")


def test_auto_compares_and_is_listed_and_is_not_judged_by_itself():
    c = pl.compare(PLAIN.net(), PLAIN.inputs(), ["auto", "gradient"], 1)
    assert list(c) == ["auto", "gradient"] and c["auto"].notes[0].startswith("`auto` chose")
    assert "auto" in {entry.name for entry in pl.methods()}
    with pytest.raises(MethodError, match="judged by itself"):
        pl.evaluate(PLAIN.net(), PLAIN.inputs(), ["auto", "lrp"], ["srg"], 1)


def test_auto_is_as_strict_as_it_is_told():
    def odd(x: Tensor) -> Tensor:
        return torch.special.i0(PLAIN.net()(x))

    assert pl.explain(odd, PLAIN.inputs(), 1, method=pl.Auto(("lrp",))).method == "lrp"
    with pytest.raises(NoRule):
        pl.explain(odd, PLAIN.inputs(), 1, method=pl.Auto(("lrp",)), strict=True)
