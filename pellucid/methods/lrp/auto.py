"""`lrp` alone: the composite that fits what ran, and a sentence that says which and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.model.where import Where
from pellucid.tape import Attention as Layer, Op, Tape, attentions
from .attnlrp import Attention
from .composite import Composite, Entry, reads_picture
from .conserving import fitted
from .rules import Epsilon, Norm, ZBox

EPS = 1e-9


@dataclass(frozen=True)
class Auto(Composite):
    """`lrp` alone looks at the operations that ran, never at the names of classes, and notes what it chose.

    * Where attention weighs values: AttnLRP, with sums that share by magnitude, and biases that hand on what they keep, as in
      `Conserving`. Measured on small transformers, it is as faithful as gamma everywhere, at half the cost.
    * Elsewhere (convolutional, dense and recurrent networks, mixers): `Conserving`. In recurrent cells the signal takes all.

    Pixels, where the first linear operation of a picture is a convolution, take the z-box. The dense layers that end a network,
    where a sample is one row, take the epsilon rule, as published composites have it; dense layers that work at every position
    (of a map, of a sequence) are convolutions in all but name.
    """

    name: str = "lrp"

    def choose(self, tape: Tape, ops: Sequence[Op]) -> Composite:
        layers = attentions(tape, ops)
        name, reason = (
            ("lrp.attention", _attention(layers)) if layers else ("lrp.conserving", f"{_layers(ops)} and no attention.")
        )
        composite = fitted_attention(tape) if layers else fitted(tape, ops)
        return replace(composite, notes=(f"`lrp` chose {name} because it found {reason}", *composite.notes))


def fitted_attention(tape: Tape) -> Composite:
    """AttnLRP that conserves, for this network: whether its input is a picture."""
    chosen = Attention(eps=EPS, bias="share", silent="share")
    box: list[Entry] = [(Where(op="convolution", position="first"), ZBox(eps=EPS, silent="share"))] if reads_picture(tape) else []
    bounded = (
        (Where(op=("sum", "pool")), Norm(EPS, by="magnitude", silent="spread")),
        (Where(op="shift"), Norm(EPS, by="magnitude")),
        (Where(op="transform"), Epsilon(EPS, bias="share", silent="share")),
    )
    return replace(chosen, entries=(*box, *bounded, *chosen.entries))


def _attention(layers: Sequence[Layer]) -> str:
    """The attention of a network, in words."""
    often = "once" if len(layers) == 1 else f"{len(layers)} times"
    first = f", first in {layers[0].mix.module}" if layers[0].mix.module else ""
    return f"attention over {max(layer.keys for layer in layers)} positions, {often}{first}."


def _layers(ops: Sequence[Op]) -> str:
    """What a network without attention is made of, in words."""
    if any(op.kind == "convolution" for op in ops):
        return "convolutions"
    if any(op.kind == "gate" and op.name == "mul" for op in ops):
        return "gates, as recurrent cells have them,"
    return "dense layers"
