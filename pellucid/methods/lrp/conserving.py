"""The conserving composite: every layer passes on all the relevance it receives; and how it is fitted to a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.model.where import Where
from pellucid.tape import Op, Ref, Tape
from pellucid.tape.lines import lines, part_of_batch
from .composite import Composite, base, reads_picture
from .recurrent import fit_recurrent
from .rule import WEIGHTED
from .rules import Epsilon, Gamma, Norm, Pass, ZBox


def Conserving(*, gamma: float = 0.25, eps: float = 1e-9) -> Composite:
    """Relevance that arrives: gamma between the layers, epsilon at the last one, z-box at pixels, and what biases keep is handed
    on.

    The share of the biases goes to those inputs of their layer that got relevance of its sign, in proportion to it: every layer
    hands on all it has, and negative relevance stays negative. Sums share by magnitude, which cannot enlarge
    anything.
    """
    entries = (
        (Where(op=WEIGHTED, position="last"), Epsilon(eps, bias="share", silent="share")),
        (Where(op="convolution", position="first"), ZBox(eps=eps, silent="share")),
        (Where(op=WEIGHTED), Gamma(gamma, eps, "share", "share")),
        (Where(op=("sum", "pool")), Norm(eps, by="magnitude", silent="spread")),
        (Where(op="transform"), Epsilon(eps, bias="share", silent="share")),
        (Where(op="shift"), Pass()),
        *base(eps),
    )
    return Composite(entries, "lrp.conserving")


@dataclass(frozen=True)
class FittedConserving(Composite):
    """`Conserving`, fitted to what ran: what `lrp` alone takes for networks without attention, and its name for any network."""

    name: str = "lrp.conserving"

    def choose(self, tape: Tape, ops: Sequence[Op]) -> Composite:
        return fitted(tape, ops)


def fitted(tape: Tape, ops: Sequence[Op]) -> Composite:
    """`Conserving` for this network: which dense layers end it, and whether its input is a picture."""
    last, box, *rest = Conserving().entries
    pixels = [box] if reads_picture(tape) else []
    each = lines(tape, ops)
    ends = [final_dense(tape, line) for line in each]
    if len(each) == 1:  # by position, so that a reader sees which
        final = [(Where(op="dense", position=-2 - n), last[1]) for n in reversed(range(len(ends[0])))]
        return fit_recurrent(Composite((*final, last, *pixels, *rest), "lrp.conserving"), ops)
    known = tuple((op.index, last[1]) for end in ends for op in end)
    return fit_recurrent(Composite((last, *pixels, *rest), "lrp.conserving", fitted=known), ops)


def final_dense(tape: Tape, ops: Sequence[Op]) -> list[Op]:
    """The dense layers but the last of those that end the network, where a sample is one row.

    They end where a norm of its own stands between two of them: what it shifts has both signs, and epsilon enlarges relevance
    without bound where such contributions cancel (66 times the score on a VGG16 of tumours).
    """
    tail: list[Op] = []
    for op in reversed(ops):
        row = op.kind == "dense" and not op.part and _is_row(tape, op)
        if (op.kind in WEIGHTED and not row) or (tail and op.kind in ("shift", "scale", "norm")):
            break
        tail += [op] if row else []
    return tail[:0:-1]


def _is_row(tape: Tape, op: Op) -> bool:
    """Whether each sample that an operation ran for is a row of what it made; not a column, as with a weight on the left.

    A number per sample, as a matrix times a vector makes them, is a row of one.
    """
    samples, (x, *_) = part_of_batch(tape, op), op.ins
    made, read = tape.values[op.out].shape, tape.values[x].shape
    count = tape.samples if samples is None else len(samples)
    rows = made[:-1] if len(made) == len(read) else made
    return (rows == (count,) and op.args[-2] == Ref(x)) or (count == 1 and rows == ())
