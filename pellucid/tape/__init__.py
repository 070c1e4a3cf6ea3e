"""Tapes: the operations of one forward pass and the values they made, recorded, rewritten, walked backwards and replayed.

What relevance an operation hands on is decided by rules, in `methods/lrp`; forward passes without a tape are in `forward.py`.
"""

from .branches import check_branches as check_branches
from .local import LocalOp as LocalOp
from .op import Affine as Affine, Op as Op, Ref as Ref, Tape as Tape, Value as Value
from .recording.record import record as record
from .rewrite import Attention as Attention, attentions as attentions, open_attention as open_attention, rewrite as rewrite
from .seed import (
    ResolvedTarget as ResolvedTarget,
    find as find,
    name_target as name_target,
    read_alone as read_alone,
    resolve_target as resolve_target,
)
from .walk import chain_rule as chain_rule, path as path, walk as walk
