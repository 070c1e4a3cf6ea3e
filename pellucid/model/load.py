"""`load`: a Model from an object, a name or a file. How each source is read stands in `sources/`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.export import ExportedProgram

from pellucid.errors import ModelError
from .mode import int8_note
from .model import Model
from .origin import origin
from .readers.text import Text
from .readers.tokenizer import is_tokenizer
from .sources import exported, file, metadata, registry, torchscript, weights
from .sources.checkpoint import digest
from .sources.number_type import as_number_type
from .sources.reference import Reference

Source = Model | nn.Module | ExportedProgram | Callable[..., Any] | str | os.PathLike[str]


def load(
    source: Source,
    *,
    preprocess: Any = None,
    labels: Sequence[str] | None = None,
    builder: Callable[[], nn.Module] | None = None,
    trust: bool = False,
    name: str | None = None,
    dtype: torch.dtype | str | None = None,
) -> Model:
    """A handle on a network, wherever it comes from. A network that is passed in is used as it is and never changed.

    Safe files hold numbers and operations only: a state dict (.safetensors, or .pth read without its code), filled into what
    `builder` makes; ONNX; Keras without Lambda layers. TorchScript, .pt2 and pickled modules can run any code when they are
    opened, so they need `trust=True`.

    Arguments:
        source: A Model, an nn.Module (scripted or traced too), an ExportedProgram, a Keras model, any callable of tensors, the
            name of a built-in model, the path of a file or of a Hugging Face folder, or a name of a hub: "timm:resnet50",
            "torchvision:vgg16", "hf:google/vit-base-patch16-224" (with @FILE for its weights, or ?random), "gguf:model.gguf".
        preprocess: How a picture, a text, a row of a table or a series becomes the input, where the model does not say: see
            `Model`; also an image processor or a tokenizer of Hugging Face, transforms of torchvision. Never guessed.
        labels: The names of the classes, in order.
        builder: A function without arguments that makes the network whose weights are in the file.
        trust: Open files that can run code. The sha256 of a file is kept as the model's fingerprint, trusted or not.
        name: What to call it; by default its class, its file or its function.
        dtype: Which type the numbers of a language model get, of "hf:" and "gguf:" alone: "bfloat16" takes half of the memory
            and has two to three digits; "auto" keeps that of the file. None: float32.

    Raises:
        ModelError: There is no such model, the file is damaged or not trusted, or its weights do not fit.
        MissingExtra: What reads such models is not installed.

    Example:
        >>> load(nn.Linear(2, 3), labels=["cat", "dog", "owl"])
        Model(Linear, nn.Module, 9 parameters, 3 labels)
    """
    if dtype is not None and not _takes_dtype(source):
        raise _no_dtype(source, dtype)
    number_type = torch.float32 if dtype is None else as_number_type(dtype)
    model = _named(source, builder, trust, number_type) if isinstance(source, str | os.PathLike) else _object(source)
    if builder is not None and not _takes_builder(source):
        raise ModelError(
            "builder=", f"{source if isinstance(source, str | os.PathLike) else f'a {type(source).__name__}'}, which is whole",
            "it makes the network for a file that holds weights alone", "Leave it out, or give the file of the weights.",
        )  # fmt: skip
    known = {"preprocess": _reading(preprocess), "labels": None if labels is None else tuple(labels), "name": name}
    changes: dict[str, Any] = {field: value for field, value in known.items() if value is not None}
    model = replace(model, **changes) if changes else model
    if not isinstance(source, str | os.PathLike):
        return model
    how = origin(source, model, preprocess=preprocess, labels=labels, builder=builder, trust=trust, dtype=dtype)
    return replace(model, origin=how)


def _reading(how: Any) -> Any:
    """How something raw becomes the input, from whatever says it."""
    if how is None or hasattr(how, "read") or isinstance(how, Mapping):
        return how
    return Text(how) if is_tokenizer(how) else metadata.as_preprocess(how)


def _takes_builder(source: Any) -> bool:
    """Whether this may be a file of weights: what is not there is refused for that reason."""
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    path = Path(text).expanduser()
    if text in registry.BUILT_IN or text.partition(":")[0] in registry.HUBS or path.is_dir():
        return False
    return not path.exists() or file.kind(path) in (file.SAFETENSORS, file.PICKLE)


def _takes_dtype(source: Any) -> bool:
    """Whether the network is made by transformers, which can make it of numbers of any type."""
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    path = Path(text).expanduser()
    return text.partition(":")[0] in ("hf", "gguf") or path.is_dir() or (path.is_file() and file.kind(path) == file.GGUF)


def _no_dtype(source: Any, dtype: Any) -> ModelError:
    given = f"{source}" if isinstance(source, str | os.PathLike) else f"a {type(source).__name__}"
    why = "a network is used as it is; only what transformers makes of a folder or of a GGUF file is made with a type"
    return ModelError(f"dtype={dtype}", given, why, "Leave it out, or convert the network yourself: net.to(torch.bfloat16).")


def _object(source: Any) -> Model:
    if isinstance(source, Model):
        return source
    source = getattr(source, "_orig_mod", source)  # what torch.compile wraps: compiled code cannot be looked into
    if isinstance(source, torch.jit.ScriptModule):
        return torchscript.from_object(source)
    if _of_keras(source):
        return cast(Model, import_module("pellucid.model.sources.keras").from_object(source))
    if isinstance(source, nn.Module):
        return metadata.with_metadata(Model(source, type(source).__name__, "nn.Module", source, notes=int8_note(source)))
    if isinstance(source, ExportedProgram):
        return exported.from_object(source)
    if callable(source) and not isinstance(source, type):
        owner = getattr(source, "__self__", None)  # a method of a network brings its network along
        name = getattr(source, "__name__", type(source).__name__)
        return Model(source, name.strip("<>"), "callable", owner if isinstance(owner, nn.Module) else None)
    a_class = isinstance(source, type)
    raise ModelError(
        "a model", f"the class {source.__name__}" if a_class else f"an object of type {type(source).__name__}",
        "a class must be instantiated before it can compute" if a_class else "it cannot be called with a tensor",
        "Pass an nn.Module, an exported program, a function of tensors, the path of a file or the name of a built-in model.",
    )  # fmt: skip


def _of_keras(source: Any) -> bool:
    """Whether this is a model of Keras, on whatever backend; Keras is not imported for asking."""
    return any(kind.__module__.startswith("keras.") and kind.__name__ == "Model" for kind in type(source).__mro__)


def _named(
    source: str | os.PathLike[str], builder: Callable[[], nn.Module] | None, trust: bool, dtype: torch.dtype | None
) -> Model:
    """A built-in model, one of a hub, or else a file."""
    text = os.fspath(source)
    kind, colon, _ = text.partition(":")
    if colon and kind in registry.HUBS:
        return cast(Model, registry.find(registry.HUBS[kind])(replace(Reference.parse(text), dtype=dtype), trust))
    if text in registry.BUILT_IN:
        return cast(Model, registry.find(registry.BUILT_IN[text])())
    path = Path(text).expanduser()
    if not path.exists():
        raise _unknown(text)
    if path.is_dir():
        return cast(Model, import_module("pellucid.model.sources.huggingface").folder(path, text, trust, dtype=dtype))
    return _file(path, builder, trust, dtype)


def _file(path: Path, builder: Callable[[], nn.Module] | None, trust: bool, dtype: torch.dtype | None) -> Model:
    kind = file.kind(path)
    if kind == file.GGUF:
        return cast(Model, import_module("pellucid.model.sources.gguf").open_file(path, trust, dtype))
    if kind == file.SAFETENSORS:
        model = weights.load_state(path, builder)
    elif kind == file.PICKLE:
        model = weights.load_pickle(path, builder, trust)
    elif kind == file.ONNX:
        model = import_module("pellucid.model.sources.onnx").load(path)
    elif kind == file.KERAS:
        model = import_module("pellucid.model.sources.keras").load(path, trust)
    elif not trust:
        raise weights.untrusted(path, kind)
    else:
        model = torchscript.load(path) if kind == file.TORCHSCRIPT else exported.load(path)
    return replace(model, fingerprint=digest(path))


def _unknown(text: str) -> ModelError:
    kind, colon, rest = text.partition(":")
    if colon and rest and re.fullmatch(r"\w+", kind) and len(kind) > 1:  # one letter is a drive of Windows
        near = get_close_matches(kind, registry.HUBS, n=1)
        hint = f"Did you mean {near[0]}:{rest}?" if near else "Check the word before the colon, or the path."
        return ModelError(f"model {text}", f"the source {kind!r}", f"models come from {', '.join(registry.HUBS)}, or files", hint)
    near = get_close_matches(text, registry.BUILT_IN, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    name = re.fullmatch(r"[\w-]+", text) and not near
    do = f"name a source: timm:{text}. `pellucid models` lists them all." if name else "pass an nn.Module."
    return ModelError(
        f"model {text}", "no file and no built-in model of that name",
        f"the built-in models are {', '.join(registry.BUILT_IN)}", f"{hint}Check the path, or {do}",
    )  # fmt: skip
