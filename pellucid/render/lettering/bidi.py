"""The order in which the letters of one line are seen: the Unicode bidirectional algorithm (UAX #9), without controls.

Texts are printable when they come here, so that there are no embeddings, overrides or isolates in them. What stands between
straight double quotes in a text that reads rightward is isolated instead: in `logit "شمس" = 3.2` the number stays at the right.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

LEFTWARD = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
QUOTED = re.compile('(?<=")[^"]+(?=")')
BRACKETS = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "〈": "〉", "「": "」", "『": "』", "【": "】"}
OBJECT = "\ufffc"  # stands for an isolated stretch, as a neutral letter
STRONG = {"L": "L", "R": "R", "AL": "R", "EN": "R", "AN": "R"}  # numbers speak as letters that read leftward do (N1)


def leftward(text: str) -> bool | None:
    """Whether a text as a whole reads from right to left, by its first letter that has a direction; None where no letter has."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return None


def levels(text: str, base: bool | None = None) -> list[int]:
    """The embedding level of every letter: even ones read rightward, odd ones leftward.

    Arguments:
        base: Whether the whole line reads from right to left; None: as its first letter with a direction does.

    Example:
        >>> levels("a אב 12"), levels("אב 12")
        ([0, 0, 1, 1, 1, 2, 2], [1, 1, 1, 2, 2])
    """
    base = bool(leftward(text)) if base is None else base
    if not base and not LEFTWARD.search(text):
        return [0] * len(text)
    found = [] if base else [one.span() for one in QUOTED.finditer(text) if LEFTWARD.search(one[0])]
    if not found:
        return resolved(text, int(base))
    outer, done = "", 0
    for start, end in found:
        outer, done = f"{outer}{text[done:start]}{OBJECT}", end
    outside = iter(resolved(outer + text[done:], 0))
    made: list[int] = []
    for start, end in found:
        made += [next(outside) for _ in range(start - len(made))]
        next(outside)
        within = text[start:end]
        inner = bool(leftward(within))
        made += [level if inner else level + 2 for level in resolved(within, int(inner))]
    return [*made, *outside]


def visual(found: list[int]) -> list[int]:
    """The places of letters, or of stretches of one level each, from left to right (rule L2).

    Example:
        >>> visual([0, 1, 1, 2, 0])
        [0, 3, 2, 1, 4]
    """
    order = list(range(len(found)))
    for level in range(max(found, default=0), 0, -1):
        high = [found[place] >= level for place in order]
        parts = ([order[at] for at in part] for _, part in groupby(range(len(order)), high.__getitem__))
        order = [place for part in parts for place in (part[::-1] if found[part[0]] >= level else part)]
    return order


def resolved(text: str, base: int) -> list[int]:
    """Levels of a line without isolated stretches (rules W1 to L1)."""
    kinds = [unicodedata.bidirectional(letter) or "L" for letter in text]
    start = "R" if base else "L"
    weak = neutral(text, numbers(kinds, start), start)
    deeper = {"R": 0, "L": 1, "EN": 1, "AN": 1} if base else {"R": 1, "L": 0, "EN": 2, "AN": 2}
    made = [base + deeper[kind] for kind in weak]
    for place in range(len(made) - 1, -1, -1):  # blanks at the end go with the line (L1)
        if kinds[place] not in ("WS", "BN", "S", "B"):
            break
        made[place] = base
    return made


def numbers(kinds: list[str], start: str) -> list[str]:
    """What digits, their signs and accents are (rules W1 to W7)."""
    made = list(kinds)
    for place, kind in enumerate(made):  # W1; joiners go with the letter before them as accents do
        if kind in ("NSM", "BN"):
            made[place] = made[place - 1] if place else start
    strong = start
    for place, kind in enumerate(made):  # W2
        strong = kind if kind in ("L", "R", "AL") else strong
        if kind == "EN" and strong == "AL":
            made[place] = "AN"
    made = ["R" if kind == "AL" else kind for kind in made]  # W3
    for place in range(1, len(made) - 1):  # W4
        before, kind, after = made[place - 1 : place + 2]
        if before == after and ((before == "EN" and kind in ("ES", "CS")) or (before == "AN" and kind == "CS")):
            made[place] = before
    place = 0
    for kind, part in groupby(list(made)):  # W5, W6
        end = place + len(list(part))
        if kind == "ET" and "EN" in (*made[place - 1 : place], *made[end : end + 1]):
            made[place:end] = ["EN"] * (end - place)
        place = end
    made = ["ON" if kind in ("ES", "ET", "CS") else kind for kind in made]
    strong = start
    for place, kind in enumerate(made):  # W7
        strong = kind if kind in ("L", "R") else strong
        if kind == "EN" and strong == "L":
            made[place] = "L"
    return made


def neutral(text: str, kinds: list[str], start: str) -> list[str]:
    """What blanks and punctuation are: brackets as what they enclose (N0), others as both their neighbours, else as the line."""
    made = list(kinds)
    for first, last in pairs(text, kinds):
        inside = {STRONG[kind] for kind in made[first + 1 : last] if kind in STRONG}
        if start in inside:
            made[first] = made[last] = start
        elif inside:
            before = next((STRONG[kind] for kind in reversed(made[:first]) if kind in STRONG), start)
            made[first] = made[last] = before if before != start else start
    place = 0
    for strong, part in groupby(list(made), lambda kind: kind in STRONG):  # N1, N2
        end = place + len(list(part))
        if not strong:
            before = STRONG[made[place - 1]] if place else start
            after = STRONG[made[end]] if end < len(made) else start
            made[place:end] = [before if before == after else start] * (end - place)
        place = end
    return made


def pairs(text: str, kinds: list[str]) -> list[tuple[int, int]]:
    """Where brackets open and close, by their beginning."""
    found, stack = [], list[tuple[str, int]]()
    for place, letter in enumerate(text):
        if kinds[place] != "ON":
            continue
        if letter in BRACKETS:
            stack.append((BRACKETS[letter], place))
        while letter in BRACKETS.values() and any(closing == letter for closing, _ in stack):
            closing, first = stack.pop()
            if closing == letter:
                found.append((first, place))
                break
    return sorted(found)
