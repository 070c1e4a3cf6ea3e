"""Verdicts: what came of one library on one network, and the file in which they are kept between runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from child import Failure

BOUND, LOST, EXACT = 2.0, 0.1, 0.01


@dataclass(frozen=True)
class Outcome:
    """What came of one library on one network.

    Arguments:
        share: The sum at the input over the seed.
        absolute: The sum of the magnitudes at the input over the magnitude of the seed.
        native: The operations whose derivative took the place of a rule.
        open: By how much the books miss, over what passed through them, where there are books.
    """

    share: float
    absolute: float
    finite: bool
    native: tuple[str, ...] = ()
    open: float | None = None

    @property
    def bounded(self) -> bool:
        return self.finite and self.absolute > 0 and abs(self.share) <= BOUND

    @property
    def arrives(self) -> bool:
        return self.bounded and self.share >= LOST

    @property
    def exact(self) -> bool:
        """Whether all of the seed arrives, as it must where there are no offsets."""
        return self.finite and abs(self.share - 1) <= EXACT

    def __str__(self) -> str:
        text = f"{self.share:.3g} ({self.absolute:.2g})" if self.finite else "not finite"
        return text + (f"; native: {', '.join(self.native)}" if self.native else "")


@dataclass(frozen=True)
class Same:
    """How far the map of an exported program is from that of the network it was made from."""

    difference: float

    @property
    def same(self) -> bool:
        return self.difference <= 1e-4

    def __str__(self) -> str:
        return f"{self.difference:.0e}"


Verdict = Outcome | Same | Failure
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Outcome, Same, Failure)}


@dataclass(frozen=True)
class Store:
    """A file of verdicts by network and question; a new run replaces what it asked again and leaves the rest."""

    path: Path

    def read(self) -> dict[str, dict[str, Verdict]]:
        if not self.path.exists():
            return {}
        told = json.loads(self.path.read_text(encoding="utf-8"))
        return {name: {title: _verdict(entry) for title, entry in row.items()} for name, row in told.items()}

    def add(self, name: str, row: dict[str, Verdict]) -> None:
        found = self.read()
        found[name] = {**found.get(name, {}), **row}
        told = {n: {title: _entry(verdict) for title, verdict in sorted(r.items())} for n, r in sorted(found.items())}
        partial = self.path.with_suffix(".part")
        partial.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


def _verdict(entry: dict[str, Any]) -> Verdict:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items() if key != "kind"}
    made: Verdict = KINDS[entry["kind"]](**fields)
    return made


def _entry(verdict: Verdict) -> dict[str, Any]:
    return {"kind": type(verdict).__name__, **asdict(verdict)}
