"""Trust: how far synthesised pictures can be believed, a verdict per picture, as a table with an explanation of its columns.

How the numbers are measured is in `report.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pellucid.core.data_frame import data_frame
from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.errors.printable import in_markdown
from .verdict import Verdict

HEADS = (
    "picture", "score", "above real", "fresh views", "other network", "nearest real", "spectrum", "new channels", "path",
    "diversity", "stability",
)  # fmt: skip
MEANINGS = {
    "above real": "share of real pictures with a lower score; in brackets standard deviations above their mean",
    "fresh views": "mean score under random shifts, scales and rotations that were not used for optimisation; share of views in "
    "which the class is still the first choice",
    "other network": "rank and probability of the class by another network",
    "nearest real": "cosine distance, in the features before the class layer, to the nearest real picture; in brackets the usual "
    "distance of a real picture to its nearest",
    "spectrum": "distance of the power spectrum from that of real pictures, in powers of ten; in brackets what is usual for a "
    "real picture",
    "new channels": "of the channels that no real picture activates, how many this one does",
    "path": "mean rank correlation, over layers, between the channels that it activates and those that real pictures of the "
    "target do; in brackets that of other real pictures, and that of the target's with one another",
    "diversity": "mean cosine distance between pictures of one target; in brackets that between real pictures",
    "stability": "mean rank correlation, over layers, between the channels that different seeds activate",
}


@dataclass(frozen=True)
class Trust(Displayed):
    """How far to trust pictures: a sequence of verdicts, one per picture.

    Arguments:
        verdicts: One per picture.
        real: How many real pictures they were compared with.
        missing: By column, why it could not be measured.
        layers: The modules whose activations were compared; features are those of the last.
        notes: Remarks for the reader, whole sentences.

    Example:
        >>> trust = Trust((Verdict("logit 0", 0, 2.0, percentile=0.5, moved=1.5),), real=4)
        >>> trust[0].telling()
        ['1.50 in fresh views', 'above 50% of real pictures']
    """

    kind: ClassVar[str] = "trust"

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
        """The heads and rows of the columns that were measured."""
        rows = [verdict.cells() for verdict in self.verdicts]
        measured = [i for i in range(len(HEADS)) if i < 2 or any(row[i] != "-" for row in rows)]
        return tuple(HEADS[i] for i in measured), [tuple(row[i] for i in measured) for row in rows]

    def words(self) -> list[str]:
        """What the columns mean, and why others are missing."""
        heads, _ = self.columns()
        meanings = [f"{head}: {MEANINGS[head]}." for head in heads if head in MEANINGS]
        return [*meanings, *(f"{name}: not measured. {why}" for name, why in self.missing.items()), *self.notes]

    def __str__(self) -> str:
        """The table, and below it what it means."""
        heads, rows = self.columns()
        wide = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in (heads, *rows)]
        return "\n".join([*lines, "", *self.words()])

    def __repr__(self) -> str:
        heads, _ = self.columns()
        return f"Trust({len(self)} pictures, {len(heads) - 2} measurements, {self.real} real pictures)"

    def frame(self) -> Any:
        """The verdicts as a `pandas.DataFrame`, a line for each picture."""
        return data_frame([asdict(verdict) for verdict in self.verdicts])

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {"verdicts": [asdict(verdict) for verdict in self.verdicts], "real": self.real,
                "missing": dict(self.missing), "layers": list(self.layers), "notes": list(self.notes)}  # fmt: skip

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as .json, .md or .txt, whole or not at all."""
        return save(self, path, "trust")


def to_markdown(trust: Trust) -> str:
    """The table and its legend in Markdown."""
    heads, rows = trust.columns()
    lines = [_line(heads), _line(["---"] * len(heads)), *map(_line, rows)]
    return "\n".join([*lines, "", *(f"* {in_markdown(line)}" for line in trust.words())])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"
