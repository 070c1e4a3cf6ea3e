"""What words say over many texts."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.errors import InputError
from pellucid.model.modality.tokens import TEXT
from ..explanation import Explanation
from .about import About
from .chart import Bar, Bars, Cell, Chart
from .running import Interval, student


@dataclass(frozen=True)
class Word:
    """One word over all texts.

    Arguments:
        text: The word, in the spelling it was first met in.
        count: How often it stands there.
        texts: In how many texts.
        total, squares: The sum of its values, and of their squares.
        positive: How often it spoke for the target.
    """

    text: str
    count: int = 0
    texts: int = 0
    total: float = 0.0
    squares: float = 0.0
    positive: int = 0

    @property
    def interval(self) -> Interval:
        """The mean of its values, with a 95 % interval."""
        mean = self.total / self.count
        if self.count < 2:
            return Interval(mean, float("nan"), float("nan"))
        variance = max(0.0, self.squares - self.count * mean**2) / (self.count - 1)
        reach: float = student(self.count - 1) * (variance / self.count) ** 0.5
        return Interval(mean, mean - reach, mean + reach)

    def met(self, value: float, *, first: bool) -> Word:
        """With one more value; `first` in its text."""
        return Word(
            self.text,
            self.count + 1,
            self.texts + first,
            self.total + value,
            self.squares + value**2,
            self.positive + (value > 0),
        )


@dataclass(frozen=True, eq=False)
class Words:
    """What was collected of many texts: every word by its spelling in small letters, and how many texts there were."""

    words: dict[str, Word]
    n: int


def collect(words: Words | None, e: Explanation) -> Words:
    """What was collected, with the texts of one more explanation; special tokens are no words."""
    known: dict[str, Word] = {} if words is None else words.words  # of nobody else: copying it for every text would be slow
    for sample in range(len(e)):
        here: set[str] = set()
        for piece in e.words(sample):
            if piece.kind != TEXT or not piece.text.strip():
                continue
            key = piece.text.strip().casefold()
            value = piece.value if e.signed else abs(piece.value)
            known[key] = known.get(key, Word(piece.text.strip())).met(value, first=key not in here)
            here.add(key)
    return Words(known, len(e) + (0 if words is None else words.n))


def words_chart(words: Words, about: About, most: int, least: int) -> Chart:
    """The words that say most.

    Raises:
        InputError: no word stands in so many texts.
    """
    known = [word for word in words.words.values() if word.texts >= least]
    if not known:
        found = f"{len(words.words)} words, none in {least} of {words.n} texts"
        raise InputError("a chart of words", found, "a mean over texts needs some", "Give more texts, or least=1.")
    known.sort(key=lambda word: (-abs(word.interval.mean), word.text))
    shown = sorted(known[:most], key=lambda word: -word.interval.mean)
    bars = tuple(Bar(word.text, word.interval, note(word, signed=about.signed)) for word in shown)
    rare = f"words in fewer than {least} texts are left out" if least > 1 else "all words count"
    caption = (
        f"The mean value of a word by {about.by}, wherever it stands in {words.n:,} texts; {rare}. {about.sides} Thin lines are "
        "95 % intervals of the mean." + (f" {len(known) - most:,} more words are smaller." if len(known) > most else "")
    )
    head = "word", "mean value", "low", "high", "count", "texts", "share for", "share against"
    title = f"Words that speak for or against {about.target}" if about.signed else f"Words that matter for {about.target}"
    table = tuple(row(word, signed=about.signed) for word in known)
    data = Bars(bars, about.signed, "mean value of a word")
    return Chart("words", title, caption, head, table, data, about.warnings, about.provenance)


def note(word: Word, *, signed: bool) -> str:
    """How often a word was met, and how often it spoke for the target."""
    share = f", for it in {word.positive / word.count:.0%}" if signed else ""
    return f"{word.count} in {word.texts} texts{share}"


def row(word: Word, *, signed: bool) -> tuple[Cell, ...]:
    """A word as a row of a table."""
    share = word.positive / word.count if signed else None
    return (word.text, *word.interval, word.count, word.texts, share, None if share is None else 1 - share)
