"""Training of a decoder, which learns to reconstruct pictures from their codes, for a given time or number of steps."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from pellucid.core.progress import report_progress
from pellucid.errors import MethodError
from ..pictures import Pictures
from .decoder import Decoder
from .encoder import Encoder
from .losses import Losses, distances

softplus = nn.functional.softplus

PATIENCE = 0.4  # the critic's loss below which it is not trained, until pictures are better
MEMORY = 0.99  # of the running mean of weights, which is what is kept
MEASURED = 64  # steps that reported distances are the mean of


@dataclass(frozen=True)
class Training:
    """How long to train, and how: as in `GeneratorPrior.fit`.

    Arguments:
        lr: Of Adam for the decoder; the critic has 0.4 of it.
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
            why = "it needs a limit, and numbers above zero"
            raise MethodError("Training of a prior", found, why, "Say minutes=5 or steps=2000.")

    def done(self, steps: int, seconds: float) -> tuple[int, int, str]:
        """The progress: what is done, of how much, and in which unit; by time unless only steps are limited."""
        if self.minutes is None:
            assert self.steps is not None
            return steps, self.steps, "training steps"
        share = max(seconds / (60 * self.minutes), 0 if self.steps is None else steps / self.steps)
        return min(round(60 * self.minutes), round(60 * self.minutes * share)), round(60 * self.minutes), "seconds of training"

    def over(self, steps: int, seconds: float) -> bool:
        """Whether a limit is reached."""
        late = self.minutes is not None and seconds >= 60 * self.minutes
        return late or (self.steps is not None and steps >= self.steps)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained decoder.

    Arguments:
        decoder: With the running mean of its weights.
        distances: The mean over the last steps, each as a share of its scale.
    """

    decoder: Decoder
    steps: int
    seconds: float
    distances: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainingSetup:
    """The networks and losses of a training step.

    Arguments:
        to_inputs: From pictures as the decoder returns them to inputs of the network.
        to_pictures: The inverse.
    """

    decoder: Decoder
    critic: nn.Module
    encoder: Encoder
    losses: Losses
    scales: Mapping[str, float]
    to_inputs: Callable[[Tensor], Tensor]
    to_pictures: Callable[[Tensor], Tensor]

    def represent(self, picture: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Pictures, and what the network computes for them as inputs x, by the name of the loss they count in."""
        codes, features = self.encoder(x)
        inside = {} if features is None else {"features": features.float()}
        return {"image": picture, **inside, "code": codes.float()}

    def compare(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Pictures, those made from their codes, and the distances between them, differentiable by the decoder's weights."""
        with torch.no_grad():
            real = self.represent(self.to_pictures(x).float(), x)
        picture = self.decoder(real["code"])
        drawn = self.represent(picture, self.to_inputs(picture).to(x.dtype))
        return real["image"], picture, distances(drawn, real, self.scales)


def train(
    setup: TrainingSetup, source: Pictures, settings: Training, keep: Callable[[TrainingResult], object] | None = None
) -> TrainingResult:
    """The decoder after training, which ends when time or steps are over, when it is called off, or on Ctrl-C.

    Now and then `keep` is called with the result so far.
    """
    started, saved, steps = time.perf_counter(), time.perf_counter(), 0
    mean, last, notes = copy.deepcopy(setup.decoder), list[dict[str, float]](), list[str]()

    def state() -> TrainingResult:
        means = {name: sum(measured[name] for measured in last) / len(last) for name in last[-1]} if last else {}
        return TrainingResult(mean, steps, time.perf_counter() - started, means, tuple(notes))

    try:
        for measured in training_steps(setup, source, settings):
            steps, last = steps + 1, [*last, measured][-MEASURED:]
            update_mean(mean, setup.decoder, steps)
            seconds = time.perf_counter() - started
            if report_progress(*settings.done(steps, seconds)):
                notes.append(f"Training was called off after {steps} steps.")
                break
            if settings.over(steps, seconds):
                break
            if keep is not None and time.perf_counter() - saved > settings.every:
                keep(state())
                saved = time.perf_counter()
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
            real, drawn, losses = setup.compare(x.clone())
            if setup.losses.adversarial:
                critic_step(setup.critic, critics, real, drawn.detach())
                losses["adversarial"] = softplus(-setup.critic(drawn)).mean()  # -log of the probability that these are real
            loss = torch.stack([getattr(setup.losses, name) * value for name, value in losses.items()]).sum()
            if not bool(loss.isfinite()):
                return
            step(adam, weights, loss)
        yield {name: float(value.detach()) for name, value in losses.items()}


def critic_step(critic: nn.Module, adam: torch.optim.Adam, real: Tensor, drawn: Tensor) -> None:
    """One step of the critic, unless its loss is so low that the decoder would learn nothing from it."""
    loss = softplus(-critic(real)).mean() + softplus(critic(drawn)).mean()  # 2 log 2 for one that cannot tell them apart
    if float(loss.detach()) > PATIENCE:
        step(adam, list(critic.parameters()), loss)


def step(adam: torch.optim.Adam, weights: list[nn.Parameter], loss: Tensor) -> None:
    """One step of Adam on these weights; no other ones, such as the user's network's, get a gradient."""
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = slope
    adam.step()


@torch.no_grad()
def update_mean(mean: Decoder, decoder: Decoder, steps: int) -> None:
    """Update the running mean of weights, which forgets faster in the first steps."""
    memory = min(MEMORY, steps / (steps + 10))
    torch._foreach_lerp_(list(mean.parameters()), list(decoder.parameters()), 1 - memory)


def measure_distances(setup: TrainingSetup, decoder: Decoder, x: Tensor) -> dict[str, float]:
    """The distances of a decoder on pictures that it was not trained on."""
    with torch.no_grad():
        return {name: float(value) for name, value in replace(setup, decoder=decoder).compare(x)[2].items()}
