"""The verb `hide`: how much a score changes when a part of the input is taken away, beside random parts of the same size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.numbers import figure
from pellucid.core.one_line import cut
from pellucid.errors import InputError
from pellucid.methods.perturb import blur, feature_ablation
from pellucid.methods.perturb.regions.masks import Masks
from pellucid.methods.perturb.sampling.run import Run
from pellucid.model import Columns, Model, load
from pellucid.model.surroundings import surrounded
from .call import keeping_call
from .control_masks import random_places, shifted_masks
from .explain import explain
from .inputs import Batch, read_inputs
from .scores import read_target

CONTROLS = 20
BLUR = 1 / 6  # of the shorter side: what is blurred less can still be recognised, and its score hardly falls


@dataclass(frozen=True)
class HidingTest(Displayed):
    """What hiding a part of the input did to a score, and what hiding random parts of the same size did.

    Arguments:
        target: What was scored, in words.
        before, after: The score of the input, and of the input without the part.
        controls: How far the score fell when each of the random parts was hidden instead.
        area: The share of the input that was hidden, in [0, 1].
        imputer: What stood in the place of what was hidden.
        predicted: The classes predicted before and after; empty where there are none.
        provenance: What was asked.

    Example:
        >>> test = HidingTest("logit 0", 3.0, 1.0, (0.5, -0.5), 0.25, "Mean()")
        >>> test.change, test.larger_controls
        (2.0, 0)
        >>> test
        HidingTest(logit 0: 3.00 -> 1.00, 2 controls)
    """

    kind: ClassVar[str] = "hiding test"

    target: str
    before: float
    after: float
    controls: tuple[float, ...]
    area: float
    imputer: str
    predicted: tuple[str, ...] = field(default=())
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.html or .json), whole or not at all."""
        return save(self, path, "hiding test", **options)

    @property
    def change(self) -> float:
        """How far the score falls; negative where it rises."""
        return self.before - self.after

    @property
    def larger_controls(self) -> int:
        """How many random parts change the score as much as this one, in either direction."""
        return sum(abs(control) >= abs(self.change) for control in self.controls)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 2.5th and 97.5th percentile of the falls by random parts; None without controls."""
        if not self.controls:
            return None
        low, high = torch.tensor(self.controls, dtype=torch.float64).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
        return float(low), float(high)

    def __repr__(self) -> str:
        return cut(f"HidingTest({self.target}: {figure(self.before)} -> {figure(self.after)}, {len(self.controls)} controls)")

    def sentence(self) -> str:
        """The result in words."""
        verb = "lowers" if self.change > 0 else "raises" if self.change < 0 else "does not change"
        amount = f" by {figure(abs(self.change))} (from {figure(self.before)} to {figure(self.after)})" if self.change else ""
        words = [f"Hiding this part ({100 * self.area:.1f} % of the input) {verb} {self.target}{amount}.", self._controls()]
        if len(self.predicted) == 2:
            first, last = self.predicted
            words.append(f"The prediction stays {first}." if first == last else f"The prediction changes from {first} to {last}.")
        return " ".join(filter(None, words))

    def _controls(self) -> str:
        if self.interval is None:
            return "There is no room for random parts of the same size to compare it with."
        least, most = (figure(-fall) for fall in self.interval)
        count, larger = len(self.controls), self.larger_controls
        size = f"{larger} of them change" if larger > 1 else f"{larger or 'none'} of them changes"
        return f"Of {count} random parts of the same size, 95 % change it by {most} to {least}; {size} it as much."

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        data = {"target": self.target, "before": self.before, "after": self.after, "change": self.change, "area": self.area}
        more = {"controls": list(self.controls), "interval": self.interval, "larger_controls": self.larger_controls}
        return data | more | {"imputer": self.imputer, "predicted": list(self.predicted), "sentence": self.sentence()}


@keeping_call
def hide(
    model: Any, x: Any, part: Tensor, target: Any = None, *, imputer: Any = None, controls: int = CONTROLS, seed: int = 0
) -> HidingTest:
    """How much the score changes when a part of the input is hidden, compared with random parts of the same size.

    Formula: change = f(x) - f(x with the part replaced by the imputer).

    Arguments:
        model, x, target: As `explain` takes them; one sample.
        part: True where it is hidden: shaped (height, width) for a picture, or one value per token, column or step.
        imputer: What stands in its place; None: a picture or series blurred over a sixth of its shorter
            side, the mean of a column, a text's blank token.
        controls: How many random parts; of a picture the same shape elsewhere, of others as many places drawn at random.
        seed: Of the random parts.

    Raises:
        InputError: the part is empty, or does not have the shape of the input.

    References: Zeiler and Fergus, 2014, https://doi.org/10.1007/978-3-319-10590-1_53; random parts of the same size are
        controls as in permutation tests.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2, bias=False)).eval()
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]]))
        >>> hide(net, torch.ones(1, 1, 2, 2), torch.tensor([[False, False], [False, True]]), imputer=0.0, controls=3).change
        4.0
    """
    loaded = load(model)
    loaded.ready()
    with surrounded(loaded) as own:
        batch = read_inputs(own, x)
        _check_one(batch)
        part = torch.as_tensor(part).bool().cpu()
        if batch.texts:
            return _hide_tokens(own, x, part, target, imputer, controls, seed)
        _, wanted = read_target(batch, target)
        sample = batch.x
        parts = _parts(own, sample, part, controls, seed)
        fill = blur(BLUR * min(sample.shape[2:])) if imputer is None and sample.dim() > 2 else imputer
        run = feature_ablation(Masks(parts), fill).sample(own, sample, wanted)
    return _result(run, part, own)


def _check_one(batch: Batch) -> None:
    if len(batch.x) != 1:
        found, do = f"{len(batch.x)} samples", "Give one of them: x[:1]."
        raise InputError("hiding a part of the input", found, "parts differ from sample to sample", do)


def _parts(model: Model, x: Tensor, part: Tensor, controls: int, seed: int) -> Tensor:
    """The part and its controls as masks over a sample, with shape (1 + controls, *mask shape)."""
    columns = model.preprocess if isinstance(model.preprocess, Columns) and x.dim() == 2 else None
    sides = tuple(x.shape[2:]) if x.dim() > 2 else tuple(x.shape[1:])
    known = (len(columns.columns),) if columns is not None else sides
    _check_shape(part, known)
    others = shifted_masks(part, controls, seed) if part.dim() == 2 else random_places(part, controls, seed)
    masks = torch.stack([part, *others])
    if columns is not None:
        return masks[:, columns.groups]
    return masks


def _check_shape(part: Tensor, sides: tuple[int, ...]) -> None:
    if tuple(part.shape) == sides and bool(part.any()):
        return
    found = (
        f"a mask of shape {tuple(part.shape)} with {int(part.sum())} places, and an input of {' x '.join(map(str, sides))} places"
    )
    raise InputError(
        "hiding a part of the input", found, "the mask says for every place whether it is hidden", "Mark some places."
    )


def _result(run: Run, part: Tensor, model: Model) -> HidingTest:
    """The test as read from the responses: the first row is the part, the others are controls."""
    responses = run.responses
    before, falls = float(responses.read_full()), run.fit().values.tolist()
    area, imputer = float(part.double().mean()), run.options[-1]
    return HidingTest(str(responses.target), before, before - falls[0], tuple(falls[1:]), area, imputer, _predicted(run, model))


def _predicted(run: Run, model: Model) -> tuple[str, ...]:
    """The class predicted before and after, where the answers hold the scores of all classes."""
    responses = run.responses
    if not responses.whole or responses.full.dim() != 1 or len(responses.full) < 2:
        return ()
    rows = responses.full, responses.answers[0].mean(0)
    before, after = (model.label(int(row.argmax())) for row in rows)
    return before, after


def _hide_tokens(model: Model, x: Any, part: Tensor, target: Any, imputer: Any, controls: int, seed: int) -> HidingTest:
    """The test of a text: every part is an ablation of its own, since the text without it is another text."""
    whole = explain(model, x, target, "gradient", verify=False)
    tokens = whole.tokens()
    _check_shape(part, (len(tokens),))
    evidence = torch.tensor([token.kind == "text" for token in tokens])
    falls = []
    for mask in (part, *random_places(part, controls, seed, among=evidence)):
        e = explain(model, x, target, feature_ablation(torch.where(mask, 0, -1), imputer), verify=False)
        falls.append(float(e.heat().flatten()[mask][0]))
    before = float(whole.output)
    return HidingTest(whole.target, before, before - falls[0], tuple(falls[1:]), float(part.double().mean()), e.notes[0])
