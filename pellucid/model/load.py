"""A Model from whatever a network comes as: one function per source."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.export import ExportedProgram

from pellucid.errors import ModelError
from pellucid.model import weights
from pellucid.model.model import Model

Source = Model | nn.Module | ExportedProgram | Callable[..., Any] | str | os.PathLike[str]


def load(
    source: Source,
    *,
    preprocess: Any = None,
    labels: Sequence[str] | None = None,
    builder: Callable[[], nn.Module] | None = None,
    trust: bool = False,
    name: str | None = None,
) -> Model:
    """A handle on a network, wherever it comes from. A network that is passed in is used as it is and never changed.

    Safe files hold numbers only: a state dict (.safetensors, or .pth read without its code), filled into what `builder` makes.
    TorchScript, .pt2 and pickled modules can run any code when they are opened, so they need `trust=True`.

    Arguments:
        source: A Model, an nn.Module (scripted or traced too), an ExportedProgram, any callable of tensors, the name of a
            built-in model, or the path of a file.
        preprocess: How a picture, a row of a table or a series becomes the input; never guessed. See `Model`.
        labels: The names of the classes, in order.
        builder: A function without arguments that makes the network whose weights are in the file.
        trust: Open files that can run code. The sha256 of a file is kept as the model's fingerprint, trusted or not.
        name: What to call it; by default its class, its file or its function.

    Raises:
        ModelError: There is no such model, the file is damaged or not trusted, or its weights do not fit.

    Example:
        >>> load(nn.Linear(2, 3), labels=["cat", "dog", "owl"])
        Model(Linear, nn.Module, 9 parameters, 3 labels)
    """
    model = _named(source, builder, trust) if isinstance(source, str | os.PathLike) else _object(source)
    known = {"preprocess": preprocess, "labels": None if labels is None else tuple(labels), "name": name}
    changes: dict[str, Any] = {field: value for field, value in known.items() if value is not None}
    return replace(model, **changes) if changes else model


def _object(source: Any) -> Model:
    if isinstance(source, Model):
        return source
    source = getattr(source, "_orig_mod", source)  # what torch.compile wraps: compiled code cannot be looked into
    if isinstance(source, torch.jit.ScriptModule):
        return Model(source, str(source.original_name), "TorchScript module", source)
    if isinstance(source, nn.Module):
        return Model(source, type(source).__name__, "nn.Module", source)
    if isinstance(source, ExportedProgram):
        return _exported(source, "exported program", "ExportedProgram")
    if callable(source) and not isinstance(source, type):
        return _function(source)
    a_class = isinstance(source, type)
    raise ModelError(
        "a model",
        f"the class {source.__name__}" if a_class else f"an object of type {type(source).__name__}",
        "a class must be instantiated before it can compute" if a_class else "it cannot be called with a tensor",
        "Pass an nn.Module, an exported program, a function of tensors, the path of a file or the name of a built-in model.",
    )


def _function(function: Callable[..., Any]) -> Model:
    """A plain callable; a method of a network brings its network along."""
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return Model(function, name.strip("<>"), "callable", owner if isinstance(owner, nn.Module) else None)


def _exported(program: ExportedProgram, name: str, source: str) -> Model:
    module = program.module()
    return Model(module, name, source, module)


def _named(source: str | os.PathLike[str], builder: Callable[[], nn.Module] | None, trust: bool) -> Model:
    """A built-in model, or else a file."""
    text = os.fspath(source)
    hub = re.match(r"(timm|hf|torchvision):", text)
    if hub:
        raise _unsupported(text, f"a model of {hub[1]}", "models are not fetched from hubs yet")
    zoo = import_module("pellucid.zoo")  # named, not imported: the built-in models are made of this floor's nouns
    if text in zoo.MODELS:
        return cast(Model, getattr(zoo, text)())
    path = Path(text).expanduser()
    if not path.exists():
        raise _unknown(text, sorted(zoo.MODELS))
    return _file(path, builder, trust)


def _file(path: Path, builder: Callable[[], nn.Module] | None, trust: bool) -> Model:
    kind = _kind(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if kind == "safetensors":
        model = _filled(path, weights.read_safetensors(path), builder)
    elif kind == "pickle":
        model = _unpickled(path, builder, trust)
    elif not trust:
        raise weights.untrusted(path, kind)
    else:
        model = _torchscript(path) if kind == "a TorchScript file" else _program(path)
    return replace(model, fingerprint=digest)


def _kind(path: Path) -> str:
    """What a file is, by its contents and not by its name: a name is easily wrong, and decides nothing about safety."""
    asked = f"model {path}"
    if not path.is_file():
        found = "a folder" if path.is_dir() else "a device or a pipe"
        raise ModelError(asked, found, "a model is read from one file", "Name that file.")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise ModelError(asked, "an empty file", "there are no weights in it", "Save or fetch it again.")
    if path.suffix == ".onnx":
        raise _unsupported(str(path), "an ONNX file", "ONNX is not read yet")
    if path.suffix == ".safetensors":
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return _archive(path)
    if start.startswith(b"\x80"):  # how every binary pickle begins
        return "pickle"
    why = "that is no PyTorch, TorchScript or safetensors file"
    raise ModelError(asked, f"a file that begins with {start[:40]!r}", why, "Check that the file itself was fetched.")


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2] or name for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError) as error:
        raise weights.damaged(path, error) from None
    if "constants.pkl" in members:  # as torch.load tells them apart
        return "a TorchScript file"
    if members & {"archive_format", "serialized_exported_program.json"}:
        return "an exported program (.pt2)"
    if "data.pkl" in members:
        return "pickle"
    why = "PyTorch did not write it"
    raise ModelError(f"model {path}", "a zip archive without a model", why, "Unpack it and name the file inside.")


def _torchscript(path: Path) -> Model:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is old, and so are the files people have
            module = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise weights.damaged(path, error) from None
    return Model(module, path.stem, f"TorchScript file {path.name}, trusted by the user", module)


def _program(path: Path) -> Model:
    try:
        program = torch.export.load(path)
    except Exception as error:
        raise weights.damaged(path, error) from None
    return _exported(program, path.stem, f"exported program {path.name}, trusted by the user")


def _unpickled(path: Path, builder: Callable[[], nn.Module] | None, trust: bool) -> Model:
    content, trusted = weights.read_pickle(path, trust)
    if isinstance(content, nn.Module):
        module = content.eval()
        return Model(module, path.stem, f"pickled module {path.name}, trusted by the user", module)
    return _filled(path, weights.state(content, path), builder, ", trusted by the user" if trusted else "")


def _filled(path: Path, state: weights.State, builder: Callable[[], nn.Module] | None, remark: str = "") -> Model:
    module = weights.fill(weights.build(builder, path), state, path).eval()
    return Model(module, path.stem, f"state dict {path.name}{remark}", module)


def _unsupported(asked: str, found: str, why: str) -> ModelError:
    do = "Build the network yourself and pass it as an nn.Module: load(module.eval(), preprocess=...)."
    return ModelError(f"model {asked}", found, why, do)


def _unknown(text: str, names: Sequence[str]) -> ModelError:
    near = get_close_matches(text, names, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return ModelError(
        f"model {text}",
        "no file and no built-in model of that name",
        f"the built-in models are {', '.join(names)}",
        f"{hint}Check the path, or pass an nn.Module.",
    )
