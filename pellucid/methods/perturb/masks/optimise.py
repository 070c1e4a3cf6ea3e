"""The optimisation of masks by gradients that reach them through the model, many at once and each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.tape.forward import Readout
from pellucid.tape.gradient import gradient_and_score

WATCHED = 10  # steps between two looks at whether a mask still moves
BATCH_ENTRIES = 2**17  # entries that go through the model at once on a CPU: more of them take longer each, fewer waste overhead


class Game(Protocol):
    """What masks are made to do. `of`: which sample each mask belongs to; `index`: which masks are meant."""

    @property
    def readout(self) -> Readout: ...
    @property
    def of(self) -> Sequence[int]: ...

    def under(self, masks: Tensor, rows: Sequence[int]) -> Tensor:
        """The samples of these numbers under masks over all places."""

    def variants(self, masks: Tensor, index: Sequence[int], step: int) -> Tensor:
        """The samples under these masks, differentiable: one per mask, or more: one per mask, and then again one per mask."""

    def score_gradients(self, scores: Tensor, index: Sequence[int]) -> Tensor:
        """The derivative of the loss by the score of every variant."""

    def penalty(self, masks: Tensor, index: Sequence[int], step: int) -> Tensor:
        """What else is in the loss, one number per mask, differentiable."""


class Optimiser(Protocol):
    """How a gradient becomes a step. States are tuples of tensors shaped like the masks."""

    def start(self, masks: Tensor) -> tuple[Tensor, ...]: ...
    def move(self, grad: Tensor, state: tuple[Tensor, ...], step: int) -> tuple[Tensor, tuple[Tensor, ...]]: ...


@dataclass(frozen=True)
class Adam:
    """Adam.

    References: Kingma and Ba, 2015, https://doi.org/10.48550/arXiv.1412.6980
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)

    def start(self, masks: Tensor) -> tuple[Tensor, ...]:
        return torch.zeros_like(masks), torch.zeros_like(masks)

    def move(self, grad: Tensor, state: tuple[Tensor, ...], step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        a, b = self.betas
        mean, square = a * state[0] + (1 - a) * grad, b * state[1] + (1 - b) * grad.square()
        size = (square / (1 - b ** (step + 1))).sqrt() + 1e-8
        return self.lr * mean / (1 - a ** (step + 1)) / size, (mean, square)


@dataclass(frozen=True)
class Momentum:
    """Gradient descent along a running mean of gradients."""

    lr: float
    momentum: float = 0.9

    def start(self, masks: Tensor) -> tuple[Tensor, ...]:
        return (torch.zeros_like(masks),)

    def move(self, grad: Tensor, state: tuple[Tensor, ...], step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        mean = grad if step == 0 else self.momentum * state[0] + (1 - self.momentum) * grad
        return self.lr * mean, (mean,)


@dataclass(frozen=True, eq=False)
class OptimisedMasks:
    """Optimised masks.

    Arguments:
        masks: In [0, 1], shaped like those at the start.
        steps: How many steps each took.
        passes: How many samples went through the model, backward passes counted once more.
        notes: Sentences for the caption.
    """

    masks: Tensor
    steps: tuple[int, ...]
    passes: int
    notes: tuple[str, ...] = ()


def optimise(
    game: Game, masks: Tensor, optimiser: Optimiser, steps: int, *, tol: float | None = None, batch: int | None = None
) -> OptimisedMasks:
    """Masks after `steps` steps down the loss, clipped to [0, 1] after each. No mask knows of another.

    Arguments:
        tol: Leave a mask alone once ten steps have moved its entries by less than this in the mean.
        batch: Masks that go through the model at once; None: as many as suit the machine.
    """
    alive, before, state, passes = list(range(len(masks))), masks, optimiser.start(masks), 0
    counts, off = [0] * len(masks), False
    for step in range(steps):
        parts = chunks(alive, batch or batch_size(game.readout))
        grads, went = zip(*(gradient(game, masks[part], part, step) for part in parts), strict=True)
        move, now = optimiser.move(torch.cat(grads), tuple(s[alive] for s in state), step)
        masks = replace_rows(masks, alive, (masks[alive] - move).clamp(0, 1))
        state = tuple(replace_rows(s, alive, n) for s, n in zip(state, now, strict=True))
        passes += 2 * sum(went)
        for i in alive:
            counts[i] += 1
        if tol is not None and (step + 1) % WATCHED == 0:
            moved = (masks - before).abs().flatten(1).mean(1).tolist()
            alive, before = [i for i in alive if moved[i] >= tol], masks
        off = report_progress(step + 1, steps, "steps")
        if off or not alive:
            break
    return OptimisedMasks(masks, tuple(counts), passes, _notes(counts, steps, off=off))


def gradient(game: Game, masks: Tensor, index: Sequence[int], step: int) -> tuple[Tensor, int]:
    """The gradient of the loss at the masks, and how many variants it took."""
    with torch.enable_grad():
        leaf = masks.detach().clone().requires_grad_()
        variants, penalty = game.variants(leaf, index, step), game.penalty(leaf, index, step)
    rows = [game.of[i] for i in index] * (len(variants) // len(index))
    slopes, scores = gradient_and_score(game.readout, variants.detach(), rows)
    score_gradients = game.score_gradients(game.readout.check(scores), index).reshape(-1, *[1] * (variants.dim() - 1))
    (grad,) = torch.autograd.grad([variants, penalty], leaf, [(slopes * score_gradients).to(variants), torch.ones_like(penalty)])
    return grad, len(variants)


def least_of(steps: int, tol: float | None) -> float:
    """The share of the steps that is certain to be taken: all, or those up to the first look at whether a mask still moves."""
    return 1.0 if tol is None else min(1.0, WATCHED / steps)


def scores_under(game: Game, masks: Tensor) -> Tensor:
    """The scores of the samples of a game under masks over all places, as many at once as suit the machine."""
    parts = chunks(range(len(masks)), batch_size(game.readout))
    queries = [(masks[part], [game.of[i] for i in part]) for part in parts]
    return game.readout.check(torch.cat([game.readout(game.under(*each), each[1]) for each in queries]))


def chunks(index: Sequence[int], size: int) -> list[list[int]]:
    """An index in pieces of at most `size`."""
    return [list(index[at : at + size]) for at in range(0, len(index), size)]


def batch_size(readout: Readout) -> int:
    """How many samples are best sent through the model together."""
    entries = readout.x[0].numel()
    return max(1, BATCH_ENTRIES * (1 if readout.x.device.type == "cpu" else 64) // max(entries, 1))


def replace_rows(t: Tensor, index: Sequence[int], values: Tensor) -> Tensor:
    """t with some rows replaced."""
    return values if len(index) == len(t) else t.index_copy(0, torch.tensor(index, device=t.device), values)


def _notes(counts: Sequence[int], steps: int, *, off: bool) -> tuple[str, ...]:
    fewest, most = min(counts), max(counts)
    if off and most < steps:
        return (f"Called off after {most} of {steps} steps.",)
    many = f"{fewest}" if fewest == most else f"{fewest}-{most}"
    return (f"Stopped after {many} of {steps} steps, when the mask no longer changed.",) if fewest < steps else ()
