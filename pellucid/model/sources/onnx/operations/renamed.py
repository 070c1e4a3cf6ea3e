"""Operations that onnxruntime had under its own name before, or beside, those of the standard that mean the same."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..operation import Node, find, integers, operation

SAME = ("Trilu", "GatherND", "Range", "LinearAttention")


def _standard(kind: str) -> Any:
    def compute(node: Node, *inputs: Any) -> Any:
        function = find(kind)
        assert function is not None, kind
        return function(node, *inputs)

    return compute


for kind in SAME:
    operation(kind, domain="com.microsoft")(_standard(kind))


@operation("ExpandDims", domain="com.microsoft")
def expand_dims(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    return x.unsqueeze(integers(axis)[0])


@operation("CausalConvWithState", domain="com.microsoft")
def causal_conv(node: Node, *inputs: Any) -> Any:
    """The standard's, in one dimension.

    Raises:
        ValueError: An option that the standard does not have is set.
    """
    odd = [name for name, usual in _USUAL.items() if node.get(name, usual) != usual]
    if odd:
        raise ValueError(f"a causal convolution with {', '.join(odd)}")
    return _standard("CausalConvWithState")(node, *inputs)


_USUAL = {"ndim": 1, "dilation": 1, "channels_last": 0, "state_window": 0}
