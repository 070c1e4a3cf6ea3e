"""Every rule equals its slow twin, written from the paper over the dense matrix of the layer: whole maps, and the books."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from tests.reference import lrp_twins as twins

BIAS, SILENT = ("absorb", "ignore", "spread"), ("drop", "spread")
LOW, HIGH = -0.5, 0.5  # the head's box: narrow, so that relevance has both signs, also where the head reads zero
TARGET = 1
MIXING = ("convolution", "dense", "pool")  # not the views that a dense layer makes around its product

# name -> layer, shape of one sample. Strides that leave inputs unread, units that read only padding, groups: all are here.
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(7, 5), (7,)),
    "linear without bias": (lambda: nn.Linear(7, 5, bias=False), (7,)),
    "linear over the last axis": (lambda: nn.Linear(4, 3), (5, 4)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 7)),
    "conv1d, stride, dilation, groups": (lambda: nn.Conv1d(4, 6, 2, stride=3, dilation=2, padding=1, groups=2), (4, 8)),
    "conv2d": (lambda: nn.Conv2d(3, 4, 3), (3, 5, 4)),
    "conv2d without bias": (lambda: nn.Conv2d(3, 4, 3, padding=1, bias=False), (3, 4, 4)),
    "conv2d, stride, padding": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 6, 5)),
    "conv2d, wide padding": (lambda: nn.Conv2d(2, 3, 2, padding=2), (2, 3, 3)),
    "conv2d, dilation, groups": (lambda: nn.Conv2d(4, 2, (3, 2), dilation=(1, 2), padding=(2, 1), groups=2), (4, 4, 5)),
    "conv2d, depthwise": (lambda: nn.Conv2d(4, 4, 3, stride=(2, 1), padding=1, groups=4), (4, 5, 4)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2, padding=(0, 1, 0)), (2, 3, 3, 3)),
    "conv3d, stride, dilation, groups": (
        lambda: nn.Conv3d(2, 4, 2, stride=(1, 2, 1), dilation=(2, 1, 1), padding=1, groups=2),
        (2, 3, 4, 3),
    ),
    "transposed conv1d": (lambda: nn.ConvTranspose1d(3, 2, 3, stride=2, padding=1, output_padding=1), (3, 5)),
    "transposed conv2d": (lambda: nn.ConvTranspose2d(2, 3, 3), (2, 3, 4)),
    "transposed conv2d, units without inputs": (lambda: nn.ConvTranspose2d(2, 3, 1, stride=2), (2, 3, 3)),
    "transposed conv2d, dilation, groups": (lambda: nn.ConvTranspose2d(4, 6, 2, dilation=2, padding=1, groups=2), (4, 3, 4)),
    "transposed conv2d without bias": (lambda: nn.ConvTranspose2d(2, 2, 2, stride=2, bias=False), (2, 3, 3)),
    "transposed conv3d": (lambda: nn.ConvTranspose3d(2, 2, 2, stride=(2, 1, 1), padding=(1, 0, 0)), (2, 2, 3, 2)),
}
POOLS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "average over windows": (lambda: nn.AvgPool2d(2), (2, 4, 6)),
    "average over windows with padding": (lambda: nn.AvgPool2d(3, stride=2, padding=1), (2, 5, 4)),
    "average over windows without counting padding": (
        lambda: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        (2, 5, 4),
    ),
    "average to a size": (lambda: nn.AdaptiveAvgPool2d((3, 2)), (2, 5, 4)),
    "average to a greater size": (lambda: nn.AdaptiveAvgPool2d(5), (2, 2, 3)),
    "average over everything": (lambda: nn.AdaptiveAvgPool2d(1), (3, 4, 4)),
    "average in 1d": (lambda: nn.AvgPool1d(3, stride=2), (2, 7)),
    "average in 3d": (lambda: nn.AvgPool3d(2), (2, 4, 4, 2)),
}

# name -> the rule, its twin. Both take the options `bias` and `silent`.
RULES: dict[str, tuple[Callable[..., Any], Callable[..., Tensor]]] = {
    "zero": (partial(pl.lrp.Epsilon, eps=0.0), partial(twins.epsilon, eps=0.0)),
    "epsilon": (pl.lrp.Epsilon, twins.epsilon),
    "great epsilon": (partial(pl.lrp.Epsilon, eps=1.0), partial(twins.epsilon, eps=1.0)),
    "epsilon in units of the layer": (
        partial(pl.lrp.Epsilon, eps=0.25, relative=True),
        partial(twins.epsilon, eps=0.25, rms=True),
    ),
    "gamma": (pl.lrp.Gamma, twins.gamma),
    "great gamma": (partial(pl.lrp.Gamma, gamma=3.0, eps=1e-3), partial(twins.gamma, gamma=3.0, eps=1e-3)),
    "alpha 2 beta 1": (pl.lrp.AlphaBeta, twins.alpha_beta),
    "alpha 2 beta 1 without epsilon": (partial(pl.lrp.AlphaBeta, eps=0.0), partial(twins.alpha_beta, eps=0.0)),
    "alpha 1 beta 0": (partial(pl.lrp.AlphaBeta, alpha=1.0, beta=0.0), partial(twins.alpha_beta, alpha=1.0, beta=0.0)),
    "z-plus": (pl.lrp.ZPlus, twins.zplus),
    "w-square": (pl.lrp.WSquare, twins.wsquare),
}
BOXES = {
    "numbers": (-1.5, 2.0),
    "bounds per input": (lambda shape: (-1.0 - torch.arange(shape.numel()).view(shape) / 50, torch.full(shape, 2.0))),
}
SIGNS = ("both signs", "after a ReLU", "between ReLUs")


@cache
def layer(name: str) -> nn.Module:
    """The layer with seeded parameters. The first unit has no weight below zero: nothing can speak against it."""
    make = (LAYERS | POOLS)[name][0]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(len(name))
        made = make().double().eval()
        for key, parameter in made.named_parameters():
            parameter.normal_(std=0.5 if key == "bias" else 1.0)
            if key == "weight":
                parameter[(slice(None), 0) if "transposed" in name else 0] = parameter.abs()[
                    (slice(None), 0) if "transposed" in name else 0
                ]
    return made


@cache
def table(name: str) -> twins.Matrix:
    return twins.matrix(layer(name), shape_of(name))


def shape_of(name: str) -> torch.Size:
    return torch.Size((LAYERS | POOLS)[name][1])


def pictures(name: str) -> Tensor:
    """Three samples; the last is dark, so that nothing but biases speaks."""
    x = torch.randn(3, *shape_of(name), dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    x[2] = 0.0
    return x


def net_around(name: str, signs: str) -> nn.Module:
    """The layer, and a head that reads all of its units; a ReLU before it, or on both sides."""
    units = len(table(name).b)
    head = nn.Linear(units, 2, bias=False, dtype=torch.float64)
    head.weight.data = torch.randn(2, units, dtype=torch.float64, generator=torch.Generator().manual_seed(units))
    steps = OrderedDict[str, nn.Module]()
    if signs != "both signs":
        steps["before"] = nn.ReLU()
    steps["layer"] = layer(name)
    if signs == "between ReLUs":
        steps["after"] = nn.ReLU()
    return nn.Sequential(OrderedDict(**steps, flat=nn.Flatten(), head=head)).eval()


def found(name: str, signs: str, rule: Any) -> Tensor:
    """What the library says: `rule` on the layer, z-box on the head."""
    composite = pl.lrp.Composite(((pl.Where("layer", op=MIXING), rule), (pl.Where("head"), pl.lrp.ZBox(low=LOW, high=HIGH))))
    e = pl.explain(net_around(name, signs), pictures(name), target=TARGET, method=composite)
    assert_books_close(e.ledger)
    return e.values


def expected(name: str, signs: str, twin: Callable[..., Tensor]) -> Tensor:
    """What the twins say: the head's relevance, then the layer's."""
    x = pictures(name).flatten(1)
    x = x if signs == "both signs" else x.relu()
    with torch.no_grad():
        y = x @ table(name).W.T + table(name).b
        y = y.relu() if signs == "between ReLUs" else y
        w = net_around(name, signs).get_submodule("head").weight
        head = twins.Matrix(w, torch.zeros(2, dtype=torch.float64), torch.ones_like(w))
        seed = torch.zeros(len(x), 2, dtype=torch.float64)
        seed[:, TARGET] = (y @ w.T)[:, TARGET]
        R = twins.zbox(head, y, seed, low=torch.tensor(LOW), high=torch.tensor(HIGH))
        return twin(table(name), x, R).view(pictures(name).shape)


def assert_books_close(ledger: Any) -> None:
    """Also where a unit reads nothing but padding, so that there is nobody to spread its relevance over."""
    turnover = ledger.seed.abs() + sum((row.amount.abs() for row in ledger.rows), torch.zeros_like(ledger.seed))
    assert (ledger.error.abs() <= 1e-10 * turnover).all()


def assert_same_map(found: Tensor, expected: Tensor) -> None:
    assert found.dtype == torch.float64
    worst = float((found - expected).abs().max() / expected.abs().max())
    assert worst <= 1e-10


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_gives_the_map_of_its_twin_whatever_becomes_of_biases_and_silent_units(rule, name, signs):
    fast, slow = RULES[rule]
    for bias, silent in itertools.product(BIAS, SILENT):
        options = {"bias": bias, "silent": silent}
        assert_same_map(found(name, signs, fast(**options)), expected(name, signs, partial(slow, **options)))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("silent", SILENT)
def test_z_box_gives_the_map_of_its_twin(silent, box, name, signs):
    shape = (
        shape_of(name)[-1:] if name.startswith("linear") else shape_of(name)
    )  # a dense layer's bounds are those of its features
    low, high = BOXES[box](shape) if callable(BOXES[box]) else BOXES[box]
    flat = {key: torch.as_tensor(v).double().expand(shape_of(name)).flatten() for key, v in (("low", low), ("high", high))}
    rule = pl.lrp.ZBox(low=low, high=high, silent=silent)
    assert_same_map(found(name, signs, rule), expected(name, signs, partial(twins.zbox, **flat, silent=silent)))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("name", [*LAYERS, *POOLS])
def test_flat_gives_the_map_of_its_twin(name, signs):
    assert_same_map(found(name, signs, pl.lrp.Flat()), expected(name, signs, twins.flat))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("silent", SILENT)
@pytest.mark.parametrize("eps", [0.0, 1e-6, 0.1])
def test_norm_gives_the_map_of_its_twin_on_pools(eps, silent, name, signs):
    rule = pl.lrp.Norm(eps, silent=silent)
    assert_same_map(found(name, signs, rule), expected(name, signs, partial(twins.norm, eps=eps, silent=silent)))


def test_pass_hands_relevance_through_as_it_is():
    square = nn.Sequential(OrderedDict(layer=nn.Linear(4, 4), head=nn.Linear(4, 2, bias=False))).double().eval()
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    composite = pl.lrp.Composite(((pl.Where("layer"), pl.lrp.Pass()), (pl.Where("head"), pl.lrp.Epsilon(eps=0.0))))
    e = pl.explain(square, x, target=TARGET, method=composite)
    assert_same_map(e.values, (square.get_submodule("layer")(x) * square.get_submodule("head").weight[TARGET]).detach())


CHAIN: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "first": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 6, 5)),
    "second": (lambda: nn.Conv2d(3, 4, 2, padding=1), (3, 3, 3)),
    "third": (lambda: nn.Linear(64, 2), (64,)),
}


@cache
def chain(inplace: bool) -> nn.Sequential:
    """Two convolutions and a dense layer, ReLUs between them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first, second, third = (make().double() for make, _ in CHAIN.values())
    steps = OrderedDict(first=first, a=nn.ReLU(inplace), second=second, b=nn.ReLU(inplace), flat=nn.Flatten(), third=third)
    return nn.Sequential(steps).eval()


