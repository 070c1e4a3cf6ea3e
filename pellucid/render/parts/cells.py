"""Words in the columns of a terminal, where wide letters take two and marks none."""

from __future__ import annotations

import re

from rich.cells import cell_len

from ..lettering.pieces import clusters

LONE = re.compile("\u200d(?![\u2600-\u27bf\U0001f000-\U0001faff])")  # joiners that make no emoji: they take no room


def cells(text: str) -> int:
    """How many columns of a terminal it takes.

    Example:
        >>> cells("cat"), cells("猫"), cells("e\\u0301"), cells("👩\\u200d🚀")
        (3, 2, 1, 2)
    """
    return cell_len(LONE.sub("", text))


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """The text with blanks up to so many columns, behind it or, for what stands at the right, before it.

    Example:
        >>> padded("猫", 4) + "|", padded("猫", 4, right=True) + "|"
        ('猫  |', '  猫|')
    """
    blanks = " " * (columns - cells(text))
    return blanks + text if right else text + blanks


def cut(text: str, columns: int) -> str:
    """The text, with an ellipsis where it does not fit.

    Example:
        >>> cut("naïve", 5), cut("東京都", 5)
        ('naïve', '東京…')
    """
    if cells(text) <= columns:
        return text
    made = ""
    for letter in clusters(text):
        if cells(made + letter) > columns - 1:
            break
        made += letter
    return made + "…" * min(1, columns)


def filled(text: str, columns: int) -> list[str]:
    """The text in lines of so many columns at most, broken at blanks; a longer word is broken where a line ends.

    Example:
        >>> filled("a small 東京都 and more", 8)
        ['a small', '東京都', 'and more']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and cells(lines[-1]) + 1 + cells(word) <= columns:
            lines[-1] += f" {word}"
            continue
        lines.append("")
        for letter in clusters(word) if cells(word) > columns else (word,):
            if lines[-1] and cells(lines[-1]) + cells(letter) > columns:
                lines.append("")
            lines[-1] += letter
    return lines
