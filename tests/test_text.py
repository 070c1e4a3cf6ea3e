"""Token ids and texts: relevance begins at the embedding, one number per token, padding is no evidence, and all ways to read
agree."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import InputError, MethodError, ModelError, PellucidError, TargetError
from pellucid.tape.embedding import embed
from pellucid.zoo.truth.grammar import WORDS as LANGUAGE, words
from pellucid.zoo.truth.learn import fit
from tests.readers import ROWS, TEXTS, WAYS, WIDE, WORDS, Bag, Looks, Reads, Speaks, made

IDS = torch.tensor([[3, 9, 4, 7, 4, 12]])
OF_TOKENS = ("lrp", "lrp.epsilon", "lrp.gamma", "gradient_x_input", "sensitivity", "saliency", "integrated_gradients", "deeplift")
TAKEN_AWAY = ("occlusion", "feature_ablation", "rise", "lime", "kernel_shap", "shapley", "sobol", "hsic", "pda")
PICTURES = ("gradcam", "eigencam", "meaningful", "extremal", "dve", "finite_differences", "local_variance")


def unrolled(net: nn.Module, ids: Tensor) -> tuple[nn.Module, Tensor]:
    """The same network with a table of its own for every place, so that the slope of a row is that of the token there."""
    other = copy.deepcopy(net).requires_grad_(True)
    for name in ("words", "other"):
        table = getattr(other, name, None)
        if table is not None:
            rows = torch.cat([table.weight.detach()[:1], table.weight.detach()[ids[0]]])
            table.weight, table.num_embeddings = nn.Parameter(rows), len(rows)
    return other, torch.arange(1, ids.shape[1] + 1)[None]


def slopes(net: nn.Module, ids: Tensor, target: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Vectors and their slopes, by autograd, tables side by side."""
    other, places = unrolled(net, ids)
    target(other(places)).backward()
    tables = [getattr(other, name).weight for name in ("words", "other") if getattr(other, name, None) is not None]
    tables = [table for table in tables if table.grad is not None]
    rows = torch.cat([table.detach()[1:] for table in tables], 1)
    return rows, torch.cat([table.grad[1:] for table in tables], 1)  # type: ignore[index]


NETS = {"reads": Reads, "bag": Bag, "sum": lambda: Bag("sum", None)} | {way: lambda way=way: Looks(way) for way in WAYS}


@pytest.mark.parametrize("name", NETS)
def test_gradients_at_ids_are_those_of_the_rows_that_were_looked_up(name: str) -> None:
    net = NETS[name]()
    model = made(net)
    rows, grads = slopes(net, IDS, lambda output: output[0, 1])
    wanted = {
        "gradient_x_input": (rows * grads).sum(1),
        "saliency": grads.norm(dim=1),
        "gradient": grads.norm(dim=1),
        "sensitivity": grads.square().sum(1),
    }
    for method, values in wanted.items():
        e = pl.explain(model, IDS, target=1, method=method)
        assert e.values.shape == IDS.shape
        torch.testing.assert_close(e.values[0], values, atol=1e-6, rtol=1e-4)
        assert e.signed == (method == "gradient_x_input")


