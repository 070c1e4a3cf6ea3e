"""Texts that go on: every new token explained by all tokens before it, from one recording, as an explanation of each alone would
have it; the score of a whole continuation; encoders with decoders."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import pellucid as pl
from pellucid.cli import main
from pellucid.methods import several_targets
from pellucid.methods.lrp import composite
from pellucid.model.readers.going_on import added
from pellucid.render.modality.generated import layout

PROMPT = torch.tensor([[14, 9, 15, 31, 22, 28]])
SMALL = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1}
LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "max_position_embeddings": 32, **SMALL}
WORDS = tuple(f"w{n}" for n in range(48))
READER = pl.Text(pl.Vocabulary(WORDS))


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make().eval()


def gpt2() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=32, initializer_range=0.3, **SMALL)
    return transformers.GPT2LMHeadModel(config)  # type: ignore[no-any-return]


def llama() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(num_hidden_layers=2, num_key_value_heads=2, initializer_range=0.3, **LLAMA)
    return transformers.LlamaForCausalLM(config)  # type: ignore[no-any-return]


def gemma3() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.Gemma3TextConfig(
        num_hidden_layers=3, num_key_value_heads=1, head_dim=8, sliding_window=4, pad_token_id=2, initializer_range=0.3, **LLAMA
    )
    return transformers.Gemma3ForCausalLM(config)  # type: ignore[no-any-return]


def t5() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=50, d_model=16, d_ff=24, d_kv=8, num_layers=2, num_decoder_layers=2, num_heads=2, decoder_start_token_id=2,
        pad_token_id=2, eos_token_id=1,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config)  # type: ignore[no-any-return]


def bart() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in BART.items()}
    config = transformers.BartConfig(
        d_model=16, max_position_embeddings=32, decoder_start_token_id=2, pad_token_id=3, forced_eos_token_id=None, init_std=0.3,
        **sizes, **SMALL,
    )  # fmt: skip
    return transformers.BartForConditionalGeneration(config)  # type: ignore[no-any-return]


BART = {"layers": 2, "ffn_dim": 24, "attention_heads": 2}
DECODERS = {"gpt2": gpt2, "llama": llama, "gemma3": gemma3}
SEQ2SEQ = {"t5": t5, "bart": bart}
GIVEN = pl.generated(text=[7, 12, 9])
METHODS: dict[str, Any] = {
    "lrp": "lrp", "lrp.epsilon": "lrp.epsilon", "lrp.attention": "lrp.attention", "lrp.cp": "lrp.cp",
    "gradient_x_input": "gradient_x_input", "feature_ablation": pl.perturb.feature_ablation(imputer=7),
}  # fmt: skip


def ids_of(e: pl.Explanation, row: int = 0) -> list[int]:
    assert e.subject is not None
    return [int(piece) for piece in e.subject.pieces[row]]  # type: ignore[attr-defined]


def close(a: Tensor, b: Tensor, bound: float = 1e-5) -> bool:
    return bool((a - b).abs().max() <= bound * b.abs().max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DECODERS)
def test_a_row_is_the_explanation_of_its_token_alone(name: str, method: str):
    net, how = seeded(DECODERS[name]), METHODS[method]
    e = pl.explain(net, PROMPT, pl.generated(5), how)
    ids, first = ids_of(e), PROMPT.shape[1]
    assert e.values.shape == (len(e), first + len(e)) and 1 < len(e) <= 5
    for n in range(len(e)):
        end = first + n
        alone = pl.explain(net, torch.tensor([ids[:end]]), pl.token(ids[end]), how)
        assert close(e.values[n, :end], alone.values[0]) and not e.values[n, end:].any()
        assert torch.allclose(e.output[n], alone.output[0], rtol=1e-4)
        assert e.ledger is None or close(e.ledger.input[n], alone.ledger.input[0])  # type: ignore[union-attr]


@pytest.mark.parametrize("name", DECODERS)
def test_the_tokens_are_those_with_the_highest_score(name: str):
    net = seeded(DECODERS[name])
    e = pl.explain(net, PROMPT, pl.generated(5), "gradient")
    ids = torch.tensor([ids_of(e)])
    with torch.no_grad():
        best = net(ids).logits[0].argmax(-1)
    assert best[5:-1].tolist() == ids[0, 6:].tolist()


@pytest.mark.parametrize("name", [*DECODERS, *SEQ2SEQ])
@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon", "lrp.attention"])
def test_every_rows_books_are_closed(name: str, method: str):
    e = pl.explain(seeded((DECODERS | SEQ2SEQ)[name]), PROMPT, GIVEN, method)
    assert e.ledger is not None and bool((e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all())
    assert torch.allclose(e.ledger.seed, e.output.double(), rtol=1e-4)
    assert torch.allclose(e.ledger.input, e.values.double().sum(1), atol=1e-5)


class Window(nn.Module):
    """Each word from the three before it, without attention, through dense layers at every position."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.layer = nn.Embedding(50, 8), nn.Conv1d(8, 12, 3)
        self.head = nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 50))

    def forward(self, ids: Tensor) -> Tensor:
        x = nn.functional.pad(self.words(ids).transpose(1, 2), (2, 0))
        return self.head(self.layer(x).relu().transpose(1, 2))  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", ["lrp", "lrp.epsilon", "lrp.gamma", "gradient_x_input"])
