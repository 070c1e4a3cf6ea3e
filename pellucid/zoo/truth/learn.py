"""Small networks and their training, in seconds, seeded, without touching the global random state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from .problem import Problem, generator

Batch = Callable[[Generator], tuple[Tensor, Tensor]]
"""Draws inputs and labels."""
M = TypeVar("M", bound=nn.Module)


def learn(
    problem: Problem, net: nn.Module | None = None, *, seed: int = 0, steps: int = 200, labels: Tensor | None = None
) -> nn.Module:
    """A network that has learned the problem, in eval mode, its parameters frozen.

    Arguments:
        net: What learns, changed in place; None: a small one that suits the shape of the inputs.
        labels: What to learn in place of the problem's labels.
    """
    with torch.inference_mode(False):  # parameters made under it could not learn
        wanted = (problem.labels if labels is None else labels).clone()
        inputs = problem.inputs.clone()
        net = suited(inputs, int(wanted.max()) + 1, seed=seed) if net is None else net

        def batch(rng: Generator) -> tuple[Tensor, Tensor]:
            rows = torch.randint(len(inputs), (min(64, len(inputs)),), generator=rng)
            return inputs[rows], wanted[rows]

        return fit(net, batch, seed=seed, steps=steps, rate=3e-3)


def fit(net: nn.Module, batch: Batch, *, seed: int = 0, steps: int = 300, rate: float = 1e-3) -> nn.Module:
    """The network after so many steps of Adam on the cross entropy of what `batch` draws; in eval mode, frozen."""
    rng = generator(seed)
    with torch.inference_mode(False), torch.enable_grad():
        net.train().requires_grad_(True)
        adam = torch.optim.Adam(net.parameters(), rate, weight_decay=1e-4)
        for _ in range(steps):
            x, y = batch(rng)
            adam.zero_grad()
            F.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
            adam.step()
        adam.zero_grad()
    return net.eval().requires_grad_(False)


def accuracy(net: nn.Module, problem: Problem, labels: Tensor | None = None) -> float:
    """The share of samples that a network names right."""
    wanted = problem.labels if labels is None else labels
    with torch.no_grad():
        return float((net(problem.inputs).argmax(1) == wanted).float().mean())


def suited(x: Tensor, classes: int, *, seed: int = 0) -> nn.Module:
    """A small network for inputs of this shape: convolutions for pictures, a reader for sequences, dense layers for rows."""
    if x.dim() == 4:
        return convnet(x.shape[1], x.shape[2], classes, seed=seed)
    return reader(x.shape[2], classes, seed=seed) if x.dim() == 3 else dense(x.shape[1], classes, seed=seed)


def convnet(channels: int, side: int, classes: int, *, seed: int = 0, width: int = 16) -> nn.Module:
    """Two convolutions, each with ReLU and average pooling, and two dense layers."""
    flat = 2 * width * (side // 4) ** 2
    return initialised(
        nn.Sequential(
            *(bare(nn.Conv2d, channels, width, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
            *(bare(nn.Conv2d, width, 2 * width, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
            *(nn.Flatten(), bare(nn.Linear, flat, 64), nn.ReLU(), bare(nn.Linear, 64, classes)),
        ),
        seed=seed,
    )


def dense(entries: int, classes: int, *, seed: int = 0, width: int = 64) -> nn.Module:
    """Two hidden layers of ReLUs."""
    layers = (bare(nn.Linear, entries, width), nn.ReLU(), bare(nn.Linear, width, width), nn.ReLU())
    return initialised(nn.Sequential(*layers, bare(nn.Linear, width, classes)), seed=seed)


class Reader(nn.Module):
    """Words in order: two convolutions along the sequence, the greatest of each channel, a dense layer."""

    def __init__(self, words: int, classes: int, width: int) -> None:
        super().__init__()
        self.near = bare(nn.Conv1d, words, width, 3, padding=1)
        self.far = bare(nn.Conv1d, width, width, 3, padding=1)
        self.head = bare(nn.Linear, width, classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.far(self.near(x.transpose(1, 2)).relu()).relu()
        answer: Tensor = self.head(y.amax(2))
        return answer


def reader(words: int, classes: int, *, seed: int = 0, width: int = 48) -> nn.Module:
    """A network for sequences of word vectors, with shape (batch, length, words)."""
    return initialised(Reader(words, classes, width), seed=seed)


class Remembering(nn.Module):
    """Words in order, read by a recurrent cell; a dense layer on what it holds after the last one."""

    def __init__(self, cell: nn.RNNBase, classes: int) -> None:
        super().__init__()
        self.cell = cell
        self.head = bare(nn.Linear, cell.hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.cell(x)[0][:, -1])
        return answer


def remembering(
    words: int, classes: int, *, kind: Literal["LSTM", "GRU", "RNN"] = "LSTM", seed: int = 0, width: int = 32
) -> nn.Module:
    """A recurrent network for sequences of word vectors, with shape (batch, length, words)."""
    cell: nn.RNNBase = getattr(nn, kind)(words, width, batch_first=True, device="meta").to_empty(device="cpu")
    return initialised(Remembering(cell, classes), seed=seed)


def bare(kind: type[M], *sizes: int | tuple[int, int], **options: bool | int) -> M:
    """A layer whose weights nobody has drawn yet: PyTorch would draw them from everybody's generator."""
    made: M = nn.utils.skip_init(kind, *sizes, **options)  # type: ignore[no-untyped-call]
    return made


def initialised(net: nn.Module, *, seed: int = 0) -> nn.Module:
    """The network with fresh weights from a generator of its own: uniform, as PyTorch's layers draw them."""
    rng = generator(seed)
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
        elif isinstance(layer, nn.RNNBase):
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -(layer.hidden_size**-0.5), layer.hidden_size**-0.5, generator=rng)
    return net
