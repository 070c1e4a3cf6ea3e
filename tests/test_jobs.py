"""Runs over many inputs: equal bytes however they are computed, and nothing lost however they are interrupted."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.catalogue.methods import as_method
from pellucid.core.progress import watched
from pellucid.errors import InputError, OutputError
from pellucid.job import disk, items, plan
from pellucid.job.evaluating import evaluating, narrow_enough, table
from pellucid.job.explaining import explaining
from pellucid.job.export import export
from pellucid.job.index import build
from pellucid.job.job import Job
from pellucid.job.run import run
from pellucid.zoo.truth.learn import convnet
from tests import planted_marks

SMALL = 32  # items in a shard


def network() -> nn.Module:
    return convnet(1, planted_marks.SIDE, len(planted_marks.CLASSES), seed=0).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return planted_marks.marked(150, seed=3).save(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def job(folder):
    return replace(explaining(planted_marks.model(network()), folder), shard=SMALL)


def shards(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted((path / "shards").rglob("*")) if file.is_file()}


def leftovers(path: Path) -> list[Path]:
    return [file for file in path.rglob(".*") if disk.TEMPORARY.fullmatch(file.name)]


def stop_after(count):
    """Calls a run off after so many reports."""
    reports = []
    return lambda done, total, what: what == "items" and len(reports.append(done) or reports) >= count


# -- what a job is ---------------------------------------------------------------------------------------------------------


def test_the_id_of_a_job_is_that_of_its_data(folder, job):
    again = replace(explaining(planted_marks.model(network()), folder), shard=SMALL)
    other = replace(explaining(planted_marks.model(network()), folder, method="gradient_x_input"), shard=SMALL)
    assert again.id == job.id != other.id
    assert json.loads(job.json)["data"]["count"] == 150 and " " not in job.json.replace("resized to cover", "")[:20]
    assert any(line.startswith("method.name: gradient_x_input here, lrp there") for line in other.difference(job.data))


def test_labels_are_explained_where_all_are_classes_and_else_what_is_predicted(folder, tmp_path):
    assert explaining(planted_marks.model(network()), folder).spec["target"] == "label"
    unnamed = pl.load(network(), preprocess=planted_marks.model(network()).preprocess)
    assert explaining(unnamed, folder).spec["target"] == "predicted"
    assert explaining(planted_marks.model(network()), folder, target="disc").spec["target"] == "class 1"


def test_a_table_is_joined_on_the_names_of_files_and_its_labels_count(folder, tmp_path):
    table = tmp_path / "meta.csv"
    keys = items.of(folder).keys
    names = "".join(f"{key.rsplit('/', 1)[-1]},scanner {n % 2},disc\n" for n, key in enumerate(keys))
    table.write_text("file,scanner,label\n" + names)
    found = items.of(folder, table)
    assert set(found.labels) == {"disc"} and found.meta[1] == {"scanner": "scanner 1"}
    (tmp_path / "other.csv").write_text("file,scanner\nnothing.png,A\n")
    with pytest.raises(InputError, match="none of them names the files"):
        items.of(folder, tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("row", "found"), [("00000.png,A\n", "2 files of that name"), ("a/disc/00000.png,A\na/disc/00000.png,B\n", "that name twice")]
)
def test_a_table_whose_names_are_not_of_one_file_is_refused(tmp_path, row, found):
    for folder in ("a", "b"):
        (tmp_path / "pictures" / folder / "disc").mkdir(parents=True)
        (tmp_path / "pictures" / folder / "disc" / "00000.png").write_bytes(b"")
    (tmp_path / "meta.csv").write_text("file,scanner\n" + row)
    with pytest.raises(InputError, match=found):
        items.of(tmp_path / "pictures", tmp_path / "meta.csv")


def test_labels_that_the_model_does_not_know_are_said(folder, tmp_path):
    data, said = planted_marks.marked(30, seed=3), []
    labels = ["zebra" if label == 0 else planted_marks.CLASSES[label] for label in data.labels.tolist()]
    pl.audit(planted_marks.model(network()), data.x, tmp_path, labels=labels, executor="serial", announce=said.append)
    assert any(line.startswith("no classes of the model: zebra;") for line in said)


# -- a run ----------------------------------------------------------------------------------------------------------------


def test_a_run_that_was_called_off_goes_on_and_gives_the_same_bytes(job, tmp_path):
    whole = run(job, tmp_path / "whole", executor="serial")
    assert whole.complete and whole.computed == whole.total == 5
    said = []
    with watched(stop_after(2)):
        part = run(job, tmp_path / "part", executor="serial")
    assert part.stopped and part.computed == 2
    rest = run(job, tmp_path / "part", executor="serial", announce=said.append)
    assert rest.found == 2 and rest.complete and said == ["resuming, 2 of 5 shards"]
    assert shards(tmp_path / "whole") == shards(tmp_path / "part")
    assert run(job, tmp_path / "part", executor="serial").computed == 0


def test_rows_say_what_the_verb_says_of_the_same_picture(job, folder, tmp_path):
    rows = run(job, tmp_path, executor="serial").store.rows(
        "item", "where", "where.scale", "score", "predicted", "what.4", "ledger"
    )
    model = planted_marks.model(network())
    e = pl.explain(model, str(folder / job.items.keys[7]), job.items.labels[7])
    heat = e.heat()
    shares = rows["where"][7].float() * rows["where.scale"][7]
    torch.testing.assert_close(shares, heat / heat.abs().sum(), atol=2e-5, rtol=2e-3)
    torch.testing.assert_close(rows["score"][7], e.output[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rows["ledger"][7, 1].double(), e.ledger.input[0].double(), atol=1e-4, rtol=1e-4)
    channels = pl.explain(model, str(folder / job.items.keys[7]), job.items.labels[7], at="4").values[0].sum((1, 2))
    torch.testing.assert_close(rows["what.4"][7].float(), channels / channels.abs().max(), atol=2e-3, rtol=2e-3)


def test_another_job_in_the_same_folder_is_refused_with_the_difference(job, folder, tmp_path):
    run(job, tmp_path, executor="serial")
    other = replace(explaining(planted_marks.model(network()), folder, method="gradient_x_input"), shard=SMALL)
    with pytest.raises(OutputError, match=r"method\.name: gradient_x_input here, lrp there"):
        run(other, tmp_path, executor="serial")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("not a store")
    with pytest.raises(OutputError, match="it is not one of a run"):
        run(job, tmp_path / "mine", executor="serial")


def test_two_runs_on_one_folder_are_refused(job, tmp_path):
    run(job, tmp_path, executor="serial")
    with (
        disk.locked(tmp_path / "lock"),
        pytest.raises(OutputError, match=rf"another one at work there \(process {os.getpid()}\)"),
    ):
        run(job, tmp_path, executor="serial")


def test_a_damaged_shard_is_computed_again(job, tmp_path):
    store = run(job, tmp_path, executor="serial").store
    before = shards(tmp_path)
    path = store.shard_path(1)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    store.shard_path(3).write_bytes(path.read_bytes()[:100])
    assert store.done() == {0, 2, 4} and len(store.damaged()) == 2
    assert run(job, tmp_path, executor="serial").computed == 2
    assert shards(tmp_path) == before


def test_the_index_is_made_from_the_shards_alone(job, tmp_path):
    store = run(job, tmp_path, executor="serial").store
    listed = store.items()
    build(store, listed.keys, listed.labels)
    with sqlite3.connect(tmp_path / "items.sqlite") as connection:
        rows = connection.execute("select key, label, score from items order by number").fetchall()
    connection.close()
    assert [row[0] for row in rows] == list(job.items.keys) and {row[1] for row in rows} == set(planted_marks.CLASSES)
    assert [row[2] for row in rows] == store.rows("score")["score"].tolist()


def test_exports_hold_every_item(job, tmp_path):
    store = run(job, tmp_path / "s", executor="serial").store
    lines = export(store, tmp_path / "x.csv", job.items.keys, job.items.labels).read_text().splitlines()
    assert len(lines) == 151 and lines[0].startswith("key,label,item")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(export(store, tmp_path / "x.parquet", job.items.keys))
    assert table.num_rows == 150 and len(table["where"][0]) == 28 * 28
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(export(store, tmp_path / "x.zarr", job.items.keys)), mode="r")
    assert group["where"].shape == (150, 28, 28) and group.attrs["key"] == list(job.items.keys)
    with pytest.raises(OutputError, match="it chooses the format"):
        export(store, tmp_path / "x.xlsx", job.items.keys)


def test_a_plan_tells_what_is_left_and_how_much_disk(job, tmp_path):
    found = plan.plan(job, tmp_path)
    assert found.items == 150 and found.executor == "serial" and found.free > 0
    run(job, tmp_path / "s", executor="serial")
    written = sum(len(content) for content in shards(tmp_path / "s").values())
    assert found.disk == pytest.approx(written, rel=0.3)
    assert plan.plan(job, tmp_path, done=job.shards).items == 0


# -- what cannot be computed ----------------------------------------------------------------------------------------------


def spoil(folder: Path) -> list[str]:
    """Pictures that cannot be read, of several kinds."""
    good = next(folder.rglob("*.png")).read_bytes()
    kinds = {
        "empty": b"", "text": b"no picture at all", "zeros": bytes(500), "truncated": good[: len(good) // 2], "magic": good[:8],
        "header": b"\x89PNG\r\n\x1a\n" + bytes(60), "gif": b"GIF89a", "jpeg": b"\xff\xd8\xff\xe0" + bytes(40),
        "html": b"<html><img></html>", "huge": good[:16] + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + good[24:],
    }  # fmt: skip
    for name, content in kinds.items():
        (folder / "disc" / f"bad-{name}.png").write_bytes(content)
    (folder / "disc" / "bad-link.png").symlink_to(folder / "nowhere.png")
    (folder / "disc" / "bad-flipped.png").write_bytes(good[:40] + bytes([good[40] ^ 255]) + good[41:])
    return [f"disc/bad-{name}.png" for name in (*kinds, "link", "flipped")]


def test_unreadable_pictures_are_listed_with_the_reason_and_the_others_are_computed(tmp_path):
    folder = planted_marks.marked(60, seed=3).save(tmp_path / "pictures")
    bad = spoil(folder)
    job = replace(explaining(planted_marks.model(network()), folder), shard=SMALL)
    out = run(job, tmp_path / "s", executor="serial")
    assert out.complete and {job.items.keys[n] for n in map(int, out.store.rows("item")["item"])} == set(job.items.keys) - set(
        bad
    )
    lines = [json.loads(line) for line in (tmp_path / "s" / "quarantine.jsonl").read_text().splitlines()]
    assert sorted(line["key"] for line in lines) == sorted(bad) and all("Error: " in line["reason"] for line in lines)


class Falling(nn.Module):
    """Fails on pictures that are brighter than most."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x):
        if bool((x.amax((1, 2, 3)) > 5).any()):
            raise RuntimeError("too bright")
        return self.net(x)


