"""A text cut into runs, each with one value and one colour: what the painters of text share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
import torch

from pellucid.core.numbers import with_sign
from pellucid.errors.printable import printable
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Tokens
from pellucid.model.modality.tokens import SPECIAL, TEMPLATE, TEXT
from ...lettering.bidi import OBJECT, leftward as way, levels, visual
from ...lettering.joining import JOINER, joins
from ...lettering.pieces import clusters, stays
from ...parts.cells import cells
from ...parts.map import Map
from ...parts.palette import INK, PAPER, Colour

PLAIN, UNREAD, SINK = "plain", "unread", "sink"
APART = (SPECIAL, SINK)  # kinds whose words are no part of the text


@dataclass(frozen=True)
class Run:
    """Part of a text that is painted as one.

    Arguments:
        text: As it stands in the text, with nothing in it that could harm a terminal or a page.
        value: The sum over its tokens; None between tokens.
        strength: The value over the scale, in [-1, 1].
        kind: "text" of a token, "special" of a token that is not in the text, "template" of one that a chat puts around it,
            "sink" of one that is shown apart, "plain" between tokens, "unread" after the last.
        words: What is said of it: the names of its tokens.
        leftward: Whether it is drawn from right to left; known of a line that is in the order of the eye.
    """

    text: str
    value: float | None = None
    strength: float = 0.0
    kind: str = PLAIN
    words: str = ""
    leftward: bool = False

    @property
    def outlined(self) -> bool:
        """Whether it is a token, and no word of the text or one that is not coloured."""
        return self.value is not None and self.kind != TEXT

    @property
    def blank(self) -> bool:
        return self.value is None and not self.text.strip()


def runs(e: Explanation, drawn: Map, by: str = "token") -> list[Run]:
    """The text from its beginning to its end, special tokens where the model reads them; padding is left out.

    Tokens that share a letter, as the bytes of an emoji or a letter and its accent do, are one run.

    Arguments:
        by: What is one run: a "token", "word" or "sentence".
    """
    subject = e.subject
    assert isinstance(subject, Tokens)
    text, row = subject.texts[0], drawn.heat[0]
    apart = set(drawn.sinks).intersection
    made: list[Run] = []
    done, first = 0, 0  # how far the text is done, and where the last run that is a token starts
    for group in subject.sum_groups(subject.groups(by, 0), torch.from_numpy(row), 0):
        start, end, kind, value = group.start, group.end, group.kind, group.value
        piece = " ".join(subject.pieces[0][position] for position in group.positions)
        if kind == SPECIAL or start >= end:
            made += [Run(visible(text[done:start]))] if start > done else []
            made.append(Run(visible(piece), value, kind=SINK if apart(group.positions) else SPECIAL, words=visible(piece)))
            done = max(done, end) if end > start else done
        elif made and made[-1].kind not in APART and (start < done or (start == done and start > 0 and stays(text, start))):
            last = made[-1]
            whole, total = visible(text[first : max(end, done)]), (last.value or 0.0) + value
            made[-1] = replace(last, text=whole, value=total, words=f"{last.words} {visible(piece)}")
            done = max(end, done)
        else:
            made += [Run(visible(text[done:start]))] if start > done else []
            made.append(
                Run(
                    visible(spelled_breaks(text[start:end])),
                    value,
                    kind=SINK if apart(group.positions) else kind,
                    words=visible(piece),
                )
            )
            done, first = end, start
    made += [Run(visible(text[done:]), kind=UNREAD)] if text[done:].strip() else []
    if drawn.empty:  # there is no evidence to show
        return made
    limit = drawn.scale.limit
    strengths = (0.0 if run.value is None or run.kind == SINK else float(np.clip(run.value / limit, -1, 1)) for run in made)
    return [replace(run, strength=strength) for run, strength in zip(made, strengths, strict=True)]


def sink_runs(e: Explanation, drawn: Map) -> list[Run]:
    """A row of its own for the sinks, each with its value; nothing where there are none."""
    if not drawn.sinks:
        return []
    made = [Run("Kept apart: ")]
    for piece in e.sinks():
        made.append(Run(visible(piece.text.strip() or repr(piece.text)), piece.value, kind=SINK, words=visible(piece.text)))
        made.append(Run(f" {with_sign(piece.value, signed=drawn.signed)}   "))
    return made


def spelled_breaks(text: str) -> str:
    """A token of line breaks alone with something of it to be seen: its colour.

    Example:
        >>> spelled_breaks("\\n"), spelled_breaks("end\\n")
        ('\\\\n\\n', 'end\\n')
    """
    return text if text.strip() else text.replace("\n", "\\n\n")


def ground(run: Run, drawn: Map) -> Colour:
    """The colour behind a run."""
    return drawn.on_paper(run.strength)


def legible(colour: Colour) -> Colour:
    """Dark letters, or white ones where the ground is too dark for them (the luminance of WCAG 2)."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return PAPER if luminance < 0.2 else INK


