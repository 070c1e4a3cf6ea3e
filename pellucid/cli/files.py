"""Where results are written: a folder, checked before anything is computed, and file names that never collide."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pellucid.errors import OutputError
from pellucid.errors.printable import printable
from .settings import split

PAINTED = (".png", ".html", ".jpg", ".pdf")
PAGED = (".png", ".jpg", ".pdf", ".svg")
SHOWN = (".html", ".pdf", ".png", ".jpg", ".svg", ".txt", ".csv", ".json")  # best to look at first
LONGEST = 120  # characters; file systems take 255 bytes, and method, target and suffix need room

OUT = click.option(
    "--out", default=".", metavar="DIR", help="Folder for the results, or one file: map.pdf.  [default: the current folder]"
)
OPEN = click.option("--open", "open_it", is_flag=True, help="Show the first result with the viewer of this system.")


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
        stem: The name of the only file, where --out says it; "": files are named after what is in them.
    """

    path: Path
    suffixes: tuple[str, ...] = ()
    stem: str = ""

    @classmethod
    def of(cls, out: str, formats: str, kind: str) -> Folder:
        """The folder or file that --out names, for results of a kind (a key of `pellucid.core.formats.FORMATS`)."""
        from pellucid.core.formats import FORMATS

        path = Path(out)
        if not path.is_dir() and path.suffix.lower() in {suffix for known in FORMATS.values() for suffix in known}:
            return cls._of_file(path, FORMATS[kind])
        suffixes = tuple(dict.fromkeys(f".{name.lower().lstrip('.')}" for name in split(formats)))
        for suffix in suffixes:
            if suffix not in FORMATS[kind]:
                do = f"Choose among {', '.join(name.lstrip('.') for name in FORMATS[kind])}."
                raise OutputError(f"--format {formats}", suffix.lstrip("."), "no such format can be written here", do)
        return cls(path, suffixes)

    @classmethod
    def _of_file(cls, path: Path, formats: Collection[str]) -> Folder:
        """One file, whose suffix says its format."""
        if path.suffix.lower() not in formats:
            do = f"End it in one of {', '.join(formats)}, or name a folder."
            raise OutputError(f"--out {path}", f"the suffix {path.suffix}", "such a result has no such format", do)
        context = click.get_current_context(silent=True)
        if context is not None and context.get_parameter_source("formats") is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--out {path} says the format of its one file: leave out --format, or name a folder")
        return cls(path.parent, (path.suffix,), path.stem)

    def check(self, names: Sequence[str] = (), inputs: Sequence[str] = ()) -> None:
        """Refuse now what could not be written later, or would overwrite an input."""
        asked = f"--out {self.path / self.stem}{self.suffixes[0]}" if self.stem else f"--out {self.path}"
        if self.stem and len(names) > 1:
            do = "Name a folder; --format chooses what is written there."
            raise OutputError(asked, f"{len(names)} results", "one file holds one result", do)
        place = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not place.is_dir():
            do = "Name a folder; --format chooses what is written there."
            raise OutputError(asked, f"{place}, a file", "results go into a folder", do)
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            found = f"{place}: {error.strerror}"
            raise OutputError(asked, found, "nothing can be written there", "Name another folder.") from None
        sources = {Path(path).resolve() for path in (*inputs, *typed_words())}
        for file in (file for name in names for file in self.files(name)):
            if file.resolve() in sources:
                raise OutputError(asked, f"the input {file}", "the result would overwrite it", "Name another folder.")

    def files(self, name: str) -> list[Path]:
        return [self.path / f"{self.stem or name}{suffix}" for suffix in self.suffixes]

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
        return [result.save(file, **(options if file.suffix.lower() in painted else {})) for file in self.files(name)]


def write_pages(result: Any, written: Sequence[Path], pages: int, options: Mapping[str, Any]) -> list[Path]:
    """The further pages of a picture that was written, each a file: x-2.png, x-3.png."""
    return [
        result.save(file.with_stem(f"{file.stem}-{page}"), page=page, **(options if file.suffix.lower() in PAINTED else {}))
        for file in written
        for page in range(2, pages + 1)
        if file.suffix.lower() in PAGED
    ]


def typed_words() -> list[str]:
    """Every word of the command but --out: a model, weights or labels may be files that a result must not replace."""
    context = click.get_current_context(silent=True)
    values = [value for name, value in (context.params if context else {}).items() if name != "out"]
    return [word for value in values for word in (value if isinstance(value, tuple) else (value,)) if isinstance(word, str)]


def open_first(files: Sequence[Path]) -> None:
    """Show the result that is best to look at with the viewer of this system.

    Raises:
        OutputError: there is no such viewer.
    """
    shown = [file for suffix in SHOWN for file in files if file.suffix.lower() == suffix]
    for file in shown[:1]:
        if click.launch(str(file)):
            do = "Open it by hand, and leave out --open."
            raise OutputError(f"--open {file}", "no viewer that takes it", "this system cannot show it", do)


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
