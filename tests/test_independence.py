"""Samples of a batch and variants of a sample: each gets the explanation that it gets alone, whatever shares its batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape.decisions import decides_by_values
from pellucid.tape.independence import rows_are_apart, variants_are_apart
from tests.cases import CASES, Case

NET = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).eval().requires_grad_(False)
for _n, _parameter in enumerate(NET.parameters()):
    _parameter.copy_(torch.randn(_parameter.shape, generator=torch.Generator().manual_seed(_n)))
X = torch.randn(5, 4, generator=torch.Generator().manual_seed(7))
SOURCES, ENDS = torch.arange(5), torch.tensor([1, 2, 3, 4, 0])
ATTENTION = nn.MultiheadAttention(4, 1).eval().requires_grad_(False)

# Networks of nodes, of statistics over the batch, of attention over its first axis.
MEETING: dict[str, Callable[[Tensor], Tensor]] = {
    "graph": lambda x: NET(x + torch.zeros_like(x).index_add(0, ENDS, x[SOURCES])),
    "neighbours": lambda x: NET(x + x.roll(1, 0)),
    "centred": lambda x: NET(x - x.mean(0)),
    "sorted": lambda x: NET(x.sort(0).values),
    "normed": lambda x: NET(x / x.norm()),
    "batch statistics": lambda x: nn.functional.batch_norm(NET(x), None, None, training=True),
    "attention": lambda x: NET(ATTENTION(x, x, x)[0]),
}


def row_alone(f: Callable[[Tensor], Tensor], n: int) -> Callable[[Tensor], Tensor]:
    """A network as a function of one row, written by hand."""
    return lambda z: torch.stack([f(torch.cat([X[:n], row[None], X[n + 1 :]]))[n] for row in z])


@pytest.mark.parametrize("name", MEETING)
def test_a_row_that_others_influence_is_explained_with_those_held(name: str):
    f = MEETING[name]
    by_row = torch.autograd.functional.jacobian(lambda x: f(x)[:, 1], X)
    e = pl.explain(f, X, 1, "gradient")
    assert torch.allclose(e.values, torch.stack([by_row[n, n] for n in range(5)]), rtol=1e-4, atol=1e-6)
    assert "influence one another" in e.caption() and torch.allclose(e.output, f(X)[:, 1])


@pytest.mark.parametrize("method", ["lrp", "deeplift", "integrated_gradients", "occlusion", "finite_differences"])
@pytest.mark.parametrize("name", ["graph", "centred"])
def test_every_method_explains_a_row_by_itself(name: str, method: str):
    f = MEETING[name]
    own = [pl.explain(row_alone(f, n), X[n : n + 1], 1, method).values for n in (0, 3)]
    assert torch.allclose(pl.explain(f, X, 1, method).values[[0, 3]], torch.cat(own), rtol=1e-4, atol=1e-6)


def test_the_inside_of_a_network_whose_rows_meet_is_refused_and_one_sample_may_be_the_whole_batch():
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = NET

        def forward(self, x: Tensor) -> Tensor:
            return MEETING["graph"](x) if x.dim() == 2 else torch.stack([MEETING["graph"](one) for one in x])

    with pytest.raises(pl.MethodError, match="rows that influence one another, and a value inside it"):
        pl.explain(Graph().eval(), X, 1, "gradient", at="net.0")
    e = pl.explain(lambda whole: MEETING["graph"](whole[0])[2][None], X[None], 1, "gradient")
    by_row = torch.autograd.functional.jacobian(lambda x: MEETING["graph"](x)[2, 1], X)
    assert torch.allclose(e.values[0], by_row, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_networks_whose_samples_are_apart_are_left_in_their_batches(case: Case):
    model, x = pl.load(case.net()), case.inputs()
    assert rows_are_apart(model, x) and variants_are_apart(model, x)


def test_what_a_network_draws_at_random_is_no_influence_of_other_rows():
    assert rows_are_apart(pl.load(lambda x: NET(nn.functional.dropout(x, 0.5, training=True))), X)


# -- variants --------------------------------------------------------------------------------------------------------------

DECIDING: dict[str, Callable[[Tensor], Tensor]] = {
    "a mean": lambda x: NET(2 * x) if x.mean() > 0.1 else NET(x),
    "a number": lambda x: NET(2 * x) if float(x.sum()) > 0.4 else NET(x),
    "a list": lambda x: NET(x) * (3.0 if sum(sum(row) for row in x.tolist()) > 0.4 else 1.0),
    "numpy": lambda x: NET(x) * (3.0 if x.detach().numpy().mean() > 0.1 else 1.0),
    "a loop": lambda x: NET(x * 0.5) if int((x > 0.5).sum()) > 1 else NET(x),
    "a count": lambda x: NET(x) * len((x > 0.3).nonzero()),
    "a statistic": lambda x: NET((x - x.mean()) / x.std()),
}


@pytest.mark.parametrize("name", DECIDING)
def test_variants_go_the_way_that_each_goes_alone(name: str):
    f, x = DECIDING[name], torch.tensor([[0.9, 0.6, -0.5, 0.1]])
    e = pl.explain(f, x, 1, replace(pl.perturb.occlusion(1, 1, 0.0)))
    gone = x * (1 - torch.eye(4))
    assert torch.allclose(e.values, torch.stack([f(x)[0, 1] - f(one[None])[0, 1] for one in gone])[None], atol=1e-6)
    assert "one at a time" in e.caption()


@pytest.mark.parametrize("name", ["a mean", "a statistic"])
def test_gradients_on_a_line_go_the_way_that_each_point_goes_alone(name: str):
    f, x = DECIDING[name], torch.tensor([[0.9, 0.6, -0.5, 0.1]])
    origin, total = torch.tensor([[0.1, -0.2, 0.3, 0.0]]), torch.zeros_like(x)
    for k in range(1, 9):
        point = origin.lerp(x, (k - 0.5) / 8).requires_grad_()
        total += torch.autograd.grad(f(point)[0, 1], point)[0] / 8
    e = pl.explain(f, x, 1, pl.gradient.Integrated(8, rule="riemann_middle", baseline=origin))
    assert torch.allclose(e.values, total * (x - origin), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("f", "decides"),
    [
        (lambda x: x.masked_fill(x < 0, 0.0), False),
        (lambda x: torch.where(x > 0, x, -x), False),
        (lambda x: x * (2 if x.shape[1] > 3 and NET[0].weight.sum() > -99 else 1), False),
        (lambda x: x[x > 0][None].sum(1, keepdim=True), True),
        (torch.jit.script(torch.nn.ReLU()), False),
    ],
)
def test_what_decides_is_the_input_and_no_shape_or_weight(f: Callable[[Tensor], Tensor], decides: bool):
    assert decides_by_values(pl.load(f), torch.ones(1, 4)) == decides


def test_a_plan_is_not_taken_where_the_program_reads_a_pixel():
    convolution = nn.Conv2d(1, 4, 3, padding=1).eval().requires_grad_(False)

    def marked(x: Tensor) -> Tensor:
        scale = [3.0 if value > 5 else 1.0 for value in x[:, 0, 20, 30].tolist()]
        return convolution(x).relu().mean((2, 3)) * torch.tensor(scale)[:, None]

    method, x = pl.perturb.occlusion(4, 4, 9.0), torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    fast = pl.explain(marked, x, 0, method)
    assert torch.equal(fast.values, pl.explain(marked, x, 0, replace(method, accelerate="off")).values)


# -- a batch of one --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradient", "lrp", "occlusion", "kernel_shap", "integrated_gradients"])
def test_a_regressor_that_squeezes_its_output_is_explained_the_same_in_any_batch(method: str):
    last = nn.Linear(3, 1).eval().requires_grad_(False)
    regress = nn.Sequential(NET, last).eval()
    kept = pl.explain(regress, X[:3], 0, method).values
    for rows in (3, 1):
        e = pl.explain(lambda x: regress(x).squeeze(), X[:rows], method=method)
        assert torch.allclose(e.values, kept[:rows], rtol=1e-4, atol=1e-6)


def test_one_sample_of_which_the_batch_axis_was_squeezed_away_has_all_its_classes():
    hidden = lambda x: NET(x[:, :, None, None].squeeze())  # noqa: E731
    for rows in (1, 3):
        assert torch.allclose(
            pl.explain(hidden, X[:rows], 2, "occlusion").values, pl.explain(NET, X[:rows], 2, "occlusion").values
        )


def test_an_evaluation_of_rows_that_influence_one_another_is_refused() -> None:
    net = nn.Linear(4, 3).eval()
    with pytest.raises(pl.ModelError, match="rows that influence one another"):
        pl.evaluate(lambda x: net(x - x.mean(0)), torch.randn(3, 4), methods=["gradient"], metrics=["sparseness"])
