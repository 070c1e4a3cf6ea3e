"""One sample made ready to paint: its values per place, their scale, and what to say about both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.core.blur import smoothed
from pellucid.errors import InputError
from pellucid.explanation.explanation import Explanation
from .palette import PAPER, RED_BLUE, Colour, Palette, ends
from .scale import Heat, Scale, each, fixed, shared

LONGEST_NAME = 24


@dataclass(frozen=True)
class Map:
    """What painters need of one sample.

    Arguments:
        heat: One value per place, with shape (height, width); unsigned ones are never negative.
        scale: The value painted at full strength.
        signed: Whether the sign means for and against.
        empty: Why nothing is painted; "" if something is.
        card: What stands in its place: "no evidence found", or "under-sampled".
        picture: The pixels below, with shape (height, width, 3), or None for white paper.
        smooth_px: Standard deviation of the blur that `heat` went through, in places.
        sinks: Places in a row that are shown apart from it: the scale is that of the others.
        sides: What each end of a difference speaks for, by name; nothing of a single score.
    """

    heat: Heat
    scale: Scale
    signed: bool
    empty: str
    picture: NDArray[np.uint8] | None
    smooth_px: float
    palette: Palette
    card: str = ""
    sinks: tuple[int, ...] = ()
    sides: tuple[str, str] | tuple[()] = ()

    @property
    def scaled(self) -> Heat:
        """The values that the scale is made for."""
        return np.delete(self.heat, self.sinks, axis=1) if self.sinks else self.heat

    def ends(self, *, short: bool = False) -> tuple[tuple[float, str], ...]:
        """The ends of the scale of colours, by strength and meaning."""
        return ends(signed=self.signed, short=short, sides=self.sides)

    @property
    def strength(self) -> Heat:
        """Values over the scale in [-1, 1]."""
        return self.scale.strength(self.heat)

    @property
    def flat(self) -> bool:
        """Whether places lie in a row (features, time steps) and not in a plane."""
        return len(self.heat) == 1

    @property
    def coarse(self) -> bool:
        """Whether there are so few places beside the picture that the map is interpolated between them."""
        return self.picture is not None and max(self.heat.shape) * 4 <= max(self.picture.shape[:2])

    def colour(self, level: float) -> Colour:
        """The full colour of evidence for (above zero) or against."""
        return self.palette.colour(level, signed=self.signed)

    def on_paper(self, strength: float) -> Colour:
        """The colour of a strength in [-1, 1] on white paper."""
        return self.palette.over(strength, PAPER, signed=self.signed)

    def sentence(self) -> str:
        """Scale, clipping, and what was done to the map before painting."""
        height, width = self.heat.shape
        how = f" The map has {height} x {width} places and is interpolated between them." if self.coarse else ""
        blur = f" Smoothed over {self.smooth_px:g} px." if self.smooth_px else ""
        return self.scale.sentence(self.scaled, signed=self.signed, end="Bars end" if self.flat else "Full colour") + how + blur


def prepare(
    e: Explanation, sample: int = 0, *, scale: str | float | Scale = "each", palette: Palette = RED_BLUE, smooth_px: float = 0.0
) -> Map:
    """Make one sample ready to paint.

    Arguments:
        sample: Which of a batch.
        scale: "each" for this map's own, "shared" for one over all samples, or a number for a fixed one.
        smooth_px: Standard deviation of a Gaussian blur of the map, in places; 0 paints what is there.
    """
    one = e[sample]
    raw, nothing = heat_of(one), one.nothing()
    empty = nothing or one.doubt()
    heat = raw if empty else smoothed(raw, smooth_px)
    apart = () if empty else sinks_of(one)
    chosen = fixed(1.0) if empty and scale == "each" else choose(e, np.delete(heat, apart, axis=1) if apart else heat, scale)
    picture = one.photograph() if len(heat) > 1 else None  # features in a row lie nowhere on a photograph
    card = "no evidence found" if nothing else "under-sampled" if empty else ""
    return Map(heat, chosen, e.signed, empty, picture, smooth_px, palette, card, apart, sides_of(one))


def sides_of(e: Explanation) -> tuple[str, str] | tuple[()]:
    """What both ends of the scale speak for, where two scores are compared."""
    if not e.contrast:
        return ()
    (one, _), (other, _) = e.contrast[0]
    return short(one), short(other)


def short(name: str) -> str:
    """A name that fits beside a swatch."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def sinks_of(e: Explanation) -> tuple[int, ...]:
    """The places of the sinks of one text."""
    return tuple(place for piece in e.sinks() for place in piece.positions)


def heat_of(e: Explanation) -> Heat:
    """Values per place of one sample; of an unsigned method their size."""
    heat: Heat = e.heat().cpu().double().numpy()
    return heat if e.signed else np.abs(heat)


def choose(e: Explanation, heat: Heat, scale: str | float | Scale) -> Scale:
    """The scale somebody asked for. A row of features is short: there the largest value is the end of the scale."""
    percentile = {} if len(heat) > 1 else {"percentile": 100.0}
    if isinstance(scale, Scale):
        return scale
    if scale == "each":
        return each(heat, **percentile)
    if scale == "shared":
        heats = (np.delete(heat_of(one), sinks_of(one), axis=1) for one in e if not one.doubt())
        return shared(list(heats), **percentile)
    if isinstance(scale, str):
        raise InputError(f'scale="{scale}"', f'"{scale}"', "no scale has that name", 'Use "each", "shared" or a number.')
    return fixed(scale)
