"""What stands beneath the values: tokens of texts, which words they make up, and files that keep it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pellucid.core.formats import FORMATS
from pellucid.errors import InputError, OutputError
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import KINDS, Tokens, from_plain, to_plain
from pellucid.model.modality.tokens import sentences, words


def about(*texts: str, piece: int = 4) -> Tokens:
    """Texts cut into pieces of some letters, between special tokens, the shorter ones padded."""
    spans, kinds, pieces = [], [], []
    longest = max(-(-len(text) // piece) for text in texts) + 2
    for text in texts:
        inner = [(start, min(start + piece, len(text))) for start in range(0, len(text), piece)]
        padding = longest - len(inner) - 2
        spans.append(((0, 0), *inner, (0, 0), *[(0, 0)] * padding))
        kinds.append(("special", *["text"] * len(inner), "special", *["padding"] * padding))
        pieces.append(("[CLS]", *[text[slice(*span)] for span in inner], "[SEP]", *["[PAD]"] * padding))
    return Tokens(texts, tuple(pieces), tuple(spans), tuple(kinds))


def made(*texts: str, **fields: object) -> Explanation:
    subject = about(*texts)
    values = torch.randn(len(texts), len(subject.pieces[0]), generator=torch.Generator().manual_seed(0))
    return Explanation(values, torch.ones(len(texts)), "logit 1", "lrp", True, subject=subject, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", sorted(FORMATS["explanation"]))
def test_an_explanation_of_texts_is_saved_in_every_format(suffix: str, tmp_path: Path) -> None:
    assert made("a cat sat on the mat", "dogs").save(tmp_path / f"e{suffix}").stat().st_size > 100


def test_a_subject_comes_back_from_a_file(tmp_path: Path) -> None:
    e = made("a cat sat. It slept.", "dogs")
    back = Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert isinstance(back.subject, Tokens) and isinstance(e.subject, Tokens)
    assert vars(back.subject) == vars(e.subject)
    assert back.words(0) == e.words(0) and back.sentences(1) == e.sentences(1)


def test_json_tells_every_token_with_its_value(tmp_path: Path) -> None:
    e = made("a cat sat. It slept.", "dogs")
    told = json.loads(e.save(tmp_path / "e.json").read_text())["subject"]
    assert told["kind"] == "tokens" and told["samples"][1]["padding"] == 4
    assert [one["text"] for one in told["samples"][1]["tokens"]] == ["[CLS]", "dogs", "[SEP]"]
    assert told["samples"][0]["tokens"][1]["value"] == pytest.approx(float(e.values[0, 1]))


def test_what_a_newer_version_wrote_is_refused_in_words() -> None:
    plain, tensors = to_plain(about("a"))
    assert vars(from_plain(plain, tensors)) == vars(about("a"))
    with pytest.raises(OutputError, match='an input of kind "hologram"'):
        from_plain(plain | {"kind": "hologram"}, tensors)


def test_every_kind_is_known_by_its_own_name() -> None:
    assert all(kind.kind == name for name, kind in KINDS.items())


@pytest.mark.parametrize("by", ["token", "word", "sentence"])
@pytest.mark.parametrize("text", ["a cat sat. It slept. 東京 is far", "x" * 90, "👩‍👩‍👧 don't שלום عالم", "a\n\nb", "...!?"])
def test_every_token_but_padding_is_in_one_group_exactly(text: str, by: str) -> None:
    e = made(text, "one longer text, so that the other is padded " * 3)
    pieces = {"token": e.tokens, "word": e.words, "sentence": e.sentences}[by](0)
    assert isinstance(e.subject, Tokens)
    real = [position for position, kind in enumerate(e.subject.kinds[0]) if kind != "padding"]
    assert [position for piece in pieces for position in piece.positions] == real
    total = sum(piece.value for piece in pieces)
    assert total == pytest.approx(float(e.values[0, real].double().sum()), abs=1e-5)


def test_a_token_that_reaches_over_two_words_makes_one_of_both() -> None:
    e = made("ab cd ef")  # pieces: "ab c", "d ef"
    assert [piece.text for piece in e.words()] == ["[CLS]", "ab cd ef", "[SEP]"]


def test_words_keep_apostrophes_accents_and_families_together() -> None:
    for text, count in (
        ("don't", 1),
        ("cafe\u0301", 1),
        ("👩‍👩‍👧", 1),
        ("3.5", 1),
        ("end.", 2),
        ("東京", 2),
        ("", 0),
        ("a-b", 3),
    ):
        assert len(words(text)) == count, text


def test_sentences_end_where_sentences_end() -> None:
    text = "Is it 3.5? Yes! 東京。はい。\n\nNo"
    assert [text[slice(*span)] for span in sentences(text)] == ["Is it 3.5?", "Yes!", "東京。", "はい。", "No"]


def test_a_picture_has_no_words() -> None:
    with pytest.raises(InputError, match="only texts have words"):
        Explanation(torch.ones(1, 1, 2, 2), torch.ones(1), "logit 1", "lrp", True).words()


def test_a_tokens_vector_counts_as_its_channels() -> None:
    subject = about("a cat")
    values = torch.randn(1, len(subject.pieces[0]), 8, generator=torch.Generator().manual_seed(0))
    e = Explanation(values, torch.ones(1), "logit 1", "lrp", True, subject=subject)
    assert subject.fits(values) and not subject.fits(values[:, 1:])
    torch.testing.assert_close(e.heat()[0], values[0].sum(1))
