"""Lists that name things: methods, recipes, metrics. Plug-ins add to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from pellucid.errors import MethodError


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def installed(group: str) -> tuple[Any, ...]:
    """What installed plug-ins list in an entry-point group."""
    return tuple(point.load() for point in entry_points(group=group))


def find(what: str, name: str, own: Sequence[N], all_of_them: Callable[[], Sequence[N]]) -> N:
    """The entry of that name.

    Arguments:
        what: What is listed: "method".
        own: Those that come along.
        all_of_them: Those and the plug-ins', looked for where `own` has none: that reads the metadata of all that is installed.

    Raises:
        MethodError: there is none; the nearest three are named.
    """
    from pellucid.model.where import nearest  # late: lists must not wait for torch

    known = {entry.name: entry for entry in own}
    if name not in known:
        known |= {entry.name: entry for entry in all_of_them()}
    if name not in known:
        near = ", ".join(nearest(name, list(known)))
        raise MethodError(
            f"{what} {name!r}", f"{len(known)} {what}s, none of that name", f"only {what}s of the list can be named",
            f"Nearest: {near}. `pellucid {what}s` lists all.",
        )  # fmt: skip
    return known[name]
