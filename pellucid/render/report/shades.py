"""The colours of evidence as classes of a style sheet: pages carry no style attributes, which a strict policy refuses."""

from __future__ import annotations

from ..modality.tokens.runs import legible
from ..parts.palette import PAPER, RED_BLUE, Colour, web

STEPS = 10  # shades of a colour, from faint to full
NIGHT: Colour = (24, 26, 30)  # the paper of dark pages
KINDS = (("f", 1, True), ("a", -1, True), ("u", 1, False))  # for, against, and evidence without a sign


def shade(strength: float, *, signed: bool) -> str:
    """The class of a strength in [-1, 1]; "" where it is too weak to be seen.

    Example:
        >>> shade(1.0, signed=True), shade(-0.5, signed=True), shade(0.5, signed=False), shade(0.01, signed=True)
        ('f10', 'a5', 'u5', '')
    """
    step = min(STEPS, round(STEPS * abs(strength)))
    kind = "u" if not signed else "a" if strength < 0 else "f"
    return f"{kind}{step}" if step else ""


def rules() -> str:
    """The style sheet of all classes: grounds with legible letters, on light and on dark pages."""
    light, dark = ("".join(rule(kind, sign, signed, paper) for kind, sign, signed in KINDS) for paper in (PAPER, NIGHT))
    return f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def rule(kind: str, sign: int, signed: bool, paper: Colour) -> str:
    """The classes of one kind of evidence."""
    grounds = [(step, RED_BLUE.over(sign * step / STEPS, paper, signed=signed)) for step in range(1, STEPS + 1)]
    return "".join(f"#still .{kind}{step}{{background:{web(ground)};color:{web(legible(ground))}}}" for step, ground in grounds)
