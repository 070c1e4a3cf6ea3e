"""Download hubs: whether one can be reached, checked briefly before waiting for it."""

from __future__ import annotations

import os
import socket
from urllib.request import getproxies

from pellucid.errors import ModelError

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
