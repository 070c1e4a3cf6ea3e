"""Folders and files of people who are not trusted: nothing of theirs runs, nothing is asked, and what was left out is said."""

from __future__ import annotations

import builtins
import json
import os
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

import pellucid as pl
from pellucid.errors import ModelError
from pellucid.model.sources import own_code

BERT = {
    "model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_size": 8, "num_attention_heads": 1,
    "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 10,
}  # fmt: skip
VIT = {
    "model_type": "vit", "hidden_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1, "intermediate_size": 8,
    "image_size": 8, "patch_size": 4,
}  # fmt: skip


class Attack:
    """A folder with Python code beside its configuration; the code leaves a flag where it runs."""

    def __init__(self, path: Path) -> None:
        self.path, self.flag = path / "model", path / "flag"
        self.path.mkdir()
        code = f"open({str(self.flag)!r}, 'w').close()\nclass Net: pass\n"
        (self.path / "mine.py").write_text(code)
        (self.path / "custom_generate").mkdir()
        (self.path / "custom_generate" / "generate.py").write_text(code)
        safetensors.torch.save_file({"a": torch.zeros(1)}, self.path / "model.safetensors")

    def write(self, files: dict[str, object]) -> None:
        for name, content in files.items():
            (self.path / name).write_text(json.dumps(content).replace("HERE", str(self.path)))

    def pickle(self, path: Path) -> None:
        flag = self.flag

        class Bomb:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.mkdir, (str(flag),)

        torch.save({"a": Bomb()}, path)


@pytest.fixture
def attack(tmp_path, monkeypatch):
    questions: list[str] = []
    monkeypatch.setattr(builtins, "input", lambda prompt="": questions.append(prompt) or "y")
    yield Attack(tmp_path)
    assert not questions, "nothing is asked"
    assert not (tmp_path / "flag").exists(), "no code of the folder has run"


