"""Rewrites: Tape -> Tape, the same pass told in fewer and clearer operations."""

import torch

from ..op import Tape
from .activation import chain
from .affine import constant_affine, fold
from .attention import Attention, attentions, opened
from .gates import gate
from .mixture import mix
from .parts import parts
from .wide import widen

__all__ = ["Attention", "attentions", "chain", "constant_affine", "fold", "gate", "mix", "opened", "parts", "rewrite", "widen"]


@torch.no_grad()
def rewrite(tape: Tape) -> Tape:
    """All rewrites that relevance wants, in the order in which they see each other's results."""
    return parts(mix(gate(chain(fold(widen(tape))))))
