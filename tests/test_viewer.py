"""The viewer in a browser: what it shows is what the document says, every control answers to mouse and keys, nothing leaves."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import pellucid as pl
from pellucid.cli import main
from pellucid.render.document import document
from pellucid.render.parts.palette import RED_BLUE
from pellucid.render.report import html
from tests import documents
from tests.browser import NODE, Seen, browser as browser, missing, visit as visit
from tests.test_document import decoded

VIEWER = Path(__file__).parents[1] / "viewer"
Visit = Callable[..., Seen]
WIDE = "comparison text generated table series concepts beside evaluation card report nothing".split()  # axe-core reads these
KINDS = [name for name in documents.RESULTS if name not in ("cat", "compare")]  # these two are photographs; see `contrast`


def page_of(name: str) -> str:
    return html(documents.of(name))


@pytest.fixture
def cat(visit: Visit) -> Seen:
    """The page of a photograph: a class, and its difference from another."""
    return visit(html(contrast()), grant=["clipboard-read", "clipboard-write"])


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `pellucid demo` writes."""
    folder = tmp_path_factory.mktemp("demo") / "pellucid-demo"
    done = CliRunner().invoke(main, ["demo", "--out", str(folder)])
    assert done.exit_code == 0 and f"report: {folder / 'index.html'}" in done.output.replace("\n", ""), done.output
    return folder


@pytest.fixture
def shown(visit: Visit, demonstration: Path) -> Seen:
    """The report of `pellucid demo`, as it opens."""
    return visit(demonstration / "index.html", grant=["clipboard-read", "clipboard-write"])


def layers_of(seen: Seen) -> list[dict[str, Any]]:
    """What the first page of a report holds."""
    made: dict[str, Any] = json.loads(seen.page.text_content("#document"))
    found: list[dict[str, Any]] = made["pages"][0]["layers"]
    return found


@cache
def contrast() -> dict[str, Any]:
    """One case with two targets of one photograph: a class, and its difference from another."""
    plain = pl.explain("efficientnet_lite0", documents.cat())
    report = document([plain, documents.result("cat")])
    found: dict[str, Any] = report["pages"][0] if report["kind"] == "report" else report
    return found


def pressed(seen: Seen, name: str) -> bool:
    return seen.page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"


def opacities(seen: Seen) -> np.ndarray:
    """How opaque the map is painted, place by place, in 0..255."""
    return painted(seen)[..., 3].ravel()


def painted(seen: Seen) -> np.ndarray:
    """The pixels of the map, with shape (height, width, 4)."""
    seen.page.wait_for_function("document.querySelector('.plate canvas.map')?.width > 0")
    width, data = seen.page.evaluate(
        """() => { const canvas = document.querySelector(".plate canvas.map");
        return [canvas.width, Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)]; }"""
    )
    return np.array(data).reshape(-1, width, 4)


def caption(seen: Seen) -> str:
    return str(seen.page.inner_text("article .words"))


def stage(seen: Seen) -> bytes:
    """The picture as it is on the screen."""
    seen.page.mouse.move(0, 0)
    shot: bytes = seen.page.locator(".plate .stage").screenshot()
    return shot


# -- the first five minutes ---------------------------------------------------------------------------------------------------


def test_first_five_minutes_by_mouse(shown: Seen) -> None:
    cat, page, layers = shown, shown.page, layers_of(shown)
    assert "Egyptian cat" in page.inner_text("h1") and pressed(cat, "Map")
    tabs = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert tabs.last.inner_text() == "A network that cheats"
    page.get_by_role("button", name="Regions", exact=True).click()
    badges = page.get_by_role("group", name="Regions on the picture").get_by_role("button")
    regions = layers[0]["regions"]
    assert badges.count() == len(regions)
    assert badges.first.inner_text() == f"{100 * regions[0]['share']:.0f} %"
    badges.first.click()
    assert "of all evidence" in page.inner_text(".readout")
    page.get_by_role("button", name="Picture", exact=True).click()
    plain = stage(cat)
    page.get_by_role("button", name="Map", exact=True).click()
    page.keyboard.press("Escape")
    assert stage(cat) != plain
    page.get_by_label("Opacity").fill("0")
    assert stage(cat) == plain
    page.get_by_label("Opacity").fill("100")
    before, colours = caption(cat), painted(cat)
    page.get_by_label("Target").select_option(label=next(one["target"] for one in layers if one["contrast"]))
    assert " - " in page.inner_text("h1") and caption(cat) != before
    page.wait_for_timeout(50)
    assert not np.array_equal(painted(cat), colours)
    assert cat.complaints() == []


