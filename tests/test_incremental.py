"""Incremental inference: a plan's answers are the network's own, on whatever wiring, at the cost of what a window reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods.perturb.incremental import Choice, Plan, accelerate, extents, windows_around
from pellucid.tape.forward import Readout, resolve_readout
from pellucid.tape.seed import main_output
from tests.cases import CASE, Case, difference, settle
from tests.laws.test_no_harm import untouched

PICTURES = """plain residual mobile efficient concatenated branched shuffled normed grouped segmenting functional written named
    windowed""".split()
ANY_SIZE = [name for name in PICTURES if name not in ("plain", "efficient", "windowed", "segmenting")]
SPACES = ["signal", "volume", "sequence", "attending", "recurrent"]


def tensor(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def every_corner(picture: Sequence[int], size: Sequence[int]) -> Tensor:
    return torch.cartesian_prod(*(torch.arange(p - s + 1) for p, s in zip(picture, size, strict=True))).reshape(-1, len(size))


def some_corners(picture: Sequence[int], size: Sequence[int], n: int = 12) -> Tensor:
    """The outermost windows and some others."""
    corners = every_corner(picture, size)
    ends = torch.cartesian_prod(*(torch.tensor([0, p - s]) for p, s in zip(picture, size, strict=True)))
    chosen = torch.randperm(len(corners), generator=torch.Generator().manual_seed(1))[:n]
    return torch.cat([ends.reshape(-1, len(size)), corners[chosen]])


def written(x: Tensor, patches: Tensor, corners: Tensor) -> Tensor:
    """The pictures themselves, one per window."""
    variants = x.repeat(len(corners), *[1] * (x.dim() - 1))
    for variant, patch, corner in zip(variants, patches, corners.tolist(), strict=True):
        variant[(slice(None), *(slice(c, c + s) for c, s in zip(corner, patch.shape[1:], strict=True)))] = patch
    return variants


@torch.no_grad()
def worst(plan: Any, net: Any, x: Tensor, patches: Tensor, corners: Tensor) -> float:
    """The greatest difference to the network's own answers, relative to the greatest change that a window makes."""
    own, before = main_output(net(written(x, patches, corners))), main_output(net(x))
    answers = plan(patches, corners)
    assert answers.shape == own.shape and answers.dtype == own.dtype
    return float((answers - own).abs().max() / (own - before).abs().max())


def compared(net: Any, x: Tensor, size: Sequence[int], asked: Tensor | None = None, **options: Any) -> tuple[float, Plan]:
    """How wrong a plan is on windows with random content, and the plan."""
    asked = some_corners(x.shape[2:], size) if asked is None else asked
    plan = Plan.build(net, x, size, **options)
    return worst(plan, net, x, tensor(len(asked), x.shape[1], *size, seed=2, dtype=x.dtype), asked), plan


# -- networks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inplace", [False, True], ids=["", "in place"])
@pytest.mark.parametrize("size", [(1, 1), (3, 4), (16, 16)], ids=str)
@pytest.mark.parametrize("name", PICTURES)
def test_a_plan_answers_as_the_network_does(name: str, size: tuple[int, int], inplace: bool):
    net = CASE[name].net(torch.float64, inplace=inplace)
    error, _ = compared(net, CASE[name].inputs(torch.float64, batch=1), size)
    assert error < 1e-11


@pytest.mark.parametrize("name", PICTURES)
def test_rounding_stays_below_a_ten_thousandth_of_the_change(name: str):
    error, _ = compared(CASE[name].net(), CASE[name].inputs(batch=1), (4, 4))
    assert error < 1e-4


@pytest.mark.parametrize("name", ANY_SIZE)
def test_sizes_may_be_odd_and_windows_may_start_anywhere(name: str):
    picture, size = (37, 29), (5, 4)
    corners = torch.cartesian_prod(torch.tensor([0, 3, 7, 18, 32]), torch.tensor([0, 6, 11, 25]))  # no stride divides these
    for options in ({}, {"corners": corners}):
        error, plan = compared(CASE[name].net(torch.float64), tensor(1, 3, *picture), size, corners, **options)
        assert error < 1e-11 and plan.saves > 0.25


@pytest.mark.parametrize("name", SPACES)
def test_signals_volumes_and_sequences_have_windows_too(name: str):
    case = CASE[name]
    x = case.inputs(torch.float64, batch=1)
    for length in (1, 3):
        error, _ = compared(case.net(torch.float64), x, (length,) * (x.dim() - 2))
        assert error < 1e-11


