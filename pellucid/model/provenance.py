"""Provenance: which weights a model has."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from .model import Model


def fingerprint(model: Model) -> str | None:
    """A digest of the weights: names, types, shapes and bits; None for what has none."""
    if model.fingerprint is not None or model.module is None:
        return model.fingerprint
    digest = hashlib.sha256()
    for name, tensor in sorted(model.module.state_dict().items()):
        if isinstance(tensor, Tensor):
            bits = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {bits.dtype} {tuple(bits.shape)}".encode())
            digest.update(bits.flatten().view(torch.uint8).numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"