def test_first_five_minutes_by_keys_alone(shown: Seen) -> None:
    cat, page, layers = shown, shown.page, layers_of(shown)
    assert "Egyptian cat" in page.inner_text("h1") and pressed(cat, "Map")
    page.keyboard.press("1")
    assert pressed(cat, "Picture")
    plain = stage(cat)
    page.keyboard.press("3")
    assert pressed(cat, "Map")
    for _ in range(10):
        page.keyboard.press("[")
    assert page.get_by_label("Opacity").input_value() == "0" and stage(cat) == plain
    page.keyboard.press("]")
    assert page.get_by_label("Opacity").input_value() == "10"
    page.keyboard.press("4")
    tab_to(cat, r"^\d+ %, Region 1 of")
    page.keyboard.press("ArrowRight")
    assert focused(cat).startswith(f"{100 * layers[0]['regions'][1]['share']:.0f} %")
    page.keyboard.press("Enter")
    assert "Region 2 of" in page.inner_text(".readout")
    page.keyboard.press("Escape")
    assert "Region" not in page.inner_text(".readout")
    before = caption(cat)
    page.keyboard.press("v")
    assert " - " in page.inner_text("h1") and caption(cat) != before
    page.keyboard.press("t")
    assert caption(cat) == before
    tab_to(cat, "^An espresso")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="espresso").wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert cat.complaints() == []


def test_the_copied_command_computes_the_same_values(shown: Seen, demonstration: Path, tmp_path: Path) -> None:
    shown.page.keyboard.press("v")
    shown.page.get_by_role("button", name="Copy command").click()
    program, *words = shlex.split(shown.page.evaluate("navigator.clipboard.readText()"))
    out = tmp_path / "again.safetensors"
    done = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert program == "pellucid" and done.exit_code == 0, done.output
    assert torch.equal(pl.Explanation.load(out).values, pl.Explanation.load(demonstration / "cat-contrast.safetensors").values)


def test_commands_are_copied_as_they_are(visit: Visit) -> None:
    made = {**documents.of("tensor"), "command": {"cli": "pellucid explain a.jpg --target 'x y'", "python": "import pellucid"}}
    made["layers"] = [{**layer, "command": made["command"]} for layer in made["layers"]]
    seen = visit(html(made), grant=["clipboard-read", "clipboard-write"])
    for button, kind in (("Copy command", "cli"), ("Copy Python", "python")):
        seen.page.get_by_role("button", name=button).press("Enter")
        assert seen.page.evaluate("navigator.clipboard.readText()") == made["command"][kind]


# -- keys ---------------------------------------------------------------------------------------------------------------------


def focused(seen: Seen) -> str:
    """Role and name of what has the focus."""
    return str(seen.page.evaluate(
        """() => { const one = document.activeElement; return one.getAttribute("aria-label")
        ?? one.closest("label")?.querySelector("span")?.textContent ?? one.textContent; }"""
    ))  # fmt: skip


def tab_to(seen: Seen, name: str) -> None:
    """Presses Tab until what has that name has the focus."""
    for _ in range(80):
        seen.page.keyboard.press("Tab")
        if re.search(name, focused(seen)):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_every_control_is_reached_and_moved_by_keys(cat: Seen) -> None:
    page = cat.page
    tab_to(cat, "^Overlay$")
    page.keyboard.press("Space")
    assert pressed(cat, "Overlay")
    tab_to(cat, "^Map of lrp")
    page.keyboard.press("ArrowRight")
    assert re.search(r"at row \d+, column \d+", page.inner_text(".readout"))
    for name, key, value in (
        ("^Target", "ArrowDown", contrast()["layers"][1]["target"]),
        ("^Opacity", "Home", "0"),
        ("^Threshold", "End", "100"),
        ("^Sign", "ArrowDown", "for"),
        ("^Palette", "ArrowDown", "orange-purple"),
        ("^Scale", "End", "fixed"),
    ):
        tab_to(cat, name)
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.value") == value
    tab_to(cat, "^Full colour at")
    page.keyboard.press("Control+a")
    page.keyboard.type("0.5")
    page.keyboard.press("Tab")
    assert "Full colour at ±0.500, as chosen" in page.inner_text(".legend")
    tab_to(cat, "^Keys$")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()


def test_words_are_reached_by_arrows_and_told(visit: Visit) -> None:
    seen = visit(page_of("text"))
    tab_to(seen, r"^\[CLS\]")
    seen.page.keyboard.press("ArrowRight")
    assert focused(seen).startswith("The")
    assert re.match(r"The: [+−]\d", seen.page.inner_text(".readout"))


# -- what is painted is what the document says -----------------------------------------------------------------------------------


