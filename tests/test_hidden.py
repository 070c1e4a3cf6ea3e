"""The suites: hidden parts and pasted objects, what they measure, and how they are told."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import pellucid as pl
from pellucid.cli import main
from pellucid.core.progress import watched
from pellucid.errors import InputError, MethodError, OutputError
from pellucid.verbs.suites import hidden, hidden_parts, marks, pasted_object
from pellucid.verbs.suites.findings import mean_interval
from pellucid.zoo import truth

QUICK = {"seeds": [4], "steps": 250, "n": 96}  # one network


@pytest.fixture(scope="module")
def found():
    return hidden_parts(["lrp", "lrp.epsilon", "sensitivity"], ("grey", "zero"), **QUICK)


# marks


def half(rows):
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, rows] = True
    return mask


SEEN, HIDES = half(slice(0, 1)), half(slice(1, 4))


def test_marks_are_what_the_formulas_say(rng):
    heat = torch.randn(5, 4, 4, generator=rng)
    found = marks(heat, SEEN.expand(5, 4, 4), HIDES.expand(5, 4, 4))
    for i, one in enumerate(heat):
        seen, hides = one[0], one[1:]
        assert found["win"][i] == float(hides.abs().mean() > seen.abs().mean())
        assert found["hit"][i] == float(one.abs().argmax() < 4)
        assert found["netshare"][i] == pytest.approx(float(hides.sum().abs() / (hides.sum().abs() + seen.sum().abs())))
        assert found["load"][i] == pytest.approx(float(hides.abs().mean() / one.abs().mean()))


def test_equal_pixels_share_a_hit_and_do_not_win():
    found = marks(torch.ones(1, 4, 4), SEEN, HIDES)
    assert {name: float(value) for name, value in found.items()} == {"win": 0, "hit": 0.25, "netshare": 0.75, "load": 1}


@pytest.mark.parametrize("heat", [torch.zeros(1, 4, 4), torch.full((1, 4, 4), torch.nan), torch.full((1, 4, 4), torch.inf)])
def test_maps_that_mark_nothing_have_no_marks(heat):
    assert all(value.isnan().all() for value in marks(heat, SEEN, HIDES).values())


def test_the_size_of_a_map_does_not_count(rng):
    heat = torch.randn(1, 4, 4, generator=rng)
    for name, value in marks(-7 * heat, SEEN, HIDES).items():
        assert torch.allclose(value, marks(heat, SEEN, HIDES)[name]), name


# what the experiment shows


def test_sensitivity_marks_what_is_not_there_and_the_default_does_not(found):
    assert found["sensitivity", "grey", "win"] >= 0.5 > 0.2 > found["lrp", "grey", "win"]
    assert found["sensitivity", "grey", "hit"] < 0.5 < 0.8 < found["lrp", "grey", "hit"]


def test_epsilon_is_zero_where_the_input_is(found):
    assert found["lrp.epsilon", "zero", "win"] == found["lrp.epsilon", "zero", "netshare"] == 0
    assert found["lrp.epsilon", "zero", "hit"] == 1


def test_epsilon_marks_what_is_grey(found):
    assert found["lrp.epsilon", "grey", "win"] > 0.4 > found["lrp.epsilon", "grey", "netshare"]


def test_the_controls_say_that_the_network_knows_and_what_it_would_know(found):
    controls = {(row["condition"], row["metric"]): row["score"] for row in found.rows if row["method"] == "control"}
    for occluder in ("grey", "zero"):
        assert controls[occluder, "named right"] > 0.9
        assert controls[occluder, "score when revealed"] > 3 > 0 > controls[occluder, "score with nothing visible"]
    assert controls["zero", "|score| when drawn anew"] == 0 < controls["grey", "|score| when drawn anew"] < 1


def test_it_is_seeded_and_leaves_random_numbers_alone(found):
    before = torch.random.get_rng_state()
    again = hidden_parts(["lrp"], ("grey",), **QUICK)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert again["lrp", "grey", "netshare"] == found["lrp", "grey", "netshare"]


@pytest.mark.slow
def test_the_claim_holds_over_networks():
    found = hidden_parts(["lrp", "lrp.epsilon", "sensitivity"])
    rows = {(row["method"], row["condition"], row["metric"]): row for row in found.rows}
    assert rows["sensitivity", "grey", "win"]["low"] >= 0.5
    assert rows["lrp", "grey", "win"]["score"] < 0.2 and rows["lrp", "noise", "win"]["score"] < 0.2
    epsilon = rows["lrp.epsilon", "zero", "win"]
    assert epsilon["score"] == epsilon["low"] == epsilon["high"] == 0


# telling


def test_rows_are_plain_and_name_everything(found):
    measured = [row for row in found.rows if row["method"] != "control"]
    assert len(measured) == 3 * 2 * 3
    assert all(row["n"] == 1 and row["low"] is None and 0 <= row["score"] <= 1 for row in measured)
    assert json.loads(json.dumps(found.rows)) == found.rows
    assert repr(found) == "Findings(hidden-parts: 3 methods, grey, zero)"


def test_the_interval_over_seeds_is_students():
    from scipy import stats

    for n in (2, 3, 5, 11, 12, 30):
        values = torch.randn(n, generator=torch.Generator().manual_seed(n)).double()
        low, high = mean_interval(values, "seeds")
        expected = stats.t.interval(0.95, n - 1, loc=float(values.mean()), scale=float(values.std()) / n**0.5)
        assert (low, high) == pytest.approx(expected, rel=5e-3, abs=5e-3)
    assert all(end != end for end in mean_interval(torch.ones(1), "seeds"))


def test_the_verdict_puts_every_method_in_its_place(found):
    assert "These mark more per pixel on what hides than on what is seen at least half of the time: " in found.verdict
    assert "sensitivity (0." in found.verdict and "with every occluder: lrp (0." in found.verdict


def test_findings_are_saved_in_three_formats(found, tmp_path):
    for suffix in (".csv", ".json", ".md"):
        assert found.save(tmp_path / f"f{suffix}").exists()
    with (tmp_path / "f.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.rows) and rows[0]["method"] == "lrp"
    told = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert told["rows"] == found.rows and told["verdict"] == found.verdict
    page = (tmp_path / "f.md").read_text(encoding="utf-8")
    assert "| occluder | method | WIN |" in page and "grey: named right" in page and found.verdict in page
    with pytest.raises(OutputError, match=r"\.csv, \.json, \.md"):
        found.save(tmp_path / "f.txt")


def test_printing_shows_the_table(found):
    lines = str(found).splitlines()
    assert lines[2].split()[:3] == ["occluder", "method", "WIN"] and lines[3].split()[:2] == ["grey", "lrp"]


# asking wrongly


def test_what_was_not_measured_is_refused(found):
    with pytest.raises(MethodError, match=r"gradcam, grey, win of hidden-parts: found methods lrp, lrp\.epsilon, sensitivity"):
        found["gradcam", "grey", "win"]


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"occluders": ("fog",)}, MethodError, "hidden parts behind 'fog'"),
        ({"seeds": 0}, InputError, "no seed"),
        ({"occluders": ()}, InputError, "no occluder"),
        ({"methods": ["sensitvity"]}, MethodError, "sensitivity"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_trained(asked, error, words):
    with pytest.raises(error, match=words):
        hidden_parts(**asked)


class Broken:
    name, signed = "broken", True

    def attribute(self, model, x, target, at=None):
        raise RuntimeError("out of ink")


def test_a_method_that_fails_does_not_keep_the_others(found):
    both = hidden_parts({"lrp": "lrp", "ours": Broken()}, ("grey",), **QUICK)
    assert both.methods == ("lrp",) and "out of ink" in str(both.failures["ours"]) and "ours: " in str(both)
    with pytest.raises(RuntimeError, match="out of ink"):
        hidden_parts([Broken()], ("grey",), **QUICK)


def test_it_can_be_called_off(found):
    with watched(lambda done, total, what: done >= 1):
        some = hidden_parts(["lrp", "sensitivity"], ("grey",), **QUICK)
    assert some.methods == ("lrp",)
    with watched(lambda done, total, what: True), pytest.raises(InputError, match="called off"):
        hidden_parts(["lrp"], ("grey",), **QUICK)


# pasted objects


PLANTED = truth.planted_patterns(6, seed=0)


def test_no_relevance_falls_on_an_object_that_the_network_does_not_see():
    found = pasted_object(PLANTED.model, PLANTED.inputs, ["lrp", "gradient_x_input"], ("grey",), places=6)
    for method in ("lrp", "gradient_x_input"):
        assert found[method, "grey", "load"] == found[method, "grey", "win"] == found[method, "grey", "netshare"] == 0
        assert found[method, "grey", "hit"] == 1
    kept = next(row for row in found.rows if row["metric"] == "class kept")
    assert 0.3 < kept["score"] <= 1 and kept["n"] == 36


class Sum(torch.nn.Module):
    """One class sums up all pixels, the other a tenth of them."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum((1, 2, 3)), 0.1 * x.sum((1, 2, 3))], 1)


