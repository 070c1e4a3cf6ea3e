"""Composites by name. Presets under the names that zennit made common keep its conventions and stabilisers."""

from __future__ import annotations

from dataclasses import replace

from pellucid.model.where import Where
from .composite import Composite, base
from .rule import Bias, Rule, Silent
from .rules import AlphaBeta, Epsilon, Flat, Gamma, Gate, Halve, Native, Norm, Pass, Softmax, Standardise, ZBox, ZPlus
from .rules.zbox import Bound

LINEAR = ("convolution", "dense")


def _composite(
    name: str, convolution: Rule, dense: Rule, *, first: tuple[Where, Rule] | None = None, eps: float = 1e-6
) -> Composite:
    entries = ((Where(op="convolution"), convolution), (Where(op="dense"), dense), *base(eps))
    return Composite(((first,) if first else ()) + entries, name)


def _linear(composite: Composite, norms: Standardise) -> Composite:
    """With norms shared by their contributions too, as everything linear is."""
    return composite.where(op="norm", rule=norms)


def Zero(*, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """LRP-0 everywhere: on a network of ReLUs without biases it is gradient times input."""
    rule = Epsilon(0.0, bias=bias, silent=silent)
    return _linear(_composite("lrp.zero", rule, rule, eps=0.0), Standardise(0.0, bias))


def EpsilonEverywhere(eps: float = 1e-6, *, relative: bool = False, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """The epsilon rule for every linear operation."""
    rule = Epsilon(eps, relative=relative, bias=bias, silent=silent)
    return _linear(_composite("lrp.epsilon", rule, rule), Standardise(eps, bias))


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
    first = Where(op=LINEAR, position="first"), Flat(eps)
    return _composite("lrp.epsilon_plus_flat", ZPlus(eps, bias, silent), Epsilon(eps, bias=bias, silent=silent), first=first)


def EpsilonAlpha2Beta1(*, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """alpha-beta with alpha 2 and beta 1 on convolutions, epsilon on dense layers."""
    return _composite("lrp.epsilon_alpha2_beta1", AlphaBeta(2, 1, eps, bias, silent), Epsilon(eps, bias=bias, silent=silent))


def EpsilonAlpha2Beta1Flat(*, eps: float = 1e-6, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """`EpsilonAlpha2Beta1` with the flat rule on the first linear operation that ran."""
    first = Where(op=LINEAR, position="first"), Flat(eps)
    return _composite(
        "lrp.epsilon_alpha2_beta1_flat", AlphaBeta(2, 1, eps, bias, silent), Epsilon(eps, bias=bias, silent=silent), first=first
    )


def EpsilonGammaBox(
    low: Bound | None = None,
    high: Bound | None = None,
    *,
    gamma: float = 0.25,
    eps: float = 1e-6,
    bias: Bias = "absorb",
    silent: Silent = "drop",
) -> Composite:
    """gamma on convolutions, epsilon on dense layers, z-box on the first convolution that ran.

    Arguments:
        low, high: The bounds of the input; None: from the model's preprocessing when it is known, else the extremes of the input
            at hand.
    """
    first = Where(op="convolution", position="first"), ZBox(low, high, eps, silent)
    return _composite(
        "lrp.epsilon_gamma_box", Gamma(gamma, eps, bias, silent), Epsilon(eps, bias=bias, silent=silent), first=first
    )


def ExcitationBackprop(*, eps: float = 1e-6) -> Composite:
    """z-plus everywhere; activations keep their derivative.

    References: Zhang et al., 2016, Top-down neural attention by excitation backprop, https://doi.org/10.1007/978-3-319-46493-0_33
    """
    rule = ZPlus(eps)
    composite = _composite("lrp.excitation_backprop", rule, rule)
    return composite.where(op="activation", rule=Native("dropped"))


def DeepTaylor(low: Bound | None = None, high: Bound | None = None, *, eps: float = 1e-6) -> Composite:
    """Deep Taylor decomposition: z-plus between ReLUs, z-box for the bounded input, even shares for means.

    The paper assumes biases that are not positive and leaves them out of the shares: so do we. Units that only a positive bias
    makes active, which the paper rules out, spread their relevance evenly over their inputs.

    References: Montavon et al., 2017, https://doi.org/10.1016/j.patcog.2016.11.008
    """
    rule = ZPlus(eps, bias="ignore", silent="spread")
    first = Where(op=LINEAR, position="first"), ZBox(low, high, eps)
    composite = _composite("deep_taylor", rule, rule, first=first)
    return composite.where(op="pool", rule=Flat(eps))


def Attention(*, gamma: float = 0.0, eps: float = 1e-9, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """AttnLRP: relevance goes through the weights of an attention as well as through its values, a half each.

    Products share evenly, a softmax by its Taylor expansion, norms hold their spread fixed, everything linear shares by
    contributions. Gates of squeeze and excitation and of recurrent cells still let the signal take all.

    References: Achtibat et al., 2024, AttnLRP: attention-aware layer-wise relevance propagation for transformers,
        https://proceedings.mlr.press/v235/achtibat24a.html

    Arguments:
        gamma: How much more agreeing contributions weigh in linear operations; the paper sets some for vision transformers.
    """
    return replace(_transformer("lrp.attention", gamma, eps, bias, silent), opened=True)


def CP(*, gamma: float = 0.0, eps: float = 1e-9, bias: Bias = "absorb", silent: Silent = "drop") -> Composite:
    """CP-LRP: the weights of an attention stand still, relevance goes through its values alone. It conserves.

    References: Ali et al., 2022, XAI for transformers: better explanations through conservative propagation,
        https://proceedings.mlr.press/v162/ali22a.html

    Arguments:
        gamma: As in `Attention`.
    """
    return _transformer("lrp.cp", gamma, eps, bias, silent)


def _transformer(name: str, gamma: float, eps: float, bias: Bias, silent: Silent) -> Composite:
    linear = Gamma(gamma, eps, bias, silent) if gamma else Epsilon(eps, bias=bias, silent=silent)
    entries = (
        (Where(op=LINEAR), linear),
        (Where(op="softmax"), Softmax(eps)),
        (Where(op="norm"), Standardise(eps, bias)),
        (Where(op="product"), Halve(eps)),
        (Where(op="gate"), Gate(eps)),
        *base(eps),
    )
    return Composite(entries, name)


def Conserving(*, gamma: float = 0.25, eps: float = 1e-9) -> Composite:
    """Relevance that arrives: gamma between the layers, epsilon at the last one, z-box at pixels, and what biases keep is handed
    on.

    The share of the biases goes to those inputs of their layer that got relevance of its sign, in proportion to it: every layer
    hands on all it has, and what speaks against the target is not turned round. Sums share by magnitude, which cannot enlarge
    anything.
    """
    entries = (
        (Where(op=LINEAR, position="last"), Epsilon(eps, bias="share", silent="share")),
        (Where(op="convolution", position="first"), ZBox(eps=eps, silent="share")),
        (Where(op=LINEAR), Gamma(gamma, eps, "share", "share")),
        (Where(op=("sum", "pool")), Norm(eps, by="magnitude", silent="spread")),
        (Where(op="shift"), Pass()),
        *base(eps),
    )
    return Composite(entries, "lrp.conserving")
