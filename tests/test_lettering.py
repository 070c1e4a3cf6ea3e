"""Letters of any script in pictures, SVG and terminal: order, joined forms, fonts, boxes for what no font has."""

from __future__ import annotations

import random
import re
import unicodedata
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont, features

import pellucid as pl
from pellucid.model.modality import Tokens
from pellucid.render.lettering import faces, ink
from pellucid.render.lettering.bidi import levels, visual
from pellucid.render.lettering.cmap import coverage, fonts_in
from pellucid.render.lettering.faces import ALONG, OWN, Face, face_of
from pellucid.render.lettering.joining import forms, joined, joins
from pellucid.render.lettering.markup import in_html
from pellucid.render.lettering.pieces import clusters, pieces
from pellucid.render.modality.tokens.image import image as token_image
from pellucid.render.modality.tokens.runs import Run, ordered, runs
from pellucid.render.parts.cells import cells, cut, filled, padded
from pellucid.render.parts.drawing import Drawing, Words
from pellucid.render.parts.map import prepare
from pellucid.render.parts.palette import INK
from pellucid.render.parts.text import boxes_note, broken, paragraph, shorten, width, write
from pellucid.render.svg import svg as render_svg

ARABIC, HEBREW, HINDI, CHINESE = "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "你好世界"


def seen(text: str, base: bool | None = None) -> str:
    """The letters from left to right."""
    return "".join(text[place] for place in visual(levels(text, base)))


def pixels(words: str, size: int = 24, wide: int = 400) -> np.ndarray:
    image = Image.new("RGB", (wide, 2 * size), "white")
    write(image, (4, 1.5 * size), words, size)
    return np.asarray(image.convert("L"))


# order


@pytest.mark.parametrize(
    ("text", "base", "wanted"),
    [
        ("car is אבג now", None, "car is גבא now"),
        ("אבג car דה", None, "הד car גבא"),
        ("אבג 12.5 דה", None, "הד 12.5 גבא"),  # numbers keep their order
        ("سعر 12 %", None, "% 12 رعس"),
        ("(אב) c", False, "(בא) c"),
        ("a (b אב) c", False, "a (b בא) c"),
        ("אב!", True, "!בא"),
        ("אב!", False, "בא!"),
        ("12-34 א", False, "12-34 א"),
    ],
)
def test_letters_are_seen_in_the_order_of_the_standard(text: str, base: bool | None, wanted: str) -> None:
    assert seen(text, base) == wanted


def test_a_name_in_quotes_does_not_move_the_number_behind_it() -> None:
    assert seen('logit "شمس" = 3.2') == 'logit "سمش" = 3.2'
    assert seen('"cat שמש" and "שמש cat"', False) == '"cat שמש"'.replace("שמש", "שמש"[::-1]) + ' and "cat שמש"'.replace(
        "שמש", "שמש"[::-1]
    )
    assert in_html('logit "שמש" = 3') == "logit &quot;<bdi>שמש</bdi>&quot; = 3" and in_html("<cat>") == "&lt;cat&gt;"


def test_every_letter_is_seen_once_and_lines_without_such_letters_stay() -> None:
    chance = random.Random(0)
    for _ in range(300):
        text = "".join(chance.choice('abאבגشم 12٣()[].,:-+%$"é\u05b0') for _ in range(chance.randint(0, 20)))
        for base in (None, False, True):
            assert sorted(visual(levels(text, base))) == list(range(len(text)))
    assert seen("plain words (1.5 %), done") == "plain words (1.5 %), done"


# joined letters


def test_arabic_letters_join_by_their_neighbours() -> None:
    assert [unicodedata.name(letter).split()[-2] for letter in joined("بيت")] == ["INITIAL", "MEDIAL", "FINAL"]
    assert unicodedata.name(joined("لا")).startswith("ARABIC LIGATURE LAM WITH ALEF")
    assert len(forms()["ب"]) == 4 and set(forms()["د"]) == {0, 1}
    assert joins("بي", "ت") and not joins("د", "ر") and not joins("a", "ب") and joins("بِ", "ت")