@pytest.mark.parametrize("name", ["mobile", "efficient"])
def test_squeeze_and_excitation_goes_on_with_whole_maps(name: str):
    plan = Plan.build(CASE[name].net(), CASE[name].inputs(batch=1), (2, 2))
    steps = [bool(step.boxes) for step in plan.schedule.steps]
    first = next(n for n, step in enumerate(plan.schedule.steps) if step.op.name == "mean" or "avg" in step.op.name)
    assert all(steps[:first]) and not any(steps[first:]) and 0 < plan.saves < 1


def test_attention_is_computed_whole():
    plan = Plan.build(CASE["attending"].net(), CASE["attending"].inputs(batch=1), (2,))
    assert plan.saves == 0 and not any(step.boxes for step in plan.schedule.steps)


@pytest.mark.parametrize("container", ["scripted", "traced", "exported", "exported for one sample"])
@pytest.mark.parametrize("name", ["residual", "concatenated", "normed"])
def test_scripted_traced_and_exported_programs_have_plans_too(name: str, container: str):
    net, x = CASE[name].net(torch.float64), CASE[name].inputs(torch.float64, batch=2)
    samples = torch.export.Dim("samples", min=2)
    programs: dict[str, Callable[[], Any]] = {
        "scripted": lambda: torch.jit.script(net),
        "traced": lambda: torch.jit.trace(net, x, strict=False),
        "exported": lambda: torch.export.export(net, (x,), dynamic_shapes=({0: samples},)),
        "exported for one sample": lambda: torch.export.export(net, (x[:1],)),
    }
    program = pl.load(programs[container]())
    plan, corners = Plan.build(program, x[:1], (2, 3)), some_corners((16, 16), (2, 3))
    assert worst(plan, net, x[:1], tensor(len(corners), 3, 2, 3), corners) < 1e-11


# -- operations -----------------------------------------------------------------------------------------------------------


def conv(*shape: int, bias: bool = True, **settings: Any) -> Callable[[Tensor], Tensor]:
    weight, offset = tensor(*shape, seed=5) / 3, tensor(shape[0], seed=6) if bias else None
    return lambda x: F.conv2d(x, weight, offset, **settings)


def deconv(*shape: int, **settings: Any) -> Callable[[Tensor], Tensor]:
    weight = tensor(*shape, seed=5) / 3
    return lambda x: F.conv_transpose2d(x, weight, **settings)


def affine(x: Tensor) -> Tensor:
    return F.batch_norm(x, tensor(4).abs(), tensor(4, seed=1).abs() + 0.5, tensor(4, seed=2), tensor(4, seed=3))


