"""What others write in names, labels, notes and files commands no terminal, fools no reader and costs no time."""

from __future__ import annotations

import csv
import json
import re
import time
import unicodedata
from itertools import pairwise

import pytest
import torch
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.cli.files import file_names
from pellucid.core.files import content
from pellucid.errors import InputError, PellucidError, TargetError
from pellucid.errors.printable import in_csv, in_markdown, printable
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.ledger import Row
from pellucid.metrics.report.format import comma_separated, markdown
from pellucid.model.modality.table import Table
from pellucid.render import page, svg, terminal
from pellucid.render.parts.text import MOST_WRAPPED, broken, shorten, width, wrap
from pellucid.render.report.page import static

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x9b31m <script>x</script> \u202egpj.exe\u2066 ze\u200bro\ufeff \ud800 \x00 nul\nnew\r\u2028line"
)
LAYER = HOSTILE.replace(".", "")
HARMLESS = [
    "naïve Straße", "東京タワー", "שלום עולם", "مرحبا", "می\u200cخواهم", "क्\u200dष", "👩\u200d👩\u200d👧", "e\u0301\u0328", "ไทย",
    "❤\ufe0f 1\ufe0f\u20e3 🇪🇺", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\u00a0",
]  # fmt: skip


def is_safe(text: str, *, breaks: str = "") -> bool:
    """Whether nothing in it is a control character, a half one, or turns the reading order round."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Cf", "Zl", "Zp") for letter in text if letter not in breaks)


@pytest.fixture
def explained() -> Explanation:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    net.add_module(LAYER, nn.ReLU().eval())
    model = pl.load(net, labels=[HOSTILE, f"=1+1{HOSTILE}", "cat"], name=HOSTILE)
    return pl.explain(model, torch.rand(1, 3, 2, 2), target=0, method="lrp.epsilon", at=LAYER)


@pytest.mark.parametrize("text", HARMLESS)
def test_letters_of_all_languages_and_emoji_stay(text):
    assert printable(text) == text == printable(text, lines=True)


def test_what_commands_hides_or_turns_round_does_not():
    assert printable(HOSTILE) == "�]0;owned��[2J�31m <script>x</script> �gpj.exe� zero � � nul new  line"
    assert printable("a\u200db\U000e0041c") == "ab�c", "joiners between Latin letters, and tags, only hide something"
    assert printable("a\tb\r\nc\x1b", lines=True) == "a\tb\nc�"


def test_names_are_printable_from_the_start(explained):
    model = pl.load(nn.Identity(), labels=[HOSTILE, "dog"], name=HOSTILE)
    assert is_safe(repr(model) + model.label(0)) and model.find(HOSTILE) == 0 and model.find("dog") == 1
    told = [explained.target, explained.at, explained.caption(), explained.headline(), repr(explained), *explained.notes]
    told += [label for _, label, _ in explained.classes]
    assert all(map(is_safe, told)) and "owned" in explained.target
    assert is_safe(Row(HOSTILE, "linear", "bias", torch.zeros(1)).place)
    assert is_safe("".join(Table((HOSTILE,), (1,), ((HOSTILE,),)).names))
    assert is_safe(str(pl.inspect(nn.Sequential(nn.Linear(2, 2)).eval(), shape=(1, 2))), breaks="\n")


@pytest.mark.parametrize("suffix", [".html", ".svg", ".txt", ".json", ".png", ".safetensors"])
def test_every_file_is_printable_and_the_data_come_back(explained, suffix, tmp_path):
    path = explained.save(tmp_path / f"map{suffix}")
    if suffix == ".png":
        with Image.open(path) as image:
            assert is_safe(image.text["Description"]) and "\x1b" not in image.text["provenance"]
    elif suffix == ".safetensors":
        assert pl.Explanation.load(path).target == explained.target
    else:
        text = path.read_text(encoding="utf-8").replace(static("viewer.js"), "viewer")
        assert (is_safe(text, breaks="\n") and "<script>" not in text.replace("<script>viewer</script>", "")) or suffix in (
            ".txt",
            ".json",
        )
        assert suffix != ".json" or json.loads(text)["target"] == explained.target


def test_what_is_drawn_commands_only_colours(explained):
    assert is_safe(terminal(explained, colour=False), breaks="\n")
    assert is_safe(re.sub(r"\x1b\[[0-9;]*m", "", terminal(explained)), breaks="\n")
    drawn = page(explained, script=False) + svg(explained)
    assert is_safe(drawn, breaks="\n") and "<script>" not in drawn


def test_json_says_the_same_to_a_program_and_shows_nothing_raw():
    data = {"name": HOSTILE.replace("\ud800", ""), "family": HARMLESS}
    text = content(data).decode()
    assert json.loads(text) == data
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text) and HARMLESS[6] in text


def test_errors_are_printable_and_no_longer_than_anyone_reads():
    error = InputError(HOSTILE, "x" * 10**6, "why\n", "do")
    assert is_safe(str(error)) and is_safe(error.asked) and len(str(error)) < 5000
    with pytest.raises(TargetError) as caught:
        pl.load(nn.Linear(2, 2), labels=["cat", HOSTILE]).find("\x1b[2Jdog")
    assert is_safe(str(caught.value))


def test_file_names_are_made_of_letters():
    names = file_names([f"in/{HOSTILE.replace('/', '')}.jpg"], "lrp", HOSTILE)
    assert is_safe(names[0]) and "/" not in names[0]


def test_cells_of_tables_are_words():
    rows = [{"method": "=cmd|' /C calc'!A0", "score": -0.5}, {"method": "\t@SUM(A1)", "score": None}]
    read = list(csv.reader(comma_separated(rows).splitlines()))
    assert [row[0][0] for row in read[1:]] == ["'", "'"] and read[1][1] == "-0.5"
    assert in_csv("lrp.epsilon") == "lrp.epsilon" and in_csv(None) is None
    lines = markdown(("metric", "method"), [("a|b", "<img src=x> [x](http://x) `c`\n| new |")])
    assert len(lines) == 3 and lines[2].count(" | ") == 1 and "<img" not in lines[2] and "](" not in lines[2]
    assert in_markdown("replaced by [MASK]") == "replaced by [MASK]"


def test_words_are_cut_and_broken_where_they_were_letter_by_letter():
    for words in ("WAVE fi Ta.Ty," * 4, "i" * 50, "", "W"):
        for size, limit in ((14, 300), (15, 60), (24, 10)):
            slow = words
            while slow and width(slow + "…", size) > limit:
                slow = slow[:-1]
            assert shorten(words, size, limit) == (words if width(words, size) <= limit else slow.rstrip() + "…")
            parts = broken(words, size, limit)
            assert "".join(parts) == words and all(width(part, size) <= limit or len(part) == 1 for part in parts)
            assert all(width(a + b[0], size) > limit for a, b in pairwise(parts))


def test_a_long_label_costs_no_time():
    began = time.process_time()
    assert shorten("A" * 10**6, 14, 300).endswith("…")
    assert len(wrap("A" * 10**6, 14, 300)) < MOST_WRAPPED / 20
    model = pl.load(nn.Identity(), labels=[f"{'A' * 2000}{n}" for n in range(300)] + ["B"] * 20_000)
    with pytest.raises(TargetError):
        model.find("A" * 2000)
    with pytest.raises(PellucidError, match=r"20000 classes of that name: 300, 301, .*, \.\.\.;"):
        model.find("b")
    assert time.process_time() - began < 3, "each of these took minutes"
