"""Bars of long work in notebooks: none for short work, one line at the end, and a setting that turns them off."""

from __future__ import annotations

import pytest

from pellucid.core import notebook, progress
from pellucid.core.progress import report_progress, watched
from pellucid.core.progress_bar import ProgressBars, Surface


class Events:
    def __init__(self) -> None:
        self.held: list[object] = []

    def register(self, name: str, do: object) -> None:
        assert name == "post_run_cell"
        self.held.append(do)

    def unregister(self, name: str, do: object) -> None:
        self.held.remove(do)


class Page:
    """A notebook that keeps what is displayed, by name, and a clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.events, self.shown, self.count = 0.0, Events(), dict[str, dict[str, str]](), 0
        monkeypatch.setattr(notebook, "shell", lambda: self)
        monkeypatch.setattr(notebook, "display", self.display)
        self.bars = ProgressBars(Surface(), clock=lambda: self.now)

    kernel = True

    def display(self, bundle: dict[str, str], *, name: str = "", update: bool = False) -> None:
        assert update == (name in self.shown)
        self.shown[name] = bundle
        self.count += 1

    def run(self, seconds: float, total: int, what: str = "forward passes", upto: int | None = None) -> None:
        for done in range(1, (upto or total) + 1):
            self.now += seconds / total
            self.bars(done, total, what)


@pytest.fixture
def page(monkeypatch):
    return Page(monkeypatch)


def test_short_work_shows_nothing(page):
    page.run(2.0, 500)
    assert not page.shown and not page.events.held


def test_long_work_shows_a_bar_and_leaves_one_line(page):
    page.run(60.0, 500, upto=250)
    (bundle,) = page.shown.values()
    assert "forward passes" in bundle["text/html"] and "250/500" in bundle["text/plain"]
    assert "<script" not in bundle["text/html"] and len(page.events.held) == 1
    page.now += 30
    page.bars(500, 500, "forward passes")
    (bundle,) = page.shown.values()
    assert bundle == {"text/plain": "500 forward passes in 60 s"} and not page.events.held


def test_it_is_drawn_a_few_times_a_second_and_no_more(page):
    page.run(10.0, 10_000)
    assert 20 <= page.count <= 60


def test_work_inside_other_work_leaves_no_line_of_its_own(page):
    for outer in range(1, 6):
        page.run(10.0, 100, "forward passes")
        page.bars(outer, 5, "answers")
    lines = [bundle["text/plain"] for bundle in page.shown.values()]
    assert lines[-1] == "5 answers in 50 s" and len(lines) == 2  # the first passes came before anything was known of the answers


def test_work_that_is_broken_off_says_how_far_it_came(page):
    page.run(60.0, 500, upto=250)
    page.events.held[0](object())
    (bundle,) = page.shown.values()
    assert bundle["text/plain"] == "250 of 500 forward passes in 30 s" and not page.events.held
    page.run(2.0, 500)
    assert len(page.shown) == 1


def test_no_bars_in_scripts_unless_somebody_asks(capsys, monkeypatch):
    assert progress.automatic() is None
    progress.progress(True)
    try:
        assert isinstance(progress.automatic(), ProgressBars)
        progress.progress(False)
        monkeypatch.setattr(notebook, "in_notebook", lambda: True)
        assert progress.automatic() is None
        progress.progress(None)
        assert isinstance(progress.automatic(), ProgressBars)
    finally:
        progress.progress(None)


def test_a_watcher_goes_first(page, monkeypatch):
    monkeypatch.setattr(progress, "_bars", lambda **_: pytest.fail("a watcher is there"))
    seen = []
    with watched(lambda *told: seen.append(told)):
        report_progress(1, 2, "steps")
    assert seen == [(1, 2, "steps")]


def test_a_script_that_asks_gets_bars_on_standard_error(capsys, monkeypatch):
    from pellucid.core.progress_bar import TerminalSurface

    now = [0.0]
    bars = ProgressBars(TerminalSurface(), clock=lambda: now[0])
    for done in range(1, 101):
        now[0] += 0.1
        bars(done, 100, "steps")
    found = capsys.readouterr()
    assert not found.out and found.err.strip().endswith("100 steps in 10 s")
