"""The composites from which the default of `lrp` is chosen: what is measured by faithfulness.py and hidden_parts.py.

A candidate is one line: a name for the table, and a function that makes the method.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pellucid as pl
from pellucid import lrp
from pellucid.lrp import Composite, Epsilon, Flat, Gamma, Norm, Rule, WSquare, ZBox, ZPlus

EPS = 1e-9
LINEAR = ("convolution", "dense")
KIND: dict[str, Any] = {"bias": "ignore", "silent": "spread"}  # no bias in the denominator, nothing dropped


def conserving(*, sums: str | None = None, first: Rule | None = None, middle: Rule | None = None, last: Rule | None = None) -> Composite:
    """`lrp.Conserving` with some of its rules exchanged: at sums and pools, at the first convolution, in between, at the last layer."""
    composite = lrp.Conserving()
    if middle is not None:
        composite = composite.where(op=LINEAR, rule=middle).where(op=LINEAR, position="last", rule=last or Epsilon(EPS, bias="spread", silent="spread"))
    if last is not None:
        composite = composite.where(op=LINEAR, position="last", rule=last)
    if first is not None:
        composite = composite.where(op="convolution", position="first", rule=first)
    if sums is not None:
        composite = composite.where(op=("sum", "pool"), rule=Norm(EPS, by=sums, silent="spread"))
    return composite


BOX, PLUS, GAMMA = ZBox(eps=EPS, silent="spread"), ZPlus(EPS, **KIND), Gamma(0.25, EPS, **KIND)
VARIANTS: dict[str, dict[str, Any]] = {
    "conserving": {},
    "conserving, sums by value": {"sums": "value"},
    "conserving, sums by positive part": {"sums": "positive"},
    "conserving, sums by magnitude": {"sums": "magnitude"},
    "conserving, first z-box": {"first": BOX},
    "conserving, first flat": {"first": Flat(EPS)},
    "conserving, first w-square": {"first": WSquare(EPS, **KIND)},
    "conserving, gamma": {"middle": GAMMA},
    "conserving, gamma, first z-box": {"middle": GAMMA, "first": BOX},
    "conserving, gamma, sums by magnitude, first z-box": {"middle": GAMMA, "sums": "magnitude", "first": BOX},
    "conserving, last z-plus": {"last": PLUS},
    "conserving, last epsilon, bias ignored": {"last": Epsilon(EPS, **KIND)},
    "conserving, z-plus, bias spread": {"middle": ZPlus(EPS, bias="spread", silent="spread")},
    "conserving, epsilon, first z-box": {"middle": Epsilon(EPS, **KIND), "first": BOX, "sums": "value"},
    "conserving, sums by magnitude, first z-box": {"sums": "magnitude", "first": BOX},
    "conserving, sums by magnitude, first flat": {"sums": "magnitude", "first": Flat(EPS)},
    "conserving, sums by magnitude, last z-plus": {"sums": "magnitude", "last": PLUS},
}
CANDIDATES: dict[str, Callable[[], Any]] = {
    "lrp.epsilon_plus": lrp.EpsilonPlus,
    "lrp.epsilon_gamma_box": lrp.EpsilonGammaBox,
    "lrp.epsilon_alpha2_beta1": lrp.EpsilonAlpha2Beta1,
    "lrp.epsilon": lrp.EpsilonEverywhere,
    "lrp.epsilon_plus, biases ignored, spread": partial(lrp.EpsilonPlus, **KIND),
    "lrp.epsilon_plus, biases spread": partial(lrp.EpsilonPlus, bias="spread", silent="spread"),
    "lrp.epsilon_gamma_box, biases ignored, spread": partial(lrp.EpsilonGammaBox, **KIND),
    **{name: partial(conserving, **options) for name, options in VARIANTS.items()},
}


def method(name: str) -> Any:
    """A candidate, or else a method of the catalogue."""
    return CANDIDATES[name]() if name in CANDIDATES else pl.catalogue.method(name)
