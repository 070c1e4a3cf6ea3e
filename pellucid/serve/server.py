"""The server as a process: a free port, the address with its token, start, self-test, stop."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pellucid.errors import MissingExtra, OutputError
from .settings import Settings, bracketed

TRIES = 50  # ports that are tried, from the one asked for on


def free_port(settings: Settings) -> Settings:
    """The settings with a port that is free: the one asked for, or the next that is.

    Raises:
        OutputError: none is, or the address is not one of this machine.
    """
    for port in range(settings.port, min(settings.port + TRIES, 65536)):
        try:
            with socket.create_server((settings.host, port), family=_family(settings.host)):
                return replace(settings, port=port)
        except OSError as error:
            reason = error.strerror or str(error)
    asked = f"a server at {bracketed(settings.host)}:{settings.port}"
    raise OutputError(asked, reason, "nothing can listen there", "Give another --host or --port.")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """The server in a thread of this process, for as long as the block lasts."""
    server = _server(free := free_port(settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield free
    finally:
        server.should_exit = True
        thread.join()


def serve(settings: Settings, announce: Callable[[Settings], None]) -> None:
    """Serve until Ctrl-C.

    Arguments:
        announce: Called with the settings that hold, once the server listens.
    """
    with running(settings) as own:
        announce(own)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


def _server(settings: Settings) -> Any:
    """uvicorn, without a log: it would hold addresses, and so what people looked at."""
    try:
        import uvicorn

        from .app import application
    except ImportError as error:
        raise MissingExtra(
            "pellucid serve", f"no {error.name}", "it brings the web server", 'Install "pellucid[serve]".'
        ) from None
    config = uvicorn.Config(
        application(settings), host=settings.host, port=settings.port, log_level="critical", access_log=False,
        server_header=False, timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    return uvicorn.Server(config)


def check(settings: Settings) -> dict[str, Any]:
    """Start, ask about the model once, stop; what the server said.

    Raises:
        OutputError: it did not answer as it should.
    """
    with running(settings) as own:
        request = urllib.request.Request(f"http://{bracketed(own.host)}:{own.port}/v1/model")
        if own.token is not None:
            request.add_header("Authorization", f"Bearer {own.token}")
        try:
            with urllib.request.urlopen(request, timeout=own.limits.silence) as answer:
                said: dict[str, Any] = json.load(answer)
                return said
        except OSError as error:
            raise OutputError(
                "pellucid serve --check", str(error), "the server did not answer", "Start it without --check."
            ) from None
