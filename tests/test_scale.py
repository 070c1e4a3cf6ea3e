"""The Ray executor: the same bytes as the serial one, and what ends a process loses no other item."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pellucid.errors import OutputError
from pellucid.job import scale
from pellucid.job.explaining import explaining
from pellucid.job.run import pays, run
from tests import planted_marks
from tests.test_jobs import SMALL, leftovers, network, shards


@pytest.fixture(scope="session")
def cluster():
    """One cluster for all tests, of two workers, which find this package and these tests."""
    ray = pytest.importorskip("ray")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = path()
    with scale.cluster(ray, None, 2):
        yield ray
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def path() -> str:
    return os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])


class Ending(nn.Module):
    """Ends its process on bright pictures, as a fault in native code does."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x):
        if bool((x.amax((1, 2, 3)) > 5).any()):
            os._exit(139)
        return self.net(x)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_one_and_two_actors_write_the_bytes_of_the_serial_executor(cluster, tmp_path):
    data = planted_marks.marked(150, seed=3)
    job = replace(explaining(network(), data.x, labels=data.labels), shard=SMALL)
    run(job, tmp_path / "serial", executor="serial")
    for workers in (1, 2):
        out = run(job, tmp_path / f"{workers}", executor="ray", workers=workers)
        assert out.complete and out.executor == "ray" and shards(tmp_path / f"{workers}") == shards(tmp_path / "serial")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_items_that_end_the_process_are_found_and_the_others_computed(cluster, tmp_path):
    data = planted_marks.marked(60, seed=3)
    data.x[37] *= 10
    job = replace(explaining(Ending().eval(), data.x, labels=data.labels), shard=SMALL)
    out = run(job, tmp_path, executor="ray", workers=2)
    assert out.complete and list(out.broken) == ["000037"] and "the process ended" in out.broken["000037"]
    assert len(out.store.rows("item")["item"]) == 59


class Stuck(nn.Module):
    """Waits for ever on bright pictures, and lets no signal interrupt it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x):
        if bool((x.amax((1, 2, 3)) > 5).any()):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(PATIENCE)
        return self.net(x)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_an_item_that_hangs_and_cannot_be_interrupted_is_given_up(cluster, tmp_path):
    data = planted_marks.marked(16, seed=3)
    data.x[5] *= 10
    job = replace(explaining(Stuck().eval(), data.x, labels=data.labels), shard=8)
    out = run(job, tmp_path, executor="ray", workers=2, timeout=5.0)
    assert out.complete and list(out.broken) == ["000005"] and "no answer within 5 s" in out.broken["000005"]
    assert len(out.store.rows("item")["item"]) == 15


PATIENCE = 600.0  # seconds, for a machine that is busy
DRIVER = """
import sys
from dataclasses import replace
from pellucid.job.explaining import explaining
from pellucid.job.run import run
from tests import planted_marks
from tests.test_jobs import SMALL, network
if __name__ == "__main__":
    job = replace(explaining(planted_marks.model(network()), sys.argv[1]), shard=SMALL)
    run(job, sys.argv[2], executor="ray", workers=2)
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return planted_marks.marked(2400, seed=3).save(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """The shards of a run that nobody interrupts."""
    store = tmp_path_factory.mktemp("whole")
    run(driven(pictures), store, executor="serial")
    return shards(store)


def driven(pictures):
    return replace(explaining(planted_marks.model(network()), pictures), shard=SMALL)


def children(pid: int) -> Iterator[int]:
    """The processes below one."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, parent = int(entry.parent.name), int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            yield from (number, *children(number))


def named(pid: int, part: str) -> list[int]:
    """Those below a process whose command line has this in it."""
    found = []
    for number in children(pid):
        try:
            line = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        found += [number] if part in line else []
    return found


def written(store: Path) -> int:
    return len(list((store / "shards").rglob("*.safetensors")))


def wait_for(condition, process) -> bool:
    """Whether a condition came true before the process ended."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("kind", ["driver", "ray::Actor", "raylet/raylet"])
@pytest.mark.parametrize("seed", range(2))
def test_a_driver_an_actor_or_a_raylet_that_is_killed_costs_a_shard_per_worker_at_most(pictures, whole, tmp_path, kind, seed):
    rng, store = random.Random(f"{kind} {seed}"), tmp_path / "s"
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": path(), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", DRIVER, str(pictures), str(store)], env=environment, **silent)
    try:
        first = rng.randrange(2, len(whole) // 3)
        assert wait_for(lambda: written(store) >= first, process), "the run ended before anything was killed"
        time.sleep(rng.random() / 5)
        victims = [process.pid] if kind == "driver" else named(process.pid, kind)
        assert victims, f"no process {kind}"
        os.kill(rng.choice(victims), signal.SIGKILL)
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
    before = {name: content for name, content in shards(store).items() if not Path(name).name.startswith(".")}
    assert before.items() <= whole.items()  # whatever has its name is whole
    if kind == "ray::Actor":
        assert process.returncode == 0 and before == whole  # another took its place
    out = run(driven(pictures), store, executor="serial")
    assert out.found == len(before) >= first and out.complete and not out.broken
    assert shards(store) == whole and not leftovers(store)


def test_a_cluster_that_does_not_start_is_tried_again_and_then_said():
    class Late:
        tries = 0

        def init(self, **options):
            self.tries += 1
            raise RuntimeError("The current node timed out during startup.")

        def shutdown(self):
            pass

    late = Late()
    with pytest.raises(OutputError, match="take the serial executor"):
        scale.start_cluster(late, None, 2)
    assert late.tries == scale.STARTS


def test_ray_pays_for_minutes_of_work_and_several_workers():
    data = torch.rand(8, 1, 28, 28)
    job = explaining(network(), data)
    assert pays(job, 600.0, workers=2) and not pays(job, 600.0, workers=1) and not pays(job, 20.0, workers=8)
