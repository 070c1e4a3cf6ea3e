"""`hf:PATH`: a local folder with config.json and weights, as transformers saves them, or the name of a model on the hub."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.core.files import parse_json
from pellucid.errors import ModelError
from ..model import Model
from ..readers.text import Text
from ..readers.tokenizer import ENDLESS
from . import architectures, availability, metadata, own_code, torchvision
from .checkpoint import digest
from .number_type import notes_on
from .reference import SEED, Reference
from .weights import few

HOST = "huggingface.co"
KEPT = ("*.json", "*.safetensors", "*.txt", "*.model")  # numbers, names and vocabularies; nothing that could be run
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TIMEOUT = "TIME_OUT_REMOTE_CODE"  # of transformers: seconds it waits for an answer to whether code may run
READERS = {"image processor": PROCESSORS, "tokenizer": TOKENIZERS}


def load(reference: Reference, trust: bool) -> Model:
    """The model in a folder, or on the hub: then what is on this machine already is used, or else it is fetched."""
    path = Path(reference.name).expanduser()
    local = path.exists() or reference.name.startswith((".", "/", "~"))
    return folder(path if local else _fetched(reference), str(reference), trust, random=reference.random, dtype=reference.dtype)


def folder(path: Path, request: str, trust: bool, *, random: bool = False, dtype: torch.dtype | None = torch.float32) -> Model:
    """The model in a folder, its class names from `id2label`, and how pictures are read from its image processor."""
    config = _config(path, request)
    code = _check_code(path, request, trust)
    transformers = imported(request)
    kind = architectures.of_config(transformers, config, request)
    module, notes = _drawn(transformers, kind, path, request, trust) if random else _opened(kind, path, request, trust, dtype)
    module = module.to(dtype) if random and dtype is not None else module
    notes = (*notes, *notes_on(next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)))
    name = path.resolve().name if path.exists() else request
    how = "random weights" if random else f"folder {path.name}"
    source = f"transformers {transformers.__version__}, {type(module).__name__}, {how}"
    source += ", trusted by the user" if code else ""
    model = Model(module, name, source, module, fingerprint=None if random else _digest(path), notes=notes)
    model = metadata.with_metadata(model)
    read = _pictures(transformers, path, trust) or _texts(transformers, path, module, trust)
    left = [what for what, files in READERS.items() if not (read or trust) and own_code.of_reader(path, files)]
    not_run = (f"The {what} in the folder is Python code of its own and was not run; trust=True runs it." for what in left)
    return replace(model, preprocess=read, shape=_shape(module), notes=(*model.notes, *not_run))


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
    imported(request)  # says first what is not installed
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
        config = parse_json(file.read_bytes())
    except (ValueError, OSError) as error:
        raise ModelError(
            f"model {request}", f"a config.json that is no JSON ({error})", "it is damaged", "Save it again."
        ) from None
    if not isinstance(config, dict):
        found = f"a config.json that holds a {type(config).__name__}"
        raise ModelError(f"model {request}", found, "settings have names", "Save the model with save_pretrained(folder).")
    return config


def _check_code(path: Path, request: str, trust: bool) -> list[str]:
    """What in the folder would run code of its author's, in words.

    Raises:
        ModelError: there is some, and it is not trusted.
    """
    try:
        found = own_code.of_network(path)
    except (ValueError, OSError) as error:
        raise ModelError(f"model {request}", f"a file that is no JSON ({error})", "it is damaged", "Save it again.") from None
    if found and not trust:
        what = f"a model whose own Python code is to run ({'; '.join(found[:3])})"
        why = "opening it can run any code its author chose"
        raise ModelError(f"model {request}", what, why, "If you trust who made it: trust=True.")
    return found


def imported(request: str, extra: str = "hub") -> ModuleType:
    """transformers itself, after what it imports where that is installed: torchvision, for whatever model."""
    if torchvision.is_installed():
        torchvision.imported(request)
    return availability.optional(request, "transformers", extra)


def _opened(kind: Any, path: Path, request: str, trust: bool, dtype: torch.dtype | None) -> tuple[nn.Module, tuple[str, ...]]:
    if not any(any(path.glob(pattern)) for pattern in WEIGHTS):
        why = "the numbers of the network are missing"
        do = f"Put model.safetensors there, or look at the architecture alone: {request}?random."
        raise ModelError(f"model {request}", "no weights beside config.json", why, do)
    try:
        with silence(), drawing_from(DeviceGenerators()):
            module, report = kind.from_pretrained(
                path, local_files_only=True, output_loading_info=True, trust_remote_code=trust, dtype=dtype or "auto"
            )
    except Exception as error:
        raise _unloadable(request, error) from None
    lost = sorted(report["missing_keys"])
    return module.eval(), (f"Not in the file, and initialised at random: {few(lost)}.",) if lost else ()


def _unloadable(request: str, error: Exception) -> ModelError:
    called = re.search(r"GLOBAL ([\w.]+)", str(error))
    if "weights_only" in str(error) and called:
        found, do = f"weights in a pickle that calls {called[1]}", "Ask for the weights as safetensors: they hold numbers only."
        return ModelError(f"model {request}", found, "opening it can run any code its author chose", do)
    found = f"a folder that does not load ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    return ModelError(f"model {request}", found, "it is incomplete or damaged", "Save or fetch it again.")


def _drawn(transformers: ModuleType, kind: Any, path: Path, request: str, trust: bool) -> tuple[nn.Module, tuple[str, ...]]:
    try:
        with silence(), drawing_from(DeviceGenerators(SEED)):
            config = transformers.AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=trust)
            make = kind.from_config if hasattr(kind, "from_config") else kind
            module: nn.Module = make(config)
    except Exception as error:
        raise _unloadable(request, error) from None
    return module.eval(), ("The weights are random: the network is untrained.",)


@contextmanager
def silence() -> Iterator[None]:
    """Without bars, advice and questions of the library: what matters is said in notes, and trust is asked for by `trust=`."""
    import logging

    bars, dynamic = (import_module(f"transformers.{name}") for name in ("utils.logging", "dynamic_module_utils"))
    shown, patience = bars.is_progress_bar_enabled(), getattr(dynamic, TIMEOUT, 0)
    bars.disable_progress_bar()
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    try:
        setattr(dynamic, TIMEOUT, 0)  # so long it waits for an answer on standard input: it refuses, and does not ask
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        setattr(dynamic, TIMEOUT, patience)
        if shown:
            bars.enable_progress_bar()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _part(kind: Any, path: Path, files: Sequence[str], trust: bool) -> tuple[Any, str]:
    """An image processor or a tokenizer, and the file that describes it; None where the folder has none that opens."""
    file = next((name for name in files if (path / name).is_file()), "")
    if not file:
        return None, ""
    try:
        with silence():
            return kind.from_pretrained(path, local_files_only=True, trust_remote_code=trust), file
    except Exception:
        return None, file


def _pictures(transformers: ModuleType, path: Path, trust: bool) -> Any:
    """How pictures are read, where the folder has an image processor that says it in our terms."""
    processor, file = _part(transformers.AutoImageProcessor, path, PROCESSORS, trust)
    return metadata.as_preprocess(processor, f"{file} of {path.name}", strict=False) if processor else None


def _texts(transformers: ModuleType, path: Path, module: nn.Module, trust: bool) -> Text | None:
    """How texts are read, where the folder has a tokenizer."""
    tokenizer, _ = _part(transformers.AutoTokenizer, path, TOKENIZERS, trust)
    return None if tokenizer is None else as_text(tokenizer, module, path.name)


def as_text(tokenizer: Any, module: nn.Module, name: str) -> Text:
    """How a tokenizer reads texts for a network, at most as many tokens as that has positions."""
    longest = getattr(getattr(module, "config", None), "max_position_embeddings", None)
    limit = longest if isinstance(longest, int) and tokenizer.model_max_length > ENDLESS else None
    return Text(tokenizer, limit=limit, source=f"the tokenizer of {name}")


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
