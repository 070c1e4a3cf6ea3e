"""Chain: codes that wander to what a target asks for, and to what the network itself makes of the pictures they tell."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from ..prior.rows import per_picture
from ..protocols import Draws
from ..random import generators, normal
from .encoder import Encoder
from .prior import GeneratorPrior

LADDER = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)  # weights of the prior step that are tried
PILOTS = 3  # codes that each of them is tried on
HELD = 0.9  # of the best probability: what the target must keep
APART = 0.7  # of how far pictures of several codes lie apart without a prior step: what must be left of it


@dataclass(frozen=True, eq=False)
class Chain:
    """How codes of a prior wander.

        h <- clip(h + e1 (E(G(h)) - h) + e2 sd * left * unit(d log p(target | G(h)) / d(h / sd)) + e3 sd * N(0, 1))

    with unit(g) of root mean square 1, and left = sigmoid(-log-odds / T) what there is left to gain; with T = 1 that is 1 - p.

    Arguments:
        task: What is wanted; its targets conditioned, see `as_condition`.
        e2, e3: In standard deviations of each unit.
        temper: T.
        along: Codes of data minus their mean, (k, *code), for noise of their covariance: sum_k g_k along_k / sqrt(k) takes the
            place of sd * N(0, 1). None: noise is independent from unit to unit.
    """

    task: Task
    canvas: Latent
    encoder: Encoder
    ask: LayerActivations
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
        """The chain for a task, ready to go.

        Raises:
            WhereError: the prior is not one of this model's codes, or a target names a module that did not run.
        """
        canvas = prior.canvas(task.frame, width=width, start=start)
        with torch.no_grad():
            x = task.frame.to_inputs(canvas.draw(canvas.start(task.frame, generators([0])), task.frame))
        addresses = [at for target in task.targets for at in target.addresses]
        ask, values = layer_activations(task.model, x, tuple(dict.fromkeys((*addresses, None))))
        targets = tuple(as_condition(target, values[None]) for target in task.targets)
        encoder = prior.encoder(task.model, x)
        spread = prior.codes.spread.to(task.frame.device)
        bank = prior.codes.bank if noise == "data" else None
        along = None if bank is None else (bank - bank.mean(0)).to(spread)
        return Chain(replace(task, targets=targets), canvas, encoder, ask.only(addresses), spread, e2, e3, temper, along)

    def start(self, draws: Draws) -> Tensor:
        return self.canvas.start(self.task.frame, draws)[0]

    def pictures(self, codes: Tensor) -> Tensor:
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
        fed = frame.to_inputs(pictures)
        with self.task.autocast:
            scores = objective_of([self.task.targets[row] for row in rows])(self.ask(fed))
        (slope,) = torch.autograd.grad(scores.sum(), codes)
        with torch.no_grad():
            back = self.encoder.codes(fed.detach()).to(codes) - codes
            push = slope * self.spread
            size = push.flatten(1).square().mean(1).sqrt()
            strength = self.left(scores, rows) / torch.where(size > 0, size, 1)
            push = per_picture(strength, push) * push
            moved = codes + per_picture(e1, codes) * back + self.e2 * self.spread * push
            if self.e3:
                moved = moved + self.e3 * self.noise(draws, codes)
            return self.canvas.within((moved,), frame)[0], scores.detach()

    def noise(self, draws: Draws, codes: Tensor) -> Tensor:
        """Noise of the size that codes of data have around their mean."""
        if self.along is None:
            return self.spread * normal(draws, codes.shape[1:]).to(codes)
        weights = normal(draws, (len(self.along),)).to(codes) / len(self.along) ** 0.5
        noise: Tensor = (weights @ self.along.flatten(1)).view_as(codes)
        return noise

    def left(self, scores: Tensor, rows: Sequence[int]) -> Tensor:
        """How much there is left to gain: 1 for targets that are not classes."""
        return torch.where(self._odds(rows, scores), (-scores / self.temper).sigmoid(), torch.ones_like(scores))

    def scores(self, codes: Tensor) -> Tensor:
        """The score of the code of each picture."""
        found = []
        for rows in torch.split(torch.arange(len(codes)), batch_size(torch.empty(1, *self.task.frame.shape))):
            with differentiable(codes), torch.no_grad():
                values = self.ask(self.task.frame.to_inputs(self.pictures(codes[rows])))
            found.append(objective_of([self.task.targets[row] for row in rows.tolist()])(values).detach())
        return torch.cat(found)

    def worth(self, scores: Tensor, rows: Sequence[int]) -> Tensor:
        """Scores as what must be kept of them: probabilities where targets are classes."""
        return torch.where(self._odds(rows, scores), scores.sigmoid(), scores)

    def _odds(self, rows: Sequence[int], like: Tensor) -> Tensor:
        """Which of these targets are classes."""
        return torch.tensor([isinstance(self.task.targets[row].terms[0][1], LogOdds) for row in rows], device=like.device)


@dataclass(frozen=True, eq=False)
class ChainResult:
    """Where chains came by.

    Arguments:
        codes: By picture and sample: (n, samples, *code).
        trace: Scores by step and picture.
        steps: How many were made.
    """

    codes: Tensor
    trace: Tensor
    steps: int
    seconds: float
    notes: tuple[str, ...] = ()


def run_chain(
    chain: Chain, e1: Tensor, steps: int, samples: int = 1, every: int = 20, calm: int = 0, start: tuple[Tensor] | None = None
) -> ChainResult:
    """One chain per picture: `steps` steps, then a sample, then one more after every `everything` steps.

    Arguments:
        e1: One weight per picture.
        start: Codes to begin with, one per picture.
        calm: How many steps without noise lead from the chain to a sample; the chain goes on from where it was.
    """
    begun, size = time.perf_counter(), batch_size(torch.empty(1, *chain.task.frame.shape))
    pieces = [list(range(len(chain.task)))[i : i + size] for i in range(0, len(chain.task), size)]
    total, found = steps + (samples - 1) * every, list[tuple[Tensor, Tensor]]()
    notes: list[str] = []
    for number, rows in enumerate(pieces):
        draws = generators([chain.task.seeds[row] for row in rows])
        kept, trace = [], []
        codes = chain.start(draws) if start is None else start[0][rows]
        for step in range(total):
            seconds = time.perf_counter() - begun
            late = chain.task.seconds is not None and seconds > chain.task.seconds * (number + 1) / len(pieces)
            if notes or report_progress(number * total + step, len(pieces) * total, "steps") or late:
                notes = notes or [f"{'Stopped' if late else 'Called off'} after {step} of {total} steps."]
                break
            with differentiable(codes):
                codes, scores = chain.step(codes, e1[rows], draws, rows)
            trace.append(scores)
            if step + 1 >= steps and (step + 1 - steps) % every == 0:
                kept.append(noiseless_steps(chain, codes, e1[rows], draws, rows, calm))
        kept += [codes] * (samples - len(kept))
        trace += [torch.full((len(rows),), torch.nan, device=codes.device)] * (total - len(trace))
        found.append((torch.stack(kept, 1), torch.stack(trace)))
    joined, scores = torch.cat([codes for codes, _ in found]), torch.cat([trace for _, trace in found], 1)
    return ChainResult(joined, scores, total, time.perf_counter() - begun, tuple(notes))


def noiseless_steps(chain: Chain, codes: Tensor, e1: Tensor, draws: Draws, rows: Sequence[int], steps: int) -> Tensor:
    """Codes after some steps without noise."""
    quiet = replace(chain, e3=0.0)
    for _ in range(steps if chain.e3 else 0):
        with differentiable(codes):
            codes, _ = quiet.step(codes, e1, draws, rows)
    return codes


def tune_prior_weight(chain: Chain, steps: int, calm: int = 0) -> Tensor:
    """By picture: the largest weight of the prior step that leaves the target 0.9 of the best probability it gets with any, and
    pictures 0.7 as far apart as they are with none: where codes keep little of a picture, E(G(h)) draws all of them to one.

    Each target is tuned by chains of its own, whatever else is asked for beside it. Where it is not a class, what must be kept is
    0.9 of the rise of its score.
    """
    targets: dict[Any, list[int]] = {}
    for row, target in enumerate(chain.task.targets):
        targets.setdefault(_key(target), []).append(row)
    firsts = [rows[0] for rows in targets.values()]
    pilots = [row for row in firsts for _ in LADDER for _ in range(PILOTS)]
    seeds = tuple(pilot for _ in firsts for _ in LADDER for pilot in range(PILOTS))
    e1 = torch.tensor([weight for _ in firsts for weight in LADDER for _ in range(PILOTS)])
    pilot = replace(chain, task=replace(chain.task.take(pilots), seeds=seeds))
    e1 = e1.to(chain.spread.device)
    shape, rows = (-1, len(LADDER), PILOTS), range(len(pilots))
    went = run_chain(pilot, e1, steps, calm=calm)
    first, last = (
        pilot.worth(scores, rows).view(shape).mean(2).cpu() for scores in (went.trace[0], pilot.scores(went.codes[:, 0]))
    )
    floor = torch.where(_odds(pilot, len(firsts)), 0.0, first.mean(1))[:, None]
    best = (last - floor).amax(1, keepdim=True)
    holds = (last - floor) >= HELD * best
    apart = mean_distances(pilot, went.codes[:, 0]).view(-1, len(LADDER))
    good = holds & (apart >= APART * apart[:, :1])
    good = torch.where(good.any(1, keepdim=True), good, holds)  # the class comes first
    chosen = torch.tensor(LADDER)[[max(i for i, held in enumerate(row) if held) for row in good.tolist()]]
    weights = torch.zeros(len(chain.task))
    for same, weight in zip(targets.values(), chosen.tolist(), strict=True):
        weights[same] = weight
    return weights.to(chain.spread.device)


def mean_distances(chain: Chain, codes: Tensor) -> Tensor:
    """How far the pictures of each few pilots lie apart, in the mean."""
    pictures = [chain.pictures(part).flatten(1) for part in torch.split(codes, PILOTS)]
    return torch.stack([torch.pdist(part.float()).mean() for part in pictures]).cpu()


def as_condition(target: Target, output: Tensor) -> Target:
    """The target as a condition: the log-odds of a class, with the slope of its log-probability that does not fade; else itself.

    d log p = (1 - p) d log(p / (1 - p)): one direction, and steps are of unit length.
    """
    (weight, term), *more = target.terms
    if more or weight <= 0 or not isinstance(term, (Logit, Probability, LogOdds)) or output.dim() != 2 or output.shape[1] < 2:
        return target
    return Target(((1.0, LogOdds(term.at, term.index, term.labels)),))


def _odds(chain: Chain, count: int) -> Tensor:
    of = len(chain.task) // count
    return torch.tensor([isinstance(chain.task.targets[i * of].terms[0][1], LogOdds) for i in range(count)])


def _key(target: Target) -> Any:
    """What two equal targets share: their terms, tensors and functions by identity."""

    def parts() -> Iterator[Any]:
        for weight, term in target.terms:
            values = vars(term)
            yield weight, type(term), *((n, v if isinstance(v, (str, int, tuple)) else id(v)) for n, v in values.items())

    return tuple(parts())
