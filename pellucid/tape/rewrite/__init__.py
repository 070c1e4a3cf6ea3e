"""Rewrites: Tape -> Tape, the same pass told in fewer and clearer operations."""

import torch

from ..op import Tape
from .activation import chain as chain
from .affine import constant_affine as constant_affine, fold as fold
from .attention import Attention as Attention, attentions as attentions, opened as opened
from .gates import gate as gate
from .mixture import mix as mix
from .parts import parts as parts
from .wide import widen as widen


@torch.no_grad()
def rewrite(tape: Tape) -> Tape:
    """All rewrites that relevance wants, in the order in which they see each other's results."""
    return parts(mix(gate(chain(fold(widen(tape))))))