def test_maps_are_painted_as_in_pictures(visit: Visit) -> None:
    layer = documents.of("tensor")["layers"][0]
    seen = visit(page_of("tensor"))
    strength = np.clip(decoded(layer) / layer["scale"]["limit"], -1, 1)
    pixels, white = painted(seen), np.full((*strength.shape, 3), 255.0)
    over = white + pixels[..., 3:] / 255 * (pixels[..., :3] - white)
    assert np.abs(over - RED_BLUE.paint(strength, white, signed=True)).max() < 3


def test_unsigned_maps_have_one_end(visit: Visit) -> None:
    seen = visit(page_of("batch"), at="#/1")
    assert documents.of("batch")["pages"][0]["layers"][0]["signed"] is False
    for palette in ("red-blue", "orange-purple", "grey"):
        seen.page.get_by_label("Palette").select_option(palette)
        seen.page.wait_for_timeout(50)
        hues = painted(seen)[..., :3][painted(seen)[..., 3] > 60].astype(float)
        assert len(hues) and np.ptp(np.argmax(hues, axis=-1)) == 0
    assert seen.page.get_by_label("Sign").count() == 0
    assert "speaks against" not in seen.page.inner_text("article")


def test_threshold_sign_and_scale_act_on_the_map(visit: Visit) -> None:
    layer = documents.of("tensor")["layers"][0]
    strength = decoded(layer) / layer["scale"]["limit"]
    seen = visit(page_of("tensor"))
    assert painted(seen).shape[:2] == strength.shape
    seen.page.get_by_label("Threshold").fill("50")
    seen.page.wait_for_timeout(50)
    assert np.array_equal(opacities(seen) > 0, np.abs(strength).ravel() >= 0.5)
    seen.page.get_by_label("Threshold").fill("0")
    seen.page.get_by_label("Sign").select_option("against")
    seen.page.wait_for_timeout(50)
    assert np.array_equal(opacities(seen) > 0, strength.ravel() < -1 / 510)
    seen.page.get_by_label("Sign").select_option("both")
    seen.page.get_by_label("Scale").select_option("fixed")
    seen.page.get_by_label("Full colour at").fill(str(10 * layer["scale"]["limit"]))
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_timeout(50)
    assert np.abs(opacities(seen) - 255 * np.clip(np.abs(strength).ravel() / 10, 0, 1)).max() <= 1


def test_the_value_below_the_pointer_is_told(visit: Visit) -> None:
    values = decoded(documents.of("tensor")["layers"][0])
    seen = visit(page_of("tensor"))
    box = seen.page.locator(".plate .stage").bounding_box()
    row, column = 7, 2
    seen.page.mouse.move(box["x"] + (column + 0.5) / 12 * box["width"], box["y"] + (row + 0.5) / 12 * box["height"])
    told = re.match(r"([+−]?[\d.e-]+) at row 7, column 2", seen.page.inner_text(".readout"))
    assert told and float(told[1].replace("−", "-")) == pytest.approx(values[row, column], rel=0.01)


