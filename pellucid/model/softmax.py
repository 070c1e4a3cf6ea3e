"""A softmax at the end of a model: whether outputs come from one, and the scores before it, intercepted while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SOFTMAXES: set[Any] = {torch.softmax, torch.nn.functional.softmax, torch.Tensor.softmax}
SOFTMAXES |= {torch.ops.aten.softmax.int, torch.ops.aten._softmax.default}


@dataclass(frozen=True, eq=False)
class BeforeSoftmax:
    """A forward pass that returns what its last softmax was given, where a softmax is the last thing that it does.

    The model runs as it is; the call of the softmax is only listened to. Scripted code calls nothing that can be heard, and its
    output stays as it is.

    Example:
        >>> BeforeSoftmax(lambda x: (2 * x).softmax(-1))(torch.tensor([0.0, 3.0]))
        tensor([0., 6.])
    """

    forward: Callable[..., Any]

    def __call__(self, *inputs: Tensor) -> Any:
        with _SoftmaxListener() as listener:
            output = self.forward(*inputs)
        return listener.score if listener.softmax is output and isinstance(output, Tensor) else output


class _SoftmaxListener(TorchFunctionMode):
    softmax: Tensor | None = None
    score: Tensor | None = None

    def __torch_function__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        output = fn(*args, **(kwargs or {}))
        if fn in SOFTMAXES:
            self.softmax, self.score = output, args[0] if args else (kwargs or {}).get("input")
        return output


def are_probabilities(scores: Tensor) -> bool:
    """Whether scores, with shape (sample, class, ...), come from a softmax: none is negative, and each sample's sum to 1."""
    return bool((scores >= 0).all() and ((scores.sum(1) - 1).abs() < 1e-3).all())