@pytest.mark.parametrize(
    "method", ["lrp", "lrp.zero", "lrp.epsilon", "lrp.gamma", "lrp.epsilon_plus", "gradient_x_input", "deeplift"]
)
def test_relevance_of_an_id_is_the_sum_over_its_vector(method: str) -> None:
    net = Looks("table")
    model, rest = made(net), lambda x: net.head(net.layer(x.transpose(1, 2)).tanh().mean(2))
    chosen = pl.gradient.DeepLift(torch.zeros(1, 1, WIDE)) if method == "deeplift" else method
    e, twin = pl.explain(model, IDS, target=1, method=chosen), pl.explain(rest, net.words(IDS), target=1, method=chosen)
    torch.testing.assert_close(e.values, twin.values.sum(2), atol=1e-6, rtol=1e-4)
    if e.ledger is not None:
        assert e.ledger.error.abs().max() <= 1e-4 * e.ledger.volume.max()
        torch.testing.assert_close(e.values.double().sum(1), e.ledger.input.double(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", [*OF_TOKENS, *TAKEN_AWAY, "smoothgrad", "vargrad", "expected_gradients", "guided_backprop"])
def test_a_text_says_the_same_alone_and_beside_a_longer_one(method: str) -> None:
    model = made(Reads())
    both, alone = pl.explain(model, TEXTS, target=1, method=method), pl.explain(model, TEXTS[1], target=1, method=method)
    length = alone.values.shape[1]
    torch.testing.assert_close(both.values[1:, :length], alone.values, atol=1e-6, rtol=1e-4)
    assert not both.values[1, length:].any(), "padding is no evidence"
    assert [piece.text for piece in both.tokens(1)] == ["[CLS]", "good", "film"]
    torch.testing.assert_close(both.output[1:], alone.output)


def test_ids_and_their_text_are_one_question() -> None:
    model = made(Reads())
    text, ids = pl.explain(model, TEXTS, target=1), pl.explain(model, model.read(TEXTS), target=1)
    assert torch.equal(text.values, ids.values)
    assert [piece.text for piece in ids.words(1)] == ["[CLS]", "good", "film"]


def test_positions_and_masks_are_constants_booked_under_their_table() -> None:
    e = pl.explain(made(Reads()), TEXTS[1], target=1, method="lrp.epsilon")
    assert e.ledger is not None
    assert ("places.weight", "add", "constant operand") in {(row.where, row.op, row.cause) for row in e.ledger.rows}


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "deepshap"])
def test_the_baseline_is_the_text_without_its_words(method: str) -> None:
    model = made(Looks("table"), vocabulary=pl.Vocabulary(WORDS, first="[CLS]", mask="[MASK]"))
    ids = model.read(TEXTS[0])
    mask = model.preprocess.mask
    empty = torch.where(ids == ids[0, 0], ids, torch.full_like(ids, mask))  # [CLS] comes first, and stays
    chosen = pl.gradient.Integrated(200) if method == "integrated_gradients" else method
    e = pl.explain(model, TEXTS[0], target=1, method=chosen)
    with torch.no_grad():
        fall = (model(ids) - model(empty))[0, 1]
    torch.testing.assert_close(e.values.sum(), fall, atol=2e-3 * float(fall.abs()), rtol=1e-3)
    assert any("[MASK] in place of every token; special tokens stay" in note for note in e.notes)
    given = pl.explain(model, TEXTS[0], target=1, method=replace(pl.gradient.Integrated(64), baseline=empty))
    torch.testing.assert_close(given.values.sum(), fall, atol=5e-3 * float(fall.abs()), rtol=1e-3)


def test_what_is_taken_away_is_replaced_by_the_blank_token() -> None:
    model = made(Looks("table"), vocabulary=pl.Vocabulary(WORDS, first="[CLS]", mask="[MASK]"))
    ids, mask = model.read(TEXTS[0]), model.preprocess.mask
    for imputer, blank in ((0.0, mask), (5, 5)):
        e = pl.explain(model, TEXTS[0], target=1, method=pl.perturb.feature_ablation(imputer=imputer))
        falls = [0.0]  # [CLS] stays
        for place in range(1, ids.shape[1]):
            other = ids.clone()
            other[0, place] = blank
            falls.append(float((model(ids) - model(other))[0, 1]))
        torch.testing.assert_close(e.values[0], torch.tensor(falls), atol=1e-6, rtol=1e-4)


def test_what_is_left_out_makes_the_text_shorter() -> None:
    model = made(Looks("table"))
    ids = model.read(TEXTS[0])
    shorter = replace(pl.perturb.feature_ablation(), semantics="remove")
    e = pl.explain(model, TEXTS[0], target=1, method=shorter)
    falls = [0.0] + [
        float((model(ids) - model(torch.cat([ids[:, :place], ids[:, place + 1 :]], 1)))[0, 1]) for place in range(1, ids.shape[1])
    ]
    torch.testing.assert_close(e.values[0], torch.tensor(falls), atol=1e-6, rtol=1e-4)
    assert any("the model reads a shorter text" in note for note in e.notes)


def test_of_a_shorter_text_a_language_model_says_what_follows_its_last_word() -> None:
    model = made(Speaks())
    ids, target = model.read("the film was good"), pl.token(7)
    e = pl.explain(model, ids, target, replace(pl.perturb.feature_ablation(), semantics="remove"))
    whole = float(model(ids)[0, -1, 7])
    without = [float(model(torch.cat([ids[:, :place], ids[:, place + 1 :]], 1))[0, -1, 7]) for place in range(1, ids.shape[1])]
    torch.testing.assert_close(e.values[0, 1:], whole - torch.tensor(without), atol=1e-6, rtol=1e-4)


