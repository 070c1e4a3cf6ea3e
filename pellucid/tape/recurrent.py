"""Fused recurrent kernels told as the sums and products they compute, step by step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

LSTM = 2  # the number of the mode in the fused kernel's arguments


def mkldnn_rnn_layer(*args: Any) -> tuple[Tensor, Tensor, Tensor, None]:
    """One direction of one LSTM layer, as PyTorch computes it without the fused kernel.

    i, f, g, o = W x_t + U h + b;  c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)

    References: Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735
    """
    x, w_input, w_hidden, b_input, b_hidden, h, c, backwards = args[:8]
    biased = args[12]
    gates = linear(x, w_input, b_input if biased else None).unbind(0)
    outputs: list[Tensor] = []
    for gate in gates[::-1] if backwards else gates:
        i, f, g, o = (linear(h, w_hidden, b_hidden if biased else None) + gate).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs[::-1] if backwards else outputs), h, c, None
