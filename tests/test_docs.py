"""The README and the pages under docs/ run: every block marked python, in order, the blocks of a page sharing their names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pellucid import zoo

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ELSEWHERE = {"CONTRIBUTING.md"}  # its snippets need the files that it adds: test_contributing.py


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "```python\n" in page.read_text(encoding="utf-8") and page.name not in ELSEWHERE],
    ids=named,
)
def test_the_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(zoo.pictures()["chelsea"], "cat.jpg")  # the pictures that the pages speak of
    shutil.copy(zoo.pictures()["coffee"], "espresso.jpg")
    names: dict[str, object] = {"__name__": "__main__"}
    for code in snippets(page.read_text(encoding="utf-8")):
        exec(compile(code, str(page), "exec"), names)


def snippets(text: str) -> list[str]:
    """The blocks, each moved down by empty lines so that an error names the line of the page."""
    blocks = re.finditer(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return ["\n" * text[: block.start(1)].count("\n") + block[1] for block in blocks]


def test_a_block_keeps_the_line_numbers_of_its_page():
    page = "# Title\n```python\nx = 1\n```\n```text\nno\n```\n```python\ny = x\n```\n"
    assert snippets(page) == ["\n\nx = 1\n", "\n" * 8 + "y = x\n"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_page_of_methods_tells_the_catalogue():
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_methods", ROOT / "docs" / "make_methods.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == made.page(), "run python docs/make_methods.py"
    assert {entry.family for entry in made.METHODS} <= set(made.FAMILIES)
