"""The Ray executor: the same bytes as the serial one, and what ends a process loses no other item."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch
from torch import nn

from pellucid.job.explaining import explaining
from pellucid.job.run import pays, run
from tests import planted_marks
from tests.test_jobs import SMALL, network, shards

TRIES = 3  # on a machine that is busy Ray may not start in time


@pytest.fixture(scope="session")
def cluster():
    """One cluster for all tests, of two workers."""
    ray = pytest.importorskip("ray")
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    for left in reversed(range(TRIES)):
        try:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
                     runtime_env={"env_vars": {"PYTHONPATH": path}})  # fmt: skip
            break
        except Exception:
            ray.shutdown()
            if not left:
                raise
    yield ray
    ray.shutdown()


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


def test_ray_pays_for_minutes_of_work_and_several_workers():
    data = torch.rand(8, 1, 28, 28)
    job = explaining(network(), data)
    assert pays(job, 600.0, workers=2) and not pays(job, 600.0, workers=1) and not pays(job, 20.0, workers=8)