def test_a_region_is_chosen_by_a_click_on_the_picture(cat: Seen) -> None:
    region = contrast()["layers"][0]["regions"][0]
    height, width = contrast()["layers"][0]["shape"]
    inside = np.repeat(np.arange(len(region["rle"].split())) % 2 == 1, [int(run) for run in region["rle"].split()]).reshape(
        height, width
    )
    row, column = np.argwhere(inside)[inside.sum() // 2]
    cat.page.keyboard.press("4")
    box = cat.page.locator(".plate .stage").bounding_box()
    cat.page.mouse.click(box["x"] + (column + 0.5) / width * box["width"], box["y"] + (row + 0.5) / height * box["height"])
    cat.page.mouse.move(0, 0)
    assert f"Region 1 of {len(contrast()['layers'][0]['regions'])}: {100 * region['share']:.0f} %" in cat.page.inner_text(
        ".readout"
    )


def test_sums_over_words_and_sentences_are_those_over_tokens(visit: Visit) -> None:
    seen = visit(page_of("text"))
    sums = []
    for unit in ("Tokens", "Words", "Sentences"):
        seen.page.get_by_role("button", name=unit, exact=True).click()
        sums.append(seen.page.inner_text(".sum output"))
        assert "[CLS]" in seen.page.inner_text(".text .apart")
    assert len(set(sums)) == 1
    assert float(sums[0]) == pytest.approx(decoded(documents.of("text")["layers"][0]).sum(), abs=0.006)


def test_downloads_hold_the_values(visit: Visit) -> None:
    layer = documents.of("tensor")["layers"][0]
    seen = visit(page_of("tensor"))
    with seen.page.expect_download() as waiting:
        seen.page.get_by_role("button", name="Download values").click()
    about, *lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    values = decoded(layer)
    assert about.startswith("# ") and len(rows) == values.size
    assert all(float(row["value"]) == pytest.approx(values[int(row["row"]), int(row["column"])], rel=1e-6) for row in rows)


def test_another_new_token_is_explained_by_a_click(visit: Visit) -> None:
    made = documents.of("generated")
    seen = visit(page_of("generated"))
    before = seen.page.inner_text(".sum output")
    seen.page.locator(".text .token").nth(made["layers"][0]["rows"][3]["token"]).click()
    assert made["layers"][0]["rows"][3]["equation"] in seen.page.inner_text(".main")
    assert seen.page.inner_text(".sum output") != before


def test_columns_of_tables_sort(visit: Visit) -> None:
    seen = visit(page_of("evaluation"))
    seen.page.get_by_role("button", name="Score").click()
    scores = [
        float(text.replace("−", "-")) for text in seen.page.locator("table.scores tbody tr td:nth-of-type(3)").all_inner_texts()
    ]
    head = seen.page.locator("th[aria-sort=descending]")
    assert head.count() == 1 and head.inner_text().startswith("Score")
    assert len(scores) > 1 and scores == sorted(scores, reverse=True)


def test_a_report_of_a_few_pages_opens_with_the_first(visit: Visit) -> None:
    report = documents.of("report")
    seen, titles = visit(page_of("report")), [one["title"] for one in report["pages"]]
    links = seen.page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert seen.page.inner_text("h1") == titles[0] and [text.split("\n")[0] for text in links.all_inner_texts()] == [
        "All pages",
        *titles,
    ]
    links.filter(has_text=titles[1]).click()
    assert seen.page.inner_text("h1") == titles[1]
    assert seen.page.inner_text("nav [aria-current=page]").startswith(titles[1])
    seen.page.reload()
    seen.page.wait_for_selector("#viewer h1")
    assert seen.page.inner_text("h1") == titles[1]
    links.first.click()
    assert seen.page.inner_text("h1") == report["title"] and seen.axe() == []


def test_a_report_of_many_pages_opens_with_all_of_them(visit: Visit) -> None:
    report = documents.of("report")
    seen = visit(html({**report, "pages": 4 * report["pages"]}))
    assert seen.page.inner_text("h1") == report["title"] and seen.page.locator(".cards li").count() == 4 * len(report["pages"])
    seen.page.locator(".cards a").nth(1).click()
    assert seen.page.inner_text("h1") == report["pages"][1]["title"]
    seen.page.get_by_role("link", name="Next").click()
    assert seen.page.inner_text("h1") == report["pages"][2]["title"]


# -- all kinds ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_pages_ask_for_nothing_stay_within_a_narrow_screen_and_axe_finds_nothing(visit: Visit, name: str) -> None:
    made = documents.of(name)
    seen = visit(page_of(name), width=320)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert not seen.page.is_visible("#still")
    assert seen.page.inner_text("h1").strip()
    for n in range(1, len(made.get("pages", ())) + 1):
        seen.page.evaluate(f"location.hash = '#/{n}'")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert seen.complaints() == []
    if name in WIDE:
        seen.page.set_viewport_size({"width": 1280, "height": 900})
        seen.page.evaluate("location.hash = ''")
        assert seen.axe() == []
        seen.page.emulate_media(color_scheme="dark")
        assert seen.axe("color-contrast") == []  # all that colours can spoil


def test_labels_stay_words(visit: Visit) -> None:
    seen = visit(page_of("table"))
    assert "</script><img src=x onerror=alert(1)>" in seen.page.inner_text("h1")
    assert seen.page.locator("img[src=x]").count() == 0
    assert seen.complaints() == []


def test_axe_finds_nothing_in_a_photograph_with_regions(cat: Seen) -> None:
    cat.page.keyboard.press("4")
    assert cat.axe() == []
    cat.page.emulate_media(color_scheme="dark")
    assert cat.axe("color-contrast") == []


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_page_of_the_demo_prints_on_one_page(visit: Visit, demonstration: Path, number: int) -> None:
    seen = visit(demonstration / "index.html", at=f"#/{number}")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", seen.page.pdf(prefer_css_page_size=True))) == 1


def test_a_case_prints_on_one_page(cat: Seen) -> None:
    cat.page.get_by_role("button", name="Regions", exact=True).click()
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", cat.page.pdf(prefer_css_page_size=True))) == 1


def test_the_built_files_are_what_the_sources_build() -> None:
    npm = shutil.which("npm")
    if npm is None or not NODE.is_dir():
        missing("the build tools of the front end are not installed", "apt-get install nodejs npm, then npm ci --prefix viewer")
    done = subprocess.run([str(npm), "run", "--silent", "check"], cwd=VIEWER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
