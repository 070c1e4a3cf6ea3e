"""The one list that names every method. Adding one: its file, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .entry import find, installed

if TYPE_CHECKING:
    from pellucid.explanation.attribution import Method


@dataclass(frozen=True)
class Entry:
    """One method, as users name it.

    Arguments:
        name: The name on the command line and in `explain`.
        factory: "module:attribute" that makes the method with its defaults.
        summary: What it claims, in one line.
        paper, year, doi: Where it comes from.
        signed: Whether it tells evidence for from evidence against.
        linear: Whether the map of a contrast a - b is the map of a minus the map of b; of signed methods only.
        repeats: Whether it asks the network again and again, and takes as many times longer.
        forward: Whether it only asks what the network says, and so takes anything that can be called.
        adds: Whether its values add up to the score, or to how far it lies above that of a baseline; books do so of themselves.
        maps: Whether it needs a network that computes maps over places, as convolutional networks and vision transformers do.
        attends: Whether it needs a network whose tokens attend to one another, as transformers do.
    """

    name: str
    factory: str
    summary: str
    paper: str
    year: int
    doi: str
    signed: bool = True
    linear: bool = True
    repeats: bool = False
    forward: bool = False
    maps: bool = False
    attends: bool = False
    adds: bool = False

    @property
    def family(self) -> str:
        """The package it lives in: "lrp", "gradient"."""
        return (
            self.factory.removeprefix("pellucid.")
            .removeprefix("methods.")
            .removeprefix("verbs.")
            .partition(":")[0]
            .partition(".")[0]
        )

    def make(self, **options: Any) -> Method:
        """The method itself."""
        module, _, attribute = self.factory.partition(":")
        made: Callable[..., Method] = getattr(import_module(module), attribute)
        return made(**options)


_BACH, _KOHL = (
    ("Bach et al.", 2015, "10.1371/journal.pone.0130140"),
    ("Kohlbrenner et al.", 2020, "10.1109/IJCNN48605.2020.9206975"),
)
_SIMONYAN, _SHRIKUMAR = (
    ("Simonyan et al.", 2013, "10.48550/arXiv.1312.6034"),
    ("Shrikumar et al.", 2016, "10.48550/arXiv.1605.01713"),
)
_DTD, _SA = ("Montavon et al.", 2017, "10.1016/j.patcog.2016.11.008"), ("Montavon et al.", 2018, "10.1016/j.dsp.2017.10.011")
_OVERVIEW, _EB = ("Montavon et al.", 2019, "10.1007/978-3-030-28954-6_10"), ("Zhang et al.", 2016, "10.1007/978-3-319-46493-0_33")
_ATTN, _CP = ("Achtibat et al.", 2024, "10.48550/arXiv.2402.05602"), ("Ali et al.", 2022, "10.48550/arXiv.2202.07304")

_BLUECHER = ("Bluecher et al.", 2024, "10.48550/arXiv.2401.06654")

METHODS: tuple[Entry, ...] = (
    Entry(
        "lrp",
        "pellucid.methods.lrp:Auto",
        "relevance that reaches the input: the composite that measured best for the architecture",
        *_BACH,
    ),
    Entry("lrp.zero", "pellucid.methods.lrp:Zero", "relevance by contributions as they are", *_BACH),
    Entry("lrp.epsilon", "pellucid.methods.lrp:EpsilonEverywhere", "contributions over their sum, noise absorbed", *_BACH),
    Entry("lrp.gamma", "pellucid.methods.lrp:GammaEverywhere", "contributions that agree weigh more", *_OVERVIEW),
    Entry("lrp.epsilon_plus", "pellucid.methods.lrp:EpsilonPlus", "z-plus on convolutions, epsilon on dense layers", *_KOHL),
    Entry("lrp.epsilon_plus_flat", "pellucid.methods.lrp:EpsilonPlusFlat", "the same, flat at the first layer", *_KOHL),
    Entry(
        "lrp.epsilon_alpha2_beta1",
        "pellucid.methods.lrp:EpsilonAlpha2Beta1",
        "alpha-beta on convolutions, epsilon on dense layers",
        *_KOHL,
    ),
    Entry(
        "lrp.epsilon_alpha2_beta1_flat",
        "pellucid.methods.lrp:EpsilonAlpha2Beta1Flat",
        "the same, flat at the first layer",
        *_KOHL,
    ),
    Entry(
        "lrp.epsilon_gamma_box",
        "pellucid.methods.lrp:EpsilonGammaBox",
        "gamma on convolutions, z-box on pixels, epsilon on dense layers",
        *_OVERVIEW,
    ),
    Entry("lrp.excitation_backprop", "pellucid.methods.lrp:ExcitationBackprop", "winner-take-all probabilities, top down", *_EB),
    Entry(
        "lrp.attention",
        "pellucid.methods.lrp:Attention",
        "through attention: its weights and its values, a half each (AttnLRP)",
        *_ATTN,
    ),
    Entry("lrp.cp", "pellucid.methods.lrp:CP", "through the values of attention, its weights held still (CP-LRP)", *_CP),
    Entry("deep_taylor", "pellucid.methods.lrp:DeepTaylor", "Taylor decomposition layer by layer", *_DTD),
    Entry("gradient", "pellucid.methods.gradient:Gradient", "how the score would change", *_SIMONYAN),
    Entry("saliency", "pellucid.methods.gradient:Saliency", "how much the score would change", *_SIMONYAN, signed=False),
    Entry("sensitivity", "pellucid.methods.gradient:Sensitivity", "the variation of the score, squared", *_SA, signed=False),
    Entry(
        "smoothgrad",
        "pellucid.methods.gradient:SmoothGrad",
        "the mean gradient over noisy copies of the input",
        "Smilkov et al.",
        2017,
        "10.48550/arXiv.1706.03825",
        repeats=True,
    ),
    Entry(
        "smoothgrad_squared",
        "pellucid.methods.gradient:SmoothGradSquared",
        "the mean squared gradient over noisy copies: variation of the score",
        "Hooker et al.",
        2019,
        "10.48550/arXiv.1806.10758",
        signed=False,
        repeats=True,
    ),
    Entry(
        "vargrad",
        "pellucid.methods.gradient:VarGrad",
        "where the slope itself changes around the input",
        "Adebayo et al.",
        2018,
        "10.48550/arXiv.1810.03307",
        signed=False,
        repeats=True,
    ),
    Entry(
        "finite_differences",
        "pellucid.methods.gradient:FiniteDifferences",
        "the slope over a finite way, part by part",
        *_SA,
        repeats=True,
        forward=True,
    ),
    Entry(
        "local_variance",
        "pellucid.methods.gradient:LocalVariance",
        "how much the score varies when one part is noise",
        *_SA,
        signed=False,
        forward=True,
        repeats=True,
    ),
    Entry(
        "gradient_x_input",
        "pellucid.methods.gradient:GradientXInput",
        "input times how the score would change",
        *_SHRIKUMAR,
        adds=True,
    ),
    Entry(
        "integrated_gradients",
        "pellucid.methods.gradient:Integrated",
        "the change of the score from a baseline, entry by entry",
        "Sundararajan et al.",
        2017,
        "10.48550/arXiv.1703.01365",
        repeats=True,
        adds=True,
    ),
    Entry(
        "expected_gradients",
        "pellucid.methods.gradient:Expected",
        "integrated gradients averaged over baselines",
        "Erion et al.",
        2021,
        "10.1038/s42256-021-00343-w",
        repeats=True,
        adds=True,
    ),
    Entry(
        "simple_taylor",
        "pellucid.methods.gradient:SimpleTaylor",
        "first-order terms around the nearest root on a line",
        *_BACH,
        linear=False,
        repeats=True,
        adds=True,
    ),
    Entry(
        "deeplift",
        "pellucid.methods.gradient:DeepLift",
        "the change of the score from a baseline, told by the changes on the way",
        "Shrikumar et al.",
        2017,
        "10.48550/arXiv.1704.02685",
        adds=True,
    ),
    Entry(
        "deepshap",
        "pellucid.methods.gradient:DeepShap",
        "DeepLIFT averaged over baselines, with standard errors",
        "Lundberg and Lee",
        2017,
        "10.48550/arXiv.1705.07874",
        repeats=True,
        adds=True,
    ),
    Entry(
        "guided_backprop",
        "pellucid.methods.gradient:GuidedBackprop",
        "the gradient, of which only what is positive passes active ReLUs",
        "Springenberg et al.",
        2015,
        "10.48550/arXiv.1412.6806",
        linear=False,
    ),
    Entry(
        "deconvnet",
        "pellucid.methods.gradient:Deconvnet",
        "the gradient, of which only what is positive passes ReLUs",
        "Zeiler and Fergus",
        2014,
        "10.1007/978-3-319-10590-1_53",
        linear=False,
    ),
    Entry(
        "gradcam",
        "pellucid.methods.cam:GradCAM",
        "maps of the last layer, weighed by their mean gradient",
        "Selvaraju et al.",
        2017,
        "10.1109/ICCV.2017.74",
        signed=False,
        maps=True,
    ),
    Entry(
        "gradcam++",
        "pellucid.methods.cam:GradCAMPlusPlus",
        "the same, places with positive gradients weighed by their share",
        "Chattopadhay et al.",
        2018,
        "10.1109/WACV.2018.00097",
        signed=False,
        maps=True,
    ),
    Entry(
        "hirescam",
        "pellucid.methods.cam:HiResCAM",
        "gradient times activation, place by place",
        "Draelos and Carin",
        2020,
        "10.48550/arXiv.2011.08891",
        signed=True,
        maps=True,
    ),
    Entry(
        "layercam",
        "pellucid.methods.cam:LayerCAM",
        "positive gradient times activation, place by place",
        "Jiang et al.",
        2021,
        "10.1109/TIP.2021.3089943",
        signed=False,
        maps=True,
    ),
    Entry(
        "xgradcam",
        "pellucid.methods.cam:XGradCAM",
        "maps weighed by gradients where they are active",
        "Fu et al.",
        2020,
        "10.48550/arXiv.2008.02312",
        signed=False,
        maps=True,
    ),
    Entry(
        "scorecam",
        "pellucid.methods.cam:ScoreCAM",
        "maps weighed by the score of what they let through",
        "Wang et al.",
        2020,
        "10.1109/CVPRW50498.2020.00020",
        signed=False,
        repeats=True,
        maps=True,
    ),
    Entry(
        "ablationcam",
        "pellucid.methods.cam:AblationCAM",
        "maps weighed by how far the score falls without them",
        "Desai and Ramaswamy",
        2020,
        "10.1109/WACV45572.2020.9093360",
        signed=False,
        repeats=True,
        maps=True,
    ),
    Entry(
        "eigencam",
        "pellucid.methods.cam:EigenCAM",
        "what stands out most in the last layer, whatever the target",
        "Muhammad and Yeasin",
        2020,
        "10.1109/IJCNN48605.2020.9206626",
        signed=False,
        maps=True,
    ),
    Entry(
        "attention_rollout",
        "pellucid.methods.cam:AttentionRollout",
        "attention weights multiplied through the layers",
        "Abnar and Zuidema",
        2020,
        "10.18653/v1/2020.acl-main.385",
        signed=False,
        attends=True,
    ),
    Entry(
        "chefer",
        "pellucid.methods.cam:Chefer",
        "attention weights times how the score answers to them, gathered through the layers",
        "Chefer et al.",
        2021,
        "10.1109/ICCV48922.2021.00045",
        signed=False,
        attends=True,
    ),
    Entry(
        "occlusion",
        "pellucid.methods.perturb:occlusion",
        "how far the score falls when a window is covered",
        "Zeiler and Fergus",
        2014,
        "10.1007/978-3-319-10590-1_53",
        repeats=True,
        forward=True,
    ),
    Entry(
        "feature_ablation",
        "pellucid.methods.perturb:feature_ablation",
        "how far the score falls when a part is taken away",
        "Zeiler and Fergus",
        2014,
        "10.1007/978-3-319-10590-1_53",
        repeats=True,
        forward=True,
    ),
    Entry(
        "rise",
        "pellucid.methods.perturb:rise",
        "the mean score of random maskings that leave a place visible",
        "Petsiuk et al.",
        2018,
        "10.48550/arXiv.1806.07421",
        repeats=True,
        forward=True,
    ),
    Entry(
        "lime",
        "pellucid.methods.perturb:lime",
        "a weighted linear model of the score by which parts are there",
        "Ribeiro et al.",
        2016,
        "10.1145/2939672.2939778",
        repeats=True,
        forward=True,
    ),
    Entry(
        "kernel_shap",
        "pellucid.methods.perturb:kernel_shap",
        "Shapley values by weighted regression over coalitions of parts",
        "Lundberg and Lee",
        2017,
        "10.48550/arXiv.1705.07874",
        repeats=True,
        forward=True,
        adds=True,
    ),
    Entry(
        "shapley",
        "pellucid.methods.perturb:shapley",
        "Shapley values by orders in which parts arrive",
        "Castro et al.",
        2009,
        "10.1016/j.cor.2008.04.004",
        repeats=True,
        forward=True,
        adds=True,
    ),
    Entry(
        "sobol",
        "pellucid.methods.perturb:sobol",
        "the share of the variance of the score that a part is involved in",
        "Fel et al.",
        2021,
        "10.48550/arXiv.2111.04138",
        signed=False,
        repeats=True,
        forward=True,
    ),
    Entry(
        "hsic",
        "pellucid.methods.perturb:hsic",
        "how far the score depends on whether a part is there",
        "Novello et al.",
        2022,
        "10.48550/arXiv.2206.06219",
        signed=False,
        repeats=True,
        forward=True,
    ),
    Entry(
        "pda",
        "pellucid.methods.perturb:pda",
        "how many bits of evidence each window is, for and against",
        "Zintgraf et al.",
        2017,
        "10.48550/arXiv.1702.04595",
        linear=False,
        repeats=True,
        forward=True,
    ),
    Entry(
        "meaningful",
        "pellucid.methods.perturb:Meaningful",
        "the smallest smooth mask that takes the score away",
        "Fong and Vedaldi",
        2017,
        "10.1109/ICCV.2017.371",
        signed=False,
        repeats=True,
    ),
    Entry(
        "extremal",
        "pellucid.methods.perturb:Extremal",
        "the part of a given area that keeps most of the score",
        "Fong et al.",
        2019,
        "10.1109/ICCV.2019.00304",
        signed=False,
        repeats=True,
    ),
    Entry(
        "dve",
        "pellucid.methods.perturb:DVE",
        "what stands out in the last layer at coarse and fine scale at once",
        "Babiker and Goebel",
        2017,
        "10.48550/arXiv.1711.09482",
        signed=False,
        maps=True,
    ),
)

# What asks other methods, and takes the answer of one.
CHOOSERS: tuple[Entry, ...] = (
    Entry("auto", "pellucid.verbs.auto:Auto", "the first of a few methods by SRG on the input at hand, and says why", *_BLUECHER),
)


def methods() -> tuple[Entry, ...]:
    """All methods, those of installed plug-ins (entry-point group `pellucid`) included."""
    return METHODS + CHOOSERS + installed("pellucid")


def method(name: str) -> Method:
    """The method of that name, with its defaults.

    Raises:
        MethodError: there is none; the nearest three are named.
    """
    return find("method", name, METHODS + CHOOSERS, methods).make()


def adds_up(name: str) -> bool:
    """Whether the values of the method of that name add up to the score, or to how far it lies above that of a baseline."""
    return any(entry.name == name and entry.adds for entry in METHODS)
