"""Results as data frames and in axes of matplotlib: the same numbers, in other hands."""

from __future__ import annotations

import builtins
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.errors import MethodError, MissingExtra, SampleError

X = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 1.0]])


def row() -> pl.Explanation:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Linear(3, 2).eval()
    model = pl.load(net, preprocess=pl.Columns.named(["age", "dose", "weight"]))
    return pl.explain(model, X, 1, "gradient_x_input", verify=False)


def axis():
    return pytest.importorskip("matplotlib.figure").Figure().subplots()


@pytest.fixture
def without(monkeypatch):
    """Python as if a package were not installed."""
    real = builtins.__import__

    def hide(package: str) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)

        def importing(name, *rest, **more):
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)
            return real(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", importing)

    return hide


def test_a_row_becomes_a_line_for_each_column():
    pytest.importorskip("pandas")
    e = row()
    frame = e.frame()
    assert list(frame.columns) == ["sample", "name", "cell", "value"] and len(frame) == 6
    assert frame[frame["sample"] == 1]["name"].tolist() == ["age", "dose", "weight"]
    assert frame.groupby("sample")["value"].sum().tolist() == pytest.approx(e.values.sum(1).tolist())


def test_verifications_and_concepts_become_frames():
    pytest.importorskip("pandas")
    claims = (pl.Claim("Two calls give the same output.", True, 0.0, 0.0), pl.Claim("Nothing changes.", None, None, 1.0, "Try."))
    frame = pl.Verification("net", claims).frame()
    assert frame["claim"].tolist() == [claim.claim for claim in claims] and list(frame["bound"]) == [0.0, 1.0]


def test_without_pandas_the_extra_is_named(without):
    without("pandas")
    with pytest.raises(MissingExtra, match=r"pellucid\[notebook\]"):
        row().frame()


def test_without_matplotlib_the_extra_is_named(without):
    without("matplotlib")
    with pytest.raises(MissingExtra, match=r"pellucid\[notebook\]"):
        row().plot()


def test_a_row_is_bars_of_its_values_the_strongest_on_top():
    e, ax = row(), axis()
    assert e.plot(ax, sample=0) is ax
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx(sorted(e.values[0].tolist(), key=abs, reverse=True)) and ax.yaxis_inverted()
    assert ax.get_title().startswith(e[0].equation())
    assert len({bar.get_facecolor() for bar in ax.patches}) == len({width > 0 for width in widths})


def test_a_map_is_a_picture():
    e, ax = pl.Explanation(torch.randn(1, 3, 8, 8), torch.ones(1), "logit 0", "gradient_x_input", True), axis()
    e.plot(ax)
    assert len(ax.images) == 1 and not ax.axison


def test_a_series_is_a_line_with_its_evidence_behind_it():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(20, 2)).eval()
    model, ax = pl.load(net, preprocess=pl.Signal(rate=10.0, channels=("I",), unit="mV")), axis()
    e = pl.explain(model, torch.linspace(0, 1, 20).reshape(1, 1, 20), 0, "gradient_x_input", verify=False)
    e.plot(ax)
    (line, *_) = ax.lines
    assert line.get_xdata()[-1] == pytest.approx(1.9) and ax.get_ylabel() == "mV" and len(ax.patches) > 5


def test_no_evidence_is_drawn_as_none():
    e, ax = replace(row(), values=torch.zeros(2, 3)), axis()
    e.plot(ax)
    assert "no evidence found" in ax.get_title() and all(bar.get_width() == 0 for bar in ax.patches)


def test_pictures_that_were_made_are_drawn_and_others_refused():
    p, ax = pl.Maximized(torch.rand(1, 3, 4, 4), torch.ones(1), ("logit 0",), "lucid", (0,), torch.zeros(1, 1)), axis()
    assert p.plot(ax) is ax and len(ax.images) == 1
    with pytest.raises(SampleError, match="picture 1"):
        p.plot(ax, picture=1)


def test_scores_are_bars_with_their_intervals_the_best_on_top():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
        x = torch.randn(6, 6)
    table, ax = pl.evaluate(net, x, ["lrp", "gradient_x_input", "gradient"], ["sparseness"]), axis()
    table.plot(ax)
    best_first = sorted(table.rows, key=lambda row: row["rank"])
    assert next(label.get_text() for label in ax.get_yticklabels()) == best_first[0]["method"]
    assert sorted(bar.get_width() for bar in ax.patches) == pytest.approx(sorted(row["score"] for row in table.rows))
    assert table.frame()["score"].tolist() == pytest.approx([row["score"] for row in table.rows])
    with pytest.raises(MethodError, match="srg"):
        table.plot(ax, metric="srg")
