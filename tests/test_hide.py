"""Hiding a part of an input: the change of the score is that of the network itself, and controls are as large as the part."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.verbs.control_masks import random_places, shifted_masks


class Weighted(nn.Module):
    """Two classes: a weighted sum of all places, and its opposite."""

    w: Tensor

    def __init__(self, sides: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("w", torch.randn(sides, generator=torch.Generator().manual_seed(3)))

    def forward(self, x: Tensor) -> Tensor:
        score = (x * self.w).flatten(1).sum(1)
        return torch.stack([score, -score], 1)


def picture() -> tuple[Weighted, Tensor, Tensor]:
    net, x = Weighted((3, 12, 10)).eval(), torch.randn(1, 3, 12, 10, generator=torch.Generator().manual_seed(4))
    part = torch.zeros(12, 10, dtype=torch.bool)
    part[2:5, 3:7] = True
    return net, x, part


def test_the_change_is_that_of_the_network() -> None:
    net, x, part = picture()
    test = pl.hide(net, x, part, target=0, imputer=0.0)
    hidden = x.masked_fill(part, 0.0)
    assert test.before == pytest.approx(float(net(x)[0, 0]), abs=1e-5)
    assert test.after == pytest.approx(float(net(hidden)[0, 0]), abs=1e-5)
    assert test.area == pytest.approx(0.1)


def test_controls_are_the_same_shape_elsewhere() -> None:
    net, x, part = picture()
    masks = shifted_masks(part, 20, seed=0)
    test = pl.hide(net, x, part, target=0, imputer=0.0, controls=20)
    expected = [float(net(x)[0, 0] - net(x.masked_fill(mask, 0.0))[0, 0]) for mask in masks]
    assert list(test.controls) == pytest.approx(expected, abs=1e-4)
    assert all(int(mask.sum()) == int(part.sum()) and int((mask & part).sum()) <= 0.5 * int(part.sum()) for mask in masks)


def test_a_part_without_room_is_moved_around_the_border() -> None:
    part = torch.zeros(6, 6, dtype=torch.bool)
    part[0, :], part[5, 0] = True, True
    masks = shifted_masks(part, 5, seed=1)
    assert len(masks) == 5
    assert all(int(mask.sum()) == 7 for mask in masks)


def test_the_same_seed_gives_the_same_controls() -> None:
    net, x, part = picture()
    assert pl.hide(net, x, part, seed=5) == pl.hide(net, x, part, seed=5)
    assert pl.hide(net, x, part, seed=5) != pl.hide(net, x, part, seed=6)


def test_columns_of_a_table_are_hidden_whole() -> None:
    columns = pl.Columns((pl.Column("kind", values=("a", "b")), pl.Column("size", "", 1.0, 2.0), pl.Column("age")))
    net = Weighted((4,)).eval()
    model = pl.load(net, preprocess=columns)
    test = pl.hide(model, {"kind": "b", "size": 3.0, "age": 2.0}, torch.tensor([False, False, True]), target=0, imputer=0.0)
    assert test.change == pytest.approx(2.0 * float(net.w[3]), abs=1e-5)
    assert len(test.controls) == 2


def test_random_places_avoid_the_part_and_what_is_no_evidence() -> None:
    part, among = torch.tensor([True, False, False, False, False]), torch.tensor([True, True, True, True, False])
    assert {tuple(mask.nonzero().flatten().tolist()) for mask in random_places(part, 50, 0, among)} == {(1,), (2,), (3,)}
    assert random_places(~part, 5, 0) == []


@pytest.mark.parametrize(
    ("words", "test"),
    [
        ("lowers logit 0 by 2.00 (from 3.00 to 1.00)", pl.HidingTest("logit 0", 3.0, 1.0, (0.5,), 0.25, "zero")),
        ("raises logit 0 by 2.00", pl.HidingTest("logit 0", 1.0, 3.0, (), 0.25, "zero")),
        ("no room for random parts", pl.HidingTest("logit 0", 1.0, 3.0, (), 0.25, "zero")),
        ("none of them changes it as much", pl.HidingTest("logit 0", 3.0, 1.0, (0.5, -1.0), 0.25, "zero")),
        ("2 of them change it as much", pl.HidingTest("logit 0", 3.0, 1.0, (2.5, -3.0), 0.25, "zero")),
        ("changes from cat to dog", pl.HidingTest("logit 0", 3.0, 1.0, (), 0.25, "zero", ("cat", "dog"))),
    ],
)
def test_the_sentence_says_what_was_measured(words: str, test: pl.HidingTest) -> None:
    assert words in test.sentence()
    assert test.to_dict()["sentence"] == test.sentence()


@pytest.mark.parametrize("part", [torch.zeros(12, 10, dtype=torch.bool), torch.ones(5, 5, dtype=torch.bool)])
def test_a_part_that_does_not_fit_is_refused(part: Tensor) -> None:
    net, x, _ = picture()
    with pytest.raises(pl.InputError, match="whether it is hidden"):
        pl.hide(net, x, part)


def test_several_samples_are_refused() -> None:
    net, x, part = picture()
    with pytest.raises(pl.InputError, match="Give one of them"):
        pl.hide(net, x.expand(2, -1, -1, -1), part)
