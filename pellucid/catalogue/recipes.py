"""The list of recipes for `maximize`, each named by its citation. To add one: its file in `synth/recipes/`, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import papers as p
from .entry import Entry, entries_of, find, installed

if TYPE_CHECKING:
    from pellucid.synth.maximized import Maximizer

made = entries_of("synth.recipes", family="recipes")
real = entries_of("synth.recipes", family="recipes", data=True)

RECIPES: tuple[Entry, ...] = (
    made("auto", "Auto", "lucid for pictures and signals, erhan2009 for rows of a table", p.OLAH_2017),
    made("erhan2009", "Erhan2009", "the input of a given length", p.ERHAN_2009),
    made("simonyan2013", "Simonyan2013", "the score less the squared length, from the mean picture", p.SIMONYAN_2013),
    made("yosinski2015", "Yosinski2015", "decay, blur and clipping after each step, in four published mixtures", p.YOSINSKI_2015),
    made("deepdream", "DeepDream", "what a layer finds in a picture, drawn into it, octave by octave", p.MORDVINTSEV_2015),
    made("lucid", "Lucid", "frequencies in independent colours, jittered, scaled and rotated", p.OLAH_2017),
    made("mahendran2016", ".mahendran2016:Mahendran2016", "bounded, smooth, jittered; or a layer inverted", p.MAHENDRAN_2016),
    made("maco", ".maco:Maco", "the spectrum of photographs, only its phases free, in random crops", p.FEL_2023),
    real("mfv", ".mfv:Mfv", "one picture for each kind of picture that a class consists of", p.NGUYEN_2016_B, several=True),
    real("dgn_am", ".dgn_am:DgnAm", "the picture among those that a generator makes of codes", p.NGUYEN_2016, codes=True),
    real("ppgn", ".ppgn:Ppgn", "samples of a class that look like the data, from a chain of codes", p.NGUYEN_2017, codes=True),
    made("deepinversion", ".deepinversion:DeepInversion", "features with the statistics that the batch norms keep", p.YIN_2020),
    made("vit2022", ".vit2022:Vit2022", "colour shifts, jitter, fading noise: for units of vision transformers", p.GHIASI_2022),
    real("caricature", ".caricature:Caricature", "what a layer sees in a picture, drawn from nothing", p.OLAH_2018),
    real("accentuation", ".accentuation:Accentuation", "what the target sees in a picture, drawn into it", p.HAMBLIN_2024),
)


def recipes() -> tuple[Entry, ...]:
    """All recipes, those of installed plug-ins (entry-point group `pellucid.recipes`) included."""
    return RECIPES + installed("pellucid.recipes")


def recipe(name: str, **options: Any) -> Maximizer:
    """The recipe of that name, with its published settings except for those given.

    Raises:
        MethodError: there is none, and the nearest three are named; or it has no such setting.
    """
    chosen: Maximizer = entry(name).make(**options)
    return chosen


def entry(name: str) -> Entry:
    """The entry of the recipe of that name."""
    return find("recipe", name, RECIPES, "pellucid.recipes")
