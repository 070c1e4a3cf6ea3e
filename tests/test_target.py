"""Targets: one number per sample, written as people say it; the errors of those that are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.model import Model
from pellucid.target import Target, as_target

LABELS = ("tabby", "Egyptian cat", "lynx", "espresso")
SCORES = torch.tensor([[3.0, 1.0, 2.0, 0.0], [0.0, -1.0, 5.0, 4.0]])
MAPS = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).view(2, 3, 4, 5)
TOKENS = torch.arange(2 * 3 * 7, dtype=torch.float32).view(2, 3, 7)


def read(target: Any, value: Tensor = SCORES, names: Model | None = None) -> list[float]:
    """What a target reads from an output, or from the value of a layer."""
    return as_target(target).resolve(lambda at: value, names).read(lambda at: value).tolist()


def told(target: Any, value: Tensor = SCORES, names: Model | None = None, sample: int = 0) -> str:
    return as_target(target).resolve(lambda at: value, names).text(sample)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4))
    return pl.load(net.double().eval(), labels=LABELS, name="tiny")


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


# -- what users write -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (2, [2.0, 5.0]),
        (-1, [0.0, 4.0]),
        (None, [3.0, 5.0]),
        ("lynx", [2.0, 5.0]),
        ("Lynx", [2.0, 5.0]),
        ([0, 3], [3.0, 4.0]),
        (("tabby", 2), [3.0, 5.0]),
        (torch.tensor([1, 2]), [1.0, 5.0]),
        (torch.tensor(2), [2.0, 5.0]),
        (lambda out: out[:, 0] - out[:, 3], [3.0, -4.0]),
        (pl.logit(2), [2.0, 5.0]),
        (pl.logit("espresso"), [0.0, 4.0]),
        (pl.logit(range(2)), [3.0, -1.0]),
    ],
    ids=lambda given: "function" if callable(given) else str(given),
)
def test_a_class_is_asked_for_by_index_name_one_per_sample_or_function(model: Model, written: Any, found: list[float]):
    assert read(written, names=model) == found


def test_indices_may_be_numpys():
    import numpy as np

    assert read(np.int64(2)) == [2.0, 5.0]
    assert read(np.array([0, 3])) == [3.0, 4.0]


def test_none_is_the_class_that_each_sample_is_predicted_to_be(model: Model, x: Tensor):
    e = pl.explain(model, x)
    assert e.output.tolist() == pytest.approx(model(x).max(1).values.tolist())
    predicted = model(x).argmax(1).tolist()
    said = [f'logit {i} "{LABELS[i]}"' for i in predicted]
    assert (list(e.targets) or [e.target] * 2) == said


def test_a_probability_is_the_softmax():
    assert read(pl.probability(2)) == pytest.approx(SCORES.softmax(1)[:, 2].tolist())


@pytest.mark.parametrize("method", ["gradient", "lrp.epsilon"])
def test_a_probability_is_explained_by_what_its_logits_do_to_it(model: Model, x: Tensor, method: str):
    """Its gradient is that of a contrast: p_c (z_c - sum p_k z_k)."""
    p = model(x).softmax(1)
    found = pl.explain(model, x, target=pl.probability(1), method=method)
    assert found.output.tolist() == pytest.approx(p[:, 1].tolist())
    if method == "gradient":
        maps = torch.stack([pl.explain(model, x, target=k, method=method).values for k in range(4)], 1)
        slopes = p[:, 1, None] * (torch.eye(4, dtype=p.dtype)[1] - p)
        assert torch.allclose(found.values, (maps * slopes[:, :, None, None, None]).sum(1), rtol=1e-10, atol=1e-14)


# -- algebra --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "found", "words"),
    [
        (pl.logit(0) - pl.logit(2), [1.0, -5.0], "logit 0 - logit 2"),
        (pl.logit(0) + pl.logit(2), [5.0, 5.0], "logit 0 + logit 2"),
        (2 * pl.logit(2), [4.0, 10.0], "2 logit 2"),
        (pl.logit(2) * 2, [4.0, 10.0], "2 logit 2"),
        (pl.logit(2) / 4, [0.5, 1.25], "0.25 logit 2"),
        (-pl.logit(2), [-2.0, -5.0], "-logit 2"),
        (pl.logit(0) - 0.5 * (pl.logit(2) + pl.logit(3)), [2.0, -4.5], "logit 0 - 0.5 logit 2 - 0.5 logit 3"),
        (1 * pl.logit(0) + 3 * pl.logit(1) - 5 * pl.logit(2), [-4.0, -28.0], "logit 0 + 3 logit 1 - 5 logit 2"),
        (-(pl.logit(0) - pl.logit(2)), [-1.0, 5.0], "-logit 0 + logit 2"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_targets_add_and_scale_and_weights_stay_what_was_written(target: Target, found: list[float], words: str):
    assert read(target) == pytest.approx(found)
    assert str(target) == words


def test_sum_of_a_list_of_targets():
    assert read(sum((pl.logit(i) for i in (1, 2)), pl.logit(0))) == [6.0, 4.0]


def test_algebra_changes_nothing_that_it_is_given():
    a, b = pl.logit(0), pl.logit(1)
    before = a.terms, b.terms
    _ = a - b, 2 * a, -b, a / 3
    assert (a.terms, b.terms) == before


@pytest.mark.parametrize("other", [1, "lynx", None, torch.ones(2)], ids=str)
def test_a_target_adds_to_targets_only(other: Any):
    with pytest.raises((TypeError, pl.TargetError)):
        pl.logit(0) + other


@pytest.mark.parametrize("other", ["2", pl.logit(1), None], ids=str)
def test_a_target_is_scaled_by_numbers_only(other: Any):
    with pytest.raises((TypeError, pl.TargetError)):
        pl.logit(0) * other


# -- parts of maps, layers, directions ------------------------------------------------------------------------------------


def test_a_mask_is_the_mean_over_what_is_set():
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[1, 2] = mask[3, 4] = True
    assert read(pl.mask(1, mask), MAPS) == MAPS[:, 1][:, mask].mean(1).tolist()


def test_a_mask_may_differ_per_sample():
    masks = torch.zeros(2, 4, 5, dtype=torch.bool)
    masks[0, 0, 0] = masks[1, 3, 4] = True
    assert read(pl.mask(1, masks), MAPS) == [float(MAPS[0, 1, 0, 0]), float(MAPS[1, 1, 3, 4])]


def test_a_mask_may_be_numpys_and_of_numbers():
    import numpy as np

    weights = np.zeros((4, 5))
    weights[0, 0], weights[0, 1] = 1.0, 3.0
    assert read(pl.mask(0, weights), MAPS) == pytest.approx([0.75, 60.75])


def test_without_a_mask_the_whole_map_counts():
    assert read(pl.mask(2), MAPS) == MAPS[:, 2].mean((1, 2)).tolist()
    assert told(pl.mask(2), MAPS) == "mean score of class 2 over the whole map"


def test_the_predicted_class_of_a_map_is_the_one_with_the_highest_mean():
    assert told(pl.mask(None), MAPS).startswith("mean score of class 2")
    assert read(pl.mask(None), MAPS) == MAPS[:, 2].mean((1, 2)).tolist()


def test_a_box_is_the_mean_over_a_rectangle_that_leaves_out_its_end():
    assert read(pl.box(1, 0, 1, 2, 3), MAPS) == MAPS[:, 1, 0:2, 1:3].mean((1, 2)).tolist()
    assert told(pl.box(1, 0, 1, 2, 3), MAPS) == "mean score of class 1 over rows 0-2, columns 1-3"


def test_a_token_is_a_score_at_a_position():
    assert read(pl.token(4), TOKENS) == TOKENS[:, -1, 4].tolist()
    assert read(pl.token(4, position=0), TOKENS) == TOKENS[:, 0, 4].tolist()
    assert str(pl.token(4, position=0)) == "token 4 at position 0"


def test_a_channel_is_its_mean_or_one_of_its_positions():
    assert read(pl.channel("layer", 2), MAPS) == MAPS[:, 2].mean((1, 2)).tolist()
    assert read(pl.channel("layer", 2, position=(1, 3)), MAPS) == MAPS[:, 2, 1, 3].tolist()
    assert read(pl.channel("layer", 2)) == SCORES[:, 2].tolist()
    assert str(pl.channel("layer4", 17)) == "channel 17 of layer4"


def test_a_direction_is_a_projection_of_the_mean():
    vector = torch.tensor([1.0, -1.0, 2.0])
    assert read(pl.direction("layer", vector), MAPS) == pytest.approx((MAPS.mean((2, 3)) @ vector).tolist())


def test_channels_and_directions_are_explained_where_they_are(model: Model, x: Tensor):
    found = pl.explain(model, x, target=pl.channel("0", 2), method="gradient")
    y = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model.module[0](y)[:, 2].mean((1, 2)).sum(), y)
    assert torch.allclose(found.values, expected)
    vector = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=x.dtype)
    assert torch.allclose(pl.explain(model, x, target=pl.direction("0", vector), method="gradient").values, expected)
    assert torch.allclose(found.output, model.module[0](x)[:, 2].mean((1, 2)))


@pytest.mark.parametrize("method", ["gradient", "lrp.epsilon", "lrp.gamma"])
def test_targets_of_several_places_mix(model: Model, x: Tensor, method: str):
    mixed = pl.explain(model, x, target=pl.logit(1) - 2 * pl.channel("0", 2), method=method)
    logit, channel = (pl.explain(model, x, target=t, method=method) for t in (pl.logit(1), pl.channel("0", 2)))
    assert torch.allclose(mixed.values, logit.values - 2 * channel.values, rtol=1e-8, atol=1e-10)
    assert mixed.target == 'logit 1 "Egyptian cat" - 2 channel 2 of 0'


def test_a_function_sees_the_whole_batch_and_is_told_by_its_name(model: Model, x: Tensor):
    def margin(out: Tensor) -> Tensor:
        return out[:, 0] - out[:, 1:].logsumexp(1)

    e = pl.explain(model, x, target=margin, method="gradient")
    y = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(margin(model.module(y)).sum(), y)
    assert torch.allclose(e.values, expected) and e.target == "margin"


# -- per sample -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradient", "lrp", "lrp.epsilon_plus"])
def test_one_target_per_sample_is_each_sample_with_its_own(model: Model, x: Tensor, method: str):
    both = pl.explain(model, x, target=["lynx", 0], method=method)
    apart = [pl.explain(model, x[i : i + 1], target=t, method=method) for i, t in enumerate((2, 0))]
    assert torch.allclose(both.values, torch.cat([e.values for e in apart]), rtol=1e-8, atol=1e-12)
    assert both.targets == ('logit 2 "lynx"', 'logit 0 "tabby"')
    assert [both.caption(i).split(":")[0] for i in (0, 1)] == [e.caption().split(":")[0] for e in apart]


def test_a_target_is_told_by_name_where_names_are_known(model: Model):
    assert told("Egyptian cat", names=model) == 'logit 1 "Egyptian cat"'
    assert told(1) == "logit 1"
    assert told(pl.logit("lynx") - pl.logit("tabby"), names=model) == 'logit 2 "lynx" - logit 0 "tabby"'
    assert [told(None, names=model, sample=i) for i in (0, 1)] == ['logit 0 "tabby"', 'logit 2 "lynx"']


# -- refusals -------------------------------------------------------------------------------------------------------------


def refusal(call: Callable[[], Any], said: str, error: type[pl.PellucidError] = pl.TargetError) -> None:
    with pytest.raises(error) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "four parts"
    assert re.search(said, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("index", [4, 1000, -5])
def test_an_index_out_of_range_says_how_far_classes_run(index: int):
    refusal(lambda: read(index), rf"logit {index}: found outputs of shape \(2, 4\); classes run 0-3\. Ask for one of those\.")


def test_a_name_that_does_not_exist_suggests_the_nearest_three(model: Model, x: Tensor):
    refusal(lambda: pl.explain(model, x, target="tabbi"), r'class "tabbi".*Nearest: "tabby" \(0\), .*, .*')
    refusal(lambda: pl.explain(model, x, target=pl.logit("tabby") - pl.logit("links")), r'class "links".*Nearest: "lynx"')


def test_a_name_without_labels_asks_for_an_index():
    refusal(lambda: read("lynx"), "no labels.*Give its index")
    refusal(
        lambda: pl.explain(nn.Linear(3, 2).eval(), torch.ones(1, 3), target="lynx"), "a name cannot be looked up|labels are known"
    )


@pytest.mark.parametrize("targets", [[0], [0, 1, 2]])
def test_one_target_per_sample_means_as_many(targets: list[int]):
    refusal(lambda: read(targets), rf"{len(targets)} targets: found a batch of 2; each sample needs one")


@pytest.mark.parametrize(
    "target", [1.5, {"a": 1}, [0.5, 1], object()], ids=["a float", "a dict", "a list of floats", "an object"]
)
def test_what_is_no_target_is_told_what_is(target: Any):
    refusal(lambda: read(target), "a target is an index, a name, one of these per sample, a function, or a Target")


def test_a_boolean_is_no_index():
    refusal(lambda: read(True), "a target is")


def test_a_logit_of_a_map_asks_which_part_of_it():
    refusal(lambda: read(1, MAPS), r"each class has a map of scores\. Say which part: pl\.mask")
    assert read(None, MAPS) == MAPS[:, 2].mean((1, 2)).tolist(), "without a class, the predicted mask of the largest: all of it"


@pytest.mark.parametrize(
    "mask",
    [torch.zeros(4, 5, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool), torch.ones(3, 4, 5, dtype=torch.bool)],
    ids=["empty", "too small", "for three samples"],
)
def test_a_mask_that_does_not_fit_says_which_would(mask: Tensor):
    refusal(
        lambda: read(pl.mask(1, mask), MAPS),
        r"maps of shape \(4, 5\).*Give a boolean mask of the map's shape with something in it",
    )


def test_a_mask_of_the_right_size_and_the_wrong_shape_is_refused():
    refusal(lambda: read(pl.mask(1, torch.ones(5, 4, dtype=torch.bool)), MAPS), r"maps of shape \(4, 5\)")


def test_a_mask_that_is_empty_for_one_sample_is_refused():
    masks = torch.zeros(2, 4, 5, dtype=torch.bool)
    masks[0, 0, 0] = True
    refusal(lambda: read(pl.mask(1, masks), MAPS), "something in it|sample 1")


@pytest.mark.parametrize("corners", [(2, 2, 2, 4), (3, 0, 1, 2), (10, 10, 12, 12)], ids=str)
def test_a_box_with_nothing_in_it_is_refused(corners: tuple[int, int, int, int]):
    refusal(lambda: read(pl.box(1, *corners), MAPS), r"\(4, 5\)")


def test_a_box_on_scores_without_a_map_is_refused():
    refusal(lambda: read(pl.box(1, 0, 0, 1, 1), SCORES), r"\(2, 4\)|map")


@pytest.mark.parametrize(("id", "position"), [(7, 0), (-1, 0), (0, 3), (0, -4)])
def test_a_token_out_of_range_is_refused(id: int, position: int):
    refusal(lambda: read(pl.token(id, position), TOKENS), r"\(batch, position, vocabulary\)")


def test_a_token_of_plain_scores_is_refused():
    refusal(lambda: read(pl.token(1)), r"outputs of shape \(2, 4\)")


@pytest.mark.parametrize("unit", [3, -4])
def test_a_channel_out_of_range_says_how_far_they_run(unit: int):
    refusal(lambda: read(pl.channel("layer", unit), MAPS), "channels run 0-2")


def test_a_position_outside_of_a_channel_is_refused():
    refusal(lambda: read(pl.channel("layer", 0, position=(4, 0)), MAPS), r"\(4, 0\)")
    refusal(lambda: read(pl.channel("layer", 0, position=(1,)), MAPS), r"\(1,\)|one number per sample")


def test_a_direction_of_another_length_is_refused():
    refusal(lambda: read(pl.direction("layer", torch.ones(4)), MAPS), "the vector has 4 entries, one per channel")


def test_a_layer_that_does_not_exist_names_the_nearest(model: Model, x: Tensor):
    refusal(lambda: pl.explain(model, x, target=pl.channel("00", 1)), "the nearest are", pl.WhereError)


@pytest.mark.parametrize(
    "function",
    [lambda out: out, lambda out: out.sum(), lambda out: 3.0, lambda out: out[:1, 0]],
    ids=["all", "one number", "no tensor", "one sample"],
)
def test_a_function_that_gives_no_number_per_sample_is_refused(function: Callable[[Tensor], Any]):
    refusal(lambda: read(function), "one number for each of 2 samples is needed")


def test_a_function_that_does_not_read_the_output_is_refused(model: Model, x: Tensor):
    refusal(lambda: pl.explain(model, x, target=lambda out: torch.ones(2)), "does not depend on the output")


def test_an_output_without_a_batch_is_refused():
    refusal(lambda: pl.explain(lambda x: x.sum(), torch.ones(2, 3), target=0), "without a batch axis")


# -- channels of transformers -------------------------------------------------------------------------------------------------

SEQUENCE = torch.arange(2 * 4 * 3, dtype=torch.float32).view(2, 4, 3)  # four tokens of three channels, the first for the class
GRID = torch.arange(2 * 2 * 2 * 3, dtype=torch.float32).view(2, 2, 2, 3)  # channels last, as in Swin


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ("cls", SEQUENCE[:, 0, 1]),
        ("patch", SEQUENCE[:, 1:, 1].mean(1)),
        ("all", SEQUENCE[:, :, 1].mean(1)),
        (2, SEQUENCE[:, 2, 1]),
        (-1, SEQUENCE[:, 3, 1]),
        (None, SEQUENCE[:, 1].mean(1)),
    ],
    ids=str,
)
def test_a_channel_of_a_sequence_is_read_over_tokens(tokens: Any, found: Tensor):
    assert read(pl.channel("block", 1, tokens=tokens), SEQUENCE) == found.tolist()


def test_a_channel_of_a_map_with_channels_last_is_read_over_all_of_it():
    assert read(pl.channel("block", 2, tokens="all"), GRID) == GRID[..., 2].flatten(1).mean(1).tolist()
    assert read(pl.channel("block", 2, (0, 1), tokens="all"), GRID) == GRID[:, 0, 1, 2].tolist()


def test_tokens_that_are_not_there_are_refused():
    refusal(lambda: read(pl.channel("block", 1, tokens=4), SEQUENCE), "4 tokens")
    refusal(lambda: read(pl.channel("block", 1, tokens="class"), SEQUENCE), '"patch", "cls", "all", or the number')
    refusal(lambda: read(pl.channel("block", 1, tokens="cls"), GRID), "tokens stand in a sequence")
    refusal(lambda: read(pl.channel("block", 3, tokens="cls"), SEQUENCE), "channels run 0-2")


def test_a_channel_of_tokens_says_so_in_words():
    said = [pl.channel("block", 1, tokens=tokens).text() for tokens in (None, "patch", "cls", 3)]
    assert said == [f"channel 1 of block{end}" for end in ("", " over patches", " at the class token", " at token 3")]


def test_a_channel_can_differ_from_sample_to_sample():
    from pellucid.target.activation import Channel

    several = Channel("layer", (2, 0))
    assert several.read(MAPS).tolist() == [MAPS[0, 2].mean().item(), MAPS[1, 0].mean().item()]
    assert several.take([1, 1, 0]).unit == (0, 0, 2) and several.text(1) == "channel 0 of layer"


def test_energy_is_half_the_mean_square():
    assert read(pl.energy("layer"), MAPS) == (0.5 * MAPS.flatten(1).square().mean(1)).tolist()
