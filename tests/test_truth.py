"""Problems whose truth is known: that it is what they say, that they are seeded, and that they leave everything alone."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

import pellucid as pl
from pellucid.errors import InputError, MethodError
from pellucid.zoo import truth

PROBLEMS = {
    "weighted_sum": truth.weighted_sum,
    "products": truth.products,
    "any_of": truth.any_of,
    "all_of": truth.all_of,
    "piecewise_linear": truth.piecewise_linear,
    "two_patches": truth.two_patches,
    "planted_patterns": truth.planted_patterns,
    "planted_tokens": truth.planted_tokens,
    "shapes": truth.shapes,
    "pasted": truth.pasted,
    "pasted scenes": lambda n, seed: truth.pasted(n, seed=seed, labels="scene"),
    "birds": truth.birds,
    **{f"tetrominoes {kind}": lambda n, seed, kind=kind: truth.tetrominoes(n, seed=seed, kind=kind) for kind in
       ("linear", "multiplicative", "rotation", "xor")},
    "smooth tetrominoes": lambda n, seed: truth.tetrominoes(n, seed=seed, smooth=True),
    "gaussian": truth.gaussian,
    "clusters": truth.clusters,
    **{f"grammar {kind}": lambda n, seed, kind=kind: truth.grammar(n, seed=seed, kind=kind) for kind in
       ("trigger", "bigram", "negation", "agreement")},
    "watermark": truth.watermark,
    "hidden": truth.hidden,
    "templates": lambda n, seed: truth.templates(seed=seed, classes=n),
}  # fmt: skip
FORMULAS = ("weighted_sum", "products", "any_of", "all_of", "piecewise_linear")
BUILT = ("planted_patterns", "planted_tokens", "two_patches")  # networks by hand


@pytest.fixture(params=PROBLEMS)
def make(request):
    return PROBLEMS[request.param]


# what all of them keep


def test_a_problem_holds_together(make):
    p = make(8, seed=0)
    assert len(p) == len(p.labels) == len(p.masks) == 8
    assert p.masks.dtype == torch.bool and p.masks.flatten(1).any(1).all()
    places = p.inputs.shape[2:] if p.inputs.dim() == 4 else p.inputs.shape[1 : p.inputs.dim() - (p.inputs.dim() == 3)]
    assert p.masks.shape[1:] == places
    assert all(mask.shape == p.masks.shape and mask.dtype == torch.bool for mask in p.parts.values())
    assert all(len(value) == 8 for value in p.also.values())
    assert p.labels.min() >= 0 and p.labels.max() < len(p.classes)
    assert p.exact is None or p.exact.shape == p.inputs.shape
    assert p.inputs.isfinite().all() and p.inputs.dtype == torch.float32


def test_the_same_seed_gives_the_same_bits_and_another_does_not(make):
    one, same, other = make(8, seed=3), make(8, seed=3), make(8, seed=4)
    assert torch.equal(one.inputs, same.inputs) and torch.equal(one.labels, same.labels) and torch.equal(one.masks, same.masks)
    told = (other.inputs, other.exact) if other.exact is not None else (other.inputs,)
    assert not all(torch.equal(a, b) for a, b in zip(told, (one.inputs, one.exact), strict=False))


def test_nobody_elses_random_numbers_are_touched(make):
    before = torch.random.get_rng_state()
    make(4, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_changes_give_new_inputs_and_leave_the_old(make):
    p = make(8, seed=0)
    kept = p.inputs.clone()
    for change in p.changes:
        after = p.after(change)
        assert after.shape == p.inputs.shape and after.data_ptr() != p.inputs.data_ptr(), change
    assert torch.equal(p.inputs, kept)


def test_a_change_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="weighted_sum after 'rain': found changes without the secret, without the rest"):
        truth.weighted_sum(2).after("rain")


# formulas


@pytest.mark.parametrize("name", FORMULAS)
def test_exact_values_sum_to_the_score(name):
    p = PROBLEMS[name](16, seed=1)
    start = p.model(torch.zeros(1, 8))[0, 0]
    assert torch.allclose(p.exact.sum(1), p.model(p.inputs)[:, 0] - start, atol=1e-5)
    assert p.exact[~p.masks].abs().max() < 1e-6


@pytest.mark.parametrize("name", FORMULAS)
def test_only_the_secret_counts(name):
    p = PROBLEMS[name](16, seed=1)
    assert torch.equal(p.model(p.after("without the rest")), p.model(p.inputs))
    gone = p.model(p.after("without the secret"))
    assert torch.equal(gone, gone[:1].expand_as(gone))


def test_shapley_values_are_the_mean_over_all_orders(rng):
    x, base = torch.randn(3, 4, generator=rng), torch.randn(3, 4, generator=rng)

    def f(x):
        return x[:, 0] * x[:, 1] * x[:, 2] + x[:, 3].relu() * x[:, 0]

    total = torch.zeros(3, 4)
    for order in permutations(range(4)):
        now, before = base.clone(), f(base)
        for i in order:
            now[:, i] = x[:, i]
            total[:, i] += f(now) - before
            before = f(now)
    assert torch.allclose(truth.shapley_values(f, x, base), total / 24, atol=1e-5)


@pytest.mark.parametrize("name", ["weighted_sum", "piecewise_linear", "products", "all_of", "any_of"])
def test_integrated_gradients_are_exact_where_they_ought_to_be(name):
    p = PROBLEMS[name](8, seed=0)
    assert torch.allclose(pl.explain(p.model, p.inputs, 0, "integrated_gradients").values, p.exact, atol=1e-5)


# networks by hand


@pytest.mark.parametrize("name", BUILT)
def test_a_network_by_hand_names_the_class(name):
    p = PROBLEMS[name](32, seed=0)
    assert truth.accuracy(p.model, p) == 1


@pytest.mark.parametrize("change", ["without the decoy", "another ground"])
def test_nothing_outside_a_planted_pattern_counts(change):
    p = truth.planted_patterns(16, seed=2)
    assert torch.allclose(p.model(p.after(change)), p.model(p.inputs), atol=1e-5)
    assert (p.model(p.after("without the pattern")) == 0).all()


@pytest.mark.parametrize(
    "method", ["gradient", "gradient_x_input", "lrp", "lrp.epsilon_plus", "integrated_gradients", "guided_backprop"]
)
def test_no_method_that_follows_the_network_marks_anything_but_the_pattern(method):
    p = truth.planted_patterns(8, seed=0)
    t = pl.evaluate(p.model, p.inputs, [method], ["relevance_mass"], p.labels.tolist(), masks=p.masks)
    assert t.rows[0]["score"] == pytest.approx(1, abs=1e-6)
    assert (pl.explain(p.model, p.inputs, p.labels.tolist(), method).values[:, 0][~p.masks] == 0).all()


def test_other_tokens_do_not_count():
    p = truth.planted_tokens(16, seed=0)
    assert torch.allclose(p.model(p.after("other tokens")), p.model(p.inputs), atol=1e-6)
    heat = pl.explain(p.model, p.inputs, p.labels.tolist(), "gradient_x_input").values.sum(2)
    assert heat[~p.masks].abs().max() < 1e-9 < 0.9 < heat[p.masks].min()


# pictures


def test_another_question_has_another_truth():
    p = truth.shapes(32, seed=0)
    asked = p.after("another question")
    assert torch.equal(asked[:, :3], p.inputs[:, :3]) and not torch.equal(asked[:, 3:], p.inputs[:, 3:])
    assert (p.also["another question"] != p.labels).any()
    assert not (p.masks & p.parts["other shapes"]).any()


def test_what_is_taken_off_was_where_the_mask_says():
    p = truth.birds(16, seed=0)
    for part in ("eye", "beak", "wing", "tail", "foot"):
        changed = (p.after(f"without the {part}") != p.inputs).any(1)
        assert changed.any() and not (changed & ~p.parts[part]).any()
    outside = (p.after("another ground") != p.inputs).any(1)
    assert not (outside & p.parts["bird"]).any()


def test_sufficient_parts_tell_the_bird_and_fewer_do_not():
    from pellucid.zoo.truth.birds import PARTS, table

    names, kinds = list(PARTS), table()

    def fitting(label, some):
        columns = [names.index(part) for part in some]
        return [other for other in range(len(kinds)) if torch.equal(kinds[other, columns], kinds[label, columns])]

    for label in range(len(kinds)):
        assert truth.sufficient(label)
        for some in truth.sufficient(label):
            assert len(some) > 1 and fitting(label, some) == [label]
            assert all(len(fitting(label, some - {part})) > 1 for part in some)


def test_pasted_objects_have_two_labels():
    by_object, by_scene = truth.pasted(32, seed=0), truth.pasted(32, seed=0, labels="scene")
    assert torch.equal(by_object.inputs, by_scene.inputs) and torch.equal(by_object.also["scene"], by_scene.labels)
    assert torch.equal(by_object.masks, ~by_scene.masks)
    same = by_object.after("another scene") == by_object.inputs
    assert same.all(1)[by_object.masks].all()


def test_tetrominoes_turned_anywhere_have_four_pixels():
    p = truth.tetrominoes(64, seed=0, kind="rotation")
    assert (p.masks.flatten(1).sum(1) == 4).all()
    assert len({tuple(mask.flatten().nonzero()[:, 0].tolist()) for mask in p.masks}) > 30


def test_equal_signs_are_class_zero():
    p = truth.tetrominoes(64, seed=0, kind="xor", strength=0.999)
    first, second = p.inputs[:, 0, 1, 2].sign(), p.inputs[:, 0, 4, 5].sign()
    assert torch.equal(p.labels, (first != second).long())


def test_smooth_noise_goes_together():
    def neighbours(smooth):
        x = truth.tetrominoes(256, seed=0, smooth=smooth, strength=0.0).inputs[:, 0]
        return float(torch.corrcoef(torch.stack([x[:, 4, 4], x[:, 4, 5]]))[0, 1])

    assert neighbours(smooth=True) > 0.8 and abs(neighbours(smooth=False)) < 0.2


def test_the_watermark_comes_with_one_class():
    p = truth.watermark(512, seed=0, share=0.8)
    marked, first = p.also["marked"], p.labels == 0
    assert 0.7 < float(marked[first].float().mean()) < 0.9 and not marked[~first].any()
    pasted = p.after("with the mark")
    assert torch.equal(pasted[marked], p.inputs[marked])
    assert not torch.equal(p.after("without the mark")[marked], p.inputs[marked])
    changed = (pasted != p.after("without the mark")).any(1)
    assert not (changed & ~p.parts["mark"]).any()


def test_hidden_parts_are_behind_what_says_nothing():
    grey = truth.hidden(16, seed=0, occluder="grey", visible=1)
    assert (grey.inputs[:, 0][grey.parts["hidden"]] == 0.5).all()
    assert not (grey.masks & grey.parts["hidden"]).any()
    revealed = grey.after("revealed")[:, 0][grey.parts["hidden"]]
    assert set(revealed.unique().tolist()) == {0.0, 1.0}
    assert (grey.after("nothing visible")[:, 0][grey.masks] == 0.5).all()
    black = truth.hidden(16, seed=0, occluder="zero", visible=2)
    assert torch.equal(black.after("drawn anew"), black.inputs)


# rows and words


def test_conditional_values_of_independent_entries_are_the_interventional_ones():
    p = truth.gaussian(16, seed=0, correlation=0.0)
    assert torch.allclose(p.also["conditional"], p.exact, atol=1e-5)
    together = truth.gaussian(16, seed=0, correlation=0.8)
    assert together.also["conditional"][~together.masks].abs().max() > 0.1


def test_conditional_values_of_two_entries_are_those_on_paper():
    weights, x, r = torch.tensor([2.0, 0.0]), torch.tensor([[1.0, 3.0]]), 0.5
    values = truth.conditional_shapley(weights, torch.tensor([[1.0, r], [r, 1.0]]), x)
    alone = 2 * r * 3  # v({2}) = w_1 E[x_1 | x_2]
    assert torch.allclose(values, torch.tensor([[(2 + 2 - alone) / 2, alone / 2]]), atol=1e-6)


def test_entries_that_do_not_count_in_a_cluster_do_not():
    p = truth.clusters(32, seed=0)
    assert truth.accuracy(p.model, p) == 1
    assert torch.allclose(p.model(p.after("without the rest")), p.model(p.inputs), atol=1e-5)
    assert torch.allclose(p.exact.sum(1), p.model(p.inputs)[range(32), p.labels], atol=1e-5)


@pytest.mark.parametrize("kind", ["trigger", "bigram", "negation", "agreement"])
def test_a_reader_of_plain_words_finds_the_label(kind):
    p = truth.grammar(64, seed=0, kind=kind)
    assert [_read(truth.words(x).split(), kind) for x in p.inputs] == p.labels.tolist()


def _read(said, kind):
    from pellucid.zoo.truth.grammar import BAD, GOOD, MANY, ONE

    if kind == "bigram":
        return int("red wine" in " ".join(said))
    if kind == "agreement":
        return int(next(word for word in said if word in ONE + MANY) in MANY)
    place = next(i for i, word in enumerate(said) if word in GOOD + BAD)
    turned = kind == "negation" and said[max(place - 1, 0)] == "not"
    return int((said[place] in GOOD) != turned)


def test_without_the_words_that_tell_there_is_nothing_but_fillers():
    from pellucid.zoo.truth.grammar import FILLERS

    p = truth.grammar(16, seed=0, kind="negation")
    assert all(set(truth.words(x).split()) <= set(FILLERS) for x in p.after("without the words that tell"))


def test_a_word_that_is_turned_round_speaks_against():
    p = truth.grammar(64, seed=0, kind="negation")
    turned = (p.also["signs"] == -1).any(1)
    assert 10 < int(turned.sum()) < 54
    assert ((p.also["signs"] == 1).sum(1) == 1).all()


@pytest.mark.parametrize("make", [lambda: truth.grammar(4, kind="verse"), lambda: truth.tetrominoes(4, kind="cube")])
def test_unknown_kinds_are_refused(make):
    with pytest.raises(MethodError, match="Choose one of"):
        make()


# what excites a network


def test_the_optimum_is_the_template():
    p = truth.templates(seed=0)
    m = pl.maximize(p.model, [0, 1], "erhan2009", shape=(3, 16, 16))
    assert truth.cosine(m.images, p.exact[:2]).min() > 0.99


def test_nothing_in_the_box_excites_more(rng):
    p = truth.templates(seed=0)
    best = p.model(p.also["in the box"]).diagonal()
    assert (p.model(torch.rand(256, 3, 16, 16, generator=rng)).amax(0) < best).all()


# learning


def test_a_small_network_learns_and_knows_what_it_has_not_seen():
    train, test = truth.grammar(512, seed=0, kind="negation"), truth.grammar(256, seed=1, kind="negation")
    net = truth.learn(train, steps=150)
    assert truth.accuracy(net, test) > 0.95
    assert not net.training and not any(parameter.requires_grad for parameter in net.parameters())


def test_learning_is_seeded_and_leaves_everything_alone():
    p, before = truth.clusters(64, seed=0), torch.random.get_rng_state()
    kept = p.inputs.clone()
    with torch.no_grad():
        one = truth.learn(p, steps=5)
    with torch.inference_mode():
        same = truth.learn(p, steps=5)
    other = truth.learn(p, steps=5, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before) and torch.equal(p.inputs, kept) and torch.is_grad_enabled()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_model_contrast_is_that_of_the_shares_in_the_object():
    masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    masks[:, :2] = True
    here, even = masks.float(), torch.ones(1, 4, 4)
    assert truth.model_contrast(here, even, masks) == 0.5 and truth.model_contrast(even, -3 * even, masks) == 0


@pytest.mark.slow
def test_objects_count_for_the_network_that_learned_objects():
    objects, scenes = truth.pasted(1024, seed=0), truth.pasted(1024, seed=0, labels="scene")
    nets = truth.learn(objects, steps=600), truth.learn(scenes, steps=200)
    test = truth.pasted(64, seed=1)
    labels = (test.labels, test.also["scene"])
    for method in ("lrp", "integrated_gradients"):
        heats = [pl.explain(net, test.inputs, y.tolist(), method).values.sum(1) for net, y in zip(nets, labels, strict=True)]
        low, _ = pl.metrics.interval(truth.model_contrast(*heats, test.masks))
        assert low > 0, method
