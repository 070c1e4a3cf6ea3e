"""Real pictures that units answer to: planted nets, whose best pictures, places and receptive fields are known by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import pellucid as pl
from pellucid.cli import main
from pellucid.core.progress import watched
from pellucid.model import Model
from pellucid.render.examples import masked
from pellucid.synth.examples.receptive_field import receptive_field
from pellucid.synth.examples.top_activating import BATCH
from pellucid.verbs.examples import Examples, examples


class Spots(nn.Module):
    """Unit 0 finds bright pixels, unit 1 dark ones, unit 2 nothing at all; classes 0 and 1 are for and against unit 0."""

    def __init__(self) -> None:
        super().__init__()
        self.find = nn.Conv2d(1, 3, 1)
        self.find.weight.data.copy_(torch.tensor([1.0, -1.0, 1.0]).view(3, 1, 1, 1))
        self.find.bias.data.copy_(torch.tensor([0.0, 0.0, -100.0]))
        self.act = nn.ReLU()
        self.classes = nn.Linear(3, 2, bias=False)
        self.classes.weight.data.copy_(torch.tensor([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]]))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classes(self.act(self.find(x)).mean((2, 3)))
        return y


def spots(*found: tuple[int, int, int, float], n: int = 6, side: int = 8) -> Tensor:
    """Pictures that are zero but for pixels (picture, row, column, value)."""
    x = torch.zeros(n, 1, side, side)
    for picture, row, column, value in found:
        x[picture, 0, row, column] = value
    return x


SPOTS = spots((1, 2, 3, 5.0), (4, 7, 0, 9.0), (3, 1, 1, -4.0), (5, 6, 6, 2.0))


def refusal(call: Any, match: str, kind: type[pl.PellucidError]) -> None:
    with pytest.raises(kind, match=match) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))


# -- by activation --------------------------------------------------------------------------------------------------------


def test_the_pictures_a_unit_fires_on_are_found_with_value_and_place():
    found = examples(Spots().eval(), ["act:0", "act:1"], SPOTS, top=3)
    assert found.indices == [[4, 1, 5], [3, 0, 1]]
    assert found.values == [[9.0, 5.0, 2.0], [4.0, 0.0, 0.0]]
    assert [one.position for one in found[0]] == [(7, 0), (2, 3), (6, 6)]
    assert found[0][0].crop.shape == (1, 1, 1) and float(found[0][0].crop) == 9.0
    assert found.seen == 6 and "act" in repr(found[0][0])


def test_a_unit_that_never_fires_has_no_examples():
    found = examples(Spots().eval(), ["act:2", "act:0"], SPOTS)
    assert found[0] == () and found.silent == (True, False)
    assert "channel 2 of act had the same value for all 6 pictures" in found.notes[0]


def test_a_bounded_unit_at_its_ceiling_is_not_silent_and_its_mean_decides():
    net = nn.Sequential(nn.Hardtanh(0, 1), nn.Flatten(), nn.Linear(64, 2)).eval()
    x = torch.zeros(3, 1, 8, 8)
    x[:, 0, 0, 0], x[1, 0, :4] = 7.0, 2.0
    found = examples(net, "0:0", x, top=2)
    assert found.indices == [[1, 0]] and found.values == [[1.0, 1.0]] and not found.silent[0]


def test_peak_and_mean_choose_otherwise():
    x = spots((0, 0, 0, 5.0))
    x[2] = 1.0
    assert examples(Spots().eval(), "act:0", x, top=1).indices == [[0]]
    mean = examples(Spots().eval(), "act:0", x, top=1, pool="mean")
    assert mean.indices == [[2]] and mean.values == [[1.0]]


def test_a_layer_alone_means_all_of_its_channels():
    net = Spots().eval()
    found = examples(net, "act", SPOTS, top=2)
    alone = [examples(net, f"act:{unit}", SPOTS, top=2) for unit in range(3)]
    assert found.units == tuple(one.units[0] for one in alone)
    assert found.indices == [one.indices[0] for one in alone] and found.values == [one.values[0] for one in alone]


def test_classes_positions_and_sums_are_ranked_by_what_they_say():
    targets = [0, pl.channel("act", 0, (7, 0)), pl.logit(0) - pl.logit(1)]
    found = examples(Spots().eval(), targets, SPOTS, top=1)
    assert found.indices == [[4], [4], [4]]
    assert found[0][0].position is None and found[0][0].box == ((0, 8), (0, 8))
    assert found[1][0].position == (7, 0) and found[1][0].value == 9.0
    assert found[2][0].value == pytest.approx(9 / 64)


def test_one_pass_over_batches_gives_what_sorting_everything_gives(rng: torch.Generator):
    x = torch.randn(2 * BATCH + 9, 1, 4, 4, generator=rng)
    net = Spots().eval()
    found = examples(net, "act", x, top=7)
    with torch.no_grad():
        every = net.act(net.find(x)).flatten(2).amax(2)
    for unit in (0, 1):
        assert found.indices[unit] == every[:, unit].argsort(descending=True, stable=True)[:7].tolist()


def test_of_a_loader_only_the_best_pictures_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pellucid.synth.pictures.KEPT", 64)  # entries: a loader is then gone through, not kept
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(SPOTS), batch_size=2)
    found = examples(Spots().eval(), ["act:0", "act:1"], loader, top=1)
    assert found.indices == [[4], [3]]
    assert set(found[0][0].source.kept) == {3, 4}
    assert torch.equal(found[0][0].image, SPOTS[4])


def test_fewer_pictures_than_asked_for_are_all_there_are():
    assert len(examples(Spots().eval(), "act:0", SPOTS, top=50)[0]) == 6


def test_tokens_are_places(rng: torch.Generator):
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.block(x).mean(1)

    x = torch.zeros(4, 5, 3)
    x[0, 0, 1], x[2, 3, 1] = 9.0, 4.0
    found = examples(Sequence().eval(), [pl.channel("block", 1, tokens=how) for how in ("all", "patch", "cls", 3)], x, top=1)
    assert [(row[0].index, row[0].position) for row in found] == [(0, (0,)), (2, (3,)), (0, (0,)), (2, (3,))]


# -- what a unit can see --------------------------------------------------------------------------------------------------


TWO = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 5, stride=2, padding=2)).eval()


@pytest.mark.parametrize(
    ("position", "box"), [((4, 4), ((5, 12), (5, 12))), ((0, 0), ((0, 4), (0, 4))), ((7, 3), ((11, 16), (3, 10)))]
)
def test_the_receptive_field_of_two_convolutions_is_known(position: tuple[int, int], box: Any):
    """3 x 3, then 5 x 5 by steps of 2: seven lines around pixel 2 i, cut at the rim."""
    with torch.no_grad():
        field = receptive_field(Model(TWO, "two", "", TWO), torch.randn(1, 1, 16, 16), "2")
    assert field.box(position) == box


def test_a_dark_rectifier_and_a_lost_pool_hide_nothing():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.MaxPool2d(2)).eval()
    net[0].bias.data.fill_(-100.0)
    x = torch.rand(1, 1, 10, 10)
    assert receptive_field(Model(net, "dark", "", net), x, "2").box((1, 2)) == ((2, 6), (4, 8))


def test_where_everything_is_read_the_field_is_the_whole_picture():
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x - x.mean((2, 3), keepdim=True)).flatten(1)

    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            if not x.isfinite().all():
                raise ValueError("no numbers")
            return self.conv(x).flatten(1)

    for net in (Centred().eval(), Careful().eval()):
        assert receptive_field(Model(net, "n", "", net), torch.rand(1, 1, 8, 8), "conv").box((4, 4)) == ((0, 8), (0, 8))


def test_signals_and_volumes_have_fields():
    line = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1, dilation=1), nn.ReLU()).eval()
    assert receptive_field(Model(line, "l", "", line), torch.zeros(1, 2, 20), "1").box((10,)) == ((9, 12),)
    cube = nn.Conv3d(1, 1, (1, 3, 5), padding=(0, 1, 2)).eval()
    seen = receptive_field(Model(nn.Sequential(cube), "c", "", nn.Sequential(cube)), torch.zeros(1, 1, 4, 6, 8), "0")
    assert seen.box((1, 3, 4)) == ((1, 2), (2, 5), (2, 7))


def test_the_whole_picture_is_shown_where_no_crop_is_wanted():
    assert examples(Spots().eval(), "act:0", SPOTS, crop=False)[0][0].box == ((0, 8), (0, 8))


# -- what it looks at -----------------------------------------------------------------------------------------------------


def test_the_mask_is_the_relevance_of_the_unit_where_it_peaked():
    mask = examples(Spots().eval(), "act:0", SPOTS)[0][0].mask
    assert mask is not None and mask.shape == (8, 8)
    assert float(mask[7, 0]) == pytest.approx(9.0, rel=1e-3) and int((mask != 0).sum()) == 1


def test_only_what_is_shown_is_explained():
    asked = []

    class Counting:
        name, signed = "counting", True

        def attribute(self, model: Any, x: Tensor, target: Any, at: Any = None) -> Any:
            asked.append(len(x))
            return pl.catalogue.method("gradient_x_input").attribute(model, x, target, at)

    found = examples(Spots().eval(), "act", SPOTS, method=Counting())
    assert not asked
    assert found[0][0].mask is found[0][0].mask and asked == [1]


# -- by relevance ---------------------------------------------------------------------------------------------------------


def test_the_pictures_a_unit_is_used_for_differ_from_those_it_fires_on():
    x = spots((0, 0, 0, 6.0), (0, 1, 1, -9.0), (1, 2, 2, 4.0))  # the first is of class 1, whatever unit 0 says
    net = Spots().eval()
    assert examples(net, "act:0", x, top=1).indices == [[0]]
    used = examples(net, "act:0", x, top=1, by="relevance")
    assert used.indices == [[1]] and used.by == "relevance"
    assert used[0][0].value == pytest.approx(4 / 64, rel=1e-3) and used[0][0].position == (2, 2)


def test_the_class_that_relevance_is_for_can_be_said():
    x = spots((0, 0, 0, 6.0), (0, 1, 1, -9.0), (1, 2, 2, 4.0))
    net = Spots().eval()
    assert examples(net, "act:0", x, top=1, by="relevance", target=0).indices == [[0]]
    each = examples(net, "act:0", x, top=1, by="relevance", target=torch.tensor([1, 0, 0, 0, 0, 0]))
    assert each.indices == [[1]]
    refusal(lambda: examples(net, "act:0", x, by="relevance", target=[0, 1]), "each picture has one", pl.InputError)


def test_relevance_is_of_units_inside():
    refusal(lambda: examples(Spots().eval(), 0, SPOTS, by="relevance"), "Name a unit", pl.MethodError)


# -- what is refused, and what is left alone ------------------------------------------------------------------------------


def test_settings_that_cannot_be_are_refused():
    net = Spots().eval()
    refusal(lambda: examples(net, "act:0", SPOTS, top=0), "top is 1 or more", pl.MethodError)
    refusal(lambda: examples(net, [], SPOTS), "Name one", pl.InputError)
    refusal(lambda: examples(net, "act:7", SPOTS), "channels run 0-2", pl.TargetError)
    refusal(lambda: examples(net, None, SPOTS), "Name it", pl.TargetError)


def test_called_off_it_returns_what_there_is(rng: torch.Generator):
    x = torch.randn(3 * BATCH, 1, 4, 4, generator=rng)
    with watched(lambda done, total, what: what == "pictures"):
        found = examples(Spots().eval(), "act:0", x, top=1)
    assert found.seen < len(x) and "Called off after" in found.notes[0]


def test_nothing_is_changed():
    net, x = Spots().eval(), SPOTS.clone()
    before, state = {name: p.clone() for name, p in net.state_dict().items()}, torch.get_rng_state()
    found = examples(net, ["act:0"], x, by="relevance")
    found.computed()
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(x, SPOTS)
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


# -- sheets ---------------------------------------------------------------------------------------------------------------


def test_examples_are_drawn_and_written(tmp_path: Path):
    found: Examples = examples(Spots().eval(), ["act:0", "act:2"], SPOTS, top=2)
    with Image.open(found.save(tmp_path / "units.png")) as image:
        assert image.width > 2 * 224 and "act" in image.info["Description"]
    told = json.loads(found.save(tmp_path / "units.json").read_text())
    assert told["units"][0]["examples"][0] == {
        "picture": 4, "index": 4, "value": 9.0, "position": [7, 0], "box": [[7, 8], [0, 1]],
    }  # fmt: skip
    assert told["units"][1]["silent"] and told["notes"]


def test_what_a_unit_does_not_look_at_is_faint():
    x = torch.full((2, 1, 32, 32), -1.0)
    x[1, 0, 4, 4] = 3.0
    example = examples(Spots().eval(), "act:0", x, top=1, crop=False)[0][0]
    shown = np.asarray(masked(example, 32).convert("L")).astype(int)
    assert shown[20, 20] > 150 and shown[4, 5] < 20  # black far from the spot turned grey; beside it, black stayed


def test_real_pictures_stand_beside_those_made(tmp_path: Path):
    net = Spots().eval()
    p = pl.maximize(net, ["act:0", "act:2"], "simonyan2013", steps=2, shape=(1, 8, 8), seeds=2, data=SPOTS, beside=2)
    assert [one.index for one in p.examples(0)] == [4, 1] == [one.index for one in p.examples(1)]
    assert p.examples(2) == ()
    alone = pl.maximize(net, ["act:0", "act:2"], "simonyan2013", steps=2, shape=(1, 8, 8), seeds=2)
    assert alone.real is None and torch.equal(alone.images, p.images)
    with Image.open(p.save(tmp_path / "p.png")) as wide, Image.open(alone.save(tmp_path / "alone.png")) as narrow:
        assert wide.width > narrow.width
    told = json.loads(p.save(tmp_path / "p.json").read_text())
    assert told["real"]["units"][0]["examples"][0]["index"] == 4
    assert [one.index for one in alone.beside(SPOTS, top=1).examples(0)] == [4]


def test_recipes_that_ask_for_data_show_none_unless_told_to():
    p = pl.maximize(Spots().eval(), "act:0", "caricature", steps=2, shape=(1, 8, 8), data=SPOTS[4:5].repeat(2, 1, 1, 1))
    assert p.real is None


def test_pictures_without_their_task_are_refused():
    bare = pl.Maximized(torch.rand(1, 1, 2, 2), torch.ones(1), ("logit 0",), "lucid", (0,), torch.zeros(1, 1))
    refusal(lambda: bare.beside(SPOTS), "Ask the result of", pl.InputError)
    refusal(lambda: bare.trust(), "Ask the result of", pl.InputError)


# -- the command line -----------------------------------------------------------------------------------------------------


def small() -> nn.Module:
    """Its output is its only unit worth asking for: how bright the picture's left half is, and its right."""
    return nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(6, 2))


