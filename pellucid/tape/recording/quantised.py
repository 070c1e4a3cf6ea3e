"""Dynamically quantised dense layers: recorded as the float layer whose weights their whole numbers stand for, and a rounding."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .functional_twin import aten_name
from .recorder import Recorder

# Each, how its weights are read, and whether a ReLU follows.
LAYERS = {
    "linear_dynamic": ("linear_unpack", False),
    "linear_relu_dynamic": ("linear_unpack", True),
    "linear_dynamic_fp16": ("linear_unpack_fp16", False),
    "linear_relu_dynamic_fp16": ("linear_unpack_fp16", True),
}


def add_rounding(z: Tensor, rounding: Tensor) -> Tensor:
    """What the layer really made, from what the float layer makes: its slope is one, as in a straight-through estimator."""
    return z + rounding


def run_quantised(recorder: Recorder, recording: AbstractContextManager[Any], fn: Any, args: tuple[Any, ...]) -> Tensor:
    """What the layer makes, with the derivative and the weights of the float layer on the tape."""
    unpack, rectified = LAYERS[aten_name(fn)]
    x, made = args[0], fn(*args)
    weight, bias = getattr(torch.ops.quantized, unpack)(args[1])
    weight = weight.dequantize() if weight.is_quantized else weight.to(x.dtype)
    with recording:
        z = F.linear(x, weight, None if bias is None else bias.to(x.dtype))
        z = z.relu() if rectified else z
    rounded: Tensor = recorder.perform(add_rounding, "rounding", (z, made - z), {})
    return rounded
