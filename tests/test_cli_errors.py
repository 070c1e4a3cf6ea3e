"""What the command line says when a request cannot be met: one paragraph, in the words of its own options."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pellucid.cli.arguments import PLACEHOLDERS, in_options, suggestion
from pellucid.cli.errors import describe
from pellucid.errors import ModelError, NoRule, TargetError
from tests.test_cli import NET, OWN, PIXELS, WEIGHTS, folder, refused, run

__all__ = ["folder"]  # a fixture

NETS = f"""{NET}
def dense():
    return nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))

def wider():
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(20, 3))

def number():
    return 3
"""
COLUMNS = {"columns": [{"name": "age", "mean": 50, "std": 10}, {"name": "smoker", "values": ["no", "yes"]}, {"name": "dose"}]}
TABLE = ["--model", "dense.safetensors", "--builder", "toynet:dense", "--columns", "columns.json"]
PYTHON = re.compile(
    rf"(?<!--with )(?<![\w.-])({'|'.join(PLACEHOLDERS)}|masks|preprocess|trust|strict|shape|bounds|canvas)=|\bpl\."
)


@pytest.fixture
def unlucky(folder):
    """The folder, with all that goes wrong in one."""
    Path("toynet.py").write_text(NETS)
    names: dict[str, object] = {}
    exec(NETS, names)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(names["dense"]().state_dict(), "dense.safetensors")  # type: ignore[operator]
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).eval()
    torch.save(net, "pickled.pt")
    torch.save({"epoch": 3, "model": net.state_dict()}, "checkpoint.pth")
    Path("bad.onnx").write_bytes(b"nonsense")
    Path("bad.safetensors").write_bytes(b"nonsense")
    Path("odd.xyz").write_text("x")
    Path("notes.txt").write_text("a nice film")
    Path("columns.json").write_text(json.dumps(COLUMNS))
    Path("rows.csv").write_text("dose,age,smoker\n1.5,61,yes\n0.1,30,no\n")
    Path("head.csv").write_text("dose,age,smoker\n")
    Path("gap.csv").write_text("dose,age,smoker\nx,61,yes\n")
    Path("empty.csv").touch()
    np.savetxt("ecg.csv", np.zeros((9, 2)), delimiter=",")
    Path("empty").mkdir()
    Path("config").mkdir()
    Path("config/config.json").write_text('{"model_type": "bert"}')
    return folder


UNLUCKY = [
    (["explain"], "name a PICTURE or a file of text, or give --text"),
    (["explain", "gone.jpg", *OWN], "no file of that name"),
    (["explain", "empty", *OWN], "Pictures end in .jpg"),
    (["explain", "cat.jpg", "--model", "gone"], "`pellucid models` lists them all"),
    (["explain", "cat.jpg", "--model", "gone.pt"], "Check the path."),
    (["explain", "cat.jpg", "--model", "odd.xyz"], "no PyTorch, TorchScript, ONNX, Keras, GGUF or safetensors file"),
    (["explain", "cat.jpg", "--model", "bad.onnx", *PIXELS], "cut short or damaged"),
    (["explain", "cat.jpg", "--model", "empty"], "no config.json in it"),
    (["explain", "cat.jpg", "--model", "config"], "names no architecture"),
    (["explain", "cat.jpg", "--model", "hf:./gone"], "no folder gone"),
    (["explain", "cat.jpg", "--model", "net.safetensors"], "Say how the network is made: --builder MODULE:FUNCTION"),
    (["explain", "cat.jpg", "--model", "checkpoint.pth"], "--builder MODULE:FUNCTION"),
    (["explain", "cat.jpg", "--model", "bad.safetensors", "--builder", "toynet:make"], "cut short or damaged"),
    (["explain", "cat.jpg", "--model", "net.safetensors", "--builder", "toynet:wider"], "Give the builder the arguments"),
    (["explain", "cat.jpg", "--model", "net.safetensors", "--builder", "toynet:number"], "--builder MODULE:FUNCTION"),
    (["explain", "cat.jpg", "--model", "pickled.pt"], "If you trust who made the file: --trust."),
    (["explain", "cat.jpg", *WEIGHTS], "--size 224 --resize 256 --mean"),
    (["explain", "cat.jpg", *WEIGHTS, "--size", "0", "--mean", "0,0,0", "--std", "1,1,1"], "Correct that option"),
    (["explain", "cat.jpg", *OWN, "--interpolation", "magic"], "Pillow knows nearest"),
    (["explain", "cat.jpg", *OWN, "--target", "cat"], "load the model with --labels FILE."),
    (["explain", "cat.jpg", *OWN, "--target", "7"], "classes run 0-2"),
    (["explain", "cat.jpg", *OWN, "--at", "gone"], "`pellucid inspect MODEL --depth 9` lists all"),
    (["explain", "cat.jpg", *OWN, "--at", "4", "--method", "gradcam"], "Name a layer that returns"),
    (["explain", "cat.jpg", *OWN, "--method", "gone"], "`pellucid methods` lists all"),
    (["explain", "cat.jpg", *OWN, "--method", "chefer"], 'such as "lrp"'),
    (["explain", "cat.jpg", *OWN, "--view", "heat"], "Choose among map, outlines, regions"),
    (["explain", "cat.jpg", *OWN, "--like", "cat.jpg", "--target", "1"], "give one or the other"),
    (["explain", "--text", "nice", *OWN], "--model hf:"),
    (["explain", "notes.txt", *OWN], "a text for net: found a model that does not say how a text becomes its input"),
    (["explain", "rows.csv", *OWN], "--columns columns.json for a table"),
    (["explain", "empty.csv", *TABLE], "whose first line names the columns"),
    (["explain", "head.csv", *TABLE], "no rows below the first line"),
    (["explain", "gap.csv", *TABLE], "a number is needed there"),
    (["explain", "cat.jpg", *TABLE], "Give a CSV file"),
    (["explain", "rows.csv", *TABLE, "--row", "5"], "Ask for one of 0-1"),
    (["explain", "rows.csv", *TABLE, "--method", "gradcam"], 'such as "lrp"'),
    (["explain", "ecg.csv", *WEIGHTS, "--signal", "unit=mV"], "rate= is missing"),
    (["compare", "cat.jpg", "cat.jpg", *OWN], "at a time"),
    (["compare", "cat.jpg", *OWN, "--methods", ","], "Name some: --methods"),
    (["concepts", "cat.jpg", *OWN, "--at", "gone"], "`pellucid inspect MODEL --depth 9` lists all"),
    (["concepts", "cat.jpg", *OWN, "--at", "0", "--channels", "9"], "channels run 0-3"),
    (["concepts", "cat.jpg", *OWN, "--method", "occlusion"], 'Take "lrp"'),
    (["concepts", "cat.jpg", *OWN, "--data", "empty"], "Name the folder that holds them"),
    (["maximize", "0", *OWN, "--recipe", "gone"], "`pellucid recipes` lists all"),
    (["maximize", "0", *OWN, "--recipe", "lucid", "--with", "crops=x"], "the settings rate=0.05, steps=512, views=1"),
    (["maximize", "0", *OWN, "--recipe", "lucid", "--with", "steps"], "Write --with steps=64"),
    (["maximize", "0", *OWN, "--recipe", "dgn_am"], "or --prior FILE, which `pellucid prior fit` writes"),
    (["maximize", "0", *OWN, "--recipe", "mfv"], "Pass --data DIR"),
    (["maximize", "0", *OWN, "--recipe", "caricature"], "Pass --start picture, or --data folder"),
    (["maximize", "0", *OWN, "--prior", "net.safetensors", "--recipe", "ppgn"], "that `pellucid prior fit` wrote"),
    (["maximize", "0", *OWN, "--prior", "gone"], "Take recipe dgn_am or ppgn"),
    (["maximize", "0", *OWN, "--beside", "2"], "--beside 2: found no pictures of yours"),
    (["maximize", "0", *WEIGHTS], "Pass it: --size 224"),
    (["maximize", "gone:1", *OWN], "`pellucid inspect` lists all modules"),
    (["evaluate", "empty", *OWN], "Pictures end in .jpg"),
    (["evaluate", "cat.jpg", *OWN, "--metrics", "gone"], "`pellucid metrics` lists all"),
    (["evaluate", "cat.jpg", *OWN, "--metrics", "pointing_game"], "In Python: pass masks=, True where the truth lies"),
    (["evaluate", "cat.jpg", *OWN, "--target", "dog"], "--labels FILE"),
    (["evaluate", "cat.jpg", *OWN, "--repeat", "3"], "--repeat belongs to --suite"),
    (["evaluate", "--suite", "hidden-parts", "--metrics", "gone"], "leave out --metrics"),
    (["prior", "fit", "empty", *OWN, "--out", "p.txt"], "Name it x.safetensors"),
    (["prior", "fit", "cat.jpg", *OWN, "--out", "gone/p.safetensors"], "Make it first"),
    (["inspect", "net.safetensors"], "--builder MODULE:FUNCTION"),
    (["inspect", *WEIGHTS[1:]], "--shape 1,3,224,224"),
    (["inspect", *WEIGHTS[1:], "--shape", "3"], "--shape for `inspect`"),
    (["methods", "--family", "gone"], "Choose among lrp, gradient"),
    (["recipes", "gone"], "`pellucid recipes` lists all"),
    (["demo", "--out", "cat.jpg"], "Name a folder"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), UNLUCKY, ids=[" ".join(command) for command, _ in UNLUCKY])
def test_an_unlucky_command_is_answered_in_its_own_options(unlucky, command, expected):
    message = refused(*command)
    assert expected in message
    assert "In Python: " in message or not PYTHON.search(message.partition("the settings")[0]), message


def test_a_group_without_a_command_shows_its_help():
    assert run("prior", code=2).stderr.startswith("Usage: pellucid prior")


@pytest.mark.parametrize(
    ("python", "options"),
    [
        ('Name the module: at="layer4".', "Name the module: --at layer4."),
        ("Name one of them: at=...", "Name one of them: --at LAYER"),
        ("Load the model with preprocess=pl.Text(tokenizer).", "Load the model with --model hf:FOLDER, a folder"),
        ('Route it, composite.where(op="x", rule=pl.lrp.Route()), or give it a kind.', "Leave out --strict: "),
        ("Check the path, or pass an nn.Module.", "Check the path."),
        ("Write --with steps=64, say.", "Write --with steps=64, say."),
        ("Use semantics=1, or explain a layer: at=...", "In Python: use semantics=1, or explain a layer: at=..."),
        ("Fit it: pl.perturb.conditional_gaussian(data).", "In Python: fit it: pl.perturb.conditional_gaussian(data)."),
    ],
)
def test_suggestions_name_options_or_say_that_they_are_for_python(python, options):
    assert suggestion(python).startswith(options)


def test_an_error_stays_of_its_kind_and_keeps_what_was_found():
    error = in_options(NoRule("strict=True: a rule for sort", "steps=3 of it", "why=1", "Route it, composite.where(...)."))
    assert isinstance(error, NoRule) and error.asked == "--strict: a rule for sort" and error.found == "steps=3 of it"
    assert isinstance(in_options(TargetError("a", "b", "c", "d.")), TargetError)
    assert str(in_options(ModelError("a", "b", "c", "Pass labels=."))) == "a: found b; c. Pass --labels FILE."


def test_memory_that_runs_out_is_no_bug_of_ours():
    text, code = describe(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    )
    assert text.startswith("There is not enough memory for that") and code == 74