def test_a_network_without_attention_is_explained_token_by_token(method: str):
    net = seeded(Window)
    e = pl.explain(net, PROMPT, GIVEN, method)
    for n, (before, token) in enumerate((([], 7), ([7], 12), ([7, 12], 9))):
        alone = pl.explain(net, torch.tensor([[*PROMPT[0].tolist(), *before]]), pl.token(token), method)
        assert close(e.values[n, : 6 + n], alone.values[0])


@pytest.mark.parametrize("name", [*DECODERS, *SEQ2SEQ])
def test_one_recording_and_one_walk_below_the_last_layer_serve_all_tokens(name: str, monkeypatch: pytest.MonkeyPatch):
    recorded, stacked = [], []

    def record(*given: Any, **more: Any) -> Any:
        recorded.append(given)
        return of_composite(*given, **more)

    def stack(*given: Any) -> Any:
        stacked.append(of_tape(*given))
        return stacked[-1]

    of_composite, of_tape = composite.record, several_targets.stack
    monkeypatch.setattr(composite, "record", record)
    monkeypatch.setattr(several_targets, "stack", stack)
    pl.explain(seeded((DECODERS | SEQ2SEQ)[name]), PROMPT, GIVEN, "lrp.epsilon")
    assert len(recorded) == 1 and len(stacked) == 1 and stacked[0].samples == 3


def test_gradients_are_autograds():
    net = seeded(llama)
    e = pl.explain(net, PROMPT, pl.generated(4), "gradient_x_input")
    ids = torch.tensor([ids_of(e)])
    for n in range(len(e)):
        vectors = net.get_input_embeddings()(ids).detach().requires_grad_()
        net(inputs_embeds=vectors).logits[0, 5 + n, ids[0, 6 + n]].backward()
        assert close(e.values[n], (vectors * vectors.grad).sum(-1)[0].detach())


@pytest.mark.parametrize("method", ["integrated_gradients", pl.perturb.kernel_shap(imputer=7, budget=64)])
def test_a_method_that_needs_a_pass_for_each_token_is_run_on_the_text_before_it(method: Any):
    net = seeded(gpt2)
    e = pl.explain(net, PROMPT, pl.generated(3), method)
    ids = ids_of(e)
    alone = pl.explain(net, torch.tensor([ids[:8]]), pl.token(ids[8]), method)
    assert torch.equal(e.values[2, :8], alone.values[0]) and "run anew for every token" in e.notes[-1]
    assert e.targets[2].endswith("new token 3")


OTHERS = "lrp.zero lrp.gamma deep_taylor saliency smoothgrad guided_backprop deeplift chefer occlusion rise".split()


