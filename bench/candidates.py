"""The composites from which the default of `lrp` is chosen: what is measured by faithfulness.py and hidden_parts.py.

A candidate is one line: a name for the table, and a function that makes the method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

import pellucid as pl
from pellucid.methods import lrp
from pellucid.methods.lrp import Composite, Epsilon, Flat, Gamma, Norm, Rule, Shares, WSquare, ZBox, ZPlus
from pellucid.tape import LocalOp

EPS = 1e-9
LINEAR = ("convolution", "dense")
KIND: dict[str, Any] = {"bias": "ignore", "silent": "spread"}  # no bias in the denominator, nothing dropped


@dataclass(frozen=True)
class Rescaled(Rule):
    """Another rule, with what it absorbs handed to the inputs in proportion to what they got.

    Positive and negative relevance are dealt with apart, and nothing grows by more than a factor of `most`.
    """

    rule: Rule
    most: float = 100.0

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        (above,), (below,) = (self._scaled(op, part, rectified) for part in (R.clamp(min=0), R.clamp(max=0)))
        total = above + below
        return Shares([total], {"bias": op.sums(R) - total.flatten(1).sum(1)})

    def _scaled(self, op: LocalOp, R: Tensor, rectified: bool) -> list[Tensor]:
        (got,) = self.rule.share(op, R, rectified).inputs
        assert got is not None
        arrived = got.flatten(1).sum(1) / op.sums(R)
        factor = torch.where(arrived > 1 / self.most, 1 / arrived, 1.0)
        return [got * factor.reshape(-1, *[1] * (got.dim() - 1))]


def conserving(
    *,
    middle: Rule | None = None,
    dense: Rule | None = None,
    last: Rule | None = None,
    first: Rule | None = None,
    sums: str | None = None,
) -> Composite:
    """`lrp.Conserving` with some rules exchanged: between the ends, on dense layers, at either end, at sums and pools."""
    composite = lrp.Conserving()
    if middle is not None:
        composite = composite.where(op=LINEAR, rule=middle).where(op=LINEAR, position="last", rule=SPREAD)
    if dense is not None:
        composite = composite.where(op="dense", rule=dense)
    if last is not None:
        composite = composite.where(op=LINEAR, position="last", rule=last)
    if first is not None:
        composite = composite.where(op="convolution", position="first", rule=first)
    if sums is not None:
        composite = composite.where(op=("sum", "pool"), rule=Norm(EPS, by=sums, silent="spread"))
    return composite


SPREAD = Epsilon(EPS, bias="spread", silent="spread")
BOX, FLAT, WSQUARE, PLUS = ZBox(eps=EPS, silent="spread"), Flat(EPS), WSquare(EPS, **KIND), ZPlus(EPS, **KIND)
GAMMA = {gamma: Gamma(gamma, EPS, "spread", "spread") for gamma in (0.25, 0.5, 1.0)}
VARIANTS: dict[str, dict[str, Any]] = {
    "conserving": {},
    "conserving, sums by value": {"sums": "value"},
    "conserving, sums by positive part": {"sums": "positive"},
    "conserving, sums by magnitude": {"sums": "magnitude"},
    "conserving, sums by magnitude, first z-box": {"sums": "magnitude", "first": BOX},
    "conserving, sums by magnitude, first flat": {"sums": "magnitude", "first": FLAT},
    "conserving, sums by magnitude, last z-plus": {"sums": "magnitude", "last": PLUS},
    "conserving, first z-box": {"first": BOX},
    "conserving, first flat": {"first": FLAT},
    "conserving, first w-square": {"first": WSQUARE},
    "conserving, dense epsilon": {"dense": SPREAD},
    "conserving, dense epsilon, first z-box": {"dense": SPREAD, "first": BOX},
    "conserving, last z-plus": {"last": PLUS},
    "conserving, last epsilon, bias ignored": {"last": Epsilon(EPS, **KIND)},
    "conserving, z-plus, bias spread": {"middle": ZPlus(EPS, "spread", "spread")},
    "conserving, epsilon, first z-box": {"middle": Epsilon(EPS, **KIND), "first": BOX, "sums": "value"},
    "conserving, gamma, bias ignored": {"middle": Gamma(0.25, EPS, **KIND)},
    "conserving, gamma, bias ignored, first z-box": {"middle": Gamma(0.25, EPS, **KIND), "first": BOX},
    "conserving, gamma": {"middle": GAMMA[0.25]},
    "conserving, gamma, first z-box": {"middle": GAMMA[0.25], "first": BOX},
    "conserving, gamma, sums by magnitude": {"middle": GAMMA[0.25], "sums": "magnitude"},
    "conserving, gamma, sums by magnitude, first z-box": {"middle": GAMMA[0.25], "sums": "magnitude", "first": BOX},
    "conserving, gamma 0.5, sums by magnitude, first z-box": {"middle": GAMMA[0.5], "sums": "magnitude", "first": BOX},
    "conserving, gamma 1, sums by magnitude, first z-box": {"middle": GAMMA[1.0], "sums": "magnitude", "first": BOX},
    "conserving, gamma, dense epsilon, sums by magnitude, first z-box": {
        **{"middle": GAMMA[0.25], "dense": SPREAD, "sums": "magnitude", "first": BOX}
    },
    "conserving, z-plus rescaled, sums by magnitude": {"middle": Rescaled(ZPlus()), "sums": "magnitude"},
    "conserving, gamma rescaled, sums by magnitude": {"middle": Rescaled(Gamma()), "sums": "magnitude"},
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
