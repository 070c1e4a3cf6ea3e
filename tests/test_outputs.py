"""Outputs that are not (batch, classes): parts by name, masks, boxes, steps of time, numbers, likeness to a reference."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.model.outputs import entries, main_output, named_items, rebuild, with_items
from pellucid.target import as_target

METHODS = ("lrp", "gradient_x_input", "integrated_gradients", "occlusion", "kernel_shap")


class Pair(NamedTuple):
    aux: Tensor
    logits: Tensor


@dataclass
class Answer:
    aux: Tensor
    logits: Tensor
    note: str = "no tensor"


class ModelOutput(OrderedDict):  # as Hugging Face's: a dict whose items are attributes, too
    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        object.__setattr__(self, key, value)


def refusal(call: Callable[[], Any], said: str, error: type[Exception] = pl.TargetError) -> None:
    with pytest.raises(error, match=said) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "four parts"


class Heads(nn.Module):
    """Two heads over one trunk, wrapped in whatever is asked for."""

    def __init__(self, wrap: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.trunk, self.aux, self.main = nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(8, 3)
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        h = torch.relu(self.trunk(x))
        return self.wrap(self.aux(h), self.main(h))


WRAPS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "dict": lambda aux, logits: {"aux": aux, "logits": logits},
    "namedtuple": Pair,
    "dataclass": Answer,
    "ModelOutput": lambda aux, logits: ModelOutput(loss=None, aux=aux, logits=logits),
    "nested": lambda aux, logits: (torch.arange(3), {"extra": [aux], "inner": {"logits": logits, "aux": aux}}),
}


def heads(wrap: Callable[[Tensor, Tensor], Any]) -> Heads:
    torch.manual_seed(0)
    return Heads(wrap).eval()


@pytest.fixture(params=WRAPS)
def wrapped(request: pytest.FixtureRequest) -> Heads:
    return heads(WRAPS[request.param])


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(3, 6, generator=torch.Generator().manual_seed(1))


# -- containers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_logits_are_found_in_whatever_holds_them(wrapped, x, method):
    plain = heads(lambda aux, logits: logits)
    e, expected = (pl.explain(net, x, method=method) for net in (wrapped, plain))
    assert torch.equal(e.values, expected.values) and e.targets == expected.targets


@pytest.mark.parametrize("method", METHODS)
def test_a_part_of_the_output_is_explained_as_if_it_were_all_of_it(wrapped, x, method):
    alone = heads(lambda aux, logits: aux)
    part = "inner.aux" if isinstance(wrapped(x), tuple) and not isinstance(wrapped(x), Pair) else "aux"
    e, expected = (pl.explain(wrapped, x, pl.logit(1).of(part), method=method), pl.explain(alone, x, 1, method=method))
    assert torch.equal(e.values, expected.values)
    assert e.target == f'logit 1 of the output "{part}"'


def test_the_predicted_class_of_a_part_is_predicted_by_that_part(x):
    net = heads(WRAPS["dict"])
    e = pl.explain(net, x, pl.logit().of("aux"))
    expected = net(x)["aux"].argmax(1).tolist()
    assert [e.targets[i] if e.targets else e.target for i in range(3)] == [f'logit {k} of the output "aux"' for k in expected]


def test_parts_make_contrasts(x):
    net = heads(WRAPS["ModelOutput"])
    target = pl.logit(2) - 0.5 * pl.output(0).of("aux")
    e = pl.explain(net, x, target, method="gradient_x_input")
    out = net(x)
    torch.testing.assert_close(e.output, (out["logits"][:, 2] - 0.5 * out["aux"][:, 0]).detach())
    assert e.target == 'logit 2 - 0.5 output 0 of the output "aux"'


def test_a_part_that_is_not_there_is_refused_with_those_that_are(x):
    refusal(lambda: pl.explain(heads(WRAPS["dict"]), x, pl.logit(0).of("box")), "the parts aux, logits")
    refusal(lambda: pl.explain(heads(WRAPS["dict"]), x, pl.logit(0).of("box"), method="occlusion"), "the parts aux, logits")


def test_a_part_without_a_thread_to_the_input_is_refused(x):
    net = heads(lambda aux, logits: {"logits": logits, "anchors": torch.ones(3, 2)})
    refusal(lambda: pl.explain(net, x, pl.logit(0).of("anchors")), "numbers that the input does not change")


def test_an_output_without_tensors_says_how_to_wrap_the_model(x):
    refusal(lambda: pl.explain(lambda x: {"n": 3}, x, method="occlusion"), "no tensor inside.*tuple, dict or dataclass")


def test_a_change_inside_leaves_the_container_what_it_was():
    for wrap in WRAPS.values():
        tree = wrap(torch.ones(2, 2), torch.zeros(2, 3))
        doubled = rebuild(tree, Tensor, lambda t: t * 2)
        assert type(doubled) is type(tree)
        assert [path for path, _ in entries(doubled, Tensor)] == [path for path, _ in entries(tree, Tensor)]
        assert all(torch.equal(a * 2, b) for (_, a), (_, b) in zip(entries(tree, Tensor), entries(doubled, Tensor), strict=True))
    assert doubled is not tree and with_items(Pair(1, 2), [3, 4]).aux == 3
    assert named_items(3) is None


def test_whole_numbers_are_never_the_main_output():
    assert main_output((torch.arange(3), torch.ones(3, 2))).shape == (3, 2)


# -- segmentation ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def segmenter() -> nn.Module:
    """Class 1 where the picture is bright, class 0 elsewhere; class 2 never."""
    net = nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([-1.0, 1.0, 0.0]).reshape(3, 1, 1, 1))
        net.bias.copy_(torch.tensor([0.0, 0.0, -9.0]))
    return net.eval()


@pytest.fixture(scope="module")
def bright() -> Tensor:
    picture = -torch.ones(1, 1, 6, 6)
    picture[0, 0, 1:3, 2:5] = 2.0
    return picture


@pytest.mark.parametrize("method", ["lrp", "gradient_x_input", "occlusion"])
def test_without_a_mask_it_is_the_predicted_mask_of_the_class(segmenter, bright, method):
    e = pl.explain(segmenter, bright, 1, method=method)
    assert e.output.item() == pytest.approx(2.0)
    assert e.target == "mean score of class 1 over its predicted mask (17 % of the map)"
    inside = torch.zeros(6, 6, dtype=torch.bool)
    inside[1:3, 2:5] = True
    if method != "occlusion":
        assert bool((e.heat()[inside] != 0).all()) and float(e.heat()[~inside].abs().max()) == 0


def test_without_a_class_it_is_the_one_that_takes_up_most_of_the_map(segmenter, bright):
    assert pl.explain(segmenter, bright).target.startswith("mean score of class 0 over its predicted mask (83 %")


def test_a_mask_stays_what_it_was_while_inputs_change(segmenter, bright):
    target = pl.mask(1, "predicted").resolve(lambda at: segmenter(bright), None)
    dark = segmenter(torch.full((2, 1, 6, 6), -3.0))
    assert target.take([0, 0]).read(lambda at: dark).tolist() == [-3.0, -3.0]


def test_each_sample_has_a_mask_of_its_own(segmenter, bright):
    both = torch.cat([bright, bright.flip(2)])
    e = pl.explain(segmenter, both, 1)
    assert torch.equal(e.values[0].flip(1), e.values[1])


def test_a_class_that_is_nowhere_the_best_has_no_predicted_mask(segmenter, bright):
    refusal(lambda: pl.explain(segmenter, bright, pl.mask(2, "predicted")), "its predicted mask is empty")
    refusal(lambda: pl.explain(segmenter, bright, 2), "Say which part")
    refusal(lambda: pl.mask(1, "best"), "no mask has that name")


def test_one_class_alone_is_there_where_its_score_is_above_zero(bright):
    e = pl.explain(lambda x: x * 1.0, bright, method="gradient_x_input")
    assert e.output.item() == pytest.approx(2.0)


def test_a_map_is_maximized_only_where_somebody_says(segmenter):
    refusal(lambda: pl.maximize(segmenter, pl.mask(1, "predicted"), shape=(1, 6, 6)), "Say which part")
    p = pl.maximize(segmenter, pl.mask(1), recipe="simonyan2013", shape=(1, 6, 6), bounds=(0, 1), steps=3)
    assert p.scores.shape == (1,)


# -- boxes -------------------------------------------------------------------------------------------------------------------


class Detector(nn.Module):
    """Five boxes with three scores each, over four numbers per box that come first where `yolo`."""

    def __init__(self, yolo: bool) -> None:
        super().__init__()
        self.scores, self.corners, self.yolo = nn.Linear(6, 15), nn.Linear(6, 20), yolo

    def forward(self, x: Tensor) -> Any:
        scores, corners = self.scores(x).reshape(-1, 5, 3), self.corners(x).reshape(-1, 5, 4)
        if self.yolo:
            return torch.cat([corners, scores], 2).repeat(1, 2, 1).transpose(1, 2)  # (batch, 7 channels, 10 boxes)
        return {"boxes": corners, "scores": scores}


@pytest.mark.parametrize("method", METHODS)
def test_a_box_is_explained_by_the_score_of_its_class(x, method):
    torch.manual_seed(0)
    detr, yolo = Detector(yolo=False).eval(), Detector(yolo=True).eval()
    yolo.load_state_dict(detr.state_dict())
    e = pl.explain(detr, x, pl.detection(3, 1).of("scores"), method=method)
    torch.testing.assert_close(e.output, detr(x)["scores"][:, 3, 1].detach())
    same = pl.explain(yolo, x, pl.detection(3, 1, skip=4), method=method)
    torch.testing.assert_close(same.values, e.values, rtol=1e-4, atol=1e-5)
    assert e.target == 'score of class 1 in box 3 of 5 of the output "scores"'
    assert same.target == "score of class 1 in box 3 of 10"


def test_the_best_box_of_a_class_is_found_for_each_sample(x):
    torch.manual_seed(0)
    net = Detector(yolo=False).eval()
    scores = net(x)["scores"]
    e = pl.explain(net, x, pl.detection(index=2).of("scores"))
    assert torch.equal(e.output, scores[:, :, 2].amax(1).detach())
    anything = pl.explain(net, x, pl.detection().of("scores"))
    assert torch.equal(anything.output, scores.flatten(1).amax(1).detach())


def test_boxes_that_are_not_there_are_refused(x):
    net = Detector(yolo=False).eval()
    refusal(lambda: pl.explain(net, x, pl.detection(5, 0).of("scores")), "boxes run 0-4")
    refusal(lambda: pl.explain(net, x, pl.detection(0, 9).of("scores")), "classes run 0-2")
    refusal(lambda: pl.explain(nn.Linear(6, 2).eval(), x, pl.detection(0, 1)), r"boxes are read from \(batch, boxes, classes\)")
    refusal(lambda: pl.explain(net, x, pl.detection(0, 0, skip=3).of("scores")), "no scores of classes are left")


@pytest.mark.parametrize("method", ["lrp", "occlusion"])
def test_a_list_of_detections_says_what_to_explain_instead(x, method):
    """What torchvision's detectors return."""

    def net(x: Tensor) -> Any:
        return [{"boxes": row[None, :4], "labels": torch.ones(1, dtype=torch.long), "scores": row[4:5]} for row in x]

    refusal(lambda: pl.explain(net, x, method=method), r"sorted and suppressed.*pl\.detection")


