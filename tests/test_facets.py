"""Facets: the kinds of picture of a class, found and drawn, and the denoising that draws them."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.errors import InputError, MethodError
from pellucid.synth.canvas import Phase
from pellucid.synth.facets import facets, group_by_codes, kmeans, unit_codes
from pellucid.synth.frame import Frame, framed
from pellucid.synth.generator.encoder import code_module, encoder
from pellucid.synth.optimize.task import Task
from pellucid.synth.pictures import pictures
from pellucid.synth.prior.denoise import Denoise, denoise, divergence, gradient
from pellucid.synth.random import generators
from pellucid.synth.recipes.denoised import FROM_MEAN, rescaled
from pellucid.synth.recipes.mfv import NO_MODULE, Mfv

SIDE = 12
CLOUDY = Frame((3, 24, 24), torch.zeros(()), torch.ones(()))


def kinds(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures, their class, and their kind: class 0 is a bar down on the left or across below, class 1 a spot up right."""
    rng = torch.Generator().manual_seed(seed)
    kind = torch.arange(n) % 4 % 3  # bars down come twice as often as bars across
    x = torch.zeros(n, 1, SIDE, SIDE)
    for row, one in enumerate(kind.tolist()):
        at = int(torch.randint(2, (1,), generator=rng))
        box = (slice(at, 10 + at), slice(1, 3)), (slice(8, 10), slice(at, 10 + at)), (slice(1, 4), slice(7 + at, 10 + at))
        x[row, 0][box[one]] = 0.6 + 0.4 * torch.rand((), generator=rng)
    x = (x + 0.05 * torch.rand(x.shape, generator=rng)).clamp(0, 1)
    return x, (kind == 2).long(), kind


@pytest.fixture(scope="module")
def net() -> nn.Module:
    rng = torch.Generator().manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(288, 16), nn.ReLU(), nn.Linear(16, 2)
    )
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(0, 0.1 if weight.dim() == 1 else (2 / weight[0].numel()) ** 0.5, generator=rng)
    x, y, _ = kinds(160)
    adam = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(net(x + 0.1 * torch.randn(x.shape, generator=rng)), y).backward()
        adam.step()
    net.zero_grad(set_to_none=True)
    return net.eval()


def asked(net: nn.Module, *targets, **more) -> Task:
    model = pl.load(net)
    return Task(model, targets, framed(model, (1, SIDE, SIDE), (0, 1)), tuple(range(len(targets))), **more)