@pytest.fixture
def halves(tmp_path: Path) -> list[str]:
    """A model file and a folder of four pictures, white on the left or on the right."""
    net = small()
    weight = torch.zeros(2, 6)
    weight[0, 0::2], weight[1, 1::2] = 1.0, 1.0
    net[2].weight.data.copy_(weight)
    net[2].bias.data.zero_()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(4):
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:, slice(0, 4) if i % 2 else slice(4, 8)] = 255 - 10 * i
        Image.fromarray(pixels).save(folder / f"{i}.png")
    source = ["--model", str(tmp_path / "net.safetensors"), "--builder", "tests.test_examples:small", "--size", "8"]
    return [*source, "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--data", str(folder), "--out", str(tmp_path / "out")]


def test_the_command_shows_real_pictures(halves: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(Path(__file__).parent.parent)
    done = CliRunner().invoke(main, ["maximize", "0", "--recipe", "simonyan2013", "--steps", "2", "--beside", "1", *halves])
    assert done.exit_code == 0, done.output
    assert "highest among the real pictures: 1.png (" in done.output
    told = json.loads((tmp_path / "out" / "0.simonyan2013.json").read_text())
    assert [Path(one["picture"]).name for one in told["real"]["units"][0]["examples"]] == ["1.png"]


def test_the_command_judges(halves: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(Path(__file__).parent.parent)
    asked = ["maximize", "0", "--recipe", "simonyan2013", "--steps", "2", "--judge", "--other", str(tmp_path / "net.safetensors")]
    done = CliRunner().invoke(main, [*asked, *halves])
    assert done.exit_code == 0, done.output
    assert "above real" in done.output and "other network" in done.output and "rank 1" in done.output
    trust = json.loads((tmp_path / "out" / "0.simonyan2013.json").read_text())["trust"]
    assert trust["verdicts"][0]["opinions"][0]["rank"] == 1 and trust["real"] == 4
