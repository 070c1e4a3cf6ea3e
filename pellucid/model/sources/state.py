"""Files of torch.save and safetensors: weights for a network that `builder` makes, or a whole pickled module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from ..model import Model
from . import metadata, weights

Builder = Callable[[], nn.Module]


def safetensors(path: Path, builder: Builder | None) -> Model:
    """Weights in a file that cannot hold anything else."""
    return _filled(path, weights.read_safetensors(path), builder)


def pickle(path: Path, builder: Builder | None, trust: bool) -> Model:
    """What torch.save wrote: weights, read without running code, or a trusted module."""
    content, trusted = weights.read_pickle(path, trust)
    if isinstance(content, nn.Module):
        module = content.eval()
        return metadata.with_metadata(Model(module, path.stem, f"pickled module {path.name}, trusted by the user", module))
    return _filled(path, weights.state(content, path), builder, ", trusted by the user" if trusted else "")


def _filled(path: Path, state: weights.State, builder: Builder | None, remark: str = "") -> Model:
    module = weights.fill(weights.build(builder, path), state, path).eval()
    return metadata.with_metadata(Model(module, path.stem, f"state dict {path.name}{remark}", module))
