"""Layer: a module that ran, and the shape of its output."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.model import Model
from pellucid.tape import Tape

INSIDE = "(the model itself)"


@dataclass(frozen=True)
class Layer:
    """A module that ran, or an operation where there are no modules; its kind, output shape and number of parameters."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int | None


def layers(model: Model, tape: Tape | None) -> tuple[Layer, ...]:
    """The modules that ran, in the order they were defined; of a program without modules, its operations.

    Arguments:
        tape: What ran; None where it could not be followed, and then only the modules are known.
    """
    if tape is None:
        return tuple(Layer(name, kind, (), parameters) for name, kind, parameters in model.layers() if name)
    if not tape.transparent or not tape.returned:
        ops = [op for op in tape.ops if any(o is not None for o in op.outs)]
        return tuple(Layer(op.module or INSIDE, op.name, tape.values[op.out].shape, None) for op in ops)
    ran = {name: tape.values[ids[-1]].shape for name, ids in tape.returned.items()}
    return tuple(Layer(name, kind, ran[name], parameters) for name, kind, parameters in model.layers() if name and name in ran)