def tooltip(run: Run, drawn: Map) -> str:
    """The value in words: `##ing: +0.31`."""
    return f"{run.words}: {with_sign(run.value or 0.0, signed=drawn.signed)}"


def visible(text: str) -> str:
    """The text without what could command a terminal, turn the reading order round, or not be written at all.

    Example:
        >>> visible("a\\x1b[2Jb\\u202ec")
        'a�[2Jb�c'
    """
    return printable(text, lines=True)


def rows(marked: list[Run], room: float, size: Callable[[str], float] = cells) -> list[list[Run]]:
    """The runs in lines no longer than `room`, broken at blanks; a word that is longer than a line is cut.

    Arguments:
        size: How long a text is, in the unit of `room`: columns of a terminal, or pixels.
    """
    lines: list[list[Run]] = [[]]
    used = 0.0
    for word in glued(marked):
        wide = sum(size(run.text) for run in word)
        if word[0].text == "\n":
            lines.append([])
            used = 0.0
            continue
        if used and used + wide > room:
            lines.append([])
            used = 0.0
            if all(run.blank for run in word):
                continue
        for run in word:
            for part in cut(run.text, room - used, room, size):
                if used and used + size(part) > room:
                    lines.append([])
                    used = 0.0
                lines[-1].append(replace(run, text=part))
                used += size(part)
    return [line for line in lines if line] or [[]]


def glued(marked: list[Run]) -> list[list[Run]]:
    """Runs and parts of runs that may not be torn apart, line breaks and blanks by themselves."""
    words: list[list[Run]] = []
    open_ = False
    for run in marked:
        for part in split(run.text):
            piece = replace(run, text=part)
            alone = run.kind in (SPECIAL, SINK) or not part.strip()
            if alone or not open_:
                words.append([piece])
            else:
                words[-1].append(piece)
            open_ = not alone
    return words


def split(text: str) -> list[str]:
    """Words, blanks and line breaks, in order."""
    parts: list[str] = []
    for letter in text.replace("\t", "    "):
        if letter != "\n" and parts and parts[-1] != "\n" and parts[-1].isspace() == letter.isspace():
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts


def cut(text: str, first: float, room: float, size: Callable[[str], float] = cells) -> list[str]:
    """Parts that fit, the first one into `first` if the whole is longer than a line; accents stay with their letters."""
    if size(text) <= room:
        return [text]
    parts, left = [""], first
    for letter in clusters(text):
        wide = size(letter)
        if wide > left:
            parts.append("")
            left = room
        parts[-1] += letter
        left -= wide
    return [part for part in parts if part]


def ordered(line: list[Run], *, leftward: bool) -> list[Run]:
    """A line as the eye meets it from left to right; a run that reads both ways is more than one then.

    Letters of Arabic script that join across the border of two runs keep doing so.
    """
    found = levels("".join(OBJECT * len(run.text) if run.kind in APART else run.text for run in line), leftward)
    parts, ways, place = list[Run](), list[int](), 0
    for run in line:
        for level, part in groupby(range(place, place + len(run.text)), found.__getitem__):
            own = [number - place for number in part]
            words = run.text[own[0] : own[-1] + 1]
            parts.append(replace(run, text=words, leftward=bool(level % 2) and run.kind not in APART))
            ways.append(level)
        place += len(run.text)
    parts = joined_parts(parts)
    return [parts[number] for number in visual(ways)]


def joined_parts(parts: list[Run]) -> list[Run]:
    """Parts in the order in which they are read, with joiners where letters of two of them join."""
    made = list(parts)
    for number, (one, other) in enumerate(pairwise(parts)):
        if one.leftward and other.leftward and joins(one.text, other.text):
            made[number] = replace(made[number], text=made[number].text + JOINER)
            made[number + 1] = replace(other, text=JOINER + other.text)
    return made


def leftward(marked: list[Run]) -> bool:
    """Whether a text as a whole reads from right to left; special tokens have no say."""
    return bool(way("".join(run.text for run in marked if run.kind not in (*APART, TEMPLATE))))
