"""Which of the user's metadata goes with a cluster: hypergeometric tests, with the false-discovery rate held over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, lgamma
from typing import Any

MOST_VALUES = 50  # of a column: one with more tells items apart, and not kinds of items


def enrichment(meta: Sequence[Mapping[str, str]], members: Sequence[Sequence[bool]]) -> list[list[dict[str, Any]]]:
    """For each cluster the values of metadata that are more frequent in it than among all items, the surest first.

    Arguments:
        meta: What is known of each item.
        members: For each cluster, which items are in it.

    Returns:
        Entries with column, value, share in the cluster, share of all, p, and q, the smallest false-discovery rate at which the
        finding stands (Benjamini and Hochberg, 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x).

    Example:
        >>> scanners = [{"scanner": "A"}] * 6 + [{"scanner": "B"}] * 6
        >>> found = enrichment(scanners, [[False] * 6 + [True] * 6])[0][0]
        >>> found["value"], found["share"], round(found["p"], 5)
        ('B', 1.0, 0.00108)
    """
    found: list[list[dict[str, Any]]] = [[] for _ in members]
    for column in {name: None for row in meta for name in row}:
        values = [row.get(column, "") for row in meta]
        counts = Counter(values)
        if not 1 < len(counts) <= MOST_VALUES:
            continue
        for cluster, inside in enumerate(members):
            own = Counter(value for value, is_in in zip(values, inside, strict=True) if is_in)
            size = sum(own.values())
            for value, count in own.items():
                p = tail(len(values), counts[value], size, count)
                shares = {"share": count / size, "of_all": counts[value] / len(values)}
                found[cluster].append({"column": column, "value": value, **shares, "p": p})
    with_rates([entry for entries in found for entry in entries])
    return [sorted(entries, key=lambda entry: (entry["q"], -entry["share"])) for entries in found]


def tail(total: int, marked: int, drawn: int, seen: int) -> float:
    """The probability that of `drawn` items, out of `total` with `marked` among them, `seen` or more are marked.

    Example:
        >>> tail(4, 2, 2, 2) * 6
        1.0
    """
    return min(1.0, sum(point(total, marked, drawn, k) for k in range(seen, min(marked, drawn) + 1)))


def point(total: int, marked: int, drawn: int, seen: int) -> float:
    if seen < drawn - (total - marked) or seen > min(marked, drawn):
        return 0.0
    return exp(choose(marked, seen) + choose(total - marked, drawn - seen) - choose(total, drawn))


def choose(n: int, k: int) -> float:
    """The logarithm of a binomial coefficient."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def with_rates(entries: list[dict[str, Any]]) -> None:
    """Add q to entries with p."""
    ordered = sorted(entries, key=lambda entry: float(entry["p"]))
    least = 1.0
    for rank in range(len(ordered), 0, -1):
        least = min(least, ordered[rank - 1]["p"] * len(ordered) / rank)
        ordered[rank - 1]["q"] = least