PLACES = {"rows": tensor(21, 1, seed=7), "columns": tensor(4, 1, 18, seed=8), "map": tensor(1, 4, 21, 18, seed=9)}
LOCAL: dict[str, Callable[[Tensor], Tensor]] = {
    "dilated": conv(4, 4, 3, 3, dilation=2, padding=1),
    "grouped": conv(4, 2, 3, 3, groups=2, padding=1),
    "strided": conv(4, 4, 3, 3, stride=2, padding=1),
    "strided more than wide": conv(4, 4, 2, 2, stride=3),
    "pointwise and strided": conv(4, 4, 1, 1, stride=2),
    "pointwise, strided and padded": conv(4, 4, 1, 1, stride=2, padding=1),
    "uneven kernel": conv(4, 4, 1, 5, padding=(0, 2), bias=False),
    "uneven padding": lambda x: conv(4, 4, 3, 3)(F.pad(x, [0, 2, 1, 0])),
    "even kernel": conv(4, 4, 4, 4, padding=2),
    "much padding": conv(4, 4, 3, 3, padding=3),
    "with a batch norm": lambda x: affine(conv(4, 4, 3, 3)(x)),
    "with a scale and a shift": lambda x: conv(4, 4, 3, 3)(x) * tensor(4, 1, 1) - 0.5,
    "transposed": deconv(4, 4, 2, 2, stride=2),
    "transposed and overlapping": deconv(4, 4, 4, 4, stride=2, padding=1),
    "transposed and odd": deconv(4, 2, 3, 3, stride=2, padding=1, output_padding=1, groups=2),
    "transposed, with gaps": deconv(4, 4, 2, 1, stride=3),
    "transposed and dilated": deconv(4, 4, 3, 3, dilation=2, padding=1),
    "max": lambda x: F.max_pool2d(x, 2),
    "max, padded": lambda x: F.max_pool2d(x - 9, 3, 2, 1),
    "max, rounded up": lambda x: F.max_pool2d(x - 9, 3, 2, ceil_mode=True),
    "max, dilated": lambda x: F.max_pool2d(x, 2, 1, dilation=3),
    "average": lambda x: F.avg_pool2d(x, 3, 2),
    "average, padded": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average, padding not counted": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "average, rounded up": lambda x: F.avg_pool2d(x, (3, 2), 2, 1, ceil_mode=True),
    "average, adaptive": lambda x: F.adaptive_avg_pool2d(x, (8, 7)),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear, corners aligned": lambda x: F.interpolate(x, size=(40, 33), mode="bilinear", align_corners=True),
    "bilinear, down": lambda x: F.interpolate(x, size=(13, 11), mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, scale_factor=1.5, mode="bicubic"),
    "nearest": lambda x: F.interpolate(x, scale_factor=3),
    "nearest, uneven": lambda x: F.interpolate(x, size=(33, 20), mode="nearest-exact"),
    "nearest, down": lambda x: F.interpolate(x, size=(5, 6)),
    "shuffled to places": lambda x: F.pixel_shuffle(x, 2),
    "shuffled to channels": lambda x: F.pixel_unshuffle(x[:, :, :20], 2),
    "padded": lambda x: F.pad(x, [2, 1, 0, 3], value=-1.5).relu(),
    "cropped": lambda x: F.pad(x, [-2, -1, 3, -3]).relu(),
    "channels of zeros": lambda x: F.pad(x, [0, 0, 0, 0, 1, 2]),
    "every other place": lambda x: x[:, :, 1::2, -13:-2],
    "some channels": lambda x: torch.cat([x[:, 1:3], x[:, [3, 0]].exp(), x[:, :1]], 1),
    "split": lambda x: torch.mul(*x.split([2, 2], 1)),
    "unbound": lambda x: torch.stack(x.unbind(1)[::-1], 2).sum(2, keepdim=True).transpose(1, 2),
    "channels shuffled": lambda x: F.channel_shuffle(x, 2) * tensor(4, 1, 1),
    "branches of different reach": lambda x: torch.cat([x, F.max_pool2d(x, 5, 1, 2), conv(4, 4, 3, 3, padding=1)(x)], 1),
    "sum of different reach": lambda x: x + F.max_pool2d(x, 5, 1, 2) - conv(4, 4, 3, 3, padding=1)(x),
    "beside what stands still": lambda x: torch.cat([x, PLACES["map"].expand(len(x), -1, -1, -1)], 1),
    "plus a map": lambda x: x + PLACES["map"],
    "times rows and columns": lambda x: x * PLACES["rows"] / PLACES["columns"],
    "where": lambda x: torch.where(PLACES["map"] > 0, x, PLACES["rows"]),
    "masked": lambda x: x.masked_fill(PLACES["rows"] > 0, 2.0),
    "softmax over channels": lambda x: x.softmax(1),
    "norm of channels": lambda x: F.normalize(x, dim=1),
    "statistics of channels": lambda x: torch.cat([x.amax(1, True), x.std(1, keepdim=True), x.max(1)[0][:, None]], 1),
    "channels last": lambda x: F.gelu(F.layer_norm(x.permute(0, 2, 3, 1), (4,)) @ tensor(4, 6)).permute(0, 3, 1, 2),
    "gated": lambda x: F.glu(conv(4, 4, 3, 3, padding=1)(x), 1),
    "prelu": lambda x: F.prelu(x, tensor(4)),
    "batch norm first": lambda x: conv(4, 4, 3, 3)(affine(x).relu_()),
    "local response norm": lambda x: F.local_response_norm(x, 3),
    "along one axis": lambda x: F.conv1d(x.transpose(1, 2).flatten(0, 1), tensor(4, 4, 3)).unflatten(0, (len(x), 21)),
}  # fmt: skip


