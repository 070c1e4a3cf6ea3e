"""Recurrent layers: one call of PyTorch's own where it has their form, a loop of cells elsewhere.

References: Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735 (LSTM);
    Gers and Schmidhuber, 2000, https://doi.org/10.1109/IJCNN.2000.861302 (peepholes);
    Cho et al., 2014, https://doi.org/10.3115/v1/D14-1179 (GRU)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..operation import Node, integers, operation
from .activations import SCALED, named
from .elementwise import One

USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}  # the blocks of a file's weights (iofc, zrh) in PyTorch's order
State = tuple[Tensor, Tensor]
"""What a cell holds between steps: h and, in an LSTM, c (elsewhere the same h again)."""


@dataclass(frozen=True)
class Cell:
    """One direction of a layer.

    Arguments:
        w, r: Of the input and of the state, with a block of rows per gate.
        functions: Its activations, in the order f, g, h.
        read: Through which the weights see the input and, in an LSTM, the state.
    """

    node: Node
    w: Tensor
    r: Tensor
    w_bias: Tensor | None
    r_bias: Tensor | None
    peepholes: Tensor | None
    functions: tuple[One, ...]
    read: One | None = None

    def of_state(self, h: Tensor) -> Tensor:
        return linear(self.read(h) if self.read else h, self.r, self.r_bias)

    def clip(self, z: Tensor) -> Tensor:
        bound = self.node.get("clip")
        return z.clamp(-bound, bound) if bound else z

    def step(self, of_input: Tensor, state: State) -> State:
        if self.node.kind == "LSTM":
            return self._lstm(of_input, *state)
        h = self._gru(of_input, state[0]) if self.node.kind == "GRU" else self._simple(of_input, state[0])
        return h, h

    def _lstm(self, of_input: Tensor, h: Tensor, c: Tensor) -> State:
        """c = f c + i g;  h = o out(c), where i, o, f may look at c."""
        f, g, out = self.functions
        z_i, z_o, z_f, z_c = (of_input + self.of_state(h)).chunk(4, -1)
        i = f(self.clip(self._peek(z_i, c, 0)))
        forget = 1 - i if self.node.get("input_forget") else f(self.clip(self._peek(z_f, c, 2)))
        c = forget * c + i * g(self.clip(z_c))
        return f(self.clip(self._peek(z_o, c, 1))) * out(c), c

    def _peek(self, z: Tensor, c: Tensor, gate: int) -> Tensor:
        return z if self.peepholes is None else z + self.peepholes.chunk(3)[gate] * c

    def _gru(self, of_input: Tensor, h: Tensor) -> Tensor:
        """h = n + z (h - n), where the reset gate r is in n, before or after the weights."""
        f, g = self.functions
        size = h.shape[-1]
        (x_zr, x_n), (r_zr, r_n) = of_input.tensor_split([2 * size], -1), self.r.tensor_split([2 * size])
        b_zr, b_n = _split(self.r_bias, 2 * size)
        z, r = f(self.clip(x_zr + linear(h, r_zr, b_zr))).chunk(2, -1)
        after = self.node.get("linear_before_reset")
        n = g(self.clip(x_n + (r * linear(h, r_n, b_n) if after else linear(r * h, r_n, b_n))))
        return n + z * (h - n)

    def _simple(self, of_input: Tensor, h: Tensor) -> Tensor:
        return self.functions[0](self.clip(of_input + self.of_state(h)))

    def run(self, x: Tensor, state: State, lengths: Tensor | None, *, backwards: bool) -> tuple[Tensor, State]:
        """The output of each step, zero where a sequence has ended, and the state that each sequence ends in."""
        of_inputs = linear(self.read(x) if self.read else x, self.w, self.w_bias).unbind(0)
        made: dict[int, Tensor] = {}
        for t in reversed(range(len(of_inputs))) if backwards else range(len(of_inputs)):
            new = self.step(of_inputs[t], state)
            if lengths is None:
                state, made[t] = new, new[0]
            else:
                lasts = (t < lengths.to(x.device)).unsqueeze(-1)
                state = torch.where(lasts, new[0], state[0]), torch.where(lasts, new[1], state[1])
                made[t] = torch.where(lasts, new[0], 0)
        return torch.stack([made[t] for t in range(len(of_inputs))]), state


@operation("LSTM", "GRU", "RNN")
def recurrent(
    node: Node,
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    h: Tensor | None = None,
    c: Tensor | None = None,
    peepholes: Tensor | None = None,
    *,
    read: One | None = None,
) -> tuple[Tensor, ...]:
    """A layer in one direction or both.

    Arguments:
        x: With shape (step, batch, feature), or (batch, step, feature) in layout 1, as all that has a batch.
        w: Of the input, with shape (direction, gate * size, feature).
        r: Of the state, with shape (direction, gate * size, size).
        b: Of both, one after the other, with shape (direction, 2 * gate * size).
        read: Through which the weights see the input and the state.
    Returns:
        The state at each step, with shape (step, direction, batch, size), and the states at the end.
    """
    turned = bool(node.get("layout", 0))
    if turned:
        x, h, c = x.transpose(0, 1), *(None if state is None else state.transpose(0, 1) for state in (h, c))
    start = x.new_zeros(len(w), x.shape[1], r.shape[-1])
    states = start if h is None else h, start if c is None else c
    if any(one.shape != start.shape for one in states):  # torch would read beyond them
        raise ValueError(f"states of shape {[tuple(one.shape) for one in states]} where {tuple(start.shape)} is needed")
    if lengths is not None and all(length == len(x) for length in integers(lengths)):
        lengths = None
    mode = _mode(node) if lengths is None and peepholes is None and read is None else None
    if mode is None:
        y, ends = _by_cells(_cells(node, w, r, b, peepholes, read), x, states, lengths)
    else:
        y, ends = _by_torch(mode, node, x, states, [p for d in range(len(w)) for p in _parameters(node, d, w, r, b)])
    ends = ends if node.kind == "LSTM" else ends[:1]
    return (y.permute(2, 0, 1, 3), *(end.transpose(0, 1) for end in ends)) if turned else (y, *ends)


def _by_cells(cells: Sequence[Cell], x: Tensor, states: State, lengths: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
    way = cells[0].node.get("direction", "forward")
    runs = [
        cell.run(x, (states[0][d], states[1][d]), lengths, backwards=d == 1 or way == "reverse") for d, cell in enumerate(cells)
    ]
    ends = tuple(torch.stack(parts) for parts in zip(*(end for _, end in runs), strict=True))
    return torch.stack([outputs for outputs, _ in runs], 1), ends


def _by_torch(
    mode: Callable[..., tuple[Tensor, ...]], node: Node, x: Tensor, states: State, parameters: list[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """By a layer of PyTorch, which has no direction "reverse" alone: its input and output are turned round."""
    way = node.get("direction", "forward")
    both, backwards = way == "bidirectional", way == "reverse"
    state = states if node.kind == "LSTM" else states[0]
    biased = len(parameters) == (8 if both else 4)
    outputs, *ends = mode(x.flip(0) if backwards else x, state, parameters, biased, 1, 0.0, False, both, False)
    y = outputs.reshape(*outputs.shape[:2], 2 if both else 1, -1).transpose(1, 2)
    return y.flip(0) if backwards else y, tuple(ends)


def _mode(node: Node) -> Callable[..., tuple[Tensor, ...]] | None:
    """The layer of PyTorch that computes the same; None where there is none."""
    names = {tuple(one) for one in _names(node)}
    if node.get("clip") or node.get("input_forget") or (node.kind == "GRU" and not node.get("linear_before_reset")):
        return None
    if node.kind == "RNN" and names == {("relu",)}:
        return torch.rnn_relu
    modes: dict[str, Callable[..., tuple[Tensor, ...]]] = {"LSTM": torch.lstm, "GRU": torch.gru, "RNN": torch.rnn_tanh}
    return modes[node.kind] if names == {USUAL[node.kind]} else None


def _names(node: Node) -> list[list[str]]:
    """The activations of each direction."""
    count, ways = len(USUAL[node.kind]), 2 if node.get("direction") == "bidirectional" else 1
    given = [name.lower() for name in node.get("activations") or USUAL[node.kind] * ways]
    return [given[count * way : count * (way + 1)] for way in range(ways)]


def _functions(node: Node) -> Iterator[tuple[One, ...]]:
    """The activations of each direction; those that have an alpha or a beta take the next one given."""
    alphas, betas = (iter(node.get(name, ())) for name in ("activation_alpha", "activation_beta"))
    for names in _names(node):
        counts = [len(SCALED.get(name, (None,))) - 1 for name in names]
        yield tuple(
            named(name, next(alphas, None) if count > 0 else None, next(betas, None) if count > 1 else None)
            for name, count in zip(names, counts, strict=True)
        )


def _cells(node: Node, w: Tensor, r: Tensor, b: Tensor | None, peepholes: Tensor | None, read: One | None) -> list[Cell]:
    return [
        Cell(node, w[d], r[d], *_split(_of(b, d), w.shape[1]), _of(peepholes, d), own, read)
        for d, own in enumerate(_functions(node))
    ]


def _parameters(node: Node, way: int, w: Tensor, r: Tensor, b: Tensor | None) -> list[Tensor]:
    """Of one direction, as PyTorch orders them."""
    biases = [] if b is None else [*_split(b[way], w.shape[1])]
    return [_in_order(node, one) for one in (w[way], r[way], *biases) if one is not None]


def _in_order(node: Node, weight: Tensor) -> Tensor:
    blocks = weight.chunk(len(GATES[node.kind]))
    return torch.cat([blocks[k] for k in GATES[node.kind]]) if len(blocks) > 1 else weight


def _of(weights: Tensor | None, way: int) -> Tensor | None:
    return None if weights is None else weights[way]


def _split(bias: Tensor | None, size: int) -> tuple[Tensor | None, Tensor | None]:
    return (None, None) if bias is None else (bias[:size], bias[size:])
