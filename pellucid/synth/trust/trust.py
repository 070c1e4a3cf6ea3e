"""Trust: how far pictures that were made may be believed, picture by picture, in numbers and in words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pellucid.core.formats import save
from pellucid.core.numbers import figure

HEADS = (
    "picture", "score", "above real", "fresh views", "other network", "nearest real", "spectrum", "woken", "path", "diversity",
    "stability",
)  # fmt: skip
APART = 0.05  # of rank correlation, that has to lie between a target's pictures and others for a picture to lie between them
COPY = 0.95  # correlation of pixels from which on a picture is called a copy
MEANINGS = {
    "above real": "share of real pictures that score lower; in brackets standard deviations above their mean",
    "fresh views": "mean score under random shifts, scales and rotations that the climb did not see; share of views in which "
    "the class is still the first",
    "other network": "rank and probability of the class by another network",
    "nearest real": "cosine distance, in the features before the class layer, to the nearest real picture; in brackets the usual "
    "distance of a real picture to its nearest",
    "spectrum": "how far the power at all frequencies lies from that of real pictures, in powers of ten; in brackets what is "
    "usual for a real picture",
    "woken": "of the channels that no real picture excites, how many this one does",
    "path": "mean rank correlation, over layers, between the channels that it excites and those that real pictures of the target "
    "do; in brackets that of other real pictures, and that of the target's with one another",
    "diversity": "mean cosine distance between pictures of one target; in brackets that between real pictures",
    "stability": "mean rank correlation, over layers, between the channels that different seeds excite",
}


@dataclass(frozen=True)
class Opinion:
    """What another network says: the class asked for, its rank (1 is the best) and probability, and what it names."""

    model: str
    rank: int
    probability: float
    says: str
    sure: float


@dataclass(frozen=True)
class Neighbour:
    """The real picture that is nearest to the network.

    Arguments:
        index, name: Which.
        distance: One less the cosine of the features.
        usual: The median distance of a real picture to its nearest.
        alike: The correlation of the pixels; None where the picture cannot be read again.
    """

    index: int
    name: str | int
    distance: float
    usual: float
    alike: float | None = None

    @property
    def copied(self) -> bool:
        """Whether the picture is that real one again."""
        return self.alike is not None and self.alike > COPY


@dataclass(frozen=True)
class PathLikeness:
    """Rank correlations of channel activations, the mean over layers.

    Arguments:
        own: With real pictures of the target.
        same: Of these with one another.
        others: Of other real pictures with these.
        basis: Which are the target's: those "labelled" so, "predicted" to be, or its "top" pictures.
        layers: The same three, layer by layer.
    """

    own: float
    same: float
    others: float
    basis: str
    layers: tuple[tuple[str, float, float, float], ...] = ()

    @property
    def relative(self) -> float:
        """0 as for other pictures, 1 as for the target's own; NaN where these two hardly differ."""
        gap = self.same - self.others
        return (self.own - self.others) / gap if gap > APART else float("nan")


