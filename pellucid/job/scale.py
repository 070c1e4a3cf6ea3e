"""The Ray executor: an actor per device, each with one shard at work and one waiting, so that none is ever idle.

Plain actors and `ray.wait`, and our own shards: Ray Data keeps nothing of a stage that is killed in its middle.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import torch

from pellucid.errors import MissingExtra, ModelError, OutputError
from .job import Job
from .serial import Guarded
from .worker import ShardResult, Work, compute_shard

AHEAD = 2  # shards that an actor has: one at work, one waiting
STARTS = 3  # of a cluster, until it is given up
RESTARTS = 3  # deaths of actors in a row, without a shard finished in between
BLAMED = 2  # deaths in the same shard, after which its items are tried one after the other
POLL = 1.0  # seconds between two looks at the time


def run_ray(
    job: Job, shards: Sequence[int], workers: int, address: str | None, timeout: float | None
) -> Iterator[tuple[int, ShardResult]]:
    """The shards of a job as they are ready.

    Arguments:
        workers: How many actors.
        address: Of a cluster; None: one on this machine, ended when all is done.
        timeout: Seconds after which a batch counts as one that hangs.

    Raises:
        MissingExtra: ray is not installed.
        ModelError: workers end before they finish a shard, one after the other.
    """
    ray = import_ray()
    if not shards:
        return
    with cluster(ray, address, workers * job.threads):
        pool = Pool(ray, job, min(workers, len(shards)), timeout)
        try:
            yield from pool.run(deque(shards))
        finally:
            pool.close()


def import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingExtra(
            "the executor ray", "no package ray", "it is an optional dependency",
            "Install it: pip install 'pellucid[scale]'. Or take the serial executor.",
        ) from None  # fmt: skip
    return ray


@contextmanager
def cluster(ray: Any, address: str | None, cpus: int) -> Iterator[None]:
    """A block with a cluster: the one that runs in this process already, the one at an address, or a new one, ended after it."""
    if ray.is_initialized():
        yield
        return
    before = os.environ.get("RAY_USAGE_STATS_ENABLED")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        start_cluster(ray, address, cpus)
        yield
    finally:
        ray.shutdown()
        os.environ.pop("RAY_USAGE_STATS_ENABLED") if before is None else os.environ.update(RAY_USAGE_STATS_ENABLED=before)


def start_cluster(ray: Any, address: str | None, cpus: int) -> None:
    """Join a cluster, or start one: again if it is not up in time. Ray gives its own processes 15 seconds, which nothing changes;
    where other programs leave them little of a core that is too short, and the next try finds their files in memory.
    """
    own: dict[str, Any] = {"num_cpus": cpus, "include_dashboard": False} if address is None else {"address": address}
    for left in reversed(range(STARTS)):
        try:
            ray.init(**own, log_to_driver=False, logging_level="ERROR")
            return
        except Exception as error:
            ray.shutdown()
            if left:
                continue
            found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            do = "Wait until the machine is less busy, name a cluster by --ray ADDRESS, or take the serial executor."
            why = "it did not answer in time" if address is None else "it cannot be joined"
            raise OutputError("a cluster of Ray", found, why, do) from None


class Actor:
    """The worker function in a process of its own."""

    def __init__(self, work: Work, run: str, threads: int, timeout: float | None, folder: str) -> None:
        with suppress(OSError):
            os.chdir(folder)  # paths of the user are relative to it
        torch.set_num_threads(threads)
        compute = work()
        self.compute = compute if timeout is None else Guarded(compute, timeout)
        self.run = run

    def shard(self, number: int, keys: Mapping[int, str], skip: Mapping[int, str]) -> ShardResult:
        return compute_shard(self.compute, self.run, number, keys, skip)

    def probe(self, keys: Mapping[int, str]) -> None:
        """Compute some items for no other end than to see whether this process survives."""
        compute_shard(self.compute, self.run, 0, keys)


@dataclass
class Pool:
    """Actors, and what each of them has to do.

    Arguments:
        waiting: By actor, its shards with their references, the one at work first, and since when that has been at work.
        deaths: By shard, how many actors died of it.
    """

    ray: Any
    job: Job
    size: int
    timeout: float | None
    actors: dict[int, Any] = field(default_factory=dict)
    waiting: dict[int, deque[tuple[int, Any]]] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    skip: dict[int, dict[int, str]] = field(default_factory=dict)
    in_a_row: int = 0

    def __post_init__(self) -> None:
        self.work = self.ray.put(self.job.work)
        self.kind = self.ray.remote(Actor)
        for place in range(self.size):
            self.start(place)

    def start(self, place: int) -> None:
        """A new actor in that place."""
        gpus = 1 if self.job.spec.get("device") == "cuda" else 0
        options = self.kind.options(num_cpus=self.job.threads, num_gpus=gpus)
        self.actors[place] = options.remote(self.work, self.job.id, self.job.threads, self.timeout, os.getcwd())
        self.waiting[place], self.since[place] = deque(), monotonic()

    def run(self, queue: deque[int]) -> Iterator[tuple[int, ShardResult]]:
        """Shards as they are ready, until the queue is empty."""
        self.fill(queue)
        while any(self.waiting.values()):
            first = {row[0][1]: place for place, row in self.waiting.items() if row}
            ready, _ = self.ray.wait(list(first), num_returns=1, timeout=POLL)
            for reference in ready:
                place = first[reference]
                try:
                    result = self.ray.get(reference)
                except self.ray.exceptions.RayTaskError as error:
                    raise error.cause if isinstance(error.cause, Exception) else error from None
                except self.ray.exceptions.RayError as error:
                    self.replace(place, queue, f"the process ended ({type(error).__name__})")
                    continue
                number, _ = self.waiting[place].popleft()
                self.since[place], self.in_a_row = monotonic(), 0
                yield number, result
            for place in [place for place in first.values() if self.late(place)]:
                self.replace(place, queue, f"no answer within {self.timeout:g} s, and it could not be interrupted")
            self.fill(queue)

    def fill(self, queue: deque[int]) -> None:
        """Give every actor what it needs not to be idle, those with least first."""
        while queue and (place := min(self.waiting, key=lambda place: len(self.waiting[place]))) is not None:
            if len(self.waiting[place]) >= AHEAD:
                return
            number = queue.popleft()
            if not self.waiting[place]:
                self.since[place] = monotonic()
            reference = self.actors[place].shard.remote(number, self.keys(number), self.skip.get(number, {}))
            self.waiting[place].append((number, reference))

    def keys(self, shard: int) -> dict[int, str]:
        return {number: self.job.items.keys[number] for number in self.job.numbers(shard)}

    def late(self, place: int) -> bool:
        """Whether an actor has been at one shard for longer than all its batches may take, and its start."""
        if self.timeout is None or not self.waiting[place]:
            return False
        return monotonic() - self.since[place] > self.timeout * (2 + self.job.shard / 8)

    def replace(self, place: int, queue: deque[int], why: str) -> None:
        """Another actor in the place of one that is dead or hangs; its shards go back to the queue, the guilty one with blame."""
        guilty, _ = self.waiting[place][0]
        queue.extendleft(number for number, _ in reversed(self.waiting[place]))
        self.in_a_row += 1
        if self.in_a_row > RESTARTS + BLAMED:
            raise ModelError(
                f"the work of {self.job.spec['model']['name']} in other processes", why, "it happens again and again",
                "Take the serial executor, which shows the error.",
            )  # fmt: skip
        self.restart(place)
        self.deaths[guilty] = self.deaths.get(guilty, 0) + 1
        if self.deaths[guilty] >= BLAMED:
            self.skip[guilty] = self.guilty(place, self.keys(guilty), why)
            self.in_a_row = 0

    def restart(self, place: int) -> None:
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(self.actors[place])
        self.start(place)

    def guilty(self, place: int, keys: dict[int, str], why: str) -> dict[int, str]:
        """Which items end the process, found by halving."""
        seconds = None if self.timeout is None else self.timeout * (2 + len(keys) / 8)
        reference = self.actors[place].probe.remote(keys)
        try:
            self.ray.get(reference, timeout=seconds)
            return {}
        except self.ray.exceptions.RayTaskError:
            return {}  # an error, and the process lives: the shard will tell
        except self.ray.exceptions.RayError:
            self.restart(place)
        if len(keys) == 1:
            return dict.fromkeys(keys, why)
        numbers = list(keys)
        half = len(numbers) // 2
        parts = ({n: keys[n] for n in some} for some in (numbers[:half], numbers[half:]))
        return {number: reason for part in parts for number, reason in self.guilty(place, part, why).items()}

    def close(self) -> None:
        for actor in self.actors.values():
            with suppress(self.ray.exceptions.RayError):
                self.ray.kill(actor)