@pytest.mark.parametrize("method", OTHERS)
def test_every_kind_of_method_explains_new_tokens_as_tokens_alone(method: str):
    net = seeded(llama)
    e = pl.explain(net, PROMPT, GIVEN, method)
    alone = pl.explain(net, torch.tensor([[*PROMPT[0].tolist(), 7, 12]]), pl.token(9), method)
    assert close(e.values[2, :8], alone.values[0]) and not e.values[2, 8:].any() and e.signed == alone.signed


def test_a_layer_is_explained_for_a_continuation():
    e = pl.explain(seeded(gpt2), PROMPT, pl.sequence([3, 4], kind="logit"), "lrp.epsilon", at="transformer.h.0")
    assert e.values.shape == (1, 7, 16) and e.ledger is not None and torch.allclose(e.ledger.seed, e.output.double(), rtol=1e-4)


def test_shapley_values_add_up_for_every_token():
    e = pl.explain(seeded(gpt2), PROMPT, pl.generated(3), pl.perturb.shapley(imputer=7, budget=400))
    ids = torch.tensor([ids_of(e)])
    with torch.no_grad():
        blank = seeded(gpt2)(torch.full_like(ids, 7)).logits[0]
    expected = [float(e.output[n] - blank[5 + n, ids[0, 6 + n]]) for n in range(3)]
    assert torch.allclose(e.values.sum(1), torch.tensor(expected), atol=1e-4)


def test_a_continuation_that_is_given_is_explained_as_it_is():
    net = pl.load(seeded(gpt2), preprocess=READER)
    e = pl.explain(net, "w3 w9 w3", pl.generated(text=" w7 w1"))
    assert e.subject.texts[0] == "w3 w9 w3 w7 w1" and e.subject.pieces[0][3:] == ("w7", "w1")  # type: ignore[union-attr]
    alone = pl.explain(net, "w3 w9 w3 w7", pl.token("w1"))
    assert close(e.values[1, :4], alone.values[0])
    assert [piece.text for piece in e[1].words()] == ["w3", "w9", "w3", "w7", "w1"]


def test_a_text_goes_on_up_to_the_token_that_ends_it():
    net = seeded(gpt2)
    ids = ids_of(pl.explain(net, PROMPT, pl.generated(4), "gradient"))
    net.generation_config.eos_token_id = [ids[7], 49]
    e = pl.explain(net, PROMPT, pl.generated(4), "gradient")
    assert ids_of(e) == ids[: ids.index(ids[7], 6) + 1] and "the last one ends the text" in e.notes[-1]