REFUSED = {
    "the model": {"config.json": BERT | {"auto_map": {"AutoModel": "mine.Net"}}},
    "its configuration": {"config.json": {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Net"}}},
    "a decoder inside": {"config.json": {
        "model_type": "vision-encoder-decoder", "architectures": ["VisionEncoderDecoderModel"], "encoder": VIT,
        "decoder": VIT | {"auto_map": {"AutoModelForCausalLM": "HERE--mine.Net"}, "_name_or_path": "HERE"},
    }},
    "a backbone inside": {"config.json": {
        "model_type": "upernet", "architectures": ["UperNetForSemanticSegmentation"],
        "backbone_config": VIT | {"auto_map": {"AutoBackbone": "HERE--mine.Net"}},
    }},
    "a list inside": {"config.json": BERT | {"parts": [[{"auto_map": {"AutoModel": "mine.Net"}}]]}},
    "the configuration of another version": {
        "config.json": BERT | {"configuration_files": ["config.4.0.0.json"]},
        "config.4.0.0.json": BERT | {"auto_map": {"AutoModel": "mine.Net"}},
    },
    "arguments of a backbone": {"config.json": BERT | {"backbone": "HERE", "backbone_kwargs": {"trust_remote_code": True}}},
    "a checkpoint": {"config.json": {
        "model_type": "timm_wrapper", "architectures": ["TimmWrapperForImageClassification"], "architecture": "resnet10t",
        "model_args": {"checkpoint_path": "HERE/pytorch_model.bin"},
    }},
    "a kernel of a hub": {"config.json": BERT | {"_attn_implementation": "mine/kernel"}},
    "how text is made": {"config.json": BERT, "generation_config.json": {"custom_generate": "HERE"}},
    "quantisation": {"config.json": BERT | {"quantization_config": {"quant_method": "awq", "auto_map": {"x": "mine.Net"}}}},
    "an adapter": {"config.json": BERT, "adapter_config.json": {"base_model_name_or_path": "HERE", "auto_map": {"x": "mine.N"}}},
    "weights elsewhere": {"config.json": BERT, "model.safetensors.index.json": {"weight_map": {"a": "../other.safetensors"}}},
}  # fmt: skip


@pytest.mark.parametrize("files", REFUSED.values(), ids=list(REFUSED))
@pytest.mark.parametrize("ending", ["", "?random"], ids=["weights", "random"])
def test_a_folder_that_would_run_code_is_refused(attack, files, ending):
    pytest.importorskip("transformers")
    attack.write(files)
    attack.pickle(attack.path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"own Python code is to run .* any code its author chose. If you trust who made it"):
        pl.load(f"hf:{attack.path}{ending}")


READERS = {
    "image processor": {
        "preprocessor_config.json": {"auto_map": {"AutoImageProcessor": "mine.Net"}, "image_processor_type": "Net"}
    },
    "tokenizer": {"tokenizer_config.json": {"tokenizer_class": "Net", "auto_map": {"AutoTokenizer": ["mine.Net", "mine.Net"]}}},
}


@pytest.mark.parametrize(("what", "files"), READERS.items(), ids=list(READERS))
def test_a_reader_that_is_code_is_left_out_and_the_network_still_opens(attack, what, files):
    pytest.importorskip("transformers")
    attack.write({"config.json": BERT} | files)
    model = pl.load(f"hf:{attack.path}?random")
    assert model.notes[-1] == f"The {what} in the folder is Python code of its own and was not run; trust=True runs it."
    assert model.preprocess is None


def test_a_trusted_folder_runs_its_code(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    trusted = Attack(tmp_path)
    trusted.write({"config.json": BERT} | READERS["tokenizer"])
    pl.load(f"hf:{trusted.path}?random", trust=True)
    assert trusted.flag.exists(), "else the tests above would prove nothing"


def test_pickled_weights_of_a_folder_run_nothing(attack):
    pytest.importorskip("transformers")
    attack.write({"config.json": BERT})
    (attack.path / "model.safetensors").unlink()
    attack.pickle(attack.path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"weights in a pickle that calls posix\.mkdir; .* Ask for the weights as safetensors"):
        pl.load(attack.path)


def test_what_is_no_code_is_not_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(BERT | {"auto_map": {}, "_attn_implementation": "sdpa", "n": None}))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    assert own_code.of_network(tmp_path) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[" * 5000, "no JSON"),
        ("[]", "holds a list"),
        ("\udcff", "no JSON"),
        (json.dumps(BERT | {"architectures": ["pipeline"]}), "the architecture pipeline"),
        (json.dumps(BERT | {"architectures": "Bert"}), "the architecture Bert"),
        (json.dumps(BERT | {"hidden_size": -1}), "a folder that does not load"),
        (json.dumps({"model_type": ["bert"]}), "names no architecture"),
    ],
)
def test_a_configuration_that_is_damaged(tmp_path, config, said):
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_bytes(config.encode(errors="surrogateescape"))
    with pytest.raises(ModelError, match=said):
        pl.load(f"hf:{tmp_path}?random")


@pytest.mark.parametrize("where", ["../secret", "/etc/hostname", "inside/../../secret"])
def test_constants_of_an_onnx_file_are_read_from_its_own_folder_only(tmp_path, where):
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    (tmp_path / "secret").write_bytes(bytes(8))
    (tmp_path / "model").mkdir()
    constant = helper.make_tensor("c", number, [2], [0.0, 0.0])
    constant.ClearField("float_data")
    constant.data_location = onnx.TensorProto.EXTERNAL
    constant.external_data.add(key="location", value=where)
    nodes = [helper.make_node("Constant", [], ["k"], value=constant), helper.make_node("Add", ["x", "k"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, number, [1, 2]) for name in "xy")
    path = tmp_path / "model" / "net.onnx"
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "g", [x], [y])).SerializeToString())
    with pytest.raises(ModelError, match="data outside the file are read only from the model's own folder"):
        pl.load(path)
