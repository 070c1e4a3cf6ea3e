"""Activation maximization: closed-form truth, help for dead units, what is computed and what is not, and what is said."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pl
from pellucid.catalogue.recipes import recipe
from pellucid.cli import main
from pellucid.cli.progress import ProgressBar
from pellucid.core.progress import watched
from pellucid.model import Model
from pellucid.synth import Adam, Ball, Decay, Fourier, Normalised, Pixel, Plan, Progress, Robust, Steepest, TotalVariation
from pellucid.synth.frame import Frame
from pellucid.synth.maximized import PlannedRecipe
from pellucid.synth.objective.activations import layer_activations
from pellucid.synth.objective.objective import objective_of
from pellucid.synth.optimize.redirected_relu import Redirected
from pellucid.synth.optimize.task import Task
from pellucid.synth.recipes import Auto, DeepDream, Erhan2009, Lucid, Simonyan2013, Yosinski2015


def refusal(call: Any, match: str, kind: type[pl.PellucidError]) -> None:
    with pytest.raises(kind, match=match) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))


def templates(count: int, shape: tuple[int, ...] = (1, 8, 8)) -> Tensor:
    """Smooth patterns of length 1, different from one another."""
    noise = torch.randn(count, *shape, generator=torch.Generator().manual_seed(4))
    smooth = F.avg_pool2d(noise, 3, 1, 1)
    return smooth / smooth.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


class Planted(nn.Module):
    """Units that like one template each: a convolution of the size of the input, rectified where that is asked for."""

    def __init__(self, rectified: bool = False, bias: float = 0.0) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, 4, 8)
        self.filters.weight.data.copy_(templates(4))
        self.filters.bias.data.fill_(bias)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        y = self.filters(x).flatten(1)
        return F.relu(y) if self.rectified else y


def cosine(images: Tensor, wanted: Tensor) -> Tensor:
    return F.cosine_similarity(images.flatten(1), wanted.flatten(1))


# -- closed-form truth ----------------------------------------------------------------------------------------------------


class Bare(PlannedRecipe):
    """An ascent and nothing else."""

    name = "bare"

    def __init__(self, ascent: Any) -> None:
        self.ascent = ascent

    def plan(self, task: Task) -> Plan:
        return Plan(Pixel(noise=0.01), self.ascent, 60)


UNREGULARISED = {
    "erhan2009": Erhan2009(),
    "simonyan2013": Simonyan2013(),
    "steepest": Bare(Steepest(1.0)),
    "relative": Bare(Steepest(0.5, relative=True)),
    "normalised by mean": Bare(Normalised(0.1)),
    "normalised by length": Bare(Normalised(0.5, by="length", momentum=0.5)),
    "progress": Bare(Progress(0.5)),
}


@pytest.mark.parametrize("rectified", [False, True], ids=["linear", "rectified"])
@pytest.mark.parametrize("name", UNREGULARISED)
def test_a_planted_template_is_found(name: str, rectified: bool):
    p = pl.maximize(Planted(rectified).eval(), [0, 1, 2, 3], UNREGULARISED[name], shape=(1, 8, 8))
    assert (cosine(p.images, templates(4)) >= 0.99).all()


def test_the_norm_ball_solution_is_rho_times_the_unit_template():
    p = pl.maximize(Planted().eval(), [0, 1, 2, 3], Erhan2009(rho=5.0), shape=(1, 8, 8), seed=7)
    assert torch.allclose(p.images, 5 * templates(4), atol=1e-3)
    assert torch.allclose(p.scores, torch.full((4,), 5.0), atol=1e-4)


def test_the_length_comes_from_the_data():
    data = 3 * F.normalize(torch.randn(20, 64, generator=torch.Generator().manual_seed(0))).view(20, 1, 8, 8)
    p = pl.maximize(Planted().eval(), 2, "erhan2009", shape=(1, 8, 8), data=data)
    assert math.isclose(float(p.images.norm()), 3.0, rel_tol=1e-4)


def test_bounds_are_kept_where_there_are_any():
    p = pl.maximize(Planted().eval(), 2, Erhan2009(rho=2.0), shape=(1, 8, 8), bounds=(-1, 1))
    assert p.images.min() >= 0 and p.images.max() <= 1 and (p.images - 0.5).norm() <= 2.0 + 1e-5
    assert cosine(p.images - 0.5, templates(4)[2:3]) > 0.95


def test_the_class_model_stops_where_the_penalty_is_as_steep_as_the_score():
    wanted = templates(4)[1] / 4  # w / (2 lambda)
    for own in (Simonyan2013(l2=2.0, rate=0.05, steps=400, momentum=0.0), Simonyan2013(l2=2.0, rate=0.001, steps=600)):
        p = pl.maximize(Planted().eval(), 1, own, shape=(1, 8, 8))
        assert torch.allclose(p.images[0], wanted, atol=2e-3), own


def test_the_class_model_shifts_large_pictures_alone_and_none_as_published():
    def robust(recipe: Simonyan2013, side: int) -> Any:
        frame = Frame((1, side, side), torch.tensor(0.0), torch.tensor(1.0))
        return recipe.plan(Task(pl.load(Planted().eval()), (pl.logit(0),), frame, (0,))).robust

    assert robust(Simonyan2013(), 32) is None and robust(Simonyan2013(), 64).jitter == 16 / 224
    assert robust(Simonyan2013.published(), 224) is None and Simonyan2013.published().momentum == 0


def test_adam_climbs_a_concave_score_to_its_top():
    def score(out: Tensor) -> Tensor:
        return -(out - torch.tensor([1.0, -2.0, 0.5, 3.0])).square().sum(1)

    p = pl.maximize(nn.Flatten().eval(), score, Bare(Adam(0.1)), shape=(4,), steps=400)
    assert torch.allclose(p.images[0], torch.tensor([1.0, -2.0, 0.5, 3.0]), atol=1e-2)


def test_adam_is_that_of_pytorch():
    x = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    theirs, (ours, memory) = torch.optim.Adam([x], lr=0.1, maximize=True), ((x.detach().clone(),), ())
    adam = Adam(0.1)
    memory = adam.begin(ours)
    for step in range(5):
        slope = torch.tensor([[1.0, -1.0], [2.0, 0.5]]) * (step + 1)
        x.grad = slope.clone()
        theirs.step()
        ours, memory = adam.step(ours, (slope,), memory, step, 5)
    assert torch.allclose(ours[0], x.detach(), atol=1e-6)


# -- targets ----------------------------------------------------------------------------------------------------------------


def test_the_arithmetic_of_objectives_is_linear():
    values = {
        None: torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
        "a": torch.randn(6, 3, 4, 4),
    }
    a, b, c = pl.logit(1), pl.channel("a", 2), pl.log_odds(3)
    whole = objective_of([a + 3 * b - 5 * c] * 6)(values)
    parts = [objective_of([one] * 6)(values) for one in (a, b, c)]
    assert torch.allclose(whole, parts[0] + 3 * parts[1] - 5 * parts[2], atol=1e-6)


def test_targets_of_one_kind_are_read_together_and_others_apart():
    mixed = [pl.logit(0), pl.channel("a", 1), pl.logit(2), pl.channel("a", 0), 2 * pl.logit(1), pl.channel("a", 0, (1, 1))]
    objective = objective_of(mixed)
    assert [rows for rows, _ in objective.groups] == [(0, 2), (1, 3), (4,), (5,)]
    values = {None: torch.randn(6, 5), "a": torch.randn(6, 3, 4, 4)}
    alone = torch.cat([objective_of([t])({at: v[i : i + 1] for at, v in values.items()}) for i, t in enumerate(mixed)])
    assert torch.allclose(objective(values), alone)


def test_views_of_a_picture_are_averaged():
    values = {None: torch.arange(12.0).view(6, 2)}
    assert objective_of([pl.logit(0), pl.logit(1), pl.logit(0)])(values, 2).tolist() == [1.0, 6.0, 9.0]


class Layers(nn.Module):
    """Three convolutions of which the last raises when it is run with gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
        self.act, self.ran = nn.ReLU(inplace=True), []

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.b(self.act(self.a(x))))
        if torch.is_grad_enabled():
            self.ran.append("c")
        return self.c(y).mean((2, 3))


