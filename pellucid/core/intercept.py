"""InterceptMode: a function in place of every ATen operation. Only this and the recorder of tapes take part in the dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class InterceptMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Calls a function in place of every ATen operation; a recorder around it sees the operations that this function runs."""

    def __init__(self, answer: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answer = answer

    def __torch_dispatch__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return self.answer(fn, args, kwargs or {})
