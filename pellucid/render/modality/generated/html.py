"""A generated text as part of a page: its matrix, and the text to walk through token by token, without any script.

Every new token is the label of a hidden radio button, and the page's style shows the explanation of the one that is chosen; the
arrow keys go on to the next.
"""

from __future__ import annotations

from html import escape

from pellucid.core.numbers import figure, with_sign
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Generated
from ...parts.ledger_table import ledger_rows
from ...parts.painter import PAGE
from ...parts.palette import web
from ..tokens.runs import legible, visible
from .layout import Layout, layout
from .matrix import matrix, scale_words
from .words import sentences, text_parts, warnings

MOST_STEPS, MOST_MARKS = 80, 40_000  # and tokens in all steps together: a page has to open
MOST_WORDS = 8

STYLE = """<style>
.walk { position: relative; }
.walk > input { position: absolute; opacity: 0; width: 1px; height: 1px; }
.walk .text { font-size: 1.15rem; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .8rem; }
.walk .step { display: none; }
.walk label { cursor: pointer; }
.walk .go { border: 1px solid #c9cdd3; border-radius: 4px; padding: .1rem .7rem; margin-right: .5rem; font-size: .95rem; }
.walk .go:hover, .walk .text label:hover { background: #eef0f2; }
.walk .text b { font-weight: 600; outline: 2px solid #1c1e22; outline-offset: 1px; border-radius: 2px; }
.walk .text label { border-bottom: 2px solid #c9cdd3; }
.walk mark { border-radius: 3px; padding: .12em 0; }
.walk .off { font: .75em ui-monospace, monospace; background: #e9ebee; border: 1px solid #c9cdd3; padding: .1em .3em; }
.walk .later { color: #a9adb3; }
.walk > input:focus-visible ~ .steps { outline: 2px dotted #70757d; outline-offset: 6px; }
</style>"""


def html(e: Explanation, number: int) -> str:
    """The section of one prompt."""
    shown, (prompt, new) = layout(e), text_parts(e)
    parts = [
        f'<p class="note">{escape(prompt)}</p>', f"<h1>{escape(new.strip())}</h1>",
        f'<p class="method">{escape(e.method)}</p>',
        "<h2>Walk through the new tokens</h2>",
        '<p class="note">Choose one in the text, or go on with the buttons or the arrow keys.</p>', walk(e, shown, number),
        "<h2>All of them</h2>", matrix(shown, PAGE).page(), f'<p class="note">{escape(scale_words(shown))}</p>',
        *(f"<p>{escape(words)}</p>" for words in sentences(e)),
        *(f'<p class="warning">{escape(words)}</p>' for words in warnings(e)),
        *(f'<p class="note">{escape(words)}</p>' for words in e.notes),
    ]  # fmt: skip
    return "\n".join(["<section>", *parts, "</section>"])


def walk(e: Explanation, shown: Layout, number: int) -> str:
    """The text with a step for every new token."""
    count = min(len(e), MOST_STEPS, max(1, MOST_MARKS // len(shown.columns)))
    names = [f"t{number}-{row}" for row in range(count)]
    chosen = "".join(
        f'<input type="radio" name="walk{number}" id="{name}"{" checked" * (n == 0)}>' for n, name in enumerate(names)
    )
    style = ",\n".join(f"#{name}:checked ~ .steps > .step:nth-child({n + 1})" for n, name in enumerate(names))
    steps = "\n".join(step(e[row], shown, row, names) for row in range(count))
    left = f'<p class="note">The first {count} of {len(e)} new tokens can be walked through.</p>' if count < len(e) else ""
    body = f'<div class="walk">{chosen}\n<div class="steps">\n{steps}\n</div></div>'
    return f"<style>\n{style} {{ display: block; }}\n</style>\n{body}{left}"


def step(e: Explanation, shown: Layout, row: int, names: list[str]) -> str:
    """The text as one new token sees it, and what says most of it."""
    ways = [way(names, row - 1, "← before"), way(names, row + 1, "next →")]
    score = f"new token {row + 1} of {len(shown.rows)}, score {figure(float(e.output))}"
    head = f'<p>{"".join(ways)}<strong>{escape(shown.rows[row])}</strong> <span class="note">{escape(score)}</span></p>'
    text = f'<div class="text">{marked(e, shown, row, names)}</div>'
    return "\n".join(['<div class="step">', head, text, strongest(shown, row), books(e), "</div>"])


def way(names: list[str], row: int, words: str) -> str:
    """A button to another step; nothing where there is none."""
    return f'<label class="go" for="{names[row]}">{words}</label>' if 0 <= row < len(names) else ""


def marked(e: Explanation, shown: Layout, row: int, names: list[str]) -> str:
    """The text: tokens before the new one in their colours, the token itself in a frame, later ones in grey."""
    subject = e.subject
    assert isinstance(subject, Generated)
    text, done, parts = subject.texts[0], 0, list[str]()
    for column, place in enumerate(subject.real(0)):
        start, end = subject.spans[0][place]
        hidden = start >= end
        if not hidden and end <= done:
            continue  # bytes of one letter
        parts.append("" if hidden else escape(visible(text[done:start])))
        words = escape(visible(subject.pieces[0][place] if hidden else text[max(start, done) : end]))
        parts.append(linked(token(shown, row, column, words, special=hidden), column, shown, names))
        done = done if hidden else end
    return "".join(parts)


def token(shown: Layout, row: int, column: int, words: str, *, special: bool) -> str:
    """One token as a row sees it."""
    place = shown.places[row]
    if column == place:
        return f"<b>{words}</b>"
    if column > place:
        return f'<span class="later">{words}</span>'
    value = with_sign(shown.heat[row, column], signed=shown.signed)
    about = f'title="{escape(shown.columns[column])}: {value}"'
    if column in shown.sinks or (special and not shown.heat[row, column]):
        return f'<span class="off" {about}>{words} {value}</span>'
    colour = shown.drawn.on_paper(shown.strength(row, column))
    return f'<mark style="background:{web(colour)}; color:{web(legible(colour))}" {about}>{words}</mark>'


def linked(words: str, column: int, shown: Layout, names: list[str]) -> str:
    """A new token leads to its step."""
    row = shown.places.index(column) if column in shown.places else len(names)
    return f'<label for="{names[row]}">{words}</label>' if row < len(names) else words


def strongest(shown: Layout, row: int) -> str:
    """The tokens that say most of a new one."""
    lines = [
        f"<tr><td><bdi>{escape(shown.columns[c])}</bdi></td><td>{with_sign(shown.heat[row, c], signed=shown.signed)}</td></tr>"
        for c in shown.strongest(row, MOST_WORDS)
    ]
    return '<table class="books">\n' + "\n".join(lines) + "\n</table>"


def books(e: Explanation) -> str:
    """Where the score of one token went."""
    if e.ledger is None:
        return ""
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in ledger_rows(e.ledger))
    return f'<details><summary>Where the score went</summary><table class="books">{rows}</table></details>'
