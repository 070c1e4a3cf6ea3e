"""Randomisation tests: whether a map depends on what the model learned, and on the class that is explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.errors import MethodError
from pellucid.target import logit, mask
from ..metric import Answer, Question, Scores, class_scores
from .random_weights import ORDERS, Draw, Order, layer_stages, normal_like, randomise
from .reexplain import Explainer, SensitivityMetric
from .similarity import Similarity, check_similarity, map_similarity

INSENSITIVE = 0.7  # the mean similarity from which on a note says that maps hardly depend on the upper weights


@dataclass(frozen=True, eq=False)
class Cascade:
    """How alike maps stay while the layers of a model become random.

    Arguments:
        stages: The layers that become random at each stage.
        similarity: With shape (stages, sample); NaN where maps cannot be compared.
        forwards: How many samples went through the model.
        whole: Whether every stage comes on top of those before it.
    """

    stages: tuple[tuple[str, ...], ...]
    similarity: Tensor
    forwards: int
    whole: bool = True

    @property
    def mean(self) -> Tensor:
        """The mean absolute similarity over stages per sample, NaN left out: a map with all signs reversed counts as alike."""
        return self.similarity.abs().nanmean(0)

    @property
    def rows(self) -> list[tuple[str, float]]:
        """The last layer of every stage and the mean absolute similarity over samples, for a table or a plot."""
        means = self.similarity.abs().nanmean(1).tolist()
        return [(stage[-1], mean) for stage, mean in zip(self.stages, means, strict=True)]


@dataclass(frozen=True)
class Randomization(SensitivityMetric):
    """How alike the maps of a model and of copies of it with random weights are (MPRT). Lower is better: 1 means that the map
    does not depend on what the model learned.

    The layers are randomised one after the other, and the score is the mean over all stages; `curve` gives it stage by stage.
    The absolute correlation counts: relevance propagated from a score of the other sign is reversed as a whole, and still marks
    the same places. The copies are explained for the class of the samples' own target. Weights become normal numbers with the
    mean and the standard deviation of those they replace, so that activations keep their size and any module can be randomised,
    where the paper draws them as the layer was initialised; every layer has a seed of its own. Networks of many layers are
    randomised in `stages` groups of them.

    References: Adebayo et al., 2018, Sanity checks for saliency maps, https://doi.org/10.48550/arXiv.1810.03292

    Arguments:
        order: "top_down", from the last layer on, or "bottom_up", both with all layers before also random; "independent", each
            layer alone.
        similarity: "spearman", "ssim" or "cosine", see `map_similarity`.
        absolute: Whether signs are left out.
        stages: At most so many; None: one for every layer.
    """

    name: ClassVar[str] = "randomization"

    order: Order = "top_down"
    similarity: Similarity = "spearman"
    absolute: bool = False
    stages: int | None = 16

    def __post_init__(self) -> None:
        _check(self.name, self.order, self.similarity, self.stages)

    def score(self, question: Question, answer: Answer) -> Scores:
        found = self.curve(question, answer)
        return Scores(found.mean, found.forwards, notes=_notes(found, self.order))

    def curve(self, question: Question, answer: Answer, draw: Draw | None = None) -> Cascade:
        """How alike the maps are after every stage.

        Arguments:
            draw: What gives a module other weights, in place; None: normal numbers, see above.
        """
        return _cascade(self, question, answer, answer.values, lambda again: again.maps(question.x), draw)


@dataclass(frozen=True)
class SmoothRandomization(SensitivityMetric):
    """MPRT of maps that are means over noisy copies of the sample: what is noise in single maps does not count as a difference.

    References: Hedstroem et al., 2023, Sanity checks revisited: an exploration to repair the model parameter randomisation test,
        https://doi.org/10.48550/arXiv.2401.06465

    Arguments:
        n: How many noisy copies.
        sigma: The standard deviation of the noise, as a share of the range of each sample.
        order, similarity, absolute, stages: As in `Randomization`.
    """

    name: ClassVar[str] = "smooth_randomization"

    n: int = 20
    sigma: float = 0.1
    order: Order = "top_down"
    similarity: Similarity = "spearman"
    absolute: bool = False
    stages: int | None = 8

    def __post_init__(self) -> None:
        _check(self.name, self.order, self.similarity, self.stages)
        if self.n < 1 or not self.sigma > 0:
            raise MethodError(
                f"smooth_randomization with n={self.n}, sigma={self.sigma}", "no noisy copies", "maps are means over them",
                "Ask for n=20, sigma=0.1.",
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        found = self.curve(question, answer)
        return Scores(found.mean, found.forwards, notes=_notes(found, self.order))

    def curve(self, question: Question, answer: Answer) -> Cascade:
        """How alike the mean maps are after every stage."""
        again = Explainer.of(question, answer)
        before = self._smooth(question, again)
        found = _cascade(self, question, answer, before, lambda other: self._smooth(question, other))
        return replace(found, forwards=again.forwards + found.forwards)

    def _smooth(self, question: Question, again: Explainer) -> Tensor:
        x = question.x
        scale = x.flatten(1).amax(1) - x.flatten(1).amin(1)

        def noisy(number: int, row: int) -> Tensor:
            rng = stream("smooth", question.seed, number)
            noise = torch.randn(x.shape[1:], generator=rng, dtype=torch.float64).to(x)
            return x[row : row + 1] + self.sigma * scale[row] * noise

        return again.variants(self.n, noisy).double().mean(0)


@dataclass(frozen=True)
class EfficientRandomization(SensitivityMetric):
    """How much more complex maps become when all weights are random, relative to before (eMPRT). Higher is better.

        (H(R of the random model) - H(R)) / H(R),   H the entropy of a histogram of the map's values, in nats

    It takes no similarity of maps. It is NaN where H(R) is 0: a map of one value only.

    References: Hedstroem et al., 2023, Sanity checks revisited: an exploration to repair the model parameter randomisation test,
        https://doi.org/10.48550/arXiv.2401.06465

    Arguments:
        bins: Of the histogram, between the least and the greatest value of each map.
    """

    name: ClassVar[str] = "efficient_randomization"
    higher: ClassVar[bool] = True

    bins: int = 100

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise MethodError(
                f"efficient_randomization with bins={self.bins}", "fewer than two", "then every map has entropy 0",
                "Ask for 100, say.",
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        stages = layer_stages(question.model, "top_down", 1)
        (model,) = randomise(question.model, stages, "top_down", normal_like(question.seed))
        again = Explainer.of(question, answer, model)
        maps = again.maps(question.x)
        entropies = [[entropy(own, self.bins) for own in values] for values in (answer.values, maps)]
        before, after = torch.tensor(entropies, dtype=torch.float64)
        return Scores(torch.where(before > 0, (after - before) / before, torch.nan), again.forwards)


@dataclass(frozen=True)
class RandomLogit(SensitivityMetric):
    """How alike the maps for the target's class and for another class are. Lower is better: 1 means that the map does not depend
    on the class.

    The other class is drawn at random, at the same distance for every sample. It is NaN without classes.

    References: Sixt, Granz and Landgraf, 2020, When explanations lie, https://doi.org/10.48550/arXiv.1912.09818

    Arguments:
        similarity: "spearman", "ssim" or "cosine", see `map_similarity`.
        absolute: Whether signs are left out.
    """

    name: ClassVar[str] = "random_logit"

    similarity: Similarity = "spearman"
    absolute: bool = False

    def __post_init__(self) -> None:
        check_similarity(self.name, self.similarity)

    def score(self, question: Question, answer: Answer) -> Scores:
        outputs, ours = class_scores(question.output), question.classes
        if outputs is None or ours is None:
            nothing = torch.full((len(question),), torch.nan, dtype=torch.float64)
            return Scores(nothing, notes=("The output has no classes, so there is no other one to compare with.",))
        count = outputs.shape[1]
        step = 1 + int(torch.randint(count - 1, (), generator=stream("other class", question.seed, count)))
        others = ((ours + step) % count).tolist()
        target = mask(others) if question.output.dim() > 2 else logit(others)
        target = target.resolve(lambda at: question.output, question.model)
        again = Explainer.of(question, answer, target=target)
        found = _similarities(answer, answer.values, again.maps(question.x), self.similarity, absolute=self.absolute)
        mean = found.nanmean().item()
        hardly = f"The maps hardly depend on the class: similarity {mean:.2f} to those of another; a contrast shows more."
        return Scores(found, again.forwards, notes=(hardly,) if mean >= INSENSITIVE else ())


def entropy(values: Tensor, bins: int) -> float:
    """The entropy of the histogram of a map, in nats; NaN for one that is not finite.

    Example:
        >>> round(entropy(torch.tensor([0.0, 0.0, 1.0, 1.0]), bins=10), 4), entropy(torch.ones(4), bins=10)
        (0.6931, 0.0)
    """
    values = values.double().flatten().cpu()
    if not values.isfinite().all():
        return torch.nan
    low, high = float(values.min()), float(values.max())
    if low == high:
        return 0.0
    place = ((values - low) / (high - low) * bins).long().clamp(max=bins - 1)
    counts = torch.bincount(place, minlength=bins).double()
    return float(torch.special.entr(counts / counts.sum()).sum())


def _cascade(
    metric: Randomization | SmoothRandomization,
    question: Question,
    answer: Answer,
    before: Tensor,
    explain: Callable[[Explainer], Tensor],
    draw: Draw | None = None,
) -> Cascade:
    """How alike the maps are to those `before` after every stage.

    Arguments:
        explain: From the method with a copy of the model to its maps.
    """
    stages, found, forwards = layer_stages(question.model, metric.order, metric.stages), [], 0
    for model in randomise(question.model, stages, metric.order, draw or normal_like(question.seed)):
        again = Explainer.of(question, answer, model)
        found.append(_similarities(answer, before, explain(again), metric.similarity, absolute=metric.absolute))
        forwards += again.forwards
    return Cascade(stages, torch.stack(found), forwards, metric.order != "independent")


def _similarities(answer: Answer, before: Tensor, after: Tensor, how: Similarity, *, absolute: bool) -> Tensor:
    """Per sample; channels that share one value count once."""
    if answer.shared and before.dim() > 2:
        before, after = before[:, :1], after[:, :1]
    found = [map_similarity(a, b, how, absolute=absolute) for a, b in zip(before, after, strict=True)]
    values = torch.tensor(found, dtype=torch.float64)
    return torch.where(torch.tensor(answer.finite), values, torch.nan)


def _notes(cascade: Cascade, order: Order) -> tuple[str, ...]:
    """Whether the maps depend on the upper weights: their similarity while the upper half is random and all below as it was."""
    number = len(cascade.stages) // 2
    if order != "top_down" or not number:
        return ()
    upper = cascade.similarity[:number].abs().nanmean().item()
    first, how = cascade.stages[number - 1][-1], "hardly depend" if upper >= INSENSITIVE else "depend"
    note = f"The maps {how} on the upper weights: with the layers from {first} on randomised, their similarity is {upper:.2f}."
    return (note,) if upper == upper else ()


def _check(name: str, order: str, similarity: str, stages: int | None) -> None:
    check_similarity(name, similarity)
    if order not in ORDERS or (stages is not None and stages < 1):
        raise MethodError(
            f"{name} with order={order!r}, stages={stages}", "an unknown order, or no stage",
            "layers are randomised one after the other", f"Choose one of {', '.join(ORDERS)}, and stages=16.",
        )  # fmt: skip
