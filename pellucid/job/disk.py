"""What is on a disk stays there: files that are written whole, a lock against a second run, and files that a killed run left."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pellucid.core.files import write
from pellucid.errors import OutputError

TEMPORARY = re.compile(r"\.[0-9a-f]{32}(\.\w+)?")  # names that `write` uses before it renames


def write_durably(path: Path, data: Any) -> Path:
    """A file that is whole, and still there after a power failure: written, flushed, renamed, and its folder flushed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, data)
    flush_folder(path.parent)
    return path


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporary(folder: Path) -> int:
    """Delete what a killed run had not finished writing; how many files."""
    found = [path for path in folder.rglob(".*") if TEMPORARY.fullmatch(path.name)]
    for path in found:
        with suppress(FileNotFoundError):
            path.unlink()
    return len(found)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A block that no other process is in. The lock goes with the process that holds it, however that ends.

    Raises:
        OutputError: another process holds it.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise OutputError(
                f"a run in {path.parent}", f"another one at work there (process {holder})", "two would write the same files",
                "Wait for it, stop it, or name another folder.",
            ) from None  # fmt: skip
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
