"""Tables: rows read by the names of their columns, explained in their own units, categories as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.render.parts.steps import END, REST, bars, waterfall
from pellucid.render.parts.time_axis import ticks

AGE, SMOKER, TOWN = (
    pl.Column("age", "years", 50.0, 10.0),
    pl.Column("smoker", values=("no", "yes")),
    pl.Column("town", values=("Bern", "Łódź", "Rome"), code=True),
)
COLUMNS = pl.Columns((AGE, SMOKER, TOWN, pl.Column("dose", "mg", 2.0, 0.5)))
ROW = {"age": 61, "smoker": "yes", "town": "Rome", "dose": 1.5}


def refusal(call: Callable[[], Any], said: str, error: type[Exception] = pl.InputError) -> None:
    with pytest.raises(error, match=said) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "four parts"


@pytest.fixture(scope="module")
def model() -> pl.Model:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(COLUMNS.width, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    return pl.load(net, preprocess=COLUMNS, labels=["low", "middle", "high"], name="risk")


# -- reading -----------------------------------------------------------------------------------------------------------------


class Frame:
    """As much of a data frame as is needed."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.columns = rows, list(rows[0])

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return self.rows


def test_a_row_is_read_whatever_it_comes_as(tmp_path):
    expected = torch.tensor([[1.1, 0.0, 1.0, 2.0, -1.0]])
    file = tmp_path / "row.csv"
    file.write_text('\ufeffdose;age;smoker;town;remark\n1.5;61;yes;Rome;"a; b"\n', encoding="utf-8")
    for given in (ROW, [ROW], Frame([ROW]), file, str(file), {k: np.float64(v) if k == "age" else v for k, v in ROW.items()}):
        torch.testing.assert_close(COLUMNS.encode(given), expected)
    assert COLUMNS.read([ROW, ROW | {"smoker": "NO"}])[1].cells[1] == ("61 years", "no", "Rome", "1.5 mg")


def test_what_is_encoded_is_shown_as_it_was():
    rng = np.random.default_rng(0)
    for _ in range(50):
        row = {
            "age": round(float(rng.normal(50, 20)), 2),
            "smoker": rng.choice(["no", "yes"]),
            "town": rng.choice(TOWN.values),
            "dose": 0.1,
        }
        shown = COLUMNS.read(row)[1].cells[0]
        assert float(shown[0].removesuffix(" years")) == row["age"] and shown[1:3] == (row["smoker"], row["town"])


@pytest.mark.parametrize("number", [0, 1e-9, 61, -0.125, 123456, 2e7, 48.2])
@pytest.mark.parametrize(("mean", "std"), [(0, 1), (48.2, 14.1), (1e4, 300), (0.001, 0.0002)])
def test_numbers_are_shown_as_they_were_as_far_as_the_model_can_tell_them(number, mean, std):
    shown = float(pl.Columns((pl.Column("x", "", mean, std),)).read({"x": number})[1].cells[0][0])
    assert shown == pytest.approx(number, rel=1e-5, abs=1e-6 * (mean + abs(number - mean)))


def test_one_row_of_a_data_frame_is_read():
    class Row:
        def to_dict(self) -> dict[str, Any]:
            return dict(ROW)

    assert COLUMNS.encode(Row()).shape == (1, 5)


def test_columns_are_learned_from_rows():
    rows = [{"x": float(n), "kind": "ab"[n % 2]} for n in range(10)]
    columns = pl.Columns.fitted(rows, units={"x": "m"})
    x = columns.encode(rows)
    assert x[:, 0].mean().abs() < 1e-6 and x[:, 0].std(correction=0).item() == pytest.approx(1)
    assert columns.columns[0].unit == "m" and columns.columns[1].values == ("a", "b") and columns.groups.tolist() == [0, 1, 1]