# -- steps of time, numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_a_class_is_explained_at_a_step_of_time(first):
    scores = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))
    net = (lambda x: x.transpose(1, 2) * 1.0) if first else (lambda x: x * 1.0)
    e = pl.explain(net, scores, pl.step(4, 2, classes_first=first), method="gradient_x_input")
    assert torch.equal(e.output, scores[:, 4, 2]) and int((e.values != 0).sum()) == 2
    several = pl.explain(net, scores, pl.step((2, 5), classes_first=first), method="gradient_x_input")
    torch.testing.assert_close(several.output, scores[:, 2:5].mean(1).amax(1))
    assert e.target == "score of class 2 at step 4" and "at steps 2 to 4" in several.targets[0]
    refusal(lambda: pl.explain(net, scores, pl.step(7, 0, classes_first=first)), "steps run 0-6")
    refusal(lambda: pl.explain(lambda x: x.mean(1), scores, pl.step(0, 0)), "steps are read from")


def test_a_regression_has_no_classes(x):
    net = nn.Linear(6, 1).eval()
    for given in (net, lambda x: net(x)[:, 0]):
        e = pl.explain(given, x)
        assert e.target == "the output" and torch.equal(e.output, net(x)[:, 0].detach()) and not e.classes


def test_several_numbers_are_named_by_their_place(x):
    net = pl.load(nn.Linear(6, 4).eval(), labels=["height", "width", "depth", "weight"])
    assert pl.explain(net, x, pl.output(3)).target == 'output 3 "weight"'
    assert torch.equal(pl.explain(net, x, pl.output(-1)).output, net(x)[:, 3])
    refusal(lambda: pl.explain(net, x, pl.output(4)), "one index per axis: 0-3")
    refusal(lambda: pl.explain(net, x, pl.output()), "one index per axis: 0-3")
    refusal(lambda: pl.explain(net, x, pl.output(0, 1)), "one index per axis: 0-3")


