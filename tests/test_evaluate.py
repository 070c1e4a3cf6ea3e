"""The verb `evaluate`, its table, its advice, and the two commands."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

import pellucid as pl
from pellucid import zoo
from pellucid.catalogue.entry import Entry
from pellucid.catalogue.metrics import METRICS, metric, metrics
from pellucid.cli import main
from pellucid.core.progress import watched
from pellucid.metrics import Scores, interval, paired
from pellucid.metrics.report.table import Cost, Table
from tests.cases import CASE

PLAIN = CASE["plain"]
NAMES = {"method", "metric", "score", "low", "high", "n", "forwards", "seconds"}
MORE = {"rank", "better", "floor", "ceiling", "normalised", "reliability", "judging"}


@pytest.fixture(scope="module")
def table() -> Table:
    methods = ["gradient_x_input", "sensitivity"]
    return pl.evaluate(PLAIN.net(), PLAIN.inputs(batch=8), methods, ["srg", "irof", "pixel_flipping"], target=1)


# rows


def test_there_is_a_row_for_every_method_and_metric(table):
    rows = table.rows
    assert [(row["metric"], row["method"]) for row in rows] == [
        (metric, method) for metric in ("srg", "irof", "pixel_flipping") for method in ("gradient_x_input", "sensitivity")
    ]
    for row in rows:
        assert row.keys() == NAMES | MORE
        assert row["low"] <= row["score"] <= row["high"] and row["n"] == 8
        assert row["forwards"] == 2 and row["seconds"] > 0
    assert {row["rank"] for row in rows if row["metric"] == "srg"} == {1, 2}
    assert {row["metric"]: row["better"] for row in rows} == {"srg": "higher", "irof": "higher", "pixel_flipping": "lower"}


def test_the_best_has_rank_one_whichever_way_is_better(table):
    for name, best in (("srg", max), ("pixel_flipping", min)):
        ours = [row for row in table.rows if row["metric"] == name]
        assert best(ours, key=lambda row: row["score"])["rank"] == 1


def test_scores_are_those_of_the_metric_alone(table):
    from pellucid.metrics import Answer, question
    from pellucid.target import as_target

    e = pl.explain(PLAIN.net(), PLAIN.inputs(batch=8), 1, "sensitivity")
    asked = question(pl.load(PLAIN.net()), PLAIN.inputs(batch=8), as_target(1), floor=True, ceiling=False)
    alone = pl.metrics.SRG().score(asked, Answer.of(e))
    assert torch.allclose(alone.values, table.scores["sensitivity", "srg"].values, atol=1e-6)
    row = next(row for row in table.rows if row["method"] == "sensitivity" and row["metric"] == "srg")
    assert row["score"] == pytest.approx(float(alone.values.mean()), abs=1e-6)
    assert row["reliability"] == pytest.approx(float(alone.reliability.mean()), abs=1e-6)


def test_curves_are_shared_between_methods_and_metrics():
    both = pl.evaluate(PLAIN.net(), PLAIN.inputs(), ["sensitivity"], ["srg", "mrg", "lrg"], target=1)
    judging = {row["metric"]: row["judging"] for row in both.rows}
    assert judging["srg"] > 0 and judging["mrg"] == judging["lrg"] == 0
    twice = pl.evaluate(PLAIN.net(), PLAIN.inputs(), {"a": "sensitivity", "b": "sensitivity"}, ["srg"], target=1)
    assert [row["judging"] for row in twice.rows][1] == 0
    assert twice.forwards == both.forwards == judging["srg"] + 3


def test_a_score_is_normalised_between_random_orders_and_the_best():
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(0)) + 0.1
    net = nn.Linear(6, 1, bias=False).eval()
    nn.init.ones_(net.weight)
    t = pl.evaluate(net, x, {"right": "gradient_x_input", "none": Constant()}, ["pixel_flipping"], target=0)
    right, none = t.rows
    assert right["normalised"] == pytest.approx(1, abs=1e-6) and abs(none["normalised"]) < 0.6
    assert right["ceiling"] == pytest.approx(right["score"], abs=1e-6) and right["floor"] == none["floor"]


@dataclass(frozen=True)
class Constant:
    """A method that says the same of every place."""

    name: str = "constant"
    signed: bool = True

    def attribute(self, model, x, target, at=None):
        from pellucid.explanation.attribution import Attribution
        from pellucid.tape.forward import resolve_readout

        readout, score, output = resolve_readout(model, x, target, at)
        return Attribution(torch.ones_like(x), score, readout.target, output)


def test_without_floor_and_ceiling_there_are_none():
    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), ["gradient"], ["srg"], target=1, floor=False, ceiling=False)
    assert all(t.rows[0][name] is None for name in ("floor", "ceiling", "normalised", "reliability"))


# what is evaluated


def test_pictures_and_tensors_come_in_lists_or_batches(tmp_path):
    x = PLAIN.inputs()
    whole = pl.evaluate(PLAIN.net(), x, ["gradient"], ["srg"], target=1)
    listed = pl.evaluate(PLAIN.net(), [x[:1], x[1:]], ["gradient"], ["srg"], target=1)
    assert whole.rows[0]["score"] == pytest.approx(listed.rows[0]["score"], abs=1e-6) and listed.rows[0]["n"] == 3


def test_every_sample_is_explained_for_the_class_the_model_predicts():
    net, x = PLAIN.net(), PLAIN.inputs(batch=8)
    predicted = net(x).argmax(1).tolist()
    assert len(set(predicted)) > 1
    own, said = (pl.evaluate(net, x, ["gradient"], ["srg"], target=target) for target in (None, predicted))
    assert torch.equal(own.scores["gradient", "srg"].values, said.scores["gradient", "srg"].values)
    assert own.asked == "Plain, 8 samples, each sample's own target"


def test_methods_and_metrics_may_have_names_of_their_own_or_be_objects():
    few = pl.metrics.Scheme(pl.perturb.Grid(2), 0.0, pl.metrics.Every(1))
    judges = [pl.metrics.SRG(), pl.metrics.SRG(few), "mrg"]
    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), {"mine": pl.gradient.Sensitivity()}, judges, target=1)
    assert [(row["method"], row["metric"]) for row in t.rows] == [("mine", "srg"), ("mine", "srg (2)"), ("mine", "mrg")]


@dataclass(frozen=True)
class Inside:
    """A metric that needs masks."""

    name: ClassVar[str] = "inside"
    higher: ClassVar[bool] = True
    needs: ClassVar[str] = "mask"

    def score(self, question, answer) -> Scores:
        heat = answer.heat().clamp(min=0)
        return Scores((heat * question.masks).flatten(1).sum(1) / heat.flatten(1).sum(1))


def test_a_metric_of_ones_own_gets_the_masks():
    masks = torch.zeros(3, 16, 16)
    masks[:, :8] = 1
    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), ["gradient", "gradient_x_input"], [Inside()], target=1, masks=masks)
    e = pl.explain(PLAIN.net(), PLAIN.inputs(), 1, "gradient")
    heat = e.values.sum(1).clamp(min=0)
    assert t.rows[0]["score"] == pytest.approx(float((heat[:, :8].sum((1, 2)) / heat.sum((1, 2))).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"metrics": ["srgg"]}, pl.MethodError, "only metrics of the list can be named. Nearest: srg"),
        ({"metrics": []}, pl.MethodError, "An evaluation: found no metric; there is nothing to judge by. Name some"),
        ({"metrics": [3]}, pl.MethodError, "metric=3: found a int; a metric has a name and scores. Pass a name"),
        ({"metrics": [Inside()]}, pl.InputError, "metric 'inside': found no masks; it asks whether a map lies where"),
        ({"methods": ["lrpp"]}, pl.MethodError, "method 'lrpp'"),
        ({"masks": torch.zeros(3, 4, 4)}, pl.InputError, "found masks of shape (3, 4, 4), and samples of shape (3, 16, 16)"),
        ({"images": []}, pl.InputError, "An evaluation: found no pictures; there is nothing to explain. Pass at least one."),
        ({"images": [torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 8, 8)]}, pl.InputError, "the model fails on some of them"),
        ({"target": 9}, pl.TargetError, "classes run 0-4"),
    ],
)
def test_what_cannot_be_judged_is_said(options, error, said):
    asked = {"images": PLAIN.inputs(), "methods": ["gradient"], "metrics": ["srg"], "target": 1} | options
    with pytest.raises(error) as raised:
        pl.evaluate(PLAIN.net(), **asked)
    assert said in str(raised.value)


def test_an_output_that_is_not_finite_is_refused():
    with pytest.raises(pl.ModelError, match="An evaluation: found an output that is not finite"):
        pl.evaluate(lambda x: x / 0, torch.ones(2, 3), ["occlusion"], ["srg"], target=0)


# failures, and calling off


@dataclass(frozen=True)
class Broken:
    name: str = "broken"
    signed: bool = True

    def attribute(self, model, x, target, at=None):
        raise ZeroDivisionError("by zero")


def test_a_method_that_fails_does_not_keep_others_from_being_judged():
    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), [Broken(), "gradient"], ["srg"], target=1)
    assert t.methods == ("gradient",) and "ZeroDivisionError: by zero" in str(t.failures["broken", None])
    assert any("broken: method 'broken' on Plain: found ZeroDivisionError" in note for note in t.notes)
    with pytest.raises(ZeroDivisionError):
        pl.evaluate(PLAIN.net(), PLAIN.inputs(), [Broken()], ["srg"], target=1)


@dataclass(frozen=True)
class Wrong:
    """A metric with a bug."""

    name: ClassVar[str] = "wrong"
    higher: ClassVar[bool] = True
    needs: ClassVar[str] = "map"

    def score(self, question, answer) -> Scores:
        return answer.nothing


def test_a_metric_that_fails_does_not_keep_others_from_judging():
    t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), ["gradient"], [Wrong(), "srg"], target=1)
    assert [row["metric"] for row in t.rows] == ["srg"] and "AttributeError" in t.notes[-1]
    assert "the metric itself failed" in str(t.failures["gradient", "wrong"])


def test_what_was_judged_before_it_was_called_off_is_kept():
    seen = []

    def watch(done: int, total: int, what: str) -> bool:
        seen.append((done, total, what))
        return what == "answers and judgements" and done >= 2

    with watched(watch):
        t = pl.evaluate(PLAIN.net(), PLAIN.inputs(), ["gradient", "saliency"], ["srg", "irof"], target=1)
    assert [(row["method"], row["metric"]) for row in t.rows] == [("gradient", "srg")]
    assert set(t.failures) == {("gradient", "irof"), ("saliency", None)}
    assert "the rest called off after 1 of 2" in str(t.failures["gradient", "irof"])
    assert {what for _, _, what in seen} == {"answers and judgements", "forward passes"}


# intervals


def test_an_interval_holds_the_mean_as_often_as_it_says():
    rng = torch.Generator().manual_seed(1)
    inside = 0
    for seed in range(300):
        low, high = interval(torch.randn(40, generator=rng, dtype=torch.float64), seed=seed, draws=400)
        inside += low <= 0 <= high
    assert 0.9 <= inside / 300 <= 0.98


def test_an_interval_leaves_out_what_has_no_score():
    values = torch.tensor([1.0, 2.0, torch.nan, 4.0])
    assert interval(values) == interval(values[[0, 1, 3]])
    assert all(end != end for end in interval(values[2:3])), "one that has none tells nothing"


def test_the_same_samples_tell_apart_what_their_means_do_not():
    rng = torch.Generator().manual_seed(0)
    samples = 10 * torch.randn(20, generator=rng)
    first, second = samples + 0.5 + 0.1 * torch.randn(20, generator=rng), samples
    (low, _), (_, high) = interval(first), interval(second)
    assert low < high  # side by side they overlap
    found = paired(first, second)
    assert found.sure and found.low > 0 and found.p < 0.001 and found.n == 20
    assert found.difference == pytest.approx(float((first - second).mean()), rel=1e-6)


def test_the_test_of_changed_signs_is_exact_for_few_samples_and_calibrated_for_many():
    assert paired(torch.arange(1.0, 7), torch.zeros(6)).p == 2 / 64
    assert paired(torch.tensor([1.0, -1.0]), torch.zeros(2)).p == 1
    rng = torch.Generator().manual_seed(0)
    p = torch.tensor([paired(torch.randn(15, generator=rng), torch.zeros(15), seed=i).p for i in range(100)])
    assert 0.01 <= float((p < 0.1).double().mean()) <= 0.2
    assert not paired(torch.ones(3), torch.zeros(3)).sure, "three samples always may agree by chance"


def test_methods_are_paired_with_one_another_and_with_chance(table):
    found, back = table.paired("srg", "gradient_x_input", "sensitivity"), table.paired("srg", "sensitivity", "gradient_x_input")
    assert found.difference == -back.difference and found.n == 8
    chance = table.paired("srg", "sensitivity")
    assert chance.difference == pytest.approx(float(table.scores["sensitivity", "srg"].values.mean()), abs=1e-9)
    with pytest.raises(pl.MethodError, match="lrp by srg: found scores of gradient_x_input by srg"):
        table.paired("srg", "lrp")


# advice


def judged(**scores: list[float]) -> Table:
    """A table of one metric with made-up scores; chance is 0."""
    zero = torch.zeros(len(next(iter(scores.values()))), dtype=torch.float64)
    told = {(name, "srg"): Scores(torch.tensor(values).double(), floor=zero) for name, values in scores.items()}
    costs = {name: Cost(2, 0.1 * place) for place, name in enumerate(scores, start=1)}
    return Table({"srg": pl.metrics.SRG()}, costs, told, {})


def test_the_best_is_recommended_where_these_samples_tell_it_from_the_next():
    clear = judged(slow=[0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1], best=[0.5, 0.7, 0.5, 0.6, 0.5, 0.8, 0.5])
    assert clear.advice.startswith("Use best: 0.586 [") and "better than slow, the next (paired, p = 0.016)" in clear.advice
    assert clear.advice.endswith("at 0.2 s per sample.")


def test_the_quickest_is_recommended_of_what_cannot_be_told_apart():
    same = judged(quick=[0.5, 0.7, 0.5, 0.6, 0.5, 0.8, 0.5], slow=[0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert same.advice.startswith("slow ranks first with 0.6 [0.6, 0.6] by srg on 7 samples, but")
    assert "on these samples it is not significantly better than quick (its difference to quick lies between" in same.advice
    assert same.advice.endswith("the fastest of them is quick, at 0.1 s per sample.")


def test_nothing_is_recommended_that_is_not_better_than_chance_or_of_which_too_little_is_known():
    noise = judged(a=[0.5, -0.7, 0.5, -0.6, 0.5, -0.8, 0.5])
    assert noise.advice.startswith("No method is significantly better than random orders: a, the best, has ")
    few = judged(a=[0.5, 0.6], b=[0.1, 0.2])
    assert "which is too few to generalise from: evaluate at least 6." in few.advice
    assert judged(a=[torch.nan] * 7).advice == "No method has a score by srg."
    assert "better than random orders, at 0.1 s" in judged(a=[0.5] * 7).advice


# files


def test_a_table_is_saved_as_csv_json_and_markdown(table, tmp_path):
    rows = list(csv.DictReader(table.save(tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["score"]) for row in rows] == [row["score"] for row in table.rows] and rows[0].keys() == NAMES | MORE
    told = json.loads(table.save(tmp_path / "t.json").read_text())
    assert told["rows"] == table.rows and told["advice"] == table.advice
    assert [len(one["values"]) for one in told["scores"]] == [8] * 6
    page = table.save(tmp_path / "t.md").read_text()
    assert table.advice in page and page.count("| srg ↑ |") == 2 and "Plain, 8 samples, logit 1" in page
    with pytest.raises(pl.OutputError, match="the suffix chooses the format"):
        table.save(tmp_path / "t.xlsx")


def test_what_is_no_number_is_null_in_json_and_empty_in_csv(tmp_path):
    t = judged(a=[0.5, torch.nan])
    told = json.loads(t.save(tmp_path / "t.json").read_text())
    assert told["scores"][0]["values"] == [0.5, None] and told["rows"][0]["low"] is None and told["rows"][0]["n"] == 1
    assert next(csv.DictReader(t.save(tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()))["low"] == ""


def test_a_table_prints_its_rows_and_its_advice(table):
    said = str(table)
    assert said.count("\n") > 7 and table.advice in said and "pixel_flipping: There are too many regions" in said
    assert repr(table) == "Table(2 methods, 3 metrics, Plain, 8 samples, logit 1)"


# the list


def test_a_name_makes_its_metric_and_an_unknown_one_names_the_nearest():
    assert metric("srg") == pl.metrics.SRG()
    with pytest.raises(pl.MethodError, match="Nearest: pixel_flipping"):
        metric("pixelflipping")


def test_a_plugin_adds_a_metric(monkeypatch):
    entry = Entry("inside", f"{__name__}:Inside", "", "", 2020, "", family="localisation", needs="mask")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])

    class Point:
        def load(self) -> Entry:
            return entry

    monkeypatch.setattr("pellucid.catalogue.entry.entry_points", lambda group: [Point()] if group == "pellucid.metrics" else [])
    assert metrics() == (*METRICS, entry) and metric("inside").needs == "mask"


# the command line

NET = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))
"""
OWN = ["--model", "net.safetensors", "--builder", "tinynet:make", "--size", "16", "--mean", ".5,.5,.5", "--std", ".5,.5,.5"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with two pictures, and a network with its weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "tinynet", raising=False)
    Path("photos").mkdir()
    for name in ("chelsea", "coffee"):
        shutil.copy(zoo.pictures()[name], f"photos/{name}.jpg")
    Path("photos/notes.txt").write_text("no picture")
    Path("tinynet.py").write_text(NET)
    names: dict[str, object] = {}
    exec(NET, names)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(names["make"]().state_dict(), "net.safetensors")  # type: ignore[operator]
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*args], prog_name="pellucid")
    assert result.exit_code == code, (result.output, result.stderr, result.exception)
    return result


