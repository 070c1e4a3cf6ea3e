"""Conditional relevance once more, slowly: a chain of layers walked back over explicit matrices, masked by hand.

References: From attribution maps to human-understandable explanations through concept relevance propagation (Achtibat et al.,
    2023), https://doi.org/10.1038/s42256-023-00711-8
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tests.reference.lrp_twins import Matrix, matrix

Twin = Callable[[Matrix, Tensor, Tensor], Tensor]


def conditional(net: nn.Sequential, x: Tensor, target: int, twin: Twin, masks: Mapping[int, Tensor]) -> Tensor:
    """Relevance at the input of what passes the masks.

    Arguments:
        net: Linear layers, and what hands relevance on as it is (rectifiers), or only reshapes it.
        twin: The rule of all linear layers.
        masks: By the number of a layer: 1 where relevance of what it made passes, in a shape that broadcasts against that.
    """
    values = [x]
    for layer in net:
        values.append(layer(values[-1]))
    R = torch.zeros_like(values[-1])
    R[:, target] = values[-1][:, target]
    for number in reversed(range(len(net))):
        R = R * masks.get(number, torch.ones(()))
        R = _back(net[number], values[number], R, twin)
    return R


def _back(layer: nn.Module, x: Tensor, R: Tensor, twin: Twin) -> Tensor:
    if isinstance(layer, nn.ReLU):
        return R
    if isinstance(layer, nn.Flatten):
        return R.reshape(x.shape)
    return twin(matrix(layer, tuple(x.shape[1:])), x.flatten(1), R.flatten(1)).reshape(x.shape)
