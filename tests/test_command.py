"""Commands: what a result says of how it was made makes it again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.cli import main
from pellucid.verbs.call import expression
from tests.golden import make_saved

SMALL = "explain 'a photo.png' --model sees.pt --trust --size 8 --mean .5,.5,.5 --std .5,.5,.5 --labels labels.txt"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photograph, a table and networks in files, in which commands run."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(make_saved.photograph()).resize((40, 30)).save("a photo.png")
    (tmp_path / "columns.json").write_text(make_saved.COLUMNS, encoding="utf-8")
    (tmp_path / "rows.csv").write_text("age,smoker,dose\n61,yes,1.5\n33,no,2.5\n", encoding="utf-8")
    (tmp_path / "labels.txt").write_text("tabby\ngoldfish\nvolcano\n", encoding="utf-8")
    torch.jit.trace(make_saved.convolutional(), torch.zeros(1, 3, 8, 8)).save("sees.pt")
    torch.jit.trace(risk(), torch.zeros(1, 4)).save("risk.pt")
    return tmp_path


def risk() -> nn.Module:
    return make_saved.seeded(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def command(result: Any) -> dict[str, Any]:
    made: dict[str, Any] = pl.document(result)["command"]
    return made


def in_python(lines: str, **given: Any) -> Any:
    """The result of the lines; what they say is to be filled in is given."""
    space: dict[str, Any] = {}
    lines = "\n".join(line for line in lines.splitlines() if not any(line.startswith(f"{name} = ...") for name in given))
    assert "= ..." not in lines
    space.update(given)
    exec(lines, space)
    return next(space[name] for name in ("e", "c", "p") if name in space)


def in_the_shell(line: str) -> pl.Explanation:
    """The explanation that the line of the shell writes."""
    done = CliRunner().invoke(main, [*shlex.split(line)[1:], "--out", "again.safetensors"])
    assert done.exit_code == 0, done.output
    return pl.Explanation.load("again.safetensors")


def typed(line: str) -> pl.Explanation:
    """What the shell makes of a line."""
    done = CliRunner().invoke(main, [*shlex.split(line), "--out", "typed.safetensors"])
    assert done.exit_code == 0, done.output
    return pl.Explanation.load("typed.safetensors")


def same(one: pl.Explanation, other: pl.Explanation) -> None:
    torch.testing.assert_close(one.values, other.values, rtol=0, atol=0)
    assert one.target == other.target and one.method == other.method


# -- what was asked in Python -------------------------------------------------------------------------------------------------


def test_a_photograph_by_the_built_in_model(folder):
    e = pl.explain("efficientnet_lite0", "a photo.png", target=281, versus="lynx", method="gradient_x_input")
    made = command(e)
    assert made["cli"] == (
        "pellucid explain 'a photo.png' --model efficientnet_lite0 --method gradient_x_input --target 281 --versus lynx"
    )
    assert made["python"].splitlines() == [
        "import pellucid as pl",
        "",
        "model = pl.load('efficientnet_lite0')",
        "e = pl.explain(model, 'a photo.png', target=281, versus='lynx', method='gradient_x_input')",
    ]
    same(in_python(made["python"]), e)
    same(in_the_shell(made["cli"]), e)


def test_methods_and_targets_as_objects_are_expressions():
    methods = [
        pl.gradient.Integrated(8), pl.gradient.Noisy(pl.gradient.Integrated(4), n=3), pl.perturb.occlusion(window=4, stride=4),
        pl.perturb.occlusion(window=4, imputer=pl.perturb.constant(0.5)), pl.perturb.kernel_shap(budget=128),
    ]  # fmt: skip
    for method in methods:
        e = pl.explain(make_saved.sees(), make_saved.batch(1), pl.logit("tabby") - 0.5 * pl.logit(2), method)
        made = command(e)
        assert made["cli"] is None, "a network in memory"
        same(in_python(made["python"], model=make_saved.sees(), x=make_saved.batch(1)), e)


def test_what_is_in_memory_is_to_be_filled_in():
    net, x = make_saved.convolutional(), make_saved.batch(2)
    e = pl.explain(net, x, [0, 2], at=net[1])
    lines = command(e)["python"].splitlines()
    assert "model = ...  # to be filled in: the model 'Sequential' (nn.Module)" in lines
    assert "x = ...  # to be filled in: a tensor of shape (2, 3, 8, 8)" in lines
    assert lines[-1] == "e = pl.explain(model, x, target=[0, 2], at='1')"
    same(in_python("\n".join(lines), model=net, x=x), e)
    page = pl.document(e)["pages"][1]
    assert page["command"]["python"].splitlines()[-1].endswith(")[1]")
    same(in_python(page["command"]["python"], model=net, x=x), e[1])


def test_what_was_done_to_a_result_is_done_again():
    e = make_saved.inputs()
    given = {
        "model": pl.load(
            make_saved.Both().eval(), preprocess={"image": make_saved.sees().preprocess, "row": make_saved.columns()}
        )
    }
    x = {"image": make_saved.photograph(), "row": make_saved.ROWS[0]}
    part = e.part("row")
    lines = command(part)["python"]
    assert lines.endswith(".part('row')")
    same(in_python(lines, x=x, **given), part)


def test_a_function_is_told_in_words():
    e = pl.explain(make_saved.sees(), make_saved.batch(1), lambda output: output[:, 0])
    assert "target = ...  # to be filled in:" in command(e)["python"]
    assert expression(np.ones(2)) is None and expression(float("nan")) is None and expression([np.ones(2)]) is None
    assert expression("x" * 5000) is None, "too long"


def test_a_changed_model_is_not_taken_for_the_loaded_one(folder):
    from dataclasses import replace

    model = replace(pl.load("efficientnet_lite0"), preprocess=pl.Preprocess((96, 96), mean=(0.5,) * 3, std=(0.5,) * 3))
    made = command(pl.explain(model, "a photo.png", 1, "gradient"))
    assert made["cli"] is None and "model = ...  # to be filled in" in made["python"]


def test_a_comparison_and_each_of_its_layers(folder):
    c = pl.compare("efficientnet_lite0", "a photo.png", ["gradient", "saliency"], 281)
    made = pl.document(c)
    assert made["command"]["cli"] == (
        "pellucid compare 'a photo.png' --model efficientnet_lite0 --target 281 --methods gradient,saliency"
    )
    again = in_python(made["command"]["python"])
    for name, one in zip(c, made["layers"], strict=True):
        same(again[name], c[name])
        same(in_python(one["command"]["python"]), c[name])
        assert one["command"]["cli"].endswith(f"--method {name} --target 281")
    named = pl.document(pl.compare(make_saved.sees(), make_saved.batch(1), {"a": "gradient", "b": pl.gradient.Integrated(4)}, 1))
    assert "{'a': 'gradient', 'b': pl.gradient.Integrated(steps=4)}" in named["command"]["python"]
    assert named["command"]["cli"] is None


def test_concepts_and_maximizations():
    x = make_saved.photograph()
    c = pl.concepts(make_saved.sees(), x, "tabby", at="4", top=1, against=0)
    made = pl.document(c)
    again = in_python(made["layers"][1]["command"]["python"], model=make_saved.sees(), x=x)
    same(again, c.maps[0] if len(c.maps) > 1 else c.maps)
    assert made["command"]["python"].splitlines()[-1] == "c = pl.concepts(model, x, target='tabby', at='4', top=1, against=0)"
    p = pl.maximize(make_saved.sees(), "goldfish", "simonyan2013", steps=2)
    again = in_python(command(p)["python"], model=make_saved.sees())
    torch.testing.assert_close(again.images, p.images, rtol=0, atol=0)


# -- what was typed -----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "line",
    [
        f"{SMALL} --method integrated_gradients --with steps=4 --target volcano",
        f"{SMALL} --method gradient --target tabby --versus goldfish --at 3 --strict --no-verify",
        "explain rows.csv --model risk.pt --trust --columns columns.json --target 1 --row 1",
        "explain rows.csv --model risk.pt --trust --columns columns.json --target 1 --method gradient_x_input",
    ],
)
def test_what_was_typed_can_be_typed_again_and_be_said_in_python(folder, line):
    e = typed(line)
    pages = pl.document(e).get("pages", [pl.document(e)])
    for number, page in enumerate(pages):
        made = page["command"]
        assert made["cli"].startswith(f"pellucid {line.split(' --')[0]}")
        same(in_the_shell(made["cli"]), e[number])
        same(in_python(made["python"]), e[number])


def test_files_keep_what_was_asked(folder):
    e = pl.explain(make_saved.sees(), make_saved.batch(1), 1)
    e.save("kept.safetensors")
    assert command(pl.Explanation.load("kept.safetensors")) == command(e)
    assert json.loads(json.dumps(pl.document(e)))["command"] == command(e)


@pytest.mark.filterwarnings("ignore")
def test_words_of_others_are_quoted(folder):
    evil = "a'; rm -rf x; '.csv"
    Path("rows.csv").rename(evil)
    made = command(typed(f"explain {shlex.quote(evil)} --model risk.pt --trust --columns columns.json --target 1 --row 0"))
    assert shlex.split(made["cli"])[2] == evil
    same(in_python(made["python"]), in_the_shell(made["cli"]))


def test_other_results_keep_what_was_asked_too():
    model, x = make_saved.sees(), make_saved.batch(2)
    part = torch.zeros(8, 8, dtype=torch.bool)
    part[2:5, 2:5] = True
    results = {
        "t": pl.evaluate(model, x, ["gradient"], ["sparseness"], target=1),
        "card": pl.inspect(model, shape=(1, 3, 8, 8)),
        "verification": pl.verify(model, x, 1),
        "examples": pl.examples(model, ["4:0"], x, top=1),
        "hiding": pl.hide(model, x[:1], part, 1, controls=2),
    }
    lines = {name: command(result)["python"].splitlines()[-1] for name, result in results.items()}
    assert lines == {
        "t": "t = pl.evaluate(model, images=images, methods=['gradient'], metrics=['sparseness'], target=1)",
        "card": "result = pl.inspect(model, shape=(1, 3, 8, 8))",
        "verification": "result = pl.verify(model, x, target=1)",
        "examples": "result = pl.examples(model, units=['4:0'], data=data, top=1)",
        "hiding": "result = pl.hide(model, x, part=part, target=1, controls=2)",
    }
    space: dict[str, Any] = {"model": model, "images": x}
    kept = [line for line in command(results["t"])["python"].splitlines() if "= ..." not in line]
    exec("\n".join(kept), space)
    assert [row["score"] for row in space["t"].rows] == [row["score"] for row in results["t"].rows]
