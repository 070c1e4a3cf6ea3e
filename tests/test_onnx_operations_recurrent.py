"""ONNX files: recurrent layers with everything that the standard lets a file ask for compute what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.onnx_oracle import agree

STEPS, BATCH, FEATURES, SIZE = 5, 3, 2, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ACTIVATIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
WAYS = ["forward", "reverse", "bidirectional"]
SCALED = {"Affine": 2, "ScaledTanh": 2, "HardSigmoid": 2, "LeakyRelu": 1, "Elu": 1, "ThresholdedRelu": 1}  # numbers they take
PLAIN = ["Relu", "Sigmoid", "Tanh", "Softsign"]


class Layer:
    """Inputs and weights of one layer, and the call that compares it."""

    def __init__(self, kind: str, way: str) -> None:
        rng = np.random.default_rng(0)
        self.kind, self.way, self.directions = kind, way, 2 if way == "bidirectional" else 1

        def normal(*shape: int) -> np.ndarray:
            return (0.5 * rng.standard_normal(shape)).astype(np.float32)

        rows = GATES[kind] * SIZE
        self.x, self.b = normal(STEPS, BATCH, FEATURES), normal(self.directions, 2 * rows)
        self.w, self.r = normal(self.directions, rows, FEATURES), normal(self.directions, rows, SIZE)
        self.h, self.c = normal(self.directions, BATCH, SIZE), normal(self.directions, BATCH, SIZE)
        self.peepholes = normal(self.directions, 3 * SIZE)

    def agree(self, *rest, version=14, x=None, **how):
        outputs = 3 if self.kind == "LSTM" else 2
        x = self.x if x is None else x
        agree(self.kind, version, x, self.w, self.r, *rest, outputs=outputs, hidden_size=SIZE, direction=self.way, **how)

    def states(self):
        return (self.h, self.c) if self.kind == "LSTM" else (self.h,)


@pytest.fixture(params=[(kind, way) for kind in GATES for way in WAYS], ids="-".join)
def layer(request):
    return Layer(*request.param)


def test_with_and_without_offsets_and_first_states(layer):
    layer.agree(version=7)
    layer.agree(layer.b)
    layer.agree(layer.b, None, *layer.states())
    layer.agree(None, None, *layer.states())


@pytest.mark.parametrize("lengths", [(5, 5, 5), (5, 2, 3), (1, 5, 4)])
def test_sequences_of_unlike_lengths(layer, lengths):
    layer.agree(layer.b, np.array(lengths, np.int32), *layer.states())


def test_the_batch_may_come_first(layer):
    turned = [state.swapaxes(0, 1) for state in layer.states()]
    layer.agree(layer.b, None, *turned, x=layer.x.swapaxes(0, 1), layout=1, by="reference")


def test_sums_are_clipped(layer):
    layer.agree(layer.b, x=5 * layer.x, clip=0.5)


@pytest.mark.parametrize("activation", [*SCALED, *PLAIN])
def test_other_activations(layer, activation):
    count = ACTIVATIONS[layer.kind] * layer.directions
    names = ["activation_alpha", "activation_beta"][: SCALED.get(activation, 0)]
    numbers = {name: [0.3 + 0.1 * (at % 3) for at in range(count)] for name in names}
    layer.agree(layer.b, activations=[activation] * count, **numbers)


@pytest.mark.parametrize("way", WAYS)
def test_activations_take_the_numbers_they_need(way):
    layer = Layer("LSTM", way)
    times = layer.directions
    how = {"activation_alpha": [0.1, 0.3] * times, "activation_beta": [0.4] * times}
    layer.agree(layer.b, activations=["HardSigmoid", "Tanh", "LeakyRelu"] * times, **how)


@pytest.mark.parametrize("way", WAYS)
def test_gates_that_look_at_the_cell_and_gates_that_are_coupled(way):
    layer = Layer("LSTM", way)
    layer.agree(layer.b, None, layer.h, layer.c, layer.peepholes)
    layer.agree(layer.b, np.array([5, 2, 3], np.int32), layer.h, layer.c, layer.peepholes)
    layer.agree(layer.b, input_forget=1)


@pytest.mark.parametrize("way", WAYS)
def test_a_reset_gate_before_the_weights_or_after_them(way):
    layer = Layer("GRU", way)
    layer.agree(layer.b, None, layer.h, version=3, like=7)
    layer.agree(layer.b, None, layer.h, linear_before_reset=1)
    layer.agree(None, None, layer.h, linear_before_reset=1)
    layer.agree(layer.b, np.array([5, 2, 3], np.int32), layer.h, linear_before_reset=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("columns", [False, True], ids=["a scale in all", "a scale for each column"])
def test_weights_of_whole_numbers(way, columns):
    layer = Layer("LSTM", way)
    rng, rows = np.random.default_rng(1), 4 * SIZE
    scales = np.full((layer.directions, rows) if columns else layer.directions, 0.01, np.float32)
    w, r = (rng.integers(-90, 90, (layer.directions, size, rows)).astype(np.int8) for size in (FEATURES, SIZE))
    steps = (scales, np.zeros_like(scales, np.int8))
    rest = (layer.b, None, layer.h[:, :1], layer.c[:, :1], None, *steps, *steps)
    how = {"outputs": 3, "hidden_size": SIZE, "direction": way, "domain": "com.microsoft", "constant": (1, 2, 8, 9, 10, 11)}
    agree("DynamicQuantizeLSTM", 1, layer.x[:, :1], w, r, *rest, **how)


def test_a_state_for_another_batch_is_refused_and_not_read_beyond_its_end():
    from pellucid.model.sources.onnx.operation import Node, find

    node = Node("LSTM", "lstm", 14, {"hidden_size": 6})
    w, r = torch.rand(1, 24, 5), torch.rand(1, 24, 6)
    state = torch.zeros(1, 2, 6)
    with pytest.raises(ValueError, match="where \\(1, 4, 6\\) is needed"):
        find("LSTM")(node, torch.rand(7, 4, 5), w, r, None, None, state, state)
