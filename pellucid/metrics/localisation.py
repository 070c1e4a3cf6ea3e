"""Localisation metrics: whether relevance lies inside a ground-truth mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from pellucid.core.statistics import ranks
from pellucid.errors import MethodError
from .metric import Answer, Need, Question, Scores

Pooling = Literal["positive", "absolute", "square", "largest"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
TOLERANCE = 15 / 224  # of the side of a picture: 15 pixels of one of 224


class LocalisationMetric:
    """What all of them have in common."""

    higher: ClassVar[bool] = True
    needs: ClassVar[Need] = "mask"


@dataclass(frozen=True)
class RelevanceMass(LocalisationMetric):
    """The share of all relevance that lies in the mask: sum over S of R / sum of R.

    It is defined for relevance that is not negative; how channels are pooled into such is part of the definition. A map without
    any relevance has no score.

    References: Arras, Osman and Samek, 2022, CLEVR-XAI, https://doi.org/10.1016/j.inffus.2021.11.008

    Arguments:
        pooling: "positive": the positive part of the sum over channels, relevance *for* the target; "absolute": its size;
            "square": the sum of squares over channels; "largest": the largest size among channels. The last two are the paper's.
    """

    name: ClassVar[str] = "relevance_mass"

    pooling: Pooling = "positive"

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise MethodError(
                f"relevance_mass with pooling={self.pooling!r}", f"{len(POOLINGS)} ways to pool, none of that name",
                "relevance has to become one number per place that is not negative", f"Choose one of {', '.join(POOLINGS)}.",
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        heat, mask = _heat_and_mask(question, answer, self.pooling)
        return _scores(mass(heat, mask), heat, mask)


@dataclass(frozen=True)
class EnergyPointingGame(LocalisationMetric):
    """The share of all positive relevance that lies in the mask: `RelevanceMass` of the positive part, under its other name.

    References: Wang et al., 2020, Score-CAM, https://doi.org/10.1109/CVPRW50498.2020.00020
    """

    name: ClassVar[str] = "energy_pointing_game"

    def score(self, question: Question, answer: Answer) -> Scores:
        return RelevanceMass().score(question, answer)


@dataclass(frozen=True)
class AttributionLocalisation(LocalisationMetric):
    """The share of positive relevance in the mask; weighted: as a multiple of the mask's share of the picture, 1 by chance.

        mu = R+ in S / R+;    mu_w = mu * (all places) / |S|

    References: Kohlbrenner et al., 2020, https://doi.org/10.1109/IJCNN48605.2020.9206975
    """

    name: ClassVar[str] = "attribution_localisation"

    weighted: bool = True

    def score(self, question: Question, answer: Answer) -> Scores:
        heat, mask = _heat_and_mask(question, answer, "positive")
        share = mask.double().mean(1) if self.weighted else 1.0
        return _scores(mass(heat, mask) / share, heat, mask)


@dataclass(frozen=True)
class RelevanceRank(LocalisationMetric):
    """The share of the mask that the most relevant places fill, as many as the mask has: |top |S| of R, and in S| / |S|.

    Where places have equal values, those that may or may not be among the first count by their chance.

    References: Arras, Osman and Samek, 2022, CLEVR-XAI, https://doi.org/10.1016/j.inffus.2021.11.008
    """

    name: ClassVar[str] = "relevance_rank"

    def score(self, question: Question, answer: Answer) -> Scores:
        heat, mask = _heat_and_mask(question, answer)
        size = mask.sum(1)
        return _scores((top_membership(heat, size) * mask).sum(1) / size, heat, mask)


@dataclass(frozen=True)
class TopK(LocalisationMetric):
    """The share of the k most relevant places that lie in the mask.

    References: Theiner, Mueller-Budack and Ewerth, 2021, https://doi.org/10.48550/arXiv.2104.14995

    Arguments:
        k: How many places; a share of all of them if below 1.
    """

    name: ClassVar[str] = "top_k"

    k: float = 0.05

    def __post_init__(self) -> None:
        if not self.k > 0:
            raise MethodError(
                f"top_k with k={self.k}", "no place", "there would be no place to compare", "Give k=100, or a share: k=0.05."
            )

    def score(self, question: Question, answer: Answer) -> Scores:
        heat, mask = _heat_and_mask(question, answer)
        places = heat.shape[1]
        k = min(places, max(1, round(self.k * places if self.k < 1 else self.k)))
        return _scores((top_membership(heat, torch.full_like(mask.sum(1), k)) * mask).sum(1) / k, heat, mask)


@dataclass(frozen=True)
class PointingGame(LocalisationMetric):
    """Whether the most relevant place lies in the mask, or near it.

    Of several equally relevant places the share that hits counts. A benchmark averages hits per class and then over classes:
    `t.rows` hold the plain mean over samples.

    References: Zhang et al., 2018, Top-down neural attention by excitation backprop,
        https://doi.org/10.1007/s11263-017-1059-x; the tolerance of 15 pixels as in TorchRay (Fong et al., 2019).

    Arguments:
        tolerance: How far from the mask still hits (less than that, Euclidean), in pixels; None: 15 of 224 along the longer side.
    """

    name: ClassVar[str] = "pointing_game"

    tolerance: float | None = None

    def score(self, question: Question, answer: Answer) -> Scores:
        assert question.masks is not None
        heat, mask = _heat_and_mask(question, answer)
        places = question.masks.shape[1:]
        tolerance = TOLERANCE * max(places) if self.tolerance is None else self.tolerance
        top = heat == heat.amax(1, keepdim=True)
        hits = [hit_share(top[i].reshape(places), question.masks[i].to(heat.device), tolerance) for i in range(len(heat))]
        return _scores(torch.tensor(hits, dtype=heat.dtype, device=heat.device), heat, mask)


@dataclass(frozen=True)
class ROCAUC(LocalisationMetric):
    """How probable it is that a place in the mask has more relevance than one outside, half for equal ones.

    References: Fawcett, 2006, An introduction to ROC analysis, https://doi.org/10.1016/j.patrec.2005.10.010
    """

    name: ClassVar[str] = "roc_auc"

    def score(self, question: Question, answer: Answer) -> Scores:
        heat, mask = _heat_and_mask(question, answer)
        inside, outside = mask.sum(1).double(), (~mask).sum(1).double()
        ahead = (ranks(heat) * mask).sum(1) - inside * (inside + 1) / 2
        return _scores(ahead / (inside * outside), heat, mask)


def mass(heat: Tensor, mask: Tensor) -> Tensor:
    """The share of what is in the mask; NaN where there is nothing."""
    return (heat * mask).sum(1) / heat.sum(1)


def top_membership(heat: Tensor, k: Tensor) -> Tensor:
    """How surely every place is among the k greatest of its row, in [0, 1].

    Example:
        >>> top_membership(torch.tensor([[3.0, 1.0, 1.0]]), torch.tensor([2]))
        tensor([[1.0000, 0.5000, 0.5000]], dtype=torch.float64)
    """
    least = heat.sort(1, descending=True).values.gather(1, (k - 1).clamp(min=0)[:, None])
    above, tied = heat > least, heat == least
    return above.double() + tied * ((k - above.sum(1)) / tied.sum(1))[:, None]


def hit_share(top: Tensor, mask: Tensor, tolerance: float) -> float:
    """The share of the places in `top` that are in the mask, or less than `tolerance` away from it."""
    where, truth = top.nonzero().double(), mask.nonzero().double()
    if not len(truth) or not len(where):
        return float("nan")
    hit = [bool(mask[tuple(p.long().tolist())]) or bool((truth - p).norm(dim=1).min() < tolerance) for p in where[:4096]]
    return sum(hit) / len(hit)


def _heat_and_mask(question: Question, answer: Answer, pooling: Pooling | None = None) -> tuple[Tensor, Tensor]:
    """One number per place and the mask, both with shape (sample, places); NaN where a map is not finite."""
    assert question.masks is not None, "metrics that need masks are asked with masks"
    heat = (answer.heat() if pooling is None else pooled(answer, pooling)).flatten(1)
    sound = torch.tensor(answer.finite, device=heat.device)
    heat = torch.where(sound[:, None], heat, torch.nan)
    return heat, question.masks.flatten(1).to(heat.device)


def pooled(answer: Answer, pooling: Pooling) -> Tensor:
    """Relevance per place that is not negative."""
    values = answer.values.double()
    if pooling in ("square", "largest") and values.dim() > 2 and not answer.shared:
        return values.square().sum(1) if pooling == "square" else values.abs().amax(1)
    heat = answer.heat()
    return heat.clamp(min=0) if pooling == "positive" else heat.square() if pooling == "square" else heat.abs()


def _scores(values: Tensor, heat: Tensor, mask: Tensor) -> Scores:
    """Undefined without a truth, and for maps that are not finite."""
    known = mask.any(1) & heat.isfinite().all(1)
    return Scores(torch.where(known, values.double(), torch.nan).cpu())
