"""Texts in SVG and HTML whose names may read from right to left: a browser orders each name by itself."""

from __future__ import annotations

from html import escape

from .bidi import LEFTWARD, QUOTED, leftward


def in_svg(text: str) -> str:
    """The text as content of a text element.

    Example:
        >>> print(in_svg('logit "שמש" = 3'))
        logit &quot;<tspan unicode-bidi="plaintext">שמש</tspan>&quot; = 3
    """
    return _marked(text, '<tspan unicode-bidi="plaintext">', "</tspan>")


def in_html(text: str) -> str:
    """The text as content of an element."""
    return _marked(text, "<bdi>", "</bdi>")


def _marked(text: str, before: str, behind: str) -> str:
    parts = ((escape(part), alone) for part, alone in stretches(text))
    return "".join(f"{before}{part}{behind}" if alone else part for part, alone in parts)


def stretches(text: str) -> list[tuple[str, bool]]:
    """The text in parts, each with whether its order is its own: names in quotes, or all of it where it reads from the right."""
    if not LEFTWARD.search(text):
        return [(text, False)]
    if leftward(text):
        return [(text, True)]
    parts, done = list[tuple[str, bool]](), 0
    for found in QUOTED.finditer(text):
        if LEFTWARD.search(found[0]):
            parts += [(text[done : found.start()], False), (found[0], True)]
            done = found.end()
    return [*parts, (text[done:], False)]
