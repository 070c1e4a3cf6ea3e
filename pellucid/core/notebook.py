"""Whether the code runs in a notebook, and how something is put on its page. Nothing is imported that is not there already."""

from __future__ import annotations

import sys
from typing import Any


def shell() -> Any:
    """IPython's shell, where this code runs in one; else None."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def in_notebook() -> bool:
    """Whether what is displayed reaches a page that shows pictures: a notebook, a Qt console, a documentation build."""
    return hasattr(shell(), "kernel")


def only_text() -> bool:
    """Whether IPython runs in a terminal, where pictures would be made for nothing."""
    own = shell()
    return own is not None and not hasattr(own, "kernel") and list(own.display_formatter.active_types) == ["text/plain"]


def display(bundle: dict[str, Any], *, metadata: dict[str, Any] | None = None, name: str = "", update: bool = False) -> None:
    """Put a bundle of MIME types on the page, or in the place of an earlier one of that name.

    Arguments:
        name: What it can be replaced by later.
    """
    from IPython.display import publish_display_data

    transient = {"display_id": name} if name else None
    publish: Any = publish_display_data
    publish(bundle, metadata or {}, transient=transient, update=update)
