"""Ids that a model reads more than once: replaced tokens are real ids, look-ups are followed, and what is held is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape.embedding import embed
from pellucid.tape.provenance import Provenance


class MaskedMean(nn.Module):
    """A mean over what is no padding, by a mask made of the ids."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(50, 8, padding_idx=0), nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        mask = (ids != 0).float()[..., None]
        return self.head((self.words(ids) * mask).sum(1) / mask.sum(1).clamp(min=1))


class Bigrams(nn.Module):
    """Two tables: of words, and of hashed pairs of them."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.pairs, self.head = nn.Embedding(50, 8), nn.Embedding(97, 8), nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        pairs = (ids * 31 + F.pad(ids[:, 1:], (0, 1))) % 97
        return self.head((self.words(ids) + self.pairs(pairs)).tanh().mean(1))


class Decoder(nn.Module):
    """Ids are copied into a decoder one step later, as in BART and T5; a second table hashes each of them, as in CANINE."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.hashes, self.places, self.head = (
            nn.Embedding(50, 8),
            nn.Embedding(7, 8),
            nn.Embedding(30, 8),
            nn.Linear(8, 2),
        )

    def forward(self, ids: Tensor) -> Tensor:
        shifted = ids.new_zeros(ids.shape)
        shifted[:, 1:] = ids[:, :-1].clone()
        shifted[:, 0] = 2
        shifted.masked_fill_(shifted == -100, 1)
        places = torch.cumsum((ids != 1).int(), 1).long() + 1  # as in RoBERTa
        encoded = self.words(ids) + self.hashes((ids * 13 + 5) % 7) + self.places(places)
        return self.head((encoded.tanh() * self.words(shifted).tanh()).mean(1))


