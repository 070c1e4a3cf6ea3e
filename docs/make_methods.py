"""Write docs/methods.md from the catalogue: python docs/make_methods.py"""

from __future__ import annotations

from pathlib import Path

from pellucid.catalogue import METHODS, Entry

PAGE = Path(__file__).with_name("methods.md")
FAMILIES = {
    "lrp": (
        "Relevance propagation",
        "What the score is made of: carried back from the output, operation by operation; a ledger says what is lost on the way.",
    ),
    "gradient": (
        "Gradients",
        "How the score would change. The unsigned ones measure *variation*: they say where the score is sensitive, not what it "
        "is made of, and may mark parts that are not there, such as what an object in front would reveal. Those with a baseline "
        "share out the change of the score from there.",
    ),
    "cam": (
        "Class activation maps",
        "Where the last maps of the network are active, weighted by what the target makes of them; as coarse as these maps.",
    ),
    "perturb": (
        "Perturbation",
        "What happens to the score when parts are taken away, and something else stands in their place. They ask the network "
        "only what it says, many times.",
    ),
}


def page() -> str:
    """The whole page."""
    return "\n".join(["# Methods", "", INTRODUCTION, *(part for family in FAMILIES for part in section(family))]) + "\n"


INTRODUCTION = """Made from the catalogue by `python docs/make_methods.py`. Each is one name for `pellucid explain --method NAME`,
for `pl.explain(model, x, method=NAME)`, and for `pellucid compare`. *Signed* methods tell evidence for from evidence against;
the others only say how much. *Linear* ones give a contrast a - b the difference of the two maps. *Asks* says whether the network
is asked once or many times."""


def section(family: str) -> list[str]:
    title, claim = FAMILIES[family]
    entries = [entry for entry in METHODS if entry.family == family]
    head = ["", f"## {title}", "", claim, "", "| name | claims | signed | linear | asks | source |", "|---|---|---|---|---|---|"]
    return head + [row(entry) for entry in entries]


def row(entry: Entry) -> str:
    marks = (
        "yes" if entry.signed else "no",
        "yes" if entry.signed and entry.linear else "no",
        "many times" if entry.repeats else "once",
    )
    return (
        f"| `{entry.name}` | {entry.summary} | {' | '.join(marks)} | [{entry.paper}, {entry.year}](https://doi.org/{entry.doi}) |"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
