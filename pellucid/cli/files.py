"""Where results go: a folder that is known to be writable before anything is computed, and names that never collide."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import OutputError

if TYPE_CHECKING:
    from pellucid.explanation.comparison import Comparison
    from pellucid.explanation.explanation import Explanation

PAINTED = (".png", ".html")
LONGEST = 120  # characters; file systems take 255 bytes, and method, target and suffix need room


@dataclass(frozen=True)
class Folder:
    """A place for results, one file per picture and format.

    Arguments:
        path: The folder; it is made when there is something to put into it.
        suffixes: The formats: (".png", ".json").
    """

    path: Path
    suffixes: tuple[str, ...]

    def check(self, names: Sequence[str] = (), pictures: Sequence[str] = ()) -> None:
        """Refuse now what could not be written later, or would be written over a picture that is to be read."""
        asked = f"--out {self.path}"
        place = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not place.is_dir():
            do = "Name a folder; --format chooses what is written there."
            raise OutputError(asked, f"{place}, a file", "results go into a folder", do)
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            found = f"{place}: {error.strerror}"
            raise OutputError(asked, found, "nothing can be written there", "Name a folder of yours.") from None
        sources = {Path(picture).resolve() for picture in pictures}
        for name in names:
            for file in self.files(name):
                if file.resolve() in sources:
                    raise OutputError(asked, f"the picture {file}", "the result would be written over it", "Name another folder.")

    def files(self, name: str) -> list[Path]:
        return [self.path / f"{name}{suffix}" for suffix in self.suffixes]

    def write(self, answer: Explanation | Comparison, name: str, **shown: Any) -> list[Path]:
        """The answer in every format, each file whole or not at all.

        Arguments:
            shown: What pictures and pages show.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            found = error.strerror or str(error)
            raise OutputError(f"--out {self.path}", found, "the folder cannot be made", "Name another one.") from None
        return [answer.save(file, **(shown if file.suffix in PAINTED else {})) for file in self.files(name)]


def names(pictures: Sequence[str], *words: str) -> list[str]:
    """One name per picture, from its own and from what is done with it, all different.

    Example:
        >>> names(["cat.jpg"], "lrp", "tiger cat"), names(["a/cat.jpg", "b/cat.jpg", "b/cat.png"], "lrp")
        (['cat.lrp.tiger-cat'], ['a-cat.lrp', 'b-cat.lrp', 'b-cat-2.lrp'])
    """
    ending = "".join(f".{word}" for word in map(slug, words) if word)
    stems = [Path(picture).stem[-LONGEST:] for picture in pictures]
    folded = [stem.casefold() for stem in stems]  # some file systems take Cat and cat for the same
    parents = [slug(Path(picture).absolute().parent.name) for picture in pictures]
    told = [
        stem if folded.count(stem.casefold()) == 1 else f"{parent}-{stem}" for stem, parent in zip(stems, parents, strict=True)
    ]
    taken: set[str] = set()
    return [unused(name, taken) + ending for name in told]


def unused(name: str, taken: set[str]) -> str:
    """`name`, or with the first number behind it that makes it new."""
    found, number = name, 2
    while found.casefold() in taken:
        found, number = f"{name}-{number}", number + 1
    taken.add(found.casefold())
    return found


def slug(words: str) -> str:
    """Words as part of a file name.

    Example:
        >>> slug("Egyptian cat"), slug("layer4.0.conv1")
        ('egyptian-cat', 'layer4.0.conv1')
    """
    return re.sub(r"[^\w.]+", "-", words.casefold()).strip("-.")[:60]
