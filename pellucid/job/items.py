"""Items: the inputs that a run is about, each with a key, in an order that never changes."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from pellucid.errors import InputError
from pellucid.model.readers.rows import as_rows

SUFFIXES = {
    "pictures": (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    "texts": (".txt",),
    "series": (".npy", ".wav", ".csv", ".tsv"),
}
NAMES = ("file", "path", "name", "filename", "picture", "image", "key", "id")  # of the column of a table that names the items
LABEL = "label"


@dataclass(frozen=True, eq=False)
class Items:
    """Inputs by key.

    Arguments:
        kind: "pictures", "texts", "rows", "series", or "tensor".
        keys: What each is called: of files, their paths relative to the folder.
        labels: The class that each belongs to, by name; None where nobody says.
        root: The folder the files are in.
        values: The inputs themselves, where they are not files: a tensor, texts, or rows as dicts.
        sizes: Of the files, in bytes: part of what tells one data set from another.
        meta: What else is known of each item: its row of a table.
    """

    kind: str
    keys: tuple[str, ...]
    labels: tuple[str | None, ...]
    root: Path | None = None
    values: Any = None
    sizes: tuple[int, ...] = ()
    meta: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def raw(self, number: int) -> Any:
        """What a model reads: a path, a text, a row, or one sample of a tensor with its batch axis."""
        if self.values is None:
            assert self.root is not None
            path = self.root / self.keys[number]
            return read_text(path) if self.kind == "texts" else path
        return self.values[number : number + 1] if isinstance(self.values, Tensor) else self.values[number]

    @cached_property
    def digest(self) -> str:
        """A digest of keys, labels and sizes (of files), or of the values themselves."""
        digest = hashlib.sha256()
        for number, key in enumerate(self.keys):
            size = self.sizes[number] if self.sizes else 0
            digest.update(f"{key}\t{self.labels[number]}\t{size}\n".encode(errors="surrogateescape"))
        for value in self._values():
            digest.update(value)
        return digest.hexdigest()

    def _values(self) -> Iterator[bytes]:
        if isinstance(self.values, Tensor):
            yield self.values.detach().cpu().contiguous().numpy().tobytes()
        elif self.values is not None:
            yield from (repr(value).encode(errors="surrogateescape") for value in self.values)

    def described(self) -> dict[str, Any]:
        """What tells these items from others, as plain data; the folder may be moved."""
        return {"kind": self.kind, "count": len(self), "digest": self.digest}


def of(data: Any, meta: str | os.PathLike[str] | None = None, labels: Sequence[Any] | None = None) -> Items:
    """Items from a folder of pictures, texts or series, a CSV file of texts or rows, a tensor, or a list of texts.

    Arguments:
        meta: A CSV file with a row for each file of a folder; its column `label` names classes.
        labels: The class of each, where the data does not say it.

    Raises:
        InputError: there is nothing in it, or the table does not belong to it.
    """
    if isinstance(data, Items):
        found = data
    elif isinstance(data, Tensor):
        keys = tuple(f"{number:06d}" for number in range(len(data)))
        found = Items("tensor", keys, (None,) * len(keys), values=data.detach())
    elif isinstance(data, (str, os.PathLike)):
        found = of_path(Path(data).expanduser())
    else:
        found = of_list(data)
    if labels is not None:
        found = with_labels(found, labels)
    return found if meta is None else with_meta(found, meta)


def of_path(path: Path) -> Items:
    """The files of a folder, or the rows of a CSV file: texts where it has a column `text`."""
    if path.is_dir():
        return of_folder(path)
    if path.suffix.lower() not in (".csv", ".tsv"):
        found = "a file" if path.exists() else "no such folder"
        raise InputError(f"the data in {path}", found, "a run takes many inputs", "Name a folder of pictures, or a CSV file.")
    return of_list(as_rows(path))


def of_list(data: Sequence[Any]) -> Items:
    """Texts, or rows of a table, by their numbers; a column `text` holds texts, a column `label` their classes."""
    if not isinstance(data, Sequence) or not data or not all(isinstance(one, (str, Mapping)) for one in data):
        found = f"a {type(data).__name__}" if not isinstance(data, Sequence) or data else "an empty list"
        do = "Name a folder or a CSV file, or pass a tensor, texts, or rows as dicts."
        raise InputError("the data of a run", found, "it is computed item by item", do)
    keys = tuple(f"{number:06d}" for number in range(len(data)))
    if isinstance(data[0], str):
        return Items("texts", keys, (None,) * len(keys), values=tuple(data))
    labels = tuple(row.get(LABEL) for row in data)
    meta = tuple({str(name): str(cell) for name, cell in row.items() if name not in (LABEL, "text")} for row in data)
    if "text" in data[0]:
        return Items("texts", keys, labels, values=tuple(str(row["text"]) for row in data), meta=meta)
    rows = tuple({name: cell for name, cell in row.items() if name != LABEL} for row in data)
    return Items("rows", keys, labels, values=rows)


def of_folder(root: Path) -> Items:
    """Files by their paths, each labelled by the name of the folder it is in; pictures, or else texts, or else series."""
    every = sorted(files(root, ""))
    for kind, suffixes in SUFFIXES.items():
        chosen = [(key, size) for key, size in every if os.path.splitext(key)[1].lower() in suffixes]
        if chosen:
            keys, sizes = zip(*chosen, strict=True)
            labels = tuple(key.rsplit("/", 2)[-2] if "/" in key else None for key in keys)
            return Items(kind, keys, labels, root, sizes=sizes)
    do = f"Pictures end in {', '.join(SUFFIXES['pictures'])}; texts in .txt."
    raise InputError(f"the data in {root}", "a folder without pictures, texts or series", "there is nothing to compute", do)


def files(root: Path, inside: str) -> Iterator[tuple[str, int]]:
    """All files below a folder as (relative path, size), links that lead nowhere too; hidden ones are left out."""
    with os.scandir(root / inside) as entries:
        for entry in entries:
            key = f"{inside}/{entry.name}" if inside else entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from files(root, key)
            else:
                yield key, entry.stat(follow_symlinks=False).st_size


def read_text(path: Path) -> str:
    """A text in UTF-8.

    Raises:
        InputError: it is none.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise InputError(f"the text in {path}", found, "it cannot be read", "Save it in UTF-8.") from None


