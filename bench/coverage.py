"""How far relevance reaches: which networks each library explains as they come, and whether what it returns is bounded.

    python bench/coverage.py [NAME ...] [--group convolutional|others] [--only pellucid ...] [--side 160]
    python bench/coverage.py --page

Every library meets every network in a process of its own, under a time limit. Answers are kept in bench/coverage.json as they
come in, so that a long run can be done in pieces; `--page` makes docs/coverage.md of what is there.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping
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
from verdict import Outcome, Same, Store, Verdict

import pellucid as pl

PAGE, STORE = Path(__file__).parents[1] / "docs" / "coverage.md", Path(__file__).with_name("coverage.json")
GROUPS = {
    "convolutional": ("Convolutional and plain networks", nets.CONVOLUTIONAL),
    "others": ("Transformers, mixers and recurrent networks", nets.OTHERS),
}
OURS, EXPORTED = "pellucid `lrp`", "eager = exported"
INTRODUCTION = """# Which networks it explains

Made by `bench/coverage.py`. Each network is taken as its library builds it, in eval mode, and asked about the class it predicts
for the photograph of a cat (for random numbers where it reads no pictures; for segmentation: the mean of a class over the middle
of the picture). Weights are random, batch norms have the statistics of noise, and branches that start out switched off are
switched on; only `zoo:efficientnet_lite0` has been trained. zennit gets the canonizers it brings, LXT its patches, where it has
some for the network; nobody gets other help. Random weights say nothing of whether a map is faithful; they do show what breaks,
and what explodes.

A result is **bounded** when it is finite, not all zero, and the relevance at the input sums to no more than twice the seed (the
value of the class) in magnitude; it **arrives** when, besides, at least a tenth of the seed reaches the input. **Conserved**
means that seed = input + absorbed to 1e-4 of what passed through them. **Eager = exported** compares the map with that of the
same network after `torch.export`, to 1e-4 of the greatest entry.

What random weights show of attention is not what training makes of it. Of two networks that learned language
(`bench/language.py`) the median text has at its tokens, over the score:

| | pellucid `lrp` | `lrp.cp` | `lrp.attention` | gradient x input |
|---|--:|--:|--:|--:|
| Gemma 3, 270 million weights, 112 prompts | 1.00 | 1.00 | 0.09 | 0.09 |
| all-MiniLM-L6-v2, 64 pairs of texts | 1.00 | 0.83 | 0.60 | 0.02 |

In the tables, each cell is the sum of the relevance at the input over the seed, then in brackets the sum of its magnitudes over
the seed's; ✗ marks what is not bounded. "native: ..." names the operations without a rule, whose derivative took its place, where
the library says so.
"""
WITHOUT = """## Without offsets

