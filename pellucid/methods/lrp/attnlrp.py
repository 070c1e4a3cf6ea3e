"""AttnLRP: relevance through attention, a half each by its weights and by its values."""

from __future__ import annotations

from dataclasses import replace

from pellucid.model.where import Where
from .composite import Composite, base
from .rule import WEIGHTED, Bias, Silent
from .rules import Epsilon, Gamma, Gate, Halve, Softmax, Standardise


def Attention(*, gamma: float = 0.0, eps: float = 1e-9, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """AttnLRP: relevance goes through the weights of an attention as well as through its values, a half each.

    Products share evenly, a softmax by its Taylor expansion, norms hold their spread fixed, everything linear shares by
    contributions. Gates of squeeze and excitation and of recurrent cells still let the signal take all.

    References: Achtibat et al., 2024, AttnLRP: attention-aware layer-wise relevance propagation for transformers,
        https://proceedings.mlr.press/v235/achtibat24a.html

    Arguments:
        gamma: How much more agreeing contributions weigh in linear operations; the paper sets some for vision transformers.
    """
    return replace(transformer("lrp.attention", gamma, eps, bias, silent), opened=True)


def transformer(name: str, gamma: float, eps: float, bias: Bias, silent: Silent) -> Composite:
    """The rules that AttnLRP and CP-LRP share: they differ in whether relevance goes through the weights of an attention."""
    linear = Gamma(gamma, eps, bias, silent) if gamma else Epsilon(eps, bias=bias, silent=silent)
    entries = (
        (Where(op=WEIGHTED), linear),
        (Where(op="softmax"), Softmax(eps)),
        (Where(op="norm"), Standardise(eps, bias)),
        (Where(op="product"), Halve(eps)),
        (Where(op="gate"), Gate(eps)),
        *base(eps),
    )
    return Composite(entries, name)
