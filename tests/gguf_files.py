"""A small language model as a GGUF file, written tensor by tensor, and the same network in transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

WORDS = ("When", " Mary", " and", " John", " went", " to", " the", " store", " gave", " a", " drink", "user", "model")
SPECIAL = ("<unk>", "<s>", "</s>", "<turn>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<turn>{{ m.role }}\n{{ m.content | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens and merges of a byte-level vocabulary: single letters, and every beginning of the words."""
    words = [word.replace(" ", "Ġ") for word in WORDS]
    letters = sorted({*"".join(words), *"abcdefghijklmnopqrstuvwxyzĠĊ.,<>"})
    merges = list(dict.fromkeys(f"{word[:end]} {word[end]}" for word in words for end in range(1, len(word))))
    return [*SPECIAL, *letters, *(merge.replace(" ", "") for merge in merges)], merges


def llama(seed: int = 0):
    """Two layers with random weights, for that vocabulary."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary()[0]), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, bos_token_id=1, eos_token_id=2,
        tie_word_embeddings=False,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = transformers.LlamaForCausalLM(config).eval()
    for parameter in net.parameters():
        parameter.data.mul_(3 if parameter.dim() > 1 else 1)  # so that attention looks somewhere
    return net


def write(path: Path, net, *, architecture: str = "llama", template: str | None = None, tokenizer: bool = True, quantized=None):
    """The network as a file. Weights are in half precision where `quantized` is "F16" or "Q8_0", else as they are."""
    import gguf

    writer, config = gguf.GGUFWriter(path, architecture), net.config
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    if tokenizer:
        _add_tokenizer(writer, template)
    for name, value in net.state_dict().items():
        _add_tensor(writer, gguf, config, name, value.float().numpy(), quantized)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer, template: str | None) -> None:
    tokens, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    if template is not None:
        writer.add_chat_template(template)


def _add_tensor(writer, gguf, config, name: str, value: np.ndarray, quantized: str | None) -> None:
    if name.endswith("q_proj.weight"):
        value = _interleaved(value, config.num_attention_heads)
    if name.endswith("k_proj.weight"):
        value = _interleaved(value, config.num_key_value_heads)
    called = _called(name)
    if quantized is None or value.ndim < 2:
        writer.add_tensor(called, np.ascontiguousarray(value, dtype=np.float32))
    elif quantized == "F16":
        writer.add_tensor(called, value.astype(np.float16))
    else:
        kind = gguf.GGMLQuantizationType[quantized]
        writer.add_tensor(called, gguf.quantize(np.ascontiguousarray(value), kind), raw_dtype=kind)


def _interleaved(value: np.ndarray, heads: int) -> np.ndarray:
    """Rows as llama.cpp has them: both halves of a head that are turned together stand beside each other."""
    return value.reshape(heads, 2, len(value) // heads // 2, -1).swapaxes(1, 2).reshape(value.shape)


def _called(name: str) -> str:
    """What the format calls a weight: model.layers.1.mlp.up_proj.weight is blk.1.ffn_up.weight."""
    path, _, kind = name.rpartition(".")
    parts = path.split(".")
    if parts[1:2] == ["layers"]:
        return f"blk.{parts[2]}.{NAMES['.'.join(parts[3:])]}.{kind}"
    return f"{NAMES[path]}.{kind}"
