"""`evaluate` on what is no picture: tokens as vectors, signals, tables, pictures with the channels last."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import pellucid as pl
from pellucid.errors import InputError, MethodError
from pellucid.zoo import truth
from tests.cases import CASE

TOKENS = truth.planted_tokens(6, seed=0)  # (sample, token, channel); one token alone carries the class


def on_tokens(methods, metrics, **how):
    return pl.evaluate(TOKENS.model, TOKENS.inputs, methods, metrics, TOKENS.labels.tolist(), channels=-1, **how)


def test_a_token_with_all_its_channels_is_a_place():
    t = on_tokens({"lrp": "lrp.epsilon"}, ["relevance_mass", "pointing_game", "roc_auc", "complexity"], masks=TOKENS.masks)
    scores = {row["metric"]: row["score"] for row in t.rows}
    assert scores["relevance_mass"] == pytest.approx(1, abs=1e-5) and scores["pointing_game"] == scores["roc_auc"] == 1
    assert scores["complexity"] == pytest.approx(0, abs=1e-4)  # one token has it all: entropy 0


def test_relevance_of_tokens_reaches_the_best_order():
    t = on_tokens({"lrp": "lrp.epsilon"}, ["srg", "pixel_flipping"], imputer=0.0, ceiling=True)
    for row in t.rows:
        assert row["score"] == pytest.approx(row["ceiling"], abs=1e-5) and abs(row["floor"] - row["ceiling"]) > 0.3


def test_windows_of_perturbation_lie_along_tokens():
    t = on_tokens({"ablation": pl.perturb.feature_ablation(regions=pl.perturb.Entries())}, ["relevance_mass"], masks=TOKENS.masks)
    assert t.rows[0]["score"] == pytest.approx(1, abs=0.01)


def test_tokens_are_judged_as_the_signal_they_are_when_turned():
    """The slow twin: a network that turns its input itself."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = CASE["attending"].net()

        def forward(self, x):
            return self.net(x.transpose(1, 2))

    case = CASE["attending"]
    metrics = ["srg", "region_perturbation", "infidelity", "max_sensitivity", "randomization", "road"]
    one = pl.evaluate(case.net(), case.inputs(), ["gradient_x_input"], metrics, 1, channels=-1)
    other = pl.evaluate(Own().eval(), case.inputs().transpose(1, 2).contiguous(), ["gradient_x_input"], metrics, 1)
    for mine, theirs in zip(one.rows, other.rows, strict=True):
        assert mine["score"] == pytest.approx(theirs["score"], abs=1e-5) and mine["floor"] == theirs["floor"]
    assert not one.failures and not other.failures


def test_functions_of_tokens_are_turned_too():
    net = CASE["attending"].net()
    t = pl.evaluate(lambda x: net(x), CASE["attending"].inputs(), ["occlusion"], ["srg"], 1, channels=-1)
    assert t.rows[0]["n"] == 3


@pytest.mark.parametrize("channels, shape", [(3, (2, 3, 4)), (0, (2, 3, 4)), (-1, (2, 12))])
def test_an_axis_that_is_not_there_is_refused(channels, shape):
    with pytest.raises(InputError, match=r"for \(batch, token, channel\) say -1"):
        pl.evaluate(nn.Flatten().eval(), torch.zeros(shape), ["gradient"], ["srg"], 0, channels=channels)


def test_masks_of_tokens_say_what_to_do():
    with pytest.raises(InputError, match="say channels=-1 if the channels come last"):
        pl.evaluate(TOKENS.model, TOKENS.inputs, ["gradient"], ["relevance_mass"], masks=TOKENS.masks)


def test_pictures_with_the_channels_last_are_judged_as_those_with_the_channels_first():
    case = CASE["plain"]

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = case.net()

        def forward(self, x):
            return self.net(x.permute(0, 3, 1, 2))

    x = case.inputs()
    one = pl.evaluate(Last().eval(), x.permute(0, 2, 3, 1), ["lrp"], ["pixel_flipping"], 1, channels=-1)
    other = pl.evaluate(case.net(), x, ["lrp"], ["pixel_flipping"], 1)
    assert one.rows[0]["score"] == pytest.approx(other.rows[0]["score"], abs=1e-5)


# parts and fillings of one's own


def test_regions_and_imputer_take_the_place_of_those_of_every_metric():
    case = CASE["signal"]
    t = pl.evaluate(
        case.net(), case.inputs(), ["lrp"], ["srg", "pixel_flipping"], 1, regions=pl.perturb.Grid(6), imputer=pl.perturb.blur()
    )
    assert all(metric.scheme.regions == pl.perturb.Grid(6) for metric in t.metrics.values())
    assert t.rows[0]["reliability"] == t.rows[1]["reliability"]  # one experiment for both
    by_hand = pl.metrics.SRG(pl.metrics.Scheme(pl.perturb.Grid(6), pl.perturb.blur(), pl.metrics.Log(15), weigh="mean"))
    assert pl.evaluate(case.net(), case.inputs(), ["lrp"], [by_hand], 1).rows[0]["score"] == t.rows[0]["score"]