def test_a_map_of_the_object_itself_has_its_load():
    x = 0.1 + torch.zeros(2, 1, 20, 20)
    x[:, :, 0, 0], x[:, :, 0, 1] = 1.0, 0.0  # what grey is half of
    found = pasted_object(Sum().eval(), x, ["gradient_x_input", "gradient"], ("grey",), places=3, side=0.5)
    assert found["gradient", "grey", "load"] == pytest.approx(1) and found["gradient", "grey", "win"] == 0
    assert found["gradient_x_input", "grey", "win"] == 1 and found["gradient_x_input", "grey", "load"] > 2


def test_places_are_the_same_for_all_objects_and_drawn_by_the_seed():
    from pellucid.verbs.suites.pasted import _pasted

    model, x, classes = pl.load(PLANTED.model), PLANTED.inputs, PLANTED.labels
    grey, noise = (_pasted(model, x, classes, kind, 2, 0.35, 0) for kind in ("grey", "noise"))
    assert torch.equal(grey.masks, noise.masks) and (grey.masks.flatten(1).sum(1) == 64).all()
    assert not torch.equal(grey.masks, _pasted(model, x, classes, "grey", 2, 0.35, 1).masks)
    assert torch.equal(grey.x[:, 0][~grey.masks], grey.bare[:, 0][~grey.masks])
    assert not torch.equal(noise.x, noise.other)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"objects": ("tree",)}, "objects grey, noise, photograph"),
        ({"images": torch.ones(1, 1, 24, 24)}, "one picture"),
        ({"images": torch.ones(2, 24)}, "samples of shape"),
        ({"places": 0}, "places=0"),
        ({"side": 1.0}, "side=1.0"),
    ],
)
def test_objects_that_cannot_be_pasted_are_refused(asked, words):
    with pytest.raises((InputError, MethodError), match=words):
        pasted_object(**({"model": PLANTED.model, "images": PLANTED.inputs} | asked))


