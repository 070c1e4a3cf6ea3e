"""Sparse constants, as adjacency matrices, are read as dense ones; sparse and nested values of the input are refused."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pellucid.errors import ModelError
from pellucid.model.outputs import map_leaves, tensors
from .functional_twin import aten_name
from .recorder import Recorder

# Products of sparse matrices, and those of dense ones that compute the same.
DENSE = {"_sparse_addmm": torch.ops.aten.addmm.default, "_sparse_mm": torch.ops.aten.mm.default}


class InDense:
    """Answers operations that a recorder could not take, with every sparse constant made dense."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._dense: dict[int, tuple[Tensor, Tensor]] = {}  # of each sparse tensor met so far: itself, and its dense form

    def answer(self, error: Exception, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the operation makes.

        Raises:
            ModelError: what the network computes of its input is itself sparse or nested.
            Exception: the error itself, where that has nothing to do with memory.
        """
        read = list(tensors((args, kwargs)))
        irregular = [t for t in read if is_irregular(t)]
        if not irregular and not any(word in str(error) for word in ("Sparse", "Nested")):
            raise error
        if not any(self.recorder.tracked(t) for t in read if not is_irregular(t)):
            return fn(*args, **kwargs)
        if not irregular or any(t.is_nested for t in irregular):
            raise _no_places(
                fn, "nested" if any(t.is_nested for t in irregular) or "Nested" in str(error) else "sparse"
            ) from None
        fn = DENSE.get(aten_name(fn), fn)
        return self.recorder.dispatch(fn, map_leaves(args, Tensor, self._in_dense), map_leaves(kwargs, Tensor, self._in_dense))

    def _in_dense(self, t: Tensor) -> Tensor:
        if not is_irregular(t):
            return t
        if id(t) not in self._dense:
            self._dense[id(t)] = t, t.to_dense()
        return self._dense[id(t)][1]


def is_irregular(t: Tensor) -> bool:
    """Whether a tensor is nested, or holds only some of its entries."""
    return t.is_nested or t.layout != torch.strided


def _no_places(fn: Any, what: str) -> ModelError:
    return ModelError(
        "Recording this network", f"{what} tensors that descend from the input, in {aten_name(fn)}",
        "their entries have no places that relevance or a gradient could be carried back to",
        "Compute with padded, dense tensors in the model, such as x.to_dense() and torch.nn.utils.rnn.pad_sequence, or choose"
        " a method that only runs the model, such as occlusion.",
    )  # fmt: skip
