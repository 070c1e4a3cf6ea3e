"""Tasks: what was asked for, what became of it, and the queue of those that wait for the computing process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pellucid.errors import error_to_dict
from .guard import Refusal
from .settings import Limits
from .shelf import Shelf, new_id
from .upload import Input
from .worker import Answer, Worker, WorkerDied

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})
KEPT = 256  # tasks that ended and can still be asked for
TYPICAL = 2.0  # seconds a task takes, before any is measured


@dataclass
class Task:
    """One question on its way to an answer.

    Arguments:
        progress: What is done, the total, and of what; with a picture where one is drawn.
        changes: How often anything here has changed: whoever follows a task sees what is new by it.
        result: The id of its result, or what went wrong.
        followers: How many clients follow its events.
    """

    kind: str
    question: Mapping[str, Any]
    inputs: Mapping[str, Input]
    id: str = field(default_factory=new_id)
    state: State = "queued"
    progress: Mapping[str, Any] | None = None
    result: str | None = None
    error: Mapping[str, Any] | None = None
    changes: int = 0
    followers: int = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def change(self, **fields: Any) -> None:
        """Set fields, and let followers know. What has ended stays as it is, and holds on to no input."""
        if self.ended:
            return
        for name, value in fields.items():
            setattr(self, name, value)
        if self.ended:
            self.question, self.inputs, self.progress = {}, {}, None
        self.changes += 1

    def to_dict(self) -> dict[str, Any]:
        """What a client sees of it."""
        more = {"progress": self.progress, "result": self.result, "error": self.error}
        return {"task": self.id, "kind": self.kind, "state": self.state} | {k: v for k, v in more.items() if v is not None}


@dataclass(frozen=True)
class Result:
    """What a task computed: a document for the page, and the values themselves where there are any."""

    document: bytes
    values: bytes | None = None

    @property
    def size(self) -> int:
        return len(self.document) + len(self.values or b"")


class Desk:
    """Where questions are handed in: one runs, a few wait, more are turned away.

    Arguments:
        worker: The process that computes.
    """

    def __init__(self, worker: Worker, limits: Limits) -> None:
        self.worker, self.limits = worker, limits
        self.results: Shelf[Result] = Shelf(limits.kept, limits.age, few=limits.few, ceiling=limits.ceiling)
        self.tasks: dict[str, Task] = {}
        self.waiting: deque[Task] = deque()
        self.running: Task | None = None
        self.typical = TYPICAL
        self.changed = threading.Condition()
        self.closed = False
        self.thread = threading.Thread(target=self._serve, name="tasks", daemon=True)

    def start(self) -> None:
        self.worker.start()
        self.thread.start()

    def submit(self, kind: str, question: Mapping[str, Any], inputs: Mapping[str, Input]) -> Task:
        """A new task.

        Raises:
            Refusal: too many wait already; it says after how many seconds to come again.
        """
        with self.changed:
            if len(self.waiting) >= self.limits.queue:
                seconds = str(max(1, round(self.typical * (len(self.waiting) + 1))))
                raise Refusal(429, f"{len(self.waiting)} tasks are waiting; ask again later.", (("retry-after", seconds),))
            task = Task(kind, question, inputs)
            self.tasks[task.id] = task
            self.waiting.append(task)
            self._forget()
            self.changed.notify_all()
        return task

    def cancel(self, task: Task) -> None:
        """Let go of a task, whether it waits or runs."""
        with self.changed:
            if task in self.waiting:
                self.waiting.remove(task)
            task.change(state="cancelled")
            if task is self.running:
                self.worker.cancel(task.id)

    def close(self) -> None:
        """End all work."""
        with self.changed:
            self.closed = True
            for task in (*self.waiting, *filter(None, [self.running])):
                task.change(state="cancelled")
            self.waiting.clear()
            self.changed.notify_all()
        self.worker.stop()

    def _forget(self) -> None:
        """Keep no more than so many tasks that have ended."""
        ended = [task.id for task in self.tasks.values() if task.ended]
        for name in ended[: max(0, len(ended) - KEPT)]:
            del self.tasks[name]

    def _serve(self) -> None:
        while (task := self._next()) is not None:
            began = time.monotonic()
            try:
                self._finish(task, self.worker.ask(task.id, task.kind, task.question, task.inputs, task))
            except WorkerDied as died:
                task.change(state="failed", error={"kind": "WorkerDied", "message": str(died)})
            except Exception as error:  # no process to be had, no memory: the next task may fare better
                task.change(state="failed", error=error_to_dict(error))
            self.typical += 0.3 * (time.monotonic() - began - self.typical)
            with self.changed:
                self.running = None

    def _next(self) -> Task | None:
        """The next task that waits; None where the desk is closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.closed)
            if self.closed:
                return None
            self.running = self.waiting.popleft()
            self.running.change(state="running")
            return self.running

    def _finish(self, task: Task, answer: Answer) -> None:
        if answer.error is not None:
            return task.change(state="failed", error=answer.error)
        if task.ended:
            return  # it was cancelled: what was computed nevertheless is dropped
        result = Result(answer.document, answer.values)
        task.change(state="done", result=self.results.add(result, result.size))
