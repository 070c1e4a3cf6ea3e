"""Marked text as part of a page: every token can be pointed at, and nothing in it is read as markup."""

from __future__ import annotations

from html import escape

from pellucid.core.numbers import with_sign
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality.tokens import PADDING, Tokens
from ...parts.map import Map
from ...parts.palette import web
from .runs import UNREAD, Run, ground, leftward, legible, runs, sink_runs, tooltip, visible

MOST_WORDS = 12
TEXT = "font-size:1.15rem; line-height:1.9; white-space:pre-wrap; overflow-wrap:anywhere; margin:0 0 1.2rem"
MARK = "border-radius:3px; padding:.12em 0; -webkit-box-decoration-break:clone; box-decoration-break:clone"
SPECIALS = "font:0.75em ui-monospace,monospace; border:1px solid #c9cdd3; padding:.1em .3em; margin:0 .15em"
KEY = "display:inline-block; padding:.1em .6em; border-radius:3px; margin-right:.6em; font-size:.9rem"


def html(e: Explanation, drawn: Map) -> str:
    """The text, what its colours mean, and the words that say most."""
    shown = runs(e, drawn)
    body, way = "".join(marked(run, drawn) for run in shown), "rtl" if leftward(shown) else "ltr"
    parts = [f'<div dir="{way}" style="{TEXT}">{body}</div>', *aside(e, drawn), *left_out(e)]
    if drawn.empty:
        return "\n".join(parts)
    return "\n".join([*parts, legend(drawn), strongest(e, drawn)])


def marked(run: Run, drawn: Map) -> str:
    """One run: a <mark> where it is a token, plain words between, grey ones where the model did not read on."""
    words = escape(run.text)
    if run.kind == UNREAD:
        return f'<span style="color:#a9adb3">{words}</span>'
    if run.value is None:
        return words
    special = f"; {SPECIALS}" if run.outlined else ""
    style = f"background:{web(ground(run, drawn))}; color:{web(legible(ground(run, drawn)))}; {MARK}{special}"
    return f'<mark style="{style}" title="{escape(tooltip(run, drawn))}">{words}</mark>'


def aside(e: Explanation, drawn: Map) -> list[str]:
    """The sinks in a row of their own, with their values."""
    row = sink_runs(e, drawn)
    parts = (escape(run.text) if run.value is None else f'<span style="{SPECIALS}">{escape(run.text)}</span>' for run in row)
    return [f'<p style="margin:0 0 1.2rem">{"".join(parts)}</p>'] if row else []


def left_out(e: Explanation) -> list[str]:
    """Padding, which is not shown, is counted."""
    subject = e.subject
    assert isinstance(subject, Tokens)
    count = subject.kinds[0].count(PADDING)
    return [f'<p class="note">{count} positions of padding behind the text are left out.</p>'] if count else []


def legend(drawn: Map) -> str:
    """What the colours mean, the scale, and what it clips."""
    keys = []
    for level, words in drawn.ends():
        colour = drawn.on_paper(level)
        number = with_sign(level * drawn.scale.limit, signed=drawn.signed)
        keys.append(
            f'<span style="{KEY}; background:{web(colour)}; color:{web(legible(colour))}">{escape(words)} {number}</span>'
        )
    return f'<p>{"".join(keys)}</p>\n<p class="note">{escape(drawn.scale.sentence(drawn.scaled, signed=drawn.signed))}</p>'


def strongest(e: Explanation, drawn: Map) -> str:
    """The words that say most, with their values; those that come again with the sum of all."""
    by_text: dict[str, list[float]] = {}
    sinks = {place for piece in e.sinks() for place in piece.positions}
    for piece in (piece for piece in e.words() if not sinks.intersection(piece.positions)):
        by_text.setdefault(piece.text, []).append(piece.value)
    lines = []
    for text, values in sorted(by_text.items(), key=lambda item: -abs(sum(item[1])))[:MOST_WORDS]:
        total, often = sum(values), f" <small>{len(values)} times</small>" if len(values) > 1 else ""
        value = with_sign(total, signed=e.signed)
        lines.append(f"<tr><td><bdi>{escape(visible(text[:80]))}</bdi>{often}</td><td>{value}</td></tr>")
    rows = "\n".join(lines)
    return f'<details open><summary>The words that say most</summary>\n<table class="books">\n{rows}\n</table></details>'