# -- embeddings --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedder() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5)).eval()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["cosine", "dot"])
def test_likeness_is_that_of_the_embeddings(embedder, x, method, kind):
    e = pl.explain(embedder, x[:2], pl.similarity(input=x[2:], kind=kind), method=method)
    a, b = embedder(x[:2]), embedder(x[2:])
    expected = (a * b).sum(1) if kind == "dot" else torch.cosine_similarity(a, b)
    torch.testing.assert_close(e.output, expected.detach())
    given = pl.explain(embedder, x[:2], pl.similarity(b[0], kind=kind), method=method)
    torch.testing.assert_close(given.values, e.values)
    assert e.values.abs().sum() > 0


def test_each_sample_may_have_a_reference_of_its_own(embedder, x):
    references = embedder(x.flip(0)).detach()
    e = pl.explain(embedder, x, pl.similarity(references), method="occlusion")
    alone = pl.explain(embedder, x[:1], pl.similarity(references[0]), method="occlusion")
    torch.testing.assert_close(e.values[:1], alone.values)


def test_the_reference_of_a_picture_is_read_by_the_model():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    model = pl.load(net, preprocess=pl.Preprocess((16, 16), mean=(0.5,) * 3, std=(0.5,) * 3))
    picture = str(pl.zoo.pictures()["chelsea"])
    e = pl.explain(model, picture, pl.similarity(input=picture, name="itself"))
    assert e.output.item() == pytest.approx(1.0, abs=1e-5) and e.target == "cosine similarity with itself"