def with_labels(items: Items, labels: Sequence[Any]) -> Items:
    """The same items with these labels, one for each."""
    named = tuple(None if label is None else str(label) for label in (x.item() if hasattr(x, "item") else x for x in labels))
    if len(named) != len(items):
        found = f"{len(named)} for {len(items)} items"
        raise InputError("labels=", found, "each item has one", "Pass as many as there are items.")
    return Items(items.kind, items.keys, named, items.root, items.values, items.sizes, items.meta)


def with_meta(items: Items, path: str | os.PathLike[str]) -> Items:
    """The items with the rows of a table, joined on the names of files; its column `label` replaces the names of folders.

    Raises:
        InputError: no column names the items, or a name is that of several items or rows.
    """
    rows = as_rows(path)
    column = name_column(rows, items.keys)
    if column is None:
        do = f"Give a column `file` with names such as {items.keys[0]}."
        raise InputError(f"the table {path}", f"the columns {', '.join(rows[0])}", "none of them names the files", do)
    check_names([str(row[column]) for row in rows], items.keys, path)
    by_name = {str(row[column]): row for row in rows}
    joined = [by_name.get(key) or by_name.get(key.rsplit("/", 1)[-1]) or {} for key in items.keys]
    labels = tuple(row.get(LABEL) or label for row, label in zip(joined, items.labels, strict=True))
    meta = tuple({name: str(cell) for name, cell in row.items() if name not in (column, LABEL)} for row in joined)
    return Items(items.kind, items.keys, labels, items.root, items.values, items.sizes, meta)


def check_names(names: Sequence[str], keys: Sequence[str], path: str | os.PathLike[str]) -> None:
    """Refuse a table whose names are not those of single items."""
    files = Counter(key.rsplit("/", 1)[-1] for key in keys)
    whole = set(keys)
    for name, count in Counter(names).items():
        found = "that name twice" if count > 1 else f"{files[name]} files of that name" if name not in whole else ""
        if count > 1 or (name not in whole and files[name] > 1):
            do = "Give each file one row" if count > 1 else f"Give paths such as {keys[0]}"
            raise InputError(f"{name} in the table {path}", found, "it cannot be told which is meant", f"{do}.")


def name_column(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str | None:
    """The column that names most of the items, by whole paths or by the names of files; None where none does."""
    names = {*keys, *(key.rsplit("/", 1)[-1] for key in keys)}
    matches = {column: sum(str(row[column]) in names for row in rows) for column in rows[0]}
    best = max(matches, key=lambda column: (matches[column], column.casefold() in NAMES))
    return best if matches[best] else None
