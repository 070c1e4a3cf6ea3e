"""Files by what they hold: the pictures, tables, series and texts of a folder, and the words of a text file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pellucid.errors import InputError, PictureError

LARGEST = 4_000_000  # bytes of a text file
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
TEXTS = (".txt", ".md")
DATA = (".csv", ".tsv", ".npy", ".wav")
KINDS = {"pictures": PICTURES, "texts": TEXTS, "rows": (".csv", ".tsv"), "series": DATA}
MOST_NAMED = 4  # kinds of files that an error counts


class Found(NamedTuple):
    """A file, and the class it is of where folders inside a folder are named after classes."""

    path: Path
    label: str | None = None


def kind_of(path: str | Path) -> str:
    """What a file holds by its suffix: "pictures", "texts" or "data"; "" where that is not known.

    Example:
        >>> kind_of("a/cat.JPG"), kind_of("notes.txt"), kind_of("cat")
        ('pictures', 'texts', '')
    """
    suffix = Path(path).suffix.lower()
    named = {"pictures": PICTURES, "texts": TEXTS, "data": DATA}
    return next((kind for kind, suffixes in named.items() if suffix in suffixes), "")


def files_for(folder: Path, kinds: Sequence[str]) -> list[Found]:
    """The files of these kinds (keys of `KINDS`) in a folder, by name; where it has none, those in the folders inside it, which
    then are classes. Hidden files and other kinds are left out.

    Raises:
        InputError, PictureError: there is none.
    """
    suffixes = {suffix for kind in kinds for suffix in KINDS[kind]}
    found = [Found(path) for path in _visible(folder) if path.is_file() and path.suffix.lower() in suffixes]
    found = found or [
        Found(path, inside.name)
        for inside in _visible(folder)
        if inside.is_dir()
        for path in _visible(inside)
        if path.is_file() and path.suffix.lower() in suffixes
    ]
    if not found:
        raise nothing_in(folder, " or ".join(kinds), sorted(suffixes))
    return found


def nothing_in(folder: Path, wanted: str, suffixes: Iterable[str]) -> InputError | PictureError:
    """The error of a folder without what is wanted."""
    inside = [path for path in _visible(folder) if path.is_file()]
    counts = {kind: sum((path.suffix.lower() or "no suffix") == kind for path in inside) for kind in _suffixes(inside)}
    named = ", ".join(f"{count} {kind}" for kind, count in list(counts.items())[:MOST_NAMED])
    error = PictureError if wanted == "pictures" else InputError
    found = f"files of other kinds ({named})" if inside else "a folder without files"
    return error(f"{wanted} from {folder}", found, "there is nothing to explain", f"Such files end in {', '.join(suffixes)}.")


def read_text(path: Path) -> str:
    """The content of a text file.

    Raises:
        InputError: it cannot be read, is no text, or far too long.
    """
    asked, do = f"the text in {path}", "Name a text file in UTF-8."
    try:
        if path.stat().st_size > LARGEST:
            found = f"{path.stat().st_size:,} bytes"
            raise InputError(asked, found, "no model reads that much at once", "Cut out the part that is meant.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(asked, error.strerror or str(error), "it cannot be read", do) from None
    except UnicodeDecodeError as error:
        found = f"a byte that is no UTF-8, at {error.start}"
        raise InputError(asked, found, "it is no text, or of another encoding", do) from None


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _suffixes(files: Sequence[Path]) -> list[str]:
    return sorted({path.suffix.lower() or "no suffix" for path in files})
