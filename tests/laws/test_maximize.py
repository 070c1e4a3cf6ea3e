"""What every recipe owes whoever maximizes with it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid as pl
from pellucid.catalogue import RECIPES, Entry
from pellucid.synth import L2, GeneratorPrior, Maximized
from tests.cases import settle
from tests.laws.test_no_harm import untouched

ENTRIES = {entry.name: entry for entry in RECIPES}
each_recipe = pytest.mark.parametrize("recipe", list(ENTRIES))
each_of_one = pytest.mark.parametrize("recipe", [name for name, entry in ENTRIES.items() if not entry.several])
each_climb = pytest.mark.parametrize("recipe", [name for name, entry in ENTRIES.items() if not entry.several and name != "ppgn"])
STEPS = 6
SMALL = (3, 10, 12)  # for many at once


class Units(nn.Module):
    """64 units of a small convolutional network: functional and in-place rectifiers, a batch norm, a residual sum."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.body, self.act = nn.Conv2d(8, 64, 3, stride=2, padding=1), nn.ReLU(inplace=True)
        self.more, self.head = nn.Conv2d(64, 64, 1), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.body(F.relu(self.norm(self.stem(x)))))
        return self.head((y + self.more(y).relu()).mean((2, 3)))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return settled(Units(), (3, 16, 20))