@dataclass(frozen=True)
class Verdict:
    """What is known of one picture; None where it cannot be known, see `Trust.missing`.

    Arguments:
        percentile: The share of real pictures that score lower, ties counted half.
        beyond: How many standard deviations of the real scores it lies above their mean.
        moved: The mean score under fresh transformations.
        held: In what share of these the class is the first; None for what is no class.
        opinions: Of other networks.
        neighbour: The nearest real picture.
        spectrum, usual_spectrum: How far its power spectrum lies from the data's, and what is usual for a real picture: root mean
            squares over frequencies of differences of log10.
        woken, silent: How many of the channels that no real picture excites this one does, and how many there are.
        path: Whether the network computes it as it does real pictures.
        diversity, usual_diversity: How much the pictures of its target differ in features, and real pictures do.
        stability: How alike the channels are that seeds excite.
        spread: The standard deviation of the scores over seeds.
    """

    target: str
    seed: int
    score: float
    percentile: float | None = None
    beyond: float | None = None
    moved: float | None = None
    held: float | None = None
    opinions: tuple[Opinion, ...] = ()
    neighbour: Neighbour | None = None
    spectrum: float | None = None
    usual_spectrum: float | None = None
    woken: int | None = None
    silent: int | None = None
    path: PathLikeness | None = None
    diversity: float | None = None
    usual_diversity: float | None = None
    stability: float | None = None
    spread: float | None = None

    def telling(self) -> list[str]:
        """The two or three numbers that say most, what is against the picture first."""
        found = []
        if self.neighbour is not None and self.neighbour.copied:
            found.append(f"a copy of {Path(str(self.neighbour.name)).name}")
        if self.opinions:
            one = min(self.opinions, key=lambda opinion: -opinion.rank)
            found.append(f"{one.model}: rank {one.rank}, {one.probability:.0%}")
        if self.held is not None:
            found.append(f"leads in {self.held:.0%} of fresh views")
        elif self.moved is not None:
            found.append(f"{figure(self.moved)} in fresh views")
        if self.percentile is not None:
            found.append(f"above {self.percentile:.0%} of real pictures" + _words(self.beyond, " ({:+.0f} sd)", blank=""))
        if self.path is not None and self.path.relative == self.path.relative:
            found.append(f"path {self.path.relative:.2f} (1 as real, 0 unlike)")
        return found[:3]

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        near, path = self.neighbour, self.path
        copied = " copy" if near is not None and near.copied else ""
        return (
            f"{self.target}, seed {self.seed}",
            figure(self.score),
            _words(self.percentile, "{:.0%}", self.beyond, " ({:+.1f} sd)"),
            "-" if self.moved is None else figure(self.moved) + _words(self.held, ", leads {:.0%}", blank=""),
            "; ".join(f"rank {one.rank}, {one.probability:.0%}" for one in self.opinions) or "-",
            "-" if near is None else f"{near.distance:.2f} ({near.usual:.2f}){copied} {Path(str(near.name)).name}",
            _words(self.spectrum, "{:.2f}", self.usual_spectrum, " ({:.2f})"),
            "-" if self.woken is None else f"{self.woken} of {self.silent}",
            "-" if path is None else f"{path.own:.2f} ({path.others:.2f}-{path.same:.2f}, {path.basis})",
            _words(self.diversity, "{:.2f}", self.usual_diversity, " ({:.2f})"),
            _words(self.stability, "{:.2f}", self.spread, ", sd {:.2g}"),
        )


@dataclass(frozen=True)
class Trust:
    """How far to trust pictures: a verdict on each.

    Arguments:
        verdicts: One per picture.
        real: How many real pictures they were compared with.
        missing: What cannot be had here, and why, by column.
        layers: Where activations were compared; the last is where features are.
        notes: Sentences a reader has to know.

    Example:
        >>> trust = Trust((Verdict("logit 0", 0, 2.0, percentile=0.5, moved=1.5),), real=4)
        >>> trust[0].telling()
        ['1.50 in fresh views', 'above 50% of real pictures']
    """

    verdicts: tuple[Verdict, ...]
    real: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.verdicts)

    def __getitem__(self, picture: int) -> Verdict:
        return self.verdicts[picture]

    def columns(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Heads and rows, of what can be had."""
        rows = [verdict.cells() for verdict in self.verdicts]
        kept = [i for i in range(len(HEADS)) if i < 2 or any(row[i] != "-" for row in rows)]
        return tuple(HEADS[i] for i in kept), [tuple(row[i] for i in kept) for row in rows]

    def words(self) -> list[str]:
        """What the columns mean, and what is missing."""
        heads, _ = self.columns()
        known = [f"{head}: {MEANINGS[head]}." for head in heads if head in MEANINGS]
        return [*known, *(f"{name}: not known. {why}" for name, why in self.missing.items()), *self.notes]

    def __str__(self) -> str:
        """The table, and below it what it means."""
        heads, rows = self.columns()
        wide = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in (heads, *rows)]
        return "\n".join([*lines, "", *self.words()])

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        told = [asdict(verdict) for verdict in self.verdicts]
        return {"verdicts": told, "real": self.real, "missing": dict(self.missing), "layers": list(self.layers),
                "notes": list(self.notes)}  # fmt: skip

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as .json, .md or .txt, whole or not at all."""
        return save(self, path, "trust")


def to_markdown(trust: Trust) -> str:
    heads, rows = trust.columns()
    lines = [_line(heads), _line(["---"] * len(heads)), *map(_line, rows)]
    return "\n".join([*lines, "", *(f"* {words}" for words in trust.words())])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _words(first: float | None, form: str, second: float | None = None, more: str = "", *, blank: str = "-") -> str:
    if first is None:
        return blank
    return form.format(first) + ("" if second is None else more.format(second))
