"""What a model and PyTorch were before, and what of it has changed: parameters, buffers, hooks, flags, random state, settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.model import Model

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")


def state(model: Model, x: Tensor) -> dict[str, Any]:
    """All that an explanation must leave as it was, by name."""
    found = dict(_settings()) | {"the input": _content(x)}
    if isinstance(model.module, nn.Module):
        found |= dict(_of_module(model.module))
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of what is not what it was."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _settings() -> Iterator[tuple[str, Any]]:
    backends = torch.backends
    yield "the random state", torch.get_rng_state().numpy().tobytes()
    yield "the fused attention of encoders", backends.mha.get_fastpath_enabled()
    kernels = ("flash_sdp_enabled", "mem_efficient_sdp_enabled", "math_sdp_enabled", "cudnn_sdp_enabled")
    yield "the kernels of attention", [getattr(backends.cuda, name)() for name in kernels]
    yield "mkldnn and cudnn", (backends.mkldnn.enabled if hasattr(backends.mkldnn, "enabled") else None, backends.cudnn.enabled)
    yield "gradient and inference mode", (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    yield "autocast", (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda"))
    yield "default types", (torch.get_default_dtype(), torch.get_default_device())
    yield "the number of threads", torch.get_num_threads()
    yield "deterministic algorithms", torch.are_deterministic_algorithms_enabled()
    yield "global hooks", [len(getattr(nn.modules.module, f"_global{name}", ())) for name in HOOKS[:4]]


def _of_module(module: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, parameter in module.named_parameters():
        gradient = None if parameter.grad is None else _content(parameter.grad)
        yield f"the parameter {name}", (*_content(parameter), parameter.requires_grad, gradient)
    for name, buffer in module.named_buffers():
        yield f"the buffer {name}", _content(buffer)
    for name, child in module.named_modules():
        hooks = [len(getattr(child, kind, ())) for kind in HOOKS]
        yield f"flags and hooks of {name or 'the network'}", (child.training, hooks)


def _content(t: Tensor) -> tuple[Any, ...]:
    """The identity of a tensor, how often it was written to, and a sum that shows what it holds."""
    version = None if t.is_inference() else t._version
    real = t.is_floating_point() and t.layout == torch.strided
    return id(t), version, repr(float(t.detach().double().sum())) if real else None
