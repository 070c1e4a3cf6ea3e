"""PPGN: samples of pictures of a class, by a Markov chain of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from pellucid.errors import MethodError
from ..generator.chain import Chain, ChainResult, run_chain
from ..generator.prior import GeneratorPrior
from ..generator.tuning import tune_prior_weight
from ..maximized import Maximized, maximized
from ..optimize.result import OptimizationResult
from ..optimize.step_rules import Normalised
from ..optimize.task import Plan, Task
from .dgn_am import resolve_prior, settings, start_codes, with_prior


@dataclass(frozen=True, eq=False)
class Ppgn:
    """Pictures of a class that look like the data: a chain of codes moves towards the class, and towards the codes that the
    network computes for the generated pictures, since codes of real pictures stay where they are.

        h <- clip(h + e1 (E(G(h)) - h) + e2 sd * left * unit(d log p(c | G(h)) / d(h / sd)) + e3 sd * N(0, 1))
        left = sigmoid(-log-odds(c) / T)

    A unit, or any target, takes the place of log p as its score; left is 1 then. The trace of a class is one of log-odds. This is
    the noiseless joint variant, whose G and E see no noise while they learn, and of which DGN-AM is e1 = 0.

    References: Nguyen et al., 2017, Plug and play generative networks, Eq. 5 and section 4.4,
        https://doi.org/10.1109/CVPR.2017.374. Published: e1 = 1e-5, e2 = 1, e3 = 1e-17 in units of AlexNet's fc6, the sum of all
        three divided by its mean size, 200 steps of size 1, bounds [0, 30]. Departures: (1) Only the push to the class is brought
        to unit size, so that the prior step stays a share of the way back to E(G(h)). (2) Push and noise are measured in standard
        deviations of each unit. (3) e1, the published method's knob (too little: not natural, too much: another class), is tuned:
        the largest that leaves the class 0.9 of its best probability. (4) Bounds are mean + 3 sd. (5) Codes begin at those
        of pictures of data, drawn at random whatever they show. (6) There is noise: without it, pictures of one chain for digits
        are 0.2 to 0.4 times as diverse as real ones, with it 0.8. It has the covariance of codes of data. (7) The push fades as
        log-odds grow over T, not over 1 as the slope of log p does, which leaves pictures that only this network takes for the
        class; without any fading they come out alike. e2, e3 and T were chosen by
        two networks for digits: with T = 1 a network trained apart reads 69 to 83 % of the pictures as intended, without fading
        diversity falls to half of real.

    Arguments:
        prior: The generator; None: the one given as canvas, or one fitted to the data given, in 20 steps for each of
            the search and at most `minutes`.
        steps: Before the first sample.
        samples: How many pictures each chain gives; they come one after another among the results.
        every: Steps between two samples of a chain.
        e1: The prior step; None: tuned for each target.
        e2, e3: The push to the class, and noise, in standard deviations.
        temper: T: how many nats of log-odds the push lasts.
        calm: Steps without noise that lead from a chain to each of its samples.
        start, width: Where codes begin, and how far from the mean, see `DgnAm`.
        noise: "units": each unit by itself; "data": along the differences between codes of data, of their covariance, so that
            units which go together in pictures are moved together.

    Raises:
        MethodError: there is neither a prior nor data, or a setting is out of range.
        WhereError: the prior wraps a generator, or belongs to another model: there is no E then.
    """

    prior: GeneratorPrior | None = None
    steps: int = 100
    samples: int = 1
    every: int = 20
    e1: float | None = None
    e2: float = 0.15
    e3: float = 0.2
    temper: float = 5.0
    calm: int = 5
    start: str = "real"
    width: float = 1.0
    noise: str = "data"
    minutes: float = 5.0
    name: ClassVar[str] = "ppgn"

    def __post_init__(self) -> None:
        counts, weights = min(self.steps, self.samples, self.every) >= 1, min(self.e1 or 0, self.e2, self.e3) >= 0
        if not counts or not weights or self.temper <= 0 or (self.e1 or 0) > 1 or self.noise not in ("units", "data"):
            found = f"steps={self.steps}, samples={self.samples}, every={self.every}, e1={self.e1}, e2={self.e2}, e3={self.e3}"
            why = "counts are 1 or more, weights 0 or more, e1 at most 1, noise is of units or data"
            raise MethodError("recipe 'ppgn'", f"{found}, noise={self.noise!r}", why, "Correct that one.")

    def maximize(self, task: Task) -> Maximized:
        """The pictures along the chains."""
        prior, task = resolve_prior(self.name, task, self.prior, self.minutes, self.steps)
        task, start = start_codes(task, prior)
        chain = Chain.of(task, prior, self.width, self.e2, self.e3, self.temper, self.start, self.noise)
        steps = task.steps or self.steps
        e1 = None if self.e1 is None else torch.full((len(task),), self.e1, device=chain.spread.device)
        e1 = tune_prior_weight(chain, max(1, steps // 2), self.calm) if e1 is None else e1
        sampled = run_chain(chain, e1, steps, self.samples, self.every, self.calm, start)
        every = [row for row in range(len(task)) for _ in range(self.samples)]
        plan = Plan(chain.canvas, Normalised(self.e2), sampled.steps)
        p = maximized(task.take(every), self.name, plan, self.result(chain, sampled, every))
        names = "samples", "every", "e1", "e2", "e3", "temper", "calm", "start", "width", "noise"
        return with_prior(p, prior, [*settings(self, steps, *names), *self.tuning(e1)])

    def result(self, chain: Chain, sampled: ChainResult, every: Sequence[int]) -> OptimizationResult:
        """The samples as the result of an optimisation."""
        codes = sampled.codes.flatten(0, 1)
        pictures = torch.cat([chain.pictures(part) for part in torch.split(codes, 64)])
        led = torch.ones(len(pictures), dtype=torch.bool, device=pictures.device)
        course = sampled.trace[:, list(every)], led, sampled.notes, sampled.steps, sampled.seconds
        return OptimizationResult((codes,), pictures, pictures, pictures, led, *course)

    def tuning(self, e1: torch.Tensor) -> tuple[str, ...]:
        """The tuned e1 as text."""
        weights = sorted(set(e1.tolist()))
        text = f"{weights[0]:g}" if len(weights) == 1 else f"{weights[0]:g} to {weights[-1]:g}"
        return (f"tuned e1={text}",) if self.e1 is None else ()
