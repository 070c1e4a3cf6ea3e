"""Files that an earlier version wrote are read as what they were, and what is written today has their form.

The files in golden/saved were frozen by golden/make_saved.py; they are never written anew.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

import pellucid as pl
from tests.golden import make_saved

SAVED = Path(__file__).parent / "golden" / "saved"
EXPLANATIONS = tuple(make_saved.EXPLANATIONS)
OTHERS = tuple(path.name for path in sorted(SAVED.iterdir()) if path.stem in {Path(name).stem for name in make_saved.OTHERS})
KINDS = {  # what the values are about, where it is no picture
    **dict.fromkeys(("text", "vectors"), "tokens"),
    **dict.fromkeys(("table", "shapley"), "table"),
    "series": "curves",
    "inputs": "sides",
}
WORDED = {"caption", "advice", "verdict", "sentence", "message", "do", "why"}  # sentences, which may be said better
REWORDED = WORDED | {"notes", "missing"}  # ... where the thing is made anew, and not read from the file
MEASURED = {"seconds", "created", "torch", "python", "pellucid", "steps per second", "options"}  # of the day, or the machine
ADDED = {"call", "then"}  # what was asked, since results keep it

TRAINED = {"hidden": {"score", "low", "high", "values"}}  # numbers that hang on a network trained anew
PIXELS = (  # of two pictures that the prior made when it was frozen
    (0.49509963393211365, 0.44934597611427307, 0.5070732831954956),
    (0.6489166617393494, 0.640562891960144, 0.46382811665534973),
)


def raw(name: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file, by safetensors alone."""
    return opened(SAVED / name)


def opened(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no dict)


def told(name: str) -> Any:
    return json.loads((SAVED / name).read_text(encoding="utf-8"))


def explanation(name: str) -> tuple[pl.Explanation, dict[str, Any], dict[str, Tensor]]:
    """The explanation as it is read today, and what its file says."""
    metadata, tensors = raw(f"{name}.safetensors")
    return pl.Explanation.load(SAVED / f"{name}.safetensors"), json.loads(metadata["pellucid"]), tensors


def same(one: Tensor | None, other: Tensor | None) -> bool:
    """Bit for bit."""
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and one.shape == other.shape and one.numpy().tobytes() == other.numpy().tobytes()


