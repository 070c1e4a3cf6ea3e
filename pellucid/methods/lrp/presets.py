"""Composites by name: those that zennit made common, with its conventions and stabilisers, and deep Taylor decomposition.

AttnLRP is in `attention.py`, CP-LRP in `cp.py`, what `lrp` alone takes in `auto.py` and `conserving.py`, recurrent cells in
`recurrent.py`.
"""

from __future__ import annotations

from pellucid.model.where import Where
from .composite import Composite, base
from .rule import WEIGHTED, Bias, Rule, Silent
from .rules import AlphaBeta, Epsilon, Flat, Gamma, Native, Standardise, ZBox, ZPlus
from .rules.zbox import Bound


def _composite(
    name: str, convolution: Rule, dense: Rule, *, first: tuple[Where, Rule] | None = None, eps: float = 1e-6
) -> Composite:
    entries = ((Where(op="convolution"), convolution), (Where(op="dense"), dense), *base(eps))
    return Composite(((first,) if first else ()) + entries, name)


def Zero(*, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """LRP-0 everywhere: on a network of ReLUs without biases it is gradient times input."""
    rule = Epsilon(0.0, bias=bias, silent=silent)
    return _composite("lrp.zero", rule, rule, eps=0.0).where(op="norm", rule=Standardise(0.0, bias))


def EpsilonEverywhere(eps: float = 1e-6, *, relative: bool = False, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """The epsilon rule for every linear operation."""
    rule = Epsilon(eps, relative=relative, bias=bias, silent=silent)
    return _composite("lrp.epsilon", rule, rule).where(op="norm", rule=Standardise(eps, bias))


def GammaEverywhere(gamma: float = 0.25, *, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """The gamma rule for every linear operation."""
    rule = Gamma(gamma, eps, bias, silent)
    return _composite("lrp.gamma", rule, rule)


def EpsilonPlus(*, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """z-plus on convolutions, epsilon on dense layers.

    References: Kohlbrenner et al., 2020, Towards best practice in explaining neural network decisions with LRP,
        https://doi.org/10.1109/IJCNN48605.2020.9206975
    """
    return _composite("lrp.epsilon_plus", ZPlus(eps, bias, silent), Epsilon(eps, bias=bias, silent=silent))


def EpsilonPlusFlat(*, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """`EpsilonPlus` with the flat rule on the first linear operation that ran."""
    first = Where(op=WEIGHTED, position="first"), Flat(eps)
    return _composite("lrp.epsilon_plus_flat", ZPlus(eps, bias, silent), Epsilon(eps, bias=bias, silent=silent), first=first)


def EpsilonAlpha2Beta1(*, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """alpha-beta with alpha 2 and beta 1 on convolutions, epsilon on dense layers."""
    return _composite("lrp.epsilon_alpha2_beta1", AlphaBeta(2, 1, eps, bias, silent), Epsilon(eps, bias=bias, silent=silent))


def EpsilonAlpha2Beta1Flat(*, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """`EpsilonAlpha2Beta1` with the flat rule on the first linear operation that ran."""
    first = Where(op=WEIGHTED, position="first"), Flat(eps)
    rules = AlphaBeta(2, 1, eps, bias, silent), Epsilon(eps, bias=bias, silent=silent)
    return _composite("lrp.epsilon_alpha2_beta1_flat", *rules, first=first)


def EpsilonGammaBox(
    low: Bound | None = None, high: Bound | None = None, *, gamma: float = 0.25, eps: float = 1e-6, bias: Bias = "absorb",
    silent: Silent = "drop",
) -> Composite:  # fmt: skip
    """gamma on convolutions, epsilon on dense layers, z-box on the first convolution that ran.

    Arguments:
        low, high: The bounds of the input; None: from the model's preprocessing when it is known, else the extremes of the input
            at hand.
    """
    first = Where(op="convolution", position="first"), ZBox(low, high, eps, silent)
    rules = Gamma(gamma, eps, bias, silent), Epsilon(eps, bias=bias, silent=silent)
    return _composite("lrp.epsilon_gamma_box", *rules, first=first)


def ExcitationBackprop(*, eps: float = 1e-6) -> Composite:
    """z-plus everywhere; activations keep their derivative.

    References: Zhang et al., 2016, Top-down neural attention by excitation backprop, https://doi.org/10.1007/978-3-319-46493-0_33
    """
    return _composite("lrp.excitation_backprop", ZPlus(eps), ZPlus(eps)).where(op="activation", rule=Native("dropped"))


def DeepTaylor(low: Bound | None = None, high: Bound | None = None, *, eps: float = 1e-6) -> Composite:
    """Deep Taylor decomposition: z-plus between ReLUs, z-box for the bounded input, even shares for means.

    The paper assumes biases that are not positive and leaves them out of the shares: so do we. Units that only a positive bias
    makes active, which the paper rules out, spread their relevance evenly over their inputs.

    References: Montavon et al., 2017, https://doi.org/10.1016/j.patcog.2016.11.008
    """
    rule = ZPlus(eps, bias="ignore", silent="spread")
    first = Where(op=WEIGHTED, position="first"), ZBox(low, high, eps)
    return _composite("deep_taylor", rule, rule, first=first).where(op="pool", rule=Flat(eps))