def test_a_failing_batch_is_halved_down_to_the_items_that_are_guilty(tmp_path):
    data = planted_marks.marked(80, seed=3)
    data.x[[17, 41]] *= 10
    job = replace(explaining(Falling().eval(), data.x, labels=data.labels), shard=SMALL)
    out = run(job, tmp_path, executor="serial")
    assert sorted(out.broken) == ["000017", "000041"] and all("too bright" in why for why in out.broken.values())
    assert len(out.store.rows("item")["item"]) == 78


def test_an_error_that_concerns_all_items_is_raised(tmp_path):
    data = planted_marks.marked(40, seed=3)
    job = explaining(network(), data.x, labels=data.labels)

    class Lost(type(job.work)):
        def __call__(self):
            made = super().__call__()
            made.rows = lambda numbers, inputs: (_ for _ in ()).throw(RuntimeError("the network is gone"))
            return made

    lost = replace(job, work=Lost(**vars(job.work)))
    with pytest.raises(RuntimeError, match="the network is gone"):
        run(lost, tmp_path, executor="serial")
    assert not shards(tmp_path) if (tmp_path / "shards").exists() else True


class Hanging(nn.Module):
    """Waits for ever on bright pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x):
        while bool((x.amax((1, 2, 3)) > 5).any()):
            time.sleep(0.05)
        return self.net(x)


def test_an_item_that_hangs_is_given_up(tmp_path):
    data = planted_marks.marked(24, seed=3)
    data.x[5] *= 10
    job = replace(explaining(Hanging().eval(), data.x, labels=data.labels), shard=SMALL)
    out = run(job, tmp_path, executor="serial", timeout=2.0)
    assert list(out.broken) == ["000005"] and "no answer within 2 s" in out.broken["000005"]


SCRIPT = """
import sys, resource
from dataclasses import replace
from pellucid.job.explaining import explaining
from pellucid.job.run import run
from tests import planted_marks
from tests.test_jobs import SMALL, network
if __name__ == "__main__":
    folder, store, *limit = sys.argv[1:]
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
    job = replace(explaining(planted_marks.model(network()), folder), shard=SMALL)
    print("ready", flush=True)
    run(job, store, executor="serial")
