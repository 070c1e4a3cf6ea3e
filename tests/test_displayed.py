"""Laws of what notebooks show: one for all public nouns; a noun that is added is tried, too."""

from __future__ import annotations

import inspect
import io
import pkgutil
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.core import notebook
from pellucid.core.displayed import Displayed, frame
from pellucid.core.one_line import LONGEST
from pellucid.errors import OutputError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.explanations import Explanations
from pellucid.explanation.ledger import Row
from pellucid.metrics.report.table import Table
from pellucid.synth.trust.verdict import Verdict
from pellucid.verbs.suites.findings import Findings
from pellucid.verbs.suites.marks import HIT, WIN

EVIL = "</details><script>alert(1)</script><img src=x onerror=alert(1)>"
MOST = 400_000  # bytes of a cell
#: Public classes that say how something is read or asked for, and not what was found: one line is all there is to show.
SETTINGS = {
    "Auto",
    "Claim",
    "Column",
    "Columns",
    "Job",
    "Preprocess",
    "Signal",
    "Spectrogram",
    "Target",
    "Text",
    "Vocabulary",
    "Where",
}


class Bright(nn.Module):
    """Classes by what two filters find."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.find, self.act, self.say = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.say(self.act(self.find(x)).mean((2, 3)))
        return y


def network() -> pl.Model:
    how = pl.Preprocess((32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
    return pl.load(Bright().eval(), preprocess=how, labels=("cat", "dog", EVIL))


def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)


def pictures(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def explained(**options: Any) -> pl.Explanation:
    return pl.explain(network(), photograph(), verify=False, **options)


def evaluated() -> Table:
    return pl.evaluate(network(), pictures(2), ["lrp", "gradient_x_input"], ["sparseness", "srg"])


def suite() -> Findings:
    measures = (WIN, HIT)
    scores = {("lrp", "grey", measure.name): torch.tensor([0.2, 0.4]) for measure in measures}
    return Findings("hidden_parts", "What hides?", "occluder", measures, scores, {}, "seeds", {"lrp": 0.1})


def audited() -> pl.Audit:
    found: pl.Audit = pl.audit(network(), pictures(24), Path(tempfile.mkdtemp()) / "store", executor="serial")
    return found


SAMPLES: dict[str, Callable[[], Any]] = {
    "Explanation": explained,
    "Comparison": lambda: pl.compare(network(), photograph(), methods=["lrp", "gradient", "guided_backprop"]),
    "Agreement": lambda: pl.compare(network(), photograph(), methods=["lrp", "gradient"]).agreement()[0],
    "Explanations": lambda: Explanations(lambda: iter([(explained(), 1)]), "a list", "lrp", 1),
    "Chart": lambda: pl.overview(explained()).mean_maps(),
    "Overview": lambda: pl.overview(explained()),
    "Confusion": lambda: pl.confusion(network(), pictures(4), [0, 1, 2, 0]),
    "HidingTest": lambda: pl.HidingTest("logit 0", 3.0, 1.0, (0.5, -0.5), 0.25, "Mean()"),
    "Concepts": lambda: pl.concepts(network(), pictures(1), at="act", data=pictures()),
    "Concept": lambda: pl.concepts(network(), pictures(1), at="act")[0],
    "Examples": lambda: pl.examples(network(), [pl.channel("act", 1), pl.channel("act", 2)], pictures()),
    "Example": lambda: pl.examples(network(), pl.channel("act", 1), pictures())[0][0],
    "Maximized": lambda: pl.maximize(network(), 1, "erhan2009"),
    "Table": evaluated,
    "Findings": suite,
    "Card": lambda: pl.inspect(network()),
    "Verification": lambda: pl.verify(network(), pictures(1)),
    "Trust": lambda: pl.Trust((Verdict("logit 0", 0, 2.0, percentile=0.5, moved=1.5),), real=4),
    "Model": network,
    "Ledger": lambda: explained(method="lrp.epsilon").ledger,
    "Region": lambda: explained().regions()[0],
    "Report": lambda: pl.report([explained(), evaluated()]),
    "Audit": audited,
    "Attribution": lambda: Attribution(torch.randn(1, 3, 200, 200), torch.ones(1), pl.logit(0), torch.ones(1, 3)),
}


def package() -> None:
    """Import all of it, so that every noun is known."""
    for found in pkgutil.walk_packages(pl.__path__, "pellucid."):
        if not found.name.endswith(("__main__", "pytest_plugin")) and ".sources." not in found.name:
            import_module(found.name)


def nouns() -> list[type]:
    """Every class that notebooks show."""
    package()
    found, left = list[type](), [Displayed]
    while left:
        left += (below := left.pop().__subclasses__())
        found += [one for one in below if one.__module__.startswith("pellucid.")]
    return sorted(found, key=lambda one: one.__name__)


NOUNS = nouns()


@pytest.fixture(scope="module")
def shown() -> Callable[[str], tuple[Any, dict[str, Any], dict[str, Any]]]:
    """A noun, and what a notebook gets of it, each made once."""
    made: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in made:
            noun = SAMPLES[name]()
            made[name] = (noun, *noun._repr_mimebundle_())
        return made[name]

    return get


class Tags(HTMLParser):
    """The tags of a fragment with their attributes, and the words of its captions."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.captions: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "figcaption":
            self.captions.append("")
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "tags are closed in their order"

    def handle_data(self, data: str) -> None:
        if "figcaption" in self.open:
            self.captions[-1] += data


