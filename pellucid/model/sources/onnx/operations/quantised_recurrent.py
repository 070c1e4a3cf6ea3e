"""Recurrent layers whose weights are whole numbers, and whose input and state are rounded at each step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from ..operation import Node
from .recurrent import recurrent
from .rounding import MICROSOFT, accepting, dynamically_quantise, real


@accepting("DynamicQuantizeLSTM", domain=MICROSOFT)
def quantised_lstm(node: Node, x: Tensor, w: Any, r: Any, *rest: Any) -> tuple[Tensor, ...]:
    """An LSTM whose weights have shape (direction, feature, gate * size), with a scale for each direction or for each column."""
    *states, w_scale, w_zero, r_scale, r_zero = rest
    weights = (_weights(one, scale, zero) for one, scale, zero in ((w, w_scale, w_zero), (r, r_scale, r_zero)))
    plain = replace(node, kind="LSTM", domain="")
    made: tuple[Tensor, ...] = recurrent(plain, x, *weights, *states, read=lambda z: dynamically_quantise(node, z)[0].real)
    return made


def _weights(whole: Any, scale: Tensor, zero: Tensor) -> Tensor:
    """As an LSTM takes them: the shape (direction, gate * size, feature)."""
    return real(whole, scale.view(len(scale), 1, -1), zero.view(len(zero), 1, -1)).mT
