"""Overviews: what many explanations say together equals what a loop over single ones adds up to, and every chart can be saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import pellucid as pl
from pellucid.explanation.overview.running import Running, student
from pellucid.explanation.overview.table import KEPT
from pellucid.render.overview import chart_figure, drawing

NAMES = ["age", "dose", "weight", "height"]


@pytest.fixture(scope="module")
def risk() -> pl.Model:
    torch.manual_seed(0)
    columns = pl.Columns(
        (
            pl.Column("age", "years", 48.0, 14.0),
            pl.Column("smoker", values=("no", "yes", "once")),
            pl.Column("dose", "mg", 2.0, 0.5),
        )
    )
    net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    return pl.load(net, preprocess=columns, labels=["low", "high"])


def rows(count: int) -> list[dict[str, float | str]]:
    rng = np.random.default_rng(0)
    return [
        {"age": float(rng.normal(48, 14)), "smoker": ("no", "yes", "once")[rng.integers(3)], "dose": float(rng.normal(2, 0.5))}
        for _ in range(count)
    ]


def test_a_beeswarm_of_a_table_in_one_call_equals_a_loop_of_single_explanations(risk: pl.Model):
    table = rows(60)
    chart = pl.overview(risk, table, "high").beeswarm()
    single = torch.stack([pl.explain(risk, row, "high").heat().flatten() for row in table]).double()
    by_name = dict(zip(("age", "smoker", "dose"), single.T, strict=True))
    assert {row[0] for row in chart.rows} == set(by_name)
    for name, size, _, _, mean, *_ in chart.rows:
        assert size == pytest.approx(float(by_name[name].abs().mean()), rel=1e-5)
        assert mean == pytest.approx(float(by_name[name].mean()), rel=1e-4, abs=1e-7)
    for line in chart.data.lines:
        assert np.allclose(line.values, by_name[line.name], atol=1e-6)


def test_dots_have_the_colour_of_what_stands_in_the_column(risk: pl.Model):
    table = rows(40)
    lines = {line.name: line for line in pl.overview(risk, table, "high").beeswarm().data.lines}
    ages = np.array([row["age"] for row in table], dtype=float)
    middle = (ages > np.quantile(ages, 0.05)) & (ages < np.quantile(ages, 0.95))
    assert np.corrcoef(lines["age"].level[middle], ages[middle])[0, 1] > 0.999
    assert np.isnan(lines["smoker"].level).all()  # a category has no high and low


def test_the_interval_of_a_bar_is_students(risk: pl.Model):
    overview = pl.overview(risk, rows(12), "high")
    single = np.array([pl.explain(risk, row, "high").heat().flatten().abs().numpy() for row in rows(12)], dtype=float)
    row = next(row for row in overview.bars().rows if row[0] == "dose")
    mean, error = single[:, 2].mean(), single[:, 2].std(ddof=1) / 12**0.5
    assert row[1:4] == pytest.approx((mean, mean - 2.201 * error, mean + 2.201 * error), rel=1e-3)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 9, 30, 1000])
def test_students_distribution_is_that_of_scipy(freedom: int):
    stats = pytest.importorskip("scipy.stats")
    assert student(freedom) == pytest.approx(float(stats.t.ppf(0.975, freedom)), rel=2e-3)


def test_running_means_do_not_depend_on_how_samples_arrive():
    values = np.random.default_rng(0).normal(1e4, 1, (50, 3))
    parts = Running.of(values[:1]).add(values[1:20]).add(values[20:])
    assert np.allclose(parts.mean, values.mean(0)) and np.allclose(parts.spread / 49, values.var(0, ddof=1))


def test_a_dependence_plot_has_what_stands_in_the_column(risk: pl.Model):
    overview = pl.overview(risk, rows(50), "high")
    numeric, category = overview.dependence("age"), overview.dependence("smoker")
    assert numeric.data.column.unit == "years" and len(numeric.rows) > 5
    assert [row[0] for row in category.rows] == ["no", "once", "yes"] and sum(row[1] for row in category.rows) == 50
    with pytest.raises(pl.InputError, match="Did you mean 'dose'"):
        overview.dependence("doze")


def test_rows_beyond_those_that_are_kept_count_in_the_means():
    net = nn.Linear(2, 2, bias=False).eval()
    x = torch.randn(KEPT + 500, 2, generator=torch.Generator().manual_seed(0))
    overview = pl.overview(net, x, 0, "gradient_x_input")
    chart = overview.beeswarm()
    assert len(chart.data.lines[0].values) == KEPT and f"{KEPT:,} of the {KEPT + 500:,} rows" in chart.caption
    size = dict((row[0], row[1]) for row in overview.bars().rows)
    expected = (x * net.weight[0].detach()).abs().double().mean(0)
    assert [size["feature 0"], size["feature 1"]] == pytest.approx(expected.tolist(), rel=1e-5)
    split = pl.overview(net, DataLoader(TensorDataset(x), batch_size=7), 0, "gradient_x_input", verify=False)
    assert np.array_equal(split.beeswarm().data.lines[0].values, chart.data.lines[0].values)  # however rows arrive


def test_explanations_that_were_made_already_are_taken(risk: pl.Model):
    table = rows(10)
    together = pl.overview(pl.explain(risk, table, "high"))
    listed = pl.overview([pl.explain(risk, row, "high") for row in table])
    assert [row[0] for row in together.bars().rows] == [row[0] for row in listed.bars().rows]
    assert together.bars().rows[0][1] == pytest.approx(listed.bars().rows[0][1], rel=1e-5)


def test_a_table_in_a_file_is_read_row_by_row(risk: pl.Model, tmp_path: Path):
    table, path = rows(300), tmp_path / "rows.csv"
    path.write_text("age,smoker,dose\n" + "\n".join(",".join(map(str, row.values())) for row in table))
    of_file, of_folder, of_list = (pl.overview(risk, x, "high").bars().rows for x in (str(path), tmp_path, table))
    assert of_file == of_folder and of_file[0][1] == pytest.approx(of_list[0][1], rel=1e-5)


def test_mixed_targets_are_said(risk: pl.Model):
    mixed = pl.overview(risk, rows(40))
    assert "The samples have 2 targets" in mixed.beeswarm().warnings[0]
    assert not pl.overview(risk, rows(40), "high").beeswarm().warnings


def test_samples_that_are_not_finite_are_left_out_and_counted():
    e = pl.Explanation(torch.tensor([[1.0, 2.0], [float("nan"), 0.0]]), torch.ones(2), "logit 0", "gradient", True)
    overview = pl.overview(e)
    assert overview.collected.n == 1 and "1 samples are left out" in overview.bars().warnings[-1]


def test_series_have_their_mean_size_over_time():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    model, x = pl.load(net, preprocess=pl.Signal(rate=50, channels=["I", "II"], unit="mV")), torch.randn(9, 2, 40)
    overview = pl.overview(model, x, 1)
    values = torch.cat([pl.explain(model, x[n : n + 1], 1).values for n in range(9)]).double()
    found = overview.collected
    assert np.allclose(found.size.mean, values.abs().mean(0), rtol=1e-4, atol=1e-8) and found.time(25) == 0.5
    assert overview.over_time().rows[0][:2] == ("I", 0.0) and len(overview.over_time().rows) == 80
    with pytest.raises(pl.InputError, match="it is drawn of rows of a table"):
        overview.beeswarm()
    with pytest.raises(pl.InputError, match="series of one length"):
        pl.overview([pl.explain(net, torch.randn(1, 2, n), 1) for n in (40, 50)])


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(16, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.tanh(self.embed(ids)).mean(1))


def test_words_have_their_mean_over_texts():
    torch.manual_seed(0)
    model = pl.load(Reader().eval(), preprocess=pl.Text(pl.Vocabulary(["a", "good", "bad", "film"])))
    texts = ["a good film", "a bad film", "Good good", "bad"]
    chart = pl.overview(model, texts, 1).words()
    pieces = [piece for text in texts for piece in pl.explain(model, text, 1).words() if piece.kind == "text"]
    for word, mean, _, _, count, many, share, against in chart.rows:
        values = [piece.value for piece in pieces if piece.text.casefold() == word.casefold()]
        assert mean == pytest.approx(np.mean(values), rel=1e-4, abs=1e-7) and count == len(values)
        assert share == np.mean([value > 0 for value in values]) and against == 1 - share
        assert many == sum(word.casefold() in text.casefold().split() for text in texts)
    with pytest.raises(pl.InputError, match="none in 9 of 4 texts"):
        pl.overview(model, texts, 1).words(least=9)


def sees() -> pl.Model:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()
    return pl.load(net, preprocess=pl.Preprocess((12, 12), mean=(0.5,) * 3, std=(0.5,) * 3), labels=["cat", "dog", "owl"])


def photographs(count: int) -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(0, 255, (12, 12, 3), dtype=np.uint8) for n in range(count)]


def test_the_mean_map_of_a_class_is_that_of_its_pictures():
    model, pictures = sees(), photographs(6)
    overview = pl.overview(model, pictures, ["cat", "dog", "cat", "cat", "dog", "dog"])
    for name, rows_ in (("cat", (0, 2, 3)), ("dog", (1, 4, 5))):
        (group,) = [one for target, one in overview.collected.groups.items() if name in target]
        heats = [pl.explain(model, pictures[row], name).heat() for row in rows_]
        assert group.n == 3 and np.allclose(group.heat / 3, torch.stack(heats).mean(0), atol=1e-6)
        assert np.allclose(group.picture / 3, np.mean([pictures[row] for row in rows_], 0))
    assert [row[1] for row in overview.mean_maps().rows] == [3, 3]


def test_confusion_explains_the_errors_and_nothing_else():
    model, pictures = sees(), photographs(8)
    predicted = [pl.explain(model, one).classes[0][0] for one in pictures]
    true = [(one + (n < 3)) % 3 for n, one in enumerate(predicted)]  # the first three are wrong
    found = pl.confusion(model, pictures, true)
    assert found.errors == 3 and found.n == 8
    names = model.labels or ()
    first = pl.explain(model, pictures[0], predicted[0], versus=true[0])
    pair = (names[true[0]], names[predicted[0]])
    same = [n for n in range(3) if (true[n], predicted[n]) == (true[0], predicted[0])]
    heats = [pl.explain(model, pictures[n], predicted[n], versus=true[n]).heat() for n in same]
    (group,) = found.pair(*pair).collected.groups.values()
    assert first.contrast and np.allclose(group.heat / group.n, torch.stack(heats).mean(0), atol=1e-6)
    chart = found.chart()
    assert sum(row[2] for row in chart.rows) == 3 and "3 of 8 samples" in chart.caption
    with pytest.raises(pl.TargetError, match="8 samples and 0 classes"):
        pl.confusion(model, pictures)
    with pytest.raises(pl.InputError, match="all of them right"):
        pl.confusion(model, pictures, predicted).chart()


def test_confusion_of_rows_names_the_columns_that_mislead(risk: pl.Model, tmp_path: Path):
    table = rows(30)
    e = pl.explain(risk, table)
    wrong = [1 - one.classes[0][0] for one in e]
    found = pl.confusion(risk, table, wrong)
    assert found.errors == 30 and all(set(row[4].split(", ")) <= {"age", "smoker", "dose"} for row in found.chart().rows)
    assert found.save(tmp_path / "errors.png").exists()


CHARTS = ("beeswarm", "bars", "dependence", "over_time", "words", "mean_maps", "confusion")


@pytest.fixture(scope="module")
def charts(risk: pl.Model) -> dict[str, pl.Chart]:
    torch.manual_seed(0)
    of_rows, pictures = pl.overview(risk, rows(30), "high"), pl.overview(sees(), photographs(3))
    cnn = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    reader = pl.load(Reader().eval(), preprocess=pl.Text(pl.Vocabulary(["a", "good", "film"])))
    classes = [1 - one.classes[0][0] for one in pl.explain(risk, rows(30))]
    return {
        "beeswarm": of_rows.beeswarm(), "bars": of_rows.bars(), "dependence": of_rows.dependence("smoker"),
        "over_time": pl.overview(cnn, torch.randn(4, 1, 30), 0).over_time(), "mean_maps": pictures.mean_maps(),
        "words": pl.overview(reader, ["a good film", "a film"], 0).words(),
        "confusion": pl.confusion(risk, rows(30), classes).chart(),
    }  # fmt: skip


@pytest.mark.parametrize("kind", CHARTS)
def test_every_chart_is_saved_shown_and_told(charts: dict[str, pl.Chart], kind: str, tmp_path: Path):
    chart = charts[kind]
    assert chart.view == kind and all(len(row) == len(chart.head) for row in chart.rows)
    files = {suffix: chart.save(tmp_path / f"x.{suffix}") for suffix in ("png", "svg", "json", "csv", "txt")}
    with Image.open(files["png"]) as image:
        assert image.width == drawing(chart).wide and np.asarray(image).std() > 5
        assert chart.title in image.info["Description"]
    told = json.loads(files["json"].read_text())
    assert told["view"] == kind and len(told["rows"]) == len(chart.rows)
    assert len(files["csv"].read_text().splitlines()) == len(chart.rows) + 1
    svg = files["svg"].read_text()
    assert svg.startswith("<svg") and "<title>" in svg and chart.title in files["txt"].read_text()
    figure = chart_figure(chart)
    assert set(figure) == {"title", "caption", "svg", "src", "alt", "table"} and figure["svg"].startswith("<svg")
    assert all(isinstance(cell, str) for row in figure["table"]["rows"] for cell in row)
    page = chart.save(tmp_path / "x.html").read_text()
    assert page.lower().startswith("<!doctype html>") and chart.title.split('"')[0] in page


def test_an_overview_is_saved_with_all_its_charts(risk: pl.Model, tmp_path: Path):
    overview = pl.overview(risk, rows(20), "high")
    told = json.loads(overview.save(tmp_path / "x.json").read_text())
    assert [one["view"] for one in told["charts"]] == ["beeswarm", "bars"]
    with Image.open(overview.save(tmp_path / "x.png")) as image:
        assert image.height > drawing(overview.bars()).high
    assert repr(overview) == "Overview(lrp of 20 rows)"


def test_nonsense_is_refused(risk: pl.Model):
    one, other = pl.explain(risk, rows(1), "high"), pl.explain(risk, rows(1), "high", "gradient")
    with pytest.raises(pl.InputError, match="lrp and gradient"):
        pl.overview([one, other])
    with pytest.raises(pl.InputError, match="an object of type str alone"):
        pl.overview("photos")
    with pytest.raises(pl.InputError, match="drawn of series"):
        pl.overview(one).over_time()
