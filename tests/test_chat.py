"""Language models in words: turns of chats, tokens named by their letters, and both on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import pellucid as pl
from pellucid.cli import main
from pellucid.errors import InputError, ModelError, TargetError
from pellucid.model.readers import spelling
from tests import gguf_files

pytest.importorskip("gguf")
pytest.importorskip("accelerate")

PROMPT = "When Mary and John went to the store"


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    return gguf_files.write(folder / "tiny.gguf", gguf_files.llama(), template=gguf_files.TEMPLATE)


@pytest.fixture(scope="module")
def model(path) -> pl.Model:
    return pl.load(path)


def with_reader(model: pl.Model, **options) -> pl.Model:
    return replace(model, preprocess=replace(model.preprocess, **options))


# chats


def test_a_turn_is_read_in_the_words_of_the_tokenizers_own_template(model):
    tokenizer = model.preprocess.tokenizer
    messages = [{"role": "user", "content": PROMPT}]
    given = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    ids = with_reader(model, chat=True).read(PROMPT)
    assert torch.equal(ids, given["input_ids"])
    assert tokenizer.decode(ids[0]) == f"<s><turn>user\n{PROMPT}\n<turn>model\n"


def test_template_tokens_are_parts_of_their_own(model):
    chat = with_reader(model, chat=True)
    e = pl.explain(chat, f"  {PROMPT} ", " Mary", "gradient_x_input")
    pieces = e.words()
    assert [piece.text for piece in pieces if piece.kind == "text"] == PROMPT.split()
    assert [piece.text for piece in pieces if piece.kind != "text"] == "<s> <turn> user \n \n <turn> model \n".split(" ")
    assert pieces[0].kind == "special" and {piece.kind for piece in pieces} == {"text", "special", "template"}
    assert "The text is the user's turn of a chat: 8 of 16 tokens are the template of the tokenizer." in e.notes
    torch.testing.assert_close(e.values, pl.explain(model, chat.read(PROMPT), " Mary", "gradient_x_input").values)


@pytest.mark.parametrize("method", ["feature_ablation", "integrated_gradients"])
def test_methods_that_replace_words_leave_the_template_alone(model, method):
    e = pl.explain(with_reader(model, chat=True), PROMPT, " Mary", method)
    kinds = e.subject.kinds[0]
    assert [bool(value) for value in e.values[0]] == [kind == "text" for kind in kinds]
    assert any("special tokens stay" in note for note in e.notes)


def test_a_word_that_the_template_uses_too_is_the_users_where_the_user_wrote_it(model):
    e = pl.explain(with_reader(model, chat=True), "user", " Mary", "gradient_x_input")
    assert [piece.kind for piece in e.words() if piece.text == "user"] == ["template", "text"]


def test_line_breaks_of_a_template_are_seen_wherever_it_is_drawn(model):
    e = pl.explain(with_reader(model, chat=True), PROMPT, " Mary", "gradient_x_input")
    lines = pl.render.terminal(e, colour=False).splitlines()
    assert lines[0].startswith("<s>(*)<turn>") and "user" in lines[0] and "\\n" in lines[0] and lines[1].startswith("When")
    assert "\\n" in pl.render.page(e).split("</div>")[0]


def test_a_batch_of_turns_is_explained_one_by_one(model):
    chat = with_reader(model, chat=True)
    both = pl.explain(chat, [PROMPT, "When Mary"], " Mary", "lrp.epsilon")
    alone = pl.explain(chat, "When Mary", " Mary", "lrp.epsilon")
    torch.testing.assert_close(both.values[1, : alone.values.shape[1]], alone.values[0])


def refused(model: pl.Model, text: str = PROMPT) -> str:
    with pytest.raises((ModelError, InputError)) as caught:
        model.read(text)
    return str(caught.value)


def test_what_is_no_turn_of_a_chat_is_refused(model, path, tmp_path):
    bare = pl.load(gguf_files.write(tmp_path / "bare.gguf", gguf_files.llama()))
    assert "found a tokenizer without a template of chats" in refused(with_reader(bare, chat=True))
    own = pl.Model(lambda x: x, "a function", "callable", preprocess=pl.Text(pl.Vocabulary(["a"]), chat=True))
    assert "found a tokenizer without a template of chats" in refused(own, "a")
    chat = with_reader(model, chat=True)
    assert "cut short, it would lose the words that end the turn" in refused(chat, "the store " * 40)
    assert "the template belongs to the whole" in refused(with_reader(model, chat=True, window=10))
    assert "which is blank" in refused(chat, "  ")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages[0].content | upper }}", "a template that changes the words of a turn"),
        ("nothing of it", "a template that changes the words of a turn"),
        ("{{ raise_exception('system first') }}", "a template that fails (TemplateError: system first)"),
    ],
)
def test_templates_that_lose_the_text_are_refused(path, template, said):
    other = pl.load(path)
    other.preprocess.tokenizer.chat_template = template
    assert said in refused(with_reader(other, chat=True))


# tokens by their letters


def test_a_word_is_found_with_the_blank_before_it_where_only_that_is_a_token(model):
    assert model.token_id(" Mary") == model.token_id("Mary") == model.token_id("ĠMary")
    e = pl.explain(model, PROMPT, "Mary", "gradient_x_input")
    assert 'No token is "Mary"; " Mary" is meant.' in e.notes and '" Mary"' in e.target
    assert not any("is meant" in note for note in pl.explain(model, PROMPT, " Mary", "gradient_x_input").notes)


def test_the_same_word_with_another_blank_is_told_where_it_scores_higher(model):
    scores = {name: float(pl.explain(model, PROMPT, name, "gradient_x_input").output) for name in ("t", " t")}
    high, low = sorted(scores, key=lambda name: -scores[name])
    said = f'With the blank in front, or without it, another token is meant: "{high}" scores '
    assert any(note.startswith(said) for note in pl.explain(model, PROMPT, low, "gradient_x_input").notes)
    assert not any("another token" in note for note in pl.explain(model, PROMPT, high, "gradient_x_input").notes)
    compared = pl.explain(model, PROMPT, pl.token(high) - pl.token(low), "gradient_x_input")
    assert any(note.startswith(said) for note in compared.notes)


def test_a_number_names_a_token_where_no_token_is_written_so(model):
    assert pl.explain(model, PROMPT, "45", "gradient_x_input").target == pl.explain(model, PROMPT, 45, "gradient_x_input").target
    with pytest.raises(TargetError, match="Check both numbers"):
        pl.explain(model, PROMPT, "99999", "gradient_x_input")


def test_several_tokens_are_refused_with_what_to_write(model):
    with pytest.raises(InputError, match=r"found 2 tokens: 'z', 'q'; one is needed.*'z' say; pl\.sequence\('zq'\)"):
        pl.explain(model, PROMPT, "zq", "gradient_x_input")


def test_the_other_spelling_is_a_blank_more_or_less():
    assert spelling.other_spelling(spelling.other_spelling("Paris")) == "Paris"


# the command line


def run(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["explain", *args], prog_name="pellucid")
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_prompt_is_explained_from_end_to_end(path, here):
    said = run("--text", PROMPT, "--model", f"gguf:{path}", "--target", " Mary", "--versus", " John", "--format", "png,json,html")
    assert "Texts: by " in said and 'Positive values speak for " Mary"' in said and "Kept apart from the scale: <s>" in said
    (picture,), (summary,) = here.glob("*.png"), here.glob("*.json")
    assert picture.stat().st_size > 5000
    found = json.loads(summary.read_text())
    assert [side[0] for side in found["contrast"][0]] == ['" Mary"', '" John"']


def test_a_text_may_be_a_turn_of_a_chat_or_longer_than_a_window(path, here):
    about = ("--model", f"gguf:{path}", "--target", " Mary", "--method", "gradient_x_input", "--json")
    chat = json.loads(run("--text", PROMPT, "--chat", *about))
    assert {token["kind"] for token in chat["subject"]["samples"][0]["tokens"]} == {"text", "special", "template"}
    parts = json.loads(run("--text", PROMPT, "--window", "5", *about))
    assert len(parts["subject"]["samples"]) == 2
    half = json.loads(run("--text", PROMPT, "--dtype", "bfloat16", *about))
    assert "bfloat16" in half["provenance"]["model"]["source"]


def test_texts_are_padded_to_the_length_that_a_network_takes(path, here):
    found = json.loads(
        run("--text", PROMPT, "--length", "20", "--model", str(path), "--target", " Mary", "--method", "lrp.epsilon", "--json")
    )
    assert found["values"]["shape"] == [1, 20]


def test_options_of_texts_are_refused_for_other_models(here):
    import torch.nn as nn
    from safetensors.torch import save_file

    Path("net.py").write_text("from torch import nn\nmake = lambda: nn.Linear(2, 2)\n")
    save_file(nn.Linear(2, 2).state_dict(), "net.safetensors")
    said = run("--text", "a", "--chat", "--window", "3", "--model", "net.safetensors", "--builder", "net:make", code=2)
    assert "--chat and --window: net does not say how it reads texts" in said
