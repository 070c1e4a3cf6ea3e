"""Relevance through recurrent cells, written from the papers: one sample, one step, one unit at a time, in double precision.

References: Arras et al., 2017, https://doi.org/10.18653/v1/W17-5221; Arras et al., 2019,
https://doi.org/10.1007/978-3-030-28954-6_11 (signal take all). For the GRU the same reading: gates are weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

Vector = list[float]


def away(z: float, eps: float) -> float:
    """The denominator z + eps sign(z), with sign(0) = 1."""
    return z + (eps if z >= 0 else -eps)


def shared(contributions: list[Vector], z: Vector, R: Vector, eps: float) -> list[Vector]:
    """R_i = c_ij R_j / (z_j + eps sign(z_j)), summed over j: contributions[i][j] -> relevance of every i, kept per j."""
    return [[c[j] * R[j] / away(z[j], eps) if away(z[j], eps) != 0 else 0.0 for j in range(len(z))] for c in contributions]


def linear_back(inputs: Vector, weight: Tensor, z: Vector, R: Vector, eps: float) -> Vector:
    """What inputs of a linear map get of the relevance at z; the bias in z keeps its share."""
    contributions = [[float(weight[j, i]) * x for j in range(len(z))] for i, x in enumerate(inputs)]
    return [sum(row) for row in shared(contributions, z, R, eps)]


def product(weight: Tensor, x: Vector, bias: Tensor | None) -> Vector:
    return [
        sum(float(weight[j, i]) * x[i] for i in range(len(x))) + (0.0 if bias is None else float(bias[j]))
        for j in range(len(weight))
    ]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


class Layer:
    """One direction of one layer of an nn.LSTM, nn.GRU or nn.RNN: forward with everything remembered, then relevance back."""

    def __init__(self, net: nn.RNNBase, number: int, backwards: bool) -> None:
        end = f"_l{number}" + ("_reverse" if backwards else "")
        self.kind, self.backwards, self.size = net.mode, backwards, net.hidden_size
        self.W, self.U = getattr(net, "weight_ih" + end), getattr(net, "weight_hh" + end)
        self.b, self.d = (getattr(net, name + end) if net.bias else None for name in ("bias_ih", "bias_hh"))

    def forward(self, xs: list[Vector]) -> list[Vector]:
        self.steps: list[dict[str, Any]] = []
        self.order = range(len(xs))[::-1] if self.backwards else range(len(xs))
        h, c = [0.0] * self.size, [0.0] * self.size
        said: dict[int, Vector] = {}
        for t in self.order:
            a, u = product(self.W, xs[t], self.b), product(self.U, h, self.d)
            step = {"x": xs[t], "h_before": h, "c_before": c}
            h, c = getattr(self, "_" + self.kind.split("_")[0].lower())(step, a, u, h, c)
            step["h"] = h
            self.steps.append(step)
            said[t] = h
        return [said[t] for t in range(len(xs))]

    def _chunk(self, z: Vector, k: int) -> Vector:
        return z[k * self.size : (k + 1) * self.size]

    def _lstm(self, step: dict[str, Any], a: Vector, u: Vector, h: Vector, c: Vector) -> tuple[Vector, Vector]:
        pre = [p + q for p, q in zip(a, u, strict=True)]
        i, f, o = ([sigmoid(z) for z in self._chunk(pre, k)] for k in (0, 1, 3))
        step["pre"] = self._chunk(pre, 2)
        step["kept"] = [p * q for p, q in zip(f, c, strict=True)]
        step["new"] = [p * math.tanh(q) for p, q in zip(i, step["pre"], strict=True)]
        step["c"] = c = [p + q for p, q in zip(step["kept"], step["new"], strict=True)]
        return [p * math.tanh(q) for p, q in zip(o, c, strict=True)], c

    def _gru(self, step: dict[str, Any], a: Vector, u: Vector, h: Vector, c: Vector) -> tuple[Vector, Vector]:
        r, z = ([sigmoid(p + q) for p, q in zip(self._chunk(a, k), self._chunk(u, k), strict=True)] for k in (0, 1))
        step["r"] = r
        step["pre"] = [p + g * q for p, g, q in zip(self._chunk(a, 2), r, self._chunk(u, 2), strict=True)]
        step["kept"] = [p * q for p, q in zip(z, h, strict=True)]
        step["new"] = [(1 - p) * math.tanh(q) for p, q in zip(z, step["pre"], strict=True)]
        step["c"] = new = [p + q for p, q in zip(step["kept"], step["new"], strict=True)]
        return new, new

    def _rnn(self, step: dict[str, Any], a: Vector, u: Vector, h: Vector, c: Vector) -> tuple[Vector, Vector]:
        step["pre"] = [p + q for p, q in zip(a, u, strict=True)]
        new = [max(z, 0.0) if self.kind.endswith("RELU") else math.tanh(z) for z in step["pre"]]
        return new, new

    def backward(self, R_said: list[Vector], eps: float) -> list[Vector]:
        """Relevance of every step's input, from that of everything the layer said."""
        R_h, R_c = [0.0] * self.size, [0.0] * self.size
        R_x: dict[int, Vector] = {}
        for t, step in zip(list(self.order)[::-1], self.steps[::-1], strict=True):
            R_h = [p + q for p, q in zip(R_h, R_said[t], strict=True)]
            if self.kind == "LSTM":  # all of h = o * tanh(c) is c's
                R_c = [p + q for p, q in zip(R_c, R_h, strict=True)]
                kept, new = shared([step["kept"], step["new"]], step["c"], R_c, eps)
                R_c, R_pre, R_h = kept, new, [0.0] * self.size
            elif self.kind == "GRU":
                R_h, R_pre = shared([step["kept"], step["new"]], step["c"], R_h, eps)
            else:
                R_pre, R_h = R_h, [0.0] * self.size
            W, U = self._signal_weights(step)
            R_x[t] = linear_back(step["x"], W, step["pre"], R_pre, eps)
            got = linear_back(step["h_before"], U, step["pre"], R_pre, eps)
            R_h = [p + q for p, q in zip(R_h, got, strict=True)]
        return [R_x[t] for t in range(len(R_x))]

    def _signal_weights(self, step: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """The weights that make the signal; in a GRU the state's, as its gate r lets them through."""
        if self.kind == "LSTM":
            return self.W[2 * self.size : 3 * self.size], self.U[2 * self.size : 3 * self.size]
        if self.kind == "GRU":
            r = torch.tensor(step["r"], dtype=torch.float64)
            return self.W[2 * self.size :], self.U[2 * self.size :] * r[:, None]
        return self.W, self.U


@torch.no_grad()
def relevance(net: nn.RNNBase, head: nn.Linear, xs: Tensor, target: int, eps: float) -> Tensor:
    """Relevance of every entry of one sequence (step, feature) for one output of `head`, which reads the last step."""
    layers = [[Layer(net, k, back) for back in ((False, True) if net.bidirectional else (False,))] for k in range(net.num_layers)]
    values: list[Vector] = xs.tolist()
    for both in layers:
        said = [layer.forward(values) for layer in both]
        values = [[number for part in said for number in part[t]] for t in range(len(xs))]
    output = product(head.weight, values[-1], head.bias)
    R = [0.0] * len(output)
    R[target] = output[target]
    R_said = [[0.0] * len(values[0]) for _ in values]
    R_said[-1] = linear_back(values[-1], head.weight, output, R, eps)
    for both in layers[::-1]:
        size = both[0].size
        parts = [
            layer.backward([row[k * size : (k + 1) * size] for row in R_said], eps) for k, layer in enumerate(both)
        ]  # fmt: skip
        R_said = [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*parts, strict=True)]
    return torch.tensor(R_said, dtype=torch.float64)
