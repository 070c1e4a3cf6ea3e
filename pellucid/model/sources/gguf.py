"""`gguf:FILE`: a language model in the format of llama.cpp, network and tokenizer in one file, read by transformers.

The file holds numbers, names and a template of chats; nothing beside it is read, nothing is fetched, and nothing in it is run.
Quantised weights are raised to real numbers: what is explained is the quantised network, computed exactly.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pellucid.core import memory
from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.errors import ModelError
from ..model import Model
from . import availability, gguf_header, huggingface
from .checkpoint import digest
from .gguf_header import Header
from .number_type import name_of, notes_on
from .reference import Reference
from .weights import damaged, few

EXTRA = "gguf"
STORED = {"BF16": torch.bfloat16, "F16": torch.float16}  # what is kept where the file's own type is asked for; all else is raised
REST = 2**27  # bytes: what else is made while a file is read
ENTRIES = 110  # bytes for each byte of a header: every word of a vocabulary becomes three arrays, measured on 262,144 words


def load(reference: Reference, trust: bool) -> Model:
    """The model in the file that is named behind the colon."""
    path = Path(reference.name).expanduser()
    if not path.is_file():
        found = "a folder" if path.is_dir() else f"no file {path}"
        raise ModelError(f"model {reference}", found, "a model of this format is one file", "Check the path: gguf:FILE.")
    with path.open("rb") as file:
        start = file.read(4)
    if start != gguf_header.MAGIC:
        why = f"files of this format begin with {gguf_header.MAGIC!r}"
        raise ModelError(f"model {reference}", f"a file that begins with {start!r}", why, "Name it without the word gguf.")
    return open_file(path, trust, reference.dtype)


def open_file(path: Path, trust: bool, dtype: torch.dtype | None = torch.float32) -> Model:
    """The network of a file, and its tokenizer.

    Arguments:
        dtype: Of its weights; None: as in the file where that has them as real numbers, float32 where they are quantised.

    Raises:
        ModelError: the file is damaged, not whole, of a network that transformers does not read, or larger than the memory that
            is free.
        MissingExtra: what reads it is not installed.
    """
    request = f"model {path}"
    try:
        header = gguf_header.read(path)
    except (ValueError, OSError) as error:
        raise damaged(path, error) from None
    reader = availability.optional(request, "gguf", EXTRA)
    availability.optional(request, "accelerate", EXTRA)
    transformers = huggingface.imported(request, EXTRA)
    _check_whole(reader, header, path)
    _check_architecture(header, path)
    _check_code(header, path, trust)
    kept = _stored(reader, header) if dtype is None else dtype
    _check_memory(header, kept, path)
    module, tokenizer, lost = _opened(transformers, path, kept)
    types = ", ".join(name for name, _ in _types(reader, header).most_common(3))
    how = f"{types} as {name_of(kept)}, {type(module).__name__} of transformers {transformers.__version__}"
    text = None if tokenizer is None else huggingface.as_text(tokenizer, module, path.name)
    notes = (*lost, *_unread(header, module), *notes_on(kept))
    return Model(module, path.stem, f"GGUF file {path.name}, {how}", module, text, fingerprint=digest(path), notes=notes)


def _types(reader: ModuleType, header: Header) -> Counter[str]:
    """How many weights are stored as what."""
    found: Counter[str] = Counter()
    for tensor in header.tensors:
        found[reader.GGMLQuantizationType(tensor.type).name] += tensor.numbers
    return found


def _stored(reader: ModuleType, header: Header) -> torch.dtype:
    """The type of most weights, where it is one of real numbers."""
    most = _types(reader, header).most_common(1)
    return STORED.get(most[0][0], torch.float32) if most else torch.float32


def _check_whole(reader: ModuleType, header: Header, path: Path) -> None:
    """Refuse a file that ends before its weights do, a part of a model, and types of weights that are not known."""
    request = f"model {path}"
    if header.parts > 1:
        do = "Put them together with llama.cpp: llama-gguf-split --merge FIRST WHOLE."
        raise ModelError(request, f"one of {header.parts} parts of a model", "one file is read", do)
    sizes = {int(kind): size for kind, size in reader.GGML_QUANT_SIZES.items()}
    unknown = sorted({tensor.type for tensor in header.tensors} - set(sizes))
    if unknown:
        found = f"weights of type {', '.join(map(str, unknown))} of the format"
        raise ModelError(request, found, "the package gguf at hand does not know it", "Install a newer gguf.")
    ends = (
        tensor.offset + math.ceil(tensor.numbers / sizes[tensor.type][0]) * sizes[tensor.type][1] for tensor in header.tensors
    )
    needed, there = header.start + max(ends, default=0), path.stat().st_size
    if not header.tensors or needed > there:
        found = f"{there:,} bytes where its header names {needed:,}" if header.tensors else "no weights in it"
        raise damaged(path, ValueError(found))


def _check_architecture(header: Header, path: Path) -> None:
    """Refuse what transformers cannot read, by name."""
    known = _architectures()
    if header.architecture in known:
        return
    found = f"the architecture {header.architecture!r}" if header.architecture else "no architecture in its header"
    why = f"transformers reads {', '.join(sorted(known))} from this format"
    do = "Load the network it was made from, as hf:FOLDER; a newer transformers may read more."
    raise ModelError(f"model {path}", found, why, do)


def _architectures() -> set[str]:
    """The architectures that transformers reads from this format, as the format names them."""
    older = import_module("transformers.modeling_gguf_pytorch_utils").GGUF_SUPPORTED_ARCHITECTURES
    return (set(older) | _with_kernels() | {"gpt-oss", "qwen2moe", "qwen3moe"}) - {"general", "tokenizer"}


def _with_kernels() -> set[str]:
    """Those whose layers it would replace by compiled ones of the hub, where the package kernels is installed."""
    try:
        return set(import_module("transformers.integrations.gguf.gguf_conversion_mapping").GGUF_ARCHS)
    except ImportError:
        return set()


def _check_code(header: Header, path: Path, trust: bool) -> None:
    if trust or header.architecture not in _with_kernels() or find_spec("kernels") is None:
        return
    found = f"the package kernels, with which transformers fetches compiled code for {header.architecture}, and runs it"
    raise ModelError(f"model {path}", found, "opening it can run code of others", "Uninstall kernels, or say trust=True.")


def _check_memory(header: Header, dtype: torch.dtype, path: Path) -> None:
    """Refuse what does not fit before anything is read."""
    free = memory.available()
    needed = _needed(header, dtype)
    if free is None or needed <= free:
        return
    found = f"{header.numbers:,} weights, which need {memory.in_words(needed)} as {name_of(dtype)} while they are read"
    smaller = f"Ask for dtype=bfloat16, which needs {memory.in_words(_needed(header, torch.bfloat16))}, or free some."
    do = smaller if dtype.itemsize > 2 else "Free some, or take a smaller one."
    raise ModelError(f"model {path}", found, f"{memory.in_words(free)} of memory are free", do)


def _needed(header: Header, dtype: torch.dtype) -> int:
    """Bytes at most while it is read: all weights, the largest of them in between, and what the header becomes."""
    largest = max(tensor.numbers for tensor in header.tensors)
    once = 2 * torch.float32.itemsize + (dtype.itemsize if dtype != torch.float32 else 0)
    return header.numbers * dtype.itemsize + largest * once + ENTRIES * header.start + REST


def _opened(transformers: ModuleType, path: Path, dtype: torch.dtype) -> tuple[nn.Module, Any, tuple[str, ...]]:
    """Network and tokenizer, from a folder with nothing in it: files beside this one have no say."""
    where = {"gguf_file": str(path.resolve()), "local_files_only": True, "trust_remote_code": False}
    try:
        with _silence(), drawing_from(DeviceGenerators()), TemporaryDirectory() as empty:
            config = transformers.AutoConfig.from_pretrained(empty, **where)
            module, report = _class(transformers, config).from_pretrained(
                empty, config=config, dtype=dtype, output_loading_info=True,
                quantization_config=transformers.GgufConfig(dequantize=True), **where,
            )  # fmt: skip
            tokenizer = _tokenizer(transformers, config, empty, where)
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        found, do = f"a file that transformers cannot make a network of ({message})", "Convert or fetch it again."
        raise ModelError(f"model {path}", found, "it is incomplete, damaged, or newer than transformers", do) from None
    lost = sorted(report["missing_keys"])
    return module.eval(), tokenizer, (f"Not in the file, and initialised at random: {few(lost)}.",) if lost else ()


def _class(transformers: ModuleType, config: Any) -> Any:
    """The class of the network: one that foretells tokens, where there is one."""
    named = (config.architectures or [""])[0]
    if named and hasattr(transformers, named):
        return getattr(transformers, named)
    if type(config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        return transformers.AutoModelForCausalLM
    several = type(config) in transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
    return transformers.AutoModelForSeq2SeqLM if several else transformers.AutoModel


def _tokenizer(transformers: ModuleType, config: Any, folder: str, where: dict[str, Any]) -> Any:
    """The tokenizer in the file; None where it has none that opens: token ids are explained then."""
    known = type(config) in transformers.TOKENIZER_MAPPING  # by its class: AutoTokenizer would read the whole header once more
    kind = transformers.TOKENIZER_MAPPING[type(config)] if known else transformers.AutoTokenizer
    try:
        return kind.from_pretrained(folder, **where)
    except Exception:
        return None


def _unread(header: Header, module: nn.Module) -> tuple[str, ...]:
    """A sentence, where the network has fewer weights than the file: transformers passes over what it has no place for."""
    there = sum(parameter.numel() for parameter in module.parameters())
    left = header.numbers - there
    return (
        (f"{left:,} of the {header.numbers:,} weights in the file have no place in this network of transformers.",)
        if left > 0
        else ()
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Without the bar that transformers draws while it raises quantised weights."""
    with huggingface.silence(), redirect_stderr(io.StringIO()):
        yield
