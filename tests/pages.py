"""Pages of servers that are shared by all tests of a run; and hands that use them, with the mouse or with keys alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import pellucid as pl
from pellucid.serve.server import running
from pellucid.serve.settings import Settings
from .browser import WATCH, Seen
from .served import picture, small_model, sound_model, table_model, text_model

WAIT = int(os.environ.get("PELLUCID_WAIT", 60_000))  # milliseconds: machines are shared
MOST = 500  # presses of Tab, or of an arrow key
Visit = Callable[..., AbstractContextManager[Seen]]


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The addresses of servers, by what they serve; they load their models at the same time."""
    photos = tmp_path_factory.mktemp("photos")
    for n in range(12):
        (photos / f"{n}.png").write_bytes(picture((20 * n, 90, 10)))
    loads: dict[str, tuple[Callable[[], pl.Model], dict[str, Any]]] = {
        "pictures": (small_model, {"roots": {"photos": str(photos)}}),
        "clinic": (small_model, {"profile": "clinic"}),
        "texts": (text_model, {}),
        "tables": (table_model, {}),
        "sounds": (sound_model, {}),
    }
    with ExitStack() as stack:
        own = {name: Settings(load, name, port=18870, **more) for name, (load, more) in loads.items()}
        yield {name: stack.enter_context(running(settings)).address for name, settings in own.items()}


@pytest.fixture
def visit(browser: Any, sites: Mapping[str, str]) -> Visit:
    """Opens a page. Nothing may come from elsewhere, be forbidden by the policy, fail in a script, or open a dialog."""

    @contextmanager
    def visiting(site: str, *, dark: bool = False, width: int = 1280, refused: str = "", **more: Any) -> Iterator[Seen]:
        context = browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}, reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"], **more,
        )  # fmt: skip
        context.add_init_script(WATCH)
        seen = Seen(context.new_page())
        watch(seen, sites[site].partition("#")[0], refused)
        seen.page.set_default_timeout(WAIT)
        seen.page.goto(sites[site])
        seen.page.get_by_role("navigation", name="Views").wait_for()
        seen.page.locator(".intake, .warning").first.wait_for()
        try:
            yield seen
            assert seen.complaints() == []
        finally:
            context.close()

    return visiting


def watch(seen: Seen, home: str, refused: str) -> None:
    """Keep what a page does besides showing itself. `refused`: of the browser's line about what the page itself says in words."""

    def message(line: Any) -> None:
        if line.type in ("error", "warning") and not (refused and refused in line.text):
            seen.messages.append(line.text)

    def request(one: Any) -> None:
        if not one.url.startswith((home, "data:", "blob:")):
            seen.requests.append(one.url)

    seen.page.on("console", message)
    seen.page.on("pageerror", lambda error: seen.messages.append(str(error)))
    seen.page.on("dialog", lambda dialog: (seen.messages.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    seen.page.on("request", request)


def press_to(page: Any, target: Any, key: str = "Tab") -> None:
    """Press a key until an element is reached."""
    target.wait_for()
    for _ in range(MOST):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{target} cannot be reached by {key}")


@dataclass(frozen=True)
class Mouse:
    """Clicks what it means."""

    page: Any

    def press(self, target: Any) -> None:
        target.click()

    def give(self, name: str, content: bytes, kind: str) -> None:
        """Choose a file in the browser's own dialog."""
        with self.page.expect_file_chooser() as chooser:
            self.press(self.page.get_by_label("Choose a file"))
        chooser.value.set_files([{"name": name, "mimeType": kind, "buffer": content}])

    def reach(self, target: Any) -> None:
        """Bring the cursor there."""
        target.click()

    def write(self, target: Any, text: str) -> None:
        self.reach(target)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)

    def select(self, target: Any, name: str) -> None:
        target.select_option(name)

    def mark(self, stage: Any, across: float, down: float) -> None:
        """Mark a place of the picture, in shares of it."""
        stage.scroll_into_view_if_needed()
        area = stage.bounding_box()
        self.page.mouse.click(area["x"] + across * area["width"], area["y"] + down * area["height"])


@dataclass(frozen=True)
class Keys(Mouse):
    """Reaches everything by keys."""

    def reach(self, target: Any) -> None:
        press_to(self.page, target)

    def press(self, target: Any) -> None:
        """By Tab; within a group of which one takes part in Tab, by arrow keys from there."""
        target.wait_for()
        group = target.locator("xpath=ancestor::*[@data-roving][1]")
        if group.count():
            self.reach(group.locator("[tabindex='0']").first)
            press_to(self.page, target, "ArrowRight")
        else:
            self.reach(target)
        self.page.keyboard.press("Enter")

    def select(self, target: Any, name: str) -> None:
        self.reach(target)
        self.page.keyboard.press("Home")
        for _ in range(MOST):
            if target.input_value() == name:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{name} cannot be chosen by keys")

    def mark(self, stage: Any, across: float, down: float) -> None:
        """From the middle, where a region begins."""
        self.page.keyboard.press("r")
        for share, forward, back in ((across, "ArrowRight", "ArrowLeft"), (down, "ArrowDown", "ArrowUp")):
            for _ in range(round(abs(share - 0.5) * 32)):
                self.page.keyboard.press(forward if share > 0.5 else back)


@pytest.fixture(params=[Mouse, Keys], ids=["mouse", "keys"])
def hand(request: pytest.FixtureRequest) -> type[Mouse]:
    """Every journey goes by mouse, and again by keyboard alone."""
    kind: type[Mouse] = request.param
    return kind
