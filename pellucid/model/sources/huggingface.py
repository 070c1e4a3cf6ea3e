"""`hf:PATH`: a local folder with config.json and weights, as transformers saves them, or the name of a model on the hub."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pellucid.errors import ModelError
from ..model import Model
from ..readers.text import Text
from ..readers.tokenizer import ENDLESS
from . import availability, metadata, torchvision
from .checkpoint import digest
from .reference import SEED, Reference
from .weights import few

HOST = "huggingface.co"
KEPT = ("*.json", "*.safetensors", "*.txt", "*.model")  # numbers, names and vocabularies; nothing that could be run
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def load(reference: Reference, trust: bool) -> Model:
    """The model in a folder, or on the hub: then what is on this machine already is used, or else it is fetched."""
    path = Path(reference.name).expanduser()
    local = path.exists() or reference.name.startswith((".", "/", "~"))
    return folder(path if local else _fetched(reference), str(reference), trust, random=reference.random)


def folder(path: Path, request: str, trust: bool, *, random: bool = False) -> Model:
    """The model in a folder, its class names from `id2label`, and how pictures are read from its image processor."""
    config = _config(path, request)
    if config.get("auto_map") and not trust:
        found = f"a model whose own Python code is to run ({', '.join(sorted(config['auto_map']))})"
        why = "opening it can run any code its author chose"
        raise ModelError(f"model {request}", found, why, "If you trust who made it: trust=True.")
    transformers = _imported(request)
    kind = _class(transformers, config, request)
    module, notes = _drawn(transformers, kind, path, trust) if random else _opened(kind, path, request, trust)
    name = path.resolve().name if path.exists() else request
    how = "random weights" if random else f"folder {path.name}"
    source = f"transformers {transformers.__version__}, {type(module).__name__}, {how}"
    source += ", trusted by the user" if config.get("auto_map") else ""
    model = Model(module, name, source, module, fingerprint=None if random else _digest(path), notes=notes)
    model = metadata.with_metadata(model)
    processor, file = _part(transformers.AutoImageProcessor, path, PROCESSORS)
    read = metadata.as_preprocess(processor, f"{file} of {path.name}", strict=False) if processor else None
    return replace(model, preprocess=read or _texts(transformers, path, module), shape=_shape(module))


def cached(name: str, file: str) -> str | None:
    """A file of the hub that an earlier download left on this machine."""
    try:
        import huggingface_hub
    except ImportError:
        return None
    found = huggingface_hub.try_to_load_from_cache(name, file)
    return found if isinstance(found, str) else None


def _fetched(reference: Reference) -> Path:
    request = str(reference)
    _imported(request)  # says first what is not installed
    import huggingface_hub

    how: dict[str, Any] = {"revision": reference.weights, "allow_patterns": list(KEPT)}
    do = (
        "Where it is reachable, save it with model.save_pretrained('folder') and processor.save_pretrained('folder'), "
        "then load hf:./folder."
    )
    try:
        return Path(huggingface_hub.snapshot_download(reference.name, local_files_only=True, **how))
    except Exception:  # not here yet
        if not availability.answers(HOST):
            raise availability.unreachable(request, HOST, do) from None
    try:
        return Path(huggingface_hub.snapshot_download(reference.name, **how))
    except Exception as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ModelError(f"model {request}", found, "it could not be fetched", f"Check the name. {do}") from None


def _config(path: Path, request: str) -> dict[str, Any]:
    if not path.exists():
        do = "Check the path; names on the hub do not begin with a dot or a slash."
        raise ModelError(f"model {request}", f"no folder {path}", "there is nothing to read", do)
    file = path / "config.json"
    if not file.is_file():
        held = ", ".join(sorted(entry.name for entry in path.iterdir())[:4]) if path.is_dir() else "it is a file"
        why = "that file says which network the weights belong to"
        do = "Save the model with save_pretrained(folder); of other kinds of models, name the file itself."
        raise ModelError(f"model {request}", f"no config.json in it ({held or 'it is empty'})", why, do)
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(
            f"model {request}", f"a config.json that is no JSON ({error})", "it is damaged", "Save it again."
        ) from None
    return config


def _imported(request: str) -> ModuleType:
    with suppress(ImportError):
        torchvision.imported(request)  # transformers imports it where it is installed
    return availability.optional(request, "transformers", "hub")


def _class(transformers: ModuleType, config: dict[str, Any], request: str) -> Any:
    """The class of the network: the one it was saved as."""
    names = config.get("architectures") or ["AutoModel"]
    if config.get("auto_map"):
        return transformers.AutoModel
    found = getattr(transformers, str(names[0]), None)
    if found is None:
        why = f"transformers {transformers.__version__} has no class of that name"
        raise ModelError(f"model {request}", f"the architecture {names[0]}", why, "Install the version it was saved with.")
    return found


def _opened(kind: Any, path: Path, request: str, trust: bool) -> tuple[nn.Module, tuple[str, ...]]:
    if not any(any(path.glob(pattern)) for pattern in WEIGHTS):
        why = "the numbers of the network are missing"
        do = f"Put model.safetensors there, or look at the architecture alone: {request}?random."
        raise ModelError(f"model {request}", "no weights beside config.json", why, do)
    try:
        with _silence(), torch.random.fork_rng(devices=[]):
            module, report = kind.from_pretrained(
                path, local_files_only=True, output_loading_info=True, trust_remote_code=trust, dtype=torch.float32
            )
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ModelError(f"model {request}", f"a folder that does not load ({message})", "it is incomplete or damaged",
                         "Save or fetch it again.") from None  # fmt: skip
    lost = sorted(report["missing_keys"])
    return module.eval(), (f"Not in the file, and initialised at random: {few(lost)}.",) if lost else ()


def _drawn(transformers: ModuleType, kind: Any, path: Path, trust: bool) -> tuple[nn.Module, tuple[str, ...]]:
    config = transformers.AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=trust)
    with _silence(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        make = kind.from_config if hasattr(kind, "from_config") else kind
        module: nn.Module = make(config)
    return module.eval(), ("The weights are random: the network is untrained.",)


@contextmanager
def _silence() -> Iterator[None]:
    """Without bars and advice of the library: what matters is said in notes."""
    import logging

    bars = import_module("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if shown:
            bars.enable_progress_bar()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _part(kind: Any, path: Path, files: Sequence[str]) -> tuple[Any, str]:
    """An image processor or a tokenizer, and the file that describes it; None where the folder has none that opens."""
    file = next((name for name in files if (path / name).is_file()), "")
    if not file:
        return None, ""
    try:
        with _silence():
            return kind.from_pretrained(path, local_files_only=True), file
    except Exception:
        return None, file


def _texts(transformers: ModuleType, path: Path, module: nn.Module) -> Text | None:
    """How texts are read, where the folder has a tokenizer."""
    tokenizer, _ = _part(transformers.AutoTokenizer, path, TOKENIZERS)
    if tokenizer is None:
        return None
    longest = getattr(getattr(module, "config", None), "max_position_embeddings", None)
    limit = longest if isinstance(longest, int) and tokenizer.model_max_length > ENDLESS else None
    return Text(tokenizer, limit=limit, source=f"the tokenizer of {path.name}")


def _shape(module: nn.Module) -> tuple[int, ...] | None:
    """Of one sample, for networks that see pictures."""
    config: Any = getattr(module, "config", None)
    size, channels = getattr(config, "image_size", None), getattr(config, "num_channels", None)
    if getattr(module, "main_input_name", "") != "pixel_values" or not isinstance(channels, int):
        return None
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return (channels, height, width) if isinstance(height, int) and isinstance(width, int) else None


def _digest(path: Path) -> str:
    """The sha256 of the weights; of several files, of their digests in order."""
    files = sorted({file for pattern in WEIGHTS for file in path.glob(pattern)})
    if len(files) == 1:
        return digest(files[0])
    return hashlib.sha256("".join(digest(file) for file in files).encode()).hexdigest()
