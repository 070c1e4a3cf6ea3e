"""What goes with token ids is given as it is: masks with holes, padding on either side, types that are all zero; and what of a
text is read: long texts, windows, a fixed length, one beginning."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.model.readers.alignment import spans_by_name

WORDS = pl.Text(pl.Vocabulary([f"w{i}" for i in range(50)]))
SIZES = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11]])


@pytest.fixture(scope="module")
def bert() -> Any:
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(**SIZES, max_position_embeddings=12, num_labels=3, initializer_range=0.3)
        return transformers.BertForSequenceClassification(config).eval()


@pytest.fixture(scope="module")
def gpt() -> Any:
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            vocab_size=60, n_embd=16, n_layer=1, n_head=2, n_positions=12, initializer_range=0.3, bos_token_id=0, eos_token_id=0
        )
        return transformers.GPT2LMHeadModel(config).eval()


def own(net: Any, given: dict[str, Any], where: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The network's score, and gradient x input at its embedding, by hand."""
    rest = {name: value for name, value in given.items() if name != "input_ids"}
    vectors = net.get_input_embeddings()(given["input_ids"]).detach().requires_grad_()
    score = net(inputs_embeds=vectors, **rest).logits[where]
    score.backward()
    return score.detach(), (vectors * vectors.grad).sum(-1).detach()


def mask(*hidden: int) -> Tensor:
    made = torch.ones_like(IDS)
    made[0, list(hidden)] = 0
    return made


BESIDE = {
    "a hole": {"attention_mask": mask(3)},
    "a hole, as booleans": {"attention_mask": mask(3).bool()},
    "a hole, as real numbers": {"attention_mask": mask(3).float()},
    "over pairs of tokens": {"attention_mask": (1 - mask(3)).float()[:, None, None] * torch.finfo(torch.float32).min},
    "before": {"attention_mask": mask(0, 1)},
    "behind": {"attention_mask": mask(5, 6)},
    "types": {"attention_mask": mask(5, 6), "token_type_ids": torch.tensor([[0, 0, 0, 1, 1, 1, 1]])},
    "positions": {"attention_mask": mask(0, 1), "position_ids": torch.tensor([[0, 0, 0, 1, 2, 3, 4]])},
}


@pytest.mark.parametrize("beside", BESIDE)
def test_masks_types_and_positions_are_given_as_they_are(bert: Any, beside: str) -> None:
    given = {"input_ids": IDS, **BESIDE[beside]}
    score, values = own(bert, given, (0, 1))
    e = pl.explain(bert, given, 1, "gradient_x_input")
    torch.testing.assert_close(e.output[0], score, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(e.values, values, atol=1e-5, rtol=1e-3)


def test_what_is_all_zero_is_given_too(gpt: Any) -> None:
    given = {"input_ids": IDS, "token_type_ids": torch.zeros_like(IDS)}  # GPT-2 looks types up among its words
    score, values = own(gpt, given, (0, -1, 12))
    e = pl.explain(gpt, given, pl.token(12), "gradient_x_input")
    torch.testing.assert_close((e.output[0], e.values), (score, values), atol=1e-5, rtol=1e-3)
    with torch.no_grad():
        assert abs(float(score - gpt(IDS).logits[0, -1, 12])) > 1e-3


def test_what_a_network_does_not_take_is_left_out_where_it_says_nothing() -> None:
    net = nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.Linear(28, 2)).eval()
    e = pl.explain(net, {"input_ids": IDS, "attention_mask": mask(), "token_type_ids": torch.zeros_like(IDS)}, 1)
    assert any("token_type_ids is left out" in note for note in e.notes)
    with pytest.raises(pl.InputError, match="forward pass fails"):
        pl.explain(net, {"input_ids": IDS, "token_type_ids": torch.ones_like(IDS)}, 1)