def layers() -> Layers:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Layers().eval()


def test_the_forward_pass_ends_at_the_deepest_layer_wanted():
    net = layers()
    p = pl.maximize(net, [pl.channel("b", 0), pl.channel("a", 1)], "simonyan2013", shape=(1, 12, 12), steps=3)
    assert net.ran == [] and p.scores.shape == (2,)
    pl.maximize(net, [pl.channel("b", 0), 1], "simonyan2013", shape=(1, 12, 12), steps=3)
    assert net.ran == ["c"] * 4


def test_a_module_that_runs_twice_is_heard_the_last_time():
    net = layers()
    x = torch.rand(2, 1, 12, 12)
    ask, values = layer_activations(pl.load(net), x, ["act", "a"])
    found = ask(x.requires_grad_())
    assert net.ran == [] and torch.equal(found["act"], values["act"]) and torch.equal(found["a"], values["a"])
    assert torch.equal(found["act"], F.relu(net.b(F.relu(net.a(x)))))


def test_a_network_that_catches_everything_still_ends_early():
    class Careful(Layers):
        def forward(self, x: Tensor) -> Tensor:
            try:
                return super().forward(x)
            except Exception:
                return x

    net = Careful().eval()
    pl.maximize(net, pl.channel("a", 1), "simonyan2013", shape=(1, 12, 12), steps=2)
    assert net.ran == []


