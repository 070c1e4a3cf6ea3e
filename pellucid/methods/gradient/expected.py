"""Expected gradients: integrated gradients averaged over baselines, with standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.random import generator
from pellucid.errors import InputError, MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.passes import Passes
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape.forward import run_batched
from pellucid.target import Target
from .baseline import brief, coloured, filled
from .batched import batched_gradient, column
from .sampling import Tally, called_off


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected gradients, also known as GradientSHAP: integrated gradients averaged over baselines and places on the line.

        R_i = E over b and a of (x_i - b_i) * df/dx_i(b + a (x - b)),   a uniform in [0, 1]

    It sums to f(x) - E f(b), up to its standard error, which is given for every value: that of independent draws, and so rather
    too large, since the baselines take turns. Every sample of a batch sees the same draws.

    References: Erion et al., 2021, Improving performance of deep learning models with axiomatic attribution priors and expected
        gradients, https://doi.org/10.1038/s42256-021-00343-w; Lundberg and Lee, 2017, A unified approach to interpreting model
        predictions, https://doi.org/10.48550/arXiv.1705.07874. The uniform baselines are those of Sturmfels et al., 2020,
        Visualizing the impact of feature attribution baselines, https://doi.org/10.23915/distill.00022. captum's GradientShap
        also adds noise to x; wrap it in `Noisy` for that.

    Arguments:
        baselines: Inputs to compare with, as many as there are, along the first axis: pictures of the data. None: each entry is
            drawn uniformly between black and white where the preprocessing is known, else between the least and the greatest
            entry of its channel.
        n: How many draws of a baseline and a place on the line.
        seed: For the draws.

    Raises:
        InputError: the baselines do not fit.
        MethodError: fewer than two draws, or nothing at `at` that can be changed.

    Example:
        >>> import pellucid as pl
        >>> method = Expected(torch.tensor([[1.0, 1.0], [3.0, 1.0]]), n=4)
        >>> pl.explain(lambda x: 2 * x[:, :1] + x[:, 1:], torch.tensor([[2.0, 2.0]]), target=0, method=method).values[:, 1]
        tensor([1.])
    """

    name: ClassVar[str] = "expected_gradients"
    signed: ClassVar[bool] = True

    baselines: Tensor | None = None
    n: int = 32
    seed: int = 0

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`, with their standard errors."""
        if self.n < 2:
            raise MethodError(f"n={self.n}", "fewer than two draws", "a standard error needs two", "Ask for 32, say.")
        source, samples = source_of(self.baselines, model, x, self.seed), len(x)
        s, tally = batched_gradient(model, x, target, at), Tally(samples)
        picks, places = draws(self.n, len(source), self.seed)

        def contributions(questions: Tensor, rows: Sequence[int]) -> Tensor:
            own = [q // samples for q in questions.tolist()]
            origin = s.inside(source.take([(j, picks[j]) for j in own], rows))
            delta = s.value[list(rows)] - origin
            return s(origin + column([places[j] for j in own], delta) * delta, rows) * delta

        def questions(first: int, last: int) -> tuple[Tensor, list[int]]:
            return torch.arange(first, last), [q % samples for q in range(first, last)]

        for first, _, block in run_batched(contributions, self.n * samples, questions, batch=s.batch, what="gradients"):
            for q, value in enumerate(block, first):
                tally.add(q % samples, value)
        tally.check("The mean over baselines")
        notes = (str(source), *called_off(tally.count, self.n))
        options = (f"n={self.n}", f"seed={self.seed}", f"baselines={brief(self.baselines)}")
        spent = samples + (2 if at is None else 3) * sum(tally.count)
        return s.attribution(tally.mean, notes=notes, options=options, error=tally.error, forwards=spent)

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        return Passes(len(x) * (1 + self.n), len(x) * self.n)


def draws(n: int, baselines: int, seed: int) -> tuple[list[int], list[float]]:
    """Which baseline, and which place on the line, each draw takes. Baselines take turns, each turn in a random order.

    Example:
        >>> sorted(draws(6, 3, seed=0)[0])
        [0, 0, 1, 1, 2, 2]
    """
    rng = generator(seed, 0)
    turns = [torch.randperm(baselines, generator=rng) for _ in range(-(-n // baselines))]
    places: list[float] = torch.rand(n, generator=rng, dtype=torch.float64).tolist()
    return torch.cat(turns)[:n].tolist(), places


def source_of(baselines: Tensor | None, model: Model, x: Tensor, seed: int) -> OwnBaselines | UniformBaselines:
    """Where baselines come from: the caller, or, without any, uniform draws.

    Raises:
        InputError: the baselines do not fit.
    """
    if baselines is None:
        return UniformBaselines.within(model, x, seed)
    shape = tuple(baselines.shape)
    if len(shape) != x.dim() or not len(baselines):
        raise InputError(
            f"baselines of shape {shape}", f"inputs of shape {tuple(x.shape)}", "the first axis counts the baselines",
            f"Pass them with shape (n, {', '.join(map(str, x.shape[1:]))}).",
        )  # fmt: skip
    return OwnBaselines(torch.cat([filled(one, x[:1]) for one in torch.split(baselines, 1)]))


@dataclass(frozen=True, eq=False)
class OwnBaselines:
    """The caller's own baselines."""

    baselines: Tensor

    def __len__(self) -> int:
        return len(self.baselines)

    def __str__(self) -> str:
        return f"The baselines are {len(self)} inputs of the caller's own."

    def take(self, picks: Sequence[tuple[int, int]], rows: Sequence[int]) -> Tensor:
        """The baselines for some samples, each by the number of its draw and the number drawn."""
        return self.baselines[[pick for _, pick in picks]]


@dataclass(frozen=True, eq=False)
class UniformBaselines:
    """A new baseline for every draw, each entry anywhere between two bounds.

    Arguments:
        low, high: The bounds, which broadcast against the samples.
        seed: For the draws.
        shape: Of one sample.
        words: What the bounds are.
    """

    low: Tensor
    high: Tensor
    seed: int
    shape: tuple[int, ...]
    words: str

    @staticmethod
    def within(model: Model, x: Tensor, seed: int) -> UniformBaselines:
        """Between black and white, where it is known what they are; else within the range of each sample's channels."""
        shape = tuple(x.shape[1:])
        if model.image_preprocess is not None and coloured(model, x):
            low, high = (bound.to(x).expand(len(x), -1, -1, -1) for bound in model.image_preprocess.bounds())
            return UniformBaselines(low, high, seed, shape, "black and white")
        entries = tuple(range(1 if x.dim() == 2 else 2, x.dim()))
        low, high = x.amin(entries, True), x.amax(entries, True)
        return UniformBaselines(low, high, seed, shape, "the least and the greatest entry of its channel")

    def __len__(self) -> int:
        return 1

    def __str__(self) -> str:
        return f"No baselines were given: every entry of theirs is drawn uniformly between {self.words}."

    def take(self, picks: Sequence[tuple[int, int]], rows: Sequence[int]) -> Tensor:
        low, high = self.low[list(rows)], self.high[list(rows)]
        uniform = {j: torch.rand(self.shape, generator=generator(self.seed, 1 + j), dtype=torch.float64) for j, _ in picks}
        return low + torch.stack([uniform[j] for j, _ in picks]).to(low) * (high - low)
