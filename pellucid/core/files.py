"""Files that are written whole or not at all, and JSON that every reader takes. Which formats there are is in `formats.py`."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from pellucid.errors import OutputError
from pellucid.errors.printable import escaped, printable


def write(path: str | os.PathLike[str], data: Any) -> Path:
    """A file with that content (see `content`): written under a temporary name beside it, and renamed when it is on the disk.

    Raises:
        OutputError: the file cannot be written; whatever stood there before still does.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        with temporary.open("wb") as file:
            file.write(content(data))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        found = error.strerror or str(error)
        do = "Choose a folder that exists and can be written, with room left."
        raise OutputError(f"save to {path}", found, "the file cannot be written there", do) from None
    finally:
        with suppress(OSError):  # gone after the rename; never there if the folder is not one
            temporary.unlink()
    return path


def content(data: Any) -> bytes:
    """The bytes of a file: bytes as they are, text in UTF-8 with a line break at its end, other data as JSON.

    Example:
        >>> content("a"), content({"a": float("nan")})
        (b'a\\n', b'{\\n  "a": null\\n}\\n')
    """
    if isinstance(data, bytes):
        return data
    text = (
        printable(data, lines=True) if isinstance(data, str) else escaped(json.dumps(finite(data), indent=2, ensure_ascii=False))
    )
    text = text if text.endswith("\n") else f"{text}\n"
    return text.encode(errors="backslashreplace")  # half a character, as in a file name that is not UTF-8, stays readable


def parse_json(text: str | bytes) -> Any:
    """What stands in a JSON file, from wherever it comes.

    Raises:
        ValueError: it is none, is not in UTF-8, or is nested deeper than anyone writes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("brackets nested too deep") from None


def finite(data: Any) -> Any:
    """Plain data with None for numbers that are not finite, for which JSON has no word, and text for what JSON does not know."""
    return json.loads(json.dumps(data, default=str), parse_constant=lambda _: None)
