"""Randomisation: who notices that a model has forgotten what it learned, and that the model itself never does."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.catalogue.methods import method
from pellucid.errors import MethodError
from pellucid.metrics import Answer, EfficientRandomization, Question, Randomization, RandomLogit, SmoothRandomization, question
from pellucid.metrics.sensitivity.random_weights import copy_model, layer_stages, normal_like, randomise, weighted_layers
from pellucid.metrics.sensitivity.randomisation import entropy
from pellucid.metrics.sensitivity.similarity import cosine, map_similarity, ssim
from pellucid.target import as_target
from tests.reference import literature_twins as twin

MPRT = (Randomization(), SmoothRandomization(n=3), EfficientRandomization())


def small() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            *(nn.Conv2d(3, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 4)),
        ).eval()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return small().requires_grad_(False)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def asked(net: object, x: Tensor, target: object = None) -> Question:
    return question(pl.load(net), x, as_target(target), floor=False, ceiling=False)


def answer(made: Question, name: str) -> Answer:
    chosen = method(name)
    found = chosen.attribute(made.model, made.x, made.target)
    return Answer(found.values, chosen.signed, found.shared, chosen)


# what the test is for


FREE = (
    "gradient",
    "gradient_x_input",
    "integrated_gradients",
    "lrp.epsilon",
    "lrp.epsilon_alpha2_beta1",
    "lrp.epsilon_gamma_box",
)


@pytest.mark.parametrize("name", FREE)
def test_gradients_and_relevance_depend_on_the_upper_weights_and_guided_backprop_does_not(net, pictures, name):
    made = asked(net, pictures)
    free, guided = (Randomization().curve(made, answer(made, one)) for one in (name, "guided_backprop"))
    assert free.stages == (("11",), ("9",), ("5",), ("2",), ("0",))  # the two dense layers are the upper weights
    assert guided.similarity[:2].abs().mean() > 0.7 > 0.5 > free.similarity[:2].abs().mean()
    assert "The maps hardly depend on the upper weights" in Randomization().score(made, answer(made, "guided_backprop")).notes[0]
    assert "The maps depend on the upper weights" in Randomization().score(made, answer(made, name)).notes[0]


def test_what_hands_on_positive_parts_alone_lies_between(net, pictures):
    made = asked(net, pictures)
    names = ("lrp.epsilon", "lrp.epsilon_plus", "guided_backprop")
    least, between, most = (Randomization().score(made, answer(made, name)).values.mean() for name in names)
    assert least < between < most


def test_guided_backprop_does_not_mind_which_class_it_is_asked_for(pictures):
    """With random weights, as Sixt et al. say: what is asked reaches the first layer as a sign, if at all."""
    made = asked(small(), pictures)
    guided, free = (RandomLogit().score(made, answer(made, name)).values.mean() for name in ("guided_backprop", "gradient"))
    assert guided > 0.7 > 0.3 > free


# by hand


def test_the_curve_is_what_one_would_do_by_hand(net, pictures):
    made, gradient = asked(net, pictures), pl.gradient.Gradient()
    found = Randomization(order="bottom_up", absolute=True).curve(made, answer(made, "gradient"))
    net, classes = copy.deepcopy(net), net(pictures).argmax(1)

    def explain(one: nn.Module) -> Tensor:
        x = pictures.clone().requires_grad_()
        return torch.autograd.grad(one(x).gather(1, classes[:, None]).sum(), x)[0]

    before = explain(net)
    for stage, path in enumerate(("0", "2", "5", "9", "11")):
        with torch.no_grad():
            normal_like(0)(net.get_submodule(path), path)
        after = explain(net)
        for i in range(2):
            expected = twin.spearman(before[i].flatten().abs().tolist(), after[i].flatten().abs().tolist())
            assert float(found.similarity[stage, i]) == pytest.approx(expected, abs=1e-5)
    assert found.forwards == 5 * 2 * 6 and gradient.name == "gradient"
    assert torch.allclose(
        Randomization(order="bottom_up", absolute=True).score(made, answer(made, "gradient")).values, found.mean
    )
    assert [name for name, _ in found.rows] == ["0", "2", "5", "9", "11"]


def test_smooth_maps_are_means_over_noisy_copies(net, pictures):
    made = asked(net, pictures)
    plain = answer(made, "gradient")
    smooth = SmoothRandomization(n=4, sigma=0.1, stages=1).curve(made, plain)
    tiny = SmoothRandomization(n=4, sigma=1e-9, stages=1).curve(made, plain)
    single = Randomization(stages=1).curve(made, plain)
    assert torch.allclose(tiny.similarity, single.similarity, atol=1e-3)
    assert smooth.forwards == 2 * 4 * 2 * 6 and not torch.allclose(smooth.similarity, single.similarity, atol=1e-3)


def test_emprt_is_the_growth_of_the_histograms_entropy(net, pictures):
    made = asked(net, pictures)
    given = answer(made, "gradient")
    (forgetful,) = randomise(made.model, layer_stages(made.model, "top_down", 1), "top_down", normal_like(0))
    after = pl.gradient.Gradient().attribute(forgetful, made.x, made.target).values
    found = EfficientRandomization(bins=30).score(made, given).values
    for i in range(2):
        one, two = (twin.histogram_entropy(v[i].double().flatten().tolist(), 30) for v in (given.values, after))
        assert float(found[i]) == pytest.approx((two - one) / one, rel=1e-6)
    assert EfficientRandomization().score(made, Answer(torch.ones_like(pictures), method=given.method)).values.isnan().all()
    assert math.isnan(entropy(torch.tensor([1.0, math.inf]), 5))


def test_the_other_class_is_asked_for(net, pictures):
    made = asked(net, pictures, 1)
    found = RandomLogit().score(made, answer(made, "gradient")).values
    others = [RandomLogit().score(made, Answer(pl.explain(net, pictures, k, "gradient").values, method=method("gradient")))
              for k in (0, 2, 3)]  # fmt: skip
    assert any(bool((one.values == 1).all()) for one in others)  # it is one of them
    assert (found < 0.99).all()


def test_without_classes_there_is_no_other_one():
    made = asked(lambda x: x.square().sum(1), torch.ones(2, 3), lambda out: out)
    found = RandomLogit().score(made, Answer(torch.ones(2, 3), method=method("gradient")))
    assert found.values.isnan().all() and "no classes" in found.notes[0]


# similarities


def test_ssim_is_wangs():
    a, b = torch.randn(2, 3, 9, 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    one, other = (v.sum(0) / v.sum(0).abs().max() for v in (a, b))
    assert ssim(a, b) == pytest.approx(twin.ssim(one, other, 7), abs=1e-12)
    assert ssim(a, a) == pytest.approx(1) and ssim(a, 5 * a) == pytest.approx(1)


def test_maps_that_say_nothing_are_like_no_other():
    a, zero = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(3)), torch.zeros(3, 8, 8)
    for how in ("spearman", "ssim", "cosine"):
        assert math.isnan(map_similarity(a, zero, how)) and math.isnan(map_similarity(a, a / 0, how))
        assert map_similarity(a, a, how) == pytest.approx(1)
    assert cosine(a, -a) == pytest.approx(-1) and map_similarity(a, -a, "spearman", absolute=True) == pytest.approx(1)


# the copy


@pytest.mark.parametrize("order", ["top_down", "bottom_up", "independent"])
def test_layers_become_random_in_their_order(net, order):
    model = pl.load(net)
    stages = layer_stages(model, order)
    for number, made in enumerate(randomise(model, stages, order, normal_like(1))):
        changed = [name for name in weighted_layers(model) if not same(net, made.module, name)]
        expected = stages[number : number + 1] if order == "independent" else stages[: number + 1]
        assert changed == sorted((name for stage in expected for name in stage), key=int)
    assert number == 4


def same(net: nn.Module, other: nn.Module, name: str) -> bool:
    return torch.equal(net.get_submodule(name).weight, other.get_submodule(name).weight)


def test_every_layer_has_random_numbers_of_its_own_with_the_moments_of_what_it_learned():
    twins = nn.Sequential(nn.Linear(50, 50), nn.Linear(50, 50), nn.Linear(50, 50))
    with torch.no_grad():
        for layer in twins:
            layer.weight.normal_(0.3, 2.0, generator=torch.Generator().manual_seed(0))
            layer.bias.fill_(0.7)
    *_, made = randomise(pl.load(twins.eval()), layer_stages(pl.load(twins), "top_down"), "top_down", normal_like(0))
    first, second, _ = (layer.weight.detach() for layer in made.module)
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.1
    assert float(first.mean()) == pytest.approx(0.3, abs=0.15) and float(first.std()) == pytest.approx(2, rel=0.1)
    assert (made.module[0].bias == 0.7).all()  # numbers that are all the same say nothing, and stay


def test_shared_weights_become_random_once():
    layer = nn.Linear(4, 4)
    assert weighted_layers(pl.load(nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 2)).eval())) == ("0", "3")


def test_many_layers_are_taken_in_groups(net):
    assert layer_stages(pl.load(net), "bottom_up", 2) == (("0", "2", "5"), ("9", "11"))
    assert len(layer_stages(pl.load(net), "top_down", 99)) == 5


@pytest.mark.parametrize("metric", MPRT, ids=lambda m: m.name)
def test_programs_and_scripts_are_judged_as_the_module_they_were_made_of(net, pictures, metric):
    expected = metric.score(asked(net, pictures), answer(asked(net, pictures), "gradient_x_input")).values
    for program in (torch.jit.trace(net, pictures), torch.export.export(net, (pictures,)).module()):
        found = metric.score(asked(program, pictures), answer(asked(program, pictures), "gradient_x_input")).values
        assert torch.allclose(found, expected, atol=1e-4)


def test_a_map_that_only_turns_around_is_as_alike(pictures):
    """Relevance of one layer is x_i w_i; with every weight turned around it is all of the other sign."""
    line = nn.Sequential(nn.Flatten(), nn.Linear(768, 1, bias=False)).eval().requires_grad_(False)

    def turned(module: nn.Module, name: str) -> None:
        module.weight.mul_(-1)

    made = asked(line, pictures, lambda out: out[:, 0])
    found = Randomization().curve(made, answer(made, "gradient_x_input"), turned)
    assert found.similarity.tolist() == [pytest.approx([-1] * 6)] and found.mean.tolist() == pytest.approx([1] * 6)
    assert found.rows == [("1", pytest.approx(1))]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Randomization(order="sideways"), "top_down"),
        (lambda: Randomization(similarity="hog"), "spearman"),
        (lambda: Randomization(stages=0), "stages=0"),
        (lambda: SmoothRandomization(n=0), "n=0"),
        (lambda: EfficientRandomization(bins=1), "bins=1"),
        (lambda: RandomLogit(similarity="hog"), "hog"),
        (lambda: copy_model(pl.load(lambda x: x)), r"pl\.load\(net\)"),
        (lambda: weighted_layers(pl.load(nn.ReLU().eval())), "no module with weights"),
        (lambda: copy_model(pl.load(Stubborn().eval())), "cannot be copied"),
    ],
)
def test_nonsense_is_refused_in_words(make, words):
    with pytest.raises(MethodError, match=words):
        make()


class Stubborn(nn.Linear):
    """Keeps a tensor that carries a graph."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.kept = self.weight * 2
