"""How far to trust pictures that were made: planted nets, data and second models, whose verdicts are known by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.model import Model, Preprocess
from pellucid.synth.frame import Frame
from pellucid.synth.optimize.task import Task
from pellucid.synth.trust.activity import centred_ranks, layers_of
from pellucid.synth.trust.responses import BINS, spectra
from pellucid.synth.trust.trust import Trust
from pellucid.synth.trust.verdict import Neighbour, Opinion, PathLikeness, Verdict

SIDE = 8


class Quarters(nn.Module):
    """Class i is how bright quarter i of the picture is; before that four rectified units, and a fifth for dark corners."""

    def __init__(self, order: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.find = nn.Linear(4, 5, bias=False)
        self.find.weight.data.copy_(torch.cat([torch.eye(4), -torch.ones(1, 4)]))
        self.act = nn.ReLU()
        self.classes = nn.Linear(5, 4, bias=False)
        weight = torch.zeros(4, 5)
        weight[torch.arange(4), torch.tensor(order)] = 10.0
        self.classes.weight.data.copy_(weight)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classes(self.act(self.find(self.pool(x.mean(1, keepdim=True)).flatten(1))))
        return y


def quarters(*bright: int, noise: float = 0.0, n: int = 1, seed: int = 0) -> Tensor:
    """Pictures of which these quarters are white."""
    x = torch.zeros(n, 1, SIDE, SIDE)
    half = SIDE // 2
    for q in bright:
        x[:, :, half * (q // 2) : half * (q // 2 + 1), half * (q % 2) : half * (q % 2 + 1)] = 1.0
    return x + noise * torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))


REAL = torch.cat([quarters(q, noise=0.1, n=6, seed=q) for q in range(4)])


def made(images: Tensor, targets: list[Any], net: nn.Module | None = None, **known: Any) -> pl.Maximized:
    """Pictures as if they had been made for targets."""
    net = net or Quarters().eval()
    model = Model(net, "quarters", "", net, **known)
    frame = Frame(tuple(images.shape[1:]), torch.tensor(0.0), torch.tensor(1.0))
    known_as = {t: pl.channel(*t) if isinstance(t, tuple) else pl.logit(t) for t in targets}
    aims = tuple(known_as[t] for t in targets)
    task = Task(model, aims, frame, tuple(range(len(images))))
    scores = torch.stack([aim.read(lambda at, x=x: heard(net, x, at))[0] for aim, x in zip(aims, images[:, None], strict=True)])
    words = tuple(aim.text() for aim in aims)
    return pl.Maximized(images, scores, words, "planted", task.seeds, torch.zeros(1, len(images)),
                        torch.ones(len(images), dtype=torch.bool), task=task)  # fmt: skip


def heard(net: nn.Module, x: Tensor, at: str | None) -> Tensor:
    found = {}
    handle = net.get_submodule(at or "").register_forward_hook(lambda m, a, out: found.update(value=out))
    with torch.no_grad():
        net(x)
    handle.remove()
    return found["value"]


def refusal(call: Any, match: str, kind: type[pl.PellucidError]) -> None:
    with pytest.raises(kind, match=match) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))


# -- beside real pictures -------------------------------------------------------------------------------------------------


def test_the_percentile_is_the_share_of_real_pictures_below():
    data = torch.cat([level * quarters(0) for level in (0.0, 0.2, 0.4, 0.6)])
    trust = made(torch.cat([0.5 * quarters(0), 0.4 * quarters(0), 2 * quarters(0)]), [0, 0, 0]).trust(data)
    assert [verdict.percentile for verdict in trust.verdicts] == [0.75, 0.625, 1.0]
    assert trust[0].beyond == pytest.approx((5 - 3) / 5**0.5, rel=1e-5)  # scores 0, 2, 4, 6


def test_the_nearest_real_picture_is_named_and_a_copy_is_said_to_be_one():
    trust = made(torch.cat([REAL[7:8], quarters(2, noise=0.9, seed=9).clamp(0, 1)]), [1, 2]).trust(REAL)
    near = trust[0].neighbour
    assert near is not None and near.index == 7 and near.distance == pytest.approx(0, abs=1e-6) and near.copied
    assert trust[0].telling()[0] == "a copy of 7" and "copy" in str(trust)
    assert trust[1].neighbour is not None and not trust[1].neighbour.copied


def test_what_is_usual_is_measured_on_real_pictures():
    near = made(quarters(0), [0]).trust(REAL)[0].neighbour
    codes = torch.relu(nn.AdaptiveAvgPool2d(2)(REAL).flatten(1))
    codes = codes / codes.norm(dim=1, keepdim=True)
    assert near is not None
    assert near.usual == pytest.approx(float((1 - (codes @ codes.T - 9 * torch.eye(24)).amax(1)).median()), abs=1e-5)


def test_channels_silent_on_real_data_are_found_awake():
    trust = made(torch.cat([-quarters(0), quarters(0)]), [0, 0]).trust(REAL)
    assert (trust[0].woken, trust[0].silent) == (1, 1)  # the fifth unit likes what is darker than black
    assert (trust[1].woken, trust[1].silent) == (0, 1)


def test_the_spectrum_of_noise_lies_far_from_that_of_smooth_pictures():
    smooth = nn.functional.avg_pool2d(torch.rand(30, 1, 40, 40, generator=torch.Generator().manual_seed(0)), 9, 1)
    loud = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    trust = made(torch.cat([smooth[:1], loud]), [0, 0]).trust(smooth[1:])
    verdict, other = trust.verdicts
    assert verdict.spectrum is not None and verdict.usual_spectrum is not None and other.spectrum is not None
    assert verdict.spectrum < 2 * verdict.usual_spectrum < other.spectrum


def test_the_path_of_a_real_picture_is_that_of_its_class_and_of_another_is_not():
    new = torch.cat([quarters(q, noise=0.1, seed=40 + q) for q in (1, 3)])
    trust = made(new, [1, 1]).trust(REAL)
    own, other = trust[0].path, trust[1].path
    assert own is not None and other is not None and own.basis == "predicted"
    assert own.relative > 0.5 > other.relative
    assert trust.layers == ("act",) and own.layers[0][0] == "act"


def test_classes_of_the_pictures_can_be_said():
    labels = [3 - q for q in range(4) for _ in range(6)]
    trust = made(quarters(2, noise=0.1, seed=7), [1]).trust(REAL, classes=labels)
    path = trust[0].path
    assert path is not None and path.basis == "labelled" and path.relative > 0.5
    refusal(lambda: made(quarters(2), [1]).trust(REAL, classes=[1, 2]), "each picture has one", pl.InputError)


def test_units_inside_are_compared_with_their_top_pictures():
    path = made(quarters(2, noise=0.1, seed=7), [("act", 2)]).trust(REAL)[0].path
    assert path is not None and path.basis == "top" and path.relative > 0.5


def test_a_class_that_no_real_picture_is_of_has_no_path_and_that_is_said():
    trust = made(quarters(3), [3]).trust(REAL[:18])
    assert trust[0].path is None and "path" in trust.missing
    assert trust.notes == ("None of the 18 real pictures is predicted as logit 3.",)


# -- fresh transformations ------------------------------------------------------------------------------------------------


def test_what_survives_shifts_is_told_from_what_does_not():
    class Corner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.mean((1, 2, 3)), 2 * x[:, 0, 0, 0] - 0.6], 1)

    image = torch.full((1, 1, 64, 64), 0.5)
    image[:, :, 0, 0] = 1.0
    trust = made(torch.cat([image, image]), [0, 1], Corner().eval()).trust(views=32)
    assert trust[1].score == pytest.approx(1.4) and trust[1].held is not None and trust[1].held < 0.1
    assert trust[1].moved is not None and trust[1].moved < 0.6
    assert trust[0].held == 1.0 and trust[0].moved == pytest.approx(0.5, abs=0.01)


def test_views_are_seeded():
    p = made(quarters(0, noise=0.5), [0])
    assert p.trust()[0].moved == p.trust()[0].moved != p.trust(seed=1)[0].moved


# -- other networks -------------------------------------------------------------------------------------------------------


def test_a_second_network_that_disagrees_is_heard():
    """It takes class 1 for what the first calls class 0."""
    trust = made(quarters(0), [0]).trust(other=[Quarters((1, 0, 2, 3)).eval(), Quarters().eval()])
    against, alike = trust[0].opinions
    assert (against.rank, against.says) == (2, "class 1") and against.probability < 0.01 < 0.99 < against.sure
    assert alike.rank == 1 and alike.probability > 0.99
    assert "rank 2" in trust[0].telling()[0]


def test_classes_are_matched_by_name():
    other = Quarters((3, 2, 1, 0)).eval()
    named = Model(other, "reversed", "", other, labels=("d", "c", "b", "a"))
    opinion = made(quarters(0), [0], labels=("a", "b", "c", "d")).trust(other=named)[0].opinions[0]
    assert (opinion.rank, opinion.says, opinion.model) == (1, "a", "reversed")
    stranger = replace(named, labels=("w", "x", "y", "z"))
    trust = made(quarters(0), [0], labels=("a", "b", "c", "d")).trust(other=stranger)
    assert not trust[0].opinions and "knows no such class" in trust.missing["other network"]


def test_pictures_are_given_to_a_second_network_in_its_size_and_units():
    seen = []

    class Watching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x.mean((2, 3))

    net = Watching().eval()
    other = Model(net, "watching", "", net, preprocess=Preprocess((16, 16), mean=(0.5,) * 3, std=(0.25,) * 3))
    made(quarters(0, 1, 2, 3), [0]).trust(other=other)
    assert seen[0].shape == (1, 3, 16, 16) and torch.allclose(seen[0], torch.full((1, 3, 16, 16), 2.0))


def test_a_unit_inside_is_no_matter_for_another_network():
    trust = made(quarters(0), [("act", 0)]).trust(other=Quarters().eval())
    assert not trust[0].opinions and "no such unit" in trust.missing["other network"]


# -- seeds ----------------------------------------------------------------------------------------------------------------


def test_seeds_that_agree_are_stable_and_those_that_differ_are_diverse():
    alike = made(quarters(0, noise=0.01, n=3), [0] * 3)
    apart = made(torch.cat([quarters(q) for q in (0, 1, 2)]), [0] * 3)
    same, other = alike.trust(REAL)[0], apart.trust(REAL)[0]
    assert same.diversity is not None and same.diversity < 0.01 < other.diversity == pytest.approx(1.0)
    assert same.stability is not None and other.stability is not None and same.stability > other.stability
    assert same.spread == pytest.approx(0, abs=0.1) and other.spread == pytest.approx(10 * (2 / 9) ** 0.5)


# -- what cannot be had ---------------------------------------------------------------------------------------------------


def test_without_data_and_others_it_says_what_is_missing():
    trust = made(quarters(0), [0]).trust()
    assert set(trust.missing) == {
        "above real", "nearest real", "spectrum", "new channels", "path", "other network", "diversity", "stability",
    }  # fmt: skip
    assert "data=..." in trust.missing["path"] and trust.real == 0 and trust[0].percentile is None
    heads, rows = trust.columns()
    assert heads == ("picture", "score", "fresh views") and len(rows) == 1
    assert "not measured" in str(trust)


def test_rows_of_a_table_and_functions_are_judged_as_far_as_they_can_be():
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    data = torch.rand(12, 4, generator=torch.Generator().manual_seed(0))
    p = pl.maximize(net, 1, "erhan2009", shape=(4,), bounds=(0, 1), steps=5, data=data, beside=0)
    trust = p.trust()  # the data it was given
    assert trust.real == 12 and trust[0].percentile is not None and trust[0].neighbour is not None
    assert "fresh views" in trust.missing and "spectrum" in trust.missing

    def plain(x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2]

    trust = pl.maximize(plain, 0, "simonyan2013", shape=(1, 4, 4), steps=2, data=torch.rand(6, 1, 4, 4), beside=0).trust()
    assert trust.layers == () and trust[0].percentile is not None and "modules of this network" in trust.missing["new channels"]


def test_settings_that_cannot_be_are_refused():
    refusal(lambda: made(quarters(0), [0]).trust(views=0), "one view", pl.InputError)


def test_no_more_real_pictures_are_looked_at_than_wanted():
    p = made(quarters(0), [0])
    assert p.trust(REAL, most=10).real == 10
    with watched(lambda done, total, what: what == "pictures"):
        assert "Called off after" in p.trust(torch.cat([REAL] * 9)).notes[0]


def test_nothing_is_changed():
    net = Quarters().eval()
    p, other = made(quarters(0), [0], net), Quarters().eval()
    before, state = {name: w.clone() for name, w in net.state_dict().items()}, torch.get_rng_state()
    p.trust(REAL, other)
    assert torch.equal(torch.get_rng_state(), state) and not any(module._forward_hooks for module in net.modules())
    assert all(torch.equal(w, before[name]) and w.grad is None for name, w in net.named_parameters())


# -- how it is told -------------------------------------------------------------------------------------------------------


def test_the_sheet_carries_the_telling_numbers(tmp_path: Path):
    p = made(torch.cat([quarters(0), quarters(1)]), [0, 1])
    trust = p.trust(REAL, Quarters().eval())
    assert len(trust) == 2 and 2 <= len(trust[0].telling()) <= 3
    with Image.open(p.save(tmp_path / "bare.png")) as bare, Image.open(p.save(tmp_path / "told.png", trust=trust)) as told:
        assert told.height > bare.height
    kept = json.loads(p.save(tmp_path / "p.json", trust=trust).read_text())["trust"]
    assert kept["verdicts"][0]["opinions"][0]["rank"] == 1 and kept["real"] == 24


def test_a_report_is_written_in_words_and_numbers(tmp_path: Path):
    verdict = Verdict(
        "logit 0", 3, 2.5, 0.875, 4.0, 2.0, 0.5, (Opinion("other", 2, 0.25, "dog", 0.5),),
        Neighbour(1, "a/cat.png", 0.5, 0.25, 0.1), 0.5, 0.25, 1, 4, PathLikeness(0.5, 0.75, 0.25, "predicted"),
        0.5, 0.25, 0.75, 0.125,
    )  # fmt: skip
    trust = Trust((verdict,), 8, {}, ("act",), ("A note.",))
    assert verdict.cells() == (
        "logit 0, seed 3", "2.50", "88% (+4.0 sd)", "2.00, leads 50%", "rank 2, 25%", "0.50 (0.25) cat.png", "0.50 (0.25)",
        "1 of 4", "0.50 (0.25-0.75, predicted)", "0.50 (0.25)", "0.75, sd 0.12",
    )  # fmt: skip
    assert verdict.telling() == ["other: rank 2, 25%", "leads in 50% of fresh views", "above 88% of real pictures (+4 sd)"]
    markdown = trust.save(tmp_path / "t.md").read_text()
    assert markdown.startswith("| picture | score |") and "* A note." in markdown
    assert json.loads(trust.save(tmp_path / "t.json").read_text())["verdicts"][0]["woken"] == 1
    assert trust.save(tmp_path / "t.txt").read_text().rstrip() == str(trust)


# -- the measures themselves ----------------------------------------------------------------------------------------------


def test_rank_correlations_are_spearmans():
    scipy = pytest.importorskip("scipy.stats")
    x = torch.relu(torch.randn(5, 40, generator=torch.Generator().manual_seed(0)))  # zeros tie
    ours = centred_ranks(x) @ centred_ranks(x).T
    theirs = scipy.spearmanr(x.T.numpy()).statistic
    assert torch.allclose(ours, torch.tensor(theirs), atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 64), (3, 32, 48), (1, 8, 8), (2, 6, 8, 8)])
def test_spectra_of_white_noise_are_flat_in_any_layout(shape: tuple[int, ...]):
    x = torch.randn(400, *shape, generator=torch.Generator().manual_seed(0))
    found = spectra(x)
    assert found.shape == (400, BINS) and (10 ** found.double()).mean(0).sub(1 / shape[0]).abs().max() < 0.2


def test_a_spectrum_does_not_mind_the_size():
    small, large = (torch.randn(200, 1, n, n, generator=torch.Generator().manual_seed(0)) for n in (24, 64))
    assert (spectra(small).mean(0) - spectra(large).mean(0))[4:].abs().max() < 0.2
    assert spectra(torch.rand(3, 7)).shape == (3, 0)


def test_layers_are_rectified_ones_each_once_and_not_the_output():
    inner = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    net = nn.Sequential(inner, nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()), nn.Flatten(), nn.Linear(64, 3)).eval()
    found = layers_of(Model(net, "n", "", net), torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert len(found) in (2, 3) and all(name.startswith(("0", "1", "2")) for name in found)
    assert layers_of(Model(torch.relu, "f", ""), torch.zeros(1, 3)) == ()


def test_a_path_that_data_cannot_tell_is_not_put_between():
    assert PathLikeness(0.5, 0.75, 0.25, "top").relative == 0.5
    vague = PathLikeness(0.2, 0.31, 0.3, "top")
    assert vague.relative != vague.relative and not Verdict("a unit", 0, 1.0, path=vague).telling()


def test_a_unit_inside_need_not_lead_its_layer():
    verdict = made(quarters(2), [("act", 0)]).trust()[0]
    assert verdict.held is None and verdict.moved is not None and verdict.telling() == [f"{verdict.moved:.3f} in fresh views"]