@pytest.mark.parametrize("name", LOCAL)
def test_an_operation_on_boxes_makes_what_it_makes_on_the_whole(name: str):
    error, plan = compared(LOCAL[name], tensor(1, 4, 21, 18), (3, 2), every_corner((21, 18), (3, 2)))
    assert error < 1e-12
    if name != "along one axis":  # where rows become samples, and a plan has to look at all of them
        assert all(step.boxes for step in plan.schedule.steps), plan.show()


@pytest.mark.parametrize("name", LOCAL)
def test_boxes_cover_every_wiring_after_a_convolution(name: str):
    before, after = conv(4, 4, 3, 3, padding=1), tensor(2, 1, 2, 2)

    def net(x: Tensor) -> Tensor:
        y = LOCAL[name](torch.relu(before(x)))
        return F.conv2d(y.square().mean(1, keepdim=True), after).tanh().mean((2, 3))

    corners = every_corner((21, 18), (1, 2))[::3]
    assert compared(net, tensor(1, 4, 21, 18), (1, 2), corners, corners=corners)[0] < 1e-11


WHOLE: dict[str, Callable[[Tensor], Tensor]] = {
    "unknown": lambda x: torch.special.i0(x / 4),
    "mirrored": lambda x: F.pad(x, [2, 2, 2, 2], mode="reflect"),
    "rolled": lambda x: x.roll(3, 2),
    "flipped": lambda x: x.flip(3),
    "normed over places": lambda x: F.group_norm(x, 2, tensor(4), tensor(4)),
    "normed per picture": lambda x: F.instance_norm(x, weight=tensor(4), bias=tensor(4)),
    "softmax over places": lambda x: x.softmax(3),
    "summed up along a side": lambda x: x.cumsum(2),
    "average with its own divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "resized smoothly": lambda x: F.interpolate(x, size=(9, 7), mode="bilinear", antialias=True),
    "warped": lambda x: F.grid_sample(x, tensor(1, 7, 5, 2).expand(len(x), -1, -1, -1), align_corners=False),
    "unfolded": lambda x: F.unfold(x, 3).unflatten(2, (19, 16)),
    "a token in front": lambda x: torch.cat([tensor(1, 4, 1).expand(len(x), -1, -1), x.flatten(2)], 2)[..., None],
    "joined along a side": lambda x: torch.cat([x, x.exp()], 2),
    "one row": lambda x: x.select(2, 3)[..., None],
    "attention": lambda x: F.scaled_dot_product_attention(x.flatten(2), x.flatten(2), x.flatten(2))[..., None],
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_no_rule_knows_is_computed_whole(name: str):
    first = conv(4, 4, 3, 3, padding=1)
    error, plan = compared(lambda x: WHOLE[name](first(x).relu()).exp().mean((2, 3)), tensor(1, 4, 21, 18), (3, 2))
    steps = [bool(step.boxes) for step in plan.schedule.steps]
    assert error < 1e-12 and steps[:2] == [True, True] and not any(steps[2:][steps[2:].index(False) :])


@pytest.mark.parametrize(
    "total",
    [
        lambda x: x.mean((2, 3)), lambda x: x.sum((-1, -2), keepdim=True), lambda x: F.adaptive_avg_pool2d(x, 1),
        lambda x: F.avg_pool2d(x, (21, 18)),
    ],
    ids=["mean", "sum", "adaptive", "pool"],
)  # fmt: skip
def test_totals_are_told_by_what_a_window_changes(total: Callable[[Tensor], Tensor]):
    error, plan = compared(lambda x: total(x.exp()).relu_(), tensor(1, 4, 21, 18), (3, 2))
    assert error < 1e-12
    assert not plan.schedule.pasting, "no map was filled in"


def test_past_half_of_a_map_all_of_it_is_computed():
    net = nn.Sequential(*(nn.Conv2d(2, 2, 3, padding=1) for _ in range(6))).double()
    for most in (0.3, 0.5, 1.0):
        plan = Plan.build(net, tensor(1, 2, 12, 12), (2, 2), most=most)
        shares = [min((2 + 2 * n) ** 2 / 144, 1) for n in range(1, 7)]
        assert [bool(step.boxes) for step in plan.schedule.steps] == [share <= most for share in shares]
    assert compared(net, tensor(1, 2, 12, 12), (2, 2), most=1.0)[0] < 1e-12


def test_boxes_are_as_small_as_the_corners_allow():
    net, x = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2)), tensor(1, 1, 32, 32)
    grid = every_corner((4, 4), (1, 1)) * 8
    plans = [Plan.build(net, x, (4, 4), corners=corners) for corners in (None, grid)]
    assert [plan.schedule.boxes[plan.schedule.steps[-1].op.out].lengths for plan in plans] == [(2, 2), (1, 1)]
    assert compared(net, x, (4, 4), grid, corners=grid)[0] < 1e-12


