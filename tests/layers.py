"""The house in figures: rooms, the imports between them, circles, and how long files and functions are.

    python tests/layers.py [FOLDER]     prints them, for the package or for another checkout of it

An import counts wherever it stands: at the top, inside a function, for type checkers only, or as a string such as
"pellucid.render:save_png" that is looked up later. `test_layers.py` holds the package to what is counted here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import resolve_name
from pathlib import Path
from statistics import median, quantiles

PACKAGE = "pellucid"
NAMED = re.compile(rf"{PACKAGE}(\.\w+)+(:[\w.]+)?")  # a module, or "module:attribute", as registries write them
LONG = 300  # lines of a file
ORDER = [
    *("errors", "core", "model", "target", "zoo", "explanation", "tape", "methods", "synth", "metrics", "catalogue"),
    *("verbs", "render", "job", "serve", "cli", "testing", "pytest_plugin", "__main__", "__init__"),
]  # from the ground up: a room may import those before it
REGISTRIES = frozenset({
    "core/formats.py",  # kind of result -> suffix -> what writes it
    "__init__.py",  # the front of the package: names that are looked up when they are first used
    "methods/__init__.py",  # part of it: `pl.methods()` lists the catalogue
    "catalogue/methods.py", "catalogue/metrics.py", "catalogue/recipes.py",  # name -> factory
    "model/sources/registry.py",  # name -> source: the built-in models are made of Model, so that they lie above it
})  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One name that a file imports: "pellucid.tape.op.Tape", and how."""

    name: str
    early: bool  # as soon as the file is imported itself
    text: bool = False  # a string that is looked up later


@dataclass(frozen=True)
class House:
    """All files of a checkout of the package.

    Arguments:
        root: The folder of the package.
        registries: Files, relative to it, whose strings name what lies above them and do not count: the lists of all there is.
    """

    root: Path
    registries: frozenset[str] = frozenset()

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file by the name of its module; a package's is its `__init__`."""
        return {self.module(path): path for path in sorted(self.root.rglob("*.py"))}

    def module(self, path: Path) -> str:
        """ "pellucid.tape.op" of pellucid/tape/op.py."""
        parts = (PACKAGE, *path.relative_to(self.root).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def arrows(self) -> dict[str, set[str]]:
        """Which modules a module imports."""
        found: dict[str, set[str]] = {module: set() for module in self.files}
        for module, path in self.files.items():
            listed = str(path.relative_to(self.root)) in self.registries
            for one in imports(path, module):
                there = None if listed and (one.text or not one.early) else self.holder(one.name)
                if there not in (None, module) and not (one.text and there == PACKAGE):  # a key of a file: "pellucid.responses"
                    found[module].add(str(there))
        return found

    def holder(self, name: str) -> str | None:
        """The module that a dotted name is in: the name itself, or the nearest above it; None outside the package."""
        while name and name not in self.files:
            name = name.rpartition(".")[0]
        return name or None

    @cached_property
    def circles(self) -> list[list[str]]:
        """Modules that import one another in a circle, each set of them once."""
        return [sorted(circle) for circle in components(self.arrows) if len(circle) > 1]

    @cached_property
    def climbing(self) -> list[tuple[str, str]]:
        """Imports that go up, as (module, what it imports from)."""
        height = {room: number for number, room in enumerate(ORDER)}
        return [
            (module, there)
            for module, found in self.arrows.items()
            for there in sorted(found)
            if height.get(part(there), len(ORDER)) > height.get(part(module), -1)
        ]

    @cached_property
    def rooms(self) -> dict[str, set[str]]:
        """Folders, and the files beside them at the root; which rooms each imports."""
        found: dict[str, set[str]] = {self.room(module): set() for module in self.files}
        for module, there in self.arrows.items():
            found[self.room(module)] |= {self.room(other) for other in there} - {self.room(module)}
        return found

    def room(self, module: str) -> str:
        """The folder of a module; at the root, the module itself."""
        path = self.files[module]
        folder = path.parent.relative_to(self.root)
        return str(folder) if folder.parts else path.stem

    def functions(self) -> list[int]:
        """Lines of every function, without its docstring."""
        trees = (ast.parse(path.read_text(encoding="utf-8")) for path in self.files.values())
        return [length(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]

    def figures(self) -> Mapping[str, object]:
        """What `python tests/layers.py` prints."""
        entries = [path for path in self.root.iterdir() if path.name != "__pycache__"]
        lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in self.files.values()]
        sizes = self.functions()
        return {
            "entries at the root": len(entries),
            "rooms": len(self.rooms),
            "arrows between rooms": sum(map(len, self.rooms.values())),
            "circles": len(self.circles),
            "files in circles": sum(map(len, self.circles)),
            "files": len(self.files),
            f"files over {LONG} lines": sum(n > LONG for n in lines),
            "lines": sum(lines),
            "functions": len(sizes),
            "lines of a function: median": median(sizes),
            "lines of a function: 90th percentile": quantiles(sizes, n=10)[-1],
            "lines of a function: longest": max(sizes),
        }


def part(module: str) -> str:
    """The room at the root that a module belongs to: "tape" of pellucid.tape.op."""
    return [*module.split("."), "__init__"][1]


def imports(path: Path, module: str) -> Iterator[Import]:
    """What a file imports, by absolute names."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    typing = [n for n in nodes if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    late = {n for body in typing for n in ast.walk(body)}
    late |= {n for function in nodes if isinstance(function, ast.FunctionDef) for n in ast.walk(function)}
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (Import(f"{base}.{alias.name}", node not in late) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMED.fullmatch(node.value):
            yield Import(node.value.replace(":", "."), False, text=True)


def length(function: ast.FunctionDef) -> int:
    """Lines from `def` to the end, the docstring left out."""
    docstring = ast.get_docstring(function, clean=False)
    first = function.body[0]
    spent = (first.end_lineno or 0) - first.lineno + 1 if docstring is not None else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spent


def components(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Strongly connected components (Tarjan, 1972, https://doi.org/10.1137/0201010)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for there in arrows[node]:
            if there not in number:
                visit(there)
                low[node] = min(low[node], low[there])
            elif there in stack:
                low[node] = min(low[node], number[there])
        if low[node] == number[node]:
            cut = stack.index(node)
            found.append(stack[cut:])
            del stack[cut:]

    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10 * len(arrows) + 1000))
    for node in arrows:
        if node not in number:
            visit(node)
    return found


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    house = House(where / PACKAGE if (where / PACKAGE).is_dir() else where, REGISTRIES)
    for what, figure in house.figures().items():
        print(f"{what:40} {figure}")
    for circle in house.circles:
        print("circle:", " ".join(circle))
    for module, there in house.climbing:
        print("climbs:", module, "->", there)
