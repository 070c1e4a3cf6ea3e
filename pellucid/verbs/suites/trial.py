"""Trial: methods run one after the other under several conditions; what they marked, what failed, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.errors import InputError, PellucidError
from pellucid.explanation.method import Method, attribute
from pellucid.metrics.metric import Answer
from pellucid.model import Model
from pellucid.tape.forward import batch_size
from pellucid.target import as_target
from ..attempts import attempt_each, raise_first
from .findings import Findings
from .marks import Measure, marks

METHODS = ("lrp", "lrp.epsilon", "gradient_x_input", "gradient", "sensitivity")


@dataclass(frozen=True)
class Trial:
    """The results so far; they grow with every `ask`.

    Arguments:
        methods: By name.
        total: How many explanations are expected in all.
        marked: By method, condition and measure, one tensor of pictures per `ask`.
    """

    methods: Mapping[str, Method]
    total: int
    marked: dict[tuple[str, str, str], list[Tensor]] = field(default_factory=dict)
    controls: dict[tuple[str, str], list[Tensor]] = field(default_factory=dict)
    failures: dict[str, PellucidError] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, condition: str, model: Model, x: Tensor, classes: Tensor, seen: Tensor, hides: Tensor) -> None:
        """Explain these pictures by every method that has not failed, unless the user calls it off."""
        left = {name: method for name, method in self.methods.items() if name not in self.failures and len(x)}
        work = partial(_heat, model, x, classes)
        for name, heat, seconds in attempt_each("method", left, work, self._called_off, model.name):
            if isinstance(heat, PellucidError):
                self.failures[name] = heat
                continue
            self.times.setdefault(name, []).append(seconds / len(x))
            for measure, values in marks(heat, seen, hides).items():
                self.marked.setdefault((name, condition, measure), []).append(values.cpu())

    def check(self, condition: str, controls: Mapping[str, Tensor]) -> None:
        """Keep the values of the controls."""
        for name, values in controls.items():
            self.controls.setdefault((name, condition), []).append(values.double().cpu())

    def findings(
        self, suite: str, question: str, word: str, measures: tuple[Measure, ...], repeated: Literal["seeds", "placements"],
        note: str, nothing: InputError,
    ) -> Findings:  # fmt: skip
        """The results of the methods that never failed: over seeds the mean of every `ask`, over placements each picture.

        Raises:
            PellucidError: all failed: the error of the first, or `nothing` if none was run.
        """
        if not any(method not in self.failures for method, _, _ in self.marked):
            raise_first(self.failures or {None: nothing})
        names = {measure.name for measure in measures}
        scores = {
            key: torch.cat([(one.nanmean() if repeated == "seeds" else one).reshape(-1) for one in values])
            for key, values in self.marked.items()
            if key[0] not in self.failures and key[2] in names
        }
        controls = {key: torch.cat([one.reshape(-1) for one in values]) for key, values in self.controls.items()}
        seconds = {name: sum(times) / len(times) for name, times in self.times.items()}
        return Findings(suite, question, word, measures, scores, controls, repeated, seconds, self.failures, (note,))

    def _called_off(self, _: int) -> bool:
        return report_progress(sum(map(len, self.times.values())) + len(self.failures), self.total, "answers")


def _heat(model: Model, x: Tensor, classes: Tensor, method: Method) -> Tensor:
    """One number per place, with shape (picture, height, width), a few pictures at a time."""
    size, parts = batch_size(x), []
    for first in range(0, len(x), size):
        rows = slice(first, first + size)
        attribution = attribute(method, model, x[rows].to(model.device), as_target(classes[rows].tolist()))
        parts.append(Answer(attribution.values.detach().float().cpu(), method.signed, attribution.shared).heat())
    return torch.cat(parts).to(x.device)
