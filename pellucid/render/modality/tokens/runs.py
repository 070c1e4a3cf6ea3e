"""A text cut into runs, each with one value and one colour: what the painters of text share."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from pellucid.core.numbers import with_sign
from pellucid.errors.printable import printable
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Tokens
from pellucid.model.modality.tokens import SPECIAL, TEMPLATE, TEXT
from ...parts.map import Map
from ...parts.palette import INK, PAPER, Colour

PLAIN, UNREAD, SINK = "plain", "unread", "sink"
MIRROR = str.maketrans("()[]{}<>«»", ")(][}{><»«")


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
    """

    text: str
    value: float | None = None
    strength: float = 0.0
    kind: str = PLAIN
    words: str = ""

    @property
    def outlined(self) -> bool:
        """Whether it is a token, and no word of the text or one that is not coloured."""
        return self.value is not None and self.kind != TEXT

    @property
    def blank(self) -> bool:
        return self.value is None and not self.text.strip()


def runs(e: Explanation, drawn: Map, by: str = "token") -> list[Run]:
    """The text from its beginning to its end, special tokens where the model reads them; padding is left out.

    Tokens that share characters, as the bytes of an emoji do, are one run.

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
        elif start < done and made and made[-1].kind not in (SPECIAL, SINK):
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


def cells(text: str) -> int:
    """How many columns of a terminal it takes: wide characters two, what combines with one before it none.

    Example:
        >>> cells("cat"), cells("猫"), cells("e\\u0301")
        (3, 2, 1)
    """
    return sum(cell(letter) for letter in text)


def cell(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf") or "\ufe00" <= letter <= "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


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
    for letter in text:
        wide = size(letter) if cell(letter) else 0.0
        if wide > left:
            parts.append("")
            left = room
        parts[-1] += letter
        left -= wide
    return [part for part in parts if part]


def ordered(line: list[Run], *, leftward: bool) -> list[Run]:
    """A line as the eye meets it from left to right: in a text that reads leftward from its end, words of the other script as
    they read."""
    stretches: list[tuple[bool, list[Run]]] = []
    ways = [direction(run.text) for run in line]
    for place, run in enumerate(line):
        way = ways[place]
        if way is None:  # blanks and marks go with what stands on both sides of them, else with the text as a whole
            before = next((one for one in reversed(ways[:place]) if one is not None), leftward)
            after = next((one for one in ways[place:] if one is not None), leftward)
            way = before if before == after else leftward
        if stretches and stretches[-1][0] == way:
            stretches[-1][1].append(run)
        else:
            stretches.append((way, [run]))
    seen = [[turned(run) for run in part[::-1]] if way else part for way, part in stretches]
    return [run for part in (seen[::-1] if leftward else seen) for run in part]


def leftward(marked: list[Run]) -> bool:
    """Whether a text as a whole reads from right to left; special tokens have no say."""
    return bool(direction("".join(run.text for run in marked if run.kind not in (SPECIAL, SINK, TEMPLATE))))


def turned(run: Run) -> Run:
    """Brackets open the other way among letters that read leftward; where such letters stand beside them, the font knows."""
    return (
        run if run.kind in (SPECIAL, SINK) or direction(run.text) is not None else replace(run, text=run.text.translate(MIRROR))
    )


def direction(text: str) -> bool | None:
    """Whether a text reads leftward, by its first letter that has a direction; None where no letter has."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return None
