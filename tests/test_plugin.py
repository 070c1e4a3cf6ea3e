"""Assertions about explanations for users' own tests, and the plugin that lists what they measured."""

from __future__ import annotations

import pytest
import torch

from pellucid.errors import InputError, MethodError
from pellucid.testing import assert_conserves, assert_faithful, assert_not_clever_hans
from pellucid.zoo import truth
from tests.cases import CASE

pytest_plugins = ["pytester"]
MARK = truth.pasted_mark(torch.zeros(1, 24, 24))


@pytest.fixture(scope="module")
def nets():
    """One network whose class 0 came with a mark, and one whose pictures never had any."""
    fair = truth.learn(truth.watermark(512, seed=1, share=0.0, strays=0.0, alike=False), steps=130)
    return {"hans": truth.learn(truth.watermark(256, seed=1, share=0.95), steps=60), "fair": fair}


@pytest.fixture(scope="module")
def test_set():
    return truth.watermark(32, seed=2, share=0.0, alike=False)


# faithful


@pytest.fixture
def plain():
    case = CASE["plain"]
    return case.net(), case.inputs(batch=8)


def test_a_faithful_map_passes_and_says_what_was_measured(plain):
    found = assert_faithful(*plain, "gradient_x_input", min_srg=0.0, target=1)
    assert found.holds and found.words.startswith("gradient_x_input on ") and "has an SRG of 0." in found.words
    assert found.values["srg"].shape == (8,)


def test_too_little_is_said_with_the_worst_samples(plain):
    with pytest.raises(AssertionError, match=r"at least 0.99 was asked for. It is below that. .*Worst: sample \d"):
        assert_faithful(*plain, "gradient_x_input", min_srg=0.99, target=1)


class Upside:
    """The least relevant first."""

    name, signed = "upside down", True

    def attribute(self, model, x, target, at=None):
        from dataclasses import replace

        from pellucid.catalogue.methods import method

        found = method("gradient_x_input").attribute(model, x, target, at)
        return replace(found, values=-found.values)


def test_a_map_that_chance_beats_fails_whatever_was_asked_for(plain):
    with pytest.raises(AssertionError, match="Chance does as well"):
        assert_faithful(*plain, Upside(), min_srg=-1.0, target=1)


def test_an_unknown_method_is_not_an_assertion(plain):
    with pytest.raises(MethodError, match="Nearest"):
        assert_faithful(*plain, "gradent_x_input")


# conserves


def test_the_default_conserves(nets, test_set):
    found = assert_conserves(nets["fair"], test_set.inputs)
    assert "The ledger accounts for all relevance, to" in found.words and float(found.values["apart"].max()) < 0.01


def test_a_rule_whose_biases_absorb_is_told_where_it_went(nets, test_set):
    with pytest.raises(AssertionError, match=r"sums to .* where the score is .* Where it went: explained .* \(bias"):
        assert_conserves(nets["fair"], test_set.inputs, "lrp.epsilon_plus")


def test_a_method_with_a_baseline_is_asked_for_it(nets, test_set):
    with pytest.raises(AssertionError, match="say which: baseline=0"):
        assert_conserves(nets["fair"], test_set.inputs, "integrated_gradients")
    assert_conserves(nets["fair"], test_set.inputs, "integrated_gradients", baseline=0.0, tolerance=0.1)


def test_the_baseline_is_read_with_the_class_of_the_sample():
    net = torch.nn.Linear(2, 2).eval()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        net.bias.copy_(torch.tensor([0.0, 3.0]))  # at zeros the second class is the predicted one
    assert_conserves(net, torch.tensor([[9.0, 1.0]]), "gradient_x_input", baseline=0.0, tolerance=1e-6)


# not clever hans


def test_a_network_that_goes_by_a_mark_is_found_out(nets, test_set):
    place = test_set.parts["mark"][0]
    with pytest.raises(AssertionError) as caught:
        assert_not_clever_hans(nets["hans"], test_set.inputs, place, MARK)
    said = str(caught.value)
    assert "changes the class of" in said and "patches of other images in its place that of" in said
    assert "So the model goes by it: it changes what the model says and its relevance stands out" in said
    assert "Most of those that change become class 0" in said


def test_a_mark_that_the_images_carry_is_found_by_relevance_alone(nets, test_set):
    place = test_set.parts["mark"][0]
    with pytest.raises(AssertionError, match="its relevance stands out"):
        assert_not_clever_hans(nets["hans"], test_set.after("with the mark"), place)


@pytest.mark.parametrize("watermark", [MARK, None])
def test_a_network_that_does_not_is_left_in_peace(nets, test_set, watermark):
    images = test_set.inputs if watermark is not None else test_set.after("with the mark")
    found = assert_not_clever_hans(nets["fair"], images, test_set.parts["mark"][0], watermark, max_flips=0.25)
    assert float(found.values["load"].mean()) < 3


@pytest.mark.parametrize("mask", [torch.ones(24, 24), torch.zeros(24, 24), torch.ones(3, 3)])
def test_a_mask_that_leaves_no_control_is_refused(nets, test_set, mask):
    with pytest.raises(InputError, match="patches of its shape elsewhere are its control"):
        assert_not_clever_hans(nets["fair"], test_set.inputs, mask)


def test_asserting_is_seeded_and_leaves_everything_alone(nets, test_set):
    before, kept = torch.random.get_rng_state(), test_set.inputs.clone()
    one, same = (
        assert_not_clever_hans(nets["fair"], test_set.inputs, test_set.parts["mark"][0], MARK, max_flips=1) for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), before) and torch.equal(test_set.inputs, kept)
    assert str(one) == str(same)


# the plugin

TEST = """
    import pytest
    import torch
    from torch import nn

    def test_it():
        from pellucid.testing import assert_conserves
        assert_conserves(nn.Linear(4, 2, bias=False).eval(), torch.ones(2, 4), "lrp.zero")

    def test_not():
        from pellucid.testing import assert_conserves
        net = nn.Linear(4, 2).eval()
        nn.init.constant_(net.bias, 5.0)
        assert_conserves(net, torch.ones(2, 4), "lrp.zero")

    def test_else():
        assert True
"""


@pytest.fixture
def runs(pytester, pytestconfig):
    """Runs the tests above, with the plugin, whether or not it is installed."""
    pytester.makepyfile(TEST)
    plugin = () if pytestconfig.pluginmanager.hasplugin("pellucid") else ("-p", "pellucid.pytest_plugin")
    return lambda *options: pytester.runpytest_inprocess(*plugin, "-p", "no:cacheprovider", *options)


def test_what_was_measured_is_listed_at_the_end(runs):
    result = runs()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines([
        "*= explanations =*",
        "*::test_it: conserves: of 2 maps by lrp.zero *0.00% apart*",
        "*::test_not: NOT conserves: *sums to * where the score is*bias*",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*::test_else: *")


def test_the_list_can_be_left_out(runs):
    result = runs("--no-explanations")
    result.stdout.no_fnmatch_line("*= explanations =*")


def test_it_goes_into_junits_xml(runs, pytester):
    runs("--junitxml=out.xml")
    assert '<property name="pellucid" value="conserves: of 2 maps' in (pytester.path / "out.xml").read_text(encoding="utf-8")


def test_a_run_without_assertions_has_no_section(pytester, pytestconfig):
    pytester.makepyfile("def test_nothing(): pass")
    plugin = () if pytestconfig.pluginmanager.hasplugin("pellucid") else ("-p", "pellucid.pytest_plugin")
    result = pytester.runpytest_inprocess(*plugin, "-p", "no:cacheprovider")
    result.stdout.no_fnmatch_line("*= explanations =*")
