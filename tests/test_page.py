"""The page in a browser: every journey by mouse, and again by keyboard alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pellucid as pl
from pellucid.serve.server import running
from pellucid.serve.settings import Settings
from .served import HOSTILE, picture, small_model, table_model, text_model

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no chromium: the page is tried in a browser", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")
Visit = Callable[..., AbstractContextManager[Any]]
WAIT = int(os.environ.get("PELLUCID_WAIT", 120_000))  # milliseconds: machines are shared
TABLE = "kind,rooms,age\nhouse,5,12\nflat,2,70\n"
MARKED = "Mark a region"
REFUSED = "status of 422"  # the browser's own line about what the server refused; the page says it in words


@pytest.fixture(scope="module")
def visit() -> Iterator[Visit]:
    """Opens the page of a model; nothing may come from elsewhere, be forbidden by the policy, or fail in a script."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        @contextmanager
        def visiting(load: Callable[[], pl.Model], profile: str = "full", scheme: str = "light", **roots: str) -> Iterator[Any]:
            with running(Settings(load, "small", port=18870, profile=profile, roots=roots)) as settings:  # type: ignore[arg-type]
                context = browser.new_context(color_scheme=scheme, permissions=["clipboard-read", "clipboard-write"])
                page, problems = context.new_page(), []
                page.set_default_timeout(WAIT)
                page.on(
                    "console",
                    lambda line: problems.append(line.text) if line.type == "error" and REFUSED not in line.text else None,
                )
                page.on("pageerror", lambda error: problems.append(str(error)))
                page.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
                own = f"http://127.0.0.1:{settings.port}/"
                page.on(
                    "request",
                    lambda request: None if request.url.startswith((own, "data:", "blob:")) else problems.append(request.url),
                )
                page.goto(settings.address)
                page.get_by_role("navigation", name="Views").wait_for()
                yield page
                assert problems == []
                context.close()

        yield visiting
        browser.close()


def drop(page: Any, name: str, content: bytes, kind: str) -> None:
    """Give a file, as a person chooses one."""
    page.get_by_label("Choose a file").set_input_files([{"name": name, "mimeType": kind, "buffer": content}])


def heading(page: Any) -> Any:
    """The title of the answer, once it is there."""
    found = page.locator(".answer h1, .sheet h1").first
    found.wait_for()
    return found


def press_to(page: Any, target: Any, most: int = 400) -> None:
    """Reach an element by Tab alone."""
    target.wait_for()
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by Tab")


# -- a picture ----------------------------------------------------------------------------------------------------------------


