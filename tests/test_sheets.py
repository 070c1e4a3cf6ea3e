"""Sheets: badges that stand on their regions, frames where maps are, rows without empty places, portraits in their size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.explanation.comparison import Agreement
from pellucid.explanation.regions import region
from pellucid.render.comparison import WIDE, comparison_sheet
from pellucid.render.concepts import frame_box
from pellucid.render.maximized import contact_sheet, portrait
from pellucid.render.parts.grid import per_row
from pellucid.render.parts.matrix import agreement
from pellucid.render.parts.outline import depth, resized_mask, tag
from pellucid.render.parts.pixels import SIDE

RING = np.hypot(*(np.indices((100, 100)) - 50))
SHAPES = {
    "disc": RING < 30,
    "ring": (RING < 40) & (RING > 25),
    "horseshoe": (RING < 40) & (RING > 28) & (np.indices((100, 100))[0] > 35),
    "corner": (np.indices((100, 100)) < 14).all(0),
    "line": np.indices((100, 100))[0] == 70,
    "speck": (np.abs(np.indices((100, 100)) - 20) < 2).all(0),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_badge_stands_on_its_region(name: str) -> None:
    mask, image = SHAPES[name], Image.new("RGB", (400, 400), "white")
    ((left, top, right, bottom),) = tag(image, region(mask.astype(float), mask), (200, 0, 0), [])
    assert 0 <= left < right <= 400 and 0 <= top < bottom <= 400
    inside = resized_mask(mask, (400, 400))[top:bottom, left:right]
    assert inside.any()
    if name in ("disc", "ring", "horseshoe"):
        middle = (top + bottom) // 2, (left + right) // 2
        assert resized_mask(mask, (400, 400))[middle], "its middle lies in the region, also where the region is bent"


def test_badges_of_one_region_inside_another_both_stand_on_theirs() -> None:
    image, taken = Image.new("RGB", (400, 400), "white"), []
    for mask in (SHAPES["ring"], RING < 12):
        taken += tag(image, region(mask.astype(float), mask), (200, 0, 0), taken)
    assert len(taken) == 2
    (one, other) = taken
    assert one[3] <= other[1] or other[3] <= one[1] or one[2] <= other[0] or other[2] <= one[0]


def test_depth_counts_rims() -> None:
    mask = SHAPES["disc"]
    deep = depth(mask)
    assert (deep > 0).sum() == mask.sum() and deep.max() >= 20 and deep[50, 50] == deep.max()


@pytest.mark.parametrize("count", range(1, 40))
@pytest.mark.parametrize("most", [1, 2, 4, 6])
def test_the_last_row_lacks_as_few_panels_as_can_be(count: int, most: int) -> None:
    row = per_row(count, most)
    assert 1 <= row <= most and (count > most or row == count)
    assert all(-count % row <= -count % other for other in range(max(1, most // 2), most + 1) if count > most)


class Elsewhere(nn.Module):
    """Channel 0 looks far to the left of where it stands, channel 1 far above."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(1, 2, 25, padding=12, bias=False)
        self.look.weight.data.zero_()
        self.look.weight.data[0, 0, 12, 0] = self.look.weight.data[1, 0, 0, 12] = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.look(x)).mean((2, 3))[:, :1] + 2 * torch.relu(self.look(x)).mean((2, 3))[:, 1:]


def test_the_frame_of_a_concept_is_where_its_map_is() -> None:
    x = torch.zeros(1, 1, 48, 48)
    x[..., 20:26, 18:24] = 1.0
    c = pl.concepts(pl.load(Elsewhere().eval()), x, target=0, at="look", method="lrp.zero")
    for place in range(len(c)):
        left, top, right, bottom = (round(48 * share) for share in frame_box(c, place))
        heat = c.maps.heat(place)
        row, column = divmod(int(heat.abs().argmax()), 48)
        assert top <= row < bottom and left <= column < right
        assert heat[top:bottom, left:right].sum() > 0.9 * heat.sum() and (bottom - top) * (right - left) < 300


def test_a_map_without_evidence_has_no_frame() -> None:
    c = pl.concepts(pl.load(Elsewhere().eval()), torch.ones(1, 1, 48, 48), target=0, at="look", method="lrp.zero", which=[0])
    empty = c.__class__(**{**vars(c), "maps": c.maps.__class__(**{**vars(c.maps), "values": torch.zeros_like(c.maps.values)})})
    assert frame_box(empty, 0) is None


METHODS = ["gradient", "saliency", "gradient_x_input", "lrp.zero", "sensitivity", "lrp.epsilon"]


@pytest.mark.parametrize("count", [2, 4, 6])
def test_a_comparison_has_no_empty_place(count: int) -> None:
    torch.manual_seed(0)
    net = pl.load(nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 14 * 14, 2)).eval())
    sheet = comparison_sheet(pl.compare(net, torch.rand(1, 1, 16, 16), METHODS[:count], target=0))
    paper = np.asarray(sheet.convert("L")) > 250
    across = (sheet.width - 64 + 28) // (WIDE + 28)
    rows = -(-(count + 1) // across)
    for row in range(rows):
        for place in range(across):
            left, top = 32 + place * (WIDE + 28), 110 + row * (sheet.height - 142) // rows
            cell = paper[top : top + (sheet.height - 142) // rows, left : left + WIDE]
            assert not cell.all(), f"row {row}, place {place} of {count} methods is empty"


def test_the_table_of_agreement_grows_with_its_room() -> None:
    names = ("one", "two", "three")
    pairs = tuple(Agreement(a, b, 0.5, 0.2) for a, b in (("one", "two"), ("one", "three"), ("two", "three")))
    small, large = agreement(names, pairs, 400), agreement(names, pairs, 400, high=400)
    assert small.height < large.height <= 400


class Local(nn.Module):
    """A layer whose units see 11 x 11 pixels, and one whose units see all."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = nn.Conv2d(1, 2, 11, padding=5), nn.Linear(2 * 64 * 64, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.far(torch.relu(self.near(x)).flatten(1))


@pytest.fixture(scope="module")
def drawn() -> pl.Maximized:
    torch.manual_seed(0)
    units = [pl.channel("near", 0, position=(30, 30)), pl.channel("near", 1), pl.logit(0)]
    return pl.maximize(pl.load(Local().eval()), units, recipe="erhan2009", steps=3, shape=(1, 64, 64), bounds=(0.0, 1.0))


def test_one_unit_is_shown_in_its_own_size_which_is_said(drawn: pl.Maximized) -> None:
    image, words = portrait(drawn, 0)
    assert drawn.unit_field(0) == ((25, 36), (25, 36)) and image.width == image.height and image.width % 11 == 0
    assert image.width <= SIDE // 2 and "11 x 11 px" in words and f"{image.width // 11} times" in words


def test_a_channel_is_shown_whole_with_the_size_of_what_one_unit_sees(drawn: pl.Maximized) -> None:
    image, words = portrait(drawn, 1)
    assert image.width >= SIDE and words == "frame: what one unit sees, 11 x 11 px"


def test_a_class_is_shown_whole(drawn: pl.Maximized) -> None:
    assert drawn.unit_field(2) is None and portrait(drawn, 2)[1] == ""


def test_a_single_picture_has_its_words_beside_it(drawn: pl.Maximized) -> None:
    one = pl.maximize(drawn.task.model, pl.logit(0), recipe="erhan2009", steps=2, shape=(1, 64, 64), bounds=(0.0, 1.0))
    paper = np.asarray(contact_sheet(one).convert("L")) > 250
    right = paper[:, paper.shape[1] // 2 + 40 :]
    assert not right[40:].all(), "nothing is empty beside it"
