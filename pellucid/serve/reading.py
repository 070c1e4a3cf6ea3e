"""The process that reads stores and their pictures, so that looking at an audit never waits for the network.

It is told a store, what is wanted of it, and how; it answers with plain data, or with words that refuse. `Reader` is its outside.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .guard import Refusal
from .stores import Opened

if TYPE_CHECKING:
    from pellucid.job.audit.view import View
    from pellucid.job.judged import Judged
    from pellucid.job.store import Store

SECONDS = 180.0  # that one answer may take
EVALUATION = "evaluation"


class Reader:
    """The process, seen from the server: started when it is first needed, and again whenever it has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: SpawnProcess | None = None
        self.pipe: Connection | None = None

    def ask(self, one: Opened, what: str, **how: Any) -> Any:
        """What a store says.

        Raises:
            Refusal: there is no such thing (404), it may not be (422), or the process ended (503).
        """
        with self.lock:
            pipe = self._running()
            try:
                pipe.send((one, what, how))
                if not pipe.poll(SECONDS):
                    raise OSError("silence")
                status, answer = pipe.recv()
            except (EOFError, OSError):
                self.close()
                raise Refusal(503, "The process that reads stores ended. It is started again: ask once more.") from None
        if status != 200:
            raise Refusal(status, answer)
        return answer

    def _running(self) -> Connection:
        if self.process is None or not self.process.is_alive() or self.pipe is None:
            context = get_context("spawn")
            self.pipe, there = context.Pipe()
            self.process = context.Process(target=main, args=(there,), daemon=True, name="pellucid-stores")
            self.process.start()
            there.close()
        return self.pipe

    def close(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = self.pipe = None


# -- inside -------------------------------------------------------------------------------------------------------------------


class Shelved:
    """One store, read as far as was asked."""

    def __init__(self, one: Opened) -> None:
        from pellucid.job.store import Store

        self.opened = one
        self.store: Store = Store(Path(one.path))

    @cached_property
    def view(self) -> View | Judged:
        """The audit or the evaluation, looked at as the model sees its inputs."""
        from pellucid.job.audit.view import View
        from pellucid.job.judged import Judged
        from pellucid.job.reopen import reopened

        items = reopened(self.store, self.opened.data, self.opened.meta)
        return (Judged if self.kind == EVALUATION else View)(self.store, items, self.how())

    def how(self) -> Any:
        """What reads pictures for the model; the model itself is let go."""
        try:
            return None if self.opened.load is None else self.opened.load().preprocess
        except Exception:  # whatever hinders it: pictures are then shown whole
            return None

    @property
    def kind(self) -> str:
        return EVALUATION if self.store.run["spec"].get("task") == "evaluate" else "audit"

    def listed(self) -> dict[str, Any]:
        """A line of the list of runs."""
        spec = self.store.run["spec"]
        return {
            "run": self.opened.id, "kind": self.kind, "name": Path(self.opened.path).name, "model": spec["model"]["name"],
            "count": spec["data"]["count"], "shards": self.store.shards, "done": len(self.store.done()),
            "computes": self.opened.load is not None,
        }  # fmt: skip

    def summary(self) -> dict[str, Any]:
        return self.view.summary()

    def classes(self) -> list[dict[str, Any]]:
        view = self.audit()
        return view.classes(view.clusters())

    def points(self, target: int, space: str, plane: str) -> bytes:
        view = self.audit()
        if space not in view.features:
            raise Refusal(404, "The store keeps nothing of that space.")
        return view.points(target, space, plane).astype("<f4").tobytes()

    def items(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        return self.view.known(numbers)

    def decide(self, cluster: int, decision: str, name: str, note: str) -> dict[str, Any]:
        from dataclasses import asdict

        from pellucid.job.audit.decisions import decide

        return asdict(decide(self.store.path, self.audit().found, cluster, decision, name, note))

    def check(self, cluster: int) -> None:
        """Refuse what there is no cluster for."""
        if all(one["id"] != cluster for one in self.audit().found):
            raise Refusal(404, "There is no such cluster.")

    def report(self) -> bytes:
        """The whole of it as one file."""
        from pellucid.job.audit.document import whole
        from pellucid.render.report import html

        view = self.view
        return html(whole(view) if self.kind == "audit" else view.document()).encode()  # type: ignore[arg-type, union-attr]

    def audit(self) -> View:
        if self.kind != "audit":
            raise Refusal(404, "This run is no audit.")
        return self.view  # type: ignore[return-value]


def main(pipe: Connection) -> None:
    """Where the process begins."""
    from pellucid.core.files import finite
    from pellucid.errors import InputError, PellucidError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    shelf: dict[str, Shelved] = {}
    while True:
        try:
            one, what, how = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            if one.path not in shelf:
                shelf[one.path] = Shelved(one)
            said = getattr(shelf[one.path], what)(**how)
            answer = 200, said if isinstance(said, bytes) else finite(said)
        except Refusal as refusal:
            answer = refusal.status, refusal.words
        except InputError as error:
            answer = 422, str(error)
        except PellucidError as error:
            answer = 409, str(error)
        except Exception as error:  # a damaged store: the process goes on
            answer = 409, f"The store cannot be read: {type(error).__name__}."
        pipe.send(answer)
