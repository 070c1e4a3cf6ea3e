"""The error for an optional package that is not installed, with the extra that installs it."""

from __future__ import annotations

from pellucid.errors import MissingExtra


def missing(request: str, package: str, extra: str, error: ImportError) -> MissingExtra:
    """The refusal where an optional package cannot be imported; where it is there but broken, with what it said."""
    absent = isinstance(error, ModuleNotFoundError) and error.name == package
    found = f"no package {package}" if absent else f"a package {package} that cannot be imported ({error})"
    return MissingExtra(request, found, "it reads such models", f"Install it with: pip install 'pellucid[{extra}]'")