# -- one picture after another --------------------------------------------------------------------------------------------

CHAINED = ["plain", "residual", "mobile", "concatenated", "branched", "normed", "segmenting", "written"]


@pytest.mark.parametrize("inplace", [False, True], ids=["", "in place"])
@pytest.mark.parametrize("name", CHAINED)
def test_a_plan_moves_on_along_a_chain_of_pictures(name: str, inplace: bool):
    net, x = CASE[name].net(torch.float64, inplace=inplace), CASE[name].inputs(torch.float64, batch=1)
    plan, corners = Plan.build(net, x, (3, 3)), some_corners((16, 16), (3, 3))
    patches = tensor(len(corners), 3, 3, 3)
    first = plan(patches, corners)
    moved = plan
    for n in (0, 5, 6):
        moved, x = moved.moved(patches[n : n + 1], corners[n : n + 1]), written(x, patches[n : n + 1], corners[n : n + 1])
    assert torch.equal(moved.picture, x)
    assert worst(moved, net, x, patches[7:], corners[7:]) < 1e-11
    assert torch.equal(plan(patches, corners), first), "the plan it came from is as it was"


@pytest.mark.parametrize("inplace", [False, True], ids=["", "in place"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_plan_for_one_picture_gives_the_plan_for_another(name: str, inplace: bool):
    net, corners = CASE[name].net(torch.float64, inplace=inplace), some_corners((16, 16), (2, 2))
    plan = Plan.build(net, CASE[name].inputs(torch.float64, batch=1), (2, 2))
    other = tensor(1, 3, 16, 16, seed=12)
    assert worst(plan.rebased(other), net, other, tensor(len(corners), 3, 2, 2), corners) < 1e-11


# -- what is asked --------------------------------------------------------------------------------------------------------


def test_values_inside_the_network_can_be_read():
    net, x = CASE["residual"].net(torch.float64), CASE["residual"].inputs(torch.float64, batch=1)
    corners, reads = some_corners((16, 16), (2, 2)), ("stem", "blocks.0", "blocks.0.first.0", None)
    patches = tensor(len(corners), 3, 2, 2)
    values = Plan.build(net, x, (2, 2), reads=reads).values(patches, corners)
    assert set(values) == set(reads)
    with torch.no_grad():
        stem = net.stem(written(x, patches, corners))
    assert torch.allclose(values["stem"], stem, rtol=0, atol=1e-12)
    assert torch.allclose(values["blocks.0"], net.blocks[0](stem), rtol=0, atol=1e-12)
    assert torch.allclose(values["blocks.0.first.0"], net.blocks[0].first[0](stem), rtol=0, atol=1e-12)


def test_windows_may_lie_in_what_a_module_returns():
    net, x = CASE["residual"].net(torch.float64), CASE["residual"].inputs(torch.float64, batch=1)
    plan = Plan.build(net, x, (2, 3), at="stem", reads=(None, "stem.0"))
    with torch.no_grad():
        inside = net.stem(x)
        corners = some_corners(inside.shape[2:], (2, 3))
        patches = tensor(len(corners), 6, 2, 3)
        own = net.head(net.pool(net.blocks(written(inside, patches, corners))).flatten(1))
    values = plan.values(patches, corners)
    assert torch.allclose(values[None], own, rtol=0, atol=1e-12)
    assert torch.allclose(values["stem.0"], net.stem[0](x).expand_as(values["stem.0"]), rtol=0, atol=1e-12), "upstream"


def test_whole_variants_are_answered_where_they_differ_in_one_window():
    net, x = CASE["branched"].net(torch.float64), CASE["branched"].inputs(torch.float64, batch=1)
    grid = torch.cartesian_prod(torch.arange(0, 13, 2), torch.arange(12))
    plan, corners = Plan.build(net, x, (4, 5), corners=grid), some_corners((16, 16), (2, 3))
    variants = torch.cat([written(x, tensor(len(corners), 3, 2, 3), corners), x])
    answers = plan.answers(variants)
    assert answers is not None and torch.allclose(answers[None], net(variants), rtol=0, atol=1e-12)
    variants[0, 0, 0, 0], variants[0, 0, 15, 15] = 1.0, 1.0
    assert plan.answers(variants) is None


def test_windows_around_regions_are_as_small_as_they_can_be():
    regions = torch.zeros(3, 1, 7, 9, dtype=torch.bool)
    regions[0, 0, 1:3, 2:5] = True
    regions[1, 0, 6, 8] = True
    size, corners = windows_around(extents(regions.any(1)), (7, 9))
    assert size == (2, 3) and corners.tolist() == [[1, 2], [5, 6], [0, 0]]


def test_the_table_says_which_part_of_each_operation_is_computed():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
    plan = Plan.build(net, torch.ones(1, 1, 8, 8), (1, 1))
    assert plan.show().splitlines() == [
        "0  convolution  convolution  3 x 3 of 6 x 6  0",
        "1  activation   relu         3 x 3 of 6 x 6  1",
        "2  route        view         whole           2",
        "3  dense        addmm        whole           3",
        "306 of 792 multiply-adds per window",
    ]
    assert repr(plan) == "Plan(1 x 1 of 8 x 8, 2 of 4 operations on boxes, saves 61%)"


@pytest.mark.parametrize("name", ["residual", "mobile", "written", "attending"])
def test_a_plan_leaves_no_trace_and_answers_the_same_twice(name: str):
    net, x = CASE[name].net(inplace=True), CASE[name].inputs(batch=1)
    size = (2,) * (x.dim() - 2)
    corners = some_corners(x.shape[2:], size)
    patches = tensor(len(corners), x.shape[1], *size, dtype=torch.float32)
    with untouched(net, x, patches, corners):
        plan = Plan.build(net, x, size)
        first = plan(patches, corners)
        plan.moved(patches[:1], corners[:1])
        plan.rebased(x + 1)
    assert torch.equal(first, plan(patches, corners)) and not first.requires_grad
    assert torch.equal(first[3:5], plan(patches[3:5], corners[3:5])) or torch.allclose(
        first[3:5], plan(patches[3:5], corners[3:5]), rtol=1e-5, atol=1e-6
    )


def test_what_is_kept_is_one_sample_of_what_is_read():
    plan = Plan.build(CASE["plain"].net(), CASE["plain"].inputs(batch=1), (1, 1))
    kept = sum(t.numel() for t in plan.clean.values())
    assert kept < 4 * 16 * 16 * 18 and not any(step.op.aux for step in plan.schedule.steps), "and nothing of the tape"


# -- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "found"),
    [
        (lambda x: x + torch.rand_like(x), "draws random numbers"),
        (lambda x: torch.where(x > 0, x, 0 * x), "gt in the model itself, which branches on its values"),
        (lambda x: x.flatten(1).topk(3)[0], "branches on its values"),
        (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), "branches on its values"),
        (lambda x: x * x.mean() if x.mean() > 0 else x, "branches on its values"),
        (lambda x: x - x.mean(0), "mean in the model itself, where samples are mixed"),
    ],
    ids=["random", "comparison", "order", "positions", "branch", "mixed samples"],
)  # fmt: skip
def test_networks_that_a_tape_cannot_tell_are_refused(net: Callable[[Tensor], Tensor], found: str):
    with pytest.raises(pl.ModelError, match=found) as error:
        Plan.build(net, torch.ones(1, 2, 6, 6), (2, 2))
    assert "Run the whole network." in str(error.value)


