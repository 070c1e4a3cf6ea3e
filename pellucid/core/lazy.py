"""Lazy packages: their public names are written once, as imports for type checkers, and imported when they are first used."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

MARK = "if TYPE_CHECKING:"


def lazy(package: str) -> dict[str, Any]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `__init__` imports its public names below `if TYPE_CHECKING:`.

    It is called there, once: `globals().update(lazy(__name__))`. Type checkers and editors read the same lines.
    """
    module = sys.modules[package]
    with open(str(module.__file__), encoding="utf-8") as source:
        names = public(source.read().partition(MARK)[2])

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = _imported(package, *names[name])
        setattr(module, name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(module), *names})

    return {"__getattr__": __getattr__, "__dir__": __dir__, "__all__": sorted(names)}


def public(text: str) -> dict[str, tuple[str, str]]:
    """The names that lines of imports make public, each with the module it is in and what it is called there.

    `from x import a as a` is a public name, `b = a` another name for it, `c: Type` a subpackage that is more than a module.

    Example:
        >>> public("from .verbs.explain import explain as explain")
        {'explain': ('.verbs.explain', 'explain')}
    """
    names, known = dict[str, tuple[str, str]](), dict[str, tuple[str, str]]()
    for module, imported in re.findall(r"from (\S+) import (\([^)]*\)|.*)", text):
        for name, *alias in (each.split() for each in imported.strip("()").split(",") if each.strip()):
            known[name] = (module, name)
            if alias == ["as", name]:
                names[name] = known[name]
    names |= {alias: known[name] for alias, name in re.findall(r"(\w+) = (\w+)", text)}
    return names | {name: (".", name) for name in re.findall(r"^ *(\w+): \w+", text, re.MULTILINE)}


def _imported(package: str, module: str, name: str) -> Any:
    """A name of a module, or a module of a package."""
    found = None if module == "." else import_module(module, package)
    try:
        return getattr(found, name)
    except AttributeError:
        return import_module(f"{module.rstrip('.')}.{name}", package)
