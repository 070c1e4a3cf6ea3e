"""What is said of a generated text as a whole: its scores, what of them its tokens got, and what is doubtful about some rows."""

from __future__ import annotations

import re

from pellucid.core.numbers import figure
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.ledger import Ledger
from pellucid.model.modality import Generated
from ..tokens.runs import visible

MOST_LETTERS = 600  # of a prompt
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def text_parts(e: Explanation) -> tuple[str, str]:
    """The prompt and what was added to it, as they are written."""
    subject = e.subject
    assert isinstance(subject, Generated)
    text, places = subject.texts[0], [place for place in subject.real(0) if place >= subject.places[0]]
    start = next((start for start, end in (subject.spans[0][place] for place in places) if end > start), len(text))
    prompt = text[:start].strip("\n")
    prompt = prompt if len(prompt) <= MOST_LETTERS else f"… {prompt[-MOST_LETTERS:]}"
    return visible(prompt), visible(text[start:])


def sentences(e: Explanation) -> list[str]:
    """The scores, and what became of them."""
    n = len(e)
    low, high = (figure(float(one)) for one in (e.output.min(), e.output.max()))
    return [f"{e.method} -> {n} new tokens, with scores from {low} to {high}.", *([books(e.ledger)] if e.ledger else [])]


def books(ledger: Ledger) -> str:
    """The ledgers of all rows as one sentence."""
    seed, arrived = float(ledger.seed.mean()), float(ledger.input.mean())
    causes = {cause: float(amount.mean()) for cause, amount in ledger.by_cause().items()}
    largest = sorted(causes.items(), key=lambda item: -abs(item[1]))[:3]
    lost = ", ".join(f"{cause} {figure(amount)}" for cause, amount in largest if abs(amount) > 1e-3 * abs(seed))
    return (
        f"On average the tokens before a new one account for {figure(arrived)} of its score {figure(seed)}"
        f"{f'; absorbed on the way: {lost}' if lost else ''}."
    )


def warnings(e: Explanation) -> list[str]:
    """What makes rows less than they seem; of sentences that differ in their numbers alone the first, and how many there are."""
    kinds: dict[str, list[str]] = {}
    for one in e:
        for words in one.warnings():
            kinds.setdefault(NUMBER.sub("#", words), []).append(words)
    return [_of_all(found, len(e)) for found in kinds.values()]


def _of_all(found: list[str], rows: int) -> str:
    """A sentence about a row, and about how many others one like it is true."""
    if len(set(found)) == 1 and len(found) == rows:
        return found[0]
    return (
        f"{found[0]} It is like that with {len(found)} of the {rows} new tokens." if len(found) > 1 else f"{found[0]} (one token)"
    )
