"""Pictures, pages and terminals: colours that mean what they say, and numbers beside them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.core.blur import smoothed
from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.ledger import Ledger, Row
from pellucid.render import PALETTES, VIEWS, Shown, page, picture, png, terminal
from pellucid.render.document.report import MOST_PAGES
from pellucid.render.image import heading, sheet
from pellucid.render.parts import outline
from pellucid.render.parts.bars import columns
from pellucid.render.parts.ledger_table import ledger_rows
from pellucid.render.parts.legend import class_bars
from pellucid.render.parts.map import Map, prepare
from pellucid.render.parts.palette import ORANGE_PURPLE, PAPER, RED_BLUE
from pellucid.render.parts.panel import overlay, panel_size
from pellucid.render.parts.scale import Scale, each, fixed, shared
from pellucid.render.parts.text import paragraph, shorten, width, wrap

GREY = np.full((24, 24, 3), 128, dtype=np.uint8)


def made(values: torch.Tensor, **fields: Any) -> Explanation:
    whole = {"output": torch.ones(len(values)), "target": "logit 3", "method": "gradient_x_input", "signed": True}
    return Explanation(values, **(whole | fields))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def quarters() -> torch.Tensor:
    """Upper half for and against, lower half nothing."""
    values = torch.zeros(1, 3, 24, 24)
    values[:, :, :12, :12], values[:, :, :12, 12:] = 1.0, -1.0
    return values


def pixels(drawn: Map, side: int = 24) -> np.ndarray:
    return np.asarray(overlay(drawn, (side, side)), dtype=int)


# colours


@pytest.mark.parametrize("below", [GREY, None], ids=["photograph", "paper"])
def test_for_is_red_against_is_blue_and_nothing_is_the_ground(below: np.ndarray | None) -> None:
    seen = pixels(prepare(made(quarters(), picture=below)))
    red, blue, ground = seen[0, 0], seen[0, -1], seen[-1, 0]
    assert red[0] > 150 > max(red[1:]) and blue[2] > 150 > max(blue[:2])
    assert ground[0] == ground[1] == ground[2] and (below is not None or tuple(ground) == PAPER)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_no_palette_puts_red_against_green(palette: Any) -> None:
    colours = [palette.colour(level, signed=True) for level in (1.0, -1.0)] + [palette.colour(1.0, signed=False)]
    assert len(set(colours)) == 3
    assert all(abs(int(one[2]) - int(other[2])) > 30 for one, other in [(colours[0], colours[1])])  # blue tells them apart


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_more_is_painted_stronger(palette: Any) -> None:
    strength = np.linspace(0, 1, 11)
    for sign, signed in ((1, True), (-1, True), (1, False)):
        painted = palette.paint(sign * strength, np.full((11, 3), 255.0), signed=signed)
        assert (np.diff(painted.sum(-1)) < 0).all()


def test_an_unsigned_method_never_gets_two_hues() -> None:
    drawn = prepare(made(quarters(), signed=False))
    assert np.array_equal(pixels(drawn)[0, 0], pixels(drawn)[0, -1])
    assert tuple(pixels(drawn)[0, 0]) == RED_BLUE.colour(1.0, signed=False)
    assert "unsigned" in terminal(made(quarters(), signed=False), 24) and "against" not in terminal(
        made(quarters(), signed=False), 24
    )


def test_another_palette_paints_otherwise() -> None:
    plain_red, orange = (pixels(prepare(made(quarters()), palette=palette))[0, 0] for palette in (RED_BLUE, ORANGE_PURPLE))
    assert not np.array_equal(plain_red, orange)


def test_painting_changes_nothing() -> None:
    e = made(noise(1, 3, 24, 24), picture=GREY.copy())
    before = e.values.clone()
    picture(e), terminal(e), page(e)
    assert torch.equal(e.values, before) and np.array_equal(e.picture, GREY)


# scale


def test_the_scale_is_a_percentile_and_says_what_it_clips() -> None:
    heat = np.arange(1000.0).reshape(10, 100)
    scale = each(heat)
    assert scale.limit == pytest.approx(994.005)
    assert scale.sentence(heat, signed=True) == (
        "Full colour at ±994.00 (the 99.5th percentile of |value|); "
        "0.5 % of the values lie beyond and are clipped, the largest is 999.00."
    )


def test_a_fixed_scale_is_what_was_asked_for() -> None:
    drawn = prepare(made(quarters()), scale=2.0)
    assert (
        drawn.scale == Scale(2.0, "fixed")
        and drawn.strength.max() == 1.0
        and prepare(made(quarters()), scale=6.0).strength.max() == 0.5
    )
    assert "nothing is clipped" in prepare(made(quarters()), scale=6.0).sentence()


def test_a_shared_scale_keeps_samples_comparable() -> None:
    e = made(torch.cat([quarters(), 4 * quarters()]))
    small, large = (prepare(e, sample, scale="shared") for sample in range(2))
    assert small.scale == large.scale and small.strength.max() == 0.25 and large.strength.max() == 1.0
    assert "shared by all samples" in small.sentence()


def test_a_broken_sample_has_no_say_in_a_shared_scale() -> None:
    assert shared([np.full((2, 2), np.nan), np.ones((2, 2))]).limit == 1.0
    assert shared([np.full((2, 2), np.nan)]).limit > 0


def test_a_map_of_one_place_is_scaled_by_its_largest_value() -> None:
    heat = np.zeros((100, 100))
    heat[3, 3] = -5.0
    assert each(heat).limit == 5.0 and "largest" in each(heat).origin


@pytest.mark.parametrize("scale", ["jet", 0.0, -1.0, float("nan")])
def test_a_scale_that_is_none_is_refused(scale: Any) -> None:
    with pytest.raises(InputError, match=r"scale"):
        prepare(made(quarters()), scale=scale)
    with pytest.raises(InputError, match="a fixed scale is a positive number"):
        fixed(0)


def test_smoothing_is_off_unless_asked_for_and_is_told() -> None:
    e = made(noise(1, 1, 20, 20))
    assert np.array_equal(prepare(e).heat, e.heat().double().numpy()) and "Smoothed" not in prepare(e).sentence()
    soft = prepare(e, smooth_px=2.0)
    assert np.abs(soft.heat).max() < np.abs(prepare(e).heat).max() and "Smoothed over 2 px" in soft.sentence()


def test_smoothing_keeps_a_constant_and_spreads_a_point() -> None:
    assert smoothed(np.ones((5, 9)), 1.5) == pytest.approx(1.0)
    point = np.zeros((15, 15))
    point[7, 7] = 1.0
    assert smoothed(point, 1.0).sum() == pytest.approx(1.0) and smoothed(point, 1.0)[7, 7] == pytest.approx(
        1 / (2 * np.pi), rel=1e-2
    )


# nothing to paint


@pytest.mark.parametrize(
    ("values", "seed", "reason"),
    [
        (torch.zeros(1, 3, 4, 4), None, "Every value is exactly zero."),
        (torch.tensor([[[[float("nan"), 1.0]] * 2]]), None, "2 of 4 values are not finite"),
        (torch.full((1, 1, 2, 2), float("inf")), None, "4 of 4 values are not finite"),
        (torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4), None, "the channels cancel"),
        (torch.full((1, 1, 2, 2), 1e-14), None, "rounding, not evidence"),
        (torch.full((1, 1, 2, 2), 1e-9), 10.0, "less than a millionth of the score 10.00"),
    ],
)
def test_no_evidence_is_said_with_its_reason(values: torch.Tensor, seed: float | None, reason: str) -> None:
    books = (
        None if seed is None else Ledger(torch.tensor([seed]), torch.zeros(1), (Row("", "add", "bias", torch.tensor([seed])),))
    )
    e = made(values, ledger=books)
    drawn = prepare(e)
    assert reason in drawn.empty
    assert "No evidence found" in " ".join(terminal(e).split()) and "No evidence found" in page(e)
    assert picture(e).size[0] > 400


def test_small_values_that_are_all_there_is_are_evidence() -> None:
    e = made(torch.full((1, 1, 2, 2), 1e-9))
    assert e.nothing() == ""


@pytest.mark.parametrize("shape", [(1, 7), (1, 3, 7), (1, 3, 448, 4), (1, 3, 4, 448)])
def test_no_evidence_is_drawn_for_inputs_of_any_shape(shape: tuple[int, ...]) -> None:
    assert picture(made(torch.zeros(shape))).height > 100


def test_an_under_sampled_map_is_hatched_and_not_drawn() -> None:
    e = made(noise(1, 1, 24, 24), picture=GREY, error=torch.full((1, 1, 24, 24), 5.0), forwards=64)
    drawn = prepare(e)
    assert drawn.card == "under-sampled" and drawn.empty.startswith("Under-sampled: 64 forward passes for 576 values")
    assert "Under-sampled" in terminal(e) and "▀" not in terminal(e) and "Under-sampled" in page(e)
    for view in VIEWS:
        seen = np.asarray(VIEWS[view].paint(drawn, (), (240, 240)), dtype=int)
        assert (np.ptp(seen, axis=-1) < 12).all() and len(
            np.unique(seen[:20, :20].reshape(-1, 3), axis=0)
        ) == 2  # stripes, no hue
    sure = made(noise(1, 1, 24, 24), picture=GREY, error=torch.full((1, 1, 24, 24), 0.1))
    assert prepare(sure).card == "" and np.ptp(pixels(prepare(sure)), axis=-1).max() > 60


def test_a_doubtful_sample_has_no_say_in_a_shared_scale() -> None:
    values = torch.cat([quarters(), 1e3 * noise(1, 3, 24, 24)])
    error = torch.cat([torch.full((1, 3, 24, 24), 1e-3), torch.full((1, 3, 24, 24), 1e4)])
    assert prepare(made(values, error=error), scale="shared").scale.limit == pytest.approx(3.0)


# regions


def corner() -> Explanation:
    """For in one corner, against in the other, on a photograph in colours."""
    values = torch.zeros(1, 1, 100, 100)
    values[..., 10:30, 10:30], values[..., 70:90, 70:80] = 2.0, -1.0
    ramp = np.linspace(0, 255, 100).astype(np.uint8)
    photo = np.stack([np.tile(ramp, (100, 1)), np.full((100, 100), 90, np.uint8), np.tile(ramp[:, None], (1, 100))], -1)
    return made(values, picture=photo)


def panel(e: Explanation, view: str, side: int = 400, **asked: Any) -> np.ndarray:
    return np.asarray(VIEWS[view].paint(prepare(e), e.regions(**asked), (side, side)), dtype=int)


def test_outlines_leave_the_photograph_and_edge_regions_in_their_colour() -> None:
    e = corner()
    seen, bare = panel(e, "outlines", smooth=0.0), np.asarray(Image.fromarray(e.picture).resize((400, 400), 3), dtype=int)
    red, blue = (RED_BLUE.colour(level, signed=True) for level in (1.0, -1.0))
    assert tuple(seen[80, 41]) == red and tuple(seen[320, 281]) == blue
    assert np.array_equal(seen[84:110, 60:100], bare[84:110, 60:100]) and np.array_equal(seen[200], bare[200])


def test_regions_alone_keep_their_colours_and_all_else_is_grey_and_darker() -> None:
    e = corner()
    seen, bare = panel(e, "regions", smooth=0.0), np.asarray(Image.fromarray(e.picture).resize((400, 400), 3), dtype=int)
    assert np.array_equal(seen[84:110, 60:100], bare[84:110, 60:100])
    assert (np.ptp(seen[200], axis=-1) == 0).all() and seen[200].mean() < 0.6 * bare[200].mean()


def test_regions_on_paper_are_of_the_map_itself() -> None:
    e = replace(corner(), picture=None)
    seen = panel(e, "regions", smooth=0.0)
    assert tuple(seen[80, 80]) == RED_BLUE.colour(1.0, signed=True) and tuple(seen[200, 200]) == PAPER


def test_features_outside_of_regions_are_grey_bars() -> None:
    e = made(torch.tensor([[4.0, 1.0, -3.0, 1.0]]))
    seen = np.asarray(VIEWS["regions"].paint(prepare(e), e.regions(top=0.5), (0, 484)), dtype=int)
    hues = np.ptp(seen, axis=-1)
    assert [hues[:, 84 + 100 * place : 184 + 100 * place].max() > 60 for place in range(4)] == [True, False, True, False]


def test_the_legend_says_which_share_of_all_evidence_lies_in_regions() -> None:
    e = corner()
    found = e.regions(top=0.04, smooth=0.0)
    (_, pro), (_, contra) = outline.legend_lines(prepare(e), found)
    assert pro == "1 region with 100 % of all evidence for" and contra == "no region: the evidence against is weak or scattered"
    (_, pro), (_, contra) = outline.legend_lines(prepare(e), e.regions(smooth=0.0))
    assert contra == "1 region with 100 % of all evidence against"
    mixed = made(torch.tensor([[[[3.0, -1.0, 0.0, 0.0, -1.0]]]]).expand(1, 1, 5, 5))
    labels = torch.tensor([[0, 0, 0, 0, 1]]).expand(5, 5)
    (_, pro), (_, contra) = outline.legend_lines(prepare(mixed), mixed.regions(top=1.0, by=labels))
    assert pro == "1 region with 100 % of all evidence for, and 50 % of that against" and "with 50 % of all" in contra
    (unsigned,) = outline.legend_lines(prepare(made(quarters().abs(), signed=False)), ())
    assert unsigned[1] == "no region: the evidence is weak or scattered"
    assert outline.legend_lines(prepare(made(quarters().abs())), ())[1][1] == "no evidence against"


def test_the_sides_of_a_contrast_go_by_their_names() -> None:
    e = replace(
        made(quarters(), picture=GREY), contrast=((('"cat"', 3.0), ('"lynx"', 1.0)),), classes=((0, "cat", 0.8), (1, "lynx", 0.2))
    )
    drawn = prepare(e)
    (_, pro), (_, contra) = outline.legend_lines(drawn, e.regions(smooth=0.0))
    assert 'evidence for "cat"' in pro and 'for "lynx"' in contra and "against" not in pro + contra
    assert heading(VIEWS["map"], drawn) == 'What speaks for "cat", and what for "lynx"'
    bars = class_bars(e.classes, 400, (drawn.colour(1.0), drawn.colour(-1.0)), 'logit "cat" - logit "lynx"', drawn.sides)
    colours = set(bars.get_flattened_data() if hasattr(bars, "get_flattened_data") else bars.getdata())
    assert {drawn.colour(1.0), drawn.colour(-1.0)} <= colours


def test_shares_stand_on_plates_that_do_not_cover_one_another() -> None:
    values = torch.zeros(1, 1, 100, 100)
    values[..., 40:50, 40:50], values[..., 52:62, 40:50] = 1.0, -1.0
    e = made(values)
    image, taken = Image.new("RGB", (400, 400)), []
    for one in e.regions(smooth=0.0):
        taken += outline.tag(image, one, (200, 0, 0), taken)
    assert len(taken) == 2 and not outline.overlap(*taken)
    assert outline.tag(image, e.regions(smooth=0.0)[0], (200, 0, 0), [(0, 0, 400, 400)]) == []


@pytest.mark.parametrize("shape", [(1, 3, 24, 24), (1, 1, 300, 40), (1, 30), (1, 4, 300), (1, 1, 4, 4)])
@pytest.mark.parametrize("signed", [True, False])
def test_all_views_are_drawn_for_inputs_of_any_shape(shape: tuple[int, ...], signed: bool) -> None:
    below = GREY if shape[-1] in (24, 4) else None
    e = made(noise(*shape), signed=signed, picture=below)
    every = picture(e, view="map,outlines,regions")
    assert every.height > picture(e).height or every.width > picture(e).width
    assert picture(e, view=["regions"]).size[0] > 400 and picture(made(torch.zeros(shape)), view=list(VIEWS)).height > 100


def test_views_are_saved_and_named_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    e = corner()
    one, two = (e.save(tmp_path / f"{view}.png", view=view).read_bytes() for view in ("map", "map,regions"))
    assert one == png(e) and two == png(e, view="map,regions") and sheet(e, Shown("map,regions")).width > sheet(e).width
    html = e.save(tmp_path / "e.html", view="regions", by=torch.eye(100).long()).read_text(encoding="utf-8")
    assert "Where the evidence lies" in html and '<td dir="auto">for</td><td dir="auto">rows 0-99, columns 0-99</td>' in html
    assert Shown("regions, map,regions").views() == [VIEWS["regions"], VIEWS["map"]]
    with pytest.raises(InputError, match=r'view "heatmap".* Choose among map, outlines, regions'):
        e.save(tmp_path / "x.png", view="heatmap")


def test_painting_regions_changes_nothing() -> None:
    e = corner()
    before, photo = e.values.clone(), e.picture.copy()
    picture(e, view=list(VIEWS))
    assert torch.equal(e.values, before) and np.array_equal(e.picture, photo)


# pictures


@pytest.mark.parametrize(
    "shape", [(1, 3, 224, 224), (1, 1, 8, 8), (1, 5, 60, 20), (1, 1, 2000, 30), (1, 30), (1, 4, 3000), (1, 1), (1,)]
)
@pytest.mark.parametrize("signed", [True, False])
def test_inputs_of_any_shape_are_drawn(shape: tuple[int, ...], signed: bool) -> None:
    image = picture(made(noise(*shape), signed=signed))
    assert image.mode == "RGB" and 400 < image.width < 2200 and 200 < image.height < 1400


def test_panels_are_large_and_their_pixels_square() -> None:
    assert [panel_size(*size) for size in ((224, 224), (8, 8), (300, 500), (3584, 896))] == [
        (448, 448),
        (448, 448),
        (300, 500),
        (896, 224),
    ]


def test_a_coarse_map_is_interpolated_and_says_so() -> None:
    e = made(noise(1, 9, 4, 4), picture=GREY, at="features.8")
    assert "4 x 4 places and is interpolated" in prepare(e).sentence()
    assert len(np.unique(pixels(prepare(e), 240).reshape(-1, 3), axis=0)) > 200
    assert "interpolated" not in prepare(made(noise(1, 9, 12, 12), picture=GREY)).sentence()


def test_features_are_not_painted_over_a_photograph() -> None:
    assert prepare(made(noise(1, 40), picture=GREY)).picture is None


def test_bars_keep_the_extremes_where_features_are_finer_than_pixels() -> None:
    row = np.zeros(10_000)
    row[[17, 18]] = 1.0, -0.5
    drawn = columns(row, 500)
    assert len(drawn) == 500 and max(high for *_, high in drawn) == 1.0 and min(low for _, _, low, _ in drawn) == -0.5


def test_a_batch_of_pages_says_how_many_are_shown() -> None:
    assert f"The first {MOST_PAGES} of {MOST_PAGES + 4} samples are shown." in page(made(noise(MOST_PAGES + 4, 6)), script=False)


def test_a_png_carries_its_caption_and_provenance(tmp_path: Path) -> None:
    e = made(quarters(), provenance={"torch": "2.13.0", "options": {"eps": 1e-6}}, target='logit 3 "chat noir, é"')
    with Image.open(e.save(tmp_path / "e.png")) as image:
        image.load()
        assert json.loads(image.text["provenance"]) == e.provenance
        assert image.text["Description"] == e.caption() and image.text["Software"] == "pellucid"
    assert png(e) == png(e)


def test_words_fit_their_column() -> None:
    words = "lrp.epsilon_plus -> logit 285 with a_very_long_name_that_no_column_could_ever_hold_in_one_line and more"
    lines = wrap(words, 17, 200)
    assert all(width(line, 17) <= 200 for line in lines) and "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert width(shorten(words, 15, 120), 15) <= 120 and shorten("short", 15, 120) == "short"
    assert paragraph(words, 17, 200).width == 200


def test_warnings_make_the_figure_longer() -> None:
    sound = made(quarters(), picture=GREY, ledger=Ledger(torch.ones(1), torch.ones(1)))
    void = replace(sound, ledger=Ledger(torch.ones(1), torch.zeros(1), (Row("", "add", "bias", torch.ones(1)),)))
    assert picture(void).height > picture(sound).height


# terminal


def cells(line: str) -> int:
    return len(re.sub(r"\x1b\[[0-9;]*m", "", line))


@pytest.mark.parametrize(("shape", "wide", "tall"), [((24, 24), 40, 20), ((10, 40), 40, 5), ((40, 10), 10, 20)])
def test_half_blocks_fill_the_width_and_end_in_a_reset(shape: tuple[int, int], wide: int, tall: int) -> None:
    lines = [line for line in terminal(made(noise(1, 3, *shape)), 40).split("\n") if "▀" in line]
    assert len(lines) == tall and all(cells(line) == wide and line.endswith("\x1b[0m") for line in lines)


def test_half_blocks_show_the_colours_of_the_map() -> None:
    first, *_, last = [line for line in terminal(made(quarters()), 24).split("\n") if "▀" in line]
    red, blue = (RED_BLUE.colour(level, signed=True) for level in (1.0, -1.0))
    assert first.startswith("\x1b[38;2;{};{};{}m".format(*red)) and "48;2;{};{};{}m".format(*blue) in first
    assert "38;2;255;255;255" in last and "48;2;255;255;255" in last


def test_without_colour_signs_stand_for_values() -> None:
    lines = terminal(made(quarters()), 24, colour=False).split("\n")
    assert lines[0] == "++" * 6 + "--" * 6 and lines[11] == " ·" * 12
    assert lines[12] == "++ + for  - -- against · full at ±3.00 · nothing clipped · means of 2 px"
    assert "\x1b" not in "\n".join(lines) and " ".join(lines[13:]) == "gradient_x_input -> logit 3 = 1.00."


def test_features_are_listed_strongest_first() -> None:
    lines = terminal(made(torch.tensor([[0.5, -2.0, 1.0, 0.0]])), 60, colour=False).split("\n")
    assert [line.split()[0] for line in lines[:3]] == ["1", "2", "0"]
    assert lines[0].endswith("-- -2.00") and lines[1].endswith("++ +1.00")
    assert "4 more" in terminal(made(noise(1, 20)), 60)


def test_a_text_file_holds_the_books(tmp_path: Path) -> None:
    books = Ledger(torch.ones(1), torch.tensor([0.75]), (Row("stem", "convolution", "bias", torch.tensor([0.25])),))
    text = made(quarters(), ledger=books, classes=((3, "", 0.5),)).save(tmp_path / "e.txt").read_text(encoding="utf-8")
    assert re.search(r"bias +convolution in stem +0\.25", text) and "50.0%  class 3" in text and "\x1b" not in text


def test_the_ledger_shows_the_largest_entries_and_sums_the_rest() -> None:
    rows = tuple(Row(f"layer{place}", "add", "bias", torch.tensor([float(place)])) for place in range(30))
    lines = ledger_rows(Ledger(torch.tensor([435.0]), torch.zeros(1), rows))
    assert lines[2] == ("bias", "add in layer29", "29.00") and ("the rest", "18 smaller entries", "153.00") in lines
    assert lines[-1] == ("error", "unaccounted for", "0.00")


# page


class Reader(HTMLParser):
    """Collects what a page loads and says."""

    def __init__(self, text: str) -> None:
        HTMLParser.__init__(self)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page_needs_nothing_but_itself() -> None:
    seen = Reader(page(made(quarters(), picture=GREY), script=False))
    loaded = [
        value or "" for _, attrs in seen.tags for name, value in attrs.items() if name in ("src", "href", "srcset", "action")
    ]
    assert len(loaded) == 2 and all(address.startswith("data:image/") for address in loaded)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in seen.tags}
    assert any("default-src 'none'" in (attrs.get("content") or "") for _, attrs in seen.tags)


def test_a_page_escapes_whatever_it_is_told() -> None:
    nasty = '<script>alert("x")</script>&'
    books = Ledger(torch.ones(1), torch.zeros(1), (Row(nasty, nasty, "bias", torch.ones(1)),))
    e = made(quarters(), target=nasty, method=nasty, at=nasty, notes=(nasty,), provenance={nasty: nasty}, ledger=books)
    seen = Reader(page(e, script=False))
    assert "script" not in {tag for tag, _ in seen.tags} and seen.words.count(nasty) >= 6
    assert next(attrs["alt"] for tag, attrs in seen.tags if tag == "img") == e.caption()


def test_a_page_has_a_section_per_sample_and_one_ledger_each() -> None:
    books = Ledger(torch.ones(3), torch.ones(3))
    text = page(made(noise(3, 1, 8, 8), ledger=books, provenance={"seed": 1}), script=False)
    seen = [tag for tag, _ in Reader(text).tags]
    assert seen.count("section") == text.count("Where the score went") == 3
    assert seen.count("img") == 4  # each alone, and all of them as a grid
    assert text.count('class="provenance"') == 1, "it is the same for all samples"
