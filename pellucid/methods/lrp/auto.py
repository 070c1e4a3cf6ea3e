"""`lrp` alone: the composite that fits what ran, and a sentence that says which and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.model.where import Where
from pellucid.tape import Attention as Found
from pellucid.tape import Op, Tape, attentions
from .composite import Composite, Entry
from .presets import LINEAR, Attention, Conserving
from .recurrent import remembering
from .rule import Rule
from .rules import Norm, ZBox

EPS = 1e-9


@dataclass(frozen=True)
class Auto(Composite):
    """`lrp` alone looks at what ran, never at what a class is called, and says what it chose.

    * Where attention weighs values: AttnLRP, with sums that share by magnitude, and biases that hand on what they keep, as in
      `Conserving`. Measured on small transformers, that tells as well as gamma everywhere, at half the price.
    * Elsewhere (convolutional, dense and recurrent networks, mixers): `Conserving`. In recurrent cells the signal takes all.

    Pixels, where the first linear operation of a picture is a convolution, take the z-box. The dense layers that end a network,
    where a sample is one row, take the epsilon rule, as published composites have it; dense layers that work at every position
    (of a map, of a sequence) are convolutions in all but name.
    """

    name: str = "lrp"

    def choose(self, tape: Tape, ops: Sequence[Op]) -> Composite:
        found = heard(tape, ops)
        if found:
            return attending(tape, found)
        composite, reason = conserving(tape, ops), f"`lrp` chose lrp.conserving because it found {_told(ops)}."
        return replace(composite, notes=(reason, *composite.notes))


@dataclass(frozen=True)
class FittedConserving(Composite):
    """`Conserving`, fitted to what ran: what `lrp` alone takes for networks without attention, and its name for any network."""

    name: str = "lrp.conserving"

    def choose(self, tape: Tape, ops: Sequence[Op]) -> Composite:
        return conserving(tape, ops)


def heard(tape: Tape, ops: Sequence[Op]) -> list[Found]:
    """The attentions on the way from the input to the target."""
    path = {op.index for op in ops}
    return [attention for attention in attentions(tape) if attention.mix.index in path]


def conserving(tape: Tape, ops: Sequence[Op]) -> Composite:
    """`Conserving` for this network: which dense layers end it, and whether its input is a picture."""
    last, box, *rest = Conserving().entries
    pixels = [box] if pictured(tape) else []
    chosen = Composite((*ending(tape, ops, last[1]), last, *pixels, *rest), "lrp.conserving")
    return remembering(chosen, ops)


def attending(tape: Tape, found: Sequence[Found]) -> Composite:
    """AttnLRP, for networks with attention."""
    chosen = Attention(eps=EPS, bias="share", silent="share")
    box: list[Entry] = [(Where(op="convolution", position="first"), ZBox(eps=EPS, silent="share"))] if pictured(tape) else []
    bounded = (
        (Where(op=("sum", "pool")), Norm(EPS, by="magnitude", silent="spread")),
        (Where(op="shift"), Norm(EPS, by="magnitude")),
    )
    entries = (*box, *bounded, *chosen.entries)
    keys = max(attention.keys for attention in found)
    often = "once" if len(found) == 1 else f"{len(found)} times"
    return noted(
        replace(chosen, entries=entries),
        f"`lrp` chose lrp.attention because it found attention over {keys} positions, {often}"
        + (f", first in {found[0].mix.module}." if found[0].mix.module else "."),
    )


def ending(tape: Tape, ops: Sequence[Op], rule: Rule) -> list[Entry]:
    """An entry for each dense layer but the last of those that end the network, where a sample is one row.

    They end where a norm of its own stands between two of them: what it shifts has both signs, and epsilon enlarges relevance
    without bound where such contributions cancel (66 times the score on a VGG16 of tumours).
    """
    tail = 0
    for op in reversed(ops):
        row = op.kind == "dense" and not op.part and tape.values[op.out].shape[:-1] == (tape.samples,)
        if (op.kind in LINEAR and not row) or (tail and op.kind in ("shift", "scale", "norm")):
            break
        tail += row
    return [(Where(op="dense", position=-1 - n), rule) for n in range(tail - 1, 0, -1)]


def pictured(tape: Tape) -> bool:
    """Whether the input is a picture."""
    return len(tape.values[tape.inputs[0]].shape) == 4


def noted(composite: Composite, sentence: str) -> Composite:
    return replace(composite, notes=(*composite.notes, sentence))


def _told(ops: Sequence[Op]) -> str:
    """What a network without attention is made of."""
    kinds = {op.kind for op in ops}
    if "convolution" in kinds:
        return "convolutions and no attention"
    if any(op.kind == "gate" and op.name == "mul" for op in ops):
        return "gates, as recurrent cells have them, and no attention"
    return "dense layers and no attention"
