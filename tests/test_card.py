"""The card of a model tells the truth: about its input and output, and about every method, as trying each one shows."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.catalogue.methods import METHODS
from pellucid.errors import ModelError, PellucidError

pytestmark = pytest.mark.filterwarnings("ignore:`torch")


class Heads(nn.Module):
    """Two outputs, of which one is the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.body(x).relu().mean((2, 3))
        return {"features": y, "logits": self.head(y)}


class Lost(nn.Module):
    """Leaves PyTorch on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(torch.from_numpy(self.body(x).relu().mean((2, 3)).detach().numpy()))
        return y


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.body(x)[0][:, -1])
        return y


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.body(x).mean(1))
        return y


class Words(nn.Module):
    """Reads token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.body = nn.Embedding(9, 4), Attention()

    def forward(self, ids: Tensor) -> Tensor:
        y: Tensor = self.body(self.words(ids))
        return y


def cnn(*end: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), *end).eval()


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(cnn())


PICTURE, ROW, SERIES = (1, 3, 8, 8), (1, 6), (1, 5, 4)
NETS = {
    "convolutional": (cnn, PICTURE),
    "dense": (lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval(), ROW),
    "smooth": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(144, 3)).eval(), PICTURE),
    "softmax": (lambda: cnn(nn.Softmax(1)), PICTURE),
    "scripted": (scripted, PICTURE),
    "exported": (lambda: torch.export.export(cnn(), (torch.zeros(PICTURE),)), PICTURE),
    "recurrent": (lambda: Recurrent().eval(), SERIES),
    "attention": (lambda: Attention().eval(), SERIES),
    "token ids": (lambda: Words().eval(), (1, 5)),
    "two outputs": (lambda: Heads().eval(), PICTURE),
    "leaves PyTorch": (lambda: Lost().eval(), PICTURE),
    "function": (lambda: lambda x: 2 * x[:, :3], ROW),
}
DEAR = {entry.name for entry in METHODS if entry.repeats} - {"integrated_gradients", "ablationcam", "occlusion"}


def made(name: str) -> tuple[pl.Model, Tensor]:
    make, shape = NETS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return pl.load(make()), torch.randint(9, shape) if name == "token ids" else torch.rand(shape)


@pytest.mark.parametrize("name", NETS)
def test_a_method_works_exactly_where_the_card_says_so(name):
    model, x = made(name)
    card = pl.inspect(model, x)
    assert [verdict.name for verdict in card.methods] == [entry.name for entry in pl.methods()]
    known = {entry.name for entry in METHODS}
    for verdict in card.methods:
        if verdict.name not in known or (verdict.works and verdict.name in DEAR):
            continue  # those that take long are tried by the slow test below
        check(model, x, verdict)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_so_do_those_that_take_long(name):
    model, x = made(name)
    for verdict in pl.inspect(model, x).methods:
        if verdict.name in DEAR:
            check(model, x, verdict)


def check(model, x, verdict):
    try:
        pl.explain(model, x, method=verdict.name)
        works, said = True, ""
    except PellucidError as error:
        works, said = False, str(error)
    assert works == verdict.works, f"{verdict} but: {said}"
    if not works:
        told = verdict.reason.partition("there is ")[2] or verdict.reason.removeprefix("it is ")
        assert told in said, f"the reason is another one: {verdict} but: {said}"


def test_the_head_of_a_model_is_what_its_output_is_made_by():
    def head(net, shape=PICTURE):
        return pl.inspect(net.eval(), torch.rand(shape)).head

    assert (head(cnn()).end, head(cnn()).classes, head(cnn()).made_by) == ("scores", 3, "addmm in 4")
    assert head(cnn(nn.Softmax(1))).end == "probabilities"
    assert head(cnn(nn.LogSoftmax(1))).end == "log-probabilities"
    assert head(cnn(nn.Sigmoid(), nn.Unflatten(1, (3, 1)), nn.Flatten())).end == "sigmoids", "views are looked through"
    assert head(nn.Conv2d(3, 5, 3)).sentence().startswith("scores of 5 classes at each of 6 x 6 places")
    assert head(nn.Sequential(nn.Linear(6, 1), nn.Flatten(0)), ROW).sentence().startswith("one number per sample")
    two = head(Heads().eval())
    assert (two.main, two.others, two.classes) == ("logits", ("features",), 3)
    assert "`logits` of 2 outputs" in two.sentence()


def test_before_the_softmax_stands_the_score():
    net, x = cnn(nn.Softmax(1)), torch.rand(PICTURE)
    model, bare = pl.load(net).before_softmax(), net[:-1].eval()
    assert torch.equal(model(x), bare(x))
    assert pl.inspect(model, x).head.end == "scores"
    for method in ("lrp", "gradient_x_input", "gradcam", "deeplift"):
        assert torch.equal(
            pl.explain(model, x, target=1, method=method).values, pl.explain(bare, x, target=1, method=method).values
        )
    assert "the scores before it are explained" in pl.explain(model, x).caption()
    program = pl.load(torch.export.export(net, (x,))).before_softmax()
    torch.testing.assert_close(program(x), bare(x).detach())


def test_a_softmax_in_the_middle_is_none_of_its_business():
    class Gated(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.softmax(1) * x

    x = torch.rand(2, 3)
    assert torch.equal(pl.load(Gated().eval()).before_softmax()(x), x.softmax(1) * x)


def test_the_card_prints_itself_and_travels_as_json():
    card = pl.inspect(cnn(nn.Softmax(1)), torch.rand(PICTURE), method="lrp.epsilon")
    said = str(card)
    for part in ("1 x 3 x 8 x 8", "probabilities of 3 classes", "pl.probability(class)", "Methods that work: ", "Epsilon"):
        assert part in said
    told = json.loads(json.dumps(card.data()))
    assert told["head"]["end"] == "probabilities" and told["output"] == [1, 3]
    assert {"name", "family", "works", "reason"} == set(told["methods"][0])
    assert repr(card).startswith("Card(Sequential, 1 x 3 x 8 x 8 to 1 x 3, ")


def test_what_cannot_be_followed_still_gets_a_card():
    card = pl.inspect(Lost().eval(), torch.rand(PICTURE))
    assert "the thread ends after detach" in str(card) and card.rules == () and card.head.classes == 3
    works = {verdict.name for verdict in card.methods if verdict.works}
    assert {"occlusion", "rise", "lime", "shapley"} <= works and "lrp" not in works and "gradcam" not in works
    assert [layer.name for layer in card.layers] == ["body", "head"]


def test_operations_without_a_rule_are_counted_and_named():
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cumprod(x.flatten(1)[:, :4], 1)

    verdicts = {verdict.name: verdict for verdict in pl.inspect(Odd().eval(), torch.rand(PICTURE)).methods}
    assert "1 operations without a rule keep their derivative, first cumprod" in verdicts["lrp.epsilon"].reason
    assert verdicts["gradient"].reason == ""


def test_the_shape_comes_from_the_input_the_model_or_the_user():
    assert pl.inspect(cnn(), shape=(2, 3, 9, 9)).input == (2, 3, 9, 9)
    model = pl.load(cnn(), preprocess=pl.Preprocess((8, 8), mean=(0.0,) * 3, std=(1.0,) * 3))
    assert pl.inspect(model).input == (1, 3, 8, 8)
    assert pl.inspect(model, pl.zoo.pictures()["coffee"]).input == (1, 3, 8, 8)
    with pytest.raises(ModelError, match=r"a model that does not say; .* Say it: --shape 1,3,224,224"):
        pl.inspect(cnn())
