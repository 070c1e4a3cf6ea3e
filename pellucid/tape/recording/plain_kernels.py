"""Plain kernels: while recording, fused paths are off, so that every model is made of the same few operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def plain_kernels() -> Iterator[None]:
    """No autograd, no inference mode, no fused attention; all settings, and the random state, are as before afterwards."""
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.inference_mode(False), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), torch.random.fork_rng(_devices()):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)


def _devices() -> range:
    """The devices, besides the CPU, whose random state could be in use."""
    return range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)  # type: ignore[no-untyped-call]
