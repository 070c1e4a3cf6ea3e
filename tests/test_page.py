"""The page in a browser: every journey by mouse, and again by keyboard alone."""

from __future__ import annotations

import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .browser import CHROMIUM, Seen, browser as browser
from .pages import WAIT, Mouse, Visit, hand as hand, sites as sites, visit as visit
from .served import DEAD, HOSTILE, picture, sound

if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no chromium: the page is tried in a browser", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("fastapi")
expect = sync_api.expect
Hand = type[Mouse]
TABLE = "kind,rooms,age\nhouse,5,12\nflat,2,70\nflat,3,8\n"
TEXT = "The film was very good. Not bad, and a good plot!"
SLOW = Image.new("RGB", (48, 48))  # black: the model waits in every pass
OVERVIEW = ["pictures", "clinic", "texts", "tables", "sounds"]


def png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


INPUTS: dict[str, tuple[str, bytes, str]] = {
    "pictures": ("cat.png", picture(), "image/png"),
    "clinic": ("scan.png", picture(), "image/png"),
    "tables": ("homes.csv", TABLE.encode(), "text/csv"),
    "sounds": ("tone.wav", sound(), "audio/wav"),
}


def give(page: Any, name: str, content: bytes, kind: str) -> None:
    page.get_by_label("Choose a file").set_input_files([{"name": name, "mimeType": kind, "buffer": content}])


def drop(page: Any, files: list[tuple[str, str]], text: str = "", event: str = "drop") -> None:
    """Let files (name, content), or a text, fall on the page."""
    page.evaluate(
        """([files, text, event]) => {
            const data = new DataTransfer();
            for (const [name, content] of files) data.items.add(new File([content], name));
            if (text) data.setData("text/plain", text);
            const init = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === "drop" ? new DragEvent("drop", { ...init, dataTransfer: data })
                                                         : new ClipboardEvent("paste", { ...init, clipboardData: data }));
        }""",
        [files, text, event],
    )


def begin(seen: Seen, site: str) -> Any:
    """The page with an answer on it."""
    page = seen.page
    if site == "texts":
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.get_by_role("button", name="Explain", exact=True).click()
    else:
        give(page, *INPUTS[site])
    settled(page)
    return page


def settled(page: Any) -> Any:
    """The title of the answer, once what is shown is the answer to what is asked, and nothing runs."""
    page.locator(".answer:not(.late) h1").first.wait_for()
    page.locator(".running").wait_for(state="detached")
    return page.locator(".answer h1").first


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def pressed(page: Any, name: str) -> bool:
    return button(page, name).get_attribute("aria-pressed") == "true"


def alert(page: Any) -> str:
    page.get_by_role("alert").wait_for()
    return str(page.get_by_role("alert").inner_text())


# -- a picture ----------------------------------------------------------------------------------------------------------------