def test_tokens_left_out_take_what_goes_with_them_along(bert: Any) -> None:
    types = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    given = {"input_ids": IDS, "attention_mask": mask(2), "token_type_ids": types}
    e = pl.explain(bert, given, 1, pl.perturb.feature_ablation(imputer=pl.perturb.LeftOut()))
    rest = [place for place in range(7) if place != 4]
    with torch.no_grad():
        fall = bert(**given).logits[0, 1] - bert(**{name: value[:, rest] for name, value in given.items()}).logits[0, 1]
    torch.testing.assert_close(e.values[0, 4], fall, atol=1e-5, rtol=1e-4)


class Reads(nn.Module):
    """A recurrent network that reads its padding, since nobody packs the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.layer, self.head = nn.Embedding(52, 8, padding_idx=0), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        answer: Tensor = self.head(self.layer(self.words(ids))[1][0][-1])
        return answer


def test_padding_that_a_network_reads_stays_as_it_was_given() -> None:
    ids = WORDS.batch(["w1 w2 w3 w4 w5 w6 w7 w8 w9 w10", "w1 w2 w3"])[0]
    with torch.random.fork_rng():
        torch.manual_seed(4)  # where a shorter row gets another class
        net = Reads().eval()
    assert int(net(ids)[1].argmax()) != int(net(ids[1:, :3])[0].argmax())
    e = pl.explain(pl.load(net, preprocess=WORDS), ids)
    torch.testing.assert_close(e.output, net(ids).max(1).values.detach())
    assert any("depends on the padding" in note for note in e.notes)
    fixed = nn.Sequential(nn.Embedding(52, 8), nn.Flatten(), nn.Linear(40, 2)).eval()
    row = torch.tensor([[2, 3, 4, 0, 0]])
    e = pl.explain(pl.load(fixed, preprocess=WORDS), row, 1, "gradient_x_input")
    vectors = fixed[0](row).detach()
    share = (vectors * fixed[2].weight[1].reshape(5, 8)).sum(-1).detach()
    torch.testing.assert_close(e.values, share, atol=1e-5, rtol=1e-4)
    assert [piece.kind for piece in e.words()] == ["text"] * 3 + ["special"] * 2, "padding that has a share is shown"
    model = pl.load(fixed, preprocess=pl.Text(WORDS.tokenizer, length=5))
    torch.testing.assert_close(pl.explain(model, "w0 w1 w2", 1, "gradient_x_input").values, share, atol=1e-5, rtol=1e-4)


def fast(template: bool = False, **names: str) -> Any:
    """A tokenizer of words in memory, with <s> before every text, or none."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    from tokenizers import models, pre_tokenizers, processors

    made = tokenizers.Tokenizer(models.WordLevel({"<s>": 0, "<u>": 1} | {f"w{i}": i for i in range(2, 60)}, unk_token="<u>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template:
        made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", unk_token="<u>", **names)


def test_padding_with_the_id_of_a_token_is_a_token_without_a_mask(gpt: Any) -> None:
    model = pl.load(gpt, preprocess=pl.Text(fast(eos_token="<s>", pad_token="<s>")))
    ids = torch.tensor([[0, 7, 8, 0, 9, 10]])
    score, values = own(gpt, {"input_ids": ids}, (0, -1, 12))
    e = pl.explain(model, ids, pl.token(12), "gradient_x_input")
    torch.testing.assert_close((e.output[0], e.values), (score, values), atol=1e-5, rtol=1e-3)
    assert not any("Padding" in note for note in e.notes)
    padded = pl.explain(model, torch.tensor([[7, 8, 9], [7, 0, 0]]), pl.token(12), "gradient_x_input")
    assert any("Padding has the id of <s>" in note for note in padded.notes)


def test_a_text_that_begins_as_the_tokenizer_would_let_it_begins_once(gpt: Any) -> None:
    tokenizer = fast(template=True)
    once, both = (pl.load(gpt, preprocess=pl.Text(tokenizer, special=special)) for special in (None, True))
    e, ids = pl.explain(once, "<s> w7 w8", pl.token(12)), pl.explain(once, torch.tensor([[0, 7, 8]]), pl.token(12))
    torch.testing.assert_close((e.output, e.values), (ids.output, ids.values))
    assert [piece.text for piece in e.words()] == ["<s>", "w7", "w8"] and any("begins with <s>" in note for note in e.notes)
    assert len(pl.explain(both, "<s> w7 w8", pl.token(12)).words()) == 4
    unknown = pl.explain(once, torch.tensor([[0, 7, 1]]), pl.token(12))
    assert [piece.kind for piece in unknown.words()] == ["special", "text", "text"]


def test_a_text_longer_than_the_network_is_refused_cut_or_read_by_windows(bert: Any, gpt: Any) -> None:
    text = " ".join(f"w{i}" for i in range(20))
    for net, name in ((bert, "max_position_embeddings"), (gpt, "n_positions")):
        with pytest.raises(pl.InputError, match=rf"20 tokens: found positions for 12 \({name}.*window=12"):
            pl.explain(pl.load(net, preprocess=WORDS), text)
    cut = pl.explain(pl.load(bert, preprocess=pl.Text(WORDS.tokenizer, limit=12)), text, 1, "gradient_x_input")
    assert any("the first 12 are read (limit=)" in warning for warning in cut.warnings())
    parts = pl.explain(pl.load(bert, preprocess=pl.Text(WORDS.tokenizer, window=12)), text, 1, "gradient_x_input")
    assert [len(parts.words(n)) for n in range(2)] == [12, 8] and parts.words(1)[0].text == "w12"
    torch.testing.assert_close(parts.values[:1], cut.values)
    alone = pl.explain(pl.load(bert, preprocess=WORDS), " ".join(f"w{i}" for i in range(12, 20)), 1, "gradient_x_input")
    torch.testing.assert_close(parts.values[1:, :8], alone.values, atol=1e-6, rtol=1e-4)
    limited = pl.Text(fast(model_max_length=5))
    assert any("model_max_length" in said for part in limited.parts("w2 w3 w4 w5 w6 w7") for said in part.warnings)


@pytest.mark.parametrize("text", ["这部 bad", "not 🎉 bad", "café — bad", "e\u0301 👩‍👩‍👧 x"])
def test_bytes_of_a_letter_stand_at_that_letter(text: str) -> None:
    transformers = pytest.importorskip("transformers")
    tokens = pl.Text(transformers.ByT5Tokenizer()).batch([text])[1]
    words = [text[start:end] for (start, end), _ in tokens.words(0)[:-1]]
    assert "".join(words) == "".join(text.split()) and all(word.strip() for word in words)
    for letter, (start, end) in zip(text.encode(), tokens.spans[0], strict=False):
        assert letter in text[start:end].encode()


def test_names_are_found_whatever_a_tokenizer_does_to_letters() -> None:
    for text, names, wanted in (
        ("ÜBUNG macht", ["ub", "##ung", "macht"], ["ÜB", "UNG", "macht"]),
        ("a xaby a", ["a", "[UNK]", "a"], ["a", "xaby", "a"]),
        ("zwei 这部 x", ["▁zwei", "<0xE8>", "<0xBF>", "<0x99>", "部", "▁x"], ["zwei", "这", "这", "这", "部", "x"]),
        ("wid@@er ﬁne", ["wid@@", "er", "fine"], ["wid@@", "er", "ﬁne"]),
        ("low@er", ["lo@@", "w@er"], ["lo", "w@er"]),
        ("x y", ["<no>", "<no>"], ["x", "y"]),
    ):
        assert [text[start:end] for start, end in spans_by_name(text, names)] == wanted


def test_an_evaluation_refuses_what_it_would_leave_out(bert: Any) -> None:
    model = pl.load(bert, preprocess=WORDS)
    given = {"input_ids": IDS, "attention_mask": mask(), "token_type_ids": torch.zeros_like(IDS)}
    assert pl.evaluate(model, given, ["gradient_x_input"], ["srg"], 1).rows
    with pytest.raises(pl.InputError, match="attention_mask, token_type_ids beside them"):
        pl.evaluate(model, {**given, "attention_mask": mask(3)}, ["gradient_x_input"], ["srg"], 1)
