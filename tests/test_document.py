"""Documents: every result as plain JSON, by one schema, small, safe, and with the numbers of the result."""

from __future__ import annotations

import json
import math
import re
import types
import zlib
from base64 import b64decode
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np
import pytest
import torch

import pellucid as pl
from pellucid.core import formats
from pellucid.render.document import kinds, schema
from tests import documents

DOCUMENTED = Path(__file__).parents[1] / "docs" / "document.md"
KINDS: dict[str, type] = {
    "case": schema.Case,
    "report": schema.Report,
    "concepts": schema.Concepts,
    **dict.fromkeys(("maximize", "examples"), schema.Maximize),
    "evaluation": schema.Evaluation,
    **dict.fromkeys(("card", "verification", "trust", "hiding", "chart", "overview", "confusion"), schema.Sections),
}


def wrong(value: Any, kind: Any, path: str = "document") -> list[str]:
    """Where a value is not of a type: all places, in words."""
    if kind is Any:
        return []
    if is_typeddict(kind):
        if not isinstance(value, dict):
            return [f"{path} is no object"]
        hints = get_type_hints(kind)
        missing = [f"{path}.{name} is missing" for name in hints if name not in value]
        unknown = [f"{path}.{name} is not in the schema" for name in value if name not in hints]
        return (
            missing
            + unknown
            + [line for name in hints if name in value for line in wrong(value[name], hints[name], f"{path}.{name}")]
        )
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        found = [wrong(value, one, path) for one in get_args(kind)]
        return [] if any(not lines for lines in found) else min(found, key=len)
    if origin is Literal:
        return [] if value in get_args(kind) else [f"{path} is {value!r}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [line for n, one in enumerate(value) for line in wrong(one, get_args(kind)[0], f"{path}[{n}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{path} is no object"]
    if kind is float:
        return [] if isinstance(value, int | float) and not isinstance(value, bool) else [f"{path} is {value!r}"]
    if kind is int:
        return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{path} is {value!r}"]
    return [] if isinstance(value, kind) else [f"{path} is {value!r}"]


def checked(made: dict[str, Any]) -> list[str]:
    """What in a document is not as the schema says; of a report, in its pages too."""
    return wrong(made, KINDS[made["kind"]]) + [line for page in made.get("pages", ()) for line in checked(page)]


def decoded(one: dict[str, Any]) -> np.ndarray:
    """The values of a layer."""
    if one["values"] is not None:
        return np.array([math.nan if value is None else value for value in one["values"]]).reshape(one["shape"])
    q = np.frombuffer(zlib.decompress(b64decode(one["map"]), -15), dtype=np.int8).astype(float)
    if one["beyond"]:
        q[one["beyond"]["places"]] = one["beyond"]["q"]
    return (q / one["levels"] * one["scale"]["limit"]).reshape(one["shape"])


def mask(region: dict[str, Any], shape: list[int]) -> np.ndarray:
    """The mask of a region."""
    lengths = [int(length) for length in region["rle"].split()]
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(shape)


def size(made: Any) -> int:
    return len(json.dumps(made, ensure_ascii=False).encode())


# -- all kinds ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", documents.RESULTS)
def test_every_document_is_as_the_schema_says(name):
    made = documents.of(name)
    assert checked(made) == []
    text = json.dumps(made, allow_nan=False)  # finite numbers alone
    assert json.loads(text) == made


def test_what_is_not_as_the_schema_says_is_found():
    made = documents.of("tensor")
    assert wrong(made | {"schema": "1"}, schema.Case) == ["document.schema is '1'"]
    assert wrong(made | {"colour": 1}, schema.Case) == ["document.colour is not in the schema"]
    assert wrong({name: value for name, value in made.items() if name != "layers"}, schema.Case) == ["document.layers is missing"]
    layer = made["layers"][0] | {"levels": 1.5}
    assert wrong(made | {"layers": [layer]}, schema.Case) == ["document.layers[0].levels is 1.5"]


def test_every_result_has_a_document():
    """Whatever can be saved as a page, and whatever the verbs return, can be had as a document, and is tried here."""
    tried = {type(one) for name in documents.RESULTS for one in as_list(documents.result(name))}
    assert set(kinds.KINDS) == tried
    nouns = {noun for noun in map(public_noun, pl.__all__) if isinstance(noun, type) and is_result(noun)}
    assert nouns - {pl.Audit} <= set(kinds.KINDS), "a public result without a document"  # an audit writes its own
    paged = {kind.replace(" ", "") for kind, suffixes in formats.FORMATS.items() if ".html" in suffixes}
    assert paged - {noun.__name__.lower() for noun in kinds.KINDS} == {"report", "audit"}, "a page without a document"


def is_result(noun: type) -> bool:
    """What verbs return can be saved, or printed as rows or sentences; parts of it, what it takes, and reports are none."""
    takes = {"Report", "Column", "Columns", "Model", "Target", "Region", "Ledger", "Concept", "Example", "Claim", "Agreement"}
    makes = hasattr(noun, "save") or hasattr(noun, "rows") or hasattr(noun, "facts") or hasattr(noun, "sentence")
    return makes and noun.__name__ not in takes


def as_list(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]


def public_noun(name: str) -> Any:
    return getattr(pl, name)


def test_every_field_is_described():
    text = DOCUMENTED.read_text(encoding="utf-8")
    described = set(re.findall(r"[A-Za-z]+", text))
    for noun in vars(schema).values():
        if is_typeddict(noun):
            assert set(get_type_hints(noun)) <= described, noun.__name__


def test_a_result_gives_the_same_document_again():
    e = documents.result("text")
    assert pl.document(e) == documents.of("text")


def test_what_is_no_result_is_refused():
    with pytest.raises(pl.InputError, match="no result"):
        pl.document(3)
    with pytest.raises(pl.InputError, match="nothing to show"):
        pl.document([])


# -- values -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cat", "tensor", "text", "table", "features", "inside", "sampled", "vectors"])
def test_values_are_those_of_the_explanation(name):
    e, one = documents.result(name), documents.of(name)["layers"][0]
    heat = e.heat().double().numpy()
    heat = heat if e.signed else np.abs(heat)
    found = decoded(one)
    assert found.shape == heat.shape
    step = one["scale"]["limit"] / one["levels"] / 2 if one["map"] else 0.0
    assert np.abs(found - heat).max() <= step * (1 + 1e-6) + 1e-7 * np.abs(heat).max()
    assert one["scale"]["peak"] == pytest.approx(np.abs(heat).max())


def test_values_beyond_the_scale_are_not_cut_off():
    one = documents.of("cat")["layers"][0]
    assert 0 < one["scale"]["clipped"] < 0.01 and len(one["beyond"]["places"]) > 0
    assert np.abs(decoded(one)).max() == pytest.approx(one["scale"]["peak"], abs=one["scale"]["limit"] / one["levels"])


def test_regions_are_those_of_the_explanation():
    e, one = documents.result("cat"), documents.of("cat")["layers"][0]
    regions = e.regions()
    assert len(regions) == len(one["regions"]) > 0
    for region, found in zip(regions, one["regions"], strict=True):
        assert (mask(found, one["shape"]) == region.mask.numpy()).all()
        assert found["box"] == list(region.box) and found["share"] == region.share
        assert found["sign"] == ("against" if region.against else "for")


def test_words_sum_to_what_their_tokens_have():
    made = documents.of("text")
    one, tokens = made["layers"][0], made["subject"]["tokens"]
    values = decoded(one)[0]
    assert len(values) == len(tokens)
    for by in ("words", "sentences"):
        assert sorted(n for piece in one[by] for n in piece["tokens"]) == list(range(len(tokens)))
        for number, piece in enumerate(one[by]):
            assert piece["value"] == pytest.approx(values[piece["tokens"]].sum(), abs=1e-6)
            assert all(tokens[n]["word" if by == "words" else "sentence"] == number for n in piece["tokens"])
    kept = [piece for piece in one["words"] if piece["share"] is not None]
    for sign in (1, -1):
        assert sum(piece["share"] for piece in kept if piece["value"] * sign > 0) == pytest.approx(1, abs=1e-5)
    text = made["subject"]["text"]
    assert all(text[t["start"] : t["end"]] == t["text"] for t in tokens if t["kind"] == "text")


def test_rows_of_a_table_keep_their_units_and_rise_to_the_score():
    made = documents.of("table")
    one = made["layers"][0]
    assert [column["value"] for column in made["subject"]["columns"]] == ["61 years", "yes", "Rome", "1.5 mg"]
    assert one["shape"] == [1, 4] and one["columns"]["rising"]
    steps = one["columns"]["steps"]
    assert steps[-1]["stop"] == pytest.approx(one["output"], rel=1e-3)
    assert all(before["stop"] == pytest.approx(after["start"]) for before, after in pairwise(steps))


def test_ledgers_close_and_their_bars_add_up():
    one = documents.of("cat")["layers"][0]["ledger"]
    assert one["seed"] == pytest.approx(one["input"] + one["absorbed"] + one["error"], rel=1e-4)
    bars = one["waterfall"]
    assert bars[0]["kind"] == "start" and bars[-1]["kind"] == "end"
    assert sum(bar["amount"] for bar in bars[:-1]) == pytest.approx(bars[-1]["amount"], rel=1e-3)
    assert sum(row["amount"] for row in one["rows"]) + one["rest"]["amount"] == pytest.approx(one["absorbed"], abs=1e-3)


def test_series_have_a_value_per_channel_and_stretch():
    made, e = documents.of("series"), documents.result("series")
    one = made["layers"][0]
    assert one["shape"] == [2, 1000]
    means = e.values[0].reshape(2, 1000, 4).double().mean(2).numpy()
    assert np.abs(decoded(one) - means).max() <= one["scale"]["limit"] / one["levels"] / 2 * (1 + 1e-6)
    first = made["subject"]["channels"][0]["values"]
    assert made["subject"]["length"] == 4000 and len(first) == 2000
    assert max(first) == pytest.approx(float(e.subject.curves[0, 0].max())) and made["subject"]["step"] == 1 / 250


def test_spectrograms_have_levels_and_values_alike():
    made, e = documents.of("sound"), documents.result("sound")
    subject, one = made["subject"], made["layers"][0]
    assert one["shape"] == [subject["height"], subject["width"]] == [len(subject["frequencies"]), len(subject["times"])]
    levels = np.frombuffer(zlib.decompress(b64decode(subject["levels"]), -15), dtype=np.uint8).astype(float)
    levels = subject["low"] + levels / 255 * (subject["high"] - subject["low"])
    np.testing.assert_allclose(levels.reshape(one["shape"]), e.subject.levels[0, 0], atol=0.2)
    np.testing.assert_allclose(decoded(one), e.heat(), atol=one["scale"]["limit"] / 200)


def test_generated_texts_have_a_row_for_every_new_token():
    made, e = documents.of("generated"), documents.result("generated")
    one, subject = made["layers"][0], made["subject"]
    matrix = e.matrix(0)
    np.testing.assert_allclose(decoded(one), matrix.values, rtol=1e-5)
    assert [subject["tokens"][row["token"]]["text"].strip() for row in one["rows"]] == list(matrix.rows)
    assert subject["prompt"] == subject["new"][0] and len(subject["tokens"]) == len(matrix.columns)


def test_each_of_several_inputs_has_its_map():
    made, e = documents.of("inputs"), documents.result("inputs")
    one = made["layers"][0]
    assert [part["name"] for part in one["parts"]] == list(e.parts) == [part["name"] for part in made["subject"]["parts"]]
    for part in one["parts"]:
        np.testing.assert_allclose(decoded(part), e.part(part["name"]).heat(), atol=1e-6)
    assert sum(part["share"] for part in one["parts"]) == pytest.approx(1)
    assert decoded(one)[0] == pytest.approx([float(e.part(name).values.sum()) for name in e.parts], rel=1e-5)


def test_maps_that_show_nothing_say_why():
    nothing, doubt = (documents.of(name)["layers"][0] for name in ("nothing", "undersampled"))
    assert "zero" in nothing["nothing"] and nothing["doubt"] is None and nothing["regions"] == []
    assert "Under-sampled" in doubt["doubt"] and doubt["nothing"] is None and doubt["regions"] == []
    e = documents.result("tensor")
    broken = pl.Explanation(torch.full_like(e.values, math.nan), e.output, e.target, e.method, True)
    one = pl.document(broken)["layers"][0]
    assert "not finite" in one["nothing"] and set(one["values"]) == {None}
    wide = pl.Explanation(torch.full((1, 1, 64, 64), math.inf), e.output, e.target, e.method, True)
    one = pl.document(wide)["layers"][0]
    assert one["map"] is None and one["values"] is None


def test_maps_finer_than_a_screen_are_averaged():
    values = torch.randn(1, 1, 600, 400, generator=torch.Generator().manual_seed(0))
    e = pl.Explanation(values, torch.ones(1), "logit 0", "gradient_x_input", True)
    one = pl.document(e)["layers"][0]
    assert one["pool"] == 2 and one["shape"] == [300, 200]
    exactly = values[0, 0].reshape(300, 2, 200, 2).mean((1, 3)).numpy()
    assert np.abs(decoded(one) - exactly).max() <= one["scale"]["limit"] / one["levels"]
    for region in one["regions"]:
        assert mask(region, one["shape"]).shape == (300, 200) and region["box"][2] <= 300


# -- several samples and results ----------------------------------------------------------------------------------------------


def test_a_batch_is_a_report_on_one_scale():
    made, e = documents.of("batch"), documents.result("batch")
    assert made["kind"] == "report" and len(made["pages"]) == len(e) == 2
    scales = [page["layers"][0]["scale"] for page in made["pages"]]
    assert scales[0]["limit"] == scales[1]["limit"] and scales[0]["mode"] == "shared"
    assert made["pages"][0]["subject"]["src"] != made["pages"][1]["subject"]["src"]


def test_explanations_of_one_picture_become_one_case():
    made = documents.of("report")
    assert [page["kind"] for page in made["pages"]] == ["case", "case", "evaluation"]
    assert [one["method"] for one in made["pages"][0]["layers"]] == ["lrp", "rise"]


def test_comparisons_keep_their_failures_and_their_agreement():
    made, c = documents.of("comparison"), documents.result("comparison")
    assert [one["method"] for one in made["failures"]] == list(c.failures) == ["chefer"]
    (pair,), (expected,) = made["agreement"], c.agreement()
    assert pair["correlation"] == pytest.approx(expected.correlation) and (pair["first"], pair["second"]) == ("l1", "l2")


def test_evaluations_keep_their_numbers():
    made, t = documents.of("evaluation"), documents.result("evaluation")
    assert len(made["rows"]) == len(t.rows)
    for row, expected in zip(made["rows"], t.rows, strict=True):
        assert row["method"] == expected["method"]
        assert row["score"] == (None if expected["score"] is None else pytest.approx(expected["score"], abs=1e-6))


def test_concepts_refer_to_their_layers():
    made, c = documents.of("concepts"), documents.result("concepts")
    ids = {one["id"]: one for one in made["layers"]}
    assert [item["unit"] for item in made["items"]] == [f"channel {one.channel}" for one in c]
    for n, item in enumerate(made["items"]):
        np.testing.assert_allclose(decoded(ids[item["layer"]]), c.maps.heat(n), atol=1e-5)
        assert len(item["crops"]) == len(c.examples[n])


# -- safe and small -----------------------------------------------------------------------------------------------------------


def test_words_of_others_stay_words():
    made = documents.of("table")
    assert {one["label"] for one in made["classes"]} == set(documents.LABELS)
    arabic = pl.Explanation(torch.ones(1, 1, 2, 2), torch.ones(1), 'logit 0 "قطة 猫 नमस्ते 👩\u200d🚀"', "lrp", True)
    text = json.dumps(pl.document(arabic), ensure_ascii=False)
    assert "قطة 猫 नमस्ते 👩\u200d🚀" in text
    commanding = pl.Explanation(torch.ones(1, 1, 2, 2), torch.ones(1), "a\x1b[2J\u202eb", "lrp", True, notes=("\x00",))
    assert not re.search("[\x00-\x1f\u202e]", json.dumps(pl.document(commanding), ensure_ascii=False))


def test_a_case_is_small():
    assert size(documents.of("cat")) <= 90_000


def test_eight_detailed_methods_are_small():
    made = documents.of("eight")
    assert len(made["layers"]) == 8 and size(made) <= 280_000
    for one, e in zip(made["layers"], documents.result("eight").explanations.values(), strict=True):
        heat = e.heat().numpy() if e.signed else e.heat().abs().numpy()
        assert one["shape"] == [224, 224] and one["levels"] >= 7  # a page of eight maps has at most 400 kB, viewer included
        assert np.abs(decoded(one) - heat).max() <= one["scale"]["limit"] / one["levels"] / 2 * (1 + 1e-5)
