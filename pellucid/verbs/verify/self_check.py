"""SelfCheck: the part of verification that every explanation runs by itself, once per network and kind of input.

It takes two or three forward passes: a plain call, whose answer has to be the one that is explained, and one beside the input,
where the output has to have moved along the slopes of the tape, or else on the other side of it, since a kink may lie on one.
Only where it has not is the network measured with several steps.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from pellucid.core.draws import draws
from pellucid.errors import NoRule, ThreadLost, VerificationError
from pellucid.explanation.attribution import Attribution
from pellucid.tape import Tape, check_branches, kinds
from pellucid.tape.independence import plain_answer
from pellucid.tape.recording.record import observing
from pellucid.tape.seed import find_output
from ..inputs import Batch
from . import slopes
from .own_output import distance

ROUNDING = 1e-3  # of the largest entry of an output: by more two ways to compute it do not differ
OUTPUT, SLOPES = "output", "slopes"
OTHER = 20261  # a seed whose random numbers an explanation does not get
OFF = "verify=False turns this check off."

Finding = tuple[str, str, str] | str | None
"""An error's last three parts, a doubt in a sentence, or nothing."""

_findings: WeakKeyDictionary[Any, dict[Hashable, Finding]] = WeakKeyDictionary()
_lock = Lock()


@dataclass(eq=False)
class SelfCheck:
    """The checks beside one explanation.

    Arguments:
        batch: What is explained.
        method: By what, for messages.
        inside: Whether a value inside the network is explained by.
        on: Whether anything is checked.
        strict: Whether a branch that cannot be followed is an error.
    """

    batch: Batch
    method: str
    inside: bool = False
    on: bool = True
    strict: bool = False
    _observed: bool = field(default=False, init=False)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """A block in which the first tape that is recorded is checked against the network.

        Raises:
            VerificationError: the network moves by other slopes.
        """
        if not self.on:
            yield
            return
        with observing(self._observe):
            yield

    def checked(self, attribution: Attribution, number: int | None = None) -> Attribution:
        """The attribution, with what is doubtful about it, of one sample or of all.

        Raises:
            VerificationError: the network gives another answer to the input as it was given.
            NoRule: a branch could not be followed, and `strict`.
        """
        if self.strict and attribution.lost:
            raise NoRule(
                f"strict=True: all of `{self.method}`", attribution.lost[0], "part of what the model does is not in the map",
                'Leave out strict=True for the rest of it, or take a method that only runs the model, such as "occlusion".',
            )  # fmt: skip
        if not self.on:
            return attribution
        altered = number is not None and bool(self.batch.texts) and self.batch.altered(number)
        findings = [self._once(OUTPUT, lambda: self._output(attribution, number), again=altered)]
        if self._observed:
            findings.append(self._once(SLOPES, lambda: None))
        doubts = tuple(found for found in findings if isinstance(found, str))
        return replace(attribution, warnings=(*attribution.warnings, *doubts)) if doubts else attribution

    def _output(self, attribution: Attribution, number: int | None) -> Finding:
        """The network's own answer against the one that was explained."""
        try:
            own = self._own(number)
            if draws(self.batch.model) is not False:
                own = self.batch.own_output(number, seed=OTHER)
        except Exception:  # as where a network takes no text of that length, though its parts can be explained
            return None
        bound = max(ROUNDING, 30 * slopes.precision(attribution.output))
        off = distance(self.batch, own, attribution.output, number)
        if off <= bound:
            return None
        if distance(self.batch, self.batch.own_output(number), attribution.output, number) <= bound:
            return f"The network draws random numbers: another call's output is {off:.0%} apart, and this explains one draw."
        return (
            f"an output that is {off:.2g} of its largest entry away from the network's own for this input",
            "another answer than the network's would be explained", f"pl.verify(model, x) says what differs. {OFF}",
        )  # fmt: skip

    def _own(self, number: int | None) -> Any:
        """The network's own answer, which may be known from a comparison of rows or variants."""
        if self.batch.texts or number is not None:
            return self.batch.own_output(number)
        known = plain_answer(self.batch.model, self.batch.x)
        return self.batch.own_output() if known is None else known

    def _observe(self, tape: Tape, model: Any, inputs: tuple[Tensor, ...]) -> None:
        if not self._observed:
            self._observed = True
            with observing():
                self._once(SLOPES, lambda: _slopes(tape, model, inputs, self.batch))

    def _once(self, what: str, measure: Callable[[], Finding], *, again: bool = False) -> Finding:
        """What is found, or was when this network met such an input before.

        Raises:
            VerificationError: a map would be wrong.
        """
        kind, known = (what, self._kind), _known(self.batch.model.network)
        found = known[kind] if kind in known and not again else measure()
        known[kind] = found
        if isinstance(found, tuple):
            raise VerificationError(f"`{self.method}` of {self.batch.model.name}", *found)
        return found

    @property
    def _kind(self) -> Hashable:
        x, keywords = self.batch.x, () if self.batch.keywords is None else tuple(self.batch.keywords.values)
        shape = x.shape[1:] if x.is_floating_point() else x.dim()
        return x.dtype, shape, keywords, self.inside


def _slopes(tape: Tape, model: Any, inputs: tuple[Tensor, ...], batch: Batch) -> Finding:
    """The output beside the input against where the tape's slopes lead; where it is not there, with several steps."""
    if not all(x.is_floating_point() for x in inputs):
        return None
    if _known_to_be_lost(tape):
        return None  # the method says so, if it carries slopes
    try:
        along = [slopes.direction(x, "self-check") for x in inputs]
        read = read_places(batch)
        doubtful = slopes.suspicious(model, inputs, tape, along, rows=len(batch.x), places=read)
        found = slopes.measure(model, inputs, read) if doubtful else None
    except Exception:  # a network may refuse numbers that it was not made for
        return None
    if found is None or found.holds is not False:
        return None
    if found.detached:
        return (
            f"The network detaches part of what it computes: slopes and relevance leave that out, {found.gap:.0%} of the slope."
        )
    return (
        f"that its output moves by other slopes than those of what was recorded, {found.gap:.0%} apart",
        "part of what the input does to the output is not followed, or has no derivative, and the map would leave it out",
        f"Take a method that only runs the network, such as occlusion or shapley; pl.verify(model, x) says more. {OFF}",
    )  # fmt: skip


def read_places(batch: Batch) -> Tensor | None:
    """Which places of the first text a mask lets the network read: what it returns at others is of no meaning to anybody."""
    mask = None if batch.keywords is None or not batch.texts else batch.keywords.values.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.shape != batch.x.shape:
        return None
    return mask[0, batch.texts[0].places] != 0


def _known(network: Any) -> dict[Hashable, Finding]:
    """What was found of a network; of what cannot be held weakly, as built-in functions, nothing is remembered."""
    try:
        with _lock:
            return _findings.setdefault(network, {})
    except TypeError:
        return {}


def _known_to_be_lost(tape: Tape) -> bool:
    """Whether the tape itself shows where a branch cannot be followed by slopes, or where steps have those of a line."""
    if any(op.name in kinds.STRAIGHT_THROUGH for op in tape.ops):
        return True
    try:
        lost = check_branches(tape, (find_output(tape),), tape.inputs[-1], slopes=True)
        return bool(lost) and not tape.numbers  # of what left as numbers only measuring says whether the model computes with it
    except ThreadLost:
        return True
