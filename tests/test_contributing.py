"""What CONTRIBUTING.md says is one file and one line is: on a copy of the package, each is added, and its example runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pellucid

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```python (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
DIFFS = re.findall(r"^```diff\n # (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with all files and lines of the page."""
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pellucid.__file__).parent, root / "pellucid", ignore=ignored)
    for name, text in FILES:
        assert not (root / name).exists(), f"{name} is there already"
        (root / name).write_text(text, encoding="utf-8")
    for name, text in DIFFS:
        add(root / name, text.splitlines())
    return root


def add(path: Path, lines: list[str]) -> None:
    """Add the line with a plus after the one that stands before it, or at the end."""
    *before, added = lines
    assert added.startswith("+") and len(before) < 2
    old = path.read_text(encoding="utf-8").splitlines()
    place = len(old) if not before else old.index(before[0][1:]) + 1
    path.write_text("\n".join([*old[:place], added[1:], *old[place:]]) + "\n", encoding="utf-8")


def python(root: Path, *args: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, *args], cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_a_way_to_add_each_thing():
    added = re.findall(r"^## To add an? (\w+(?: \w+)?)", PAGE, re.MULTILINE)
    assert added == ["rule", "operation", "method", "metric", "imputer", "recipe", "model source", "painter"]
    assert len(DIFFS) == 8 and len(FILES) == 7  # an operation is a line alone


def test_the_examples_run_where_one_file_and_one_line_are_added(copy: Path):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (copy / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    python(copy, "page.py")


def test_what_is_added_is_listed(copy: Path):
    for kind, name in {"methods": "supporting", "metrics": "peak", "recipes": "plain"}.items():
        assert re.search(rf"^{name}\b", python(copy, "-m", "pellucid", kind), re.MULTILINE)


def test_the_rooms_of_the_house_are_those_there_are():
    there = {path.name for path in Path(pellucid.__file__).parent.iterdir() if (path / "__init__.py").exists()}
    assert there == {name.rstrip("/") for name in re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE)}