def test_a_region_its_share_its_effect_and_its_units(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = seen.page, hand(seen.page)
        use.give(*INPUTS["pictures"])
        assert "=" in settled(page).inner_text()
        use.mark(page.locator(".plate .stage"), 0.4, 0.4)
        assert "of what speaks for" in page.locator(".probe .share").inner_text()
        use.press(button(page, "Hide it"))
        page.get_by_text("Measured.").wait_for()
        assert "random parts of the same size" in page.locator(".change").inner_text()
        use.press(button(page, "Units that answer here"))
        page.locator(".firing").wait_for()
        use.press(page.locator(".firing a").first)
        page.get_by_role("heading", name=re.compile(r"Unit \d+ of")).wait_for()
        page.go_back()
        assert "=" in settled(page).inner_text()


def test_a_region_that_was_found_is_chosen_and_tested(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = begin(seen, "pictures"), hand(seen.page)
        use.press(page.locator(".regions button").first)
        assert "%" in page.locator(".plate .readout").inner_text()
        use.select(page.get_by_label("What stands in its place"), "zero")
        use.press(button(page, "Hide it"))
        page.get_by_text("Measured.").wait_for()


def test_views_and_help_answer_to_keys(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        for key, name in (("1", "Picture"), ("2", "Overlay"), ("3", "Map"), ("4", "Regions")):
            page.keyboard.press(key)
            assert pressed(page, name)
        for key in ("r", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "h"):
            page.keyboard.press(key)
        page.get_by_text("Measured.").wait_for()
        page.keyboard.press("r")
        assert page.locator(".marked").count() == 0
        page.keyboard.press("?")
        page.get_by_role("heading", name="Keys").wait_for()
        assert "Hide what is marked" in page.get_by_role("dialog").inner_text()


def test_a_region_is_drawn_with_the_pointer(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        button(page, "Mark a region").click()
        page.locator(".marker").scroll_into_view_if_needed()
        area = page.locator(".marker").bounding_box()
        page.mouse.move(area["x"] + 0.1 * area["width"], area["y"] + 0.1 * area["height"])
        page.mouse.down()
        page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 0.5 * area["height"], steps=5)
        page.mouse.up()
        marked = page.locator(".marked").bounding_box()
        assert marked["width"] == pytest.approx(0.5 * area["width"], rel=0.1)
        assert marked["height"] == pytest.approx(0.4 * area["height"], rel=0.1)


def test_method_and_classes_are_asked_and_undone(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = seen.page, hand(seen.page)
        use.give(*INPUTS["pictures"])
        first = settled(page).inner_text()
        other = "cat" if "dog" in first else "dog"
        use.press(button(page, other))
        page.locator(".answer h1", has_text=other).wait_for()
        use.write(page.get_by_label("Compare with"), "dog" if other == "cat" else "cat")
        page.keyboard.press("Enter")
        page.locator(".answer h1", has_text=" - ").wait_for()
        use.select(page.get_by_role("combobox", name="Method", exact=True), "gradient_x_input")
        page.locator(".answer .method", has_text="gradient_x_input").wait_for()
        for _ in range(3):
            use.press(button(page, "Undo"))
        expect(page.locator(".answer h1").first).to_have_text(first, timeout=WAIT)


def test_keys_ask_the_next_class_method_and_contrast(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        first = settled(page).inner_text()
        page.keyboard.press("t")
        expect(page.locator(".answer h1").first).not_to_have_text(first, timeout=WAIT)
        page.keyboard.press("v")
        page.locator(".answer h1", has_text=" - ").wait_for()
        page.keyboard.press("m")
        expect(page.locator(".answer .method").first).not_to_contain_text("lrp ·", timeout=WAIT)
        page.keyboard.press("ControlOrMeta+z")
        page.keyboard.press("ControlOrMeta+z")
        page.keyboard.press("ControlOrMeta+z")
        expect(page.locator(".answer h1").first).to_have_text(first, timeout=WAIT)


def test_a_long_method_shows_that_it_runs_and_is_cancelled(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = seen.page, hand(seen.page)
        use.give("black.png", png(SLOW), "image/png")
        settled(page)
        use.select(page.get_by_role("combobox", name="Method", exact=True), "rise")
        page.get_by_role("progressbar", name="Explaining").wait_for()
        use.press(button(page, "Cancel"))
        page.locator(".running").wait_for(state="detached")
        assert page.locator(".answer.late").count() == 1  # what is shown belongs to the question before


def test_work_survives_a_reload(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        page.get_by_label("Target", exact=True).fill("dog")
        page.get_by_label("Target", exact=True).press("Enter")
        page.locator(".answer h1", has_text="dog").wait_for()
        page.reload()
        page.locator(".answer h1", has_text="dog").wait_for()
        assert page.locator(".now strong").inner_text() == "cat.png" and "token" not in page.url


def test_the_copied_command_names_the_file(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = begin(seen, "pictures"), hand(seen.page)
        use.press(button(page, "Copy Python"))
        page.get_by_text("In Python: copied").wait_for(state="attached")
        assert "'cat.png'" in page.evaluate("navigator.clipboard.readText()")


def test_values_and_report_are_saved(visit: Visit) -> None:
    with visit("pictures", accept_downloads=True) as seen:
        page = begin(seen, "pictures")
        for name, start in (("Report (one file)", b"<!doctype html>"), ("Values (safetensors)", b"")):
            with page.expect_download() as download:
                button(page, name).click()
            assert Path(download.value.path()).read_bytes().startswith(start)


def test_methods_side_by_side(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = begin(seen, "pictures"), hand(seen.page)
        use.press(page.get_by_role("link", name="Compare", exact=True))
        use.press(button(page, "Compare 4 methods"))
        page.get_by_role("heading", name="How far they agree").wait_for()


# -- units --------------------------------------------------------------------------------------------------------------------


def test_a_unit_is_met_and_its_link_opens_it_again(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = seen.page, hand(seen.page)
        use.press(page.get_by_role("link", name="Units", exact=True))
        use.press(page.get_by_role("link", name="4", exact=True))
        use.press(page.get_by_role("link", name="Unit 3", exact=True))
        page.get_by_role("heading", name="Unit 3 of 4").wait_for()
        page.locator(".drawing img").wait_for()
        use.press(button(page, "Cancel"))
        page.locator(".running").wait_for(state="detached")
        use.press(button(page, "Draw again"))
        page.locator(".answer img").first.wait_for()
        use.press(button(page, "Real pictures in photos"))
        page.locator(".answer").nth(1).locator("img").nth(8).wait_for()
        use.press(button(page, "Copy link"))
        page.get_by_text("Link copied").wait_for(state="attached")
        other = page.context.new_page()
        other.goto(page.evaluate("navigator.clipboard.readText()"))
        other.get_by_role("heading", name="Unit 3 of 4").wait_for()
        assert "token" not in other.url


def test_a_dead_unit_is_a_sentence(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = seen.page
        page.goto(page.url.partition("#")[0] + f"#/units/5/{DEAD}")
        page.get_by_text("never").first.wait_for()


def test_layers_are_coloured_by_relevance(visit: Visit, hand: Hand) -> None:
    with visit("pictures") as seen:
        page, use = begin(seen, "pictures"), hand(seen.page)
        use.press(page.get_by_role("link", name="Units", exact=True))
        use.press(page.get_by_role("button", name="Colour it"))
        page.get_by_role("heading", name="Relevance by layer").wait_for()


# -- texts, tables, sounds ----------------------------------------------------------------------------------------------------


def test_words_are_read_hidden_compared_and_edited(visit: Visit, hand: Hand) -> None:
    with visit("texts") as seen:
        page, use = seen.page, hand(seen.page)
        use.write(page.get_by_label("Text", exact=True), TEXT)
        use.press(button(page, "Explain"))
        settled(page)
        sums = []
        for unit in ("Tokens", "Words", "Sentences"):
            use.press(button(page, unit))
            sums.append(page.locator(".largest .sum output").inner_text())
        assert len(set(sums)) == 1
        use.press(button(page, "Words"))
        assert page.locator(".text", has_text="[CLS]").count() == 1  # special tokens are shown, and kept apart
        word = page.locator(".text [role=button]", has_text="good").first
        use.press(word)
        assert "good" in page.locator(".main .readout").inner_text()
        use.press(button(page, "Hide it"))
        page.get_by_text("Measured.").wait_for()
        use.write(page.get_by_label("Compare with"), "good")
        page.keyboard.press("Enter")
        page.locator(".answer h1", has_text=" - ").wait_for()
        use.press(button(page, "Undo"))
        expect(page.locator(".answer h1").first).not_to_contain_text(" - ", timeout=WAIT)
        use.write(page.get_by_label("Edited text"), "the film was very bad")
        use.press(button(page, "Ask again"))
        page.locator(".compared").wait_for()
        assert "before" in page.locator(".compared").inner_text()


SCRIPTS = [("الفيلم جيد جدا", "rtl"), ("הסרט היה טוב", "rtl"), ("这部电影很好", "ltr"), (HOSTILE, "ltr")]


@pytest.mark.parametrize(("text", "way"), SCRIPTS, ids=["Arabic", "Hebrew", "Chinese", "markup"])
def test_every_script_is_read_as_it_is_written(visit: Visit, text: str, way: str) -> None:
    with visit("texts") as seen:
        page = seen.page
        drop(page, [], text, "paste")
        settled(page)
        assert page.locator(".text").first.get_attribute("dir") == way
        words = page.locator(".text").first.inner_text()
        assert "?" not in words and all(letter in words for letter in set(text) - {" ", "\n"})
        assert page.locator("img[src='x']").count() == 0


def test_a_cell_is_edited_and_all_rows_are_seen(visit: Visit, hand: Hand) -> None:
    with visit("tables") as seen:
        page, use = seen.page, hand(seen.page)
        use.give(*INPUTS["tables"])
        settled(page)
        use.press(page.get_by_role("region", name="Rows of the table").get_by_role("button", name="1", exact=True))
        expect(page.get_by_label("rooms", exact=True)).to_have_value("2", timeout=WAIT)
        settled(page)
        use.write(page.get_by_label("rooms", exact=True), "9")
        page.keyboard.press("Enter")
        page.locator(".compared").wait_for()
        assert "rooms changed to 9" in page.locator(".compared").inner_text()
        settled(page)
        use.press(button(page, "Explain all rows"))
        dots = page.get_by_role("group", name="rooms: a dot per row").get_by_role("button")
        dots.nth(2).wait_for()
        use.press(page.get_by_role("group", name="rooms: a dot per row").get_by_role("button", name=re.compile("Row 2:")))
        expect(page.get_by_label("rooms", exact=True)).to_have_value("3", timeout=WAIT)


def test_a_sound_is_explained(visit: Visit, hand: Hand) -> None:
    with visit("sounds") as seen:
        hand(seen.page).give(*INPUTS["sounds"])
        assert "=" in settled(seen.page).inner_text()
        assert "'tone.wav'" in seen.page.locator(".repeat").inner_text()


# -- people who decide about others -------------------------------------------------------------------------------------------


def test_the_clinic_sheet_says_how_far_it_can_be_trusted(visit: Visit, hand: Hand) -> None:
    with visit("clinic", refused="status of 404") as seen:
        page, use = seen.page, hand(seen.page)
        use.give(*INPUTS["clinic"])
        page.get_by_text("Hiding the strongest region changes").wait_for()
        settled(page)
        assert page.locator(".classes .line").count() == 3
        evidence = page.locator(".evidence li")
        assert 1 <= evidence.count() <= 7 and all("%" in one for one in evidence.all_inner_texts())
        assert page.locator(".stage .outlines .region").count() >= evidence.count()
        page.keyboard.press("1")
        assert pressed(page, "Plain picture") and page.locator(".stage .outlines").count() == 0
        use.press(button(page, "Plain picture"))
        assert page.locator(".stage .outlines").count() == 1
        lamps = page.locator(".lamp").all_inner_texts()
        assert len(lamps) == 3 and all(re.match("Holds|Caution|Unknown", one) for one in lamps) and lamps[2].startswith("Unknown")
        sheet = page.locator(".sheet").inner_text()
        assert "Research use, not a diagnosis" in sheet and len(re.findall("[0-9a-f]{64}", sheet)) >= 1 and "pellucid 0" in sheet
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(prefer_css_page_size=True))) == 1
        use.write(page.get_by_label("Compare with"), "cat" if "cat" not in page.locator(".answer h1").inner_text() else "dog")
        page.keyboard.press("Enter")
        page.locator(".answer h1", has_text=" - ").wait_for()


def test_a_closed_sheet_is_forgotten(visit: Visit) -> None:
    with visit("clinic", refused="status of 404") as seen:
        page = seen.page
        with page.expect_response("**/v1/inputs") as answer:
            give(page, *INPUTS["clinic"])
        name = answer.value.json()["input"]
        page.get_by_text("Hiding the strongest region changes").wait_for()
        ask = f"""async () => (await fetch("/v1/inputs/{name}/picture",
            {{ headers: {{ Authorization: "Bearer " + sessionStorage.getItem("pellucid-token") }} }})).status"""
        assert page.evaluate(ask) == 200
        page.reload()
        page.get_by_text("Drop a picture here").wait_for()
        assert page.evaluate(ask) == 404


# -- nonsense -----------------------------------------------------------------------------------------------------------------


def test_names_are_only_names(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = seen.page
        give(page, f"{HOSTILE}.png", picture(), "image/png")
        settled(page)
        page.get_by_label("Target", exact=True).fill("2")
        page.get_by_label("Target", exact=True).press("Enter")
        page.locator(".answer h1", has_text="onerror").wait_for()
        assert page.locator("img[src='x']").count() == 0


def test_nonsense_is_answered_in_words(visit: Visit) -> None:
    with visit("pictures", refused="status of 422") as seen:
        page = seen.page
        give(page, "cat.png", b"no picture", "image/png")
        assert "no picture" in alert(page)
        for files, text, words in (
            ([("scan.pdf", "%PDF-1.7")], "", "scan.pdf is not a picture"),
            ([("nothing.png", "")], "", "is empty"),
            ([(f"{n}.png", "x") for n in range(20)], "", "20 files"),
            ([("homes.csv", TABLE)], "", "reads JPEG"),
            ([], "https://example.org/cat.png", "fetches nothing"),
            ([], "a text", "A text came"),
        ):
            button(page, "Close").click()
            drop(page, files, text)
            assert words in alert(page)
        assert page.locator(".now").count() == 0
        begin(seen, "pictures")
        page.get_by_label("Target", exact=True).fill("unicorn")
        page.get_by_label("Target", exact=True).press("Enter")
        assert "unicorn" in alert(page)
        assert page.locator(".answer.late").count() == 1
        button(page, "Undo").click()
        settled(page)


def test_a_view_or_unit_that_is_not_there(visit: Visit) -> None:
    with visit("pictures") as seen:
        page, home = seen.page, seen.page.url.partition("#")[0]
        page.goto(f"{home}#/nowhere")
        page.get_by_role("heading", name="There is no such view").wait_for()
        page.goto(f"{home}#/units/no%20layer")
        page.get_by_text("There is no such layer").wait_for()
        page.goto(f"{home}#/units/4/99")
        assert "99" in alert(page)
        page.goto(f"{home}#/units/%E0%A4%A")
        page.get_by_text("There is no such layer").wait_for()


def test_the_last_of_many_questions_is_the_one_that_is_answered(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        method = page.get_by_role("combobox", name="Method", exact=True)
        for name in ("saliency", "gradient", "lrp.epsilon", "sensitivity", "gradient_x_input"):
            method.select_option(name)
        for name in ("dog", "cat", "1"):
            page.get_by_label("Target", exact=True).fill(name)
            page.get_by_label("Target", exact=True).press("Enter")
        settled(page)
        assert "dog" in page.locator(".answer h1").inner_text()
        assert "gradient_x_input" in page.locator(".answer .method").inner_text()
        for n in range(5):
            give(page, f"{n}.png", picture((40 * n, 10, 90)), "image/png")
        expect(page.locator(".now strong")).to_have_text("4.png", timeout=WAIT)
        settled(page)
        page.wait_for_timeout(300)
        assert page.locator(".now strong").inner_text() == "4.png"


def test_without_a_server_the_page_says_so_and_goes_on_later(visit: Visit) -> None:
    with visit("pictures", refused="ERR_INTERNET_DISCONNECTED") as seen:
        page = begin(seen, "pictures")
        page.context.set_offline(True)
        page.get_by_label("Target", exact=True).fill("dog")
        page.get_by_label("Target", exact=True).press("Enter")
        assert "does not answer" in alert(page)
        page.context.set_offline(False)
        button(page, "Try again").click()
        page.locator(".answer h1", has_text="dog").wait_for()
        assert page.get_by_role("alert").count() == 0


# -- how it looks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("site", OVERVIEW)
def test_axe_finds_nothing(visit: Visit, site: str, dark: bool) -> None:
    with visit(site, dark=dark) as seen:
        assert seen.axe() == []
        page = begin(seen, site)
        assert seen.axe() == []
        for width in (320, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        if site == "pictures":
            page.keyboard.press("r")
            page.keyboard.press("u")
            page.locator(".firing").wait_for()
            assert seen.axe() == []
            for view in ("compare", "units", "units/4", "units/4/3", "model"):
                page.goto(f"{page.url.partition('#')[0]}#/{view}")
                page.locator("h1, .pick").first.wait_for()
                assert seen.axe() == [], view


def test_nothing_moves_for_people_who_want_it_still(visit: Visit) -> None:
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        page.keyboard.press("4")
        times = "[...document.querySelectorAll('.stage *, button')].map(one => getComputedStyle(one).transitionDuration)"
        assert set(page.evaluate(times)) == {"0s"}


def test_nothing_shifts_when_the_map_arrives(visit: Visit) -> None:
    watch = "new PerformanceObserver(list => list.getEntries().forEach(one => window.shift = (window.shift ?? 0) + one.value))"
    with visit("pictures") as seen:
        page = begin(seen, "pictures")
        page.evaluate(f"{watch}.observe({{ type: 'layout-shift' }})")
        page.keyboard.press("t")
        page.locator(".answer.late").wait_for(state="attached")
        settled(page)
        page.wait_for_timeout(200)
        assert page.evaluate("window.shift ?? 0") < 0.02
