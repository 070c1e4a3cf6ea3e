"""Chain: a Markov chain of codes that moves towards a target and, by a prior step, towards codes of plausible pictures.

Its weights are tuned in `tuning.py`; the recipe is `recipes/ppgn.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.tape.forward import batch_size
from pellucid.target import Target
from pellucid.target.classes import Logit, LogOdds, Probability
from ..canvas.latent import Latent
from ..objective.activations import LayerActivations, differentiable, layer_activations
from ..objective.objective import objective_of
from ..optimize.task import Task
from ..prior.per_picture import per_picture
from ..protocols import Draws
from ..random import generators, normal
from .encoder import Encoder
from .prior import GeneratorPrior


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps of a chain of codes h.

        h <- clip(h + e1 (E(G(h)) - h) + e2 sd * left * unit(d log p(target | G(h)) / d(h / sd)) + e3 sd * N(0, 1))

    with unit(g) of root mean square 1, and left = sigmoid(-log-odds / T) what is left to gain; with T = 1 that is 1 - p.

    Arguments:
        task: The targets, as conditions, see `as_condition`.
        canvas: Draws the pictures of codes, G.
        encoder: The network up to the codes, E.
        activations: The values that the targets read.
        spread: The standard deviation of each unit, sd.
        e2, e3: In standard deviations of each unit.
        temper: T.
        along: Codes of data minus their mean, (k, *code), for noise of their covariance: sum_k g_k along_k / sqrt(k) takes the
            place of sd * N(0, 1). None: noise is independent from unit to unit.
    """

    task: Task
    canvas: Latent
    encoder: Encoder
    activations: LayerActivations
    spread: Tensor
    e2: float
    e3: float
    temper: float
    along: Tensor | None = None

    @staticmethod
    def of(
        task: Task, prior: GeneratorPrior, width: float, e2: float, e3: float,
        temper: float = 5.0, start: str = "data", noise: str = "units",
    ) -> Chain:  # fmt: skip
        """The chain for a task.

        Raises:
            WhereError: the prior is not one of this model's codes, or a target names a module that did not run.
        """
        canvas = prior.canvas(task.frame, width=width, start=start)
        with torch.no_grad():
            x = task.frame.to_inputs(canvas.draw(canvas.start(task.frame, generators([0])), task.frame))
        addresses = [at for target in task.targets for at in target.addresses]
        activations, values = layer_activations(task.model, x, tuple(dict.fromkeys((*addresses, None))))
        targets = tuple(as_condition(target, values[None]) for target in task.targets)
        encoder = prior.encoder(task.model, x)
        spread = prior.codes.spread.to(task.frame.device)
        bank = prior.codes.bank if noise == "data" else None
        along = None if bank is None else (bank - bank.mean(0)).to(spread)
        return Chain(replace(task, targets=targets), canvas, encoder, activations.only(addresses), spread, e2, e3, temper, along)

    def start(self, draws: Draws) -> Tensor:
        """The first codes, (n, *code)."""
        return self.canvas.start(self.task.frame, draws)[0]

    def pictures(self, codes: Tensor) -> Tensor:
        """The pictures of codes, as the frame has them, without gradients."""
        with torch.no_grad():
            return self.canvas.draw((codes,), self.task.frame)

    def step(self, codes: Tensor, e1: Tensor, draws: Draws, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The codes after one step, and the scores before it.

        Arguments:
            e1: One weight per code.
            rows: Which target each code is for.
        """
        frame, codes = self.task.frame, codes.detach().requires_grad_()
        pictures = self.canvas.draw((codes,), frame)
        x = frame.to_inputs(pictures)
        with self.task.autocast:
            scores = objective_of([self.task.targets[row] for row in rows])(self.activations(x))
        (gradient,) = torch.autograd.grad(scores.sum(), codes)
        with torch.no_grad():
            back = self.encoder.codes(x.detach()).to(codes) - codes
            push = gradient * self.spread
            size = push.flatten(1).square().mean(1).sqrt()
            strength = self.remaining(scores, rows) / torch.where(size > 0, size, 1)
            push = per_picture(strength, push) * push
            moved = codes + per_picture(e1, codes) * back + self.e2 * self.spread * push
            if self.e3:
                moved = moved + self.e3 * self.noise(draws, codes)
            return self.canvas.within((moved,), frame)[0], scores.detach()

    def noise(self, draws: Draws, codes: Tensor) -> Tensor:
        """Noise with the standard deviation, or the covariance, of codes of data."""
        if self.along is None:
            return self.spread * normal(draws, codes.shape[1:]).to(codes)
        weights = normal(draws, (len(self.along),)).to(codes) / len(self.along) ** 0.5
        noise: Tensor = (weights @ self.along.flatten(1)).view_as(codes)
        return noise

    def remaining(self, scores: Tensor, rows: Sequence[int]) -> Tensor:
        """What is left to gain, in [0, 1]; 1 for targets that are not classes."""
        return torch.where(self.is_class(rows).to(scores.device), (-scores / self.temper).sigmoid(), torch.ones_like(scores))

    def scores(self, codes: Tensor) -> Tensor:
        """The score of the code of each picture."""
        scores = []
        for rows in torch.split(torch.arange(len(codes)), batch_size(torch.empty(1, *self.task.frame.shape))):
            with differentiable(self.task.model, codes), torch.no_grad():
                values = self.activations(self.task.frame.to_inputs(self.pictures(codes[rows])))
            scores.append(objective_of([self.task.targets[row] for row in rows.tolist()])(values).detach())
        return torch.cat(scores)

    def probabilities(self, scores: Tensor, rows: Sequence[int]) -> Tensor:
        """Scores with log-odds of classes as probabilities."""
        return torch.where(self.is_class(rows).to(scores.device), scores.sigmoid(), scores)

    def is_class(self, rows: Sequence[int]) -> Tensor:
        """Which of these targets are classes, a mask (rows,)."""
        return torch.tensor([isinstance(self.task.targets[row].terms[0][1], LogOdds) for row in rows])


@dataclass(frozen=True, eq=False)
class ChainResult:
    """The samples of n chains.

    Arguments:
        codes: By chain and sample, with shape (n, samples, *code).
        trace: The scores by step and chain, (steps, n); NaN for steps that were not made.
        steps: How many were planned.
    """

    codes: Tensor
    trace: Tensor
    steps: int
    seconds: float
    notes: tuple[str, ...] = ()


def run_chain(
    chain: Chain, e1: Tensor, steps: int, samples: int = 1, every: int = 20, calm: int = 0, start: tuple[Tensor] | None = None
) -> ChainResult:
    """One chain per picture: `steps` steps, then a sample, then one more after every `every` steps.

    Arguments:
        e1: The weight of the prior step, one per picture.
        start: Codes to start from, one per picture.
        calm: How many steps without noise lead from the chain to a sample; the chain goes on from where it was.
    """
    begun, size = time.perf_counter(), batch_size(torch.empty(1, *chain.task.frame.shape))
    pieces = [list(range(len(chain.task)))[i : i + size] for i in range(0, len(chain.task), size)]
    total, parts = steps + (samples - 1) * every, list[tuple[Tensor, Tensor]]()
    notes: list[str] = []
    for number, rows in enumerate(pieces):
        draws = generators([chain.task.seeds[row] for row in rows])
        sampled, trace = [], []
        codes = chain.start(draws) if start is None else start[0][rows]
        for step in range(total):
            seconds = time.perf_counter() - begun
            late = chain.task.seconds is not None and seconds > chain.task.seconds * (number + 1) / len(pieces)
            if notes or report_progress(number * total + step, len(pieces) * total, "steps") or late:
                notes = notes or [f"{'Stopped' if late else 'Called off'} after {step} of {total} steps."]
                break
            with differentiable(chain.task.model, codes):
                codes, scores = chain.step(codes, e1[rows], draws, rows)
            trace.append(scores)
            if step + 1 >= steps and (step + 1 - steps) % every == 0:
                sampled.append(noiseless_steps(chain, codes, e1[rows], draws, rows, calm))
        sampled += [codes] * (samples - len(sampled))
        trace += [torch.full((len(rows),), torch.nan, device=codes.device)] * (total - len(trace))
        parts.append((torch.stack(sampled, 1), torch.stack(trace)))
    codes, scores = torch.cat([codes for codes, _ in parts]), torch.cat([trace for _, trace in parts], 1)
    return ChainResult(codes, scores, total, time.perf_counter() - begun, tuple(notes))


def noiseless_steps(chain: Chain, codes: Tensor, e1: Tensor, draws: Draws, rows: Sequence[int], steps: int) -> Tensor:
    """Codes after some steps without noise."""
    quiet = replace(chain, e3=0.0)
    for _ in range(steps if chain.e3 else 0):
        with differentiable(chain.task.model, codes):
            codes, _ = quiet.step(codes, e1, draws, rows)
    return codes


def as_condition(target: Target, output: Tensor) -> Target:
    """The target as a condition: of a class its log-odds, whose gradient does not vanish; other targets as they are.

    d log p = (1 - p) d log(p / (1 - p)): both gradients have the same direction, and steps are of unit length.
    """
    (weight, term), *more = target.terms
    if more or weight <= 0 or not isinstance(term, (Logit, Probability, LogOdds)) or output.dim() != 2 or output.shape[1] < 2:
        return target
    return Target(((1.0, LogOdds(term.at, term.index, term.labels)),))
