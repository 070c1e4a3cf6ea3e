"""Pictures: the user's data, whatever they come as, as batches of inputs of a network; labels are not needed.

How a single picture is read and preprocessed is in `pellucid.model.readers`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.core.picture import DECODERS, read_picture
from pellucid.errors import InputError
from pellucid.model import Model

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
KEPT = 2**28  # entries that are kept in memory, 1 GiB of them; more are read anew each time
HELD_OUT = 64  # pictures that are not learned from, at most
assert len(DECODERS) == 6, "the suffixes are those of the decoders"


@dataclass(frozen=True, eq=False)
class Pictures:
    """Inputs of a network, in its own units: a tensor in memory, files, or a loader of batches.

    Arguments:
        model: Reads pictures, and says on which device inputs live.
        inputs: All of them, with shape (n, *shape), where they fit into memory.
        paths: Else the files to read them from.
        loader: Else an iterable that gives batches each time it is iterated over.
        seed: Of the order.
        names: The file names, where they are files.
    """

    model: Model
    inputs: Tensor | None = None
    paths: tuple[Path, ...] = ()
    loader: Iterable[Any] | None = None
    seed: int = 0
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many there are to learn from; 0 for a loader, whose length is not known."""
        return self.count - self.reserved

    @property
    def count(self) -> int:
        """How many there are, those held out included; 0 for a loader."""
        return len(self.inputs) if self.inputs is not None else len(self.paths)

    @property
    def reserved(self) -> int:
        """How many are held out, to measure how well a prior generalises: a tenth, 64 at most."""
        return min(HELD_OUT, self.count // 10)

    def batches(self, size: int) -> Iterator[Tensor]:
        """Batches to learn from without end, each picture once before any comes again."""
        while self.loader is not None:
            yield from loader_batches(self.model, self.loader, self.seed)
        rng = torch.Generator("cpu").manual_seed(self.seed)
        order = self._order()[self.reserved :]
        while True:
            for rows in torch.split(order[torch.randperm(len(order), generator=rng)], min(size, len(order))):
                if len(rows) == min(size, len(order)):  # a small rest makes steps of another kind
                    yield self.take(rows)

    def held_out(self) -> Tensor | None:
        """The pictures that `batches` leaves out, if there are any."""
        return self.take(self._order()[: self.reserved]) if self.reserved else None

    def first(self, n: int) -> Tensor:
        """The first `n` to learn from, or as many as there are."""
        if self.loader is not None:
            return torch.cat(list(islice(loader_batches(self.model, self.loader, self.seed), n)))[:n]
        return self.take(self._order()[self.reserved :][:n])

    def one_epoch(self, size: int) -> Iterator[Tensor]:
        """Batches of all there are to learn from, each picture once."""
        return self._in_order(self._order()[self.reserved :], size)

    def everything(self, size: int) -> Iterator[Tensor]:
        """Batches of all pictures, those held out included, in the order of the data."""
        return self._in_order(torch.arange(self.count), size)

    def _in_order(self, index: Tensor, size: int) -> Iterator[Tensor]:
        if self.loader is not None:
            return loader_batches(self.model, self.loader, self.seed)
        return (self.take(rows) for rows in torch.split(index, size))

    def name(self, index: int) -> str | int:
        """The name of the picture of that number; the number itself, where it has none."""
        return self.names[index] if self.names else index

    def take(self, index: Tensor) -> Tensor:
        """The pictures of these numbers, with shape (n, *shape)."""
        if self.inputs is not None:
            return self.inputs[index].to(self.model.device, self.model.dtype)
        return torch.cat([self.model.read(self.paths[i]) for i in index.tolist()])

    def _order(self) -> Tensor:
        return torch.randperm(self.count, generator=torch.Generator("cpu").manual_seed(self.seed))


def pictures(model: Model, data: Any, seed: int = 0) -> Pictures:
    """The user's data as `Pictures`: a tensor of inputs, a folder, a list of pictures, or a loader of batches.

    Arguments:
        data: A tensor of inputs, batch first, as the model expects them; a folder, which is searched with all folders inside;
            pictures or their paths; or an iterable of batches, tensors or tuples that begin with one, such as a DataLoader.

    Raises:
        InputError: there are no pictures in it, or it is something else.
        PictureError: a picture cannot be read.
    """
    if isinstance(data, Tensor):
        return Pictures(model, _checked(data.detach()), seed=seed)
    if isinstance(data, (str, os.PathLike)):
        return _from_paths(model, picture_files(Path(data)), seed)
    if isinstance(data, Sequence) and data and not isinstance(data[0], (Tensor, tuple, list)):
        if all(isinstance(one, (str, os.PathLike)) for one in data):
            return _from_paths(model, [Path(one) for one in data], seed)
        return Pictures(model, torch.cat([model.read(read_picture(one)).cpu() for one in data]), seed=seed)
    if isinstance(data, Iterable):
        return _from_loader(model, data, seed)
    raise _no_pictures(f"a {type(data).__name__}")


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder and in all folders inside it, in the order of their names."""
    if folder.is_file():
        raise InputError(
            f"Pictures in {folder}", "a file", "many pictures are needed, and a folder is searched for them",
            "Name the folder that holds them.",
        )  # fmt: skip
    if not folder.is_dir():
        raise InputError(f"Pictures in {folder}", "no such folder", "there is nothing to read", "Check its name.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise InputError(
            f"Pictures in {folder}", f"none that ends in {', '.join(sorted(SUFFIXES))}", "there is nothing to learn from",
            "Name the folder that holds them, or one above it.",
        )  # fmt: skip
    return paths


def _from_paths(model: Model, paths: Sequence[Path], seed: int) -> Pictures:
    first, names = model.read(paths[0]), tuple(map(str, paths))
    if len(paths) * first.numel() > KEPT:
        return Pictures(model, paths=tuple(paths), seed=seed, names=names)
    return Pictures(model, torch.cat([model.read(path).cpu() for path in paths]), seed=seed, names=names)


def _from_loader(model: Model, data: Iterable[Any], seed: int) -> Pictures:
    """Kept in memory if it fits there, or can be iterated over only once; else iterated over whenever it is needed."""
    batches, entries = [], 0
    for batch in loader_batches(model, data, seed):
        batches.append(batch.cpu())
        entries += batch.numel()
        if entries > KEPT and iter(data) is not data:
            return Pictures(model, loader=data, seed=seed)
    if not batches:
        raise _no_pictures("no batch")
    return Pictures(model, _checked(torch.cat(batches)), seed=seed)


def loader_batches(model: Model, loader: Iterable[Any], seed: int) -> Iterator[Tensor]:
    """The batches of a loader. One that shuffles draws from a generator of ours, so that the user's stays as it is."""
    draws = DeviceGenerators(seed)
    source: Iterator[Any] | None = None
    while True:
        with drawing_from(draws):
            source = iter(loader) if source is None else source
            batch = next(source, None)
        if batch is None:
            return
        first = batch[0] if isinstance(batch, (tuple, list)) else batch
        if not isinstance(first, Tensor):
            raise _no_pictures(f"batches of type {type(first).__name__}")
        yield first.detach().to(model.device, model.dtype)


def _checked(data: Tensor) -> Tensor:
    if data.dim() < 2 or len(data) < 2 or not data.is_floating_point() or not bool(data.isfinite().all()):
        found = f"a tensor of {data.dtype} and shape {tuple(data.shape)}"
        raise InputError(
            "Pictures to learn from", found, "two or more inputs are needed, as the model expects them, with numbers in them",
            "Pass floats, batch first, preprocessed as for the model itself.",
        )  # fmt: skip
    return data


def _no_pictures(found: str) -> InputError:
    return InputError(
        "Pictures to learn from", found, "a prior learns from many inputs of the model",
        "Pass a tensor of inputs, a folder of pictures, a list of them, or a DataLoader.",
    )  # fmt: skip
