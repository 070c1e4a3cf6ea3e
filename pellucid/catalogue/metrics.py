"""The list of metrics for `evaluate`. To add one: its file in `metrics/`, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import papers as p
from .entry import Entry, entries_of, find, installed

if TYPE_CHECKING:
    from pellucid.metrics.metric import Metric

removal = entries_of("metrics", family="faithfulness", curve=True)
loss = entries_of("metrics", family="faithfulness")
place = entries_of("metrics", family="localisation", needs="mask")
shape = entries_of("metrics", family="complexity", needs="map")
robust = entries_of("metrics", family="robustness", needs="method", higher=False, scales=False)
random = entries_of("metrics", family="randomisation", needs="method", higher=False)
axiom = entries_of("metrics", family="axioms", higher=False, scales=False)
same = entries_of("metrics", family="axioms", needs="method", higher=False, scales=False)

METRICS: tuple[Entry, ...] = (
    removal("srg", "SRG", "how much more is lost without the most relevant parts than without the least", p.BLUECHER_2024),
    removal("mrg", "MRG", "how much more is lost without the most relevant parts than without random ones", p.BLUECHER_2024),
    removal("lrg", "LRG", "how much less is lost without the least relevant parts than without random ones", p.BLUECHER_2024),
    removal("pixel_flipping", "PixelFlipping", "how high the score stays while the best pixels go", p.BACH_2015, higher=False),
    removal("region_perturbation", "RegionPerturbation", "how far the score falls while the best regions go", p.SAMEK_2017),
    removal("abpc", "ABPC", "how much further the score falls than without the least relevant", p.SAMEK_2017),
    removal("deletion", "Deletion", "how probable the class stays while the best pixels go", p.PETSIUK_2018, higher=False),
    removal("insertion", "Insertion", "how probable the class gets while the best pixels come", p.PETSIUK_2018),
    removal("irof", "IROF", "which share of the probability is lost while the best superpixels go", p.RIEGER_2020),
    removal("selectivity", "Selectivity", "how high the score stays while the best patches go", p.MONTAVON_2018, higher=False),
    removal("comprehensiveness", "Comprehensiveness", "what is lost without the most relevant places", p.DEYOUNG_2020),
    removal("sufficiency", "Sufficiency", "what is lost with nothing but the most relevant places", p.DEYOUNG_2020, higher=False),
    removal("road", "ROAD", "how probable the class stays without the best pixels, debiased", p.RONG_2022, higher=False),
    removal("road_combined", "ROADCombined", "half of what ROAD is higher without the worst pixels", p.RONG_2022),
    loss("faithfulness_correlation", "FaithfulnessCorrelation", "how relevance and loss of sets of parts agree", p.BHATT_2020),
    loss("faithfulness_estimate", "FaithfulnessEstimate", "how relevance and loss of single parts agree", p.ALVAREZ_MELIS_2018),
    loss("sensitivity_n", "SensitivityN", "how relevance and loss of random sets of every size agree", p.ANCONA_2018),
    loss("monotonicity_correlation", "MonotonicityCorrelation", "how the order of parts goes with their effect", p.NGUYEN_2020),
    loss("infidelity", "Infidelity", "how wrong the map is about random changes", p.YEH_2019, higher=False, scales=False),
    place("relevance_mass", "RelevanceMass", "which share of the relevance lies where the truth is", p.ARRAS_2022),
    place("relevance_rank", "RelevanceRank", "which share of the truth the most relevant places fill", p.ARRAS_2022),
    place("pointing_game", "PointingGame", "whether the most relevant place lies at the truth", p.ZHANG_2018),
    place("energy_pointing_game", "EnergyPointingGame", "which share of the positive relevance lies at the truth", p.WANG_2020),
    place("attribution_localisation", "AttributionLocalisation", "the share at the truth, by that of chance", p.KOHLBRENNER_2020),
    place("top_k", "TopK", "which share of the most relevant places lies at the truth", p.THEINER_2021),
    place("roc_auc", "ROCAUC", "how surely places at the truth outrank others", p.FAWCETT_2006),
    shape("sparseness", "Sparseness", "how unevenly relevance is spread", p.CHALASANI_2020),
    shape("complexity", "Complexity", "the entropy of the map", p.BHATT_2020, higher=False),
    shape("effective_complexity", "EffectiveComplexity", "how many places hold 90 % of the map", p.NGUYEN_2020, higher=False),
    robust("max_sensitivity", "MaxSensitivity", "how far the map moves at most when the sample hardly does", p.YEH_2019),
    robust("avg_sensitivity", "AvgSensitivity", "how far the map moves on average when the sample hardly does", p.YEH_2019),
    robust("local_lipschitz", "LocalLipschitz", "how far the map moves for every unit the sample does", p.ALVAREZ_MELIS_2018_B),
    robust("relative_input_stability", "RelativeInputStability", "how far the map moves relative to the input", p.AGARWAL_2022),
    robust("relative_output_stability", "RelativeOutputStability", "how far it moves relative to the output", p.AGARWAL_2022),
    robust(
        "relative_representation_stability",
        "RelativeRepresentationStability",
        "how far it moves relative to inner values",
        p.AGARWAL_2022,
    ),
    random("randomization", "Randomization", "how alike maps of ever more random models are (MPRT)", p.ADEBAYO_2018_B),
    random("smooth_randomization", "SmoothRandomization", "how alike smoothed maps of such models are (sMPRT)", p.HEDSTROEM_2023),
    random(
        "efficient_randomization",
        "EfficientRandomization",
        "how much more complex a random model's maps are (eMPRT)",
        p.HEDSTROEM_2023,
        higher=True,
    ),
    random("random_logit", "RandomLogit", "how alike the maps of two classes are", p.SIXT_2020),
    axiom("completeness", "Completeness", "how far the map's sum is from the score", p.SUNDARARAJAN_2017),
    axiom("non_sensitivity", "NonSensitivity", "parts with relevance but no effect, or the reverse", p.NGUYEN_2020, scales=True),
    same("input_invariance", "InputInvariance", "how far the map moves with a shift the model takes back", p.KINDERMANS_2019),
    same(
        "implementation_invariance",
        "ImplementationInvariance",
        "how far the map moves with another way of computing",
        p.SUNDARARAJAN_2017,
    ),
)


def metrics() -> tuple[Entry, ...]:
    """All metrics, those of installed plug-ins (entry-point group `pellucid.metrics`) included."""
    return METRICS + installed("pellucid.metrics")


def meaning(name: str) -> str:
    """What a metric of the catalogue measures, in one line; nothing of a metric that is not in it.

    Example:
        >>> meaning("sparseness"), meaning("my own")
        ('how unevenly relevance is spread', '')
    """
    return next((one.summary for one in METRICS if one.name == name), "")


def metric(name: str) -> Metric:
    """The metric of that name, with its defaults.

    Raises:
        MethodError: there is none; the nearest three are named.
    """
    chosen: Metric = find("metric", name, METRICS, "pellucid.metrics").make()
    return chosen
