"""Trial: methods asked one after the other, what they marked, what failed, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pellucid.core.progress import told
from pellucid.errors import InputError, PellucidError
from pellucid.explanation.method import Method
from pellucid.metrics.metric import Answer
from pellucid.model import Model
from pellucid.tape.forward import at_once
from ..compare import _bug
from ..explain import explain
from .marks import marks


@dataclass(frozen=True)
class Trial:
    """What has been found so far; it grows with every `ask`.

    Arguments:
        methods: By name.
        total: How many answers are expected in all.
        marked: By method, condition and measure, one tensor of pictures per time of asking.
    """

    methods: Mapping[str, Method]
    total: int
    marked: dict[tuple[str, str, str], list[Tensor]] = field(default_factory=dict)
    controls: dict[tuple[str, str], list[Tensor]] = field(default_factory=dict)
    failures: dict[str, PellucidError] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, condition: str, model: Model, x: Tensor, classes: Tensor, seen: Tensor, hides: Tensor) -> None:
        """Ask every method that has not failed about these pictures; none is asked any more once the work is called off."""
        for name, method in self.methods.items():
            if name in self.failures or not len(x) or told(self._done(), self.total, "answers"):
                continue
            began = time.perf_counter()
            try:
                heat = _heat(model, x, classes, method)
            except Exception as error:  # said in its place; raised in the end if nobody could answer
                self.failures[name] = error if isinstance(error, PellucidError) else _bug(name, model, error)
                continue
            self.times.setdefault(name, []).append((time.perf_counter() - began) / len(x))
            for measure, values in marks(heat, seen, hides).items():
                self.marked.setdefault((name, condition, measure), []).append(values.cpu())

    def check(self, condition: str, found: Mapping[str, Tensor]) -> None:
        """Keep what was controlled."""
        for name, values in found.items():
            self.controls.setdefault((name, condition), []).append(values.double().cpu())

    def scores(self, reduce: Callable[[list[Tensor]], Tensor], nothing: InputError) -> dict[tuple[str, str, str], Tensor]:
        """What was marked, of those that answered every time, one number per repetition.

        Raises:
            PellucidError: nobody answered: what the first of them said, or `nothing` if nobody was asked.
        """
        found = {key: reduce(values) for key, values in self.marked.items() if key[0] not in self.failures}
        if not found:
            first = next(iter(self.failures.values()), nothing)
            raise first.__cause__ or first
        return found

    @property
    def seconds(self) -> dict[str, float]:
        """What each method takes for one picture."""
        return {name: sum(times) / len(times) for name, times in self.times.items()}

    def _done(self) -> int:
        return sum(map(len, self.times.values())) + len(self.failures)


def _heat(model: Model, x: Tensor, classes: Tensor, method: Method) -> Tensor:
    """One number per place, a few pictures at a time."""
    size, found = at_once(x), []
    for first in range(0, len(x), size):
        rows = slice(first, first + size)
        found.append(Answer.of(explain(model, x[rows], classes[rows].tolist(), method)).heat())
    return torch.cat(found).to(x.device)
