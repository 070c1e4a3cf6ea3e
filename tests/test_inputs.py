"""Several inputs: explained together, each in its own shape, with books that close over all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.model.multi_input import input_layout, pack
from pellucid.tape.forward import forward_values

EVERY = [entry.name for entry in pl.methods()]
PLACES = [entry.name for entry in pl.methods() if entry.maps or entry.attends]
SLOW = {"extremal", "meaningful", "rise", "lime"}


def refusal(call: Callable[[], Any], said: str, error: type[Exception] = pl.InputError) -> None:
    with pytest.raises(error, match=said) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "four parts"


class Two(nn.Module):
    """A picture and a row; a kind per sample weighs the row, and a number scales all."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense, self.kinds, self.head = nn.Conv2d(2, 4, 3), nn.Linear(5, 4), nn.Embedding(3, 4), nn.Linear(8, 3)

    def forward(self, image: Tensor, row: Tensor, kind: Tensor | None = None, scale: float = 1.0) -> Tensor:
        a, b = torch.relu(self.conv(image)).mean((2, 3)), torch.relu(self.dense(row))
        b = b if kind is None else b * torch.sigmoid(self.kinds(kind))
        return self.head(torch.cat([a, b], 1)) * scale


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return Two().eval()


@pytest.fixture(scope="module")
def given() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(2, 2, 8, 8, generator=rng), torch.randn(2, 5, generator=rng)


# -- the law: the same as a network that takes the packed tensor itself ------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in EVERY if n not in PLACES and n not in SLOW])
def test_every_method_takes_several_inputs(net, given, name):
    image, row = given[0][:1], given[1][:1]
    e = pl.explain(net, (image, row), 1, method=name)
    assert e.values.shape == (1, 2 * 64 + 5) and bool(e.values.isfinite().all())
    assert e.parts == ("image", "row")
    parts = e.part("image").values, e.part("row").values
    assert [tuple(part.shape) for part in parts] == [(1, 2, 8, 8), (1, 5)]
    assert torch.equal(torch.cat([part.flatten(1) for part in parts], 1), e.values)
    if e.ledger is not None:
        assert float(e.ledger.error.abs().max()) <= 1e-4 * float(e.ledger.volume.max())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_slow_methods_take_several_inputs(net, given, name):
    assert bool(pl.explain(net, (given[0][:1], given[1][:1]), 1, method=name).values.isfinite().all())


@pytest.mark.parametrize("name", ["gradient", "gradient_x_input", "lrp.zero"])
def test_values_are_those_of_autograd(net, given, name):
    """A twin by plain autograd: LRP-0 of a net of ReLUs is input times gradient."""
    leaves = [x.clone().requires_grad_() for x in given]
    net(*leaves)[:, 2].sum().backward()
    e = pl.explain(net, given, 2, method=name)
    for part, leaf in zip(e.parts, leaves, strict=True):
        expected = leaf.grad if name == "gradient" else leaf.grad * leaf
        torch.testing.assert_close(e.part(part).values, expected.detach(), rtol=1e-4, atol=1e-5)


def test_one_input_alone_is_the_same_by_any_way_of_calling(net, given):
    image, row = given
    whole = pl.explain(net, (image, row), 0, method="gradient_x_input").part("image").values
    held = pl.explain(net, (image, pl.held(row)), 0, method="gradient_x_input")
    named = pl.explain(net, {"row": pl.held(row), "image": image}, 0, method="gradient_x_input")
    assert held.values.shape == image.shape and held.parts == ()
    torch.testing.assert_close(held.values, whole)
    assert torch.equal(named.values, held.values)


def test_what_is_held_is_booked_and_not_explained(net, given):
    e = pl.explain(net, (given[0], pl.held(given[1])), 0)
    assert "constant operand" in e.ledger.by_cause() and float(e.ledger.error.abs().max()) < 1e-5


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "smoothgrad", "occlusion", "kernel_shap"])
def test_whole_numbers_belong_to_their_samples(net, given, method):
    """A batch is what its samples are alone: the kind of each goes where its variants go."""
    kind = torch.tensor([2, 0])
    asked = {"image": given[0], "row": given[1], "kind": kind, "scale": 2.0}
    e = pl.explain(net, asked, [0, 2], method=method)
    for n, target in enumerate((0, 2)):
        alone = pl.explain(
            net, {k: v[n : n + 1] if isinstance(v, Tensor) else v for k, v in asked.items()}, target, method=method
        )
        torch.testing.assert_close(e.values[n : n + 1], alone.values)
        torch.testing.assert_close(e.output[n : n + 1], alone.output)
        if e.ledger is not None:
            torch.testing.assert_close(e.ledger.input[n : n + 1], alone.ledger.input)
    assert (len(e.targets) == 2 and "By input: " in e.sentence(1)) or method in ("smoothgrad", "occlusion", "kernel_shap")
    other = pl.explain(net, asked | {"kind": kind.flip(0)}, [0, 2], method=method)
    assert not torch.equal(other.values, e.values)


