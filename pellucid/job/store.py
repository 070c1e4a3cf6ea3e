"""Store: a folder with the results of a run. That a valid shard lies there is the truth; all else can be derived from it.

run.json           the specification, and where the data was
shards/00/00017.safetensors   256 items each
items.jsonl        what the items are called, and their labels
quarantine.jsonl   items without a result, with the reason: derived
items.sqlite       an index of the items: derived, see `index.py`
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.core.files import parse_json
from pellucid.errors import OutputError
from .disk import locked, remove_temporary, write_durably
from .items import Items
from .job import Job
from .shard import Shard, read as read_shard

SCHEMA = 1
PER_FOLDER = 1000  # shards


@dataclass(frozen=True, eq=False)
class Store:
    """The results of one run on a disk.

    Arguments:
        path: Its folder.
    """

    path: Path

    @contextmanager
    def opened_for(self, job: Job, origin: Mapping[str, Any]) -> Iterator[None]:
        """A block in which a job may write here: nobody else does, and what lies here is of the same job.

        Arguments:
            origin: Where things were and what was typed; it may differ from run to run.

        Raises:
            OutputError: another run is at work here, or the results here are of another job; the difference is named.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            found = error.strerror or str(error)
            raise OutputError(f"the store {self.path}", found, "it cannot be created", "Name another folder.") from None
        with locked(self.path / "lock"):
            self.check(job)
            remove_temporary(self.path)
            if not (self.path / "items.jsonl").exists():
                write_durably(self.path / "items.jsonl", listed(job.items))
            write_durably(self.path / "run.json", {"schema": SCHEMA, "id": job.id, "spec": job.data, "origin": dict(origin)})
            yield

    def check(self, job: Job) -> None:
        """Refuse another job than the one whose results are here."""
        if not (self.path / "run.json").exists():
            foreign = [p.name for p in self.path.iterdir() if p.name != "lock"]
            if foreign:
                found = f"other files in it: {', '.join(sorted(foreign)[:3])}"
                raise OutputError(f"the store {self.path}", found, "it is not one of a run", "Name an empty or a new folder.")
            return
        if self.run["id"] != job.id:
            found = "results of another specification: " + "; ".join(job.difference(self.run["spec"])[:8])
            do = "Name another folder, or type what was typed before; `pellucid runs status` shows it."
            raise OutputError(f"the store {self.path}", found, "both would be mixed", do)

    @property
    def run(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            OutputError: there is none, or it is damaged.
        """
        path = self.path / "run.json"
        try:
            found = parse_json(path.read_bytes())
            found["id"], found["spec"]["shard"], found["spec"]["data"]["count"]
        except FileNotFoundError:
            do = "Name a folder that was given as --store."
            raise OutputError(f"the store {self.path}", "no run.json", "it is not one of a run", do) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            found = f"{type(error).__name__}: {error}"
            do = "Move the folder away and start again."
            raise OutputError(f"the run in {path}", str(found), "the file is damaged", do) from None
        return dict(found)

    @property
    def shards(self) -> int:
        """How many shards a complete run has."""
        spec = self.run["spec"]
        return -(-int(spec["data"]["count"]) // int(spec["shard"]))

    def shard_path(self, number: int) -> Path:
        return self.path / "shards" / f"{number // PER_FOLDER:02}" / f"{number:05}.safetensors"

    def write_shard(self, number: int, content: bytes) -> Path:
        return write_durably(self.shard_path(number), content)

    def valid(self) -> Iterator[Shard]:
        """The shards that lie here and are whole, in order; damaged ones are left out."""
        run, total = self.run["id"], self.shards
        for number in range(total):
            try:
                found = read_shard(self.shard_path(number))
            except OutputError:
                continue
            if found.run == run and found.number == number:
                yield found

    def done(self) -> set[int]:
        """The numbers of the valid shards."""
        return {shard.number for shard in self.valid()}

    def damaged(self) -> list[Path]:
        """Files that should be shards and are not."""
        good = {self.shard_path(number) for number in self.done()}
        return sorted(path for path in (self.path / "shards").rglob("*.safetensors") if path not in good)

    def broken(self) -> dict[str, str]:
        """Items without a result, with the reason."""
        return {key: why for shard in self.valid() for key, why in shard.broken.items()}

    def write_quarantine(self) -> None:
        """Write quarantine.jsonl anew, a line for each item without a result."""
        lines = [json.dumps({"key": key, "reason": why}, sort_keys=True) for key, why in self.broken().items()]
        write_durably(self.path / "quarantine.jsonl", "".join(f"{line}\n" for line in lines).encode())

    def items(self) -> Items:
        """What the items of the run are called, and their labels; what they hold stays where it is.

        Raises:
            OutputError: the list is missing or damaged.
        """
        path = self.path / "items.jsonl"
        try:
            entries = [parse_json(line) for line in path.read_bytes().splitlines()]
            keys, labels = (tuple(entry[name] for entry in entries) for name in ("key", "label"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            do = "Type the line that made it again: the list is written anew."
            raise OutputError(f"the items in {path}", str(error), "they cannot be listed", do) from None
        return Items(self.run["spec"]["data"].get("kind", ""), keys, labels)

    def class_names(self) -> dict[str, int]:
        """The classes of the model by name, in lower case."""
        labels = self.run["spec"].get("model", {}).get("labels") or []
        return {str(label).casefold(): index for index, label in enumerate(labels)}

    def rows(self, *names: str) -> dict[str, Tensor]:
        """Some columns of all items that have a result, in the order of the items."""
        parts = [shard.rows for shard in self.valid() if len(shard.rows.get("item", ()))]
        if not parts:
            do = "Look at `pellucid runs failures`."
            raise OutputError(f"the results in {self.path}", "no item that was computed", "there is nothing to read", do)
        return {name: torch.cat([part[name] for part in parts]) for name in names}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return next((tuple(sorted(shard.rows)) for shard in self.valid() if len(shard.rows.get("item", ()))), ())


def listed(items: Items) -> bytes:
    """A line of JSON for each item."""
    pairs = zip(items.keys, items.labels, strict=True)
    return "".join(json.dumps({"key": key, "label": label}) + "\n" for key, label in pairs).encode()