@pytest.mark.parametrize("inplace", [False, True], ids=["out of place", "in place"])
@pytest.mark.parametrize("silent", SILENT)
@pytest.mark.parametrize("bias", BIAS)
@pytest.mark.parametrize("rule", RULES)
def test_a_chain_of_layers_gives_the_map_of_a_chain_of_twins(rule, bias, silent, inplace):
    """What a rule spreads reaches inputs that are zero: a ReLU in between must not lose it."""
    fast, slow = (partial(r, bias=bias, silent=silent) for r in RULES[rule])
    x = torch.randn(3, 2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    tables = [twins.matrix(chain(inplace).get_submodule(name), shape) for name, (_, shape) in CHAIN.items()]
    values = [x.flatten(1)]
    for table in tables:
        z = values[-1] @ table.W.T + table.b
        values.append(z.relu() if table is not tables[-1] else z)
    R = torch.zeros_like(values[-1])
    R[:, TARGET] = values[-1][:, TARGET]
    for table, value in zip(reversed(tables), reversed(values[:-1]), strict=True):
        R = slow(table, value, R)
    composite = pl.lrp.Composite(tuple((pl.Where(name), fast()) for name in CHAIN))
    e = pl.explain(chain(inplace), x, target=TARGET, method=composite)
    assert_books_close(e.ledger)
    assert_same_map(e.values, R.view(x.shape))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_for_a_whole_module_leaves_the_views_and_activations_inside_it_alone(rule):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        block = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
        net = nn.Sequential(OrderedDict(block=block, flat=nn.Flatten(), head=nn.Linear(15, 2))).double().eval()
        x = torch.randn(3, 5, 4, dtype=torch.float64)
    fast, last = RULES[rule][0](), (pl.Where("head"), pl.lrp.Epsilon())
    whole, mixing = (pl.lrp.Composite(((where, fast), last)) for where in (pl.Where("block"), pl.Where("block", op=MIXING)))
    assert_same_map(*(pl.explain(net, x, target=TARGET, method=method).values for method in (whole, mixing)))
