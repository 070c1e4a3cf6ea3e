"""Rows of tables and series on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from pellucid.cli import main

NETS = """
from torch import nn

def table():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

def series():
    return nn.Sequential(nn.Conv1d(2, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
"""
COLUMNS = {
    "columns": [
        {"name": "age", "unit": "years", "mean": 50, "std": 10},
        {"name": "smoker", "values": ["no", "yes"]},
        {"name": "dose", "unit": "mg"},
    ]
}
TABLE = ["--model", "table.pth", "--builder", "twonets:table"]
SERIES = ["--model", "series.pth", "--builder", "twonets:series"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "twonets", raising=False)
    Path("twonets.py").write_text(NETS)
    made: dict[str, object] = {}
    exec(NETS, made)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name in ("table", "series"):
            net = made[name]()  # type: ignore[operator]
            assert isinstance(net, nn.Module)
            torch.save(net.state_dict(), f"{name}.pth")
    Path("columns.json").write_text(json.dumps(COLUMNS))
    Path("rows.csv").write_text("dose,age,smoker\n1.5,61,yes\n0.1,30,no\n")
    walk = np.random.default_rng(0).normal(size=(200, 2)).cumsum(0)
    np.savetxt("ecg.csv", walk, delimiter=",", header="I,II", comments="")
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(main, [*args])


def test_all_rows_of_a_file_are_explained(folder):
    done = run("explain", "rows.csv", *TABLE, "--columns", "columns.json", "--format", "png,html,safetensors")
    assert done.exit_code == 0, done.output + done.stderr
    assert done.stdout.count("lrp -> logit") == 2
    assert {file.name for file in folder.glob("rows.lrp.*")} == {"rows.lrp.png", "rows.lrp.html", "rows.lrp.safetensors"}
    assert all(cell in Path("rows.lrp.html").read_text() for cell in ("61 years", "30 years", "0.1 mg"))


def test_one_row_is_explained_for_a_program(folder):
    done = run("explain", "rows.csv", "--row", "1", *TABLE, "--columns", "columns.json", "--method", "shapley", "--json")
    told = json.loads(done.stdout)
    (row,) = told["subject"]["samples"]
    assert {line["column"]: line["cell"] for line in row["columns"]} == {"age": "30 years", "smoker": "no", "dose": "0.1 mg"}
    assert Path(told["files"]["png"]).name == "rows.shapley.row-1.png" and Path(told["files"]["png"]).exists()


def test_a_series_is_explained(folder):
    asked = "rate=250,unit=mV,channels=I+II,mean=0.1+0.2,std=2"
    done = run("explain", "ecg.csv", *SERIES, "--signal", asked, "--target", "1", "--json", "--format", "svg")
    assert done.exit_code == 0, done.output + done.stderr
    (told,) = json.loads(done.stdout)["subject"]["samples"]
    assert told["channels"] == ["I", "II"] and told["rate"] == 250 and told["stretches"][0]["to_s"] <= 0.8
    assert "mV" in Path("ecg.lrp.1.svg").read_text()


def test_methods_are_compared_on_a_row(folder):
    done = run("compare", "rows.csv", "--row", "0", *TABLE, "--columns", "columns.json", "--methods", "lrp,occlusion")
    assert done.exit_code == 0, done.output + done.stderr
    assert Path("rows.compare.row-0.png").exists()


def test_a_model_of_tables_is_inspected(folder):
    done = run("inspect", *TABLE[1:2], *TABLE[2:], "--columns", "columns.json")
    assert done.exit_code == 0 and "1 x 4" in done.stdout.replace("(1, 4)", "1 x 4").replace("1, 4", "1 x 4")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["rows.csv"], "--columns columns.json for a table, --signal rate=250"),
        (["rows.csv", "--columns", "columns.json", "--row", "7"], "Ask for one of 0-1"),
        (["ecg.csv", "--columns", "columns.json"], "no column 'age'"),
        (["ecg.csv", "--signal", "unit=mV"], "rate= is missing"),
        (["ecg.csv", "--signal", "rate=fast"], "'fast' is no value for rate"),
        (["ecg.csv", "--signal", "speed=3"], "is none of rate="),
        (["ecg.csv", "--signal", "rate=250", "--columns", "columns.json"], "give one of them"),
        (["ecg.csv", "--signal", "rate=250", "--row", "1"], "--row is for tables"),
        (["rows.csv", "--columns", "twonets.py"], "describes no columns"),
        (["gone.csv", "--columns", "columns.json"], "no file of that name"),
    ],
)
def test_what_cannot_be_is_said_in_one_paragraph(folder, asked, said):
    done = run("explain", *asked, *TABLE)
    assert done.exit_code == 2 and said in done.stderr and done.stderr.count("\n") <= 2, done.stderr
    assert not list(folder.glob("*.png"))


def many_rows() -> None:
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal(2, 1):.2f},{rng.normal(50, 10):.1f},{('yes', 'no')[n % 2]},{n % 2}" for n in range(30)]
    Path("many.csv").write_text("dose,age,smoker,truth\n" + "\n".join(lines))


def test_an_overview_of_all_rows_draws_and_prints_charts(folder):
    many_rows()
    done = run("overview", "many.csv", *TABLE, "--columns", "columns.json", "--target", "1", "--column", "age", "--out", "o")
    assert done.exit_code == 0, done.output
    assert "30 rows" in done.output and "mean |value|" in done.output
    names = {f"many.lrp.1.{view}.{suffix}" for view in ("beeswarm", "bars", "dependence") for suffix in ("png", "json")}
    assert {path.name for path in Path("o").iterdir()} == names


def test_errors_of_a_table_are_explained_and_nonsense_is_refused(folder):
    many_rows()
    table = (*TABLE, "--columns", "columns.json")
    done = run("overview", "many.csv", *table, "--errors", "--truth", "truth", "--format", "json", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[0])
    assert told["view"] == "confusion" and all(row["true class"] != row["predicted class"] for row in told["rows"])
    assert "no column of that name" in run("overview", "many.csv", *table, "--errors", "--truth", "x").output
    assert "for a single input" in run("overview", "many.csv", *table, "--row", "1").output
    assert "leave out --target" in run("overview", "many.csv", *table, "--errors", "--target", "1").output
