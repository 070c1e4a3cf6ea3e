"""A run: from a job and a folder to a complete store, by the executor that suits, however often it was interrupted before."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from pellucid.core.progress import report_progress
from .job import Job
from .scale import run_ray
from .serial import run_serial
from .store import Store
from .worker import ShardResult

Executor = Literal["auto", "serial", "ray"]
WORTH = 120.0  # seconds of work left, from which on the start of Ray pays


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run did.

    Arguments:
        store: Where the results are.
        total: How many shards there are.
        found: How many of them were there before.
        computed: How many were computed now.
        broken: Items without a result, with the reason.
        executor: Which computed them.
        seconds: How long it took.
        stopped: Whether it was called off.
    """

    store: Store
    total: int
    found: int
    computed: int
    broken: Mapping[str, str] = field(repr=False)
    executor: str
    seconds: float
    stopped: bool = False

    @property
    def complete(self) -> bool:
        return self.found + self.computed == self.total


def run(
    job: Job, path: str | os.PathLike[str], *, executor: Executor = "auto", workers: int | None = None, ray: str | None = None,
    timeout: float | None = None, origin: Mapping[str, Any] | None = None, announce: Any = None,
) -> Outcome:  # fmt: skip
    """Compute the shards of a job that are missing in a store.

    Arguments:
        executor: "serial": in this process. "ray": an actor per device. "auto": Ray where it is installed, several workers can
            run, and more than two minutes of work are left after the first shard.
        workers: How many actors; None: one per device.
        ray: The address of a cluster; None: one is started here, and ended with the run.
        timeout: Seconds after which an item counts as one that hangs.
        origin: Where things were and what was typed, for the record.
        announce: Gets a sentence when work begins: "resuming, 3 of 12 shards".

    Raises:
        OutputError: the store holds another job, another run is at work there, or the disk is full. What was done is kept.
    """
    store, began = Store(Path(path)), time.perf_counter()
    with store.opened_for(job, origin or {}):
        done = store.done()
        missing = [number for number in range(job.shards) if number not in done]
        if announce is not None and missing and done:
            announce(f"resuming, {len(done)} of {job.shards} shards")
        count, stopped = 0, False
        used: Executor = "serial" if executor == "auto" else executor
        for used, number, result in computed(job, missing, executor, workers, ray, timeout):  # noqa: B007
            store.write_shard(number, result.content)
            count += 1
            if report_progress(min((len(done) + count) * job.shard, len(job.items)), len(job.items), "items"):
                stopped = count < len(missing)
                break
        broken = store.broken()
        if broken or (store.path / "quarantine.jsonl").exists():
            store.write_quarantine()
    return Outcome(store, job.shards, len(done), count, broken, used, time.perf_counter() - began, stopped)


def computed(
    job: Job, missing: Sequence[int], executor: Executor, workers: int | None, ray: str | None, timeout: float | None
) -> Iterator[tuple[Executor, int, ShardResult]]:
    """The missing shards as they are ready, each with the executor it comes from."""
    if executor == "ray":
        yield from (("ray", *one) for one in run_ray(job, missing, workers or devices(job), ray, timeout))
        return
    began = time.perf_counter()
    for place, (number, result) in enumerate(run_serial(job, missing, timeout)):
        yield "serial", number, result
        left = missing[place + 1 :]
        if place == 0 and executor == "auto" and pays(job, (time.perf_counter() - began) * len(left), workers):
            yield from (("ray", *one) for one in run_ray(job, left, workers or devices(job), ray, timeout))
            return


def pays(job: Job, seconds: float, workers: int | None) -> bool:
    """Whether Ray makes up for its start: several workers, and minutes of work for one."""
    return seconds > WORTH and (workers or devices(job)) > 1 and find_spec("ray") is not None


def devices(job: Job) -> int:
    """How many workers there is room for: one per GPU, else one per `threads` cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return torch.cuda.device_count() if job.spec.get("device") == "cuda" else max(1, cores // job.threads)