def made(net: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return net().eval()


def leave_one_out(net: nn.Module, ids: Tensor, other: int) -> Tensor:
    falls = []
    with torch.no_grad():
        for place in range(ids.shape[1]):
            changed = ids.clone()
            changed[0, place] = other
            falls.append((net(ids) - net(changed))[0, 1])
    return torch.stack(falls)


@pytest.mark.parametrize("net", [MaskedMean, Bigrams, Decoder])
def test_a_token_that_is_taken_away_is_replaced_wherever_its_id_is_read(net: Callable[[], nn.Module]) -> None:
    ids, network = torch.tensor([[5, 17, 9, 30, 9, 41]]), made(net)
    true = leave_one_out(network, ids, 0)
    for method in (pl.perturb.feature_ablation(imputer=0), pl.perturb.occlusion(window=1, stride=1, imputer=0)):
        torch.testing.assert_close(pl.explain(network, ids, 1, method).values[0], true, atol=1e-6, rtol=1e-4)
    none = torch.zeros_like(ids)
    for both in (pl.perturb.shapley(imputer=0), pl.perturb.kernel_shap(imputer=0)):
        with torch.no_grad():
            whole = (network(ids) - network(none))[0, 1]
        torch.testing.assert_close(pl.explain(network, ids, 1, both).values.sum(), whole, atol=1e-5, rtol=1e-4)


def test_the_padding_that_a_caption_names_is_what_the_model_reads() -> None:
    network = made(MaskedMean)
    model = pl.load(network, preprocess=pl.Text(pl.Vocabulary([f"w{i}" for i in range(48)])))
    ids = model.read("w1 w2 w3 w4 w5")
    e = pl.explain(model, "w1 w2 w3 w4 w5", 1, "feature_ablation")
    assert "Removed tokens are replaced by [PAD]." in e.notes and not e.doubts
    torch.testing.assert_close(e.values[0], leave_one_out(network, ids, 0), atol=1e-6, rtol=1e-4)


def test_a_text_without_a_token_is_read_by_its_real_ids() -> None:
    ids, network = torch.tensor([[5, 17, 9, 30, 9, 41]]), made(Bigrams)
    e = pl.explain(network, ids, 1, replace(pl.perturb.feature_ablation(), semantics="remove"))
    with torch.no_grad():
        true = [float((network(ids) - network(torch.cat([ids[:, :k], ids[:, k + 1 :]], 1)))[0, 1]) for k in range(6)]
    torch.testing.assert_close(e.values[0], torch.tensor(true), atol=1e-6, rtol=1e-4)


def test_a_path_to_another_text_changes_every_row_that_belongs_to_one_id() -> None:
    ids, other, network = torch.tensor([[5, 17, 9, 30, 9, 41]]), torch.tensor([[5, 3, 3, 3, 3, 41]]), made(Decoder)
    e = pl.explain(network, ids, 1, pl.gradient.Integrated(64, baseline=other))
    with torch.no_grad():
        torch.testing.assert_close(e.values.sum(), (network(ids) - network(other))[0, 1], atol=1e-5, rtol=1e-4)
    assert not e.doubts  # positions are computed from ids, but are the same for both
    assert "The baseline is another text of the caller's own, given as ids." in e.notes


@pytest.mark.parametrize("method", ["lrp", "gradient_x_input", "gradient", "integrated_gradients", pl.perturb.sobol()])
def test_rows_that_depend_on_several_tokens_are_held_and_a_warning_says_so(method: object) -> None:
    e = pl.explain(made(Bigrams), torch.tensor([[5, 17, 9, 30, 9, 41]]), 1, method)  # type: ignore[arg-type]
    assert any("rows of `pairs.weight` that depend on several tokens at once" in doubt for doubt in e.doubts)


def test_a_baseline_that_changes_a_mask_is_told_with_how_far_off_it_is() -> None:
    network = made(MaskedMean)
    ids, other = torch.tensor([[5, 17, 9, 30]]), torch.tensor([[5, 0, 0, 30]])
    e = pl.explain(network, ids, 1, pl.gradient.Integrated(8, baseline=other))
    assert any("masks made of them" in doubt and "values sum to the difference from the former" in doubt for doubt in e.doubts)
    same = pl.explain(network, ids, 1, pl.gradient.Integrated(8, baseline=torch.tensor([[5, 7, 7, 30]])))
    assert not same.doubts


def test_what_a_model_does_with_other_tokens_is_refused_in_words_whose_advice_works() -> None:
    class Ends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(50, 8), nn.Linear(8, 2)

        def forward(self, ids: Tensor) -> Tensor:
            if not bool((ids == 2).any(1).all()):
                raise ValueError("Each example must contain at least one <eos> token.")
            return self.head(self.words(ids).mean(1))

    network, ids = made(Ends), torch.tensor([[4, 9, 7, 2]])
    with pytest.raises(pl.errors.InputError, match=r"at least one <eos>.*number what may go, -1 for what stays"):
        pl.explain(network, ids, 1, pl.perturb.feature_ablation(imputer=5))
    e = pl.explain(network, ids, 1, pl.perturb.feature_ablation(torch.tensor([0, 1, 2, -1]), imputer=5))
    assert e.values[0, 3] == 0
    torch.testing.assert_close(e.values[0, :3], leave_one_out(nn.Sequential(network.words, Mean(), network.head), ids, 5)[:3])


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


TABLE, OFFSETS = torch.arange(60.0).reshape(15, 4).sin(), torch.tensor([0, 4, 9])
LOOKUPS: dict[str, Callable[[Tensor], Tensor]] = {
    "an offset per column": lambda ids: F.embedding(ids + OFFSETS, TABLE),
    "cast and offset": lambda ids: F.embedding(ids.int().long() + OFFSETS, TABLE),
    "offsets added in place": lambda ids: F.embedding(ids.clone().add_(OFFSETS), TABLE),
    "hashed one by one": lambda ids: F.embedding((ids * 31 + 7) % 15, TABLE),
    "clamped": lambda ids: F.embedding(ids.clamp(max=13), TABLE),
    "unknown words": lambda ids: F.embedding(torch.where(ids < 3, ids, 14), TABLE),
    "column by column": lambda ids: torch.stack([F.embedding(ids[:, k], TABLE[4 * k : 4 * k + 5]) for k in range(3)], 1),
    "two tables": lambda ids: F.embedding(ids, TABLE) + F.embedding(ids, TABLE.flip(0)),
    "several rows for each": lambda ids: F.embedding(ids[..., None] + OFFSETS, TABLE).flatten(2)[..., ::3],
    "one-hot": lambda ids: F.one_hot(ids, 15).float() @ TABLE,
    "one-hot by comparison": lambda ids: (ids[..., None] == torch.arange(15)).float() @ TABLE,
    "one-hot by scattering": lambda ids: torch.zeros(*ids.shape, 15).scatter_(2, ids[..., None], 1.0) @ TABLE,
    "one-hot of columns": lambda ids: F.one_hot(ids + OFFSETS, 15).to(torch.float32) @ TABLE,
    "rows of a weight": lambda ids: TABLE[ids],
    "columns of a weight": lambda ids: TABLE.T[:, ids].movedim(0, -1),
    "two indices": lambda ids: TABLE.reshape(3, 5, 4)[torch.arange(3), ids],
    "index_select": lambda ids: TABLE.index_select(0, ids.flatten()).reshape(*ids.shape, 4),
    "gather": lambda ids: TABLE.gather(0, ids.reshape(-1, 1).expand(-1, 4)).reshape(*ids.shape, 4),
    "a table of ids before it": lambda ids: F.embedding(torch.arange(15).flip(0)[ids], TABLE),
    "turned and flattened": lambda ids: F.embedding(ids.T.flatten(), TABLE).reshape(3, -1, 4).transpose(0, 1),
    "filled column by column": lambda ids: F.embedding(_columns(ids), TABLE),
    "a bag for each": lambda ids: F.embedding_bag(ids.reshape(-1, 1), TABLE, mode="sum").reshape(*ids.shape, 4),
    "as numbers": lambda ids: ids.float()[..., None] * TABLE[0],
    "as scaled numbers": lambda ids: (ids / 3)[..., None] * TABLE[0],
}


def _columns(ids: Tensor) -> Tensor:
    made = torch.empty_like(ids)
    for k in range(3):
        made[:, k] = ids[:, k] + k
    return made


@pytest.mark.parametrize("name", LOOKUPS)
def test_what_is_looked_up_for_an_id_is_that_of_the_id(name: str) -> None:
    head = torch.tensor([[1.0, -2.0, 0.5, 3.0], [0.3, 1.0, -1.0, 2.0]])

    def parts(ids: Tensor) -> Tensor:
        return LOOKUPS[name](ids) @ head.T * torch.tensor([1.0, 2.0, -1.0])[:, None]

    ids = torch.tensor([[1, 2, 3], [4, 0, 2]])
    for method in ("gradient_x_input", "lrp.zero"):
        e = pl.explain(lambda ids: parts(ids).sum(1), ids, 1, method)
        torch.testing.assert_close(e.values, parts(ids)[..., 1], atol=1e-5, rtol=1e-4)
    e = pl.explain(lambda ids: parts(ids).sum(1).tanh(), ids, 1, pl.gradient.Integrated(64, baseline=torch.tensor([3, 1, 0])))
    change = parts(ids).sum(1).tanh() - parts(torch.tensor([[3, 1, 0]])).sum(1).tanh()
    torch.testing.assert_close(e.values.sum(1), change[:, 1], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_of_different_sizes_are_sums_of_their_own_tokens(mode: str) -> None:
    ids, offsets = torch.tensor([[1, 2, 3, 4, 4]]), torch.tensor([0, 2])
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, -1.0]) if mode == "sum" else None

    def net(ids: Tensor) -> Tensor:
        out = [F.embedding_bag(row, TABLE, offsets, mode=mode, per_sample_weights=weights).flatten() for row in ids]
        return torch.stack(out)

    e = pl.explain(net, ids, 6, "gradient_x_input")  # the third entry of the second bag
    rows = TABLE[ids[0], 2] * (torch.tensor([0, 0, 1, 1, 1]) if weights is None else weights * torch.tensor([0, 0, 1, 1, 1]))
    torch.testing.assert_close(e.values[0], rows / (3 if mode == "mean" else 1))