The same networks with every offset set to 0 (biases, running means, tokens and positions that are added). The whole score then
comes from the input, and a rule that shares all it gets must return it: each cell is what arrived over the seed, and ✓ marks what
is within 1 %.
"""

Ask = Callable[[str, Case], Verdict]


def ours(name: str) -> Ask:
    """A method of pellucid, or a candidate: its ledger says where it had no rule, and whether it closes."""

    def ask(network: str, case: Case) -> Outcome:
        e = pl.explain(pl.load(case.net, preprocess=case.preprocess), case.x, case.classes.tolist(), method(name))
        assert e.ledger is not None
        native = {row.op for row in e.ledger.rows if row.cause == "native fallback"}
        missing = float((e.ledger.error.abs() / e.ledger.volume).max())
        return outcome(e.values, case, tuple(sorted(native)), missing)

    return ask


def exported(network: str, case: Case) -> Verdict:
    """Whether `lrp` gives an exported program the map of the network."""
    program = torch.export.export(case.net, (case.x,))
    wanted, found = (
        pl.explain(pl.load(model, preprocess=case.preprocess), case.x, case.classes.tolist(), "lrp").values
        for model in (case.net, program)
    )
    return Same(float((found - wanted).abs().max() / wanted.abs().max()))


def theirs(prepare: peers.Prepare) -> Ask:
    """A peer. Where it had no rule, autolrp warns; the others raise, or say nothing."""

    def ask(network: str, case: Case) -> Outcome:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            R = prepare(case)()
        native = {str(w.message).split("'")[1] for w in said if "no installer matched" in str(w.message)}
        return outcome(R, case, tuple(sorted(native)))

    return ask


def lxt(network: str, case: Case) -> Outcome:
    """LXT patches classes, and so gets the network built once more, in this process alone."""
    if not network.startswith(("hf:", "torchvision:vit")):
        raise NotImplementedError("no patch for this network")
    return outcome(peers.lxt(network, lambda: nets.case(network, side=case.x.shape[-1] if case.preprocess else 224))(), case, ())


def outcome(R: Tensor, case: Case, native: tuple[str, ...], missing: float | None = None) -> Outcome:
    seed = float(case.seeds()[0])
    return Outcome(float(R.sum()) / seed, float(R.abs().sum()) / abs(seed), bool(R.isfinite().all()), native, missing)


CONTESTANTS: dict[str, Ask] = {
    OURS: ours("lrp"),
    EXPORTED: exported,
    "captum LRP": theirs(peers.captum),
    "zennit EpsilonPlus": theirs(peers.zennit("EpsilonPlus")),
    "autolrp": theirs(peers.autolrp()),
    "autolrp `attnlrp`": theirs(peers.autolrp("attnlrp")),
    "LXT": lxt,
    "hilrp": theirs(peers.hilrp),
}
BARE: dict[str, Ask] = {
    "pellucid `lrp.zero`": ours("lrp.zero"),
    "pellucid `lrp.attention`": ours("lrp.attention"),
    "captum LRP ": theirs(peers.captum),
    "zennit Epsilon": theirs(peers.zennit("Epsilon")),
    "autolrp ": theirs(peers.autolrp()),
    "autolrp `attnlrp` ": theirs(peers.autolrp("attnlrp")),
}


@dataclass(frozen=True)
class Survey:
    """Who is asked, and how.

    Arguments:
        asked: About the networks as they are.
        bare: About the networks without offsets.
        side: Of the pictures, in pixels, where a network takes any.
        seconds: The limit for one contestant on one network.
    """

    asked: Mapping[str, Ask]
    bare: Mapping[str, Ask]
    side: int
    seconds: float


def verdicts(name: str, survey: Survey) -> dict[str, Verdict]:
    """What comes of every library on one network, built once and handed to each by a fork."""
    case = nets.case(name, side=survey.side)
    found = {title: isolated(partial(ask, name, case), seconds=survey.seconds) for title, ask in survey.asked.items()}
    if survey.bare:
        case = nets.bias_free(case)
        found |= {title: isolated(partial(ask, name, case), seconds=survey.seconds) for title, ask in survey.bare.items()}
    return found


def run(names: list[str], survey: Survey, store: Store) -> None:
    """Ask about every network, and keep the answers as they come."""
    for name in names:
        seconds = 60 + survey.seconds * (len(survey.asked) + len(survey.bare))
        found = isolated(partial(verdicts, name, survey), seconds=seconds)
        store.add(name, dict.fromkeys((*survey.asked, *survey.bare), found) if isinstance(found, Failure) else found)
        print(name, *([found] if isinstance(found, Failure) else (f"{k} {v}" for k, v in found.items())), sep=" | ", flush=True)


# -- the page -------------------------------------------------------------------------------------------------------------


def page(found: dict[str, dict[str, Verdict]], side: int, note: str = "") -> str:
    """The introduction, the counts, and two tables per group."""
    pictures = f"Pictures of {side} x {side} pixels where a network takes any size."
    made = " ".join(part for part in (f"{machine.versions()}. {machine.today()}. {pictures}", note) if part)
    parts = [INTRODUCTION, made, "", *counts(found, CONTESTANTS)]
    for title, rows in groups(found):
        parts += ["", f"## {title}", "", *table(rows, CONTESTANTS, cell)]
    parts += ["", WITHOUT, *exact_counts(found), ""]
    for title, rows in groups(found):
        parts += ["", f"### {title}", "", *table(rows, BARE, bare_cell)]
    return "\n".join(parts) + "\n"


def groups(found: dict[str, dict[str, Verdict]]) -> Iterator[tuple[str, dict[str, dict[str, Verdict]]]]:
    for title, names in GROUPS.values():
        yield title, {name: found[name] for name in names if name in found}


def counts(found: dict[str, dict[str, Verdict]], titles: Mapping[str, Ask]) -> Iterator[str]:
    """How many of each group are bounded, arrive, need a fallback, conserve relevance, are the same when exported."""
    told = [title for title in titles if title != EXPORTED]
    yield "| | " + " | ".join(told) + " |"
    yield "|---" * (len(told) + 1) + "|"
    for title, rows in (*groups(found), ("All", found)):
        for what in ("bounded", "arrives"):
            yield f"| {title}: {what}, of {len(rows)} | " + " | ".join(count(rows, t, what) for t in told) + " |"
    native = [sum(bool(getattr(row.get(t), "native", ())) for row in found.values()) for t in told]
    yield "| with operations without a rule, as far as the library says | " + " | ".join(map(str, native)) + " |"
    yield ""
    asked = [v for row in found.values() if isinstance(v := row.get(OURS), Outcome)]
    closed = sum(v.open is not None and v.open <= 1e-4 for v in asked)
    same = [v for row in found.values() if isinstance(v := row.get(EXPORTED), Same)]
    equal = sum(verdict.same for verdict in same)
    yield f"pellucid `lrp`: conserved on {closed} of {len(asked)}; eager = exported on {equal} of the {len(same)} that export."


def exact_counts(found: dict[str, dict[str, Verdict]]) -> Iterator[str]:
    yield "| | " + " | ".join(title.strip() for title in BARE) + " | any of pellucid's |"
    yield "|---" * (len(BARE) + 2) + "|"
    for title, rows in (*groups(found), ("All", found)):
        cells = [count(rows, t, "exact") for t in BARE]
        own = sum(any(getattr(row.get(t), "exact", False) for t in BARE if t.startswith("pellucid")) for row in rows.values())
        yield f"| {title}: within 1 %, of {len(rows)} | " + " | ".join((*cells, str(own))) + " |"


def count(rows: Mapping[str, Mapping[str, Verdict]], title: str, what: str) -> str:
    """On how many networks a contestant did so; of how many, where it was not asked about all."""
    found = [row[title] for row in rows.values() if title in row]
    good = sum(bool(getattr(verdict, what, False)) for verdict in found)
    return str(good) if len(found) == len(rows) else f"{good} of {len(found)}"


def table(rows: dict[str, dict[str, Verdict]], titles: Mapping[str, Ask], tell: Callable[[Verdict | None], str]) -> Iterator[str]:
    yield "| network | " + " | ".join(title.strip() for title in titles) + " |"
    yield "|---" * (len(titles) + 1) + "|"
    for name, row in rows.items():
        yield f"| {name} | " + " | ".join(tell(row.get(title)) for title in titles) + " |"


def cell(verdict: Verdict | None) -> str:
    if isinstance(verdict, Failure):
        return verdict.reason[:70].replace("|", "\\|") + " ✗"
    good = verdict is None or (verdict.same if isinstance(verdict, Same) else verdict.bounded)
    return ("" if verdict is None else str(verdict)).replace("|", "\\|") + ("" if good else " ✗")


def bare_cell(verdict: Verdict | None) -> str:
    if isinstance(verdict, Outcome):
        return f"{verdict.share:.4g}{' ✓' * verdict.exact}" if verdict.finite else "not finite"
    return "" if verdict is None else "-"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names of networks; default: all")
    parser.add_argument("--group", choices=list(GROUPS), help="one group of networks")
    parser.add_argument("--only", nargs="+", default=[], help="parts of the titles of contestants: pellucid, autolrp, exported")
    parser.add_argument("--methods", nargs="+", help="candidates, or names of pellucid's catalogue, in place of the comparison")
    parser.add_argument("--missing", action="store_true", help="leave out networks that are in the store already")
    parser.add_argument("--page", action="store_true", help="measure nothing: make the page of what is in the store")
    parser.add_argument("--note", default="", help="a sentence for the page, on when and where")
    parser.add_argument("--side", type=int, default=160, help="of the pictures, in pixels, where the network takes any")
    parser.add_argument("--seconds", type=float, default=60, help="the limit for one contestant on one network")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--out", type=Path, default=PAGE)
    return parser.parse_args()


def chosen(options: argparse.Namespace, store: Store) -> list[str]:
    """The networks that are asked about."""
    names = GROUPS[options.group][1] if options.group else [*nets.CONVOLUTIONAL, *nets.OTHERS]
    known = store.read() if options.missing else {}
    return [n for n in names if n not in known and (not options.names or any(part in n for part in options.names))]


def survey(options: argparse.Namespace) -> Survey:
    def some(titles: Mapping[str, Ask]) -> dict[str, Ask]:
        return {t: ask for t, ask in titles.items() if not options.only or any(part in t for part in options.only)}

    if options.methods:
        return Survey({name: ours(name) for name in options.methods}, {}, options.side, options.seconds)
    return Survey(some(CONTESTANTS), some(BARE), options.side, options.seconds)


def main() -> None:
    options = arguments()
    store = Store(options.store)
    if not options.page:
        torch.set_num_threads(options.threads)
        nets.declare_torchvision()
        for library in ("torchvision.models", "timm", "transformers", "captum.attr", "zennit.torchvision"):
            attempt(partial(import_module, library))  # once, before the forks
        run(chosen(options, store), survey(options), store)
    elif found := store.read():
        options.out.write_text(page(found, options.side, options.note), encoding="utf-8")


if __name__ == "__main__":
    main()