def test_both_kinds_of_a_class_come_back(net):
    x, _, kind = kinds(80, seed=3)
    found = Mfv(k=2).maximize(asked(net, pl.logit(0), data=x, steps=80))
    means = torch.stack([x[kind == one].mean(0) for one in (0, 1)])
    nearest = torch.cdist(found.images.flatten(1), means.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == [0, 1]
    assert bool((net(found.images).argmax(1) == 0).all()) and float(found.extras["coverage"]) == 1.0
    listed = found.provenance["facets"][0]
    assert [facet["pictures"] for facet in listed] == [40, 20]
    for row, facet in enumerate(listed):
        members = torch.tensor(facet["members"])
        assert set(kind[members].tolist()) == {int(nearest[row])} and len(members) == 15
        assert torch.equal(found.extras["members"][row], x[members])
        assert torch.allclose(found.extras["starts"][row], x[members].mean(0), atol=1e-6)
    assert "2 facets of 60 real pictures; the pictures made fall into those that hold 100% of them" in found.notes[-1]


def test_pictures_of_facets_score_higher_than_where_they_began(net):
    found = Mfv(k=2).maximize(asked(net, pl.logit(0), data=kinds(80)[0], steps=80))
    with torch.no_grad():
        assert bool((found.scores > net(found.extras["starts"])[:, 0]).all())


def test_several_targets_have_their_facets_one_after_another(net):
    x = kinds(80)[0]
    found = Mfv(k=2, per=4).maximize(asked(net, pl.logit(0), pl.logit(1), data=x, steps=8))
    alone = Mfv(k=2, per=4).maximize(asked(net, pl.logit(0), data=x, steps=8))
    assert found.targets == ("logit 0", "logit 0", "logit 1", "logit 1") and found.seeds == (0, 0, 1, 1)
    assert torch.allclose(found.images[:2], alone.images, atol=1e-5) and len(found.extras["coverage"]) == 2
    again = Mfv(k=2, per=4).maximize(asked(net, pl.logit(0), data=x, steps=8))
    assert torch.equal(alone.images, again.images)


def test_a_unit_has_facets_among_its_top_pictures(net):
    x = kinds(200)[0]
    target = pl.channel("1", 2)
    found = facets(pl.load(net), pictures(pl.load(net), x), target, k=3)
    scores = target.read(lambda at: net[:2](x))
    assert set(found.names) == set(scores.topk(40).indices.tolist()) and len(found) == 3, "a fifth of 200"


def test_a_class_never_predicted_has_facets_among_its_top_pictures(net):
    x, _, kind = kinds(400)
    bars = x[kind < 2]
    found = facets(pl.load(net), pictures(pl.load(net), bars), pl.logit(1), k=2)
    assert len(found.pictures) == len(bars) // 5
    with torch.no_grad():
        assert set(found.names) == set(net(bars)[:, 1].topk(len(bars) // 5).indices.tolist())


def test_signals_and_rows_of_a_table_have_facets():
    for shape, net in (
        ((2, 20), nn.Sequential(nn.Flatten(), nn.Linear(40, 4), nn.ReLU(), nn.Linear(4, 2))),
        ((6,), nn.Linear(6, 2)),
    ):
        data = torch.randn(30, *shape, generator=torch.Generator().manual_seed(0))
        model = pl.load(net.eval())
        task = Task(model, (pl.logit(0),), Frame(shape, data.min(), data.max()), (0,), data=data, steps=6)
        found = Mfv(k=2, per=3).maximize(task)
        assert found.images.shape == (2, *shape) and bool(found.images.isfinite().all())


def test_what_facets_need_is_said(net):
    with pytest.raises(MethodError, match=r"no data.*Pass data="):
        Mfv().maximize(asked(net, pl.logit(0)))
    with pytest.raises(MethodError, match="k=0"):
        Mfv(k=0).maximize(asked(net, pl.logit(0), data=kinds(8)[0]))
    one = pictures(pl.load(net), iter([kinds(1)[0], kinds(1)[0]]))
    assert len(facets(pl.load(net), one, pl.logit(0), k=5)) == 1
    with pytest.raises(InputError, match="two or more inputs are needed"):
        Mfv().maximize(asked(net, pl.logit(0), data=kinds(1)[0]))


def test_from_noise_each_facet_is_a_try_of_its_own(net):
    found, again = (Mfv(k=2, start="noise").maximize(asked(net, pl.logit(0), data=kinds(80)[0], steps=60)) for _ in range(2))
    assert torch.equal(found.images, again.images) and bool((net(found.images).argmax(1) == 0).all())
    first, second = found.extras["starts"]
    assert abs(float(first.mean()) - 175 / 255) < 0.01 and not torch.equal(first, second)
    assert (found.trace[:-1] <= 0).sum() > found.trace.numel() / 2, "most of the way climbs log-probabilities"
    with pytest.raises(MethodError, match="start='somewhere'"):
        Mfv(start="somewhere").maximize(asked(net, pl.logit(0), data=kinds(8)[0]))


def test_the_sheet_shows_where_facets_come_from(net, tmp_path):
    found = Mfv(k=2, per=3).maximize(asked(net, pl.logit(0), data=kinds(20)[0], steps=4))
    with Image.open(found.save(tmp_path / "sheet.png")) as sheet:
        wide = found.images.shape[-1] * 19  # 12 pixels, enlarged to 224 or more
        assert sheet.width >= 5 * wide and sheet.height >= 2 * wide, "two rows: made, begun, and three real ones"
    found = Mfv(k=3).maximize(asked(net, pl.logit(0), data=kinds(4)[0], steps=4))
    found.save(tmp_path / "one.png")
    assert found.notes[-1].startswith("logit 0: 1 facet of") or "facets of" in found.notes[-1]


@pytest.fixture(scope="module")
def colours() -> nn.Module:
    """A network for coloured pictures, class 0 of two kinds."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 144, 24), nn.ReLU(), nn.Linear(24, 2))
    x, y, _ = coloured(120)
    adam = torch.optim.Adam(net[-1].parameters(), 3e-2)  # so that kinds stay apart below
    for _ in range(300):
        adam.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        adam.step()
    net.zero_grad(set_to_none=True)
    return net.eval()


def coloured(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Variations of three clouds, whose spectra are as those of photographs; the first two are of class 0."""
    kind = torch.arange(n) % 3
    clouds = Phase().draw(Phase().start(CLOUDY, generators([1, 2, 3])), CLOUDY)
    other = Phase().draw(Phase().start(CLOUDY, generators(range(10, 10 + n))), CLOUDY)
    return 0.7 * clouds[kind] + 0.3 * other, (kind == 2).long(), kind


@pytest.mark.parametrize("draw", [None, "maco", "denoised"])
def test_coloured_kinds_come_back_however_they_are_drawn(colours, draw):
    x, _, kind = coloured(60)
    model = pl.load(colours)
    task = Task(model, (pl.logit(0),), framed(model, (3, 24, 24), (0, 1)), (0,), data=x, steps=40)
    found = Mfv(k=2, draw=draw).maximize(task)
    own = [set(kind[torch.tensor(facet["members"])].tolist()) for facet in found.provenance["facets"][0]]
    assert sorted(map(sorted, own)) == [[0], [1]]
    made, begun = (found.images - found.images.mean((2, 3), keepdim=True)).flatten(1), found.extras["starts"]
    alike = torch.corrcoef(torch.cat([made, (begun - begun.mean((2, 3), keepdim=True)).flatten(1)]))[:2, 2:]
    assert bool((alike.diagonal() > alike.flip(1).diagonal() + 0.2).all()), "each looks like its own kind"
    assert bool((colours(found.images).argmax(1) == 0).all())
    canvas = found.provenance["settings"][0]
    assert canvas.startswith({None: "canvas: Fourier", "maco": "canvas: Phase", "denoised": "canvas: Pixel"}[draw])
    if draw is None:
        assert torch.equal(found.images, Mfv(k=2, draw="lucid").maximize(task).images)


@pytest.mark.parametrize("draw", ["lucid", "maco"])
def test_the_pull_to_a_facet_is_paid_for_with_the_score(colours, draw):
    x = coloured(60)[0]
    model = pl.load(colours)
    task = Task(model, (pl.logit(0),), framed(model, (3, 24, 24), (0, 1)), (0,), data=x, steps=40)
    of = facets(model, pictures(model, x), pl.logit(0), k=2)
    reached, scores = [], []
    for pull in (0.0, 0.5, 2.0):
        found = Mfv(k=2, draw=draw, pull=pull).maximize(task)
        codes = unit_codes(encoder(model, found.images[:1]), found.images)
        reached.append(((codes - of.origin.float()) @ of.directions.T).diagonal())
        scores.append(found.scores)
        assert pull == 0 or float(found.extras["coverage"]) == 1.0
    assert bool((torch.stack(reached).diff(dim=0) > 0.1).all()) and bool((torch.stack(scores).diff(dim=0) < 0).all())


def test_where_codes_are_made_between_modules_nothing_is_pulled():
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.conv(x).relu().mean((2, 3)))

    torch.manual_seed(0)
    model, x = pl.load(Bare().eval()), coloured(30)[0]
    assert code_module(encoder(model, x[:1]), x[:1]) is None and code_module(encoder(model, x[:1], "conv"), x[:1]) == "conv"
    task = Task(model, (pl.logit(0),), framed(model, (3, 24, 24), (0, 1)), (0,), data=x, steps=3)
    found, free = Mfv(k=2).maximize(task), Mfv(k=2, pull=0.0).maximize(task)
    assert torch.equal(found.images, free.images) and set(found.notes) - set(free.notes) == {NO_MODULE}


def test_tries_drawn_as_photographs_begin_with_noise_of_their_own(colours):
    model, x = pl.load(colours), coloured(60)[0]
    task = Task(model, (pl.logit(0),), framed(model, (3, 24, 24), (0, 1)), (0,), data=x, steps=5)
    found = Mfv(k=2, start="noise").maximize(task)
    assert not torch.equal(*found.extras["starts"]) and found.seeds == (0, 0) and len(found.trace) == 6
    assert Mfv.published("noise") == Mfv(start="noise", draw="denoised")
    with pytest.raises(MethodError, match=r"draw='crayon'.*\"lucid\""):
        Mfv(draw="crayon").maximize(task)
    with pytest.raises(MethodError, match=r"pull=-1\.0.*a pull of 0 or more"):
        Mfv(pull=-1.0).maximize(task)


def test_a_class_with_two_pictures_to_a_facet_is_not_mixed_with_others(net):
    x, _, kind = kinds(400)
    few = torch.cat([x[kind == 2], x[kind < 2][:8]])  # 8 of class 0 among many
    found = facets(pl.load(net), pictures(pl.load(net), few), pl.logit(0), k=2)
    assert set(found.names) == set(range(int((kind == 2).sum()), len(few)))


def test_phases_share_the_steps_asked_for():
    assert [phase.steps for phase in rescaled(FROM_MEAN, 37)] == [19, 15, 2, 1]
    assert [phase.steps for phase in rescaled(FROM_MEAN, 2)] == [1, 1] and rescaled(FROM_MEAN, None) == FROM_MEAN


def test_groups_are_those_that_were_planted(rng):
    centres = 10 * torch.randn(5, 8, generator=rng)
    label = torch.arange(100) % 5
    points = centres[label] + torch.randn(100, 8, generator=rng)
    found, group = kmeans(points.double(), 5)
    assert len(set(zip(label.tolist(), group.tolist(), strict=True))) == 5
    assert torch.allclose(found[group], torch.stack([points[label == one].mean(0) for one in label.tolist()]).double(), atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(kmeans(points, 5, seed=3), kmeans(points, 5, seed=3), strict=True))


def test_groups_of_points_that_are_alike_do_not_fail():
    centres, label = kmeans(torch.ones(6, 2), 3)
    assert len(centres) == 3 and bool(centres.isfinite().all()) and len(set(label.tolist())) == 1


def test_coverage_counts_the_pictures_of_the_groups_that_are_hit():
    codes = torch.tensor([[0.0], [0.1], [0.2], [5.0], [9.0], [9.1]])
    found = group_by_codes(torch.zeros(6, 1), codes, range(6), k=3, per=2)
    assert found.sizes == (3, 2, 1) and found.members[0] == (1, 0)
    assert found.coverage(torch.tensor([[0.3], [4.0]])) == pytest.approx(4 / 6)
    assert found.coverage(codes) == 1.0


# -- denoising ----------------------------------------------------------------------------------------------------------------


def test_divergence_is_the_negative_adjoint_of_the_gradient(rng):
    for shape in ((2, 1, 7), (2, 3, 5, 6), (1, 2, 3, 4, 5)):
        x = torch.randn(shape, generator=rng, dtype=torch.float64)
        field = torch.randn(len(shape) - 2, *shape, generator=rng, dtype=torch.float64)
        assert torch.allclose((gradient(x) * field).sum(), -(x * divergence(field)).sum())


@pytest.mark.parametrize("strength", [0.01, 0.1, 0.5])
def test_denoising_finds_the_minimum_that_slow_descent_finds(strength, rng):
    x = torch.rand(2, 1, 6, 7, generator=rng, dtype=torch.float64)

    def cost(u):
        return 0.5 * (u - x).square().sum() + strength * gradient(u).square().sum(0).clamp(min=1e-14).sqrt().sum()

    found = denoise(x, strength, rounds=400)
    u = x.clone().requires_grad_()
    adam = torch.optim.Adam([u], 0.01)
    for step in range(1500):
        adam.param_groups[0]["lr"] = 0.01 * 0.997**step
        adam.zero_grad()
        cost(u).backward()
        adam.step()
    assert cost(found) <= cost(u.detach()) + 1e-3
    assert (found - u.detach()).abs().max() < 0.05


def test_a_small_weight_denoises_more_and_weights_follow_their_line(rng):
    x = torch.rand(1, 1, 8, 8, generator=rng)
    frame = Frame((1, 8, 8))
    left = [Denoise(weight).after(x, x, x, 0, frame).std() for weight in (0.01, 0.1, 2.0)]
    assert left[0] < left[1] < left[2] < x.std()
    line = Denoise(0.01, 2.0, over=10)
    assert torch.equal(line.after(x, x, x, 5, frame), Denoise(1.005).after(x, x, x, 0, frame))
    assert torch.equal(line.after(x, x, x, 99, frame), Denoise(2.0).after(x, x, x, 0, frame))


def test_each_picture_is_denoised_by_itself(rng):
    x = torch.rand(3, 2, 5, 6, generator=rng)
    assert torch.equal(denoise(x, 0.1)[1:2], denoise(x[1:2], 0.1))
    with pytest.raises(MethodError, match="Denoise"):
        Denoise(0.1).after(torch.zeros(1, 4), torch.zeros(1, 4), torch.zeros(1, 4), 0, Frame((4,)))