def test_what_cannot_be_a_reference_is_refused(embedder, x):
    refusal(lambda: pl.similarity("a cat"), r"a str; an embedding is a vector of numbers.*input=")
    refusal(lambda: pl.similarity(3.0), "an embedding is a vector")
    refusal(lambda: pl.output("boxes"), r"pl\.output\(0\)\.of")
    refusal(lambda: pl.logit(0).of(None), "a part has a name or a number")
    refusal(lambda: pl.similarity(), "neither of an embedding and an input")
    refusal(lambda: pl.similarity(torch.ones(5), input=x), "both of an embedding and an input")
    refusal(lambda: pl.similarity(torch.ones(5), kind="l2"), "no kind has that name")
    refusal(lambda: pl.explain(embedder, x, pl.similarity(torch.ones(4))), "both need the same length")
    refusal(lambda: as_target(pl.similarity(input=x)).resolve(lambda at: x, None), "no model")


def test_a_likeness_is_maximized(embedder, x):
    goal = embedder(x[:1]).detach()
    net = lambda x: embedder(x.flatten(1))  # noqa: E731
    p = pl.maximize(net, pl.similarity(goal), recipe="simonyan2013", shape=(1, 2, 3), bounds=(-3, 3), steps=60)
    middle = torch.cosine_similarity(embedder(torch.zeros(1, 6)), goal).item()
    assert p.scores.item() > middle + 0.5 * (1 - middle)


