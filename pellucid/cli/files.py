"""Where results are written: a folder, checked before anything is computed, and file names that never collide."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pellucid.errors import OutputError
from pellucid.errors.printable import printable
from .settings import split

PAINTED = (".png", ".html")
LONGEST = 120  # characters; file systems take 255 bytes, and method, target and suffix need room

OUT = click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")


def format_option(default: str, formats: str) -> Callable[[Any], Any]:
    """Adds --format, which `Folder.of` reads."""
    return click.option(
        "--format", "formats", default=default, show_default=True, metavar="LIST", help=f"Files to write, among {formats}."
    )


@dataclass(frozen=True)
class Folder:
    """A folder for results, one file per name and format.

    Arguments:
        path: The folder; it is made when there is something to put into it.
        suffixes: The formats: (".png", ".json").
    """

    path: Path
    suffixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, out: str, formats: str, kind: str) -> Folder:
        """The folder that --out names, for results of a kind (a key of `pellucid.core.formats.FORMATS`) in the formats named."""
        from pellucid.core.formats import FORMATS

        suffixes = tuple(dict.fromkeys(f".{name.lower().lstrip('.')}" for name in split(formats)))
        for suffix in suffixes:
            if suffix not in FORMATS[kind]:
                do = f"Choose among {', '.join(name.lstrip('.') for name in FORMATS[kind])}."
                raise OutputError(f"--format {formats}", suffix.lstrip("."), "no such format can be written here", do)
        return cls(Path(out), suffixes)

    def check(self, names: Sequence[str] = (), inputs: Sequence[str] = ()) -> None:
        """Refuse now what could not be written later, or would overwrite an input."""
        asked = f"--out {self.path}"
        place = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not place.is_dir():
            do = "Name a folder; --format chooses what is written there."
            raise OutputError(asked, f"{place}, a file", "results go into a folder", do)
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            found = f"{place}: {error.strerror}"
            raise OutputError(asked, found, "nothing can be written there", "Name another folder.") from None
        sources = {Path(path).resolve() for path in inputs}
        for file in (file for name in names for file in self.files(name)):
            if file.resolve() in sources:
                raise OutputError(asked, f"the input {file}", "the result would overwrite it", "Name another folder.")

    def files(self, name: str) -> list[Path]:
        return [self.path / f"{name}{suffix}" for suffix in self.suffixes]

    def make(self) -> None:
        """Create the folder where it does not exist."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            found = error.strerror or str(error)
            raise OutputError(f"--out {self.path}", found, "the folder cannot be created", "Name another one.") from None

    def write(self, result: Any, name: str, painted: Sequence[str] = PAINTED, **options: Any) -> list[Path]:
        """What a verb returned, in every format; the formats that are `painted` take the options."""
        self.make()
        return [result.save(file, **(options if file.suffix in painted else {})) for file in self.files(name)]


def file_names(paths: Sequence[str], *words: str) -> list[str]:
    """One file name per input, from its own name and from what is computed of it, all different.

    Example:
        >>> file_names(["cat.jpg"], "lrp", "tiger cat"), file_names(["a/cat.jpg", "b/cat.jpg", "b/cat.png"], "lrp")
        (['cat.lrp.tiger-cat'], ['a-cat.lrp', 'b-cat.lrp', 'b-cat-2.lrp'])
    """
    ending = "".join(f".{word}" for word in map(slug, words) if word)
    stems = [printable(Path(path).stem)[-LONGEST:] for path in paths]
    folded = [stem.casefold() for stem in stems]  # some file systems take Cat and cat for the same
    parents = [slug(Path(path).absolute().parent.name) for path in paths]
    pairs = zip(stems, parents, strict=True)
    names = [stem if folded.count(stem.casefold()) == 1 else f"{parent}-{stem}" for stem, parent in pairs]
    distinct: dict[str, str] = {}
    for name in names:
        numbered = (name, *(f"{name}-{number}" for number in range(2, len(names) + 2)))
        new = next(one for one in numbered if one.casefold() not in distinct)
        distinct[new.casefold()] = new + ending
    return list(distinct.values())


def slug(text: str) -> str:
    """A text as part of a file name.

    Example:
        >>> slug("Egyptian cat"), slug("layer4.0.conv1")
        ('egyptian-cat', 'layer4.0.conv1')
    """
    return re.sub(r"[^\w.]+", "-", text.casefold()).strip("-.")[:60]
