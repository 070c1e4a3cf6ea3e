"""From a line around points to the pictures inside it, on the page, in a browser: `python -m bench.lasso [--items 50000]`.

The store is made of drawn rows, and the pictures are files of noise: what is measured is looking, not explaining. Times in
milliseconds, the median and the worst of several lines; they begin when the pointer is let go, and end when the first pictures of
the new choice have been decoded.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from playwright.sync_api import sync_playwright

from pellucid.job.audit.findings import Evidence, documents, of_cluster
from pellucid.job.audit.spectral import Partition
from pellucid.job.disk import write_durably
from pellucid.job.items import Items
from pellucid.job.shard import to_bytes
from pellucid.job.store import Store, listed
from pellucid.serve.server import running
from pellucid.serve.settings import Settings
from pellucid.serve.stores import Opened
from tests.served import small_model

SHARD, GRID, SIDE, CHANNELS = 256, 28, 28, 64
WATCH = """() => {
  window.lassoed = new Promise((done) => {
    const names = () => [...document.querySelectorAll('.linked .item-grid button')].map((one) => one.title).join();
    const before = names();
    addEventListener('pointerup', () => {
      const start = performance.now();
      const look = () => {
        const images = [...document.querySelectorAll('.linked .item-grid img')];
        const there = document.querySelector('.linked h3').textContent.includes('inside the line');
        if (!there || !images.length || names() === before) return setTimeout(look, 4);
        if (!images.every((image) => image.complete)) return setTimeout(look, 4);
        requestAnimationFrame(() => done(performance.now() - start));
      };
      look();
    }, { once: true });
  });
}"""


def make(folder: Path, count: int) -> Opened:
    """A store with so many items of one class, a cluster of them apart, and a picture for each."""
    rng = torch.Generator().manual_seed(0)
    keys = tuple(f"{n % 100:02}/{n:05}.png" for n in range(count))
    for key in keys:
        path = folder / "pictures" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((torch.rand(SIDE, SIDE, generator=rng) * 255).byte().numpy()).save(path, compress_level=1)
    store, run = Store(folder / "store"), "0" * 64
    model = {"name": "noise", "fingerprint": "", "labels": ["one"]}
    spec = {"task": "explain", "model": model, "data": {"kind": "pictures", "count": count}, "shard": SHARD, "target": "label"}
    write_durably(store.path / "run.json", {"schema": 1, "id": run, "spec": spec, "origin": {}})
    write_durably(store.path / "items.jsonl", listed(Items("pictures", keys, ("one",) * count)))
    for number in range(-(-count // SHARD)):
        numbers = range(number * SHARD, min((number + 1) * SHARD, count))
        where = torch.rand(len(numbers), GRID, GRID, generator=rng)
        what = torch.randn(len(numbers), CHANNELS, generator=rng)
        marked = torch.tensor([n % 20 == 0 for n in numbers])
        where[marked, 22:27, 1:6] += 4
        what[marked, 3] += 8
        half, none = torch.full((len(numbers),), 0.5), torch.zeros(len(numbers), dtype=torch.int32)
        rows = {
            "item": torch.tensor(list(numbers)), "where": (where / where.amax((1, 2), keepdim=True)).half(),
            "where.scale": half / 200, "what.last": what.half(), "what.last.scale": half * 2, "target": none,
            "predicted": none.clone(), "probability": half,
        }  # fmt: skip
        store.write_shard(number, to_bytes(run, number, rows, {}))
    evidence = Evidence.of(store)
    labels = (evidence.item % 20 == 0).long().numpy()
    flat = evidence.where.flatten(1)[:, :8].double().numpy()
    finding = of_cluster(evidence, evidence.item.numpy(), 0, "where", Partition(labels, flat[:2, 0], flat, flat), 1)
    write_durably(store.path / "clusters.json", documents([finding], [[]], evidence, keys, lambda target: "one"))
    return Opened(str(store.path), str(folder / "pictures"))


def lines(page: Any, times: int) -> list[float]:
    """Lines around other parts of the points each time."""
    found = []
    for number in range(times):
        box = page.locator(".field-of-points").bounding_box()
        page.evaluate(WATCH)
        share = 0.3 + 0.07 * number  # of the height: the points lie about the middle of it
        left, right = box["x"] + 5, box["x"] + box["width"] - 5
        top, bottom = box["y"] + share * box["height"], box["y"] + (share + 0.06) * box["height"]
        page.mouse.move(left, top)
        page.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
            page.mouse.move(x, y, steps=8)
        page.mouse.up()
        found.append(float(page.evaluate("window.lassoed")))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--lines", type=int, default=6)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        opened = make(Path(folder), asked.items)
        settings = Settings(small_model, "noise", port=18990, stores=(opened,))
        with running(settings) as own, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(60_000)
            began = time.monotonic()
            page.goto(f"http://127.0.0.1:{own.port}/#token={own.token}&/audit/0/0")
            page.locator(".field-of-points canvas").wait_for()
            page.locator(".linked .item-grid img").first.wait_for()
            ready = time.monotonic() - began
            page.locator(".field-of-points").scroll_into_view_if_needed()
            measured = lines(page, asked.lines)
            browser.close()
    result = {"items": asked.items, "view_s": round(ready, 2), "lasso_ms": [round(one) for one in measured]}
    print(json.dumps(result | {"median_ms": round(median(measured)), "worst_ms": round(max(measured))}))


if __name__ == "__main__":
    main()
