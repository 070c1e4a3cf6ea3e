"""Methods of one gradient: gradient, saliency, sensitivity, gradient x input. They explain how the target would change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from pellucid.explanation.attribution import Attribution
from pellucid.explanation.ledger import Row
from pellucid.explanation.passes import Passes
from pellucid.methods.conditional_relevance import conditional_target, propagate_conditional
from pellucid.methods.several_targets import Seeded, carry_each, seeded
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import Tape, chain_rule, check_branches, find, record, resolve_target, walk
from pellucid.target import Target
from pellucid.target.conditioning import Conditioning


@dataclass(frozen=True)
class OfGradient(ABC):
    """A method that makes one number per entry from the gradient there, and from the entry itself.

    Arguments:
        only: Conditions that the gradient has to pass on its way; each passage makes a map of its own.
    """

    name: ClassVar[str]
    signed: ClassVar[bool]
    per_token: ClassVar[str] = "sum"  # what becomes of the entries of a token's vector, see `pellucid.tape.token_inputs`
    only: tuple[Conditioning, ...] = ()

    @abstractmethod
    def weigh(self, gradient: Tensor, x: Tensor) -> Tensor:
        """The values from the gradient and x, both shaped like the value explained."""

    def attribute(self, model: Model, x: Tensor, target: Target, at: str | Where | None = None) -> Attribution:
        """The values at the input, or at the value `at`, from one forward and one backward pass."""
        tape = record(model, x)
        resolved = resolve_target(tape, target, model)
        end = tape.inputs[0] if at is None else find(tape, at)
        place = tape.value(end)
        lost = check_branches(tape, resolved.gradients, end, slopes=True)
        rows, many = conditional_target(tape, resolved, self.only, end), max(1, len(self.only))
        if self.only:
            gradient, _ = propagate_conditional(tape, resolved.gradients, self.only, end, _segment)
            place = place.repeat_interleave(many, 0) if many > 1 else place
        else:
            arrived = walk(tape, resolved.gradients, chain_rule, ends=(end,)).get(end)
            gradient = x.new_zeros(place.shape) if arrived is None else arrived
        values = self.weigh(gradient, place)
        return Attribution(
            values, rows.score, rows.target, resolved.output, forwards=(1 + many) * len(x), through=rows.through, lost=lost
        )

    def passes(self, model: Model, x: Tensor, target: Target) -> Passes:
        """How often it is about to run the network."""
        return Passes(len(x), max(1, len(self.only)) * len(x))

    def attribute_each(self, model: Model, x: Tensor, targets: Sequence[Target]) -> list[Attribution] | None:
        """The values at the input for several targets of one sample, from one forward pass."""
        if self.only:
            return None
        tape = record(model, x)
        end, begun = tape.inputs[0], list[Seeded]()
        lost = check_branches(tape, resolve_target(tape, targets[0], model).gradients, end, slopes=True)

        def seeds() -> Iterator[tuple[Tape, dict[int, Tensor]]]:
            for target in targets:  # one after the other: a row of scores may be as wide as a vocabulary
                one = seeded(tape, target, model)
                begun.append(replace(one, tape=tape, resolved=replace(one.resolved, gradients={})))
                yield one.tape, one.resolved.gradients

        carried = carry_each(tape, seeds(), end, lambda tape, starts, goal, _: _segment(tape, starts, goal))
        return [
            Attribution(
                self.weigh(found.values, tape.value(end)), one.resolved.score, one.target, one.output, forwards=1 + (n == 0),
                lost=lost,
            )
            for n, (one, found) in enumerate(zip(begun, carried, strict=True))
        ]  # fmt: skip


def _segment(tape: Tape, starts: dict[int, Tensor], goal: int) -> tuple[Tensor | None, tuple[Row, ...]]:
    """The chain rule between two values."""
    return walk(tape, starts, chain_rule, ends=(goal,), keep=True).get(goal), ()


@dataclass(frozen=True)
class Gradient(OfGradient):
    """The gradient of the target: df / dx_i, signed.

    It says in which direction each entry would have to change to raise the score fastest; not which entries the score is made of.

    References: Simonyan et al., 2013, Deep inside convolutional networks, https://doi.org/10.48550/arXiv.1312.6034
    """

    name = "gradient"
    signed = True
    per_token = "length"

    def weigh(self, gradient: Tensor, x: Tensor) -> Tensor:
        return gradient


@dataclass(frozen=True)
class Saliency(OfGradient):
    """The size of the gradient: abs(df / dx_i).

    References: Simonyan et al., 2013, https://doi.org/10.48550/arXiv.1312.6034. The paper takes the largest over colour channels;
        we keep all channels, and pictures show their sum.
    """

    name = "saliency"
    signed = False
    per_token = "length"

    def weigh(self, gradient: Tensor, x: Tensor) -> Tensor:
        return gradient.abs()


@dataclass(frozen=True)
class Sensitivity(OfGradient):
    """Sensitivity analysis: (df / dx_i)^2. It decomposes the squared length of the gradient: the variation of the score, not the
    score.

    References: Montavon et al., 2018, Methods for interpreting and understanding deep neural networks, Eq. 6,
        https://doi.org/10.1016/j.dsp.2017.10.011
    """

    name = "sensitivity"
    signed = False

    def weigh(self, gradient: Tensor, x: Tensor) -> Tensor:
        return gradient.square()


@dataclass(frozen=True)
class GradientXInput(OfGradient):
    """x_i df / dx_i. On a network of ReLUs without biases it sums to the score, and equals LRP-0.

    References: Shrikumar et al., 2016, Not just a black box, https://doi.org/10.48550/arXiv.1605.01713
    """

    name = "gradient_x_input"
    signed = True

    def weigh(self, gradient: Tensor, x: Tensor) -> Tensor:
        return gradient * x