def test_what_is_shared_goes_to_every_variant_as_it_is(given):
    weights = torch.tensor([1.0, -1.0])  # as long as the batch, and yet not one per sample

    def net(row: Tensor, weights: Tensor) -> Tensor:
        assert weights.shape == (2,)
        return torch.stack([row.sum(1) * weights[0], row.mean(1) * weights[1]], 1)

    e = pl.explain(net, (given[1], pl.held(weights, shared=True)), 0, method="occlusion")
    assert e.values.shape == (2, 5)


def test_shares_in_the_caption_sum_to_what_reached_the_input(net, given):
    e = pl.explain(net, given, 1)
    sums = [float(e.part(name).values[0].double().sum()) for name in e.parts]
    assert sum(sums) == pytest.approx(float(e.ledger.input[0]), rel=1e-4)
    assert f"image {sums[0]:.3g}"[:9] in e.sentence() and "By input" in e.caption()
    assert "By input" not in pl.explain(net, given, 1, method="gradient").caption()  # gradients are no shares of a score


def test_shapley_values_of_all_inputs_sum_to_the_rise(net, given):
    image, row = given[0][:1], given[1][:1]
    e = pl.explain(net, (image, row), 0, method=pl.perturb.kernel_shap(regions={"image": pl.perturb.Grid(2)}, imputer=0.0))
    rise = float((net(image, row)[0, 0] - net(image * 0, row * 0)[0, 0]).detach())
    per_region = e.part("image").values[0, 0, ::4, ::4].sum() + e.part("row").values.sum()
    assert float(per_region) == pytest.approx(rise, rel=1e-3)
    assert "By input: image" in e.caption()


# -- regions and fills of each input -----------------------------------------------------------------------------------------


def test_each_input_is_divided_and_filled_in_its_own_way(net, given):
    image, row = given[0][:1], given[1][:1]
    labels = torch.zeros(8, 8, dtype=torch.long)
    labels[4:] = 1
    method = pl.perturb.feature_ablation({"image": labels}, imputer={"image": 0.5, "row": torch.arange(5.0)})
    e = pl.explain(net, (image, row), 0, method=method)
    score = lambda a, b: net(a, b)[0, 0].detach()  # noqa: E731
    lower = image.clone()
    lower[:, :, 4:] = 0.5
    assert float(e.part("image").values[0, 0, 7, 0]) == pytest.approx(float(score(image, row) - score(lower, row)), abs=1e-6)
    other = row.clone()
    other[0, 3] = 3.0
    assert float(e.part("row").values[0, 3]) == pytest.approx(float(score(image, row) - score(image, other)), abs=1e-6)
    assert "Regions by input: image 2, row 5." in e.caption()


def test_names_of_inputs_that_are_not_there_are_refused(net, given):
    one = given[0][:1], given[1][:1]
    refusal(
        lambda: pl.explain(net, one, 0, method=pl.perturb.feature_ablation({"picture": pl.perturb.Grid(2)})), "'image', 'row'"
    )
    refusal(lambda: pl.explain(net, one, 0, method=pl.perturb.feature_ablation(imputer={"table": 0.0})), "'image', 'row'")
    alone = nn.Linear(5, 2).eval()
    refusal(lambda: pl.explain(alone, one[1], 0, method=pl.perturb.feature_ablation({"row": pl.perturb.Grid(2)})), "one input")
    refusal(lambda: pl.explain(alone, one[1], 0, method=pl.perturb.feature_ablation(imputer={"row": 0.0})), "one input")


def test_methods_for_pictures_say_how_to_see_one(net, given):
    with pytest.raises(pl.MethodError, match=r"hold the others: pl\.explain\(model, \(image, pl\.held\(row\)\)\)"):
        pl.explain(net, given, method="gradcam")
    e = pl.explain(net, (given[0], pl.held(given[1])), method="gradcam")
    assert e.values.shape == given[0].shape


# -- what is given -----------------------------------------------------------------------------------------------------------


def test_inputs_that_do_not_go_together_are_refused(net, given):
    refusal(lambda: pl.explain(net, (given[0], given[1][:1])), "all inputs have as many")
    whole = torch.ones(2, dtype=torch.long)
    refusal(lambda: pl.explain(net, (whole, whole)), "none of real numbers")
    refusal(lambda: pl.explain(lambda: torch.ones(1), {}), "none of real numbers")
    refusal(lambda: pl.explain(net, given).part("table"), "'image', 'row'")
    refusal(lambda: pl.explain(net, (given[0], pl.held(given[1]))).part("image"), "one input")


