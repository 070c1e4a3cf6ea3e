"""Mode: what takes part in the dispatch of ATen operations. InterceptMode: a function in place of every one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

PRECISION = {float: torch.float64, complex: torch.complex128}  # of the numbers of a program, which lose none on their way


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that is not compiled.

    PyTorch keeps its compiler out of modes, for which it imports it at the first operation that any mode is shown: about a second
    in every process. Here that waits until a program has brought the compiler along, by `torch.compile`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        kind: Any = cls
        return super().__new__(_uncompiled(kind) if "torch._dynamo" in sys.modules else kind)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


@cache
def _uncompiled(mode: Any) -> Any:
    """The mode as a class whose frames the compiler passes by."""
    return type(mode.__name__, (mode,), {"__torch_dispatch__": torch.compiler.disable(mode.__torch_dispatch__)})  # type: ignore[no-untyped-call]


class InterceptMode(Mode):
    """Calls a function in place of every ATen operation; a recorder around it sees the operations that this function runs."""

    def __init__(self, answer: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answer = answer

    def __torch_dispatch__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return self.answer(fn, with_tensors(args, tensor_places(fn)), kwargs or {})


class NumbersRead(TorchFunctionMode):
    """Tells a function which tensors are read as numbers or as an array, and how: no operation shows that."""

    READ = frozenset({Tensor.tolist, Tensor.numpy, Tensor.__array__})

    def __init__(self, tell: Callable[[Tensor, str], None]) -> None:
        super().__init__()
        self.tell = tell

    def __torch_function__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if fn in self.READ:
            self.tell(args[0], fn.__name__)
        return fn(*args, **(kwargs or {}))


def aside() -> AbstractContextManager[Any]:
    """What is computed here is no part of what is recorded: it stands beside the network as its weights do."""
    return _disable_current_modes()


def with_tensors(args: tuple[Any, ...], places: tuple[int, ...]) -> tuple[Any, ...]:
    """The arguments, with tensors where there have to be some.

    Traced programs hand on lengths of axes, and numbers that they hold, as tensors; a dispatch mode is given bare numbers.
    """
    for i in places:
        if i < len(args) and isinstance(args[i], (int, float, complex)):
            number = torch.tensor(args[i], dtype=PRECISION.get(type(args[i])))
            args = (*args[:i], number, *args[i + 1 :])
    return args


@cache
def tensor_places(fn: Any) -> tuple[int, ...]:
    """The arguments of an operation that are tensors, and may not be numbers."""
    if torch._C._should_allow_numbers_as_tensors(fn.overloadpacket.__name__):
        return ()
    return tuple(i for i, argument in enumerate(fn._schema.arguments) if str(argument.type) == "Tensor")
