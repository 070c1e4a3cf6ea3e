"""How much memory is free on this machine."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container; "max" where it has none


def available() -> int | None:
    """Bytes that can be used without swapping, and no more than a container may have; None where the system does not say."""
    return min((size for size in (_free(), _limit()) if size is not None), default=None)


def _free() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _limit() -> int | None:
    try:
        return int(LIMIT.read_text())
    except (OSError, ValueError):
        return None


def in_words(size: float) -> str:
    """A number of bytes.

    Example:
        >>> in_words(1.5 * 2**30), in_words(2**20)
        ('1.5 GB', '0.001 GB')
    """
    gigabytes = size / 2**30
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.05 else f"{gigabytes:.1g} GB"
