"""Constants of an ONNX file as PyTorch tensors: every number format, text as a list of strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..availability import optional

SMALL = {"uint4", "int4", "uint2", "int2"}  # what PyTorch does not compute with: kept in bytes
EIGHT_BITS = {
    "float8_e4m3fn": torch.float8_e4m3fn, "float8_e4m3fnuz": torch.float8_e4m3fnuz,
    "float8_e5m2": torch.float8_e5m2, "float8_e5m2fnuz": torch.float8_e5m2fnuz,
    "float8_e8m0fnu": torch.float8_e8m0fnu,
}  # fmt: skip
KNOWN = {
    "float": "float32", "double": "float64", "uint4": "uint8", "int4": "int8", "uint2": "uint8", "int2": "int8",
    "float4e2m1": "float32", **{name.replace("_", ""): name for name in EIGHT_BITS}, "float8e8m0": "float8_e8m0fnu",
}  # fmt: skip


def format_name(number: int | str) -> str:
    """What the standard calls a format of numbers, in small letters: 1 is "float". Old files give the name."""
    if isinstance(number, str):
        return number.lower()
    proto = optional("an ONNX file", "onnx", "onnx").TensorProto
    name: str = proto.DataType.Name(number)
    return name.lower()


def dtype(number: int | str) -> torch.dtype:
    """The format of numbers that the standard gives a number: 1 is float32. Those of fewer than eight bits are in larger ones.

    Raises:
        ValueError: PyTorch has none like it.
    """
    name = format_name(number)
    found = getattr(torch, KNOWN.get(name, name), None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"numbers of the format {name}, which PyTorch does not have")
    return found


def tensor(proto: Any) -> Any:
    """A constant as a tensor, or as a list of strings, nested as it is shaped.

    Raises:
        ValueError: its numbers lie outside the file, and were not read when the file was.
    """
    if proto.data_location == proto.EXTERNAL:
        raise ValueError(f"a constant {proto.name!r} whose numbers lie outside the file")
    array = optional("an ONNX file", "onnx", "onnx").numpy_helper.to_array(proto)
    return from_array(array)


def from_array(array: Any) -> Any:
    """An array as a tensor that owns its numbers."""
    array = np.asarray(array)
    name = array.dtype.name
    if array.dtype.kind in "OSU":
        return np.vectorize(_text, otypes=[object])(array).tolist() if array.size else []
    if name == "bfloat16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    if name in EIGHT_BITS:
        return torch.from_numpy(array.view(np.uint8).copy()).view(EIGHT_BITS[name])
    if name in SMALL:
        array = array.astype(np.uint8 if name.startswith("u") else np.int8)
    elif array.dtype.kind == "V" or name.startswith("float4") or name.startswith("float8"):
        array = array.astype(np.float32)
    return torch.from_numpy(np.array(array, order="C", copy=True))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def is_number(value: Any) -> bool:
    """Whether a constant is learned numbers, rather than sizes, positions or text."""
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())
