"""An audit of many small pictures: time per item and memory as the run grows, time of Ray against serial, plan against truth.

    python bench/audit.py [--items 50000] [--ray] [--out FILE]

Pictures of 28 x 28 through a network of two convolutions, in files; the figures in docs/audit.md are from here.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from pellucid.core import allocator
from pellucid.core.progress import watched
from pellucid.job.audit.audit import Audit
from pellucid.job.explaining import explaining
from pellucid.job.plan import plan, resident
from pellucid.job.run import run
from pellucid.zoo.truth.learn import convnet
from tests import planted_marks


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--ray", action="store_true")
    arguments = parser.parse_args()
    allocator.configure()
    folder = Path(tempfile.mkdtemp())
    try:
        measure(folder, arguments.items, ray=arguments.ray)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, count: int, *, ray: bool) -> None:
    planted_marks.marked(count, share=0.1).save(folder / "pictures")
    model = planted_marks.model(convnet(1, planted_marks.SIDE, 3).eval())
    job = explaining(model, folder / "pictures")
    told = plan(job, folder)
    marks: list[tuple[int, float, int]] = []
    began, used = time.perf_counter(), time.process_time()

    def note(done: int, total: int, what: str) -> None:
        if what == "items":
            marks.append((done, time.perf_counter() - began, resident()))

    with watched(note):
        out = run(job, folder / "serial", executor="serial")
    used = time.process_time() - used
    size = sum(path.stat().st_size for path in (folder / "serial" / "shards").rglob("*.safetensors"))
    half = len(marks) // 2
    first, second = marks[half][1] / marks[half][0], (marks[-1][1] - marks[half][1]) / max(1, marks[-1][0] - marks[half][0])
    early = next(memory for done, _, memory in marks if done >= min(1000, count))
    print(f"{count} items: {out.seconds:.1f} s, {1000 * out.seconds / count:.2f} ms each; {used:.1f} s of a processor")
    print(f"time per item: first half {1000 * first:.2f} ms, second half {1000 * second:.2f} ms")
    print(f"memory: {early / 1e6:.0f} MB at item 1,000, {marks[-1][2] / 1e6:.0f} MB at the end")
    print(f"plan: {told.seconds_per_item * count:.1f} s, {told.disk / 1e6:.1f} MB")
    print(f"measured: {out.seconds:.1f} s, {size / 1e6:.1f} MB")
    began, used = time.perf_counter(), time.process_time()
    clusters = Audit(out.store, model, job.items, out).analyse()
    passed, used = time.perf_counter() - began, time.process_time() - used
    print(f"analysis: {passed:.1f} s, {used:.1f} s of a processor, {len(clusters)} clusters; memory {resident() / 1e6:.0f} MB")
    if ray:
        marks.clear()
        began = time.perf_counter()
        with watched(note):
            run(job, folder / "ray", executor="ray", workers=1)
        passed = time.perf_counter() - began
        done, first_at = next((done, at) for done, at, _ in marks if done)
        each = (marks[-1][1] - first_at) / (marks[-1][0] - done)
        print(f"Ray, one actor: {passed:.1f} s, {first_at:.1f} s of it until the first {done} items were done")
        print(f"Ray after that: {1000 * each:.2f} ms an item, {each * count / out.seconds:.2f} times the serial one")
        same = all(path.read_bytes() == (folder / "ray" / path.relative_to(folder / "serial")).read_bytes()
                   for path in (folder / "serial" / "shards").rglob("*.safetensors"))  # fmt: skip
        print(f"equal bytes: {same}")


if __name__ == "__main__":
    main()
