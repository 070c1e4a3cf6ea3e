"""The kind of a file, told by its contents: names are easily wrong, and decide nothing about safety."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pellucid.errors import ModelError
from . import weights

SAFETENSORS, PICKLE, ONNX = "safetensors", "pickle", "an ONNX file"
TORCHSCRIPT, PROGRAM = "a TorchScript file", "an exported program (.pt2)"
KERAS, GGUF = "a Keras file", "a GGUF file"


def kind(path: Path) -> str:
    """One of the kinds above.

    Raises:
        ModelError: It is empty, or none of them.
    """
    request = f"model {path}"
    if not path.is_file():
        raise ModelError(request, "a device or a pipe", "a model is read from one file", "Name that file.")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise ModelError(request, "an empty file", "there are no weights in it", "Save or fetch it again.")
    if path.suffix == ".safetensors":
        return SAFETENSORS
    if start.startswith(b"PK\x03\x04"):
        return _archive(path)
    if start.startswith(b"GGUF"):
        return GGUF
    if start.startswith(b"\x89HDF\r\n"):
        return KERAS
    if start.startswith(b"\x80"):  # how every binary pickle begins
        return PICKLE
    if start.startswith(b"\x08") or path.suffix == ".onnx":  # its first field, the version of the format
        return ONNX
    why = "that is no PyTorch, TorchScript, ONNX, Keras, GGUF or safetensors file"
    raise ModelError(request, f"a file that begins with {start[:40]!r}", why, "Check that the file itself was fetched.")


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2] or name for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError) as error:
        raise weights.damaged(path, error) from None
    if "constants.pkl" in members:  # as torch.load tells them apart
        return TORCHSCRIPT
    if members & {"archive_format", "serialized_exported_program.json"}:
        return PROGRAM
    if "data.pkl" in members:
        return PICKLE
    if {"config.json", "model.weights.h5"} <= members:
        return KERAS
    why = "PyTorch did not write it"
    raise ModelError(f"model {path}", "a zip archive without a model", why, "Unpack it and name the file inside.")