def test_columns_come_back_from_a_file(tmp_path):
    file = tmp_path / "columns.json"
    file.write_text(json.dumps({"columns": COLUMNS.bare()}), encoding="utf-8")
    assert pl.Columns.load(file).columns == COLUMNS.columns


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"age": 61}, "no column 'smoker'"),
        ({"Age": 61, **{k: v for k, v in ROW.items() if k != "age"}}, r"no column 'age' \(but 'Age'\)"),
        (ROW | {"age": "old"}, "'old'; a number is needed"),
        (ROW | {"age": ""}, "found nothing; a number is needed"),
        (ROW | {"age": float("nan")}, "a number is needed"),
        (ROW | {"smoker": "sometimes"}, "one of no, yes"),
        (ROW | {"town": None}, "one of Bern, Łódź, Rome"),
        (3, "an object of type int"),
        ([], "none"),
        ("nowhere.csv", "no file of that name"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(row, said):
    refusal(lambda: COLUMNS.encode(row), said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ("age,smoker\n", "no rows"),
        ("age,smoker\n1,2,3\n", "another number of cells"),
        ("age,smoker\n1\n", "another number"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    refusal(lambda: COLUMNS.encode(tmp_path / "t.csv"), said)
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    refusal(lambda: COLUMNS.encode(tmp_path / "t.csv"), "no text in UTF-8")


def test_columns_that_cannot_be_are_refused(tmp_path):
    refusal(lambda: pl.Column("a", std=0.0), "divided by the std", pl.ModelError)
    refusal(lambda: pl.Column("a", values=("x",)), "several different values", pl.ModelError)
    refusal(lambda: pl.Columns((AGE, AGE)), "age twice", pl.ModelError)
    refusal(lambda: pl.Columns.named(["a", "b"], mean=[1.0]), "2 names, 2 units, 1 means", pl.ModelError)
    (tmp_path / "c.json").write_text('{"columns": [{"label": "age"}]}')
    refusal(lambda: pl.Columns.load(tmp_path / "c.json"), "describes no columns", pl.ModelError)
    refusal(lambda: pl.Columns.load(tmp_path / "d.json"), "cannot be read", pl.ModelError)


def test_a_picture_is_no_row(model):
    refusal(lambda: pl.explain(model, str(pl.zoo.pictures()["chelsea"])), "no text in UTF-8")
    refusal(lambda: model.crop(np.zeros((4, 4), np.uint8)), "a picture cannot be read that way", pl.ModelError)


# -- explaining --------------------------------------------------------------------------------------------------------------


OF_MAPS = {"extremal", "meaningful"}


@pytest.mark.parametrize("method", [e.name for e in pl.methods() if not (e.maps or e.attends or e.name in OF_MAPS)])
def test_every_method_explains_a_row_by_its_columns(model, method):
    e = pl.explain(model, ROW, method=method)
    assert e.values.shape == (1, 5) and e.heat().shape == (1, 4)
    assert e.subject.cells == (("61 years", "yes", "Rome", "1.5 mg"),)
    torch.testing.assert_close(e.heat().sum(), e.values.sum())


def nothing(model: pl.Model, target: int) -> float:
    """What the model says on average of rows of which all is taken away."""
    rows = [{"age": 50, "smoker": s, "town": t, "dose": 2} for s in ("no", "yes") for t in ("Bern", "Łódź", "Rome")]
    return float(model(COLUMNS.encode(rows))[:, target].mean())


@pytest.mark.parametrize("method", ["occlusion", "feature_ablation", "shapley", "kernel_shap", "lime", "pda"])
def test_the_entries_of_a_category_are_taken_away_together(model, method):
    """A column that is gone stands at its mean: of a category, answers are averaged over its values."""
    e = pl.explain(model, ROW, 2, method=method)
    x = COLUMNS.encode(ROW)
    others = COLUMNS.encode([ROW | {"smoker": smoker} for smoker in ("yes", "no")])
    fall = float(model(x)[0, 2] - model(others)[:, 2].mean())
    assert (e.values[0, 1] == 0) and e.values[0, 2] != 0, "the entry of the value that stands there is painted"
    if method in ("occlusion", "feature_ablation"):
        assert float(e.heat()[0, 1]) == pytest.approx(fall, abs=1e-6)
    if method in ("shapley", "kernel_shap"):
        assert float(e.heat().sum()) == pytest.approx(float(e.output[0]) - nothing(model, 2), abs=1e-4)


def test_other_rows_stand_where_columns_are_taken_away(model):
    others = COLUMNS.encode([ROW | {"age": age, "smoker": s} for age in (30, 40, 50) for s in ("yes", "no")])
    e = pl.explain(model, ROW, 0, method=pl.perturb.occlusion(imputer=pl.perturb.marginal(others), draws=6))
    x = COLUMNS.encode(ROW)
    swapped = x.repeat(6, 1)
    swapped[:, 0] = others[:, 0]
    assert float(e.values[0, 0]) == pytest.approx(float(model(x)[0, 0] - model(swapped)[:, 0].mean()), abs=1e-5)


def test_the_typical_row_is_a_baseline(model):
    e = pl.explain(model, ROW, 1, method=pl.gradient.Integrated(64, baseline=COLUMNS.typical()))
    base = float(model(COLUMNS.typical()[None])[0, 1])
    assert float(e.values.sum()) == pytest.approx(float(e.output[0]) - base, abs=2e-3)
    torch.testing.assert_close(COLUMNS.typical([ROW, ROW]), COLUMNS.encode(ROW)[0])


def test_a_tensor_of_rows_is_known_by_its_columns(model):
    x = COLUMNS.encode([ROW, ROW | {"dose": 3}])
    assert pl.explain(model, x).subject.cells[1][3] == "3 mg"
    mixed = x.clone()
    mixed[0, 1:3] = 0.5
    assert pl.explain(model, mixed).subject.cells[0][1] == "mixed: no 0.5, yes 0.5"


# -- showing -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> pl.Explanation:
    torch.manual_seed(1)
    names = [f"column {n}" for n in range(40)]
    net = nn.Sequential(nn.Linear(40, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    columns = pl.Columns.named(names, "mm", torch.arange(40.0), torch.ones(40) * 2)
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    return pl.explain(pl.load(net, preprocess=columns), x, 1, method="lrp.epsilon")


def test_a_waterfall_leads_from_zero_to_the_score(wide):
    steps = waterfall(wide[1])
    assert steps[0].stop == 0 and steps[-1].kind == END and steps[-1].stop == pytest.approx(float(wide.output[1]), rel=1e-4)
    for before, after in pairwise(steps[1:-1]):
        assert after.start == pytest.approx(before.stop)
    assert steps[-2].stop == pytest.approx(steps[-1].stop, abs=1e-4), "with what was lost it arrives"
    sizes = [abs(step.value) for step in steps if step.kind == "column"]
    assert sizes == sorted(sizes, reverse=True) and any(step.kind == REST for step in steps)
    assert {"lost on the way", "28 other columns"} <= {step.name for step in steps}


def test_values_that_do_not_add_up_are_bars(model):
    e = pl.explain(model, ROW, method="occlusion")
    assert not e.adds and all(step.start == 0 for step in bars(e))
    refusal(lambda: pl.render.chart(e, kind="waterfall"), "do not add up")
    assert pl.render.chart(e).width == pl.render.chart(pl.explain(model, ROW), kind="waterfall").width
    refusal(lambda: pl.render.chart(pl.explain(model.module, torch.ones(1, 5))), "no row of a table")


def test_of_methods_with_a_baseline_the_waterfall_begins_at_its_score(model):
    e = pl.explain(model, ROW, 0, method="kernel_shap")
    assert waterfall(e)[0].stop == pytest.approx(nothing(model, 0), abs=1e-4)


@pytest.mark.parametrize("method", ["lrp", "occlusion", "sensitivity"])
def test_every_painter_tells_names_cells_and_numbers(model, method, tmp_path):
    e = pl.explain(model, ROW, method=method)
    for suffix in (".png", ".svg", ".html", ".txt", ".json"):
        file = e.save(tmp_path / f"row{suffix}")
        if suffix != ".png":
            told = file.read_text(encoding="utf-8")
            assert all(word in told for word in ("age", "61 years", "smoker", "yes", "dose", "1.5 mg")), suffix
    assert "\x1b[" in pl.render.terminal(e) and "\x1b[" not in pl.render.terminal(e, colour=False)
    assert max(map(len, pl.render.terminal(e, 60, colour=False).splitlines())) <= 60
    back = pl.Explanation.load(e.save(tmp_path / "row.safetensors"))
    assert back.subject.cells == e.subject.cells and back.adds == e.adds


def test_a_comparison_shows_columns_by_their_names(model, tmp_path):
    c = pl.compare(model, ROW, ["lrp", "occlusion", "sensitivity"])
    assert c.save(tmp_path / "c.png").stat().st_size > 5000
    assert c.save(tmp_path / "c.html").stat().st_size > 5000


def test_what_stands_in_a_cell_is_no_markup(tmp_path):
    columns = pl.Columns((pl.Column("<b>x</b>", "&"), pl.Column("k", values=("<script>", "b"))))
    e = pl.explain(pl.load(nn.Linear(3, 2).eval(), preprocess=columns), {"<b>x</b>": 1, "k": "<script>"})
    for suffix in (".html", ".svg"):
        told = e.save(tmp_path / f"e{suffix}", **({"script": False} if suffix == ".html" else {})).read_text()
        assert "<script>" not in told and "<b>x" not in told and "&lt;script&gt;" in told


def test_empty_maps_and_very_long_names_are_drawn(tmp_path):
    columns = pl.Columns.named(["a" * 300, "猫" * 40], "µm")
    zero = nn.Linear(2, 2).eval()
    with torch.no_grad():
        zero.weight.zero_()
    for method in ("gradient_x_input", "lrp"):
        e = pl.explain(pl.load(zero, preprocess=columns), torch.ones(1, 2), method=method)
        assert "No evidence found" in e.caption()
        for suffix in (".png", ".svg", ".html", ".txt"):
            e.save(tmp_path / f"e{suffix}")


def test_ticks_are_round_numbers():
    for low, high in ((-1e-6, 3e-6), (0, 14.2), (-3e5, 1e4), (12.1, 14.4)):
        found = ticks(low, high)
        assert 3 <= len(found) <= 8 and all(low - 1e-9 <= tick <= high * (1 + 1e-9) for tick in found)


# -- end to end --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tumours() -> tuple[pl.Model, Tensor, Tensor, list[str]]:
    """A small network trained on measurements of tumours, and the rows it was not trained on."""
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_breast_cancer()
    mean, std = data.data.mean(0), data.data.std(0)
    units = {
        name: "mm²" if "area" in name else "mm"
        for name in data.feature_names
        if name.split()[1] in ("radius", "area", "perimeter")
    }
    columns = pl.Columns.named(list(data.feature_names), units, mean, std, source="load_breast_cancer")
    x, y = torch.tensor((data.data - mean) / std, dtype=torch.float32), torch.tensor(data.target)
    train = torch.arange(len(x)) % 3 != 0
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2, weight_decay=1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[train]), y[train]).backward()
        optimiser.step()
    return pl.load(net.eval(), preprocess=columns, labels=list(data.target_names)), x[~train], y[~train], list(data.feature_names)


def test_a_tumour_is_explained_in_its_own_units(tumours):
    model, x, y, names = tumours
    assert (model(x).argmax(1) == y).float().mean() > 0.95
    datasets = pytest.importorskip("sklearn.datasets")
    assert "mm²" in pl.render.svg(pl.explain(model, x[:1])), "letters stay what they are where there is a font for them"
    row = dict(zip(names, datasets.load_breast_cancer().data[0], strict=True))
    e = pl.explain(model, row)
    assert e.target == 'logit 0 "malignant"' and e.subject.cells[0][:4] == ("17.99 mm", "10.38", "122.8 mm", "1001 mm²")
    assert e.ledger.input[0] == pytest.approx(float(e.output[0]), rel=0.02), "nearly all of the score reaches the columns"


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "gradient_x_input", "kernel_shap"])
def test_the_columns_that_matter_are_those_whose_shuffling_costs_most(tumours, method):
    """Agreement with a plain check that knows nothing of gradients: how much the loss rises when a column is shuffled."""
    model, x, _, _ = tumours
    rng = torch.Generator().manual_seed(0)
    contrast = pl.logit(0) - pl.logit(1)
    rows = x[:24] if method == "kernel_shap" else x
    found = pl.explain(model, rows, contrast, method=method).values.abs().mean(0)
    score = lambda rows: model(rows)[:, 0] - model(rows)[:, 1]  # noqa: E731
    effect = torch.zeros(30)
    for column in range(30):
        for _ in range(8):
            other = x.clone()
            other[:, column] = x[torch.randperm(len(x), generator=rng), column]
            effect[column] += (score(other) - score(x)).abs().mean() / 8
    correlation = torch.corrcoef(torch.stack([found, effect]))[0, 1].item()
    top = len(set(found.topk(10).indices.tolist()) & set(effect.topk(10).indices.tolist()))
    print(f"{method}: correlation {correlation:.2f}, {top} of 10 in common")
    assert correlation > 0.6 and top >= 6


def test_a_model_of_rows_is_maximized_without_being_told_a_shape(model):
    p = pl.maximize(model, "high", recipe="simonyan2013", steps=10)
    assert p.images.shape == (1, COLUMNS.width) and p.scores.item() > float(model(torch.zeros(1, 5))[0, 2])
    signal = pl.Signal(100, ("I",), length=12)
    q = pl.maximize(pl.load(lambda x: x.mean(2), preprocess=signal), 0, recipe="simonyan2013", steps=3)
    assert q.images.shape == (1, 1, 12)
