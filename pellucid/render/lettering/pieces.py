"""A line of text cut into pieces, in the order in which they are seen, each in one font."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from .bidi import levels, visual
from .faces import GLYPHS, OWN, Face, face_of

JOINER, EMOJI_STYLE, TEXT_STYLE = "\u200d", "\ufe0f", "\ufe0e"
SAME = str.maketrans("’\n\t\xa0", "'   ")  # drawn as letters that Pillow's own font has


@dataclass(frozen=True)
class Piece:
    """Letters in one font and one direction.

    Arguments:
        text: In the order in which it is read.
        face: Their font; None where no font has them, and a box shows the code of each.
        leftward: Whether they read from right to left.
    """

    text: str
    face: Face | None
    leftward: bool = False


@lru_cache(maxsize=8192)
def pieces(text: str, base: bool | None = None) -> tuple[Piece, ...]:
    """The pieces of a line from left to right.

    Arguments:
        base: Whether the line reads from right to left; None: as its first letter with a direction does.
    """
    if GLYPHS.issuperset(text) and not base:
        return (Piece(text, OWN),) if text else ()
    text = unicodedata.normalize("NFC", text.translate(SAME))
    found = levels(text, base)
    language = language_of(text)
    places = [list(part) for _, part in groupby(range(len(text)), found.__getitem__)]
    seen: list[Piece] = []
    for number in visual([found[part[0]] for part in places]):
        part = places[number]
        leftward = bool(found[part[0]] % 2)
        made = in_faces(text[part[0] : part[-1] + 1], language)
        seen += [Piece(words, face, leftward) for words, face in (made[::-1] if leftward else made)]
    return tuple(seen)


def in_faces(text: str, language: str) -> list[tuple[str, Face | None]]:
    """Stretches of the text with their faces: a word in one face where there is one for all of it, else letter by letter."""
    made: list[tuple[str, Face | None]] = []
    for blank, part in groupby(text, str.isspace):
        word = "".join(part)
        face = _beside(made) if blank and not word.strip(" ") else _face(word, language)
        whole = face is not None and not any(map(is_emoji, word))
        units = [(word, face)] if whole else [(unit, _face(unit, language)) for unit in clusters(word)]
        for words, chosen in units:
            if made and made[-1][1] == chosen:
                made[-1] = made[-1][0] + words, chosen
            else:
                made.append((words, chosen))
    return made


def _beside(made: list[tuple[str, Face | None]]) -> Face:
    """The face of blanks: that of what stands before them, where it is one for texts."""
    before = made[-1][1] if made else None
    return OWN if before is None or before.colour else before


def _face(text: str, language: str) -> Face | None:
    """The face of a word or a letter with its marks; what is not seen has no say."""
    seen = "".join(letter for letter in text if not unseen(letter))
    return face_of(seen, language, emoji=any(map(is_emoji, seen)) or EMOJI_STYLE in text)


def unseen(letter: str) -> bool:
    """Whether it changes others, and is nothing to be seen itself."""
    return unicodedata.category(letter) == "Cf" or letter in (EMOJI_STYLE, TEXT_STYLE)


def is_emoji(letter: str) -> bool:
    """Whether a letter is one that is shown as a small picture."""
    return "\U0001f1e6" <= letter <= "\U0001f1ff" or "\U0001f300" <= letter <= "\U0001faff"


def language_of(text: str) -> str:
    """Which of the languages that share Chinese letters a text is in, by the other letters in it: "ja", "ko", else "zh"."""
    if any("\u3040" <= letter <= "\u30ff" for letter in text):
        return "ja"
    return "ko" if any("\uac00" <= letter <= "\ud7a3" for letter in text) else "zh"


def clusters(text: str) -> Iterator[str]:
    """What a reader calls a letter: with its marks, and emoji of several parts as one.

    Example:
        >>> [len(one) for one in clusters("ne\\u0301e\\U0001f468\\u200d\\U0001f680")]
        [1, 2, 1, 3]
    """
    start = 0
    for place in range(1, len(text)):
        if not stays(text, place):
            yield text[start:place]
            start = place
    if text:
        yield text[start:]


def stays(text: str, place: int) -> bool:
    """Whether the letter at a place belongs to the one before it."""
    letter, before = text[place], text[place - 1]
    if letter == JOINER or before == JOINER or letter in (EMOJI_STYLE, TEXT_STYLE) or "\U0001f3fb" <= letter <= "\U0001f3ff":
        return True
    if "\U0001f1e6" <= letter <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff":  # two of these are a flag
        run = len(text[:place]) - len(text[:place].rstrip("".join(map(chr, range(0x1F1E6, 0x1F200)))))
        return run % 2 == 1
    return unicodedata.category(letter)[0] == "M" or unicodedata.category(letter) == "Cf"


def lacking(text: str) -> str:
    """The letters of a text that no font has, each once."""
    return "".join(dict.fromkeys(letter for one in pieces(text) if one.face is None for letter in one.text if not unseen(letter)))
