"""A million items and 64 workers on one machine: what the driver of a run needs, with workers that sleep instead of computing.

    python bench/scale_simulation.py [--items 1000000] [--workers 64] [--seconds 0.25] [--out FOLDER]

The pool of the Ray executor runs as it is; in the place of Ray stand threads, one per worker, which sleep for a shard and return
bytes of the size a real one has. Measured are the memory of the driver, how busy its workers are, files, and what comes after a
run: finding out what is done, and reading the columns that an analysis needs. The figures in docs/audit.md are from here.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from pellucid.job import scale
from pellucid.job.items import Items
from pellucid.job.job import Job
from pellucid.job.run import run
from pellucid.job.shard import to_bytes
from pellucid.job.worker import ShardResult

CLASSES, CHANNELS, GRID = 1000, 64, 28


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=0.25, help="That a worker sleeps for a shard.")
    parser.add_argument("--out", type=Path, help="Where the store is made, on the disk that is meant.")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.out))
    try:
        simulate(folder, arguments.items, arguments.workers, arguments.seconds)
    finally:
        shutil.rmtree(folder)


def simulate(folder: Path, count: int, workers: int, seconds: float) -> None:
    began = time.perf_counter()
    job = made(count)
    print(f"items: {count:,}, listed in {time.perf_counter() - began:.1f} s; memory {resident() / 1e6:.0f} MB")
    print(f"sent to each worker once: {len(pickle.dumps(job.work)) / 1e6:.0f} MB")
    threads = Threads(workers, seconds, job)
    scale.import_ray = lambda: threads  # type: ignore[assignment]
    scale.cluster = lambda *_: nothing()  # type: ignore[assignment]
    used, began = time.process_time(), time.perf_counter()
    out = run(job, folder / "store", executor="ray", workers=workers)
    passed, used = time.perf_counter() - began, time.process_time() - used
    busy = seconds * job.shards / (workers * passed)
    print(
        f"{job.shards:,} shards by {workers} workers in {passed:.0f} s; workers busy {busy:.0%}, the driver {used / passed:.0%}"
    )
    print(f"the driver's share of a shard: {1000 * used / job.shards:.1f} ms; memory {resident() / 1e6:.0f} MB")
    files = [path for path in (folder / "store").rglob("*") if path.is_file()]
    folders = [path for path in (folder / "store" / "shards").iterdir()]
    print(f"{len(files):,} files in {len(folders)} folders, {sum(path.stat().st_size for path in files) / 1e9:.2f} GB")
    after(out.store, job)


def after(store: Any, job: Job) -> None:
    """What an interrupted run and an analysis do first."""
    began = time.perf_counter()
    done = store.done()
    print(f"finding out that {len(done):,} shards are whole: {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    rows = store.rows(*store.columns)
    size = sum(value.nbytes for value in rows.values())
    print(f"reading all columns: {time.perf_counter() - began:.1f} s, {size / 1e9:.2f} GB; memory {resident() / 1e9:.2f} GB")


def made(count: int) -> Job:
    """The job of explaining files in folders of classes, none of which exists."""
    keys = tuple(f"class{number % CLASSES:04}/picture{number:08}.jpg" for number in range(count))
    labels = tuple(key.split("/")[0] for key in keys)
    items = Items("pictures", keys, labels, Path(), sizes=(120_000,) * count)
    spec = {"task": "explain", "model": {"name": "sleeper"}, "data": items.described(), "device": "cpu"}
    return Job(spec, items, partial(Sleeper, items))


class Sleeper:
    """Stands for the work that is sent to workers, with the items in it."""

    batch = 64

    def __init__(self, items: Items) -> None:
        self.items = items


class Threads:
    """As much of Ray as the pool asks for: references are futures, and actors are threads."""

    class exceptions:
        RayError = RayTaskError = type("RayError", (Exception,), {})

    def __init__(self, workers: int, seconds: float, job: Job) -> None:
        self.seconds, self.job = seconds, job
        self.pools = iter([ThreadPoolExecutor(1) for _ in range(workers)])
        self.rows = example()

    def put(self, value: Any) -> Any:
        return value

    def remote(self, kind: Any) -> Threads:
        return self

    def options(self, **_: Any) -> Threads:
        return type("Options", (), {"remote": lambda _, *args: Slept(self, next(self.pools))})()  # type: ignore[return-value]

    def wait(self, references: list[Future[Any]], num_returns: int, timeout: float) -> tuple[list[Future[Any]], list[Any]]:
        done, rest = wait(references, timeout, FIRST_COMPLETED)
        return list(done)[:num_returns], list(rest)

    def get(self, reference: Future[Any], timeout: float | None = None) -> Any:
        return reference.result(timeout)

    def kill(self, actor: Slept) -> None:
        actor.pool.shutdown(wait=False)


class Slept:
    """An actor that sleeps, and then has the bytes of a shard."""

    def __init__(self, threads: Threads, pool: ThreadPoolExecutor) -> None:
        self.threads, self.pool = threads, pool
        self.shard = self

    def remote(self, number: int, keys: dict[int, str], skip: Any) -> Future[Any]:
        return self.pool.submit(self.sleep, number, keys)

    def sleep(self, number: int, keys: dict[int, str]) -> ShardResult:
        began = time.perf_counter()
        rows = {"item": torch.tensor(list(keys))} | {name: value[: len(keys)] for name, value in self.threads.rows.items()}
        content = to_bytes(self.threads.job.id, number, rows, {})
        time.sleep(max(0.0, self.threads.seconds - (time.perf_counter() - began)))
        return ShardResult(content, {})


def example() -> dict[str, torch.Tensor]:
    """Columns of a shard, with the sizes that those of an audit have."""
    rng = torch.Generator().manual_seed(0)
    wide = {"where": (GRID, GRID), "view": (GRID, GRID), "what.layer": (CHANNELS,)}
    found = {name: torch.rand(256, *shape, generator=rng).half() for name, shape in wide.items()}
    found |= {name: torch.rand(256, generator=rng) for name in ("where.scale", "where.sum", "what.layer.scale", "score")}
    return found | {"ledger": torch.rand(256, 3, generator=rng)}


@contextmanager
def nothing() -> Any:
    yield


def resident() -> float:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


if __name__ == "__main__":
    main()