def test_evaluate_prints_a_table_and_its_advice_and_writes_it(folder):
    said = run("evaluate", "photos", "--methods", "gradient,saliency", "--metrics", "srg,irof", *OWN, "--out", "t.csv").stdout
    lines = said.splitlines()
    assert lines[0].startswith("metric") and len([line for line in lines if line.startswith(("srg ↑", "irof ↑"))]) == 4
    assert "by srg on 2 samples" in said and "Written: t.csv" in said
    assert len(Path("t.csv").read_text().splitlines()) == 5


def test_evaluate_json_is_one_document(folder):
    result = run("evaluate", "photos/chelsea.jpg", "--methods", "gradient", "--metrics", "srg", *OWN, "--json", "--out", "tables")
    told = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1 and result.stderr == ""
    assert told["rows"][0]["method"] == "gradient" and [Path(file).name for file in told["files"]] == [
        "evaluation.html", "evaluation.csv", "evaluation.json", "evaluation.md",
    ]  # fmt: skip
    assert all(Path(file).is_file() for file in told["files"])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["photos", "--methods", "gradiant"], "method 'gradiant'"),
        (["photos", "--metrics", "srgg"], "metric 'srgg'"),
        (["photos", "--metrics", ","], "found no metrics"),
        (["photos", "--methods", ","], "found no methods"),
        (["empty"], "found a folder without any; there is nothing to explain"),
        (["photos", "--out", "photos/notes.txt/t.csv"], "results go into a folder"),
        (["nowhere.jpg"], "nowhere.jpg"),
    ],
)
def test_evaluate_refuses_in_one_paragraph_before_it_computes(folder, args, said):
    Path("empty").mkdir()
    result = run("evaluate", *args, *OWN, code=2)
    assert result.stdout == "" and said in result.stderr and result.stderr.count("\n") == 1


def test_metrics_lists_all_of_them():
    lines = [line.split() for line in run("metrics").stdout.splitlines()]
    assert [line[0] for line in lines[1:]] == [entry.name for entry in METRICS]
    rows = [json.loads(line) for line in run("metrics", "--json").stdout.splitlines()]
    assert {row["name"]: row["better"] for row in rows} == {entry.name: entry.better for entry in METRICS}


def test_the_list_of_metrics_and_the_help_of_evaluate_do_not_import_torch():
    import subprocess

    for command in (["metrics"], ["evaluate", "--help"]):
        code = (
            f"import sys; from pellucid.cli import main; main({command}, standalone_mode=False); sys.exit('torch' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0
