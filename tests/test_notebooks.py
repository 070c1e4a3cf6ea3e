"""The notebooks under examples/ run, and what they show can be read in an export and in JupyterLab, by everybody."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browser as browser

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "examples").glob("*.ipynb"))
MOST = 400_000  # bytes of a cell
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[3]}}).execute()
nbformat.write(book, sys.argv[2])
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A notebook as it is after all its cells ran in an empty folder, each run once."""
    folder, done = tmp_path_factory.mktemp("notebooks"), dict[str, Path]()

    def run(name: str) -> Path:
        if name not in done:
            path = folder / f"{name}.ipynb"
            (folder / f"{name} runs here").mkdir()
            told = [str(ROOT / "examples" / f"{name}.ipynb"), str(path), str(folder / f"{name} runs here")]
            env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(folder / "ipython")}
            ran = subprocess.run([sys.executable, "-c", EXECUTE, *told], env=env, capture_output=True, text=True)
            assert ran.returncode == 0, ran.stderr[-3000:]
            done[name] = path
        return done[name]

    return run


class Pictures(HTMLParser):
    """The alternative texts of all pictures of a page, and the captions of those that have one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[dict[str, str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append({"alt": dict(attrs).get("alt") or ""})
        if tag == "figcaption":
            self.inside = True
            self.pictures[-1]["caption"] = ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "figcaption"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.pictures[-1]["caption"] += data


def test_there_is_a_notebook_for_every_kind_of_input():
    assert set(NOTEBOOKS) >= {"pictures", "texts", "tables", "series", "several", "maximization"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_they_are_kept_without_outputs(name):
    book = nbformat.read(ROOT / "examples" / f"{name}.ipynb", 4)
    nbformat.validate(book)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_its_cells_are_small(executed, name):
    book = nbformat.read(executed(name), 4)
    for cell in book.cells:
        assert len(json.dumps(cell.get("outputs", []))) <= MOST, cell.source
    assert not [out for cell in book.cells for out in cell.get("outputs", []) if out.output_type == "error"]
    shown = [out.data for cell in book.cells for out in cell.get("outputs", []) if "data" in out]
    assert sum("image/png" in data for data in shown) >= 2
    assert all("<script" not in data.get("text/html", "") for data in shown if "<iframe" not in data.get("text/html", ""))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_in_an_export_every_picture_has_its_caption_as_alternative_text(executed, name):
    pytest.importorskip("nbconvert")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own parts
        from nbconvert import HTMLExporter

        page, _ = HTMLExporter().from_filename(str(executed(name)))
    pictures = Pictures(page).pictures
    assert pictures or "<mark" in page, "texts are shown in their own letters"
    for one in pictures:
        assert one["alt"] and "No description" not in one["alt"]
        assert one.get("caption", one["alt"]) == one["alt"]


# -- in JupyterLab --------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """JupyterLab with settings of its own: its address, its folder, its environment."""
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("lab")
    env = os.environ | {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    port, folder = free_port(), home / "notebooks"
    folder.mkdir()
    options = [f"--port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=", "--no-browser", "--allow-root"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=env, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api")
            yield address, folder, env
        finally:
            server.terminate()
            server.wait(30)


def wait_for(url: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


LOOK = """
() => {
  const light = (colour) => {
    const linear = (v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const outputs = [...document.querySelectorAll(".jp-OutputArea-output")];
  const words = outputs.flatMap((one) => [...one.querySelectorAll("figcaption, td, th, summary, strong, p, mark")]);
  const contrast = words.filter((one) => one.textContent.trim() && one.getClientRects().length).map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
  const found = (tag) => outputs.flatMap((one) => [...one.querySelectorAll(tag)]);
  const images = found("img").map((one) => ({ alt: one.alt, width: one.naturalWidth }));
  const [frames, scripts] = [found("iframe").length, found("script").length];
  return { images, frames, scripts, contrast: Math.min(...contrast), words: contrast.length };
}
"""


DRAWN = """
(count) => document.querySelectorAll(".jp-OutputArea-output").length === count &&
  [...document.images].every((one) => one.complete)
"""


@pytest.fixture(scope="module", params=["JupyterLab Light", "JupyterLab Dark"])
def window(request: pytest.FixtureRequest, lab: Any, browser: Any) -> Iterator[Any]:
    """A window of JupyterLab in one of its themes, so high that every cell of a notebook is drawn."""
    settings = Path(lab[2]["JUPYTER_CONFIG_DIR"]) / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": request.param}))
    context = browser.new_context(viewport={"width": 1300, "height": 12_000})
    page = context.new_page()
    page.theme = request.param
    yield page
    context.close()


def copied(path: Path, goal: Path, trusted: bool, env: dict[str, str]) -> int:
    """A copy of a notebook that is trusted, or that nobody has signed; how many outputs it has."""
    book = nbformat.read(path, 4)
    book.metadata["copy"] = goal.stem  # what is signed is the content: that of the other copy must not be this one's
    nbformat.write(book, goal)
    if trusted:
        subprocess.run([sys.executable, "-m", "jupyter", "trust", str(goal)], env=env, check=True, capture_output=True)
    return sum(len(cell.get("outputs", [])) for cell in book.cells)


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_in_jupyterlab_everything_can_be_read(executed, lab, window, name, trusted):
    address, folder, env = lab
    path = folder / f"{name}-{'trusted' if trusted else 'untrusted'}-{window.theme[11:]}.ipynb"
    count = copied(executed(name), path, trusted, env)
    window.goto(f"{address}/lab/tree/{path.name}?reset", timeout=120_000, wait_until="commit")
    light = str(window.theme.endswith("Light")).lower()
    window.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached", timeout=120_000)
    window.wait_for_function(DRAWN, arg=count, timeout=120_000)
    found = window.evaluate(LOOK)
    if os.environ.get("SCREENSHOTS"):
        window.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{path.stem}.png")
    assert all(one["alt"] and one["width"] > 0 for one in found["images"])
    assert found["words"] > 10 and found["contrast"] >= 4.5
    assert not found["scripts"]
    assert found["frames"] == (path.read_text(encoding="utf-8").count("<iframe") if trusted else 0), (
        "who is not trusted runs nothing"
    )
