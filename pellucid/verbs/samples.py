"""Many inputs, read one after another: those of a list, the files of a folder, what a data loader yields."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from pellucid.core.folders import Found, files_for, kind_of, read_text
from pellucid.core.numbers import figure
from pellucid.errors import InputError
from pellucid.model import Columns, Held, Model, Text
from pellucid.model.multi_input import takes_several
from pellucid.model.readers.rows import as_rows
from .inputs import reads_rows

ROWS = 256  # of a table that are explained together, where all of it need not be kept


class Group(NamedTuple):
    """What is read at once: one sample, or a batch.

    Arguments:
        x: As `explain` takes it.
        names: What each sample is called; none where nothing is known.
        labels: What each truly is: the number of a class, or its name; none where nothing is known.
    """

    x: Any
    names: tuple[str, ...] = ()
    labels: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Samples:
    """Many inputs.

    Arguments:
        read: Begins anew with the first of them.
        source: What they come from, in words.
        count: How many there are, where that is known.
        listed: Whether they were given all at once, so that their explanations are wanted so.
        once: Whether they can be read a single time, as what a generator yields.
    """

    read: Callable[[], Iterator[Group]]
    source: str
    count: int | None = None
    listed: bool = False
    once: bool = False


def samples_of(model: Model, x: Any) -> Samples | None:
    """The many inputs that `x` stands for; None where it is one input, or one batch.

    Raises:
        InputError: they are none, of several kinds, or nothing that is read.
    """
    if isinstance(x, Path) or (isinstance(x, str) and not isinstance(model.preprocess, Text)):
        return of_folder(model, Path(x)) if os.path.isdir(x) else None
    if isinstance(x, list):
        return of_list(model, x)
    return of_stream(model, x) if is_stream(x) else None


def of_folder(model: Model, folder: Path) -> Samples:
    """The files of a folder that the model reads."""
    kinds = kinds_read(model)
    files = files_for(folder, kinds)
    if isinstance(model.preprocess, Columns):
        return Samples(lambda: (group for file in files for group in of_rows(file.path)), f"{folder}/")
    return Samples(lambda: (of_file(model, file) for file in files), f"{folder}/", len(files))


def kinds_read(model: Model) -> tuple[str, ...]:
    """The kinds of files that the model reads, as `pellucid.core.folders.KINDS` has them."""
    if isinstance(model.preprocess, Text):
        return ("texts",)
    return ("rows",) if isinstance(model.preprocess, Columns) else ("series",) if reads_rows(model) else ("pictures",)


def of_file(model: Model, file: Found) -> Group:
    """One file: of a text its words, else its path, which the model's reader opens."""
    data = read_text(file.path) if isinstance(model.preprocess, Text) else file.path
    return Group(data, (file.path.name,), () if file.label is None else (file.label,))


def of_rows(path: Path, most: int = ROWS) -> Iterator[Group]:
    """The rows of a table, so many at once."""
    rows = as_rows(path)
    for first in range(0, len(rows), most):
        some = rows[first : first + most]
        yield Group(some, tuple(f"{path.name} row {first + number}" for number in range(len(some))))


def of_list(model: Model, given: list[Any]) -> Samples | None:
    """A list of inputs, each read by itself; None where the model's reader takes the list as a batch, or as several inputs."""
    kinds = {kind(one) for one in given}
    if "held" in kinds or (kinds <= {"tensor"} and given and (takes_several(model) or reads_rows(model))):
        return None
    if not given:
        raise InputError("explanations of a list", "an empty list", "there is nothing to explain", "Pass at least one input.")
    if len(kinds) > 1:
        if "tensor" in kinds and takes_several(model):
            return None
        named = " and ".join(sorted(kinds))
        why = "samples of one list are read in the same way"
        raise InputError("explanations of a list", f"{named} together", why, "Explain each kind by itself.")
    (only,) = kinds
    if only in ("row", "numbers") or (only == "text" and isinstance(model.preprocess, Text)):
        return None
    if all(isinstance(one, (str, os.PathLike)) for one in given):
        files = [Found(Path(one)) for one in given]
        return Samples(lambda: (of_file(model, file) for file in files), f"{len(given)} files", len(given), listed=True)
    count = None if only == "tensor" else len(given)
    return Samples(lambda: (Group(one) for one in given), f"a list of {len(given)}", count, listed=True)