"""


def started(folder: Path, store: Path, *more: str) -> subprocess.Popen[str]:
    """The same run in another process."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(store), *more], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environment)  # fmt: skip


def kill_once(folder: Path, store: Path, moment: float) -> None:
    """Start a run, and kill it so many seconds after it began to work."""
    process = started(folder, store)
    assert process.stdout is not None and process.stdout.readline()
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_loses_one_shard_at_most_and_ends_with_the_same_bytes(job, folder, tmp_path, times):
    run(job, tmp_path / "whole", executor="serial")
    whole = shards(tmp_path / "whole")
    for attempt in range(times):
        store = tmp_path / f"killed{attempt}"
        kill_once(folder, store, 0.05 + 0.4 * attempt / times)
        before = shards(store) if (store / "shards").exists() else {}
        finished = {name: content for name, content in before.items() if not Path(name).name.startswith(".")}
        assert all(whole[name] == content for name, content in finished.items())  # whatever has its name is whole
        out = run(job, store, executor="serial")
        assert out.found == len(finished) and out.complete
        assert shards(store) == whole and not leftovers(store)


def test_a_full_disk_is_said_and_nothing_unfinished_stays(job, folder, tmp_path):
    process = started(folder, tmp_path / "s", "20000")  # no file may be larger than that
    _, text = process.communicate()
    assert process.returncode and "OutputError" in text and "File too large" in text
    assert not leftovers(tmp_path / "s") and not list((tmp_path / "s" / "shards").rglob("*.safetensors"))
    assert run(job, tmp_path / "s", executor="serial").complete


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 1 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a disk can be mounted by root alone")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_without_space_is_said_and_whole_shards_stay(job, folder, tiny_disk, tmp_path):
    run(job, tmp_path / "whole", executor="serial")
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(720_000))
    with pytest.raises(OutputError, match="No space left on device"):
        run(job, tiny_disk / "s", executor="serial")
    kept = shards(tiny_disk / "s")
    assert 0 < len(kept) < job.shards and not leftovers(tiny_disk)
    ballast.unlink()
    out = run(job, tiny_disk / "s", executor="serial")
    assert out.found == len(kept) and out.complete and shards(tiny_disk / "s") == shards(tmp_path / "whole")


