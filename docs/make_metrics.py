"""Write docs/metrics.md from the list of metrics and the problems whose truth is known: python docs/make_metrics.py"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from pellucid.catalogue import METRICS, Entry
from pellucid.zoo import truth

PAGE = Path(__file__).with_name("metrics.md")
FAMILIES = {
    "faithfulness": (
        "Faithfulness: does the model go by what the map marks?",
        "Parts are taken away, and the model is asked again. What stands in their place matters as much as the map: the same map "
        "has other scores with other fillings, so compare methods under one, and look at R-OMS, how sure the model stays of what "
        "it says when parts go by chance. Metrics that are read off a *curve* share their forward passes, and tell beside each "
        "score what random orders reach and, where that is quick, the best order.",
    ),
    "localisation": (
        "Localisation: does the map lie where the truth is?",
        "They need masks that say where it is. A model may go by what lies elsewhere: then a low score is the model's.",
    ),
    "complexity": (
        "Complexity: is the map simple?",
        "About the map alone. A simple map can be wrong: a single random pixel is as sparse as can be.",
    ),
    "robustness": (
        "Robustness: does the map stay when nothing happens?",
        "The sample moves a little, and the method is asked again. A constant map is quite robust, and the model may move, too.",
    ),
    "randomisation": (
        "Randomisation: is the map about this model and this class?",
        "Weights are drawn anew, or another class is asked about; a map that stays the same was about neither.",
    ),
    "axioms": (
        "Axioms: what must hold by definition",
        "0 is right, and anything else is a distance from it.",
    ),
}  # fmt: skip
NEEDS = {"map": "the map", "mask": "a mask", "model": "the model", "method": "the method, again"}
INTRODUCTION = """Made from the list of metrics by `python docs/make_metrics.py`. Each is one name for
`pellucid evaluate --metrics NAME` and for `pl.evaluate(model, images, methods, [NAME])`, and an object with options,
`pl.metrics.SRG()`. *Better* says which values are. *Needs* is what it takes beside the map. *Twice the map* says whether a map
and twice the map get the same score.

```python
import pellucid as pl

from pellucid import truth

shapes = truth.watermark(256, share=0.0, alike=False)
net = truth.learn(shapes, steps=60)  # any network and any pictures will do
t = pl.evaluate(net, shapes.inputs[:8], ["lrp", "sensitivity"], ["srg", "sparseness"])
assert {row["metric"] for row in t.rows} == {"srg", "sparseness"}
print(t.advice)
```

No single number says that a map is right. `srg` is the first to look at: it takes both ends of the order into account, and random
maps have 0 whatever stands in place of what is gone. Scores are means over samples; the intervals tell how far they would move
with others."""
TRUTH = """Here the answer is known before anybody explains. Each is a function of `pl.truth`, seeded, without a download:
`inputs`, `labels`, `masks` where the truth lies, often `exact` values, networks that are right by construction (or
`truth.learn(problem)`, some seconds), and `changes` that take parts away.

```python
p = truth.planted_patterns(8, seed=0)  # nothing outside the pattern can matter to this network
t = pl.evaluate(p.model, p.inputs, ["lrp", "gradient_x_input"], ["relevance_mass"], p.labels.tolist(), masks=p.masks)
assert all(abs(row["score"] - 1) < 1e-6 for row in t.rows)
```

Whether a map marks what is hidden in place of what is seen has a [page of its own](hidden-parts.md)."""
TESTS = """`pellucid.testing` has assertions for tests of your own; each message says what was measured, and `pytest` lists all
of it at the end of a run.

```python
from pellucid.testing import assert_conserves, assert_not_clever_hans

train, test = truth.watermark(256, seed=1, share=0.95), truth.watermark(32, seed=2, share=0.0)
net = truth.learn(train, steps=60)  # class 0 came with a mark in the corner
assert_conserves(net, test.inputs)
try:
    assert_not_clever_hans(net, test.inputs, where=test.parts["mark"][0], watermark=test.after("with the mark")[0])
except AssertionError as error:
    assert "So the model goes by it" in str(error)
else:
    raise AssertionError("the mark was not found")
```"""


def page() -> str:
    """The whole page."""
    families = [line for family in FAMILIES for line in section(family)]
    known = ["", "## Problems whose truth is known", "", TRUTH, "", "| problem | what is known of it |", "|---|---|", *problems()]
    return "\n".join(["# Metrics", "", INTRODUCTION, *families, *known, "", "## Tests of your own", "", TESTS]) + "\n"


def section(family: str) -> list[str]:
    """One family: what it is about, and its metrics."""
    title, claim = FAMILIES[family]
    head = [
        "",
        f"## {title}",
        "",
        claim,
        "",
        "| name | asks | better | needs | curve | twice the map | source |",
        "|" + "---|" * 7,
    ]
    return head + [row(entry) for entry in METRICS if entry.family == family]


def row(entry: Entry) -> str:
    cells = (
        f"`{entry.name}`",
        entry.summary,
        entry.better,
        NEEDS[entry.needs],
        "yes" if entry.curve else "",
        "the same" if entry.scales else "another",
        f"[{entry.paper}, {entry.year}](https://doi.org/{entry.doi})",
    )
    return f"| {' | '.join(cells)} |"


def problems() -> list[str]:
    """What is known of every problem, by the first line of its docstring."""
    functions = sorted(vars(truth).items())
    return [f"| `truth.{name}` | {said(made)} |" for name, made in functions if returns_problem(made)]


def returns_problem(made: Callable[..., object]) -> bool:
    return inspect.isfunction(made) and inspect.signature(made).return_annotation == "Problem"


def said(made: Callable[..., object]) -> str:
    return (inspect.getdoc(made) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