def listed(thing: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    return json.loads(json.dumps(thing))


def unlike(one: Any, other: Any, *, left_out: set[str], rel: float = 1e-5, at: str = "") -> list[str]:
    """Where two documents differ, numbers by more than rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [name for name in {*one, *other} if name not in left_out]
        lacking = [f"{at}.{name} is in one alone" for name in names if (name in one) != (name in other)]
        both = [name for name in names if name in one and name in other]
        pairs = {name: unlike(one[name], other[name], left_out=left_out, rel=rel, at=f"{at}.{name}") for name in both}
        return lacking + [said for found in pairs.values() for said in found]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        rows = enumerate(zip(one, other, strict=True))
        return [said for n, row in rows for said in unlike(*row, left_out=left_out, rel=rel, at=f"{at}[{n}]")]
    number = isinstance(one, (int, float)) and isinstance(other, (int, float))
    close = one == pytest.approx(other, rel=rel, abs=1e-2 * rel) if number else one == other
    return [] if close else [f"{at}: {str(one)[:60]} and {str(other)[:60]}"]


def form(thing: Any) -> Any:
    """What a document consists of: names, and the kinds of what they stand for."""
    if isinstance(thing, dict):
        return {name: form(one) for name, one in sorted(thing.items())}
    if isinstance(thing, list):
        return [form(one) for one in thing]
    return "number" if isinstance(thing, (int, float)) and not isinstance(thing, bool) else type(thing).__name__


def without_added(thing: Any) -> Any:
    """A document without what later versions add to a provenance."""
    if isinstance(thing, dict):
        return {name: without_added(one) for name, one in thing.items() if name not in ADDED}
    return [without_added(one) for one in thing] if isinstance(thing, list) else thing


def test_every_kind_of_file_is_frozen() -> None:
    made = {f"{name}{suffix}" for name in EXPLANATIONS for suffix in (".safetensors", ".json")} | {"columns.json"}
    made |= set(make_saved.OTHERS) | {f"{name}{suffix}" for name, more in make_saved.ALSO.items() for suffix in more}
    assert made == {path.name for path in SAVED.iterdir()}
    assert sum(path.stat().st_size for path in SAVED.iterdir()) < 300_000


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_frozen_explanation_comes_back_bit_for_bit(name: str) -> None:
    e, _, tensors = explanation(name)
    assert same(e.values, tensors["values"]) and same(e.output, tensors["output"]) and same(e.error, tensors.get("error"))
    assert len(e) == len(tensors["values"]) and e.values.abs().sum() > 0
    picture = tensors.get("picture")
    assert (e.picture is None) == (picture is None)
    assert picture is None or (e.picture.dtype == np.uint8 and np.array_equal(e.picture, picture.numpy()))


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_frozen_explanation_says_what_was_asked_and_how_it_was_answered(name: str) -> None:
    e, header, _ = explanation(name)
    for field in ("target", "method", "signed", "provenance", "at", "shared", "forwards", "adds"):
        assert listed(getattr(e, field)) == header[field], field
    for field in ("notes", "classes", "targets", "through"):
        assert isinstance(getattr(e, field), tuple) and listed(getattr(e, field)) == header[field], field
    for sample in range(len(e)):
        target = e.targets[sample] if e.targets else e.target
        assert e.method in e.headline(sample) and target in e.headline(sample)
        assert all(note in e.caption(sample) for note in (*e.notes, *e.through[sample : sample + 1]))


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_the_books_of_a_frozen_explanation_close_as_they_did(name: str) -> None:
    e, header, tensors = explanation(name)
    if header["rows"] is None:
        assert e.ledger is None and not any(key.startswith("ledger") for key in tensors)
        return
    assert same(e.ledger.seed, tensors["ledger.seed"]) and same(e.ledger.input, tensors["ledger.input"])
    assert [[row.where, row.op, row.cause] for row in e.ledger.rows] == header["rows"]
    rows = [tensors[f"ledger.row.{n}"] for n in range(len(header["rows"]))]
    assert all(same(row.amount, amount) for row, amount in zip(e.ledger.rows, rows, strict=True))
    absorbed = sum(rows, torch.zeros(len(e)))
    torch.testing.assert_close(e.ledger.absorbed, absorbed, check_dtype=False)
    assert float(e.ledger.error.abs().max()) < 1e-4
    torch.testing.assert_close(e.values.flatten(1).sum(1), e.ledger.input, check_dtype=False, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_frozen_explanation_is_about_what_it_was(name: str) -> None:
    e, header, tensors = explanation(name)
    if name not in KINDS:
        assert header["subject"] is None and e.subject is None
        return
    assert header["subject"]["kind"] == e.subject.kind == KINDS[name] and e.subject.fits(e.values)
    for field, stored in header["subject"].items():
        found = getattr(e.subject, field)
        if "->" not in json.dumps(stored):
            assert listed(found) == stored and (field == "kind" or isinstance(found, (tuple, str, float))), field
    if name == "series":
        assert same(e.subject.curves, tensors["subject.curves"])


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_the_summary_of_a_frozen_explanation_is_what_it_was(name: str, tmp_path: Path) -> None:
    e, _, _ = explanation(name)
    now = json.loads(e.save(tmp_path / "e.json").read_text(encoding="utf-8"))
    assert not unlike(now, told(f"{name}.json"), left_out=WORDED)


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_frozen_explanation_is_written_again_as_it_was(name: str, tmp_path: Path) -> None:
    e, header, tensors = explanation(name)
    metadata, again = opened(e.save(tmp_path / "e.safetensors"))
    assert json.loads(metadata["pellucid"]) == header
    assert set(again) == set(tensors) and all(same(again[key], tensors[key]) for key in tensors)


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_frozen_explanation_can_be_painted(name: str, tmp_path: Path) -> None:
    e, _, _ = explanation(name)
    text, page = (e.save(tmp_path / f"e{suffix}").read_text(encoding="utf-8") for suffix in (".txt", ".html"))
    with Image.open(e.save(tmp_path / "e.png")) as painted:
        assert min(painted.size) > 50 and len(painted.convert("RGB").getcolors(2**24)) > 10
    assert e.method in text and e.method in page and "<html" in page
    assert "<svg" in e.save(tmp_path / "e.svg").read_text(encoding="utf-8")


def test_the_words_of_a_frozen_text_are_those_that_were_read() -> None:
    e = pl.Explanation.load(SAVED / "text.safetensors")
    first, second = (told("text.json")["subject"]["samples"][sample] for sample in range(2))
    assert e.subject.texts == (first["text"], second["text"]) == tuple(make_saved.TEXTS)
    for sample, stored in enumerate((first, second)):
        for by in ("tokens", "words", "sentences"):
            pieces = getattr(e, by)(sample)
            assert [piece.text for piece in pieces] == [one["text"] for one in stored[by]]
            assert [piece.value for piece in pieces] == pytest.approx([one["value"] for one in stored[by]], rel=1e-6)
    assert [piece.text for piece in e.words(1)] == ["Good", "film"] and len(e.sentences(0)) == 2
    assert sum(piece.value for piece in e.words(0)) == pytest.approx(float(e.values[0].sum()), abs=1e-6)


def test_a_vector_for_every_token_is_told_by_words_too() -> None:
    e = pl.Explanation.load(SAVED / "vectors.safetensors")
    assert e.at == "2" and e.values.shape == (1, 10, 6)
    assert [piece.value for piece in e.tokens()] == pytest.approx(e.values[0].sum(1).tolist(), abs=1e-6)


def test_the_cells_of_a_frozen_table_stand_in_their_own_units() -> None:
    e = pl.Explanation.load(SAVED / "table.safetensors")
    assert e.subject.names == ("age", "smoker", "dose") and e.subject.widths == (1, 2, 1)
    assert e.subject.cells == (("61 years", "yes", "1.5 mg"), ("33 years", "no", "2.5 mg"))
    row = e.values[0].tolist()
    assert e.heat(0).flatten().tolist() == pytest.approx([row[0], row[1] + row[2], row[3]], abs=1e-6)


def test_a_frozen_series_knows_its_time_and_its_channels() -> None:
    e = pl.Explanation.load(SAVED / "series.safetensors")
    assert (e.subject.names, e.subject.unit, e.subject.rate) == (("I", "II"), "mV", 50.0)
    assert e.subject.seconds(25) == 0.5 and torch.equal(e.subject.curves, make_saved.rand(2, 40)[None])


def test_the_parts_of_a_frozen_explanation_of_several_inputs_are_its_own() -> None:
    e, _, tensors = explanation("inputs")
    assert e.parts == ("image", "row")
    image, row = e.part("image"), e.part("row")
    assert image.values.shape == (1, 3, 8, 8) and row.values.shape == (1, 4)
    assert torch.equal(torch.cat([image.values.flatten(1), row.values], 1), tensors["values"])
    assert np.array_equal(image.picture, make_saved.photograph()) and image.subject is None
    assert row.subject.kind == "table" and row.subject.cells == (("61 years", "yes", "1.5 mg"),)


def test_frozen_samples_have_their_own_targets_pictures_and_conditions() -> None:
    several, pictures, rows = (
        pl.Explanation.load(SAVED / f"{name}.safetensors") for name in ("pictures", "photographs", "conditions")
    )
    assert several.targets == ('logit 1 "goldfish"', 'logit 2 "volcano"') and several.target == several.targets[0]
    assert not np.array_equal(pictures.photograph(0), pictures.photograph(1))
    assert rows.at is None and len(rows.through) == len(rows) == 2 and rows.through[0] != rows.through[1]


def test_frozen_values_keep_their_standard_errors_precision_and_layer() -> None:
    load = {
        name: pl.Explanation.load(SAVED / f"{name}.safetensors") for name in ("sampled", "noisy", "shared", "double", "inside")
    }
    assert load["sampled"].error is not None and load["sampled"].shared and 0 < load["sampled"].reliability() < 1
    assert load["noisy"].error.shape == load["noisy"].values.shape and not load["noisy"].shared
    assert load["shared"].error is None and load["shared"].shared
    assert load["double"].values.dtype == torch.float64 and load["double"].target == "logit 0 - logit 2"
    assert load["inside"].at == "4" and load["inside"].values.shape == (1, 6, 4, 4)


def test_a_frozen_prior_makes_the_pictures_that_it_made(tmp_path: Path) -> None:
    prior = pl.synth.GeneratorPrior.load(SAVED / "prior.safetensors")
    metadata, tensors = raw("prior.safetensors")
    about = json.loads(metadata["prior"])
    for name in ("mean", "sd", "low", "high", "bank"):
        assert same(getattr(prior.codes, name), tensors[f"codes.{name}"]), name
    weights = {f"decoder.{name}": weight for name, weight in prior.generator.state_dict().items()}
    assert all(same(weight, tensors[name]) for name, weight in weights.items())
    assert len(weights) == sum(name.startswith("decoder.") for name in tensors)
    assert same(prior.low, tensors["low"]) and same(prior.high, tensors["high"])
    assert (prior.place.module, prior.place.incoming) == (about["module"], about["incoming"])
    assert prior.provenance == about["provenance"] and list(prior.notes) == about["notes"]
    made = prior(prior.codes.bank[:2])
    assert made.shape == (2, *about["picture"]) and 0 <= made.min() <= made.max() <= 1
    torch.testing.assert_close(torch.stack([made[0, :, 2, 5], made[1, :, 6, 1]]), torch.tensor(PIXELS), rtol=0, atol=1e-5)
    metadata, again = opened(prior.save(tmp_path / "prior.safetensors"))
    assert json.loads(metadata["prior"]) == about
    assert set(again) == set(tensors) and all(same(again[key], tensors[key]) for key in tensors)


def test_a_frozen_prior_is_searched_by_recipes() -> None:
    p = pl.maximize(make_saved.sees(), "goldfish", "dgn_am", canvas=str(SAVED / "prior.safetensors"), steps=2)
    assert p.images.shape == (1, 3, 8, 8) and p.provenance["prior"]["steps"] == 80


def test_frozen_statistics_come_back(tmp_path: Path) -> None:
    found = pl.perturb.Statistics.load(SAVED / "statistics.safetensors")
    metadata, tensors = raw("statistics.safetensors")
    for name in ("mean", "covariance", "low", "high"):
        assert torch.equal(getattr(found, name), tensors[name].double()), name
    assert str(found.pixels) == metadata["pixels"] and found.channels == 3 and found.reach == (3, 3)
    told_again, again = opened(found.save(tmp_path / "statistics.safetensors"))
    assert told_again == metadata and all(same(again[name], tensors[name]) for name in tensors)


def test_a_frozen_run_goes_on_with_the_answers_it_has(tmp_path: Path) -> None:
    metadata, tensors = raw("run.safetensors")
    fresh = make_saved.answers()
    run = fresh.load(SAVED / "run.safetensors")
    assert torch.equal(run.responses.answers, tensors["answers"]) and len(run) == len(tensors["answers"]) == 64
    torch.testing.assert_close(run.fit().values, fresh.fit().values, rtol=1e-4, atol=1e-5)
    told_again, again = opened(run.save(tmp_path / "run.safetensors"))
    assert told_again == metadata and torch.equal(again["answers"], tensors["answers"]) and same(again["rows"], tensors["rows"])


def test_columns_written_by_hand_are_those_written_in_python() -> None:
    assert pl.Columns.load(SAVED / "columns.json").columns == make_saved.columns().columns


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is written today, of all that is not read again."""
    folder = tmp_path_factory.mktemp("saved")
    make_saved.main(folder, [Path(name).stem for name in make_saved.OTHERS])
    return folder


def rounded(cell: str) -> str:
    """A cell of a table: numbers to four digits, for the last ones are those of the machine."""
    try:
        return f"{float(cell):.4g}"
    except ValueError:
        return cell


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_written_today_has_the_form_of_what_was_frozen(name: str, today: Path) -> None:
    then, now = SAVED / name, today / name
    if name.endswith(".json"):
        one, other = (json.loads(path.read_text(encoding="utf-8")) for path in (then, now))
        other = without_added(other)
        assert form(one) == form(other)
        assert not unlike(one, other, left_out=REWORDED | MEASURED | TRAINED.get(then.stem, set()), rel=1e-3)
    elif name.endswith(".csv"):
        one, other = (list(csv.reader(path.read_text(encoding="utf-8").splitlines())) for path in (then, now))
        assert one[0] == other[0] and len(one) == len(other)
        for row, again in zip(one[1:], other[1:], strict=True):
            assert [rounded(cell) for cell in row[:3]] == [rounded(cell) for cell in again[:3]]
    elif name.endswith(".safetensors"):
        (one, first), (other, second) = opened(then), opened(now)
        assert set(one) == set(other) and {key: (t.dtype, t.shape) for key, t in first.items()} == {
            key: (t.dtype, t.shape) for key, t in second.items()
        }
    else:
        assert len(then.read_text(encoding="utf-8").splitlines()) == len(now.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("name", ["drawn", "beside"])
def test_frozen_pictures_and_their_document_agree(name: str) -> None:
    metadata, tensors = raw(f"{name}.safetensors")
    document = told(f"{name}.json")
    assert json.loads(metadata["maximized"]) == {key: value for key, value in document.items() if key != "trace"}
    assert document["shape"] == list(tensors["images"].shape) and 0 <= tensors["images"].min() <= tensors["images"].max() <= 1
    assert [one["score"] for one in document["pictures"]] == tensors["scores"].tolist()
    assert {"snapshots.last", "snapshots.best", "snapshots.majority"} <= set(tensors)
    assert name != "beside" or {"extras.given", "extras.given scores"} <= set(tensors)


@pytest.mark.parametrize("name", ["drawn", "beside"])
def test_pictures_made_today_are_those_that_were_frozen(name: str, today: Path) -> None:
    _, then = raw(f"{name}.safetensors")
    _, now = opened(today / f"{name}.safetensors")
    for key in then:
        torch.testing.assert_close(now[key], then[key], rtol=1e-3, atol=1e-4, equal_nan=True, msg=key)
