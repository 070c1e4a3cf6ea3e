"""How long the page takes, with the built-in network: from the command to the first map, warm, and in the browser.

    python bench/page_times.py [PICTURE] [--rounds 20] [--no-browser] [--runs 3]

Starts `pellucid serve` as a user does, in a process of its own. Every figure stands beside its limit, which holds for two idle
cores. The browser is Chromium by Playwright; without it those lines are left out. Exits with 1 where a limit is passed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

import machine
from page_client import Client, Started, started
from PIL import Image

LONG = {"method": "occlusion", "settings": {"window": "16", "stride": "4", "batch": "1"}}  # takes minutes


@dataclass
class Line:
    """One figure of the table.

    Arguments:
        limit: In seconds; None: it is told for comparison.
        seconds: What was measured, one or many times.
    """

    what: str
    limit: float | None
    seconds: list[float] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.limit is not None and bool(self.seconds) and percentile(self.seconds, 95) > self.limit

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"{self.limit * 1000:,.0f}"
        middle, high = statistics.median(self.seconds), percentile(self.seconds, 95)
        return f"| {self.what} | {len(self.seconds)} | {middle * 1000:,.0f} | {high * 1000:,.0f} | {limit} |"


def percentile(values: list[float], percent: float) -> float:
    """The nearest rank."""
    return sorted(values)[max(0, round(percent / 100 * len(values) + 0.5) - 1)]


def photograph(path: str | None) -> bytes:
    """A picture of the user, or scikit-image's cat, as a JPEG."""
    if path is not None:
        return Path(path).read_bytes()
    from skimage.data import chelsea

    out = BytesIO()
    Image.fromarray(chelsea()).save(out, "JPEG", quality=90)
    return out.getvalue()


def timed(lines: dict[str, Line], what: str, limit: float | None, call: Callable[[], object]) -> None:
    began = time.perf_counter()
    call()
    noted(lines, what, limit, time.perf_counter() - began)


def noted(lines: dict[str, Line], what: str, limit: float | None, seconds: float) -> None:
    lines.setdefault(what, Line(what, limit)).seconds.append(seconds)


def drop(client: Client, content: bytes, **question: object) -> str:
    """An upload and its first map; the id of the input."""
    name = client.upload(content)
    client.document("explanations", input=name, **question)
    return name


def measure_server(lines: dict[str, Line], server: Started, content: bytes, rounds: int) -> None:
    """What a client of the server waits for."""
    client = server.client
    noted(lines, "command to printed address", None, time.perf_counter() - server.began)
    client.said("GET", "/v1/model")
    noted(lines, "command to ready (model loaded)", 5, time.perf_counter() - server.began)
    timed(lines, "first drop to first map, at once", 3, partial(drop, client, content))
    name = client.upload(content)
    for number in range(rounds):
        ask = partial(client.document, "explanations", input=name, target=number)
        timed(lines, "warm: question to map", 1, ask)
        timed(lines, "warm: drop to map", 1, partial(drop, client, content))
    for _ in range(max(3, rounds // 4)):
        measure_progress_and_cancel(lines, client, name)
    part = {"kind": "rectangle", "numbers": [80, 80, 140, 140]}
    timed(lines, "hide a region, 20 controls", None, partial(client.document, "probes", input=name, what="hide", part=part))
    timed(lines, "units that answer to a region", None, partial(client.document, "probes", input=name, what="units", part=part))
    timed(lines, "relevance by layer", None, partial(client.document, "probes", input=name, what="layers"))
    timed(lines, "portrait of a unit: first picture of it", None, partial(first_picture, client))


def first_picture(client: Client) -> None:
    """Until somebody who watches a portrait being drawn sees something."""
    task = client.submit("portraits", target="stages.4:3")
    for event in client.follow(task):
        if "picture" in event.get("progress", {}):
            break
    client("DELETE", f"/v1/tasks/{task}")


def measure_progress_and_cancel(lines: dict[str, Line], client: Client, name: str) -> None:
    began = time.perf_counter()
    task = client.submit("explanations", input=name, **LONG)
    for event in client.follow(task):
        if event.get("progress", {}).get("done"):
            noted(lines, "question to first count of progress", None, time.perf_counter() - began)
            break
        noted(lines, "question to first event", 0.3, time.perf_counter() - began)
    began = time.perf_counter()
    client("DELETE", f"/v1/tasks/{task}")
    client.document("explanations", input=name, method="gradient")
    noted(lines, "cancel, and another answer (gradient) is there", 1, time.perf_counter() - began)


def measure_browser(lines: dict[str, Line], server: Started, content: bytes, rounds: int) -> None:
    """What somebody at the page waits for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        began = time.perf_counter()
        page.goto(server.client.address)
        page.get_by_label("Choose a file").wait_for(state="attached")
        noted(lines, "browser: page open", None, time.perf_counter() - began)
        for number in range(rounds):
            began = time.perf_counter()
            file = {"name": f"cat{number}.jpg", "mimeType": "image/jpeg", "buffer": content}
            with page.expect_response("**/v1/results/*"):
                page.get_by_label("Choose a file").set_input_files([file])
            page.locator(".answer canvas").first.wait_for()
            page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
            noted(lines, "browser: file chosen to map on the screen", 3, time.perf_counter() - began)
        page.wait_for_timeout(1000)
        slider, palette = page.get_by_label("Opacity").first, page.get_by_label("Palette").first
        for number in range(rounds):
            measure_repaint(lines, "browser: opacity to repainted", slider, f"{(number % 9) / 10}")
            measure_repaint(lines, "browser: palette to repainted", palette, None)
        browser.close()


def measure_repaint(lines: dict[str, Line], what: str, control: object, value: str | None) -> None:
    """Change a control as a user does, until the second frame after it: the first is still being made."""
    script = """(control, value) => new Promise((done) => {
      if (value === null) value = [...control.options].map((one) => one.value).find((one) => one !== control.value);
      const began = performance.now();
      Object.getOwnPropertyDescriptor(Object.getPrototypeOf(control), 'value').set.call(control, value);
      for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, { bubbles: true }));
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
    })"""
    noted(lines, what, 0.05, control.evaluate(script, value) / 1000)  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3, help="how often the server is started")
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    content, lines = photograph(options.picture), dict[str, Line]()
    print(f"{machine.versions()}. {machine.today()}. {machine.processor()}. Load {machine.load()}.", flush=True)
    for run in range(options.runs):
        with started() as server:
            measure_server(lines, server, content, options.rounds if run == 0 else 2)
            if run == 0 and not options.no_browser and shutil.which("chromium"):
                measure_browser(lines, server, content, max(5, options.rounds // 2))
    print("\n| milliseconds | times | median | 95th percentile | limit |\n|---|---:|---:|---:|---:|")
    print(*lines.values(), sep="\n")
    late = [line.what for line in lines.values() if line.passed]
    print(f"\nLoad {machine.load()} at the end. Over the limit: {', '.join(late) or 'none'}.")
    raise SystemExit(bool(late))


if __name__ == "__main__":
    main()