def test_every_public_class_is_shown_or_says_how_something_is_asked_for():
    public = {name for name in pl.__all__ if inspect.isclass(getattr(pl, name)) and not issubclass(getattr(pl, name), Exception)}
    assert public - SETTINGS <= {one.__name__ for one in NOUNS}


def test_every_noun_has_a_sample():
    assert {one.__name__ for one in NOUNS} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_repr_is_one_short_line(shown, name):
    noun, data, _ = shown(name)
    assert repr(noun) == data["text/plain"] and len(repr(noun)) <= LONGEST
    assert "\n" not in repr(noun) and "tensor(" not in repr(noun)


@pytest.mark.parametrize("name", SAMPLES)
def test_html_has_no_script_and_stands_on_any_page(shown, name):
    _, data, _ = shown(name)
    html = Tags(data["text/html"])
    assert not html.open, "all tags are closed"
    tags = {tag for tag, _ in html.tags}
    assert tags <= set(
        "p strong small br figure img figcaption table thead tbody tr th td details summary div mark span bdi".split()
    )
    attributes = [(name, value or "") for _, held in html.tags for name, value in held.items()]
    assert not [name for name, _ in attributes if name.startswith("on")]
    assert all(value.startswith("data:image/") for name, value in attributes if name == "src")
    for tag, held in html.tags:
        style = held.get("style") or ""
        if tag != "mark" and "background" not in style:  # what is marked has a ground of its own
            assert not style.startswith("color") and " color" not in style, "words have the colour of the page"


@pytest.mark.parametrize("name", SAMPLES)
def test_every_picture_has_its_caption_as_alternative_text(shown, name):
    _, data, metadata = shown(name)
    html = Tags(data["text/html"])
    alts = [held["alt"] for tag, held in html.tags if tag == "img"]
    assert alts == html.captions and all(alts)
    assert ("image/png" in data) == ("image/png" in metadata)
    if "image/png" in data:
        Image.open(io.BytesIO(b64decode(data["image/png"]))).verify()
        assert alts == [metadata["image/png"]["alt"]]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_cell_is_small(shown, name):
    _, data, _ = shown(name)
    assert sum(map(len, data.values())) <= MOST


