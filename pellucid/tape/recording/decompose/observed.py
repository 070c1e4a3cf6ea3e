"""The step of training for whole numbers that watches ranges and rounds to them, as the rounding alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import ModelError


def rounded(
    x: Tensor, watching: Tensor, rounding: Tensor, low: Tensor, high: Tensor, scale: Tensor, zero_point: Tensor, constant: float,
    least: int, most: int, axis: int, per_channel: bool = False, symmetric: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """x rounded to the steps of its range, and where it was inside of it.

    Raises:
        ModelError: the range is watched, so that every call changes what the network computes.
    """
    if bool(watching):
        raise ModelError(
            "an explanation of a network in training for whole numbers", "observers that are switched on",
            "every call changes the ranges that they watch, and so what the network computes",
            "Call net.apply(torch.ao.quantization.disable_observer) first.",
        )  # fmt: skip
    if not bool(rounding):
        return x.clone(), torch.ones_like(x, dtype=torch.bool)
    aten = torch.ops.aten
    if per_channel:
        y, inside = aten.fake_quantize_per_channel_affine_cachemask(x, scale, zero_point, axis, least, most)
        return y, inside
    y, inside = aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams(x, scale, zero_point, rounding, least, most)
    return y, inside


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {"_fused_moving_avg_obs_fq_helper": rounded}
