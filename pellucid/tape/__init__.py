"""What happened in one forward pass: the operations that ran, and the values they made."""

from .local import LocalOp as LocalOp
from .op import Affine as Affine, Op as Op, Ref as Ref, Tape as Tape, Value as Value
from .recording.record import record as record
from .rewrite import Attention as Attention, attentions as attentions, opened as opened, rewrite as rewrite
from .seed import Aim as Aim, aim as aim, find as find
from .walk import path as path, walk as walk