def test_a_call_that_the_model_does_not_take_says_what_it_takes(net, given):
    refusal(lambda: pl.explain(net, (given[0],)), "the inputs image, row, kind, scale; missing a required argument: 'row'")
    refusal(lambda: pl.explain(net, {"image": given[0], "table": given[1]}), "missing a required argument: 'row'")
    refusal(lambda: pl.explain(net, (*given, None, 1.0, 2.0)), "too many positional arguments")


def test_a_method_of_a_network_is_called_by_its_own_names(net, given):
    class Encoder(Two):
        def encode(self, table: Tensor, picture: Tensor) -> Tensor:
            return self(picture, table)

    torch.manual_seed(0)
    e = pl.explain(Encoder().eval().encode, (given[1], given[0]), 0)
    assert e.parts == ("table", "picture")
    torch.testing.assert_close(e.part("table").values, pl.explain(net, given, 0).part("row").values)


def test_arrays_are_tensors(net, given):
    e = pl.explain(net, tuple(x.double().numpy() for x in given), 0, method="gradient_x_input")
    torch.testing.assert_close(e.values, pl.explain(net, given, 0, method="gradient_x_input").values)


def test_types_are_kept_and_nothing_of_the_users_is_changed(given):
    seen = []

    def net(a: Tensor, b: Tensor) -> Tensor:
        seen.append((a.dtype, b.dtype))
        return torch.stack([a.double().sum((1, 2, 3)), b.sum(1)], 1)

    image, row = given[0].half(), given[1].double()
    copies = image.clone(), row.clone()
    pl.explain(net, (image, row), 1, method="occlusion")
    assert set(seen) == {(torch.float16, torch.float64)}
    assert torch.equal(image, copies[0]) and torch.equal(row, copies[1])


def test_a_packed_model_answers_as_the_model(net, given):
    model, x = pack(pl.load(net), given)
    assert torch.equal(forward_values(model, x, (None,))[None], net(*given).detach())
    assert [side.name for side in input_layout(model).sides] == ["image", "row"]


def test_the_inside_is_explained_as_ever(net, given):
    e = pl.explain(net, given, 0, at="dense")
    assert e.values.shape == (2, 4) and e.parts == ()


def test_several_inputs_are_evaluated_by_keyword(net, given):
    t = pl.evaluate(net, {"image": given[0], "row": given[1]}, ["gradient_x_input", "lrp"], ["pixel_flipping"], target=0)
    assert len(t.rows) == 2
    refusal(lambda: pl.evaluate(net, {"image": given[0], "row": given[1], "kind": torch.tensor([0, 1])}), "row per sample")


def test_methods_are_compared_on_several_inputs(net, given):
    c = pl.compare(net, (given[0][:1], given[1][:1]), ["lrp", "occlusion", "gradcam"], target=0)
    assert set(c.failures) == {"gradcam"} and c["lrp"].parts == ("image", "row")


# -- reading, saving, showing ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed() -> tuple[pl.Model, dict[str, Any]]:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.dense, self.wave, self.head = (
                nn.Conv2d(3, 4, 3),
                nn.Linear(3, 4),
                nn.Conv1d(2, 4, 5),
                nn.Linear(12, 2),
            )

        def forward(self, image: Tensor, row: Tensor, wave: Tensor) -> Tensor:
            found = self.conv(image).relu().mean((2, 3)), self.dense(row).relu(), self.wave(wave).relu().mean(2)
            return self.head(torch.cat(found, 1))

    torch.manual_seed(0)
    how = {
        "image": pl.Preprocess((16, 16), mean=(0.5,) * 3, std=(0.5,) * 3),
        "row": pl.Columns((pl.Column("age", "years", 50, 10), pl.Column("smoker", values=("no", "yes")))),
        "wave": pl.Signal(100, ("I", "II"), "mV"),
    }
    raw = {
        "image": str(pl.zoo.pictures()["chelsea"]),
        "row": {"age": 61, "smoker": "yes"},
        "wave": np.random.default_rng(0).normal(size=(2, 60)),
    }
    return pl.load(Three().eval(), preprocess=how, labels=["ill", "well"]), raw


def test_each_input_is_read_in_its_own_way_and_comes_back_from_a_file(mixed, tmp_path):
    model, raw = mixed
    e = pl.explain(model, raw)
    assert e.part("row").subject.cells == (("61 years", "yes"),)
    assert e.part("image").picture.shape == (16, 16, 3)
    assert e.part("wave").subject.names == ("I", "II")
    (told,) = json.loads(e.save(tmp_path / "e.json").read_text())["subject"]["samples"]
    assert [part["name"] for part in told["inputs"]] == ["image", "row", "wave"]
    assert {line["cell"] for line in told["inputs"][1]["columns"]} == {"61 years", "yes"}
    back = pl.Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert back.caption() == e.caption() and back.part("row").subject.cells == e.part("row").subject.cells
    assert torch.equal(back.part("wave").subject.curves, e.part("wave").subject.curves)
    assert np.array_equal(back.part("image").picture, e.part("image").picture)


