"""All names of ImageNet's classes: a class is a synset of WordNet, and a lighthouse is a beacon by another word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

LEAST = 0.95  # share of the classes under a name of their own synset; lists differ in a few, "crane bird" for one


@cache
def imagenet() -> tuple[tuple[str, ...], ...]:
    """The lemmas of the 1000 synsets of ImageNet (ILSVRC 2012) in the order of their indices, as WordNet 3.0 has them.

    Example:
        >>> imagenet()[437]
        ('beacon', 'lighthouse', 'beacon light', 'pharos')
    """
    lines = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split(", ")) for line in lines)


def synonyms(labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The other names of these classes, a tuple for each; none of them where the labels are not ImageNet's, in its order.

    Example:
        >>> synonyms(["beacon", "taxicab"])
        ()
    """
    known = imagenet()
    if len(labels) != len(known):
        return ()
    own = sum(bool(_names(label) & {name.casefold() for name in names}) for label, names in zip(labels, known, strict=True))
    return known if own >= LEAST * len(known) else ()


def classes_by_name(names: Sequence[Iterable[str]]) -> dict[str, tuple[int, ...]]:
    """Which classes go by each name, from the names of each class.

    Example:
        >>> classes_by_name([["crane"], ["crane", "lifter"]])
        {'crane': (0, 1), 'lifter': (1,)}
    """
    found: dict[str, dict[int, None]] = {}
    for index, one in enumerate(names):
        for name in one:
            found.setdefault(name, {})[index] = None
    return {name: tuple(indices) for name, indices in found.items()}


def _names(label: str) -> set[str]:
    return {part.strip() for part in label.casefold().split(",")}
