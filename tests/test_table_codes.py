"""Categories by their place: what is looked up for a code stands for it, and what stands where one is taken away is a value."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods.perturb.imputers.column_values import ColumnValues
from pellucid.tape.codes import coded_rows


class Coded(nn.Module):
    """An embedding of the first column, beside the numbers."""

    def __init__(self, *, linear: bool = True) -> None:
        super().__init__()
        self.e, self.head = nn.Embedding(5, 2), nn.Linear(4, 2, bias=False)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(torch.cat([self.e(x[:, 0].long()), x[:, 1:]], 1))
        return y if self.linear else y.tanh()


KIND = pl.Column("kind", values=tuple("abcde"), code=True)
COLUMNS = pl.Columns((KIND, pl.Column("p", "", 1.0, 2.0), pl.Column("q")))
ROW = {"kind": "d", "p": 2.0, "q": -1}


def made(*, linear: bool = True) -> pl.Model:
    torch.manual_seed(0)
    return pl.load(Coded(linear=linear).eval(), preprocess=COLUMNS)


def mean_of_kinds(model: pl.Model) -> float:
    return float(model(COLUMNS.encode([ROW | {"kind": kind} for kind in "abcde"]))[:, 1].mean())


@pytest.mark.parametrize("method", ["occlusion", "feature_ablation", "shapley", "kernel_shap", "lime"])
def test_where_a_category_is_taken_away_every_value_stands_as_often(method: str) -> None:
    model = made()
    e = pl.explain(model, ROW, 1, method)
    fall = float(e.output) - mean_of_kinds(model)
    if method != "lime":  # a ridge draws its values together
        assert float(e.values[0, 0]) == pytest.approx(fall, abs=1e-5)  # of a model that adds up, by every method
    assert any("answers are averaged over every value" in note for note in e.notes)
    if method in ("shapley", "kernel_shap"):
        nothing = float(model(COLUMNS.encode([{"kind": kind, "p": 1.0, "q": 0} for kind in "abcde"]))[:, 1].mean())
        assert float(e.values.sum()) == pytest.approx(float(e.output) - nothing, abs=1e-5)
    if method in ("occlusion", "shapley"):
        assert e.error is None or float(e.error.abs().max()) < 1e-6, "all values were tried: nothing is left to chance"


def test_relevance_and_slopes_of_a_code_are_those_of_what_is_looked_up() -> None:
    model = made()
    net = model.module
    assert isinstance(net, Coded)
    x = COLUMNS.encode(ROW)
    row, weight = net.e.weight[3].detach(), net.head.weight[1].detach()
    share = torch.stack([(row * weight[:2]).sum(), x[0, 1] * weight[2], x[0, 2] * weight[3]])
    for method in ("lrp.zero", "gradient_x_input"):
        torch.testing.assert_close(pl.explain(model, ROW, 1, method).values[0], share)
    e = pl.explain(model, ROW, 1, "gradient")
    torch.testing.assert_close(e.values[0], torch.stack([weight[:2].norm(), weight[2], weight[3]]))
    assert any("length of the slopes" in note for note in e.notes)
    assert pl.explain(model, ROW, 1, "smoothgrad").values[0, 0] != 0  # noise on codes looks up no row that there is not


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "deepshap"])
def test_baselines_are_possible_rows(method: str) -> None:
    model = made(linear=False)
    e = pl.explain(model, ROW, 1, method)
    empty = float(model(COLUMNS.encode([{"kind": kind, "p": 1.0, "q": 0} for kind in "abcde"]))[:, 1].mean())
    assert float(e.values.sum()) == pytest.approx(float(e.output) - empty, abs=1e-4)
    assert "The baselines are 5 possible rows: numbers at their mean, and every value of its categories in turn." in e.notes
    own = pl.explain(model, ROW, 1, pl.gradient.Integrated(64, baseline=COLUMNS.encode(ROW | {"kind": "a"})))
    change = float(e.output) - float(model(COLUMNS.encode(ROW | {"kind": "a"}))[0, 1])
    torch.testing.assert_close(own.values, torch.tensor([[change, 0.0, 0.0]]), atol=1e-4, rtol=1e-3)


READINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cast": lambda x, w: w[x[:, 0].long()],
    "rounded": lambda x, w: w[x[:, 0].round().int()],
    "scaled": lambda x, w: w[(x[:, 0] * 2 + 1).long() // 2],
    "all cast, one used": lambda x, w: w[x.long()[:, 0]],
    "one-hot": lambda x, w: nn.functional.one_hot(x[:, 0].long(), 5).float() @ w,
    "indexed by a row number too": lambda x, w: w[None].expand(len(x), -1, -1)[torch.arange(len(x)), x[:, 0].long()],
}


@pytest.mark.parametrize("name", READINGS)
def test_a_column_that_is_only_looked_up_is_a_code_though_nobody_says_so(name: str) -> None:
    table = torch.arange(15.0).reshape(5, 3).cos()

    def net(x: Tensor) -> Tensor:
        return READINGS[name](x, table) + x[:, 1:2]

    x = torch.tensor([[3.0, 0.5], [1.0, 2.0]])
    e = pl.explain(net, x, 1, "lrp.zero")
    torch.testing.assert_close(e.values, torch.stack([table[[3, 1], 1], x[:, 1]], 1))


def test_numbers_that_have_slopes_are_no_codes() -> None:
    table = torch.arange(15.0).reshape(5, 3).cos()

    def spline(x: Tensor) -> Tensor:  # between two knots
        below = x[:, 0].floor()
        low, high = table[below.long()], table[below.long() + 1]
        return low + (x[:, :1] - below[:, None]) * (high - low)

    x = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    assert coded_rows(pl.load(spline), x) is None
    torch.testing.assert_close(pl.explain(spline, x, 1, "gradient").values[:, 0], (table[[3, 2]] - table[[2, 1]])[:, 1])


def test_methods_that_change_codes_as_amounts_are_doubted() -> None:
    e = pl.explain(made(), ROW, 1, "finite_differences")
    assert any("reads the entries 0 as codes" in doubt for doubt in e.doubts)


def test_the_embedding_of_a_code_is_a_place_to_explain_by() -> None:
    model = made()
    net = model.module
    assert isinstance(net, Coded)
    e = pl.explain(model, [ROW, ROW | {"kind": "a"}], 1, "gradient_x_input", at="e")
    torch.testing.assert_close(e.values, net.e.weight[[3, 0]].detach() * net.head.weight[1, :2].detach())


def test_a_metric_takes_categories_away_by_their_values() -> None:
    model = made(linear=False)
    column = ColumnValues(COLUMNS)
    contents = column.prepare(torch.zeros(1, 3), None, None)(torch.ones(0, 3), range(column.draws))
    assert contents[:, 0].tolist() == [0, 1, 2, 3, 4] and not contents[:, 1:].any()
    order = pl.explain(model, ROW, 1, "occlusion").values[0].argsort(descending=True).tolist()
    x, left = COLUMNS.encode(ROW), []
    for gone in range(4):
        rows = x.repeat(5, 1)
        rows[:, order[:gone]] = contents[:, order[:gone]]
        left.append(float(model(rows)[:, 1].mean()))
    t = pl.evaluate(model, ROW, ["occlusion"], [pl.metrics.PixelFlipping()], target=1)
    assert t.rows[0]["score"] == pytest.approx((sum(left) - (left[0] + left[3]) / 2) / 3, abs=1e-5)


@pytest.mark.parametrize("alone", [True, False])
def test_many_categories_have_equal_shares(alone: bool) -> None:
    columns = pl.Columns(tuple(pl.Column(f"c{n}", values=tuple(map(str, range(n))), code=True) for n in (4, 5, 6)))
    values = ColumnValues(columns, alone)
    assert values.exact == alone
    contents = values.prepare(torch.zeros(1, 3), None, None)(torch.ones(0, 3), range(values.draws * (1 if alone else 200)))
    for column, count in enumerate((4, 5, 6)):
        shares = torch.bincount(contents[:, column].long(), minlength=count) / len(contents)
        torch.testing.assert_close(shares, torch.full((count,), 1 / count), atol=0 if alone else 0.02, rtol=1e-6)


@pytest.mark.parametrize("recipe", ["auto", "simonyan2013"])
@pytest.mark.parametrize("bounds", [(-2, 2), None])
def test_the_row_that_is_looked_for_is_a_possible_one(recipe: str, bounds: tuple[float, float] | None) -> None:
    columns = pl.Columns((pl.Column("age", "", 50.0, 10.0), pl.Column("smoker", values=("no", "yes")), KIND))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.head = nn.Embedding(5, 2), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.cat([x[:, :3], self.e(x[:, 3].long())], 1))

    torch.manual_seed(0)
    net = Net().eval()
    model = pl.load(net, preprocess=columns)
    p = pl.maximize(model, [0, 1], recipe, steps=10, bounds=bounds)
    assert p.task is not None
    rows = p.task.frame.to_inputs(p.images)
    for target, row in enumerate(rows):
        assert sorted(row[1:3].tolist()) == pytest.approx([0, 1], abs=1e-6)
        smoker, kind = int(row[2] > 0.5), int(row[3].round())
        assert float(row[3]) == pytest.approx(kind, abs=1e-5)
        with torch.no_grad():
            weight = net.head.weight[target]
            assert smoker == int(weight[2] > weight[1]) and kind == int((net.e.weight @ weight[3:]).argmax())
        assert float(p.scores[target]) == pytest.approx(float(model(row[None])[0, target]), abs=1e-5)
