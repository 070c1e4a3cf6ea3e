"""The log-probability of a class as an objective, in place of its logit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from pellucid.target import Target
from pellucid.target.classes import Logit, OfClass


@dataclass(frozen=True)
class LogProbability(OfClass):
    """The logarithm of the softmax probability of a class: what cross-entropy lowers the negative of."""

    @property
    def word(self) -> str:
        return "log-probability"

    def read(self, value: Tensor) -> Tensor:
        return self.pick(functional.log_softmax(value.float(), 1))


def log_probability(target: Target) -> Target:
    """The target with the log-probability of its class in place of the logit; any other target as it is."""
    weight, term = target.terms[0]
    if len(target.terms) > 1 or not isinstance(term, Logit) or weight <= 0:
        return target
    return Target(((weight, LogProbability(term.at, term.index, term.labels)),))
