"""Texts of a document as marked runs: every token on the shade of its value, what lies between tokens plain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.numbers import with_sign
from ..lettering.bidi import leftward
from ..modality.tokens.runs import spelled_breaks, visible
from ..parts.map import Map
from .decode import Data
from .shades import shade

MOST_WORDS = 12
PLAIN, TEXT, SPECIAL, SINK, UNREAD = "plain", "text", "special", "sink", "unread"


@dataclass(frozen=True)
class Run:
    """Part of a text that is painted as one.

    Arguments:
        value: The sum over its tokens; None between tokens.
        kind: "text" of a token, "special" of one that is not in the text, "template" of one that a chat puts around it, "sink"
            of one that is kept off the scale, "plain" between tokens, "unread" after the last.
        shade: A class of `shades`.
        title: What it says when it is pointed at.
        places: Its tokens.
    """

    text: str
    value: float | None = None
    kind: str = PLAIN
    shade: str = ""
    title: str = ""
    places: tuple[int, ...] = ()


def runs(subject: Data, row: Sequence[float], drawn: Map) -> list[Run]:
    """The text from its beginning to its end; tokens that share characters, as the bytes of an emoji do, are one run."""
    text, made, done, first = subject["text"], list[Run](), 0, 0
    for place, (token, value) in enumerate(zip(subject["tokens"], row, strict=False)):
        start, end, kind = token["start"], token["end"], token["kind"]
        kind = SINK if place in drawn.sinks else kind
        name = visible(token["text"])
        if kind in (SPECIAL, SINK) or start >= end:
            made += between(text, done, start)
            made.append(Run(name, value, SINK if kind == SINK else SPECIAL, title=name, places=(place,)))
            done = max(done, end)
        elif start < done and made and made[-1].kind not in (SPECIAL, SINK):
            last = made[-1]
            total, both = (last.value or 0.0) + value, (*last.places, place)
            whole = visible(text[first : max(end, done)])
            made[-1] = replace(last, text=whole, value=total, title=f"{last.title} {name}", places=both)
            done = max(end, done)
        else:
            made += between(text, done, start)
            made.append(Run(visible(spelled_breaks(text[start:end])), value, kind, title=name, places=(place,)))
            done, first = end, start
    made += [Run(visible(text[done:]), kind=UNREAD)] if text[done:].strip() else []
    return [coloured(run, drawn) for run in made]


def between(text: str, done: int, start: int) -> list[Run]:
    """What stands between two tokens."""
    return [Run(visible(text[done:start]))] if start > done else []


def coloured(run: Run, drawn: Map) -> Run:
    """A run with the shade of its value, and its value in words."""
    if run.value is None or not np.isfinite(run.value):
        return run
    strength = 0.0 if run.kind == SINK or drawn.empty else float(np.clip(run.value / drawn.scale.limit, -1, 1))
    words = f"{run.title}: {with_sign(run.value, signed=drawn.signed)}"
    return replace(run, shade=shade(strength, signed=drawn.signed), title=words)


def way(found: Sequence[Run]) -> str:
    """Which way a text reads as a whole; special tokens have no say."""
    return "rtl" if leftward("".join(run.text for run in found if run.kind in (PLAIN, TEXT, UNREAD))) else "ltr"


def kept_apart(found: Sequence[Run], drawn: Map) -> list[tuple[str, str]]:
    """The sinks with their values."""
    sinks = (run for run in found if run.kind == SINK and run.value is not None)
    return [(run.text.strip() or repr(run.text), with_sign(run.value or 0.0, signed=drawn.signed)) for run in sinks]


def strongest(layer: Data, drawn: Map) -> list[tuple[str, str, str]]:
    """The words that say most: text, how often it stands there, the sum of its values."""
    by_text: dict[str, list[float]] = {}
    for word in layer["words"]:
        if word["value"] is not None and not set(drawn.sinks).intersection(word["tokens"]):
            by_text.setdefault(word["text"], []).append(word["value"])
    best = sorted(by_text.items(), key=lambda item: -abs(sum(item[1])))[:MOST_WORDS]
    often = {text: f"{len(values)} times" if len(values) > 1 else "" for text, values in best}
    return [(visible(text[:80]), often[text], with_sign(sum(values), signed=drawn.signed)) for text, values in best]
