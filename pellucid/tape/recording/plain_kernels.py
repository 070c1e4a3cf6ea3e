"""Plain kernels: transformer layers run as the modules they are made of, and return what their fused kernels would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pellucid.model.hooks import listening, visible
from pellucid.model.outputs import map_leaves

# Modules that take fused layers by themselves, in which their parts do not run.
FUSING = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)


@contextmanager
def plain_kernels(module: nn.Module | None) -> Iterator[None]:
    """No autograd, no inference mode, no fused transformer layers, in this thread alone: every model is made of the same few
    operations.

    What a fused layer returns lies in memory in order, and what its parts make may not: the model may need that order, to view it
    in another shape.

    Arguments:
        module: The network, where it is one: most have no layers that could be fused.
    """
    with torch.inference_mode(False), torch.no_grad():
        if module is not None and not any(isinstance(child, FUSING) for child in module.modules()):
            yield
            return
        paths = visible(module)
        fused = {id(child) for child in module.modules() if is_fused(child)} if module is not None else set()
        with _Unfused(), listening({k: path for k, path in paths.items() if k in fused}, leave=lambda _, out: in_order(out)):
            yield


def is_fused(layer: nn.Module) -> bool:
    """Whether PyTorch runs a layer as one kernel, in eval mode and without autograd, on whatever it may read."""
    if isinstance(layer, nn.TransformerEncoderLayer):
        eps = {getattr(norm, "eps", None) for norm in (layer.norm1, layer.norm2)}
        watched = any(child._forward_hooks or child._forward_pre_hooks for child in layer.modules())
        return is_fused(layer.self_attn) and bool(layer.activation_relu_or_gelu) and len(eps) == 1 and not watched
    if not isinstance(layer, nn.MultiheadAttention):
        return False
    extended = layer.bias_k is not None or layer.bias_v is not None or layer.add_zero_attn
    biased = layer.in_proj_weight is not None and layer.in_proj_bias is not None
    return layer.batch_first and biased and layer.num_heads % 2 == 0 and not extended


def in_order(output: Any) -> Any:
    """What a module returned, with every tensor of it in order in memory."""
    return map_leaves(output, Tensor, Tensor.contiguous)


class _Unfused(TorchFunctionMode):
    """Changes nothing; but PyTorch's transformer layers take no fused path where functions are watched."""

    def __torch_function__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return fn(*args, **(kwargs or {}))
