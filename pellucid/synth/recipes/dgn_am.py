"""DGN-AM: the highest scoring picture of a generator, found by optimising its code.

Also here, for all recipes that search among codes: the choice of the prior, and its provenance.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..generator.prior import GeneratorPrior
from ..maximized import Maximized, Maximizer, maximized
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.step_rules import Adam, Normalised, Stride
from ..optimize.task import Plan, Task, refuse

TRAINING = 20  # steps of training a decoder for each step of the search


@dataclass(frozen=True, eq=False)
class DgnAm:
    """A code is optimised in place of the picture that a generator makes of it: h <- clip(decay (h + step)), x = G(h).

    The last picture is the answer, on purpose, not the one with the highest score: the published study found that among pictures
    of a generator it says nothing of how well they are recognised.

    References: Nguyen et al., 2016, Synthesizing the preferred inputs for neurons in neural networks via deep generator networks,
        https://doi.org/10.48550/arXiv.1605.09304. Published: codes begin as N(0, 1), 200 steps of mean size 8 that shrink to 0 in
        a straight line, decay 0.99, bounds [0, mean + 3 sd]: `published()`, with steps of 0.1 standard deviations, since 8 is a
        number of AlexNet's. Their two normalised steps, in the picture and from there in the code, are one in the code: what the
        first divides by, the second takes out again. A search may begin at the code of a picture, as theirs from
        pictures. Departures: (1) Codes else begin at mean + 0.5 sd of those of data, since N(0, 1)
        lies far from them in most networks. (2) There is no decay, which makes pictures alike. (3) Steps are those of Adam, in
        standard deviations of each unit. Measured on digits, each raises the diversity of pictures, and the first also how often
        a network trained apart reads them as intended.

    Arguments:
        prior: The generator; None: the one given as canvas, or one fitted to the data given, in 20 steps for each of
            the search and at most `minutes`.
        steps: How many.
        rate: The size of a step, in standard deviations of a unit.
        start: Where codes begin: "data", around the mean of data, unit by unit; "real", on the way from there to the code of a
            picture of data, drawn at random whatever it shows, for more diverse pictures, some of which stay with another class;
            "normal", as N(0, 1).
        width: How far around the mean they begin, in standard deviations; or how much of the way, 1 for all of it.
        step: "adam", or "normalised" with a rate that shrinks to 0 linearly.
        decay: What codes are multiplied by after each step.

    Raises:
        MethodError: there is neither a prior nor data.
    """

    prior: GeneratorPrior | None = None
    steps: int = 100
    rate: float = 0.03
    start: str = "data"
    width: float = 0.5
    step: str = "adam"
    decay: float = 1.0
    minutes: float = 5.0
    name: ClassVar[str] = "dgn_am"

    @staticmethod
    def published(prior: GeneratorPrior | None = None) -> DgnAm:
        """The variant of the paper: for generators whose codes are about N(0, 1)."""
        return DgnAm(prior, steps=200, rate=0.1, start="normal", step="normalised", decay=0.99)

    def maximize(self, task: Task) -> Maximized:
        """The last picture of each optimisation."""
        prior, task = resolve_prior(self.name, task, self.prior, self.minutes, self.steps)
        canvas = prior.canvas(task.frame, width=self.width, start=self.start)
        ascent = Normalised(self.rate, schedule="linear") if self.step == "normalised" else Adam(self.rate)
        plan = Plan(canvas, Stride(ascent, prior.codes.spread, self.decay), self.steps, keep="last", rescue=False)
        task, start = start_codes(task, prior)
        p = maximized(task, self.name, plan, gradient_ascent(task, plan, start))
        return with_prior(p, prior, settings(self, task.steps or self.steps, "rate", "start", "width", "step", "decay"))


def resolve_prior(recipe: str, task: Task, prior: Any, minutes: float, steps: int) -> tuple[GeneratorPrior, Task]:
    """The prior, from its file if one is named, and the task without it; or one fitted to the data, for `minutes` at most, in 20
    training steps for each of the `steps` of the search.

    Raises:
        MethodError: there is neither a prior nor data to fit one to.
    """
    prior = task.changes.get("canvas") if prior is None else prior
    prior = GeneratorPrior.load(prior) if isinstance(prior, (str, os.PathLike)) else prior
    if not isinstance(prior, GeneratorPrior | None):
        found = f"a prior of type {type(prior).__name__}"
        raise refuse(recipe, found, "it optimises codes of a generator prior", "Pass canvas=GeneratorPrior.fit(...).")
    if prior is not None and prior.place is not None and fitted_to_another(prior, task):
        note = f"The generator was fitted to another model, {prior.origin}: its pictures are not what this one learned from."
        prior = replace(prior, notes=(*prior.notes, note))
    if prior is None and task.data is None:
        raise refuse(
            recipe, "neither a prior nor data", "it searches among the pictures that a generator makes",
            "Pass data=, a folder of pictures such as the model was trained on, or canvas=GeneratorPrior.fit(model, data=...).",
        )  # fmt: skip
    if prior is None:
        minutes = minutes if task.seconds is None else min(minutes, task.seconds / 120)
        prior = GeneratorPrior.fit(task.model, task.data, minutes=minutes, steps=TRAINING * (task.steps or steps))
    return prior, replace(task, changes={name: part for name, part in task.changes.items() if name != "canvas"})


def fitted_to_another(prior: GeneratorPrior, task: Task) -> bool:
    """Whether a prior was fitted to another model than the task's, by the digests of their files."""
    fingerprint = prior.provenance.get("model", {}).get("fingerprint")
    return None not in (fingerprint, task.model.fingerprint) and fingerprint != task.model.fingerprint


def start_codes(task: Task, prior: GeneratorPrior) -> tuple[Task, tuple[Tensor] | None]:
    """The task without the pictures to start from, and their codes (n, *code), if there are any."""
    if task.start is None:
        return task, None
    x = task.frame.to_inputs(task.start.to(task.frame.device, task.frame.dtype))
    with torch.no_grad():
        codes = prior.encoder(task.model, x[:1]).codes(x).float()
    return replace(task, start=None), (codes,)


def settings(recipe: Maximizer, steps: int, *names: str) -> list[str]:
    """The settings of a recipe in readable lines, for provenance."""
    return [f"steps={steps}", *(f"{name}={getattr(recipe, name)}" for name in names)]


def with_prior(p: Maximized, prior: GeneratorPrior, lines: list[str]) -> Maximized:
    """The result with its settings, and the provenance and notes of its generator."""
    provenance = {**p.provenance, "settings": lines, "prior": {"caption": prior.caption, **prior.provenance}}
    return replace(p, notes=(*p.notes, *prior.notes), provenance=provenance)
