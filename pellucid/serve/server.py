"""The server as a process: a free port, the address with its token, start, self-test, stop."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from pellucid.errors import MissingExtra, ModelError, OutputError, PellucidError
from .settings import Settings, bracketed
from .worker import hold_interrupts

ALONE = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know this machine's servers
TRIES = 50  # ports that are tried, from the one asked for on
STARTS = 8  # of a server whose port another process takes meanwhile


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
            reason = os.strerror(error.errno or 0)
            if error.errno != errno.EADDRINUSE:
                break
    asked = f"a server at {bracketed(settings.host)}:{settings.port}"
    raise OutputError(asked, reason, "nothing can listen there", "Give another --host or --port.")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """The server in a thread of this process, for as long as the block lasts."""
    own, server, thread = _started(settings)
    try:
        yield own
    finally:
        server.should_exit = True
        thread.join()


def _started(settings: Settings) -> tuple[Settings, Any, threading.Thread]:
    """The server, which listens, with the settings that hold; a port that another process has just taken is left to it.

    Raises:
        OutputError: it cannot listen.
    """
    for _ in range(STARTS):
        server = _server(own := free_port(settings))
        thread = threading.Thread(target=_run, args=(server,), daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        if server.started:
            return own, server, thread
        settings = replace(settings, port=own.port + 1)
    asked = f"a server at {bracketed(own.host)}:{own.port}"
    raise OutputError(asked, "a server that ended at once", "nothing listens there", "Try it once more.")


def _run(server: Any) -> None:
    """The server's thread. Ctrl-C is for the main thread, and for none of the processes that are started here."""
    hold_interrupts()
    with suppress(SystemExit):  # where it cannot listen: whoever started it sees that
        server.run()


def serve(settings: Settings, announce: Callable[[Settings], None], ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until Ctrl-C, after which the process is to end.

    Arguments:
        announce: Called with the settings that hold, once the server listens.
        ready: Called with what is known of the model, once it is loaded.

    Raises:
        PellucidError: the model cannot be loaded.
    """
    with suppress(KeyboardInterrupt), running(settings) as own:
        try:
            announce(own)
            ready(ask_model(own))
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # stopping takes a second: more of them would cut it short


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
        http="h11", loop="asyncio", server_header=False, timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    return uvicorn.Server(config)


def check(settings: Settings) -> dict[str, Any]:
    """Start, ask about the model once, stop; what the server said.

    Raises:
        PellucidError: the model cannot be loaded, or the server did not answer as it should.
    """
    with running(settings) as own:
        return ask_model(own)


def ask_model(settings: Settings) -> dict[str, Any]:
    """What a running server says of its model, once that is loaded.

    Raises:
        PellucidError: the model cannot be loaded, or the server did not answer as it should.
    """
    request = urllib.request.Request(f"http://{reached(settings.host)}:{settings.port}/v1/model")
    if settings.token is not None:
        request.add_header("Authorization", f"Bearer {settings.token}")
    try:
        with ALONE.open(request, timeout=settings.limits.silence) as answer:
            said: dict[str, Any] = json.load(answer)
            return said
    except urllib.error.HTTPError as error:
        raise as_error(json.load(error)["error"]) from None
    except OSError as error:
        raise OutputError("pellucid serve", str(error), "the server did not answer", "Start it once more.") from None


def as_error(said: dict[str, str]) -> PellucidError:
    """The error that an answer tells of."""
    if {"asked", "found", "why", "do"} <= said.keys():
        return ModelError(said["asked"], said["found"], said["why"], said["do"])
    return ModelError("the model", f"{said['kind']}: {said['message']}", "it cannot be loaded", "Load it in Python to see where.")


def reached(host: str) -> str:
    """Where this machine reaches a server that listens at a host: everywhere is here, too."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, bracketed(host))
