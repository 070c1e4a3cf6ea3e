"""In-place operations: what they write to, and the functional operation that computes the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import tensors
from .decompose.modulated import scattered


@cache
def aten_name(fn: Any) -> str:
    """The bare name of an ATen operation, with its trailing underscore if it has one."""
    return str(fn._schema.name).partition("::")[2]


def written_tensors(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors that an in-place or `out=` operation writes to."""
    for i, argument in enumerate(fn._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield from tensors(args[i] if i < len(args) else kwargs.get(argument.name))


def scatter(whole: Tensor, part: Tensor, size: Any, stride: Any, offset: int) -> Tensor:
    """`whole` with `part` written into that view of it. PyTorch 2.13's own as_strided_scatter has a wrong derivative."""
    places = torch.arange(whole.numel(), device=whole.device).as_strided(size, stride, offset)
    return whole.index_put((places.reshape(-1),), part.reshape(-1))


def overwrite(source: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """What a tensor of that shape and type holds once `source` is copied to it; what it held before is no matter."""
    return source.to(dtype).expand(shape).clone()


@cache
def functional_twin(fn: Any) -> tuple[Any, frozenset[str]]:
    """The functional form of an in-place operation, and the names of the arguments that only say where to write."""
    packet, overload = aten_name(fn), fn._overloadname
    if packet == "scatter_" and "reduce" in overload:
        return scattered, frozenset()
    outs = frozenset(a.name for a in fn._schema.arguments if a.is_out)
    bare = packet if outs else packet.removesuffix("_")
    candidates = getattr(torch.ops.aten, bare, None)
    if candidates is None:
        return None, outs
    arguments = [(a.name, str(a.type)) for a in fn._schema.arguments if a.name not in outs]
    for name in sorted(candidates.overloads(), key=lambda name: name != overload):  # the overload of the same name first
        twin = getattr(candidates, name)
        if not twin._schema.is_mutable and [(a.name, str(a.type)) for a in twin._schema.arguments] == arguments:
            return twin, outs
    return None, outs
