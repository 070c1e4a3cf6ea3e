"""How soon a report of 1, 5 and 12 MB can be read in Chromium: its first paint, and the viewer in its place.

python bench/report_opening.py [--sizes 1,5,12] [--keep FOLDER]

`still` is the first contentful paint, that of the page without scripts; `viewer` the moment from which the viewer stands there
and has painted its first view; `maps` when every map in the window is painted. The middle of several openings, each in a browser
context of its own, from a file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pellucid as pl
from pellucid.render.document import document
from pellucid.render.report import html
from pellucid.render.report.report import joined
from tests.browser import CHROMIUM

OPENINGS = 5
# Whether the heading is painted by the viewer and every map in the window has its pixels: looked at once a frame.
WATCH = """
window.seen = {};
const look = () => {
  const viewer = document.querySelector("#viewer h1");
  if (viewer && !seen.viewer) requestAnimationFrame(() => setTimeout(() => (seen.viewer ??= performance.now())));
  const maps = [...document.querySelectorAll("#viewer canvas.map")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0;
  });
  const painted = (one) => one.width !== 300 || one.height !== 150; // the size of a canvas that nobody has touched
  if (seen.viewer && maps.length && maps.every(painted)) seen.maps = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
STILL = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--sizes", default="1,5,12", help="of the files, in MB")
    told.add_argument("--keep", type=Path, help="where the reports are left")
    options = told.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{'file':>9} {'pages':>6} {'address':>8} {'still, s':>9} {'viewer, s':>10} {'maps, s':>8}")
    for size in options.sizes.split(","):
        path, pages = reported(folder, float(size))
        for at in ("", "#/1", "#/all"):
            times = opened(path, at)
            print(
                f"{path.stat().st_size / 1e6:6.1f} MB {pages:6} {at or '#/':>8} {times[0]:9.2f} {times[1]:10.2f} {times[2]:8.2f}",
                flush=True,
            )


def reported(folder: Path, size: float) -> tuple[Path, int]:
    """A report about photographs that is about so many MB large, and how many pages it has."""
    model, first = pl.load("efficientnet_lite0"), 4
    pages = [document(pl.explain(model, photograph(n))) for n in range(first)]
    alone, together = (len(html(joined(some, None, ""))) for some in (pages[:1], pages))
    count = round(1 + (1e6 * size - alone) * (first - 1) / (together - alone))
    pages += [document(pl.explain(model, photograph(n))) for n in range(first, count)]
    path = folder / f"{size:g}MB.html"
    path.write_text(html(joined(pages, f"{len(pages)} photographs", "")), encoding="utf-8")
    return path, len(pages)


def photograph(number: int) -> Image.Image:
    """A part of one of the photographs that come with scikit-image, another one for every number."""
    import skimage.data

    name = ("chelsea", "coffee", "rocket", "astronaut")[number % 4]
    whole = Image.fromarray(getattr(skimage.data, name)())
    rng = np.random.default_rng(number)
    side = int(rng.uniform(0.7, 1) * min(whole.size))
    left, top = (int(rng.integers(0, length - side + 1)) for length in whole.size)
    return whole.crop((left, top, left + side, top + side))


def opened(path: Path, at: str) -> tuple[float, float, float]:
    """Seconds to the first paint, to the viewer, and to the maps in its window."""
    from playwright.sync_api import sync_playwright

    found: list[list[float]] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(OPENINGS):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.add_init_script(WATCH)
            page: Any = context.new_page()
            page.goto(path.resolve().as_uri() + at, wait_until="commit")
            while page.evaluate("window.seen?.maps ?? null") is None:
                page.wait_for_timeout(50)
            times = page.evaluate(f"[{STILL}, seen.viewer, seen.maps]")
            found.append([time / 1000 for time in times])
            context.close()
        browser.close()
    middle = [statistics.median(times) for times in zip(*found, strict=True)]
    return middle[0], middle[1], middle[2]


if __name__ == "__main__":
    main()