def test_no_gradient_of_a_weight_is_computed(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    grad = torch.autograd.grad

    def watch(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(sum(isinstance(one, nn.Parameter) for one in inputs))
        return grad(outputs, inputs, *args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", watch)
    net = layers()
    pl.maximize(net, 1, "simonyan2013", shape=(1, 12, 12), steps=2)
    assert asked == [0, 0, 0] and all(p.grad is None for p in net.parameters())


def test_layers_and_units_can_be_written_in_words():
    p = pl.maximize(layers(), ["b:2", "3", "b"], "simonyan2013", shape=(1, 12, 12), steps=2)
    assert p.targets == ("channel 2 of b", "logit 3", "energy of b")


def test_a_scripted_network_is_maximized_by_its_output_and_refuses_its_inside():
    net = torch.jit.script(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval())
    p = pl.maximize(net, 1, "simonyan2013", shape=(1, 8, 8), steps=5)
    assert p.trace[-1] > p.trace[0]
    refusal(
        lambda: pl.maximize(net, "0:1", "simonyan2013", shape=(1, 8, 8)), "inside of scripted and compiled code", pl.WhereError
    )


class Tokens(nn.Module):
    """A small vision transformer: patches, a class token, one block."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.block = nn.Conv2d(3, 8, 4, stride=4), nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU())
        self.cls, self.head = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patch(x).flatten(2).mT
        return self.head(self.block(torch.cat([self.cls.expand(len(x), 1, 8), y], 1))[:, 0])


def test_a_unit_of_a_transformer_is_read_over_its_tokens():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Tokens().eval()
    p = pl.maximize(net, [pl.channel("block", 11, tokens="patch")], "lucid", shape=(3, 16, 16), bounds=(0, 1), steps=20)
    with torch.no_grad():
        y = net.block(net.patch(p.images).flatten(2).mT)
    assert torch.allclose(p.scores, y[..., 11].mean(1), atol=1e-5) and p.trace.max() > p.trace[0]


# -- dead units ---------------------------------------------------------------------------------------------------------


RECTIFIERS = {
    "module": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "method": lambda x: x.relu(),
    "torch": torch.relu,
    "torch in place": lambda x: torch.relu_(x * 1),
    "clamp": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "relu6": F.relu6,
    "module of 6": nn.ReLU6(),
    "in place of 6": nn.ReLU6(inplace=True),
    "hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "hardtanh_": lambda x: F.hardtanh_(x * 1, 0.0, 6.0),
}


@pytest.mark.parametrize("name", RECTIFIERS)
def test_every_spelling_of_a_rectifier_is_redirected(name: str):
    w, x = torch.tensor([[1.0, -2.0]]), torch.tensor([[-1.0, -1.0], [-1.0, 2.0]], requires_grad=True)
    with Redirected():
        y = RECTIFIERS[name](x * 1.0)
    assert torch.equal(y, torch.tensor([[0.0, 0.0], [0.0, 2.0]]))
    (slope,) = torch.autograd.grad((y * w).sum(), x)
    assert slope.tolist() == [[1.0, 0.0], [0.0, -2.0]], "off for all of a picture: what pushes up passes; else as ever"


def test_above_6_what_pushes_down_passes():
    x = torch.tensor([[7.0, 8.0]], requires_grad=True)
    with Redirected():
        y = F.relu6(x) @ torch.tensor([1.0, -1.0])
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [[0.0, -1.0]]


def test_what_is_no_rectifier_is_left_alone():
    x = torch.tensor([[-3.0, 0.5]], requires_grad=True)
    with Redirected():
        y = F.hardtanh(x) + x.clamp(min=-1) + x.clamp(max=0.2)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("rectifier", ["module", "function", "in place"])
@pytest.mark.parametrize("name", ["simonyan2013", "lucid"])
def test_a_unit_that_is_off_at_the_start_is_woken(name: str, rectifier: str):
    class Asleep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters, self.act = Planted(bias=-0.3), RECTIFIERS[rectifier]

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.filters(x))

    p = pl.maximize(Asleep().eval(), [0, 3], name, shape=(1, 8, 8), bounds=(-1, 1), steps=60)
    assert (p.trace[0] == 0).all() and (p.scores > 0.5).all() and p.fired.all() and not p.notes


def test_a_unit_behind_a_script_is_woken_by_another_start():
    class Choosy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x.flatten(1).abs().mean(1, keepdim=True) - 0.1)

    scripted = torch.jit.trace(Choosy().eval(), torch.zeros(1, 1, 8, 8), check_trace=False)
    p = pl.maximize(scripted, 0, "simonyan2013", shape=(1, 8, 8), steps=40)
    assert p.fired.all() and p.scores[0] > 0


def test_a_unit_that_never_fires_says_so():
    net = nn.Sequential(Planted(rectified=False, bias=-50.0), nn.ReLU(), nn.Hardtanh(1.0, 2.0)).eval()
    p = pl.maximize(net, [0], "simonyan2013", shape=(1, 8, 8), bounds=(0, 1), steps=40)
    assert not p.fired.any()
    assert any("this unit never fired" in note and "logit 0" in note for note in p.notes) and "never fired" in p.caption()


def test_one_dead_unit_does_not_change_its_neighbours():
    class Some(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters = Planted(bias=-0.3)
            self.filters.filters.bias.data[:2] = 1.0

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.filters(x))

    net = Some().eval()
    both = pl.maximize(net, [0, 3], "simonyan2013", shape=(1, 8, 8), steps=30)
    for row, unit in enumerate([0, 3]):
        alone = pl.maximize(net, unit, "simonyan2013", shape=(1, 8, 8), steps=30)
        assert torch.allclose(alone.images[0], both.images[row], atol=1e-5)


# -- when it ends -------------------------------------------------------------------------------------------------------


def test_on_a_plateau_it_stops():
    net = nn.Sequential(Planted(), nn.Hardtanh(-0.5, 0.5)).eval()
    p = pl.maximize(net, 0, Bare(Steepest(0.2)), shape=(1, 8, 8), steps=500, plateau=10)
    assert len(p.trace) < 80 and math.isclose(float(p.scores[0]), 0.5)


def test_when_time_is_up_it_stops_and_says_so():
    p = pl.maximize(Planted().eval(), 0, Bare(Steepest(0.001)), shape=(1, 8, 8), steps=10**6, minutes=0.2 / 60)
    assert 1 < len(p.trace) < 10**5 and "when the time was up" in p.notes[0]


def test_progress_is_told_in_steps_and_their_speed_and_can_be_called_off():
    said: list[tuple[int, int, str]] = []

    def watcher(done: int, total: int, what: str) -> bool:
        said.append((done, total, what))
        return done >= 7

    with watched(watcher):
        p = pl.maximize(Planted().eval(), [0, 1], Bare(Steepest(0.1)), shape=(1, 8, 8), steps=50)
    assert said[0] == (0, 50, "steps") and said[-1][:2] == (7, 50) and "per second" in said[-1][2]
    assert p.called_off and p.notes[0] == "Called off after 7 of 50 steps." and len(p.trace) == 7


def test_an_interrupt_returns_what_is_there():
    class Interrupting(Planted):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            type(self).calls += 1
            if type(self).calls == 10:  # one pass looks for what ends the network
                raise KeyboardInterrupt
            return super().forward(x)

    p = pl.maximize(Interrupting().eval(), 0, Bare(Steepest(0.1)), shape=(1, 8, 8), steps=50)
    assert p.called_off and len(p.trace) == 6 and p.scores[0] > p.trace[0, 0]


def test_where_the_score_is_no_number_the_last_sound_picture_is_kept():
    def score(out: Tensor) -> Tensor:
        return torch.where(out[:, 0] > 0.5, torch.nan, out[:, 0])

    p = pl.maximize(Planted().eval(), [score, 1], Bare(Steepest(0.1)), shape=(1, 8, 8), keep="best")
    assert p.images.isfinite().all() and 0.2 < p.scores[0] <= 0.5 and p.scores[1] > 1
    assert any("no finite number" in note for note in p.notes)


def test_best_last_and_majority_are_three_moments():
    class Turning(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            t = x.flatten(1).sum(1)
            return torch.stack([t - t * t, t * 0 + 0.1], 1)

    p = pl.maximize(Turning().eval(), 0, Bare(Steepest(0.4)), shape=(1,), steps=9, keep="best")
    totals = {name: float(images.sum()) for name, images in p.snapshots.items()}
    assert torch.equal(p.images, p.snapshots["best"]) and float(p.scores[0]) == pytest.approx(float(p.trace.max()))
    first = next(row for row in p.trace[:, 0].tolist() if row > 0.1)
    assert totals["majority"] - totals["majority"] ** 2 == pytest.approx(first, abs=1e-5)


# -- parts in place of the recipe's -----------------------------------------------------------------------------------


def test_parts_of_a_recipe_can_be_replaced():
    p = pl.maximize(
        Planted().eval(), 0, "lucid", shape=(1, 8, 8), bounds=(0, 1), canvas=Pixel(), robust=Robust.none(), ascent=Steepest(0.1),
        priors=[TotalVariation(0.01)], steps=4, keep="best",
    )  # fmt: skip
    told = "\n".join(p.provenance["settings"])
    assert all(word in told for word in ("Pixel", "Steepest", "TotalVariation", "steps: 4", "keep: best"))


def test_a_projection_needs_a_canvas_that_is_the_picture():
    refusal(
        lambda: pl.maximize(Planted().eval(), 0, "lucid", shape=(1, 8, 8), bounds=(0, 1), priors=[Ball(1.0)]),
        "Ball after each step: found a fourier canvas, whose numbers are not the picture", pl.InputError,
    )  # fmt: skip


@pytest.mark.parametrize("canvas", [Pixel(), Fourier()], ids=["pixel", "fourier"])
def test_it_begins_with_a_picture_of_the_users(canvas: Any):
    start = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.1
    p = pl.maximize(
        Planted().eval(), 0, "lucid", shape=(1, 8, 8), bounds=(0, 1), canvas=canvas, start=start, steps=1, keep="best"
    )
    assert math.isclose(float(p.trace[0]), float(Planted()(start[None])[0, 0].detach()), abs_tol=0.3)
    first = pl.maximize(
        Planted().eval(), 0, "lucid", shape=(1, 8, 8), bounds=(0, 1), canvas=canvas, start=start, ascent=Steepest(0.0), steps=1,
    )  # fmt: skip
    assert torch.allclose(first.images[0], start, atol=1e-4)


def test_the_first_steps_can_be_made_at_half_the_size():
    class Sizes(Layers):
        def forward(self, x: Tensor) -> Tensor:
            self.ran.append(x.shape[-2:])
            return self.c(F.relu(self.b(F.relu(self.a(x))))).mean((2, 3))

    net = Sizes().eval()
    p = pl.maximize(net, [0, 1], "lucid", shape=(1, 18, 25), bounds=(0, 1), steps=10, coarse=0.6)
    small, whole = (sum(size == torch.Size(one) for size in net.ran) for one in ((9, 13), (18, 25)))
    assert small >= 7 and whole >= 5 and p.images.shape == (2, 1, 18, 25) and len(p.trace) == 11
    fixed = pl.maximize(Planted().eval(), 0, "lucid", shape=(1, 8, 8), bounds=(0, 1), steps=10, coarse=0.6)
    assert torch.equal(fixed.images, pl.maximize(Planted().eval(), 0, "lucid", shape=(1, 8, 8), bounds=(0, 1), steps=10).images)


def test_half_precision_is_for_the_network_alone():
    p = pl.maximize(Planted().eval(), 0, "simonyan2013", shape=(1, 8, 8), precision="bfloat16", steps=20)
    exact = pl.maximize(Planted().eval(), 0, "simonyan2013", shape=(1, 8, 8), steps=20)
    assert p.images.dtype == torch.float32 and cosine(p.images, exact.images).item() > 0.99


def test_the_four_sets_of_yosinski_are_four_recipes():
    found = [
        pl.maximize(Planted().eval(), 0, Yosinski2015(set=k), shape=(1, 8, 8), bounds=(0, 1), steps=12) for k in (1, 2, 3, 4)
    ]
    assert all(p.trace.max() > p.trace[0] for p in found)
    assert len({p.images.numpy().tobytes() for p in found}) == 4
    refusal(lambda: pl.maximize(Planted().eval(), 0, Yosinski2015(set=5), shape=(1, 8, 8)), "the paper has four", pl.MethodError)


def test_a_strong_decay_rests_where_the_mean_slope_does():
    """x <- 0.7 (x + rate g) rests at 7/3 rate g: on a narrow ridge it does so along the mean of slopes alone."""

    def score(out: Tensor) -> Tensor:  # a ridge: the slope turns round from side to side
        return out[:, 0] - 20 * (out[:, 1] - 0.05).abs()

    def ended(kept: float) -> tuple[float, float]:
        p = pl.maximize(nn.Flatten().eval(), score, Bare(Steepest(0.1, kept=kept)), priors=[Decay(0.3)], shape=(2,), steps=600)
        return float(p.images[0, 0]), float(p.trace[-20:].mean())

    (along, high), (_, low) = ended(0.98), ended(0.0)
    assert abs(along - 0.7 / 0.3 * 0.1) < 1e-3 and high > -1 and low < -10


def test_the_sets_of_yosinski_can_step_as_in_its_code():
    def plan(recipe: Yosinski2015, side: int = 64) -> Any:
        frame = Frame((1, side, side), torch.tensor(0.0), torch.tensor(1.0))
        return recipe.plan(Task(pl.load(Planted().eval()), (pl.logit(0),), frame, (0,)))

    assert [plan(Yosinski2015(k)).robust is None for k in (1, 2, 3, 4)] == [True, False, True, True]
    assert plan(Yosinski2015(2), 32).robust is None and plan(Yosinski2015(2)).ascent.kept == 0.98
    own = {k: plan(Yosinski2015.published(k)) for k in (1, 2, 3, 4)}
    assert all(one.robust is None and one.priors == plan(Yosinski2015(k)).priors for k, one in own.items())
    assert own[2].ascent == own[3].ascent == Steepest(100 / 255**2)
    assert own[1].ascent == Progress(2.0, 100 / 255**2) and own[4].ascent == Progress(2.0, 1e8 / 255**2)


def test_a_dream_grows_octave_by_octave():
    class Sizes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.seen = nn.Conv2d(3, 4, 3), []

        def forward(self, x: Tensor) -> Tensor:
            self.seen.append(x.shape[-1])
            return self.body(x).mean((2, 3))

    net, start = Sizes().eval(), torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(0))
    p = pl.maximize(net, pl.energy("body"), DeepDream(least=20), shape=(3, 64, 48), bounds=(0, 1), start=start)
    assert list(dict.fromkeys(net.seen)) == [48, 24, 34] and net.seen[-1] == 48 and p.images.shape == (1, 3, 64, 48)
    assert p.scores[0] > (0.5 * net.body(start[None]).square().mean()).detach()
    assert F.cosine_similarity(p.images[0].flatten(), start.flatten(), dim=0) > 0.9, "it is still that picture"


def test_a_picture_that_was_given_stands_before_what_was_made_of_it(tmp_path: Path):
    start = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    p = pl.maximize(Planted().eval(), [0, 1], "deepdream", shape=(1, 8, 8), bounds=(0, 1), start=start, steps=2)
    alone = pl.maximize(Planted().eval(), [0, 1], "deepdream", shape=(1, 8, 8), bounds=(0, 1), steps=2)
    assert torch.equal(p.extras["given"], start) and "given" not in alone.extras
    wanted = Planted().filters(start).flatten(1).diagonal().detach()
    told = json.loads(p.save(tmp_path / "a.json").read_text())["pictures"]
    assert torch.allclose(torch.tensor([one["given"] for one in told]), wanted, atol=1e-5)
    with Image.open(p.save(tmp_path / "a.png")) as mine, Image.open(alone.save(tmp_path / "b.png")) as other:
        assert mine.height > 1.5 * other.height, "a row for each, with what it was made of"


def test_a_dream_of_a_network_for_one_size_says_so():
    p = pl.maximize(Planted().eval(), 0, DeepDream(least=2), shape=(1, 8, 8), bounds=(0, 1))
    assert any("one octave" in note for note in p.notes)


def test_auto_knows_pictures_from_rows():
    task = Task(Model(nn.Flatten(), "", ""), (), pl.synth.Frame((3, 16, 16)), ())
    assert isinstance(Auto().choose(task), Lucid)
    assert pl.maximize(nn.Linear(4, 2).eval(), 0, shape=(4,), steps=3).recipe == "erhan2009"


# -- what is said --------------------------------------------------------------------------------------------------------


def test_a_recipe_that_does_not_exist_names_the_nearest():
    refusal(lambda: recipe("simonyan"), "Nearest: simonyan2013", pl.MethodError)
    refusal(lambda: pl.maximize(Planted().eval(), 0, "simonyan", shape=(1, 8, 8)), "Nearest: simonyan2013", pl.MethodError)
    refusal(lambda: pl.maximize(Planted().eval(), 0, Lucid, shape=(1, 8, 8)), "a recipe has a name and maximizes", pl.MethodError)


def test_a_model_that_does_not_say_its_size_asks_for_it():
    refusal(lambda: pl.maximize(Planted().eval(), 0), r"shape=\(1, 28, 28\)", pl.InputError)


class Both(nn.Module):
    """Planted templates for a picture and for a row."""

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.row = nn.Parameter(templates(1)), nn.Parameter(torch.tensor([[3.0, 0.0, 4.0]]))

    def forward(self, picture: Tensor, row: Tensor) -> Tensor:
        return (picture * self.picture).sum((1, 2, 3))[:, None] * row[:, :1] + F.linear(row, self.row)


def test_of_several_inputs_the_one_that_is_not_held_is_looked_for():
    net = Both().eval()
    picture, row = torch.zeros(1, 1, 8, 8), torch.tensor([[2.0, 0.0, 0.0]])
    seen = pl.maximize(net, 0, "erhan2009", start=(picture, pl.held(row)), seeds=2, steps=20)
    assert cosine(seen.images, net.picture.detach()).min() > 0.99
    read = pl.maximize(net, 0, "erhan2009", start={"row": row, "picture": pl.held(picture)})
    assert read.images.shape == (1, 3) and cosine(read.images, net.row.detach()).min() > 0.99
    refusal(
        lambda: pl.maximize(net, 0, start=(picture, row)), r"picture, row: found 2 .* start=\(picture, pl.held", pl.InputError
    )


def test_a_row_to_begin_with_is_told_by_its_columns():
    columns = pl.Columns([pl.Column("age", mean=50, std=15), pl.Column("smoker", values=["no", "yes"])])
    model = pl.load(nn.Linear(3, 2).eval(), preprocess=columns)
    found = pl.maximize(model, 0, "simonyan2013", start={"age": 65, "smoker": "yes"}, steps=1)
    assert found.extras["given"].tolist() == [[1.0, 0.0, 1.0]]


@pytest.mark.parametrize("shape", [(), (1, 0, 8), ((1, 8, 8), (3,)), 8, ("1", "8")])
def test_a_shape_that_is_none_is_refused(shape: Any):
    refusal(lambda: pl.maximize(Both().eval(), 0, shape=shape), "no shape of one input", pl.InputError)


def test_no_target_is_no_question():
    refusal(lambda: pl.maximize(Planted().eval(), None, shape=(1, 8, 8)), "Name it", pl.TargetError)
    refusal(lambda: pl.maximize(Planted().eval(), [], shape=(1, 8, 8)), "0 targets", pl.TargetError)
    refusal(lambda: pl.maximize(Planted().eval(), 0, seeds=0, shape=(1, 8, 8)), "0 seeds", pl.TargetError)


def test_what_cannot_be_done_is_refused_before_the_work():
    refusal(lambda: pl.maximize(Planted().eval(), 0, steps=-5, shape=(1, 8, 8)), "-5 steps", pl.MethodError)
    refusal(lambda: pl.maximize(Planted().eval(), 0, beside=2, shape=(1, 8, 8)), "a folder of pictures", pl.InputError)


def test_a_target_that_is_no_number_per_picture_is_refused():
    refusal(lambda: pl.maximize(Planted().eval(), lambda out: out, shape=(1, 8, 8)), "one number for each", pl.TargetError)
    maps = nn.Conv2d(1, 3, 3).eval()
    refusal(lambda: pl.maximize(maps, 0, shape=(1, 8, 8)), "each class has a map of scores", pl.TargetError)


def test_a_score_that_autograd_lost_is_refused():
    class Lost(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(x.detach().flatten(1).numpy() * 2)

    refusal(
        lambda: pl.maximize(Lost().eval(), 0, shape=(4,), recipe="simonyan2013"), "does not depend on the picture", pl.ModelError
    )


def test_a_start_of_another_shape_is_refused():
    refusal(lambda: pl.maximize(Planted().eval(), 0, shape=(1, 8, 8), start=torch.zeros(1, 9, 8)), "start", pl.InputError)


def test_a_network_in_training_mode_is_refused():
    refusal(lambda: pl.maximize(Planted(), 0, shape=(1, 8, 8)), "training mode", pl.ModelError)


# -- results ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> pl.Maximized:
    return pl.maximize(Planted().eval(), [0, 1], "simonyan2013", shape=(1, 8, 8), bounds=(0, 1), seeds=2, steps=5)


def test_a_result_says_how_to_make_it_again(found: pl.Maximized, tmp_path: Path):
    told = json.loads(found.save(tmp_path / "a.json").read_text())
    assert told["provenance"]["model"]["weights"].startswith("sha256:") and told["provenance"]["torch"] == torch.__version__
    assert [one["seed"] for one in told["pictures"]] == [0, 1, 0, 1] and told["provenance"]["steps"] == 5
    assert [one["score"] for one in told["pictures"]] == pytest.approx(found.scores.tolist())
    assert len(told["trace"]) == 4 and len(told["trace"][0]) == 6


def test_weights_have_a_digest_of_their_own(found: pl.Maximized):
    other = Planted().eval()
    other.filters.bias.data[0] += 1e-3
    changed = pl.maximize(other, 0, "simonyan2013", shape=(1, 8, 8), bounds=(0, 1), steps=1)
    assert changed.provenance["model"]["weights"] != found.provenance["model"]["weights"]


def test_a_contact_sheet_carries_its_words(found: pl.Maximized, tmp_path: Path):
    with Image.open(found.save(tmp_path / "a.png")) as sheet:
        assert sheet.width > 400 and "simonyan2013 -> logit 1" in sheet.text["Description"]
        assert json.loads(sheet.text["provenance"])["recipe"] == "simonyan2013"


def test_pale_pictures_are_shown_with_more_contrast(found: pl.Maximized):
    from pellucid.render.maximized import cell, contrast

    def shown(images: Tensor) -> tuple[float, Tensor]:
        p = replace(found, images=images, task=None)
        picture = cell(p, 0, 224).crop((0, 0, 224, 224)).convert("L")
        return contrast(p, 0), torch.tensor(np.asarray(picture)).float()

    noise = torch.randn(found.images.shape, generator=torch.Generator().manual_seed(0))
    gain, pixels = shown(0.5 + 0.05 * noise)
    assert 2 < gain < 6 and abs(float(pixels.std()) / (gain * 0.05 * 255 * float(noise[0].std())) - 1) < 0.1
    assert shown((0.5 + 0.5 * noise).clamp(0, 1))[0] == 1, "it has all the contrast there is"
    assert shown(torch.full_like(noise, 0.5))[0] == 1, "nothing is there to be seen"


def test_all_tensors_are_kept(found: pl.Maximized, tmp_path: Path):
    from safetensors.torch import load_file

    kept = load_file(found.save(tmp_path / "a.safetensors"))
    assert torch.equal(kept["images"], found.images) and torch.equal(kept["snapshots.best"], found.snapshots["best"])


@pytest.mark.parametrize("shape", [(12,), (3, 40), (2, 6, 6), (1, 4, 5, 6)], ids=["row", "signal", "two channels", "volume"])
def test_every_layout_has_a_sheet(shape: tuple[int, ...], tmp_path: Path):
    net = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 2)).eval()
    p = pl.maximize(net, [0, 1], "simonyan2013", shape=shape, steps=2)
    assert p.save(tmp_path / "a.png").stat().st_size > 500


def test_recipes_can_come_with_other_packages(monkeypatch: pytest.MonkeyPatch):
    class Point:
        def load(self) -> Any:
            return pl.catalogue.Entry("theirs", "pellucid.synth.recipes:Lucid", "", "", 2020, "")

    def points(group: str) -> Iterator[Point]:
        yield from [Point()] if group == "pellucid.recipes" else []

    monkeypatch.setattr("pellucid.catalogue.entry.entry_points", points)
    assert "theirs" in {entry.name for entry in pl.recipes()} and isinstance(recipe("theirs"), Lucid)


# -- the command line --------------------------------------------------------------------------------------------------------

TOY = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))
"""
OWN = ["--model", "net.safetensors", "--builder", "maximized_toy:make", "--size", "16", "--mean", ".5,.5,.5", "--std", ".5,.5,.5"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a network and its weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "maximized_toy", raising=False)
    Path("maximized_toy.py").write_text(TOY)
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(TOY, names)
        save_file(names["make"]().state_dict(), "net.safetensors")
    return tmp_path


def run(*args: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


def test_the_command_writes_a_sheet_and_how_to_make_it_again(folder: Path):
    out = run("maximize", "1", "0:2", *OWN, "--recipe", "simonyan2013", "--steps", "3", "--seeds", "2", "--out", "new").stdout
    assert "simonyan2013 -> logit 1 = " in out and "channel 2 of 0 = " in out and "seed 1" in out
    told = json.loads(Path("new/1-0-2.simonyan2013.json").read_text())
    assert told["provenance"]["model"]["weights"] and [one["seed"] for one in told["pictures"]] == [0, 1, 0, 1]
    with Image.open("new/1-0-2.simonyan2013.png") as sheet:
        assert sheet.width > 400


def test_the_command_tells_what_the_picture_given_scored(folder: Path):
    Image.new("RGB", (16, 16), "orange").save("start.png")
    out = run("maximize", "0:1", *OWN, "--recipe", "deepdream", "--with", "least=8", "--start", "start.png").stdout
    assert "deepdream -> channel 1 of 0 = " in out and "; the start picture: " in out


def test_the_command_speaks_json(folder: Path):
    told = json.loads(run("maximize", "2", *OWN, "--steps", "2", "--json", "--format", "json").stdout)
    assert told["recipe"] == "lucid" and told["pictures"][0]["target"] == "logit 2" and list(told["files"]) == ["json"]


def test_the_command_refuses_in_one_paragraph(folder: Path):
    assert "Nearest: simonyan2013" in run("maximize", "1", *OWN, "--recipe", "simonjan", code=2).stderr
    assert "the nearest are" in run("maximize", "nowhere:1", *OWN, code=2).stderr
    assert "'x' for a unit of 0; units are numbered" in run("maximize", "0:x", *OWN, code=2).stderr
    assert "channels run 0-3" in run("maximize", "0:9", *OWN, code=2).stderr
    assert "--data DIR" in run("maximize", "1", *OWN, "--beside", "2", code=2).stderr
    assert "classes run 0-2" in run("maximize", "3", *OWN, code=2).stderr
    assert "Try: " in run("maximize", "1", *OWN, "--seeds", "0", code=2).stderr
    assert "would overwrite it" in run("maximize", "1", *OWN, "--out", "net.safetensors", code=2).stderr
    assert "Take recipe dgn_am or ppgn" in run("maximize", "1", *OWN, "--prior", "net.safetensors", code=2).stderr


WRONG = [  # recipe, setting, what the refusal says
    ("lucid", "steps=-5", "-5 steps"),
    ("lucid", "views=0", "Robust: found views=0; there is one at least"),
    ("lucid", "rate=nan", "it has to be a number"),
    ("lucid", "rate=fast", "it has to be a number"),
    ("maco", "crop=0.5", "it has to be 2 numbers with commas between"),
    ("maco", "crop=5,7", "found crop=(5.0, 7.0); it is a share of a side"),
    ("erhan2009", "rho=long", "it has to be a number"),
    ("erhan2009", "rho=-3", "a picture has one"),
    ("mahendran2016", "mode=turn", "Choose one of maximize, invert"),
]


@pytest.mark.parametrize(("recipe", "setting", "said"), WRONG)
def test_a_setting_that_cannot_be_is_refused_in_its_own_words(folder: Path, recipe: str, setting: str, said: str):
    told = run("maximize", "1", *OWN, "--recipe", recipe, "--with", setting, code=2).stderr
    assert said in told and "bug" not in told and not list(folder.glob("*.png"))


def test_the_command_takes_settings_of_a_recipe(folder: Path):
    def asked(*words: str, code: int = 0) -> Any:
        return run("maximize", "1", *OWN, "--recipe", "yosinski2015", "--steps", "2", *words, code=code)

    asked("--with", "set=2", "--with", "gain=0.5")
    told = json.loads(Path("1.yosinski2015.json").read_text())["provenance"]
    assert told["asked"]["options"] == "Yosinski2015(set=2, gain=0.5, literal=False)" and "prior: Decay(share=0.3)" in str(
        told["settings"]
    )
    assert "the settings set=3, gain=1.0, literal=False; only these" in asked("--with", "sets=2", code=2).stderr
    assert "it has to be a whole number" in asked("--with", "set=two", code=2).stderr
    assert "Write --with steps=64, say." in asked("--with", "set", code=2).stderr
    assert "the paper has four" in asked("--with", "set=7", code=2).stderr


def test_recipes_are_listed(folder: Path):
    assert [json.loads(line)["name"] for line in run("recipes", "--json").stdout.splitlines()] == [e.name for e in pl.recipes()]
    table = run("recipes").stdout
    assert all(entry.name in table and entry.doi in table for entry in pl.recipes())


def test_a_bar_whose_speed_changes_stays_one_bar():
    progress = ProgressBar(console=Console(file=io.StringIO(), force_terminal=True))
    with progress("climbing"):
        for step in range(3):
            progress.update(step, 9, f"steps, {step}.5 per second")
        assert progress.screen is not None
        assert [task.description for task in progress.screen.bars.tasks] == ["steps, 2.5 per second"]
