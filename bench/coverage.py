"""How far relevance reaches: which networks each library explains as they come, and whether what it returns is bounded.

    python bench/coverage.py [NAME ...] [--side 160] [--out docs/coverage.md]

Every library meets every network in a process of its own, under a time limit.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import machine
import nets
import peers
import torch
from candidates import method
from child import Failure, attempt, isolated
from nets import Case
from torch import Tensor

import pellucid as pl

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
PELLUCID = {"pellucid `lrp`": "lrp", "pellucid `lrp.epsilon_plus`": "lrp.epsilon_plus"}
PEERS: dict[str, peers.Prepare] = {
    "captum LRP": peers.captum,
    "zennit EpsilonPlus": peers.zennit("EpsilonPlus"),
    "autolrp": peers.autolrp(),
}
GROUPS = {"Convolutional and plain networks": nets.CONVOLUTIONAL, "Transformers, mixers and recurrent networks": nets.OTHERS}
INTRODUCTION = """# Which networks it explains

Made by `bench/coverage.py`. Each network is taken as its library builds it, in eval mode, and asked about the class it predicts
for the photograph of a cat (for random numbers where it reads no pictures; for segmentation: the mean of a class over the middle
of the picture). Weights are random, batch norms have the statistics of noise, and branches that start out switched off are
switched on; only `zoo:efficientnet_lite0` has been trained. zennit gets the canonizers it brings; nobody gets other help. Random
weights say nothing of whether a map is faithful; they do show what breaks, and what explodes.

A result is **bounded** when it is finite, not all zero, and the relevance at the input sums to no more than twice the seed (the
value of the class) in magnitude; it **arrives** when, besides, at least a tenth of the seed reaches the input.