def test_a_score_chosen_by_ids_is_no_look_up() -> None:
    """A language model's score of its own text: where it is read depends on the ids, but it is computed from rows."""
    words, head = torch.randn(15, 4, generator=torch.manual_seed(0)), torch.randn(4, 15, generator=torch.manual_seed(1))

    def own(ids: Tensor) -> Tensor:
        scores = (F.embedding(ids, words).cumsum(1) @ head).log_softmax(-1)
        return scores[:, :-1].gather(2, ids[:, 1:, None]).sum(1)

    ids = torch.tensor([[3, 7, 1, 9]])
    e = pl.explain(own, ids, 0, "gradient_x_input")
    rows = F.embedding(ids, words).requires_grad_()
    (rows.cumsum(1) @ head).log_softmax(-1)[:, :-1].gather(2, ids[:, 1:, None]).sum().backward()
    assert rows.grad is not None
    torch.testing.assert_close(e.values, (rows * rows.grad).sum(-1).detach(), atol=1e-5, rtol=1e-4)
    assert any("which ids choose" in doubt for doubt in e.doubts)


def test_ids_that_nothing_follows_are_refused_for_slopes_and_taken_away_as_advised() -> None:
    def net(ids: Tensor) -> Tensor:
        return torch.stack([TABLE[sum(row) % 15] for row in ids.tolist()])

    ids = torch.tensor([[3, 7, 1]])
    with pytest.raises(pl.errors.InputError, match=r"feature_ablation\(imputer=0\)"):
        pl.explain(net, ids, 1, "lrp")
    e = pl.explain(net, ids, 1, pl.perturb.feature_ablation(imputer=0))
    torch.testing.assert_close(e.values[0], TABLE[11, 1] - TABLE[torch.tensor([8, 4, 10]), 1])