@pytest.mark.parametrize("name", SAMPLES)
def test_only_what_is_wanted_is_given(shown, name):
    noun, data, _ = shown(name)
    assert set(noun._repr_mimebundle_(include=["text/plain", "text/latex"])[0]) == {"text/plain"}
    assert "text/html" not in noun._repr_mimebundle_(exclude={"text/html"})[0] and "text/html" in data


def test_a_large_noisy_picture_becomes_small_enough():
    from pellucid.render.cell.parts import MOST_PNG, MOST_WEBP, small_png, webp

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 1400, 3), dtype=np.uint8))
    file = io.BytesIO()
    noise.save(file, "PNG")
    assert len(webp(noise)) <= MOST_WEBP and len(small_png(file.getvalue())) <= MOST_PNG


@pytest.mark.parametrize(
    "e",
    [
        lambda: pl.explain(network(), pictures(3), verify=False),
        lambda: pl.explain(
            pl.load(nn.Linear(3, 2).eval(), preprocess=pl.Columns.named(["a", "b", EVIL])), torch.tensor([[1.0, 2.0, 3.0]])
        ),
    ],
    ids=["batch", "row"],
)
def test_other_kinds_of_input_keep_the_laws(e):
    data, metadata = e()._repr_mimebundle_()
    html = Tags(data["text/html"])
    assert "script" not in {tag for tag, _ in html.tags}
    assert [held["alt"] for tag, held in html.tags if tag == "img"] == html.captions == [metadata["image/png"]["alt"]]


def test_settings_are_one_line_however_long_they_are():
    columns = pl.Columns.named([f"column {n}" for n in range(200)])
    words = pl.Vocabulary([f"word{n}" for n in range(10_000)])
    direction = pl.direction("act", torch.randn(500))
    for noun in (columns, columns.columns[0], words, direction, Row("stem", "add", "bias", torch.randn(100))):
        assert "\n" not in repr(noun) and len(repr(noun)) <= LONGEST


def test_a_terminal_with_ipython_gets_one_line_and_paints_nothing(monkeypatch):
    monkeypatch.setattr(notebook, "only_text", lambda: True)
    assert set(explained()._repr_mimebundle_()[0]) == {"text/plain"}


def test_defining_it_imports_nothing_heavy():
    heavy = "IPython", "pandas", "matplotlib", "rich", "pellucid.render"
    code = f"import sys, pellucid as pl; pl.Explanation, pl.Maximized; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_show_puts_the_report_into_a_frame_that_reaches_nothing_else(monkeypatch):
    put = []
    monkeypatch.setattr(notebook, "in_notebook", lambda: True)
    monkeypatch.setattr(notebook, "display", lambda bundle, **more: put.append(bundle))
    explained().show(height=300)
    ((_, held),) = [one for one in Tags(put[0]["text/html"]).tags if one[0] == "iframe"]
    assert held["sandbox"] == "allow-scripts allow-downloads" and held["title"] and "height:300px" in (held["style"] or "")
    assert (held["srcdoc"] or "").lower().startswith("<!doctype html>")


def test_a_frame_holds_any_page():
    page = '<p title="a">"&amp;</p>'
    ((_, held),) = [one for one in Tags(frame(page, "x", 1)).tags if one[0] == "iframe"]
    assert held["srcdoc"] == page


@pytest.mark.parametrize("found", [True, False])
def test_show_outside_a_notebook_opens_the_browser_or_says_where_the_file_is(monkeypatch, capsys, tmp_path, found):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or found)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))
    explained().show()
    assert opened == [(tmp_path / "report.html").as_uri()] and (tmp_path / "report.html").read_text("utf-8").startswith(
        "<!doctype"
    )
    said = capsys.readouterr().out
    assert str(tmp_path / "report.html") in said and ("No browser" in said) is not found


def test_show_of_what_has_no_report_says_so():
    with pytest.raises(OutputError, match="Ledger"):
        explained(method="lrp.epsilon").ledger.show()