# -- all verbs ---------------------------------------------------------------------------------------------------------------


W = torch.randn(16, 6, generator=torch.Generator().manual_seed(5))
TARGETS = {
    "part": (lambda x: {"aux": x.flatten(1) @ W, "logits": x.mean((1, 2, 3))[:, None]}, pl.logit(1).of("aux")),
    "number": (lambda x: x.flatten(1) @ W, pl.output(2)),
    "box": (lambda x: (x.flatten(1) @ W).reshape(len(x), 3, 2), pl.detection(1, 0)),
    "step": (lambda x: (x.flatten(1) @ W).reshape(len(x), 3, 2), pl.step(2, 1)),
    "likeness": (lambda x: x.flatten(1) @ W, pl.similarity(torch.ones(6))),
}


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_explained_maximized_and_evaluated(name):
    net, target = TARGETS[name]
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(6))
    e = pl.explain(net, x, target)
    assert e.ledger is not None and float(e.ledger.error.abs().max()) < 1e-4 and e.target in e.caption()
    p = pl.maximize(net, target, recipe="simonyan2013", shape=(1, 4, 4), bounds=(0, 1), steps=8)
    assert p.scores.isfinite().all() and p.targets[0].startswith(e.target.split(" of ")[0][:8])
    t = pl.evaluate(net, x, ["gradient_x_input", "occlusion"], ["pixel_flipping"], target=target)
    assert len(t.rows) == 2


@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon", "lrp.epsilon_gamma_box"])
def test_a_contrast_over_two_heads_of_other_depths_is_explained(x, method):
    """Rules are given by position on the path, and the paths of both heads are not as long."""

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.near = nn.Linear(6, 8), nn.Linear(8, 2)
            self.far = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 2))

        def forward(self, x: Tensor) -> Any:
            h = torch.relu(self.trunk(x))
            return {"near": self.near(h), "far": self.far(h)}

    torch.manual_seed(0)
    e = pl.explain(Deep().eval(), x, pl.logit(0).of("near") - pl.logit(1).of("far"), method=method)
    assert float(e.ledger.error.abs().max()) <= 1e-4 * float(e.ledger.volume.max()) and e.values.abs().sum() > 0


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("method", ["lrp", "occlusion", "kernel_shap", "smoothgrad"])
def test_a_batch_is_what_its_samples_are_alone(name, method):
    """Whatever a target settles per sample (a box, a class, a mask) goes with its sample."""
    net, target = TARGETS[name]
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(7))
    free = {"box": pl.detection(), "step": pl.step((0, 2)), "part": pl.logit().of("aux")}.get(name, target)
    e = pl.explain(net, x, free, method=method)
    for n in range(3):
        alone = pl.explain(net, x[n : n + 1], free, method=method)
        torch.testing.assert_close(e.values[n : n + 1], alone.values, rtol=1e-4, atol=1e-6)
        assert (e.targets[n] if e.targets else e.target) == alone.target


def test_a_predicted_mask_goes_with_its_sample_through_every_variant(segmenter, bright):
    both = torch.cat([bright, -bright.flip(3)])
    e = pl.explain(segmenter, both, method="occlusion")
    for n in range(2):
        alone = pl.explain(segmenter, both[n : n + 1], method="occlusion")
        torch.testing.assert_close(e.values[n : n + 1], alone.values)
