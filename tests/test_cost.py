"""What a long method will cost, said before it begins: the count, the time, a cheaper setting; and nothing of short work."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import pellucid as pl
from pellucid import zoo
from pellucid.catalogue.cheaper import CHEAPER, Cheaper
from pellucid.catalogue.methods import entry, method
from pellucid.cli import main
from pellucid.core import notebook, progress
from pellucid.core.progress import announced
from pellucid.explanation.passes import Passes
from pellucid.verbs import cost


class Counting(nn.Module):
    """A network that counts the samples that went through it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.samples = nn.Linear(20, 3), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.samples += len(x)
        return self.linear(x)


@pytest.fixture
def net() -> Counting:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Counting().eval()


X = torch.linspace(-1, 1, 20)[None]


def said(net: nn.Module, chosen: object, monkeypatch: pytest.MonkeyPatch, long_s: float = 0.0, listens: bool = True) -> list[str]:
    """What is said of a run, beyond so many seconds."""
    monkeypatch.setattr(cost, "LONG_S", long_s)
    lines: list[str] = []
    with announced(lambda one: lines.append(one.line("--with "))) if listens else nullcontext():
        pl.explain(net, X, target=0, method=chosen, verify=False)
    return lines


def test_long_work_is_announced_with_its_passes_and_its_time(net, monkeypatch):
    (line,) = said(net, pl.perturb.rise(budget=300), monkeypatch)
    assert line.startswith("rise: 302 forward passes, about ") and line.endswith(" s on this machine")


def test_backward_passes_are_announced_too(net, monkeypatch):
    (line,) = said(net, pl.gradient.SmoothGrad(n=40), monkeypatch)
    assert line.startswith("smoothgrad: 41 forward and 40 backward passes, about ")


def test_work_that_may_end_early_has_its_least_and_its_most(net, monkeypatch):
    (line,) = said(net, pl.gradient.Integrated(), monkeypatch)
    assert line.startswith("integrated_gradients: at most 482 forward and 480 backward passes, between ")


def test_nothing_is_said_below_the_threshold(net, monkeypatch):
    assert said(net, pl.perturb.rise(budget=300), monkeypatch, long_s=1e6) == []


def test_few_passes_are_not_timed_and_nobody_is_told(net, monkeypatch):
    monkeypatch.setattr(cost, "seconds_each", lambda *_: pytest.fail("a pass was timed"))
    assert said(net, pl.perturb.rise(budget=cost.FEW - 2), monkeypatch) == []
    assert said(net, pl.perturb.rise(budget=300), monkeypatch, listens=False) == []


def test_short_work_takes_no_pass_more_and_long_work_one_batch(net, monkeypatch):
    def samples(budget: int, *, listens: bool) -> int:
        net.samples = 0
        said(net, pl.perturb.rise(budget=budget), monkeypatch, listens=listens)
        return net.samples

    samples(20, listens=False)  # once more, for what is known of a network after it
    assert samples(20, listens=True) == samples(20, listens=False)
    assert samples(300, listens=True) == samples(300, listens=False) + 302 // cost.SHARE


def test_regions_are_found_once(net, monkeypatch):
    calls: list[int] = []

    class Halves(pl.perturb.Entries):
        def of(self, x, model):
            calls.append(1)
            return super().of(x, model)

    lines = said(net, pl.perturb.lime(Halves(), budget=300, imputer=0.0), monkeypatch)
    assert len(calls) == 1 and len(lines) <= 1


def test_a_measured_cheaper_setting_is_named_for_defaults_only(net, monkeypatch):
    monkeypatch.setitem(cost.CHEAPER, "rise", Cheaper({"budget": 500}, 0.954))
    (line,) = said(net, "rise", monkeypatch)
    assert line.startswith("rise: 4,002 forward passes, ") and "; --with budget=500 takes about " in line
    assert line.endswith("gives nearly the same map (rank correlation 0.95 on three photographs)")
    (own,) = said(net, pl.perturb.rise(budget=3000), monkeypatch)
    assert own.endswith("on this machine")
    monkeypatch.setitem(cost.CHEAPER, "rise", Cheaper({"budget": 3900}, 0.99))  # saves too little
    assert said(net, "rise", monkeypatch)[0].endswith("on this machine")


