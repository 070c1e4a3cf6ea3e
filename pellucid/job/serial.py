"""The serial executor: shard after shard in this process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .job import Job
from .worker import Compute, Rows, ShardResult, compute_shard, threads


def run_serial(job: Job, shards: Iterable[int], timeout: float | None) -> Iterator[tuple[int, ShardResult]]:
    """The shards of a job, in order.

    Arguments:
        timeout: Seconds after which an item counts as one that hangs. Only waiting that returns to Python can be ended here;
            an executor with processes of its own ends any.
    """
    compute: Compute = job.work()
    guarded = compute if timeout is None else Guarded(compute, timeout)
    for number in shards:
        keys = {item: job.items.keys[item] for item in job.numbers(number)}
        with threads(job.threads):
            result = compute_shard(guarded, job.id, number, keys)
        yield number, result


class Guarded:
    """A worker whose reading and computing end with an error after some seconds."""

    def __init__(self, compute: Compute, seconds: float) -> None:
        self.compute, self.seconds, self.batch = compute, seconds, compute.batch

    def read(self, number: int) -> Any:
        with alarm(self.seconds):
            return self.compute.read(number)

    def rows(self, numbers: Sequence[int], inputs: Sequence[Any]) -> Rows:
        with alarm(self.seconds):
            return self.compute.rows(numbers, inputs)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """A block that raises TimeoutError after some seconds; only the main thread can, so that others wait.

    It is raised again every second, and at the end of the block, since what runs in it may catch it and go on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    rung: list[int] = []

    def ring(number: int, frame: FrameType | None) -> None:
        rung.append(number)
        raise TimeoutError(f"no answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
        if rung:
            ring(signal.SIGALRM, None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
