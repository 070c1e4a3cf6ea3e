"""Chefer's relevance: attention weights times their gradients, accumulated over the layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape.attention import TokenAttention, by_head, gradients_at
from pellucid.tape.seed import ResolvedTarget
from .attention_flow import OfAttention


@dataclass(frozen=True)
class Chefer(OfAttention):
    """Generic attention explainability: R = I, then for each layer R <- R + E R, with E = mean over heads of (dA * A)+.

    A are the weights and dA the derivative of the target with respect to them. This is the later of the two formulas of these
    authors, for self-attention; the earlier one has relevance in place of A, and norms the rows. The identity that R starts with
    is left out of the result: it says that a token the target reads was there, whatever the target is.

    Arguments:
        normalised: Whether layers are multiplied as in rollout, rownorm(E + I), as in the earlier formula.

    References:
        Generic attention-model explainability for interpreting bi-modal and encoder-decoder transformers (Chefer et al., 2021),
        Eq. 5-6, https://doi.org/10.1109/ICCV48922.2021.00045
        Transformer interpretability beyond attention visualization (Chefer et al., 2021), Eq. 13-14,
        https://doi.org/10.1109/CVPR46437.2021.00084
    """

    normalised: bool = False

    name = "chefer"

    def follow(self, attention: TokenAttention, resolved: ResolvedTarget, start: Tensor) -> Tensor:
        gradients = gradients_at(attention, resolved, [layer.weights for layer in attention.layers]) if attention.layers else {}
        row = start
        for layer in reversed(attention.layers):
            A, G = (
                by_head(attention.tape, layer.weights, t) for t in (attention.tape.value(layer.weights), gradients[layer.weights])
            )
            E = (G * A).relu().mean(1).to(row.dtype)
            if self.normalised:
                E = E + torch.eye(attention.count, dtype=E.dtype, device=E.device)
                row = torch.einsum("bq,bqk->bk", row, E / E.sum(2, keepdim=True))
            else:
                row = row + torch.einsum("bq,bqk->bk", row, E)
        return row if self.normalised else row - start
