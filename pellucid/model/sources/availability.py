"""What may be absent, checked before it is used: optional packages, and a connection to a hub."""

from __future__ import annotations

import os
import socket
from importlib import import_module
from types import ModuleType
from urllib.request import getproxies

from pellucid.errors import MissingExtra, ModelError

SECONDS = 3.0  # to wait for an answer; huggingface_hub alone would try ten times, three quarters of a minute


def answers(host: str) -> bool:
    """Whether the hub can be reached from here. Behind a proxy nothing is tried: only the real request tells."""
    if offline():
        return False
    if {"https", "all"} & set(getproxies()):
        return True
    try:
        socket.create_connection((host, 443), timeout=SECONDS).close()
    except OSError:
        return False
    return True


def offline() -> bool:
    """Whether the user said so, in the words that huggingface_hub reads."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def unreachable(request: str, host: str, do: str) -> ModelError:
    """The refusal of weights that are not here and cannot be fetched."""
    found = "HF_HUB_OFFLINE, which forbids to fetch" if offline() else f"no answer from {host}"
    return ModelError(f"model {request}", found, "its trained weights are not on this machine", do)


def optional(request: str, package: str, extra: str) -> ModuleType:
    """An optional package.

    Raises:
        MissingExtra: it cannot be imported.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise missing(request, package, extra, error) from None


def missing(request: str, package: str, extra: str, error: ImportError) -> MissingExtra:
    """The refusal where an optional package cannot be imported; where it is there but broken, with what it said."""
    absent = isinstance(error, ModuleNotFoundError) and error.name == package
    found = f"no package {package}" if absent else f"a package {package} that cannot be imported ({error})"
    return MissingExtra(request, found, "it reads such models", f"Install it with: pip install 'pellucid[{extra}]'")
