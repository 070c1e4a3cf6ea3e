"""Why the one rather than the other: `versus=` is the difference of two scores, and everything that shows it tells both apart."""

from __future__ import annotations

import json
from html import unescape

import pytest
import torch

import pellucid as pl
from pellucid.core.numbers import figure
from pellucid.errors import TargetError
from pellucid.render import page
from pellucid.render.svg import svg
from tests import gguf_files


@pytest.fixture(scope="module")
def speaker():
    """A small language model, and how it reads texts."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokens, merges = gguf_files.vocabulary()
    own = Tokenizer(models.BPE({t: n for n, t in enumerate(tokens)}, [tuple(merge.split()) for merge in merges]))
    own.pre_tokenizer, own.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    names = dict(zip(("unk_token", "bos_token", "eos_token"), gguf_files.SPECIAL, strict=False))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=own, **names)
    tokenizer.chat_template = gguf_files.TEMPLATE
    return pl.load(gguf_files.llama(), preprocess=pl.Text(tokenizer))


PROMPT = "When Mary and John went to the store, John gave a drink to"


@pytest.mark.parametrize("method", ["lrp", "gradient_x_input", "integrated_gradients", "feature_ablation"])
def test_it_is_the_difference_of_both_scores(speaker, method):
    one = pl.explain(speaker, PROMPT, " Mary", method, versus=" John")
    other = pl.explain(speaker, PROMPT, pl.token(" Mary") - pl.token(" John"), method)
    torch.testing.assert_close(one.values, other.values, rtol=0, atol=0)
    assert one.target == other.target == 'token 45 " Mary" - token 52 " John" at the last position'


def test_a_linear_method_says_of_both_what_it_says_of_each(speaker):
    mary, john = (pl.explain(speaker, PROMPT, name, "gradient_x_input") for name in (" Mary", " John"))
    both = pl.explain(speaker, PROMPT, " Mary", "gradient_x_input", versus=" John")
    torch.testing.assert_close(both.values, mary.values - john.values, rtol=1e-4, atol=1e-6)
    ((_, first), (_, second)) = both.contrast[0]
    assert first == pytest.approx(float(mary.output)) and second == pytest.approx(float(john.output))


def test_captions_say_which_sign_speaks_for_which_and_how_each_scores(speaker):
    e = pl.explain(speaker, PROMPT, " Mary", "gradient_x_input", versus=" John")
    ((one, first), (other, second)) = e.contrast[0]
    assert (one, other) == ('" Mary"', '" John"')
    assert f'Positive values speak for " Mary" ({figure(first)}), negative ones for " John" ({figure(second)}).' in e.caption()
    sizes = pl.explain(speaker, PROMPT, " Mary", "saliency", versus=" John")
    assert 'Compared are " Mary"' in sizes.caption() and "Positive" not in sizes.caption()
    assert not pl.explain(speaker, PROMPT, " Mary", "gradient_x_input").contrast


def test_pictures_pages_and_terminals_name_both_ends_of_the_scale(speaker):
    e = pl.explain(speaker, PROMPT, " Mary", "gradient_x_input", versus=" John")
    assert '(++) for " Mary"  (--) for " John" ·' in pl.render.terminal(e, colour=False)
    assert ' for " John" ' in pl.render.terminal(e, colour=True)
    for drawn in map(unescape, (page(e, script=False), svg(e))):
        assert 'speaks for " Mary" +' in drawn and 'speaks for " John" -' in drawn and "against" not in drawn


def test_the_predicted_one_is_compared_where_none_is_named(speaker):
    e = pl.explain(speaker, PROMPT, versus=" John", method="gradient_x_input")
    best = int(speaker(speaker.read(PROMPT))["logits"][0, -1].argmax())
    assert e.target.startswith(f"token {best} ") and e.contrast[0][1][0] == '" John"'


def test_the_same_twice_is_refused(speaker):
    for x, net, name in ((PROMPT, speaker, " Mary"), (torch.ones(1, 4), torch.nn.Linear(4, 3).eval(), 2)):
        with pytest.raises(TargetError, match="found the same twice; their difference is zero"):
            pl.explain(net, x, name, versus=name)


def test_classes_are_compared_by_label_in_every_row_of_a_batch(tmp_path):
    net = pl.load(torch.nn.Linear(4, 3).eval(), labels=["cat", "dog", "owl"])
    x = torch.rand(2, 4)
    e = pl.explain(net, x, ["cat", "owl"], "gradient_x_input", versus="dog")
    assert [[side[0] for side in pair] for pair in e.contrast] == [['"cat"', '"dog"'], ['"owl"', '"dog"']]
    assert e[1].contrast == e.contrast[1:] and [side[1] for side in e.contrast[1]] == pytest.approx(net(x)[1, [2, 1]].tolist())
    assert 'speak for "owl"' in e.caption(1) and '++ + for "cat"' not in pl.render.terminal(e, sample=1, colour=False)
    again = pl.Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert again.contrast == e.contrast and again.caption(1) == e.caption(1)
    assert json.loads(e.save(tmp_path / "e.json").read_text())["contrast"][0][0][0] == '"cat"'


def test_texts_of_a_batch_are_compared_one_by_one(speaker):
    e = pl.explain(speaker, [PROMPT, "When Mary went to"], " Mary", "gradient_x_input", versus=" John")
    alone = pl.explain(speaker, "When Mary went to", " Mary", "gradient_x_input", versus=" John")
    assert len(e.contrast) == 2 and e.contrast[1][0][1] == pytest.approx(alone.contrast[0][0][1], rel=1e-4)


def test_comparisons_of_methods_take_it_too(speaker):
    c = pl.compare(speaker, PROMPT, ["gradient_x_input", "feature_ablation"], " Mary", versus=" John")
    assert [c[name].contrast[0][1][0] for name in c] == ['" John"'] * 2


def test_weighted_sums_and_single_scores_are_no_contrast():
    net = torch.nn.Linear(4, 3).eval()
    for target in (pl.logit(0) - 0.5 * pl.logit(1), pl.logit(0) + pl.logit(1), pl.logit(0) - pl.logit(1) - pl.logit(2), 1):
        assert pl.explain(net, torch.ones(1, 4), target, "gradient_x_input").contrast == ()


def test_the_place_that_two_tokens_are_read_at_is_said_once(speaker):
    same, apart = pl.token(45) - pl.token(52), pl.token(45, position=2) - pl.token(52, position=3)
    assert str(pl.explain(speaker, PROMPT, same, "gradient_x_input").target).count("at the last position") == 1
    said = pl.explain(speaker, PROMPT, apart, "gradient_x_input").target
    assert said == 'token 45 " Mary" at position 2 - token 52 " John" at position 3'
    assert str(pl.logit(1) - pl.logit(2)) == "logit 1 - logit 2"
