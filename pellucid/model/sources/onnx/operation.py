"""Operations of ONNX as functions on PyTorch tensors: one entry of a node, and the table that each operation is registered in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from torch import Tensor

Function = Callable[..., Any]
TABLE: dict[tuple[str, str], Function] = {}
NAMED_ALIKE = frozenset({"ai.onnx", ""})  # two names of the standard domain


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a file, as its function sees it: everything but the tensors.

    Arguments:
        kind: The operation: "Conv".
        name: Of the node in the file, or of its first output where it has none.
        opset: The version of its domain's operations that the file asks for.
        attributes: Numbers, strings, lists of them, tensors, and graphs, by their names in the file.
        outputs: How many outputs are read; those after the last one need not be computed.
        domain: "" for the operations of the standard.
        formats: Of the inputs, by the numbers that the standard gives them; 0 where the file does not say.
    """

    kind: str
    name: str
    opset: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    domain: str = ""
    formats: tuple[int, ...] = ()

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or what the standard says where the file leaves it out."""
        return self.attributes.get(name, default)


def operation(*kinds: str, domain: str = "") -> Callable[[Function], Function]:
    """Register what computes an operation: `function(node, *inputs)`, an input that is left out given as None, which returns one
    value or a tuple of them. Values are tensors; sequences are lists of tensors, an empty optional is None. A function of an
    operation that holds graphs also takes `outer`, the values that these graphs read from around them, by name.

    Example:
        >>> @operation("Twice", domain="doctest")
        ... def twice(node, x):
        ...     return 2 * x
        >>> find("Twice", "doctest") is twice
        True
    """

    def register(function: Function) -> Function:
        for kind in kinds:
            assert (domain, kind) not in TABLE, f"{kind} of the domain {domain!r} is registered twice"
            TABLE[domain, kind] = function
        return function

    return register


def find(kind: str, domain: str = "") -> Function | None:
    """What computes an operation, if anything does."""
    return TABLE.get((standard(domain), kind))


def check_inputs(proto: Any, function: Function) -> None:
    """Whether an operation of a file is given what it cannot do without.

    Raises:
        ValueError: it is not.
    """
    for at, (name, may_be_empty) in enumerate(required(function)):
        if at >= len(proto.input) or not (proto.input[at] or may_be_empty):
            raise ValueError(f"{proto.op_type} `{proto.name or next(iter(proto.output), '')}` without its input {at} ({name})")


@cache
def required(function: Function) -> tuple[tuple[str, bool], ...]:
    """The inputs that the function of an operation has no value for, and whether each may stand there empty."""
    _, *taken = inspect.signature(function).parameters.values()
    needed = [one for one in taken if one.kind is one.POSITIONAL_OR_KEYWORD and one.default is one.empty]
    return tuple((one.name, any(word in str(one.annotation) for word in ("None", "Any"))) for one in needed)


def standard(domain: str) -> str:
    return "" if domain in NAMED_ALIKE else domain


def integers(values: Tensor | None) -> list[int]:
    """Sizes, axes or positions that a tensor holds, as numbers; none of them where an input is left out."""
    return [] if values is None else [int(value) for value in values.flatten().tolist()]


def axes_of(node: Node, given: Tensor | None = None, name: str = "axes") -> list[int] | None:
    """Axes that stand in an attribute in older versions of an operation and in an input in newer ones; None: not said."""
    listed = node.get(name)
    return [int(axis) for axis in listed] if listed is not None else None if given is None else integers(given)