def settled(net: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """With weights and statistics such as trained networks have."""
    settle(net, shape)
    return net.eval()


def data(entry: Entry, shape: tuple[int, ...]) -> Tensor | None:
    """Inputs for recipes that learn from them."""
    return torch.rand(24, *shape, generator=torch.Generator().manual_seed(3)) if entry.data else None


@cache
def fitted(net: nn.Module) -> GeneratorPrior:
    """A prior for the network of this module, fitted once: recipes that search codes else fit one in every call."""
    data = torch.rand(24, 3, 16, 20, generator=torch.Generator().manual_seed(3))
    return GeneratorPrior.fit(net, data, steps=120)  # as many as a search of six steps gives it


def with_prior(net: nn.Module, recipe: str) -> dict[str, Any]:
    return {"canvas": fitted(net)} if recipe in ("dgn_am", "ppgn") else {}


def maximize(net: nn.Module, target: Any, recipe: str, shape: tuple[int, ...] = (3, 16, 20), **asked: Any) -> Maximized:
    given = {"bounds": (0.0, 1.0), "steps": STEPS, "data": data(ENTRIES[recipe], shape)}
    return pl.maximize(net, target, recipe, shape=shape, **(given | asked))


@each_of_one
def test_a_unit_alone_is_what_it_is_in_a_batch_of_64(net: nn.Module, recipe: str):
    units = [pl.channel("body", unit) for unit in range(64)]
    alone, batch = (maximize(net, asked, recipe, SMALL, steps=3) for asked in (units[17], units))
    assert batch.images.shape[0] == 64 and batch.targets[17] == alone.targets[0]
    assert torch.allclose(alone.images[0], batch.images[17], atol=1e-3)
    assert torch.allclose(alone.scores[0], batch.scores[17], rtol=1e-3, atol=1e-4)


@each_recipe
def test_the_same_seed_gives_the_same_bits(net: nn.Module, recipe: str):
    first, again = (maximize(net, [0, 1], recipe, seed=3, seeds=2, **with_prior(net, recipe)) for _ in range(2))
    assert torch.equal(first.images, again.images) and torch.equal(first.scores, again.scores)
    assert first.seeds == (3, 4, 3, 4) or ENTRIES[recipe].several


@each_of_one
def test_a_seed_is_itself_among_others(net: nn.Module, recipe: str):
    prior = with_prior(net, recipe)
    several, one = maximize(net, 2, recipe, seed=5, seeds=3, **prior), maximize(net, 2, recipe, seed=6, **prior)
    assert torch.allclose(several.images[1], one.images[0], atol=1e-3)


@each_climb  # ppgn samples: the score of a sample need not rise
def test_the_score_rises(net: nn.Module, recipe: str):
    p = maximize(net, [0, 3], recipe, steps=30, **with_prior(net, recipe))
    assert (p.trace.nan_to_num(-torch.inf).max(0).values > p.trace[0]).all()
    assert p.images.min() >= 0 and p.images.max() <= 1
    assert p.fired.all() and not p.notes


@each_of_one
def test_scores_are_those_of_the_pictures(net: nn.Module, recipe: str):
    p = maximize(net, [1, pl.channel("more", 3), pl.logit(2) - 0.5 * pl.logit(4)], recipe)
    with torch.no_grad():
        out = net(p.images)
        third = net.more(net.act(net.body(F.relu(net.norm(net.stem(p.images))))))[1, 3].mean()
    wanted = torch.stack([out[0, 1], third, out[2, 2] - 0.5 * out[2, 4]])
    assert torch.allclose(p.scores, wanted, rtol=1e-4, atol=1e-5)


@each_recipe
def test_a_maximization_leaves_no_trace(recipe: str):
    net = settled(Units(), (3, 16, 20))
    out = net(torch.rand(2, 3, 16, 20, generator=torch.Generator().manual_seed(0)))
    out.sum().backward()
    net.stem.weight.requires_grad_(False)
    net.register_forward_hook(lambda module, args, out: None)
    net.body.register_forward_pre_hook(lambda module, args: None)
    net.head.register_full_backward_hook(lambda module, grad_in, grad_out: None)
    start = torch.rand(3, 16, 20, generator=torch.Generator().manual_seed(1))
    with untouched(net, start):
        maximize(net, [0, pl.channel("body", 3)], recipe, start=start, priors=[L2(0.01)])


FAILURES: dict[str, tuple[Any, type[Exception]]] = {
    "no such class": (99, pl.TargetError),
    "no such name": ("tabby", pl.TargetError),
    "no such layer": ("nowhere:3", pl.WhereError),
    "no such channel": ("body:99", pl.TargetError),
    "a map": (lambda out: out, pl.TargetError),
    "a target that raises": (lambda out: 1 / 0, ZeroDivisionError),
    "nothing": (None, pl.TargetError),
}


@pytest.mark.parametrize("how", FAILURES)
@each_recipe
def test_a_maximization_that_fails_leaves_no_trace(net: nn.Module, recipe: str, how: str):
    target, error = FAILURES[how]
    with untouched(net), pytest.raises(error):
        maximize(net, target, recipe)


class Raising(nn.Module):
    """A network that fails half-way, from its fourth call on."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Units()
        self.left = [3]

    def forward(self, x: Tensor) -> Tensor:
        self.left[0] -= 1
        y = self.body.stem(x)
        if self.left[0] < 0:
            raise LookupError("of the user's own")
        return self.body(x) + y.mean()


@each_recipe
def test_what_the_users_code_raises_comes_through_untouched(recipe: str):
    net = Raising().eval()
    with untouched(net), pytest.raises(LookupError, match=r"^'?of the user's own'?$"):
        maximize(net, 1, recipe)


SHAPES = {
    "grey": (1, 28, 28),
    "tiny": (3, 8, 8),
    "narrow": (3, 9, 21),
    "five channels": (5, 12, 12),
    "signal": (2, 40),
    "row": (12,),
}


class Anything(nn.Module):
    """A network for inputs of one shape: a linear layer over all of it, rectified, and another."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        size = int(torch.Size(shape).numel())
        self.first, self.last = nn.Linear(size, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x.flatten(1))))


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("bounds", [(0.0, 1.0), None], ids=["bounded", "unbounded"])
@each_recipe
def test_any_layout_is_maximized_or_refused_in_four_parts(recipe: str, layout: str, bounds: tuple[float, float] | None):
    shape = SHAPES[layout]
    net = settled(Anything(shape), shape)
    try:
        p = maximize(net, [0, 2], recipe, shape, bounds=bounds, steps=4)
    except pl.PellucidError as error:
        assert layout == "row" or ENTRIES[recipe].data, error
        assert all((error.asked, error.found, error.why, error.do))
        return
    assert p.images.shape[1:] == shape and p.images.isfinite().all() and p.fired.all()
    assert len(p.images) == 2 or ENTRIES[recipe].several
    assert (p.images.flatten(1).std(1) > 0).all(), "something is drawn"


SURROUNDINGS = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode, "enable_grad": torch.enable_grad}


@pytest.mark.parametrize("around", SURROUNDINGS)
@each_recipe
def test_what_the_caller_has_switched_on_changes_nothing(net: nn.Module, recipe: str, around: str):
    prior = with_prior(net, recipe)
    with SURROUNDINGS[around](), untouched(net):
        inside = maximize(net, 1, recipe, **prior)
    assert torch.equal(inside.images, maximize(net, 1, recipe, **prior).images)


@each_recipe
def test_a_network_that_draws_random_numbers_does_not_use_up_the_users(recipe: str):
    class Noisy(Anything):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + 0.01 * torch.randn_like(x))

    net = settled(Noisy((3, 8, 8)), (3, 8, 8))
    with untouched(net):
        maximize(net, 1, recipe, (3, 8, 8))
