"""The version of pellucid, as the metadata of the installed package has it."""

from __future__ import annotations

from importlib.metadata import version as installed


def version() -> str:
    """The version that provenance and files carry: "0.1.0"."""
    return installed("pellucid")