def test_drawn_tokens_follow_their_seed():
    net = seeded(gpt2)
    drawn = [ids_of(pl.explain(net, PROMPT, pl.generated(6, temperature=3.0, seed=s), "gradient")) for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_several_prompts_go_on_each_by_itself():
    net = pl.load(seeded(gpt2), preprocess=READER)
    prompts = ["w3 w9 w3", "w5 w20 w8 w8 w2"]
    both = pl.explain(net, prompts, pl.generated(3))
    for number, prompt in enumerate(prompts):
        alone = pl.explain(net, prompt, pl.generated(3))
        found, expected = both.matrix(number), alone.matrix()
        assert close(found.values, expected.values) and found[1:] == expected[1:]


def test_padding_around_a_prompt_is_no_part_of_it():
    net = seeded(gpt2)
    ids, mask = torch.tensor([[1, 1, 5, 6, 7], [3, 9, 8, 4, 2]]), torch.tensor([[0, 0, 1, 1, 1], [1] * 5])
    e = pl.explain(net, {"input_ids": ids, "attention_mask": mask}, pl.generated(2))
    assert close(e.matrix(0).values, pl.explain(net, ids[:1, 2:], pl.generated(2)).values)


@pytest.mark.parametrize("method", ["lrp.epsilon", "gradient_x_input", pl.perturb.feature_ablation(imputer=7)])
@pytest.mark.parametrize("name", SEQ2SEQ)
def test_an_encoders_tokens_and_the_decoders_are_explained_together(name: str, method: Any):
    net, source = seeded(SEQ2SEQ[name]), PROMPT.shape[1]
    e = pl.explain(net, PROMPT, GIVEN, method)
    ids, table = ids_of(e), net.get_input_embeddings()
    assert e.matrix().source == source and ids[source:] == [2, 7, 12, 9]
    for n in range(3):
        end = source + 1 + n
        one, two = (table(torch.tensor([part])).detach().requires_grad_() for part in (ids[:source], ids[source:end]))
        score = net(inputs_embeds=one, decoder_inputs_embeds=two).logits[0, -1, ids[end]]
        assert float(score.detach()) == pytest.approx(float(e.output[n]), rel=1e-4)
        assert e.values[n, :source].any() and not e.values[n, end:].any()
        if method == "gradient_x_input":
            score.backward()
            assert close(e.values[n, :end], torch.cat([(x * x.grad).sum(-1)[0] for x in (one, two)]).detach(), 1e-4)


def test_a_decoder_goes_on_with_the_tokens_of_the_highest_score():
    net = seeded(t5)
    ids = ids_of(pl.explain(net, PROMPT, pl.generated(3), "gradient"))[6:]
    with torch.no_grad():
        best = net(PROMPT, decoder_input_ids=torch.tensor([ids])).logits[0].argmax(-1).tolist()
    assert ids[0] == 2 and ids[1:] == best[:-1]


def log_probability(net: Any, prompt: list[int], new: list[int]) -> float:
    with torch.no_grad():
        scores = net(torch.tensor([prompt + new])).logits[0].log_softmax(-1)
    return sum(float(scores[len(prompt) - 1 + n, one]) for n, one in enumerate(new))


def test_a_sequences_score_is_the_sum_of_its_tokens():
    net, prompt = seeded(gemma3), PROMPT[0].tolist()
    e = pl.explain(net, PROMPT, pl.sequence([4, 8, 4]), "gradient_x_input")
    assert float(e.output) == pytest.approx(log_probability(net, prompt, [4, 8, 4]), rel=1e-4)
    vectors = net.get_input_embeddings()(torch.tensor([[*prompt, 4, 8, 4]])).detach().requires_grad_()
    scores = net(inputs_embeds=vectors).logits[0].log_softmax(-1)
    (scores[5, 4] + scores[6, 8] + scores[7, 4]).backward()
    assert close(e.values[0], (vectors * vectors.grad).sum(-1)[0].detach())


@pytest.mark.parametrize("method", METHODS)
def test_the_difference_of_two_continuations_is_that_of_their_maps(method: str):
    net, how = seeded(llama), METHODS[method]
    one, two = pl.sequence([4, 8, 4], kind="logit"), pl.sequence([9, 5], kind="logit")
    both, first, second = (pl.explain(net, PROMPT, target, how).values[0] for target in (one - two, one, two))
    assert close(both[:6], first[:6] - second[:6], 1e-4)
    assert close(both[6:9], first[6:], 1e-4) and close(both[9:], -second[6:], 1e-4)


def test_sums_of_logits_close_their_books():
    e = pl.explain(seeded(llama), PROMPT, pl.sequence([4, 8, 4], kind="logit") - pl.sequence([9, 5], kind="logit"))
    assert e.ledger is not None and torch.allclose(e.ledger.seed, e.output.double(), rtol=1e-4)
    assert bool((e.ledger.error.abs() <= 1e-4 * e.ledger.volume).all())


def test_letters_of_several_tokens_share_their_place():
    class Bytes:
        """A token for every byte."""

        def decode(self, ids: list[int]) -> tuple[str, Any]:
            text = bytes(ids).decode(errors="replace")
            return text, type("E", (), {"special": (False,) * len(ids)})

        def piece(self, id: int) -> str:
            return f"<{id}>"

    found = added(Bytes(), list(b"a "), list("é!".encode()))  # type: ignore[arg-type]
    assert found.text == "é!" and found.spans == ((0, 1), (0, 1), (1, 2))


class Bidirectional(nn.Module):
    """Every position reads all others."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(50, 8), nn.Linear(8, 50)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        return self.head(x + x.mean(1, keepdim=True))  # type: ignore[no-any-return]


REFUSED = {
    "neither": (lambda: pl.generated(), pl.TargetError, "neither"),
    "both": (lambda: pl.generated(3, text=" w"), pl.TargetError, "count=3"),
    "none": (lambda: pl.generated(0), pl.TargetError, "count=0"),
    "no text": (lambda: pl.sequence(""), pl.TargetError, "nothing"),
    "too many": (lambda: pl.explain(seeded(gpt2), PROMPT, pl.generated(28)), pl.InputError, "Ask for 27 at most"),
    "it reads ahead": (lambda: pl.explain(seeded(Bidirectional), PROMPT, pl.generated(3)), pl.ModelError, "behind them"),
    "no scores of tokens": (
        lambda: pl.explain(nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(24, 3)).eval(), PROMPT, pl.generated(3)),
        pl.ModelError, "a row of scores for every token",
    ),
    "a mask with holes": (
        lambda: pl.explain(
            seeded(gpt2), {"input_ids": PROMPT, "attention_mask": torch.tensor([[1, 1, 0, 1, 1, 1]])}, pl.generated(3)
        ), pl.InputError, "holes",
    ),
    "other keywords": (
        lambda: pl.explain(seeded(gpt2), {"input_ids": PROMPT, "position_ids": PROMPT}, pl.generated(3)),
        pl.InputError, "position_ids beside its ids",
    ),
    "a layer": (lambda: pl.explain(seeded(gpt2), PROMPT, pl.generated(3), at="transformer.h.0"), pl.MethodError, "at="),
    "words without a tokenizer": (
        lambda: pl.explain(seeded(gpt2), PROMPT, pl.sequence(" w")), pl.TargetError, "a model without a tokenizer",
    ),
    "another verb": (lambda: pl.compare(seeded(gpt2), PROMPT, target=pl.generated(3)), pl.TargetError, "pl.explain"),
    "a sum with a token": (
        lambda: pl.explain(seeded(gpt2), PROMPT, pl.sequence([3]) - pl.token(4)), pl.TargetError, "beside other scores",
    ),
    "a layer that is read twice": (
        lambda: pl.explain(seeded(gpt2), PROMPT, pl.sequence([3]) - pl.sequence([4]), at="transformer.h.0"),
        pl.MethodError, "once for each continuation",
    ),
    "a method for pictures": (lambda: pl.explain(seeded(gpt2), PROMPT, GIVEN, "gradcam"), pl.MethodError, "made for pictures"),
    "removal": (
        lambda: pl.explain(
            seeded(gpt2), PROMPT, pl.generated(3), replace(pl.perturb.feature_ablation(), semantics="remove")
        ), pl.MethodError, 'semantics="replace"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused(what: str):
    ask, error, words = REFUSED[what]
    with pytest.raises(error, match=words.replace("(", r"\(")):
        ask()


def test_a_generated_text_comes_back_from_its_file(tmp_path: Path):
    e = pl.explain(pl.load(seeded(gpt2), preprocess=READER), ["w3 w9 w3", "w5 w20"], pl.generated(3))
    back = pl.Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert torch.equal(back.values, e.values) and back.targets == e.targets
    assert back.matrix(1).rows == e.matrix(1).rows and torch.equal(back.matrix(1).values, e.matrix(1).values)


def folder(path: Path, make: Callable[[], nn.Module] = gpt2) -> Path:
    """A small language model with its tokenizer, as transformers saves them."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    net = seeded(make)
    net.save_pretrained(path)
    words = {"<s>": 0, "</s>": 1, "<u>": 2, **{f"w{n}": n + 3 for n in range(47)}}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<u>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<u>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(path)
    return path


def test_a_prompt_can_be_the_turn_of_a_chat(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder(tmp_path))
    tokenizer.chat_template = "{% for one in messages %}<s> w9 {{ one['content'] }} w8 {% endfor %}w7"
    e = pl.explain(pl.load(seeded(gpt2), preprocess=pl.Text(tokenizer, chat=True)), "w3 w5", pl.generated(2))
    alone = pl.explain(seeded(gpt2), torch.tensor([[0, 12, 6, 8, 11, 10]]), pl.generated(2))
    assert e.matrix().columns[:6] == ("<s>", "w9", "w3", "w5", "w8", "w7") and close(e.values, alone.values)


def test_the_command_line_reads_a_source_and_writes_with_a_decoder(tmp_path: Path):
    model = folder(tmp_path / "model", t5)
    done = run("--text", "w3 w9 w3", "--model", f"hf:{model}", "--generate", "3", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "out").glob("*.json")
    matrix = json.loads(file.read_text())["subject"]["matrices"][0]
    assert matrix["source"] == 3 and len(matrix["values"][0]) == len(matrix["columns"]) == 4 + len(matrix["rows"])


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_the_command_line_lets_a_model_go_on(tmp_path: Path):
    model, out = f"hf:{folder(tmp_path / 'model')}", tmp_path / "out"
    done = run("--text", "w3 w9 w3", "--model", model, "--generate", "4", "--out", str(out), "--format", "png,svg,html,txt,json")
    assert done.exit_code == 0, done.output
    assert "4 new tokens" in done.output and "each the one with the highest score" in " ".join(done.output.split())
    files = {file.suffix: file for file in out.iterdir()}
    matrices = json.loads(files[".json"].read_text())["subject"]["matrices"]
    assert len(matrices[0]["values"]) == 4 == len(matrices[0]["rows"]) and matrices[0]["columns"][:3] == ["w3", "w9", "w3"]
    page = files[".html"].read_text().partition('<div id="still"')[2]
    assert page.count('type="radio"') == 4 and all(name in page for name in matrices[0]["rows"])
    assert all(f">{name}</text>" in files[".svg"].read_text() for name in matrices[0]["columns"])
    given = run("--text", "w3 w9 w3", "--model", model, "--continuation", " w7 w1", "--out", str(out))
    assert given.exit_code == 0 and "2 new tokens" in given.output
    both = run("--text", "w3 w9 w3", "--model", model, "--sequence", " w7 w1", "--versus", " w2", "--out", str(out))
    assert both.exit_code == 0 and 'log-probability of " w7 w1" - log-probability of " w2"' in both.output
    twice = run("--text", "w3", "--model", model, "--generate", "4", "--target", "w3")
    assert twice.exit_code == 2 and "--target and --generate" in twice.output


def test_a_token_of_a_generated_text_is_shown_with_the_text_before_it(tmp_path: Path):
    e = pl.explain(pl.load(seeded(gpt2), preprocess=READER), "w3 w9 w3", pl.generated(text=" w7 w1"))
    words = e[1].save(tmp_path / "one.txt").read_text()
    assert "w3" in words and 'token "w1", new token 2' in words
    assert e[1].save(tmp_path / "one.html").read_text().count("<mark") >= 4


def test_of_a_very_long_prompt_the_tokens_are_drawn_that_got_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layout, "MOST_CELLS", 8)
    e = pl.explain(pl.load(seeded(gpt2), preprocess=READER), "w3 w9 w5 w20", pl.generated(text=" w7 w1"), "gradient_x_input")
    drawn, size = e.save(tmp_path / "long.html").read_text(), e.values.abs().sum(0)[:4]
    best = {e.matrix().columns[place] for place in size.topk(2).indices.tolist()}
    assert "2 tokens of the prompt that got least are not drawn" in drawn
    assert {name for name in ("w3", "w9", "w5", "w20") if f"w1 by {name}:" in drawn} == best


def test_of_many_texts_the_first_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    e = pl.explain(pl.load(seeded(gpt2), preprocess=READER), ["w3 w9", "w5 w20", "w4"], pl.generated(text=" w7 w1"))
    for module in ("image", "svg"):
        monkeypatch.setattr(sys.modules[f"pellucid.render.{module}"], "MOST_SAMPLES", 2)
    monkeypatch.setattr(sys.modules["pellucid.render.document.report"], "MOST_PAGES", 2)
    assert "The first 2 of 3 generated texts are shown" in e.save(tmp_path / "three.svg").read_text()
    assert "The first 2 of 3 samples are shown" in e.save(tmp_path / "three.html").read_text()
    assert e.save(tmp_path / "three.png").stat().st_size > 0
