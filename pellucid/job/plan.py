"""What a run will take: time, memory and disk, from a probe of a few batches before anything is written."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .job import Job
from .run import WORTH, devices
from .worker import compute_shard, threads

PROBE = 2  # batches that are measured, after one to warm up
RAY_START, RAY_MEMORY = 20.0, 1.3e9  # seconds, and bytes over all processes: measured on two cores


@dataclass(frozen=True)
class Plan:
    """What is left of a run.

    Arguments:
        seconds: By the executor that `auto` takes.
        memory: Of one worker, in bytes, as the operating system counts it.
        disk: Of the store when it is complete, in bytes.
        free: On the disk, in bytes.
    """

    items: int
    shards: int
    executor: str
    workers: int
    seconds_per_item: float
    seconds: float
    memory: int
    disk: int
    free: int

    def sentences(self) -> list[str]:
        return [
            f"{self.items:,} items in {self.shards:,} shards, {1000 * self.seconds_per_item:.2g} ms each.",
            f"Time: {duration(self.seconds)}, {self.executor}, {self.workers} worker{'s' * (self.workers != 1)}.",
            f"Memory: {self.memory / 1e9:.2g} GB for each worker"
            + (f", and {RAY_MEMORY / 1e9:.2g} GB for Ray." if self.executor == "ray" else "."),
            f"Disk: {self.disk / 1e6:,.1f} MB of {self.free / 1e9:,.0f} GB free.",
        ]

    def document(self) -> dict[str, Any]:
        return asdict(self)


def plan(job: Job, store: Path, *, done: int = 0, workers: int | None = None) -> Plan:
    """Measure a few batches, and say what all that is left will take.

    Arguments:
        done: How many shards there are already.
    """
    compute, count = job.work(), len(job.items)
    batch = min(compute.batch, count)
    with threads(job.threads):
        measured(job, compute, range(batch))
        numbers = range(batch, min(count, (1 + PROBE) * batch)) if count > batch else range(batch)
        began = time.perf_counter()
        size = measured(job, compute, numbers)
        each = (time.perf_counter() - began) / len(numbers)
    left = max(0, count - done * job.shard)
    alone = each * left
    several = workers or devices(job)
    ray = alone > WORTH and several > 1
    seconds = RAY_START + alone / several if ray else alone
    place = next(path for path in (store.absolute(), *store.absolute().parents) if path.exists())
    return Plan(
        left, job.shards - done, "ray" if ray else "serial", several if ray else 1, each, seconds, resident(),
        round(size / len(numbers) * count), shutil.disk_usage(place).free,
    )  # fmt: skip


def measured(job: Job, compute: Any, numbers: range) -> int:
    """How many bytes the rows of some items take."""
    return len(compute_shard(compute, job.id, 0, {number: job.items.keys[number] for number in numbers}).content)


def resident() -> int:
    """The most memory that this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def duration(seconds: float) -> str:
    """
    Example:
        >>> duration(42), duration(600), duration(11160)
        ('42 s', '10 min', '3.1 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
