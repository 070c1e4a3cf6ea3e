"""Texts that read from right to left, in a real browser: in the viewer, in the page without scripts, and in SVG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browser as browser, visit as visit
from tests.test_lettering import ARABIC, HEBREW, explained

BEHIND = """element => {
    const range = document.createRange();
    range.selectNodeContents(element.lastChild);
    const isolated = element.querySelector("bdi, tspan tspan").getBoundingClientRect();
    return range.getBoundingClientRect().left >= isolated.right - 1;
}"""  # whether what stands behind a name is seen at its right
MIDDLES = "all => all.map(one => { const box = one.getBoundingClientRect(); return (box.left + box.right) / 2; })"


@pytest.mark.parametrize("text", [ARABIC, HEBREW])
def test_the_viewer_shows_a_text_from_the_right_whatever_token_it_begins_with(
    text: str, visit: Callable[..., Any], tmp_path: Path
) -> None:
    seen = visit(explained(text, label=text.split()[0]).save(tmp_path / "text.html"))
    assert seen.page.evaluate("getComputedStyle(document.querySelector('#viewer .text')).direction") == "rtl"
    middles = seen.page.eval_on_selector_all("#viewer .text span[role=button]", MIDDLES)
    assert middles == sorted(middles, reverse=True), "one token after the other, from the right"
    assert seen.page.eval_on_selector("#viewer h1", BEHIND), "the number stands behind the name"


def test_a_text_from_the_left_stays_so(visit: Callable[..., Any], tmp_path: Path) -> None:
    seen = visit(explained(f"the film {HEBREW} ok").save(tmp_path / "text.html"))
    assert seen.page.evaluate("getComputedStyle(document.querySelector('#viewer .text')).direction") == "ltr"


@pytest.mark.parametrize("text", [ARABIC, HEBREW])
def test_svg_shows_it_in_the_same_order(text: str, browser: Any, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(explained(text, label=text.split()[0]).save(tmp_path / "text.svg").as_uri())
    middles = page.eval_on_selector_all("text[direction=rtl]", MIDDLES)
    assert len(middles) > 3 and middles == sorted(middles), "drawn from left to right, so that the first letter comes last"
    assert page.eval_on_selector("text > tspan:has(tspan)", BEHIND)
    page.close()
