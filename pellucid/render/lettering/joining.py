"""Letters of Arabic script in their joined forms, where Pillow comes without the library that shapes texts (Raqm).

Unicode has a letter of its own for each of these forms, and names the letter that it is a form of.
"""

from __future__ import annotations

import unicodedata
from functools import cache

JOINER = "\u200d"
FORMS = {
    "<isolated>": 0,
    "<final>": 1,
    "<initial>": 2,
    "<medial>": 3,
}  # by whether the letter joins the one before (1), behind (2)
STRETCH = "\u0640"  # joins on both sides, and has one form


@cache
def forms() -> dict[str, dict[int, str]]:
    """The forms of every letter, and of the pairs of lam and alef."""
    found: dict[str, dict[int, str]] = {STRETCH: dict.fromkeys(range(4), STRETCH), JOINER: dict.fromkeys(range(4), JOINER)}
    for code in (*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        if kind in FORMS:
            found.setdefault("".join(chr(int(letter, 16)) for letter in letters), {})[FORMS[kind]] = chr(code)
    return found


def joined(text: str) -> str:
    """The text in joined forms, still in the order in which it is read.

    Example:
        >>> [f"{ord(letter):X}" for letter in joined("بيت")]
        ['FE91', 'FEF4', 'FE96']
    """
    units = paired(text)
    made = []
    for place, unit in enumerate(units):
        own = forms().get(unit)
        before, behind = (neighbour(units, place, step) for step in (-1, 1))
        shape = (2 in forms().get(before, {})) + 2 * (1 in forms().get(behind, {}))
        made.append(unit if own is None else own.get(shape) or own.get(shape & 1) or own.get(0) or unit)
    return "".join(made).replace(JOINER, "")


def paired(text: str) -> list[str]:
    """Letters, lam and alef as one where they meet."""
    units: list[str] = []
    for letter in text:
        if units and units[-1] == "\u0644" and units[-1] + letter in forms():
            units[-1] += letter
        else:
            units.append(letter)
    return units


def neighbour(units: list[str], place: int, step: int) -> str:
    """The next letter on one side; marks above and below do not part letters."""
    place += step
    while 0 <= place < len(units) and unicodedata.category(units[place][0]) == "Mn":
        place += step
    return units[place] if 0 <= place < len(units) else ""


def joins(text: str, following: str) -> bool:
    """Whether the last letter of one text and the first of the next are written as one stroke.

    Example:
        >>> joins("بي", "ت"), joins("دا", "ر")
        (True, False)
    """
    last, first = neighbour(list(text), len(text), -1), following[:1]
    return 2 in forms().get(last, {}) and 1 in forms().get(first, {})
