"""Architectures with random weights, or with those of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from torch import nn

from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.errors import ModelError
from . import weights
from .reference import SEED, Reference

Builder = Callable[..., nn.Module]


def initialised(build: Builder, **options: int) -> nn.Module:
    """The network with its initial weights, the same every time; the user's random numbers are given back."""
    with drawing_from(DeviceGenerators(SEED)):
        return build(**options).eval()


def with_weights(reference: Reference, build: Builder, trust: bool) -> tuple[nn.Module, str]:
    """The network with the weights of a file, and the file's digest. How many classes there are is seen from its last layer.

    Arguments:
        build: Makes the network; takes `num_classes`.
    """
    path = reference.file
    assert path is not None
    if not path.is_file():
        do = "Check the path; without @ the trained weights of the hub are asked for."
        raise ModelError(f"model {reference}", f"no file {path}", "the weights are read from there", do)
    state = read(path, trust)
    module = initialised(build)
    last, own = list(module.state_dict().items())[-1]
    given = state.get(last)
    if given is not None and given.dim() == own.dim() and given.shape[0] != own.shape[0]:
        module = initialised(build, num_classes=given.shape[0])
    return weights.fill(module, state, path).eval(), digest(path)


def read(path: Path, trust: bool) -> weights.State:
    """The numbers in a file: .safetensors, or what torch.save wrote, read without its code."""
    if path.suffix == ".safetensors":
        return weights.read_safetensors(path)
    content, _ = weights.read_pickle(path, trust)
    return weights.state(content, path)


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