def test_a_job_is_plain_data():
    assert Job({"b": 1, "a": {"c": [1, 2]}}, None, None).json.startswith('{"a":{"c":[1,2]},"b":1,')


# -- evaluations ----------------------------------------------------------------------------------------------------------


def judged(path, *, until=None, methods=("lrp", "gradient"), calls=None):
    data = planted_marks.marked(70, seed=3)
    job = evaluating(network(), data.x, {name: as_method(name) for name in methods}, ("srg", "insertion"))
    watcher = narrow_enough(path, until) if until is not None else stop_after(calls) if calls else lambda *_: False
    with watched(watcher):
        return job, run(job, path, executor="serial")


def test_an_evaluation_that_was_called_off_goes_on_and_gives_the_scores_of_the_verb(tmp_path):
    job, whole = judged(tmp_path / "whole")
    _, part = judged(tmp_path / "part", calls=1)
    assert part.stopped and part.computed == 1
    assert judged(tmp_path / "part")[1].found == 1
    assert shards(tmp_path / "whole") == shards(tmp_path / "part")
    found = table(whole.store)
    verb = pl.evaluate(network(), job.items.values[:16], ["lrp", "gradient"], ["srg", "insertion"], ceiling=False)
    for key, scores in verb.scores.items():
        assert torch.equal(found.scores[key].values[:16], scores.values)
    assert found.rows[0]["n"] == 70 and found.rows[0]["low"] < found.rows[0]["score"] < found.rows[0]["high"]
    assert found.rows[0]["seconds"] is None and found.advice  # times would differ from run to run


def test_an_evaluation_stops_when_its_intervals_are_narrow_enough(tmp_path):
    _, out = judged(tmp_path, until=1e9)
    assert out.stopped and out.computed == 1
    assert judged(tmp_path, until=1e-9)[1].complete