def test_of_many_samples_the_first_alone_is_announced(net, monkeypatch):
    monkeypatch.setattr(cost, "LONG_S", 0.0)
    lines: list[str] = []
    with announced(lambda one: lines.append(one.line())):
        many = pl.explain(net, (X for _ in range(3)), target=0, method=pl.perturb.rise(budget=200))
        assert len(list(many)) == 3 and len(lines) == 1


@pytest.mark.parametrize("name", CHEAPER)
def test_cheaper_settings_are_options_that_take_fewer_passes_on_a_photograph(name):
    x, model = torch.zeros(1, 3, 224, 224), pl.load(nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2)).eval())
    known = CHEAPER[name]
    usual, fewer = (cost._passes(method(name, **options), model, x, pl.logit(0)) for options in ({}, known.settings))
    assert set(known.settings) <= set(entry(name).settings()) and 0.9 <= known.correlation <= 1
    assert fewer.timed < 0.8 * usual.timed


def test_a_network_that_does_not_run_like_that_is_not_announced(monkeypatch):
    def only_one(x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            raise RuntimeError("never so many")
        return x[:, :2]

    net = pl.load(only_one)
    assert cost.seconds_each(net, X, Passes(301, batch=301)) is None
    assert cost.seconds_each(net, X, Passes(301, batch=2)) > 0


# -- where it is said ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(zoo.pictures()["chelsea"], "cat.jpg")
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()
    torch.jit.script(net).save("net.pt")
    return tmp_path


def run(*args: str):
    pixels = ["--size", "16", "--mean", ".5,.5,.5", "--std", ".5,.5,.5"]
    return CliRunner().invoke(
        main, ["explain", "cat.jpg", "--model", "net.pt", "--trust", *pixels, *args], catch_exceptions=False
    )


def test_the_command_line_says_it_on_stderr_alone(folder, monkeypatch):
    monkeypatch.setattr(cost, "LONG_S", 0.0)
    result = run("--method", "rise", "--with", "budget=200", "--json")
    assert result.exit_code == 0 and "rise: 202 forward passes, about " in result.stderr
    assert json.loads(result.stdout) and "forward passes, about" not in result.stdout


def test_the_command_line_says_it_once_for_many_pictures(folder, monkeypatch):
    monkeypatch.setattr(cost, "LONG_S", 0.0)
    shutil.copy("cat.jpg", "other.jpg")
    result = run("other.jpg", "--method", "rise", "--with", "budget=200")
    assert result.exit_code == 0 and result.stderr.count("forward passes, about") == 1


def test_the_command_line_says_nothing_of_short_work(folder):
    result = run("--method", "rise", "--with", "budget=200")
    assert result.exit_code == 0 and "passes, about" not in result.stderr


def test_scripts_hear_of_it_only_where_they_ask(net, monkeypatch, capsys):
    monkeypatch.setattr(cost, "LONG_S", 0.0)
    pl.explain(net, X, target=0, method=pl.perturb.rise(budget=200))
    assert capsys.readouterr().err == ""
    try:
        pl.progress(True)
        pl.explain(net, X, target=0, method=pl.perturb.rise(budget=200))
    finally:
        pl.progress(None)
    captured = capsys.readouterr()
    assert "rise: 202 forward passes, about " in captured.err and captured.out == ""


def test_a_notebook_shows_it_above_the_bar(net, monkeypatch):
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(cost, "LONG_S", 0.0)
    monkeypatch.setattr(notebook, "in_notebook", lambda: True)
    monkeypatch.setattr(notebook, "display", lambda bundle, **_: shown.append(bundle))
    progress._bars.cache_clear()
    pl.explain(net, X, target=0, method=pl.perturb.rise(budget=200))
    assert shown[0]["text/plain"].startswith("rise: 202 forward passes, about ")
