"""Audits of networks that learned a planted mark, and of networks without one: is it found, ranked first, confirmed?

    python bench/planted_marks.py [--seeds 3] [--clean 20] [--markdown FILE]

A mark on 5, 10 and 20 % of a class, at one place or anywhere, several networks each, which name at least 90 % of new pictures
with the mark as these are labelled (`tests/planted_marks.py`); the table in docs/audit.md is from here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import torch
from sklearn.metrics import adjusted_rand_score

sys.path.insert(0, str(Path(__file__).parents[1]))
import pellucid as pl
from pellucid.core import allocator
from pellucid.job.audit.audit import Audit
from tests import planted_marks

HEAD = ("share", "mark", "network", "named right, marked", "adjusted Rand index", "rank", "removal (controls)",
        "pasting (controls)", "verdict")  # fmt: skip
TESTED = 5  # clusters of a network without a mark


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clean", type=int, default=20)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    allocator.configure()
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for cells in chain(planted(arguments.seeds), clean(arguments.clean)):
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
        if arguments.markdown:
            arguments.markdown.write_text("\n".join(lines) + "\n")


def planted(seeds: int) -> Iterator[list[str]]:
    """A line for each network that learned a mark."""
    for share in (0.05, 0.1, 0.2):
        for moving in (False, True):
            for seed in range(seeds):
                yield line(share, moving, seed)


def line(share: float, moving: bool, seed: int) -> list[str]:
    net = planted_marks.network(share, moving=moving, seed=seed)
    right, _ = planted_marks.learned(net, share, moving=moving, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        data, a = audited(Path(folder), share, moving=moving, seed=seed)
        own = data.labels == 0
        index, rank = best(data, own, a)
        verdict = a.confirm(rank)
    effects = [f"{one.effect:.2f} ({one.control:.2f})" for one in (verdict.removed, verdict.pasted)]
    told = "confirmed" if verdict.confirmed else "only a pattern"
    where = "moving" if moving else "fixed"
    return [f"{share:.0%}", where, str(seed), f"{right:.0%}", f"{index:.3f}", str(rank + 1), *effects, told]


def best(data: planted_marks.Marked, own: torch.Tensor, a: Audit) -> tuple[float, int]:
    """The cluster that is most like the marked pictures: its adjusted Rand index, and its place."""
    found = []
    for one in a.clusters:
        inside = torch.zeros(len(data.x), dtype=torch.bool)
        inside[[int(key) for key in one["members"]]] = True
        found.append(float(adjusted_rand_score(data.marked[own], inside[own])) if one["target"] == 0 else -1.0)
    return max(found), found.index(max(found))


def clean(seeds: int) -> Iterator[list[str]]:
    """A line for each network without a mark: how many of its most suspicious clusters are confirmed."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            _, a = audited(Path(folder), 0.0, moving=False, seed=seed)
            verdicts = [a.confirm(one["id"]) for one in a.clusters[:TESTED]]
        confirmed = sum(one.confirmed for one in verdicts)
        yield ["none", "", str(seed), "", "", "", "", "", f"{confirmed} of {len(verdicts)} confirmed"]


def audited(folder: Path, share: float, *, moving: bool, seed: int) -> tuple[planted_marks.Marked, Audit]:
    data = planted_marks.marked(450, share=share, moving=moving, seed=50 + seed)
    net = planted_marks.network(share, moving=moving, seed=seed)
    return data, pl.audit(net, data.x, folder / "s", labels=data.labels, executor="serial")


if __name__ == "__main__":
    main()
