"""The list of methods, by the names that users give them. To add one: its file in `methods/`, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import papers as p
from .entry import Entry, entries_of, find, installed

if TYPE_CHECKING:
    from pellucid.explanation.method import Method

lrp = entries_of("methods.lrp")
grad = entries_of("methods.gradient")
many = entries_of("methods.gradient", repeats=True)
forward = entries_of("methods.gradient", repeats=True, forward=True)
cam = entries_of("methods.cam", signed=False, maps=True)
attention = entries_of("methods.cam", signed=False, attends=True)
perturb = entries_of("methods.perturb", repeats=True, forward=True)
mask = entries_of("methods.perturb", signed=False, repeats=True)

METHODS: tuple[Entry, ...] = (
    lrp(
        "lrp",
        "Auto",
        "what each part of the input adds to the score, layer by layer, by rules chosen for the architecture",
        p.BACH_2015,
    ),
    lrp("lrp.conserving", "FittedConserving", "gamma, and biases hand on what they keep: `lrp` without attention", p.BACH_2015),
    lrp("lrp.zero", "Zero", "relevance by contributions as they are", p.BACH_2015),
    lrp("lrp.epsilon", "EpsilonEverywhere", "contributions over their sum, which a stabiliser keeps from zero", p.BACH_2015),
    lrp("lrp.gamma", "GammaEverywhere", "contributions of the sign of their sum weigh more", p.MONTAVON_2019),
    lrp("lrp.epsilon_plus", "EpsilonPlus", "z-plus on convolutions, epsilon on dense layers", p.KOHLBRENNER_2020),
    lrp("lrp.epsilon_plus_flat", "EpsilonPlusFlat", "`lrp.epsilon_plus`, flat at the first layer", p.KOHLBRENNER_2020),
    lrp("lrp.epsilon_alpha2_beta1", "EpsilonAlpha2Beta1", "alpha-beta on convolutions, epsilon on dense", p.KOHLBRENNER_2020),
    lrp(
        "lrp.epsilon_alpha2_beta1_flat",
        "EpsilonAlpha2Beta1Flat",
        "`lrp.epsilon_alpha2_beta1`, flat at the first layer",
        p.KOHLBRENNER_2020,
    ),
    lrp("lrp.epsilon_gamma_box", "EpsilonGammaBox", "gamma on convolutions, z-box on pixels, epsilon on dense", p.MONTAVON_2019),
    lrp("lrp.excitation_backprop", "ExcitationBackprop", "winner-take-all probabilities, top down", p.ZHANG_2016),
    lrp("lrp.attention", "Attention", "through attention: its weights and its values, a half each (AttnLRP)", p.ACHTIBAT_2024),
    lrp("lrp.cp", "CP", "through the values of attention, its weights held constant (CP-LRP)", p.ALI_2022),
    lrp("deep_taylor", "DeepTaylor", "Taylor decomposition layer by layer", p.MONTAVON_2017),
    grad("gradient", "Gradient", "how the score would change", p.SIMONYAN_2013),
    grad("saliency", "Saliency", "how much the score would change", p.SIMONYAN_2013, signed=False),
    grad("sensitivity", "Sensitivity", "the variation of the score: the gradient squared", p.MONTAVON_2018, signed=False),
    many("smoothgrad", "SmoothGrad", "the mean gradient over noisy copies of the input", p.SMILKOV_2017),
    many("smoothgrad_squared", "SmoothGradSquared", "the mean squared gradient over noisy copies", p.HOOKER_2019, signed=False),
    many("vargrad", "VarGrad", "the variance of the gradient over noisy copies", p.ADEBAYO_2018, signed=False),
    forward("finite_differences", "FiniteDifferences", "difference quotients, part by part", p.MONTAVON_2018),
    forward("local_variance", "LocalVariance", "the variance of the score when a part is noise", p.MONTAVON_2018, signed=False),
    grad("gradient_x_input", "GradientXInput", "input times how the score would change", p.SHRIKUMAR_2016, adds=True),
    many("integrated_gradients", "Integrated", "the change of the score from a baseline", p.SUNDARARAJAN_2017, adds=True),
    many("expected_gradients", "Expected", "integrated gradients averaged over baselines", p.ERION_2021, adds=True),
    many("simple_taylor", "SimpleTaylor", "first-order terms around a root on a line", p.BACH_2015, linear=False, adds=True),
    grad(
        "deeplift",
        "DeepLift",
        "the change of the score from a baseline, carried by the changes of activations",
        p.SHRIKUMAR_2017,
        adds=True,
    ),
    many("deepshap", "DeepShap", "DeepLIFT averaged over baselines, with standard errors", p.LUNDBERG_2017, adds=True),
    grad(
        "guided_backprop", "GuidedBackprop", "the gradient, only positive through active ReLUs", p.SPRINGENBERG_2015, linear=False
    ),
    grad("deconvnet", "Deconvnet", "the gradient, only positive through ReLUs", p.ZEILER_2014, linear=False),
    cam("gradcam", "GradCAM", "maps of the last layer, weighted by their mean gradient", p.SELVARAJU_2017),
    cam(
        "gradcam++",
        "GradCAMPlusPlus",
        "maps of the last layer, places with positive gradients weighted by their share",
        p.CHATTOPADHAY_2018,
    ),
    cam("hirescam", "HiResCAM", "gradient times activation, place by place", p.DRAELOS_2020, signed=True),
    cam("layercam", "LayerCAM", "positive gradient times activation, place by place", p.JIANG_2021),
    cam("xgradcam", "XGradCAM", "maps weighted by gradients where they are active", p.FU_2020),
    cam("scorecam", "ScoreCAM", "maps weighted by the score of what they let through", p.WANG_2020, repeats=True),
    cam("ablationcam", "AblationCAM", "maps weighted by how far the score falls without them", p.DESAI_2020, repeats=True),
    cam("eigencam", "EigenCAM", "what stands out most in the last layer, whatever the target", p.MUHAMMAD_2020),
    attention("attention_rollout", "AttentionRollout", "attention weights multiplied through the layers", p.ABNAR_2020),
    attention("chefer", "Chefer", "attention weights times their gradients, accumulated through the layers", p.CHEFER_2021),
    perturb("occlusion", "occlusion", "how far the score falls when a window is covered", p.ZEILER_2014),
    perturb("feature_ablation", "feature_ablation", "how far the score falls when a part is taken away", p.ZEILER_2014),
    perturb("rise", "rise", "the mean score of random maskings that leave a place visible", p.PETSIUK_2018),
    perturb("lime", "lime", "a weighted linear model of the score by which parts are there", p.RIBEIRO_2016),
    perturb("kernel_shap", "kernel_shap", "Shapley values by regression over coalitions of parts", p.LUNDBERG_2017, adds=True),
    perturb("shapley", "shapley", "Shapley values by orders in which parts arrive", p.CASTRO_2009, adds=True),
    perturb("sobol", "sobol", "the share of the variance of the score that a part is involved in", p.FEL_2021, signed=False),
    perturb("hsic", "hsic", "how far the score depends on whether a part is there", p.NOVELLO_2022, signed=False),
    perturb("pda", "pda", "how many bits of evidence each window is, for and against", p.ZINTGRAF_2017, linear=False),
    mask("meaningful", "Meaningful", "the smallest smooth mask that takes the score away", p.FONG_2017),
    mask("extremal", "Extremal", "the part of a given area that keeps most of the score", p.FONG_2019),
    mask("dve", "DVE", "what stands out in the last layer at two scales at once", p.BABIKER_2017, repeats=False, maps=True),
)

# Methods that try others on the input at hand, and return the answer of one.
CHOOSERS: tuple[Entry, ...] = (
    entries_of("verbs.auto", family="auto")(
        "auto", "Auto", "the first of a few methods by SRG on the input at hand, and says why", p.BLUECHER_2024
    ),
)


def methods() -> tuple[Entry, ...]:
    """All methods, those of installed plug-ins (entry-point group `pellucid`) included."""
    return METHODS + CHOOSERS + installed("pellucid")


def method(name: str, **options: Any) -> Method:
    """The method of that name, with its defaults except for the options given.

    Raises:
        MethodError: there is none, and the nearest three are named; or it has no such option.
    """
    chosen: Method = entry(name).make(**options)
    return chosen


def entry(name: str) -> Entry:
    """The entry of the method of that name."""
    return find("method", name, METHODS + CHOOSERS, "pellucid")


def claim(name: str) -> str:
    """What the values of a method of the catalogue mean, in one line; nothing of a method that is not in it.

    Example:
        >>> claim("occlusion"), claim("my own")
        ('how far the score falls when a window is covered', '')
    """
    return next((one.summary for one in METHODS if one.name == name), "")


def as_method(value: Any, *, strict: bool = False) -> Method:
    """A method, from its name, from a method, or from a class or function that makes one without arguments.

    Arguments:
        strict: Whether an operation without a rule is an error, for methods that have rules.

    Raises:
        MethodError: it is none of them.
    """
    from pellucid.explanation.method import configured, instance  # late: lists must not wait for torch

    chosen = method(value) if isinstance(value, str) else instance(value)
    return configured(chosen, strict=True) if strict else chosen


def adds_up(name: str) -> bool:
    """Whether the values of the method of that name sum to the score, or to its difference from that of a baseline."""
    return any(entry.name == name and entry.adds for entry in METHODS)