def test_errors_say_what_to_do():
    net, x = CASE["residual"].net(), CASE["residual"].inputs(batch=1)
    with pytest.raises(pl.InputError, match=r"Windows of 20 x 2: found a picture of 16 x 16; windows lie inside"):
        Plan.build(net, x, (20, 2))
    with pytest.raises(pl.InputError, match=r"takes one sample.*Pass one picture"):
        Plan.build(net, CASE["residual"].inputs(), (2, 2))
    with pytest.raises(pl.InputError, match=r"at \(15, 0\): found a picture of 16 x 16.*Move it inside"):
        Plan.build(net, x, (2, 2), corners=torch.tensor([[15, 0]]))
    plan = Plan.build(net, x, (2, 2), corners=torch.tensor([[4, 4], [8, 8]]))
    with pytest.raises(pl.InputError, match=r"A window at \(5, 4\): found a plan made for other corners"):
        plan(torch.zeros(2, 3, 2, 2), torch.tensor([[4, 4], [5, 4]]))
    with pytest.raises(pl.InputError, match=r"content of shape \(2, 3, 3, 2\)"):
        plan(torch.zeros(2, 3, 3, 2), torch.tensor([[4, 4], [4, 8]]))
    with pytest.raises(pl.InputError, match=r"a tensor of shape \(2,\); one row per window"):
        plan(torch.zeros(2, 3, 2, 2), torch.tensor([4, 4]))
    with pytest.raises(pl.InputError, match=r"boxes depend on the shape"):
        plan.rebased(torch.zeros(1, 3, 8, 8))


