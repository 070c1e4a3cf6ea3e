"""Small networks of our own, and wrappers that give others one value per class."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

RECURRENT = {  # PyTorch's class, and its settings
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "rnn": ("RNN", {}),
    "lstm_deep_both_ways": ("LSTM", {"num_layers": 2, "bidirectional": True}),
    "gru_deep_both_ways": ("GRU", {"num_layers": 2, "bidirectional": True}),
}
SHAPES = {"cnn1d": (4, 128), "mlp": (30,), **dict.fromkeys(RECURRENT, (20, 24))}  # of one sample
LANGUAGE = {  # transformers' class, its configuration, and what makes it small
    "bert": ("BertForSequenceClassification", "BertConfig", {"num_labels": 4}),
    "roberta": ("RobertaForSequenceClassification", "RobertaConfig", {"num_labels": 4}),
    "distilbert": ("DistilBertForSequenceClassification", "DistilBertConfig", {"num_labels": 4}),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"n_positions": 64}),
    "gpt2-small": ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {"num_key_value_heads": 2}),
    "albert": ("AlbertForSequenceClassification", "AlbertConfig", {"num_labels": 4, "embedding_size": 64}),
    "electra": ("ElectraForSequenceClassification", "ElectraConfig", {"num_labels": 4, "embedding_size": 64}),
    "opt": ("OPTForCausalLM", "OPTConfig", {"max_position_embeddings": 64, "word_embed_proj_dim": 64}),
    "mistral": ("MistralForCausalLM", "MistralConfig", {"num_key_value_heads": 2}),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", {"num_key_value_heads": 2, "head_dim": 16}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {"num_key_value_heads": 2}),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {"num_key_value_heads": 2, "num_local_experts": 4}),
    "t5": ("T5ForConditionalGeneration", "T5Config", {}),
    "mamba": ("MambaForCausalLM", "MambaConfig", {}),
}
SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128}
SIZES = {
    "distilbert": {"dim": 64, "n_layers": 3, "n_heads": 4, "hidden_dim": 128},
    "gpt2": {"n_embd": 64, "n_layer": 3, "n_head": 4},
    "opt": {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_dim": 128},
    "t5": {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 3, "num_heads": 4},
    "mamba": {"hidden_size": 64, "state_size": 8, "num_hidden_layers": 3},
}


class Mask(nn.Module):
    """Segmentation: the value of a class is its mean over a mask, here the middle of the picture."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        y = self.net(x)
        y = y["out"] if isinstance(y, dict) else y
        h, w = y.shape[-2] // 4, y.shape[-1] // 4
        return y[..., h:-h, w:-w].mean((2, 3))


class Words(nn.Module):
    """Language: embeddings in, logits out; those of the last position where there are some at each."""

    def __init__(self, net: nn.Module, *, answers: bool = False) -> None:
        super().__init__()
        self.net, self.answers = net, answers  # an encoder and a decoder, which begins its answer with the first words

    def forward(self, embeddings: Tensor) -> Tensor:
        asked = {"decoder_inputs_embeds": embeddings[:, :4]} if self.answers else {}
        y: Tensor = self.net(inputs_embeds=embeddings, **asked).logits
        return y[:, -1] if y.dim() == 3 else y


class Recurrent(nn.Module):
    """A sequence read to its end."""

    def __init__(self, reader: nn.RNNBase, classes: int) -> None:
        super().__init__()
        self.reader, self.head = reader, nn.Linear(reader.hidden_size * (2 if reader.bidirectional else 1), classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.reader(x)[0][:, -1])
        return y


class UNet(nn.Module):
    """Down twice, up twice, with what was seen on the way down beside what comes up."""

    def __init__(self, classes: int = 5, width: int = 16) -> None:
        super().__init__()
        self.down = nn.ModuleList([twice(3, width), twice(width, 2 * width)])
        self.bottom = twice(2 * width, 4 * width)
        self.grow = nn.ModuleList([nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), nn.ConvTranspose2d(2 * width, width, 2, 2)])
        self.up = nn.ModuleList([twice(4 * width, 2 * width), twice(2 * width, width)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for down in self.down:
            x = down(x)
            seen.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for grow, up in zip(self.grow, self.up, strict=True):
            x = up(torch.cat([grow(x), seen.pop()], 1))
        y: Tensor = self.head(x)
        return y


def twice(width: int, out: int) -> nn.Sequential:
    """Two convolutions, each with batch norm and ReLU."""
    once = [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*once, nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU())


def cnn1d() -> nn.Module:
    start = [nn.Conv1d(4, 32, 7, padding=3), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2)]
    end = [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 6)]
    return nn.Sequential(*start, nn.Conv1d(32, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU(), *end)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


def toy(name: str, options: dict[str, Any]) -> nn.Module:
    """A small network by name."""
    if name in RECURRENT:
        kind, more = RECURRENT[name]
        return Recurrent(getattr(nn, kind)(24, 48, batch_first=True, **more), 5)
    return {"cnn1d": cnn1d, "mlp": mlp, "unet": lambda: Mask(UNet())}[name]()


def language(name: str, options: dict[str, Any]) -> nn.Module:
    """A transformer of the hub's architecture, small, with random weights."""
    transformers = import_module("transformers")
    network, configuration, more = LANGUAGE[name]
    sizes = {} if "vocab_size" in more else {"vocab_size": 100, **SIZES.get(name, SMALL)}
    made = getattr(transformers, configuration)(use_cache=False, **sizes, **more)
    return Words(getattr(transformers, network)(made), answers=name == "t5")
