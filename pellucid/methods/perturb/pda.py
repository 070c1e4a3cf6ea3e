"""Prediction difference analysis: the weight of evidence, in bits, of what is inside every window."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model import Model
from pellucid.target import Target
from pellucid.target.classes import Logit, LogOdds, Probability
from .coarse_to_fine import Refined
from .imputers.conditional import Colour
from .imputers.conditional_gaussian import ConditionalGaussian, conditional_gaussian
from .imputers.imputer import Fill, Imputer
from .imputers.marginal import Marginal, Shifted
from .imputers.multi_input import as_imputer
from .occlusion import Difference
from .regions.division import Division, Sliding
from .regions.regions import Regions, Shape, spatial_shape, table_columns
from .sampling.design import OneOut
from .sampling.estimator import Estimate, Estimator, named
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses

WINDOW, MARGIN, SEEN = 10, 2, 100_000  # as published


def pda(
    window: int | Shape | None = None,
    stride: int | Shape | None = None,
    samples: int = 10,
    sampler: Any = None,
    *,
    context: int | None = None,
    colour: Colour = "each",
    refine: float | None = None,
    seen: int = SEEN,
    compat: Literal["zintgraf2017"] | None = None,
    seed: int = 0,
    batch: int | None = None,
    accelerate: Literal["auto", "off"] = "auto",
) -> Perturbation | Refined:
    """Prediction difference analysis: how many bits of evidence for the class, or against it, each part of the input is.

        p(c | x \\ w) = mean over samples of p(c | x with x_w drawn anew)
        WE_w(c)      = log2 odds(c | x) - log2 odds(c | x \\ w)

    A window slides over the input; what it hides is not blanked but drawn from what is likely there. A place gets the mean of WE
    over the windows that cover it: positive speaks for the class, negative against it, and 1 bit doubles the odds. A target
    inside the model, or one that is no class, gets the plain difference, f(x) - mean f(x with x_w drawn anew), in its own units,
    as the paper has it for hidden units. A weighted sum of classes gets that sum of their evidence.

    Pictures of one or three channels are drawn from a Gaussian given the pixels around (see `ConditionalGaussian`), fitted on
    photographs that come along; other inputs, for which nothing is known of what is likely, from elsewhere in the sample (see
    `Shifted`). Give `sampler=` what you know: `conditional_gaussian(your_pictures, model)`, `marginal(your_data)`.

    All windows meet the same random numbers, so that neighbours differ by what they hide and not by chance.

    References: Zintgraf et al., 2017, https://doi.org/10.48550/arXiv.1702.04595; Robnik-Šikonja and Kononenko, 2008,
        https://doi.org/10.1109/TKDE.2007.190734

    Arguments:
        window: Side length in places, or one per axis; None: 10, or a quarter of an axis shorter than 40; columns of a table
            one by one.
        stride: Distance between windows; None: half the window. The last windows are moved inside.
        samples: Draws per window; 1 for a sampler that does not draw.
        sampler: An imputer. The next two are of the one that is taken when none is given.
        context: Side length of the patch a window is drawn from; None: 4 more than the window, as in the paper.
        colour: "each" channel given its own pixels, as in the paper, or "full" colour.
        refine: Coarse to fine, see `Refined`: the share of windows that are asked at every halving of the distance.
        seen: How many examples the network was trained on: N of the Laplace correction (p N + 1) / (N + number of classes). A
            class that is given less than about 1 / N, or all but that, has next to no evidence: raise it there.
        compat: "zintgraf2017": with what the published code does: stride 1; the first channel's covariance for all channels; the
            first pictures of the data in a marginal sampler. Not with its stale window per batch, nor in half precision.
        seed: Of the draws.
        batch, accelerate: See `Perturbation`.

    Raises:
        MethodError: `compat` is unknown, nothing is drawn, or the patch is no wider than the window.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 2, bias=False)).eval()
        >>> _ = net[1].weight.data.copy_(torch.tensor([[4.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]))
        >>> from pellucid import explain
        >>> explain(net, torch.ones(1, 1, 6), 0, pda(window=1, sampler=0.0)).values.round()
        tensor([[[6., 0., 0., 0., 0., 0.]]])
    """
    if compat not in (None, "zintgraf2017"):
        advice = 'Leave it out, or give "zintgraf2017".'
        raise MethodError(f"pda(compat={compat!r})", "an unknown name", "it follows one published code", advice)
    if samples < 1:
        raise MethodError(f"pda(samples={samples})", f"{samples} draws", "a window is filled once or more", "Give samples=10.")
    if compat:
        stride, colour = stride or 1, "first"
        sampler = replace(sampler, shuffle=False) if isinstance(sampler, Marginal) else sampler
    imputer = Likely(_margin(window, context), colour, seed) if sampler is None else as_imputer(sampler)
    draws = samples if imputer.random else 1
    division = Openings(window, stride, imputer, draws)
    method = Perturbation("pda", division, OneOut(), WeightOfEvidence(seen), imputer, draws, batch=batch, accelerate=accelerate)
    return method if refine is None else Refined(method, refine)


def _margin(window: int | Shape | None, context: int | None) -> int:
    size = WINDOW if window is None else window if isinstance(window, int) else max(window)
    margin, odd = (MARGIN, 0) if context is None else divmod(context - size, 2)
    if margin < 1 or odd:
        raise MethodError(
            f"pda(context={context})", f"windows of {size}", "the frame of what is known is as wide on every side, 1 at least",
            f"Ask for context={size + 2 * MARGIN}.",
        )  # fmt: skip
    return margin


@named("pda")
@dataclass(frozen=True)
class WeightOfEvidence(Estimator):
    """log2 odds of the class on the sample, less log2 odds of its mean probability over the draws: in bits.

    Probabilities have a Laplace correction, p~ = (p N + 1) / (N + K) for K classes, so that odds stay finite. Standard errors are
    those of the mean probability, carried over by the derivative of the odds (the delta method). What is no class has no odds:
    its plain difference is taken.

    Arguments:
        seen: N, how many examples the network was trained on.
    """

    seen: int = SEEN

    def __post_init__(self) -> None:
        if self.seen < 1:
            raise MethodError(
                f"weight of evidence with seen={self.seen}", f"{self.seen} training examples",
                "the Laplace correction counts examples", "Leave it at 100,000, or give the size of the training set.",
            )  # fmt: skip

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        if not _of_classes(responses, target):
            plain = Difference().estimate(responses, target)
            return replace(plain, notes=("The target is not a class and has no odds: values are differences in its own units.",))
        rows, draws = responses.answers.shape[:2]
        answers, classes = responses.answers.flatten(0, 1).double(), responses.full.numel()
        values, effect = answers.new_zeros(rows), answers.new_zeros(rows, draws)
        for weight, term in target.terms:
            p, whole = _probabilities(term, answers).reshape(rows, draws), _probabilities(term, responses.full[None].double())
            values += weight * (self._bits(whole, classes) - self._bits(p.mean(1), classes))
            effect += weight * self._slope(p.mean(1), classes)[:, None] * p
        error = effect.std(1) / draws**0.5 if draws > 1 and not responses.exact else None
        missing = (0, responses.n - rows)  # called off: windows that were not evaluated count as nothing
        return Estimate(
            F.pad(values, missing), None if error is None else F.pad(error, missing),
            ("Weight of evidence, in bits: 1 where a window doubles the odds of the class, -1 where it halves them.",),
        )  # fmt: skip

    def _bits(self, p: Tensor, classes: int) -> Tensor:
        """log2 odds of a corrected probability."""
        return torch.log2((p * self.seen + 1) / ((1 - p) * self.seen + classes - 1))

    def _slope(self, p: Tensor, classes: int) -> Tensor:
        """The derivative of the odds by the probability."""
        return self.seen / math.log(2) * (1 / (p * self.seen + 1) + 1 / ((1 - p) * self.seen + classes - 1))


def _of_classes(responses: Responses, target: Target) -> bool:
    """Whether the target is made of classes among two or more, all of whose scores are known."""
    scores = all(type(term) in (Logit, Probability, LogOdds) and term.at is None for _, term in target.terms)
    return scores and responses.whole and responses.full.numel() > 1


def _probabilities(term: Any, answers: Tensor) -> Tensor:
    """The probability of the class of a term, for every output."""
    return Probability(term.at, term.index, term.labels, link=term.link).take([0] * len(answers)).read(answers)


@dataclass(frozen=True)
class Likely(Imputer):
    """The usual sampler: a `ConditionalGaussian` for pictures, the sample moved by a random distance (`Shifted`) for all else."""

    random: ClassVar[bool] = True
    around: ClassVar[bool] = True

    margin: int = MARGIN
    colour: Colour = "each"
    seed: int = 0

    def prepare(self, x: Tensor, regions: Regions, model: Model) -> Fill:
        return self.of(x).prepare(x, regions, model)

    def of(self, x: Tensor) -> Imputer:
        """The sampler for a sample with shape (1, ...)."""
        if x.dim() == 4 and x.shape[1] in (1, 3):
            return conditional_gaussian(margin=self.margin, colour=self.colour, seed=self.seed)
        return Shifted(self.seed)


@dataclass(frozen=True)
class Openings(Division):
    """Windows all of one size, the last ones moved inside; of a size that suits the input where nobody asked for one.

    Arguments:
        size: Side length in places, or one per axis; None: see `pda`.
        stride: Distance between windows; None: half the size.
        sampler, draws: What stands in them, and how often it is drawn, for the caption.
    """

    size: int | Shape | None
    stride: int | Shape | None
    sampler: Imputer
    draws: int

    def of(self, x: Tensor, model: Model) -> Regions:
        columns = table_columns(x, model) if self.size is None else None
        if columns is not None:
            return columns
        default_size = tuple(1 if x.dim() == 2 else max(1, min(WINDOW, side // 4)) for side in spatial_shape(x))
        windows = Sliding(default_size if self.size is None else self.size, self.stride, clip=False).windows(x)
        side = (windows.boxes[0, 1] - windows.boxes[0, 0]).tolist()
        often = f"{self.draws} times" if self.draws > 1 else "once"
        note = f"{windows.n:,} windows of {' x '.join(map(str, side))}, each filled {often} {_filling(self.sampler, x)}."
        return replace(windows, note=note)

    def __str__(self) -> str:
        return f"Openings(size={self.size}, stride={self.stride})"


def _filling(sampler: Imputer, x: Tensor) -> str:
    """What fills the windows of x, in words."""
    imputer = sampler.of(x) if isinstance(sampler, Likely) else sampler
    if isinstance(imputer, ConditionalGaussian):
        return "with draws from a Gaussian given the pixels around it"
    return "with what is elsewhere in the input" if isinstance(imputer, Shifted) else f"by {imputer}"
