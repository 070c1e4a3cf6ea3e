"""Optimised masks: the published objectives, what they find where the truth is known, and how they are asked."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.blur import blur_matrix
from pellucid.core.progress import watched
from pellucid.methods.perturb.masks import extremal
from pellucid.methods.perturb.masks.extremal import Extremal
from pellucid.methods.perturb.masks.masks import places_of
from pellucid.methods.perturb.masks.meaningful import Meaningful, as_probability
from pellucid.methods.perturb.masks.optimise import gradient
from pellucid.tape.forward import resolve_readout
from pellucid.target import as_target
from tests.cases import CASE, contained, difference

SIDE, SQUARE = 48, (slice(8, 20), slice(20, 32))
AREA = 12 * 12 / SIDE**2
METHODS = [Meaningful(steps=12), Extremal((0.2,), steps=40), Extremal((0.1, 0.3), "dual", steps=40)]
each_method = pytest.mark.parametrize("method", METHODS, ids=["meaningful", "extremal", "dual"])


class Square(nn.Module):
    """A network that answers to the contrast of neighbouring pixels inside a square, and to nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        inside = x[..., SQUARE[0], SQUARE[1]]
        detail = inside.diff(dim=-1).square().mean((1, 2, 3)) + inside.diff(dim=-2).square().mean((1, 2, 3))
        return torch.stack([10 * detail, torch.zeros_like(detail)], 1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def texture(batch: int = 1, seed: int = 0) -> Tensor:
    """Spots some pixels wide: a slight blur leaves them, a strong one does not."""
    bell = blur_matrix(SIDE, 2.0, torch.empty(0, dtype=torch.float64))
    spots = bell @ noise(batch, 3, SIDE, SIDE, seed=seed) @ bell.T
    return (spots / spots.std()).float()


def inside() -> Tensor:
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[SQUARE] = True
    return mask


def iou(mask: Tensor, truth: Tensor) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def game(method: Any, net: nn.Module, x: Tensor, target: Any = 0) -> Any:
    with torch.no_grad():
        readout, _, output = resolve_readout(pl.load(net), x, as_target(target))
        return method.game(readout, output)


# -- where the truth is known ---------------------------------------------------------------------------------------------


def test_meaningful_takes_the_square_that_the_network_looks_at():
    e = pl.explain(Square().eval(), texture(), target=0, method=Meaningful(steps=80))
    heat = e.heat()
    assert iou(e.mask(top=AREA), inside()) > 0.6
    assert heat[~inside()].mean() < 0.15 and heat[inside()].mean() > 0.6


@pytest.mark.parametrize("variant", ["preserve", "dual"])
def test_extremal_finds_the_square_when_it_is_asked_for_an_area_as_large(variant: Any):
    method = Extremal((AREA,), variant, steps=200, flip=False)  # in a mirrored picture this network looks at another part of it
    e = pl.explain(Square().eval(), texture(), target=0, method=method)
    assert iou(e.mask(top=AREA), inside()) > 0.6


def test_deletion_finds_places_in_the_square_that_carry_most_of_the_score():
    net, x, method = Square().eval(), texture(), Extremal((AREA,), "delete", steps=200, flip=False)
    found = game(method, net, x)
    heat = pl.explain(net, x, target=0, method=method).heat()
    chosen = heat >= heat.flatten().topk(round(AREA * SIDE**2)).values[-1]
    assert (chosen & inside()).sum() / chosen.sum() > 0.6  # one in sixteen by chance
    full, left, elsewhere = (float(net(t)[0, 0]) for t in (x, *(found.under(1 - h[None], [0]) for h in (heat, heat.roll(24, 0)))))
    assert left < full / 3 and elsewhere > 0.9 * full


def test_masks_of_larger_areas_are_larger_each_within_two_percent_and_keep_more():
    areas, net, x = (0.05, 0.1, 0.2, 0.4), CASE["plain"].net(), CASE["plain"].inputs(batch=1)
    means = [float(pl.explain(net, x, target=1, method=Extremal((area,), steps=200)).heat().mean()) for area in areas]
    assert means == sorted(means)
    assert all(abs(mean - area) < 0.02 for mean, area in zip(means, areas, strict=True)), means


def test_several_areas_give_the_sum_of_their_masks():
    net, x = CASE["plain"].net(), CASE["plain"].inputs()
    both = pl.explain(net, x, target=1, method=Extremal((0.1, 0.3), steps=20)).values
    alone = [pl.explain(net, x, target=1, method=Extremal((area,), steps=20)).values for area in (0.1, 0.3)]
    assert difference(both, alone[0] + alone[1]) < 1e-4


# -- slow twins of the published objectives -------------------------------------------------------------------------------


def spread_by_hand(mask: Tensor, side: int, sigma: float) -> Tensor:
    """One mask (n, n) over (side, side): entries repeated over their cells, then each place the Gaussian mean of all places."""
    n = len(mask)
    fine = [[float(mask[i * n // side, j * n // side]) for j in range(side)] for i in range(side)]
    made = torch.zeros(side, side, dtype=torch.float64)
    for i in range(side):
        for j in range(side):
            weights = [[math.exp(-((i - k) ** 2 + (j - q) ** 2) / (2 * sigma**2)) for q in range(side)] for k in range(side)]
            total = sum(map(sum, weights))
            made[i, j] = sum(weights[k][q] * fine[k][q] for k in range(side) for q in range(side)) / total
    return made


@torch.no_grad()
def test_the_loss_of_meaningful_is_that_of_the_paper_at_given_masks():
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    method = Meaningful(size=8, l1=2e-3, tv=0.3, smooth=28.0)
    found = game(method, net, x, target=1)
    masks = torch.rand(3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    for i, mask in enumerate(masks):
        keep = spread_by_hand(mask, 16, sigma=28.0 * 16 / 224)
        p, full, null = (
            float(net(t[None]).softmax(1)[0, 1]) for t in (x[i] * keep + found.null[i] * (1 - keep), x[i], found.null[i])
        )
        cost = 0.0
        for a in range(8):
            for b in range(8):
                down = float(mask[a + 1, b] - mask[a, b]) if a < 7 else 0.0
                right = float(mask[a, b + 1] - mask[a, b]) if b < 7 else 0.0
                cost += 2e-3 * abs(1 - float(mask[a, b])) + 0.3 * math.hypot(down, right) ** 3
        expected = cost * 28**2 / 8**2 + max(0.0, 1 - (full - p) / abs(full - null))
        kept = masks[i : i + 1]
        share = found.score_range.share(found.readout(found.variants(kept, [i], 0), [i]), [i])
        assert float(found.penalty(kept, [i], 0) + share.clamp(min=0)) == pytest.approx(expected, rel=1e-9)


def smooth_by_hand(mask: Tensor, reach: float, margin: int) -> list[list[float]]:
    """The smooth maximum of bumps, at every entry and in the margin, not yet scaled."""
    n, near = len(mask), 1 + math.ceil(reach)
    made = []
    for i in range(-margin, n + margin):
        row = []
        for j in range(-margin, n + margin):
            sizes = []
            for k in range(-near, near + 1):
                for q in range(-near, near + 1):
                    size = float(mask[i + k, j + q]) if 0 <= i + k < n and 0 <= j + q < n else 0.0
                    sizes.append(size * math.exp(-2 * max(0.0, math.hypot(k, q) / reach - 0.5) ** 2))
            weights = [math.exp(20 * size) for size in sizes]
            row.append(sum(s * w for s, w in zip(sizes, weights, strict=True)) / sum(weights))
        made.append(row)
    return made


def test_the_area_term_of_extremal_is_that_of_the_paper_at_given_masks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(extremal, "EQUAL", 0.0)  # sorted strictly, as in the paper
    method = Extremal((0.25,), steps=800)
    found = game(method, CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64, batch=1), target=1)
    mask = torch.rand(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    bumps, ones = (smooth_by_hand(m, found.reach, found.margin) for m in (mask, torch.ones_like(mask)))
    deep = ones[len(ones) // 2][len(ones) // 2]
    flat = sorted(b / max(o, deep) for row, bars in zip(bumps, ones, strict=True) for b, o in zip(row, bars, strict=True))
    wanted = [0.0] * (len(flat) - 64) + [1.0] * 64  # a quarter of 16 x 16 entries
    expected = 300 * 1.0035**7 * sum((m - r) ** 2 for m, r in zip(flat, wanted, strict=True)) / len(flat)
    assert float(found.penalty(mask[None], [0], step=7)) == pytest.approx(expected, rel=1e-9)


def test_entries_that_are_equal_share_what_is_left_of_the_area():
    found = game(Extremal((0.25,)), CASE["dense"].net(), CASE["dense"].inputs(batch=1), target=1)  # 3 of 12 columns
    smooth = torch.tensor([[0.9] + [0.5] * 8 + [0.1] * 3])
    assert torch.allclose(found.ideal(smooth, [0]), torch.tensor([[1.0] + [0.25] * 8 + [0.0] * 3]))


@each_method
def test_the_gradient_is_that_of_autograd_through_everything(method: Any):
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    found = game(method, net, x, target=1)
    masks = 0.2 + 0.6 * torch.rand(found.start().shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    index = list(range(len(masks)))
    by_tape, _ = gradient(found, masks, index, step=3)
    leaf = masks.clone().requires_grad_()
    variants = found.variants(leaf, index, 3)
    rows = [found.of[i] for i in index] * (len(variants) // len(index))
    out = net(variants)
    scores = found.readout.target.take(rows).read(lambda at: out)
    loss = (scores * found.score_gradients(scores.detach(), index)).sum() + found.penalty(leaf, index, 3).sum()
    assert difference(by_tape, torch.autograd.grad(loss, leaf)[0]) < 1e-9


# -- what every method promises -------------------------------------------------------------------------------------------


@each_method
def test_twice_gives_the_same_bits_and_alone_the_same_as_in_a_batch(method: Any):
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    batch = pl.explain(net, x, target=1, method=method).values
    assert torch.equal(batch, pl.explain(net, x, target=1, method=method).values)
    alone = torch.cat([pl.explain(net, x[i : i + 1], target=1, method=method).values for i in range(len(x))])
    assert difference(alone, batch) <= 1e-5


@each_method
def test_a_model_without_autograd_gives_the_same_mask(method: Any):
    net, x = CASE["plain"].net(), CASE["plain"].inputs()
    expected = pl.explain(net, x, target=1, method=method).values
    off = torch.no_grad()(lambda x: net(x))
    assert torch.equal(pl.explain(off, x, target=1, method=method).values, expected)
    scripted = pl.explain(contained("scripted", CASE["plain"]), x, target=1, method=method).values
    assert difference(scripted, expected) <= 1e-5


@pytest.mark.parametrize("name", ["efficient", "normed", "grouped", "shuffled", "signal", "sequence"])
@each_method
def test_an_exported_program_has_the_same_mask(name: str, method: Any):
    case, dtype = CASE[name], torch.float64  # a descent magnifies rounding, which in float32 moves masks by up to 4e-4
    expected = pl.explain(case.net(dtype), case.inputs(dtype), target=1, method=method).values
    found = pl.explain(contained("exported", case, dtype), case.inputs(dtype), target=1, method=method).values
    assert difference(found, expected) <= 1e-5


@each_method
def test_nothing_is_left_behind(method: Any):
    net, x = CASE["residual"].net(), CASE["residual"].inputs().requires_grad_()
    before, state = {k: (id(v), v.clone(), v.requires_grad, v.grad) for k, v in net.named_parameters()}, torch.get_rng_state()
    pl.explain(net, x, target=1, method=method)
    assert x.grad is None and torch.equal(state, torch.get_rng_state())
    for name, now in net.named_parameters():
        known, bits, flag, grad = before[name]
        assert (id(now), now.requires_grad, now.grad) == (known, flag, grad) and torch.equal(now, bits)


@pytest.mark.parametrize("name", ["dense", "signal", "volume", "sequence", "segmenting"])
@each_method
def test_inputs_of_every_shape_have_masks_over_their_places(name: str, method: Any):
    case = CASE[name]
    e = pl.explain(case.net(), case.inputs(), target=case.target, method=method)
    assert e.values.shape == case.inputs().shape and e.values.isfinite().all() and e.values.min() >= 0
    if e.values.dim() > 2:
        assert torch.equal(e.values, e.values[:, :1].expand_as(e.values))


def test_places_may_lie_along_another_axis():
    case = CASE["attending"]
    e = pl.explain(case.net(), case.inputs(), target=1, method=Meaningful(steps=10, axes=(1,)))
    assert torch.equal(e.values, e.values[..., :1].expand_as(e.values)) and len(e.values[0, :, 0].unique()) > 1
    assert places_of(case.inputs(), (1,)).sides == (5,)


def test_nothing_moves_where_the_target_is_read_from_a_map():
    case = CASE["segmenting"]
    assert not game(Extremal(), case.net(), case.inputs(), case.target).flips
    assert game(Extremal(), CASE["plain"].net(), CASE["plain"].inputs(), 1).flips


def test_jitter_is_the_same_for_every_sample_and_changes_with_the_seed():
    x = texture(2)
    methods = [Meaningful(jitter=40, seed=seed) for seed in (0, 1)]
    first, second = (game(method, Square().eval(), x) for method in methods)
    assert first.shifts > 4
    assert [first.shift(t) for t in range(9)] != [second.shift(t) for t in range(9)]
    ones = torch.ones(2, SIDE, SIDE)
    both = first.under(ones, [0, 1], (2, -3))
    assert torch.equal(both[0], first.under(ones[:1], [0], (2, -3))[0])
    assert torch.equal(both[..., 2:, :-3], x[..., :-2, 3:])


def test_a_mask_keeps_and_values_say_what_was_taken():
    found = game(Meaningful(null=0.0), CASE["dense"].net(), CASE["dense"].inputs(batch=1))
    keep = torch.tensor([[1.0] * 6 + [0.0] * 6])
    assert torch.equal(found.under(keep, [0]), CASE["dense"].inputs(batch=1) * keep)


def test_logits_are_taken_as_probabilities_and_contrasts_as_they_are():
    scores = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    assert "probability 1" in str(as_probability(pl.logit(1), scores))
    for target, output in ((pl.logit(1) - pl.logit(2), scores), (-pl.logit(1), scores), (pl.logit(0), scores[:, :1])):
        assert as_probability(target, output) is target


# -- stopping, and what the caption says ----------------------------------------------------------------------------------


@each_method
def test_a_run_that_is_called_off_returns_the_mask_so_far(method: Any):
    seen = []
    with watched(lambda done, total, what: seen.append((done, total, what)) or done == 3):
        e = pl.explain(CASE["plain"].net(), CASE["plain"].inputs(), target=1, method=method)
    assert seen == [(step, method.steps, "steps") for step in (1, 2, 3)]
    assert f"Called off after 3 of {method.steps} steps." in e.notes and e.values.isfinite().all()


def test_a_mask_that_no_longer_moves_is_left_alone_for_itself():
    net, x = CASE["plain"].net(torch.float64), CASE["plain"].inputs(torch.float64)
    method = Meaningful(steps=200, tol=0.02)
    batch = pl.explain(net, x, target=1, method=method)
    alone = torch.cat([pl.explain(net, x[i : i + 1], target=1, method=method).values for i in range(len(x))])
    assert any("when the mask no longer changed" in note for note in batch.notes)
    assert difference(alone, batch.values) <= 1e-5


def test_captions_tell_scores_under_the_mask_in_full_and_with_nothing():
    e = pl.explain(Square().eval(), texture(), target=0, method=Extremal((AREA,), steps=100))
    assert "Keeping" in e.caption() and "all places give" in e.caption() and ", none" in e.caption()
    e = pl.explain(Square().eval(), texture(), target=0, method=Meaningful(steps=20))
    assert "Blurring" in e.caption() and "the probability from" in e.caption()
    assert "l1=0.001" in " ".join(Meaningful().options) and "areas=(0.1,)" in Extremal().options


def test_a_mask_that_takes_nothing_says_so():
    blind = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    blind[1].weight.data.zero_()
    e = pl.explain(blind, torch.ones(1, 12), target=0, method=Meaningful(steps=40))
    assert not e.values.any() and "A mask removes nothing" in e.caption() and "softmax=False" in e.caption()


# -- bad input ------------------------------------------------------------------------------------------------------------

BAD = {
    "area of all": (lambda: Extremal((1.0,)), "between 0 and 1"),
    "area of nothing": (lambda: Extremal((0.1, 0.0)), "between 0 and 1"),
    "no area": (lambda: Extremal(()), "between 0 and 1"),
    "no such variant": (lambda: Extremal(variant="keep"), "preserve, delete, dual"),  # type: ignore[arg-type]
    "one level": (lambda: Extremal(levels=1), "two levels"),
    "no steps of extremal": (lambda: Extremal(steps=0), "steps is above zero"),
    "no steps of meaningful": (lambda: Meaningful(steps=0), "steps is above zero"),
    "a cost below zero": (lambda: Meaningful(l1=-1.0), "l1 is zero or more"),
    "not a number": (lambda: Meaningful(lr=float("nan")), "lr is above zero"),
}


@pytest.mark.parametrize("what", BAD)
def test_settings_out_of_range_are_refused(what: str):
    make, said = BAD[what]
    with pytest.raises(pl.MethodError, match=said):
        make()


@pytest.mark.parametrize("axes", [(0,), (4,), (2, 2), ()])
def test_axes_that_are_none_are_refused(axes: tuple[int, ...]):
    with pytest.raises(pl.InputError, match="axes 1-3, each named once"):
        pl.explain(CASE["plain"].net(), CASE["plain"].inputs(), target=1, method=Meaningful(steps=2, axes=axes))