def kind(one: Any) -> str:
    """What an entry of a list is, in words."""
    if isinstance(one, (Tensor, Held)):
        return "tensor" if isinstance(one, Tensor) else "held"
    if isinstance(one, (str, os.PathLike)):
        return kind_of(os.fspath(one)) or "text"
    if isinstance(one, Mapping):
        return "row"
    picture = isinstance(one, (Image.Image, bytes)) or (isinstance(one, np.ndarray) and one.dtype == np.uint8)
    return "pictures" if picture else "array" if isinstance(one, np.ndarray) else "numbers"


def is_stream(x: Any) -> bool:
    """Whether this yields inputs one after another: a data loader, a data set, a generator.

    Example:
        >>> is_stream(iter([])), is_stream("cat.jpg"), is_stream({"age": 61})
        (True, False, False)
    """
    data = (str, bytes, bytearray, memoryview, Mapping, Sequence, Tensor, np.ndarray, Image.Image, Held, os.PathLike)
    framed = any(hasattr(x, name) for name in ("to_dict", "to_dicts", "read"))
    indexed = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return not isinstance(x, data) and not framed and not hasattr(x, "__array__") and (hasattr(x, "__iter__") or indexed)


def of_stream(model: Model, x: Any) -> Samples:
    """What a data loader, a data set or a generator yields."""
    indexed = not hasattr(x, "__iter__")
    single = indexed or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))  # a data set has samples, not batches

    def read() -> Iterator[Group]:
        items = (x[number] for number in range(len(x))) if indexed else iter(x)
        for number, item in enumerate(items):
            yield as_group(model, item, number, single=single)

    once = hasattr(x, "__next__")
    return Samples(read, "a generator" if once else f"a {type(x).__name__}", _count(x, single=single), once=once)


def _count(x: Any, *, single: bool) -> int | None:
    """How many samples there are, as far as a loader says."""
    try:
        return len(x) if single else len(x.dataset)
    except (AttributeError, TypeError, NotImplementedError):
        return None


def as_group(model: Model, item: Any, number: int, *, single: bool) -> Group:
    """What a loader yielded: inputs alone, or with their labels.

    Raises:
        InputError: it is neither.
    """
    asked = f"item {number} of the data"
    if isinstance(item, Mapping) and (not reads_rows(model) or any(isinstance(value, Tensor) for value in item.values())):
        raise InputError(
            asked, f"a dict of {', '.join(map(str, list(item)[:5])) or 'nothing'}", "nothing says which of them is explained",
            'Choose: pl.explain(model, ((item["image"], item["label"]) for item in loader)).',
        )  # fmt: skip
    paired = isinstance(item, (tuple, list)) and len(item) == 2 and not isinstance(item[1], (np.ndarray, Image.Image))
    if isinstance(item, tuple) or (isinstance(item, list) and item and isinstance(item[0], Tensor)):
        if len(item) not in (1, 2):
            why = "inputs stand alone, or with their labels"
            raise InputError(asked, f"{len(item)} things", why, "Yield (inputs, labels).")
        x, y = item[0], item[1] if paired else None
    else:
        x, y = item, None
    if not isinstance(x, (Tensor, np.ndarray, str, os.PathLike, bytes, Image.Image, Mapping, list)):
        why = "inputs are tensors, or what the model reads"
        raise InputError(asked, f"an object of type {type(x).__name__}", why, "Yield inputs, or (inputs, labels).")
    x = x[None] if single and isinstance(x, Tensor) else x
    return Group(x, (), _labels(y, len(x) if isinstance(x, (Tensor, list)) else 1, asked))


def _labels(y: Any, count: int, asked: str) -> tuple[Any, ...]:
    """The label of every sample; none where what comes along is no class and no number of each."""
    plain = y.tolist() if hasattr(y, "tolist") else y
    plain = plain if isinstance(plain, (list, tuple)) else [plain]
    if y is None or any(not isinstance(label, (int, float, str)) for label in plain):
        return ()
    if len(plain) != count:
        raise InputError(
            asked, f"{count} inputs and {len(plain)} labels", "each sample has one", "Yield (inputs, labels) of equal length."
        )
    return tuple(plain)


def label_name(model: Model, label: Any) -> str:
    """What the model calls a label."""
    if isinstance(label, float):
        return figure(label)
    return model.label(label) if isinstance(label, int) and not isinstance(label, bool) else str(label)