@pytest.mark.slow
def test_a_grey_object_gets_more_than_its_share_of_sensitivity_and_less_of_relevance():
    found = pasted_object(methods=["lrp", "sensitivity"], objects=("grey",), places=4)
    assert found["lrp", "grey", "load"] < 0.5 < 1 < found["sensitivity", "grey", "load"]


# the command


def run(*arguments: str):
    return CliRunner().invoke(main, ["evaluate", *arguments])


def test_the_command_prints_one_table_and_saves_it(monkeypatch, tmp_path):
    net = hidden._net(4, 250)  # it has learned another world: what counts here is the command
    monkeypatch.setattr(hidden, "_net", lambda world, steps: net)
    result = run("--suite", "hidden-parts", "--methods", "lrp,sensitivity", "--repeat", "1", "--out", str(tmp_path / "t.md"))
    assert result.exit_code == 0, result.output
    assert "WIN" in result.output and "Controls" in result.output and "Written: " in result.output
    assert (tmp_path / "t.md").read_text(encoding="utf-8").startswith("Hidden parts: 1 of 4 seen")
    told = json.loads(run("--suite", "hidden-parts", "--methods", "lrp", "--repeat", "1", "--json").stdout)
    assert told["suite"] == "hidden-parts" and told["rows"][0]["method"] == "lrp"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument 'PICTURES...'"),
        (("--suite", "hidden-parts", "cat.jpg"), "makes its own pictures"),
        (("--suite", "hidden-parts", "--target", "3"), "measures and targets of its own"),
        (("--suite", "hidden-parts", "--methods", "lrpp"), "Nearest: lrp"),
        (("--repeat", "2", "cat.jpg"), "--repeat belongs to --suite"),
        (("--suite", "lost-parts",), "'lost-parts' is not one of"),
    ],
)  # fmt: skip
def test_the_command_refuses(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2 and words in result.stderr
