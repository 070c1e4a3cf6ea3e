"""The study of one sample: its regions, which of them are removed together, and what stands in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model.where import Where
from pellucid.tape.forward import Readout
from ..imputers.imputer import Fill, occluded
from ..regions.multi_input import MultiInputRegions
from ..regions.regions import Regions
from .design import Design
from .estimator import Estimate


@dataclass(frozen=True, eq=False)
class Study:
    """One sample, its regions, and how they are removed: what `sampling.query` takes through the model.

    Arguments:
        readout: The model and the target.
        value: What variants are made of: the input, or the value at `readout.at`; with shape (1, ...).
        row: Which sample of the readout's batch this is.
        told: Imputer and regions in words.
        once: Whether equal rows give equal answers, so that one of them is enough.
        draws, batch, accelerate, semantics: As in `Perturbation`.
        exact: Whether the draws are all that there are, so that their mean has no standard error.
    """

    readout: Readout
    value: Tensor
    row: int
    regions: Regions
    design: Design
    fill: Fill
    draws: int = 1
    batch: int | None = None
    told: str = ""
    once: bool = False
    accelerate: bool = True
    semantics: str = "replace"
    exact: bool = False

    @property
    def rows(self) -> int:
        """How many rows the design has."""
        return self.design.count(self.regions.n)

    @property
    def shared(self) -> bool:
        """Whether the channels of a place always go together."""
        if isinstance(self.regions, MultiInputRegions):
            return self.regions.shared
        return self.value.dim() > 2 and self.regions.shape[0] == 1

    def gone(self, index: Sequence[int]) -> Tensor:
        """What some rows of the design remove: masks over the sample."""
        first, last = index[0], index[-1] + 1
        rows = self.design.rows(self.regions.n, first, last)[[i - first for i in index]].to(self.value.device)
        return self.regions.gone(1 - rows if self.design.soft else ~rows, index)

    def variants(self, index: Sequence[int]) -> Tensor:
        """The sample with what some rows remove replaced, the draws of a row one after another."""
        gone = self.gone(index)
        if self.draws > 1:
            gone = gone.repeat_interleave(self.draws, 0)
        return occluded(self.value, gone, self.fill, self.draw_numbers(index))

    def draw_numbers(self, index: Sequence[int]) -> list[int]:
        """The numbers of the imputer's random draws for some rows."""
        first = [0 if self.design.common else row * self.draws for row in index]
        return [number + draw for number in first for draw in range(self.draws)]


def painted(estimate: Estimate, study: Study) -> tuple[Tensor, Tensor | None]:
    """Values and standard errors for every entry of the sample."""
    regions, value = study.regions, study.value

    def paint(numbers: Tensor) -> Tensor:
        places = numbers.to(value).reshape(regions.shape) if estimate.painted else regions.paint(numbers.to(value))
        return places.expand(value.shape[1:])

    return paint(estimate.values), None if estimate.error is None else paint(estimate.error)


def called_off(done: int, total: int) -> str:
    """What a caption says of a run that somebody stopped."""
    return f"Called off after {done:,} of {total:,} perturbed samples."


def module_path(at: str | Where | None) -> str | None:
    """Where a perturbation reaches inside a model: a module path, or None for the input.

    Raises:
        MethodError: an operation is named, and no module.
    """
    if isinstance(at, Where):
        if at.op is not None or at.position is not None or at.module is None:
            raise MethodError(
                f"a perturbation at {at}", "an operation", "values can be replaced where a module returns them",
                'Name the module: at="layer4".',
            )  # fmt: skip
        return at.module
    return at
