"""What happened in one forward pass: the operations that ran, and the values they made."""

from .local import LocalOp
from .op import Affine, Op, Ref, Tape, Value
from .recording.record import record
from .rewrite import Attention, attentions, opened, rewrite
from .seed import Aim, aim, find
from .walk import path, walk

__all__ = [
    "Affine",
    "Aim",
    "Attention",
    "LocalOp",
    "Op",
    "Ref",
    "Tape",
    "Value",
    "aim",
    "attentions",
    "find",
    "opened",
    "path",
    "record",
    "rewrite",
    "walk",
]