@pytest.mark.parametrize("raqm", [True, False])
def test_arabic_is_drawn_joined_with_and_without_raqm(raqm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if raqm and not features.check("raqm"):
        pytest.skip("Pillow finds no library that shapes texts here")
    monkeypatch.setattr(ink, "shapes", lambda: raqm)
    apart = sum(width(letter, 24) for letter in "بيت")
    assert width("بيت", 24) < 0.9 * apart, "initial and medial forms are narrower than isolated ones"
    word, turned = pixels("بيت"), pixels("תיב", 24)
    assert (word < 128).any() and not np.array_equal(word, turned)


def test_hebrew_is_drawn_from_the_right() -> None:
    first = np.flatnonzero((pixels("א") < 128).any(0))
    word = np.flatnonzero((pixels("אייי") < 128).any(0))
    assert word[-1] - word[0] > first[-1] - first[0]
    right = pixels("אייי")[:, word[-1] - (first[-1] - first[0]) : word[-1] + 1]
    alone = pixels("א")[:, first[0] : first[-1] + 1]
    assert np.abs(right.astype(int) - alone).mean() < 20, "the first letter stands at the right end"


# fonts


def test_the_font_that_comes_along_has_the_letters_of_many_scripts() -> None:
    assert all(map(ALONG.has, ("Fräulein", "Ελλάδα", "Россия", "հայերեն", "ქართული", "שלום", "مرحبا", "→≤×−µ∑★", "😀")))
    assert not ALONG.has("猫") and Path(ALONG.path).stat().st_size < 300_000
    licence = Path(ALONG.path).with_name("LICENSE-DejaVu.txt").read_text()
    assert "Bitstream" in licence and "Permission is hereby granted" in licence


def test_the_map_of_a_font_is_what_the_font_draws() -> None:
    font, blank = ImageFont.truetype(ALONG.path, 20), ImageFont.truetype(ALONG.path, 20).getmask("\uffff")
    for code in (
        *range(0x21, 0x7F),
        *range(0xA1, 0x250),
        *range(0x391, 0x3CA),
        0x3A2,
        0x5D0,
        0x5EB,
        0x2603,
        0x732B,
        0x1F600,
        0x1F680,
    ):
        letter = chr(code)
        drawn = bytes(font.getmask(letter)) != bytes(blank) or font.getmask(letter).size != blank.size
        assert coverage(ALONG.path).has(letter) == drawn or code == 0xAD, hex(code)


def test_what_is_no_font_has_no_letters(tmp_path: Path) -> None:
    for content in (b"", b"OTTO", b"wOFF" + bytes(60), b"ttcf" + bytes(4) + b"\0\0\xff\xff" + bytes(30), bytes(range(256)) * 4):
        path = tmp_path / f"{len(content)}.ttf"
        path.write_bytes(content)
        assert not coverage(str(path)).has("a") and fonts_in(str(path)) <= 64
    assert not coverage(str(tmp_path / "missing.ttf")).has("a") and fonts_in(str(tmp_path / "missing.ttf")) == 0


def test_fonts_are_looked_for_where_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert face_of("猫") is None and face_of("猫", emoji=True) is None, "tests have the fonts that come along alone"
    assert face_of("cat") == OWN and face_of("Fräulein") == ALONG
    (tmp_path / "sub").mkdir()
    for name in ("Some-Bold.ttf", "sub/ASans.ttf", "Another-Serif.otf", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(path).name for path in faces._files(str(tmp_path))] == ["ASans.ttf", "Another-Serif.otf"]
    monkeypatch.setattr(faces, "coverage", lambda path, index: coverage(ALONG.path))
    monkeypatch.setattr(faces, "_faces", lambda setting, language: (Face("x.ttf"), Face("emoji.ttf", colour=True)))
    monkeypatch.setenv(faces.SETTING, str(tmp_path))
    assert face_of("ж") == ALONG and face_of("😀", emoji=True) == Face("emoji.ttf", colour=True)
    faces._elsewhere.cache_clear()


def test_folders_of_fonts_are_those_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_DIRS", "/one:/two")
    monkeypatch.setenv("XDG_DATA_HOME", "/mine")
    monkeypatch.setattr(faces.sys, "platform", "linux")
    assert faces.folders()[:3] == ["/one/fonts", "/two/fonts", "/mine/fonts"]
    monkeypatch.setattr(faces.sys, "platform", "darwin")
    assert "/System/Library/Fonts" in faces.folders()
    monkeypatch.setattr(faces.sys, "platform", "win32")
    monkeypatch.setenv("WINDIR", "W")
    assert faces.folders()[0].startswith("W")


def test_words_are_in_one_font_where_one_has_all_of_them() -> None:
    assert [(one.text, one.face) for one in pieces("the Fräulein 猫 cat")] == [
        ("the ", OWN), ("Fräulein ", ALONG), ("猫", None), (" cat", OWN),
    ]  # fmt: skip
    assert pieces("plain · words…") == pieces("plain · words…") and len(pieces("plain · words…")) == 1


# letters without a font


@pytest.mark.parametrize("text", [CHINESE, HINDI, "🚀"])
def test_a_letter_without_a_font_is_a_box_with_its_code_and_said(text: str) -> None:
    note = boxes_note(["cat", text])
    assert all(f"U+{ord(letter):04X}" in note for letter in text[:3] if not letter.isspace())
    assert "?" not in note and not np.array_equal(pixels(text), pixels("?" * len(text)))
    assert not np.array_equal(pixels("猫"), pixels("犬")), "boxes show which letter it is"
    assert boxes_note(["cat", "Fräulein", ARABIC, HEBREW]) == ""


def test_ascii_is_drawn_as_pillow_draws_it() -> None:
    image = Image.new("RGB", (300, 40), "white")
    write(image, (4, 25), 'logit "cat" = 3.2', 15)
    twin = Image.new("RGB", (300, 40), "white")
    ImageDraw.Draw(twin).text((4, 25), 'logit "cat" = 3.2', INK, ImageFont.load_default(size=15), anchor="ls")
    assert np.array_equal(np.asarray(image), np.asarray(twin))


@pytest.mark.parametrize("anchor", ["ls", "ms", "rs", "lm", "lt"])
def test_words_stand_where_their_anchor_says(anchor: str) -> None:
    image = Image.new("RGB", (400, 80), "white")
    write(image, (200, 40), "Ärger über Öl", 20, anchor=anchor)
    columns = np.flatnonzero((np.asarray(image.convert("L")) < 128).any(0))
    across = width("Ärger über Öl", 20)
    left = 200 - {"l": 0, "m": 0.5, "r": 1}[anchor[0]] * across
    assert abs(columns[0] - left) < 4 and abs(columns[-1] - left - across) < 5


# lines


@pytest.mark.parametrize(
    "text", [CHINESE * 12, "e\u0301" * 60, "👨\u200d🚀" * 30, "نص" * 40, "क्ष" * 30], ids=lambda text: f"U+{ord(text[0]):X}"
)
def test_long_words_are_broken_between_letters(text: str) -> None:
    parts = broken(text, 15, 120)
    assert "".join(parts) == text and len(parts) > 1
    assert list(clusters(text)) == [one for part in parts for one in clusters(part)], "marks stay with their letters"
    short = shorten(text, 15, 120)
    assert width(short, 15) <= 120 and short.endswith("…") and text.startswith(short[:-1])
    assert paragraph(text, 15, 120).width == 120


# a terminal


def test_cells_of_wide_letters_are_counted() -> None:
    assert [cells(text) for text in ("cat", CHINESE, "한국", "e\u0301", "👩\u200d🚀", "ب\u200d", "नि")] == [3, 8, 4, 1, 2, 1, 1]
    assert padded(CHINESE, 10) == f"{CHINESE}  " and padded("ab", 4, right=True) == "  ab"
    assert cells(cut(CHINESE * 3, 9)) <= 9 and cut(CHINESE, 8) == CHINESE
    lines = filled(f"{CHINESE * 4} and {HINDI} words " * 3, 20)
    assert all(cells(line) <= 20 for line in lines) and "".join("".join(lines).split()) == "".join(
        f"{CHINESE * 4} and {HINDI} words " * 3
    ).replace(" ", "")


# SVG


def test_svg_isolates_names_that_read_from_the_right() -> None:
    svg = Drawing(100, 20, (Words(0, 10, 'logit "שמש" = 3'), Words(0, 10, "קצר!"), Words(0, 10, "cat"))).svg()
    alone = '<tspan unicode-bidi="plaintext">'
    assert f"logit &quot;{alone}שמש</tspan>&quot; = 3" in svg and f"{alone}קצר!</tspan>" in svg and ">cat</text>" in svg


# texts


def explained(text: str, label: str = "cat", split: int = 3) -> pl.Explanation:
    """An explanation of a text whose words are cut into tokens of so many letters."""
    words = [found.span() for found in re.finditer(r"\S+", text)]
    spans = [(start, min(start + split, end)) for first, end in words for start in range(first, end, split)]
    kinds = ("special", *["text"] * len(spans))
    pieces = ("[CLS]", *(text[start:end] for start, end in spans))
    tokens = Tokens((text,), (pieces,), (((0, 0), *spans),), (kinds,))
    values = torch.linspace(-1, 1, len(kinds))[None]
    return pl.Explanation(values, values.sum(1), f'logit "{label}"', "lrp", True, subject=tokens, adds=True)


def test_tokens_of_a_line_are_in_the_order_of_the_eye() -> None:
    marked = runs_of("אבגד efg (הו)")
    line = ordered(marked, leftward=True)
    assert [run.text for run in line] == [")", "(הו", " ", "efg", " ", "ד", "אבג", "[CLS]"]
    assert [run.leftward for run in line] == [True, True, True, False, True, True, True, False]
    mixed = ordered(runs_of("see אב12, ok"), leftward=False)
    assert "".join(run.text for run in mixed) == "[CLS]see 12אב, ok"


def runs_of(text: str) -> list[Run]:
    e = explained(text)
    return runs(e, prepare(e))


def test_letters_of_two_tokens_stay_joined() -> None:
    line = ordered(runs_of("بيتبيت"), leftward=True)
    assert [run.text.count("\u200d") for run in line if run.leftward] == [1, 1]
    assert sum(cells(run.text) for run in line if run.leftward) == 6


def test_a_mark_is_no_token_of_its_own() -> None:
    e = explained("ne\u0301e\u0301", split=2)
    marked = [run for run in runs(e, prepare(e)) if run.kind == "text"]
    assert [run.text for run in marked] == ["ne\u0301e\u0301"] and len(marked[0].words.split()) == 3
    assert marked[0].value == pytest.approx(float(e.values[0, 1:].sum()))


@pytest.mark.parametrize("text", [ARABIC, HEBREW, CHINESE, HINDI, "emoji 😀🚀 naïve", f"The {HEBREW} (2024), {ARABIC} ok"])
def test_texts_of_all_scripts_are_drawn_and_written(text: str, tmp_path: Path) -> None:
    e = explained(text, label=text[:4])
    e.save(tmp_path / "a.png").stat()
    svg, html, plain = (e.save(tmp_path / f"a{suffix}").read_text() for suffix in (".svg", ".html", ".txt"))
    letters = {letter for letter in text if letter.isalpha()}
    assert all(letters <= set(written) for written in (svg, html, plain)) and "\ufffd" not in svg + html + plain
    xml.etree.ElementTree.fromstring(svg)
    boxed = any(ord(letter) > 0x8FF and face_of(letter) is None for letter in letters | {"🚀"} & set(text))
    assert boxed == bool(boxes_note([text]))


def test_arabic_texts_stand_at_the_right_and_say_so_in_svg() -> None:
    e = explained(ARABIC)
    svg = render_svg(e)
    assert 'direction="rtl" text-anchor="end"' in svg and 'lengthAdjust="spacingAndGlyphs"' in svg
    page = np.asarray(token_image(e, prepare(e), 600).convert("L"))[:26]
    columns = np.flatnonzero((page < 128).any(0))
    assert columns[0] > 300 and columns[-1] > 560