def test_a_text_of_which_all_is_left_out_is_still_answered() -> None:
    model = made(Looks("table"))
    seen = embed(model, IDS)
    nothing = torch.full_like(seen.vectors, torch.nan)
    assert seen.forward(nothing).shape == (1, 3)


@pytest.mark.parametrize(("regions", "by"), [(pl.perturb.words(), "words"), (pl.perturb.sentences(), "sentences")])
def test_words_and_sentences_are_taken_away_whole(regions: pl.perturb.Division, by: str) -> None:
    model, text = made(Looks("table")), "The film was good. Not bad, and not the actor!"
    e = pl.explain(model, text, target=1, method=pl.perturb.feature_ablation(regions))
    ids = model.read(text)
    pieces = getattr(e, by)()
    for piece in pieces:
        other = ids.clone()
        if piece.kind == "text":
            other[0, list(piece.positions)] = 0
        assert piece.value == pytest.approx(float((model(ids) - model(other))[0, 1]), abs=1e-5)
    assert len(pieces) == (14 if by == "words" else 3)


def test_shapley_values_of_tokens_sum_to_what_they_bring() -> None:
    model = made(Looks("table"))
    ids = model.read("the film was good")
    empty = torch.where(ids == ids[0, 0], ids, torch.zeros_like(ids))
    e = pl.explain(model, ids, target=1, method="shapley")
    torch.testing.assert_close(e.values.sum(), (model(ids) - model(empty))[0, 1], atol=1e-4, rtol=1e-3)


def test_a_window_of_tokens_may_be_asked_for() -> None:
    model = made(Looks("table"))
    e = pl.explain(model, IDS, target=1, method=pl.perturb.occlusion(window=3, stride=3))
    other = IDS.clone()
    other[0, :3] = 0
    torch.testing.assert_close(e.values[0, :3], (model(IDS) - model(other))[0, 1].expand(3), atol=1e-6, rtol=1e-4)


# language models


def test_a_language_model_is_asked_for_the_token_it_foretells() -> None:
    model = made(Speaks())
    with torch.no_grad():
        best = int(model(model.read("the film was"))[0, -1].argmax())
    e = pl.explain(model, "the film was")
    name = model.preprocess.piece(best)
    assert e.target == f'token {best} "{name}" at the last position'
    assert e.classes[0][:2] == (best, name)
    for asked in (name, pl.token(name), pl.token(best), pl.logit(best), best):
        assert torch.equal(pl.explain(model, "the film was", asked).values, e.values)


def test_two_tokens_are_contrasted() -> None:
    model = made(Speaks())
    pair = pl.explain(model, "the film was", pl.token("good") - pl.token("bad"), "gradient_x_input")
    apart = [pl.explain(model, "the film was", pl.token(word), "gradient_x_input").values for word in ("good", "bad")]
    torch.testing.assert_close(pair.values, apart[0] - apart[1], atol=1e-6, rtol=1e-4)
    assert pair.target == 'token 7 "good" - token 8 "bad" at the last position'


def test_every_text_of_a_batch_has_its_own_last_position() -> None:
    model = made(Speaks())
    e = pl.explain(model, ["the film was very", "the"], pl.token("good"))
    with torch.no_grad():
        wanted = torch.stack([model(model.read(text))[0, -1, 7] for text in ("the film was very", "the")])
    torch.testing.assert_close(e.output, wanted)


def test_a_gap_is_what_a_masked_text_asks_about() -> None:
    model = made(Speaks(), vocabulary=pl.Vocabulary(WORDS, first="[CLS]", mask="[MASK]"))
    ids = model.read("the film was good")
    ids[0, 2] = model.preprocess.mask
    assert pl.explain(model, ids).target.endswith("at position 2")
    assert pl.explain(model, ids, pl.token("good", position=0)).target.endswith("at position 0")


def test_the_targets_of_a_batch_differ() -> None:
    e = pl.explain(made(Reads(), labels=["bad", "good", "so"]), TEXTS, target=["good", "bad"])
    assert e.targets == ('logit 1 "good"', 'logit 0 "bad"')


