"""Settings of the process, memory allocator and threads: set by our own processes alone, never on import."""

from __future__ import annotations

import ctypes
import os
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # as in glibc's malloc.h


def configure() -> None:
    """Set up threads and memory for computing; to be called before PyTorch is imported.

    Threads that wait for one another sleep instead of spinning: on two cores that others keep busy, three explanations by
    EfficientNet-Lite0 took 5 seconds instead of 15 to 55. And memory that one operation frees is kept for the next: by default
    glibc maps and unmaps every large tensor anew, which costs about a tenth of the time at batch 1.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, 1 << 30)
            mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
