"""The colours of evidence, what their ends mean, and how pages and terminals spell a colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Pixels = NDArray[np.float64]

PAPER: Colour = (255, 255, 255)
INK: Colour = (28, 30, 34)
FAINT: Colour = (112, 117, 125)
HAIR: Colour = (222, 225, 229)
AMBER: Colour = (150, 84, 0)

UNSIGNED = "unsigned: how much, not for or against"
RESET = "\x1b[0m"


@dataclass(frozen=True)
class Palette:
    """Colours from faint to full for evidence for, evidence against, and evidence without a sign.

    Each ramp is two colours: the hue of a small value and of one at the scale's end. Strength is also opacity, so zero
    shows the ground itself: the photograph, or white paper. Positive and negative differ in hue *and* in the pair of
    colours a red-green blind reader keeps apart (red and blue, orange and purple), never red and green.
    """

    name: str
    positive: tuple[Colour, Colour]
    negative: tuple[Colour, Colour]
    unsigned: tuple[Colour, Colour]

    def paint(self, strength: Pixels, ground: Pixels, *, signed: bool) -> Pixels:
        """Colours of `strength` over `ground`.

        Arguments:
            strength: Values over scale, clipped to [-1, 1], with shape (...).
            ground: What lies below, with shape (..., 3), in 0..255.
            signed: Whether the sign means for and against; if not, one hue tells how much.

        Example:
            >>> RED_BLUE.paint(np.zeros(1), np.full((1, 3), 200.0), signed=True)
            array([[200., 200., 200.]])
        """
        opacity: Pixels = np.abs(strength)[..., None]
        upper = ramp(self.positive if signed else self.unsigned, opacity)
        colour = np.where(strength[..., None] < 0, ramp(self.negative, opacity), upper) if signed else upper
        return ground + opacity * (colour - ground)

    def colour(self, strength: float, *, signed: bool) -> Colour:
        """One opaque colour, for swatches and words."""
        return self.over(np.sign(strength), (0, 0, 0), signed=signed)

    def over(self, strength: float, ground: Colour, *, signed: bool) -> Colour:
        """What `paint` makes of a single place."""
        red, green, blue = self.paint(np.array(strength), np.array(ground, float), signed=signed).round().astype(int)
        return int(red), int(green), int(blue)


def ramp(ends: tuple[Colour, Colour], opacity: Pixels) -> Pixels:
    """From the faint to the full colour."""
    faint, full = (np.array(end, dtype=np.float64) for end in ends)
    return faint + opacity * (full - faint)


RED_BLUE = Palette(
    name="red-blue",
    positive=((240, 60, 50), (190, 0, 28)),
    negative=((50, 120, 245), (8, 48, 190)),
    unsigned=((150, 90, 200), (78, 20, 140)),
)
ORANGE_PURPLE = Palette(
    name="orange-purple",
    positive=((245, 150, 30), (200, 85, 0)),
    negative=((140, 105, 205), (70, 25, 145)),
    unsigned=((40, 150, 140), (0, 85, 85)),
)
PALETTES = {palette.name: palette for palette in (RED_BLUE, ORANGE_PURPLE)}


def ends(*, signed: bool, short: bool = False, sides: tuple[str, str] | tuple[()] = ()) -> tuple[tuple[float, str], ...]:
    """The ends of a scale of colours, by strength and meaning.

    Arguments:
        sides: What each end speaks for, where two scores are compared.

    Example:
        >>> ends(signed=True, sides=("cat", "dog"), short=True)
        ((1.0, 'for cat'), (-1.0, 'for dog'))
    """
    if signed and sides:
        says = "for" if short else "speaks for"
        return ((1.0, f"{says} {sides[0]}"), (-1.0, f"{says} {sides[1]}"))
    if signed:
        return ((1.0, "for"), (-1.0, "against")) if short else ((1.0, "speaks for"), (-1.0, "speaks against"))
    return ((1.0, "unsigned: how much" if short else UNSIGNED),)


def web(colour: Colour) -> str:
    """A colour as style sheets write it: "#ff0000"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def ink(colour: Colour) -> str:
    """The escape sequence of a terminal for letters in that colour."""
    return "\x1b[38;2;{};{};{}m".format(*colour)


def paper(colour: Colour) -> str:
    """The escape sequence of a terminal for that colour behind the letters."""
    return "\x1b[48;2;{};{};{}m".format(*colour)
