"""The one list that names every recipe. Adding one: its file, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from pellucid.errors import MethodError
from .entry import find, installed

if TYPE_CHECKING:
    from pellucid.synth.maximized import Maximizer


@dataclass(frozen=True)
class Recipe:
    """One way to maximize, as users name it.

    Arguments:
        name: The name on the command line and in `maximize`: its citation.
        factory: "module:attribute" that makes it with its published settings.
        summary: What it does, in one line.
        paper, year, doi: Where it comes from; doi is "" where the paper has none.
        data: Whether it needs pictures of the user's own.
        several: Whether one target gets several pictures, one for each kind that it finds.
        codes: Whether it searches the codes of a generator, and takes a `GeneratorPrior` or its file as canvas.
    """

    name: str
    factory: str
    summary: str
    paper: str
    year: int
    doi: str
    data: bool = False
    several: bool = False
    codes: bool = False

    def make(self, **options: Any) -> Maximizer:
        """The recipe itself, with other settings than the published ones by name.

        Raises:
            MethodError: it has no such setting.
        """
        known = self.settings() if options else {}
        if unknown := [name for name in options if name not in known]:
            told = ", ".join(f"{name}={value!r}" for name, value in known.items())
            raise MethodError(
                f"recipe {self.name!r} with {', '.join(unknown)}", f"the settings {told}" if known else "no settings at all",
                "only these can be set", "Correct the name, or leave it out.",
            )  # fmt: skip
        return self._maker()(**options)

    def settings(self) -> dict[str, Any]:
        """What can be set, and to what it is set unless somebody says so."""
        return {name: one.default for name, one in signature(self._maker()).parameters.items()}

    def kinds(self) -> dict[str, type[int] | type[float]]:
        """Of what kind numbers are that may be left to the recipe, and are None then."""
        written = {name: str(one.annotation) for name, one in signature(self._maker()).parameters.items()}
        return {name: kind for name, words in written.items() for kind in (int, float) if words == f"{kind.__name__} | None"}

    def _maker(self) -> Callable[..., Maximizer]:
        module, _, attribute = self.factory.partition(":")
        made: Callable[..., Maximizer] = getattr(import_module(module), attribute)
        return made


_OLAH = ("Olah et al.", 2017, "10.23915/distill.00007")

RECIPES: tuple[Recipe, ...] = (
    Recipe("auto", "pellucid.synth.recipes:Auto", "lucid for pictures and signals, erhan2009 for rows of a table", *_OLAH),
    Recipe("erhan2009", "pellucid.synth.recipes:Erhan2009", "the input of a given length", "Erhan et al.", 2009, ""),
    Recipe(
        "simonyan2013",
        "pellucid.synth.recipes:Simonyan2013",
        "the score less the squared length, from the mean picture",
        "Simonyan et al.",
        2013,
        "10.48550/arXiv.1312.6034",
    ),
    Recipe(
        "yosinski2015",
        "pellucid.synth.recipes:Yosinski2015",
        "decay, blur and clipping after each step, in four published mixtures",
        "Yosinski et al.",
        2015,
        "10.48550/arXiv.1506.06579",
    ),
    Recipe(
        "deepdream",
        "pellucid.synth.recipes:DeepDream",
        "what a layer finds in a picture, drawn into it, octave by octave",
        "Mordvintsev et al.",
        2015,
        "",
    ),
    Recipe("lucid", "pellucid.synth.recipes:Lucid", "frequencies in independent colours, jittered, scaled and rotated", *_OLAH),
    Recipe(
        "mahendran2016",
        "pellucid.synth.recipes.mahendran2016:Mahendran2016",
        "bounded, smooth, jittered; mode='invert' shows what a layer keeps of a picture",
        "Mahendran and Vedaldi",
        2016,
        "10.1007/s11263-016-0911-8",
    ),
    Recipe(
        "maco",
        "pellucid.synth.recipes.maco:Maco",
        "the spectrum of photographs, only its phases free, seen in crops",
        "Fel et al.",
        2023,
        "10.48550/arXiv.2306.06805",
    ),
    Recipe(
        "mfv",
        "pellucid.synth.recipes.mfv:Mfv",
        "one picture for each kind of picture that a class is of",
        "Nguyen et al.",
        2016,
        "10.48550/arXiv.1602.03616",
        data=True,
        several=True,
    ),
    Recipe(
        "dgn_am",
        "pellucid.synth.recipes.dgn_am:DgnAm",
        "the picture among those that a generator makes of codes",
        "Nguyen et al.",
        2016,
        "10.48550/arXiv.1605.09304",
        data=True,
        codes=True,
    ),
    Recipe(
        "ppgn",
        "pellucid.synth.recipes.ppgn:Ppgn",
        "samples of a class that look like the data, from a chain of codes",
        "Nguyen et al.",
        2017,
        "10.1109/CVPR.2017.374",
        data=True,
        codes=True,
    ),
    Recipe(
        "deepinversion",
        "pellucid.synth.recipes.deepinversion:DeepInversion",
        "features with the statistics that the batch norms remember",
        "Yin et al.",
        2020,
        "10.1109/CVPR42600.2020.00874",
    ),
    Recipe(
        "vit2022",
        "pellucid.synth.recipes.vit2022:Vit2022",
        "colours shifted, moved views, fading noise: for units of vision transformers",
        "Ghiasi et al.",
        2022,
        "10.48550/arXiv.2212.06727",
    ),
    Recipe(
        "caricature",
        "pellucid.synth.recipes.caricature:Caricature",
        "what a layer sees in a picture of yours, drawn from nothing",
        "Olah et al.",
        2018,
        "10.23915/distill.00010",
        data=True,
    ),
    Recipe(
        "accentuation",
        "pellucid.synth.recipes.accentuation:Accentuation",
        "what the target sees in a picture of yours, drawn into it",
        "Hamblin et al.",
        2024,
        "10.48550/arXiv.2402.10039",
        data=True,
    ),
)


def recipes() -> tuple[Recipe, ...]:
    """All recipes, those of installed plug-ins (entry-point group `pellucid.recipes`) included."""
    return RECIPES + installed("pellucid.recipes")


def recipe(name: str, **options: Any) -> Maximizer:
    """The recipe of that name, with its published settings but for those given.

    Raises:
        MethodError: there is none, and the nearest three are named; or it has no such setting.
    """
    return entry(name).make(**options)


def entry(name: str) -> Recipe:
    """What the list says of the recipe of that name."""
    return find("recipe", name, RECIPES, recipes)
