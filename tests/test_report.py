"""Reports: one file that needs nothing else, complete without scripts, under a policy that lets nothing else run."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.cli import main
from pellucid.core.formats import FORMATS
from pellucid.errors import InputError, OutputError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.ledger import Ledger, Row
from pellucid.render.document.kinds import KINDS, document
from pellucid.render.document.size import budget, size
from pellucid.render.report import page, report
from pellucid.render.report.decode import heat, mask
from pellucid.render.report.page import html, static
from pellucid.render.report.policy import data_block, digest
from tests import documents

HOSTILE = "</script><img src=x onerror=alert(1)>"
DATA = re.compile(r'<script type="application/json" id="document">(.*?)</script>', re.DOTALL)


def photograph(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def explained(method: str = "lrp", target: str = "logit 0", seed: int = 0, **more: Any) -> Explanation:
    values = torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(seed))
    ledger = Ledger(torch.ones(1), torch.zeros(1), (Row("layer", "convolution", "bias", torch.ones(1)),))
    fields: dict[str, Any] = {"picture": photograph(), "ledger": ledger, "provenance": {"seed": seed}} | more
    return Explanation(values, torch.ones(1), target, method, True, **fields)


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, list[str]] = {"script": [], "style": []}
        self.words = ""
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = tag
        if tag in self.blocks and "type" not in dict(attrs):
            self.blocks[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self.open = ""

    def handle_data(self, data: str) -> None:
        kind, attrs = self.tags[-1] if self.tags else ("", {})
        if self.open in self.blocks and "type" not in attrs and kind == self.open:
            self.blocks[self.open][-1] += data
        elif self.open not in self.blocks:
            self.words += data

    def attributes(self) -> list[tuple[str, str, str]]:
        return [(tag, name, value or "") for tag, attrs in self.tags for name, value in attrs.items()]


def policy_of(found: Elements) -> dict[str, str]:
    content = next(attrs["content"] for _, attrs in found.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    return dict(rule.split(" ", 1) for rule in str(content).split("; "))


PAGES = {**{name: name for name in documents.RESULTS}, "hostile": "hostile"}


def document_of(name: str) -> dict[str, Any]:
    return pl.document(hostile()) if name == "hostile" else documents.of(name)


def hostile() -> Explanation:
    return explained(
        HOSTILE, HOSTILE, at=HOSTILE, notes=(HOSTILE,), classes=((0, HOSTILE, 0.9),), provenance={HOSTILE: HOSTILE},
        ledger=Ledger(torch.ones(1), torch.zeros(1), (Row(HOSTILE, HOSTILE, HOSTILE, torch.ones(1)),)),
    )  # fmt: skip


# the policy


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", PAGES)
def test_the_policy_names_every_block_and_nothing_else_can_run_or_load(name: str, script: bool) -> None:
    found = Elements(html(document_of(name), script=script))
    rules = policy_of(found)
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for kind in ("script", "style"):
        wanted = [f"'sha256-{digest_of(block)}'" for block in found.blocks[kind]]
        assert rules.get(f"{kind}-src", "").split() == wanted
    assert len(found.blocks["script"]) == (1 if script and static("viewer.js") else 0)
    for tag, attribute, value in found.attributes():
        assert not attribute.startswith("on") and attribute != "style", (tag, attribute)
        assert attribute not in ("src", "srcset", "action", "data", "poster") or value.startswith("data:image/"), (
            tag,
            value[:40],
        )
        assert attribute != "href" or value.startswith(("#", "data:image/")), (tag, value[:40])
    assert not {"link", "iframe", "base", "form", "object", "embed"} & {tag for tag, _ in found.tags}


def digest_of(text: str) -> str:
    from base64 import b64encode

    return b64encode(sha256(text.encode()).digest()).decode()


def test_a_digest_is_that_of_the_text_as_the_file_has_it(tmp_path: Path) -> None:
    saved = explained().save(tmp_path / "e.html").read_bytes().decode()
    assert "\r" not in saved
    for block in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", saved, re.DOTALL):
        assert digest(block) in unescape(saved)


@pytest.mark.parametrize("script", [True, False])
def test_hostile_names_are_words(script: bool) -> None:
    text = html(pl.document(hostile()), script=script)
    found = Elements(text)
    assert HOSTILE not in text and found.words.count(HOSTILE) >= 6
    assert not [value for tag, attribute, value in found.attributes() if tag == "img" and not (value or "data:").strip()]
    assert {attrs.get("src", "data:")[:5] for tag, attrs in found.tags if tag == "img"} == {"data:"}  # type: ignore[index]


@pytest.mark.parametrize("text", [HOSTILE, "<!--<script>", "a\u2028b\u2029c", "\u202eevil", "]]>"])
def test_data_come_back_from_the_block_they_stand_in(text: str) -> None:
    block = data_block({"label": text})
    assert "<" not in block and "\u2028" not in block and "\u202e" not in block and json.loads(block) == {"label": text}


def test_a_drawing_of_others_is_an_image_in_which_nothing_runs() -> None:
    made = pl.document(explained())
    drawn = '<svg onload="alert(1)"><script>alert(1)</script></svg>'
    figure = {"title": HOSTILE, "caption": "c", "svg": drawn, "src": None, "alt": HOSTILE, "table": {"head": [], "rows": []}}
    text = html(made | {"figures": [figure]}, script=False)
    assert "onload" not in text and "alert(1)</script>" not in text
    address = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    assert address is not None and b"onload" in b64decode(address[1]), "it is there, as an image"


# the still page


def test_a_still_page_is_complete() -> None:
    e = explained(classes=((0, "cat", 0.7), (1, "dog", 0.2)), notes=("A note.",))
    for script in (True, False):
        found = Elements(page(e, script=script))
        words = " ".join(found.words.split())
        alternatives = [attrs["alt"] for tag, attrs in found.tags if tag == "img"]
        assert alternatives == ["What the model saw", e.caption()]
        for part in (e.equation(), e.sentence(), "A note.", "70.0 %", "Where the score went", "convolution in layer", "seed"):
            assert part in words
        assert all(f"{100 * region.share:.1f} %" in words for region in e.regions())


def test_without_a_script_there_are_no_data_and_larger_pictures() -> None:
    small, large = page(explained()), page(explained(), script=False)
    assert DATA.search(small) and not DATA.search(large) and '<main id="viewer">' not in large
    sides = [max(int(size) for size in re.findall(r'width="(\d+)" height', text)) for text in (small, large)]
    assert sides[0] < sides[1]


@pytest.mark.parametrize("name", documents.RESULTS)
def test_pages_are_about_what_the_document_says(name: str) -> None:
    made = documents.of(name)
    words = " ".join(Elements(html(made, script=False)).words.split())
    assert " ".join(made["title"].split()) in words


def test_maps_and_masks_come_back_from_a_document() -> None:
    e = explained()
    layer = pl.document(e)["layers"][0]
    step = layer["scale"]["limit"] / layer["levels"]
    assert np.abs(heat(layer) - e.heat().numpy()).max() <= 0.51 * step
    for one, region in zip(layer["regions"], e.regions(), strict=True):
        assert np.array_equal(mask(one, tuple(layer["shape"])), region.mask.numpy())


# several results as one


def test_answers_about_one_picture_are_one_page_with_a_layer_each() -> None:
    same = [explained("lrp"), explained("gradient", seed=1), explained("lrp", "logit 1", seed=2)]
    other = explained(picture=photograph(1))
    made = pl.report([*same, other])
    assert len(made) == 2 and [len(one["layers"]) for one in made.document["pages"]] == [3, 1]
    assert made.document["pages"][0]["agreement"], "methods about one target are compared"
    assert len(pl.report([same[0], same[0]]).document["layers"]) >= 1


def test_a_report_of_one_result_is_its_page_under_the_title() -> None:
    made = pl.report(explained(), title="Mine", sentence="Why.")
    assert (made.document["kind"], made.document["title"], made.document["sentence"]) == ("case", "Mine", "Why.")
    assert repr(made) == "Report(Mine, 1 page)"


def test_files_come_back_as_pages(tmp_path: Path) -> None:
    e = explained("gradient")
    files = [explained("lrp").save(tmp_path / "a.safetensors"), e.save(tmp_path / "b.html"), e.save(tmp_path / "c.png")]
    files.append(pl.report([explained(picture=photograph(2))]).save(tmp_path / "d.json"))
    made = pl.report(files, tmp_path / "all.html", title="All")
    pages = made.document["pages"]
    assert [one["kind"] for one in pages] == ["case", "card", "case"] and len(pages[0]["layers"]) == 2
    again = pl.report(tmp_path / "all.html")
    assert again.document["pages"] == json.loads(json.dumps(pages))
    assert Elements((tmp_path / "all.html").read_text()).blocks["style"]


NONSENSE = {
    "no.html": ("<p>no</p>", "holds no document"),
    "no.json": ('{"a": 1}', "JSON that is no document"),
    "broken.json": ("{", "no JSON"),
    "later.json": ('{"schema": 99, "kind": "case"}', "schema '99'"),
    "parts.json": ('{"schema": 1, "kind": "case", "title": "x"}', "parts that do not belong together"),
    "no.txt": ("x", "the suffix .txt"),
    "no.png": ("x", "no picture"),
    "no.safetensors": ("x", "not a whole safetensors file"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    content, why = NONSENSE[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(OutputError, match=re.escape(why)):
        pl.report(tmp_path / name)


def test_nothing_is_no_report(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "bare.png")
    for path, why in (("missing.html", "no such file"), (".", "a folder"), ("bare.png", "without a provenance")):
        with pytest.raises(OutputError, match=why):
            pl.report(tmp_path / path)
    with pytest.raises(InputError, match="no results"):
        pl.report([])


# sizes


def test_a_case_is_small_and_eight_methods_are_not_large() -> None:
    viewer = len(static("viewer.js")) + len(static("viewer.css"))
    assert len(html(documents.of("cat")).encode()) <= 200_000 and viewer <= 100_000
    assert len(html(documents.of("eight")).encode()) <= 400_000


def test_documents_that_become_one_case_are_fitted_to_its_budget() -> None:
    single = [document(e) for e in documents.result("eight").explanations.values()]
    made = report(single).document
    before, after = ([one["layers"][0] for one in single], made["layers"])
    assert made["kind"] == "case" and len(after) == 8 and len(made["agreement"]) == 28
    assert sum(map(size, after)) <= budget(8) < sum(map(size, before))
    for one, other in zip(before, after, strict=True):
        step = other["scale"]["limit"] / other["levels"]
        assert np.abs(heat(one) - heat(other)).max() <= 0.501 * step


# every result


def test_every_result_is_saved_as_a_page(tmp_path: Path) -> None:
    paged = {kind for kind, formats in FORMATS.items() if ".html" in formats}
    assert paged >= {
        "explanation", "comparison", "concepts", "maximized", "examples", "table", "findings", "card", "verification", "trust",
        "report",
    }  # fmt: skip
    for name in documents.RESULTS:
        result = documents.result(name)
        if type(result) in KINDS and name != "stream" and hasattr(result, "save"):
            text = result.save(tmp_path / f"{name}.html").read_text(encoding="utf-8")
            assert DATA.search(text) is not None, name


# in the shell


def run(*words: str) -> Any:
    return CliRunner().invoke(main, list(words))


def test_the_command_puts_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    explained("lrp").save("a.safetensors"), explained("gradient", seed=1).save("b.safetensors")
    done = run("report", "a.safetensors", "b.safetensors", "-o", "out/both.html", "--title", "Both")
    assert done.exit_code == 0 and "report: out/both.html" in done.output and "1 page," in done.output
    made = json.loads(DATA.search(Path("out/both.html").read_text())[1])  # type: ignore[index]
    assert made["title"] == "Both" and [layer["method"] for layer in made["layers"]] == ["lrp", "gradient"]
    still = run("report", "a.safetensors", "--no-script")
    assert still.exit_code == 0 and not DATA.search(Path("report.html").read_text())
    for words, why in (
        (["a.safetensors", "-o", "x.pdf"], "the suffix .pdf"), (["nothing.html"], "no such file"),
        (["out/both.html", "-o", "out/both.html"], "would overwrite it"),
    ):  # fmt: skip
        done = run("report", *words)
        assert done.exit_code != 0 and why in done.output


# a network that cheats


def test_the_network_that_cheats_reads_the_mark_and_the_report_says_so() -> None:
    from pellucid.render.demonstration import exposed

    found = exposed()
    assert found.on_mark > 0.5 and found.test.predicted == ("disc", "triangle") and found.test.larger_controls == 0
    assert found.found[0] < 0.1 and found.found[1] > 0.9
    made = found.document()
    assert made["command"] == made["layers"][0]["command"]
    again: dict[str, object] = {}
    exec(made["command"]["python"], again)
    assert torch.equal(again["e"].values, found.explanation.values)  # type: ignore[attr-defined]
    words = Elements(html(made, script=False)).words
    assert "A network that cheats" in words and "hidden it says triangle" in words and "Removing the mark" in words


@pytest.mark.slow
def test_the_weights_of_the_network_that_cheats_are_those_it_learns() -> None:
    from pellucid.zoo import clever_hans

    made, stored = clever_hans.train().state_dict(), clever_hans.clever_hans().network.state_dict()
    for name, weights in made.items():
        torch.testing.assert_close(weights, stored[name], rtol=1e-2, atol=1e-2)


def test_a_page_of_a_batch_has_a_section_per_sample() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    e = pl.explain(net, torch.rand(3, 3, 2, 2, generator=torch.Generator().manual_seed(0)), target=0, method="gradient")
    found = Elements(page(e))
    assert sum(tag == "section" for tag, _ in found.tags) == 3
