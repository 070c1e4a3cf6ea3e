"""Head: a model's main output, what its numbers are, and the operation that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pellucid.model.final_activation import FinalActivation
from pellucid.tape import Op, Tape
from pellucid.tape.seed import find_output, main_output

# By the activation that ends a model: what its numbers then are.
ENDS = {"softmax": "probabilities", "log-softmax": "log-probabilities", "sigmoid": "sigmoids", "log-sigmoid": "log-sigmoids"}
ADVICE = {
    "probabilities": "a softmax is built in: the scores before it are explained; pl.probability(class) explains what it returns",
    "log-probabilities": "a log-softmax is built in: each class counts against all others",
    "sigmoids": "a sigmoid is built in: the scores before it are explained; pl.probability(class) explains what it returns",
}


@dataclass(frozen=True)
class Head:
    """What comes out.

    Arguments:
        shape: Of the main output.
        classes: How many classes there are: 0 where the output is one number per sample.
        end: "scores", "probabilities", "log-probabilities", "sigmoids" or "log-sigmoids".
        made_by: The operation that made it: "addmm in fc"; empty where it could not be followed.
        main: Its name among several outputs; empty where it is the only one.
        others: The names of the others.
    """

    shape: tuple[int, ...]
    classes: int
    end: str
    made_by: str
    main: str = ""
    others: tuple[str, ...] = ()

    def sentence(self) -> str:
        """All of it, for a person."""
        made = f", made by {self.made_by}" if self.made_by else ""
        what = _what(self)
        advice = f" ({ADVICE[self.end]})" if self.end in ADVICE else ""
        named = f"`{self.main}` of {len(self.others) + 1} outputs: " if self.main else ""
        return f"{named}{what}{made}{advice}"


def head(output: Any, tape: Tape | None, ending: FinalActivation | None = None) -> Head:
    """The main output of a model, from what it returned and what ran.

    Arguments:
        ending: The activation that ends it.
    """
    value = main_output(output)
    main, others = _names(output, value)
    shape = tuple(value.shape)
    classes = shape[1] if len(shape) > 1 and shape[1] > 1 else 0
    maker = None if tape is None else _maker(tape)
    end = "scores" if ending is None else ENDS[ending.kind]
    return Head(shape, classes, end, "" if maker is None else maker.place, main, others)


def _what(head: Head) -> str:
    if not head.classes:
        kind = {"sigmoids": ", a probability", "log-sigmoids": ", the logarithm of a probability"}.get(head.end, "")
        return f"one number per sample{kind}" if len(head.shape) < 3 else f"values of shape {head.shape}"
    places = head.shape[2:]
    over = f" at each of {' x '.join(map(str, places))} places (a target names some: pl.mask, pl.box)" if places else ""
    return f"{head.end} of {head.classes} classes{over}"


def _maker(tape: Tape) -> Op | None:
    """The operation that made the output, not counting those that only move it about."""
    makers = {id: op for op in tape.ops for id in op.outs if id is not None}
    op = makers.get(find_output(tape))
    while op is not None and op.kind == "route" and op.ins:
        op = makers.get(op.ins[0])
    return op


def _names(output: Any, value: Tensor) -> tuple[str, tuple[str, ...]]:
    if isinstance(output, dict):
        items = [(str(name), item) for name, item in output.items() if item is not None]
    else:
        items = [(str(n), item) for n, item in enumerate(output)] if isinstance(output, (tuple, list)) else []
    main = next((name for name, item in items if item is value), "")
    others = tuple(name for name, _ in items if name != main)
    return (main, others) if others else ("", ())
