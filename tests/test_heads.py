"""What ends a model: a softmax or sigmoid is found, the scores before it are explained, probabilities are the model's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import TargetError

torch.manual_seed(7)
SCORES = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
SINGLE = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).eval()
X = torch.randn(2, 4)


class Ended(nn.Module):
    """A network, and what is done to its scores."""

    def __init__(self, net: nn.Module, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net, self.end = net, end

    def forward(self, x: Tensor) -> Any:
        return self.end(self.net(x))


def overwritten(scores: Tensor) -> Tensor:
    return scores.clone().sigmoid_()


ENDS: dict[str, tuple[nn.Module, Callable[[Tensor], Any], int | None]] = {
    "softmax": (SCORES, lambda s: s.softmax(1), 1),
    "in a dictionary": (SCORES, lambda s: {"logits": s.softmax(-1), "scores": 2 * s}, 1),
    "kept from 0 and 1": (SCORES, lambda s: s.softmax(-1).clamp(1e-7, 1 - 1e-7), 1),
    "times 1": (SCORES, lambda s: 1.0 * s.softmax(-1), 1),
    "squeezed": (SCORES, lambda s: s[:, None].softmax(-1).squeeze(1), 1),
    "one of its columns": (SCORES, lambda s: s.softmax(-1)[:, 1:2], 0),
    "detached": (SCORES, lambda s: s.softmax(-1).detach(), 1),
    "sigmoids": (SCORES, torch.sigmoid, 1),
    "sigmoids in place": (SCORES, overwritten, 1),
    "one sigmoid": (SINGLE, torch.sigmoid, 0),
    "one sigmoid, flat": (SINGLE, lambda s: s.sigmoid().flatten(), 0),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["gradient_x_input", "lrp.epsilon"])
def test_scores_before_the_end_are_explained_and_probabilities_are_the_output(end: str, method: str) -> None:
    net, function, index = ENDS[end]
    whole, number = Ended(net, function).eval(), 1 if net is SCORES else 0
    said = whole(X)
    said = said["logits"] if isinstance(said, dict) else said
    said = said[:, index] if said.dim() > 1 else said
    e, bare = pl.explain(whole, X, index, method), pl.explain(net, X, number, method)
    torch.testing.assert_close(e.output, net(X)[:, number].detach())
    torch.testing.assert_close(e.values, bare.values, atol=1e-5, rtol=1e-4)
    assert any("the scores before it are explained" in note for note in e.notes)
    if end != "detached":  # then no slope leads back from what it returns
        torch.testing.assert_close(pl.explain(whole, X, pl.probability(index), method).output, said.detach())


MADE: list[Callable[[nn.Module], Any]] = [torch.jit.script, lambda net: torch.jit.trace(net, X)]
MADE += [lambda net: torch.export.export(net, (X,))]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("last", [nn.Softmax(1), nn.Sigmoid()])
def test_so_they_are_in_scripts_traces_and_exported_programs(made: Callable[[nn.Module], Any], last: nn.Module) -> None:
    program = made(nn.Sequential(SCORES, last).eval())
    for method in ("gradient_x_input", "occlusion"):
        torch.testing.assert_close(pl.explain(program, X, 2, method).values, pl.explain(SCORES, X, 2, method).values)
    probabilities = pl.explain(program, X, pl.probability(2), "lrp.zero").output
    torch.testing.assert_close(probabilities, last(SCORES(X))[:, 2].detach())


def test_a_script_keeps_its_scores_after_it_was_trained() -> None:
    program = torch.jit.script(nn.Sequential(SCORES, nn.Softmax(1)).eval())
    for _ in range(3):
        program(X.clone().requires_grad_()).sum().backward()
    got, wanted = (pl.explain(net, X, 0, "integrated_gradients").values for net in (program, SCORES))
    torch.testing.assert_close(got, wanted)


def test_maximizations_and_evaluations_climb_the_same_scores() -> None:
    whole = nn.Sequential(SCORES, nn.Softmax(1)).eval()
    how: dict[str, Any] = {"recipe": "erhan2009", "shape": (4,), "steps": 20}
    assert torch.equal(pl.maximize(whole, 1, **how).images, pl.maximize(SCORES, 1, **how).images)
    p = pl.maximize(whole, pl.probability(1), **how)
    torch.testing.assert_close(p.scores, whole(p.images)[:, 1].detach())
    rows = [pl.evaluate(net, X, ["gradient_x_input"], ["pixel_flipping"], target=0).rows[0] for net in (whole, SCORES)]
    assert rows[0]["score"] == rows[1]["score"]


def test_functions_of_the_output_and_its_numbers_are_those_of_what_the_model_returns() -> None:
    whole = nn.Sequential(SCORES, nn.Softmax(1)).eval()
    for target in (pl.output(1), lambda out: out[:, 1]):
        torch.testing.assert_close(pl.explain(whole, X, target, "gradient_x_input").output, whole(X)[:, 1].detach())


def test_one_score_is_put_through_a_sigmoid_and_labels_that_are_independent_too() -> None:
    e = pl.explain(SINGLE, X, pl.probability(0), "gradient_x_input")
    torch.testing.assert_close(e.output, SINGLE(X)[:, 0].sigmoid().detach())
    assert e.values.abs().max() > 0
    labels = pl.explain(nn.Sequential(SCORES, nn.Sigmoid()).eval(), X, method="gradient_x_input").classes
    said = SCORES(X)[0].sigmoid().detach()
    assert [(index, pytest.approx(float(said[index]), abs=1e-6)) for index, _, _ in labels] == [(i, p) for i, _, p in labels]


def test_a_logarithm_of_a_softmax_is_told_and_its_probabilities_are_its_exponentials() -> None:
    whole = nn.Sequential(SCORES, nn.LogSoftmax(1)).eval()
    e = pl.explain(whole, X, pl.probability(1), "gradient_x_input")
    torch.testing.assert_close(e.output, whole(X)[:, 1].exp().detach())
    assert any("logarithms" in note for note in e.notes) and pl.inspect(whole, X).head.end == "log-probabilities"
    part = Ended(SCORES, lambda s: s.log_softmax(1)[:, :2]).eval()
    torch.testing.assert_close(pl.explain(part, X, pl.probability(1), "occlusion").output, part(X)[:, 1].exp().detach())


def test_what_a_configuration_says_of_its_problem_is_believed() -> None:
    class Config:
        def __init__(self, problem: str) -> None:
            self.problem_type, self.id2label = problem, {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}

    net = Ended(SCORES, lambda s: s).eval()
    net.config = Config("multi_label_classification")  # type: ignore[assignment]
    e = pl.explain(net, X, pl.probability(2), "gradient_x_input")
    torch.testing.assert_close(e.output, SCORES(X)[:, 2].sigmoid().detach())
    assert sum(p for _, _, p in e.classes) != pytest.approx(1)
    net.config = Config("regression")  # type: ignore[assignment]
    assert pl.explain(net, X, 0, "gradient_x_input").classes == ()
    with pytest.raises(TargetError, match="numbers of a regression"):
        pl.explain(net, X, pl.probability(0), "gradient_x_input")


def test_a_head_that_is_replaced_is_looked_at_again() -> None:
    whole = nn.Sequential(SCORES, nn.Softmax(1)).eval()
    assert pl.explain(whole, X, 0, "gradient_x_input").notes
    whole[1] = nn.Identity().eval()
    assert not any("ends in" in note for note in pl.explain(whole, X, 0, "gradient_x_input").notes)


def test_a_batch_of_one_that_is_squeezed_away_keeps_its_axis() -> None:
    def score(x: Tensor) -> Tensor:
        return SINGLE(x).squeeze()

    for method in ("gradient", "lrp", "occlusion", "kernel_shap"):
        for rows in (X, X[:1]):
            e = pl.explain(score, rows, method=method)
            assert e.values.shape == rows.shape
            torch.testing.assert_close(e.output, SINGLE(rows)[:, 0].detach())
    torch.testing.assert_close(
        pl.explain(lambda x: SINGLE(x).sigmoid().squeeze(), X[:1], pl.probability(0), "lrp").output,
        SINGLE(X[:1])[:, 0].sigmoid().detach(),
    )


@pytest.mark.parametrize("target, index", [(-1, 2), (torch.tensor(1), 1), ([torch.tensor(1), -3], 1), (pl.logit(-1), 2)])
def test_classes_are_counted_from_the_end_and_come_as_any_whole_number(target: Any, index: int) -> None:
    assert pl.explain(SCORES, X, target, "gradient_x_input")[0].target == f"logit {index}"


@pytest.mark.parametrize("target", [True, 1.0, torch.tensor(True), 3, -4])
def test_what_names_no_class_is_refused(target: Any) -> None:
    with pytest.raises(TargetError):
        pl.explain(SCORES, X, target, "gradient_x_input")
    with pytest.raises(TargetError):
        pl.explain(SCORES, X, pl.logit(target), "gradient_x_input")


def test_a_score_function_that_holds_a_batch_of_its_own_is_refused_where_others_are_run() -> None:
    def error(out: Tensor) -> Tensor:
        return (out - X[:, :3]).square().mean(1)

    assert pl.explain(SCORES, X, error, "gradient_x_input").values.shape == X.shape
    for method in ("integrated_gradients", "shapley", "occlusion"):
        with pytest.raises(TargetError, match="hold one of its own"):
            pl.explain(SCORES, X, error, method)


def test_names_for_other_numbers_of_classes_are_told() -> None:
    few = pl.explain(pl.load(SCORES, labels=["cat", "dog"]), X, 2, "gradient_x_input")
    assert "3 classes and 2 names" in " ".join(few.notes)
