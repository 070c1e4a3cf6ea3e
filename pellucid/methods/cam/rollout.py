"""Attention rollout: attention weights multiplied through the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pellucid.tape.attention import TokenAttention, by_head
from pellucid.tape.seed import ResolvedTarget
from .attention_flow import OfAttention


@dataclass(frozen=True)
class AttentionRollout(OfAttention):
    """Attention rollout: the rows that the target reads of A_L ... A_2 A_1, each A = rownorm(mean over heads of weights + I).

    The identity stands for the residual connection. It does not read the target, except for which tokens it reads.

    Arguments:
        heads: How heads are joined: their "mean", as published, or the "max" or "min" of every weight.

    References: Quantifying attention flow in transformers (Abnar and Zuidema, 2020), Section 3,
        https://doi.org/10.18653/v1/2020.acl-main.385
    """

    heads: Literal["mean", "max", "min"] = "mean"

    name = "attention_rollout"

    @property
    def notes(self) -> tuple[str, ...]:
        return ("Blind to the target: it shows where attention went.",)

    def follow(self, attention: TokenAttention, resolved: ResolvedTarget, start: Tensor) -> Tensor:
        row = start
        for layer in reversed(attention.layers):
            A = by_head(attention.tape, layer.weights, attention.tape.value(layer.weights)).to(row.dtype)
            A = A.mean(1) if self.heads == "mean" else A.amax(1) if self.heads == "max" else A.amin(1)
            A = A + torch.eye(attention.count, dtype=A.dtype, device=A.device)
            row = torch.einsum("bq,bqk->bk", row, A / A.sum(2, keepdim=True))
        return row
