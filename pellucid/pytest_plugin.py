"""The pytest plugin: what assertions about explanations measured, also of tests that pass, at the end of the run.

`pip install pellucid` registers it. It imports nothing heavy: only a test that asserts brings `pellucid.testing`.
"""

from __future__ import annotations

import sys
from typing import Any

REPORTS: list[tuple[str, str]] = []  # test and words


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("pellucid", "explanations")
    group.addoption("--no-explanations", action="store_true", help="Do not list what assertions about explanations measured.")


def pytest_sessionstart(session: Any) -> None:
    REPORTS.clear()


def pytest_runtest_teardown(item: Any) -> None:
    """Take down what the test measured; it goes into junit's XML, too."""
    messages = take_messages()
    REPORTS.extend((item.nodeid, words) for words in messages)
    item.user_properties.extend(("pellucid", words) for words in messages)


def take_messages() -> list[str]:
    """The measurements since the last time, in words."""
    testing = sys.modules.get("pellucid.testing")
    if testing is None:  # no test asserted anything
        return []
    messages = [f"{'' if measured.holds else 'NOT '}{measured}" for measured in testing.RECENT]
    testing.RECENT.clear()
    return messages


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    if not REPORTS or config.getoption("--no-explanations"):
        return
    terminalreporter.section("explanations")
    for nodeid, words in REPORTS:
        terminalreporter.line(f"{nodeid}: {words}")