# -- which way to ask -----------------------------------------------------------------------------------------------------


class Wide(nn.Module):
    """A network in which whatever a plan costs is little against what it saves."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 96, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(96, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


class Tired(Wide):
    """Another answer each time it is asked, which no tape can tell."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (1 + 0.1 * self.calls)


@dataclass(frozen=True, eq=False)
class Asked:
    """A model, a picture, a target, and the windows to ask about."""

    readout: Readout
    corners: Tensor
    size: tuple[int, ...]

    @classmethod
    def about(cls, net: nn.Module, x: Tensor, size: int = 4, stride: int = 4, at: str | None = None) -> Asked:
        readout, _, _ = resolve_readout(pl.load(net), x, pl.logit(1), at)
        picture = x.shape[2:]
        corners = torch.cartesian_prod(*(torch.arange(0, p - size + 1, stride) for p in picture))
        return cls(readout, corners.reshape(-1, len(picture)), (size,) * len(picture))

    def choose(self, **options: Any) -> Choice:
        return accelerate(self.readout, len(self.readout.x) - 1, self.size, self.corners, **options)


def test_a_plan_is_chosen_where_it_is_faster():
    net = Wide().eval()
    settle(net, (3, 64, 64), batch=2)
    asked = Asked.about(net, torch.cat([torch.zeros(1, 3, 64, 64), tensor(1, 3, 64, 64, dtype=torch.float32)]))
    choice = asked.choose()
    assert choice.plan is not None and choice.gain > 1
    assert f"{choice.gain:.1f} times as fast as the whole network" in choice.reason
    patches, rows = tensor(len(asked.corners), 3, 4, 4, dtype=torch.float32), [1] * len(asked.corners)
    values = asked.readout.values(written(asked.readout.x[1:], patches, asked.corners), rows)
    own, quick = (asked.readout.read(v, rows) for v in (values, choice.plan.values(patches, asked.corners)))
    assert torch.allclose(own, quick, rtol=1e-6, atol=1e-4 * float(own.std()))


def test_the_network_itself_is_asked_where_a_plan_would_not_pay():
    x = CASE["mobile"].inputs()
    few = Asked.about(CASE["mobile"].net(), x, stride=8).choose()
    assert few.plan is None and few.reason == "the whole network was run: 4 windows are too few to prepare for"
    nothing = Asked.about(CASE["plain"].net(), x, size=12, stride=1).choose()
    assert nothing.plan is None and "a plan would save 0% of its multiply-adds" in nothing.reason
    refused = Asked.about(nn.Sequential(Clipped(), CASE["mobile"].net()), x, stride=2).choose()
    assert refused.plan is None and "gt in 0, which branches on its values" in refused.reason


class Clipped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 1, torch.ones_like(x), x)


@pytest.mark.parametrize("measure", [True, False])
def test_a_plan_that_differs_from_the_network_is_never_chosen(measure: bool):
    net = Tired().eval()
    settle(net, (3, 32, 32), batch=2)
    choice = Asked.about(net, tensor(1, 3, 32, 32, dtype=torch.float32)).choose(measure=measure, few=0, least=0)
    apart = "a network that goes by all that is in its batch, or by numbers it reads"
    assert choice.plan is None and choice.reason == f"the whole network was run: {apart}"


@pytest.mark.parametrize("name", ["plain", "residual", "normed", "grouped", "windowed", "written"])
def test_a_right_plan_is_taken_unmeasured_where_that_is_wanted(name: str):
    choice = Asked.about(CASE[name].net(), CASE[name].inputs(batch=2), stride=6).choose(measure=False, few=0, least=0)
    assert choice.plan is not None, choice.reason


