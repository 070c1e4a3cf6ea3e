"""Marked text: colours that mean what they say, in terminals, pages, drawings and pictures, whatever the text holds."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import torch

from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Tokens
from pellucid.render import page, picture, svg, terminal
from pellucid.render.lettering.ink import MIRROR
from pellucid.render.modality.tokens.runs import cells, ground, leftward, legible, ordered, rows, runs, visible
from pellucid.render.parts.map import prepare
from pellucid.render.parts.palette import ORANGE_PURPLE, PAPER, RED_BLUE
from pellucid.target.token import spelled
from tests.test_subject import about

HOSTILE = "<script>alert(1)</script> & \"quotes\" <img src=x onerror='x'> \x1b[31mred\x07 \u202eevil \ud800"
STRANGE = [
    HOSTILE, "שלום (very good) עולם", "👩‍👩‍👧 e\u0301 नमस्ते 東京", "x" * 2000, "a\nb\tc\r\nd", "word " * 300, "\u200b\u200b.",
    "مرحبا",
]  # fmt: skip


def made(*texts: str, values: torch.Tensor | None = None, piece: int = 3, **fields: Any) -> Explanation:
    subject = about(*texts, piece=piece)
    if values is None:
        values = torch.randn(len(texts), len(subject.pieces[0]), generator=torch.Generator().manual_seed(0))
    whole: dict[str, Any] = {"output": torch.ones(len(texts)), "target": "logit 1", "method": "lrp", "signed": True}
    return Explanation(values, **(whole | fields), subject=subject)


class Page(HTMLParser):
    """The marks of a page: their words, and their styles; and every tag."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.marks: list[tuple[str, dict[str, str | None]]] = []
        self.open = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open = tag == "mark"
        if self.open:
            self.marks.append(("", dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open:
            self.marks[-1] = (self.marks[-1][0] + data, self.marks[-1][1])

    def handle_endtag(self, tag: str) -> None:
        self.open = False


def hues(value: float, signed: bool = True) -> tuple[int, int, int]:
    e = made("abc", values=torch.tensor([[0.0, value, 1.0]]), signed=signed)
    drawn = prepare(e)
    return ground(next(run for run in runs(e, drawn) if run.text == "abc"), drawn)


def test_for_is_red_against_is_blue_and_nothing_is_paper() -> None:
    red, blue = hues(1.0), hues(-1.0)
    assert red[0] > 150 > red[1] and red[0] > red[2] and blue[2] > 150 > blue[0] and hues(0.0) == PAPER
    assert hues(0.5)[1] > hues(1.0)[1], "half as much is paler"
    unsigned = hues(1.0, signed=False)
    assert unsigned not in (red, blue)


@pytest.mark.parametrize("palette", [RED_BLUE, ORANGE_PURPLE])
@pytest.mark.parametrize("signed", [True, False])
def test_letters_can_be_read_on_every_ground(palette: Any, signed: bool) -> None:
    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for level in np.linspace(-1, 1, 41):
        back = tuple(int(c) for c in palette.paint(np.array(level), np.array(PAPER, float), signed=signed).round())
        light, dark = sorted((luminance(back), luminance(legible(back))), reverse=True)  # type: ignore[arg-type]
        assert (light + 0.05) / (dark + 0.05) >= 3.9, (level, back)


@pytest.mark.parametrize("text", STRANGE)
def test_every_painter_tells_the_whole_text(text: str) -> None:
    e = made(text, "short")
    plain = "".join(visible(text).split())
    marks = Page(page(e)).marks
    told = "".join(words for words, _ in marks if not re.fullmatch(r"\[(CLS|SEP)\]", words))
    assert "".join(told.split()).replace("short", "") == plain
    drawn = ET.fromstring(svg(e))
    assert "script" not in {node.tag.rpartition("}")[2] for node in drawn.iter()}
    for colour in (True, False):
        lines = terminal(e, 60, colour=colour)
        assert not re.search(r"[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f\u202e]", lines)
        assert all(re.fullmatch(r"[0-9;]*m.*", part, re.DOTALL) for part in lines.split("\x1b[")[1:])
        assert lines.count("\x1b") == lines.count("\x1b[")
    assert picture(e).width > 400
    assert "\ud800" not in page(e) + svg(e) + terminal(e)


def test_nothing_in_a_text_is_read_as_markup() -> None:
    e = made(HOSTILE, target=f'token "{HOSTILE}"', notes=(HOSTILE,))
    found = Page(page(e, script=False))
    assert not {"script", "img"} & set(found.tags) and Page(page(e)).tags.count("img") == 0
    ET.fromstring(svg(e))


def test_special_tokens_are_shown_and_padding_is_counted() -> None:
    e = made("a cat sat on the mat", "dog")
    words = [words for words, _ in Page(page(e)).marks]
    assert words.count("[CLS]") == 2 and words.count("[SEP]") == 2 and "[PAD]" not in words
    assert "6 positions of padding behind the text are left out" in page(e)


def test_the_scale_and_what_it_clips_are_printed_everywhere() -> None:
    values = torch.tensor([[0.0, 3.0, -1.0, 0.0]])
    e = made("abcdef", values=values)
    for told in (page(e), svg(e)):
        assert "+3.00" in told and "-3.00" in told and "nothing is clipped" in told
    assert "full at ±3.00 · nothing clipped" in terminal(e)
    assert "(++)" in terminal(e, colour=False) and "\x1b" not in terminal(e, colour=False)
    assert "full at ±1.00 · 25.0 % clipped" in terminal(e, scale=1.0)
    titles = [attrs["title"] for words, attrs in Page(page(e)).marks if words == "abc"]
    assert titles == ["abc: +3.00"]


def test_where_there_is_no_evidence_the_text_stands_without_colours() -> None:
    e = made("abcdef", values=torch.zeros(1, 4))
    assert "No evidence found" in terminal(e) and "abcdef" in terminal(e, colour=False)
    shades = {attrs["class"] for words, attrs in Page(page(e)).marks if not words.startswith("[")}
    assert shades == {""} and "speaks for" not in page(e, script=False)


def test_bytes_of_one_character_are_one_run() -> None:
    e = made("a😀b", values=torch.tensor([[0.0, 1.0, 2.0, 4.0, 8.0, 0.0]]))
    spans = ((0, 0), (0, 1), (1, 2), (1, 2), (2, 3), (0, 0))
    kinds = ("special", "text", "text", "text", "text", "special")
    subject = Tokens(("a😀b",), (("[C]", "a", "ð", "Ł", "b", "[S]"),), (spans,), (kinds,))
    e = Explanation(e.values, e.output, e.target, e.method, True, subject=subject)
    told = [(run.text, run.value) for run in runs(e, prepare(e))]
    assert told == [("[C]", 0.0), ("a", 1.0), ("😀", 6.0), ("b", 8.0), ("[S]", 0.0)]


def test_lines_fit_and_keep_words_together() -> None:
    e = made("some words that are longer than one line, and a verylongwordthatdoesnotfitatall", piece=5)
    lines = rows(runs(e, prepare(e)), 20)
    assert all(sum(cells(run.text) for run in line) <= 20 for line in lines)
    text = ["".join(run.text for run in line).strip() for line in lines]
    whole = {word.strip(",") for line in text for word in line.replace("[CLS]", "").split()}
    assert {"some", "words", "that", "are", "longer", "than", "one", "line", "and", "a"} <= whole
    assert "".join("".join(line.split()) for line in text).count("verylongwordthatdoesnotfitatall") == 1


def test_a_text_that_reads_leftward_is_laid_out_so() -> None:
    e = made("שלום (very good) עולם", piece=1)
    marked = runs(e, prepare(e))
    (line,) = rows(marked, 80)
    drawn = [run for run in ordered(line, leftward=leftward(marked)) if run.kind == "text"]
    seen = "".join(run.text.translate(MIRROR) if run.leftward else run.text for run in drawn)  # as `lettering.ink` draws them
    assert leftward(marked) and seen == "םלוע (very good) םולש"
    assert 'dir="rtl"' in page(e)


def test_thousands_of_tokens_are_no_trouble() -> None:
    e = made("word " * 1200)
    assert len(Page(page(e)).marks) > 2000 and len(terminal(e).splitlines()) > 60
    assert picture(e).height < 6000


def test_names_of_tokens_command_no_terminal() -> None:
    assert "\x1b" not in spelled("\x1b[2J\n")
