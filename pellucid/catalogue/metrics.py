"""The one list that names every metric. Adding one: its file under metrics/, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .entry import find, installed

if TYPE_CHECKING:
    from pellucid.metrics.metric import Metric, Need


@dataclass(frozen=True)
class MetricEntry:
    """One metric, as users name it.

    Arguments:
        name: The name on the command line and in `evaluate`.
        factory: "module:attribute" that makes the metric with its defaults.
        summary: What it asks, in one line.
        family: What kind of question that is.
        paper, year, doi: Where it comes from.
        higher: Whether higher values are better.
        needs: What it needs beside the map: "map" (nothing), "mask", "model" or "method", see `pellucid.metrics.metric`.
        scales: Whether a map and twice the map get the same score.
        curve: Whether it is read off a removal curve, and so comes with a random floor and a ceiling.
    """

    name: str
    factory: str
    summary: str
    family: str
    paper: str
    year: int
    doi: str
    higher: bool = True
    needs: Need = "model"
    scales: bool = True
    curve: bool = False

    @property
    def better(self) -> str:
        """Which values are: "higher" or "lower"."""
        return "higher" if self.higher else "lower"

    def make(self, **options: Any) -> Metric:
        """The metric itself."""
        module, _, attribute = self.factory.partition(":")
        made: Callable[..., Metric] = getattr(import_module(module), attribute)
        return made(**options)


def _removal(name: str, factory: str, summary: str, source: tuple[str, int, str], *, higher: bool = True) -> MetricEntry:
    made = f"pellucid.metrics:{factory}"
    return MetricEntry(name, made, summary, "faithfulness", *source, higher=higher, curve=True)


def _place(name: str, factory: str, summary: str, source: tuple[str, int, str]) -> MetricEntry:
    return MetricEntry(name, f"pellucid.metrics:{factory}", summary, "localisation", *source, needs="mask")


def _map(name: str, factory: str, summary: str, source: tuple[str, int, str], *, higher: bool) -> MetricEntry:
    return MetricEntry(name, f"pellucid.metrics:{factory}", summary, "complexity", *source, higher=higher, needs="map")


def _loss(name: str, factory: str, summary: str, source: tuple[str, int, str], **more: Any) -> MetricEntry:
    return MetricEntry(name, f"pellucid.metrics:{factory}", summary, "faithfulness", *source, **more)


def _again(name: str, factory: str, summary: str, family: str, source: tuple[str, int, str], **more: Any) -> MetricEntry:
    more = {"higher": False, "scales": False} | more
    return MetricEntry(name, f"pellucid.metrics:{factory}", summary, family, *source, needs="method", **more)


def _axiom(name: str, factory: str, summary: str, source: tuple[str, int, str], *, scales: bool = False) -> MetricEntry:
    return MetricEntry(name, f"pellucid.metrics:{factory}", summary, "axioms", *source, higher=False, scales=scales)


_BLUECHER = ("Bluecher et al.", 2024, "10.48550/arXiv.2401.06654")
_SAMEK, _PETSIUK = ("Samek et al.", 2017, "10.1109/TNNLS.2016.2599820"), ("Petsiuk et al.", 2018, "10.48550/arXiv.1806.07421")
_DEYOUNG, _RONG = ("DeYoung et al.", 2020, "10.18653/v1/2020.acl-main.408"), ("Rong et al.", 2022, "10.48550/arXiv.2202.00449")
_BACH, _OVERVIEW = ("Bach et al.", 2015, "10.1371/journal.pone.0130140"), ("Montavon et al.", 2018, "10.1016/j.dsp.2017.10.011")
_ARRAS, _KOHL = (
    ("Arras et al.", 2022, "10.1016/j.inffus.2021.11.008"),
    ("Kohlbrenner et al.", 2020, "10.1109/IJCNN48605.2020.9206975"),
)
_CHALASANI, _BHATT = ("Chalasani et al.", 2020, "10.48550/arXiv.1810.06583"), ("Bhatt et al.", 2020, "10.24963/ijcai.2020/417")
_ZHANG, _WANG = ("Zhang et al.", 2018, "10.1007/s11263-017-1059-x"), ("Wang et al.", 2020, "10.1109/CVPRW50498.2020.00020")
_THEINER, _FAWCETT = ("Theiner et al.", 2021, "10.48550/arXiv.2104.14995"), ("Fawcett", 2006, "10.1016/j.patrec.2005.10.010")
_NGUYEN = ("Nguyen and Martinez", 2020, "10.48550/arXiv.2007.07584")
_ALVAREZ, _ANCONA = (
    ("Alvarez-Melis and Jaakkola", 2018, "10.48550/arXiv.1806.07538"),
    ("Ancona et al.", 2018, "10.48550/arXiv.1711.06104"),
)
_YEH, _LIPSCHITZ = (
    ("Yeh et al.", 2019, "10.48550/arXiv.1901.09392"),
    ("Alvarez-Melis and Jaakkola", 2018, "10.48550/arXiv.1806.08049"),
)
_AGARWAL, _ADEBAYO = ("Agarwal et al.", 2022, "10.48550/arXiv.2203.06877"), ("Adebayo et al.", 2018, "10.48550/arXiv.1810.03292")
_HEDSTROEM, _SIXT = ("Hedstroem et al.", 2023, "10.48550/arXiv.2401.06465"), ("Sixt et al.", 2020, "10.48550/arXiv.1912.09818")
_SUNDARARAJAN = ("Sundararajan et al.", 2017, "10.48550/arXiv.1703.01365")
_KINDERMANS = ("Kindermans et al.", 2019, "10.1007/978-3-030-28954-6_14")
_RIEGER = ("Rieger and Hansen", 2020, "10.48550/arXiv.2003.08747")

METRICS: tuple[MetricEntry, ...] = (
    _removal("srg", "SRG", "how much more is lost without the most relevant parts than without the least", _BLUECHER),
    _removal("mrg", "MRG", "how much more is lost without the most relevant parts than without random ones", _BLUECHER),
    _removal("lrg", "LRG", "how much less is lost without the least relevant parts than without random ones", _BLUECHER),
    _removal("pixel_flipping", "PixelFlipping", "how high the score stays while the best pixels go", _BACH, higher=False),
    _removal("region_perturbation", "RegionPerturbation", "how far the score falls while the most relevant regions go", _SAMEK),
    _removal("abpc", "ABPC", "how much further than while the least relevant go", _SAMEK),
    _removal("deletion", "Deletion", "how probable the class stays while the best pixels go", _PETSIUK, higher=False),
    _removal("insertion", "Insertion", "how probable the class gets while the best pixels come", _PETSIUK),
    _removal("irof", "IROF", "which share of the probability is lost while the best superpixels go", _RIEGER),
    _removal("selectivity", "Selectivity", "how high the score stays while the best patches go", _OVERVIEW, higher=False),
    _removal("comprehensiveness", "Comprehensiveness", "what is lost without the most relevant places", _DEYOUNG),
    _removal("sufficiency", "Sufficiency", "what is lost with nothing but the most relevant places", _DEYOUNG, higher=False),
    _removal("road", "ROAD", "how probable the class stays without the best pixels, debiased", _RONG, higher=False),
    _removal("road_combined", "ROADCombined", "half the difference to what it is without the worst pixels", _RONG),
    _loss("faithfulness_correlation", "FaithfulnessCorrelation", "how relevance and loss of random sets of parts agree", _BHATT),
    _loss("faithfulness_estimate", "FaithfulnessEstimate", "how relevance and loss of single parts agree", _ALVAREZ),
    _loss("sensitivity_n", "SensitivityN", "how they agree for random sets of every size", _ANCONA),
    _loss("monotonicity_correlation", "MonotonicityCorrelation", "how the order of parts goes with their effect", _NGUYEN),
    _loss("infidelity", "Infidelity", "how wrong the map is about random changes", _YEH, higher=False, scales=False),
    _place("relevance_mass", "RelevanceMass", "which share of the relevance lies where the truth is", _ARRAS),
    _place("relevance_rank", "RelevanceRank", "which share of the truth the most relevant places fill", _ARRAS),
    _place("pointing_game", "PointingGame", "whether the most relevant place lies at the truth", _ZHANG),
    _place("energy_pointing_game", "EnergyPointingGame", "which share of the positive relevance lies there", _WANG),
    _place("attribution_localisation", "AttributionLocalisation", "that share as a multiple of chance", _KOHL),
    _place("top_k", "TopK", "which share of the most relevant places lies there", _THEINER),
    _place("roc_auc", "ROCAUC", "how surely places there outrank others", _FAWCETT),
    _map("sparseness", "Sparseness", "how unevenly relevance is spread", _CHALASANI, higher=True),
    _map("complexity", "Complexity", "the entropy of the map", _BHATT, higher=False),
    _map("effective_complexity", "EffectiveComplexity", "how many places hold nine tenths of the map", _NGUYEN, higher=False),
    _again("max_sensitivity", "MaxSensitivity", "how far the map moves at most when the sample hardly does", "robustness", _YEH),
    _again("avg_sensitivity", "AvgSensitivity", "how far it moves on average", "robustness", _YEH),
    _again("local_lipschitz", "LocalLipschitz", "how far it moves for every unit the sample moves", "robustness", _LIPSCHITZ),
    _again("relative_input_stability", "RelativeInputStability", "how far for how far the input moves", "robustness", _AGARWAL),
    _again(
        "relative_output_stability", "RelativeOutputStability", "how far for how far the output moves", "robustness", _AGARWAL
    ),
    _again(
        "relative_representation_stability",
        "RelativeRepresentationStability",
        "how far for how far inner values move",
        "robustness",
        _AGARWAL,
    ),
    _again(
        "randomization",
        "Randomization",
        "how alike maps of ever more random models are (MPRT)",
        "randomisation",
        _ADEBAYO,
        scales=True,
    ),
    _again(
        "smooth_randomization",
        "SmoothRandomization",
        "the same for means over noisy samples (sMPRT)",
        "randomisation",
        _HEDSTROEM,
        scales=True,
    ),
    _again(
        "efficient_randomization",
        "EfficientRandomization",
        "how much more complex maps of a random model are (eMPRT)",
        "randomisation",
        _HEDSTROEM,
        higher=True,
        scales=True,
    ),
    _again("random_logit", "RandomLogit", "how alike the maps of two classes are", "randomisation", _SIXT, scales=True),
    _axiom("completeness", "Completeness", "how far the map's sum is from the score", _SUNDARARAJAN),
    _axiom(
        "non_sensitivity", "NonSensitivity", "how many parts have relevance without effect or the reverse", _NGUYEN, scales=True
    ),
    _again(
        "input_invariance", "InputInvariance", "how far the map moves with a shift the model takes back", "axioms", _KINDERMANS
    ),
    _again(
        "implementation_invariance",
        "ImplementationInvariance",
        "how far it moves with the way of computing",
        "axioms",
        _SUNDARARAJAN,
    ),
)


def metrics() -> tuple[MetricEntry, ...]:
    """All metrics, those of installed plug-ins (entry-point group `pellucid.metrics`) included."""
    return METRICS + installed("pellucid.metrics")


def metric(name: str) -> Metric:
    """The metric of that name, with its defaults.

    Raises:
        MethodError: there is none; the nearest three are named.
    """
    return find("metric", name, METRICS, metrics).make()
