"""CP-LRP: relevance through the values of an attention, with its weights held constant."""

from __future__ import annotations

from .attnlrp import transformer
from .composite import Composite
from .rule import Bias, Silent


def CP(*, gamma: float = 0.0, eps: float = 1e-9, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """CP-LRP: the weights of an attention stand still, relevance goes through its values alone. It conserves.

    References: Ali et al., 2022, XAI for transformers: better explanations through conservative propagation,
        https://proceedings.mlr.press/v162/ali22a.html

    Arguments:
        gamma: As in `Attention`.
    """
    return transformer("lrp.cp", gamma, eps, bias, silent)
