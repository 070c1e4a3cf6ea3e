"""The answer itself: its words, its masks, and files that are whole or not there."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pellucid.core.formats import FORMATS
from pellucid.errors import InputError, OutputError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.ledger import Ledger, Row
from pellucid.explanation.serialization import load_explanation


def made(*shape: int, **fields: Any) -> Explanation:
    """An explanation of random values with everything on it."""
    generator = torch.Generator().manual_seed(0)
    values = fields.pop("values", torch.randn(*(shape or (2, 3, 5, 4)), generator=generator))
    batch = len(values)
    seed = torch.linspace(11.42, 3.0, batch)
    rows = Row("stem", "convolution", "bias", seed * 0.1), Row("", "add", "stabiliser", seed * 0.02)
    whole: dict[str, Any] = {
        "output": seed,
        "target": 'logit 285 "Egyptian cat"',
        "method": "lrp.epsilon_plus",
        "signed": True,
        "ledger": Ledger(seed, seed * 0.88, rows),
        "notes": ("Chosen for a convolutional network.",),
        "provenance": {"torch": "2.13.0", "options": {"eps": 1e-6}, "seed": None},
        "picture": np.arange(60, dtype=np.uint8).reshape(5, 4, 3),
        "classes": ((285, "Egyptian cat", 0.75), (281, "tabby", 0.125)),
    }
    return Explanation(values, **(whole | fields))


def test_the_caption_is_headline_ledger_and_notes() -> None:
    assert made(1, 3, 5, 4, ledger=None, notes=()).caption() == 'lrp.epsilon_plus -> logit 285 "Egyptian cat" = 11.42.'
    assert made(1, 1, 2, 2).caption() == (
        'lrp.epsilon_plus -> logit 285 "Egyptian cat" = 11.42: '
        "explained 10.05 of 11.42; 1.37 was lost on the way (bias 1.14, stabiliser 0.23). "
        "Chosen for a convolutional network."
    )


def test_every_sample_has_its_caption_and_its_target() -> None:
    e = made(targets=("logit 1", "logit 2"), ledger=None, notes=())
    assert [e.caption(0), e.caption(1)] == ["lrp.epsilon_plus -> logit 1 = 11.42.", "lrp.epsilon_plus -> logit 2 = 3.00."]


def test_a_seed_that_is_not_the_score_is_told() -> None:
    one = torch.ones(1)
    words = "= 11.42, from a relevance of 1.00 at the output: explained 1.00 of 1.00"
    assert words in made(1, 1, 2, 2, ledger=Ledger(one, one)).caption()


@pytest.mark.parametrize(
    ("share", "grow", "told"), [(0.05, 1.0, "Only 5 % of the score"), (1.0, 1e3, "not bounded"), (1.0, 1.0, None)]
)
def test_the_caption_warns_where_the_books_hide_something(share: float, grow: float, told: str | None) -> None:
    seed = torch.tensor([20.0])
    e = made(1, 3, 5, 4, ledger=Ledger(seed, seed * share, (Row("", "add", "bias", seed * (1 - share)),)))
    e = replace(e, values=e.values * grow)
    assert (told is None and not e.warnings()) or (told is not None and told in e.caption())


def test_the_representation_is_short() -> None:
    assert repr(made(1, 3, 5, 4)) == 'Explanation(lrp.epsilon_plus -> logit 285 "Egyptian cat" = 11.42, values (1, 3, 5, 4))'
    assert len(repr(made())) < 100


@pytest.mark.parametrize(
    ("shape", "flat"), [((2, 3, 5, 4), (5, 4)), ((2, 6), (1, 6)), ((2, 3, 7), (1, 7)), ((2, 2, 3, 5, 4), (5, 4)), ((2,), (1, 1))]
)
def test_heat_sums_whatever_is_not_a_place(shape: tuple[int, ...], flat: tuple[int, ...]) -> None:
    e = made(*shape)
    assert e.heat(1).shape == flat
    torch.testing.assert_close(e.heat(1).sum(), e.values[1].sum())


def test_a_mask_holds_the_most_positive_places() -> None:
    e = made(1, 1, 10, 10)
    mask = e.mask(top=0.1)
    assert mask.dtype == torch.bool and mask.shape == (10, 10) and mask.sum() == 10
    assert e.heat()[mask].min() > e.heat()[~mask].max()


def test_a_mask_never_holds_what_does_not_speak_for_the_target() -> None:
    e = replace(made(1, 4), values=torch.tensor([[1.0, -1.0, 0.0, float("nan")]]))
    assert e.mask(top=1.0).tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("top", [0, -1, 1.5])
def test_a_mask_of_no_share_is_refused(top: float) -> None:
    with pytest.raises(InputError, match=r"a share of the pixels lies in \(0, 1\]"):
        made().mask(top=top)


def test_a_sample_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="sample 2: found an explanation of 2 sample"):
        made().heat(2)


def test_a_picture_is_shared_or_one_per_sample() -> None:
    pictures = np.stack([np.zeros((5, 4, 3), np.uint8), np.ones((5, 4, 3), np.uint8)])
    assert made(picture=None).photograph() is None
    assert np.array_equal(made().photograph(1), made().picture)
    assert np.array_equal(made(picture=pictures).photograph(1), pictures[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_loading_gives_back_every_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    e = made(at="layer3", targets=("a", "b"), shared=True, forwards=96)
    e = replace(e, values=e.values.to(dtype).permute(0, 1, 3, 2).requires_grad_())
    e = replace(e, error=torch.rand(e.values.shape))
    back = Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert back.values.dtype == dtype and torch.equal(back.values, e.values) and torch.equal(back.output, e.output)
    for name in ("target", "method", "signed", "notes", "provenance", "at", "classes", "targets", "shared", "forwards"):
        assert getattr(back, name) == getattr(e, name), name
    assert torch.equal(back.error, e.error)
    assert np.array_equal(back.picture, e.picture) and back.picture.dtype == np.uint8
    assert torch.equal(back.ledger.seed, e.ledger.seed) and torch.equal(back.ledger.input, e.ledger.input)
    for there, here in zip(back.ledger.rows, e.ledger.rows, strict=True):
        assert (there.where, there.op, there.cause) == (here.where, here.op, here.cause)
        assert torch.equal(there.amount, here.amount)


def test_loading_gives_back_what_was_never_there(tmp_path: Path) -> None:
    back = load_explanation(made(ledger=None, picture=None, classes=(), notes=()).save(tmp_path / "e.safetensors"))
    assert back.ledger is None and back.picture is None and back.classes == () and back.notes == () and back.at is None


def test_values_that_are_not_numbers_survive(tmp_path: Path) -> None:
    e = replace(made(1, 4), values=torch.tensor([[float("nan"), float("inf"), -0.0, 1.0]]))
    back = load_explanation(e.save(tmp_path / "e.safetensors"))
    assert torch.equal(back.values.view(torch.int32), e.values.view(torch.int32))


def test_json_is_a_summary_that_every_reader_takes(tmp_path: Path) -> None:
    e = replace(made(1, 4), values=torch.tensor([[float("nan"), 1.0, 2.0, -4.0]]))
    told = json.loads(e.save(tmp_path / "e.json").read_text(), parse_constant=pytest.fail)
    assert told["values"]["shape"] == [1, 4] and told["values"]["finite"] == [False] and told["values"]["sum"] == [None]
    assert told["caption"] == [e.caption()]
    assert told["classes"][0] == {"index": 285, "label": "Egyptian cat", "probability": 0.75}
    assert told["ledger"]["rows"][0]["where"] == "stem" and set(told["ledger"]["by_cause"]) == {"bias", "stabiliser"}


def test_json_tells_where_the_evidence_lies(tmp_path: Path) -> None:
    values = torch.zeros(1, 1, 8, 8)
    values[..., 1:3, 2:4], values[..., 6, 6] = 1.0, -1.0
    told = json.loads(made(values=values, ledger=None, picture=None, output=torch.ones(1)).save(tmp_path / "e.json").read_text())
    ((pro, contra),) = told["regions"]
    assert pro == {"speaks": "for", "box": [1, 2, 3, 4], "evidence": 4.0, "share_for": 1.0, "share_against": 0.0,
                   "area": 0.0625, "parts": 1}  # fmt: skip
    assert contra["speaks"] == "against" and contra["box"] == [6, 6, 7, 7]


@pytest.mark.parametrize(("suffix", "takes"), [(".json", "none"), (".png", "view, top, by")])
def test_an_option_that_a_format_does_not_have_is_refused(tmp_path: Path, suffix: str, takes: str) -> None:
    with pytest.raises(OutputError, match=f"found zoom=2; the format has no such option. .* what {suffix} takes: {takes}"):
        made().save(tmp_path / f"e{suffix}", zoom=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS["explanation"])
def test_every_format_writes_one_whole_file(tmp_path: Path, suffix: str) -> None:
    path = made().save(str(tmp_path / f"e{suffix}"))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name] and path.stat().st_size > 100


@pytest.mark.parametrize("name", ["e.webp", "e", "e.PNGX"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"the suffix chooses the format. Use one of \.safetensors, \.json, \.png"):
        made().save(tmp_path / name)


@pytest.mark.parametrize("name", ["nowhere/e.json", "file/e.json", "folder.json"])
def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.json").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="the file cannot be written there"):
        made().save(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(descriptor: int) -> None:
        raise RuntimeError("torn")

    path = tmp_path / "e.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", torn)  # the new file is half there
    with pytest.raises(RuntimeError, match="torn"):
        made().save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["e.json"] and path.read_text() == "old"


def test_a_format_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS["explanation"], ".summary", "pellucid.explanation.serialization:summary")
    assert json.loads(made().save(tmp_path / "e.summary").read_text())["method"] == "lrp.epsilon_plus"


def test_files_that_are_no_explanation_are_refused(tmp_path: Path) -> None:
    whole = made().save(tmp_path / "whole.safetensors").read_bytes()
    for name, data in {"empty": b"", "text": b"not at all a file of tensors", "torn": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(OutputError, match="not a whole safetensors file"):
            load_explanation(tmp_path / name)
    from safetensors.torch import save

    (tmp_path / "weights").write_bytes(save({"weight": torch.ones(1)}))
    with pytest.raises(OutputError, match=r"found tensors weight; they are no explanation"):
        load_explanation(tmp_path / "weights")
    with pytest.raises(OutputError, match="No such file"):
        load_explanation(tmp_path / "missing")


def test_a_sample_is_an_explanation_of_its_own() -> None:
    e = made(
        3, 2, 4, 4, targets=("logit 1", "logit 2", "logit 3"), through=("a", "b", "c"), error=torch.ones(3, 2, 4, 4), forwards=30
    )
    one = e[1]
    assert len(one) == 1 and one.values.data_ptr() == e.values[1].data_ptr()
    assert (one.target, one.targets, one.through, one.forwards, one.classes) == ("logit 2", (), ("b",), 10, ())
    assert e[0].classes == e.classes and torch.equal(one.heat(), e.heat(1)) and one.caption() == e.caption(1)
    assert one.ledger is not None and e.ledger is not None and one.ledger.sentence() == e.ledger.sentence(1)


def test_samples_are_counted_from_both_ends_and_made_once() -> None:
    e = made(3, 2, 4, 4)
    assert e[-1] is e[2] and e[2] is e[2] and [one.output.item() for one in e] == e.output.tolist()
    assert e[0][0] is e[0] and len(list(e[0])) == 1


@pytest.mark.parametrize("sample", [3, -4])
def test_a_sample_that_is_not_there_is_an_index_error(sample: int) -> None:
    with pytest.raises(IndexError, match="an explanation of 3 sample"):
        made(3, 2, 4, 4)[sample]


def test_copies_leave_the_views_behind() -> None:
    e = made(3, 2, 4, 4)
    assert e[1] is not copy.deepcopy(e)[1] and "_samples" not in e.__getstate__()
