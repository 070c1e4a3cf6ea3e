"""Spelled targets: what is to be said of tokens that were named by their text, where another token has the same letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.explanation.attribution import Attribution
from pellucid.model import Text
from pellucid.model.readers import spelling
from pellucid.target import Target
from pellucid.target.classes import Logit
from pellucid.target.token import Token


def with_spellings(attribution: Attribution, asked: Target, reader: Text | None) -> Attribution:
    """The attribution with a note for every token that was named without the blank before it, or with one too many.

    Arguments:
        asked: The target as it was written, whose terms are those of the attribution's.
    """
    pairs = zip(asked.terms, attribution.target.terms, strict=False)
    named = [(word, term) for (_, before), (_, term) in pairs if isinstance(term, Token) and (word := _word(before))]
    if reader is None or not named:
        return attribution
    notes = (note for word, term in named for note in _notes(reader, word, term, attribution.output))
    return replace(attribution, notes=(*notes, *attribution.notes))


def _word(term: object) -> str | None:
    """The text by which a term names its token."""
    given = term.id if isinstance(term, Token) else term.index if isinstance(term, Logit) else None
    return given if isinstance(given, str) else None


def _notes(reader: Text, word: str, term: Token, output: Tensor) -> Iterator[str]:
    taken = term.id if isinstance(term.id, int) else None
    if taken is None:
        return
    text = reader.as_text(taken)
    if text == spelling.other_spelling(word):
        yield f'No token is "{word}"; "{text}" is meant.'
        return
    other = spelling.with_other_blank(reader.backend, word, taken)
    if other is None:
        return
    scores = [float(replace(term, id=id).read(output)) for id in (taken, other)]
    if scores[1] > scores[0]:
        known, less, more = reader.as_text(other), *map(figure, scores)
        yield f'With the blank in front, or without it, another token is meant: "{known}" scores {more} here, "{text}" {less}.'
