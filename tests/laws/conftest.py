"""Which laws are tried on what: nothing is asked of a method that it cannot do, and long runs are left to `make test-all`."""

from __future__ import annotations

import pytest

from tests.cases import CASE, ENTRY, Case, suits

# What walks the tape by rules of its own is tried on every network every time; methods that stand on others, or ask a network
# many times, on these, and on all the others in `make test-all`.
FEW = {"dense", "plain", "mobile", "attending"}
EVERYWHERE = {"gradient", "gradient_x_input", "deeplift"}


@pytest.hookimpl(tryfirst=True)  # before slow tests are left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, dropped = [], []
    for item in items:
        if item.path.parent.name != "laws":
            kept.append(item)
            continue
        (kept if _suits(item) else dropped).append(item)
        if _long(item):
            item.add_marker(pytest.mark.slow)
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)


def _asked(item: pytest.Item) -> tuple[str | None, Case | None]:
    """The method and the network a law is tried on."""
    given = getattr(item, "callspec", None)
    params = {} if given is None else given.params
    named = params.get("case") or params.get("name") or params.get("lived_in")
    case = named if isinstance(named, Case) else CASE.get(named)
    method = params.get("method")
    return (method if method in ENTRY else None), case


def _suits(item: pytest.Item) -> bool:
    method, case = _asked(item)
    return method is None or case is None or suits(method, case)


def _long(item: pytest.Item) -> bool:
    method, case = _asked(item)
    return (
        method is not None
        and case is not None
        and case.name not in FEW
        and not (ENTRY[method].family == "lrp" or method in EVERYWHERE)
    )
