"""The operations of the standard, and those that exporters add: a file per family, each function registered under its name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ...availability import optional
from ..operation import standard

FAMILIES = tuple(import_module(f"{__name__}.{family.name}") for family in iter_modules(__path__))


def body(file: Any, node: Any) -> Any:
    """What an operation is made of, where the standard writes it as a function of others; None where it does not."""
    onnx = optional("an ONNX file", "onnx", "onnx")
    defs = onnx.defs
    version = file.opsets.get(standard(node.domain), 1)
    try:
        schema = defs.get_schema(node.op_type, version, standard(node.domain))
    except defs.SchemaError:
        return None
    text = schema.get_function_with_opset_version(version) if schema.has_function else b""
    return onnx.FunctionProto.FromString(text) if text else None
