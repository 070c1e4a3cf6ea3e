"""Training: a decoder learns to bring pictures back from their codes, as long as there is time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pellucid.core.progress import report_progress
from pellucid.errors import MethodError
from ..pictures import Pictures
from .decoder import Decoder
from .encoder import Encoder
from .losses import Losses, Representation, Scales, adversarial_loss, critic_loss, distances, weighted_sum

PATIENCE = 0.4  # the critic's loss below which it is left alone, until pictures are better
MEMORY = 0.99  # of the running mean of weights, which is what is kept
MEASURED = 64  # steps over whose mean the distances are told


@dataclass(frozen=True)
class Training:
    """How long, and how.

    Arguments:
        minutes: The time there is; None: as long as `steps` take.
        steps: How many steps; None: as many as there is time for. With a number, twice gives the same.
        batch: Pictures in a step.
        lr: Of Adam for the decoder; the critic has 0.4 of it.
        losses: The weights.
        every: Seconds between two checkpoints.

    Raises:
        MethodError: neither time nor steps are limited, or a number is not above zero.
    """

    minutes: float | None = 5.0
    steps: int | None = None
    batch: int = 64
    lr: float = 1e-3
    losses: Losses = field(default_factory=Losses)
    every: float = 60.0

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.minutes, self.steps) if limit is not None]
        if not limits or min(*limits, self.batch, self.lr, self.every) <= 0:
            found = f"minutes={self.minutes}, steps={self.steps}, batch={self.batch}, lr={self.lr}, every={self.every}"
            raise MethodError(
                "Training of a prior", found, "it needs an end, and numbers above zero", "Say minutes=5 or steps=2000."
            )

    def done(self, steps: int, seconds: float) -> tuple[int, int, str]:
        """How far: what is done, of how much, and of what; by time unless only steps are limited."""
        if self.minutes is None:
            assert self.steps is not None
            return steps, self.steps, "training steps"
        share = max(seconds / (60 * self.minutes), 0 if self.steps is None else steps / self.steps)
        return min(round(60 * self.minutes), round(60 * self.minutes * share)), round(60 * self.minutes), "seconds of training"

    def over(self, steps: int, seconds: float) -> bool:
        late = self.minutes is not None and seconds >= 60 * self.minutes
        return late or (self.steps is not None and steps >= self.steps)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A decoder, and how it got there.

    Arguments:
        decoder: With the running mean of its weights.
        distances: In the mean over the last steps, each as a share of its scale.
    """

    decoder: Decoder
    steps: int
    seconds: float
    distances: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainingSetup:
    """Everything a step needs.

    Arguments:
        to_inputs: From what a decoder returns to what the network takes.
        to_pictures: The other way.
    """

    decoder: Decoder
    critic: nn.Module
    encoder: Encoder
    losses: Losses
    scales: Scales
    to_inputs: Callable[[Tensor], Tensor]
    to_pictures: Callable[[Tensor], Tensor]

    def represent(self, picture: Tensor, x: Tensor) -> Representation:
        codes, features = self.encoder(x)
        return Representation(picture, None if features is None else features.float(), codes.float())

    def compare(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Pictures, those made from their codes, and the distances between them, differentiable by the decoder's weights."""
        with torch.no_grad():
            real = self.represent(self.to_pictures(x).float(), x)
        picture = self.decoder(real.code)
        made = self.represent(picture, self.to_inputs(picture).to(x.dtype))
        return real.picture, picture, distances(made, real, self.scales)


def train(
    setup: TrainingSetup, source: Pictures, settings: Training, keep: Callable[[TrainingResult], object] | None = None
) -> TrainingResult:
    """The decoder after training: until time or steps are over, the work is called off, or Ctrl-C; it keeps what there is.

    Arguments:
        keep: Called with what there is, now and then.
    """
    started, kept, steps = time.perf_counter(), time.perf_counter(), 0
    mean, last, notes = copy.deepcopy(setup.decoder), list[dict[str, float]](), list[str]()

    def state() -> TrainingResult:
        return TrainingResult(mean, steps, time.perf_counter() - started, _means(last), tuple(notes))

    try:
        for found in training_steps(setup, source, settings):
            steps, last = steps + 1, [*last, found][-MEASURED:]
            update_mean(mean, setup.decoder, steps)
            seconds = time.perf_counter() - started
            if report_progress(*settings.done(steps, seconds)):
                notes.append(f"Training was called off after {steps} steps.")
                break
            if settings.over(steps, seconds):
                break
            if keep is not None and time.perf_counter() - kept > settings.every:
                keep(state())
                kept = time.perf_counter()
        else:
            notes.append(f"Training stopped after {steps} steps: the loss was no longer finite.")
    except KeyboardInterrupt:
        if not steps:
            raise
        notes.append(f"Training was interrupted after {steps} steps.")
    mean.requires_grad_(False)
    return state()


def training_steps(setup: TrainingSetup, source: Pictures, settings: Training) -> Iterator[dict[str, float]]:
    """Step after step, the distances before each; ends only when they are no longer finite."""
    weights, verdicts = list(setup.decoder.parameters()), list(setup.critic.parameters())
    adam = torch.optim.Adam(weights, settings.lr, betas=(0.5, 0.999))
    critics = torch.optim.Adam(verdicts, 0.4 * settings.lr, betas=(0.5, 0.999))
    for x in source.batches(settings.batch):
        with torch.inference_mode(False), torch.enable_grad():
            real, made, found = setup.compare(x.clone())
            if setup.losses.adversarial:
                critic_step(setup.critic, critics, real, made.detach())
                found["adversarial"] = adversarial_loss(setup.critic(made))
            loss = weighted_sum(setup.losses, found)
            if not bool(loss.isfinite()):
                return
            step(adam, weights, loss)
        yield {name: float(value.detach()) for name, value in found.items()}


def critic_step(critic: nn.Module, adam: torch.optim.Adam, real: Tensor, made: Tensor) -> None:
    """One step of the critic, unless it is so far ahead that the decoder would learn nothing from it."""
    loss = critic_loss(critic(real), critic(made))
    if float(loss.detach()) > PATIENCE:
        step(adam, list(critic.parameters()), loss)


def step(adam: torch.optim.Adam, weights: list[nn.Parameter], loss: Tensor) -> None:
    """One step along the gradient of these weights alone: the user's network gets none."""
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = slope
    adam.step()


@torch.no_grad()
def update_mean(mean: Decoder, decoder: Decoder, steps: int) -> None:
    """Move the running mean of weights; early on it forgets faster."""
    memory = min(MEMORY, steps / (steps + 10))
    torch._foreach_lerp_(list(mean.parameters()), list(decoder.parameters()), 1 - memory)


def measure_distances(setup: TrainingSetup, decoder: Decoder, x: Tensor) -> dict[str, float]:
    """The distances of a decoder on pictures, none learned from."""
    with torch.no_grad():
        found = TrainingSetup(decoder, *(getattr(setup, name) for name in FIELDS)).compare(x)[2]
    return {name: float(value) for name, value in found.items()}


FIELDS = ("critic", "encoder", "losses", "scales", "to_inputs", "to_pictures")


def _means(last: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(found[name] for found in last) / len(last) for name in last[-1]} if last else {}