def test_windows_inside_the_network_can_be_chosen_for_too():
    case: Case = CASE["residual"]
    readout, _, _ = resolve_readout(pl.load(case.net()), case.inputs(), pl.logit(1), "stem")
    choice = accelerate(readout, 1, (2, 2), every_corner((7, 7), (2, 2)), measure=False, least=0)
    assert choice.plan is not None and choice.plan.picture.shape == (1, 6, 7, 7)


def test_a_choice_holds_for_other_pictures_of_that_shape():
    case, corners = CASE["branched"], some_corners((16, 16), (6, 6))
    asked = Asked.about(case.net(torch.float64), case.inputs(torch.float64, batch=2), size=6, stride=1)
    choice, other = asked.choose(measure=False, few=0, least=0), asked.readout.x[:1]
    assert worst(choice.rebased(other).plan, case.net(torch.float64), other, tensor(len(corners), 3, 6, 6), corners) < 1e-11
    refused = Choice(None, "")
    assert refused.rebased(other) is refused


@pytest.mark.parametrize("around", [torch.inference_mode, torch.enable_grad], ids=["inference", "grad"])
def test_what_the_caller_has_switched_on_changes_no_answer(around: Any):
    net, x = CASE["residual"].net(inplace=True), CASE["residual"].inputs(batch=1)
    corners = some_corners((16, 16), (3, 3))
    patches = tensor(len(corners), 3, 3, 3, dtype=torch.float32).requires_grad_()
    plain = Plan.build(net, x, (3, 3))(patches.detach(), corners)
    with around():
        plan = Plan.build(net, x, (3, 3))
        inside = plan(patches, corners)
    assert torch.equal(plain, inside) and torch.equal(plain, plan(patches, corners)) and not inside.requires_grad


def test_reading_what_folding_would_take_away_unfolds_it():
    net = (
        nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)).double().eval()
    )
    settle(net, (3, 12, 12))
    x, corners = tensor(1, 3, 12, 12), some_corners((12, 12), (2, 2))
    patches, reads = tensor(len(corners), 3, 2, 2), ("0", "1", "2")
    values = Plan.build(net, x, (2, 2), reads=reads).values(patches, corners)
    y = written(x, patches, corners)
    for name in reads:
        y = net[int(name)](y)
        assert torch.allclose(values[name], y, rtol=0, atol=1e-12)


# -- networks of torchvision ----------------------------------------------------------------------------------------------


def of_torchvision(name: str, size: int, dtype: torch.dtype) -> nn.Module:
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    net = models.get_model(name, weights=None, **options).to(dtype).eval()
    settle(net, (3, size, size), batch=2)
    return net


def test_a_vision_transformer_is_computed_whole_after_its_first_layer():
    models = pytest.importorskip("torchvision.models")
    net = models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5).double().eval()
    settle(net, (3, 32, 32), batch=2)
    error, plan = compared(net, tensor(1, 3, 32, 32), (4, 4))
    assert error < 1e-12
    assert [bool(step.boxes) for step in plan.schedule.steps][:2] == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "saves"),
    [
        ("vgg16", 0.3), ("resnet18", 0.15), ("googlenet", 0.25), ("densenet121", 0.15), ("mobilenet_v2", 0.2),
        ("shufflenet_v2_x0_5", 0.2), ("squeezenet1_1", 0.25), ("efficientnet_b0", 0.03), ("convnext_tiny", 0.03), ("swin_t", 0),
        ("regnet_y_400mf", 0.05),
    ],
)  # fmt: skip
def test_networks_of_torchvision(name: str, saves: float):
    net, x = of_torchvision(name, 64, torch.float64), tensor(1, 3, 64, 64)
    corners = torch.tensor([[0, 0], [0, 56], [56, 0], [56, 56], [24, 21], [13, 42]])
    error, plan = compared(net, x, (8, 8), corners, corners=corners)
    assert error < 1e-10 and plan.saves >= saves
    net, x, patches = net.float(), x.float(), tensor(len(corners), 3, 8, 8, dtype=torch.float32)
    with torch.no_grad():
        own = net(written(x, patches, corners))
        rounding = difference(own, net(written(x, patches, corners).contiguous(memory_format=torch.channels_last)))
    assert difference(Plan.build(net, x, (8, 8))(patches, corners), own) < max(1e-4, 4 * rounding)
