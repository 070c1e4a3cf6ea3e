"""Recipes about a picture of the user's: inversion, caricature, accentuation; and those of statistics and colour shifts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import InputError, MethodError
from pellucid.synth.canvas import Fourier, Phase
from pellucid.synth.frame import Frame
from pellucid.synth.objective.objective import log_probability
from pellucid.synth.optimize.feature_matching import (
    Distance,
    FeatureDistance,
    Likeness,
    PictureOnly,
    WithReference,
    pictures_only,
)
from pellucid.synth.random import generators
from pellucid.synth.recipes.accentuation import Accentuation
from pellucid.synth.recipes.caricature import Caricature
from pellucid.synth.recipes.deepinversion import NO_STATISTICS, DeepInversion
from pellucid.synth.recipes.maco import Maco
from pellucid.synth.recipes.mahendran2016 import Mahendran2016
from pellucid.synth.recipes.vit2022 import Vit2022
from pellucid.synth.robust import Robust

SIDE = 16


class Net(nn.Module):
    """Edges in eight directions, normalised and rectified, and four classes of where they are."""

    def __init__(self, *, norm: bool = True) -> None:
        super().__init__()
        self.edges, self.norm = nn.Conv2d(1, 8, 5, padding=2, bias=False), nn.BatchNorm2d(8) if norm else nn.Identity()
        self.act, self.head = nn.ReLU(), nn.Linear(8 * SIDE * SIDE, 4)
        rng = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for part in self.parameters():
                part.copy_(torch.randn(part.shape, generator=rng) / math.sqrt(part[0].numel()) if part.dim() > 1 else part)
        if norm:
            self.norm.running_var.fill_(0.05)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.norm(self.edges(x))).flatten(1))


def net(**options: Any) -> nn.Module:
    return Net(**options).eval()


def photographs(n: int = 6) -> Tensor:
    frame = Frame((1, SIDE, SIDE), torch.tensor(0.0), torch.tensor(1.0))
    return Phase(contrast=2.0).draw(Phase(contrast=2.0).start(frame, generators(range(n))), frame)


def maximize(model: nn.Module, target: Any, recipe: Any, **asked: Any) -> Any:
    return pl.maximize(model, target, recipe, shape=(1, SIDE, SIDE), bounds=(0, 1), **asked)


def alike(a: Tensor, b: Tensor) -> float:
    a, b = (t.flatten() - t.mean() for t in (a, b))
    return float(a @ b / (a.norm() * b.norm()))


# -- the readings --------------------------------------------------------------------------------------------------------------


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_likeness_is_product_times_cosine(power):
    x, reference = values(5, 2, 3), values(1, 2, 3, seed=1)
    for row, found in zip(x, Likeness(None, reference, power).read(x), strict=True):
        dot = sum(a * b for a, b in zip(row.flatten().tolist(), reference.flatten().tolist(), strict=True))
        cosine = dot / (row.norm() * reference.norm()).item()
        assert math.isclose(found.item(), dot * max(0.1, cosine) ** power, rel_tol=1e-9)


def test_pairs_are_compared_with_their_own_reference():
    x = values(6, 4)  # three pictures, each followed by its reference
    distance = Distance(None, paired=True).read(x)
    torch.testing.assert_close(distance, (x[0::2] - x[1::2]).norm(dim=1).repeat_interleave(2))
    frame = Frame((4,))
    torch.testing.assert_close(FeatureDistance(None)(values(1, 4), frame, {None: x}), distance.mean()[None])
    target = pictures_only(pl.logit(2) - 0.5 * pl.logit(1))
    read = target.take([0] * 6).read(lambda at: x)
    torch.testing.assert_close(read.mean(), (x[0::2, 2] - 0.5 * x[0::2, 1]).mean())
    assert str(PictureOnly(None, pl.logit(2).terms[0][1]).text()) == "logit 2"


def test_a_reference_is_moved_as_its_picture_is():
    x = photographs(2)
    beside = WithReference(Robust.standard(views=3), 1 - x)
    seen = beside(x, generators([0, 1]), 0)
    assert seen.shape == (12, 1, SIDE, SIDE) and beside.views == 6
    torch.testing.assert_close(seen[0::2] + seen[1::2], torch.ones(6, 1, SIDE, SIDE))  # 0.5 beyond the rim of both


def test_log_probability_of_a_class_alone():
    x = values(3, 5)
    (_, term), *_ = log_probability(pl.logit(2)).terms
    torch.testing.assert_close(term.read(x), x.log_softmax(1)[:, 2].float(), check_dtype=False)
    difference = pl.logit(2) - pl.logit(1)
    assert log_probability(difference) is difference and "log-probability 2" in str(log_probability(pl.logit(2)))


# -- the recipes ---------------------------------------------------------------------------------------------------------------


def test_inversion_finds_the_picture_from_its_features():
    model, x = net(), photographs(2)
    recipe = Mahendran2016("invert", at="edges", smoothness=0.01, extremeness=0.0)
    p = maximize(model, 0, recipe, data=x, seeds=2)
    assert p.trace[-1].min() > -0.02  # of the squared length of the features, less than 2 % is missed
    assert all(alike(p.images[k], x[k]) > 0.9 for k in range(2)) and alike(p.images[0], x[1]) < 0.5


def test_inversion_starts_from_the_picture_given_only_in_its_features():
    x = photographs(1)
    p = maximize(net(), 0, Mahendran2016("invert", at="edges", smoothness=0.01, extremeness=0.0), start=x)
    assert p.trace[0] < -0.5 and alike(p.images[0], x[0]) > 0.8


def test_smoothness_smooths():
    rough, smooth = (maximize(net(), 1, Mahendran2016(smoothness=s, steps=60, jitter=0)).images for s in (0.0, 300.0))
    assert smooth.diff(dim=-1).square().mean() < 0.5 * rough.diff(dim=-1).square().mean()


def test_a_caricature_looks_to_the_layer_like_its_picture():
    model, x = net(), photographs(3)
    p = maximize(model, pl.channel("act", 0), Caricature(power=2.0, steps=80), data=x, seeds=3)
    with torch.no_grad():
        seen, wanted = (model.act(model.norm(model.edges(t))) for t in (p.images, x))
    table = torch.tensor([[alike(a, b) for b in wanted] for a in seen])
    assert table.argmax(1).tolist() == [0, 1, 2] and table.diagonal().min() > 0.5


def test_accentuation_raises_the_score_and_stays_near():
    model, x = net(), photographs(1)
    freely, nearby = (maximize(model, 2, Accentuation(at="edges", alpha=a, steps=40), start=x) for a in (0.0, 5.0))
    with torch.no_grad():
        before = model(x)[0, 2]
    assert nearby.scores[0] > before and freely.scores[0] > nearby.scores[0]
    assert alike(nearby.images[0], x[0]) > alike(freely.images[0], x[0])
    assert nearby.extras["transparency"].shape == (1, SIDE, SIDE)


def test_a_picture_or_data_are_needed():
    for recipe in (Caricature(), Accentuation(), Mahendran2016("invert")):
        with pytest.raises(InputError, match=r"neither a picture to start from nor data; .* Pass start=picture, or data=folder"):
            maximize(net(), 0, recipe)
    with pytest.raises(MethodError, match=r"mode 'inverse'; it maximizes or inverts\. Choose one of maximize, invert"):
        maximize(net(), 0, Mahendran2016("inverse"))


def test_statistics_are_drawn_towards_those_remembered():
    model = net()
    with torch.no_grad():
        z = model.edges(photographs(40))
        model.norm.running_mean.copy_(z.mean((0, 2, 3)))
        model.norm.running_var.copy_(z.var((0, 2, 3)))

    def far(p: Any) -> Tensor:
        with torch.no_grad():
            z = model.edges(p.images)
        return (z.mean((0, 2, 3)) - model.norm.running_mean).norm() + (z.var((0, 2, 3)) - model.norm.running_var).norm()

    without, held = (maximize(model, 1, DeepInversion(statistics=r, steps=80, coarse=0.0)) for r in (0.0, 1.0))
    assert far(held) < 0.5 * far(without) and not held.notes
    assert maximize(net(norm=False), 1, DeepInversion(steps=3, coarse=0.0)).notes == (NO_STATISTICS,)
    with pytest.raises(MethodError, match=r"which is not a module; the statistics of its batch norms cannot be read"):
        maximize(lambda x: x.flatten(1), 1, DeepInversion(), steps=3)


def test_statistics_taken_together_tie_pictures_together():
    alone = maximize(net(), 1, DeepInversion(steps=10, statistics=1.0, together=True))
    beside = maximize(net(), 1, DeepInversion(steps=10, statistics=1.0, together=True), seeds=3)
    assert not torch.allclose(alone.images[0], beside.images[0], atol=1e-3)


@pytest.mark.parametrize(
    "recipe", [Maco(steps=60, crops=2), Vit2022(steps=120, views=4, jitter=0.0, shift=(0.3, 0.3))], ids=lambda r: r.name
)
def test_a_class_is_reached(recipe):
    p = maximize(net(), [0, 1, 2, 3], recipe)
    with torch.no_grad():
        assert net()(p.images).argmax(1).tolist() == [0, 1, 2, 3]


def test_maco_takes_spectrum_and_colours_from_data():
    data = torch.cat([photographs(8), 1 - photographs(8)])
    plain, fitted = (maximize(net(), 1, Maco(steps=5, crops=1), data=d) for d in (None, data))
    assert not torch.equal(plain.images, fitted.images)
    assert fitted.extras["transparency"].amax() == 1 and fitted.extras["transparency"].amin() >= 0


def test_a_phase_canvas_can_begin_with_a_picture():
    frame, x = Frame((1, SIDE, SIDE), torch.tensor(0.0), torch.tensor(1.0)), photographs(2)
    again = Phase(contrast=2.0).draw(Phase().inverse(x, frame), frame)
    torch.testing.assert_close(again, x, rtol=0, atol=0.04)
    assert alike(Fourier().draw(Fourier().inverse(x, frame), frame)[0], x[0]) > 0.99


class Flexible(nn.Module):
    """A network that takes any size, and one that does not."""

    def __init__(self, *, rigid: bool = False) -> None:
        super().__init__()
        self.edges, self.rigid = net().edges, rigid

    def forward(self, x: Tensor) -> Tensor:
        if self.rigid and x.shape[-1] != 40:
            raise ValueError("40 pixels only")
        return self.edges(x).relu().mean((2, 3))


def test_a_coarse_start_saves_most_of_the_work_and_climbs_as_high():
    sizes: list[int] = []
    model = Flexible().eval()
    model.register_forward_hook(lambda module, args, out: sizes.append(args[0].shape[-1]))
    fine, coarse = (pl.maximize(model, [0, 3], Maco(steps=40, coarse=c), shape=(1, 40, 40), bounds=(0, 1)) for c in (0.0, 0.6))
    assert (coarse.trace[-1] > coarse.trace[0]).all() and coarse.trace.shape == fine.trace.shape == (41, 2)
    assert (coarse.scores > 0.7 * fine.scores).all() and sizes.count(20) >= 24
    again = pl.maximize(model, [3], Maco(steps=40, coarse=0.6), shape=(1, 40, 40), bounds=(0, 1))
    torch.testing.assert_close(again.images[0], coarse.images[1], rtol=0, atol=1e-4)


def test_a_coarse_start_may_be_asked_of_the_verb_or_of_the_recipe():
    model = Flexible().eval()
    own, asked = (
        pl.maximize(model, 0, recipe, shape=(1, 40, 40), bounds=(0, 1), **given)
        for recipe, given in ((Maco(steps=6, coarse=0.5), {}), (Maco(steps=6), {"coarse": 0.5}))
    )
    assert torch.equal(own.images, asked.images) and not torch.equal(
        own.images, pl.maximize(model, 0, Maco(steps=6), shape=(1, 40, 40), bounds=(0, 1)).images
    )


def test_a_network_of_one_size_is_climbed_at_that_size():
    p = pl.maximize(Flexible(rigid=True).eval(), 0, Maco(steps=4, coarse=0.5), shape=(1, 40, 40), bounds=(0, 1))
    assert any("takes inputs of one size only: no steps at half of it" in note for note in p.notes)
