"""Files that are written whole or not at all, each by the format that its suffix names."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from pellucid.errors import OutputError


def save(thing: Any, path: str | os.PathLike[str], formats: Mapping[str, str], **options: Any) -> Path:
    """Write `thing` in the one of `formats` that the suffix of `path` chooses."""
    path = Path(path)
    if path.suffix.lower() not in formats:
        found = f'suffix "{path.suffix}"' if path.suffix else "no suffix"
        raise OutputError(f"save to {path}", found, "the suffix chooses the format", f"Use one of {', '.join(formats)}.")
    module, function = formats[path.suffix.lower()].split(":")
    write = getattr(import_module(module), function)
    unknown = [name for name in options if name not in signature(write).parameters]
    if unknown:
        taken = ", ".join(list(signature(write).parameters)[2:]) or "none"
        do = f"Leave it out; what {path.suffix} takes: {taken}."
        raise OutputError(f"save to {path}", f"{unknown[0]}={options[unknown[0]]!r}", "the format has no such option", do)
    with whole(path) as temporary:
        write(thing, temporary, **options)
    return path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it if all goes well, and gone if anything does not."""
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        found = error.strerror or str(error)
        do = "Choose a folder that exists and can be written, with room left."
        raise OutputError(f"save to {path}", found, "the file cannot be written there", do) from None
    finally:
        with suppress(OSError):  # gone after the rename; never there if the folder is not one
            temporary.unlink()
