"""Metric: the protocol of what scores explanations, and the question and answer that it gets.

Adding one: a file with a frozen dataclass, and a line in `pellucid.catalogue.metrics`.

A metric has a `name`, says whether `higher` values are better, what it `needs`, and scores every sample by itself:

    @dataclass(frozen=True)
    class Peak:
        \"\"\"The greatest value of the map.\"\"\"

        name: ClassVar[str] = "peak"
        higher: ClassVar[bool] = True
        needs: ClassVar[Need] = "map"

        def score(self, question: Question, answer: Answer) -> Scores:
            return Scores(answer.heat().flatten(1).amax(1))

What `needs` may be, and what is then available:

    "map"      the values alone: `answer.values`, `answer.heat()`, `answer.signed`
    "mask"     those, and the ground truth: `question.masks`
    "model"    those, and the model: `question.readout(variants, rows)`, `question.x`, `question.model`
    "method"   those, and the method: `answer.method.attribute(model, x, target)`

What several metrics would compute alike is kept by `question.remembered(key, make)` and shared by all of them. Samples for which
the metric is not defined score NaN: they are left out of means, and `n` counts the others. Maps that are zero, constant or
negative everywhere are scored like any other; for a map with entries that are not finite every metric gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from pellucid.errors import InputError, MethodError, ModelError
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method
from pellucid.model import Model
from pellucid.model.final_activation import are_probabilities, probabilities
from pellucid.tape.forward import Readout, batch_size, forward_values
from pellucid.tape.independence import rows_are_apart
from pellucid.tape.recording.record import check_finite
from pellucid.target import Target
from pellucid.target.classes import OfClass

Need = Literal["map", "mask", "model", "method"]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Question:
    """What is explained: a model, samples and a resolved target; and the ground truth of the samples, if known.

    Arguments:
        readout: The model, the samples, and the target.
        output: The model's main output for them, batch first.
        score: The target's value, with shape (sample,).
        masks: True where the ground truth lies, with shape (sample, *places).
        seed: Of all that is random in metrics.
        floor: Whether metrics also compute what random orders reach.
        ceiling: Whether they also compute what the best order reaches; None: where that takes few forward passes.
        memory: What `remembered` keeps.
    """

    readout: Readout
    output: Tensor
    score: Tensor
    masks: Tensor | None = None
    seed: int = 0
    floor: bool = True
    ceiling: bool | None = None
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def model(self) -> Model:
        return self.readout.model

    @property
    def x(self) -> Tensor:
        return self.readout.x

    @property
    def target(self) -> Target:
        return self.readout.target

    def remembered(self, key: Any, make: Callable[[], T]) -> T:
        """The value of this key, made at the first request: shared by all methods and metrics."""
        if key not in self.memory:
            self.memory[key] = make()
        found: T = self.memory[key]
        return found

    @cached_property
    def classes(self) -> Tensor | None:
        """The class that is evaluated, per sample: that of the target, else the predicted one. None without classes."""
        scores = class_scores(self.output)
        if scores is None:
            return None
        for weight, term in self.target.terms:
            if weight > 0 and term.at is None and isinstance(term, OfClass) and term.index is not None:
                index = term.index if isinstance(term.index, tuple) else (term.index,) * len(self)
                return torch.tensor(index, device=scores.device) % scores.shape[1]
        return scores.argmax(1)

    def probabilities(self, output: Tensor) -> Tensor | None:
        """Of every class, with shape (n, classes), as the model says them; None where there are none."""
        scores = class_scores(output)
        return None if scores is None or self._link == "none" else probabilities(scores, self._link)

    @cached_property
    def _link(self) -> str:
        """Decided once, by the outputs of the samples themselves: it must not depend on what is run in one batch."""
        known, scores = self.model.links.get(""), class_scores(self.output)
        return known or ("identity" if scores is not None and are_probabilities(scores) else "softmax")


def question(model: Model, x: Tensor, target: Target, **how: Any) -> Question:
    """The question with names and predictions resolved on x itself.

    Arguments:
        how: What else a `Question` holds: masks, seed, floor, ceiling.

    Raises:
        InputError: x holds NaN or infinity, or the masks do not fit.
        ModelError: the output is not finite, or rows of a batch influence one another.
        TargetError: the target does not name one number per sample of this output.
    """
    check_finite(x)
    if not rows_are_apart(model, x):
        raise ModelError(
            f"an evaluation of {len(x)} rows of {model.name}", "rows that influence one another",
            "metrics change one sample and compare its score with what it was, whatever else is in the batch",
            "Let one sample be the whole batch: pl.evaluate(lambda whole: model(whole[0])[row][None], x[None]).",
        )  # fmt: skip
    whole = isinstance(model.module, torch.fx.GraphModule)  # exported programs may take batches of one size alone
    pieces = [
        forward_values(model, piece, (*target.addresses, None)) for piece in torch.split(x, len(x) if whole else batch_size(x))
    ]
    values = {at: torch.cat([piece[at] for piece in pieces]) for at in pieces[0]}
    output = values[None]
    if not output.isfinite().all():
        do = "Check weights and input scale."
        raise ModelError("An evaluation", "an output that is not finite", "scores cannot be compared with it", do)
    readout = Readout(model, x, target.resolve(lambda at: values[at], model))
    made = Question(readout, output, readout.read(values, range(len(x))), **how)
    return made if made.masks is None else _check_masks(made)


def _check_masks(made: Question) -> Question:
    masks, x = torch.as_tensor(made.masks), made.x
    places = x.shape[2:] if x.dim() > 2 else x.shape[1:]
    if masks.shape != (len(x), *places):
        hint = ", or say channels=-1 if the channels come last" if masks.shape == x.shape[:-1] else ""
        raise InputError(
            "An evaluation with masks", f"masks of shape {tuple(masks.shape)}, and samples of shape {tuple(x.shape[1:])}",
            "a mask has one value per place of a sample",
            f"Give shape {(len(x), *places)}{hint}.",
        )  # fmt: skip
    return replace(made, masks=masks.bool().to(x.device))


def class_scores(output: Tensor) -> Tensor | None:
    """One score per class, with shape (n, classes): of maps the mean over places; None where there are no classes."""
    if output.dim() < 2 or output.shape[1] < 2:
        return None
    return output.flatten(2).mean(2) if output.dim() > 2 else output


@dataclass(frozen=True, eq=False)
class Answer:
    """The map of a method for a question.

    Arguments:
        values: One number per entry of the samples, shaped like them.
        signed: Whether negative values are evidence against the target.
        shared: Whether the channels of a place share one value.
        method: The method, to explain again; None where there are the values alone.
    """

    values: Tensor
    signed: bool = True
    shared: bool = False
    method: Method | None = None

    @staticmethod
    def of(e: Explanation, method: Method | None = None) -> Answer:
        """The answer of an explanation.

        Raises:
            InputError: it is about a value inside the model.
        """
        if e.at is not None:
            raise InputError(
                f"The score of {e.method}", f"an explanation in terms of {e.at}", "metrics need a value per entry of the input",
                "Explain without `at`.",
            )  # fmt: skip
        return Answer(e.values, e.signed, e.shared, method)

    def heat(self) -> Tensor:
        """One number per place, with shape (sample, *places), double: the sum over channels, or the value they share."""
        values = self.values.double()
        if values.dim() < 3:
            return values
        return values.mean(1) if self.shared else values.sum(1)

    @property
    def finite(self) -> list[bool]:
        """Per sample, whether all values are finite."""
        found: list[bool] = self.values.flatten(1).isfinite().all(1).tolist()
        return found


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a metric, one number per sample; NaN where it is not defined.

    Arguments:
        values: With shape (sample,), double, on the CPU; so are the others.
        forwards: How many samples went through the model for it, without those that earlier metrics had run.
        floor: What random orders reach.
        ceiling: What the best order reaches.
        reliability: R-OMS, the model's confidence while regions are removed at random, in [0, 1].
        notes: Sentences that a reader has to know.
    """

    values: Tensor
    forwards: int = 0
    floor: Tensor | None = None
    ceiling: Tensor | None = None
    reliability: Tensor | None = None
    notes: tuple[str, ...] = ()


class Metric(Protocol):
    """Anything that scores explanations; see the top of this file.

    Attributes:
        name: As tables show it.
        higher: Whether higher scores are better.
        needs: What it uses, see above.
    """

    @property
    def name(self) -> str: ...
    @property
    def higher(self) -> bool: ...
    @property
    def needs(self) -> Need: ...

    def score(self, question: Question, answer: Answer) -> Scores:
        """The score of every sample.

        Raises:
            PellucidError: it cannot be computed for this question; the table of `evaluate` then shows the message.
        """


Compat = Literal["quantus-0.6"]


def check_compat(name: str, compat: str | None) -> None:
    """Refuse unknown libraries.

    Raises:
        MethodError: it is neither None nor "quantus-0.6".
    """
    if compat not in (None, "quantus-0.6"):
        raise MethodError(
            f"{name} with compat={compat!r}", "an unknown library", "the published definition is the default",
            'Leave it out, or give "quantus-0.6".',
        )  # fmt: skip