def test_regions_may_be_drawn_by_hand():
    case = CASE["dense"]
    columns = torch.arange(12) // 4
    t = pl.evaluate(case.net(), case.inputs(), ["lrp"], ["srg"], 1, regions=columns, imputer=0.0)
    assert t.rows[0]["ceiling"] is not None and t.forwards < 3 * 9


def test_what_is_no_imputer_is_refused():
    with pytest.raises((InputError, MethodError), match="imputer"):
        pl.evaluate(CASE["dense"].net(), CASE["dense"].inputs(), ["lrp"], ["srg"], 1, imputer="grey")


@pytest.mark.parametrize("name", ["signal", "dense", "curved", "volume"])
def test_signals_tables_and_volumes_have_parts_that_suit_them(name):
    case = CASE[name]
    t = pl.evaluate(case.net(), case.inputs(), ["lrp", "gradient"], ["srg", "region_perturbation", "road", "infidelity"], 1)
    assert not t.failures and all(row["score"] is not None for row in t.rows)


# texts and token ids

GIVEN = ["good film", "a bad film of a good kind", "good good bad"]


def reader():
    from tests.readers import Bag, made

    return made(Bag("sum", None))


def test_texts_are_judged_by_their_tokens_whatever_their_lengths():
    model = reader()
    t = pl.evaluate(model, GIVEN, ["lrp.zero", "occlusion"], ["srg", "pixel_flipping"], 1, ceiling=True)
    assert not t.failures and t.rows[0]["n"] == 3 and "3 samples of 3 sizes" in t.asked
    alone = [pl.evaluate(model, [one], ["lrp.zero"], ["srg"], 1).scores["lrp.zero", "srg"].values for one in GIVEN]
    assert torch.allclose(torch.cat(alone), t.scores["lrp.zero", "srg"].values, atol=1e-6)


def test_padding_is_no_part_of_a_text():
    model = reader()
    ids, _ = model.preprocess.batch(GIVEN)
    assert len({len(model.preprocess.encode(one).ids) for one in GIVEN}) > 1
    texts = pl.evaluate(model, GIVEN, ["lrp.zero"], ["srg", "sparseness"], 1)
    padded = pl.evaluate(model, ids, ["lrp.zero"], ["srg", "sparseness"], 1)
    assert [row["score"] for row in texts.rows] == pytest.approx([row["score"] for row in padded.rows], abs=1e-6)


def test_a_curve_of_tokens_by_hand():
    """Pixel flipping of a text, token by token: blanks in their place, special tokens left alone."""
    model, text = reader(), GIVEN[1]
    values = pl.explain(model, text, 1, method="lrp.zero").values[0]
    ids, tokens = model.preprocess.batch([text])
    spoken = [place for place, kind in enumerate(tokens.kinds[0]) if kind == "text"]
    heights, rest = [float(model(ids)[0, 1])], ids.clone()
    for place in sorted(spoken, key=lambda place: -float(values[place])):
        rest[0, place] = model.preprocess.blank_id
        heights.append(float(model(rest)[0, 1]))
    by_hand = float(torch.trapezoid(torch.tensor(heights))) / len(spoken)
    t = pl.evaluate(model, text, ["lrp.zero"], ["pixel_flipping"], 1)
    assert t.rows[0]["score"] == pytest.approx(by_hand, abs=1e-5)


def test_parts_of_a_text_may_be_words_and_the_blank_another_token():
    model = reader()
    t = pl.evaluate(model, GIVEN[1], ["lrp.zero"], ["srg"], 1, regions=pl.perturb.words(), imputer=model.preprocess.id("film"))
    assert t.metrics["srg"].scheme.regions.by == "word" and t.rows[0]["score"] is not None


def test_the_truth_may_be_told_for_texts_of_any_length():
    model = reader()
    masks = [torch.arange(len(model.preprocess.encode(one).ids)) == 0 for one in GIVEN]
    t = pl.evaluate(model, GIVEN, ["lrp.zero"], ["relevance_rank"], 1, masks=masks)
    assert t.rows[0]["n"] == 3


@pytest.mark.parametrize("name", ["infidelity", "max_sensitivity", "input_invariance", "completeness"])
def test_what_moves_entries_by_a_little_says_nothing_of_ids(name):
    with pytest.raises(InputError, match="a perturbed id is another token"):
        pl.evaluate(reader(), GIVEN[0], ["lrp.zero"], [name], 1)


@pytest.mark.parametrize("name", ["randomization", "random_logit", "implementation_invariance"])
def test_methods_are_asked_again_about_texts(name):
    t = pl.evaluate(reader(), GIVEN[1:2], ["gradient_x_input"], [name], 1)
    assert not t.failures and t.rows[0]["score"] is not None


def test_ids_without_a_tokenizer_need_a_blank():
    model = reader()
    ids, _ = model.preprocess.batch(GIVEN[:1])
    bare = pl.load(model.module)
    with pytest.raises(InputError, match="imputer=103"):
        pl.evaluate(bare, ids, ["lrp.zero"], ["srg"], 1)
    assert pl.evaluate(bare, ids, ["lrp.zero"], ["srg"], 1, imputer=0).rows[0]["score"] is not None


def test_auto_chooses_for_a_text():
    e = pl.explain(reader(), GIVEN[1], 1, method="auto")
    assert e.notes[0].startswith("`auto` chose") and e.subject is not None
