"""What every test may rely on: seeded randomness, and torchvision and timm beside a CPU torch."""

from __future__ import annotations

import gc
import os
from importlib.metadata import PackageNotFoundError, version

import pytest
import torch


def declare_torchvision_ops() -> torch.library.Library | None:
    """Name the two operators that torchvision's import refers to, where its CUDA build cannot bring them.

    torchvision on PyPI is compiled against CUDA; beside a CPU torch its extension does not load, and its import then fails on
    operators that nobody declared. Nothing here computes with them.
    """
    try:
        cuda_build = "+" not in version("torchvision")
    except PackageNotFoundError:
        return None
    if torch.version.cuda or not cuda_build:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


TORCHVISION_OPS = declare_torchvision_ops()  # kept: the declaration lives as long as this object


os.environ["PELLUCID_FONTS"] = "bundled"  # pictures are the same on every machine, whatever fonts it has
torch.set_num_threads(1)  # small networks gain nothing from threads, and lose minutes where others want the cores


def pytest_collection_finish() -> None:
    """Tests and their parameters, a million objects, are not looked through again whenever garbage is collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng() -> torch.Generator:
    """A fresh generator with a fixed seed: torch.randn(3, generator=rng)."""
    return torch.Generator().manual_seed(0)
