"""Worker: the computing process, seen from the server. It is started again when it ends, whatever ended it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Protocol

from . import compute
from .settings import Limits
from .upload import Input

if TYPE_CHECKING:
    from pellucid.model import Model

FACTS, CARD = "facts", "card"  # the kinds of questions about the model itself


def hold_interrupts() -> None:
    """Keep Ctrl-C from this thread, and from the processes that it starts: one would print where it was interrupted."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


class WorkerDied(Exception):
    """The computing process ended, or fell silent, in the middle of a task."""


@dataclass(frozen=True)
class Answer:
    """What came back: a document and values, or what went wrong."""

    document: bytes = b""
    values: bytes | None = None
    error: Mapping[str, Any] | None = None


class Follower(Protocol):
    """Who wants to know how far a task is."""

    def change(self, **fields: Any) -> None: ...


class Worker:
    """One process with the model in it.

    Arguments:
        load: Makes the model there.
    """

    def __init__(self, load: Callable[[], Model], limits: Limits) -> None:
        self.load, self.limits = load, limits
        self.process: SpawnProcess | None = None
        self.pipe: Connection | None = None
        self.lock = threading.Lock()
        self.stopped = False

    def start(self) -> None:
        """Begin to load the model; whoever asks meanwhile waits for it."""
        context = get_context("spawn")
        here, there = context.Pipe()
        self.process = context.Process(target=compute.main, args=(there, self.load), daemon=True, name="pellucid-compute")
        resource_tracker.ensure_running()  # as `start` does, which lets interrupts through again
        hold_interrupts()
        self.process.start()
        there.close()
        self.pipe = here

    def ask(
        self, name: str, kind: str, question: Mapping[str, Any], inputs: Mapping[str, Input], follower: Follower | None = None
    ) -> Answer:
        """Put one question and wait for its answer, telling the follower how far it is.

        Raises:
            WorkerDied: the process ended meanwhile; another one is started.
        """
        if self.process is None or not self.process.is_alive():
            self._restart()  # it ended while nobody asked
        try:
            self._send(("ask", name, kind, question, inputs))
            while True:
                message = self._receive()
                if message[1] != name:
                    continue  # of a task that was given up
                if message[0] == "progress":
                    if follower is not None:
                        follower.change(progress=message[2])
                elif message[0] == "failed":
                    return Answer(error=message[2])
                else:
                    return Answer(message[2], message[3])
        except (EOFError, OSError):
            self._restart()
            words = "The computing process ended in the middle of this task. It was started again: ask once more."
            raise WorkerDied(words) from None

    def cancel(self, name: str) -> None:
        """Ask the process to leave a task."""
        try:
            self._send(("cancel", name))
        except OSError:
            return  # it has just ended: there is nothing to cancel

    def stop(self) -> None:
        """End the process for good."""
        self.stopped = True
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def _send(self, message: tuple[Any, ...]) -> None:
        with self.lock:
            assert self.pipe is not None, "it was started"
            self.pipe.send(message)

    def _receive(self) -> tuple[Any, ...]:
        assert self.pipe is not None, "it was started"
        if not self.pipe.poll(self.limits.silence):
            raise OSError("silence")
        message: tuple[Any, ...] = self.pipe.recv()
        return message

    def _restart(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
        if not self.stopped:
            self.start()
