"""`lrp` alone: the composite that fits what ran, and a sentence that says which and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.model.where import Where
from pellucid.tape import Attention as Layer, Op, Tape, attentions
from .composite import Composite, reads_picture
from .conserving import fitted
from .cp import CP
from .rules import Epsilon, Gamma, Norm, Pass, ZBox

EPS = 1e-9


@dataclass(frozen=True)
class Auto(Composite):
    """`lrp` alone looks at the operations that ran, never at the names of classes, and notes what it chose.

    * Where attention weighs values: CP-LRP, relevance through the values alone, with biases that hand on what they keep, as in
      `Conserving`. Measured on a language model and an encoder that have learned language: it conserves, and no rule is ahead.
    * Elsewhere (convolutional, dense and recurrent networks, mixers): `Conserving`. In recurrent cells the signal takes all.

    Pixels, where the first linear operation of a picture is a convolution, take the z-box. The dense layers that end a network,
    where a sample is one row, take the epsilon rule, as published composites have it; dense layers that work at every position
    (of a map, of a sequence) are convolutions in all but name.
    """

    name: str = "lrp"

    def choose(self, tape: Tape, ops: Sequence[Op]) -> Composite:
        layers = attentions(tape, ops)
        name, reason = ("lrp.cp", _attention(layers)) if layers else ("lrp.conserving", f"{_layers(ops)} and no attention.")
        composite = fitted_attention(tape, ops) if layers else fitted(tape, ops)
        return replace(composite, notes=(f"`lrp` chose {name} because it found {reason}", *composite.notes))


def fitted_attention(tape: Tape, ops: Sequence[Op]) -> Composite:
    """CP-LRP that conserves, for this network: where its sums lie, and whether its input is a picture.

    What is added to a word, its position, is part of the word. Sums of a stream that runs on through the network share by gamma,
    which bounds them; those that are normed at once, which bounds them as well, by value.
    """
    chosen = CP(eps=EPS, bias="share", silent="share")
    box = [(Where(op="convolution", position="first"), ZBox(eps=EPS, silent="share"))] if reads_picture(tape) else []
    rest = (
        (Where(op="sum"), Gamma(0.1, EPS, silent="spread")),
        (Where(op="shift"), Pass()),
        (Where(op="transform"), Epsilon(EPS, bias="share", silent="share")),
    )
    normed = tuple((op.index, Norm(EPS)) for op in normed_sums(tape, ops))
    return replace(chosen, entries=(*box, *rest, *chosen.entries), fitted=normed)


def normed_sums(tape: Tape, ops: Sequence[Op]) -> list[Op]:
    """The sums that nothing but a norm reads and that add no other sum, as in the first transformers: no stream of sums runs past
    their norms.
    """
    readers: dict[int, list[Op]] = defaultdict(list)
    for op in tape.ops:
        for i in op.ins:
            readers[i].append(op)
    sums = {op.out for op in tape.ops if op.kind == "sum"}
    lone = [op for op in ops if op.kind == "sum" and not sums & set(op.ins)]
    return [op for op in lone if readers[op.out] and all(reader.kind == "norm" for reader in readers[op.out])]


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