In the tables, each cell is the sum of the relevance at the input over the seed, then in brackets the sum of its magnitudes over
the seed's. "native: ..." names the operations without a rule, whose derivative took its place, where the library says so.
"""


@dataclass(frozen=True)
class Outcome:
    """What came of one library on one network.

    Arguments:
        share: The sum at the input over the seed.
        absolute: The sum of the magnitudes at the input over the magnitude of the seed.
        native: The operations whose derivative took the place of a rule.
    """

    share: float
    absolute: float
    finite: bool
    native: tuple[str, ...] = ()

    @property
    def bounded(self) -> bool:
        return self.finite and self.absolute > 0 and abs(self.share) <= 2

    @property
    def arrives(self) -> bool:
        return self.bounded and self.share >= 0.1

    def __str__(self) -> str:
        text = f"{self.share:.3g} ({self.absolute:.2g})" if self.finite else "not finite"
        text = text if self.bounded else f"{text} ✗"
        return text + (f"; native: {', '.join(self.native)}" if self.native else "")


Verdict = Outcome | Failure
Row = dict[str, Verdict] | Failure  # by contestant; or why the network itself could not be built
Ask = Callable[[Case], Outcome]


def ours(name: str) -> Ask:
    """A method of pellucid, or a candidate: its ledger says where it had no rule."""

    def ask(case: Case) -> Outcome:
        e = pl.explain(pl.load(case.net, preprocess=case.preprocess), case.x, case.classes.tolist(), method(name))
        assert e.ledger is not None
        native = {row.op for row in e.ledger.rows if row.cause == "native fallback"}
        return outcome(e.values, case, tuple(sorted(native)))

    return ask


def theirs(prepare: peers.Prepare) -> Ask:
    """A peer. Where it had no rule, autolrp warns; the others raise, or say nothing."""

    def ask(case: Case) -> Outcome:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            R = prepare(case)()
        native = {str(w.message).split("'")[1] for w in said if "no installer matched" in str(w.message)}
        return outcome(R, case, tuple(sorted(native)))

    return ask


def outcome(R: Tensor, case: Case, native: tuple[str, ...]) -> Outcome:
    seed = float(case.seeds()[0])
    return Outcome(float(R.sum()) / seed, float(R.abs().sum()) / abs(seed), bool(R.isfinite().all()), native)


CONTESTANTS: dict[str, Ask] = {
    **{title: ours(name) for title, name in PELLUCID.items()},
    **{title: theirs(prepare) for title, prepare in PEERS.items()},
}


@dataclass(frozen=True)
class Survey:
    """Who is asked, and how.

    Arguments:
        side: Of the pictures, in pixels, where a network takes any.
        seconds: The limit for one contestant on one network.
    """

    contestants: dict[str, Ask]
    side: int
    seconds: float


def verdicts(name: str, survey: Survey) -> dict[str, Verdict]:
    """What comes of every library on one network, built once and handed to each by a fork."""
    case = nets.case(name, side=survey.side)
    return {title: isolated(partial(ask, case), seconds=survey.seconds) for title, ask in survey.contestants.items()}


def surveyed(names: list[str], survey: Survey) -> Iterator[tuple[str, Row]]:
    for name in names:
        found = isolated(partial(verdicts, name, survey), seconds=60 + survey.seconds * len(survey.contestants))
        print(name, *([found] if isinstance(found, Failure) else found.values()), sep=" | ", flush=True)
        yield name, found


def page(found: dict[str, Row], survey: Survey) -> str:
    """The introduction, the counts, and a table per group."""
    pictures = f"Pictures of {survey.side} x {survey.side} pixels where a network takes any size."
    made = f"{machine.versions()}. {machine.today()}. {pictures}"
    parts = [INTRODUCTION, made, "", *counts(found, survey)]
    for title, names in GROUPS.items():
        rows = {name: found[name] for name in names if name in found}
        parts += ["", f"## {title}", "", *table(rows, survey)] if rows else []
    absent = [f"`{name}` ({row})" for name, row in found.items() if isinstance(row, Failure)]
    parts += ["", f"Not measured here: {', '.join(absent)}."] if absent else []
    return "\n".join(parts) + "\n"


def counts(found: dict[str, Row], survey: Survey) -> Iterator[str]:
    yield "| | " + " | ".join(survey.contestants) + " |"
    yield "|---" * (len(survey.contestants) + 1) + "|"
    groups = {**GROUPS, "All": [name for names in GROUPS.values() for name in names]}
    for title, names in groups.items():
        rows = [row for name in names if not isinstance(row := found.get(name, Failure("")), Failure)]
        for what in ("bounded", "arrives"):
            cells = [sum(getattr(row[contestant], what, False) for row in rows) for contestant in survey.contestants]
            yield f"| {title}: {what}, of {len(rows)} | " + " | ".join(map(str, cells)) + " |"
        native = [sum(bool(getattr(row[contestant], "native", ())) for row in rows) for contestant in survey.contestants]
        yield f"| {title}: with operations without a rule, as far as the library says | " + " | ".join(map(str, native)) + " |"


def table(rows: dict[str, Row], survey: Survey) -> Iterator[str]:
    yield "| network | " + " | ".join(survey.contestants) + " |"
    yield "|---" * (len(survey.contestants) + 1) + "|"
    for name, row in rows.items():
        if not isinstance(row, Failure):
            yield f"| {name} | " + " | ".join(cell(row[contestant]) for contestant in survey.contestants) + " |"


def cell(verdict: Verdict) -> str:
    return (verdict.reason[:90] + " ✗" if isinstance(verdict, Failure) else str(verdict)).replace("|", "\\|")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names of networks; default: all")
    parser.add_argument("--methods", nargs="+", help="candidates, or names of pellucid's catalogue, in place of the comparison")
    parser.add_argument("--side", type=int, default=160, help="of the pictures, in pixels, where the network takes any")
    parser.add_argument("--seconds", type=float, default=120, help="the limit for one contestant on one network")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help=f"default: {PAGE.name} for all networks and the comparison, else none")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    nets.declare_torchvision()
    for library in ("torchvision.models", "timm", "transformers", "captum.attr", "zennit.torchvision"):
        attempt(partial(import_module, library))  # once, before the forks
    names = [n for n in (*nets.CONVOLUTIONAL, *nets.OTHERS) if not options.names or any(part in n for part in options.names)]
    contestants = {name: ours(name) for name in options.methods} if options.methods else CONTESTANTS
    survey = Survey(contestants, options.side, options.seconds)
    text = page(dict(surveyed(names, survey)), survey)
    if out := options.out or (None if options.names or options.methods else PAGE):
        out.parent.mkdir(exist_ok=True)
        out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