def test_a_picture_is_explained_and_a_region_tested(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", picture(), "image/png")
        assert "=" in heading(page).inner_text()
        page.get_by_role("button", name=MARKED).click()
        page.get_by_role("button", name="Hide it").click()
        measured = page.get_by_text("Measured.")
        measured.wait_for()
        assert "random parts of the same size" in page.locator(".change").inner_text()
        assert "of what speaks for" in page.locator(".probe .share").inner_text()
        page.get_by_role("button", name="Units that answer here").click()
        page.locator(".firing").wait_for()


def test_the_same_by_keyboard_alone(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", picture(), "image/png")
        heading(page)
        for key in ("r", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "h"):
            page.keyboard.press(key)
        page.get_by_text("Measured.").wait_for()
        press_to(page, page.get_by_role("button", name=MARKED))
        page.keyboard.press("Enter")
        assert page.locator(".marked").count() == 0
        for key, name in (("1", "Picture"), ("2", "Overlay"), ("3", "Map"), ("4", "Regions")):
            page.keyboard.press(key)
            assert page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"
        page.keyboard.press("?")
        page.get_by_role("heading", name="Keys").wait_for()
        assert "Hide what is marked" in page.get_by_role("dialog").inner_text()


def test_a_region_is_drawn_with_the_pointer(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", picture(), "image/png")
        heading(page)
        page.get_by_role("button", name=MARKED).click()
        page.locator(".marker").scroll_into_view_if_needed()
        area = page.locator(".marker").bounding_box()
        page.mouse.move(area["x"] + 0.1 * area["width"], area["y"] + 0.1 * area["height"])
        page.mouse.down()
        page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 0.5 * area["height"], steps=5)
        page.mouse.up()
        marked = page.locator(".marked").bounding_box()
        assert marked["width"] == pytest.approx(0.5 * area["width"], rel=0.1)
        assert marked["height"] == pytest.approx(0.4 * area["height"], rel=0.1)


def test_method_and_classes_are_asked_and_undone(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", picture(), "image/png")
        first = heading(page).inner_text()
        page.get_by_label("Target", exact=True).fill("dog")
        page.get_by_label("Target", exact=True).press("Enter")
        page.locator(".answer h1", has_text="dog").wait_for()
        page.get_by_label("Compare with").fill("cat")
        page.get_by_label("Compare with").press("Enter")
        page.locator(".answer h1", has_text="-").wait_for()
        page.get_by_role("combobox", name="Method", exact=True).first.select_option("gradient_x_input")
        page.locator(".answer .method", has_text="gradient_x_input").wait_for()
        for _ in range(3):
            page.get_by_role("button", name="Undo").click()
        sync_api.expect(page.locator(".answer h1").first).to_have_text(first, timeout=WAIT)


def test_a_hostile_class_is_only_a_name(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, f"{HOSTILE}.png", picture(), "image/png")
        heading(page)
        page.get_by_label("Target", exact=True).fill("2")
        page.get_by_label("Target", exact=True).press("Enter")
        page.locator(".answer h1", has_text="onerror").wait_for()
        assert page.locator("img[src='x']").count() == 0


def test_nonsense_is_answered_in_words(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", b"no picture", "image/png")
        page.get_by_role("alert").wait_for()
        assert "no picture" in page.get_by_role("alert").inner_text()
        drop(page, "cat.png", picture(), "image/png")
        heading(page)
        page.get_by_label("Target", exact=True).fill("unicorn")
        page.get_by_label("Target", exact=True).press("Enter")
        page.get_by_role("alert").wait_for()
        assert "unicorn" in page.get_by_role("alert").inner_text()


def test_methods_side_by_side(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", picture(), "image/png")
        heading(page)
        page.get_by_role("link", name="Compare").click()
        page.get_by_role("button", name="Compare 4 methods").click()
        page.get_by_role("heading", name="How far they agree").wait_for()


# -- units --------------------------------------------------------------------------------------------------------------------


def test_a_unit_is_met_and_its_link_opens_it_again(visit: Visit, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture((80 * number, 90, 10)))
    with visit(small_model, photos=str(tmp_path)) as page:
        page.get_by_role("link", name="Units").click()
        page.get_by_role("link", name="4", exact=True).click()
        page.get_by_role("link", name="Unit 3").click()
        page.get_by_role("heading", name="Unit 3 of 4").wait_for()
        page.locator(".answer img").first.wait_for()
        page.get_by_role("button", name="Real pictures in photos").click()
        page.locator(".answer").nth(1).wait_for()
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("Link copied").wait_for(state="attached")
        link = page.evaluate("navigator.clipboard.readText()")
        other = page.context.new_page()
        other.goto(link)
        other.get_by_role("heading", name="Unit 3 of 4").wait_for()
        assert "token" not in other.url


def test_units_are_reached_by_arrow_keys(visit: Visit) -> None:
    with visit(small_model) as page:
        page.goto(page.url.partition("#")[0] + "#/units/4")
        first = page.get_by_role("link", name="Unit 0")
        press_to(page, first)
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Unit 5 of 4").wait_for()


def test_layers_are_coloured_by_relevance(visit: Visit) -> None:
    with visit(small_model) as page:
        drop(page, "cat.png", picture(), "image/png")
        heading(page)
        page.get_by_role("link", name="Units").click()
        page.get_by_role("button", name="Colour it").click()
        page.get_by_role("heading", name="Relevance by layer").wait_for()


# -- texts and tables ---------------------------------------------------------------------------------------------------------


def test_words_of_a_text_are_hidden_and_edited(visit: Visit) -> None:
    with visit(text_model) as page:
        page.get_by_label("Text", exact=True).fill("the film was very good")
        page.get_by_role("button", name="Explain", exact=True).click()
        heading(page)
        page.locator(".text [role=button]", has_text="good").first.click()
        page.get_by_role("button", name="Hide it").click()
        page.get_by_text("Measured.").wait_for()
        page.get_by_label("Edited text").fill("the film was very bad")
        page.get_by_role("button", name="Ask again").click()
        page.locator(".compared").wait_for()
        assert "before" in page.locator(".compared").inner_text()


def test_a_text_by_keyboard_alone(visit: Visit) -> None:
    with visit(text_model) as page:
        press_to(page, page.get_by_label("Text", exact=True))
        page.keyboard.type("a good plot")
        press_to(page, page.get_by_role("button", name="Explain", exact=True))
        page.keyboard.press("Enter")
        heading(page)
        press_to(page, page.locator(".text [role=button][tabindex='0']").first)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.keyboard.press("h")
        page.get_by_text("Measured.").wait_for()


def test_a_cell_of_a_table_is_edited(visit: Visit) -> None:
    with visit(table_model) as page:
        drop(page, "homes.csv", TABLE.encode(), "text/csv")
        heading(page)
        page.get_by_role("region", name="Rows of the table").get_by_role("button", name="1", exact=True).click()
        page.get_by_label("rooms").wait_for()
        page.get_by_label("rooms").fill("9")
        page.get_by_label("rooms").press("Enter")
        page.locator(".compared").wait_for()
        assert "rooms changed to 9" in page.locator(".compared").inner_text()


# -- people who decide about others -------------------------------------------------------------------------------------------


def test_the_clinic_profile_says_how_far_it_can_be_trusted(visit: Visit) -> None:
    with visit(small_model, profile="clinic") as page:
        drop(page, "scan.png", picture(), "image/png")
        heading(page)
        page.locator(".lamp").nth(2).wait_for()
        sheet = page.locator(".sheet").inner_text()
        assert "Research use, not a diagnosis" in sheet
        assert "unknown" in sheet
        assert "sha256" in sheet or "pellucid" in sheet
        page.keyboard.press("1")
        assert page.get_by_role("button", name="Plain picture").get_attribute("aria-pressed") == "true"
        assert page.locator(".stage .outlines").count() == 0
        assert Image.open(BytesIO(page.locator(".stage").first.screenshot())).size[0] > 100
