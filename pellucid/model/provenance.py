"""Provenance: what it takes to repeat a result: versions, the weights of the model, and when it was made."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from pellucid.core.version import __version__
from .model import Model


def provenance(**question: Any) -> dict[str, Any]:
    """What it takes to repeat a result, as plain data.

    Arguments:
        question: What it is a result of: the model, the method and its options.
    """
    versions = {"pellucid": __version__, "torch": torch.__version__, "python": platform.python_version()}
    return versions | question | {"created": datetime.now(UTC).isoformat(timespec="seconds")}


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
