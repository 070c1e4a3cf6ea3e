"""TorchScript: scripted and traced modules in memory, and files, which can run code when they are opened."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from ..model import Model
from .weights import damaged


def from_object(module: torch.jit.ScriptModule) -> Model:
    """A module that was scripted or traced here."""
    return Model(module, str(module.original_name), "TorchScript module", module)


def load(path: Path) -> Model:
    """The module in a trusted file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is old, and so are the files people have
            module = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise damaged(path, error) from None
    return Model(module, path.stem, f"TorchScript file {path.name}, trusted by the user", module)