def test_layers_inside_are_about_tokens_too() -> None:
    e = pl.explain(made(Reads()), TEXTS, target=1, at="layer")
    assert e.values.shape == (2, 15, WIDE) and [piece.text for piece in e.words(1)] == ["[CLS]", "good", "film"]
    assert not e.values[1, 3:].any()


def test_auto_chooses_a_method_for_a_text() -> None:
    model = made(Looks("table"))
    e = pl.explain(model, TEXTS, target=1, method="auto")
    chosen = e.notes[0].split()[2].rstrip(":")
    assert "`auto` chose" in e.notes[0] and chosen in ("lrp", "integrated_gradients", "gradient_x_input")
    alone = pl.explain(model, TEXTS[0], target=1, method=chosen)
    torch.testing.assert_close(e.values[0], alone.values[0])


@pytest.mark.parametrize("method", ["attention_rollout", "chefer"])
def test_attention_maps_are_about_tokens(method: str) -> None:
    e = pl.explain(made(Reads()), TEXTS, target=1, method=method)
    assert e.values.shape == (2, 15) and not e.values[1, 3:].any() and len(e.words(1)) == 3


def test_methods_are_compared_on_a_text() -> None:
    c = pl.compare(made(Reads()), TEXTS[0], ["lrp", "gradient_x_input", "gradcam"], target=1)
    assert set(c.explanations) == {"lrp", "gradient_x_input"} and isinstance(c.failures["gradcam"], MethodError)


def test_whole_numbers_may_be_numbers() -> None:
    net = nn.Linear(4, 2)
    model, x = pl.load(lambda ids: net(ids.float())), torch.tensor([[3, 0, 1, 7]])
    e = pl.explain(model, x, target=0, method="gradient_x_input")
    torch.testing.assert_close(e.values, net.weight.detach()[:1] * x)


@pytest.mark.parametrize("make", ["script", "trace", "export"])
def test_scripted_traced_and_exported_models_read_ids(make: str) -> None:
    net = Looks("table")
    model = made(net)
    if make == "export":
        other: object = torch.export.export(net, (IDS,))
    else:
        other = torch.jit.trace(net, IDS) if make == "trace" else torch.jit.script(Bare(net).eval())
    for method in ("lrp", "gradient_x_input"):
        wanted = pl.explain(model, IDS, target=1, method=method)
        torch.testing.assert_close(pl.explain(other, IDS, target=1, method=method).values, wanted.values, atol=1e-6, rtol=1e-4)


class Bare(nn.Module):
    """A network without choices, for scripting."""

    def __init__(self, net: Looks) -> None:
        super().__init__()
        self.words, self.layer, self.head = net.words, net.layer, net.head

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.layer(self.words(ids).transpose(1, 2)).tanh().mean(2))


def test_nothing_of_the_users_is_changed() -> None:
    net, ids = Reads(), IDS.clone()
    model = made(net)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = torch.get_rng_state()
    for method in ("lrp", "integrated_gradients", "occlusion"):
        pl.explain(model, ids, target=1, method=method)
    assert torch.equal(ids, IDS) and torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


# refusals


def refused(kind: type[PellucidError], ask: Callable[[], object], *words: str) -> None:
    with pytest.raises(kind) as caught:
        ask()
    for word in words:
        assert word in str(caught.value)
    assert all(getattr(caught.value, part) for part in ("asked", "found", "why", "do"))


@pytest.mark.parametrize("method", PICTURES)
def test_methods_for_pictures_say_that_they_are(method: str) -> None:
    refused(MethodError, lambda: pl.explain(made(Reads()), TEXTS[0], method=method), f"{method} of a text")


