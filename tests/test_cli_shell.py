"""The shell as people use it: settings of methods, several methods, folders, files by their suffix, and what is shown."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pellucid.catalogue.methods import methods
from pellucid.catalogue.recipes import recipes
from pellucid.catalogue.settings import settings
from pellucid.cli.files import open_first
from pellucid.errors import OutputError
from tests.test_cli import OWN, folder as folder, refused, run


@pytest.fixture
def unloadable(monkeypatch) -> None:
    """Whoever loads a model fails the test."""
    monkeypatch.setattr("pellucid.model.load", lambda *args, **options: pytest.fail("the model was loaded"))


def test_a_method_says_its_settings_with_defaults_and_meanings():
    said = run("methods", "occlusion").stdout
    assert "window" in said and "whole numbers with commas between" in said and "Distance between windows" in said
    told = json.loads(run("methods", "rise", "--json").stdout)
    assert told["settings"]["budget"] == {"default": 4000, "type": "a whole number", "meaning": "Forward passes."}
    assert "It has no settings." in run("methods", "guided_backprop").stdout
    assert "how many facets" in run("recipes", "mfv").stdout.casefold()


@pytest.mark.parametrize("one", [*methods(), *recipes()], ids=lambda one: one.name)
def test_every_setting_has_a_meaning_and_takes_its_own_default(one):
    for setting in settings(one).values():
        assert setting.meaning and not setting.meaning.startswith("As in `"), setting.name
        text = ",".join(map(str, setting.default)) if isinstance(setting.default, tuple) else str(setting.default)
        assert setting.parse(text) == setting.default, setting.name


def test_a_setting_changes_the_map_as_it_does_in_python(folder):
    given = ["--with", "window=8", "--with", "stride=4"]
    run("explain", "cat.jpg", *OWN, "--method", "occlusion", *given, "--format", "safetensors")
    run("explain", "cat.jpg", *OWN, "--method", "occlusion", "--format", "safetensors")
    changed, plain = (load_file(f"cat.occlusion{words}.safetensors")["values"] for words in (".window-8-stride-4", ""))
    assert not torch.equal(changed, plain)
    run("explain", "cat.jpg", *OWN, "--method", "occlusion", "--with", "occlusion:window=8", "--out", "again.npy")
    assert np.array_equal(np.load("again.npy"), changed.numpy())  # half the window is the default of the stride


def test_a_setting_goes_to_the_methods_that_have_it(folder):
    run("explain", "cat.jpg", *OWN, "--method", "gradient,occlusion", "--with", "window=4", "--format", "json")
    assert Path("cat.gradient.json").is_file() and Path("cat.occlusion.window-4.json").is_file()
    run("compare", "cat.jpg", *OWN, "--methods", "gradient,rise", "--with", "rise:budget=64", "--out", "sheet.json")
    assert json.loads(Path("sheet.json").read_text())["methods"]["rise"]["forwards"] < 100


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("window=x", "it has to be a whole number, whole numbers with commas between or none"),
        ("windows=3", "method 'occlusion' with the settings window=None"),
        ("rise:budget=9", "that method is not asked for"),
        ("window", "Write --with steps=64"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_a_model_is_loaded(folder, unloadable, setting, expected):
    assert expected in refused("explain", "cat.jpg", "--method", "occlusion", "--with", setting)


@pytest.mark.parametrize("args", [["cat.jpg", "--method", "lrp,lpr"], ["missing.jpg"], ["cat.jpg", "--out", "map.md"]])
def test_names_and_files_are_checked_before_a_model_is_loaded(folder, unloadable, args):
    assert refused("explain", *args)


def test_a_folder_is_explained_by_several_methods(folder):
    Path("photos").mkdir()
    for name in ("b.jpg", "a.jpg"):
        shutil.copy("cat.jpg", f"photos/{name}")
    Path("photos/notes.txt").write_text("no picture")
    out = run("explain", "photos/", *OWN, "--method", "lrp,gradient", "--format", "png", "--out", "some/where").stdout
    assert sorted(path.name for path in Path("some/where").iterdir()) == [
        "a.gradient.png", "a.lrp.png", "b.gradient.png", "b.lrp.png",
    ]  # fmt: skip
    assert out.index("a.gradient.png") < out.index("b.lrp.png")


def test_a_method_that_fails_does_not_stop_the_others(folder):
    result = run("explain", "cat.jpg", *OWN, "--method", "attention_rollout,gradient", "--format", "json", code=1)
    assert "attention" in result.stderr and "1 of 2 explanations could not be explained" in result.stderr
    assert Path("cat.gradient.json").is_file()


def test_the_suffix_of_out_is_the_format_of_one_file(folder):
    run("explain", "cat.jpg", *OWN, "--method", "gradient", "--out", "new/map.csv")
    rows = list(csv.DictReader(Path("new/map.csv").read_text().splitlines()))
    run("explain", "cat.jpg", *OWN, "--method", "gradient", "--out", "new/map.npy")
    heat = np.load("new/map.npy")[0].sum(0)
    assert len(rows) == 256 and float(rows[17]["value"]) == pytest.approx(heat[1, 1], rel=1e-5)
    assert "one file holds one result" in refused("explain", "cat.jpg", "new/../cat.jpg", *OWN, "--out", "both.png")
    assert "would overwrite it" in refused("explain", "cat.jpg", *OWN, "--out", "net.safetensors")
    assert "leave out --format" in refused("explain", "cat.jpg", *OWN, "--out", "one.png", "--format", "png")


def test_pictures_and_pages_say_what_they_are_of(folder):
    run("explain", "cat.jpg", *OWN, "--method", "gradient", "--format", "png,jpg,pdf")
    png, jpg = Image.open("cat.gradient.png"), Image.open("cat.gradient.jpg")
    assert jpg.size == png.size and np.abs(np.asarray(jpg, float) - np.asarray(png.convert("RGB"), float)).mean() < 2
    assert b'"gradient"' in jpg.info["comment"] and png.info["Description"].encode() in jpg.info["comment"]
    assert Path("cat.gradient.pdf").read_bytes().startswith(b"%PDF")


def test_open_shows_the_picture(folder, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(click, "launch", lambda path: shown.append(path) or 0)
    run("explain", "cat.jpg", *OWN, "--method", "gradient", "--format", "json,png", "--open")
    run("compare", "cat.jpg", *OWN, "--methods", "gradient,saliency", "--out", "two.html", "--open")
    assert shown == ["cat.gradient.png", "two.html"]


def test_without_a_viewer_open_says_so(monkeypatch):
    monkeypatch.setattr(click, "launch", lambda path: 1)
    with pytest.raises(OutputError, match="no viewer that takes it"):
        open_first([Path("map.png")])


def test_a_method_with_a_setting_is_evaluated(folder):
    command = ("evaluate", "cat.jpg", *OWN, "--methods", "occlusion", "--metrics", "sparseness", "--json")
    plain, changed = (json.loads(run(*command, *more).stdout)["rows"][0] for more in ((), ("--with", "window=2")))
    assert plain["method"] == changed["method"] == "occlusion" and plain["score"] != changed["score"]


def test_the_pictures_that_excite_a_channel_most_are_found(folder):
    Path("photos").mkdir()
    Image.new("RGB", (32, 32), "white").save("photos/white.png")
    Image.new("RGB", (32, 32), "black").save("photos/black.png")
    run("examples", "0:1", "2", *OWN, "--data", "photos", "--top", "1", "--out", "best.json")
    told = json.loads(Path("best.json").read_text())
    assert [len(unit["examples"]) for unit in told["units"]] == [1, 1] and told["pictures"] == 2
    assert "no such folder" in refused("examples", "0:1", *OWN, "--data", "nowhere")


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    shell = {"_PELLUCID_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("pellucid", *words)), "COMP_CWORD": str(len(words))}
    code = (
        "import sys; from pellucid.cli import main\ntry: main(prog_name='pellucid')\nfinally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | shell, capture_output=True, text=True, timeout=60)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_names_are_completed_without_pytorch():
    assert completed("explain", "--method", "lrp.epsilon_p") == ["lrp.epsilon_plus", "lrp.epsilon_plus_flat"]
    assert completed("compare", "--methods", "lrp,occ") == ["lrp,occlusion"]
    assert completed("explain", "--model", "efficientnet_lite1")[0] == "efficientnet_lite1"
    assert completed("maximize", "--recipe", "lu") == ["lucid"]
    assert completed("exa") == ["examples"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell):
    assert "_PELLUCID_COMPLETE" in run("completion", shell).stdout


REPRODUCED = ("png", "html", "json", "safetensors")


@pytest.fixture
def results(folder) -> Path:
    """A result in every format that can be computed again."""
    run("explain", "cat.jpg", *OWN, "--method", "rise", "--with", "budget=40", "--target", "2", "--view", "map,regions",
        "--format", ",".join(REPRODUCED))  # fmt: skip
    return folder


@pytest.mark.parametrize("suffix", REPRODUCED)
def test_a_result_is_computed_again_from_what_its_file_says(results, suffix):
    (file,) = Path.cwd().glob(f"cat.rise*.{suffix}")
    out = run("repro", str(file), "--trust").stdout
    assert "rise -> logit 2" in out and "Largest difference: 0 (nothing differs)." in out
    assert "Add --trust" in refused("repro", str(file))


@pytest.mark.parametrize("suffix", REPRODUCED)
def test_other_weights_differ_by_more_than_rounding(results, suffix):
    weights = load_file("net.safetensors")
    save_file({name: -2 * value for name, value in weights.items()}, "net.safetensors")
    (file,) = Path.cwd().glob(f"cat.rise*.{suffix}")
    told = json.loads(run("repro", str(file), "--trust", "--json", code=1).stdout)
    assert not told["same"] and (told["difference"] is None or told["difference"] > 0.01)


def test_what_cannot_be_computed_again_is_refused(folder):
    Image.new("RGB", (9, 9)).save("plain.png")
    assert "no provenance" in refused("repro", "plain.png")
    assert "such files do not say where they come from" in refused("repro", "cat.jpg")
    run("compare", "cat.jpg", *OWN, "--methods", "gradient,saliency", "--out", "two.png")
    assert "results of other commands" in refused("repro", "two.png")
