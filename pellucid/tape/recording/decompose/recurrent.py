"""Fused recurrent kernels decomposed into sums and products, step by step, as in a plain loop over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

# The numbers of the modes in the arguments of fused kernels.
RELU, TANH, LSTM, GRU = range(4)
State = tuple[Tensor, Tensor]
"""What a cell holds between steps: h and, in an LSTM, c (elsewhere the same h again)."""


def lstm(gates: Tensor, c: Tensor) -> State:
    """i, f, g, o = gates;  c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)

    References: Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735
    """
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(of_input: Tensor, of_hidden: Tensor, h: Tensor) -> Tensor:
    """r = sigmoid(x_r + h_r);  z = sigmoid(x_z + h_z);  n = tanh(x_n + r h_n);  h = (1 - z) n + z h

    References: Cho et al., 2014, https://doi.org/10.3115/v1/D14-1179
    """
    x_r, x_z, x_n = of_input.chunk(3, 1)
    h_r, h_z, h_n = of_hidden.chunk(3, 1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return n + z * (h - n)


def step(mode: int, of_input: Tensor, of_hidden: Tensor, state: State) -> State:
    """One step of one layer, from what the weights made of its input and of its state."""
    h, c = state
    if mode == LSTM:
        return lstm(of_hidden + of_input, c)
    if mode == GRU:
        h = gru(of_input, of_hidden, h)
    else:
        h = (of_hidden + of_input).relu() if mode == RELU else (of_hidden + of_input).tanh()
    return h, h


def layer(
    mode: int, xs: Tensor | Sequence[Tensor], weights: Sequence[Tensor], state: State, *, biased: bool, backwards: bool = False
) -> tuple[list[Tensor], State]:
    """One layer in one direction over all steps; its output at each, and the state it ends in.

    Steps may have fewer rows than the one before: sequences, longest first, that have ended. Backwards, they enter as time goes
    down to their last word.

    Arguments:
        xs: What enters at each step; one tensor where all steps have the same rows, which keeps their axis.
        weights: Of the input, of the state, their biases if `biased`, and the projection of h if there is one.
    """
    w_input, w_hidden = weights[:2]
    b_input, b_hidden = weights[2:4] if biased else (None, None)
    project = weights[4 if biased else 2 :]
    start, rows = state, [len(x) for x in xs]
    order = range(len(xs))[::-1] if backwards else range(len(xs))
    if isinstance(xs, Tensor):
        of_inputs = linear(xs, w_input, b_input).unbind(0)
    else:
        of_inputs = linear(torch.cat(list(xs)), w_input, b_input).split_with_sizes(rows)
    hidden: dict[int, Tensor] = {}
    ended: list[State] = []
    state = _rows(start, 0, rows[order[0]])
    for t in order:
        have, need = len(state[0]), rows[t]
        if need > have:
            state = _joined(state, _rows(start, have, need))
        elif need < have:
            ended.append(_rows(state, need, have))
            state = _rows(state, 0, need)
        h, c = step(mode, of_inputs[t], linear(state[0], w_hidden, b_hidden), state)
        state = (linear(h, project[0]) if project else h), c
        hidden[t] = state[0]
    for part in reversed(ended):
        state = _joined(state, part)
    return [hidden[t] for t in range(len(xs))], state


def _rows(state: State, first: int, last: int) -> State:
    h, c = state
    return (h, c) if (first, last) == (0, len(h)) else (h[first:last], c[first:last])


def _joined(a: State, b: State) -> State:
    return torch.cat([a[0], b[0]]), torch.cat([a[1], b[1]])


def stacked(
    mode: int, xs: list[Tensor], groups: Sequence[Sequence[Tensor]], states: Sequence[State], *, biased: bool, both: bool
) -> tuple[list[Tensor], list[State]]:
    """All layers; `both` directions of one read the same and are laid side by side."""
    ends: list[State] = []
    ways = 2 if both else 1
    for first in range(0, len(groups), ways):
        directions = [
            layer(mode, xs, groups[k], states[k], biased=biased, backwards=k > first) for k in range(first, first + ways)
        ]  # fmt: skip
        xs = [torch.cat(parts, 1) if both else parts[0] for parts in zip(*(hidden for hidden, _ in directions), strict=True)]
        ends += [end for _, end in directions]
    return xs, ends


def mkldnn_rnn_layer(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One direction of one LSTM layer on a CPU."""
    x, w_input, w_hidden, b_input, b_hidden, h, c, backwards = args[:8]
    biased = bool(args[12])
    weights = (w_input, w_hidden, b_input, b_hidden) if biased else (w_input, w_hidden)
    hidden, (h, c) = layer(LSTM, x, weights, (h, c), biased=biased, backwards=backwards)
    return torch.stack(hidden), h, c, x.new_empty(0)


def cudnn_rnn(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All layers and directions of a recurrent network on a GPU, on a padded batch or a packed one."""
    x, weights, each, _, h, c, mode, _, _, _, first, _, _, both, sizes = args[:15]
    outputs, h, c = _network(x, weights, each, h, c, mode, first, both, sizes)
    return outputs, h, c, x.new_empty(0), x.new_empty(0)


def miopen_rnn(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The same on a GPU of AMD's."""
    x, weights, each, h, c, mode, _, _, first, _, _, both, sizes = args[:13]
    outputs, h, c = _network(x, weights, each, h, c, mode, first, both, sizes)
    return outputs, h, c, x.new_empty(0), x.new_empty(0)


def _network(
    x: Tensor, weights: Sequence[Tensor], each: int, h: Tensor, c: Tensor | None, mode: int, first: bool, both: bool, sizes: Any
) -> tuple[Tensor, Tensor, Tensor]:
    groups = [weights[k : k + each] for k in range(0, len(weights), each)]
    states = list(zip(h.unbind(0), (h if c is None else c).unbind(0), strict=True))
    xs = x.split_with_sizes(list(sizes)) if len(sizes) else x.unbind(1 if first else 0)
    hidden, ends = stacked(mode, list(xs), groups, states, biased=each >= 4, both=both)
    outputs = torch.cat(hidden) if len(sizes) else torch.stack(hidden, 1 if first else 0)
    h, c = (torch.stack(parts) for parts in zip(*ends, strict=True))
    return outputs, h, c if mode == LSTM else x.new_empty(0)


def fused_lstm_cell(
    of_input: Tensor, of_hidden: Tensor, c: Tensor, b_input: Tensor | None = None, b_hidden: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of an LSTM on a GPU, after its matrix products."""
    h, c = lstm(_biased(of_hidden, b_hidden) + _biased(of_input, b_input), c)
    return h, c, c.new_empty(0)


def fused_gru_cell(
    of_input: Tensor, of_hidden: Tensor, h: Tensor, b_input: Tensor | None = None, b_hidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """One step of a GRU on a GPU, after its matrix products."""
    return gru(_biased(of_input, b_input), _biased(of_hidden, b_hidden), h), h.new_empty(0)


def _biased(z: Tensor, b: Tensor | None) -> Tensor:
    return z if b is None else z + b


def lerp(a: Tensor, b: Tensor, weight: Tensor | float) -> Tensor:
    """A step from a towards b, which gated cells written by hand take."""
    return a + weight * (b - a)


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    "mkldnn_rnn_layer": mkldnn_rnn_layer,
    "_cudnn_rnn": cudnn_rnn,
    "miopen_rnn": miopen_rnn,
    "_thnn_fused_lstm_cell": fused_lstm_cell,
    "_thnn_fused_gru_cell": fused_gru_cell,
    "lerp": lerp,
}
