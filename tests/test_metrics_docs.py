"""The page of metrics tells the list of metrics."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_metrics_tells_the_list():
    spec = importlib.util.spec_from_file_location("make_metrics", DOCS / "make_metrics.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == made.page(), "run python docs/make_metrics.py"
    assert {entry.family for entry in made.METRICS} <= set(made.FAMILIES)
    assert {entry.needs for entry in made.METRICS} <= set(made.NEEDS)
    assert len(made.problems()) >= 18
