"""A real Chromium for tests of pages: that of the system, driven by playwright, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NODE = Path(__file__).parents[1] / "viewer" / "node_modules"
AXE = NODE / "axe-core" / "axe.min.js"
READING = "Canvas2D: Multiple readback"  # what Chromium says where a test reads pixels
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


def missing(what: str, do: str) -> None:
    """Skips where something is not installed; where everything has to be, fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and this run has to have it. {do}")
    pytest.skip(f"{what}. {do}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a module."""
    if CHROMIUM is None:
        missing("no Chromium is installed", "apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Without a sandbox where root runs it: there Chromium has none to offer.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@dataclass(eq=False)
class Seen:
    """A page, and all that it did besides showing itself."""

    page: Any
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def complaints(self) -> list[str]:
        """Errors, messages, refused content and requests: a sound page has none."""
        return [*self.messages, *self.requests, *self.page.evaluate("window.violations")]

    def axe(self, *rules: str) -> list[str]:
        """What axe-core finds by these rules, or by all of its own: rule and element."""
        if not AXE.is_file():
            missing("axe-core is not installed", "npm ci --prefix viewer")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
        found = self.page.evaluate("options => axe.run(document, options).then(result => result.violations)", options)
        return [f"{one['id']}: {node['html'][:150]}" for one in found for node in one["nodes"]]


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Seen]]:
    """Opens HTML as a file: visit(text, width=1280, dark=False)."""
    contexts = []

    def visit(html: str | Path, *, width: int = 1280, dark: bool = False, grant: Sequence[str] = (), at: str = "") -> Seen:
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        context.grant_permissions(list(grant))
        context.add_init_script(WATCH)
        seen = Seen(context.new_page())
        path = html if isinstance(html, Path) else tmp_path / f"page-{len(contexts)}.html"
        if isinstance(html, str):
            path.write_text(html, encoding="utf-8")
        address = path.as_uri()
        seen.page.on("request", lambda request: None if own(request.url, address) else seen.requests.append(request.url))
        seen.page.on("console", lambda message: None if READING in message.text else seen.messages.append(message.text))
        seen.page.on("pageerror", lambda error: seen.messages.append(str(error)))
        seen.page.on("dialog", lambda dialog: (seen.messages.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        seen.page.goto(address + at)
        seen.page.wait_for_selector("#viewer h1")
        return seen

    yield visit
    for context in contexts:
        context.close()


def own(url: str, address: str) -> bool:
    """Whether a request is for the file itself, or for what is inside it."""
    return url.partition("#")[0] == address or url.startswith(("data:", "blob:"))