@pytest.mark.parametrize("suffix", [".png", ".html", ".svg", ".txt", ".json"])
@pytest.mark.parametrize("method", ["lrp", "occlusion", "saliency"])
def test_every_painter_shows_every_input(mixed, tmp_path, suffix, method):
    model, raw = mixed
    file = pl.explain(model, raw, method=method).save(tmp_path / f"e{suffix}")
    assert file.stat().st_size > 500
    if suffix in (".html", ".txt"):
        told = file.read_text()
        assert all(words in told for words in ("image", "row", "wave", "61 years", "smoker"))


# -- tokens ----------------------------------------------------------------------------------------------------------------------


class Tagger(nn.Module):
    """Words of two tables, and a mask: as encoders of texts are called."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.types, self.head = nn.Embedding(20, 6), nn.Embedding(3, 6), nn.Linear(6, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None) -> Tensor:
        h = self.words(input_ids)
        h = torch.relu(h if token_type_ids is None else h + self.types(token_type_ids))
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return self.head((h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


@pytest.mark.parametrize("method", ["lrp", "gradient_x_input", "integrated_gradients"])
@pytest.mark.parametrize("by", ["keyword", "position"])
def test_where_nothing_is_of_real_numbers_the_tokens_are_explained(method, by):
    torch.manual_seed(0)
    net = Tagger().eval()
    asked = {
        "input_ids": torch.tensor([[3, 7, 1, 0], [4, 5, 6, 7]]),
        "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]),
        "token_type_ids": torch.tensor([[0, 0, 1, 1], [2, 2, 2, 0]]),
    }
    e = pl.explain(net, asked if by == "keyword" else tuple(asked.values()), 1, method=method)
    assert e.values.shape == (2, 4) and e.output.shape == (2,) and float(e.values[0, 3]) == 0, "what is masked says nothing"
    torch.testing.assert_close(e.output, net(**asked)[:, 1].detach())
    for n in range(2):
        alone = pl.explain(net, {name: x[n : n + 1] for name, x in asked.items()}, 1, method=method)
        torch.testing.assert_close(e.values[n : n + 1], alone.values)
    refusal(lambda: pl.explain(net, {name: pl.held(x) for name, x in asked.items()}), "none of real numbers")


# -- containers ------------------------------------------------------------------------------------------------------------------


class Plain(nn.Module):
    """Two inputs, in code that can be scripted."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense, self.head = nn.Conv2d(2, 4, 3), nn.Linear(5, 4), nn.Linear(8, 3)

    def forward(self, image: Tensor, row: Tensor) -> Tensor:
        return self.head(torch.cat([torch.relu(self.conv(image)).mean((2, 3)), torch.relu(self.dense(row))], 1))


@pytest.mark.parametrize("kind", ["traced", "exported"])
@pytest.mark.parametrize("method", ["lrp.epsilon_plus", "gradient_x_input", "occlusion"])
def test_the_same_answer_from_every_container(given, kind, method):
    torch.manual_seed(0)
    net = Plain().eval()
    made = torch.jit.trace(net, given) if kind == "traced" else torch.export.export(net, given)
    e, expected = pl.explain(made, given, 1, method=method), pl.explain(net, given, 1, method=method)
    torch.testing.assert_close(e.values, expected.values, rtol=1e-4, atol=1e-6)
    assert len(e.parts) == 2


def test_a_call_leaves_no_trace(net, given):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.zero_grad(set_to_none=True)
    copies, state = [x.clone() for x in given], torch.get_rng_state()
    kind = torch.tensor([1, 2])
    for method in ("lrp", "integrated_gradients", "occlusion"):
        pl.explain(net, {"image": given[0], "row": given[1], "kind": kind}, method=method)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(copies, given, strict=True)) and kind.tolist() == [1, 2]
    assert torch.equal(state, torch.get_rng_state()) and not any(p.grad is not None for p in net.parameters())
    assert not net._forward_hooks and not net.training


def test_beside_a_picture_tokens_are_given_and_not_explained():
    torch.manual_seed(0)
    tagger, conv = Tagger().eval(), nn.Conv2d(1, 3, 3)

    def net(input_ids: Tensor, pixel_values: Tensor) -> Tensor:
        return tagger(input_ids) * conv(pixel_values).mean((2, 3))

    asked = {"input_ids": torch.tensor([[3, 7], [4, 5]]), "pixel_values": torch.randn(2, 1, 5, 5)}
    e = pl.explain(net, asked, 0)
    assert e.values.shape == (2, 1, 5, 5)
    torch.testing.assert_close(e.output, net(**asked)[:, 0].detach())
