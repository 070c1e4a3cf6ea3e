"""Where and with what a measurement was made, and how memory is measured."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("pellucid", "torch", "torchvision", "timm", "transformers", "captum", "zennit", "autolrp", "lxt", "hilrp")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
Call = Callable[[], Any]


def versions() -> str:
    """The versions of what took part: "torch 2.13.0, zennit 1.0.0"."""
    return ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)


def _version(name: str) -> str:
    if name == "pellucid":
        return str(__import__(name).__version__)
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def processor() -> str:
    """The processor by name, and how many of its cores there are."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def load() -> str:
    """The mean number of processes that wanted to run in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def keep_freed_memory() -> None:
    """Let glibc keep what tensors free, in place of giving it back to the system and asking for it again at every operation."""
    _allocator(1 << 30)


def return_freed_memory() -> None:
    """Map every tensor apart, so that a peak is what was alive at one time."""
    _allocator(1 << 16)


def _allocator(threshold_bytes: int) -> None:
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(M_MMAP_THRESHOLD, threshold_bytes)
    libc.mallopt(M_TRIM_THRESHOLD, threshold_bytes)


def peak(call: Call, device: str) -> int:
    """The most memory that was in use during a call beyond what was before it, in bytes."""
    gc.collect()
    return _peak_cuda(call) if device == "cuda" else _peak_resident(call)


def _peak_cuda(call: Call) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _peak_resident(call: Call) -> int:
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the high-water mark starts at what is resident now
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))
