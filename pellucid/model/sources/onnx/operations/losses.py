"""Losses that a file computes itself."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation

NEVER = -100  # a class that no label names


@operation("NegativeLogLikelihoodLoss")
def nll_loss(node: Node, x: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Minus the logarithm of the probability of each label."""
    return F.nll_loss(x, target.long(), weight, ignore_index=_ignored(node), reduction=node.get("reduction", "mean"))


@operation("SoftmaxCrossEntropyLoss")
def cross_entropy(node: Node, scores: Tensor, labels: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The same of scores, and the logarithms of the probabilities."""
    logs = scores.log_softmax(1)
    return nll_loss(node, logs, labels, weight), logs


def _ignored(node: Node) -> int:
    return int(node.get("ignore_index", NEVER))
