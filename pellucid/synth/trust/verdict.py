"""Verdict: what is measured of one synthesised picture, as numbers and as a row of text. The table of all is in `trust.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pellucid.core.numbers import figure

GAP = 0.05  # the least difference of rank correlations, between a target's pictures and others, that paths are scaled by
COPY = 0.95  # the correlation of pixels from which on a picture counts as a copy


@dataclass(frozen=True)
class Opinion:
    """What another network predicts.

    Arguments:
        model: Its name.
        rank, probability: Of the class the picture was made for; rank 1 is its first choice.
        says, sure: Its first choice, and the probability of that.
    """

    model: str
    rank: int
    probability: float
    says: str
    sure: float


@dataclass(frozen=True)
class Neighbour:
    """The real picture that is nearest in the network's features.

    Arguments:
        index, name: Its number in the data, and its file name or again its number.
        distance: 1 - cosine similarity of the features, in [0, 2].
        usual: The median of that distance between a real picture and its nearest one.
        alike: The correlation of the pixels; None where the picture cannot be read again.
    """

    index: int
    name: str | int
    distance: float
    usual: float
    alike: float | None = None

    @property
    def copied(self) -> bool:
        """Whether the picture reproduces that real one."""
        return self.alike is not None and self.alike > COPY


@dataclass(frozen=True)
class PathLikeness:
    """Rank correlations between the channel activations of pictures, averaged over layers; in [-1, 1].

    Arguments:
        own: Of the synthesised picture with real pictures of the target.
        same: Of real pictures of the target with one another.
        others: Of other real pictures with those of the target.
        basis: Which pictures are the target's: "labelled" as its class, "predicted" as it, or its "top" pictures.
        layers: Name, own, same and others, layer by layer.
    """

    own: float
    same: float
    others: float
    basis: str
    layers: tuple[tuple[str, float, float, float], ...] = ()

    @property
    def relative(self) -> float:
        """`own` on a scale where other pictures are at 0 and the target's at 1; NaN where these two hardly differ."""
        gap = self.same - self.others
        return (self.own - self.others) / gap if gap > GAP else float("nan")


@dataclass(frozen=True)
class Verdict:
    """What was measured of one picture; None where it could not be measured, see `Trust.missing`.

    Arguments:
        target, seed, score: What the picture was made for, from which seed, and the target's value.
        percentile: The share of real pictures with a lower score, in [0, 1]; ties count half.
        beyond: How many standard deviations of the real scores it lies above their mean.
        moved: The mean score under random transformations that the optimisation did not use.
        held: In what share of these the class is the first choice; None for targets that are no class.
        opinions: The predictions of other networks.
        neighbour: The nearest real picture.
        spectrum, usual_spectrum: The distance of its power spectrum from the mean of real ones, and the median distance of a real
            one: root mean squares over frequencies of differences of log10.
        woken, silent: Of the `silent` channels that no real picture activates, how many this picture does.
        path: How far the network processes it as it does real pictures.
        diversity, usual_diversity: Mean cosine distance of features between the pictures of its target, and between real ones.
        stability: Rank correlation between the channels that different seeds activate.
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
        """The two or three most important numbers, those against the picture first."""
        texts = []
        if self.neighbour is not None and self.neighbour.copied:
            texts.append(f"a copy of {Path(str(self.neighbour.name)).name}")
        if self.opinions:
            worst = max(self.opinions, key=lambda opinion: opinion.rank)
            texts.append(f"{worst.model}: rank {worst.rank}, {worst.probability:.0%}")
        if self.held is not None:
            texts.append(f"leads in {self.held:.0%} of fresh views")
        elif self.moved is not None:
            texts.append(f"{figure(self.moved)} in fresh views")
        if self.percentile is not None:
            texts.append(f"above {self.percentile:.0%} of real pictures" + _cell(self.beyond, " ({:+.0f} sd)", blank=""))
        if self.path is not None and self.path.relative == self.path.relative:
            texts.append(f"path {self.path.relative:.2f} (1 as real, 0 unlike)")
        return texts[:3]

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        near, path = self.neighbour, self.path
        copied = " copy" if near is not None and near.copied else ""
        return (
            f"{self.target}, seed {self.seed}",
            figure(self.score),
            _cell(self.percentile, "{:.0%}", self.beyond, " ({:+.1f} sd)"),
            "-" if self.moved is None else figure(self.moved) + _cell(self.held, ", leads {:.0%}", blank=""),
            "; ".join(f"rank {one.rank}, {one.probability:.0%}" for one in self.opinions) or "-",
            "-" if near is None else f"{near.distance:.2f} ({near.usual:.2f}){copied} {Path(str(near.name)).name}",
            _cell(self.spectrum, "{:.2f}", self.usual_spectrum, " ({:.2f})"),
            "-" if self.woken is None else f"{self.woken} of {self.silent}",
            "-" if path is None else f"{path.own:.2f} ({path.others:.2f}-{path.same:.2f}, {path.basis})",
            _cell(self.diversity, "{:.2f}", self.usual_diversity, " ({:.2f})"),
            _cell(self.stability, "{:.2f}", self.spread, ", sd {:.2g}"),
        )


def _cell(first: float | None, form: str, second: float | None = None, more: str = "", *, blank: str = "-") -> str:
    """One or two numbers as text; `blank` without the first."""
    if first is None:
        return blank
    return form.format(first) + ("" if second is None else more.format(second))
