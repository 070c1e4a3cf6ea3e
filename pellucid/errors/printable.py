"""Text that can be shown anywhere: what names, files and labels of others hold must command no terminal and fool no reader.

Names are made printable where they enter: `Model`, `Explanation`, the modalities and the errors see to it when they are made.
Whatever leaves, as a line in a terminal or as a file, is made so once more, in `cli.output` and in `core.files`.
"""

from __future__ import annotations

import re
from json import dumps
from typing import Any

SUSPECT = re.compile(
    r"\U0001f3f4[\U000e0061-\U000e007a]+\U000e007f"  # the flags of England, Scotland and Wales: kept whole
    r"|[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff]"
    r"|[\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
MARK = "\ufffd"  # its bytes are no controls either, where a terminal does not read UTF-8
BREAKS = "\t\n\v\f\r\x85\u2028\u2029"
INVISIBLE = "\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"  # gone without a loss
MARKUP = re.compile(r"[\\|<`*]|(?<=\])\(")  # what begins something in Markdown
FORMULA = ("=", "+", "-", "@")  # how what a spreadsheet computes begins
JOINERS = "\u200c\u200d"  # within words of Persian or Hindi, and within emoji


def printable(text: str, *, lines: bool = False) -> str:
    r"""The text without what could command a terminal, turn the reading order round, hide, or not be written in UTF-8.

    Letters of all languages and emoji stay. Control characters become a mark, line breaks a blank.

    Arguments:
        lines: Whether line breaks and tabs stay.

    Example:
        >>> printable("a\x1b[2Jb\u202ec\nd"), printable("naïve 東京 \N{WOMAN}\u200d\N{ROCKET}")
        ('a�[2Jb�c d', 'naïve 東京 👩\u200d🚀')
    """
    if text.isprintable():  # nearly all are, and this is fast
        return text
    return SUSPECT.sub(_with_lines if lines else _in_a_line, text)


def escaped(json: str) -> str:
    r"""Text in JSON with escapes in place of what is not printable: it says the same to a program.

    Example:
        >>> print(escaped('"naïve\u202e"'))
        "naïve\u202e"
    """
    return SUSPECT.sub(lambda found: found[0] if found[0] == _with_lines(found) else dumps(found[0])[1:-1], json)


def _in_a_line(found: re.Match[str]) -> str:
    letter = found[0]
    if letter in BREAKS:
        return " "
    if letter in JOINERS and _joins(found):
        return letter
    if letter in INVISIBLE:
        return ""
    return letter if len(letter) > 1 else MARK


def _with_lines(found: re.Match[str]) -> str:
    if found[0] == "\r" and found.string[found.end() : found.end() + 1] == "\n":
        return ""  # of a line break that is two
    return found[0] if found[0] in "\n\t" else _in_a_line(found)


def _joins(found: re.Match[str]) -> bool:
    """Whether a joiner stands beside letters and signs of scripts that use it; a piece of a text may begin or end with it."""
    first, last = found.start() - 1, found.end()
    sides = (found.string[at] for at in (first, last) if 0 <= at < len(found.string))
    return all(letter > "\x7f" and not SUSPECT.match(letter) for letter in sides)


def in_markdown(text: str) -> str:
    r"""Words as Markdown shows them as they are: no markup, no link, no HTML, no further column of a table.

    Example:
        >>> print(in_markdown("<b>a|b</b> [x](y)"))
        &lt;b>a\|b&lt;/b> [x]\(y)
    """
    return MARKUP.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", printable(text))


def in_csv(value: Any) -> Any:
    """What stands in a cell of a CSV file; words that a spreadsheet would compute get an apostrophe, so that they stay words.

    Example:
        >>> in_csv("=HYPERLINK(A1)"), in_csv("lrp"), in_csv(-0.5)
        ("'=HYPERLINK(A1)", 'lrp', -0.5)
    """
    if not isinstance(value, str):
        return value
    words = printable(value)
    return f"'{words}" if words.lstrip().startswith(FORMULA) else words


def make_printable(noun: object, *fields: str) -> None:
    """Have the words in these fields of a frozen dataclass printable, from its `__post_init__`; they may stand in tuples."""
    for field in fields:
        before = getattr(noun, field)
        after = _whole(before)
        if after is not before:
            object.__setattr__(noun, field, after)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if not isinstance(value, tuple):
        return value
    if all(isinstance(part, str) for part in value) and "".join(value).isprintable():
        return value  # the names of twenty thousand classes, at once
    return tuple(map(_whole, value))