def test_nonsense_is_refused_in_words() -> None:
    model, bare = made(Reads()), pl.load(Looks("table").eval())
    refused(InputError, lambda: pl.explain(model, "   "), "blank")
    refused(InputError, lambda: pl.explain(model, ["good", ""]), "blank")
    refused(InputError, lambda: pl.explain(model, []), "an empty list")
    refused(InputError, lambda: pl.explain(model, ["good", 3]), "numbers and text together")
    refused(InputError, lambda: pl.explain(bare, torch.tensor([[1, 99]])), "no such row")
    refused(InputError, lambda: pl.explain(nn.Linear(2, 2).eval(), torch.tensor([[True, False]])), "torch.bool")
    refused(InputError, lambda: pl.explain(model, IDS[0]), "x[None]")
    refused(InputError, lambda: pl.explain(bare, IDS, 1, pl.perturb.feature_ablation(pl.perturb.words())), "without a tokenizer")
    by_words = pl.perturb.feature_ablation(pl.perturb.words())
    refused(InputError, lambda: pl.explain(nn.Linear(2, 2).eval(), torch.ones(1, 2), 1, by_words), "only texts")
    refused(
        InputError, lambda: pl.explain(made(Speaks()), "the film", pl.token("a word of several")), "4 tokens", "one is needed"
    )
    refused(ModelError, lambda: pl.explain(Speaks().eval(), IDS, pl.token("good")), "does not say how a text becomes its input")
    refused(
        MethodError, lambda: pl.explain(model, TEXTS[0], 1, replace(pl.perturb.sobol(), semantics="remove")), "between 0 and 1"
    )
    refused(ModelError, lambda: pl.Text(3).encode("good"), "a int", "tokenizer")
    refused(InputError, lambda: pl.explain(lambda ids: (ids > 2).float().sum(1, keepdim=True), IDS, 0), "in no table")


def test_a_model_of_token_classes_says_what_to_ask() -> None:
    net = nn.Sequential(nn.Embedding(400, 4), nn.Linear(4, 3)).eval()
    refused(TargetError, lambda: pl.explain(net, IDS), "for every token", "pl.similarity", "pl.step")
    assert pl.explain(net, IDS, pl.step(2, 1)).values[0].nonzero().flatten().tolist() == [2]


def test_embeddings_are_compared_by_words() -> None:
    net = nn.Sequential(nn.Embedding(ROWS, WIDE), nn.Linear(WIDE, 5))
    model = made(net)
    target = pl.similarity(input="very bad plot")
    with torch.no_grad():
        mean = [model(model.read(text)).mean(1) for text in ("good film", "very bad plot")]
    e = pl.explain(model, "good film", target, "lrp.zero")
    torch.testing.assert_close(e.output, torch.cosine_similarity(*mean))
    # z_i r_i / (|z| |r|) is where it starts, and every token has its share of it
    share = net[0].weight.detach()[model.read("good film")[0]] @ net[1].weight.detach().T @ mean[1][0] / 3
    torch.testing.assert_close(e.values[0], share / (mean[0].norm() * mean[1].norm()), atol=1e-5, rtol=1e-4)
    assert e.ledger is not None and e.ledger.seed.item() == pytest.approx(e.output.item(), abs=1e-5)


# evidence that is known


def test_the_words_that_tell_are_found() -> None:
    problem = pl.truth.grammar(256, kind="trigger", seed=3)
    texts = [words(x) for x in problem.inputs]
    model = pl.load(Trained.on(texts, problem.labels), preprocess=pl.Text(pl.Vocabulary(LANGUAGE)))
    with torch.no_grad():
        assert (model(model.read(texts)).argmax(1) == problem.labels).float().mean() > 0.97
    for method in ("lrp", "integrated_gradients", "occlusion"):
        e = pl.explain(model, texts[:40], problem.labels[:40].tolist(), method=method)
        assert auc(e.values, problem.masks[:40]) > 0.95, method


class Trained(nn.Module):
    """Words, a convolution over three of them, the greatest of each channel."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.words = nn.Embedding(rows, 16)
        self.layer, self.head = nn.Conv1d(16, 24, 3, padding=1), nn.Linear(24, 2)

    def forward(self, ids: Tensor) -> Tensor:
        answer: Tensor = self.head(self.layer(self.words(ids).transpose(1, 2)).relu().amax(2))
        return answer

    @staticmethod
    def on(texts: list[str], labels: Tensor) -> nn.Module:
        ids, _ = pl.Text(pl.Vocabulary(LANGUAGE)).batch(texts)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = Trained(len(LANGUAGE) + 2)

        def batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
            rows = torch.randint(len(ids), (64,), generator=rng)
            return ids[rows], labels[rows]

        return fit(net, batch, steps=250, rate=5e-3)


def auc(values: Tensor, masks: Tensor) -> float:
    """The chance that a word that tells has more than one that does not."""
    inside, outside = values[masks], values[~masks]
    return float((inside[:, None] > outside[None]).double().mean())
