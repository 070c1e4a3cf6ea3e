"""Complexity metrics: how concentrated a map is. They look at the map alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.errors import MethodError
from .metric import Answer, Compat, Need, Question, Scores, check_compat


@dataclass(frozen=True)
class Sparseness:
    """The Gini index of the sizes of a map: 0 where all places are alike, near 1 where one has everything.

        sum over i of (2 i - n - 1) |R|_(i) / (n sum |R|), sizes in increasing order

    References: Chalasani et al., 2020, Concise explanations of neural networks using adversarial training,
        https://doi.org/10.48550/arXiv.1810.06583
    """

    name: ClassVar[str] = "sparseness"
    higher: ClassVar[bool] = True
    needs: ClassVar[Need] = "map"

    def score(self, question: Question, answer: Answer) -> Scores:
        size = _sizes(answer).sort(1).values
        n = size.shape[1]
        weight = 2 * torch.arange(1, n + 1, dtype=size.dtype, device=size.device) - n - 1
        return Scores(((size * weight).sum(1) / (n * size.sum(1))).cpu())


@dataclass(frozen=True)
class Complexity:
    """The entropy of the shares of a map, in nats: 0 where one place has everything, log n where all are alike.

        - sum of p log p, where p = |R| / sum |R|

    References: Bhatt, Weller and Moura, 2020, Evaluating and aggregating feature-based model explanations,
        https://doi.org/10.24963/ijcai.2020/417
    """

    name: ClassVar[str] = "complexity"
    higher: ClassVar[bool] = False
    needs: ClassVar[Need] = "map"

    def score(self, question: Question, answer: Answer) -> Scores:
        size = _sizes(answer)
        return Scores(torch.special.entr(size / size.sum(1, keepdim=True)).sum(1).cpu())


@dataclass(frozen=True)
class EffectiveComplexity:
    """The least number of places that together hold a share of the size of the map.

    The paper asks for the fewest features that keep the loss of the model below a bound, which a map alone cannot tell; Quantus
    counts the values above a threshold. Ours reads the map alone and does not change when it is scaled.

    References: after Nguyen and Martinez, 2020, On quantitative aspects of model interpretability,
        https://doi.org/10.48550/arXiv.2007.07584

    Arguments:
        share: Of the sum of sizes, in (0, 1].
        compat: "quantus-0.6": another quantity, after Quantus 0.6.0: how many values, each channel by itself, are larger than
            `eps`; of the map as it is, where Quantus divides by the largest value of the batch before.
        eps: Used there alone.
    """

    name: ClassVar[str] = "effective_complexity"
    higher: ClassVar[bool] = False
    needs: ClassVar[Need] = "map"

    share: float = 0.9
    compat: Compat | None = None
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_compat(self.name, self.compat)
        if not 0 < self.share <= 1:
            raise MethodError(
                f"effective_complexity with share={self.share}", "a number that is not a share", "it is a share of the whole map",
                "Give one in (0, 1], such as 0.9.",
            )  # fmt: skip

    def score(self, question: Question, answer: Answer) -> Scores:
        if self.compat is not None:
            larger = (answer.values.flatten(1).abs() > self.eps).sum(1).double().cpu()
            return Scores(torch.where(torch.tensor(answer.finite), larger, torch.nan))
        size = _sizes(answer)
        shares = (size / size.sum(1, keepdim=True)).sort(1, descending=True).values.cumsum(1)
        count = (shares < self.share * (1 - 1e-12)).sum(1).double() + 1
        return Scores(torch.where(shares.isfinite().all(1), count, torch.nan).cpu())


def _sizes(answer: Answer) -> Tensor:
    """The size of every place, with shape (sample, places); NaN for maps that are not finite."""
    size = answer.heat().flatten(1).abs()
    return torch.where(torch.tensor(answer.finite, device=size.device)[:, None], size, torch.nan)