def test_places_of_ids_are_known_through_copies_and_writes() -> None:
    ids = torch.tensor([[7, 8, 9]])
    known = Provenance(ids)
    pair = ids + ids.roll(1, 1)
    moved = ids.roll(1, 1)
    known.follow(torch.ops.aten.roll.default, (ids, [1], [1]), {}, moved)
    known.follow(torch.ops.aten.add.Tensor, (ids, moved), {}, pair)
    assert known.places(moved).tolist() == [[2, 0, 1]] and known.places(pair).tolist() == [[-2, -2, -2]]
    assert embed(pl.load(lambda x: F.embedding(x, TABLE).sum(1)), ids).held == ()


class Wide(nn.Module):
    """Ids and numbers together, as in recommenders."""

    def __init__(self) -> None:
        super().__init__()
        self.e, self.f = nn.Embedding(10, 4), nn.Linear(14, 2)

    def forward(self, ids: Tensor, dense: Tensor) -> Tensor:
        return self.f(torch.cat([self.e(ids).flatten(1), dense], 1)).tanh()


def test_the_embedding_of_ids_that_are_held_is_a_place_to_explain_by() -> None:
    network, ids, dense = made(Wide), torch.tensor([[1, 7, 3], [4, 4, 0]]), torch.tensor([[0.3, -1.0], [2.0, 0.5]])
    rows = network.e(ids).detach().requires_grad_()
    y = network.f(torch.cat([rows.flatten(1), dense], 1)).tanh()[:, 1]
    y.sum().backward()
    assert rows.grad is not None
    e = pl.explain(network, (ids, dense), 1, "gradient", at="e")
    torch.testing.assert_close(e.values, rows.grad)
    assert e.at == "e"
    torch.testing.assert_close(
        pl.explain(network, (ids, dense), 1, "gradient_x_input", at="e").values, (rows * rows.grad).detach()
    )
    with torch.no_grad():
        none = network.f(torch.cat([0 * rows.flatten(1), dense], 1)).tanh()[:, 1]
        other = network(torch.tensor([[2, 2, 5]]).expand(2, 3), dense)[:, 1]
    whole = pl.explain(network, (ids, dense), 1, pl.gradient.Integrated(64), at="e")
    torch.testing.assert_close(whole.values.sum((1, 2)), (y - none).detach(), atol=1e-5, rtol=1e-4)
    assert "The baseline is 0 everywhere, in what `e` returned." in whole.notes
    against = pl.explain(network, (ids, dense), 1, pl.gradient.Integrated(64, baseline=torch.tensor([2, 2, 5])), at="e")
    torch.testing.assert_close(against.values.sum((1, 2)), (y - other).detach(), atol=1e-5, rtol=1e-4)
    for method in ("lrp", "kernel_shap"):
        assert pl.explain(network, (ids, dense), 1, method, at="e").values.shape == (2, 3, 4)
    assert pl.explain(network, (ids, dense), 1, "lrp", at="f").values.shape == (2, 2)


def test_ids_in_one_line_with_offsets_are_refused_with_advice_that_works() -> None:
    bag, ids = nn.EmbeddingBag(20, 8), torch.arange(6)
    with pytest.raises(pl.errors.InputError, match="Explain one bag at a time"):
        pl.explain(lambda ids, offsets: bag(ids, offsets), (ids, torch.tensor([0, 4])), 1)
    advised = pl.explain(lambda ids: bag(ids.flatten(), torch.arange(len(ids)) * ids.shape[1]), ids[:4][None], 1, "lrp.zero")
    torch.testing.assert_close(advised.values[0], bag.weight[:4, 1].detach() / 4)


def test_tokens_taken_away_inside_become_what_stands_there_for_the_blank() -> None:
    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.inner, self.f = nn.Embedding(10, 4), nn.Linear(4, 5), nn.Linear(15, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.f(self.inner(self.e(ids)).tanh().flatten(1))

    network = made(Inside)
    model = pl.load(network, preprocess=pl.Text(pl.Vocabulary(["a", "b", "c"])))
    e, ids = pl.explain(model, "a b c", 1, "feature_ablation", at="inner"), model.read("a b c")
    with torch.no_grad():
        own, blank, true = network.inner(network.e(ids)), network.inner(network.e(0 * ids)), []
        for place in range(3):
            changed = own.clone()
            changed[0, place] = blank[0, place]
            true.append((network(ids) - network.f(changed.tanh().flatten(1)))[0, 1])
    torch.testing.assert_close(e.values[0, :, 0], torch.stack(true))
    assert "Removed tokens are replaced by what `inner` returns for [PAD]." in e.notes
