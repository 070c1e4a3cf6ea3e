"""Rewrites of a tape: the same pass in fewer and clearer operations, for rules of relevance. Recording is elsewhere."""

import torch

from ..op import Tape
from .activation import chain as chain
from .affine import constant_affine as constant_affine, fold as fold
from .attention import Attention as Attention, attentions as attentions, open_attention as open_attention
from .gates import gate as gate
from .mixture import mix as mix
from .norms import norms as norms
from .parts import parts as parts
from .wide import widen as widen


@torch.no_grad()
def rewrite(tape: Tape) -> Tape:
    """All rewrites that relevance propagation uses; each reads the result of the one before it."""
    if tape.traced is not None:
        return tape.traced.rewritten  # type: ignore[no-any-return]
    return parts(mix(gate(chain(fold(widen(norms(tape)))))))
