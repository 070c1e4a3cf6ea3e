"""Files of tensors, from wherever they come: read whole, and refused in words where they are damaged."""

from __future__ import annotations

import struct
from pathlib import Path

from torch import Tensor

from pellucid.errors import OutputError
from .files import parse_json


def read_tensors(path: Path, request: str, do: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a safetensors file; what it claims to hold is checked before memory is taken for it.

    Arguments:
        request, do: What was asked for, and what to do where it cannot be read: parts of the error.

    Raises:
        OutputError: there is no such file, or it is cut short or damaged.
    """
    from safetensors.torch import load

    if path.exists() and not path.is_file():
        raise OutputError(request, "a folder" if path.is_dir() else "a device or a pipe", "it cannot be read", do)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise OutputError(request, getattr(error, "strerror", None) or str(error), "it cannot be read", do) from None
    try:
        tensors: dict[str, Tensor] = load(data)
        (length,) = struct.unpack("<Q", data[:8])
        metadata = parse_json(data[8 : 8 + length]).get("__metadata__") or {}
    except Exception as error:  # of the format, of JSON, and of types that this PyTorch does not have
        found = " ".join(str(error).split())[:200]
        raise OutputError(request, found or type(error).__name__, "it is not a whole safetensors file", do) from None
    return metadata, tensors
