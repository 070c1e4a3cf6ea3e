"""The computing process: loads the model, answers one question after the other, says how far it is, and stops when told to."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from pellucid.core import allocator
from pellucid.core.progress import watched
from pellucid.errors import error_to_dict

if TYPE_CHECKING:
    from pellucid.model import Model

EVERY = 0.1  # seconds between two messages about progress


class Cancelled(Exception):
    """The task that runs is no longer wanted."""


class Computer:
    """The inside of the process.

    Arguments:
        pipe: To the server.
    """

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.questions: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.cancelled: set[str] = set()
        self.told = 0.0

    def listen(self) -> None:
        """Take in what the server sends, while something is computed, until it is gone."""
        try:
            while True:
                message = self.pipe.recv()
                if message[0] == "cancel":
                    self.cancelled.add(message[1])
                else:
                    self.questions.put(message[1:])
        except (EOFError, OSError):
            os._exit(0)  # in the middle of a computation, too: nobody waits for it

    def run(self, model: Model | Exception) -> None:
        """Answer one question after the other, until `listen` ends the process."""
        while True:
            name, kind, question, inputs = self.questions.get()
            try:
                self.pipe.send(("done", name, *self.answer(model, name, kind, question, inputs)))
            except (BrokenPipeError, ConnectionResetError):
                return
            except Cancelled:
                self.pipe.send(("failed", name, {"kind": "Cancelled", "message": "Cancelled."}))
            except Exception as error:  # whatever a model leads to: the process goes on
                self.pipe.send(("failed", name, error_to_dict(error)))
            self.cancelled.discard(name)

    def answer(
        self, model: Model | Exception, name: str, kind: str, question: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[bytes, bytes | None]:
        """The document and the values that answer a question."""
        from .answers import answer

        if isinstance(model, Exception):
            raise model
        if name in self.cancelled:
            raise Cancelled
        with watched(lambda done, total, what: self.tell(name, done, total, what)):
            return answer(model, kind, question, inputs, lambda picture: self.show(name, picture))

    def tell(self, name: str, done: int, total: int, what: str) -> bool:
        """Send on how far the work is, not too often; leave it where it is no longer wanted."""
        if name in self.cancelled:
            raise Cancelled
        if time.monotonic() - self.told > EVERY or done == total:
            self.told = time.monotonic()
            self.pipe.send(("progress", name, {"done": done, "total": total, "what": what}))
        return False

    def show(self, name: str, picture: str) -> None:
        """Send on a picture that is being drawn."""
        self.pipe.send(("progress", name, {"picture": picture}))


def main(pipe: Connection, load: Callable[[], Model]) -> None:
    """Where the process begins."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    computer = Computer(pipe)
    threading.Thread(target=computer.listen, daemon=True).start()
    allocator.configure()
    computer.run(loaded(load))


def loaded(load: Callable[[], Model]) -> Model | Exception:
    """The model; what hinders it is the answer to every question."""
    try:
        return load()
    except Exception as error:
        return error
